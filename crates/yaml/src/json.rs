//! Owns the way to JSON: the bytes of `sigs.k8s.io/yaml.YAMLToJSON`, that is Go's `encoding/json` with sorted keys and HTML
//! escapes. No recursion.

use plumb_go::strconv;

use crate::arena::{Kind, Node, flag};
use crate::error::{Error, ErrorCode};
use crate::limits::MAX_JSON_BYTES;
use crate::names::Sym;
use crate::resolve::{Resolved, resolve_plain};
use crate::stream::NodeRef;

/// An open list or map.
enum Frame {
    /// The next item.
    List(u32),
    /// How many entries lie on the stack below which this map began.
    Map(usize),
}

/// Appends a node as JSON.
///
/// The node is of a tree as it is meant ([`Document::root`](crate::Document::root)); an alias of a raw tree is refused. Errors
/// are values that JSON has not, such as `.inf`, and a text longer than [`MAX_JSON_BYTES`]; `out` then ends anywhere.
pub fn to_json(node: NodeRef<'_>, out: &mut Vec<u8>) -> Result<(), Error> {
    let limit = out.len().saturating_add(MAX_JSON_BYTES);
    let mut writer = Writer { root: node, out, frames: Vec::new(), entries: Vec::new(), limit };
    writer.value(node.index())?;
    while let Some(frame) = writer.frames.pop() {
        writer.step(frame)?;
    }
    Ok(())
}

struct Writer<'s, 'o> {
    root: NodeRef<'s>,
    out: &'o mut Vec<u8>,
    frames: Vec<Frame>,
    /// Keys of the open maps that are still to be written, each map's in reverse order.
    entries: Vec<(Sym, u32)>,
    limit: usize,
}

impl Writer<'_, '_> {
    fn step(&mut self, frame: Frame) -> Result<(), Error> {
        match frame {
            Frame::List(0) => self.out.push(b']'),
            Frame::List(item) => {
                if self.out.last() != Some(&b'[') {
                    self.out.push(b',');
                }
                self.frames.push(Frame::List(self.root.arena().node(item).next));
                return self.value(item);
            }
            Frame::Map(floor) if self.entries.len() == floor => self.out.push(b'}'),
            Frame::Map(floor) => {
                let Some((name, key)) = self.entries.pop() else { return Ok(()) };
                if self.out.last() != Some(&b'{') {
                    self.out.push(b',');
                }
                let arena = self.root.arena();
                let node = arena.node(key);
                if node.is(flag::BINARY) {
                    write_binary(arena.text(self.root.stream().text(), key), self.out);
                } else {
                    write_string(arena.names.get(name), self.out);
                }
                self.out.push(b':');
                self.frames.push(Frame::Map(floor));
                return self.value(node.next);
            }
        }
        Ok(())
    }

    fn value(&mut self, id: u32) -> Result<(), Error> {
        let arena = self.root.arena();
        let node = arena.node(id);
        if self.out.len() > self.limit {
            return Err(error(node, ErrorCode::Limit, format!("more than {MAX_JSON_BYTES} bytes of JSON")));
        }
        let text = || arena.text(self.root.stream().text(), id);
        match node.kind {
            Kind::Null => self.out.extend_from_slice(b"null"),
            Kind::Bool => self.out.extend_from_slice(if node.is(flag::TRUE) { b"true" } else { b"false" }),
            Kind::Str if node.is(flag::BINARY) => write_binary(text(), self.out),
            Kind::Str => write_string(text(), self.out),
            Kind::Int | Kind::Uint | Kind::Float => return write_number(node, text(), self.out),
            Kind::List => {
                self.out.push(b'[');
                self.frames.push(Frame::List(node.a));
            }
            Kind::Map => {
                self.out.push(b'{');
                self.frames.push(Frame::Map(self.entries.len()));
                self.push_sorted(node);
            }
            Kind::Alias => return Err(error(node, ErrorCode::NotJson, "unexpanded alias".to_owned())),
        }
        Ok(())
    }

