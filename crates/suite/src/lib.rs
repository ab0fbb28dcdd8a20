//! Owns what tests of the pure crates share: a [`MemoryWorld`] made of texts, cases in folders or archives, the conformance corpus, and snapshots of their results.
//! Must not be a normal dependency of anything: it is for tests, and it panics where a test should fail.
//!
//! ```
//! use plumb_suite::MemoryWorld;
//! use plumb_world::{RelPath, World};
//!
//! let (world, tree) = MemoryWorld::of(&[("deploy/web.yaml", "kind: Deployment\n")]);
//! let found = world.list(tree, &RelPath::parse("deploy").unwrap()).unwrap().unwrap();
//! assert_eq!(found[0].name, "web.yaml");
//! ```

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "test support reads its cases from disk and talks to who runs the test"
)]

mod case;
mod corpus;
mod notes;
mod recorded;
mod snapshot;
mod world;

pub use case::{Case, load};
pub use corpus::corpus;
pub use notes::{Finding, Note, check_notes, notes};
pub use recorded::{Answer, Content, Recorded, answered, chart_files, kustomize_files, line_answer, recorded};
pub use snapshot::{UPDATE, difference, updating};
pub use world::{MemoryWorld, Read};
