//! Owns the making of a plan: desired × live × inventory × policy. Each decision is a small function; this file is their order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_manifest::{Digest, Manifest, ObjectKey, Role};
use plumb_unit::{Drift, Evidence, Inventory, InventoryItem, OnDelete};

use crate::order::{Phases, Relations};
use crate::prune::{Dropped, always_held, dropped, evidence_gap, hold, key_bytes, prune_verdict};
use crate::{
    ApplyMode, Claim, Forgotten, Hold, HoldKind, Intent, Kept, Live, LiveFact, LiveState, Occasion, Operation, Plan, PlanInput, PruneCase,
    SyncScope, UnitHash, Wants,
};

/// Returns what would change.
///
/// *Guarantees*: every edge leads to an earlier phase; no object is both applied and deleted; only objects of the inventory that are
/// live under this unit's stamps are deleted, with evidence and, where it is needed, approval; a partial request deletes only what it
/// names and only when it asks for pruning. Equal inputs give equal plans.
pub fn plan(input: &PlanInput<'_>) -> Plan {
    let (operations, owner_holds) = applies(input);
    let mut gone = Gone::of(input);
    let (all_before, all_after) = hooks(input, &gone);
    let digest = digest(input, operations.iter().chain(&all_before).chain(&all_after), &gone);
    let case = prune_case(input, &gone);
    let mut holds = owner_holds;
    holds.extend(gone.hold(input, case, digest));
    // Now that what is held is out of it.
    let (before_all, after_all) = hooks(input, &gone);

    let relations = Relations::of(input.manifests, input.schema);
    let mut phases = Phases::new(input.policy.timeout);
    let (before, after) = inventories(input, &operations, &gone);
    let wait = input.policy.wait && matches!(input.intent, Intent::Sync);
    let is_base = |operation: &Operation| matches!(operation, Operation::Apply { manifest, .. } | Operation::Keep(manifest) if manifest.role == Role::Base);
    // Without hooks the order of kinds does it: what is there first, hooks need.
    let (base, operations) = if before_all.is_empty() { (Vec::new(), operations) } else { operations.into_iter().partition(is_base) };
    let keys = base.iter().chain(&operations).map(|operation| operation.key().clone()).collect();
    phases.base(base);
    phases.hooks(input.occasion.map(Occasion::moments).map(|(before, _)| before), before_all);
    let last = phases.apply(operations, keys, &relations, wait);
    phases.release(gone.leaves, &last);
    let gone_last = phases.prune(gone.deletes.into_iter().map(|delete| delete.operation()).collect(), input.schema, &last);
    // What an upgrade no longer needs is pruned beside its hooks; hooks of a removal come when everything is gone.
    let before_last = if input.occasion == Some(Occasion::Removal) { &gone_last } else { &last };
    phases.hooks_after(input.occasion.map(Occasion::moments).map(|(_, after)| after), after_all, before_last);
    Plan {
        unit: input.unit.clone(),
        phases: phases.finish(),
        inventory_before: before,
        inventory_after: after,
        holds,
        kept: gone.kept,
        prune: case,
        digest,
    }
}

/// The hooks that run before and after everything else, in their order: by weight, then as the build gave them.
/// A removal runs its hooks when it deletes something: not while all of it waits for an approval, and not of objects that stay.
fn hooks(input: &PlanInput<'_>, gone: &Gone) -> (Vec<Operation>, Vec<Operation>) {
    let fits = match (input.intent, input.occasion) {
        (Intent::Sync, Some(occasion)) => occasion != Occasion::Removal,
        (Intent::Remove { .. }, Some(occasion)) => occasion == Occasion::Removal && !gone.deletes.is_empty(),
        (_, None) => false,
    };
    let Some((before, after)) = input.occasion.map(Occasion::moments).filter(|_| fits) else {
        return (Vec::new(), Vec::new());
    };
    let at = |moment| {
        let mut hooks: Vec<(i64, &Arc<Manifest>)> = Vec::new();
        for manifest in input.manifests {
            hooks.extend(manifest.hook().filter(|hook| hook.moments.contains(&moment)).map(|hook| (hook.weight, manifest)));
        }
        hooks.sort_by_key(|(weight, _)| *weight);
        hooks.into_iter().map(|(_, manifest)| Operation::Hook(Arc::clone(manifest))).collect()
    };
    (at(before), at(after))
}

