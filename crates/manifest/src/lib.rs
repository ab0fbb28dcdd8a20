//! Owns what all crates below pass around: object identity, field paths, manifests.

mod dns;
mod identity;
mod manifest;
mod path;

pub use dns::{MAX_LABEL, MAX_SUBDOMAIN, is_dns_label, is_dns_subdomain};
pub use identity::{Gvk, ObjectKey};
pub use manifest::{Digest, Manifest, Scope};
pub use path::{FieldPath, Segment};
