//! Owns requests: what somebody ordered, kept until it ends in exactly one record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_unit::{NodeKey, NodeKind, Revisions};

use super::Core;
use super::event::{Action, Cause, Class, EffectId, End, Ended, Entry, Failure, Order, Pin, PlanHead, Request, RequestId, Suspend, Want};
use super::lanes::LaneKey;
use super::queue::{BuildJob, Place};
use super::state::{Deletion, Open, Phase};

/// How many ended requests are remembered, so that one that is sent twice is not done twice.
pub const REMEMBERED: usize = 1024;

impl Open {
    /// Whether a sync to this want is ordered by the request.
    pub(super) fn orders_sync(&self, seq: u64) -> bool {
        match self.phase {
            Phase::Sync(from) => from <= seq,
            Phase::Carried => true,
            Phase::Fetch(_) | Phase::DryRun(_) | Phase::Planning(_) | Phase::Delete => false,
        }
    }
}

impl Core {
    pub(super) fn open(&self, key: &NodeKey) -> Option<&Vec<Open>> {
        match key.kind {
            NodeKind::Unit => self.units.get(key).map(|unit| &unit.requests),
            NodeKind::Source => self.sources.get(key).map(|source| &source.requests),
            NodeKind::Generator => self.roots.get(key).map(|root| &root.requests),
        }
    }

    fn open_mut(&mut self, key: &NodeKey) -> Option<&mut Vec<Open>> {
        match key.kind {
            NodeKind::Unit => self.units.get_mut(key).map(|unit| &mut unit.requests),
            NodeKind::Source => self.sources.get_mut(key).map(|source| &mut source.requests),
            NodeKind::Generator => self.roots.get_mut(key).map(|root| &mut root.requests),
        }
    }

    pub(super) fn request(&mut self, key: &NodeKey, request: Request) {
        let again =
            self.ended.contains(&request.id) || self.open(key).is_some_and(|open| open.iter().any(|open| open.request.id == request.id));
        if again {
            return;
        }
        if self.open(key).is_none() {
            return self.end_request(key, &request, Ended::Refused(format!("there is no node {key}").into()));
        }
        self.dirty.insert(key.clone());
        match key.kind {
            NodeKind::Unit => self.unit_request(key, request),
            NodeKind::Source | NodeKind::Generator => self.source_request(key, request),
        }
    }

    fn end_request(&mut self, key: &NodeKey, request: &Request, end: Ended) {
        self.ended.push_back(request.id.clone());
        if self.ended.len() > REMEMBERED {
            self.ended.pop_front();
        }
        let entry = Entry::RequestEnded { id: request.id.clone(), by: request.by.clone(), end };
        self.out.push(Action::Record(key.clone(), entry));
    }

    /// Ends the open requests that a test picks.
    pub(super) fn end_requests(&mut self, key: &NodeKey, which: impl Fn(&Open) -> bool, end: &Ended) {
        let Some(open) = self.open_mut(key) else { return };
        let (over, rest): (Vec<Open>, Vec<Open>) = std::mem::take(open).into_iter().partition(which);
        *open = rest;
        for open in over {
            match open.phase {
                Phase::Planning(effect) => self.out.push(Action::Stop(effect)),
                Phase::DryRun(_) => self.builds.remove(&BuildJob::DryRun(key.clone(), open.request.id.clone())),
                Phase::Fetch(_) | Phase::Sync(_) | Phase::Carried | Phase::Delete => {}
            }
            self.end_request(key, &open.request, end.clone());
        }
    }

    pub(super) fn cancel_all(&mut self, key: &NodeKey, why: &str) {
        self.end_requests(key, |_| true, &Ended::Cancelled(why.into()));
    }

    /// Cancels what waits for a sync.
    pub(super) fn cancel_syncs(&mut self, key: &NodeKey, why: &str) {
        let syncs = |open: &Open| matches!(open.phase, Phase::Fetch(_) | Phase::Sync(_) | Phase::Carried);
        self.end_requests(key, syncs, &Ended::Cancelled(why.into()));
    }

    fn hold(&mut self, key: &NodeKey, request: Request, phase: Phase) {
        if let Some(open) = self.open_mut(key) {
            open.push(Open { request, phase });
        }
    }

