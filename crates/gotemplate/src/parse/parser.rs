//! Owns the parser: items become trees, with the checks and the error texts of `text/template/parse`'s `parse.go`.

use std::sync::Arc;

use super::lex::{Item, Kind, Lexer};
use super::literal::{self, Piece, SYNTAX};
use crate::functions::Functions;
use crate::heap::{Heap, Sym};
use crate::origin::{O, Origin};
use crate::text::Str;
use crate::tree::{Arg, Branch, Cmd, List, Node, Pipe, Source, Tree};
use crate::value::Value;

/// Blocks inside blocks. Go allows any number; each level takes stack.
const NESTED: usize = 1_000;

type Parsed<T> = Result<T, Vec<u8>>;

/// What an action is: a node, or what ends a list.
enum Action {
    Node(Node),
    /// With the position after it.
    End(usize),
    Else,
}

/// What Go keeps for each tree under construction: three items of look-ahead, and what is in scope.
struct State {
    tokens: [Item; 3],
    peeked: usize,
    vars: Vec<Sym>,
    /// Where the action under way began.
    action: Option<usize>,
    ranges: usize,
    parens: usize,
}

struct Parser<'h> {
    heap: &'h mut Heap,
    functions: &'h Functions,
    lex: Lexer<'h>,
    source: Arc<Source>,
    state: State,
    trees: Vec<Tree>,
    blocks: usize,
    /// How deep parentheses may be nested.
    parens: usize,
    /// Where the item that was taken last ends.
    taken: usize,
    dollar: Sym,
    open: Open,
}

/// What the constructs under way have so far, on one stack for each kind: each takes its own off, at once and with memory for just that.
#[derive(Default)]
struct Open {
    nodes: Vec<Node>,
    cmds: Vec<Cmd>,
    args: Vec<Arg>,
    names: Vec<Sym>,
}

fn taken_off<T>(stack: &mut Vec<T>, from: usize) -> Box<[T]> {
    stack.split_off(from).into_boxed_slice()
}

/// Parses a text into its own tree and those that it defines, in the order in which they end.
pub(super) fn parse(heap: &mut Heap, functions: &Functions, source: &Arc<Source>, parens: usize) -> Parsed<Vec<Tree>> {
    let held = heap.held(source.text);
    let lex = Lexer::new(&held, !functions.has(b"break"), !functions.has(b"continue"));
    let dollar = heap.sym(b"$");
    let state = State::new(dollar);
    let source = source.clone();
    let name = source.name;
    let mut parser =
        Parser { heap, functions, lex, source, state, trees: Vec::new(), blocks: 0, parens, taken: 0, dollar, open: Open::default() };
    parser.top(name)?;
    Ok(parser.trees)
}

impl State {
    fn new(dollar: Sym) -> Self {
        let none = Item { kind: Kind::Eof, start: 0, end: 0 };
        Self { tokens: [none; 3], peeked: 0, vars: vec![dollar], action: None, ranges: 0, parens: 0 }
    }
}

