//! Owns the store's tests against real files: what is kept, what is let go of, and what happens when the file fails.

#![expect(clippy::disallowed_methods, reason = "tests own files and processes")]

mod faults;
mod kill;
mod secrets;
mod speed;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use plumb_manifest::{Digest, FieldPath, ObjectKey, Segment};
use plumb_plan::{FieldChange, ObjectResult};
use plumb_store::{
    AuditRecord, BuildInput, BuildRecord, DriftEntry, InputFile, ObjectEntry, Options, PhaseEntry, PlanSummary, Store, StoreError, SyncId,
    SyncOutcome, SyncRecord, Trigger, Which,
};
use plumb_unit::{CommitInfo, NodeKey, Revision, Revisions};
use plumb_world::RelPath;
use serde_json::json;
use sqlx::{ConnectOptions, Connection};

const START_MS: u64 = 1_790_000_000_000;

fn unit(name: &str) -> NodeKey {
    NodeKey::unit("home", "team-a", name)
}

fn options() -> Options {
    Options { busy_timeout: Duration::from_millis(100), ..Options::standard() }
}

fn commit_of(number: usize) -> String {
    format!("{number:04x}{}", "0".repeat(36))
}

fn file(path: &str, content: &str, secret: bool) -> InputFile {
    InputFile { source: "main".into(), path: RelPath::parse(path).expect("path"), content: content.as_bytes().into(), secret }
}

/// A build whose one file differs from number to number, beside one that never does.
fn build(number: usize) -> BuildInput {
    let files = vec![file("deploy/web.yaml", &format!("replicas: {number}\n"), false), file("deploy/common.yaml", "shared: true\n", false)];
    BuildInput { key: Digest::of(&number.to_le_bytes()), spec: json!({"name": "shop", "number": number}), spec_secret: false, files }
}

/// A successful sync of commit `number`, one object changed.
fn record(unit: &NodeKey, number: usize) -> SyncRecord {
    let started_ms = START_MS + number as u64 * 1000;
    let web = ObjectKey::new("apps", "Deployment", Some("shop"), "web");
    SyncRecord {
        id: SyncId::new(started_ms),
        unit: unit.clone(),
        revisions: Revisions::from([(Arc::from("main"), Revision { reference: "main".into(), commit: commit_of(number) })]),
        commit: Some(CommitInfo { author: "Ada <ada@example.com>".into(), subject: format!("Change {number}"), time: 1_790_000_000 }),
        trigger: Trigger::Commit,
        plan: PlanSummary { digest: "d".into(), applies: 1, ..PlanSummary::default() },
        objects: vec![ObjectEntry::of(&web, &ObjectResult::Configured)],
        drift: Vec::new(),
        phases: vec![PhaseEntry { name: "workloads".into(), duration_ms: 12 }],
        outcome: SyncOutcome::Succeeded,
        error: None,
        started_ms,
        ended_ms: started_ms + 250,
        build: BuildRecord::Files(build(number)),
    }
}

fn audit_line(action: &str, unit: Option<NodeKey>) -> AuditRecord {
    AuditRecord {
        at_ms: START_MS,
        unit,
        actor: "ada".into(),
        action: action.into(),
        request: Some("r1".into()),
        why: Some("night shift".into()),
        detail: json!({"untilMs": 5}),
    }
}

/// Counts rows behind the store's back.
async fn count(path: &Path, sql: &'static str) -> i64 {
    let mut other = sqlx::sqlite::SqliteConnectOptions::new().filename(path).connect().await.expect("open");
    let count = sqlx::query_scalar(sql).fetch_one(&mut other).await.expect("count");
    other.close().await.expect("close");
    count
}

async fn execute(path: &Path, sql: &'static str) -> sqlx::Result<()> {
    let mut other = sqlx::sqlite::SqliteConnectOptions::new().filename(path).connect().await?;
    let done = sqlx::raw_sql(sql).execute(&mut other).await.map(drop);
    other.close().await?;
    done
}

