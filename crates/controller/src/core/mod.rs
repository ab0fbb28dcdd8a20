//! Owns the controller's core: what happens next, as a deterministic function of its state and one event. Does no I/O, reads no
//! clock, and draws randomness only from its own seed; the shell around it carries actions out and reports events back.
//!
//! - Every effect has an id and ends in exactly one event, stopped or not. Events of unknown ids are dropped.
//! - A unit never has two mutating effects. Something newer sends `Stop`, waits for the end, then starts.
//! - **Progress**: after each step, a node that is not where it should be has a running effect, a place in a queue, a timer or
//!   a named gate. [`Core::why`] returns which. It holds by construction: no transition starts an effect itself; each only
//!   changes state, and at the end of a step every touched node is decided anew (`decide`), from state alone.
//! - Time that passes costs nothing where no timer is due.
//!
//! ```text
//! event ─► transition (unit, effect, source, root, request, group) ─► dirty nodes ─► decide ─► queues ─► actions
//! ```

mod decide;
mod effect;
mod event;
mod group;
mod lanes;
mod queue;
mod request;
mod retry;
mod root;
mod show;
mod source;
mod state;
mod status;
mod unit;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use plumb_unit::{NodeKey, NodeKind};

pub use decide::{CRASHES, PREEMPTIONS};
pub use event::{
    Action, Cause, Class, Declared, DriftSeen, EffectId, End, Ended, Entry, Event, Facts, Failure, Fence, HoldHead, Kept, Listing, Ms,
    Observation, Order, Pin, PlanHead, PrunePermission, Readers, Request, RequestId, Settled, ShardId, Stage, Suspend, SyncKind, SyncOrder,
    UnitNode, Want, Withheld,
};
pub use group::{HELD_DELETES, HELD_PERCENT};
pub use request::REMEMBERED;
pub use retry::Limits;
pub use status::{Activity, Gate, SourceStatus, Status, SyncWord, UnitStatus, Why, Work};

use lanes::Lanes;
use queue::{BuildJob, Effect, Timer};
use retry::SplitMix64;
use state::{GeneratorState, Group, GroupId, ShardState, SourceState, TargetState, UnitState};

/// The controller's state.
#[derive(Debug)]
pub struct Core {
    now: Ms,
    rng: SplitMix64,
    limits: Limits,
    next_effect: u64,
    next_seq: u64,
    units: BTreeMap<NodeKey, UnitState>,
    sources: BTreeMap<NodeKey, SourceState>,
    roots: BTreeMap<NodeKey, GeneratorState>,
    targets: BTreeMap<Arc<str>, TargetState>,
    shards: BTreeMap<ShardId, ShardState>,
    dependents: BTreeMap<NodeKey, BTreeSet<NodeKey>>,
    groups: BTreeMap<GroupId, Group>,
    /// Units whose last plan waits for what another unit does with an object.
    lingering: BTreeSet<NodeKey>,
    /// Rises each time a unit has gone to another state.
    passages: u64,
    effects: BTreeMap<EffectId, Effect>,
    fetches: Lanes<NodeKey>,
    builds: Lanes<BuildJob>,
    syncs: Lanes<NodeKey>,
    timers: BTreeSet<(Ms, Timer)>,
    timer_of: BTreeMap<Timer, Ms>,
    wake: Option<Ms>,
    dirty: BTreeSet<NodeKey>,
    shown: BTreeSet<NodeKey>,
    ended: VecDeque<RequestId>,
    out: Vec<Action>,
}

