//! Owns why the store could not, and which of SQLite's codes means what.

use std::path::Path;

use sqlx::migrate::MigrateError;

/// Why the store could not. Each names the file or the thing, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process holds the file's lock for longer than the store waits.
    #[error("`{path}` is locked by another process; end it or give each process its own file")]
    Locked {
        /// The file.
        path: String,
    },
    /// The disk, the quota or the store's own limit is reached.
    #[error("there is no room left for `{path}`; free some or raise the limit")]
    Full {
        /// The file.
        path: String,
    },
    /// The file or its file system refuses writes.
    #[error("`{path}` is read-only")]
    ReadOnly {
        /// The file.
        path: String,
    },
    /// The file is one of the store's, but broken.
    #[error("`{path}` is damaged: {why}")]
    Corrupt {
        /// The file.
        path: String,
        /// What SQLite said.
        why: String,
    },
    /// Something else lies at the path; it is left alone.
    #[error("`{path}` is not a history that plumb wrote; move it away or name another file")]
    NotOurs {
        /// The file.
        path: String,
    },
    /// Another version of Plumb changed the tables in a way that this one does not know.
    #[error("`{path}` was written by another version of plumb ({why}); use that one or name another file")]
    OtherVersion {
        /// The file.
        path: String,
        /// What differs.
        why: String,
    },
    /// The file could not be opened or made.
    #[error("`{path}` cannot be opened: {why}")]
    CannotOpen {
        /// The file.
        path: String,
        /// What the system said.
        why: String,
    },
    /// Reading or writing the file failed.
    #[error("`{path}` cannot be read or written: {why}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        why: String,
    },
    /// The database refused this one record or question.
    #[error("`{path}` refused: {why}")]
    Rejected {
        /// The file.
        path: String,
        /// What SQLite said.
        why: String,
    },
    /// There is no such sync, or no longer.
    #[error("there is no sync `{0}` in the history, or no longer")]
    NoSuchSync(String),
    /// No recorded sync of the unit fits what was asked.
    #[error("no recorded sync of `{unit}` fits `{asked}`")]
    NoSuchBuild {
        /// The unit.
        unit: String,
        /// What was asked.
        asked: String,
    },
    /// Several recorded revisions fit what was asked.
    #[error("`{asked}` fits several recorded revisions of `{unit}`; give more of the commit")]
    Ambiguous {
        /// The unit.
        unit: String,
        /// What was asked.
        asked: String,
    },
    /// The sync is known, but not all that it was built from is kept.
    #[error("sync `{sync}` cannot be built again from the history: {reason}")]
    NotRebuildable {
        /// The sync.
        sync: String,
        /// Why, a clause.
        reason: String,
    },
    /// The store has been closed.
    #[error("the history is closed")]
    Closed,
}

impl StoreError {
    /// Returns whether the fault lies with the file or the machine, so that the same call may succeed later.
    pub fn is_environment(&self) -> bool {
        use StoreError::*;
        matches!(
            self,
            Locked { .. }
                | Full { .. }
                | ReadOnly { .. }
                | Corrupt { .. }
                | NotOurs { .. }
                | OtherVersion { .. }
                | CannotOpen { .. }
                | Io { .. }
        )
    }

    /// Returns the error's stable name, for `-o json`, metrics and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked { .. } => "locked",
            Self::Full { .. } => "full",
            Self::ReadOnly { .. } => "readOnly",
            Self::Corrupt { .. } => "corrupt",
            Self::NotOurs { .. } => "notOurs",
            Self::OtherVersion { .. } => "otherVersion",
            Self::CannotOpen { .. } => "cannotOpen",
            Self::Io { .. } => "io",
            Self::Rejected { .. } => "rejected",
            Self::NoSuchSync(_) => "noSuchSync",
            Self::NoSuchBuild { .. } => "noSuchBuild",
            Self::Ambiguous { .. } => "ambiguous",
            Self::NotRebuildable { .. } => "notRebuildable",
            Self::Closed => "closed",
        }
    }
}

/// Sorts what sqlx says. SQLite's primary code is the low byte of the extended one.
pub(crate) fn classify(file: &Path, error: &sqlx::Error) -> StoreError {
    let path = file.display().to_string();
    let why = error.to_string();
    let sqlx::Error::Database(database) = error else {
        return match error {
            sqlx::Error::PoolTimedOut => StoreError::Locked { path },
            sqlx::Error::Migrate(migrate) => classify_migration(file, migrate),
            sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => StoreError::Rejected { path, why },
            _ => StoreError::Io { path, why },
        };
    };
    let code: i32 = database.code().and_then(|code| code.parse().ok()).unwrap_or(0);
    match code & 0xff {
        5 | 6 => StoreError::Locked { path },
        8 => StoreError::ReadOnly { path },
        10 => StoreError::Io { path, why },
        11 => StoreError::Corrupt { path, why },
        13 => StoreError::Full { path },
        14 => StoreError::CannotOpen { path, why },
        26 => StoreError::NotOurs { path },
        _ => StoreError::Rejected { path, why },
    }
}

/// Sorts what a migration says.
pub(crate) fn classify_migration(file: &Path, error: &MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(inner) | MigrateError::ExecuteMigration(inner, _) => classify(file, inner),
        other => StoreError::OtherVersion { path: file.display().to_string(), why: other.to_string() },
    }
}
