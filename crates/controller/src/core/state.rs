//! Owns what the core remembers of a node. No decisions: see `decide`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_manifest::Digest;
use plumb_plan::{HealthStatus, HoldKind};
use plumb_unit::{NodeKey, OnDelete, Revision, Revisions};

use super::event::{
    Cause, EffectId, Facts, Failure, Kept, Listing, Ms, Observation, PlanHead, Request, RequestId, ShardId, Stage, Suspend, SyncKind,
    UnitNode, Want, Withheld,
};
use super::retry::Retry;
use super::status::Status;

/// One revision of one source: what a prune group is named by.
pub(super) type GroupId = (NodeKey, u64);

/// A build under way.
#[derive(Clone, Debug)]
pub(super) struct BuildRun {
    pub(super) effect: EffectId,
    pub(super) want: Arc<Want>,
    pub(super) stopping: bool,
}

/// A sync under way: the one mutating effect of its unit.
#[derive(Clone, Debug)]
pub(super) struct SyncRun {
    pub(super) effect: EffectId,
    pub(super) want: Arc<Want>,
    pub(super) content: Option<Digest>,
    pub(super) kind: SyncKind,
    pub(super) cause: Cause,
    pub(super) stage: Stage,
    pub(super) epoch: u64,
    pub(super) stopping: bool,
    pub(super) withheld: bool,
    /// How many deletions were judged.
    pub(super) judged: u32,
    pub(super) approved: bool,
    pub(super) reread: bool,
    pub(super) repair: bool,
    pub(super) voided: Option<Arc<str>>,
    pub(super) requests: Vec<RequestId>,
    /// [`Core::passages`](super::Core) when it began: what went elsewhere since, its plan may not know.
    pub(super) passages: u64,
}

/// The newest build that went well, and what it would do.
#[derive(Clone, Debug)]
pub(super) struct Built {
    pub(super) want: Arc<Want>,
    pub(super) head: PlanHead,
}

/// The want last reached, in this process.
#[derive(Clone, Debug)]
pub(super) struct Done {
    pub(super) want: Arc<Want>,
    pub(super) content: Option<Digest>,
}

/// What the last sync left undone, and whether it was for want of the group's verdict.
#[derive(Clone, Debug)]
pub(super) struct Rest {
    pub(super) withheld: Withheld,
    pub(super) unjudged: bool,
}

/// Whether a unit's deletions are small enough, together with those of its commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Not known yet.
    Open,
    /// They are, with these sums.
    Allowed { deletes: u32, owned: u32 },
    /// They are not: stays until there are none left or they are approved.
    Held { deletes: u32, owned: u32 },
}

/// Why a unit is to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deletion {
    /// It is not declared any more, with evidence.
    Removed,
    /// Somebody ordered it.
    Ordered(RequestId, Arc<str>),
}

/// How far an open request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Each of these sources has to end that many fetches.
    Fetch(BTreeMap<NodeKey, u64>),
    /// The next sync that starts (of at least this want) carries it.
    Sync(u64),
    /// A sync carries it.
    Carried,
    /// A dry run waits for a place, or for what it is to build.
    DryRun(Option<Revisions>),
    /// A dry run is under way.
    Planning(EffectId),
    /// It ends with the deletion.
    Delete,
}

/// A request that has not ended.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) request: Request,
    pub(super) phase: Phase,
}

/// A unit.
#[derive(Clone, Debug)]
pub(super) struct UnitState {
    pub(super) spec: Option<UnitNode>,
    pub(super) stalled: Vec<String>,
    pub(super) declared: bool,
    /// It is known that nobody declares it.
    pub(super) removed: bool,
    pub(super) declared_by: Option<NodeKey>,
    pub(super) declared_from: Option<Arc<str>>,
    pub(super) no_evidence: Option<Arc<str>>,
    pub(super) target: Arc<str>,
    pub(super) shard: ShardId,
    pub(super) on_delete: OnDelete,

    pub(super) newest: Revisions,
    pub(super) want: Arc<Want>,
    pub(super) built: Option<Built>,
    pub(super) broken: Option<(u64, Failure)>,
    pub(super) done: Option<Done>,
    pub(super) synced: Option<Revisions>,
    pub(super) synced_unit: Option<Digest>,
    pub(super) build: Option<BuildRun>,
    pub(super) sync: Option<SyncRun>,
    pub(super) retry: Retry,
    pub(super) failure: Option<Failure>,
    pub(super) preempted: u32,
    /// A sync towards something other than `done` began and did not end well: what is live lies between.
    pub(super) dirty: bool,

