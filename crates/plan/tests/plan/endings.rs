//! Owns what becomes of objects that ended by themselves: they stand for their manifest, and are no deletion.

use plumb_plan::{Live, UnitHash};
use plumb_unit::Ending;

use crate::set::{Set, object, operations, unit};

/// A unit with one Job that its inventory says has ended.
fn ended() -> Set {
    let mut set = Set::new();
    let job = object("batch/v1", "Job", "migrate");
    set.want(&job);
    let key = set.own(&job);
    set.inventory.items[0].ended = Some(Ending { at: 7, well: true, message: String::new() });
    set.live.insert(key, Live::Ended { unit: UnitHash::of(&set.unit), manifest: set.manifests[0].digest });
    set
}

fn now(set: &mut Set, live: Live) -> Vec<String> {
    let key = set.manifests[0].key.clone();
    set.live.insert(key, live);
    operations(&set.plan())
}

#[test]
fn what_ended_stands_for_its_manifest_and_for_no_other() {
    let mut set = ended();
    assert_eq!(operations(&set.plan()), ["keep Job/migrate"]);
    assert!(set.plan().is_settled());
    assert_eq!(set.plan().inventory_after.items[0].ended, set.inventory.items[0].ended);

    let mut changed = object("batch/v1", "Job", "migrate");
    changed["spec"] = serde_json::json!({"suspend": false});
    set.manifests.clear();
    set.want(&changed);
    assert_eq!(operations(&set.plan()), ["+ Job/migrate"]);
    assert_eq!(set.plan().inventory_before.items[0].ended, None, "the new one has not ended");
}

#[test]
fn what_is_missed_is_made_anew_and_what_cannot_be_told_is_not() {
    let mut set = ended();
    assert_eq!(now(&mut set, Live::Absent), ["+ Job/migrate"], "somebody took it away before its time");
    assert_eq!(now(&mut set, Live::Unknown), ["keep Job/migrate"]);
    let manifest = set.manifests[0].digest;
    let of_another = Live::Ended { unit: UnitHash::of(&unit("other")), manifest };
    assert_eq!(now(&mut set, of_another), ["+ Job/migrate"]);
    set.inventory.items[0].ended = None;
    assert_eq!(now(&mut set, Live::Unknown), ["+ Job/migrate"]);
    set.inventory.items.clear();
    let ended = Live::Ended { unit: UnitHash::of(&set.unit), manifest };
    assert_eq!(now(&mut set, ended), ["+ Job/migrate"], "what nobody owns ended for nobody");
}

#[test]
fn what_ended_and_is_not_wanted_any_more_is_forgotten_and_needs_nobody() {
    let mut set = ended();
    set.manifests.clear();
    let plan = set.plan();
    assert_eq!(operations(&plan), ["forget(gone) Job/migrate"]);
    assert!(plan.holds.is_empty() && plan.inventory_after.items.is_empty());
}
