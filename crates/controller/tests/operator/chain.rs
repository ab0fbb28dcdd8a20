//! Units that depend on each other: no time is lost between them, and what cannot start says why.

use std::time::{Duration, Instant};

use plumb_controller::core::{Activity, Gate, SyncWord};

use crate::Bench;

const NAMES: [&str; 6] = ["chain-a", "chain-b", "chain-c", "free-a", "free-b", "free-c"];

fn chain() -> Bench {
    let mut bench = Bench::several();
    for (nth, unit) in NAMES.into_iter().enumerate() {
        let depends = ["chain-a", "chain-b"].get(nth.wrapping_sub(1)).map(|on| format!("  dependsOn: [{{name: {on}}}]\n"));
        bench.declare(unit, &depends.unwrap_or_default());
        bench.config_map(unit, unit, "1");
    }
    bench.push("Add a chain and three others");
    bench.start();
    NAMES.iter().for_each(|unit| bench.until_at_rest(unit));
    bench
}

/// Returns after what time each unit was at the newest commit.
fn arrivals(bench: &Bench, begun: Instant) -> [Duration; 6] {
    let head = bench.repo.head().unwrap();
    let mut seen = [None; 6];
    bench.until("all have arrived", || {
        for (unit, seen) in NAMES.iter().zip(&mut seen) {
            if seen.is_none() && bench.is_synced(unit, &head) {
                *seen = Some(begun.elapsed());
            }
        }
        seen.iter().all(Option::is_some)
    });
    seen.map(Option::unwrap)
}

fn added(arrivals: [Duration; 6]) -> Duration {
    arrivals[2].saturating_sub(*arrivals[3..].iter().max().unwrap())
}

#[test]
fn a_chain_of_three_adds_less_than_a_second() {
    let bench = chain();
    for unit in NAMES {
        bench.config_map(unit, unit, "2");
    }
    let begun = Instant::now();
    bench.push("Change all");
    let changed = arrivals(&bench, begun);
    assert!(added(changed) < Duration::from_secs(1), "{changed:?}");
    assert!(changed[0] <= changed[1] && changed[1] <= changed[2], "{changed:?}");

    bench.repo.write("README.md", "Nobody reads this.").unwrap();
    let begun = Instant::now();
    bench.push("Change nothing");
    let unchanged = arrivals(&bench, begun);
    assert!(added(unchanged) < Duration::from_secs(1), "{unchanged:?}");
}

#[test]
fn a_dependent_waits_for_a_dependency_that_is_not_well() {
    let mut bench = Bench::several();
    bench.declare("base", "");
    bench.declare("above", "  dependsOn: [{name: base}]\n");
    bench.config_map("above", "above", "1");
    bench.repo.write("apps/base/text.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: base}\ndata: [1]\n").unwrap();
    bench.push("Add a base that is wrong");
    bench.start();
    let waits = |bench: &Bench| {
        bench.gates("above").iter().any(|gate| matches!(gate, Gate::Dependency { waiting } if waiting[0].name == "base".into()))
    };
    bench.until("the dependent says what it waits for", || waits(&bench) && !bench.failure("base").is_empty());
    assert!(bench.value("above").is_none());
    bench.config_map("base", "text", "1");
    bench.push("Fix the base");
    bench.until_synced("above");
    assert_eq!(bench.value("above").as_deref(), Some("1"));
}

#[test]
fn a_cycle_and_a_missing_dependency_are_said_and_hold_nobody_else() {
    let mut bench = Bench::several();
    for (unit, on) in [("one", "two"), ("two", "one"), ("lost", "nobody")] {
        bench.declare(unit, &format!("  dependsOn: [{{name: {on}}}]\n"));
        bench.config_map(unit, unit, "1");
    }
    bench.declare("free", "");
    bench.config_map("free", "free", "1");
    bench.push("Add a cycle");
    bench.start();
    bench.until_synced("free");
    let said = |bench: &Bench| bench.operator().sources().iter().flat_map(|source| source.status.problems.clone()).collect::<Vec<_>>();
    let cycle = "units/one.yaml:7:3: units depend on each other in a circle: `team/one` → `team/two` → `team/one`";
    assert!(said(&bench).iter().any(|problem| problem.contains(cycle)), "{:?}", said(&bench));
    let missing = |bench: &Bench| {
        bench.gates("lost").iter().any(|gate| matches!(gate, Gate::DependencyMissing { missing } if missing[0].name == "nobody".into()))
    };
    bench.until("what is missing is said", || missing(&bench));
    let status = bench.unit("lost").unwrap().status;
    assert_eq!((status.sync, status.activity), (SyncWord::New, Activity::Gated));
    assert!(["one", "two", "lost"].iter().all(|unit| bench.value(unit).is_none()));

    bench.declare("one", "");
    bench.declare("nobody", "");
    bench.config_map("nobody", "nobody", "1");
    bench.push("Break the cycle and add what was missing");
    ["one", "two", "lost", "nobody"].iter().for_each(|unit| bench.until_synced(unit));
}
