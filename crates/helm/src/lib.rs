//! Owns Helm charts: reading them, their values and dependencies, rendering their templates, and sorting what comes out into manifests and hooks, as
//! Helm 4 does. Must not do input or output: a chart is given as its files.
//!
//! A [`Chart`] is read once ([`Chart::load`]) and rendered as often as wanted ([`render`]); [`Rendered::text`] is what `helm template` prints.

#![warn(missing_docs)]
#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that cannot go on fails"))]

mod archive;
mod capabilities;
mod chart;
mod dependencies;
#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests read recorded cases from disk")]
mod engine_cases;
mod explain;
mod failed;
mod files;
mod glob;
mod ignore;
pub mod lint;
mod manifest;
mod metadata;
mod name;
#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests read recorded cases from disk and count them"
)]
mod own;
mod prepared;
mod ready;
mod render;
mod schema;
mod show;
mod sources;
mod strvals;
mod values;

pub use archive::{ArchiveError, MAX_ENTRIES, MAX_FILE_BYTES, MAX_PATH_BYTES, unpack};
pub use capabilities::Capabilities;
pub use chart::{Chart, ChartError, File};
pub use dependencies::Disabled;
pub use explain::{Condition, Explained, Field, Missing, NoText, Object, Piece, Reason, Setting, Step, Unread, diagnose, explain, nearest};
pub use ignore::Ignore;
pub use manifest::{Hook, Manifest, documents};
pub use metadata::{Dependency, Import, Maintainer, Metadata};
pub use name::{UNNAMED, name_of_template};
pub use prepared::Prepared;
pub use ready::Both;
pub use render::{Error, MAX_RELEASE_NAME, Options, Output, Rendered, Told, ValuesFile, render};
pub use schema::{Refused, Violation};
pub use show::{Show, show};
pub use sources::{Layer, Named, Source};
pub use strvals::{Form, ReadFile};
