//! Owns the decision what a unit does next, as a pure function of the core's state. `Core::why` asks the same function that
//! starts effects, so what is shown cannot differ from what is done. Changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use plumb_plan::HoldKind;
use plumb_unit::{Drift, NodeKey, OnDelete, SyncMode};

use super::Core;
use super::event::{Cause, Ms, PrunePermission, SyncKind, Want};
use super::state::{Deletion, GeneratorState, UnitState, Verdict};
use super::status::Gate;

/// After so many pre-emptions one sync runs through, so that a busy repository cannot starve it.
pub const PREEMPTIONS: u32 = 3;

/// A unit that was being worked on when the process died so many times in a row is left alone.
pub const CRASHES: u32 = 2;

/// What one half of a unit's work comes to.
#[derive(Clone, Debug)]
pub(super) enum Part<T> {
    Rest,
    Running,
    Start(T),
    At(Ms),
    Gated(Vec<Gate>),
}

/// A sync that should start.
#[derive(Clone, Debug)]
pub(super) struct Need {
    pub(super) kind: SyncKind,
    pub(super) want: Arc<Want>,
    pub(super) cause: Cause,
    pub(super) prune: PrunePermission,
    pub(super) cost: u32,
}

/// Why a sync that runs should stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Halt {
    Newer,
    Forbidden,
}

/// What a unit does next.
#[derive(Clone, Debug)]
pub(super) struct Decision {
    pub(super) build: Part<()>,
    pub(super) sync: Part<Need>,
    pub(super) stop_build: bool,
    pub(super) stop_sync: Option<Halt>,
}

impl Core {
    pub(super) fn decide(&self, unit: &UnitState) -> Decision {
        let frozen = frozen(unit);
        let (build, stop_build) = self.decide_build(unit, frozen.as_ref());
        let (sync, stop_sync) = match &unit.sync {
            Some(run) => {
                let halt = if run.stopping { None } else { self.halt(unit, frozen.is_some()) };
                (Part::Running, halt)
            }
            None => (self.decide_sync(unit, frozen), None),
        };
        Decision { build, sync, stop_build, stop_sync }
    }

    fn decide_build(&self, unit: &UnitState, frozen: Option<&Gate>) -> (Part<()>, bool) {
        if let Some(run) = &unit.build {
            let older = run.want.seq != unit.want.seq || run.want.delete != unit.want.delete;
            return (Part::Running, older && !run.stopping && may_preempt(unit));
        }
        if let Some(gate) = frozen {
            return (Part::Gated(vec![gate.clone()]), false);
        }
        if unit.want.seq > 0 && unit.built_seq() == unit.want.seq {
            return (Part::Rest, false);
        }
        if !unit.want.delete && unit.want.pin.is_none() {
            if let Some(source) = unit.unread() {
                let failure = self.sources.get(source).and_then(|s| s.stale.as_ref()).map(|(_, failure)| failure.clone());
                return (Part::Gated(vec![Gate::Source { source: source.clone(), failure }]), false);
            }
            if let Some(generator) = self.root_at_work(unit) {
                return (Part::Gated(vec![Gate::Root { generator: generator.clone() }]), false);
            }
        }
        match unit.retry.until(self.now) {
            Some(at) => (Part::At(at), false),
            None => (Part::Start(()), false),
        }
    }

    /// A root that reads one of the unit's sources may be about to change the unit: a moment of patience saves a wrong build.
    fn root_at_work(&self, unit: &UnitState) -> Option<&NodeKey> {
        let spec = unit.spec.as_ref()?;
        let reads = |root: &GeneratorState| spec.sources.values().any(|source| *source == root.source);
        self.roots.iter().find(|(_, root)| at_work(root) && reads(root)).map(|(key, _)| key)
    }

    fn decide_sync(&self, unit: &UnitState, frozen: Option<Gate>) -> Part<Need> {
        if frozen.is_some() {
            return Part::Rest; // the build part names the gate
        }
        let need = match self.need(unit) {
            Ok(Some(need)) => need,
            Ok(None) => return Part::Rest,
            Err(gates) => return Part::Gated(gates),
        };
        let gates = self.hard_gates(unit);
        if !gates.is_empty() {
            return Part::Gated(gates);
        }
        match unit.retry.until(self.now) {
            Some(at) => Part::At(at),
            None => Part::Start(need),
        }
    }

