//! Owns what holds a deletion, and what lifts it.

use std::time::Duration;

use plumb_manifest::ObjectKey;
use plumb_plan::{GroupSums, HoldKind, Intent, Kept, Live, PlanSummary, PruneCase};
use plumb_unit::OnDelete;

use crate::set::{Set, config, evidence, object, operations};

fn deletes(set: &Set) -> usize {
    operations(&set.plan()).iter().filter(|op| op.starts_with("delete")).count()
}

fn only_hold(set: &Set) -> (HoldKind, String) {
    let plan = set.plan();
    assert_eq!(plan.holds.len(), 1, "{:?}", plan.holds);
    (plan.holds[0].kind, plan.holds[0].reason.clone())
}

#[test]
fn more_than_ten_and_thirty_percent_wait_and_the_applies_do_not() {
    for (dropped, kept, held) in [(10, 5, false), (11, 25, true), (11, 26, false)] {
        let mut set = Set::wanting(&[config("new")]);
        set.drop_many(dropped);
        set.keep_many(kept);
        assert_eq!(deletes(&set) == 0, held, "{dropped} of {}", dropped + kept);
        assert!(operations(&set.plan()).contains(&"+ ConfigMap/new".to_owned()));
    }
    let mut set = Set::new();
    set.drop_many(11);
    set.keep_many(25);
    assert_eq!(only_hold(&set), (HoldKind::Prune, "deletes 11 of the 36 objects that the unit owns (30 %)".to_owned()));
    assert_eq!(set.plan().prune, PruneCase { deletes: 11, owned: 36, left: 25 });
}

#[test]
fn the_units_of_one_commit_are_judged_together() {
    let mut set = Set::new();
    set.drop_many(3);
    set.keep_many(7);
    assert_eq!(deletes(&set), 3);
    set.group = GroupSums { deletes: 8, owned: 10 };
    assert_eq!(deletes(&set), 0);
}

#[test]
fn approvals_bind_to_the_plan_and_void_when_the_world_moves() {
    let mut set = Set::new();
    set.drop_many(12);
    set.keep_many(3);
    let held = set.plan();
    assert_eq!(deletes(&set), 0);
    set.approvals = [held.holds[0].digest].into();
    let approved = set.plan();
    assert_eq!(deletes(&set), 12);
    assert!(approved.holds.is_empty());
    assert_eq!(approved.digest, held.digest, "approving does not change what was approved");
    set.approvals = [held.digest].into();
    assert_eq!(deletes(&set), 12, "approving the whole plan lifts it too");

    let key = ObjectKey::new("", "ConfigMap", Some("shop"), "dropped-0");
    set.approvals = [held.holds[0].digest, held.digest].into();
    set.fact(&key).resource_version = "8".to_owned();
    assert_eq!(deletes(&set), 0, "a live object changed");
    set.fact(&key).resource_version = "7".to_owned();
    assert_eq!(deletes(&set), 12);
    set.fact(&key).uid = "another".to_owned();
    assert_eq!(deletes(&set), 0, "it is another object");
    set.fact(&key).uid = format!("uid of {key}");
    set.own(&config("dropped-one-more"));
    assert_eq!(deletes(&set), 0, "one more would go");
}

#[test]
fn an_approval_survives_status_writes_and_the_applies_of_the_same_plan() {
    let mut set = Set::wanting(&[config("new")]);
    set.keep_many(1);
    for nth in 0..12 {
        let key = set.own(&object("apps/v1", "Deployment", &format!("old-{nth}")));
        set.fact(&key).generation = Some(3);
    }
    set.approvals = [set.plan().holds[0].digest].into();
    let keys: Vec<ObjectKey> = set.live.keys().cloned().collect();
    keys.iter().for_each(|key| set.fact(key).resource_version = "1000".to_owned());
    set.own(&config("new"));
    assert_eq!(deletes(&set), 12);
}