/// Decides about each wanted object.
fn applies(input: &PlanInput<'_>) -> (Vec<Operation>, Vec<Hold>) {
    let (mut operations, mut holds) = (Vec::new(), Vec::new());
    let owned: BTreeMap<&ObjectKey, &InventoryItem> = input.inventory.items.iter().map(|item| (&item.key, item)).collect();
    for manifest in wanted(input).into_values() {
        match apply(input, manifest, owned.get(&manifest.key).copied()) {
            Ok(operation) => operations.push(operation),
            Err(owner) => {
                let reason =
                    format!("{} belongs to unit {}, which still declares it; take it out of one of the two", manifest.key, owner.unit);
                holds.push(hold(input.unit, HoldKind::Owner, reason, &[(manifest.key.clone(), String::new(), owner.unit.to_string())]));
            }
        }
    }
    (operations, holds)
}

/// The objects to apply by key: the first of two with one key, though builds do not give such.
fn wanted<'a>(input: &PlanInput<'a>) -> BTreeMap<&'a ObjectKey, &'a Arc<Manifest>> {
    let mut wanted = BTreeMap::new();
    for manifest in input.manifests.iter().filter(|manifest| manifest.hook().is_none()) {
        let in_scope = match input.scope {
            SyncScope::Whole => true,
            SyncScope::Partial { objects, .. } => objects.contains(&manifest.key),
        };
        if in_scope && matches!(input.intent, Intent::Sync) {
            wanted.entry(&manifest.key).or_insert(manifest);
        }
    }
    wanted
}

/// Returns the operation for a wanted object, or the claim that forbids it. `item`: what the inventory says of it.
fn apply(input: &PlanInput<'_>, manifest: &Arc<Manifest>, item: Option<&InventoryItem>) -> Result<Operation, Claim> {
    let key = &manifest.key;
    let live = input.live.live(key);
    let with = |mode| Operation::Apply { manifest: manifest.clone(), mode };
    if item.is_some_and(|item| stands_ended(input, manifest, item, &live)) {
        return Ok(Operation::Keep(manifest.clone()));
    }
    let owned = item.is_some();
    if let Live::Here(fact) = &live
        && fact.unit == Some(UnitHash::of(input.unit))
        && owned
    {
        let stands = match fact.state {
            LiveState::Stands => true,
            LiveState::Drifted => input.policy.drift != Drift::Revert,
            LiveState::Unsettled => false,
        };
        let keep = stands && !fact.deleting && fact.manifest == Some(manifest.digest);
        return Ok(if keep { Operation::Keep(manifest.clone()) } else { with(ApplyMode::Owned) });
    }
    let stamped = if let Live::Here(fact) = &live { fact.unit.filter(|unit| *unit != UnitHash::of(input.unit)) } else { None };
    let claims = input.others.claims(key);
    let Some(stamp) = stamped else {
        // Not live, or under nobody's stamps: who has it in its inventory was first. Two that wrote it there at the same time, before either
        // had created it, would wait for each other for ever: then the first of them by name goes, the other one meets its stamp.
        let first = |claim: &Claim| !owned || claim.unit < *input.unit;
        let owner = claims.into_iter().find(|claim| claim.owns && claim.wants != Wants::No && first(claim));
        return owner.map_or_else(|| Ok(with(ApplyMode::First)), Err);
    };
    match claims.into_iter().find(|claim| UnitHash::of(&claim.unit) == stamp) {
        Some(claim) if !claim.owns => Ok(with(ApplyMode::First)),
        Some(claim) if claim.wants != Wants::No => Err(claim),
        // Its unit let it go, or is gone and has forgotten it already.
        Some(_) | None => Ok(with(ApplyMode::TakeOver(stamp))),
    }
}

/// Whether an owned object ended by itself and stands for its manifest: to apply it would be to run it again. While it cannot be told whether
/// it is there, the word of the inventory is enough.
fn stands_ended(input: &PlanInput<'_>, manifest: &Manifest, item: &InventoryItem, live: &Live) -> bool {
    match live {
        Live::Ended { unit, manifest: of } => *unit == UnitHash::of(input.unit) && *of == manifest.digest,
        Live::Unknown => item.ended.is_some() && item.manifest == manifest.digest,
        Live::Here(_) | Live::Absent => false,
    }
}

/// An object to delete.
struct Delete {
    item: InventoryItem,
    fact: LiveFact,
}

impl Delete {
    fn operation(self) -> Operation {
        let Self { item, fact } = self;
        Operation::Delete { key: item.key, version: item.version, uid: fact.uid, resource_version: fact.resource_version }
    }

    fn bound(&self) -> (ObjectKey, String, String) {
        (self.item.key.clone(), self.fact.uid.clone(), self.fact.approval_version())
    }
}

