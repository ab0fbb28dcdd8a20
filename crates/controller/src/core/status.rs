//! Owns what is shown of a node: its gates, what it is doing, and why it is not where it should be.

use std::fmt;
use std::sync::Arc;

use plumb_manifest::Digest;
use plumb_plan::HealthStatus;
use plumb_unit::{NodeKey, Revision, Revisions};

use super::event::{EffectId, Failure, Ms, Pin, Stage, Suspend, SyncKind, Withheld};

/// Why a node may not do now what it would do otherwise, and who or what lifts that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Somebody paused it: `plumb resume`, or the time.
    Suspended(Suspend),
    /// Somebody keeps it at an older state: `plumb resume`.
    Pinned(Arc<Pin>),
    /// Somebody deleted it though it is declared: `plumb resume`.
    Deleted {
        /// Who.
        by: Arc<str>,
    },
    /// Part of its plan waits for a person: `plumb approve` with the digest.
    Approval {
        /// What an approval binds to.
        digest: Digest,
        /// Why, one by one.
        reasons: Vec<Arc<str>>,
    },
    /// Deletions wait for a complete read that no longer has the objects, or for another unit to drop what it owns: no approval
    /// lifts this, the next plan looks again.
    Evidence {
        /// Why, one by one.
        reasons: Vec<Arc<str>>,
    },
    /// Deletions wait until what the same commit touched is built, so that other units can take objects over.
    PruneGroup {
        /// Some of those that are not built (at most [`Gate::NAMED`]).
        waiting: Vec<NodeKey>,
        /// How many there are.
        count: usize,
    },
    /// Units that must be ready before it.
    Dependency {
        /// Those that are not.
        waiting: Vec<NodeKey>,
    },
    /// Units that must be ready before it and do not exist.
    DependencyMissing {
        /// Their keys.
        missing: Vec<NodeKey>,
    },
    /// It depends on itself.
    DependencyCycle {
        /// The way round, from the node to the node.
        path: Vec<NodeKey>,
    },
    /// The process died while it worked on the unit: a change of the unit or `plumb resume`.
    Quarantine {
        /// How many times.
        crashes: u32,
    },
    /// A source has not been read yet.
    Source {
        /// Which.
        source: NodeKey,
        /// The last failure.
        failure: Option<Failure>,
    },
    /// The root that declares it is being read at the same commit.
    Root {
        /// Which.
        generator: NodeKey,
    },
    /// The target does not answer; tried again at a time, if it ever answered.
    Target {
        /// Its name.
        target: Arc<str>,
        /// When one unit tries.
        retry_at: Option<Ms>,
    },
    /// Another process holds the lease.
    Lease,
    /// It syncs on request only: `plumb reconcile`.
    Manual,
    /// It has fields that are not supported: a change of the declaration.
    Stalled {
        /// Each field and why.
        reasons: Vec<String>,
    },
    /// Its inventory was found, but no root that declares it has been read.
    Undeclared,
    /// Its root does not list it any more, but that is no evidence: declare it again, or `plumb delete`.
    NoEvidence {
        /// Why it is none.
        reason: Arc<str>,
    },
}

impl Gate {
    /// How many units a gate names at most.
    pub const NAMED: usize = 5;
}

/// Why a node is not where it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// There is no such node.
    Unknown,
    /// It is where it should be.
    AtRest,
    /// It is where it may be; something more is wanted that somebody has to permit or to change.
    Gated(Vec<Gate>),
    /// An effect is under way.
    Running {
        /// Which.
        effect: EffectId,
        /// What it does.
        what: Work,
        /// Whether it was told to stop, so that something newer can start.
        stopping: bool,
    },
    /// It waits for a free place.
    Queued {
        /// For what.
        what: Work,
        /// How many of its own tenant and target come before it.
        place: usize,
    },
    /// It is tried again at a time.
    Timer {
        /// When.
        at: Ms,
        /// What went wrong, if something did.
        after: Option<Failure>,
    },
}

/// Something that an effect does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A source is fetched.
    Fetch,
    /// It is found out who reads what changed.
    WhoReads,
    /// A root is read.
    Generate,
    /// A unit is built.
    Build,
    /// A unit is synced.
    Sync(SyncKind, Stage),
}

/// Whether a unit is at what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncWord {
    /// It is.
    Synced,
    /// It is not.
    OutOfSync,
    /// It never was synced, as far as is known.
    New,
    /// It goes.
    Deleting,
}

