//! Owns the ends of a unit's effects: what a build or a sync that is over means for the unit.

use plumb_plan::HoldKind;
use plumb_unit::NodeKey;

use super::Core;
use super::decide::PREEMPTIONS;
use super::event::{Action, Cause, Class, EffectId, End, Ended, Entry, Failure, PlanHead, Settled, Stage, SyncKind, Want};
use super::queue::Place;
use super::state::{BuildRun, Built, Done, Open, Phase, Rest, SyncRun, UnitState, Verdict};

impl Core {
    pub(super) fn built(&mut self, id: EffectId, end: End<PlanHead>) {
        let Some(key) = self.end(id) else { return };
        let Some(unit) = self.units.get_mut(&key) else { return };
        self.dirty.insert(key.clone());
        let Some(run) = unit.build.take_if(|run| run.effect == id) else {
            return self.planned(&key, id, end);
        };
        match end {
            End::Done(head) => self.build_done(&key, run, head),
            End::Stopped if run.stopping => {}
            End::Stopped => self.unit_failed(&key, Failure::new(Class::Transient, "the build was stopped by the shell")),
            End::Failed(failure) => self.build_failed(&key, &run, failure),
        }
    }

    fn build_done(&mut self, key: &NodeKey, run: BuildRun, head: PlanHead) {
        let Some(unit) = self.units.get_mut(key) else { return };
        let newest = run.want.seq == unit.want.seq;
        let through = unit.preempted >= PREEMPTIONS && run.want.delete == unit.want.delete;
        let older = run.want.seq <= unit.built_seq() || !through;
        if older && !newest {
            return;
        }
        let seq = run.want.seq;
        let deletes = head.deletes;
        if newest {
            unit.broken = None;
            unit.failure = None;
            unit.retry.reset();
        }
        unit.built = Some(Built { want: run.want, head });
        match unit.verdict {
            _ if deletes == 0 => {
                unit.verdict = Verdict::Open;
                if std::mem::take(&mut unit.kept.prune_held) {
                    self.keep(key);
                }
            }
            Verdict::Held { .. } => {}
            Verdict::Open | Verdict::Allowed { .. } => unit.verdict = Verdict::Open,
        }
        self.satisfied(key, seq);
        self.judge_alone(key);
        self.join_running(key);
        self.move_on(key);
    }

    /// A sync that runs already brings what the newest build wants: it counts for it.
    fn join_running(&mut self, key: &NodeKey) {
        if self.units.get(key).is_none_or(|unit| self.dependency_gate(unit).is_some()) {
            return;
        }
        let Some(unit) = self.units.get_mut(key) else { return };
        let (Some(built), Some(run)) = (&unit.built, &mut unit.sync) else { return };
        let same = run.content == Some(built.head.content) && same_unit(&run.want, &built.want);
        if built.want.seq == unit.want.seq && !run.stopping && !run.want.delete && !built.want.delete && same {
            run.withheld |= built.head.deletes > 0; // what it may delete was decided for the older plan
            run.want = built.want.clone();
        }
    }

    /// The newest build wants what is there already: no sync, the unit moves on.
    fn move_on(&mut self, key: &NodeKey) {
        if self.units.get(key).is_none_or(|unit| self.dependency_gate(unit).is_some()) {
            return;
        }
        let Some(unit) = self.units.get_mut(key) else { return };
        let (Some(built), Some(done)) = (&unit.built, &mut unit.done) else { return };
        let nothing = built.head.changes == 0 && built.head.deletes == 0 && built.head.holds.is_empty() && unit.rest.is_none();
        let same = done.content == Some(built.head.content) && same_unit(&done.want, &built.want);
        let newest = built.want.seq == unit.want.seq && !built.want.delete;
        if newest && nothing && same && !unit.dirty && unit.sync.is_none() && built.want.seq > done.want.seq {
            done.want = built.want.clone();
            unit.synced = Some(built.want.revisions.clone());
            self.out.push(Action::Reached(key.clone(), built.want.clone()));
        }
    }

