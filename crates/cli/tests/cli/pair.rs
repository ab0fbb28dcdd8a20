//! Two `plumb serve` of one installation at once: one writes, the other takes over, and nobody undoes what the other did.

use std::time::{Duration, Instant};

use crate::live::KINDS;
use crate::serve::Serve;
use crate::world::{APP, Site, World};

/// How long nothing may be written at rest, in seconds.
const REST_S: u32 = 2;

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(25));
    }
}

/// Returns what a watch of every kind sees in a site while nothing should happen.
fn written_at_rest(world: &World, site: &Site) -> String {
    let watch = |(kind, path): (&str, &str)| {
        let plural = kind.split('.').next().unwrap();
        let list = format!("{path}/namespaces/{}/{plural}", site.namespace);
        let now: serde_json::Value = serde_json::from_str(&world.plane.kubectl(&["get", "--raw", &list]).unwrap()).unwrap();
        let version = now["metadata"]["resourceVersion"].as_str().unwrap();
        world.plane.kubectl(&["get", "--raw", &format!("{list}?watch=true&timeoutSeconds={REST_S}&resourceVersion={version}")]).unwrap()
    };
    std::thread::scope(|scope| {
        let watches: Vec<_> = KINDS.into_iter().map(|kind| scope.spawn(move || watch(kind))).collect();
        watches.into_iter().map(|watch| watch.join().unwrap()).collect()
    })
}

#[test]
fn two_processes_of_one_installation_do_no_harm() {
    let world = World::new();
    let site = world.site();
    world.declare(&site, APP, "wait: false");
    let web = |image: &str| {
        format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: 0\n  selector: {{matchLabels: {{app: web}}}}\n  \
             template:\n    metadata: {{labels: {{app: web}}}}\n    spec:\n      containers: [{{name: web, image: \"web:{image}\"}}]\n"
        )
    };
    let write = |value: &str| {
        (0..5).for_each(|nth| world.config_map(APP, &format!("text-{nth}"), value));
        world.repo.write(&format!("apps/{APP}/web.yaml"), web(value)).unwrap();
        world.push(&format!("Make it {value}"))
    };
    let first = write("1");
    let (one, two) = (Serve::another(&site, "one"), Serve::another(&site, "two"));
    until("one of them has done it", || one.is_synced(APP, &first) || two.is_synced(APP, &first));
    assert!(one.leads() != two.leads(), "one of them writes");
    let before = world.live();

    let second = write("2");
    let (died, leader, mut other) = if one.leads() { ("one", one, two) } else { ("two", two, one) };
    until("the leader does it", || leader.is_synced(APP, &second));
    let third = write("3");
    leader.kill();
    other.until_synced(APP, &third);
    assert!(other.leads());

    let live = world.live();
    world.assert_is_git(&site, APP, &live, "two processes");
    assert_eq!(before.uids(&site), live.uids(&site));
    let manager = format!("plumb/{}", site.hash(APP));
    for (name, object) in live.of(&site) {
        let managers = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
        let writers: Vec<_> =
            managers.iter().filter(|entry| entry["subresource"].is_null()).map(|entry| entry["manager"].clone()).collect();
        assert!(writers.iter().all(|writer| *writer == manager.as_str() || *writer == "kube-controller-manager"), "{name}: {writers:?}");
        assert!(writers.contains(&manager.as_str().into()), "{name}: {writers:?}");
    }
    assert_eq!(live.of(&site)["Deployment/web"]["metadata"]["generation"], 3, "each commit was written once");
    let back = Serve::another(&site, died);
    until("the one that died stands by", || back.log().contains("does not hold the lease"));
    assert_eq!(written_at_rest(&world, &site), "", "nobody writes at rest");
}
