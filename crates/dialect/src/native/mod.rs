//! Owns Plumb's own dialect: `Unit` resources in YAML files of a root repository, and the stamps its objects carry.
//!
//! - [`RootSpec`]: where the units are declared (`URL//PATH@REF`) and which namespaces they may name;
//! - [`lower_root`]: all units of a root at one revision, or what is wrong with them, with places;
//! - [`Stamps`]: the labels, annotations and field manager of a unit's objects.

mod chart;
mod duration;
mod fields;
mod git;
mod lower;
mod policy;
mod root;
mod stamps;
mod steps;
mod suggest;
mod unit;

pub use git::{RepositoryError, parse_repository};
pub use lower::{Lowered, MAX_UNITS, lower_root};
pub use root::{Namespaces, RootError, RootSpec};
pub use stamps::{INSTALLATION_LABEL, MANIFEST_ANNOTATION, OWNER_ANNOTATION, Stamps, UNIT_LABEL};
