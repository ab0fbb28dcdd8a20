//! Owns the end of a step: touched nodes are decided anew, put into queues or taken out, and started as far as places allow.

use std::sync::Arc;

use plumb_unit::{NodeKey, NodeKind};

use super::Core;
use super::decide::{Decision, Halt, Need, Part};
use super::event::{Action, EffectId, Fence, Ms, PrunePermission, RequestId, Stage, SyncKind, SyncOrder};
use super::lanes::LaneKey;
use super::state::{BuildRun, Phase, SyncRun};

/// A job in front of the builds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum BuildJob {
    Unit(NodeKey),
    DryRun(NodeKey, RequestId),
}

/// Which queue's place an effect takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Fetch,
    Build,
    Sync,
}

/// An effect that has not ended.
#[derive(Clone, Debug)]
pub(super) struct Effect {
    pub(super) node: NodeKey,
    /// The place it takes, at which target.
    pub(super) place: Option<(Place, Arc<str>)>,
}

/// What a timer is for. Each has one entry at most: the earliest time at which something may change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Node(NodeKey),
    Target(Arc<str>),
}

impl Core {
    /// Wakes what is due.
    pub(super) fn fire(&mut self) {
        while let Some((at, _)) = self.timers.first() {
            if *at > self.now {
                return;
            }
            let Some((_, timer)) = self.timers.pop_first() else { return };
            self.timer_of.remove(&timer);
            match timer {
                Timer::Node(key) => {
                    self.dirty.insert(key);
                }
                Timer::Target(target) => self.touch_target(&target),
            }
        }
    }

    pub(super) fn set_timer(&mut self, timer: Timer, at: Option<Ms>) {
        if self.timer_of.get(&timer).copied() == at {
            return;
        }
        if let Some(old) = self.timer_of.remove(&timer) {
            self.timers.remove(&(old, timer.clone()));
        }
        if let Some(at) = at {
            self.timers.insert((at, timer.clone()));
            self.timer_of.insert(timer, at);
        }
    }

    pub(super) fn set_wake(&mut self) {
        let first = self.timers.first().map(|(at, _)| *at);
        if first != self.wake {
            self.wake = first;
            self.out.extend(first.map(Action::WakeAt));
        }
    }

    /// Decides touched nodes anew and starts what may start, until nothing is left to decide.
    pub(super) fn settle(&mut self) {
        loop {
            while let Some(key) = self.dirty.pop_first() {
                match key.kind {
                    NodeKind::Unit => self.settle_unit(&key),
                    NodeKind::Source => self.settle_source(&key),
                    NodeKind::Generator => self.settle_root(&key),
                }
                self.shown.insert(key);
            }
            self.dispatch();
            if self.dirty.is_empty() {
                return;
            }
        }
    }

    pub(super) fn effect(&mut self, node: &NodeKey, place: Option<(Place, Arc<str>)>) -> EffectId {
        self.next_effect += 1;
        let id = EffectId(self.next_effect);
        if let Some((place, target)) = &place {
            self.lanes_occupy(*place, target);
        }
        self.effects.insert(id, Effect { node: node.clone(), place });
        id
    }

    /// Takes an effect off the books; none if it is not known, or has ended already.
    pub(super) fn end(&mut self, id: EffectId) -> Option<NodeKey> {
        self.give_back(id);
        self.effects.remove(&id).map(|effect| effect.node)
    }

    /// Gives the effect's place to somebody else while it goes on.
    pub(super) fn give_back(&mut self, id: EffectId) {
        let Some((place, target)) = self.effects.get_mut(&id).and_then(|effect| effect.place.take()) else { return };
        match place {
            Place::Fetch => self.fetches.release(&target),
            Place::Build => self.builds.release(&target),
            Place::Sync => self.syncs.release(&target),
        }
    }

    fn lanes_occupy(&mut self, place: Place, target: &Arc<str>) {
        match place {
            Place::Fetch => self.fetches.occupy(target),
            Place::Build => self.builds.occupy(target),
            Place::Sync => self.syncs.occupy(target),
        }
    }

    /// Takes a place again for an effect that had given it back, beyond the limit if need be.
    pub(super) fn take_again(&mut self, id: EffectId, place: Place, target: &Arc<str>) {
        let Some(effect) = self.effects.get_mut(&id) else { return };
        if effect.place.is_none() {
            effect.place = Some((place, target.clone()));
            self.lanes_occupy(place, target);
        }
    }

    fn settle_unit(&mut self, key: &NodeKey) {
        self.end_suspension(key);
        self.settle_requests(key);
        self.judge_alone(key);
        let Some(unit) = self.units.get(key) else { return };
        let lane = LaneKey { target: unit.target.clone(), tenant: key.namespace.clone() };
        let Decision { build, sync, stop_build, stop_sync } = self.decide(unit);
        let timer = self.unit_timer(unit);
        self.stop(key, stop_build, stop_sync);
        match build {
            Part::Start(()) => self.builds.push(lane.clone(), BuildJob::Unit(key.clone()), 1),
            Part::Rest | Part::Running | Part::At(_) | Part::Gated(_) => self.builds.remove(&BuildJob::Unit(key.clone())),
        }
        match sync {
            Part::Start(need) => self.syncs.push(lane, key.clone(), need.cost),
            Part::Rest | Part::Running | Part::At(_) | Part::Gated(_) => self.syncs.remove(key),
        }
        self.set_timer(Timer::Node(key.clone()), timer);
        self.turn_ready(key);
    }