impl Core {
    /// Returns a core that knows nothing. The same seed and the same events give the same actions.
    pub fn new(limits: Limits, seed: u64) -> Self {
        Self {
            now: 0,
            rng: SplitMix64::new(seed),
            fetches: Lanes::new(limits.fetches, limits.fetches),
            builds: Lanes::new(limits.builds, limits.builds_per_target),
            syncs: Lanes::new(limits.syncs, limits.syncs_per_target),
            limits,
            next_effect: 0,
            next_seq: 0,
            units: BTreeMap::new(),
            sources: BTreeMap::new(),
            roots: BTreeMap::new(),
            targets: BTreeMap::new(),
            shards: BTreeMap::new(),
            dependents: BTreeMap::new(),
            groups: BTreeMap::new(),
            lingering: BTreeSet::new(),
            passages: 0,
            effects: BTreeMap::new(),
            timers: BTreeSet::new(),
            timer_of: BTreeMap::new(),
            wake: None,
            dirty: BTreeSet::new(),
            shown: BTreeSet::new(),
            ended: VecDeque::new(),
            out: Vec::new(),
        }
    }

    /// Takes one event and appends what is to be done about it, in order. A time before an earlier one counts as that one.
    pub fn step(&mut self, now: Ms, event: Event, out: &mut Vec<Action>) {
        self.now = self.now.max(now);
        self.fire();
        self.take(event);
        self.settle();
        self.publish();
        self.set_wake();
        out.append(&mut self.out);
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Tick => {}
            Event::Put(key, declared) => self.put(key, declared),
            Event::Gone(key) => self.gone(&key),
            Event::Restored(key, facts) => self.restored(key, facts),
            Event::Pushed(key) => self.pushed(&key),
            Event::Recalled(key, revision) => self.recalled(&key, revision),
            Event::Fetched(effect, end) => self.fetched(effect, end),
            Event::Affected(effect, end) => self.affected(effect, end),
            Event::Generated(effect, end) => self.generated(effect, end),
            Event::Built(effect, end) => self.built(effect, end),
            Event::Stage(effect, stage) => self.staged(effect, stage),
            Event::Finished(effect, end) => self.finished(effect, end),
            Event::Observed(key, observation) => self.observed(&key, observation),
            Event::Voided(key, what) => self.voided(&key, what),
            Event::Hope(key) => self.hope(&key),
            Event::Request(key, request) => self.request(&key, request),
            Event::Lease(shard, epoch) => self.lease(shard, epoch),
            Event::Reach(target, reachable) => self.reach(target, reachable),
        }
    }

    /// Returns why the node is not where it should be; [`Why::AtRest`] if it is.
    pub fn why(&self, key: &NodeKey) -> Why {
        match key.kind {
            NodeKind::Unit => self.units.get(key).map_or(Why::Unknown, |unit| self.why_unit(key, unit)),
            NodeKind::Source => self.sources.get(key).map_or(Why::Unknown, |source| self.why_source(key, source)),
            NodeKind::Generator => self.roots.get(key).map_or(Why::Unknown, |root| self.why_root(root)),
        }
    }

    /// Returns whether the node is not where it should be.
    pub fn behind(&self, key: &NodeKey) -> bool {
        match key.kind {
            NodeKind::Unit => self.units.get(key).is_some_and(|unit| self.unit_behind(unit)),
            NodeKind::Source => self.sources.contains_key(key), // the next poll is always ahead
            NodeKind::Generator => self.roots.get(key).is_some_and(|root| root.want.as_ref().is_none_or(|(seq, _)| *seq != root.read)),
        }
    }

    /// Returns every node, sources and roots among them, in the order of their keys.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeKey> {
        self.sources.keys().chain(self.units.keys()).chain(self.roots.keys())
    }

    /// Returns the node's state as last published.
    pub fn status(&self, key: &NodeKey) -> Option<&Status> {
        match key.kind {
            NodeKind::Unit => self.units.get(key)?.published.as_ref(),
            NodeKind::Source => self.sources.get(key)?.published.as_ref(),
            NodeKind::Generator => self.roots.get(key)?.published.as_ref(),
        }
    }

    /// Returns what the node's unit was declared as, if it is declared.
    pub fn declared(&self, key: &NodeKey) -> Option<&UnitNode> {
        self.units.get(key)?.spec.as_ref()
    }

    /// Returns the requests on the node that have not ended.
    pub fn open_requests(&self, key: &NodeKey) -> Vec<&Request> {
        self.open(key).map(|open| open.iter().map(|open| &open.request).collect()).unwrap_or_default()
    }
}
