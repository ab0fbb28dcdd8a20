//! Owns what Plumb remembers: every sync with what it was built from, and the audit log, in one SQLite file.
//! Must not decide anything: nothing that runs depends on what is in here, and deleting the file changes nothing that runs.
//!
//! A caller hands over a [`SyncRecord`] and goes on at once; one writer task puts records into the file in batches. When the file is
//! missing it is made, when it is deleted under a running process it is made anew, when it is locked, full, read-only or broken the
//! writer keeps what it can in bounded memory, says so in [`Store::health`], and tries again.
//!
//! ```
//! # async fn example(unit: plumb_unit::NodeKey) -> Result<(), plumb_store::StoreError> {
//! use plumb_store::{BuildRecord, Options, PlanSummary, Store, SyncId, SyncOutcome, SyncRecord, Trigger};
//!
//! let store = Store::open("/var/lib/plumb/history.db", Options::standard()).await;
//! store.record_sync(SyncRecord {
//!     id: SyncId::new(1_700_000_000_000),
//!     unit: unit.clone(),
//!     revisions: Default::default(),
//!     commit: None,
//!     trigger: Trigger::Commit,
//!     plan: PlanSummary::default(),
//!     objects: Vec::new(),
//!     drift: Vec::new(),
//!     phases: Vec::new(),
//!     outcome: SyncOutcome::Succeeded,
//!     error: None,
//!     started_ms: 1_700_000_000_000,
//!     ended_ms: 1_700_000_000_250,
//!     build: BuildRecord::NotKept { reason: "an example".into() },
//! });
//! store.flush().await?;
//! for sync in store.history(&unit, 10).await? {
//!     assert_eq!(sync.outcome, SyncOutcome::Succeeded);
//! }
//! # Ok(())
//! # }
//! ```

#![warn(missing_docs)]
#![expect(clippy::disallowed_methods, reason = "an edge: it owns a file, and its health has a clock")]

mod audit;
mod content;
mod database;
mod error;
mod id;
mod insert;
mod queue;
mod read;
mod record;
mod retention;
mod seal;
mod store;
mod writer;

pub use audit::{AuditEntry, AuditRecord};
pub use content::{BuildInput, BuildRecord, InputFile, MAX_BUILD_BYTES, RecordedBuild, RecordedFile, Which};
pub use error::StoreError;
pub use id::{BadSyncId, SyncId};
pub use queue::{MAX_QUEUED_BYTES, MAX_QUEUED_RECORDS};
pub use record::{
    DriftEntry, HoldEntry, ObjectEntry, ObjectOutcome, PhaseEntry, PlanSummary, REDACTED, SyncDetail, SyncOutcome, SyncRecord, SyncSummary,
    Trigger,
};
pub use seal::{Key, KeyError};
pub use store::{DEFAULT_MAX_BYTES, Health, HealthState, MAX_ROWS, Options, Store};