    fn push_sorted(&mut self, map: &Node) {
        let arena = self.root.arena();
        let floor = self.entries.len();
        let mut key = map.a;
        while key != 0 {
            let node = arena.node(key);
            self.entries.push((node.key, key));
            key = arena.node(node.next).next;
        }
        // Go sorts by bytes; of equal keys in a raw tree the later one comes first, in any case all of them.
        self.entries[floor..].sort_unstable_by(|a, b| arena.names.get(b.0).as_bytes().cmp(arena.names.get(a.0).as_bytes()));
    }
}

fn error(node: &Node, code: ErrorCode, message: String) -> Error {
    Error { code, message, go_line: None, span: crate::ByteSpan { start: node.start, end: node.end } }
}

fn write_number(node: &Node, text: &str, out: &mut Vec<u8>) -> Result<(), Error> {
    use std::io::Write;
    let resolved = match resolve_plain(text) {
        Resolved::Int(value) if node.is(flag::FLOAT_TAG) => Resolved::Float(value as f64),
        resolved => resolved,
    };
    match resolved {
        // Canonical decimal is its own JSON.
        Resolved::Int(_) if text.len() < 19 && is_canonical(text.as_bytes()) => out.extend_from_slice(text.as_bytes()),
        Resolved::Int(value) => _ = write!(out, "{value}"),
        Resolved::Uint(value) => _ = write!(out, "{value}"),
        Resolved::Float(value) => match strconv::format_float_json(value) {
            Some(number) => out.extend_from_slice(number.as_bytes()),
            None => return Err(error(node, ErrorCode::NotJson, format!("unsupported value: {}", strconv::format_float_g64(value)))),
        },
        _ => out.extend_from_slice(b"null"),
    }
    Ok(())
}

fn is_canonical(text: &[u8]) -> bool {
    matches!(text, [b'0'] | [b'1'..=b'9', ..]) && text.iter().all(u8::is_ascii_digit)
}

/// What must be escaped, or may be the start of something that must.
const ESCAPED: [bool; 256] = {
    let mut table = [false; 256];
    let mut c = 0;
    while c < 0x20 {
        table[c] = true;
        c += 1;
    }
    let others = [b'"', b'\\', b'<', b'>', b'&', 0xe2];
    let mut i = 0;
    while i < others.len() {
        table[others[i] as usize] = true;
        i += 1;
    }
    table
};

/// Appends a JSON string as Go's `json.Marshal` writes it.
fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    write_escaped(text.as_bytes(), out);
    out.push(b'"');
}

fn write_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut done = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if !ESCAPED[*byte as usize] {
            continue;
        }
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0x08 => b"\\b",
            0x0c => b"\\f",
            0xe2 => match bytes[at..] {
                [_, 0x80, last @ (0xa8 | 0xa9), ..] => {
                    out.extend_from_slice(&bytes[done..at]);
                    out.extend_from_slice(if last == 0xa8 { b"\\u2028" } else { b"\\u2029" });
                    done = at + 3;
                    continue;
                }
                _ => continue,
            },
            _ => &[b'\\', b'u', b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]],
        };
        out.extend_from_slice(&bytes[done..at]);
        out.extend_from_slice(escape);
        done = at + 1;
    }
    out.extend_from_slice(&bytes[done..]);
}

/// Appends what Base64 text encodes as a JSON string: what is not UTF-8 becomes `\ufffd`, byte by byte.
fn write_binary(text: &str, out: &mut Vec<u8>) {
    let bytes = plumb_go::base64::decode(text.as_bytes()).unwrap_or_default();
    out.push(b'"');
    for chunk in bytes.utf8_chunks() {
        write_escaped(chunk.valid().as_bytes(), out);
        for _ in chunk.invalid() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
    out.push(b'"');
}
