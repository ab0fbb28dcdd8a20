//! A plane of its own: what a sync costs, counted by the API server, and what an API server that goes away does to it.

use plumb_controller::core::Gate;
use plumb_plane::{Access, Options, Part, Plane};
use serde_json::Value;

use crate::Bench;

/// Lives as long as the process, as the bench wants it; the plane ends before.
fn access(plane: &Plane) -> &'static Access {
    Box::leak(Box::new(Access::open(plane.directory()).unwrap()))
}

/// Returns what the operator asked for, without what it does for its lease.
fn requests(bench: &Bench) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let ours = |event: &Value| text(&event["userAgent"]).starts_with("plumb") && text(&event["objectRef"]["resource"]) != "leases";
    let events = bench.plane.audit().unwrap();
    let what =
        |event: &Value| (text(&event["verb"]), format!("{}/{}", text(&event["objectRef"]["resource"]), text(&event["objectRef"]["name"])));
    events.iter().filter(|event| ours(event)).map(what).collect()
}

fn writes(requests: &[(String, String)]) -> Vec<&(String, String)> {
    requests.iter().filter(|(verb, _)| ["create", "update", "patch", "delete"].contains(&verb.as_str())).collect()
}

#[test]
fn a_first_sync_costs_one_request_for_each_object_and_one_for_each_unit() {
    let plane = Plane::start(Options { audit: true, ..Options::default() }).unwrap();
    let mut bench = Bench::on(access(&plane), false);
    // Its creation is no unit's.
    bench.plane.kubectl(&["create", "namespace", "plumb-system"]).unwrap();
    for unit in ["a", "b", "c"] {
        bench.declare(unit, "");
        for nth in 0..10 {
            bench.config_map(unit, &format!("{unit}-{nth}"), "1");
        }
    }
    bench.push("Add three");
    bench.start();
    ["a", "b", "c"].iter().for_each(|unit| bench.until_at_rest(unit));
    let first = requests(&bench);
    assert_eq!(writes(&first).len(), 30 + 3, "{:#?}", writes(&first));
    let is_object = |what: &str| what.starts_with("configmaps/") && !what.contains("/plumb-");
    let reads: Vec<_> = first.iter().filter(|(verb, what)| verb == "get" && is_object(what)).collect();
    assert!(reads.is_empty(), "{reads:#?}");

    bench.config_map("a", "a-0", "2");
    bench.push("Change one");
    ["a", "b", "c"].iter().for_each(|unit| bench.until_at_rest(unit));
    let second = requests(&bench).split_off(first.len());
    let touched: Vec<_> = writes(&second).into_iter().filter(|(_, what)| !what.contains("/plumb-")).collect();
    assert_eq!(touched, [&("patch".to_owned(), "configmaps/a-0".to_owned())]);
    assert!(writes(&second).len() <= 2, "{:#?}", writes(&second));
    bench.stop();
}

#[test]
fn an_api_server_that_goes_away_is_waited_for() {
    let mut plane = Plane::start(Options::default()).unwrap();
    let mut bench = Bench::on(access(&plane), false);
    bench.declare("shop", "");
    for nth in 0..3 {
        bench.config_map("shop", &format!("text-{nth}"), "1");
    }
    bench.push("Add the shop");
    bench.start();
    bench.until_at_rest("shop");
    let uid = bench.uid("configmap/text-0");

    plane.stop_part(Part::ApiServer);
    bench.config_map("shop", "text-0", "2");
    bench.repo.remove("apps/shop/text-1.yaml").unwrap();
    bench.push("Change one, drop one");
    let gate = |bench: &Bench| bench.gates("shop").iter().any(|gate| matches!(gate, Gate::Target { .. } | Gate::Lease));
    bench.until("it says that the cluster does not answer", || gate(&bench));
    plane.start_part(Part::ApiServer).unwrap();
    bench.until_at_rest("shop");
    assert_eq!((bench.value("text-0").as_deref(), bench.value("text-1")), (Some("2"), None));

    plane.pause_part(Part::ApiServer);
    bench.config_map("shop", "text-0", "3");
    bench.push("Change it again");
    bench.until("it says that the cluster does not answer", || gate(&bench));
    plane.resume_part(Part::ApiServer);
    bench.until_at_rest("shop");
    assert_eq!((bench.value("text-0").as_deref(), bench.uid("configmap/text-0")), (Some("3"), uid));

    // Started while it is away: it waits, and knows what it owns afterwards.
    bench.stop();
    let before = bench.versions();
    plane.stop_part(Part::ApiServer);
    bench.start();
    bench.until("the source is read", || bench.operator().sources().iter().any(|source| source.status.revision.is_some()));
    plane.start_part(Part::ApiServer).unwrap();
    bench.until_at_rest("shop");
    assert_eq!(bench.versions(), before);
    bench.stop();
}
