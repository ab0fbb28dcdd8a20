//! Owns what happens when the file is missing, deleted, locked, full, read-only, broken or not ours: a typed error, nothing lost that
//! fits into memory, and work that goes on by itself afterwards.

use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use plumb_store::{HealthState, MAX_QUEUED_RECORDS, Options, Store, StoreError, SyncRecord};
use sqlx::{ConnectOptions, Connection};

use super::{audit_line, count, execute, options, record, unit};

const CHILD: &str = "PLUMB_STORE_TEST_LIMITED";

fn code_of(store: &Store) -> Option<&'static str> {
    match store.health().state {
        HealthState::Unavailable { code, .. } => Some(code),
        _ => None,
    }
}

async fn lines(store: &Store, name: &str) -> usize {
    store.history(&unit(name), 1000).await.expect("history").len()
}

#[tokio::test]
async fn a_missing_file_is_made_with_its_folder_for_the_owner_only() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("var/lib/plumb/history.db");
    let store = Store::open(&path, options()).await;
    assert_eq!(store.health().state, HealthState::Ready);
    store.record_sync(record(&unit("shop"), 1));
    store.flush().await.expect("flush");
    for name in ["history.db", "history.db-wal", "history.db-shm"] {
        let mode = std::fs::metadata(path.with_file_name(name)).expect(name).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(std::fs::metadata(folder.path().join("var")).expect("folder").permissions().mode() & 0o777, 0o700);
    drop(store);

    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("mode");
    let again = Store::open(&path, options()).await;
    again.flush().await.expect("flush");
    assert_eq!(std::fs::metadata(&path).expect("file").permissions().mode() & 0o777, 0o600, "what others may read is closed");
}

#[tokio::test]
async fn a_file_deleted_while_it_is_open_is_begun_anew() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("history.db");
    let store = Store::open(&path, options()).await;
    for round in 0..3 {
        store.record_sync(record(&unit("shop"), round));
        store.flush().await.expect("flush");
        assert_eq!(lines(&store, "shop").await, 1);
        match round {
            // The log stays behind, as after `rm history.db`.
            0 => std::fs::remove_file(&path).expect("delete"),
            1 => std::fs::remove_dir_all(folder.path()).expect("delete"),
            _ => {}
        }
        if round < 2 {
            assert_eq!(lines(&store, "shop").await, 0, "a question sees the new file too");
        }
    }
    assert_eq!(store.health().rejected, 0);
    assert_eq!(count(&path, "SELECT count(*) FROM sync").await, 1);
}

#[tokio::test]
async fn a_locked_file_is_waited_for_and_nothing_is_lost() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("history.db");
    let store = Store::open(&path, options()).await;
    let mut other = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).connect().await.expect("open");
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.expect("lock");
    (0..5).for_each(|number| store.record_sync(record(&unit("shop"), number)));
    assert!(matches!(store.flush().await, Err(StoreError::Locked { .. })));
    assert_eq!((code_of(&store), store.health().queued), (Some("locked"), 5));
    assert_eq!(lines(&store, "shop").await, 0, "questions are still answered");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.expect("unlock");
    store.flush().await.expect("flush");
    assert_eq!((store.health().state, lines(&store, "shop").await), (HealthState::Ready, 5));
    other.close().await.expect("close");
}

#[tokio::test]
async fn a_file_locked_at_the_start_opens_later() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("history.db");
    let mut other = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true).connect().await.expect("open");
    sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut other).await.expect("lock");
    let store = Store::open(&path, options()).await;
    assert_eq!(code_of(&store), Some("locked"));
    store.record_sync(record(&unit("shop"), 1));
    assert!(store.history(&unit("shop"), 1).await.is_err_and(|error| error.code() == "locked"));
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.expect("unlock");
    store.flush().await.expect("flush");
    assert_eq!(lines(&store, "shop").await, 1);
    other.close().await.expect("close");
}

#[tokio::test]
async fn what_did_not_fit_into_memory_is_counted_and_the_audit_log_says_so() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("history.db");
    let store = Store::open(&path, options()).await;
    let mut other = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).connect().await.expect("open");
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.expect("lock");
    store.audit(audit_line("suspend", None));
    (0..MAX_QUEUED_RECORDS + 99).for_each(|number| {
        let build = plumb_store::BuildRecord::NotKept { reason: String::new() };
        store.record_sync(SyncRecord { build, ..record(&unit(&format!("u{}", number % 400)), number) });
    });
    store.flush().await.expect_err("locked");
    let health = store.health();
    assert_eq!((health.dropped_audits, health.queued), (0, MAX_QUEUED_RECORDS));
    assert_eq!(health.dropped_syncs, 100);
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.expect("unlock");
    other.close().await.expect("close");
    store.flush().await.expect("flush");
    let audit = store.audit_log(None, 10).await.expect("audit");
    assert_eq!(audit.iter().map(|line| line.action.as_str()).collect::<Vec<_>>(), ["history-gap", "suspend"]);
    assert_eq!(audit[0].detail["droppedSyncs"], 100);
}

