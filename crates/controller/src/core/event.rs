//! Owns what goes into the core and what comes out of it: events, actions, and the words they carry.
//! Plain data; what follows from an event is decided elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use plumb_manifest::Digest;
use plumb_plan::{HealthStatus, HoldKind};
use plumb_unit::{NodeKey, OnDelete, Revision, Revisions, Unit};

use super::status::Status;

/// Milliseconds since the epoch, as the shell counts them.
pub type Ms = u64;

/// Names one effect of one process. Each effect ends in exactly one event, stopped or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EffectId(pub u64);

/// Names a share of the installation's units that one process holds by a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u32);

/// Proof of a lease. The shell checks it before each batch of writes; a sync with an old epoch must write nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence {
    /// Whose lease it is.
    pub shard: ShardId,
    /// Rises each time the lease is taken.
    pub epoch: u64,
}

/// Names a request. The one who asks chooses it; the same id twice is the same request.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub Arc<str>);

/// How an effect ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End<T> {
    /// It did what it was started for.
    Done(T),
    /// It was stopped before that, and does nothing any more.
    Stopped,
    /// It could not do it.
    Failed(Failure),
}

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Decides when it is tried again.
    pub class: Class,
    /// For people: a lowercase fragment that names the object and what to do.
    pub message: Arc<str>,
}

impl Failure {
    /// Returns a failure.
    pub fn new(class: Class, message: impl Into<Arc<str>>) -> Self {
        Self { class, message: message.into() }
    }
}

/// Sorts failures by what helps against them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The user's input is wrong: only another input helps. Tried again once per interval.
    Input,
    /// It may well go better next time.
    Transient,
    /// The other side says no: credentials or rights.
    Denied,
    /// The other side does not answer.
    Unreachable,
    /// Somebody else wrote at the same time.
    Conflict,
    /// Everything was accepted, but did not become healthy in time.
    Unhealthy,
}

/// A unit and the source nodes that its aliases stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitNode {
    /// The unit as it was lowered.
    pub unit: Arc<Unit>,
    /// Alias → source node. A source that is not there yet is created, one that nobody names any more is dropped. An alias
    /// that needs no fetch (a folder) is left out.
    pub sources: BTreeMap<Arc<str>, NodeKey>,
}

/// What a node is declared to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Declared {
    /// A repository at one ref, seen with one set of credentials. Needed only to set its own polling interval.
    Source {
        /// How often it is asked for news without a push.
        poll: Duration,
    },
    /// A root: reads units from a source.
    Generator {
        /// The source node.
        source: NodeKey,
    },
    /// A unit.
    Unit(UnitNode),
    /// A unit with a field that its dialect does not carry: it is shown and does nothing.
    Stalled {
        /// Each unsupported field and why.
        reasons: Vec<String>,
    },
}

/// What a root lists at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The root's identity: URL, ref and path, never credentials. Absence counts as evidence only against the same identity.
    pub from: Arc<str>,
    /// Each unit that parsed (as [`Declared::Unit`] or [`Declared::Stalled`]).
    pub units: BTreeMap<NodeKey, Declared>,
    /// Whether everything there was read and parsed. If not, a unit that is not listed is left as it is.
    pub complete: bool,
    /// What did not parse, for people.
    pub problems: Vec<String>,
}

/// Which nodes a change of a source may touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readers {
    /// All that use the source: the answer when in doubt. It does not end a quarantine.
    All,
    /// These units and generators; for the others the content is the same. Ends the quarantine of those it names, so one that
    /// was never built in this process belongs here only if something differs where its files are.
    Some(BTreeSet<NodeKey>),
}

/// A state that a unit should reach. The one with the higher `seq` is the newer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Rises with everything but a revision whose content is the same.
    pub seq: u64,
    /// What to build.
    pub revisions: Revisions,
    /// The unit; none for one that is known by its inventory only and is to be deleted.
    pub unit: Option<Arc<Unit>>,
    /// An older state that somebody asked for.
    pub pin: Option<Arc<Pin>>,
    /// The unit is to go. Its build is a plan without manifests, its sync deletes (or releases, by its `on_delete`).
    pub delete: bool,
    /// Why.
    pub cause: Cause,
}

