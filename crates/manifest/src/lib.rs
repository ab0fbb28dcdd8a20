//! Owns what all crates below pass around: object identity, field paths and how people write both, manifests and the part that each plays.

mod dns;
mod find;
mod identity;
mod manifest;
mod near;
mod path;
mod role;

pub use dns::{MAX_LABEL, MAX_SUBDOMAIN, is_dns_label, is_dns_subdomain};
pub use find::{Called, Near, Pathed, find_fields, find_objects};
pub use identity::{Gvk, ObjectKey};
pub use manifest::{Digest, Manifest, Scope};
pub use near::nearest;
pub use path::{FieldPath, Segment};
pub use role::{Hook, HookDelete, Moment, Role};