    pub(super) kept: Kept,
    pub(super) deleting: Option<Deletion>,
    pub(super) crashes: u32,
    pub(super) manual_go: u64,

    pub(super) rest: Option<Rest>,
    pub(super) verdict: Verdict,
    pub(super) groups: BTreeSet<GroupId>,

    pub(super) repair: bool,
    /// What its settled values rested on and has changed since.
    pub(super) voided: Option<Arc<str>>,
    pub(super) reread_at: Option<Ms>,
    pub(super) seen: Option<Observation>,
    pub(super) health: HealthStatus,
    pub(super) inventory: Option<Digest>,
    pub(super) owned: u32,

    pub(super) unready: usize,
    /// The way round by which it depends on itself.
    pub(super) cycle: Option<Vec<NodeKey>>,
    pub(super) ready: bool,
    pub(super) requests: Vec<Open>,
    pub(super) published: Option<Status>,
}

impl UnitState {
    /// Returns a unit of which nothing is known.
    pub(super) fn new(target: Arc<str>, shard: ShardId) -> Self {
        let want = Want { seq: 0, revisions: Revisions::new(), unit: None, pin: None, delete: false, cause: Cause::Start };
        Self {
            spec: None,
            stalled: Vec::new(),
            declared: false,
            removed: false,
            declared_by: None,
            declared_from: None,
            no_evidence: None,
            target,
            shard,
            on_delete: OnDelete::Orphan,
            newest: Revisions::new(),
            want: Arc::new(want),
            built: None,
            broken: None,
            done: None,
            synced: None,
            synced_unit: None,
            build: None,
            sync: None,
            retry: Retry::default(),
            failure: None,
            preempted: 0,
            dirty: false,
            kept: Kept::default(),
            deleting: None,
            crashes: 0,
            manual_go: 0,
            rest: None,
            verdict: Verdict::Open,
            groups: BTreeSet::new(),
            repair: false,
            voided: None,
            reread_at: None,
            seen: None,
            health: HealthStatus::Unknown,
            inventory: None,
            owned: 0,
            unready: 0,
            cycle: None,
            ready: false,
            requests: Vec::new(),
            published: None,
        }
    }

    /// Takes over what a start found out. What this process has done since is newer and stays.
    pub(super) fn restore(&mut self, facts: Facts) {
        if self.done.is_some() || self.sync.is_some() {
            return;
        }
        self.inventory = Some(facts.inventory);
        self.owned = facts.owned;
        self.synced = facts.synced;
        self.synced_unit = facts.unit;
        self.crashes = facts.crashes;
        if facts.kept.prune_held {
            self.verdict = Verdict::Held { deletes: 0, owned: facts.owned };
        }
        self.kept = facts.kept;
        if self.spec.is_none() && self.stalled.is_empty() {
            self.declared_from = facts.declared_from;
            self.on_delete = facts.on_delete;
            self.target = facts.target;
        }
    }

    pub(super) fn done_seq(&self) -> u64 {
        self.done.as_ref().map_or(0, |done| done.want.seq)
    }

    pub(super) fn built_seq(&self) -> u64 {
        self.built.as_ref().map_or(0, |built| built.want.seq)
    }

    /// The newest build, if it is of the newest want.
    pub(super) fn head(&self) -> Option<&PlanHead> {
        self.built.as_ref().filter(|built| built.want.seq == self.want.seq).map(|built| &built.head)
    }

    /// Whether it is kept at a state that it is known to want nothing beyond.
    pub(super) fn pinned_and_built(&self) -> bool {
        self.kept.pin.is_some() && self.built_seq() == self.want.seq
    }

    /// How many deletions of the newest build have not been carried out.
    pub(super) fn outstanding(&self) -> u32 {
        let Some(built) = &self.built else { return 0 };
        match &self.rest {
            Some(rest) if built.want.delete || self.done_seq() >= built.want.seq => rest.withheld.deletes,
            None if self.done_seq() >= built.want.seq => 0,
            Some(_) | None => built.head.deletes,
        }
    }

    /// The aliases whose source has not been read yet.
    pub(super) fn unread(&self) -> Option<&NodeKey> {
        let spec = self.spec.as_ref()?;
        spec.sources.iter().find(|(alias, _)| !self.want.revisions.contains_key(*alias)).map(|(_, source)| source)
    }