/// What brought something about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The process started.
    Start,
    /// A source has another revision.
    Commit(NodeKey, Revision),
    /// The unit's declaration is new or changed.
    Declared,
    /// The declaration is gone.
    Removed,
    /// Drift is put right.
    Drift,
    /// What settled values rest on has changed; what, for people.
    Ground(Arc<str>),
    /// The interval has passed.
    Interval,
    /// What was withheld may now be done.
    Permitted,
    /// Somebody asked.
    Request(RequestId, Arc<str>),
}

/// A unit is kept at an older state until it is resumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The state.
    pub revisions: Revisions,
    /// The history record that holds the lowered unit of that state, when it is to be rebuilt from there.
    pub record: Option<Arc<str>>,
    /// Who asked.
    pub by: Arc<str>,
    /// Why.
    pub reason: Arc<str>,
}

/// Somebody paused a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspend {
    /// Who.
    pub by: Arc<str>,
    /// Why.
    pub reason: Arc<str>,
    /// Until when; none: until it is resumed.
    pub until: Option<Ms>,
}

/// What of a unit's state outlives the process, beside its inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Somebody paused it.
    pub suspend: Option<Suspend>,
    /// Somebody keeps it at an older state.
    pub pin: Option<Arc<Pin>>,
    /// The plan that somebody approved and that has not been carried out.
    pub approved: Option<Digest>,
    /// Its deletions were judged too large together with others of their commit: they need an approval.
    pub prune_held: bool,
    /// Somebody deleted it although it is declared; who.
    pub deleted: Option<Arc<str>>,
}

/// What a start finds out about a unit from its inventory. Never a stage: everything converges from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Hash of the inventory.
    pub inventory: Digest,
    /// How many objects it names.
    pub owned: u32,
    /// The revisions last synced completely.
    pub synced: Option<Revisions>,
    /// The digest of the unit that they were synced with.
    pub unit: Option<Digest>,
    /// Gates.
    pub kept: Kept,
    /// How many times in a row the process died while it worked on this unit. Must be known before the unit is built, also while
    /// its target does not answer: then the facts may come twice, first with what is known without it.
    pub crashes: u32,
    /// The identity of the root that declared it ([`Listing::from`]).
    pub declared_from: Option<Arc<str>>,
    /// Its target's name.
    pub target: Arc<str>,
    /// What happens to its objects when it is gone.
    pub on_delete: OnDelete,
}

/// The head of a plan: what the core decides by. The shell keeps the rest under the unit and `Want::seq`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanHead {
    /// Hash of the manifests: equal means that nothing else is wanted.
    pub content: Digest,
    /// The plan's hash, what an approval binds to.
    pub digest: Digest,
    /// How many objects it would write.
    pub changes: u32,
    /// How many it would delete, held ones included.
    pub deletes: u32,
    /// How many the unit owns before it.
    pub owned: u32,
    /// What the plan holds back by itself.
    pub holds: Vec<HoldHead>,
}

/// One hold, without its objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldHead {
    /// What it is about.
    pub kind: HoldKind,
    /// Why, for people.
    pub reason: Arc<str>,
    /// How many objects.
    pub objects: u32,
}

/// How a sync left the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Hash of the inventory now.
    pub inventory: Digest,
    /// How many objects it names.
    pub owned: u32,
    /// How the objects do together.
    pub health: HealthStatus,
    /// What was not done because nobody permits it yet.
    pub withheld: Option<Withheld>,
}

/// Part of a plan that was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// Hash of the rest of the plan: what an approval binds to.
    pub digest: Digest,
    /// Deletions among it.
    pub deletes: u32,
    /// Why, one by one.
    pub holds: Vec<HoldHead>,
}