    fn build_failed(&mut self, key: &NodeKey, run: &BuildRun, failure: Failure) {
        let Some(unit) = self.units.get_mut(key) else { return };
        if run.want.seq != unit.want.seq {
            return; // the newest is built next
        }
        unit.broken = Some((run.want.seq, failure.clone()));
        self.out.push(Action::Record(key.clone(), Entry::BuildFailed { want: run.want.clone(), failure: failure.clone() }));
        let seq = run.want.seq;
        self.unit_failed(key, failure.clone());
        self.end_requests(key, |open| matches!(open.phase, Phase::Sync(from) if from <= seq), &Ended::Failed(failure));
    }

    fn unit_failed(&mut self, key: &NodeKey, failure: Failure) {
        let Some(unit) = self.units.get_mut(key) else { return };
        unit.retry.fail(self.now, failure.class, Self::interval(unit), &self.limits, &mut self.rng);
        unit.failure = Some(failure);
    }

    pub(super) fn staged(&mut self, id: EffectId, stage: Stage) {
        let Some(key) = self.effects.get(&id).map(|effect| effect.node.clone()) else { return };
        let Some(unit) = self.units.get_mut(&key) else { return };
        let target = unit.target.clone();
        let Some(run) = unit.sync.as_mut().filter(|run| run.effect == id) else { return };
        run.stage = stage;
        match stage {
            Stage::Wait => self.give_back(id),
            Stage::Apply => self.take_again(id, Place::Sync, &target),
        }
        self.dirty.insert(key);
    }

    pub(super) fn finished(&mut self, id: EffectId, end: End<Settled>) {
        let Some(key) = self.end(id) else { return };
        let Some(unit) = self.units.get_mut(&key) else { return };
        let Some(run) = unit.sync.take_if(|run| run.effect == id) else { return };
        self.dirty.insert(key.clone());
        self.probed(id, &end);
        let (kind, cause) = (run.kind, run.cause.clone());
        self.out.push(Action::Record(key.clone(), Entry::Synced { effect: id, want: run.want.clone(), kind, cause, end: end.clone() }));
        match end {
            End::Done(settled) => self.sync_done(&key, run, settled),
            End::Stopped => self.sync_undone(&key, run, None),
            End::Failed(failure) => self.sync_undone(&key, run, Some(failure)),
        }
    }

    fn sync_done(&mut self, key: &NodeKey, run: SyncRun, settled: Settled) {
        let now = self.now;
        let Some(unit) = self.units.get_mut(key) else { return };
        unit.preempted = 0;
        unit.retry.reset();
        unit.failure = None;
        unit.crashes = 0;
        unit.inventory = Some(settled.inventory);
        unit.owned = settled.owned;
        unit.health = settled.health;
        unit.rest = settled.withheld.clone().map(|withheld| Rest { withheld, unjudged: run.withheld });
        let nothing_left = settled.withheld.as_ref().is_none_or(|withheld| withheld.deletes == 0);
        let kept = unit.kept.clone();
        if run.approved {
            unit.kept.approved = None;
        }
        if nothing_left && (run.want.seq == unit.want.seq || unit.built_seq() <= run.want.seq) {
            unit.kept.prune_held = false;
            unit.verdict = if matches!(unit.verdict, Verdict::Held { .. }) { Verdict::Open } else { unit.verdict };
        }
        if run.reread || unit.reread_at.is_none() {
            unit.reread_at = Some(now + self.rng.around(Self::interval(unit)));
        }
        let deleted = run.kind == SyncKind::Delete;
        if !deleted {
            unit.dirty = false;
            unit.synced = Some(run.want.revisions.clone());
            unit.synced_unit = run.want.unit.as_ref().map(|unit| unit.digest);
            unit.done = Some(Done { want: run.want.clone(), content: run.content });
            self.out.push(Action::Reached(key.clone(), run.want.clone()));
        }
        if unit.kept != kept {
            self.keep(key);
        }
        self.poke(key, run.kind, run.passages);
        let withheld = settled.withheld;
        let moved_on = !run.withheld && withheld.as_ref().is_some_and(|withheld| withheld.deletes > run.judged);
        if let Some(unit) = self.units.get_mut(key).filter(|unit| moved_on && unit.want.seq == run.want.seq) {
            unit.rest = None;
            self.bump(key, Cause::Permitted); // planned and judged anew
        }
        self.end_requests(
            key,
            |open| run.requests.contains(&open.request.id) && open.phase == Phase::Carried,
            &Ended::Done { withheld: withheld.clone() },
        );
        if deleted && withheld.is_none() {
            let cancelled = self.units.get(key).is_some_and(|unit| unit.deleting.is_none());
            if !cancelled {
                self.deleted(key);
            } else if let Some(unit) = self.units.get_mut(key) {
                unit.done = None; // what it owned is gone; the newest want brings it back
                unit.rest = None;
            }
        }
    }