    /// What forbids every sync.
    fn hard_gates(&self, unit: &UnitState) -> Vec<Gate> {
        let mut gates = Vec::new();
        if let Some(suspend) = &unit.kept.suspend {
            gates.push(Gate::Suspended(suspend.clone()));
        }
        if self.epoch(unit).is_none() {
            gates.push(Gate::Lease);
        }
        gates.extend(self.target_gate(unit));
        gates
    }

    /// Returns the lease's epoch while it is held.
    pub(super) fn epoch(&self, unit: &UnitState) -> Option<u64> {
        self.shards.get(&unit.shard).filter(|shard| shard.held).map(|shard| shard.epoch)
    }

    fn target_gate(&self, unit: &UnitState) -> Option<Gate> {
        let target = self.targets.get(&unit.target)?;
        if target.reachable {
            return None;
        }
        let retry_at = target.retry.until(self.now).filter(|_| target.known);
        if target.known && target.probe.is_none() && retry_at.is_none() {
            return None; // somebody has to try
        }
        Some(Gate::Target { target: unit.target.clone(), retry_at })
    }

    /// What should be synced now, or what stands against all of it.
    fn need(&self, unit: &UnitState) -> Result<Option<Need>, Vec<Gate>> {
        if unit.want.delete {
            return self.need_delete(unit);
        }
        let mut gates = Vec::new();
        if let Some(need) = self.need_apply(unit) {
            gates = self.apply_gates(unit, &need.want);
            if gates.is_empty() {
                return Ok(Some(need));
            }
        }
        match self.need_chore(unit) {
            Some(need) => Ok(Some(need)),
            None if gates.is_empty() => Ok(None),
            None => Err(gates),
        }
    }

    fn need_apply(&self, unit: &UnitState) -> Option<Need> {
        let built = unit.built.as_ref()?;
        let newest = built.want.seq == unit.want.seq;
        let through = unit.preempted >= PREEMPTIONS && !built.want.delete;
        if built.want.seq <= unit.done_seq() || !(newest || through) {
            return None;
        }
        let prune = if newest { self.permission(unit) } else { PrunePermission::Withheld };
        let cost = 1 + (built.head.changes + built.head.deletes) / 4;
        Some(Need { kind: SyncKind::Apply, want: built.want.clone(), cause: built.want.cause.clone(), prune, cost })
    }

    /// What stands against going to a new state, but not against keeping the old one.
    pub(super) fn apply_gates(&self, unit: &UnitState, want: &Want) -> Vec<Gate> {
        let mut gates = Vec::new();
        let Some(spec) = &unit.spec else { return gates };
        if spec.unit.policy.sync == SyncMode::Manual && unit.manual_go < want.seq && !unit.asked(want.seq) && !unit.was_there(want) {
            gates.push(Gate::Manual);
        }
        gates.extend(self.dependency_gate(unit));
        gates
    }

    /// What of the unit's dependencies stands against going on.
    pub(super) fn dependency_gate(&self, unit: &UnitState) -> Option<Gate> {
        if let Some(path) = &unit.cycle {
            return Some(Gate::DependencyCycle { path: path.clone() });
        }
        let spec = unit.spec.as_ref().filter(|_| unit.unready > 0)?;
        let depends_on = &spec.unit.depends_on;
        let missing: Vec<NodeKey> = depends_on.iter().filter(|dep| !self.units.contains_key(*dep)).cloned().collect();
        if !missing.is_empty() {
            return Some(Gate::DependencyMissing { missing });
        }
        let waiting: Vec<NodeKey> = depends_on.iter().filter(|dep| self.units.get(*dep).is_some_and(|dep| !dep.ready)).cloned().collect();
        (!waiting.is_empty()).then_some(Gate::Dependency { waiting })
    }

    /// What keeps the unit at the state it has reached. Not while live objects lie between two states.
    fn need_chore(&self, unit: &UnitState) -> Option<Need> {
        let done = unit.done.as_ref().filter(|_| !unit.dirty)?;
        let prune = if done.want.seq == unit.want.seq { self.permission(unit) } else { PrunePermission::Withheld };
        let chore = |kind, cause| Some(Need { kind, want: done.want.clone(), cause, prune, cost: 1 });
        if self.may_permit(unit, prune) {
            return chore(SyncKind::Permit, Cause::Permitted);
        }
        if unit.repair && unit.repair_from().is_none_or(|at| at <= self.now) {
            return chore(SyncKind::Repair, Cause::Drift);
        }
        if let Some(what) = &unit.voided {
            return chore(SyncKind::Renew, Cause::Ground(what.clone()));
        }
        if unit.reread_at.is_some_and(|at| at <= self.now) {
            let asked = unit.requests.iter().find(|open| open.orders_sync(done.want.seq)).map(|open| &open.request);
            let cause = asked.map_or(Cause::Interval, |request| Cause::Request(request.id.clone(), request.by.clone()));
            return chore(SyncKind::Reread, cause);
        }
        None
    }