    fn unit_request(&mut self, key: &NodeKey, request: Request) {
        match request.order.clone() {
            Order::Reconcile => self.reconcile(key, request),
            Order::SyncAt { revisions, record } => self.sync_at(key, request, revisions, record),
            Order::DryRun { revisions } => self.hold(key, request, Phase::DryRun(revisions)),
            Order::Suspend { until } => self.suspend(key, &request, until),
            Order::Resume => self.resume(key, &request),
            Order::Approve { digest } => {
                let Some(unit) = self.units.get_mut(key) else { return };
                match unit.approvable() {
                    Some(now) if now == digest => {
                        unit.kept.approved = Some(digest);
                        unit.retry.reset();
                        let phase = if unit.deleting.is_some() { Phase::Delete } else { Phase::Sync(0) };
                        self.keep(key);
                        self.hold(key, request, phase);
                    }
                    Some(now) => self.end_request(key, &request, Ended::Refused(format!("the plan moved on: it is {now} now").into())),
                    None => self.end_request(key, &request, Ended::Refused("nothing waits for an approval".into())),
                }
            }
            Order::Delete => self.order_delete(key, request),
            Order::Cancel { id } => self.cancel(key, &request, &id),
        }
    }

    /// What a person has to lift before anything can be synced on request.
    fn refusal(&self, key: &NodeKey) -> Option<Arc<str>> {
        let unit = self.units.get(key)?;
        if let Some(suspend) = &unit.kept.suspend {
            return Some(format!("{key} is suspended by {}; resume it first", suspend.by).into());
        }
        if unit.deleting.is_some() {
            return Some(format!("{key} is being deleted").into());
        }
        unit.kept.deleted.as_ref().map(|by| format!("{key} was deleted by {by}; resume it first").into())
    }

    fn reconcile(&mut self, key: &NodeKey, request: Request) {
        if let Some(why) = self.refusal(key) {
            return self.end_request(key, &request, Ended::Refused(why));
        }
        let sources: BTreeSet<NodeKey> =
            self.units.get(key).and_then(|unit| unit.spec.as_ref()).iter().flat_map(|spec| spec.sources.values().cloned()).collect();
        let mut fetches = BTreeMap::new();
        for name in sources {
            let Some(source) = self.sources.get_mut(&name).filter(|source| source.suspend.is_none()) else { continue };
            source.waiters.insert(key.clone());
            fetches.insert(name.clone(), source.begun + 1);
            self.pushed(&name);
        }
        self.hold(key, request, Phase::Fetch(fetches));
    }

    /// Moves requests on that wait for fetches, and starts dry runs that wait for nothing.
    pub(super) fn settle_requests(&mut self, key: &NodeKey) {
        let Some(unit) = self.units.get(key) else { return };
        if unit.requests.is_empty() {
            return;
        }
        let lane = LaneKey { target: unit.target.clone(), tenant: key.namespace.clone() };
        let waits = |needs: &BTreeMap<NodeKey, u64>| {
            needs.iter().any(|(name, nth)| self.sources.get(name).is_some_and(|source| source.ended < *nth && source.suspend.is_none()))
        };
        let failed = |needs: &BTreeMap<NodeKey, u64>| needs.keys().find_map(|name| self.sources.get(name)?.failed.clone());
        let (mut over, mut waiting, mut go, mut dry) = (Vec::new(), BTreeSet::new(), BTreeSet::new(), Vec::new());
        for open in &unit.requests {
            match &open.phase {
                Phase::Fetch(needs) if waits(needs) => waiting.extend(needs.keys().cloned()),
                Phase::Fetch(needs) => match failed(needs) {
                    Some(failure) => over.push((open.request.id.clone(), failure)),
                    None => {
                        go.insert(open.request.id.clone());
                    }
                },
                Phase::DryRun(_) => dry.push(open.request.id.clone()),
                Phase::Sync(_) | Phase::Carried | Phase::Planning(_) | Phase::Delete => {}
            }
        }
        for name in waiting {
            if let Some(source) = self.sources.get_mut(&name) {
                source.waiters.insert(key.clone());
            }
        }
        for (id, failure) in over {
            self.end_requests(key, |open| open.request.id == id, &Ended::Failed(failure));
        }
        for id in dry {
            self.settle_dry_run(key, &id, lane.clone());
        }
        self.order_sync(key, &go);
    }

    /// The sources were fetched: now everything is read again, whatever had failed.
    fn order_sync(&mut self, key: &NodeKey, ids: &BTreeSet<RequestId>) {
        let now = self.now;
        let Some(unit) = self.units.get_mut(key).filter(|_| !ids.is_empty()) else { return };
        let seq = unit.want.seq;
        for open in unit.requests.iter_mut().filter(|open| ids.contains(&open.request.id)) {
            open.phase = Phase::Sync(seq);
        }
        unit.retry.reset();
        unit.broken = None;
        unit.reread_at = Some(now);
    }

