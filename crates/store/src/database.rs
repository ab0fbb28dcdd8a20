//! Owns the file: making it private, opening it, bringing its tables up to date, telling whether it is still the one that was opened,
//! and putting a broken one aside. Must not delete a file that holds data.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqlSafeStr};

use crate::error::{classify, classify_migration};
use crate::seal::{Sealer, random};
use crate::{Options, StoreError};

/// `plmb`: how the file says whose it is.
const APPLICATION_ID: i32 = 0x706c_6d62;
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const PAGE_BYTES: u64 = 4096;
/// Connections for questions: people ask them, rarely two at once.
const READERS: u32 = 2;
const READER_IDLE: Duration = Duration::from_secs(60);
/// How many broken files are kept beside the good one.
pub(crate) const MAX_SET_ASIDE: usize = 3;
const COMPANIONS: [&str; 3] = ["", "-wal", "-shm"];

/// What tells one file from another that has taken its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// Returns the identity of the file at a path; none when there is none.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|file| Self { device: file.dev(), inode: file.ino() })
    }
}

/// The questions' side of an open file.
pub(crate) struct Readers {
    pub(crate) pool: SqlitePool,
    pub(crate) sealer: Sealer,
    pub(crate) identity: Identity,
}

/// An open file: one connection that writes, a few that read.
pub(crate) struct Database {
    pub(crate) writer: SqliteConnection,
    pub(crate) readers: Arc<Readers>,
}

impl Database {
    /// Opens the file, makes it when it is missing, and brings its tables up to date.
    pub(crate) async fn open(path: PathBuf, options: Options) -> Result<Self, StoreError> {
        let (path, options) = (path.as_path(), &options);
        prepare_file(path)?;
        let identity =
            Identity::at(path).ok_or_else(|| StoreError::CannotOpen { path: path.display().to_string(), why: "it vanished".to_owned() })?;
        let connect = connect_options(path, options);
        let failed = |error: sqlx::Error| classify(path, &error);
        let mut writer = connect.connect().await.map_err(failed)?;
        claim(&mut writer, path).await?;
        migrator().run_direct(None, &mut writer, false).await.map_err(|error| classify_migration(path, &error))?;
        let salt = salt(&mut writer, path).await?;
        let pool = SqlitePoolOptions::new()
            .max_connections(READERS)
            .min_connections(0)
            .idle_timeout(READER_IDLE)
            .acquire_timeout(options.busy_timeout + Duration::from_secs(1))
            .test_before_acquire(false)
            .connect_lazy_with(connect.pragma("query_only", "on"));
        let readers = Arc::new(Readers { pool, sealer: Sealer::new(options.key.clone(), salt), identity });
        Ok(Self { writer, readers })
    }

    /// Returns whether the path still holds the file that was opened.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        Identity::at(path) == Some(self.readers.identity)
    }

    /// Closes all connections; the last one folds the log into the file.
    pub(crate) async fn close(self) {
        self.readers.pool.close().await;
        if let Err(error) = self.writer.close().await {
            tracing::debug!(%error, "closing the history failed");
        }
    }
}

fn connect_options(path: &Path, options: &Options) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(options.busy_timeout)
        .foreign_keys(true)
        .pragma("trusted_schema", "off")
        .pragma("cache_size", "-1024")
        .pragma("journal_size_limit", "8388608")
        .pragma("max_page_count", (options.max_bytes / PAGE_BYTES).max(1).to_string())
        .disable_statement_logging()
}

/// Makes the file and its folder where they are missing, for the owner's eyes only, and checks that SQLite may be pointed at it.
fn prepare_file(path: &Path) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| from_io(path, &error);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            Err(StoreError::CannotOpen { path: path.display().to_string(), why: "it is not a file".to_owned() })
        }
        Ok(found) => {
            if found.mode() & 0o077 != 0 {
                fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
            }
            let mut head = Vec::new();
            fs::File::open(path).and_then(|file| file.take(16).read_to_end(&mut head)).map_err(failed)?;
            if !head.is_empty() && head != MAGIC {
                return Err(StoreError::NotOurs { path: path.display().to_string() });
            }
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // A log without its file belongs to one that was deleted; SQLite must not take it for the new one's.
            for suffix in &COMPANIONS[1..] {
                match fs::remove_file(companion(path, suffix)) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
                    _ => {}
                }
            }
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map_err(failed)?;
            Ok(())
        }
        Err(error) => Err(failed(error)),
    }
}

/// Refuses a file that is somebody else's before anything is written to it, and marks a new one as ours.
async fn claim(writer: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    let failed = |error: sqlx::Error| classify(path, &error);
    let id: i32 = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *writer).await.map_err(failed)?;
    if id == APPLICATION_ID {
        sqlx::raw_sql("PRAGMA journal_mode = wal").execute(&mut *writer).await.map_err(failed)?;
        return Ok(());
    }
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *writer).await.map_err(failed)?;
    if id != 0 || tables != 0 {
        return Err(StoreError::NotOurs { path: path.display().to_string() });
    }
    let mark = format!("PRAGMA journal_mode = wal; PRAGMA application_id = {APPLICATION_ID}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(mark)).execute(&mut *writer).await.map_err(failed)?;
    Ok(())
}

fn migrator() -> Migrator {
    let history = include_str!("../migrations/sqlite/0001_history.sql").into_sql_str();
    Migrator::with_migrations(vec![Migration::new(1, "history".into(), MigrationType::Simple, history, false)])
}

async fn salt(writer: &mut SqliteConnection, path: &Path) -> Result<[u8; 32], StoreError> {
    let failed = |error: sqlx::Error| classify(path, &error);
    let fresh = random().ok_or_else(|| StoreError::Io { path: path.display().to_string(), why: "no randomness".to_owned() })?;
    sqlx::query("INSERT INTO meta (key, value) VALUES ('salt', $1) ON CONFLICT (key) DO NOTHING")
        .bind(fresh.as_slice())
        .execute(&mut *writer)
        .await
        .map_err(failed)?;
    let stored: Vec<u8> = sqlx::query_scalar("SELECT value FROM meta WHERE key = 'salt'").fetch_one(&mut *writer).await.map_err(failed)?;
    stored.try_into().map_err(|_| StoreError::Corrupt { path: path.display().to_string(), why: "its salt is not 32 bytes".to_owned() })
}

/// Moves a broken file and its log out of the way; the oldest of many such is deleted. Returns where it is now.
pub(crate) fn set_aside(path: &Path, now_ms: u64) -> Result<PathBuf, StoreError> {
    let failed = |error: std::io::Error| from_io(path, &error);
    let aside = companion(path, &format!(".damaged-{now_ms}"));
    for suffix in COMPANIONS {
        match fs::rename(companion(path, suffix), companion(&aside, suffix)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    forget_old_damaged(path);
    Ok(aside)
}

fn forget_old_damaged(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return };
    let prefix = format!("{}.damaged-", name.to_string_lossy());
    let Ok(entries) = fs::read_dir(folder) else { return };
    let mut damaged: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.strip_prefix(&prefix).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit())))
        .collect();
    damaged.sort();
    for name in damaged.iter().rev().skip(MAX_SET_ASIDE) {
        for suffix in COMPANIONS {
            // A file that stays costs room, nothing else.
            fs::remove_file(companion(&folder.join(name), suffix)).ok();
        }
    }
}

fn companion(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn from_io(file: &Path, error: &std::io::Error) -> StoreError {
    let path = file.display().to_string();
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full { path },
        ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { path },
        _ => StoreError::CannotOpen { path, why: error.to_string() },
    }
}
