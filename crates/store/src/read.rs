//! Owns the questions: history, one sync, what it was built from, the audit log.

use std::sync::Arc;

use plumb_manifest::Digest;
use plumb_unit::{NodeKey, Revisions};
use plumb_world::RelPath;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use crate::database::Readers;
use crate::insert::{find_unit, kind_from};
use crate::seal::{OTHER_KEY, Sealer};
use crate::{AuditEntry, RecordedBuild, RecordedFile, SyncDetail, SyncId, SyncOutcome, SyncSummary, Which};

/// Why a question has no answer: the database's fault, or a plain "no".
pub(crate) enum Miss {
    Database(sqlx::Error),
    NoSync(SyncId),
    NoBuild,
    Ambiguous,
    NotRebuildable(SyncId, String),
}

impl From<sqlx::Error> for Miss {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

/// Shortest beginning of a commit id that is taken for one.
const SHORTEST_COMMIT: usize = 4;

const SUMMARY: &str = "SELECT sync.id, unit.installation, unit.kind, unit.namespace, unit.name, sync.revisions, sync.commit_info, sync.cause, \
     sync.outcome, sync.error, sync.started_ms, sync.ended_ms, sync.objects_changed, sync.objects_failed, sync.drifted, sync.build, \
     sync.no_rollback, build.lacks, build.key_id, sync.plan, sync.objects, sync.drift, sync.phases \
     FROM sync JOIN unit ON unit.id = sync.unit LEFT JOIN build ON build.id = sync.build";

pub(crate) async fn history(readers: &Readers, unit: &NodeKey, limit: i64) -> Result<Vec<SyncSummary>, Miss> {
    let Some(id) = find_unit(&readers.pool, unit).await? else { return Ok(Vec::new()) };
    let sql = sqlx::AssertSqlSafe(format!("{SUMMARY} WHERE sync.unit = $1 ORDER BY sync.id DESC LIMIT $2"));
    let rows = sqlx::query(sql).bind(id).bind(limit).fetch_all(&readers.pool).await?;
    rows.iter().map(|row| Ok(summary(row, &readers.sealer)?)).collect()
}

pub(crate) async fn recent(readers: &Readers, limit: i64) -> Result<Vec<SyncSummary>, Miss> {
    let sql = sqlx::AssertSqlSafe(format!("{SUMMARY} ORDER BY sync.id DESC LIMIT $1"));
    let rows = sqlx::query(sql).bind(limit).fetch_all(&readers.pool).await?;
    rows.iter().map(|row| Ok(summary(row, &readers.sealer)?)).collect()
}

pub(crate) async fn detail(readers: &Readers, id: SyncId) -> Result<SyncDetail, Miss> {
    let sql = sqlx::AssertSqlSafe(format!("{SUMMARY} WHERE sync.id = $1"));
    let row = sqlx::query(sql).bind(id.as_row()).fetch_optional(&readers.pool).await?.ok_or(Miss::NoSync(id))?;
    Ok(SyncDetail {
        summary: summary(&row, &readers.sealer)?,
        plan: from_json(&row, "plan")?,
        objects: from_json(&row, "objects")?,
        drift: from_json(&row, "drift")?,
        phases: from_json(&row, "phases")?,
    })
}

pub(crate) async fn audit(readers: &Readers, unit: Option<&NodeKey>, limit: i64) -> Result<Vec<AuditEntry>, Miss> {
    const COLUMNS: &str = "SELECT audit.id, audit.at_ms, audit.actor, audit.action, audit.request, audit.why, audit.detail, unit.installation, \
         unit.kind, unit.namespace, unit.name FROM audit LEFT JOIN unit ON unit.id = audit.unit";
    let rows = match unit {
        None => {
            let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} ORDER BY audit.id DESC LIMIT $1"));
            sqlx::query(sql).bind(limit).fetch_all(&readers.pool).await?
        }
        Some(unit) => {
            let Some(id) = find_unit(&readers.pool, unit).await? else { return Ok(Vec::new()) };
            let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE audit.unit = $1 ORDER BY audit.id DESC LIMIT $2"));
            sqlx::query(sql).bind(id).bind(limit).fetch_all(&readers.pool).await?
        }
    };
    rows.iter().map(|row| Ok(audit_entry(row)?)).collect()
}