    fn sync_at(&mut self, key: &NodeKey, request: Request, revisions: Revisions, record: Option<Arc<str>>) {
        if let Some(why) = self.refusal(key) {
            return self.end_request(key, &request, Ended::Refused(why));
        }
        let overtaken = |open: &Open| matches!(open.request.order, Order::SyncAt { .. });
        self.end_requests(key, overtaken, &Ended::Cancelled(format!("request {} asks for another state", request.id).into()));
        let pin = Pin { revisions, record, by: request.by.clone(), reason: request.reason.clone() };
        let Some(unit) = self.units.get_mut(key) else { return };
        unit.kept.pin = Some(Arc::new(pin));
        self.keep(key);
        self.leave_groups(key);
        self.bump(key, Cause::Request(request.id.clone(), request.by.clone()));
        self.join_open_groups(key);
        let seq = self.units.get(key).map_or(0, |unit| unit.want.seq);
        self.hold(key, request, Phase::Sync(seq));
    }

    fn suspend(&mut self, key: &NodeKey, request: &Request, until: Option<super::event::Ms>) {
        let Some(unit) = self.units.get_mut(key) else { return };
        unit.kept.suspend = Some(Suspend { by: request.by.clone(), reason: request.reason.clone(), until });
        self.keep(key);
        let why: Arc<str> = format!("{key} was suspended by {}", request.by).into();
        self.end_requests(key, |open| matches!(open.phase, Phase::Fetch(_) | Phase::Sync(_) | Phase::Carried), &Ended::Refused(why));
        self.end_request(key, request, Ended::Done { withheld: None });
    }

    fn resume(&mut self, key: &NodeKey, request: &Request) {
        let Some(unit) = self.units.get_mut(key) else { return };
        let ordered = matches!(unit.deleting, Some(Deletion::Ordered(..)));
        if ordered {
            unit.deleting = unit.removed.then_some(Deletion::Removed);
        }
        let moved = ordered | unit.kept.pin.take().is_some() | unit.kept.deleted.take().is_some() | (std::mem::take(&mut unit.crashes) > 0);
        unit.kept.suspend = None;
        unit.retry.reset();
        self.keep(key);
        if ordered {
            self.end_requests(key, |open| open.phase == Phase::Delete, &Ended::Cancelled(format!("resumed by {}", request.by).into()));
        }
        if moved {
            self.bump(key, Cause::Request(request.id.clone(), request.by.clone()));
            self.join_open_groups(key);
        }
        self.end_request(key, request, Ended::Done { withheld: None });
    }

    fn order_delete(&mut self, key: &NodeKey, request: Request) {
        let Some(unit) = self.units.get_mut(key) else { return };
        if unit.kept.deleted.is_some() && unit.deleting.is_none() {
            return self.end_request(key, &request, Ended::Done { withheld: None });
        }
        unit.deleting = Some(Deletion::Ordered(request.id.clone(), request.by.clone()));
        unit.removed |= unit.no_evidence.take().is_some();
        unit.repair = false;
        self.cancel_syncs(key, "the unit is being deleted");
        self.leave_groups(key);
        self.bump(key, Cause::Request(request.id.clone(), request.by.clone()));
        self.hold(key, request, Phase::Delete);
    }

    fn cancel(&mut self, key: &NodeKey, request: &Request, id: &RequestId) {
        let Some(unit) = self.units.get_mut(key) else { return };
        if !unit.requests.iter().any(|open| open.request.id == *id) {
            return self.end_request(key, request, Ended::Refused(format!("there is no open request {id}").into()));
        }
        let ordered = matches!(&unit.deleting, Some(Deletion::Ordered(by, _)) if by == id);
        if ordered {
            unit.deleting = unit.removed.then_some(Deletion::Removed);
            self.bump(key, Cause::Request(request.id.clone(), request.by.clone()));
        }
        self.end_requests(key, |open| open.request.id == *id, &Ended::Cancelled(format!("cancelled by {}", request.by).into()));
        self.end_request(key, request, Ended::Done { withheld: None });
    }

    /// What can be asked of a source or a root.
    fn source_request(&mut self, key: &NodeKey, request: Request) {
        let source = match key.kind {
            NodeKind::Generator => self.roots.get(key).map(|root| root.source.clone()),
            NodeKind::Source | NodeKind::Unit => Some(key.clone()),
        };
        let suspend = match key.kind {
            NodeKind::Generator => self.roots.get_mut(key).map(|root| &mut root.suspend),
            NodeKind::Source | NodeKind::Unit => self.sources.get_mut(key).map(|source| &mut source.suspend),
        };
        let (Some(source), Some(suspend)) = (source, suspend) else { return };
        let end = match &request.order {
            Order::Reconcile if suspend.is_some() => Ended::Refused(format!("{key} is suspended; resume it first").into()),
            Order::Reconcile => {
                let nth = self.sources.get(&source).map_or(0, |source| source.begun + 1);
                self.pushed(&source);
                return self.hold(key, request, Phase::Fetch(BTreeMap::from([(source, nth)])));
            }
            Order::Suspend { until } => {
                *suspend = Some(Suspend { by: request.by.clone(), reason: request.reason.clone(), until: *until });
                self.end_requests(key, |_| true, &Ended::Refused(format!("{key} was suspended").into()));
                Ended::Done { withheld: None }
            }
            Order::Resume => {
                *suspend = None;
                Ended::Done { withheld: None }
            }
            Order::Cancel { id } => {
                let id = id.clone();
                self.end_requests(key, |open| open.request.id == id, &Ended::Cancelled("cancelled".into()));
                Ended::Done { withheld: None }
            }
            Order::SyncAt { .. } | Order::DryRun { .. } | Order::Approve { .. } | Order::Delete => {
                Ended::Refused(format!("{key} is not a unit: it can be reconciled, suspended and resumed").into())
            }
        };
        self.end_request(key, &request, end);
    }