    /// Whether what the last sync withheld may be done now.
    fn may_permit(&self, unit: &UnitState, prune: PrunePermission) -> bool {
        let Some(rest) = unit.rest.as_ref().filter(|_| unit.done_seq() == unit.want.seq) else { return false };
        let judged = rest.unjudged && prune != PrunePermission::Withheld;
        judged || unit.kept.approved == Some(rest.withheld.digest)
    }

    /// What may be deleted by a sync to the newest want.
    fn permission(&self, unit: &UnitState) -> PrunePermission {
        let Some(head) = unit.head() else { return PrunePermission::Withheld };
        if unit.outstanding() == 0 || (unit.want.delete && unit.on_delete == OnDelete::Orphan) {
            return PrunePermission::Group { deletes: 0, owned: head.owned };
        }
        match unit.verdict {
            Verdict::Allowed { deletes, owned } if unit.groups.is_empty() && self.blind(unit).is_none() => {
                PrunePermission::Group { deletes, owned }
            }
            Verdict::Allowed { .. } | Verdict::Open | Verdict::Held { .. } => PrunePermission::Withheld,
        }
    }

    /// Returns a source of the unit that this process has not read itself: an older state can be built without, but who else wants its
    /// objects is not known.
    fn blind<'a>(&self, unit: &'a UnitState) -> Option<&'a NodeKey> {
        let spec = unit.spec.as_ref().filter(|_| !unit.want.delete)?;
        spec.sources.values().find(|source| self.sources.get(*source).is_none_or(|state| state.revision.is_none() || state.recalled))
    }

    /// Returns a source whose revision an earlier process was shown: its own, or that of a root that its commit touched. Deletions wait for a
    /// read of it.
    fn recalled_for<'a>(&'a self, unit: &'a UnitState) -> Option<&'a NodeKey> {
        let own = unit.spec.iter().flat_map(|spec| spec.sources.values());
        let groups = unit.groups.iter().filter_map(|id| self.groups.get(id));
        let roots = groups.flat_map(|group| group.pending.keys()).filter_map(|key| Some(&self.roots.get(key)?.source));
        own.chain(roots).find(|source| self.sources.get(*source).is_some_and(|state| state.recalled))
    }

    fn need_delete(&self, unit: &UnitState) -> Result<Option<Need>, Vec<Gate>> {
        let Some(head) = unit.head() else { return Ok(None) };
        let approved = unit.approvable().is_some() && unit.approvable() == unit.kept.approved;
        let ordered = matches!(unit.deleting, Some(Deletion::Ordered(..)));
        let prune = if ordered { PrunePermission::Ordered } else { self.permission(unit) };
        let again = unit.reread_at.is_some_and(|at| at <= self.now); // what held the rest may have gone without a word
        if !approved && ((unit.rest.is_some() && !again) || (prune == PrunePermission::Withheld && unit.outstanding() > 0)) {
            return Err(self.rest_gate(unit).into_iter().collect());
        }
        let cost = 1 + head.deletes / 4;
        Ok(Some(Need { kind: SyncKind::Delete, want: unit.want.clone(), cause: unit.want.cause.clone(), prune, cost }))
    }

    /// Names what holds back the deletions that are left.
    pub(super) fn rest_gate(&self, unit: &UnitState) -> Option<Gate> {
        let digest = unit.approvable()?;
        let unjudged = unit.rest.as_ref().is_none_or(|rest| rest.unjudged);
        let holds = unit.rest.as_ref().map_or(&[][..], |rest| &rest.withheld.holds);
        if let Some(source) = self.recalled_for(unit).filter(|_| unjudged) {
            let failure = self.sources.get(source).and_then(|state| state.failed.clone());
            return Some(Gate::Source { source: source.clone(), failure });
        }
        if unjudged && !unit.groups.is_empty() {
            let pending: BTreeSet<&NodeKey> =
                unit.groups.iter().filter_map(|id| self.groups.get(id)).flat_map(|group| group.pending.keys()).collect();
            let waiting = pending.iter().take(Gate::NAMED).map(|key| (*key).clone()).collect();
            return Some(Gate::PruneGroup { waiting, count: pending.len() });
        }
        if let Some(source) = self.blind(unit).filter(|_| unjudged && !matches!(unit.verdict, Verdict::Held { .. })) {
            let failure = self.sources.get(source).and_then(|state| state.failed.clone());
            return Some(Gate::Source { source: source.clone(), failure });
        }
        if unit.rest.is_none() && matches!(unit.verdict, Verdict::Allowed { .. }) {
            return None; // nothing is withheld: it is about to be carried out
        }
        let mut reasons: Vec<Arc<str>> = holds.iter().map(|hold| hold.reason.clone()).collect();
        if !holds.is_empty() && !unjudged && holds.iter().all(|hold| matches!(hold.kind, HoldKind::Evidence | HoldKind::Owner)) {
            return Some(Gate::Evidence { reasons });
        }
        if let (true, Verdict::Held { deletes, owned }) = (unjudged, unit.verdict) {
            reasons.insert(0, format!("its commit deletes {deletes} of {owned} objects").into());
        }
        Some(Gate::Approval { digest, reasons })
    }

    /// Whether the running sync should end, and why.
    fn halt(&self, unit: &UnitState, frozen: bool) -> Option<Halt> {
        let run = unit.sync.as_ref()?;
        if frozen || unit.kept.suspend.is_some() || self.epoch(unit) != Some(run.epoch) {
            return Some(Halt::Forbidden);
        }
        if run.want.delete != unit.want.delete {
            return Some(Halt::Newer);
        }
        let newer = unit.want.seq > run.want.seq && unit.built_seq() == unit.want.seq && !unit.want.delete;
        (newer && may_preempt(unit) && self.apply_gates(unit, &unit.want).is_empty()).then_some(Halt::Newer)
    }

    /// Returns the next time at which something may change for the unit without an event.
    pub(super) fn unit_timer(&self, unit: &UnitState) -> Option<Ms> {
        let until = unit.kept.suspend.as_ref().and_then(|suspend| suspend.until);
        let repair = unit.repair_from().filter(|_| unit.repair);
        [until, repair, unit.reread_at, unit.retry.until(self.now)].into_iter().flatten().filter(|at| *at > self.now).min()
    }

    /// Whether the unit is not where it should be.
    pub(super) fn unit_behind(&self, unit: &UnitState) -> bool {
        unit.want.seq == 0 || unit.done_seq() != unit.want.seq || self.need_chore(unit).is_some()
    }
}