/// Items.
impl Parser<'_> {
    fn next(&mut self) -> Item {
        if self.state.peeked > 0 {
            self.state.peeked -= 1;
        } else {
            self.state.tokens[0] = self.lex.next();
        }
        let item = self.state.tokens[self.state.peeked];
        self.taken = item.end;
        item
    }

    fn backup(&mut self) {
        self.state.peeked += 1;
    }

    fn peek(&mut self) -> Item {
        if self.state.peeked == 0 {
            self.state.peeked = 1;
            self.state.tokens[0] = self.lex.next();
        }
        self.state.tokens[self.state.peeked - 1]
    }

    fn next_non_space(&mut self) -> Item {
        loop {
            let item = self.next();
            if item.kind != Kind::Space {
                return item;
            }
        }
    }

    fn peek_non_space(&mut self) -> Item {
        let item = self.next_non_space();
        self.backup();
        item
    }

    fn fail<T>(&self, message: impl AsRef<[u8]>) -> Parsed<T> {
        let line = self.lex.line(self.state.tokens[0].start);
        let mut text = b"template: ".to_vec();
        text.extend_from_slice(self.heap.name(self.source.name));
        text.extend_from_slice(format!(":{line}: ").as_bytes());
        text.extend_from_slice(message.as_ref());
        Err(text)
    }

    fn unexpected<T>(&self, item: Item, context: &str) -> Parsed<T> {
        if item.kind != Kind::Error {
            return self.fail(format!("unexpected {} in {context}", self.shown(item)));
        }
        let text = self.lex.failure();
        let mut message = text.to_owned();
        if let Some(action) = self.state.action {
            let (began, here) = (self.lex.line(action), self.lex.line(item.start));
            if began != here {
                // "action in action" would read badly.
                message.push_str(if text.ends_with(" action") { " started at " } else { " in action started at " });
                message.push_str(&format!("{}:{began}", String::from_utf8_lossy(self.heap.name(self.source.name))));
            }
        }
        self.fail(message)
    }

    /// An item as a message shows it.
    fn shown(&self, item: Item) -> String {
        let bytes = self.lex.bytes(item);
        match item.kind {
            Kind::Eof => "EOF".to_owned(),
            Kind::Error => self.lex.failure().to_owned(),
            kind if kind >= Kind::Block => format!("<{}>", String::from_utf8_lossy(bytes)),
            _ if bytes.len() > 10 => {
                let mut end = 0;
                for _ in 0..10 {
                    end += super::lex::decode(&bytes[end..]).map_or(0, |(_, width)| width);
                }
                format!("{}...", plumb_go::strconv::quote_bytes(&bytes[..end]))
            }
            _ => plumb_go::strconv::quote_bytes(bytes),
        }
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<Item> {
        let item = self.next_non_space();
        if item.kind == kind { Ok(item) } else { self.unexpected(item, context) }
    }

    fn pos(&self, item: Item) -> u32 {
        self.at(item.start)
    }

    fn at(&self, offset: usize) -> u32 {
        self.source.text.at + offset as u32
    }

    /// A range of the source as a text of the heap: it keeps its origins.
    fn range(&self, start: usize, end: usize) -> Str {
        self.source.text.slice(start, end)
    }

    fn sym(&mut self, item: Item, skip: usize) -> Sym {
        let bytes = self.lex.bytes(item);
        self.heap.sym(&bytes[skip..])
    }
}

