//! Owns the proof that a secret never lies in the file in clear, with a key and without one.

use std::path::Path;

use plumb_manifest::{FieldPath, ObjectKey, Segment};
use plumb_plan::FieldChange;
use plumb_store::{BuildInput, BuildRecord, DriftEntry, Key, Options, Store, SyncRecord, Which};
use serde_json::json;

use super::{build, count, file, options, record, unit};

const CANARY: &str = "c4nary-5up3r-s3cr3t";
/// What base64 makes of the middle of the canary, whatever stands before it.
const CANARY_BASE64: [&str; 3] = ["YzRuYXJ5LTV1cDNyLXMzY3Iz", "RuYXJ5LTV1cDNyLXMzY3Iz", "5hcnktNXVwM3ItczNjcj"];

fn with_canaries(number: usize) -> SyncRecord {
    let manifest = format!("kind: Secret\nstringData:\n  password: {CANARY}\n  token: {CANARY}-{number}\n");
    let secret = ObjectKey::new("", "Secret", Some("shop"), "login");
    let config = ObjectKey::new("", "ConfigMap", Some("shop"), "tainted");
    let path = FieldPath(vec![Segment::Key("data".into()), Segment::Key("password".into())]);
    let change = FieldChange { path, old: Some(json!(CANARY)), new: Some(json!([CANARY])), manager: Some("kubectl-edit".into()) };
    let mut sync = record(&unit("shop"), number);
    sync.build = BuildRecord::Files(BuildInput {
        spec: json!({"values": CANARY}),
        spec_secret: true,
        files: vec![file("secret.yaml", &manifest, true), file("short", CANARY, true), file("open.yaml", "a: 1", false)],
        ..build(number)
    });
    sync.drift = vec![DriftEntry::of(&secret, &change, true, false), DriftEntry::of(&config, &change, true, true)];
    // One that was put together by hand, past the constructor.
    let mut by_hand = DriftEntry::of(&secret, &change, false, false);
    by_hand.new = Some(json!(CANARY));
    sync.drift.push(by_hand);
    sync
}

/// Looks for the canary in every byte of every file beside the database.
fn assert_no_canary(folder: &Path) {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("list") {
        let path = entry.expect("entry").path();
        let bytes = std::fs::read(&path).expect("read");
        seen += bytes.len();
        for needle in CANARY_BASE64.iter().chain([&CANARY]) {
            let found = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
            assert!(!found, "{} holds {needle}", path.display());
        }
    }
    assert!(seen > 8192, "the files hold something at all");
}

#[tokio::test]
async fn with_a_key_secrets_lie_encrypted_and_come_back() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("history.db");
    let keyed = || Options { key: Some(Key::from_bytes(&[3; 32])), ..options() };
    let store = Store::open(&path, keyed()).await;
    (1..4).for_each(|number| store.record_sync(with_canaries(number)));
    store.flush().await.expect("flush");
    assert_no_canary(folder.path());

    // The unit and the short file once, the manifest three times: all sealed. Only the open file lies as it is.
    assert_eq!(count(&path, "SELECT count(*) FROM blob WHERE form = 2 AND key_id IS NOT NULL").await, 5);
    assert_eq!(count(&path, "SELECT count(*) FROM blob WHERE form <> 2").await, 1);

    let line = &store.history(&unit("shop"), 1).await.expect("history")[0];
    assert!(line.offline_rollback);
    let found = store.recorded_request(&unit("shop"), &Which::Sync(line.id)).await.expect("build");
    assert_eq!(found.spec, json!({"values": CANARY}));
    let secret = found.files.iter().find(|file| file.path.as_str() == "short").expect("file");
    assert_eq!((&*secret.content, secret.secret), (CANARY.as_bytes(), true));
    let told = format!("{found:?} {:?} {:?}", with_canaries(1).build, with_canaries(1).drift);
    assert!(!told.replace(&found.spec.to_string(), "").contains("password: "), "{told}");
    let drift = store.sync(line.id).await.expect("detail").drift;
    assert!(drift.iter().all(|entry| entry.old == Some(json!("(secret)")) && entry.new == Some(json!("(secret)"))), "{drift:?}");
    store.close().await.expect("close");
    assert_no_canary(folder.path());

    let id = line.id;
    for key in [None, Some(Key::from_bytes(&[4; 32]))] {
        let store = Store::open(&path, Options { key, ..options() }).await;
        let line = &store.history(&unit("shop"), 1).await.expect("history")[0];
        assert_eq!(line.offline_rollback_reason.as_deref(), Some("its secret files are encrypted with a key that was not given"));
        let error = store.recorded_request(&unit("shop"), &Which::Sync(id)).await.map(drop).expect_err("no key");
        assert_eq!(error.code(), "notRebuildable");
        store.close().await.expect("close");
    }
}

#[tokio::test]
async fn without_a_key_the_unit_has_no_offline_rollback_and_says_why() {
    let folder = tempfile::tempdir().expect("folder");
    let store = Store::open(folder.path().join("history.db"), options()).await;
    store.record_sync(with_canaries(1));
    store.record_sync(record(&unit("other"), 2));
    store.flush().await.expect("flush");
    assert_no_canary(folder.path());
    let line = &store.history(&unit("shop"), 1).await.expect("history")[0];
    let why = "it read files that hold secrets, and the history was given no key to encrypt them with";
    assert_eq!((line.offline_rollback, line.offline_rollback_reason.as_deref()), (false, Some(why)));
    let error = store.recorded_request(&unit("shop"), &Which::Sync(line.id)).await.map(drop).expect_err("hashes only");
    assert!(error.to_string().ends_with(why), "{error}");
    assert!(store.history(&unit("other"), 1).await.expect("history")[0].offline_rollback);
    store.close().await.expect("close");
    assert_no_canary(folder.path());
}
