//! Owns the one place where a node's state becomes what is shown of it.

use plumb_unit::{NodeKey, NodeKind};

use super::Core;
use super::decide::{Decision, Part, at_work};
use super::event::{Action, Stage, SyncKind};
use super::queue::BuildJob;
use super::state::{GeneratorState, SourceRun, SourceState, UnitState};
use super::status::{Gate, SourceStatus, Status, SyncWord, UnitStatus, Why, Work};

impl Core {
    /// Shows touched nodes whose state looks different now.
    pub(super) fn publish(&mut self) {
        while let Some(key) = self.shown.pop_first() {
            let Some(status) = self.status_from(&key) else { continue };
            let published = match key.kind {
                NodeKind::Unit => self.units.get_mut(&key).map(|unit| &mut unit.published),
                NodeKind::Source => self.sources.get_mut(&key).map(|source| &mut source.published),
                NodeKind::Generator => self.roots.get_mut(&key).map(|root| &mut root.published),
            };
            let Some(published) = published else { continue };
            if published.as_ref() != Some(&status) {
                *published = Some(status.clone());
                self.out.push(Action::Publish(key, status));
            }
        }
    }

    fn status_from(&self, key: &NodeKey) -> Option<Status> {
        match key.kind {
            NodeKind::Unit => self.units.get(key).map(|unit| Status::Unit(Box::new(self.unit_status(key, unit)))),
            NodeKind::Source => self.sources.get(key).map(|source| Status::Source(self.source_status(key, source))),
            NodeKind::Generator => self.roots.get(key).map(|root| Status::Source(self.root_status(root))),
        }
    }

    fn unit_status(&self, key: &NodeKey, unit: &UnitState) -> UnitStatus {
        let decision = self.decide(unit);
        let sources = unit.spec.iter().flat_map(|spec| spec.sources.values());
        let stale = sources.filter_map(|key| self.sources.get(key)?.stale.clone().map(|(since, failure)| (key.clone(), since, failure)));
        UnitStatus {
            sync: sync_word(unit),
            health: unit.health,
            synced: unit.synced.clone(),
            wanted: unit.want.revisions.clone(),
            activity: self.why_decided(key, unit, &decision).activity(),
            gates: self.gates(unit, &decision),
            failure: unit.failure.clone(),
            stale: stale.collect(),
            drift: unit.seen.as_ref().and_then(|seen| seen.drift.as_ref()).map(|drift| drift.summary.clone()),
            withheld: unit.rest.as_ref().map(|rest| rest.withheld.clone()),
            owned: unit.owned,
        }
    }

    /// Everything that holds the unit or a part of it, what forbids the next step first.
    fn gates(&self, unit: &UnitState, decision: &Decision) -> Vec<Gate> {
        let mut gates = hard(decision);
        let soft = unit
            .kept
            .suspend
            .clone()
            .map(Gate::Suspended)
            .into_iter()
            .chain(unit.kept.pin.clone().map(Gate::Pinned))
            .chain(self.rest_gate(unit));
        for gate in soft {
            if !gates.contains(&gate) {
                gates.push(gate);
            }
        }
        gates
    }

    pub(super) fn why_unit(&self, key: &NodeKey, unit: &UnitState) -> Why {
        let decision = self.decide(unit);
        self.why_decided(key, unit, &decision)
    }

    fn why_decided(&self, key: &NodeKey, unit: &UnitState, decision: &Decision) -> Why {
        if let Some(run) = &unit.sync {
            return Why::Running { effect: run.effect, what: Work::Sync(run.kind, run.stage), stopping: run.stopping };
        }
        if let Some(run) = &unit.build {
            return Why::Running { effect: run.effect, what: Work::Build, stopping: run.stopping };
        }
        if let (Part::Start(need), Some(place)) = (&decision.sync, self.syncs.place(key)) {
            return Why::Queued { what: Work::Sync(need.kind, Stage::Apply), place };
        }
        if let (Part::Start(()), Some(place)) = (&decision.build, self.builds.place(&BuildJob::Unit(key.clone()))) {
            return Why::Queued { what: Work::Build, place };
        }
        let at = match (&decision.build, &decision.sync) {
            (Part::At(at), _) | (_, Part::At(at)) => Some(*at),
            _ => None,
        };
        if let Some(at) = at.filter(|_| self.unit_timer(unit).is_some()) {
            return Why::Timer { at, after: unit.failure.clone() };
        }
        let gates = if self.unit_behind(unit) { hard(decision) } else { self.gates(unit, decision) };
        if gates.is_empty() { Why::AtRest } else { Why::Gated(gates) }
    }

