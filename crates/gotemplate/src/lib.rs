//! Owns Go's `text/template` and the functions that Helm gives templates, over values and texts that know where they are from.
//! Must not know charts, Kubernetes or files, and must not do input or output: what a render asks of the outside goes through [`Host`].
//!
//! Templates are parsed into a [`Heap`], the memory of a render. A render clones that heap, adds its data, and executes a template of a
//! [`Scope`] by name; what it writes is a [`Traced`] text. Maps are shared and change in place, as Sprig's `set` needs; texts and lists never change.

#![warn(missing_docs)]
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on fails"))]

mod codec;
mod exec;
mod func;
mod functions;
mod heap;
mod limits;
mod methods;
mod object;
mod origin;
mod parse;
mod pile;
mod print;
mod set;
mod shared;
mod sprig;
mod text;
mod tree;
mod value;

pub use codec::{to_yaml, value_of_yaml};
pub use exec::{ErrorSite, Exec, MissingKey, Options, RenderError};
pub use func::{Call, CallKey, CertificateRequest, Failure, FailureKind, Function, Host, Trace, Ty};
pub use functions::Functions;
pub use heap::{Builder, Entry, GoMap, Heap, Here, Sym};
pub use limits::Limits;
pub use object::{MAP, MapType, NO_MAP, NO_STRINGS, Object, STRINGS, Struct, StructType, Zero};
pub use origin::{Branch, Ctl, CtlId, Depends, Hole, O, Origin, Origins, Why};
pub use parse::{Apart, Numbered, canonical, file as parse, trees};
pub use print::default as print;
pub use set::Scope;
pub use text::{Seg, Str, Traced, without_no_value};
pub use tree::Tree;
pub use value::{IntKind, Items, ListType, MapId, ObjId, Value};
