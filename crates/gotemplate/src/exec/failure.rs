//! Owns how an execution fails: Go's text with its place, and beside it what people need: each template on the way, the values involved.

use plumb_world::Span;

use super::{At, Exec, Frame};
use crate::func::{Failure, FailureKind};
use crate::heap::Sym;
use crate::origin::{CtlId, O};
use crate::set::Scope;
use crate::text::Str;
use crate::tree::{Arg, Node, Pos};
use crate::value::Value;

/// Where in which template something failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorSite {
    /// What was parsed: a file's name, or Helm's `gotpl` for a text given to `tpl`.
    pub source: String,
    /// The template: the file itself or a `define`.
    pub template: String,
    /// Line from 1.
    pub line: u32,
    /// Column in bytes from 0, as Go counts.
    pub column: u32,
    /// The node as Go prints it.
    pub node: String,
    /// The node's place, where its source is a file.
    pub span: Option<Span>,
}

/// A render that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderError {
    /// Go's text: any bytes.
    pub message: Vec<u8>,
    /// The last part of it: without places.
    pub cause: Vec<u8>,
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// The templates on the way, the innermost first.
    pub sites: Vec<ErrorSite>,
    /// What the value that was missing or wrong is made of; nothing when unknown or untraced.
    pub value: O,
    /// The block it stands under.
    pub ctl: CtlId,
}

/// Why the walk ended.
#[derive(Debug)]
pub(crate) enum Stop {
    /// An execution error, complete with its place.
    Error(Box<RenderError>),
    /// A failure that has no place yet.
    Failed(Failure),
}

impl Stop {
    pub(crate) fn into_error(self) -> RenderError {
        match self {
            Self::Error(error) => *error,
            Self::Failed(failure) => RenderError {
                cause: failure.message.clone(),
                message: failure.message,
                kind: failure.kind,
                sites: Vec::new(),
                value: O::NONE,
                ctl: CtlId(0),
            },
        }
    }

    /// Notes which values the failure is about, where that is not known better.
    pub(crate) fn about(self, value: O) -> Self {
        match self {
            Self::Error(mut error) if error.value == O::NONE => {
                error.value = value;
                Self::Error(error)
            }
            other => other,
        }
    }

    /// Notes a template on the way out of a `{{template}}`: Go's text does not show it, people need it.
    pub(crate) fn through<'t>(self, exec: &Exec<'_>, frame: &mut Frame<'t>, node: At<'t>) -> Self {
        match self {
            Self::Error(mut error) => {
                error.sites.push(exec.error_site(frame, node));
                Self::Error(error)
            }
            Self::Failed(failure) => {
                frame.at = node;
                exec.stop(frame, failure)
            }
        }
    }
}

/// Returns that an output is too large.
pub(super) fn output_limit(bytes: usize) -> Failure {
    Failure::limit(format!("a template may write {} MiB", bytes >> 20))
}

/// Returns that there is no template of a name.
pub(super) fn no_template(exec: &Exec<'_>, scope: &Scope, name: Sym) -> Stop {
    let quoted = plumb_go::strconv::quote_bytes(exec.heap.name(name));
    let among = plumb_go::strconv::quote_bytes(exec.heap.name(scope.name()));
    Stop::Failed(Failure::new(format!("template: no template {quoted} associated with template {among}")))
}

