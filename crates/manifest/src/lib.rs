//! Owns what all crates below pass around: object identity, field paths, manifests.

mod identity;
mod manifest;
mod path;

pub use identity::{Gvk, ObjectKey};
pub use manifest::{Digest, Manifest, Scope};
pub use path::{FieldPath, Segment};
