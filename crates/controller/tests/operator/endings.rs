//! Objects that end by themselves: what is gone as expected is no drift, is not missing, and is not run again.

use plumb_controller::core::{Ended, Order};
use plumb_plan::HealthStatus;
use plumb_store::{ObjectOutcome, SyncDetail, SyncOutcome, Trigger};

use crate::Bench;

fn job(bench: &Bench, name: &str, ttl: u32, image: u32) {
    let text = format!(
        "apiVersion: batch/v1
kind: Job
metadata: {{name: {name}}}
spec:
  ttlSecondsAfterFinished: {ttl}
  template:
    spec:
      restartPolicy: Never
      containers: [{{name: main, image: \"registry.example.com/migrate:{image}\"}}]
"
    );
    bench.repo.write(&format!("apps/shop/{name}.yaml"), text).unwrap();
}

fn is_gone(bench: &Bench, name: &str) -> bool {
    bench.live(&format!("job/{name}")).is_none()
}

/// Everything that the history tells of the shop, the newest first.
fn syncs(bench: &Bench) -> Vec<SyncDetail> {
    let lines = bench.history("shop");
    bench.block_on(async {
        let mut all = Vec::new();
        for line in lines {
            all.push(bench.operator().store().sync(line.id).await.unwrap());
        }
        all
    })
}

/// How often an object came to something, by the history.
fn times(bench: &Bench, name: &str, result: ObjectOutcome) -> usize {
    syncs(bench).iter().flat_map(|sync| &sync.objects).filter(|object| object.name == name && object.result == result).count()
}

/// Whether the record at the target says that the Job has finished.
fn is_noted(bench: &Bench, count: usize) -> bool {
    let records = bench
        .plane
        .json(&["-n", "plumb-system", "get", "configmaps", "-l", &format!("plumb.dev/inventory={}", bench.installation)])
        .unwrap();
    let record: serde_json::Value = serde_json::from_str(records["items"][0]["data"]["record"].as_str().unwrap_or("{}")).unwrap();
    record["ended"].as_array().is_some_and(|ended| ended.len() == count)
}

fn stands(bench: &Bench, value: &str) {
    bench.config_map("shop", "text", value);
    bench.push("Change something else");
    bench.until_synced("shop");
    assert_eq!(bench.value("text").as_deref(), Some(value));
    let status = bench.unit("shop").unwrap().status;
    assert_eq!((status.health, status.drift, status.failure, status.gates), (HealthStatus::Healthy, None, None, Vec::new()));
    assert!(is_gone(bench, "migrate") && is_gone(bench, "quick"));
}

#[test]
fn a_job_that_went_by_itself_stands_until_its_manifest_changes() {
    let mut bench = Bench::several();
    bench.declare("shop", "");
    job(&bench, "migrate", 2, 1);
    // Gone before anybody can ask how it does.
    job(&bench, "quick", 0, 1);
    bench.config_map("shop", "text", "1");
    bench.push("Add the shop");
    bench.start();
    bench.until_synced("shop");
    bench.until("both Jobs are gone", || is_gone(&bench, "migrate") && is_gone(&bench, "quick"));
    bench.until("the record says so", || is_noted(&bench, 2));
    bench.until("so does the history", || {
        times(&bench, "migrate", ObjectOutcome::Ended) == 1 && times(&bench, "quick", ObjectOutcome::Ended) == 1
    });
    let line = syncs(&bench).into_iter().find(|sync| sync.summary.trigger == Trigger::Ended).unwrap();
    assert_eq!((line.summary.outcome, line.summary.drifted), (SyncOutcome::Succeeded, 0));
    assert!(line.objects[0].message.as_ref().unwrap().starts_with("ended by itself"), "{:?}", line.objects);
    stands(&bench, "2");
    assert!(matches!(&*bench.order("shop", Order::Reconcile), Ended::Done { withheld: None }));
    assert!(syncs(&bench).iter().all(|sync| sync.summary.drifted == 0));
    assert_eq!((times(&bench, "migrate", ObjectOutcome::Created), times(&bench, "quick", ObjectOutcome::Created)), (1, 1));

    bench.stop();
    std::fs::remove_dir_all(bench.folder.path().join("state")).unwrap();
    bench.start();
    bench.until("it is built again", || bench.counter("plumb_builds_total") >= 1);
    bench.until_at_rest("shop");
    stands(&bench, "3");
    let earlier = bench.history("shop").into_iter().find(|sync| sync.outcome == SyncOutcome::Succeeded && sync.offline_rollback).unwrap();
    assert_eq!((times(&bench, "migrate", ObjectOutcome::Created), times(&bench, "quick", ObjectOutcome::Created)), (0, 0));

    job(&bench, "migrate", 2, 2);
    bench.push("Migrate again");
    bench.until_synced("shop");
    assert_eq!((times(&bench, "migrate", ObjectOutcome::Created), times(&bench, "quick", ObjectOutcome::Created)), (1, 0));
    bench.until("it is gone again", || is_gone(&bench, "migrate"));
    stands(&bench, "4");

    bench.repo.remove("apps/shop/quick.yaml").unwrap();
    bench.push("Drop one");
    bench.until_at_rest("shop");
    let owns = |bench: &Bench, name: &str| bench.unit("shop").unwrap().inventory.items.iter().any(|item| &*item.key.name == name);
    assert!(!owns(&bench, "quick") && owns(&bench, "migrate"));
    assert_eq!(times(&bench, "quick", ObjectOutcome::Forgotten), 1);

    let record = Some(earlier.id.to_string().as_str().into());
    let ended = bench.order("shop", Order::SyncAt { revisions: earlier.revisions, record });
    assert!(matches!(&*ended, Ended::Done { withheld: None }), "{ended:?}");
    assert_eq!((times(&bench, "migrate", ObjectOutcome::Created), times(&bench, "quick", ObjectOutcome::Created)), (2, 1));
}

#[test]
fn a_job_that_went_while_nobody_watched_is_known_to_have_finished() {
    let mut bench = Bench::several();
    bench.declare("shop", "");
    job(&bench, "migrate", 8, 1);
    bench.config_map("shop", "text", "1");
    bench.push("Add the shop");
    bench.start();
    bench.until_synced("shop");
    assert_eq!(times(&bench, "migrate", ObjectOutcome::Created), 1);
    bench.until("it has finished, and the record says so", || is_noted(&bench, 1));
    assert!(!is_gone(&bench, "migrate"));
    bench.kill();
    bench.until_plainly("it is gone", || is_gone(&bench, "migrate"));
    bench.start();
    bench.until_at_rest("shop");
    job(&bench, "quick", 0, 1);
    bench.push("Another one");
    bench.until_synced("shop");
    bench.until("that is gone too", || is_gone(&bench, "quick"));
    stands(&bench, "2");
    assert_eq!(times(&bench, "migrate", ObjectOutcome::Created), 1, "the history is of both processes");
}

#[test]
fn a_job_that_somebody_takes_away_before_its_time_is_run_again() {
    let mut bench = Bench::several();
    bench.declare("shop", "");
    job(&bench, "migrate", 3600, 1);
    bench.push("Add the shop");
    bench.start();
    bench.until_at_rest("shop");
    let uid = bench.uid("job/migrate");
    bench.plane.kubectl(&["-n", &bench.namespace, "delete", "job/migrate"]).unwrap();
    bench.until("it is run again", || bench.live("job/migrate").is_some_and(|job| job["metadata"]["uid"] != uid.as_str()));
    bench.until("the history tells of drift", || bench.history("shop").iter().any(|sync| sync.drifted > 0));
}
