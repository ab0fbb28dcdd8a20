//! Owns the one task that writes: it opens the file, writes what waits in batches, tells who waits, and tries again when the file fails.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::json;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{Notify, oneshot};

use crate::database::{Database, Readers, set_aside};
use crate::error::classify;
use crate::insert::{self, EncodedBlobs, ReadyBuild};
use crate::queue::{Dropped, Job, Queue, Queued};
use crate::retention::{self, Retention};
use crate::seal::Sealer;
use crate::{AuditRecord, Health, HealthState, Options, StoreError};

/// Records and bytes that one transaction takes.
const BATCH_RECORDS: usize = 256;
const BATCH_BYTES: usize = 4 << 20;
/// How long the writer waits after a failure: doubling from the first to the second.
const RETRY_FIRST: Duration = Duration::from_millis(200);
const RETRY_LAST: Duration = Duration::from_secs(30);
/// How often room is made before a full file is given up for now.
const EVICTIONS: usize = 8;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
type Waiter = oneshot::Sender<Result<(), StoreError>>;

/// What the writer shares with the handles.
pub(crate) struct Shared {
    pub(crate) path: PathBuf,
    options: Options,
    wake: Notify,
    queue: Mutex<Queue>,
    status: Mutex<Status>,
}

struct Status {
    state: HealthState,
    written: u64,
    rejected: u64,
    set_aside: Option<PathBuf>,
    waiters: Vec<(u64, Waiter)>,
    suspect: bool,
    closing: bool,
    readers: Option<Arc<Readers>>,
}

impl Shared {
    pub(crate) fn new(path: PathBuf, options: Options) -> Self {
        let status = Status {
            state: HealthState::Ready,
            written: 0,
            rejected: 0,
            set_aside: None,
            waiters: Vec::new(),
            suspect: false,
            closing: false,
            readers: None,
        };
        Self { path, options, wake: Notify::new(), queue: Mutex::default(), status: Mutex::new(status) }
    }

    /// Enqueues a job, unless the store is closed.
    pub(crate) fn push(&self, job: Job) {
        if !self.status().closing {
            self.queue().push(job);
            self.wake.notify_one();
        }
    }

    /// Has a waiter told when everything enqueued before is in the file, or why it is not.
    pub(crate) fn wait(&self, waiter: Waiter) {
        let through = self.queue().last();
        let mut status = self.status();
        if status.closing {
            // Nobody waits any more when this fails.
            waiter.send(Err(StoreError::Closed)).ok();
            return;
        }
        status.waiters.push((through, waiter));
        drop(status);
        self.wake.notify_one();
    }

    /// Has the writer write what it can and end.
    pub(crate) fn close(&self) {
        self.status().closing = true;
        self.wake.notify_one();
    }

    /// Says that a reader found the file broken.
    pub(crate) fn suspect(&self) {
        self.status().suspect = true;
        self.wake.notify_one();
    }

    pub(crate) fn readers(&self) -> Option<Arc<Readers>> {
        self.status().readers.clone()
    }

