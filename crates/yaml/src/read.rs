//! Owns the run over a stream: documents one after another, and going on behind an error at the next `---` line.

use crate::arena::Arena;
use crate::builder::{Builder, Draft};
use crate::error::{ByteSpan, Counting, Error, ErrorCode, Fault};
use crate::expand::{expand, go_syntax};
use crate::limits::{MAX_DEPTH, MAX_DUPLICATE_ERRORS, MAX_NODES, Options};
use crate::lines::Lines;
use crate::parser::{Parser, Step};
use crate::reader::Input;
use crate::scanner::Scanner;
use crate::stream::Record;

/// What a run makes of a text.
pub(crate) struct Read {
    pub(crate) arena: Arena,
    pub(crate) records: Vec<Record>,
}

struct Run<'t> {
    input: &'t Input,
    strict: bool,
    by_text: bool,
    max_nodes: usize,
    max_depth: usize,
    parser: Parser<'t>,
    records: Vec<Record>,
    /// Why documents cannot be read.
    failed: Vec<(usize, Box<Fault>)>,
    /// Duplicates of strict reading, as errors of their documents.
    strict_errors: Vec<(usize, u32)>,
}

/// Reads all documents of a text.
pub(crate) fn read(input: &Input, options: &Options, memory: Arena) -> Read {
    let end = input.problem_from(input.start).map_or(input.text.len(), |(at, _)| at);
    let max_nodes = options.max_nodes.min(MAX_NODES);
    let builder = Builder::new(&input.text, max_nodes, memory);
    let parser = Parser::new(Scanner::new(input, end), builder, options.line_reader);
    let mut run = Run {
        input,
        strict: options.strict,
        by_text: options.by_text,
        max_nodes,
        max_depth: options.max_depth,
        parser,
        records: Vec::new(),
        failed: Vec::new(),
        strict_errors: Vec::new(),
    };
    run.run();
    run.finish()
}

impl Run<'_> {
    fn run(&mut self) {
        // The start of the document at hand.
        let mut open = None;
        loop {
            let fault = match self.parser.step() {
                Ok(Step::Inside) => continue,
                Ok(Step::Began(start)) => {
                    open = Some(start);
                    continue;
                }
                Ok(Step::Ended(end)) => {
                    self.document(open.take().unwrap_or(end), end);
                    continue;
                }
                Ok(Step::Finished) => return,
                Err(fault) => fault,
            };
            if !self.recover(open.take(), fault) {
                return;
            }
        }
    }

    /// Returns the error of the place where the text that is read ends before its time.
    fn broken_end(&self) -> Option<Box<Fault>> {
        let end = self.parser.scanner.src.len();
        if end == self.input.text.len() {
            return None;
        }
        let (at, why) = self.input.problem_from(end)?;
        let span = ByteSpan { start: at as u32, end: at as u32 + 1 };
        Some(Fault::plain(ErrorCode::Encoding, span, why))
    }

    /// Notes why the document at hand cannot be read, and goes to the next. Returns whether there is one.
    fn recover(&mut self, open: Option<u32>, fault: Box<Fault>) -> bool {
        let text = self.input.text.as_bytes();

        let ended = fault.problem as usize >= self.parser.scanner.src.len() || self.parser.scanner.byte() == 0;
        let fault = match self.broken_end() {
            Some(broken) if ended => broken,
            _ => fault,
        };
        let problem = (fault.problem as usize).min(text.len());
        let last = match fault.code {
            ErrorCode::Limit => true,
            ErrorCode::Encoding => !self.input.readable_after(problem),
            _ => false,
        };
        let from = problem.max(self.parser.last_marker as usize + 1);
        let next = if last { None } else { next_marker(text, from) };
        let start = open.unwrap_or(problem as u32).min(problem as u32);
        let end = next.unwrap_or(text.len()) as u32;
        self.failed.push((self.records.len(), fault));
        self.records.push(Record::failed(start, end, Vec::new()));
        if open.is_some() {
            let cooked = self.parser.builder.abort();
            self.parser.scanner.cooked.truncate(cooked);
        }
        let Some(next) = next else { return false };
        let problem_at = self.input.problem_from(next).map_or(text.len(), |(at, _)| at);
        self.parser.scanner.restart(self.input, next, problem_at);
        self.parser.last_marker = next as u32;
        self.parser.restart();
        true
    }

    /// Ends a document: decodes it when it is not yet what it means.
    fn document(&mut self, start: u32, end: u32) {
        let draft = self.parser.builder.finish();
        let index = self.records.len();
        let (parser, text) = (&mut self.parser, &self.input.text);
        let Draft { root: raw, mut duplicates, mut refused_key, mut deepest, needs_expansion, .. } = draft;
        let mut root = raw;
        let arena = &mut parser.builder.arena;
        // The arena's own text is with the scanner while there is something to scan.
        std::mem::swap(&mut arena.cooked, &mut parser.scanner.cooked);
        let mut failed = None;
        if needs_expansion {
            match expand(arena, text, raw, self.max_nodes, self.by_text) {
                Ok(expanded) => {
                    (root, refused_key) = (expanded.root, expanded.refused_key);
                    if self.max_depth < MAX_DEPTH {
                        deepest = deepest_below(arena, root);
                    }
                    if self.strict || self.by_text {
                        duplicates = expanded.duplicates;
                    }
                }
                Err(fault) => failed = Some(fault),
            }
        }
        if failed.is_none() && self.max_depth < MAX_DEPTH && deepest.0 > self.max_depth {
            let node = arena.node(deepest.1);
            let message = format!("lists and maps nest more than {} deep", self.max_depth);
            failed = Some(Fault::plain(ErrorCode::Limit, ByteSpan { start: node.start, end: node.end }, message));
        }
        if let (None, Some(key), false) = (&failed, refused_key, self.by_text) {
            let node = arena.node(key);
            let span = ByteSpan { start: node.start, end: node.end };
            failed = Some(Fault::plain(ErrorCode::KeyType, span, refused(arena, text, key)));
        }
        std::mem::swap(&mut arena.cooked, &mut parser.scanner.cooked);
        if self.strict && failed.is_none() {
            self.strict_errors.extend(duplicates.iter().take(MAX_DUPLICATE_ERRORS).map(|(_, later)| (index, *later)));
        }
        let ok = failed.is_none();
        self.failed.extend(failed.map(|failed| (index, failed)));
        self.records.push(Record { start, end, raw, root: if ok { root } else { 0 }, duplicates, errors: Vec::new() });
    }

    /// Turns offsets into lines, once for all errors.
    fn finish(mut self) -> Read {
        let mut arena = self.parser.builder.arena;
        arena.cooked = self.parser.scanner.cooked;
        arena.nodes.shrink_to_fit();
        if self.failed.is_empty() && self.strict_errors.is_empty() {
            return Read { arena, records: self.records };
        }
        let text = &*self.input.text;
        let lines = Lines::of(text);
        for (index, fault) in self.failed {
            let end = fault.end.max(fault.problem).min(text.len() as u32);
            let span = ByteSpan { start: fault.problem.min(end), end };
            let go_line = go_line(&lines, text, &fault);
            let message = fault.message.into_owned();
            self.records[index].errors.push(Error { code: fault.code, message, go_line, span });
        }
        for (index, key) in self.strict_errors {
            let node = arena.node(key);
            let span = ByteSpan { start: node.start, end: node.end };
            let mut message = "key ".to_owned();
            go_syntax(&arena, text, key, &mut message, 0);
            message.push_str(" already set in map");
            let value = node.next;
            let value_start = arena.props(value).map_or(arena.node(value).start, |props| props.start);
            let go_line = Some(lines.line_of(value_start) + 1);
            let record = &mut self.records[index];
            record.root = 0;
            record.errors.push(Error { code: ErrorCode::DuplicateKey, message, go_line, span });
        }
        Read { arena, records: self.records }
    }
}