#[test]
fn a_units_last_object_waits() {
    let mut set = Set::new();
    set.own(&config("only"));
    assert_eq!(only_hold(&set), (HoldKind::Prune, "deletes the unit's last object".to_owned()));
    set.want(&config("another"));
    assert_eq!(deletes(&set), 1, "it is replaced, not the last");
}

#[test]
fn kinds_that_take_data_along_wait_and_hold_nothing_else() {
    let mut set = Set::new();
    set.keep_many(20);
    for held in [object("v1", "Namespace", "n"), object("v1", "PersistentVolumeClaim", "p"), object("v1", "PersistentVolume", "v")] {
        set.own(&held);
    }
    set.own(&config("free"));
    let plan = set.plan();
    assert_eq!(operations(&plan).last().map(String::as_str), Some("delete ConfigMap/free"));
    assert_eq!(plan.holds[0].reason, "deletes 1 Namespace, 1 PersistentVolume, 1 PersistentVolumeClaim: what they hold goes with them");
    assert_eq!(plan.inventory_after.items.len(), 23);
    assert_eq!(plan.inventory_after.evidence, [evidence("repo", "c1")], "what is held is compared with the read that held it");
    set.approvals = [plan.holds[0].digest].into();
    assert_eq!(deletes(&set), 4);
    assert_eq!(set.plan().inventory_after.evidence, [evidence("repo", "c2")]);
}

#[test]
fn nothing_is_deleted_without_a_complete_read() {
    let mut set = Set::new();
    set.keep_many(5);
    set.own(&config("dropped"));
    set.build.incomplete = Some("deploy/a.yaml:3:1 does not parse".to_owned());
    let (kind, reason) = only_hold(&set);
    assert_eq!((kind, reason.contains("deploy/a.yaml:3:1")), (HoldKind::Evidence, true));
    set.approvals = [set.plan().holds[0].digest, set.plan().digest].into();
    assert_eq!(deletes(&set), 0, "no approval lifts that");
    assert_eq!(set.plan().inventory_after.evidence, [evidence("repo", "c1")]);
}

#[test]
fn another_source_is_no_evidence_and_stays_none() {
    let mut set = Set::new();
    set.keep_many(5);
    set.own(&config("dropped"));
    set.build.evidence = vec![evidence("new-repo", "c9")];
    assert_eq!(only_hold(&set), (HoldKind::Prune, "they were last seen in `repo`, which the unit no longer reads".to_owned()));
    let after = set.plan().inventory_after;
    assert_eq!(after.evidence, [evidence("repo", "c1"), evidence("new-repo", "c9")]);
    set.inventory = after;
    set.build.evidence = vec![evidence("new-repo", "c10")];
    assert_eq!(deletes(&set), 0, "a later read of the new source says nothing about the old one");
    set.approvals = [set.plan().holds[0].digest].into();
    assert_eq!(deletes(&set), 1);
    assert_eq!(set.plan().inventory_after.evidence, [evidence("new-repo", "c10")]);
}

#[test]
fn one_of_two_sources_may_move_on() {
    let mut set = Set::new();
    set.keep_many(5);
    set.own(&config("dropped"));
    set.inventory.evidence = vec![evidence("repo", "c1"), evidence("charts", "d1")];
    set.build.evidence = vec![evidence("charts", "d1"), evidence("repo", "c2")];
    assert_eq!(deletes(&set), 1);
}

#[test]
fn the_same_revision_is_no_evidence_unless_the_unit_says_otherwise() {
    let mut set = Set::new();
    set.keep_many(5);
    set.own(&config("dropped"));
    set.build.evidence = vec![evidence("repo", "c1")];
    assert_eq!(only_hold(&set).0, HoldKind::Prune);
    set.build.declaration_changed = true;
    assert_eq!(deletes(&set), 1);
    set.build.declaration_changed = false;
    set.inventory.evidence.clear();
    assert!(only_hold(&set).1.contains("no record"));
}