    pub(crate) fn health(&self) -> Health {
        let (queued, queued_bytes, dropped) = {
            let queue = self.queue();
            (queue.len(), queue.bytes(), queue.dropped)
        };
        let status = self.status();
        Health {
            state: status.state.clone(),
            queued,
            queued_bytes,
            written: status.written,
            dropped_syncs: dropped.syncs,
            dropped_audits: dropped.audits,
            dropped_builds: dropped.builds,
            rejected: status.rejected,
            set_aside: status.set_aside.as_ref().map(|path| path.display().to_string()),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whoever waits how an attempt went, and keeps the health.
    fn report(&self, result: &Result<(), StoreError>) {
        let mut status = self.status();
        let before = status.state.clone();
        status.state = match (result, &before) {
            (Ok(()), _) => HealthState::Ready,
            (Err(error), HealthState::Unavailable { since_ms, .. }) => unavailable(error, *since_ms),
            (Err(error), _) => unavailable(error, now_ms()),
        };
        match (&before, result) {
            (HealthState::Unavailable { .. }, Ok(())) => tracing::info!("the history is written again"),
            (HealthState::Ready, Err(error)) => tracing::warn!(%error, "the history is not written; what runs goes on"),
            _ => {}
        }
        let waiters = std::mem::take(&mut status.waiters);
        drop(status);
        let mut still = Vec::new();
        for (through, waiter) in waiters {
            // A waiter that is gone needs no answer.
            match result {
                Err(error) => drop(waiter.send(Err(error.clone()))),
                Ok(()) if self.queue().is_done_through(through) => drop(waiter.send(Ok(()))),
                Ok(()) => still.push((through, waiter)),
            }
        }
        if !still.is_empty() {
            self.status().waiters.append(&mut still);
            self.wake.notify_one();
        }
    }
}

fn unavailable(error: &StoreError, since_ms: u64) -> HealthState {
    HealthState::Unavailable { code: error.code(), message: error.to_string(), since_ms }
}

/// Runs the writer until the store is closed.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut writer = Writer { shared: shared.clone(), database: None, told: Told::default() };
    let mut pause = RETRY_FIRST;
    loop {
        let result = writer.attempt().await;
        if let Err(error) = &result {
            writer.let_go(error).await;
        }
        shared.report(&result);
        if shared.status().closing {
            break;
        }
        if result.is_ok() {
            pause = RETRY_FIRST;
            shared.wake.notified().await;
        } else {
            wait_to_retry(&shared, pause).await;
            pause = (pause * 2).min(RETRY_LAST);
        }
    }
    writer.close().await;
    let waiters = {
        let mut status = shared.status();
        status.state = HealthState::Closed;
        std::mem::take(&mut status.waiters)
    };
    for (_, waiter) in waiters {
        // A waiter that is gone needs no answer.
        waiter.send(Err(StoreError::Closed)).ok();
    }
}

/// Waits out a pause; somebody who waits for an answer, or the end, cuts it short.
async fn wait_to_retry(shared: &Shared, pause: Duration) {
    let end = tokio::time::Instant::now() + pause;
    loop {
        {
            let status = shared.status();
            if status.closing || !status.waiters.is_empty() {
                return;
            }
        }
        tokio::select! {
            () = shared.wake.notified() => {}
            () = tokio::time::sleep_until(end) => return,
        }
    }
}

/// Which losses the audit log has been told of.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Told {
    dropped: Dropped,
    rejected: u64,
}

struct Writer {
    shared: Arc<Shared>,
    database: Option<Database>,
    told: Told,
}