impl Exec<'_> {
    /// Ends at the frame's node with a text.
    pub(crate) fn stop_text(&self, frame: &Frame<'_>, message: impl Into<Vec<u8>>) -> Stop {
        self.stop(frame, Failure::new(message))
    }

    /// The same, for a value that is missing or wrong.
    pub(crate) fn stop_nil(&self, frame: &Frame<'_>, value: O, message: impl Into<Vec<u8>>) -> Stop {
        self.stop_text(frame, message).about(value)
    }

    /// Returns what values are made of that a failure is about: of a map or list what it is itself, not what is in it.
    pub(crate) fn blamed(&mut self, values: impl IntoIterator<Item = Value>) -> O {
        let mut all = O::NONE;
        if !self.heap.origins.tracing() {
            return all;
        }
        for value in values {
            let of = match value {
                Value::Str(..) | Value::Bytes(..) => self.heap.origin(value),
                other => other.origin(),
            };
            all = self.heap.origins.join(all, of);
        }
        all
    }

    /// Ends at the frame's node.
    pub(crate) fn stop(&self, frame: &Frame<'_>, failure: Failure) -> Stop {
        let site = self.error_site(frame, frame.at);
        let mut message = format!(
            "template: {}:{}:{}: executing {} at <{}>: ",
            site.source,
            site.line,
            site.column,
            plumb_go::strconv::quote_bytes(site.template.as_bytes()),
            site.node
        )
        .into_bytes();
        message.extend_from_slice(&failure.message);
        let error =
            RenderError { message, cause: failure.message, kind: failure.kind, sites: vec![site], value: O::NONE, ctl: self.heap.here.ctl };
        Stop::Error(Box::new(error))
    }

    /// Fails when a template that is called here would be nested too deep.
    pub(crate) fn deeper(&self, frame: &Frame<'_>) -> Result<(), Stop> {
        let limit = self.options.limits.depth;
        if self.depth < limit {
            return Ok(());
        }
        Err(self.stop(frame, Failure::limit(format!("exceeded maximum template depth ({limit})"))))
    }

    /// Ends in a call that failed. What failed inside `include` or `tpl` keeps its own sites.
    pub(crate) fn stop_call(&self, frame: &Frame<'_>, name: &str, failure: Failure) -> Stop {
        let mut message = format!("error calling {name}: ").into_bytes();
        message.extend_from_slice(&failure.message);
        match self.stop(frame, Failure { message, kind: failure.kind }) {
            Stop::Error(mut error) => {
                error.cause = failure.message;
                Stop::Error(error)
            }
            other => other,
        }
    }

    /// Ends in a call of a template that failed.
    pub(crate) fn stop_inside(&self, frame: &Frame<'_>, name: &str, prefix: &[u8], inner: Stop) -> Stop {
        let inner = inner.into_error();
        let message = [prefix, &inner.message].concat();
        match self.stop_call(frame, name, Failure { message, kind: inner.kind }) {
            Stop::Error(mut error) => {
                let outer = std::mem::take(&mut error.sites);
                error.sites = inner.sites.into_iter().chain(outer).collect();
                (error.cause, error.value, error.ctl) = (inner.cause, inner.value, inner.ctl);
                Stop::Error(error)
            }
            other => other,
        }
    }

    /// Returns where a node is.
    pub(crate) fn error_site(&self, frame: &Frame<'_>, at: At<'_>) -> ErrorSite {
        let pos = at.pos();
        let source = &frame.tree.source;
        let before = self.heap.bytes(source.text.slice(0, pos.saturating_sub(source.text.at) as usize));
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let text = |sym: Sym| String::from_utf8_lossy(self.heap.name(sym)).into_owned();
        ErrorSite {
            source: text(source.name),
            template: text(frame.tree.name),
            line: before.iter().filter(|byte| **byte == b'\n').count() as u32 + 1,
            column: (before.len() - line_start) as u32,
            node: self.context(at),
            span: Some(self.place(frame, pos, pos)).filter(|span| span.file.0 != u32::MAX),
        }
    }

    /// Returns the place of a range of the frame's source: in its file, or where the text given to `tpl` is from.
    pub(crate) fn place(&self, frame: &Frame<'_>, start: Pos, end: Pos) -> Span {
        let source = &frame.tree.source;
        let Some(file) = source.file else { return self.given_place(start, end) };
        let offset = |pos: Pos| pos.saturating_sub(source.text.at);
        Span { file, start: offset(start), end: offset(end.max(start)) }
    }

    /// A text given to `tpl` knows by its segments where it was written.
    fn given_place(&self, start: Pos, end: Pos) -> Span {
        let text = Str { at: start, len: end.saturating_sub(start).max(1) };
        let place = self.heap.segs(text).next().and_then(|seg| self.heap.origins.place(seg));
        let Some(place) = place else { return Span { file: plumb_world::FileId(u32::MAX), start: 0, end: 0 } };
        Span { end: place.end.min(place.start.saturating_add(end.saturating_sub(start))), ..place }
    }

    /// Returns a node's place.
    pub(crate) fn at_place(&self, frame: &Frame<'_>, at: At<'_>) -> Span {
        self.place(frame, at.pos(), at.end())
    }

    /// A node as Go prints it in a message.
    fn context(&self, at: At<'_>) -> String {
        crate::parse::show_at(&self.heap, at)
    }

    /// An operand as Go prints it.
    pub(crate) fn written(&self, arg: &Arg) -> String {
        crate::parse::show_at(&self.heap, At::Arg(arg))
    }
}

impl At<'_> {
    /// Returns where it begins, as Go has it.
    pub(crate) fn pos(self) -> Pos {
        match self {
            At::Node(node) => node.pos(),
            At::Branch(branch, _) => branch.pos,
            At::Pipe(pipe) => pipe.pos,
            At::Cmd(cmd) => cmd.pos,
            At::Arg(arg) => arg.pos(),
        }
    }

    /// Returns one past its last byte, as far as the tree knows.
    pub(crate) fn end(self) -> Pos {
        match self {
            At::Pipe(pipe) => pipe.end,
            At::Cmd(cmd) => cmd.end,
            At::Node(Node::Action(_, pipe)) => pipe.end,
            At::Node(Node::If(branch) | Node::With(branch) | Node::Range(branch)) => branch.end,
            At::Branch(branch, _) => branch.end,
            At::Arg(Arg::Number(pos, number)) => pos + number.text.len,
            At::Arg(Arg::Text(pos, written, _)) => pos + written.len,
            At::Arg(Arg::Bool(pos, value)) => pos + if *value { 4 } else { 5 },
            other => other.pos(),
        }
    }
}

impl Node {
    /// Returns where it begins, as Go has it.
    pub(crate) fn pos(&self) -> Pos {
        match self {
            Self::Text(pos, _) | Self::Action(pos, _) | Self::Template(pos, ..) | Self::Break(pos) | Self::Continue(pos) => *pos,
            Self::If(branch) | Self::With(branch) | Self::Range(branch) => branch.pos,
        }
    }
}

impl Arg {
    /// Returns where it begins, as Go has it.
    pub(crate) fn pos(&self) -> Pos {
        match self {
            Self::Dot(pos)
            | Self::Nil(pos)
            | Self::Field(pos, _)
            | Self::Variable(pos, ..)
            | Self::Function(pos, ..)
            | Self::Chain(pos, ..)
            | Self::Bool(pos, _)
            | Self::Number(pos, _)
            | Self::Text(pos, ..) => *pos,
            Self::Pipe(pipe) => pipe.pos,
        }
    }
}
