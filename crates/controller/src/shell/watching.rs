//! Owns what becomes of a watch's observations: per object they come, per unit the core is told.

use std::collections::BTreeSet;
use std::sync::Arc;

use plumb_cluster::Observation as Seen;
use plumb_manifest::{FieldPath, ObjectKey};
use plumb_plan::{FieldChange, HealthStatus, UnitHash};
use plumb_unit::{Ending, NodeKey};

use super::targets::Target;
use super::units::Memory;
use super::{Shared, endings};
use crate::clock::now_ms;
use crate::core::{DriftSeen, Event, Observation};

/// How many fields a summary names.
const NAMED_FIELDS: usize = 3;

/// Notes what was seen of an object and tells the core how its unit does.
pub(crate) fn observed(shared: &Arc<Shared>, target: &Target, seen: Seen) {
    match seen {
        Seen::Drifted { key, unit, changes } => about(shared, target, unit, &key, |memory| {
            memory.drift.insert(key.clone(), changes);
        }),
        Seen::Deleted { key, unit, .. } => about(shared, target, unit, &key, |memory| {
            memory.drift.insert(key.clone(), vec![vanished()]);
        }),
        Seen::Finished { key, unit } => ends(shared, target, unit, &key, None),
        Seen::Ended { key, unit, ending } => ends(shared, target, unit, &key, Some(ending)),
        Seen::Restored { key, unit } => about(shared, target, unit, &key, |memory| {
            memory.drift.remove(&key);
        }),
        Seen::Appeared { key, unit } => about(shared, target, unit, &key, |memory| {
            memory.drift.retain(|drifted, changes| *drifted != key || !is_vanished(changes));
        }),
        Seen::Voided { kinds, units, what } => voided(shared, target, &kinds, &units, &what),
        Seen::Health { key, unit, .. } => about(shared, target, unit, &key, |_| {}),
        Seen::Synced(gvk) => {
            tracing::debug!(cluster = &*target.name, %gvk, "all stamped objects are known");
            everything(shared, target);
        }
        Seen::Trouble { gvk, message: Some(message) } => {
            tracing::warn!(cluster = &*target.name, %gvk, "cannot be watched: {message}")
        }
        Seen::Trouble { gvk, message: None } => tracing::info!(cluster = &*target.name, %gvk, "can be watched again"),
        Seen::Overflow => {
            tracing::warn!(cluster = &*target.name, "observations were lost; everything is judged again");
            target.cluster.reread();
        }
    }
}

/// Has the units concerned settle their objects anew; those that failed with such objects may succeed now.
fn voided(shared: &Shared, target: &Target, kinds: &BTreeSet<(Arc<str>, Arc<str>)>, units: &BTreeSet<UnitHash>, what: &str) {
    tracing::info!(cluster = &*target.name, units = units.len(), "{what}: objects that rest on it are settled anew");
    let concerned = |key: &ObjectKey| kinds.contains(&(Arc::clone(&key.group), Arc::clone(&key.kind)));
    let nodes = shared.units.select(|node, memory| {
        let here = memory.lives_in.as_ref() == Some(&target.name);
        let voided = units.contains(&UnitHash::of(node));
        (here && (voided || memory.wants.iter().flatten().any(concerned))).then(|| (node.clone(), voided))
    });
    shared.counters.voided(nodes.iter().filter(|(_, voided)| *voided).count() as u64);
    for (node, voided) in nodes {
        shared.tell(if voided { Event::Voided(node, what.into()) } else { Event::Hope(node) });
    }
}

/// Notes that an object may go by itself, or went: the record at the target has to say so before a restart can ask for it.
fn ends(shared: &Arc<Shared>, target: &Target, unit: Option<UnitHash>, key: &ObjectKey, went: Option<Ending>) {
    let Some(node) = unit.and_then(|unit| shared.units.named(unit)) else { return };
    let begins = shared.units.with(&node, |memory| {
        let here = memory.lives_in.as_ref().is_none_or(|name| *name == target.name);
        if !here || !memory.has_to_do_with(key) {
            return false;
        }
        memory.drift.remove(key);
        memory.ended.extend(went.map(|ending| (key.clone(), ending)));
        !std::mem::replace(&mut memory.noting, true)
    });
    if begins {
        tokio::spawn(endings::note(Arc::clone(shared), node.clone()));
    }
    report(shared, target, &node);
}

/// The stamp is believed only where the unit's record names the object.
fn about(shared: &Arc<Shared>, target: &Target, unit: Option<UnitHash>, key: &ObjectKey, change: impl FnOnce(&mut Memory)) {
    let Some(node) = unit.and_then(|unit| shared.units.named(unit)) else { return };
    let ours = shared.units.read(&node, |memory| memory.owns(key) && memory.lives_in.as_ref() == Some(&target.name));
    if ours == Some(true) {
        shared.units.with(&node, change);
        report(shared, target, &node);
    }
}

fn everything(shared: &Arc<Shared>, target: &Target) {
    for node in shared.units.select(|node, memory| (memory.lives_in.as_ref() == Some(&target.name)).then(|| node.clone())) {
        report(shared, target, &node);
    }
}

/// Tells the core how a unit does.
pub(crate) fn report(shared: &Arc<Shared>, target: &Target, node: &NodeKey) {
    let observation = shared.units.read(node, |memory| Observation { health: health(target, memory), drift: drift(memory) });
    if let Some(observation) = observation {
        shared.tell(Event::Observed(node.clone(), observation));
    }
}

/// Returns how a unit's objects do together: the worst of them.
pub(crate) fn health(target: &Target, memory: &Memory) -> HealthStatus {
    let each = memory.record.inventory.items.iter().map(|item| target.cluster.health(&item.key).status);
    each.max().unwrap_or(HealthStatus::Healthy)
}

fn drift(memory: &Memory) -> Option<DriftSeen> {
    if memory.drift.is_empty() {
        return None;
    }
    let now = now_ms();
    let mut names = Vec::new();
    let mut count = 0;
    let mut not_before: Option<u64> = None;
    let mut free = false;
    for (key, changes) in &memory.drift {
        for change in changes {
            count += 1;
            if names.len() < NAMED_FIELDS {
                names.push(describe(key, change));
            }
            match memory.contests.blocks(key, change, now) {
                Some(contest) => not_before = not_before.max(Some(contest.until_ms)),
                None => free = true,
            }
        }
    }
    let more = if count > names.len() { format!(" and {} more", count - names.len()) } else { String::new() };
    // Somebody else's quarrel over one path must not keep another path from being put right.
    Some(DriftSeen { summary: format!("{}{more}", names.join("; ")).into(), not_before: not_before.filter(|_| !free) })
}

fn describe(key: &ObjectKey, change: &FieldChange) -> String {
    let by = change.manager.as_ref().map(|manager| format!(" by {manager}")).unwrap_or_default();
    if change.path == FieldPath::default() { format!("{key} deleted{by}") } else { format!("{key} {} changed{by}", change.path) }
}

/// A deletion, as a change of the whole object.
fn vanished() -> FieldChange {
    FieldChange { path: FieldPath::default(), old: None, new: None, manager: None }
}

fn is_vanished(changes: &[FieldChange]) -> bool {
    changes.iter().any(|change| change.path == FieldPath::default())
}