    pub(super) fn why_source(&self, key: &NodeKey, source: &SourceState) -> Why {
        match &source.run {
            Some(SourceRun::Fetch(effect)) => return Why::Running { effect: *effect, what: Work::Fetch, stopping: false },
            Some(SourceRun::WhoReads(effect, _)) => return Why::Running { effect: *effect, what: Work::WhoReads, stopping: false },
            None => {}
        }
        match self.decide_source(source) {
            Part::Start(()) => self.fetches.place(key).map_or(Why::AtRest, |place| Why::Queued { what: Work::Fetch, place }),
            Part::At(at) => Why::Timer { at, after: source.failed.clone() },
            Part::Gated(gates) => Why::Gated(gates),
            Part::Rest | Part::Running => Why::AtRest,
        }
    }

    pub(super) fn why_root(&self, root: &GeneratorState) -> Why {
        if let Some((effect, _, stopping)) = root.run {
            return Why::Running { effect, what: Work::Generate, stopping };
        }
        let behind = root.want.as_ref().is_none_or(|(seq, _)| *seq != root.read);
        if let Some(suspend) = &root.suspend {
            return Why::Gated(vec![Gate::Suspended(suspend.clone())]);
        }
        if root.want.is_none() {
            let failure = self.sources.get(&root.source).and_then(|source| source.failed.clone());
            return Why::Gated(vec![Gate::Source { source: root.source.clone(), failure }]);
        }
        match root.retry.until(self.now).filter(|_| behind && !at_work(root)) {
            Some(at) => Why::Timer { at, after: root.failed.as_ref().map(|(.., failure)| failure.clone()) },
            None => Why::AtRest,
        }
    }

    fn source_status(&self, key: &NodeKey, source: &SourceState) -> SourceStatus {
        SourceStatus {
            revision: source.revision.clone(),
            activity: self.why_source(key, source).activity(),
            gates: source.suspend.clone().map(Gate::Suspended).into_iter().collect(),
            stale: source.stale.clone(),
            problems: Vec::new(),
        }
    }

    fn root_status(&self, root: &GeneratorState) -> SourceStatus {
        SourceStatus {
            revision: root.want.as_ref().map(|(_, revision)| revision.clone()),
            activity: self.why_root(root).activity(),
            gates: root.suspend.clone().map(Gate::Suspended).into_iter().collect(),
            stale: root.failed.as_ref().map(|(_, since, failure)| (*since, failure.clone())),
            problems: root.problems.clone(),
        }
    }
}

/// What forbids the next step.
fn hard(decision: &Decision) -> Vec<Gate> {
    let build = match &decision.build {
        Part::Gated(gates) => gates.as_slice(),
        Part::Rest | Part::Running | Part::Start(()) | Part::At(_) => &[],
    };
    let sync = match &decision.sync {
        Part::Gated(gates) => gates.as_slice(),
        Part::Rest | Part::Running | Part::Start(_) | Part::At(_) => &[],
    };
    build.iter().chain(sync).cloned().collect()
}

/// A unit that a start found synced stays so in words until something else is known to be wanted.
fn sync_word(unit: &UnitState) -> SyncWord {
    if unit.deleting.is_some() {
        return SyncWord::Deleting;
    }
    let reached = unit.want.seq > 0 && unit.done_seq() == unit.want.seq;
    let unread = unit.done.is_none() && (unit.want.revisions.is_empty() || unit.synced.as_ref() == Some(&unit.want.revisions));
    match &unit.synced {
        // What waits for somebody's word is part of what Git says too.
        Some(_) if unit.rest.is_some() => SyncWord::OutOfSync,
        Some(_) if reached || unread => SyncWord::Synced,
        None if unit.done.is_none() => SyncWord::New,
        Some(_) | None => SyncWord::OutOfSync,
    }
}

impl SyncKind {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Repair => "repair",
            Self::Reread => "reread",
            Self::Renew => "renew",
            Self::Permit => "permit",
            Self::Delete => "delete",
        }
    }
}