#[tokio::test]
async fn everything_of_a_sync_comes_back() {
    let folder = tempfile::tempdir().expect("folder");
    let store = Store::open(folder.path().join("history.db"), options()).await;
    let shop = unit("shop");
    let service = ObjectKey::new("", "Service", Some("shop"), "web");
    let change = FieldChange {
        path: FieldPath(vec![Segment::Key("spec".into()), Segment::Key("replicas".into())]),
        old: Some(json!(3)),
        new: None,
        manager: Some("kubectl-edit".into()),
    };
    let mut first = record(&shop, 1);
    first.trigger = Trigger::Request { id: "r7".into(), by: "ada".into(), why: Some("hotfix".into()) };
    first.objects.push(ObjectEntry::of(&service, &ObjectResult::Failed { message: "port taken".into() }));
    first.drift.push(DriftEntry::of(&service, &change, true, false));
    first.outcome = SyncOutcome::Failed;
    first.error = Some("1 of 2 objects failed".into());
    let id = first.id;
    store.record_sync(first);
    store.flush().await.expect("flush");

    let detail = serde_json::to_value(store.sync(id).await.expect("detail")).expect("json");
    assert_eq!(
        detail,
        json!({
            "id": id.to_string(),
            "unit": {"installation": "home", "kind": "unit", "namespace": "team-a", "name": "shop"},
            "revisions": {"main": {"reference": "main", "commit": commit_of(1)}},
            "commit": {"author": "Ada <ada@example.com>", "subject": "Change 1", "time": 1_790_000_000},
            "trigger": {"kind": "request", "id": "r7", "by": "ada", "why": "hotfix"},
            "outcome": "failed",
            "error": "1 of 2 objects failed",
            "startedMs": START_MS + 1000,
            "endedMs": START_MS + 1250,
            "objectsChanged": 1,
            "objectsFailed": 1,
            "drifted": 1,
            "offlineRollback": true,
            "plan": {"digest": "d", "applies": 1, "hooks": 0, "keeps": 0, "deletes": 0, "releases": 0, "forgets": 0, "holds": []},
            "objects": [
                {"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web", "result": "configured"},
                {"group": "", "kind": "Service", "namespace": "shop", "name": "web", "result": "failed", "message": "port taken"},
            ],
            "drift": [{
                "group": "", "kind": "Service", "namespace": "shop", "name": "web", "path": "spec.replicas", "old": 3,
                "manager": "kubectl-edit", "reverted": true,
            }],
            "phases": [{"name": "workloads", "durationMs": 12}],
        })
    );
    let lines = store.history(&shop, 10).await.expect("history");
    assert_eq!(lines, [store.sync(id).await.expect("detail").summary]);
    assert_eq!(store.history(&unit("other"), 10).await.expect("history"), []);
    assert_eq!(store.sync(SyncId::new(1)).await.map(drop).map_err(|error| error.code()), Err("noSuchSync"));
}

#[tokio::test]
async fn the_newest_fifty_syncs_and_ten_builds_of_a_unit_are_kept() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("history.db");
    let store = Store::open(&path, options()).await;
    let shop = unit("shop");
    let syncs: Vec<SyncRecord> = (0..70).map(|number| record(&shop, number)).collect();
    let ids: Vec<SyncId> = syncs.iter().map(|sync| sync.id).collect();
    syncs.into_iter().for_each(|sync| store.record_sync(sync));
    store.record_sync(record(&unit("quiet-neighbour"), 0));
    store.flush().await.expect("flush");

    let lines = store.history(&shop, 1000).await.expect("history");
    assert!(lines.iter().map(|line| line.id).eq(ids[20..].iter().rev().copied()));
    assert!(lines.iter().enumerate().all(|(nth, line)| line.offline_rollback == (nth < 10)));
    assert_eq!(lines[10].offline_rollback_reason.as_deref(), Some("only the newest builds of a unit are kept"));
    assert_eq!(store.history(&unit("quiet-neighbour"), 9).await.expect("history").len(), 1);
    // Ten builds of one unit and one of the other: two own files each, and the one that all share.
    assert_eq!(count(&path, "SELECT count(*) FROM build").await, 11);
    assert_eq!(count(&path, "SELECT count(*) FROM blob").await, 11 * 2 + 1);
    assert_eq!(count(&path, "SELECT count(*) FROM blob WHERE id NOT IN (SELECT blob FROM build_file)").await, 0);

    let error = store.recorded_request(&shop, &Which::Sync(ids[30])).await.map(drop).expect_err("too old");
    assert_eq!(error.code(), "notRebuildable");
}

