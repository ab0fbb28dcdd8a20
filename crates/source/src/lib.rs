//! Owns sources: fetching revisions of Git repositories over http(s), ssh and from this machine, and charts from
//! repositories and registries; and reading their trees straight from the object database. Must not decide when to fetch,
//! check anything out, or start a program.
//!
//! A [`Cache`] holds one bare repository per URL, in which a version of a chart is a commit too. [`Cache::fetch`] asks the server for a ref with the caller's own
//! credentials and returns a [`Snapshot`]. A build reads snapshots through a [`SnapshotWorld`], which records every
//! question in a [`ReadSet`]; with those in a [`ReadIndex`], a [`TreeDiff`] tells which builds a commit can touch.
//!
//! ```
//! # fn main() -> Result<(), plumb_source::FetchError> {
//! use plumb_source::{Cache, CacheOptions, FetchOptions};
//! use plumb_unit::{GitRef, GitSource};
//! use plumb_world::RelPath;
//!
//! # let folder = std::env::temp_dir().join(format!("plumb-source-example-{}", std::process::id()));
//! let cache = Cache::open(&folder, CacheOptions { loopback: true, ..CacheOptions::default() })?;
//! let source = GitSource {
//!     url: "https://127.0.0.1:1/team/shop.git".to_owned(),
//!     reference: GitRef::Branch("main".to_owned()),
//!     secret: None,
//!     path: RelPath::root(),
//! };
//! match cache.fetch(&source, None, &FetchOptions::default()) {
//!     Ok(fetched) => println!("{}", fetched.snapshot.revision()),
//!     Err(error) => assert!(plumb_source::classify(&error).is_transient()),
//! }
//! # std::fs::remove_dir_all(&folder).ok();
//! # Ok(())
//! # }
//! ```

#![expect(clippy::disallowed_methods, reason = "the edge that reads repositories: files, a deadline's clock, a watchdog thread")]

mod cache;
mod charts;
mod client;
mod diff;
mod egress;
mod error;
mod flight;
mod folder;
mod history;
mod known_hosts;
pub mod limits;
mod link;
mod local;
mod objects;
mod pack;
mod reads;
mod repo;
mod resolve;
mod snapshot;
mod ssh;
mod tls;
mod tree;
mod url;
mod walk;
mod web;
mod wire;
mod world;

pub use cache::{Cache, CacheCounts, CacheOptions, FetchOptions, Fetched, SourceKey};
pub use charts::{ChartArchive, ChartClient, FoundChart};
pub use diff::TreeDiff;
pub use egress::is_of_this_machine;
pub use error::{FetchClass, FetchError, classify};
pub use flight::Tick;
pub use folder::Folder;
pub use limits::Limits;
pub use reads::{ReadIndex, ReadSet};
pub use snapshot::Snapshot;
pub use url::{GitUrl, Scheme, UrlError};
pub use world::{FolderWorld, SnapshotWorld};
