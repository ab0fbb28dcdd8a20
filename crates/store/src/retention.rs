//! Owns what is let go of, and when: old syncs, builds beyond the last few, content that no build holds. The audit log stays.

use sqlx::sqlite::SqliteConnection;

use crate::SyncId;

/// Rows looked at in one go: more than any unit has.
const ALL: i64 = 100_000;
/// What a sync says whose build is no longer kept.
const TOO_OLD: &str = "only the newest builds of a unit are kept";
/// The part of all syncs that goes when the file has reached its limit.
const EVICT_ONE_IN: i64 = 10;
const EVICT_AT_LEAST: i64 = 16;

/// How much is kept of each unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retention {
    pub(crate) syncs: i64,
    pub(crate) builds: i64,
}

/// Lets go of what a new sync of a unit makes superfluous. `quiet` is the new sync, if it found nothing to do.
pub(crate) async fn after_sync(conn: &mut SqliteConnection, unit: i64, quiet: Option<SyncId>, keep: Retention) -> sqlx::Result<()> {
    if let Some(id) = quiet {
        sqlx::query("DELETE FROM sync WHERE unit = $1 AND quiet = 1 AND id < $2").bind(unit).bind(id.as_row()).execute(&mut *conn).await?;
    }
    let old: Vec<i64> =
        sqlx::query_scalar("SELECT id FROM build WHERE unit = $1 ORDER BY succeeded DESC, last_sync DESC LIMIT $3 OFFSET $2")
            .bind(unit)
            .bind(keep.builds)
            .bind(ALL)
            .fetch_all(&mut *conn)
            .await?;
    for build in old {
        forget_build(conn, build).await?;
    }
    // The newest sync of a build that is kept stays, however old: it is the name to roll back to.
    sqlx::query(
        "DELETE FROM sync WHERE unit = $1 AND id <= (SELECT id FROM sync WHERE unit = $1 ORDER BY id DESC LIMIT 1 OFFSET $2) \
         AND id NOT IN (SELECT last_sync FROM build WHERE unit = $1)",
    )
    .bind(unit)
    .bind(keep.syncs)
    .execute(&mut *conn)
    .await?;
    Ok(())
}

/// Lets go of the oldest syncs of all units, and of the builds that only they name. Returns how many syncs went.
pub(crate) async fn evict(conn: &mut SqliteConnection) -> sqlx::Result<u64> {
    let all: i64 = sqlx::query_scalar("SELECT count(*) FROM sync").fetch_one(&mut *conn).await?;
    let through: Option<i64> = sqlx::query_scalar("SELECT id FROM sync ORDER BY id LIMIT 1 OFFSET $1")
        .bind((all / EVICT_ONE_IN).max(EVICT_AT_LEAST.min(all - 1)))
        .fetch_optional(&mut *conn)
        .await?;
    let Some(through) = through else { return Ok(0) };
    let builds: Vec<i64> = sqlx::query_scalar("SELECT id FROM build WHERE last_sync < $1").bind(through).fetch_all(&mut *conn).await?;
    for build in builds {
        forget_build(conn, build).await?;
    }
    Ok(sqlx::query("DELETE FROM sync WHERE id < $1").bind(through).execute(&mut *conn).await?.rows_affected())
}

async fn forget_build(conn: &mut SqliteConnection, build: i64) -> sqlx::Result<()> {
    sqlx::query(
        "DELETE FROM blob WHERE id IN (SELECT blob FROM build_file WHERE build = $1) \
         AND NOT EXISTS (SELECT 1 FROM build_file AS other WHERE other.blob = blob.id AND other.build <> $1)",
    )
    .bind(build)
    .execute(&mut *conn)
    .await?;
    sqlx::query("DELETE FROM build_file WHERE build = $1").bind(build).execute(&mut *conn).await?;
    sqlx::query("UPDATE sync SET build = NULL, no_rollback = $2 WHERE build = $1").bind(build).bind(TOO_OLD).execute(&mut *conn).await?;
    sqlx::query("DELETE FROM build WHERE id = $1").bind(build).execute(&mut *conn).await?;
    Ok(())
}
