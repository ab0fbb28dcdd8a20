//! Owns putting one record into the tables. Every statement is also PostgreSQL's.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_unit::{NodeKey, NodeKind};
use serde::Serialize;
use sqlx::sqlite::SqliteConnection;

use crate::content::{NamedBuild, NamedFile, name_build};
use crate::retention::{self, Retention};
use crate::seal::{Encoded, Name, Sealer};
use crate::{AuditRecord, BuildRecord, SyncOutcome, SyncRecord};

/// What a sync without files says of itself when the same build is not in the file.
const UNKNOWN_BUILD: &str = "the history does not hold what it was built from";

/// Blobs made ready before the transaction began.
pub(crate) type EncodedBlobs = BTreeMap<Name, Encoded>;

/// A sync's build with its names, made ready before the transaction began.
pub(crate) enum ReadyBuild {
    Files(NamedBuild),
    Same([u8; 16]),
    NotKept(String),
}

impl ReadyBuild {
    /// Names what a record was built from. Costs time in proportion to its bytes.
    pub(crate) fn of(build: &BuildRecord, sealer: &Sealer) -> Self {
        match build {
            BuildRecord::Files(input) => name_build(input, sealer).map_or_else(Self::NotKept, Self::Files),
            BuildRecord::Same { key } => Self::Same(key.0),
            BuildRecord::NotKept { reason } => Self::NotKept(reason.clone()),
        }
    }
}

/// Content from this size on is encoded before the transaction begins.
const LARGE_BYTES: usize = 16 << 10;

/// Returns the large files of a build that the file does not hold yet.
pub(crate) async fn missing_large_files(conn: &mut SqliteConnection, build: &NamedBuild) -> sqlx::Result<Vec<NamedFile>> {
    let mut missing = Vec::new();
    for file in build.files.iter().filter(|file| file.content.len() >= LARGE_BYTES) {
        if blob_id(conn, &file.name).await?.is_none() {
            missing.push(file.clone());
        }
    }
    Ok(missing)
}

/// Adds a sync and lets go of what is no longer kept.
pub(crate) async fn sync(
    conn: &mut SqliteConnection,
    record: &SyncRecord,
    build: &ReadyBuild,
    blobs: &EncodedBlobs,
    sealer: &Sealer,
    retention: Retention,
) -> sqlx::Result<()> {
    let unit = unit_id(conn, &record.unit).await?;
    let succeeded = record.outcome == SyncOutcome::Succeeded;
    let known = match build {
        ReadyBuild::Files(build) => known_build(conn, unit, &build.digest).await?,
        ReadyBuild::Same(key) => same_build(conn, unit, key).await?,
        ReadyBuild::NotKept(_) => None,
    };
    let (build_id, reason) = match (known, build) {
        (Some(id), _) => {
            touch_build(conn, id, record.id.as_row(), succeeded).await?;
            (Some(id), None)
        }
        (None, ReadyBuild::Files(build)) => {
            let id = insert_build(conn, unit, build, record.id.as_row(), succeeded).await?;
            insert_files(conn, id, build, blobs, sealer).await?;
            (Some(id), None)
        }
        (None, ReadyBuild::Same(_)) => (None, Some(UNKNOWN_BUILD)),
        (None, ReadyBuild::NotKept(why)) => (None, Some(why.as_str())),
    };
    insert_row(conn, record, unit, build_id, reason).await?;
    retention::after_sync(conn, unit, record.is_quiet().then_some(record.id), retention).await
}

/// Appends to the audit log.
pub(crate) async fn audit(conn: &mut SqliteConnection, record: &AuditRecord) -> sqlx::Result<()> {
    let unit = match &record.unit {
        Some(key) => Some(unit_id(conn, key).await?),
        None => None,
    };
    sqlx::query("INSERT INTO audit (at_ms, unit, actor, action, request, why, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(millis(record.at_ms))
        .bind(unit)
        .bind(&record.actor)
        .bind(&record.action)
        .bind(&record.request)
        .bind(&record.why)
        .bind(record.detail.to_string())
        .execute(conn)
        .await?;
    Ok(())
}

async fn insert_row(
    conn: &mut SqliteConnection,
    record: &SyncRecord,
    unit: i64,
    build: Option<i64>,
    reason: Option<&str>,
) -> sqlx::Result<()> {
    let mut drift = record.drift.clone();
    drift.iter_mut().for_each(|entry| entry.redact());
    let commit = record.commit.as_ref().map(json).transpose()?;
    sqlx::query(
        "INSERT INTO sync (id, unit, build, no_rollback, revisions, commit_info, cause, outcome, error, started_ms, ended_ms, \
         objects_changed, objects_failed, drifted, quiet, plan, objects, drift, phases) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) ON CONFLICT (id) DO NOTHING",
    )
    .bind(record.id.as_row())
    .bind(unit)
    .bind(build)
    .bind(reason)
    .bind(json(&record.revisions)?)
    .bind(commit)
    .bind(json(&record.trigger)?)
    .bind(record.outcome.as_str())
    .bind(&record.error)
    .bind(millis(record.started_ms))
    .bind(millis(record.ended_ms))
    .bind(record.changed() as i64)
    .bind(record.failed() as i64)
    .bind(record.drift.len() as i64)
    .bind(i64::from(record.is_quiet()))
    .bind(json(&record.plan)?)
    .bind(json(&record.objects)?)
    .bind(json(&drift)?)
    .bind(json(&record.phases)?)
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns a unit's row, made where it is missing.
async fn unit_id(conn: &mut SqliteConnection, key: &NodeKey) -> sqlx::Result<i64> {
    if let Some(id) = find_unit(&mut *conn, key).await? {
        return Ok(id);
    }
    sqlx::query_scalar("INSERT INTO unit (installation, kind, namespace, name) VALUES ($1, $2, $3, $4) RETURNING id")
        .bind(&*key.installation)
        .bind(kind_name(key.kind))
        .bind(&*key.namespace)
        .bind(&*key.name)
        .fetch_one(conn)
        .await
}

/// Returns a unit's row, if it has one.
pub(crate) async fn find_unit(conn: impl sqlx::SqliteExecutor<'_>, key: &NodeKey) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar("SELECT id FROM unit WHERE installation = $1 AND kind = $2 AND namespace = $3 AND name = $4")
        .bind(&*key.installation)
        .bind(kind_name(key.kind))
        .bind(&*key.namespace)
        .bind(&*key.name)
        .fetch_optional(conn)
        .await
}

pub(crate) fn kind_name(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Source => "source",
        NodeKind::Unit => "unit",
        NodeKind::Generator => "generator",
    }
}

pub(crate) fn kind_from(name: &str) -> NodeKind {
    match name {
        "source" => NodeKind::Source,
        "generator" => NodeKind::Generator,
        _ => NodeKind::Unit,
    }
}

async fn known_build(conn: &mut SqliteConnection, unit: i64, digest: &Name) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar("SELECT id FROM build WHERE unit = $1 AND digest = $2").bind(unit).bind(digest.as_slice()).fetch_optional(conn).await
}