/// What a node is doing, roughly: queue places are left out, for they change all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Nothing.
    Resting,
    /// It waits for a gate.
    Gated,
    /// It waits for a free place.
    Queued(Work),
    /// It works.
    Working(Work),
    /// It waits for a time.
    Waiting {
        /// When.
        until: Ms,
    },
}

/// A node's state, for people and programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// A unit's.
    Unit(Box<UnitStatus>),
    /// A source's or a root's.
    Source(SourceStatus),
}

/// A unit's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitStatus {
    /// Whether it is at what is wanted.
    pub sync: SyncWord,
    /// How its objects do.
    pub health: HealthStatus,
    /// The revisions last synced completely.
    pub synced: Option<Revisions>,
    /// The revisions wanted.
    pub wanted: Revisions,
    /// What it is doing.
    pub activity: Activity,
    /// What holds it, or part of it.
    pub gates: Vec<Gate>,
    /// The last failure, until something goes well.
    pub failure: Option<Failure>,
    /// Sources that cannot be read just now, since when and why: the unit stays as it is.
    pub stale: Vec<(NodeKey, Ms, Failure)>,
    /// Drift that is there now.
    pub drift: Option<Arc<str>>,
    /// What the last sync withheld.
    pub withheld: Option<Withheld>,
    /// How many objects it owns.
    pub owned: u32,
}

/// A source's or a root's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceStatus {
    /// The newest revision read.
    pub revision: Option<Revision>,
    /// What it is doing.
    pub activity: Activity,
    /// Somebody paused it.
    pub gates: Vec<Gate>,
    /// Since when it fails, and why.
    pub stale: Option<(Ms, Failure)>,
    /// What did not parse, of a root.
    pub problems: Vec<String>,
}

impl Why {
    /// Returns what a status says of it.
    pub(super) fn activity(&self) -> Activity {
        match self {
            Self::Unknown | Self::AtRest => Activity::Resting,
            Self::Gated(_) => Activity::Gated,
            Self::Running { what, .. } => Activity::Working(*what),
            Self::Queued { what, .. } => Activity::Queued(*what),
            Self::Timer { at, .. } => Activity::Waiting { until: *at },
        }
    }
}

fn names(keys: &[NodeKey]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn lines(reasons: &[Arc<str>]) -> String {
    reasons.join("; ")
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suspended(s) if s.reason.is_empty() => write!(f, "suspended by {}", s.by),
            Self::Suspended(s) => write!(f, "suspended by {}: {}", s.by, s.reason),
            Self::Pinned(pin) => write!(f, "kept at an older state by {}; `plumb resume` lifts it", pin.by),
            Self::Deleted { by } => write!(f, "deleted by {by}; `plumb resume` brings it back"),
            Self::Approval { digest, reasons } => write!(f, "waits for `plumb approve` of {digest}: {}", lines(reasons)),
            Self::Evidence { reasons } => write!(f, "deletions wait: {}", lines(reasons)),
            Self::PruneGroup { waiting, count } => {
                write!(f, "deletions wait until {count} others of the same commit are built: {}", names(waiting))
            }
            Self::Dependency { waiting } => write!(f, "waits until ready: {}", names(waiting)),
            Self::DependencyMissing { missing } => write!(f, "depends on units that do not exist: {}", names(missing)),
            Self::DependencyCycle { path } => {
                write!(f, "depends on itself: {}", path.iter().map(ToString::to_string).collect::<Vec<_>>().join(" → "))
            }
            Self::Quarantine { crashes } => {
                write!(f, "in quarantine: the process ended {crashes} times while working on it; change it or `plumb resume`")
            }
            Self::Source { source, failure: Some(failure) } => write!(f, "source {source} cannot be read: {failure}"),
            Self::Source { source, failure: None } => write!(f, "source {source} has not been read yet"),
            Self::Root { generator } => write!(f, "the root {generator} is being read"),
            Self::Target { target, .. } => write!(f, "target {target:?} does not answer"),
            Self::Lease => f.write_str("another process holds the lease"),
            Self::Manual => f.write_str("syncs on request only: `plumb reconcile`"),
            Self::Stalled { reasons } => write!(f, "its declaration cannot be followed: {}", reasons.join("; ")),
            Self::Undeclared => f.write_str("no root that declares it has been read yet"),
            Self::NoEvidence { reason } => write!(f, "not listed any more, but {reason}; declare it again or `plumb delete` it"),
        }
    }
}
