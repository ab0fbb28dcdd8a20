//! The daily story: roll-out, drift, prune, holds, bad commits, rollback.

use plumb_controller::core::{Gate, Order};
use plumb_store::Trigger;

use crate::Bench;

const WEB: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: registry.example.com/web:1, ports: [{containerPort: 80}]}]
";

#[test]
fn a_commit_rolls_out_drift_is_reverted_and_a_deleted_file_is_pruned() {
    let mut bench = Bench::new();
    bench.declare("shop", "");
    bench.repo.write("apps/shop/web.yaml", WEB).unwrap();
    bench.config_map("shop", "a", "1");
    bench.config_map("shop", "b", "1");
    bench.push("Add the shop");
    bench.start();
    bench.until_synced("shop");
    let uid = bench.live("deployment/web").unwrap()["metadata"]["uid"].clone();

    bench.plane.kubectl(&["-n", &bench.namespace, "scale", "deployment/web", "--replicas=5"]).unwrap();
    bench.until("the replicas are two again", || bench.live("deployment/web").unwrap()["spec"]["replicas"] == 2);
    let history = |bench: &Bench| {
        bench.block_on(async {
            bench.operator().store().flush().await.unwrap();
            bench.operator().store().history(&bench.operator().key("team", "shop"), 10).await.unwrap()
        })
    };
    bench.until("the history tells of the drift", || history(&bench).iter().any(|sync| sync.drifted > 0));
    let sync = history(&bench).into_iter().find(|sync| sync.drifted > 0).unwrap();
    let detail = bench.block_on(bench.operator().store().sync(sync.id)).unwrap();
    assert_eq!(detail.drift[0].path, "spec.replicas");
    assert_eq!(detail.drift[0].manager.as_deref(), Some("kubectl"));

    bench.repo.remove("apps/shop/b.yaml").unwrap();
    bench.config_map("shop", "a", "2");
    bench.push("Drop b");
    bench.until_synced("shop");
    assert_eq!(bench.value("a").as_deref(), Some("2"));
    bench.until("b is pruned", || bench.value("b").is_none());
    assert_eq!(bench.live("deployment/web").unwrap()["metadata"]["uid"], uid);
}

#[test]
fn a_large_deletion_waits_for_approval_and_does_not_hold_up_the_rest() {
    let mut bench = Bench::new();
    bench.declare("shop", "");
    for nth in 0..12 {
        bench.config_map("shop", &format!("text-{nth}"), "1");
    }
    bench.config_map("shop", "keep", "1");
    bench.push("Add the shop");
    bench.start();
    bench.until_synced("shop");

    for nth in 0..12 {
        bench.repo.remove(&format!("apps/shop/text-{nth}.yaml")).unwrap();
    }
    bench.config_map("shop", "keep", "2");
    bench.push("Drop all texts");
    bench.until("the rest is applied", || bench.value("keep").as_deref() == Some("2"));
    let digest = |bench: &Bench| {
        bench.unit("shop")?.status.gates.into_iter().find_map(|gate| match gate {
            Gate::Approval { digest, .. } => Some(digest),
            _ => None,
        })
    };
    bench.until("an approval is asked for", || digest(&bench).is_some());
    assert_eq!(bench.value("text-3").as_deref(), Some("1"));
    let approval = Order::Approve { digest: digest(&bench).unwrap() };
    bench.order("shop", approval);
    bench.until("the texts are gone", || bench.value("text-3").is_none());
    bench.until_synced("shop");
}

#[test]
fn drift_that_is_only_reported_stays_reported_until_it_is_over() {
    let mut bench = Bench::new();
    bench.declare("shop", "  policy: {drift: report}\n");
    bench.config_map("shop", "a", "1");
    bench.push("Add the shop");
    bench.start();
    bench.until_synced("shop");
    let patch = |value: &str| {
        let body = format!("{{\"data\":{{\"value\":\"{value}\"}}}}");
        bench.plane.kubectl(&["-n", &bench.namespace, "patch", "configmap/a", "--type=merge", "-p", &body]).unwrap();
    };
    let drift = || bench.unit("shop").unwrap().status.drift;

    patch("mine");
    bench.until("the drift is reported", || drift().is_some_and(|drift| drift.contains("data.value changed by kubectl")));
    bench.order("shop", Order::Reconcile);
    assert_eq!((bench.value("a").as_deref(), drift().is_some()), (Some("mine"), true), "nothing was written, and the report stands");
    let last = bench.history("shop").remove(0);
    assert_eq!(last.drifted, 1, "recorded again");
    assert!(matches!(&last.trigger, Trigger::Request { by, .. } if by == "ada"), "under who asked: {:?}", last.trigger);

    patch("1");
    bench.until("the report is over", || drift().is_none());
}