async fn same_build(conn: &mut SqliteConnection, unit: i64, key: &[u8; 16]) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar("SELECT id FROM build WHERE unit = $1 AND content_key = $2 ORDER BY id DESC LIMIT 1")
        .bind(unit)
        .bind(key.as_slice())
        .fetch_optional(conn)
        .await
}

async fn insert_build(conn: &mut SqliteConnection, unit: i64, build: &NamedBuild, sync: i64, succeeded: bool) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "INSERT INTO build (unit, digest, content_key, last_sync, succeeded, lacks, key_id) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id",
    )
    .bind(unit)
    .bind(build.digest.as_slice())
    .bind(build.key.0.as_slice())
    .bind(sync)
    .bind(i64::from(succeeded))
    .bind(build.lacks)
    .bind(build.key_id.as_deref())
    .fetch_one(conn)
    .await
}

async fn insert_files(
    conn: &mut SqliteConnection,
    build_id: i64,
    build: &NamedBuild,
    blobs: &EncodedBlobs,
    sealer: &Sealer,
) -> sqlx::Result<()> {
    for file in &build.files {
        let blob = match blob_id(conn, &file.name).await? {
            Some(blob) => blob,
            None => match blobs.get(&file.name) {
                Some(encoded) => insert_blob(conn, &file.name, encoded).await?,
                None => insert_blob(conn, &file.name, &sealer.encode(&file.content, &file.name, file.secret)).await?,
            },
        };
        sqlx::query("INSERT INTO build_file (build, source, path, secret, blob) VALUES ($1, $2, $3, $4, $5)")
            .bind(build_id)
            .bind(&file.source)
            .bind(&file.path)
            .bind(i64::from(file.secret))
            .bind(blob)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

async fn blob_id(conn: &mut SqliteConnection, name: &Name) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar("SELECT id FROM blob WHERE digest = $1").bind(name.as_slice()).fetch_optional(conn).await
}

async fn insert_blob(conn: &mut SqliteConnection, name: &Name, blob: &Encoded) -> sqlx::Result<i64> {
    sqlx::query_scalar("INSERT INTO blob (digest, form, size, key_id, data) VALUES ($1, $2, $3, $4, $5) RETURNING id")
        .bind(name.as_slice())
        .bind(blob.form as i64)
        .bind(blob.size)
        .bind(blob.key_id.as_deref())
        .bind(blob.data.as_deref())
        .fetch_one(conn)
        .await
}

/// Notes the newest sync of a build; a failed one does not take the place of a successful one.
async fn touch_build(conn: &mut SqliteConnection, build: i64, sync: i64, succeeded: bool) -> sqlx::Result<()> {
    sqlx::query("UPDATE build SET last_sync = $2, succeeded = $3 WHERE id = $1 AND succeeded <= $3 AND last_sync <= $2")
        .bind(build)
        .bind(sync)
        .bind(i64::from(succeeded))
        .execute(conn)
        .await?;
    Ok(())
}

fn json(value: &impl Serialize) -> sqlx::Result<String> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

fn millis(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Encodes files on a thread of its own when there are many bytes of them.
pub(crate) async fn encode(files: Vec<NamedFile>, sealer: &Sealer) -> EncodedBlobs {
    const INLINE_BYTES: usize = 64 << 10;
    let bytes: usize = files.iter().map(|file| file.content.len()).sum();
    let sealer = sealer.clone();
    let work =
        move || -> EncodedBlobs { files.iter().map(|file| (file.name, sealer.encode(&file.content, &file.name, file.secret))).collect() };
    if bytes <= INLINE_BYTES {
        return work();
    }
    let work = Arc::new(work);
    let here = work.clone();
    match tokio::task::spawn_blocking(move || work()).await {
        Ok(blobs) => blobs,
        // The runtime is going down; the work is done here.
        Err(_) => here(),
    }
}
