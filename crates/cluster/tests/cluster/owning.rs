//! Owning: inventories that two processes cannot both write, and the lease that one process holds.

use std::time::Duration;

use plumb_cluster::{ClusterError, Inventories, InventoryRecord, Lease, LeaseOptions, LeaseState, MAX_PART};
use plumb_manifest::{Digest, ObjectKey};
use plumb_unit::{InventoryItem, NodeKey};
use serde_json::json;
use tokio::time::Instant;

use crate::support::Bed;

fn record(bed: &Bed, items: usize) -> InventoryRecord {
    let mut record = InventoryRecord::empty(NodeKey::unit(&bed.installation, "team-a", "shop"));
    record.inventory.items = (0..items)
        .map(|at| InventoryItem {
            key: ObjectKey::new("apps", "Deployment", Some("somewhere"), &format!("name-of-an-object-{at:05}")),
            version: "v1".to_owned(),
            uid: Some("0f8fad5b-d9cb-469f-a165-70867728950e".to_owned()),
            manifest: Digest::of(&at.to_le_bytes()),
            ended: None,
        })
        .collect();
    record
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_writer_is_noticed_at_its_first_write() {
    let bed = Bed::new("inventory").await;
    let (one, other) = (Inventories::new(&bed.cluster), Inventories::new(&bed.again().await));
    let mut mine = record(&bed, 1);
    assert!(one.write(&mine, None).await.expect("written"));
    assert!(!one.write(&mine, None).await.expect("nothing to write"));
    assert_eq!(other.load().await.expect("loaded").records, [mine.clone()]);

    let mut theirs = mine.clone();
    theirs.gates = json!({"suspend": {"by": "somebody"}});
    assert!(other.write(&theirs, None).await.expect("written"));
    mine.epoch = 3;
    assert!(matches!(one.write(&mine, None).await, Err(ClusterError::Overtaken { .. })));
    assert_eq!(one.load_one(&mine.unit).await.expect("loaded"), Some(theirs.clone()));
    mine.gates = theirs.gates;
    assert!(one.write(&mine, None).await.expect("written"));
    assert!(matches!(other.write(&record(&bed, 0), None).await, Err(ClusterError::Overtaken { .. })));

    // An older epoch does not even ask.
    other.load().await.expect("loaded");
    let before = bed.cluster.requests();
    assert!(matches!(other.write(&record(&bed, 0), None).await, Err(ClusterError::Overtaken { .. })));
    assert_eq!(bed.cluster.requests(), before);
    other.delete(&mine.unit, None).await.expect("deleted");
    assert!(one.load().await.expect("loaded").records.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_inventory_lies_in_parts() {
    let bed = Bed::new("parts").await;
    let inventories = Inventories::new(&bed.cluster);
    let long = record(&bed, 12_000);
    inventories.write(&long, None).await.expect("written");
    let parts = || {
        let selector = format!("plumb.dev/inventory={}", bed.installation);
        let list = bed.access.json(&["-n", "plumb-system", "get", "configmaps", "-l", &selector]).expect("list");
        list["items"].as_array().expect("items").iter().map(|map| map["data"]["record"].as_str().expect("part").len()).collect::<Vec<_>>()
    };
    assert!(parts().len() > 1 && parts().iter().all(|part| *part <= MAX_PART), "{:?}", parts());
    assert_eq!(Inventories::new(&bed.cluster).load().await.expect("loaded").records, [long]);
    let short = record(&bed, 1);
    inventories.write(&short, None).await.expect("written");
    assert_eq!(parts().len(), 1);
    assert_eq!(inventories.load_one(&short.unit).await.expect("loaded"), Some(short));
}

/// A record that somebody damaged is not the record of a unit that owns nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_inventory_is_told() {
    let bed = Bed::new("damaged").await;
    let inventories = Inventories::new(&bed.cluster);
    let record = record(&bed, 1);
    inventories.write(&record, None).await.expect("written");
    let name = format!("plumb-{}-{}", bed.installation, plumb_plan::UnitHash::of(&record.unit));
    bed.access.kubectl(&["-n", "plumb-system", "patch", "configmap", &name, "-p", r#"{"data":{"record":"{"}}"#]).expect("patched");
    let loaded = inventories.load().await.expect("loaded");
    assert_eq!((loaded.records.len(), loaded.damaged.len(), loaded.damaged[0].0.clone()), (0, 1, name));
    assert!(inventories.load_one(&record.unit).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_holds_the_lease() {
    let bed = Bed::new("lease").await;
    let options = LeaseOptions::default();
    let one = Lease::start(&bed.cluster, "one", options);
    let fence = tokio::time::timeout(Duration::from_secs(10), one.held()).await.expect("in time").expect("held");
    assert!(fence.holds());
    let other = Lease::start(&bed.again().await, "other", options);
    let mut state = other.watch();
    let waiting = state.wait_for(|state| matches!(state, LeaseState::Waiting { holder: Some(_), .. })).await.expect("state").clone();
    assert_eq!(waiting, LeaseState::Waiting { holder: Some("one".to_owned()), trouble: None });

    // The first one dies without a word.
    drop(one);
    let died = Instant::now();
    assert!(!fence.holds());
    let second = tokio::time::timeout(Duration::from_secs(10), other.held()).await.expect("in time").expect("held");
    assert!(died.elapsed() <= Duration::from_secs(5), "{:?}", died.elapsed());
    assert!(second.holds() && second.epoch() > fence.epoch());

    // The second one gives it back: the third does not wait for it to run out.
    let third = Lease::start(&bed.again().await, "third", options);
    let mut state = third.watch();
    state.wait_for(|state| matches!(state, LeaseState::Waiting { holder: Some(_), .. })).await.expect("state");
    other.release().await;
    let released = Instant::now();
    tokio::time::timeout(Duration::from_secs(10), third.held()).await.expect("in time").expect("held");
    assert!(released.elapsed() < Duration::from_secs(2), "{:?}", released.elapsed());
    assert!(!second.holds());
}

/// Somebody wrote the lease: its holder stops writing at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_taken_away_is_lost() {
    let bed = Bed::new("taken").await;
    let lease = Lease::start(&bed.cluster, "one", LeaseOptions::default());
    let fence = lease.held().await.expect("held");
    let name = format!("plumb-{}", bed.installation);
    let patch = r#"{"spec":{"holderIdentity":"somebody","leaseTransitions":9}}"#;
    bed.access.kubectl(&["-n", "plumb-system", "patch", "lease", &name, "--type=merge", "-p", patch]).expect("patched");
    let mut state = lease.watch();
    let wait = state.wait_for(|state| matches!(state, LeaseState::Waiting { .. }));
    tokio::time::timeout(Duration::from_secs(5), wait).await.expect("in time").expect("state");
    assert!(!fence.holds());
    let later = tokio::time::timeout(Duration::from_secs(10), lease.held()).await.expect("in time").expect("held again");
    assert_eq!(later.epoch(), 10);
}
