//! Restarts: what stands is not written again, and what happened meanwhile is caught up with.

use plumb_store::SyncOutcome;

use crate::Bench;

const SERVICE: &str = "apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80}]
";
const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: web:1, ports: [{containerPort: 80}], resources: {requests: {cpu: 1000m}}}]
";

fn two_units() -> Bench {
    let mut bench = Bench::several();
    bench.declare("shop", "");
    bench.declare("other", "");
    bench.repo.write("apps/shop/web.yaml", format!("{WEB}---\n{SERVICE}")).unwrap();
    bench.repo.write("apps/shop/secret.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: login}\nstringData: {user: ada}\n").unwrap();
    for nth in 0..3 {
        bench.config_map("shop", &format!("text-{nth}"), "1");
    }
    bench.config_map("other", "theirs", "1");
    bench.push("Add both");
    bench.start();
    at_rest(&bench);
    bench
}

/// Waits until both units were built and synced since the start.
fn at_rest(bench: &Bench) {
    bench.until("both units are built", || bench.counter("plumb_builds_total") >= 2);
    bench.until_at_rest("shop");
    bench.until_at_rest("other");
}

#[test]
fn a_restart_writes_nothing() {
    let mut bench = two_units();
    let before = bench.versions();
    bench.stop();
    bench.start();
    at_rest(&bench);
    assert_eq!(bench.versions(), before);
}

#[test]
fn what_happened_while_it_was_down_is_caught_up_with() {
    let mut bench = two_units();
    let uid = bench.uid("deployment/web");
    bench.stop();
    bench.plane.kubectl(&["-n", &bench.namespace, "scale", "deployment/web", "--replicas=3"]).unwrap();
    bench.plane.kubectl(&["-n", &bench.namespace, "delete", "configmap/text-0"]).unwrap();
    bench.repo.remove("apps/shop/text-1.yaml").unwrap();
    bench.config_map("other", "theirs", "2");
    bench.push("Drop one, change one");
    bench.start();
    at_rest(&bench);
    bench.until("what Git dropped is pruned", || bench.value("text-1").is_none());
    bench.until("the replicas are reverted", || bench.live("deployment/web").unwrap()["spec"]["replicas"] == 1);
    bench.until("what was deleted is back", || bench.value("text-0").as_deref() == Some("1"));
    assert_eq!((bench.value("theirs").as_deref(), bench.uid("deployment/web")), (Some("2"), uid));
}

#[test]
fn without_its_history_nothing_changes() {
    let mut bench = two_units();
    let before = bench.versions();
    bench.stop();
    std::fs::remove_dir_all(bench.folder.path().join("state")).unwrap();
    bench.start();
    at_rest(&bench);
    assert_eq!(bench.versions(), before);
    assert!(bench.history("shop").iter().all(|sync| sync.objects_changed == 0));

    bench.config_map("shop", "text-2", "2");
    bench.push("Change one");
    bench.until_synced("shop");
    let newest = bench.history("shop").into_iter().next().unwrap();
    assert_eq!((newest.outcome, newest.objects_changed), (SyncOutcome::Succeeded, 1));
}

#[test]
fn a_crash_leaves_nothing_that_a_person_has_to_lift() {
    let mut bench = two_units();
    let before = bench.versions();
    for nth in 0..12 {
        bench.config_map("shop", &format!("more-{nth}"), "1");
    }
    bench.push("Add more");
    bench.kill();
    bench.start();
    bench.until_at_rest("shop");
    let after = bench.versions();
    assert!((0..12).all(|nth| after.contains_key(&format!("ConfigMap/more-{nth}"))));
    assert!(before.iter().filter(|(name, _)| !name.contains("plumb-")).all(|(name, (uid, _))| after[name].0 == *uid));
}