/// Owned objects that the build does not name, by what becomes of them.
#[derive(Default)]
struct Gone {
    deletes: Vec<Delete>,
    /// Releases and forgettings.
    leaves: Vec<Operation>,
    /// Stay owned: by policy or scope.
    kept: Vec<(ObjectKey, Kept)>,
    /// Stay owned: whether they are live, or wanted by another unit, could not be told.
    unknown: Vec<ObjectKey>,
    /// Stay owned: deletions that are held.
    held: Vec<ObjectKey>,
}

impl Gone {
    fn of(input: &PlanInput<'_>) -> Self {
        let mut gone = Self::default();
        let named: BTreeSet<&ObjectKey> = match input.intent {
            Intent::Sync => input.manifests.iter().map(|manifest| &manifest.key).collect(),
            Intent::Remove { .. } => BTreeSet::new(),
        };
        let uids: BTreeSet<String> = named.iter().filter_map(|key| uid(input.live.live(key))).collect();
        for item in input.inventory.items.iter().filter(|item| !named.contains(&item.key)) {
            if let Some(kept) = kept(input, &item.key) {
                gone.kept.push((item.key.clone(), kept));
                continue;
            }
            let forget = |why| Operation::Forget { key: item.key.clone(), why };
            let release = || Operation::Release { key: item.key.clone(), version: item.version.clone() };
            match dropped(input.unit, &item.key, input.live.live(&item.key), input.others) {
                Dropped::Delete(fact) if uids.contains(&fact.uid) => gone.leaves.push(forget(Forgotten::Alias)),
                Dropped::Delete(_) if orphans(input.intent) => gone.leaves.push(release()),
                Dropped::Delete(fact) => gone.deletes.push(Delete { item: item.clone(), fact }),
                Dropped::Release => gone.leaves.push(release()),
                Dropped::Forget(why) => gone.leaves.push(forget(why)),
                Dropped::Unknown => gone.unknown.push(item.key.clone()),
            }
        }
        gone
    }

    /// Takes the deletions that may not happen out of the plan, and returns why.
    fn hold(&mut self, input: &PlanInput<'_>, case: PruneCase, plan: Digest) -> Vec<Hold> {
        let mut holds = Vec::new();
        if !self.unknown.is_empty() {
            let unknown: Vec<_> = self.unknown.iter().map(|key| (key.clone(), String::new(), String::new())).collect();
            holds.push(hold(
                input.unit,
                HoldKind::Evidence,
                "whether they are live, or wanted by another unit, could not be told yet".to_owned(),
                &unknown,
            ));
        }
        let confirmed = matches!(input.intent, Intent::Remove { confirmed: true, .. });
        let gap = evidence_gap(input.intent, input.build, input.inventory);
        // What somebody deletes already needs no approval: it is only waited for.
        let (going, deletes): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.deletes).into_iter().partition(|delete| delete.fact.deleting && gap.is_none());
        let by_number = if confirmed { None } else { prune_verdict(case, input.group) };
        let all = gap.or_else(|| by_number.map(|reason| (HoldKind::Prune, reason)));
        let (held, free, kind, reason) = match all {
            Some((kind, reason)) => (deletes, going, kind, reason),
            None => {
                let (held, mut free): (Vec<_>, Vec<_>) = deletes.into_iter().partition(|delete| always_held(&delete.item.key));
                free.extend(going);
                let reason = kinds_reason(held.iter().map(|delete| &delete.item.key));
                (held, free, HoldKind::Prune, reason)
            }
        };
        self.deletes = free;
        if !held.is_empty() {
            let bound: Vec<_> = held.iter().map(Delete::bound).collect();
            let hold = hold(input.unit, kind, reason, &bound);
            let approved = kind == HoldKind::Prune && (input.approvals.contains(&hold.digest) || input.approvals.contains(&plan));
            if approved {
                self.deletes.extend(held);
            } else {
                self.held.extend(held.into_iter().map(|delete| delete.item.key));
                holds.push(hold);
            }
        }
        self.deletes.sort_by(|a, b| a.item.key.cmp(&b.item.key));
        holds
    }

    fn remains(&self) -> impl Iterator<Item = &ObjectKey> {
        self.kept.iter().map(|(key, _)| key).chain(&self.unknown).chain(&self.held)
    }
}

fn uid(live: Live) -> Option<String> {
    if let Live::Here(fact) = live { Some(fact.uid) } else { None }
}

fn orphans(intent: Intent) -> bool {
    matches!(intent, Intent::Remove { on_delete: OnDelete::Orphan, .. })
}

/// Returns why an object stays owned though the build does not name it.
fn kept(input: &PlanInput<'_>, key: &ObjectKey) -> Option<Kept> {
    if matches!(input.intent, Intent::Remove { .. }) {
        return None;
    }
    match input.scope {
        SyncScope::Partial { objects, prune } => (!prune || !objects.contains(key)).then_some(Kept::Partial),
        SyncScope::Whole => (!input.policy.prune).then_some(Kept::PruneOff),
    }
}

