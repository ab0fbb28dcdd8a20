//! Owns the execution of parsed templates: what a render is given, what it keeps while it runs, and how a template is entered.
//! The walk over nodes is in `walk`, pipelines and calls in `eval`, Helm's own template functions in `special`.

mod args;
mod builtin;
mod compare;
mod escape;
mod eval;
mod failure;
mod special;
mod walk;

use std::sync::Arc;

use hashbrown::HashMap;

pub(crate) use failure::Stop;
pub use failure::{ErrorSite, RenderError};

use crate::func::Host;
use crate::functions::Functions;
use crate::heap::{Heap, Sym};
use crate::limits::Limits;
use crate::origin::{Branch, Ctl, CtlId, O};
use crate::set::Scope;
use crate::text::Traced;
use crate::tree::{Arg, Branch as BranchNode, Cmd, Node, Pipe, Tree};
use crate::value::Value;

/// What a key that a map does not have gives: `text/template`'s option `missingkey`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MissingKey {
    /// An invalid value, printed as `<no value>`.
    #[default]
    Invalid,
    /// The zero of the map's values.
    Zero,
    /// An error.
    Error,
}

/// How templates are executed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// What a missing key gives.
    pub missing_key: MissingKey,
    /// Helm's `lint`: `required` and `fail` do not fail.
    pub lint: bool,
    /// Named limits.
    pub limits: Limits,
}

/// What is known of a value's static type, as far as messages and nil need it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Static {
    /// No value at all: Go's zero `reflect.Value`.
    Invalid,
    /// Held in an `interface {}`: an element of a map or list of any.
    Boxed,
    /// The value's own type.
    Concrete,
}

/// A value with what is known of its static type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ref {
    pub(crate) value: Value,
    pub(crate) is: Static,
}

impl Ref {
    pub(crate) fn invalid(origin: O) -> Self {
        Self { value: Value::Nil(origin), is: Static::Invalid }
    }

    /// Returns a value that code made: nil is no value.
    pub(crate) fn of(value: Value) -> Self {
        Self { value, is: if value.is_nil() { Static::Invalid } else { Static::Concrete } }
    }

    pub(crate) fn boxed(value: Value) -> Self {
        Self { value, is: Static::Boxed }
    }

    /// Takes the value out of its interface: a nil interface becomes no value.
    pub(crate) fn unboxed(self) -> Self {
        if self.is == Static::Boxed { Self::of(self.value) } else { self }
    }

    pub(crate) fn is_valid(self) -> bool {
        self.is != Static::Invalid
    }
}

