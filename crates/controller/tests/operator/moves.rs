//! Objects that move between units, and units that get another name: the objects stay the same.

use crate::Bench;

fn owner(bench: &Bench, object: &str) -> String {
    bench.live(object).unwrap()["metadata"]["annotations"]["plumb.dev/owner"].as_str().unwrap_or_default().to_owned()
}

fn owned(bench: &Bench, unit: &str) -> Vec<String> {
    bench.unit(unit).unwrap().inventory.items.iter().map(|item| item.key.name.to_string()).collect()
}

#[test]
fn an_object_that_moves_between_units_stays_the_same() {
    let mut bench = Bench::several();
    for unit in ["old", "new"] {
        bench.declare(unit, "");
        bench.config_map(unit, &format!("{unit}-own"), "1");
    }
    bench.config_map("old", "moving", "1");
    bench.push("Add both");
    bench.start();
    bench.until_at_rest("old");
    bench.until_at_rest("new");
    let uid = bench.uid("configmap/moving");

    bench.repo.git(&["mv", "apps/old/moving.yaml", "apps/new/moving.yaml"]).unwrap();
    bench.push("Move it");
    bench.until_synced("old");
    bench.until_synced("new");
    let new = format!("{}/team/new", bench.installation);
    bench.until("the new unit owns it", || owner(&bench, "configmap/moving") == new && owned(&bench, "new").len() == 2);
    bench.until("the old unit has forgotten it", || owned(&bench, "old") == ["old-own"]);
    bench.until_at_rest("old");
    bench.until_at_rest("new");
    assert_eq!(bench.uid("configmap/moving"), uid);

    bench.config_map("new", "moving", "2");
    bench.push("Change it");
    bench.until("the new unit changes it", || bench.value("moving").as_deref() == Some("2"));
    assert_eq!(bench.uid("configmap/moving"), uid);
    bench.repo.remove("apps/new/moving.yaml").unwrap();
    bench.push("Drop it");
    bench.until("the new unit prunes it", || bench.value("moving").is_none());
}

#[test]
fn the_objects_of_a_renamed_unit_stay_the_same() {
    let mut bench = Bench::several();
    bench.declare("before", "");
    bench.declare("other", "");
    bench.config_map("other", "theirs", "1");
    for nth in 0..3 {
        bench.config_map("before", &format!("text-{nth}"), "1");
    }
    bench.push("Add both");
    bench.start();
    bench.until_at_rest("before");
    bench.until_at_rest("other");
    let uids: Vec<String> = (0..3).map(|nth| bench.uid(&format!("configmap/text-{nth}"))).collect();

    bench.repo.git(&["mv", "apps/before", "apps/after"]).unwrap();
    bench.repo.remove("units/before.yaml").unwrap();
    bench.declare("after", "");
    bench.push("Rename it");
    bench.until_synced("after");
    bench.until("the old one is gone", || bench.unit("before").is_none());
    bench.until_at_rest("after");
    assert_eq!((0..3).map(|nth| bench.uid(&format!("configmap/text-{nth}"))).collect::<Vec<_>>(), uids);
    assert_eq!(owner(&bench, "configmap/text-0"), format!("{}/team/after", bench.installation));
    assert_eq!(owned(&bench, "after").len(), 3);
}

#[test]
fn an_object_that_two_units_name_stays_with_the_first() {
    let mut bench = Bench::several();
    for unit in ["first", "second"] {
        bench.declare(unit, "");
        bench.config_map(unit, &format!("{unit}-own"), "1");
    }
    bench.config_map("first", "both", "first");
    bench.push("Add both");
    bench.start();
    bench.until_at_rest("first");
    bench.until_at_rest("second");
    let uid = bench.uid("configmap/both");

    bench.config_map("second", "both", "second");
    bench.push("Name it twice");
    bench.until("the second names the first", || {
        let unit = bench.unit("second").unwrap().status;
        let gates = unit.gates.iter().any(|gate| gate.to_string().contains("team/first"));
        gates || bench.failure("second").contains("team/first")
    });
    bench.until_synced("first");
    assert_eq!((bench.value("both").as_deref(), bench.uid("configmap/both")), (Some("first"), uid.clone()));

    bench.repo.remove("apps/first/both.yaml").unwrap();
    bench.push("The first drops it");
    bench.until("the second has it", || bench.value("both").as_deref() == Some("second"));
    bench.until_synced("second");
    bench.until_synced("first");
    assert_eq!(bench.uid("configmap/both"), uid);
}
