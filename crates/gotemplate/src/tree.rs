//! Owns the parsed template: nodes as `text/template/parse` has them. Names are interned and texts are ranges of the heap that was parsed
//! into, so a tree is valid in that heap and every clone of it.

use std::sync::Arc;

use crate::func::Function;
use crate::heap::Sym;
use crate::text::Str;
use crate::value::Value;

/// A named template.
#[derive(Debug)]
pub struct Tree {
    /// Its name: of the file, or as `define` and `block` give it.
    pub name: Sym,
    /// The same as a text, for the keys of recorded randomness.
    pub title: String,
    /// What it was parsed from: for messages and origins.
    pub source: Arc<Source>,
    /// Its content.
    pub root: List,
    /// Where its content begins: the `define`, or the file's first byte.
    pub pos: u32,
}

/// A text that was parsed.
#[derive(Debug)]
pub struct Source {
    /// `ParseName`: the name of the template that was asked to parse it.
    pub name: Sym,
    /// The whole text.
    pub text: Str,
    /// The file, when it is one; a text given to `tpl` knows where its bytes are from by its segments.
    pub file: Option<plumb_world::FileId>,
}

/// A position: an absolute one in the heap's buffer, so that a position's offset in its source is `pos - source.text.at`.
pub(crate) type Pos = u32;

/// Nodes in order.
pub(crate) type List = Box<[Node]>;

/// A node.
#[derive(Debug)]
pub enum Node {
    /// Plain text.
    Text(Pos, Str),
    /// `{{ pipeline }}`.
    Action(Pos, Pipe),
    /// `{{if}}`.
    If(Box<Branch>),
    /// `{{with}}`.
    With(Box<Branch>),
    /// `{{range}}`.
    Range(Box<Branch>),
    /// `{{template}}`, and what `{{block}}` leaves where it stands.
    Template(Pos, Sym, Option<Box<Pipe>>),
    /// `{{break}}`.
    Break(Pos),
    /// `{{continue}}`.
    Continue(Pos),
}

/// `if`, `with` or `range`.
#[derive(Debug)]
pub struct Branch {
    /// Where the pipeline begins, as Go has it.
    pub pos: Pos,
    /// The condition.
    pub pipe: Pipe,
    /// When it holds.
    pub then: List,
    /// When it does not.
    pub otherwise: Option<List>,
    /// One past the end of its `{{end}}`: with `pos`, its place.
    pub end: Pos,
}

/// A pipeline.
#[derive(Debug)]
pub struct Pipe {
    /// Where it begins.
    pub pos: Pos,
    /// One past its last byte.
    pub end: Pos,
    /// `=` rather than `:=`.
    pub is_assign: bool,
    /// The variables set, with their `$`.
    pub decl: Box<[Sym]>,
    /// The commands.
    pub cmds: Box<[Cmd]>,
}

/// A command: a function, method, field or value with arguments.
#[derive(Debug)]
pub struct Cmd {
    /// Where it begins.
    pub pos: Pos,
    /// One past its last byte.
    pub end: Pos,
    /// The operands; never empty.
    pub args: Box<[Arg]>,
}

// Most of what a render first touches is trees: their size is its page faults.
const _: () = assert!(size_of::<Node>() <= 56 && size_of::<Arg>() <= 32);

/// An operand.
#[derive(Debug)]
pub enum Arg {
    /// `.`
    Dot(Pos),
    /// `nil`
    Nil(Pos),
    /// `.a.b`
    Field(Pos, Box<[Sym]>),
    /// `$`, `$x`, `$x.a.b`: the variable with its `$`, and the fields.
    Variable(Pos, Sym, Box<[Sym]>),
    /// A function.
    Function(Pos, Sym, Callee),
    /// `( pipeline )`
    Pipe(Box<Pipe>),
    /// `(…).a.b` and the like.
    Chain(Pos, Box<Arg>, Box<[Sym]>),
    /// `true`, `false`
    Bool(Pos, bool),
    /// A number or character.
    Number(Pos, Box<Number>),
    /// A text: as written, and what it means (of the heap).
    Text(Pos, Str, Value),
}

/// What a function's name stands for.
#[derive(Clone, Copy, Debug)]
pub enum Callee {
    /// A function of its own.
    Plain(&'static Function),
    /// One that the executor carries out itself.
    Special(Special),
}

/// Functions that need the executor: they short-circuit, call templates, or see unevaluated state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Special {
    /// `and`
    And,
    /// `or`
    Or,
    /// Another of `text/template`'s own: they tell an invalid value from a nil one.
    Builtin(Builtin),
    /// Helm's `include`
    Include,
    /// Helm's `tpl`
    Tpl,
    /// Helm's `required`
    Required,
    /// Helm's `fail`
    Fail,
}

/// `text/template`'s own functions, less `and` and `or`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Builtin {
    /// `call`
    Call,
    /// `html`
    Html,
    /// `index`
    Index,
    /// `js`
    Js,
    /// `len`
    Len,
    /// `not`
    Not,
    /// `print`
    Print,
    /// `printf`
    Printf,
    /// `println`
    Println,
    /// `slice`
    Slice,
    /// `urlquery`
    UrlQuery,
    /// `eq`
    Eq,
    /// `ne`
    Ne,
    /// `lt`
    Lt,
    /// `le`
    Le,
    /// `gt`
    Gt,
    /// `ge`
    Ge,
}

impl Tree {
    /// Returns whether there is nothing in it but space: as `parse.IsEmptyTree` tells.
    pub fn is_empty(&self, heap: &crate::Heap) -> bool {
        self.root.iter().all(|node| match node {
            Node::Text(_, text) => heap.bytes(*text).trim_ascii().is_empty(),
            _ => false,
        })
    }
}

/// A number as written, and everything it can be.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// As written.
    pub text: Str,
    /// As an integer.
    pub int: Option<i64>,
    /// As an integer without sign.
    pub uint: Option<u64>,
    /// As a float.
    pub float: Option<f64>,
    /// As a complex number.
    pub complex: Option<(f64, f64)>,
    /// Written as a float: with a point or an exponent, and neither as a character nor as a hexadecimal integer.
    pub is_float: bool,
}