#[tokio::test]
async fn at_its_limit_the_oldest_syncs_make_room() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("history.db");
    let limit = 512 << 10;
    let store = Store::open(&path, Options { max_bytes: limit, ..options() }).await;
    store.audit(audit_line("suspend", None));
    for number in 0..2000 {
        store.record_sync(record(&unit(&format!("u{number}")), number));
        if number % 50 == 0 {
            store.flush().await.expect("flush");
        }
    }
    store.flush().await.expect("flush");
    assert!(std::fs::metadata(&path).expect("file").len() <= limit);
    assert_eq!((lines(&store, "u0").await, lines(&store, "u1999").await), (0, 1), "{:?}", store.health());
    assert_eq!(store.audit_log(None, 9).await.expect("audit").len(), 1, "the audit log stays");
    assert_eq!(count(&path, "SELECT count(*) FROM blob WHERE id NOT IN (SELECT blob FROM build_file)").await, 0);
}

#[tokio::test]
async fn a_limit_too_small_for_anything_is_full_and_says_so() {
    let folder = tempfile::tempdir().expect("folder");
    let store = Store::open(folder.path().join("history.db"), Options { max_bytes: 8192, ..options() }).await;
    assert_eq!(code_of(&store), Some("full"));
    store.record_sync(record(&unit("shop"), 1));
    assert!(matches!(store.flush().await, Err(StoreError::Full { .. })));
    assert_eq!(store.health().queued, 1);
}

/// The system's own limit on a file's size stands in for a full disk: writes fail half-way through.
#[test]
fn a_disk_that_fills_up_costs_no_committed_record() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("history.db");
    let script = "trap '' XFSZ; ulimit -f 400; exec \"$0\" faults::child_on_a_small_disk --exact --nocapture";
    let child = std::env::current_exe().expect("own path");
    let out = Command::new("sh").arg("-c").arg(script).arg(child).env(CHILD, &path).output().expect("run");
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{said}{}", String::from_utf8_lossy(&out.stderr));
    let flushed: usize = said.lines().filter_map(|line| line.strip_prefix("flushed ")?.parse().ok()).max().expect("a figure");
    assert!(said.contains("failed"), "the limit was never reached: {said}");

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        assert_eq!(count(&path, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'").await, 1);
        let store = Store::open(&path, options()).await;
        let kept = count(&path, "SELECT count(*) FROM sync").await;
        assert!(kept >= flushed as i64, "{kept} of {flushed}");
        store.record_sync(record(&unit("after"), 1));
        store.flush().await.expect("there is room again");
    });
}

/// Not a test of its own: the child of the test above.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "it reports to its parent")]
async fn child_on_a_small_disk() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let store = Store::open(path, options()).await;
    let mut flushed = 0;
    for number in 0..4000 {
        store.record_sync(record(&unit(&format!("u{number}")), number));
        if number % 20 == 19 {
            match store.flush().await {
                Ok(()) => {
                    flushed = number + 1;
                    println!("flushed {flushed}");
                }
                Err(error) => {
                    println!("failed {}", error.code());
                    assert!(matches!(error, StoreError::Full { .. } | StoreError::Io { .. }), "{error:?}");
                    assert!(store.health().queued > 0, "what failed still waits");
                    assert!(lines(&store, "u0").await == 1, "questions are still answered");
                    return;
                }
            }
        }
    }
    assert_eq!(flushed, 4000);
}

#[tokio::test]
async fn a_read_only_file_is_said_to_be_one() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("history.db");
    let store = Store::open(&path, options()).await;
    store.record_sync(record(&unit("shop"), 1));
    store.close().await.expect("close");
    // A file format that may be read and not written: refuses writes to everybody, root too.
    let file = std::fs::OpenOptions::new().write(true).open(&path).expect("open");
    file.write_all_at(&[9], 18).expect("patch");
    let store = Store::open(&path, options()).await;
    assert_eq!(code_of(&store), Some("readOnly"), "{:?}", store.health());
    file.write_all_at(&[2], 18).expect("patch");
    store.flush().await.expect("flush");
    assert_eq!(lines(&store, "shop").await, 1);
}

