//! Owns what all crates below pass around: object identity, field paths, manifests and the part that each plays.

mod dns;
mod identity;
mod manifest;
mod path;
mod role;

pub use dns::{MAX_LABEL, MAX_SUBDOMAIN, is_dns_label, is_dns_subdomain};
pub use identity::{Gvk, ObjectKey};
pub use manifest::{Digest, Manifest, Scope};
pub use path::{FieldPath, Segment};
pub use role::{Hook, HookDelete, Moment, Role};