#[test]
fn what_cannot_be_seen_is_not_deleted() {
    let mut set = Set::new();
    set.keep_many(5);
    let key = set.own(&config("dropped"));
    set.live.insert(key, Live::Unknown);
    assert_eq!((only_hold(&set).0, deletes(&set)), (HoldKind::Evidence, 0));
}

#[test]
fn what_somebody_deletes_already_needs_no_approval() {
    let mut set = Set::new();
    set.keep_many(5);
    let key = set.own(&object("v1", "PersistentVolumeClaim", "p"));
    set.fact(&key).deleting = true;
    assert_eq!((deletes(&set), set.plan().holds.len(), set.plan().prune.deletes), (1, 0, 0));
}

#[test]
fn prune_off_keeps_and_says_so() {
    let mut set = Set::new();
    set.keep_many(5);
    let key = set.own(&config("dropped"));
    set.policy.prune = false;
    let plan = set.plan();
    assert_eq!((deletes(&set), plan.kept.as_slice()), (0, &[(key, Kept::PruneOff)][..]));
    assert_eq!(plan.inventory_after.items.len(), 6);
}

#[test]
fn a_removed_unit_is_deleted_orphaned_or_held() {
    let mut set = Set::new();
    set.drop_many(2);
    set.own(&object("v1", "PersistentVolumeClaim", "p"));
    set.want(&config("dropped-0"));
    let remove = |on_delete, confirmed| Intent::Remove { on_delete, confirmed };
    set.intent = remove(OnDelete::Delete, false);
    assert_eq!(only_hold(&set).1, "deletes the unit's last 3 objects");
    set.intent = remove(OnDelete::Delete, true);
    let plan = set.plan();
    assert_eq!(operations(&plan), ["delete ConfigMap/dropped-0", "delete ConfigMap/dropped-1"]);
    assert_eq!(plan.holds[0].objects.len(), 1);
    set.approvals = [plan.digest].into();
    assert_eq!(deletes(&set), 3);
    assert_eq!(set.plan().inventory_after.items, []);
    set.intent = remove(OnDelete::Orphan, false);
    assert_eq!(operations(&set.plan()), ["release ConfigMap/dropped-0", "release ConfigMap/dropped-1", "release PersistentVolumeClaim/p"]);
    assert_eq!(set.plan().holds, []);
    set.intent = remove(OnDelete::Delete, true);
    set.build.incomplete = Some("the root could not be read".to_owned());
    assert_eq!((only_hold(&set).0, deletes(&set)), (HoldKind::Evidence, 0));
}

#[test]
fn a_summary_is_readable_json() {
    let mut set = Set::wanting(&[config("new")]);
    set.policy.timeout = Duration::from_secs(5);
    set.keep_many(2);
    set.own(&object("v1", "Namespace", "n"));
    let plan = set.plan();
    let summary = PlanSummary::from(&plan);
    let json = serde_json::to_value(&summary).unwrap();
    let digest = plan.holds[0].digest.to_string();
    assert_eq!(
        json,
        serde_json::json!({
            "version": 1, "unit": "team-a/shop", "digest": plan.digest.to_string(),
            "counts": {"apply": 1, "keep": 2, "delete": 0, "release": 0, "forget": 0, "held": 1},
            "phases": [
                {"name": "configuration", "end": "accepted", "timeoutMs": 5000, "after": [],
                 "operations": [{"operation": "apply", "object": {"kind": "ConfigMap", "namespace": "shop", "name": "new"}, "mode": "first"}]},
                {"name": "health", "end": "healthy", "timeoutMs": 5000, "after": ["configuration"], "operations": []}
            ],
            "holds": [{"kind": "prune", "reason": "deletes 1 Namespace: what they hold goes with them", "digest": digest,
                       "objects": [{"kind": "Namespace", "name": "n"}]}],
            "kept": []
        })
    );
    assert_eq!(serde_json::from_value::<PlanSummary>(json).unwrap(), summary);
}