    /// Plans that wait for what another unit does with an object look again when a unit has gone to another state.
    fn poke(&mut self, key: &NodeKey, kind: SyncKind, passages: u64) {
        let now = self.now;
        let overtaken = self.passages != passages; // somebody went while this one was at it, and did not find it waiting
        if matches!(kind, SyncKind::Apply | SyncKind::Delete) {
            self.passages += 1;
            for other in std::mem::take(&mut self.lingering) {
                if let Some(unit) = self.units.get_mut(&other) {
                    unit.reread_at = Some(now);
                    self.dirty.insert(other);
                }
            }
        }
        let lingers =
            |unit: &UnitState| unit.rest.as_ref().is_some_and(|rest| rest.withheld.holds.iter().any(|hold| hold.kind == HoldKind::Owner));
        if self.units.get(key).is_some_and(lingers) {
            self.lingering.insert(key.clone());
            if let Some(unit) = self.units.get_mut(key).filter(|_| overtaken) {
                unit.reread_at = Some(now);
            }
        }
    }

    /// Puts back what a sync was to do and did not.
    fn sync_undone(&mut self, key: &NodeKey, run: SyncRun, failure: Option<Failure>) {
        let now = self.now;
        let Some(unit) = self.units.get_mut(key) else { return };
        unit.repair |= run.repair && unit.reverts();
        unit.voided = unit.voided.take().or(run.voided);
        if run.reread && unit.reread_at.is_none() {
            unit.reread_at = Some(now);
        }
        let ids = run.requests;
        let carried = |open: &Open| ids.contains(&open.request.id) && open.phase == Phase::Carried;
        match failure {
            Some(failure) if !run.stopping => {
                unit.preempted = 0;
                self.unit_failed(key, failure.clone());
                self.end_requests(key, carried, &Ended::Failed(failure));
            }
            None if !run.stopping => {
                self.unit_failed(key, Failure::new(Class::Transient, "the sync was stopped by the shell"));
                self.carry_again(key, carried, run.want.seq);
            }
            Some(_) | None => self.carry_again(key, carried, run.want.seq),
        }
    }

    /// Lets requests whose sync was stopped ride on the next one.
    fn carry_again(&mut self, key: &NodeKey, which: impl Fn(&Open) -> bool, seq: u64) {
        let Some(unit) = self.units.get_mut(key) else { return };
        for open in unit.requests.iter_mut().filter(|open| which(open)) {
            open.phase = Phase::Sync(seq);
        }
    }

    /// Learns from a try of a target that had not answered.
    fn probed(&mut self, id: EffectId, end: &End<Settled>) {
        let now = self.now;
        let Some((name, target)) = self.targets.iter_mut().find(|(_, target)| target.probe == Some(id)) else { return };
        let name = name.clone();
        target.probe = None;
        match end {
            End::Failed(failure) if failure.class == Class::Unreachable && !target.reachable => {
                target.retry.fail_to_reach(now, u64::MAX, &self.limits, &mut self.rng);
            }
            End::Done(_) | End::Failed(_) => {
                target.reachable = true;
                target.retry.reset();
            }
            End::Stopped => {}
        }
        self.after_reach(&name);
    }
}

/// Whether two wants are of the same unit, so that the same manifests mean the same sync.
fn same_unit(one: &Want, other: &Want) -> bool {
    one.unit.as_ref().map(|unit| unit.digest) == other.unit.as_ref().map(|unit| unit.digest)
}
