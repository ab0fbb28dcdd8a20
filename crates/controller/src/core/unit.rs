//! Owns a unit's coming, changing and going: declarations, restored facts, what it wants, observations, leases and targets.

use std::collections::BTreeSet;
use std::sync::Arc;

use plumb_manifest::Digest;
use plumb_plan::HealthStatus;
use plumb_unit::{Drift, NodeKey, Revisions};

use super::Core;
use super::event::{Action, Cause, Class, Declared, Ended, Entry, Facts, Ms, Observation, ShardId, UnitNode, Want};
use super::queue::{BuildJob, Timer};
use super::state::{Deletion, Phase, UnitState, Verdict};

impl Core {
    pub(super) fn put(&mut self, key: NodeKey, declared: Declared) {
        match declared {
            Declared::Source { poll } => self.put_source(&key, poll),
            Declared::Generator { source } => self.put_root(&key, source),
            Declared::Unit(_) | Declared::Stalled { .. } => {
                self.put_unit(&key, declared, None);
            }
        }
    }

    /// Takes a unit's declaration; returns whether it is news.
    pub(super) fn put_unit(&mut self, key: &NodeKey, declared: Declared, by: Option<(&NodeKey, &Arc<str>)>) -> bool {
        let (spec, stalled) = match declared {
            Declared::Unit(spec) => (Some(spec), Vec::new()),
            Declared::Stalled { reasons } => (None, reasons),
            Declared::Source { .. } | Declared::Generator { .. } => return false,
        };
        let target = spec.as_ref().map(|spec| spec.unit.target.cluster.clone());
        self.ensure_unit(key, target.clone());
        self.dirty.insert(key.clone());
        let Some(unit) = self.units.get_mut(key) else { return false };
        unit.declared = true;
        unit.removed = false;
        unit.declared_by = by.map(|(generator, _)| generator.clone());
        if let Some((_, from)) = by {
            unit.declared_from = Some(from.clone());
        }
        let back = unit.no_evidence.take().is_some() || unit.deleting == Some(Deletion::Removed);
        if unit.deleting == Some(Deletion::Removed) {
            unit.deleting = None;
        }
        let same = match (&unit.spec, &spec) {
            (Some(old), Some(new)) => old.unit.digest == new.unit.digest && old.sources == new.sources,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let stalls = unit.stalled != stalled;
        unit.stalled = stalled;
        if same && !back && unit.want.seq > 0 {
            if let (Some(old), Some(new)) = (&mut unit.spec, spec) {
                old.unit = new.unit; // where it was declared may have moved
            }
            return stalls;
        }
        if let Some(spec) = spec {
            unit.crashes = if unit.spec.is_some() && !same { 0 } else { unit.crashes };
            self.move_target(key, target);
            self.set_spec(key, spec);
            self.bump(key, Cause::Declared);
        } else if !unit.stalled.is_empty() {
            self.bump(key, Cause::Declared);
        }
        true
    }

    /// Takes a declaration's end, with evidence.
    pub(super) fn gone(&mut self, key: &NodeKey) {
        if self.units.contains_key(key) {
            self.remove_unit(key);
            self.attend_open_groups(key);
        } else if self.sources.contains_key(key) {
            self.undeclare_source(key);
        } else if self.roots.contains_key(key) {
            self.drop_root(key);
        }
    }

    /// Begins a deletion, because the unit is not declared any more.
    pub(super) fn remove_unit(&mut self, key: &NodeKey) {
        let Some(unit) = self.units.get_mut(key) else { return };
        unit.declared = false;
        unit.removed = true;
        unit.no_evidence = None;
        if unit.deleting.is_some() {
            return;
        }
        if unit.spec.is_none() && unit.target.is_empty() {
            return self.drop_unit(key); // never understood and never anywhere: there is nothing to wait for
        }
        unit.deleting = Some(Deletion::Removed);
        unit.repair = false;
        self.cancel_syncs(key, "the unit is not declared any more");
        self.bump(key, Cause::Removed);
    }

    pub(super) fn restored(&mut self, key: NodeKey, facts: Facts) {
        self.ensure_unit(&key, Some(facts.target.clone()));
        let Some(unit) = self.units.get_mut(&key) else { return };
        let unplaced = unit.spec.is_none();
        let undeclared = unplaced && unit.stalled.is_empty();
        let target = facts.target.clone();
        unit.restore(facts);
        if unplaced {
            self.move_target(&key, Some(target));
        }
        if undeclared {
            self.judge_absence(&key);
        } else if self.units.get(&key).is_some_and(|unit| unit.done.is_none() && unit.kept.pin.is_some()) {
            self.bump(&key, Cause::Start);
        }
        self.dirty.insert(key);
    }

    fn ensure_unit(&mut self, key: &NodeKey, target: Option<Arc<str>>) {
        if self.units.contains_key(key) {
            return;
        }
        let target = target.unwrap_or_else(|| "".into());
        let shard = self.shard_of(key);
        self.targets.entry(target.clone()).or_default().units.insert(key.clone());
        self.units.insert(key.clone(), UnitState::new(target, shard));
        self.touch_dependents(key); // it is not missing any more
    }

    /// Deals units to shards by a hash of their key, so that every process deals them alike.
    fn shard_of(&self, key: &NodeKey) -> ShardId {
        let Digest(bytes) = Digest::of_parts([key.installation.as_bytes(), key.namespace.as_bytes(), key.name.as_bytes()]);
        let head = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        ShardId(head % self.limits.shards.max(1))
    }

    fn move_target(&mut self, key: &NodeKey, target: Option<Arc<str>>) {
        let (Some(target), Some(unit)) = (target, self.units.get_mut(key)) else { return };
        let old = std::mem::replace(&mut unit.target, target.clone());
        if let Some(old) = self.targets.get_mut(&old) {
            old.units.remove(key);
        }
        self.targets.entry(target).or_default().units.insert(key.clone());
        self.builds.remove(&BuildJob::Unit(key.clone()));
        self.syncs.remove(key);
    }

    fn set_spec(&mut self, key: &NodeKey, spec: UnitNode) {
        let Some(unit) = self.units.get_mut(key) else { return };
        unit.on_delete = spec.unit.policy.on_delete;
        let old = unit.spec.replace(spec.clone());
        let had: BTreeSet<NodeKey> = old.iter().flat_map(|old| old.sources.values().cloned()).collect();
        let old_deps: BTreeSet<NodeKey> = old.iter().flat_map(|old| old.unit.depends_on.iter().cloned()).collect();
        let has: BTreeSet<NodeKey> = spec.sources.values().cloned().collect();
        let deps: BTreeSet<NodeKey> = spec.unit.depends_on.iter().cloned().collect();
        for source in has.difference(&had) {
            self.use_source(source, key);
        }
        for source in had.difference(&has) {
            self.leave_source(source, key);
        }
        for dep in old_deps.difference(&deps) {
            self.forget_dependent(dep, key);
        }
        for dep in &deps {
            self.dependents.entry(dep.clone()).or_default().insert(key.clone());
        }
        let unready = deps.iter().filter(|dep| !self.units.get(*dep).is_some_and(|dep| dep.ready)).count();
        let newest: Revisions =
            spec.sources.iter().filter_map(|(alias, source)| Some((alias.clone(), self.sources.get(source)?.revision.clone()?))).collect();
        if let Some(unit) = self.units.get_mut(key) {
            unit.unready = unready;
            unit.newest = newest;
        }
        if deps != old_deps {
            self.find_cycles(Some(key));
        }
    }

    /// Finds ways from units back to themselves anew: from those on one so far, and from a unit whose dependencies changed.
    fn find_cycles(&mut self, changed: Option<&NodeKey>) {
        let mut suspects: BTreeSet<NodeKey> =
            self.units.iter().filter(|(_, unit)| unit.cycle.is_some()).map(|(key, _)| key.clone()).collect();
        suspects.extend(changed.cloned());
        suspects.extend(changed.and_then(|key| self.cycle(key)).into_iter().flatten());
        for key in suspects {
            let cycle = self.cycle(&key);
            if let Some(unit) = self.units.get_mut(&key) {
                unit.cycle = cycle;
                self.dirty.insert(key);
            }
        }
    }

    /// Returns a way from the node back to itself.
    fn cycle(&self, key: &NodeKey) -> Option<Vec<NodeKey>> {
        let mut seen = BTreeSet::new();
        let mut path: Vec<(&NodeKey, usize)> = vec![(key, 0)];
        while let Some((at, nth)) = path.last_mut() {
            let spec = self.units.get(*at).and_then(|unit| unit.spec.as_ref());
            let Some(next) = spec.and_then(|spec| spec.unit.depends_on.get(*nth)) else {
                path.pop();
                continue;
            };
            *nth += 1;
            if next == key {
                let mut names: Vec<NodeKey> = path.iter().map(|(at, _)| (*at).clone()).collect();
                names.push(key.clone());
                return Some(names);
            }
            if seen.insert(next) {
                path.push((next, 0));
            }
        }
        None
    }

    fn forget_dependent(&mut self, dep: &NodeKey, key: &NodeKey) {
        if let Some(dependents) = self.dependents.get_mut(dep) {
            dependents.remove(key);
            if dependents.is_empty() {
                self.dependents.remove(dep);
            }
        }
    }

    fn touch_dependents(&mut self, key: &NodeKey) {
        if let Some(dependents) = self.dependents.get(key) {
            self.dirty.extend(dependents.iter().cloned());
        }
    }

    /// Gives the unit a new want made of what is known now: new input, so back-off ends.
    pub(super) fn bump(&mut self, key: &NodeKey, cause: Cause) {
        let Some(unit) = self.units.get_mut(key) else { return };
        self.next_seq += 1;
        let pin = unit.kept.pin.clone().filter(|_| unit.deleting.is_none());
        let revisions = pin.as_ref().map_or_else(|| unit.newest.clone(), |pin| pin.revisions.clone());
        let spec = unit.spec.as_ref().map(|spec| spec.unit.clone());
        unit.want = Arc::new(Want { seq: self.next_seq, revisions, unit: spec, pin, delete: unit.deleting.is_some(), cause });
        unit.retry.reset();
        unit.broken = None;
        self.dirty.insert(key.clone());
    }

    /// Ends a suspension whose time is over.
    pub(super) fn end_suspension(&mut self, key: &NodeKey) {
        let now = self.now;
        let Some(unit) = self.units.get_mut(key) else { return };
        let over = unit.kept.suspend.as_ref().and_then(|suspend| suspend.until).is_some_and(|until| until <= now);
        if over {
            unit.kept.suspend = None;
            self.keep(key);
        }
    }

    /// Has what outlives the process written down.
    pub(super) fn keep(&mut self, key: &NodeKey) {
        if let Some(unit) = self.units.get(key) {
            self.out.push(Action::Keep(key.clone(), unit.kept.clone()));
        }
    }

    pub(super) fn observed(&mut self, key: &NodeKey, observation: Observation) {
        let Some(unit) = self.units.get_mut(key) else { return };
        unit.health = observation.health;
        if observation.health == HealthStatus::Healthy && unit.failure.as_ref().is_some_and(|failure| failure.class == Class::Unhealthy) {
            unit.retry.reset();
        }
        let ignored = unit.spec.as_ref().is_some_and(|spec| spec.unit.policy.drift == Drift::Ignore);
        let drift = observation.drift.filter(|_| !ignored);
        unit.repair = drift.is_some() && unit.reverts() && unit.done.is_some();
        let free = drift.as_ref().is_some_and(|drift| drift.not_before.is_none());
        if free && unit.dirty && unit.reverts() && unit.failure.as_ref().is_some_and(|failure| failure.class == Class::Unhealthy) {
            unit.retry.reset(); // the sync to repeat is the repair
        }
        unit.seen = Some(Observation { health: observation.health, drift });
        self.dirty.insert(key.clone());
    }

    /// Has what a unit's objects were settled as taken anew, however often it was told.
    pub(super) fn voided(&mut self, key: &NodeKey, what: Arc<str>) {
        let Some(unit) = self.units.get_mut(key) else { return };
        unit.voided = Some(what);
        unit.retry.reset();
        self.dirty.insert(key.clone());
    }

    /// Has a unit that failed try again at once.
    pub(super) fn hope(&mut self, key: &NodeKey) {
        let Some(unit) = self.units.get_mut(key).filter(|unit| unit.failure.is_some()) else { return };
        unit.retry.reset();
        self.dirty.insert(key.clone());
    }

    pub(super) fn lease(&mut self, shard: ShardId, epoch: Option<u64>) {
        let state = self.shards.entry(shard).or_default();
        match epoch {
            Some(epoch) if epoch > state.epoch => {
                state.held = true;
                state.epoch = epoch;
            }
            Some(_) => return, // renewed; or an old one, which proves nothing once it was lost
            None => state.held = false,
        }
        let units = self.units.iter().filter(|(_, unit)| unit.shard == shard).map(|(key, _)| key.clone());
        self.dirty.extend(units);
    }

    pub(super) fn reach(&mut self, name: Arc<str>, reachable: bool) {
        let now = self.now;
        let target = self.targets.entry(name.clone()).or_default();
        target.known |= reachable;
        if reachable {
            target.retry.reset();
        } else if target.reachable || target.retry.until(now).is_none() {
            target.retry.fail_to_reach(now, Ms::MAX, &self.limits, &mut self.rng);
        }
        target.reachable = reachable;
        self.after_reach(&name);
    }

    pub(super) fn after_reach(&mut self, name: &Arc<str>) {
        let at = self.targets.get(name).and_then(|target| target.retry.until(self.now)).filter(|_| self.targets[name].known);
        self.set_timer(Timer::Target(name.clone()), at);
        self.touch_target(name);
    }

    /// Ends a deletion that left nothing undone.
    pub(super) fn deleted(&mut self, key: &NodeKey) {
        let Some(unit) = self.units.get_mut(key) else { return };
        let by = match unit.deleting.take() {
            Some(Deletion::Ordered(_, by)) if !unit.removed => by,
            Some(Deletion::Ordered(..) | Deletion::Removed) | None => return self.drop_unit(key),
        };
        let kept = std::mem::take(&mut unit.kept);
        unit.kept.deleted = Some(by);
        unit.kept.suspend = kept.suspend;
        unit.done = None;
        unit.built = None;
        unit.synced = None;
        unit.synced_unit = None;
        unit.rest = None;
        unit.verdict = Verdict::Open;
        unit.owned = 0;
        unit.inventory = None;
        unit.dirty = false;
        unit.repair = false;
        unit.voided = None;
        unit.reread_at = None;
        unit.seen = None;
        unit.health = HealthStatus::Unknown;
        self.keep(key);
        self.end_requests(key, |open| open.phase == Phase::Delete, &Ended::Done { withheld: None });
        self.leave_groups(key);
        self.bump(key, Cause::Removed);
    }

    /// Forgets a unit.
    fn drop_unit(&mut self, key: &NodeKey) {
        self.end_requests(key, |open| open.phase == Phase::Delete, &Ended::Done { withheld: None });
        self.end_requests(key, |_| true, &Ended::Cancelled("the unit is gone".into()));
        self.leave_groups(key);
        let Some(unit) = self.units.remove(key) else { return };
        if let Some(run) = unit.build.filter(|run| !run.stopping) {
            self.out.push(Action::Stop(run.effect));
        }
        self.builds.remove(&BuildJob::Unit(key.clone()));
        self.syncs.remove(key);
        self.set_timer(Timer::Node(key.clone()), None);
        if let Some(target) = self.targets.get_mut(&unit.target) {
            target.units.remove(key);
        }
        if let Some(spec) = unit.spec {
            for source in spec.sources.values() {
                self.leave_source(source, key);
            }
            for dep in &spec.unit.depends_on {
                self.forget_dependent(dep, key);
            }
            if unit.cycle.is_some() {
                self.find_cycles(None);
            }
        }
        if unit.ready {
            for dependent in self.dependents.get(key).cloned().unwrap_or_default() {
                if let Some(other) = self.units.get_mut(&dependent) {
                    other.unready += 1;
                }
            }
        }
        self.touch_dependents(key);
        self.dirty.remove(key);
        self.shown.remove(key);
        self.out.push(Action::Record(key.clone(), Entry::Removed));
        self.out.push(Action::Forget(key.clone()));
    }

    /// Returns how long after its last full read a unit is read again.
    pub(super) fn interval(unit: &UnitState) -> Ms {
        unit.spec.as_ref().map_or(600_000, |spec| u64::try_from(spec.unit.policy.interval.as_millis()).unwrap_or(Ms::MAX / 4)).max(1_000)
    }
}