    /// Whether units that depend on it may go on. They do not wait for a deletion that is held, for everything is applied; an object that waits to
    /// be adopted is not.
    pub(super) fn is_ready(&self) -> bool {
        let adopts = |rest: &Rest| rest.withheld.holds.iter().any(|hold| hold.kind == HoldKind::Adoption);
        !self.rest.as_ref().is_some_and(adopts)
            && self.want.seq > 0
            && self.done_seq() == self.want.seq
            && self.deleting.is_none()
            && self.health == HealthStatus::Healthy
    }

    /// What the hash of an approval has to be.
    pub(super) fn approvable(&self) -> Option<Digest> {
        match (&self.rest, self.want.delete) {
            (Some(rest), _) => Some(rest.withheld.digest),
            (None, true) => self.head().map(|head| head.digest),
            (None, false) => None,
        }
    }
}

/// What a source is busy with.
#[derive(Clone, Debug)]
pub(super) enum SourceRun {
    Fetch(EffectId),
    WhoReads(EffectId, Revision),
}

/// A source.
#[derive(Clone, Debug, Default)]
pub(super) struct SourceState {
    pub(super) poll_ms: Ms,
    /// Somebody declared it, so it stays without users.
    pub(super) declared: bool,
    pub(super) users: BTreeSet<NodeKey>,
    /// Units with a request that waits for a fetch.
    pub(super) waiters: BTreeSet<NodeKey>,
    pub(super) revision: Option<Revision>,
    /// The revision is what an earlier process was shown last: nothing is deleted by it.
    pub(super) recalled: bool,
    /// Rises with each change of the revision.
    pub(super) seq: u64,
    pub(super) run: Option<SourceRun>,
    /// A fetch is wanted now.
    pub(super) due: bool,
    pub(super) poll_at: Ms,
    pub(super) retry: Retry,
    pub(super) stale: Option<(Ms, Failure)>,
    pub(super) suspend: Option<Suspend>,
    /// Fetches begun and ended, with all that follows from them.
    pub(super) begun: u64,
    pub(super) ended: u64,
    pub(super) failed: Option<Failure>,
    pub(super) requests: Vec<Open>,
    pub(super) published: Option<Status>,
}

/// A root.
#[derive(Clone, Debug)]
pub(super) struct GeneratorState {
    pub(super) source: NodeKey,
    /// The revision to read: the source's `seq` and name.
    pub(super) want: Option<(u64, Revision)>,
    /// The one last read, complete or not.
    pub(super) read: u64,
    pub(super) run: Option<(EffectId, u64, bool)>,
    /// Identity, completeness and whether it listed anything.
    pub(super) listing: Option<(Arc<str>, bool)>,
    pub(super) problems: Vec<String>,
    pub(super) retry: Retry,
    pub(super) failed: Option<(u64, Ms, Failure)>,
    pub(super) suspend: Option<Suspend>,
    pub(super) requests: Vec<Open>,
    pub(super) published: Option<Status>,
}

impl GeneratorState {
    pub(super) fn new(source: NodeKey) -> Self {
        Self {
            source,
            want: None,
            read: 0,
            run: None,
            listing: None,
            problems: Vec::new(),
            retry: Retry::default(),
            failed: None,
            suspend: None,
            requests: Vec::new(),
            published: None,
        }
    }

    /// Returns the identity whose absences count: of a listing that was complete and not empty.
    pub(super) fn evidence(listing: &Listing) -> Option<Arc<str>> {
        (listing.complete && !listing.units.is_empty()).then(|| listing.from.clone())
    }
}

/// A target.
#[derive(Clone, Debug, Default)]
pub(super) struct TargetState {
    pub(super) reachable: bool,
    /// It has answered once, so it is worth trying again.
    pub(super) known: bool,
    pub(super) retry: Retry,
    /// The one unit that tries while nobody else may.
    pub(super) probe: Option<EffectId>,
    pub(super) units: BTreeSet<NodeKey>,
}

/// A lease.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ShardState {
    pub(super) held: bool,
    pub(super) epoch: u64,
}

/// Units that one commit touched.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) members: BTreeSet<NodeKey>,
    /// Those whose build of it is not there yet, and the want it is due with.
    pub(super) pending: BTreeMap<NodeKey, u64>,
}