pub(crate) async fn recorded(readers: &Arc<Readers>, unit: &NodeKey, which: &Which) -> Result<RecordedBuild, Miss> {
    let found = match which {
        Which::Sync(id) => one(&readers.pool, unit, *id).await?,
        Which::Commit(commit) => by_commit(&readers.pool, unit, commit).await?,
        Which::Previous => previous(&readers.pool, unit).await?,
        Which::Newest => newest(&readers.pool, unit).await?,
    };
    let summary = summary(&found, &readers.sealer)?;
    let id = summary.id;
    if !summary.offline_rollback {
        return Err(Miss::NotRebuildable(id, summary.offline_rollback_reason.unwrap_or_default()));
    }
    let build: i64 = found.try_get("build")?;
    let key: Vec<u8> = sqlx::query_scalar("SELECT content_key FROM build WHERE id = $1").bind(build).fetch_one(&readers.pool).await?;
    let rows = sqlx::query(
        "SELECT build_file.source, build_file.path, build_file.secret, blob.digest, blob.form, blob.size, blob.key_id, blob.data \
         FROM build_file JOIN blob ON blob.id = build_file.blob WHERE build_file.build = $1 ORDER BY build_file.source, build_file.path",
    )
    .bind(build)
    .fetch_all(&readers.pool)
    .await?;
    let decoding = readers.clone();
    let files = tokio::task::spawn_blocking(move || rows.iter().map(|row| file(row, &decoding.sealer)).collect::<Result<Vec<_>, Miss>>());
    let mut files = files.await.map_err(|_| sqlx::Error::WorkerCrashed)?.map_err(|miss| match miss {
        Miss::NotRebuildable(_, reason) => Miss::NotRebuildable(id, reason),
        other => other,
    })?;
    let damaged = |what: &str| Miss::NotRebuildable(id, format!("{what} is damaged"));
    let at = files.iter().position(|file| file.path.is_root()).ok_or_else(|| damaged("its unit"))?;
    let spec = serde_json::from_slice(&files.remove(at).content).map_err(|_| damaged("its unit"))?;
    let key = Digest(key.try_into().map_err(|_| damaged("its key"))?);
    Ok(RecordedBuild { sync: id, key, revisions: summary.revisions, commit: summary.commit, spec, files })
}

async fn one(pool: &SqlitePool, unit: &NodeKey, id: SyncId) -> Result<SqliteRow, Miss> {
    let unit = find_unit(pool, unit).await?.ok_or(Miss::NoSync(id))?;
    let sql = sqlx::AssertSqlSafe(format!("{SUMMARY} WHERE sync.id = $1 AND sync.unit = $2"));
    sqlx::query(sql).bind(id.as_row()).bind(unit).fetch_optional(pool).await?.ok_or(Miss::NoSync(id))
}

/// Newest first; successful syncs before others. A unit has few enough rows to look at each.
async fn by_commit(pool: &SqlitePool, unit: &NodeKey, commit: &str) -> Result<SqliteRow, Miss> {
    let unit = find_unit(pool, unit).await?.ok_or(Miss::NoBuild)?;
    let commit = commit.to_ascii_lowercase();
    if commit.len() < SHORTEST_COMMIT {
        return Err(Miss::NoBuild);
    }
    let sql = sqlx::AssertSqlSafe(format!("{SUMMARY} WHERE sync.unit = $1 ORDER BY (sync.outcome = 'succeeded') DESC, sync.id DESC"));
    let mut fits = Vec::new();
    for row in sqlx::query(sql).bind(unit).fetch_all(pool).await? {
        let revisions: Revisions = from_json(&row, "revisions")?;
        let commits = revisions.values().filter(|revision| revision.commit.starts_with(&commit));
        if let Some(revision) = commits.min() {
            fits.push((revision.commit.clone(), row));
        }
    }
    if fits.windows(2).any(|pair| pair[0].0 != pair[1].0) {
        return Err(Miss::Ambiguous);
    }
    let rebuildable = fits.iter().position(|(_, row)| row.try_get::<Option<i64>, _>("build").is_ok_and(|build| build.is_some()));
    let at = rebuildable.unwrap_or(0);
    if at < fits.len() { Ok(fits.swap_remove(at).1) } else { Err(Miss::NoBuild) }
}

async fn previous(pool: &SqlitePool, unit: &NodeKey) -> Result<SqliteRow, Miss> {
    let unit = find_unit(pool, unit).await?.ok_or(Miss::NoBuild)?;
    let sql = sqlx::AssertSqlSafe(format!(
        "{SUMMARY} WHERE sync.unit = $1 AND sync.outcome = 'succeeded' AND sync.build IS NOT NULL \
         AND sync.build <> (SELECT last.build FROM sync AS last WHERE last.unit = $1 AND last.build IS NOT NULL ORDER BY last.id DESC LIMIT 1) \
         ORDER BY sync.id DESC LIMIT 1"
    ));
    sqlx::query(sql).bind(unit).fetch_optional(pool).await?.ok_or(Miss::NoBuild)
}

