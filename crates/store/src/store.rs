//! Owns the store as its users see it: records go in without waiting, questions are answered from the file, health says how it does.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use plumb_unit::NodeKey;
use serde::Serialize;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::database::{Identity, Readers};
use crate::error::classify;
use crate::queue::Job;
use crate::read::{self, Miss};
use crate::writer::{self, Shared};
use crate::{AuditEntry, AuditRecord, Key, RecordedBuild, StoreError, SyncDetail, SyncId, SyncRecord, SyncSummary, Which};

/// How large the file may grow before the oldest syncs make room.
pub const DEFAULT_MAX_BYTES: u64 = 1 << 30;
/// How many rows one question returns at most.
pub const MAX_ROWS: usize = 1000;

const KEEP_SYNCS: u32 = 50;
const KEEP_BUILDS: u32 = 10;
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How a store is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// What secret files are encrypted with; without it they are not kept.
    pub key: Option<Key>,
    /// How many syncs of each unit are kept.
    pub keep_syncs: u32,
    /// How many different builds of each unit are kept so that they can be built again.
    pub keep_builds: u32,
    /// How large the file may grow, in bytes, before the oldest syncs make room.
    pub max_bytes: u64,
    /// How long to wait for another process's lock.
    pub busy_timeout: Duration,
}

impl Options {
    /// Returns what a store is kept like when nobody says otherwise: 50 syncs and 10 builds a unit, 1 GiB, no key.
    pub fn standard() -> Self {
        Self { key: None, keep_syncs: KEEP_SYNCS, keep_builds: KEEP_BUILDS, max_bytes: DEFAULT_MAX_BYTES, busy_timeout: BUSY_TIMEOUT }
    }
}

/// Whether records reach the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum HealthState {
    /// They do.
    Ready,
    /// They wait in memory; the store tries again by itself.
    Unavailable {
        /// The error's stable name (`locked`, `full`, `corrupt`, …).
        code: &'static str,
        /// What is wrong and what to do.
        message: String,
        /// Since when, milliseconds since 1970.
        since_ms: u64,
    },
    /// The store has been closed.
    Closed,
}

/// How the store does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Whether records reach the file.
    #[serde(flatten)]
    pub state: HealthState,
    /// Records waiting in memory.
    pub queued: usize,
    /// About how many bytes they are.
    pub queued_bytes: usize,
    /// Records written since the process started.
    pub written: u64,
    /// Syncs lost because too much was waiting.
    pub dropped_syncs: u64,
    /// Audit lines lost because too much was waiting.
    pub dropped_audits: u64,
    /// Syncs recorded without what they were built from, because too much was waiting.
    pub dropped_builds: u64,
    /// Records that the database refused.
    pub rejected: u64,
    /// Where the last damaged file was put.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<String>,
}

/// The history and the audit log. Cheap to clone; all clones are one store. The last one dropped ends its writer.
#[derive(Clone)]
pub struct Store {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    task: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Store {
    /// Opens or makes the file and starts its writer. Never fails: when the file cannot be opened, [`Store::health`] says why, records
    /// wait in bounded memory, and the store tries again by itself.
    ///
    /// *Assumes* that it is called within a tokio runtime.
    pub async fn open(path: impl Into<PathBuf>, options: Options) -> Self {
        let shared = Arc::new(Shared::new(path.into(), options));
        let task = tokio::spawn(writer::run(shared.clone()));
        let store = Self { handle: Arc::new(Handle { shared, task: std::sync::Mutex::new(Some(task)) }) };
        // What is wrong is in the health; a caller that must have a file asks with `flush`.
        store.flush().await.ok();
        store
    }

    /// Hands over a sync. Returns at once, whatever the file does.
    pub fn record_sync(&self, record: SyncRecord) {
        self.handle.shared.push(Job::Sync(Box::new(record)));
    }

    /// Hands over a line of the audit log. Returns at once, whatever the file does.
    pub fn audit(&self, record: AuditRecord) {
        self.handle.shared.push(Job::Audit(Box::new(record)));
    }