    fn stop(&mut self, key: &NodeKey, build: bool, sync: Option<Halt>) {
        let Some(unit) = self.units.get_mut(key) else { return };
        if let Some(run) = unit.build.as_mut().filter(|_| build) {
            run.stopping = true;
            unit.preempted += 1;
            self.out.push(Action::Stop(run.effect));
        }
        if let (Some(run), Some(halt)) = (unit.sync.as_mut(), sync) {
            run.stopping = true;
            if halt == Halt::Newer {
                unit.preempted += 1;
            }
            self.out.push(Action::Stop(run.effect));
        }
    }

    /// Tells the units that depend on this one when its readiness turns.
    fn turn_ready(&mut self, key: &NodeKey) {
        let Some(unit) = self.units.get_mut(key) else { return };
        let ready = unit.is_ready();
        if ready == unit.ready {
            return;
        }
        unit.ready = ready;
        for dependent in self.dependents.get(key).cloned().unwrap_or_default() {
            let Some(other) = self.units.get_mut(&dependent) else { continue };
            if ready {
                other.unready = other.unready.saturating_sub(1);
                other.retry.reset();
            } else {
                other.unready += 1;
            }
            self.dirty.insert(dependent);
        }
    }

    fn dispatch(&mut self) {
        while let Some((_, key)) = self.syncs.next() {
            let need = self.units.get(&key).map(|unit| self.decide(unit).sync);
            if let Some(Part::Start(need)) = need {
                self.start_sync(&key, need);
            }
            self.dirty.insert(key);
        }
        while let Some((lane, job)) = self.builds.next() {
            match job {
                BuildJob::Unit(key) => {
                    let due = self.units.get(&key).is_some_and(|unit| matches!(self.decide(unit).build, Part::Start(())));
                    if due {
                        self.start_build(&key);
                    }
                    self.dirty.insert(key);
                }
                BuildJob::DryRun(key, id) => self.start_dry_run(&key, &id, lane.target),
            }
        }
        while let Some((lane, key)) = self.fetches.next() {
            self.start_fetch(&key, lane.target);
            self.dirty.insert(key);
        }
    }

    fn start_build(&mut self, key: &NodeKey) {
        let Some(target) = self.units.get(key).map(|unit| unit.target.clone()) else { return };
        let effect = self.effect(key, Some((Place::Build, target)));
        let Some(unit) = self.units.get_mut(key) else { return };
        unit.build = Some(BuildRun { effect, want: unit.want.clone(), stopping: false });
        self.out.push(Action::Build(effect, key.clone(), unit.want.clone()));
    }

    fn start_sync(&mut self, key: &NodeKey, need: Need) {
        let Some((target, epoch)) = self.units.get(key).and_then(|unit| Some((unit.target.clone(), self.epoch(unit)?))) else { return };
        let effect = self.effect(key, Some((Place::Sync, target.clone())));
        if let Some(target) = self.targets.get_mut(&target).filter(|target| !target.reachable) {
            target.probe = Some(effect);
        }
        self.touch_probed(&target, effect);
        let now = self.now;
        let Some(unit) = self.units.get_mut(key) else { return };
        let mut requests = Vec::new();
        for open in unit.requests.iter_mut().filter(|open| open.orders_sync(need.want.seq) && open.phase != Phase::Carried) {
            open.phase = Phase::Carried;
            requests.push(open.request.id.clone());
            unit.manual_go = unit.manual_go.max(need.want.seq);
        }
        let reread = unit.reread_at.is_some_and(|at| at <= now) || unit.done.is_none();
        let content = unit.built.as_ref().filter(|built| built.want.seq == need.want.seq).map(|built| built.head.content);
        let content = content.or_else(|| unit.done.as_ref().filter(|done| done.want.seq == need.want.seq).and_then(|done| done.content));
        // Whatever is synced is planned anew: it puts right and settles whatever needs it.
        let (repair, voided) = (std::mem::take(&mut unit.repair), unit.voided.take());
        if matches!(need.kind, SyncKind::Apply | SyncKind::Delete) {
            unit.dirty = true;
        }
        // What was approved of an older state does not hold once a newer one is wanted: it may want those objects back.
        let approved = unit.kept.approved.filter(|_| need.want.seq == unit.want.seq);
        let may_delete = if unit.head().is_some() { unit.outstanding() } else { 0 };
        unit.sync = Some(SyncRun {
            effect,
            want: need.want.clone(),
            content,
            kind: need.kind,
            cause: need.cause.clone(),
            stage: Stage::Apply,
            epoch,
            stopping: false,
            withheld: need.prune == PrunePermission::Withheld,
            judged: may_delete,
            approved: approved.is_some(),
            reread,
            repair,
            voided,
            requests,
            passages: self.passages,
        });
        let fence = Fence { shard: unit.shard, epoch };
        let Need { kind, want, cause, prune, .. } = need;
        let order = SyncOrder { effect, fence, node: key.clone(), want, kind, reread, prune, may_delete, approved, cause };
        self.out.push(Action::Sync(order));
    }

    /// While one unit tries a target that does not answer, the others wait.
    fn touch_probed(&mut self, target: &Arc<str>, effect: EffectId) {
        if self.targets.get(target).is_some_and(|target| target.probe == Some(effect)) {
            self.touch_target(target);
        }
    }

    pub(super) fn touch_target(&mut self, target: &Arc<str>) {
        if let Some(target) = self.targets.get(target) {
            self.dirty.extend(target.units.iter().cloned());
        }
    }
}
