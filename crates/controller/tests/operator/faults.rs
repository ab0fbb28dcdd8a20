//! An API server that fails in all the ways that a proxy in front of the real one can make it: nothing is deleted, it is said why, and
//! everything catches up by itself when the fault is over.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use plumb_controller::core::{Gate, SyncWord};
use plumb_plan::HealthStatus;
use plumb_plane::{Fault, FaultyProxy};

use crate::Bench;

/// Lists and watches of the only kind that the units have.
const WATCHES: &str = r"^/api/v1/configmaps\?";
/// Watches among them that are resumed.
const RESUMED: &str = r"^/api/v1/configmaps\?.*watch=true.*resourceVersion=";
/// What all of them have in their paths.
const KIND: &str = "/api/v1/configmaps?";
/// Everything.
const ALL: &str = "";

/// Two units at rest, with a proxy between the operator and the API server.
struct Faulty {
    bench: Bench,
    proxy: FaultyProxy,
    uids: BTreeMap<String, String>,
}

impl Faulty {
    fn new() -> Self {
        let mut bench = Bench::several();
        let proxy = FaultyProxy::start(bench.plane, bench.folder.path()).unwrap();
        bench.kubeconfig = proxy.kubeconfig().to_owned();
        for unit in ["shop", "other"] {
            bench.declare(unit, "");
            (0..4).for_each(|nth| bench.config_map(unit, &format!("{unit}-{nth}"), "1"));
        }
        bench.push("Add both");
        bench.start();
        ["shop", "other"].iter().for_each(|unit| bench.until_at_rest(unit));
        let uids = uids(&bench);
        Self { bench, proxy, uids }
    }

    fn strike(&self, faults: &[Fault]) {
        self.proxy.strike(faults).unwrap();
    }

    /// Changes one object in Git and one by hand.
    fn change(&self, value: &str) {
        self.bench.config_map("shop", "shop-0", value);
        self.bench.push("Change one");
        self.by_hand("other-1");
    }

    fn by_hand(&self, name: &str) {
        let patch = r#"{"data":{"value":"by hand"}}"#;
        self.bench.plane.kubectl(&["-n", &self.bench.namespace, "patch", &format!("configmap/{name}"), "-p", patch]).unwrap();
    }

    /// Ends all faults; everything has to come right, and nothing may have been deleted.
    fn ends_well(mut self, value: &str) {
        self.strike(&[]);
        ["shop", "other"].iter().for_each(|unit| self.bench.until_at_rest(unit));
        assert_eq!(self.bench.value("shop-0").as_deref(), Some(value));
        self.bench.until("what was done by hand is put right", || self.bench.value("other-1").as_deref() == Some("1"));
        ["shop", "other"].iter().for_each(|unit| self.bench.until_at_rest(unit));
        assert_eq!(uids(&self.bench), self.uids);
        self.deleted_nothing();
        self.bench.until("nothing is in the way any more", || {
            let well =
                |unit: &&str| self.bench.unit(unit).is_some_and(|unit| unit.status.failure.is_none() && unit.status.gates.is_empty());
            ["shop", "other"].iter().all(well) && self.bench.operator().troubles().is_empty()
        });
        self.bench.stop();
    }

    fn deleted_nothing(&self) {
        let deletes: Vec<_> = self.proxy.requests().unwrap().into_iter().filter(|request| request.method == "DELETE").collect();
        assert!(deletes.is_empty(), "{deletes:#?}");
    }

    /// The units stay as they are known to be.
    fn stands(&self) {
        self.stands_but("");
    }

    /// The units but one stay as they are known to be.
    fn stands_but(&self, waits: &str) {
        for unit in ["shop", "other"].into_iter().filter(|unit| *unit != waits) {
            let status = self.bench.unit(unit).unwrap().status;
            assert_eq!((status.sync, status.health), (SyncWord::Synced, HealthStatus::Healthy), "{unit}");
        }
        self.deleted_nothing();
    }

    /// How many requests so far match a text, and were answered so.
    fn count(&self, text: &str, status: u16) -> usize {
        self.proxy.requests().unwrap().iter().filter(|request| request.path.contains(text) && request.status == status).count()
    }

    /// Has all watches break off and waits until they were begun again so often.
    fn until_asked(&self, text: &str, status: u16, times: usize) {
        self.bench.until(&format!("it is answered {status} {times} times"), || self.count(text, status) >= times);
    }
}

fn uids(bench: &Bench) -> BTreeMap<String, String> {
    bench.versions().into_iter().map(|(name, (uid, _))| (name, uid)).collect()
}

/// T13, the API's half.
#[test]
fn t13_500_for_a_second_deletes_nothing() {
    let faulty = Faulty::new();
    faulty.strike(&[Fault::status(ALL, 500)]);
    let begun = Instant::now();
    faulty.proxy.drop_connections().unwrap();
    faulty.change("2");
    faulty.bench.until("a second has passed", || begun.elapsed() >= Duration::from_secs(1));
    faulty.until_asked("", 500, 2);
    faulty.ends_well("2");
}

#[test]
fn writes_that_fail_are_said_and_made_when_they_can_be() {
    let faulty = Faulty::new();
    faulty.strike(&[Fault::status(ALL, 500).methods(&["PATCH"])]);
    faulty.change("2");
    let says = |unit: &str, name: &str| {
        let failure = faulty.bench.failure(unit);
        failure.contains("injected by a test") && failure.contains(name)
    };
    faulty.bench.until("both say which object and why", || says("shop", "shop-0") && says("other", "other-1"));
    assert_eq!((faulty.bench.value("shop-0").as_deref(), faulty.bench.value("other-1").as_deref()), (Some("1"), Some("by hand")));
    faulty.ends_well("2");
}