#[tokio::test]
async fn the_last_good_builds_outlive_a_row_of_failures() {
    let folder = tempfile::tempdir().expect("folder");
    let store = Store::open(folder.path().join("history.db"), options()).await;
    let shop = unit("shop");
    let good = record(&shop, 1);
    let good_id = good.id;
    store.record_sync(good);
    for number in 2..90 {
        store.record_sync(SyncRecord { outcome: SyncOutcome::Failed, ..record(&shop, number) });
    }
    store.flush().await.expect("flush");
    let found = store.recorded_request(&shop, &Which::Previous).await.expect("the good one");
    assert_eq!((found.sync, found.spec), (good_id, json!({"name": "shop", "number": 1})));
    assert_eq!(store.history(&shop, 1000).await.expect("history").len(), 51);
}

#[tokio::test]
async fn checks_that_found_nothing_leave_one_line() {
    let folder = tempfile::tempdir().expect("folder");
    let store = Store::open(folder.path().join("history.db"), options()).await;
    let shop = unit("shop");
    store.record_sync(record(&shop, 0));
    for number in 1..200 {
        let build = BuildRecord::Same { key: build(0).key };
        store.record_sync(SyncRecord { trigger: Trigger::Interval, objects: Vec::new(), build, ..record(&shop, number) });
    }
    store.flush().await.expect("flush");
    let lines = store.history(&shop, 1000).await.expect("history");
    assert_eq!(lines.iter().map(|line| line.trigger.clone()).collect::<Vec<_>>(), [Trigger::Interval, Trigger::Commit]);
    assert!(lines.iter().all(|line| line.offline_rollback), "the line left stands for the same build");
}

#[tokio::test]
async fn a_build_is_found_by_sync_commit_or_as_the_state_before() {
    let folder = tempfile::tempdir().expect("folder");
    let store = Store::open(folder.path().join("history.db"), options()).await;
    let shop = unit("shop");
    let syncs: Vec<SyncRecord> = (1..5).map(|number| record(&shop, number)).collect();
    let ids: Vec<SyncId> = syncs.iter().map(|sync| sync.id).collect();
    syncs.into_iter().for_each(|sync| store.record_sync(sync));
    // Drift was put right since; it is the same build.
    store.record_sync(SyncRecord { trigger: Trigger::Drift, build: BuildRecord::Same { key: build(4).key }, ..record(&shop, 4) });
    store.record_sync(SyncRecord { build: BuildRecord::Same { key: build(77).key }, ..record(&unit("lone"), 9) });
    store.flush().await.expect("flush");

    let second = store.recorded_request(&shop, &Which::Sync(ids[1])).await.expect("by id");
    let files: Vec<(&str, &[u8])> = second.files.iter().map(|file| (file.path.as_str(), &*file.content)).collect();
    assert_eq!(files, [("deploy/common.yaml", &b"shared: true\n"[..]), ("deploy/web.yaml", b"replicas: 2\n")]);
    assert_eq!((second.key, second.revisions["main"].commit.clone()), (build(2).key, commit_of(2)));
    let by = async |which| store.recorded_request(&shop, &which).await.map(|found| found.spec["number"].clone());
    assert_eq!(by(Which::Commit(commit_of(3))).await, Ok(json!(3)));
    assert_eq!(by(Which::Commit("0002".into())).await, Ok(json!(2)));
    assert_eq!(by(Which::Previous).await, Ok(json!(3)), "not the build before the drift, which is the one that runs");
    let miss = async |unit: &NodeKey, which| store.recorded_request(unit, &which).await.map(drop).map_err(|error| error.code());
    assert_eq!(miss(&shop, Which::Commit("00".into())).await, Err("noSuchBuild"), "too short to mean one");
    assert_eq!(miss(&shop, Which::Commit("ffff".into())).await, Err("noSuchBuild"));
    assert_eq!(miss(&unit("other"), Which::Sync(ids[1])).await, Err("noSuchSync"), "another unit's sync");
    assert_eq!(miss(&unit("lone"), Which::Commit("0009".into())).await, Err("notRebuildable"), "the build it names is not there");
}

