//! Owns the functions that need the executor: `and` and `or`, which stop early, `call`, and Helm's `include`, `tpl`, `required`, `fail`, `lookup`.

use std::sync::Arc;

use super::failure::Stop;
use super::{At, Exec, Frame, Ref};
use crate::func::{Failure, FailureKind, Ty};
use crate::heap::Sym;
use crate::origin::{Branch, O};
use crate::set::Scope;
use crate::text::Str;
use crate::tree::{Arg, Special};
use crate::value::Value;

impl Exec<'_> {
    #[expect(clippy::too_many_arguments, reason = "as many as the rule has: environment, function, node, arguments")]
    pub(super) fn special<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: Ref,
        special: Special,
        name: Sym,
        node: At<'t>,
        args: &'t [Arg],
        last: Option<Ref>,
    ) -> Result<Ref, Stop> {
        match special {
            Special::And | Special::Or => self.logic(frame, dot, special == Special::Or, args, last),
            Special::Include => {
                let [template, data] = self.two(frame, dot, "include", [Ty::Str, Ty::Any], args, last)?;
                self.include(frame, node, template, data)
            }
            Special::Tpl => {
                let [text, data] = self.two(frame, dot, "tpl", [Ty::Str, Ty::Any], args, last)?;
                self.tpl(frame, node, text, data)
            }
            Special::Required => {
                let [warning, value] = self.two(frame, dot, "required", [Ty::Str, Ty::Any], args, last)?;
                self.required(frame, node, warning, value)
            }
            Special::Fail => {
                let message = self.one(frame, dot, "fail", Ty::Str, args, last)?;
                if self.options.lint {
                    return Ok(Ref::of(Value::EMPTY));
                }
                frame.at = node;
                let text = self.text_of(message);
                Err(self.stop_call(frame, "fail", asked(&text)))
            }
            Special::Builtin(builtin) => self.builtin(frame, dot, builtin, name, node, args, last),
        }
    }

    /// `and`, `or`: evaluates up to the argument that decides.
    fn logic<'t>(&mut self, frame: &mut Frame<'t>, dot: Ref, or: bool, args: &'t [Arg], last: Option<Ref>) -> Result<Ref, Stop> {
        let name = if or { "or" } else { "and" };
        let args = args.get(1..).unwrap_or(&[]);
        self.count(frame, name, 1, true, args.len(), last.is_some())?;
        // What was tested and passed over decides too.
        let mut passed = O::NONE;
        let mut value = Ref::invalid(O::NONE);
        for arg in args {
            frame.at = At::Arg(arg);
            value = if let Arg::Nil(_) = arg { Ref::invalid(O::NONE) } else { self.operand(frame, dot, arg)? };
            if self.heap.truth(value.value) == or {
                return Ok(self.chosen(value, passed));
            }
            let of = self.heap.condition(value.value);
            self.heap.origins.mark_used(of);
            value = self.chosen(value, passed);
            passed = self.heap.origins.join(passed, of);
        }
        if let Some(last) = last {
            return Ok(self.chosen(last, passed));
        }
        Ok(value)
    }

    /// A value that was picked because others were not.
    fn chosen(&mut self, value: Ref, passed: O) -> Ref {
        Ref { value: self.heap.beside(value.value, passed), ..value }
    }

    fn one<'t>(&mut self, frame: &mut Frame<'t>, dot: Ref, name: &str, ty: Ty, args: &'t [Arg], last: Option<Ref>) -> Result<Value, Stop> {
        let args = args.get(1..).unwrap_or(&[]);
        self.count(frame, name, 1, false, args.len(), last.is_some())?;
        match (args, last) {
            ([arg], _) => self.argument(frame, dot, ty, arg),
            (_, Some(last)) => self.assignable(frame, last, ty),
            _ => Ok(Value::NIL),
        }
    }

    fn two<'t>(
        &mut self,
        frame: &mut Frame<'t>,
        dot: Ref,
        name: &str,
        types: [Ty; 2],
        args: &'t [Arg],
        last: Option<Ref>,
    ) -> Result<[Value; 2], Stop> {
        let args = args.get(1..).unwrap_or(&[]);
        self.count(frame, name, 2, false, args.len(), last.is_some())?;
        let mut values = [Value::NIL; 2];
        for (nth, arg) in args.iter().enumerate().take(2) {
            values[nth] = self.argument(frame, dot, types[nth], arg)?;
        }
        if let Some(last) = last {
            values[1] = self.assignable(frame, last, types[1])?;
        }
        Ok(values)
    }

    fn text_of(&self, value: Value) -> Vec<u8> {
        match value {
            Value::Str(_, text) | Value::Bytes(_, text) => self.heap.bytes(text).to_vec(),
            _ => Vec::new(),
        }
    }

    /// Helm's `include`: a template by name, as a text.
    fn include<'t>(&mut self, frame: &mut Frame<'t>, node: At<'t>, template: Value, data: Value) -> Result<Ref, Stop> {
        frame.at = node;
        self.deeper(frame)?;
        let name = self.text_of(template);
        let sym = self.heap.sym(&name);
        let depth = self.included.entry(sym).or_default();
        // As Helm counts: the thousand-and-first time inside itself.
        if *depth > self.options.limits.include_depth {
            frame.at = node;
            let message =
                format!("rendering template has a nested reference name: {}: unable to execute template", String::from_utf8_lossy(&name));
            return Err(self.stop_call(frame, "include", Failure::limit(message)));
        }
        *depth += 1;
        let scope = frame.scope.clone();
        let site = self.at_place(frame, node);
        let cond = self.heap.origin(template);
        self.heap.origins.mark_used(cond);
        let holes = self.heap.origins.holes().len();
        let result = self.under(site, cond, Branch::Call, |exec| exec.captured(|exec, out| exec.run(&scope, sym, of_data(data), out)));
        if let Some(depth) = self.included.get_mut(&sym) {
            *depth -= 1;
        }
        match result {
            Ok(text) => Ok(Ref::of(Value::Str(self.left_out(holes), text))),
            Err(stop) => {
                frame.at = node;
                Err(self.stop_inside(frame, "include", b"", stop))
            }
        }
    }

    /// Helm's `tpl`: a text as a template, which sees the templates around it.
    fn tpl<'t>(&mut self, frame: &mut Frame<'t>, node: At<'t>, text: Value, data: Value) -> Result<Ref, Stop> {
        frame.at = node;
        self.deeper(frame)?;
        let Value::Str(own, text) = text else { return Ok(Ref::of(Value::EMPTY)) };
        let quoted = |exec: &Self| plumb_go::strconv::quote_bytes(exec.heap.bytes(text));
        let scope = match self.template_of(frame, own, text) {
            Ok(scope) => scope,
            Err(message) => {
                frame.at = node;
                let message = [format!("cannot parse template {}: ", quoted(self)).as_bytes(), &message].concat();
                let about = self.blamed([Value::Str(own, text)]);
                return Err(self.stop_call(frame, "tpl", Failure::new(message)).about(about));
            }
        };
        let site = self.at_place(frame, node);
        let Some(main) = scope.main().cloned() else { return Ok(Ref::of(Value::EMPTY)) };
        let holes = self.heap.origins.holes().len();
        let result = self.under(site, O::NONE, Branch::Call, |exec| {
            exec.captured(|exec, out| {
                exec.enter(&scope, &main, of_data(data), out)?;
                crate::text::without_no_value(out);
                Ok(())
            })
        });
        match result {
            Ok(text) => Ok(Ref::of(Value::Str(self.left_out(holes), text))),
            Err(stop) => {
                frame.at = node;
                let prefix = format!("error during tpl function execution for {}: ", quoted(self));
                Err(self.stop_inside(frame, "tpl", prefix.as_bytes(), stop))
            }
        }
    }

    /// Returns what decided that blocks of a template wrote nothing, of those after the first so many: whoever tests what the template
    /// wrote tests that too.
    fn left_out(&mut self, from: usize) -> O {
        let mut all = O::NONE;
        for nth in from..self.heap.origins.holes().len() {
            let Some(hole) = self.heap.origins.holes().get(nth).copied() else { break };
            all = self.heap.origins.join(all, hole.cond);
            all = self.heap.ctl_origin(all, hole.ctl);
        }
        self.heap.origins.beside(O::NONE, all)
    }

    /// Parses a text given to `tpl`, or finds it parsed: charts give the same text again and again.
    fn template_of(&mut self, frame: &Frame<'_>, own: O, text: Str) -> Result<Arc<Scope>, Vec<u8>> {
        let around = Arc::as_ptr(&frame.scope) as usize;
        let key = (around, Box::from(self.heap.bytes(text)));
        // Traced, the same text from elsewhere is another text.
        if !self.heap.origins.tracing()
            && let Some(known) = self.parsed.get(&key)
        {
            return Ok(known.clone());
        }
        let text = self.heap.settled(text, own);
        let scope = crate::parse::inside(&mut self.heap, self.functions, &frame.scope, text)?;
        let scope = Arc::new(scope);
        self.parsed.insert(key, scope.clone());
        Ok(scope)
    }

    fn required<'t>(&mut self, frame: &mut Frame<'t>, node: At<'t>, warning: Value, value: Value) -> Result<Ref, Stop> {
        let missing = match value {
            Value::Nil(_) => true,
            Value::Str(_, text) => text.is_empty(),
            _ => false,
        };
        if !missing {
            return Ok(Ref::returned(value));
        }
        if self.options.lint {
            return Ok(Ref::of(Value::EMPTY));
        }
        frame.at = node;
        let origin = self.heap.origin(value);
        let text = self.text_of(warning);
        Err(self.stop_call(frame, "required", asked(&text)).about(origin))
    }
}

/// What is given to a template as its data: nil is no value.
fn of_data(data: Value) -> Ref {
    Ref::of(data)
}

/// Helm wraps the text, so that it finds it again in the chain of errors.
fn asked(text: &[u8]) -> Failure {
    Failure { message: [b"HELM_ERR_START".as_slice(), text, b"HELM_ERR_END"].concat(), kind: FailureKind::Asked }
}