/// Templates, lists and actions.
impl Parser<'_> {
    fn top(&mut self, name: Sym) -> Parsed<()> {
        let from = self.open.nodes.len();
        loop {
            let item = self.peek();
            match item.kind {
                Kind::Eof => break,
                Kind::LeftDelim => {
                    let delim = self.next();
                    if self.next_non_space().kind == Kind::Define {
                        self.define()?;
                        continue;
                    }
                    self.state.tokens[1] = delim;
                    self.state.peeked = 2;
                }
                _ => {}
            }
            match self.text_or_action()? {
                Action::Node(node) => self.open.nodes.push(node),
                Action::End(_) => return self.fail("unexpected {{end}}"),
                Action::Else => return self.fail("unexpected {{else}}"),
            }
        }
        let root = taken_off(&mut self.open.nodes, from);
        self.add(name, root, 0)
    }

    /// Adds a tree; within one text only an empty one may be defined again.
    fn add(&mut self, name: Sym, root: List, start: usize) -> Parsed<()> {
        let pos = self.at(start);
        let title = self.heap.utf8(self.heap.name_str(name)).into_owned();
        let tree = Tree { name, title, source: self.source.clone(), root, pos };
        match self.trees.iter().position(|known| known.name == name) {
            None => self.trees.push(tree),
            Some(at) if self.trees[at].is_empty(self.heap) => self.trees[at] = tree,
            Some(_) if tree.is_empty(self.heap) => {}
            Some(_) => {
                let quoted = plumb_go::strconv::quote_bytes(self.heap.name(name));
                return self.fail(format!("template: multiple definition of template {quoted}"));
            }
        }
        Ok(())
    }

    /// Parses a tree of its own up to its `{{end}}`: no variables, no blocks around it.
    fn own(&mut self, context: &str, name: impl FnOnce(&mut Self) -> Parsed<Sym>) -> Parsed<Sym> {
        let fresh = State::new(self.dollar);
        let around = std::mem::replace(&mut self.state, fresh);
        let name = name(self)?;
        let start = self.taken;
        let (root, end) = self.list()?;
        if !matches!(end, Action::End(_)) {
            return self.fail(format!("unexpected {{{{else}}}} in {context}"));
        }
        self.add(name, root, start)?;
        self.state = around;
        Ok(name)
    }

    /// `define` is past.
    fn define(&mut self) -> Parsed<()> {
        const CONTEXT: &str = "define clause";
        self.own(CONTEXT, |parser| {
            let item = parser.next_non_space();
            let name = parser.template_name(item, CONTEXT)?;
            parser.expect(Kind::RightDelim, CONTEXT)?;
            Ok(name)
        })
        .map(|_| ())
    }

    fn template_name(&mut self, item: Item, context: &str) -> Parsed<Sym> {
        if !matches!(item.kind, Kind::String | Kind::RawString) {
            return self.unexpected(item, context);
        }
        let literal = self.lex.bytes(item);
        let Some(pieces) = literal::unquote(literal) else { return self.fail(SYNTAX) };
        let mut name = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Range(start, end) => name.extend_from_slice(&literal[start..end]),
                Piece::Bytes(bytes) => name.extend_from_slice(&bytes),
            }
        }
        Ok(self.heap.sym(&name))
    }

    /// Nodes up to `{{end}}` or `{{else}}`.
    fn list(&mut self) -> Parsed<(List, Action)> {
        let from = self.open.nodes.len();
        while self.peek_non_space().kind != Kind::Eof {
            match self.text_or_action()? {
                Action::Node(node) => self.open.nodes.push(node),
                end => return Ok((taken_off(&mut self.open.nodes, from), end)),
            }
        }
        self.fail("unexpected EOF")
    }

    fn text_or_action(&mut self) -> Parsed<Action> {
        let item = self.next_non_space();
        match item.kind {
            Kind::Text => Ok(Action::Node(Node::Text(self.pos(item), self.range(item.start, item.end)))),
            Kind::LeftDelim => {
                self.state.action = Some(item.start);
                let action = self.action();
                // An error has used it already.
                self.state.action = None;
                action
            }
            _ => self.unexpected(item, "input"),
        }
    }

    fn action(&mut self) -> Parsed<Action> {
        let item = self.next_non_space();
        let node = match item.kind {
            Kind::Block => self.block()?,
            Kind::Break | Kind::Continue => self.leave(item)?,
            Kind::Else => return self.otherwise(),
            Kind::End => return self.expect(Kind::RightDelim, "end").map(|delim| Action::End(delim.end)),
            Kind::If => Node::If(Box::new(self.control("if")?)),
            Kind::Range => Node::Range(Box::new(self.control("range")?)),
            Kind::Template => self.template()?,
            Kind::With => Node::With(Box::new(self.control("with")?)),
            _ => {
                self.backup();
                let item = self.peek();
                let pipe = self.pipeline("command", Kind::RightDelim)?;
                Node::Action(self.pos(item), pipe)
            }
        };
        Ok(Action::Node(node))
    }

    /// `break` or `continue` is past.
    fn leave(&mut self, item: Item) -> Parsed<Node> {
        let shown = if item.kind == Kind::Break { "{{break}}" } else { "{{continue}}" };
        let delim = self.next_non_space();
        if delim.kind != Kind::RightDelim {
            return self.unexpected(delim, shown);
        }
        if self.state.ranges == 0 {
            return self.fail(format!("{shown} outside {{{{range}}}}"));
        }
        let pos = self.pos(item);
        Ok(if item.kind == Kind::Break { Node::Break(pos) } else { Node::Continue(pos) })
    }

    /// `else` is past. An `if` or `with` after it stays for the block that it belongs to.
    fn otherwise(&mut self) -> Parsed<Action> {
        if !matches!(self.peek_non_space().kind, Kind::If | Kind::With) {
            self.expect(Kind::RightDelim, "else")?;
        }
        Ok(Action::Else)
    }

    /// `if`, `range` or `with` is past.
    fn control(&mut self, context: &str) -> Parsed<Branch> {
        self.blocks += 1;
        if self.blocks > NESTED {
            return self.fail(format!("blocks may be nested {NESTED} deep"));
        }
        let vars = self.state.vars.len();
        let branch = crate::exec::grown(|| self.branch(context));
        self.state.vars.truncate(vars);
        self.blocks -= 1;
        branch
    }

    fn branch(&mut self, context: &str) -> Parsed<Branch> {
        let pipe = self.pipeline(context, Kind::RightDelim)?;
        let ranges = usize::from(context == "range");
        self.state.ranges += ranges;
        let (then, end) = self.list()?;
        self.state.ranges -= ranges;
        let mut branch = Branch { pos: pipe.pos, pipe, then, otherwise: None, end: 0 };
        let end = match end {
            Action::End(end) => end,
            _ => {
                // `{{else if b}}` is `{{else}}{{if b}}` whose `{{end}}` ends both.
                let next = self.peek().kind;
                if context == "if" && next == Kind::If || context == "with" && next == Kind::With {
                    self.next();
                    let inner = Box::new(self.control(context)?);
                    branch.end = inner.end;
                    branch.otherwise = Some(Box::new([if context == "if" { Node::If(inner) } else { Node::With(inner) }]));
                    return Ok(branch);
                }
                let (otherwise, end) = self.list()?;
                branch.otherwise = Some(otherwise);
                match end {
                    Action::End(end) => end,
                    _ => return self.fail("expected end; found {{else}}"),
                }
            }
        };
        branch.end = self.at(end);
        Ok(branch)
    }

    /// `block` is past: a definition and a call of it.
    fn block(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "block clause";
        let item = self.next_non_space();
        let name = self.template_name(item, CONTEXT)?;
        let pipe = self.pipeline(CONTEXT, Kind::RightDelim)?;
        self.blocks += 1;
        if self.blocks > NESTED {
            return self.fail(format!("blocks may be nested {NESTED} deep"));
        }
        crate::exec::grown(|| self.own(CONTEXT, |_| Ok(name)))?;
        self.blocks -= 1;
        Ok(Node::Template(self.pos(item), name, Some(Box::new(pipe))))
    }

    /// `template` is past.
    fn template(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "template clause";
        let item = self.next_non_space();
        let name = self.template_name(item, CONTEXT)?;
        let pipe = if self.next_non_space().kind == Kind::RightDelim {
            None
        } else {
            self.backup();
            Some(Box::new(self.pipeline(CONTEXT, Kind::RightDelim)?))
        };
        Ok(Node::Template(self.pos(item), name, pipe))
    }
}

