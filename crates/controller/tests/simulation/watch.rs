//! Owns what must hold after each step: progress, and deletions only of what Git does not have.

use plumb_controller::core::{Gate, Status, SyncOrder, Why, Work};
use plumb_plan::HealthStatus;
use plumb_unit::{NodeKey, NodeKind};

use crate::model::{Made, source};
use crate::shell::{Effect, Job, Sim};

impl Sim {
    /// Nothing is ordered to be deleted that Git still has, as far as it was fetched and parses.
    pub(crate) fn check_deletes(&self, order: &SyncOrder, made: &Made, place: &str) {
        if self.ordered.contains_key(&order.node) && order.want.delete {
            return;
        }
        let candidates = self.candidates(&order.node, made, place, order.want.delete);
        let (now, _) = self.permitted(order, &candidates, place);
        let Some(listed) = &self.listed else {
            assert!(now.is_empty(), "{} deletes {now:?} before any root was read", order.node);
            return;
        };
        for (key, decl) in &self.world.repos[0].at(listed).units {
            let pin = self.world.persisted.get(key).and_then(|p| p.kept.pin.clone());
            let revision = pin.as_ref().and_then(|pin| pin.revisions.get("main")).or_else(|| self.known.get(&source(decl.repo)));
            let Some(files) = revision.and_then(|revision| self.world.repos[decl.repo].at(revision).files.get(key)) else { continue };
            for name in now.iter().filter(|_| decl.target == place && !files.broken && !self.ordered.contains_key(key)) {
                assert!(!files.objects.contains_key(name), "{} deletes {name}, which Git still has in {key}: {order:?}", order.node);
            }
        }
    }

    /// Progress: whatever is not where it should be has a reason that exists.
    pub(crate) fn check(&self) {
        let Some(core) = &self.core else { return };
        for key in core.nodes() {
            let why = core.why(key);
            match &why {
                Why::Unknown => panic!("{key} is not known to the core that lists it"),
                Why::AtRest => assert!(
                    !core.behind(key) || key.kind == NodeKind::Source && core.open_requests(key).is_empty(),
                    "{key} is stuck at {}",
                    self.now
                ),
                Why::Running { effect, .. } => assert!(self.effects.contains_key(effect), "{key} waits for {effect:?}, which has ended"),
                Why::Timer { at, .. } => {
                    assert!(
                        *at > self.now && self.wake.is_some_and(|wake| wake <= *at),
                        "{key}: timer {at}, now {}, wake {:?}",
                        self.now,
                        self.wake
                    );
                }
                Why::Queued { what, .. } => assert!(self.saturated(key, *what), "{key} waits for {what:?} though places are free"),
                Why::Gated(gates) => gates.iter().for_each(|gate| self.check_gate(key, gate)),
            }
        }
        for (key, stops) in &self.stops {
            assert!(*stops <= 24, "{key} was stopped {stops} times without one sync that ran through");
        }
    }

    pub(crate) fn saturated(&self, key: &NodeKey, what: Work) -> bool {
        let limits = &self.manner.limits;
        let place = self.target_of(key).or_else(|| self.world.persisted.get(key).map(|p| p.target));
        let count = |test: &dyn Fn(&Effect) -> bool| self.effects.values().filter(|e| test(e)).count();
        match what {
            Work::Fetch => count(&|e| matches!(e.job, Job::Fetch)) >= limits.fetches,
            Work::Build => {
                let here = count(&|e| matches!(e.job, Job::Build(..)) && e.at == place);
                count(&|e| matches!(e.job, Job::Build(..))) >= limits.builds || here >= limits.builds_per_target
            }
            Work::Sync(..) => {
                let holds = |e: &Effect| matches!(&e.job, Job::Sync(s) if s.holding);
                let here = count(&|e| matches!(&e.job, Job::Sync(s) if s.holding && Some(s.place) == place));
                count(&holds) >= limits.syncs || here >= limits.syncs_per_target
            }
            Work::WhoReads | Work::Generate => false,
        }
    }

    /// A gate is named only while what it names is so.
    pub(crate) fn check_gate(&self, key: &NodeKey, gate: &Gate) {
        let core = self.core();
        let kept = self.world.persisted.get(key).map(|p| p.kept.clone()).unwrap_or_default();
        let waits = |other: &NodeKey| !matches!(core.why(other), Why::AtRest | Why::Unknown);
        let ok = match gate {
            Gate::Suspended(_) if key.kind != NodeKind::Unit => true,
            Gate::Suspended(suspend) => {
                kept.suspend.as_ref() == Some(suspend) && suspend.until.is_none_or(|until| until > self.now && self.wake.is_some())
            }
            Gate::Pinned(pin) => kept.pin.as_ref() == Some(pin),
            Gate::Deleted { by } => kept.deleted.as_ref() == Some(by),
            Gate::Approval { .. } | Gate::Evidence { .. } | Gate::Stalled { .. } | Gate::DependencyCycle { .. } | Gate::Manual => true,
            Gate::PruneGroup { waiting, count } => {
                *count > 0 && waiting.iter().all(|other| (core.behind(other) && waits(other)) || self.incomplete(other))
            }
            Gate::Dependency { waiting } => waiting.iter().all(|other| core.behind(other) || self.unhealthy(other)),
            Gate::DependencyMissing { missing } => missing.iter().all(|other| core.why(other) == Why::Unknown),
            Gate::Quarantine { crashes } => *crashes >= 2,
            Gate::Source { source, .. } => waits(source) && (!self.known.contains_key(source) || self.recalled.contains(source)),
            Gate::Root { generator } => matches!(core.why(generator), Why::Running { .. }),
            Gate::Target { target, retry_at } => {
                let told = self.reach.iter().any(|(name, up)| **name == **target && *up);
                !told && retry_at.is_none_or(|at| at > self.now && self.wake.is_some_and(|wake| wake <= at))
            }
            Gate::Lease => self.lease.is_none(),
            Gate::Undeclared => core.declared(key).is_none(),
            Gate::NoEvidence { .. } => self.listed.as_ref().is_some_and(|listed| !self.world.listing(listed).units.contains_key(key)),
        };
        assert!(ok, "{key}: {gate:?} does not hold");
    }

    pub(crate) fn incomplete(&self, key: &NodeKey) -> bool {
        matches!(self.statuses.get(key), Some(Status::Source(status)) if !status.problems.is_empty())
    }

    pub(crate) fn unhealthy(&self, key: &NodeKey) -> bool {
        matches!(self.statuses.get(key), Some(Status::Unit(status)) if status.health != HealthStatus::Healthy)
    }
}
