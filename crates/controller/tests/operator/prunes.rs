//! Deletions that wait: large ones over several units, a unit's last objects, and units that leave their objects behind.

use plumb_controller::core::{Ended, Order};

use crate::Bench;

fn units(names: &[&str], objects: usize, more: &str) -> Bench {
    let mut bench = Bench::several();
    for unit in names {
        bench.declare(unit, if *unit == "other" { "" } else { more });
        for nth in 0..objects {
            bench.config_map(unit, &format!("{unit}-{nth}"), "1");
        }
    }
    bench.push("Add them");
    bench.start();
    names.iter().for_each(|unit| bench.until_at_rest(unit));
    bench
}

fn drop_some(bench: &Bench, unit: &str, count: usize) {
    for nth in 0..count {
        bench.repo.remove(&format!("apps/{unit}/{unit}-{nth}.yaml")).unwrap();
    }
}

#[test]
fn deletions_of_one_commit_are_judged_over_all_its_units() {
    let bench = units(&["a", "b", "c"], 8, "");
    for unit in ["a", "b"] {
        drop_some(&bench, unit, 6);
        bench.config_map(unit, &format!("{unit}-7"), "2");
    }
    bench.push("Drop 12 of 16");
    let held = ["a", "b"].map(|unit| (unit, bench.until_held(unit)));
    for (unit, (_, reasons)) in &held {
        assert!(reasons.contains("12 of 16"), "{unit}: {reasons}");
        bench.until("the rest is applied", || bench.value(&format!("{unit}-7")).as_deref() == Some("2"));
        assert!((0..6).all(|nth| bench.value(&format!("{unit}-{nth}")).is_some()));
    }
    for (unit, (digest, _)) in held {
        let ended = bench.order(unit, Order::Approve { digest });
        assert!(matches!(&*ended, Ended::Done { withheld: None }), "{ended:?}");
        assert!((0..6).all(|nth| bench.value(&format!("{unit}-{nth}")).is_none()));
        bench.until_at_rest(unit);
    }
    assert!((0..8).all(|nth| bench.value(&format!("c-{nth}")).is_some()));
}

#[test]
fn few_deletions_need_nobody() {
    let bench = units(&["a", "b"], 8, "");
    drop_some(&bench, "a", 4);
    drop_some(&bench, "b", 4);
    bench.push("Drop 8 of 16");
    bench.until_at_rest("a");
    bench.until_at_rest("b");
    assert!((0..4).all(|nth| bench.value(&format!("a-{nth}")).is_none() && bench.value(&format!("b-{nth}")).is_none()));
}

#[test]
fn a_revert_takes_held_deletions_back() {
    let bench = units(&["a"], 14, "");
    let before = bench.versions();
    drop_some(&bench, "a", 12);
    let bad = bench.push("Drop 12 of 14");
    let (digest, _) = bench.until_held("a");
    bench.repo.revert(&bad).unwrap();
    bench.repo.push().unwrap();
    bench.operator().pushed(|_| true);
    bench.until_at_rest("a");
    assert_eq!(bench.gates("a"), []);
    assert!(matches!(&*bench.order("a", Order::Approve { digest }), Ended::Refused(_)));
    let after = bench.versions();
    assert!(before.iter().filter(|(name, _)| !name.contains("plumb-")).all(|(name, version)| after[name] == *version));
}

#[test]
fn an_approval_of_an_older_plan_is_refused() {
    let bench = units(&["a"], 14, "");
    drop_some(&bench, "a", 11);
    bench.push("Drop 11 of 14");
    let (older, _) = bench.until_held("a");
    bench.repo.remove("apps/a/a-11.yaml").unwrap();
    bench.push("Drop one more");
    bench.until("the digest is another", || bench.approval("a").is_some_and(|(digest, _)| digest != older));
    let ended = bench.order("a", Order::Approve { digest: older });
    assert!(matches!(&*ended, Ended::Refused(_)), "{ended:?}");
    assert!((0..12).all(|nth| bench.value(&format!("a-{nth}")).is_some()));
}

#[test]
fn the_objects_of_a_removed_unit_go_when_that_is_approved() {
    let bench = units(&["gone", "other"], 2, "");
    bench.repo.remove("units/gone.yaml").unwrap();
    bench.push("Remove the unit");
    let (digest, reasons) = bench.until_held("gone");
    assert!(reasons.contains("last 2 objects"), "{reasons}");
    assert!(bench.value("gone-0").is_some() && bench.value("gone-1").is_some());
    bench.order("gone", Order::Approve { digest });
    bench.until("the unit is gone", || bench.unit("gone").is_none());
    assert!(bench.value("gone-0").is_none() && bench.value("gone-1").is_none());
    bench.until("its record is gone", || bench.versions().keys().filter(|name| name.contains("plumb-")).count() == 1);
    bench.until_at_rest("other");
}

#[test]
fn a_removed_unit_that_orphans_leaves_its_objects_without_stamps() {
    let bench = units(&["gone", "other"], 2, "  policy: {onDelete: orphan}\n");
    let uid = bench.uid("configmap/gone-0");
    bench.repo.remove("units/gone.yaml").unwrap();
    bench.push("Remove the unit");
    bench.until("the unit is gone", || bench.unit("gone").is_none());
    for name in ["gone-0", "gone-1"] {
        let metadata = bench.live(&format!("configmap/{name}")).unwrap()["metadata"].clone();
        let stamped = |part: &str| metadata[part].as_object().is_some_and(|map| map.keys().any(|key| key.starts_with("plumb.dev/")));
        assert!(!stamped("labels") && !stamped("annotations"), "{metadata}");
    }
    assert_eq!((bench.uid("configmap/gone-0"), bench.value("gone-0").as_deref()), (uid, Some("1")));
    bench.until_at_rest("other");
}