/// Pipelines.
impl Parser<'_> {
    fn pipeline(&mut self, context: &str, end: Kind) -> Parsed<Pipe> {
        let item = self.peek_non_space();
        let mut pipe = Pipe { pos: self.pos(item), end: self.pos(item), is_assign: false, decl: Box::default(), cmds: Box::default() };
        self.declarations(&mut pipe, context)?;
        let from = self.open.cmds.len();
        loop {
            let item = self.next_non_space();
            match item.kind {
                kind if kind == end => {
                    pipe.cmds = taken_off(&mut self.open.cmds, from);
                    if let Some(last) = pipe.cmds.last() {
                        pipe.end = last.end;
                    }
                    self.check(&pipe, context)?;
                    return Ok(pipe);
                }
                Kind::Bool
                | Kind::CharConstant
                | Kind::Complex
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::RawString
                | Kind::String
                | Kind::Variable
                | Kind::LeftParen => {
                    self.backup();
                    let cmd = self.command()?;
                    self.open.cmds.push(cmd);
                }
                _ => return self.unexpected(item, context),
            }
        }
    }

    /// `$x :=`, `$x =`, and for `range` `$i, $x :=`.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Parsed<()> {
        loop {
            let variable = self.peek_non_space();
            if variable.kind != Kind::Variable {
                return Ok(());
            }
            self.next();
            // A space between the variable and what follows must be found again when the variable is an argument.
            let after = self.peek();
            let next = self.peek_non_space();
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    pipe.is_assign = next.kind == Kind::Assign;
                    self.next_non_space();
                    self.declare(pipe, variable);
                    return Ok(());
                }
                Kind::Char if self.lex.bytes(next) == b"," => {
                    self.next_non_space();
                    self.declare(pipe, variable);
                    if context == "range" && pipe.decl.len() < 2 {
                        if matches!(self.peek_non_space().kind, Kind::Variable | Kind::RightDelim | Kind::RightParen) {
                            continue;
                        }
                        return self.fail("range can only initialize variables");
                    }
                    return self.fail(format!("too many declarations in {context}"));
                }
                _ if after.kind == Kind::Space => {
                    self.state.tokens[1] = after;
                    self.state.tokens[2] = variable;
                    self.state.peeked = 3;
                }
                _ => {
                    self.state.tokens[1] = variable;
                    self.state.peeked = 2;
                }
            }
            return Ok(());
        }
    }

    fn declare(&mut self, pipe: &mut Pipe, variable: Item) {
        let name = self.sym(variable, 0);
        pipe.decl = pipe.decl.iter().copied().chain([name]).collect();
        self.state.vars.push(name);
    }

    fn check(&self, pipe: &Pipe, context: &str) -> Parsed<()> {
        if pipe.cmds.is_empty() {
            return self.fail(format!("missing value for {context}"));
        }
        // Only the first command can be something that takes no value.
        for (nth, cmd) in pipe.cmds.iter().enumerate().skip(1) {
            if matches!(cmd.args.first(), Some(Arg::Bool(..) | Arg::Dot(_) | Arg::Nil(_) | Arg::Number(..) | Arg::Text(..))) {
                return self.fail(format!("non executable command in pipeline stage {}", nth + 1));
            }
        }
        Ok(())
    }

    fn command(&mut self) -> Parsed<Cmd> {
        let first = self.peek_non_space();
        let mut cmd = Cmd { pos: self.pos(first), end: self.pos(first), args: Box::default() };
        let from = self.open.args.len();
        loop {
            self.peek_non_space();
            if let Some(operand) = self.operand()? {
                self.open.args.push(operand);
                cmd.end = self.at(self.taken);
            }
            let item = self.next();
            match item.kind {
                Kind::Space => {}
                Kind::RightDelim | Kind::RightParen => {
                    self.backup();
                    break;
                }
                Kind::Pipe => break,
                _ => return self.unexpected(item, "operand"),
            }
        }
        cmd.args = taken_off(&mut self.open.args, from);
        if cmd.args.is_empty() {
            return self.fail("empty command");
        }
        Ok(cmd)
    }

    /// A term and fields of it.
    fn operand(&mut self) -> Parsed<Option<Arg>> {
        let Some(term) = self.term()? else { return Ok(None) };
        if self.peek().kind != Kind::Field {
            return Ok(Some(term));
        }
        let (pos, fields) = self.fields(None);
        match term {
            Arg::Bool(..) | Arg::Text(..) | Arg::Number(..) | Arg::Nil(_) | Arg::Dot(_) => {
                let shown = plumb_go::strconv::quote(&super::show_at(self.heap, crate::exec::At::Arg(&term)));
                self.fail(format!("unexpected . after term {shown}"))
            }
            other => Ok(Some(Arg::Chain(pos, Box::new(other), fields))),
        }
    }

    /// The fields that follow, behind a first one: where the first of them is, and their names.
    fn fields(&mut self, first: Option<Sym>) -> (u32, Box<[Sym]>) {
        let item = self.peek();
        let from = self.open.names.len();
        self.open.names.extend(first);
        while self.peek().kind == Kind::Field {
            let field = self.next();
            let name = self.sym(field, 1);
            self.open.names.push(name);
        }
        (self.pos(item), taken_off(&mut self.open.names, from))
    }

    fn term(&mut self) -> Parsed<Option<Arg>> {
        let item = self.next_non_space();
        let pos = self.pos(item);
        let text = self.range(item.start, item.end);
        let term = match item.kind {
            Kind::Identifier => {
                let Some(callee) = self.functions.find(self.lex.bytes(item)) else {
                    let quoted = plumb_go::strconv::quote_bytes(self.lex.bytes(item));
                    return self.fail(format!("function {quoted} not defined"));
                };
                Arg::Function(pos, self.sym(item, 0), callee)
            }
            Kind::Dot => Arg::Dot(pos),
            Kind::Nil => Arg::Nil(pos),
            Kind::Variable => {
                let name = self.sym(item, 0);
                if !self.state.vars.contains(&name) {
                    let quoted = plumb_go::strconv::quote_bytes(self.lex.bytes(item));
                    return self.fail(format!("undefined variable {quoted}"));
                }
                if self.peek().kind == Kind::Field {
                    let (pos, fields) = self.fields(None);
                    return Ok(Some(Arg::Variable(pos, name, fields)));
                }
                Arg::Variable(pos, name, Box::default())
            }
            Kind::Field => {
                let name = self.sym(item, 1);
                if self.peek().kind == Kind::Field {
                    let (pos, fields) = self.fields(Some(name));
                    return Ok(Some(Arg::Field(pos, fields)));
                }
                Arg::Field(pos, Box::new([name]))
            }
            Kind::Bool => Arg::Bool(pos, self.lex.bytes(item) == b"true"),
            Kind::CharConstant | Kind::Complex | Kind::Number => match literal::number(self.lex.bytes(item), item.kind, text) {
                Ok(number) => Arg::Number(pos, Box::new(number)),
                Err(message) => return self.fail(message),
            },
            Kind::LeftParen => {
                if self.state.parens >= self.parens {
                    return self.fail("max expression depth exceeded");
                }
                self.state.parens += 1;
                let pipe = crate::exec::grown(|| self.pipeline("parenthesized pipeline", Kind::RightParen))?;
                self.state.parens -= 1;
                Arg::Pipe(Box::new(pipe))
            }
            Kind::String | Kind::RawString => {
                let literal = self.lex.bytes(item);
                if literal::is_plain(literal) {
                    let inside = self.range(item.start + 1, item.end - 1);
                    return Ok(Some(Arg::Text(pos, text, Value::Str(O::NONE, inside))));
                }
                let Some(pieces) = literal::unquote(literal) else { return self.fail(SYNTAX) };
                let value = self.constant(item, pieces);
                Arg::Text(pos, text, value)
            }
            _ => {
                self.backup();
                return Ok(None);
            }
        };
        Ok(Some(term))
    }

    /// What a quoted text means: where nothing is escaped, a range of the source itself.
    fn constant(&mut self, item: Item, pieces: Vec<Piece>) -> Value {
        let part = |start: usize, end: usize| self.source.text.slice(item.start + start, item.start + end);
        if let [Piece::Range(start, end)] = pieces.as_slice() {
            return Value::Str(O::NONE, part(*start, *end));
        }
        let origin = match self.source.file {
            Some(file) if self.heap.origins.tracing() => {
                let place = plumb_world::Span { file, start: item.start as u32, end: item.end as u32 };
                self.heap.origins.add(Origin::At(place))
            }
            _ => {
                let literal = self.source.text.slice(item.start, item.end);
                self.heap.segs(literal).next().map_or(O::NONE, |seg| seg.origin)
            }
        };
        let mut builder = self.heap.build();
        for piece in pieces {
            match piece {
                Piece::Range(start, end) => builder.text(part(start, end), O::NONE),
                Piece::Bytes(bytes) => builder.bytes(&bytes, origin),
            };
        }
        Value::Str(O::NONE, builder.end())
    }
}
