//! Owns how one speaks of the outside: trees and their files, places in them, queries, diagnostics and secrets.
//! Must not do input or output: what a build sees comes through [`World`], whose implementations live at the edges.

mod answered;
mod diagnostic;
mod path;
mod query;
mod secret;
mod tree;

pub use answered::{AnsweredWorld, Known};
pub use diagnostic::{Diagnostic, Label, Severity, Warned};
pub use path::{PathError, RelPath};
pub use query::{Answer, CallSite, CertificateNeed, Lookup, Need, Remote, RemoteTree};
pub use secret::Secret;
pub use tree::{Blob, BlobId, Entry, EntryKind, FileId, FileTable, Position, SourceFile, Span, TreeId, World, WorldError};