impl UnitState {
    /// Whether somebody asked for a sync that has not ended.
    fn asked(&self, seq: u64) -> bool {
        self.requests.iter().any(|open| open.orders_sync(seq))
    }

    /// Whether the want is what was last synced before the process started.
    fn was_there(&self, want: &Want) -> bool {
        self.done.is_none()
            && self.synced.as_ref() == Some(&want.revisions)
            && self.synced_unit == want.unit.as_ref().map(|unit| unit.digest)
    }

    /// When drift may be repaired at the earliest; none: at once.
    fn repair_from(&self) -> Option<Ms> {
        self.seen.as_ref()?.drift.as_ref()?.not_before
    }

    /// Whether drift is put right.
    pub(super) fn reverts(&self) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.unit.policy.drift == Drift::Revert)
    }
}

/// Whether a newer want may end what runs.
fn may_preempt(unit: &UnitState) -> bool {
    unit.preempted < PREEMPTIONS || unit.want.delete || matches!(unit.want.cause, Cause::Request(..))
}

/// Whether the root is being read, or will be as soon as this step is over.
pub(super) fn at_work(root: &GeneratorState) -> bool {
    let failed = root.failed.as_ref().map_or(0, |(seq, ..)| *seq);
    let due = root.want.as_ref().is_some_and(|(seq, _)| *seq > root.read && *seq != failed) && root.suspend.is_none();
    root.run.is_some() || due
}

/// What stands against everything.
fn frozen(unit: &UnitState) -> Option<Gate> {
    if unit.crashes >= CRASHES {
        return Some(Gate::Quarantine { crashes: unit.crashes });
    }
    if unit.deleting.is_some() {
        return None;
    }
    if let Some(by) = &unit.kept.deleted {
        return Some(Gate::Deleted { by: by.clone() });
    }
    if !unit.stalled.is_empty() {
        return Some(Gate::Stalled { reasons: unit.stalled.clone() });
    }
    if let Some(reason) = &unit.no_evidence {
        return Some(Gate::NoEvidence { reason: reason.clone() });
    }
    unit.spec.is_none().then_some(Gate::Undeclared)
}
