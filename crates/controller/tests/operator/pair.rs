//! Two operators of one installation: one writes, and the other takes over when it is gone.

use std::time::{Duration, Instant};

use crate::Bench;

/// How long a takeover may take.
const TAKEOVER: Duration = Duration::from_secs(10);

#[test]
fn of_two_operators_one_writes_and_the_other_takes_over() {
    let mut bench = Bench::several();
    bench.declare("shop", "");
    for nth in 0..5 {
        bench.config_map("shop", &format!("text-{nth}"), "1");
    }
    bench.push("Add the shop");
    bench.start();
    bench.until_at_rest("shop");
    let before = bench.versions();

    let second = bench.another("second");
    let key = second.operator.key("team", "shop");
    let waits = || second.operator.unit(&key).is_none_or(|unit| unit.status.synced.is_none());
    bench.config_map("shop", "text-0", "2");
    bench.push("Change one");
    second.operator.pushed(|_| true);
    bench.until_at_rest("shop");
    let after = bench.versions();
    let changed: Vec<_> = before.keys().filter(|name| after[*name].1 != before[*name].1 && !name.contains("plumb-")).collect();
    assert_eq!(changed, ["ConfigMap/text-0"]);
    let writes = second.operator.counters().into_iter().find(|(name, ..)| *name == "plumb_cluster_writes_total").unwrap().2;
    assert_eq!((writes, waits()), (0, true), "the second has nothing to say");

    bench.kill();
    let begun = Instant::now();
    bench.config_map("shop", "text-1", "2");
    bench.repo.commit("Change another").unwrap();
    bench.repo.push().unwrap();
    second.operator.pushed(|_| true);
    while bench.value("text-1").as_deref() != Some("2") {
        assert!(begun.elapsed() < TAKEOVER, "the second has not taken over in {:?}", begun.elapsed());
    }
    let last = bench.versions();
    assert!(
        last.iter()
            .filter(|(name, _)| !name.contains("plumb-") && *name != "ConfigMap/text-1")
            .all(|(name, version)| after[name] == *version)
    );
    assert!(last.iter().all(|(name, (uid, _))| before[name].0 == *uid));

    // The first comes back and stands by.
    bench.start();
    bench.config_map("shop", "text-2", "2");
    bench.push("Change a third");
    second.operator.pushed(|_| true);
    let head = bench.repo.head().unwrap();
    let at = |operator: &plumb_controller::Operator| {
        let synced = operator.unit(&key).and_then(|unit| unit.status.synced);
        synced.is_some_and(|synced| synced.values().all(|revision| revision.commit == head))
    };
    let begun = Instant::now();
    while !at(&second.operator) {
        assert!(begun.elapsed() < Duration::from_secs(60), "the second does not go on");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(bench.value("text-2").as_deref(), Some("2"));
    // It gives the lease back: the first goes on at once.
    second.stop();
    bench.config_map("shop", "text-3", "2");
    bench.push("Change a fourth");
    bench.until_at_rest("shop");
    assert_eq!(bench.value("text-3").as_deref(), Some("2"));
}

#[test]
fn two_that_start_at_once_write_everything_once() {
    let mut bench = Bench::several();
    bench.declare("shop", "");
    for nth in 0..20 {
        bench.config_map("shop", &format!("text-{nth}"), "1");
    }
    bench.push("Add the shop");
    let second = bench.another("second");
    bench.start();
    let head = bench.repo.head().unwrap();
    let key = second.operator.key("team", "shop");
    let theirs = || {
        second
            .operator
            .unit(&key)
            .and_then(|unit| unit.status.synced)
            .is_some_and(|synced| synced.values().all(|revision| revision.commit == head))
    };
    bench.until("one of them has done it", || bench.is_synced("shop", &head) || theirs());
    assert!((0..20).all(|nth| bench.value(&format!("text-{nth}")).as_deref() == Some("1")));
    let writes = |operator: &plumb_controller::Operator| {
        operator.counters().into_iter().find(|(name, ..)| *name == "plumb_cluster_writes_total").unwrap().2
    };
    let both = [writes(bench.operator()), writes(&second.operator)];
    assert!(both.contains(&0), "both wrote: {both:?}");
    second.stop();
}