async fn newest(pool: &SqlitePool, unit: &NodeKey) -> Result<SqliteRow, Miss> {
    let unit = find_unit(pool, unit).await?.ok_or(Miss::NoBuild)?;
    let sql = sqlx::AssertSqlSafe(format!(
        "{SUMMARY} WHERE sync.unit = $1 AND sync.outcome = 'succeeded' AND sync.build IS NOT NULL ORDER BY sync.id DESC LIMIT 1"
    ));
    sqlx::query(sql).bind(unit).fetch_optional(pool).await?.ok_or(Miss::NoBuild)
}

fn file(row: &SqliteRow, sealer: &Sealer) -> Result<RecordedFile, Miss> {
    let path: String = row.try_get("path")?;
    let name: Vec<u8> = row.try_get("digest")?;
    let (key_id, data): (Option<Vec<u8>>, Option<Vec<u8>>) = (row.try_get("key_id")?, row.try_get("data")?);
    let secret = row.try_get::<i64, _>("secret")? != 0;
    let content = sealer.decode(row.try_get("form")?, row.try_get("size")?, key_id.as_deref(), data.as_deref(), &name, secret);
    let not = |reason: String| Miss::NotRebuildable(SyncId::from_row(0), format!("`{path}`: {reason}"));
    Ok(RecordedFile {
        source: row.try_get::<String, _>("source")?.into(),
        path: RelPath::parse(&path).map_err(|error| not(error.to_string()))?,
        content: content.map_err(not)?.into(),
        secret,
    })
}

fn summary(row: &SqliteRow, sealer: &Sealer) -> sqlx::Result<SyncSummary> {
    let build: Option<i64> = row.try_get("build")?;
    let sealed_with: Option<Vec<u8>> = row.try_get("key_id")?;
    let reason = match (build, row.try_get::<Option<String>, _>("lacks")?) {
        (None, _) => Some(row.try_get::<Option<String>, _>("no_rollback")?.unwrap_or_default()),
        (_, Some(lacks)) => Some(lacks),
        _ if sealed_with.is_some() && sealed_with.as_deref() != sealer.key_id() => Some(OTHER_KEY.to_owned()),
        _ => None,
    };
    let commit: Option<String> = row.try_get("commit_info")?;
    Ok(SyncSummary {
        id: SyncId::from_row(row.try_get("id")?),
        unit: node_key(row)?,
        revisions: from_json(row, "revisions")?,
        commit: commit.map(|text| parse(&text)).transpose()?,
        trigger: from_json(row, "cause")?,
        outcome: SyncOutcome::parse(row.try_get("outcome")?),
        error: row.try_get("error")?,
        started_ms: unsigned(row, "started_ms")?,
        ended_ms: unsigned(row, "ended_ms")?,
        objects_changed: row.try_get("objects_changed")?,
        objects_failed: row.try_get("objects_failed")?,
        drifted: row.try_get("drifted")?,
        offline_rollback: reason.is_none(),
        offline_rollback_reason: reason,
    })
}

fn audit_entry(row: &SqliteRow) -> sqlx::Result<AuditEntry> {
    let unit = if row.try_get::<Option<String>, _>("name")?.is_some() { Some(node_key(row)?) } else { None };
    Ok(AuditEntry {
        id: row.try_get("id")?,
        at_ms: unsigned(row, "at_ms")?,
        unit,
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        request: row.try_get("request")?,
        why: row.try_get("why")?,
        detail: from_json(row, "detail")?,
    })
}

fn node_key(row: &SqliteRow) -> sqlx::Result<NodeKey> {
    let text = |column: &str| row.try_get::<String, _>(column).map(Arc::from);
    Ok(NodeKey {
        installation: text("installation")?,
        kind: kind_from(row.try_get("kind")?),
        namespace: text("namespace")?,
        name: text("name")?,
    })
}

fn unsigned(row: &SqliteRow, column: &str) -> sqlx::Result<u64> {
    Ok(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0))
}

fn from_json<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> sqlx::Result<T> {
    parse(row.try_get(column)?)
}

fn parse<T: DeserializeOwned>(text: &str) -> sqlx::Result<T> {
    serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
