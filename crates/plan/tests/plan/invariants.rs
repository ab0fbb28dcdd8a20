//! Owns what holds of every plan, over random sets.

use std::collections::BTreeSet;

use plumb_plan::{HoldKind, Intent, Live, LiveState, Operation, Plan, SyncScope, UnitHash, Wants};
use plumb_unit::OnDelete;
use proptest::prelude::*;
use serde_json::Value;

use crate::set::{Set, claim, evidence, manifest, object, unit};

const KINDS: [(&str, &str); 10] = [
    ("v1", "ConfigMap"),
    ("v1", "Namespace"),
    ("v1", "Service"),
    ("v1", "PersistentVolumeClaim"),
    ("apps/v1", "Deployment"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
    ("example.com/v1", "Widget"),
    ("apiregistration.k8s.io/v1", "APIService"),
];

/// One object of a random set: what is wanted, owned, live and claimed of it.
#[derive(Clone, Debug)]
struct Item {
    kind: usize,
    wanted: bool,
    owned: bool,
    live: u8,
    state: u8,
    claim: u8,
    flags: u8,
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let item = (0..KINDS.len(), any::<bool>(), any::<bool>(), 0..5u8, 0..3u8, 0..8u8, 0..8u8)
        .prop_map(|(kind, wanted, owned, live, state, claim, flags)| Item { kind, wanted, owned, live, state, claim, flags });
    proptest::collection::vec(item, 0..40)
}

fn value(nth: usize, item: &Item) -> Value {
    object(KINDS[item.kind].0, KINDS[item.kind].1, &format!("o{nth}"))
}

fn set(items: &[Item], options: u16) -> Set {
    let mut set = Set::new();
    for (nth, item) in items.iter().enumerate() {
        let value = value(nth, item);
        let key = manifest(&value).key.clone();
        set.own(&value);
        if !item.owned {
            set.inventory.items.retain(|owned| owned.key != key);
        }
        if item.wanted {
            set.want(&value);
        }
        let fact = set.fact(&key);
        fact.state = [LiveState::Stands, LiveState::Drifted, LiveState::Unsettled][usize::from(item.state)];
        fact.deleting = item.flags & 1 != 0;
        fact.prune_disabled = item.flags & 2 != 0;
        match item.live {
            0 => drop(set.live.insert(key.clone(), Live::Absent)),
            1 => drop(set.live.insert(key.clone(), Live::Unknown)),
            2 => set.fact(&key).unit = Some(UnitHash::of(&unit("other"))),
            _ => {}
        }
        let wants = [Wants::Yes, Wants::No, Wants::Unknown].get(usize::from(item.claim % 4));
        if let Some(wants) = wants {
            set.others.insert(key, claim("other", item.claim & 4 != 0, *wants));
        }
    }
    let on = |bit: u16| options & (1 << bit) != 0;
    set.policy.wait = on(0);
    set.policy.prune = on(1) || on(2);
    if on(3) && on(4) {
        set.build.incomplete = Some("broken".to_owned());
    }
    if on(5) && on(6) {
        set.build.evidence = vec![evidence("elsewhere", "c2")];
    }
    if on(7) && on(8) {
        set.intent = Intent::Remove { on_delete: if on(9) { OnDelete::Delete } else { OnDelete::Orphan }, confirmed: on(10) };
    } else if on(9) && on(11) {
        let objects = set.live.keys().step_by(2).cloned().collect();
        set.scope = SyncScope::Partial { objects, prune: on(10) };
    }
    set
}

fn deletes(plan: &Plan) -> BTreeSet<&plumb_manifest::ObjectKey> {
    plan.operations().filter(|op| matches!(op, Operation::Delete { .. })).map(Operation::key).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_plan_keeps_the_rules(items in items(), options in any::<u16>()) {
        let mut set = set(&items, options);
        let plan = set.plan();

        // Phases form a DAG whose order is the order of the list, and none is empty without waiting for something.
        for (at, phase) in plan.phases.iter().enumerate() {
            prop_assert!(phase.after.iter().all(|edge| edge.phase < at));
            prop_assert!(!phase.operations.is_empty() || matches!(phase.name, "health" | "endpoints"));
        }

        // No object is in two operations.
        let mut seen = BTreeSet::new();
        for operation in plan.operations() {
            prop_assert!(seen.insert(operation.key()), "{} twice", operation.key());
        }

        // What is deleted is owned, live under our stamps, not wanted by anybody, and not protected.
        let wanted: BTreeSet<_> = if matches!(set.intent, Intent::Sync) { set.manifests.iter().map(|m| &m.key).collect() } else { BTreeSet::new() };
        for key in deletes(&plan) {
            prop_assert!(set.build.incomplete.is_none());
            prop_assert!(set.inventory.items.iter().any(|item| item.key == *key));
            prop_assert!(!wanted.contains(key));
            let Some(Live::Here(fact)) = set.live.get(key) else { return Err(TestCaseError::fail("deleted though not seen")) };
            prop_assert!(fact.unit == Some(UnitHash::of(&set.unit)) && !fact.prune_disabled);
            prop_assert!(set.others.get(key).is_none_or(|claims| claims.iter().all(|claim| claim.wants == Wants::No)));
            prop_assert!(fact.deleting || !plumb_plan::always_held(key));
            let source_changed = set.build.evidence[0].source != "repo" && matches!(set.intent, Intent::Sync);
            prop_assert!(fact.deleting || !source_changed);
            if let SyncScope::Partial { objects, prune } = &set.scope {
                prop_assert!(*prune && objects.contains(key));
            }
        }

        // The inventory never loses an object that is still ours, and names everything applied before it is applied.
        let after: BTreeSet<_> = plan.inventory_after.items.iter().map(|item| &item.key).collect();
        let leaving: BTreeSet<_> = plan.operations()
            .filter(|op| matches!(op, Operation::Delete { .. } | Operation::Release { .. } | Operation::Forget { .. })).map(Operation::key).collect();
        for item in &set.inventory.items {
            prop_assert!(after.contains(&item.key) != leaving.contains(&item.key), "{}", item.key);
        }
        for operation in plan.operations() {
            prop_assert!(plan.inventory_before.items.iter().any(|item| item.key == *operation.key()));
        }
        prop_assert!(plan.inventory_before.items.windows(2).all(|pair| pair[0].key < pair[1].key));

        // Held objects are in no operation.
        for hold in &plan.holds {
            prop_assert!(hold.objects.iter().all(|key| !seen.contains(key)));
        }

        // Equal inputs, equal plans; approvals change neither digest nor what else happens.
        prop_assert_eq!(set.plan().digest, plan.digest);
        set.approvals = plan.holds.iter().map(|hold| hold.digest).collect();
        let approved = set.plan();
        prop_assert_eq!(approved.digest, plan.digest);
        prop_assert!(approved.holds.iter().all(|hold| hold.kind != HoldKind::Prune));
        let lifted: BTreeSet<_> = plan.holds.iter().filter(|hold| hold.kind == HoldKind::Prune).flat_map(|hold| &hold.objects).collect();
        prop_assert_eq!(deletes(&approved), deletes(&plan).union(&lifted).copied().collect());
    }

    #[test]
    fn another_live_version_is_another_digest(items in items(), pick in any::<prop::sample::Index>()) {
        let mut set = set(&items, 0b11);
        let plan = set.plan();
        let touched: Vec<_> = plan.operations().map(|op| op.key().clone()).filter(|key| matches!(set.live.get(key), Some(Live::Here(_)))).collect();
        prop_assume!(!touched.is_empty());
        let key = pick.get(&touched).clone();
        set.fact(&key).resource_version = "other".to_owned();
        prop_assert_ne!(set.plan().digest, plan.digest);
    }
}