impl Writer {
    /// Writes everything that waits. Boxed, because the compiler cannot see through the nested futures that they are `Send`.
    fn attempt(&mut self) -> Boxed<'_, Result<(), StoreError>> {
        Box::pin(self.write_all())
    }

    async fn write_all(&mut self) -> Result<(), StoreError> {
        self.ensure_open().await?;
        loop {
            let batch = self.shared.queue().take(BATCH_RECORDS, BATCH_BYTES);
            if batch.is_empty() {
                break;
            }
            match self.write(&batch).await {
                Ok(written) => {
                    self.shared.queue().finish();
                    self.shared.status().written += written;
                }
                Err(error) => {
                    self.shared.queue().put_back(batch);
                    return Err(error);
                }
            }
            self.ensure_open().await?;
        }
        self.tell_losses().await
    }

    /// Opens the file, anew when its path holds another one or none; puts a broken one of ours aside, once.
    async fn ensure_open(&mut self) -> Result<(), StoreError> {
        let path = self.shared.path.clone();
        if self.database.as_ref().is_some_and(|open| !open.is_at(&path)) {
            tracing::warn!(path = %path.display(), "the history was deleted or replaced; a new one is begun");
            self.close().await;
        }
        if std::mem::take(&mut self.shared.status().suspect)
            && let Some(open) = &mut self.database
            && let Err(error) = check(&mut open.writer, &self.shared).await
        {
            self.close().await;
            self.put_aside(&error)?;
        }
        if self.database.is_none() {
            let opened = match Database::open(path.clone(), self.shared.options.clone()).await {
                Err(error @ StoreError::Corrupt { .. }) => {
                    self.put_aside(&error)?;
                    Database::open(path.clone(), self.shared.options.clone()).await?
                }
                other => other?,
            };
            self.shared.status().readers = Some(opened.readers.clone());
            self.database = Some(opened);
        }
        Ok(())
    }

    /// After a failure: a broken file is put aside, and the next attempt opens anew.
    async fn let_go(&mut self, error: &StoreError) {
        let locked_or_full = matches!(error, StoreError::Locked { .. } | StoreError::Full { .. });
        if !locked_or_full || self.database.is_none() {
            self.close().await;
        }
        if matches!(error, StoreError::Corrupt { .. })
            && let Err(error) = self.put_aside(error)
        {
            tracing::warn!(%error, "a damaged history could not be put aside");
        }
    }

    fn put_aside(&self, error: &StoreError) -> Result<(), StoreError> {
        let aside = set_aside(&self.shared.path, now_ms())?;
        tracing::warn!(%error, aside = %aside.display(), "the history is damaged; it is put aside and a new one begun");
        self.shared.status().set_aside = Some(aside);
        Ok(())
    }

    async fn close(&mut self) {
        self.shared.status().readers = None;
        if let Some(open) = self.database.take() {
            open.close().await;
        }
    }

    /// Writes a batch in one transaction. What the database refuses is found one by one and left out. Returns how many were written.
    async fn write(&mut self, batch: &[Queued]) -> Result<u64, StoreError> {
        match self.write_making_room(batch).await {
            Ok(()) => return Ok(batch.len() as u64),
            Err(error) if error.is_environment() => return Err(error),
            Err(_) => {}
        }
        let mut written = 0;
        for queued in batch {
            match self.write_making_room(std::slice::from_ref(queued)).await {
                Ok(()) => written += 1,
                Err(error) if error.is_environment() => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, "a record of the history was refused and is left out");
                    self.shared.status().rejected += 1;
                }
            }
        }
        Ok(written)
    }

    /// Writes a batch; when the file has reached its limit, the oldest syncs make room.
    async fn write_making_room(&mut self, batch: &[Queued]) -> Result<(), StoreError> {
        let shared = self.shared.clone();
        let failed = |error: sqlx::Error| classify(&shared.path, &error);
        let Some(open) = &mut self.database else { return Err(StoreError::Closed) };
        let keep = Retention { syncs: i64::from(shared.options.keep_syncs.max(1)), builds: i64::from(shared.options.keep_builds) };
        let sealer = open.readers.sealer.clone();
        for _ in 0..EVICTIONS {
            match write_batch(&mut open.writer, batch, &sealer, keep).await.map_err(failed) {
                Err(StoreError::Full { .. }) if at_its_limit(&mut open.writer, &shared.options).await.map_err(failed)? => {
                    begin(&mut open.writer).await.map_err(failed)?;
                    let gone = retention::evict(&mut open.writer).await;
                    let gone = end(&mut open.writer, gone).await.map_err(failed)?;
                    tracing::info!(syncs = gone, "the history has reached its size; the oldest syncs made room");
                    if gone == 0 {
                        break;
                    }
                }
                other => return other,
            }
        }
        Err(StoreError::Full { path: shared.path.display().to_string() })
    }

    /// Once the file is written again, the audit log says what is missing in it.
    async fn tell_losses(&mut self) -> Result<(), StoreError> {
        let now = Told { dropped: self.shared.queue().dropped, rejected: self.shared.status().rejected };
        if now == self.told {
            return Ok(());
        }
        let Some(open) = &mut self.database else { return Ok(()) };
        let gap = AuditRecord {
            at_ms: now_ms(),
            unit: None,
            actor: "plumb".to_owned(),
            action: "history-gap".to_owned(),
            request: None,
            why: None,
            detail: json!({
                "droppedSyncs": now.dropped.syncs - self.told.dropped.syncs,
                "droppedAudits": now.dropped.audits - self.told.dropped.audits,
                "droppedBuilds": now.dropped.builds - self.told.dropped.builds,
                "rejected": now.rejected - self.told.rejected,
            }),
        };
        insert::audit(&mut open.writer, &gap).await.map_err(|error| classify(&self.shared.path, &error))?;
        self.told = now;
        Ok(())
    }
}