/// The message of `sigs.k8s.io/yaml` for a key that JSON cannot have.
fn refused(arena: &Arena, text: &str, key: u32) -> String {
    let node = arena.node(key);
    let mut message = "unsupported map key of type: ".to_owned();
    if node.kind == crate::Kind::Null {
        message.push_str("%!s(<nil>), key: <nil>, value: ");
    } else {
        message.push_str("uint64, key: ");
        go_syntax(arena, text, key, &mut message, 0);
        message.push_str(", value: ");
    }
    match arena.node(node.next).kind {
        crate::Kind::Null => message.push_str("<nil>"),
        _ => go_syntax(arena, text, node.next, &mut message, 0),
    }
    message
}

/// Returns the line that go-yaml names, by its own way of counting.
fn go_line(lines: &Lines, text: &str, fault: &Fault) -> Option<u32> {
    let line_of = |offset: u32| {
        let forced = offset as usize > text.len() && !lines.is_line_start(text.len() as u32);
        lines.line_of(offset.min(text.len() as u32)) + u32::from(forced)
    };
    if fault.counting == Counting::None {
        return None;
    }
    match line_of(fault.problem) {
        0 => Some(line_of(fault.context)).filter(|line| *line != 0),
        line => Some(line + u32::from(fault.counting == Counting::Scanner)),
    }
}

/// Returns the next `---` at the start of a line.
fn next_marker(text: &[u8], from: usize) -> Option<usize> {
    memchr::memmem::find_iter(&text[from.min(text.len())..], b"---").map(|at| at + from).find(|at| {
        let starts = *at == 0 || matches!(text[at - 1], b'\n' | b'\r');
        starts && matches!(text.get(at + 3), None | Some(b' ' | b'\t' | b'\n' | b'\r'))
    })
}

/// Returns how deep lists and maps nest below a node, itself included, and the first of the innermost ones.
fn deepest_below(arena: &Arena, root: u32) -> (usize, u32) {
    let mut deepest = (0, root);
    let mut left = vec![(root, 1_usize)];
    while let Some((id, depth)) = left.pop() {
        let node = arena.node(id);
        if node.next != 0 {
            left.push((node.next, depth));
        }
        if node.is_collection() {
            if depth > deepest.0 {
                deepest = (depth, id);
            }
            if node.a != 0 {
                left.push((node.a, depth + 1));
            }
        }
    }
    deepest
}