/// What a sync may delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrunePermission {
    /// Nothing: deletions are reported as [`Settled::withheld`].
    Withheld,
    /// What the plan's own rules allow, judged by these sums over all units that the commit touched. The core has judged them
    /// already; the plan holds back by kind and for want of evidence.
    Group {
        /// Deletions of all of them.
        deletes: u32,
        /// Objects that all of them own.
        owned: u32,
    },
    /// Everything: a person ordered the deletion of the unit.
    Ordered,
}

/// What sort of sync it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SyncKind {
    /// To a want that has not been reached.
    Apply,
    /// The want that was reached once more, because of drift.
    Repair,
    /// The want that was reached once more, everything read from the server.
    Reread,
    /// The want that was reached once more, because what its settled values rested on has changed.
    Renew,
    /// The want that was reached once more, because more may be deleted or adopted now.
    Permit,
    /// The unit goes.
    Delete,
}

/// The order to carry a plan out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncOrder {
    /// Ends in [`Event::Finished`].
    pub effect: EffectId,
    /// Checked before each batch of writes.
    pub fence: Fence,
    /// The unit.
    pub node: NodeKey,
    /// What to reach: the newest one built, or for all kinds but `Apply` the one last reached.
    pub want: Arc<Want>,
    /// What sort.
    pub kind: SyncKind,
    /// Read every object from the server, whatever the watch says.
    pub reread: bool,
    /// What may be deleted.
    pub prune: PrunePermission,
    /// How many deletions were judged when `prune` was decided, held ones included. A plan that deletes more by now has moved on:
    /// without an approval it deletes nothing and reports all of it as withheld, and is judged anew.
    pub may_delete: u32,
    /// The plan (or rest of one) that a person approved: holds of exactly this hash do not hold.
    pub approved: Option<Digest>,
    /// What brought it about.
    pub cause: Cause,
}

/// What the watch says about a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// How its objects do together.
    pub health: HealthStatus,
    /// Live values that are not what they were settled as. `None` takes an earlier report back.
    pub drift: Option<DriftSeen>,
}

/// Drift of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriftSeen {
    /// For people: how many fields, which managers.
    pub summary: Arc<str>,
    /// A path of it is contested: do not repair before this time.
    pub not_before: Option<Ms>,
}

/// Somebody orders something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its name.
    pub id: RequestId,
    /// Who.
    pub by: Arc<str>,
    /// Why.
    pub reason: Arc<str>,
    /// What.
    pub order: Order,
}

/// What is ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Fetch, then sync with everything read again. Also of a source or a root: fetch.
    Reconcile,
    /// Go to an older state and stay there until resumed.
    SyncAt {
        /// The state.
        revisions: Revisions,
        /// The history record that holds the lowered unit.
        record: Option<Arc<str>>,
    },
    /// Say what a sync would do.
    DryRun {
        /// At these revisions instead of the newest.
        revisions: Option<Revisions>,
    },
    /// Pause; also of a source or a root.
    Suspend {
        /// Until when.
        until: Option<Ms>,
    },
    /// Lift suspension, pin, quarantine and deletion by request.
    Resume,
    /// Permit what is withheld.
    Approve {
        /// The hash shown with it.
        digest: Digest,
    },
    /// Delete the unit's objects (or release them, by its `on_delete`), though it may be declared.
    Delete,
    /// End another request of this node.
    Cancel {
        /// Which.
        id: RequestId,
    },
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It is done; what a sync left undone for want of a permission is said.
    Done {
        /// What is withheld.
        withheld: Option<Withheld>,
    },
    /// A dry run's answer. The shell keeps the plan under the request's id.
    Planned(PlanHead),
    /// It may not be done.
    Refused(Arc<str>),
    /// It could not be done; the unit goes on trying what it would do anyway.
    Failed(Failure),
    /// It was taken back, or its object went away.
    Cancelled(Arc<str>),
}