/// The node that a message would name now.
#[derive(Clone, Copy)]
pub(crate) enum At<'t> {
    Node(&'t Node),
    Branch(&'t BranchNode, &'static str),
    Pipe(&'t Pipe),
    Cmd(&'t Cmd),
    Arg(&'t Arg),
}

/// One template being executed.
pub(crate) struct Frame<'t> {
    pub(crate) tree: &'t Tree,
    pub(crate) scope: Arc<Scope>,
    pub(crate) at: At<'t>,
    /// With the block in which each was declared.
    pub(crate) vars: Vec<(Sym, Ref, CtlId)>,
}

/// Runs something that may be nested deep, with stack enough for it.
pub(crate) fn grown<T>(run: impl FnOnce() -> T) -> T {
    const RED_ZONE: usize = 128 << 10;
    const MORE: usize = 4 << 20;
    stacker::maybe_grow(RED_ZONE, MORE, run)
}

/// A render under way.
pub struct Exec<'r> {
    /// The render's memory.
    pub heap: Heap,
    /// What templates given to `tpl` may call.
    pub(crate) functions: &'r Functions,
    pub(crate) host: &'r mut dyn Host,
    pub(crate) options: Options,
    pub(crate) depth: usize,
    /// Calls and rounds so far.
    pub(crate) steps: u64,
    /// How deep each name is nested in `include`.
    pub(crate) included: HashMap<Sym, usize>,
    /// Texts given to `tpl`, parsed.
    pub(crate) parsed: HashMap<(usize, Box<[u8]>), Arc<Scope>>,
    /// Buffers for what `include` and `tpl` write, used again.
    spare: Vec<Traced>,
    /// Memory for variables, used again.
    spare_vars: Vec<Vec<(Sym, Ref, CtlId)>>,
    /// The name of the variable that every template begins with.
    dollar: Sym,
    /// The file being rendered, for the keys of recorded randomness.
    pub(crate) file: String,
    /// What decides that templates are rendered at all; they stand under it.
    pub around: CtlId,
}

impl<'r> Exec<'r> {
    /// Begins a render in a memory that the templates were parsed into (or a clone of it).
    pub fn new(mut heap: Heap, functions: &'r Functions, host: &'r mut dyn Host, options: Options) -> Self {
        let dollar = heap.sym(b"$");
        Self {
            heap,
            functions,
            host,
            options,
            depth: 0,
            steps: 0,
            included: HashMap::new(),
            parsed: HashMap::new(),
            spare: Vec::new(),
            spare_vars: Vec::new(),
            dollar,
            file: String::new(),
            around: CtlId(0),
        }
    }

    /// Executes a template with `data` as its dot and writes to `out`; what was written before an error stays there.
    pub fn render(&mut self, scope: &Arc<Scope>, name: Sym, data: Value, out: &mut Traced) -> Result<(), RenderError> {
        self.file = self.heap.utf8(self.heap.name_str(name)).into_owned();
        self.heap.here.ctl = self.around;
        self.run(scope, name, Ref::of(data), out).map_err(Stop::into_error)
    }

    /// `ExecuteTemplate`: a template by name.
    pub(crate) fn run(&mut self, scope: &Arc<Scope>, name: Sym, dot: Ref, out: &mut Traced) -> Result<(), Stop> {
        let Some(tree) = scope.find(name) else {
            return Err(failure::no_template(self, scope, name));
        };
        self.enter(scope, &tree, dot, out)
    }

    /// Enters a template: no variables but `$`.
    pub(crate) fn enter(&mut self, scope: &Arc<Scope>, tree: &Arc<Tree>, dot: Ref, out: &mut Traced) -> Result<(), Stop> {
        let tree: &Tree = tree;
        let nowhere = At::Node(const { &Node::Break(0) });
        let mut vars = self.spare_vars.pop().unwrap_or_default();
        vars.push((self.dollar, dot, self.heap.here.ctl));
        let mut frame = Frame { tree, scope: scope.clone(), at: nowhere, vars };
        self.depth += 1;
        // Go grows its stacks; so do we.
        let result = grown(|| self.walk(&mut frame, dot, &tree.root, out).map(|_| ()));
        self.depth -= 1;
        frame.vars.clear();
        self.spare_vars.push(frame.vars);
        result
    }

    /// Enters a block or call for as long as `then` runs.
    pub(crate) fn under<T>(&mut self, site: plumb_world::Span, cond: O, taken: Branch, then: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.heap.here.ctl;
        self.heap.here.ctl = self.heap.origins.enter(Ctl { up: before, site, cond, taken });
        let result = then(self);
        self.heap.here.ctl = before;
        result
    }

    /// Runs `write` with a buffer of its own and returns what it wrote as a text of the heap.
    pub(crate) fn captured(&mut self, write: impl FnOnce(&mut Self, &mut Traced) -> Result<(), Stop>) -> Result<crate::text::Str, Stop> {
        let mut buffer = self.spare.pop().unwrap_or_default();
        let result = write(self, &mut buffer).and_then(|()| {
            self.heap.reserve(buffer.bytes.len()).map_err(Stop::Failed)?;
            Ok(self.heap.push_traced(&buffer))
        });
        buffer.bytes.clear();
        buffer.segs.clear();
        self.spare.push(buffer);
        result
    }
}