async fn write_batch(conn: &mut SqliteConnection, batch: &[Queued], sealer: &Sealer, keep: Retention) -> sqlx::Result<()> {
    let (builds, blobs) = make_ready(conn, batch, sealer).await?;
    begin(conn).await?;
    let written = insert_batch(conn, batch, &builds, &blobs, sealer, keep).await;
    end(conn, written).await
}

async fn insert_batch(
    conn: &mut SqliteConnection,
    batch: &[Queued],
    builds: &[ReadyBuild],
    blobs: &EncodedBlobs,
    sealer: &Sealer,
    keep: Retention,
) -> sqlx::Result<()> {
    for (queued, build) in batch.iter().zip(builds) {
        match queued.job() {
            Job::Sync(record) => insert::sync(conn, record, build, blobs, sealer, keep).await?,
            Job::Audit(record) => insert::audit(conn, record).await?,
        }
    }
    Ok(())
}

/// Begins a transaction. Not sqlx's own: SQLite ends a transaction by itself when the disk is full, and sqlx 0.9 goes on counting it.
///
/// A connection that cannot begin for another reason than a lock is broken: it is no record's fault.
async fn begin(conn: &mut SqliteConnection) -> sqlx::Result<()> {
    match sqlx::raw_sql("BEGIN IMMEDIATE").execute(conn).await {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("1") => {
            Err(sqlx::Error::Protocol(format!("a transaction could not begin: {error}")))
        }
        Err(error) => Err(error),
    }
}

/// Commits what went well and rolls back what did not.
async fn end<T>(conn: &mut SqliteConnection, result: sqlx::Result<T>) -> sqlx::Result<T> {
    let result = match result {
        Ok(value) => sqlx::raw_sql("COMMIT").execute(&mut *conn).await.map(|_| value),
        Err(error) => Err(error),
    };
    if result.is_err() {
        // Fails when SQLite has ended the transaction already: that is what is wanted.
        sqlx::raw_sql("ROLLBACK").execute(conn).await.ok();
    }
    result
}

/// Names content, and encodes what is large, before the transaction, so that the lock is held for writing only.
async fn make_ready(conn: &mut SqliteConnection, batch: &[Queued], sealer: &Sealer) -> sqlx::Result<(Vec<ReadyBuild>, EncodedBlobs)> {
    let mut builds = Vec::with_capacity(batch.len());
    let mut missing = Vec::new();
    for queued in batch {
        let build = match queued.job() {
            Job::Sync(record) => ReadyBuild::of(&record.build, sealer),
            Job::Audit(_) => ReadyBuild::NotKept(String::new()),
        };
        if let ReadyBuild::Files(build) = &build {
            missing.append(&mut insert::missing_large_files(conn, build).await?);
        }
        builds.push(build);
    }
    Ok((builds, insert::encode(missing, sealer).await))
}

async fn at_its_limit(conn: &mut SqliteConnection, options: &Options) -> sqlx::Result<bool> {
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *conn).await?;
    let bytes: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut *conn).await?;
    let limit = i64::try_from(options.max_bytes).unwrap_or(i64::MAX);
    Ok(pages * bytes >= limit - limit / 8)
}

async fn check(conn: &mut SqliteConnection, shared: &Shared) -> Result<(), StoreError> {
    let path = || shared.path.display().to_string();
    let failed = |error: sqlx::Error| StoreError::Corrupt { path: path(), why: error.to_string() };
    let said: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(conn).await.map_err(failed)?;
    if said == "ok" { Ok(()) } else { Err(StoreError::Corrupt { path: path(), why: said }) }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