/// Overwrites all pages but the first with nonsense.
fn damage(path: &Path) {
    let file = std::fs::OpenOptions::new().write(true).open(path).expect("open");
    let length = file.metadata().expect("length").len();
    for page in (4096..length).step_by(4096) {
        file.write_all_at(&[0xa5; 4096], page).expect("write");
    }
}

#[tokio::test]
async fn a_damaged_file_is_put_aside_and_a_new_one_begun() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("history.db");
    for round in 0..5 {
        let store = Store::open(&path, options()).await;
        store.record_sync(record(&unit("shop"), round));
        store.flush().await.expect("flush");
        assert_eq!(lines(&store, "shop").await, 1);
        store.close().await.expect("close");
        damage(&path);
    }
    let store = Store::open(&path, options()).await;
    store.flush().await.expect("flush");
    let aside = store.health().set_aside.expect("put aside");
    assert!(Path::new(&aside).exists());
    let files = std::fs::read_dir(folder.path()).expect("list").flatten();
    let is_main = |name: String| name.rsplit_once(".damaged-").is_some_and(|(_, rest)| rest.bytes().all(|byte| byte.is_ascii_digit()));
    let kept = files.filter(|entry| is_main(entry.file_name().to_string_lossy().into_owned())).count();
    assert_eq!(kept, 3, "the newest few are kept for whoever wants to look");
}

#[tokio::test]
async fn damage_that_a_question_finds_is_put_aside_too() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("history.db");
    let store = Store::open(&path, options()).await;
    (0..20).for_each(|number| store.record_sync(record(&unit("shop"), number)));
    store.close().await.expect("close");
    let store = Store::open(&path, options()).await;
    damage(&path);
    let asked = store.history(&unit("shop"), 1000).await;
    assert!(asked.as_ref().is_err_and(|error| error.code() == "corrupt"), "{asked:?}");
    store.record_sync(record(&unit("shop"), 99));
    store.flush().await.ok();
    store.flush().await.expect("flush");
    assert_eq!(lines(&store, "shop").await, 1);
    assert!(store.health().set_aside.is_some());
}

#[tokio::test]
async fn what_is_not_ours_is_left_alone() {
    let folder = tempfile::tempdir().expect("folder");
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "not a database, and somebody's").expect("write");
    let foreign = folder.path().join("foreign.db");
    let mut other = sqlx::sqlite::SqliteConnectOptions::new().filename(&foreign).create_if_missing(true).connect().await.expect("open");
    sqlx::raw_sql("CREATE TABLE theirs (a)").execute(&mut other).await.expect("table");
    other.close().await.expect("close");
    for path in [&text, &foreign] {
        let before = std::fs::read(path).expect("read");
        let store = Store::open(path, options()).await;
        assert_eq!(code_of(&store), Some("notOurs"), "{}", path.display());
        store.record_sync(record(&unit("shop"), 1));
        store.flush().await.expect_err("not ours");
        store.close().await.expect_err("not ours");
        assert!(std::fs::read(path).expect("read") == before, "{} was changed", path.display());
    }
    let store = Store::open(folder.path(), options()).await;
    assert_eq!(code_of(&store), Some("cannotOpen"));
    let store = Store::open(text.join("history.db"), options()).await;
    assert_eq!(code_of(&store), Some("cannotOpen"));
}

#[tokio::test]
async fn another_versions_tables_are_left_alone() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("history.db");
    Store::open(&path, options()).await.close().await.expect("close");
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', 1, x'00', 0)";
    execute(&path, newer).await.expect("insert");
    let store = Store::open(&path, options()).await;
    assert_eq!(code_of(&store), Some("otherVersion"));
    assert_eq!(count(&path, "SELECT count(*) FROM _sqlx_migrations").await, 2);
}

#[tokio::test]
async fn a_record_that_is_refused_does_not_hold_up_the_others() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("history.db");
    let store = Store::open(&path, options()).await;
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON sync WHEN NEW.error = 'poison' BEGIN SELECT RAISE (ABORT, 'refused'); END";
    execute(&path, refuse).await.expect("trigger");
    for number in 0..30 {
        let error = (number % 10 == 3).then(|| "poison".to_owned());
        store.record_sync(SyncRecord { error, ..record(&unit("shop"), number) });
    }
    store.flush().await.expect("flush");
    assert_eq!((store.health().rejected, lines(&store, "shop").await), (3, 27));
    assert_eq!(store.audit_log(None, 1).await.expect("audit")[0].detail["rejected"], 3);
}
