//! Owns YAML: documents with positions, read as Go's libraries read them, JSON made of them, and values written as both of Go's encoders write them.
//! Must not know Kubernetes, and must not do input or output.
//!
//! A text is read to a [`Stream`] of documents in one arena. A [`Document`] gives its tree as `sigs.k8s.io/yaml` means it
//! ([`Document::root`]) and as it is written ([`Document::raw`]); a [`NodeRef`] is a cheap reference into it, with the byte
//! range of the text it was made of. What is wrong is an [`Error`] with Go's own message, beside the documents that can be read.
//! An [`Emitter`] writes a document in a [`Dialect`] while its caller walks whatever it has; [`Emitter::written`] tells where each part went.
//!
//! ```
//! use plumb_yaml::{Options, parse, to_json};
//!
//! let stream = parse(b"a: yes\n---\nb: [\n---\nc: 0755\n", &Options::default());
//! let mut json = Vec::new();
//! for document in stream.documents() {
//!     match document {
//!         Ok(document) => to_json(document.root(), &mut json).unwrap(),
//!         Err(errors) => json.extend(errors[0].to_string().bytes()),
//!     }
//!     json.push(b'\n');
//! }
//! let expect = "{\"a\":true}\nyaml: line 3: did not find expected node content\n{\"c\":493}\n";
//! assert_eq!(String::from_utf8(json).unwrap(), expect);
//! ```

#![warn(missing_docs)]

mod arena;
mod builder;
mod error;
mod expand;
mod fetch;
mod json;
mod limits;
mod line_reader;
mod lines;
mod names;
mod parser;
mod read;
mod reader;
mod resolve;
mod scan_name;
mod scan_scalar;
mod scanner;
mod stream;
mod timestamp;
mod token;
mod write;
mod write_order;
mod write_scalar;
mod write_style;
mod write_tree;

pub use arena::Kind;
pub use error::{ByteSpan, Error, ErrorCode};
pub use json::to_json;
pub use limits::{
    ALIAS_RATIO_HIGH_NODES, ALIAS_RATIO_LOW_NODES, MAX_BYTES, MAX_DEPTH, MAX_DUPLICATE_ERRORS, MAX_ENCODING_ERRORS, MAX_JSON_BYTES,
    MAX_NODES, MAX_SIMPLE_KEY_CHARS, Options,
};
pub use names::Sym;
pub use resolve::is_float;
pub use stream::{Document, Duplicate, Entries, Entry, Items, Memory, NodeId, NodeRef, Scalar, Stream, parse, parse_str};
pub use token::Style;
pub use write::{Dialect, Emitter, base64_lines};
pub use write_order::{compare_keys, sort_keys};
pub use write_tree::{float_text, float_text_by_json, quoted, str_by_json, text_by_json, to_yaml, write_node};
