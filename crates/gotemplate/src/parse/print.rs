//! Owns trees as text: nodes as Go prints them in messages (`parse/node.go`, `String`).

use crate::exec::At;
use crate::heap::{Heap, Sym};
use crate::tree::{Arg, Branch, Cmd, Node, Pipe, Tree};

/// Returns a node as Go prints it in a message: whole, as Go 1.26 does (older ones cut it).
pub(crate) fn show_at(heap: &Heap, at: At<'_>) -> String {
    let mut shown = Shown { heap, out: Vec::new() };
    match at {
        At::Node(node) => shown.node(node),
        At::Branch(branch, name) => shown.branch(branch, name),
        At::Pipe(pipe) => shown.pipe(pipe),
        At::Cmd(cmd) => shown.cmd(cmd),
        At::Arg(Arg::Pipe(pipe)) => shown.pipe(pipe),
        At::Arg(arg) => shown.arg(arg),
    }
    String::from_utf8_lossy(&shown.out).into_owned()
}

/// Returns a tree as Go prints it: the same template, written one way.
pub(super) fn show_tree(heap: &Heap, tree: &Tree) -> Vec<u8> {
    let mut shown = Shown { heap, out: Vec::new() };
    shown.list(&tree.root);
    shown.out
}

struct Shown<'h> {
    heap: &'h Heap,
    out: Vec<u8>,
}

impl Shown<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn name(&mut self, name: Sym) {
        let heap = self.heap;
        self.put(heap.name(name));
    }

    fn list(&mut self, list: &[Node]) {
        for node in list {
            self.node(node);
        }
    }

    fn node(&mut self, node: &Node) {
        let heap = self.heap;
        match node {
            Node::Text(_, text) => self.put(heap.bytes(*text)),
            Node::Action(_, pipe) => {
                self.put(b"{{");
                self.pipe(pipe);
                self.put(b"}}");
            }
            Node::If(branch) => self.branch(branch, "if"),
            Node::With(branch) => self.branch(branch, "with"),
            Node::Range(branch) => self.branch(branch, "range"),
            Node::Template(_, name, pipe) => {
                self.put(b"{{template ");
                self.put(plumb_go::strconv::quote_bytes(heap.name(*name)).as_bytes());
                if let Some(pipe) = pipe {
                    self.put(b" ");
                    self.pipe(pipe);
                }
                self.put(b"}}");
            }
            Node::Break(_) => self.put(b"{{break}}"),
            Node::Continue(_) => self.put(b"{{continue}}"),
        }
    }

    fn branch(&mut self, branch: &Branch, name: &str) {
        self.put(b"{{");
        self.put(name.as_bytes());
        self.put(b" ");
        self.pipe(&branch.pipe);
        self.put(b"}}");
        self.list(&branch.then);
        if let Some(otherwise) = &branch.otherwise {
            self.put(b"{{else}}");
            self.list(otherwise);
        }
        self.put(b"{{end}}");
    }

    fn pipe(&mut self, pipe: &Pipe) {
        for (nth, name) in pipe.decl.iter().enumerate() {
            if nth > 0 {
                self.put(b", ");
            }
            self.name(*name);
        }
        if !pipe.decl.is_empty() {
            self.put(if pipe.is_assign { b" = " } else { b" := " });
        }
        for (nth, cmd) in pipe.cmds.iter().enumerate() {
            if nth > 0 {
                self.put(b" | ");
            }
            self.cmd(cmd);
        }
    }

    fn cmd(&mut self, cmd: &Cmd) {
        for (nth, arg) in cmd.args.iter().enumerate() {
            if nth > 0 {
                self.put(b" ");
            }
            self.arg(arg);
        }
    }

    fn fields(&mut self, fields: &[Sym]) {
        for field in fields {
            self.put(b".");
            self.name(*field);
        }
    }

    fn arg(&mut self, arg: &Arg) {
        let heap = self.heap;
        match arg {
            Arg::Dot(_) => self.put(b"."),
            Arg::Nil(_) => self.put(b"nil"),
            Arg::Field(_, names) => self.fields(names),
            Arg::Variable(_, name, names) => {
                self.name(*name);
                self.fields(names);
            }
            Arg::Function(_, name, _) => self.name(*name),
            Arg::Pipe(pipe) => {
                self.put(b"(");
                self.pipe(pipe);
                self.put(b")");
            }
            Arg::Chain(_, inner, names) => {
                self.arg(inner);
                self.fields(names);
            }
            Arg::Bool(_, value) => self.put(if *value { b"true" } else { b"false" }),
            Arg::Number(_, number) => self.put(heap.bytes(number.text)),
            Arg::Text(_, written, _) => self.put(heap.bytes(*written)),
        }
    }
}
