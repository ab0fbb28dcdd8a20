//! How `plumb serve` begins and ends: SIGTERM in order, and doors that are taken.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::serve::Serve;
use crate::world::{APP, World};

/// How long an end in order may take.
const END: Duration = Duration::from_secs(5);
/// Sooner than the lease of a dead process runs out.
const AT_ONCE: Duration = Duration::from_secs(3);

#[test]
fn sigterm_ends_it_in_order_and_the_next_one_takes_over_at_once() {
    let world = World::new();
    let site = world.site();
    world.declare(&site, APP, "");
    world.config_map(APP, "text", "1");
    let first = world.push("Add the app");
    let mut serve = Serve::start(&site);
    serve.until_synced(APP, &first);
    let (status, took) = serve.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(took < END, "{took:?}");

    let mut next = Serve::start(&site);
    let begun = Instant::now();
    next.until("it may write", Serve::leads);
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());

    // Also in the middle of a roll-out that waits for health.
    world.repo.write(&format!("apps/{APP}/web.yaml"), NEVER_READY).unwrap();
    world.push("Add a Deployment that fits no node");
    next.until("it waits for health", |serve| serve.unit(APP).is_some_and(|unit| unit["activity"]["what"] == "wait"));
    let (status, took) = next.terminate();
    assert_eq!(status.code(), Some(0));
    assert!(took < END, "{took:?}");
}

const NEVER_READY: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeSelector: {nobody: has-this}
      containers: [{name: web, image: \"web:1\"}]
";

#[test]
fn doors_that_are_taken_are_named() {
    let world = World::new();
    let sites = world.sites(2);
    world.declare(&sites[0], APP, "");
    world.config_map(APP, "text", "1");
    let commit = world.push("Add the app");
    let mut serve = Serve::start(&sites[0]);
    serve.until_synced(APP, &commit);

    let refused = |mut command: Command| {
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let socket = sites[0].folder.join("serve.sock");
    let (code, error) = refused(Serve::command_at(&sites[1], "serve", &socket));
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains(&format!("another process listens on `{}`; end it or name another socket", socket.display())), "{error}");

    let (code, error) = refused(Serve::command(&sites[0], "serve"));
    assert_eq!(code, Some(1), "{error}");
    let state = sites[0].folder.join("serve");
    assert!(error.contains(&format!("another `plumb serve` uses the state folder `{}`", state.display())), "{error}");
    assert!(serve.is_synced(APP, &commit), "the first one goes on");
}