#[test]
fn lists_that_fail_leave_everything_as_last_seen() {
    let faulty = Faulty::new();
    faulty.strike(&[Fault::status(WATCHES, 500)]);
    faulty.proxy.drop_connections().unwrap();
    faulty.bench.until("it says what it cannot watch", || {
        faulty.bench.operator().troubles().iter().any(|trouble| trouble.contains("ConfigMap") && trouble.contains("injected by a test"))
    });
    faulty.stands();
    faulty.change("2");
    // What Git says does not need a watch.
    faulty.bench.until("the commit is live", || faulty.bench.value("shop-0").as_deref() == Some("2"));
    faulty.deleted_nothing();
    faulty.ends_well("2");
}

#[test]
fn versions_that_are_too_old_are_read_again() {
    let faulty = Faulty::new();
    // A watch that says so in its first event, one that is refused, and lists page by page that expire under their reader.
    faulty.strike(&[
        Fault::expired(RESUMED).times(3),
        Fault::status(r"^/api/v1/configmaps\?.*sendInitialEvents=true", 422).times(2),
        Fault::status(r"^/api/v1/configmaps\?.*limit=500", 410).times(2),
        Fault::status(RESUMED, 410).times(3),
    ]);
    faulty.proxy.drop_connections().unwrap();
    faulty.until_asked(KIND, 410, 5);
    faulty.stands();
    faulty.change("2");
    faulty.ends_well("2");
}

#[test]
fn lists_that_break_off_are_no_deletions() {
    let faulty = Faulty::new();
    for bytes in [1, 900] {
        let before = faulty.count(KIND, 200);
        // Nothing to go on from, so that everything has to be listed.
        faulty.strike(&[Fault::expired(RESUMED).times(1), Fault::truncate(WATCHES, bytes)]);
        faulty.proxy.drop_connections().unwrap();
        faulty.until_asked(KIND, 200, before + 2);
        faulty.stands();
    }
    faulty.change("2");
    faulty.bench.until("the commit is live", || faulty.bench.value("shop-0").as_deref() == Some("2"));
    faulty.deleted_nothing();
    faulty.ends_well("2");
}

#[test]
fn watches_that_are_dropped_go_on_where_they_were() {
    let faulty = Faulty::new();
    let lists = faulty.count("sendInitialEvents=true", 200);
    // Each another one: what is changed again and again is somebody's contest.
    for (round, name) in ["other-0", "other-1", "other-2", "other-3"].into_iter().enumerate() {
        let watches = faulty.count(KIND, 200);
        faulty.proxy.drop_connections().unwrap();
        faulty.bench.config_map("shop", "shop-0", &format!("{}", round + 2));
        faulty.bench.push("Change one");
        faulty.by_hand(name);
        faulty.until_asked(KIND, 200, watches + 1);
        faulty.bench.until("what was done by hand is put right", || faulty.bench.value(name).as_deref() == Some("1"));
    }
    assert_eq!(faulty.count("sendInitialEvents=true", 200), lists, "nothing was listed again");
    faulty.ends_well("5");
}

#[test]
fn answers_that_get_lost_are_asked_for_again() {
    let faulty = Faulty::new();
    let writes = ["PATCH", "PUT", "POST"];
    faulty.strike(&[Fault::truncate(ALL, 1).methods(&writes).times(4), Fault::hangup(ALL).methods(&writes).times(4)]);
    faulty.change("2");
    faulty.bench.until_synced("shop");
    faulty.ends_well("2");
}

#[test]
fn a_slow_server_is_waited_for_and_one_that_is_too_slow_is_named() {
    let faulty = Faulty::new();
    faulty.strike(&[Fault::delay(ALL, Duration::from_millis(700))]);
    faulty.change("2");
    faulty.bench.until_synced("shop");
    assert_eq!(faulty.bench.value("shop-0").as_deref(), Some("2"));
    // Longer than the lease stands: nothing may be written, for somebody else may have it.
    faulty.strike(&[Fault::delay(ALL, Duration::from_secs(6))]);
    faulty.change("3");
    let says = |unit: &str| {
        let gated = faulty.bench.gates(unit).iter().any(|gate| matches!(gate, Gate::Lease | Gate::Target { .. }));
        gated || faulty.bench.failure(unit).contains("lease")
    };
    faulty.bench.until("it says what it waits for", || says("shop"));
    faulty.ends_well("3");
}

#[test]
fn refused_connections_are_named_and_what_was_missed_is_caught_up_with() {
    let faulty = Faulty::new();
    faulty.proxy.refuse(true).unwrap();
    faulty.change("2");
    let gated = |unit: &str| faulty.bench.gates(unit).iter().any(|gate| matches!(gate, Gate::Target { .. } | Gate::Lease));
    faulty.bench.until("the unit says what it waits for", || gated("shop"));
    let says =
        || faulty.bench.operator().troubles().iter().any(|trouble| trouble.contains("ConfigMap") && trouble.contains("cannot reach"));
    faulty.bench.until("what is shown of the other is said to be old", says);
    faulty.stands_but("shop");
    faulty.proxy.refuse(false).unwrap();
    faulty.ends_well("2");
}
