//! Owns parsing beside a heap: files that the heap shares are parsed into a memory of their own, on another thread perhaps, and brought in later.
//! Positions are those of the heap then; names and constants made of escapes are given the heap's own.

use std::sync::Arc;

use crate::functions::Functions;
use crate::heap::{Heap, Sym};
use crate::text::Str;
use crate::tree::{Arg, Branch, Node, Pipe, Source, Tree};
use crate::value::Value;

/// What the files come to that were parsed, each by the number it was given.
pub type Numbered = Vec<(usize, Parsed<Arc<Tree>>)>;

/// The trees of a file, or the parser's message.
type Parsed<T> = Result<Vec<T>, Vec<u8>>;

/// Files parsed beside a heap.
#[derive(Debug)]
pub struct Apart {
    heap: Heap,
    files: Vec<(usize, Parsed<Tree>)>,
}

impl Apart {
    /// Begins beside a heap. Nothing when a text that is to be parsed is the heap's own, or where origins are kept.
    pub fn new(heap: &Heap, texts: impl IntoIterator<Item = Str>) -> Option<Self> {
        let can = !heap.origins.tracing() && texts.into_iter().all(|text| heap.is_shared(text));
        can.then(|| Self { heap: heap.empty_beside(), files: Vec::new() })
    }

    /// Parses a file's text, which the heap shares.
    pub fn parse(&mut self, number: usize, functions: &Functions, name: &[u8], text: Str) {
        let name = self.heap.sym(name);
        let source = Arc::new(Source { name, text, file: None });
        self.files.push((number, super::parser::parse(&mut self.heap, functions, &source, super::PARENTHESES)));
    }

    /// Brings all of it into the heap that it was begun beside.
    pub fn into_heap(self, heap: &mut Heap) -> Numbered {
        let mut moving = Moving { syms: vec![None; self.heap.names()], from: self.heap, into: heap };
        let mut moved = |trees: Vec<Tree>| {
            let mut source = None;
            trees.into_iter().map(|tree| Arc::new(moving.tree(tree, &mut source))).collect()
        };
        self.files.into_iter().map(|(number, parsed)| (number, parsed.map(&mut moved))).collect()
    }
}

/// The way from one heap to another.
struct Moving<'h> {
    from: Heap,
    into: &'h mut Heap,
    /// The names that are known already.
    syms: Vec<Option<Sym>>,
}

impl Moving<'_> {
    fn tree(&mut self, mut tree: Tree, source: &mut Option<Arc<Source>>) -> Tree {
        self.sym(&mut tree.name);
        tree.source = match source {
            Some(source) => source.clone(),
            None => {
                let mut name = tree.source.name;
                self.sym(&mut name);
                source.insert(Arc::new(Source { name, text: tree.source.text, file: tree.source.file })).clone()
            }
        };
        self.list(&mut tree.root);
        tree
    }

    fn sym(&mut self, sym: &mut Sym) {
        let known = &mut self.syms[sym.0 as usize];
        *sym = *known.get_or_insert_with(|| self.into.sym(self.from.name(*sym)));
    }

    fn syms(&mut self, syms: &mut [Sym]) {
        syms.iter_mut().for_each(|sym| self.sym(sym));
    }

    fn list(&mut self, list: &mut [Node]) {
        for node in list {
            match node {
                Node::Text(..) | Node::Break(_) | Node::Continue(_) => {}
                Node::Action(_, pipe) => self.pipe(pipe),
                Node::If(branch) | Node::With(branch) | Node::Range(branch) => self.branch(branch),
                Node::Template(_, name, pipe) => {
                    self.sym(name);
                    if let Some(pipe) = pipe {
                        self.pipe(pipe);
                    }
                }
            }
        }
    }

    fn branch(&mut self, branch: &mut Branch) {
        crate::exec::grown(|| {
            self.pipe(&mut branch.pipe);
            self.list(&mut branch.then);
            if let Some(otherwise) = &mut branch.otherwise {
                self.list(otherwise);
            }
        });
    }

    fn pipe(&mut self, pipe: &mut Pipe) {
        self.syms(&mut pipe.decl);
        pipe.cmds.iter_mut().flat_map(|cmd| cmd.args.iter_mut()).for_each(|arg| self.arg(arg));
    }

    fn arg(&mut self, arg: &mut Arg) {
        match arg {
            Arg::Dot(_) | Arg::Nil(_) | Arg::Bool(..) | Arg::Number(..) => {}
            Arg::Field(_, names) => self.syms(names),
            Arg::Variable(_, name, names) => {
                self.sym(name);
                self.syms(names);
            }
            Arg::Function(_, name, _) => self.sym(name),
            Arg::Pipe(pipe) => crate::exec::grown(|| self.pipe(pipe)),
            Arg::Chain(_, inner, names) => {
                self.arg(inner);
                self.syms(names);
            }
            Arg::Text(_, _, Value::Str(origin, text)) => {
                if !self.from.is_shared(*text) {
                    *text = self.into.push(self.from.bytes(*text), *origin);
                }
            }
            Arg::Text(..) => {}
        }
    }
}