/// A line of history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A sync ended.
    Synced {
        /// Its effect.
        effect: EffectId,
        /// What it was to reach.
        want: Arc<Want>,
        /// What sort.
        kind: SyncKind,
        /// What brought it about.
        cause: Cause,
        /// How it ended.
        end: End<Settled>,
    },
    /// A build failed.
    BuildFailed {
        /// What it was to build.
        want: Arc<Want>,
        /// Why.
        failure: Failure,
    },
    /// A source or a root failed for the first time since it last worked.
    Stale {
        /// Why.
        failure: Failure,
    },
    /// A request ended: exactly one such line each.
    RequestEnded {
        /// Which.
        id: RequestId,
        /// Who had asked.
        by: Arc<str>,
        /// How.
        end: Ended,
    },
    /// The unit is gone, with what it owned.
    Removed,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time has passed.
    Tick,
    /// A node is declared, by something other than a root's listing.
    Put(NodeKey, Declared),
    /// A node is not declared any more, with evidence. Never sent for what merely could not be read.
    Gone(NodeKey),
    /// What a start knows of a unit. For a target's units this comes before its first `Reach(_, true)`.
    Restored(NodeKey, Facts),
    /// Somebody says that a source has news.
    Pushed(NodeKey),
    /// A source cannot be fetched and this process knows nothing of it, but an earlier one was shown this revision, with the same credentials. It
    /// says what is declared and what can be built, and is no evidence of what is not. Comes before the `Fetched` that failed.
    Recalled(NodeKey, Revision),
    /// Ends [`Action::Fetch`].
    Fetched(EffectId, End<Revision>),
    /// Ends [`Action::WhoReads`].
    Affected(EffectId, End<Readers>),
    /// Ends [`Action::Generate`].
    Generated(EffectId, End<Listing>),
    /// Ends [`Action::Build`] and [`Action::DryRun`].
    Built(EffectId, End<PlanHead>),
    /// A sync is at another stage.
    Stage(EffectId, Stage),
    /// Ends [`Action::Sync`].
    Finished(EffectId, End<Settled>),
    /// The watch saw something.
    Observed(NodeKey, Observation),
    /// What settled values of the unit's objects rest on has changed (a definition, a mutating webhook): they are to be settled anew. What,
    /// for people.
    Voided(NodeKey, Arc<str>),
    /// What may have kept the unit from succeeding is another one now.
    Hope(NodeKey),
    /// Somebody orders something.
    Request(NodeKey, Request),
    /// A lease was taken or renewed (with its epoch) or lost.
    Lease(ShardId, Option<u64>),
    /// A target answers or does not. One that was never heard of does not.
    Reach(Arc<str>, bool),
}

/// Where a sync is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It writes.
    Apply,
    /// It waits for health or for deletions: no place among the concurrent syncs is taken.
    Wait,
}

/// What the shell has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask the source for its revision and bring it here.
    Fetch(EffectId, NodeKey),
    /// Say who may read what differs between two revisions of a source.
    WhoReads(EffectId, NodeKey, Revision, Revision),
    /// Read the units that a root lists at a revision.
    Generate(EffectId, NodeKey, Revision),
    /// Build and plan. Answers to queries are the shell's own business.
    Build(EffectId, NodeKey, Arc<Want>),
    /// Build and plan for a request, keeping nothing but what is shown.
    DryRun(EffectId, NodeKey, Arc<Want>, RequestId),
    /// Carry a plan out.
    Sync(SyncOrder),
    /// End an effect as soon as it safely can; it still ends in its own event.
    Stop(EffectId),
    /// Write down what outlives the process. Comes before the `Record` that tells of it; the newest one stands, and it is tried
    /// until it is written.
    Keep(NodeKey, Kept),
    /// Write a line of history.
    Record(NodeKey, Entry),
    /// The unit is at this want. Said also when no sync was needed to get there, and when only the revision moved on. A shell may
    /// drop older builds now; what it is ordered to sync and does not keep, it builds again from the order's want.
    Reached(NodeKey, Arc<Want>),
    /// Show a node's state.
    Publish(NodeKey, Status),
    /// The node is gone: forget what is kept of it in memory.
    Forget(NodeKey),
    /// Send `Tick` at this time, and not at the one named before.
    WakeAt(Ms),
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
