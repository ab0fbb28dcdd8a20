//! Bad commits: they name their place, hurt nobody else, and the next good one goes live by itself.

use std::time::{Duration, Instant};

use plumb_controller::core::{Activity, Stage, SyncWord, Work};
use plumb_plan::HealthStatus;

use crate::Bench;

fn web(image: &str, more: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      {more}
      containers:
        - name: web
          image: {image}
"
    )
}

fn image(bench: &Bench) -> String {
    let live = bench.live("deployment/web").unwrap();
    live["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
}

#[test]
fn a_bad_commit_leaves_what_is_live_and_the_fix_goes_live_by_itself() {
    let mut bench = Bench::several();
    bench.declare("shop", "");
    bench.declare("other", "");
    bench.repo.write("apps/shop/web.yaml", web("web:1", "")).unwrap();
    bench.config_map("shop", "beside", "1");
    bench.config_map("other", "theirs", "1");
    bench.push("Add both");
    bench.start();
    bench.until_synced("shop");
    bench.until_synced("other");
    let uid = bench.uid("deployment/web");

    bench.repo.write("apps/shop/web.yaml", web("[web]", "")).unwrap();
    bench.config_map("shop", "beside", "2");
    bench.config_map("other", "theirs", "2");
    bench.push("Make the image a list");
    bench.until("the error names its place", || bench.failure("shop").contains("apps/shop/web.yaml:1:1: Deployment.apps"));
    assert!(bench.failure("shop").contains(".image: expected string"), "{}", bench.failure("shop"));
    bench.until_synced("other");
    assert_eq!(bench.value("theirs").as_deref(), Some("2"));
    assert_eq!(image(&bench), "web:1");
    let shop = bench.unit("shop").unwrap().status;
    assert_eq!((shop.sync, shop.health), (SyncWord::OutOfSync, HealthStatus::Healthy));

    bench.repo.write("apps/shop/web.yaml", "kind: [\n  unclosed").unwrap();
    bench.config_map("shop", "beside", "3");
    bench.push("Break the YAML");
    bench.until("the other error names its place", || bench.failure("shop").contains("apps/shop/web.yaml:2:"));
    assert_eq!((image(&bench).as_str(), bench.value("beside").as_deref()), ("web:1", Some("2")));

    bench.repo.write("apps/shop/web.yaml", web("web:3", "")).unwrap();
    bench.push("Fix it");
    bench.until_synced("shop");
    assert_eq!((image(&bench).as_str(), bench.value("beside").as_deref()), ("web:3", Some("3")));
    assert_eq!(bench.failure("shop"), "");
    assert_eq!(bench.uid("deployment/web"), uid);
}

#[test]
fn a_fix_overtakes_a_roll_out_that_never_gets_healthy() {
    let mut bench = Bench::new();
    bench.declare("shop", "");
    bench.repo.write("apps/shop/web.yaml", web("web:1", "nodeSelector: {nobody: has-this}")).unwrap();
    bench.push("Add a Deployment that fits no node");
    bench.start();
    let waits = |bench: &Bench| {
        bench.unit("shop").is_some_and(|unit| matches!(unit.status.activity, Activity::Working(Work::Sync(_, Stage::Wait))))
    };
    bench.until("it waits for health", || waits(&bench));
    let uid = bench.uid("deployment/web");

    bench.repo.write("apps/shop/web.yaml", web("web:2", "")).unwrap();
    let begun = Instant::now();
    bench.push("Fix it");
    bench.until_synced("shop");
    assert!(begun.elapsed() < Duration::from_secs(20), "the fix took {:?}", begun.elapsed());
    assert_eq!((image(&bench).as_str(), bench.uid("deployment/web")), ("web:2", uid));
}

#[test]
fn a_mistake_in_a_declaration_leaves_its_unit_as_it_was() {
    let mut bench = Bench::several();
    bench.declare("shop", "");
    bench.declare("other", "");
    bench.config_map("shop", "ours", "1");
    bench.config_map("other", "theirs", "1");
    bench.push("Add both");
    bench.start();
    bench.until_synced("shop");
    let uid = bench.uid("configmap/ours");

    bench
        .repo
        .write(
            "units/shop.yaml",
            "apiVersion: plumb.dev/v1alpha1\nkind: Unit\nmetadata: {name: shop, namespace: team}\nspec: {sorce: {}}\n",
        )
        .unwrap();
    bench.config_map("other", "theirs", "2");
    bench.push("Mistype the source");
    let problem = |bench: &Bench| {
        bench.operator().sources().iter().any(|source| source.status.problems.iter().any(|text| text.contains("units/shop.yaml:4:")))
    };
    bench.until("the root names the place", || problem(&bench));
    bench.until_synced("other");
    assert_eq!(bench.value("theirs").as_deref(), Some("2"));
    assert_eq!((bench.uid("configmap/ours"), bench.unit("shop").unwrap().status.health), (uid.clone(), HealthStatus::Healthy));

    bench.declare("shop", "");
    bench.config_map("shop", "ours", "2");
    bench.push("Fix it");
    bench.until_synced("shop");
    assert_eq!((bench.value("ours").as_deref(), bench.uid("configmap/ours")), (Some("2"), uid));
    bench.until("no problem is left", || !problem(&bench));
}