    /// Waits until everything handed over before is in the file, or returns why it is not. It stays queued then.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let (done, waiting) = oneshot::channel();
        self.handle.shared.wait(done);
        waiting.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Writes what it can, folds the log into the file and ends the writer. Records handed over later are lost.
    pub async fn close(&self) -> Result<(), StoreError> {
        let result = self.flush().await;
        self.handle.shared.close();
        let task = self.handle.task.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(task) = task {
            // The task ends by itself; it is only waited for.
            task.await.ok();
        }
        result
    }

    /// Returns how the store does.
    pub fn health(&self) -> Health {
        self.handle.shared.health()
    }

    /// Returns a unit's newest syncs, newest first, at most [`MAX_ROWS`].
    pub async fn history(&self, unit: &NodeKey, limit: usize) -> Result<Vec<SyncSummary>, StoreError> {
        let readers = self.readers().await?;
        self.answer(read::history(&readers, unit, rows(limit)).await, unit, String::new)
    }

    /// Returns the newest syncs of all units, newest first, at most [`MAX_ROWS`].
    pub async fn recent(&self, limit: usize) -> Result<Vec<SyncSummary>, StoreError> {
        let readers = self.readers().await?;
        self.answer(read::recent(&readers, rows(limit)).await, &"all units", String::new)
    }

    /// Returns everything known of one sync.
    pub async fn sync(&self, id: SyncId) -> Result<SyncDetail, StoreError> {
        let readers = self.readers().await?;
        self.answer(read::detail(&readers, id).await, &"any unit", || id.to_string())
    }

    /// Returns what a sync was built from, so that it can be built again with its sources away.
    pub async fn recorded_request(&self, unit: &NodeKey, which: &Which) -> Result<RecordedBuild, StoreError> {
        let readers = self.readers().await?;
        let asked = || match which {
            Which::Sync(id) => id.to_string(),
            Which::Commit(commit) => commit.clone(),
            Which::Previous => "the state before".to_owned(),
            Which::Newest => "the newest state".to_owned(),
        };
        self.answer(read::recorded(&readers, unit, which).await, unit, asked)
    }

    /// Returns the newest lines of the audit log, of one unit or of all, newest first, at most [`MAX_ROWS`].
    pub async fn audit_log(&self, unit: Option<&NodeKey>, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
        let readers = self.readers().await?;
        self.answer(read::audit(&readers, unit, rows(limit)).await, &"any unit", String::new)
    }

    /// Returns the reading side; a file that has been deleted or replaced is opened anew first.
    async fn readers(&self) -> Result<Arc<Readers>, StoreError> {
        let shared = &self.handle.shared;
        if let Some(readers) = shared.readers().filter(|readers| Identity::at(&shared.path) == Some(readers.identity)) {
            return Ok(readers);
        }
        let tried = self.flush().await;
        match shared.readers() {
            Some(readers) => Ok(readers),
            None => Err(tried.err().unwrap_or(StoreError::Closed)),
        }
    }

    fn answer<T>(&self, found: Result<T, Miss>, unit: &dyn std::fmt::Display, asked: impl Fn() -> String) -> Result<T, StoreError> {
        found.map_err(|miss| match miss {
            Miss::NoSync(id) => StoreError::NoSuchSync(id.to_string()),
            Miss::NoBuild => StoreError::NoSuchBuild { unit: unit.to_string(), asked: asked() },
            Miss::Ambiguous => StoreError::Ambiguous { unit: unit.to_string(), asked: asked() },
            Miss::NotRebuildable(id, reason) => StoreError::NotRebuildable { sync: id.to_string(), reason },
            Miss::Database(error) => {
                let error = classify(&self.handle.shared.path, &error);
                if matches!(error, StoreError::Corrupt { .. } | StoreError::NotOurs { .. }) {
                    self.handle.shared.suspect();
                }
                error
            }
        })
    }
}

fn rows(limit: usize) -> i64 {
    limit.min(MAX_ROWS) as i64
}