    /// Ends what waited for a fetch of the source, and of roots whose source it is when they have nothing left to read.
    pub(super) fn end_source_requests(&mut self, key: &NodeKey) {
        self.end_fetch_requests(key, key);
        let roots: Vec<NodeKey> =
            self.roots.iter().filter(|(_, root)| root.source == *key && !root.requests.is_empty()).map(|(key, _)| key.clone()).collect();
        for root in roots {
            self.end_root_requests(&root);
        }
    }

    pub(super) fn end_root_requests(&mut self, key: &NodeKey) {
        let Some(root) = self.roots.get(key).filter(|root| !super::decide::at_work(root)) else { return };
        let (source, failed) = (root.source.clone(), root.failed.as_ref().map(|(.., failure)| failure.clone()));
        match failed {
            Some(failure) => self.end_requests(key, |_| true, &Ended::Failed(failure)),
            None => self.end_fetch_requests(key, &source),
        }
    }

    fn end_fetch_requests(&mut self, key: &NodeKey, source: &NodeKey) {
        let Some((ended, failed)) = self.sources.get(source).map(|source| (source.ended, source.failed.clone())) else { return };
        let end = failed.map_or(Ended::Done { withheld: None }, Ended::Failed);
        self.end_requests(
            key,
            |open| matches!(&open.phase, Phase::Fetch(needs) if needs.get(source).is_some_and(|nth| *nth <= ended)),
            &end,
        );
    }

    /// Puts a dry run in the queue once what it is to build is known.
    fn settle_dry_run(&mut self, key: &NodeKey, id: &RequestId, lane: LaneKey) {
        let Some(unit) = self.units.get(key) else { return };
        let job = BuildJob::DryRun(key.clone(), id.clone());
        if unit.spec.is_none() || unit.crashes >= super::decide::CRASHES {
            let why = format!("{key} cannot be built: it is not declared, has unsupported fields or is in quarantine");
            return self.end_requests(key, |open| open.request.id == *id, &Ended::Refused(why.into()));
        }
        let given = unit.requests.iter().any(|open| open.request.id == *id && matches!(open.phase, Phase::DryRun(Some(_))));
        if given || unit.unread().is_none() {
            self.builds.push(lane, job, 1);
        } else if let Some(failure) = unit.unread().and_then(|source| self.sources.get(source)?.failed.clone()) {
            self.end_requests(key, |open| open.request.id == *id, &Ended::Failed(failure));
        }
    }

    pub(super) fn start_dry_run(&mut self, key: &NodeKey, id: &RequestId, target: Arc<str>) {
        let effect = self.effect(key, Some((Place::Build, target)));
        let Some(unit) = self.units.get_mut(key) else { return };
        let Some(open) = unit.requests.iter_mut().find(|open| open.request.id == *id) else { return };
        let Phase::DryRun(revisions) = std::mem::replace(&mut open.phase, Phase::Planning(effect)) else { return };
        let want = Want {
            seq: unit.want.seq,
            revisions: revisions.unwrap_or_else(|| unit.newest.clone()),
            unit: unit.spec.as_ref().map(|spec| spec.unit.clone()),
            pin: None,
            delete: false,
            cause: Cause::Request(id.clone(), open.request.by.clone()),
        };
        self.out.push(Action::DryRun(effect, key.clone(), Arc::new(want), id.clone()));
    }

    /// A dry run is over.
    pub(super) fn planned(&mut self, key: &NodeKey, id: EffectId, end: End<PlanHead>) {
        let end = match end {
            End::Done(head) => Ended::Planned(head),
            End::Failed(failure) => Ended::Failed(failure),
            End::Stopped => Ended::Failed(Failure::new(Class::Transient, "the dry run was stopped by the shell")),
        };
        if let Some(open) = self.units.get_mut(key).and_then(|unit| unit.requests.iter_mut().find(|open| open.phase == Phase::Planning(id)))
        {
            open.phase = Phase::Carried; // it has ended: there is nothing to stop
            let request = open.request.id.clone();
            self.end_requests(key, |open| open.request.id == request, &end);
        }
    }
}