#[tokio::test]
async fn a_commit_that_could_be_two_is_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let store = Store::open(folder.path().join("history.db"), options()).await;
    for (number, commit) in [(1, "abcd1"), (2, "abcd2")] {
        let revisions = Revisions::from([(Arc::from("main"), Revision { reference: String::new(), commit: commit.into() })]);
        store.record_sync(SyncRecord { revisions, ..record(&unit("shop"), number) });
    }
    store.flush().await.expect("flush");
    let ask = async |commit: &str| store.recorded_request(&unit("shop"), &Which::Commit(commit.into())).await.map(drop);
    assert!(matches!(ask("abcd").await, Err(StoreError::Ambiguous { .. })));
    assert_eq!(ask("ABCD1").await, Ok(()));
}

#[tokio::test]
async fn a_build_over_the_limit_is_recorded_without_its_files() {
    let folder = tempfile::tempdir().expect("folder");
    let store = Store::open(folder.path().join("history.db"), options()).await;
    let mut sync = record(&unit("shop"), 1);
    let files = (0..3).map(|nth| file(&format!("{nth}"), &" ".repeat(plumb_store::MAX_BUILD_BYTES / 3 + 1), false)).collect();
    // The content is counted in the queue too; nothing else waits, so it is the limit on builds that is reached or the queue's.
    sync.build = BuildRecord::Files(BuildInput { files, ..build(1) });
    store.record_sync(sync);
    store.flush().await.expect("flush");
    let lines = store.history(&unit("shop"), 1).await.expect("history");
    assert!(!lines[0].offline_rollback, "{lines:?}");
}

#[tokio::test]
async fn the_audit_log_is_only_appended_to() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("history.db");
    let store = Store::open(&path, options()).await;
    store.audit(audit_line("suspend", Some(unit("shop"))));
    store.audit(audit_line("started", None));
    store.flush().await.expect("flush");
    let all = store.audit_log(None, 10).await.expect("audit");
    assert_eq!(all.iter().map(|line| line.action.as_str()).collect::<Vec<_>>(), ["started", "suspend"]);
    assert_eq!(
        serde_json::to_value(store.audit_log(Some(&unit("shop")), 10).await.expect("audit")).expect("json"),
        json!([{
            "id": 1, "atMs": START_MS, "unit": {"installation": "home", "kind": "unit", "namespace": "team-a", "name": "shop"},
            "actor": "ada", "action": "suspend", "request": "r1", "why": "night shift", "detail": {"untilMs": 5},
        }])
    );
    for sql in ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"] {
        let error = execute(&path, sql).await.expect_err(sql);
        assert!(error.to_string().contains("only appended to"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_write_and_ask_at_once() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("history.db");
    // Two stores on one file, as two processes would have during a hand-over.
    let stores = [
        Store::open(&path, Options { busy_timeout: Duration::from_secs(20), ..options() }).await,
        Store::open(&path, Options { busy_timeout: Duration::from_secs(20), ..options() }).await,
    ];
    let tasks: Vec<_> = (0..8)
        .map(|writer| {
            let store = stores[writer % 2].clone();
            tokio::spawn(async move {
                let own = unit(&format!("unit-{writer}"));
                for number in 0..100 {
                    store.record_sync(record(&own, number));
                    if number % 10 == 0 {
                        store.flush().await.expect("flush");
                        assert!(store.history(&own, 1).await.expect("history")[0].id <= SyncId::new(u64::MAX >> 12));
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("task");
    }
    for store in &stores {
        store.flush().await.expect("flush");
        assert_eq!(store.health().rejected, 0);
    }
    for writer in 0..8 {
        assert_eq!(stores[0].history(&unit(&format!("unit-{writer}")), 1000).await.expect("history").len(), 50);
    }
    assert_eq!(count(&path, "SELECT count(*) FROM build").await, 80);
}

#[tokio::test]
async fn what_is_closed_says_so() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("history.db");
    let store = Store::open(&path, options()).await;
    store.record_sync(record(&unit("shop"), 1));
    store.close().await.expect("close");
    assert!(!folder.path().join("history.db-wal").exists(), "the log is folded in");
    assert_eq!(store.flush().await, Err(StoreError::Closed));
    let again = Store::open(&path, options()).await;
    assert_eq!(again.history(&unit("shop"), 9).await.expect("history").len(), 1);
}
