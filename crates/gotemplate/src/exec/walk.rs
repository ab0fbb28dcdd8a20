//! Owns the walk over nodes: text, actions, blocks.

use plumb_world::Span;

use super::failure::Stop;
use super::{At, Exec, Frame, Ref, Static};
use crate::origin::{Branch, Ctl, Hole, O};
use crate::text::{Seg, Traced};
use crate::tree::{Branch as BranchNode, Node, Pipe};
use crate::value::{IntKind, Value};

/// How a node was left.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Next,
    Break,
    Continue,
}

impl Exec<'_> {
    pub(crate) fn walk<'t>(&mut self, frame: &mut Frame<'t>, dot: Ref, list: &'t [Node], out: &mut Traced) -> Result<Flow, Stop> {
        for node in list {
            frame.at = At::Node(node);
            let flow = match node {
                Node::Text(_, text) => {
                    self.heap.write(*text, O::NONE, self.heap.here.ctl, out);
                    self.grown(frame, out)?;
                    Flow::Next
                }
                Node::Action(_, pipe) => {
                    let value = self.pipeline(frame, dot, pipe)?;
                    if pipe.decl.is_empty() {
                        frame.at = At::Node(node);
                        self.print(frame, value, out)?;
                    }
                    Flow::Next
                }
                Node::If(branch) => self.branch(frame, dot, branch, false, out)?,
                Node::With(branch) => self.branch(frame, dot, branch, true, out)?,
                Node::Range(branch) => self.range(frame, dot, branch, out)?,
                Node::Template(_, name, pipe) => {
                    self.template(frame, dot, *name, pipe.as_deref(), out)?;
                    Flow::Next
                }
                Node::Break(_) => Flow::Break,
                Node::Continue(_) => Flow::Continue,
            };
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    /// Fails when the output has become too large.
    pub(crate) fn grown(&mut self, frame: &Frame<'_>, out: &Traced) -> Result<(), Stop> {
        if out.bytes.len() > self.options.limits.output_bytes {
            return Err(self.stop(frame, super::failure::output_limit(self.options.limits.output_bytes)));
        }
        Ok(())
    }

    fn print(&mut self, frame: &Frame<'_>, value: Ref, out: &mut Traced) -> Result<(), Stop> {
        let up = self.heap.here.ctl;
        let ctl = match self.heap.origins.tracing() {
            true => self.heap.origins.enter(Ctl { up, site: self.at_place(frame, frame.at), cond: O::NONE, taken: Branch::Emit }),
            false => up,
        };
        let value = value.unboxed();
        if let Ref { value: Value::Str(own, text), .. } = value
            && value.is_valid()
        {
            // A large text is made of many parts: their union would cost more than writing them.
            self.heap.mark_used(text, own);
            self.heap.write(text, own, ctl, out);
            return self.grown(frame, out);
        }
        let origin = self.heap.origin(value.value);
        self.heap.origins.mark_used(origin);
        match value {
            Ref { is: Static::Invalid, .. } => out.push(b"<no value>", origin, Seg::WHOLE, ctl),
            Ref { value, .. } => {
                let text = crate::print::default(&mut self.heap, value);
                out.push(&text, origin, Seg::WHOLE, ctl);
            }
        }
        self.grown(frame, out)
    }

    /// A value as a message shows it.
    fn shown(&mut self, value: Ref) -> String {
        if !value.is_valid() {
            return "<invalid reflect.Value>".to_owned();
        }
        String::from_utf8_lossy(&crate::print::default(&mut self.heap, value.value)).into_owned()
    }

    fn branch<'t>(&mut self, frame: &mut Frame<'t>, dot: Ref, branch: &'t BranchNode, with: bool, out: &mut Traced) -> Result<Flow, Stop> {
        let mark = frame.vars.len();
        let value = self.pipeline(frame, dot, &branch.pipe)?;
        let holds = self.heap.truth(value.value);
        let (site, cond) = (self.site(frame, branch), self.condition(value));
        let (taken, list) = match (holds, &branch.otherwise) {
            (true, _) => (Branch::Then, Some(&branch.then)),
            (false, otherwise) => (Branch::Else, otherwise.as_ref()),
        };
        let dot = if holds && with { value } else { dot };
        let before = out.position();
        let flow = match list {
            Some(list) => self.under(site, cond, taken, |exec| super::grown(|| exec.walk(frame, dot, list, out)))?,
            None => Flow::Next,
        };
        if out.position() == before {
            self.hole(site, cond, list.is_some(), out);
        }
        frame.vars.truncate(mark);
        Ok(flow)
    }

    /// What a condition was made of: a text is tested by what it says, so by whatever its bytes stand under too.
    fn condition(&mut self, value: Ref) -> O {
        let origin = self.heap.condition(value.value);
        self.heap.origins.mark_used(origin);
        origin
    }

    fn hole(&mut self, site: Span, cond: O, taken: bool, out: &Traced) {
        if self.heap.origins.tracing() {
            let ctl = self.heap.here.ctl;
            self.heap.origins.holes.push(Hole { at: out.position(), site, cond, ctl, taken });
        }
    }

    pub(crate) fn site(&self, frame: &Frame<'_>, branch: &BranchNode) -> Span {
        self.place(frame, branch.pos, branch.end)
    }

    fn range<'t>(&mut self, frame: &mut Frame<'t>, dot: Ref, branch: &'t BranchNode, out: &mut Traced) -> Result<Flow, Stop> {
        frame.at = At::Branch(branch, "range");
        let mark = frame.vars.len();
        let value = self.pipeline(frame, dot, &branch.pipe)?.unboxed();
        let (site, cond) = (self.site(frame, branch), self.heap.shape(value.value));
        self.heap.origins.mark_used(cond);
        let (body, before) = (frame.vars.len(), out.position());
        let mut ran = false;
        self.under(site, cond, Branch::Then, |exec| exec.iterate(frame, value, cond, branch, body, &mut ran, out))?;
        let mut flow = Flow::Next;
        if !ran {
            flow = match &branch.otherwise {
                // Go's loop takes a `break` of its own `else` for itself; a `continue` goes on to the loop around.
                Some(list) => match self.under(site, cond, Branch::Else, |exec| super::grown(|| exec.walk(frame, dot, list, out)))? {
                    Flow::Break => Flow::Next,
                    other => other,
                },
                None => Flow::Next,
            };
        }
        if out.position() == before {
            self.hole(site, cond, ran || branch.otherwise.is_some(), out);
        }
        frame.vars.truncate(mark);
        Ok(flow)
    }

    #[expect(clippy::too_many_arguments, reason = "as many as the rule has: environment, what is gone over, the body, the output")]
    fn iterate<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        over: Ref,
        shape: O,
        branch: &'t BranchNode,
        body: usize,
        ran: &mut bool,
        out: &mut Traced,
    ) -> Result<(), Stop> {
        let two = branch.pipe.decl.len() > 1;
        match over.value {
            Value::Int(origin, kind, count) => {
                if two {
                    let shown = self.shown(over);
                    return Err(self.stop_text(frame, format!("can't use {shown} to iterate over more than one variable")));
                }
                let count = if kind == IntKind::Uint64 { count as u64 } else { count.max(0) as u64 };
                for at in 0..count {
                    *ran = true;
                    let element = Ref::of(Value::Int(origin, kind, at as i64));
                    if !self.once(frame, Ref::invalid(origin), element, branch, body, out)? {
                        break;
                    }
                }
            }
            Value::List(_, ty, items) => {
                for at in 0..items.len as usize {
                    *ran = true;
                    let item = self.heap.items(items)[at];
                    let element = self.element(ty, item);
                    if !self.once(frame, Ref::of(Value::int(at as i64).with(shape)), element, branch, body, out)? {
                        break;
                    }
                }
            }
            Value::Bytes(origin, text) => {
                for at in 0..text.len as usize {
                    *ran = true;
                    let byte = self.heap.bytes(text)[at];
                    let element = Ref::of(Value::Int(origin, IntKind::Uint8, i64::from(byte)));
                    if !self.once(frame, Ref::of(Value::int(at as i64).with(shape)), element, branch, body, out)? {
                        break;
                    }
                }
            }
            Value::Map(_, id) => {
                // A body may change the map: Go sorts a copy first.
                for entry in self.heap.sorted(id) {
                    *ran = true;
                    let key = Value::Str(entry.key_origin, self.heap.name_str(entry.key));
                    let element = self.map_element(id, entry.value);
                    if !self.once(frame, Ref::of(key), element, branch, body, out)? {
                        break;
                    }
                }
            }
            Value::Nil(_) => {}
            _ => {
                let shown = self.shown(over);
                let about = self.blamed([over.value]);
                return Err(self.stop_nil(frame, about, format!("range can't iterate over {shown}")));
            }
        }
        Ok(())
    }

    /// One round; returns whether to go on.
    fn once<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        index: Ref,
        element: Ref,
        branch: &'t BranchNode,
        body: usize,
        out: &mut Traced,
    ) -> Result<bool, Stop> {
        self.spend(frame)?;
        let pipe: &Pipe = &branch.pipe;
        match (&*pipe.decl, pipe.is_assign) {
            ([], _) => {}
            ([only], true) => self.assign(frame, *only, element)?,
            ([first, second, ..], true) => {
                self.assign(frame, *first, index)?;
                self.assign(frame, *second, element)?;
            }
            // The pipeline pushed one or two variables: the element is on top.
            (decl, false) => {
                let top = body - 1;
                frame.vars[top].1 = element;
                if decl.len() > 1 {
                    frame.vars[top - 1].1 = index;
                }
            }
        }
        let flow = self.walk(frame, element, &branch.then, out)?;
        frame.vars.truncate(body);
        Ok(flow != Flow::Break)
    }

    fn template<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: Ref,
        name: crate::Sym,
        pipe: Option<&'t Pipe>,
        out: &mut Traced,
    ) -> Result<(), Stop> {
        let scope = frame.scope.clone();
        let Some(tree) = scope.find(name) else {
            let name = plumb_go::strconv::quote_bytes(self.heap.name(name));
            return Err(self.stop_text(frame, format!("template {name} not defined")));
        };
        self.deeper(frame)?;
        let node = frame.at;
        let dot = match pipe {
            Some(pipe) => self.pipeline(frame, dot, pipe)?,
            None => Ref::invalid(O::NONE),
        };
        let site = self.at_place(frame, node);
        self.under(site, O::NONE, Branch::Call, |exec| exec.enter(&scope, &tree, dot, out)).map_err(|stop| stop.through(self, frame, node))
    }
}