fn kinds_reason<'a>(keys: impl Iterator<Item = &'a ObjectKey>) -> String {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for key in keys {
        *kinds.entry(&key.kind).or_default() += 1;
    }
    let list: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    format!("deletes {}: what they hold goes with them", list.join(", "))
}

fn prune_case(input: &PlanInput<'_>, gone: &Gone) -> PruneCase {
    let deletes = gone.deletes.iter().filter(|delete| !delete.fact.deleting).count();
    let named = if matches!(input.intent, Intent::Sync) { input.manifests.len() } else { 0 };
    PruneCase { deletes, owned: input.inventory.items.len(), left: named + gone.kept.len() + gone.unknown.len() }
}

/// Hashes what would be done, held deletions included, so that approving does not change it.
fn digest<'o>(input: &PlanInput<'_>, operations: impl Iterator<Item = &'o Operation>, gone: &'o Gone) -> Digest {
    let mut parts: Vec<Vec<u8>> = vec![b"plan".to_vec(), format!("{:?}", input.unit).into_bytes()];
    for operation in operations.chain(&gone.leaves) {
        let (word, rest): (&[u8], Vec<u8>) = match operation {
            Operation::Apply { manifest, mode } => (b"apply", format!("{} {mode:?}", manifest.digest).into_bytes()),
            Operation::Hook(manifest) => (b"hook", manifest.digest.to_string().into_bytes()),
            Operation::Keep(manifest) => (b"keep", manifest.digest.to_string().into_bytes()),
            Operation::Delete { uid, .. } => (b"delete", uid.clone().into_bytes()),
            Operation::Release { .. } => (b"release", Vec::new()),
            Operation::Forget { why, .. } => (b"forget", format!("{why:?}").into_bytes()),
        };
        let version = match input.live.live(operation.key()) {
            Live::Here(fact) => format!("{} {}", fact.uid, fact.approval_version()),
            Live::Absent => "absent".to_owned(),
            Live::Ended { .. } => "ended".to_owned(),
            Live::Unknown => "unknown".to_owned(),
        };
        parts.extend([word.to_vec(), key_bytes(operation.key()), rest, version.into_bytes()]);
    }
    for delete in &gone.deletes {
        let (key, uid, version) = delete.bound();
        parts.extend([b"delete".to_vec(), key_bytes(&key), uid.into_bytes(), version.into_bytes()]);
    }
    Digest::of_parts(parts.iter().map(Vec::as_slice))
}

/// Returns the inventory before the first create and after the last delete.
fn inventories(input: &PlanInput<'_>, operations: &[Operation], gone: &Gone) -> (Inventory, Inventory) {
    let mut items: BTreeMap<ObjectKey, InventoryItem> = input.inventory.items.iter().map(|item| (item.key.clone(), item.clone())).collect();
    for operation in operations {
        let (Operation::Apply { manifest, .. } | Operation::Keep(manifest)) = operation else { continue };
        let known = items.get(&manifest.key);
        let uid = uid(input.live.live(&manifest.key)).or_else(|| known?.uid.clone());
        let ended = known.filter(|item| item.manifest == manifest.digest).and_then(|item| item.ended.clone());
        let (key, version) = (manifest.key.clone(), manifest.gvk.version.to_string());
        items.insert(key.clone(), InventoryItem { key, version, uid, manifest: manifest.digest, ended });
    }
    let known = |evidence: &Vec<Evidence>| if evidence.is_empty() { input.build.evidence.clone() } else { evidence.clone() };
    let before = Inventory { items: items.values().cloned().collect(), evidence: known(&input.inventory.evidence) };
    for key in gone.deletes.iter().map(|delete| &delete.item.key).chain(gone.leaves.iter().map(Operation::key)) {
        items.remove(key);
    }
    let after = Inventory { items: items.into_values().collect(), evidence: evidence_after(input, gone) };
    (before, after)
}

/// What is still owned though the build does not name it is compared with the read that last held it, so that read stays on record.
fn evidence_after(input: &PlanInput<'_>, gone: &Gone) -> Vec<Evidence> {
    let (old, new) = (&input.inventory.evidence, &input.build.evidence);
    let whole = *input.scope == SyncScope::Whole && matches!(input.intent, Intent::Sync);
    if old.is_empty() || (whole && input.build.incomplete.is_none() && gone.remains().next().is_none()) {
        return new.clone();
    }
    let mut evidence = old.clone();
    if whole && input.build.incomplete.is_none() {
        evidence.extend(new.iter().filter(|now| old.iter().all(|seen| seen.source != now.source)).cloned());
    }
    evidence
}
