//! Owns the plan as data: phases, operations, edges, holds, and the events that carrying one out emits.

use std::sync::Arc;
use std::time::Duration;

use plumb_manifest::{Digest, FieldPath, Manifest, ObjectKey};
use plumb_unit::{Inventory, NodeKey};
use serde_json::Value;

use crate::UnitHash;

/// What would change at a target. Pure data: it can be stored, shown, approved and hashed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The unit.
    pub unit: NodeKey,
    /// Phases in an order in which each comes after those it waits for.
    pub phases: Vec<Phase>,
    /// The inventory to write before the first create: everything owned now or soon.
    pub inventory_before: Inventory,
    /// The inventory when all operations are done.
    pub inventory_after: Inventory,
    /// What is held back, by whom it can be lifted.
    pub holds: Vec<Hold>,
    /// Owned objects that the build no longer names and that stay owned all the same, and why.
    pub kept: Vec<(ObjectKey, Kept)>,
    /// The numbers of its prune, to be summed over a commit's units and judged by [`crate::prune_verdict`].
    pub prune: crate::PruneCase,
    /// Hash of the operations, held ones included, and of the live versions they rest on. An approval of it lifts every hold that an
    /// approval can lift; one of [`Hold::digest`] lifts that hold. It does not change by being approved.
    pub digest: Digest,
}

impl Plan {
    /// Returns the operations in the order of their phases.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.phases.iter().flat_map(|phase| &phase.operations)
    }

    /// Returns whether carrying it out would neither write an object nor change what is owned.
    pub fn is_settled(&self) -> bool {
        self.operations().all(|operation| matches!(operation, Operation::Keep(_)))
    }
}

/// Why an owned object that the build no longer names is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kept {
    /// The unit's policy says `prune: false`.
    PruneOff,
    /// The request was a partial one that did not ask for pruning, or not for this object.
    Partial,
}

/// A set of operations that may run together, and when it is over.
#[derive(Clone, Debug)]
pub struct Phase {
    /// A word for people: `definitions`, `namespaces`, `configuration`, `bindings`, `workloads`, `resources`, `endpoints` (waits only),
    /// `webhooks`, `admitted`, `health` (waits only), `release`, `prune-…`; `base` and a hook's moment (`pre-install`, …) where a chart has them.
    pub name: &'static str,
    /// What runs in it.
    pub operations: Vec<Operation>,
    /// When it is over.
    pub end: End,
    /// How long that may take.
    pub timeout: Duration,
    /// Which phases come before, and on which of their outcomes.
    pub after: Vec<Edge>,
}

/// One order among phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Index of the earlier phase.
    pub phase: usize,
    /// On which outcome of it.
    pub on: Outcome,
}

/// How a phase ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All went well.
    Done,
    /// An operation or the end condition failed.
    Failed,
    /// A newer revision or a request stopped it.
    Cancelled,
}

/// When a phase is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// When the server took everything.
    Accepted,
    /// When each CustomResourceDefinition is established.
    Established,
    /// When each of these objects is healthy: all the plan applies or keeps.
    Healthy(Vec<ObjectKey>),
    /// When these Services have a ready endpoint.
    EndpointsReady(Vec<ObjectKey>),
    /// When each deleted object is gone.
    Gone,
    /// When each hook ran to its end, one after another in the order of the operations.
    Hooks,
}

/// One change of one object.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Server-side apply.
    Apply {
        /// What.
        manifest: Arc<Manifest>,
        /// Whose the object is before.
        mode: ApplyMode,
    },
    /// Run a hook: create it, and wait for its end.
    Hook(Arc<Manifest>),
    /// Nothing to send: manifest hash and settled hash stand. Kept, because health is still waited for.
    Keep(Arc<Manifest>),
    /// Delete with UID and resourceVersion preconditions.
    Delete {
        /// What.
        key: ObjectKey,
        /// At which version of its API.
        version: String,
        /// The UID it must have.
        uid: String,
        /// The resourceVersion it must have.
        resource_version: String,
    },
    /// Take the unit's stamp off; the object stays.
    Release {
        /// What.
        key: ObjectKey,
        /// At which version of its API.
        version: String,
    },
    /// Drop the object from the inventory without a request.
    Forget {
        /// What.
        key: ObjectKey,
        /// Why it is not this unit's to delete.
        why: Forgotten,
    },
}

impl Operation {
    /// Returns the object it is about.
    pub fn key(&self) -> &ObjectKey {
        match self {
            Self::Apply { manifest, .. } | Self::Hook(manifest) | Self::Keep(manifest) => &manifest.key,
            Self::Delete { key, .. } | Self::Release { key, .. } | Self::Forget { key, .. } => key,
        }
    }

    /// Returns whether carrying it out sends a request that writes.
    pub fn writes(&self) -> bool {
        matches!(self, Self::Apply { .. } | Self::Hook(_) | Self::Delete { .. } | Self::Release { .. })
    }
}

/// Whose an object is before it is applied: it decides whether conflicts are forced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApplyMode {
    /// Not known to be this unit's: new, or somebody else's. Without force; a conflict asks for adoption. When the conflicting live object
    /// turns out to have an Apply entry of this unit's own manager, somebody took the stamps off: then it is [`ApplyMode::Owned`].
    First,
    /// Inventory and stamp name this unit: conflicts are forced.
    Owned,
    /// Stamped by that unit, whose newest complete build no longer names it, or which is gone: forced, and its manager's entry becomes ours.
    TakeOver(UnitHash),
}

/// Why an item leaves the inventory without being touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forgotten {
    /// No live object with a stamp of this installation: deleted by somebody, or its stamps were taken off.
    Gone,
    /// That unit wants it or has it: it moved.
    Moved(NodeKey),
    /// The live object's stamp names nobody known, or not this unit.
    Foreign,
    /// A desired object has the same UID: it is the same object under another group.
    Alias,
}

/// Part of a plan that waits for somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Why, a sentence fragment with the numbers.
    pub reason: String,
    /// The objects held.
    pub objects: Vec<ObjectKey>,
    /// What it holds back.
    pub kind: HoldKind,
    /// What an approval of this hold binds to: the objects with their UIDs and live versions. A status change does not change it.
    pub digest: Digest,
}

/// What a hold is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HoldKind {
    /// A deletion that is large, or of a kind whose loss takes data along.
    Prune,
    /// A live object that somebody else manages.
    Adoption,
    /// There is no evidence that the source dropped these; no approval lifts it, a complete read does.
    Evidence,
    /// Another unit owns the object and still wants it: it goes when that unit drops the object, or this one does.
    Owner,
}

/// One field that is not what it was settled as.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldChange {
    /// Where.
    pub path: FieldPath,
    /// What it was settled as; none: it was not there.
    pub old: Option<Value>,
    /// What is live; none: it is gone.
    pub new: Option<Value>,
    /// Who owns the live value, from managedFields: a manager's name, not a person's.
    pub manager: Option<String>,
}

/// Argo CD's words for how an object does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum HealthStatus {
    /// It does what it should.
    Healthy,
    /// Somebody paused it.
    Suspended,
    /// It is on its way.
    Progressing,
    /// It is not there.
    Missing,
    /// It failed.
    Degraded,
    /// It could not be told.
    Unknown,
}

/// How an object does, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The word.
    pub status: HealthStatus,
    /// Why, for people; may be empty.
    pub message: String,
}

/// What carrying out a plan announces, before it happens. The CLI, the controller and the history draw from this one stream.
#[derive(Clone, Debug)]
pub enum Event {
    /// A phase begins.
    PhaseStarted {
        /// Index in the plan.
        phase: usize,
    },
    /// An operation begins.
    OperationStarted {
        /// What it is about.
        key: ObjectKey,
    },
    /// An operation ended.
    OperationEnded {
        /// What it was about.
        key: ObjectKey,
        /// What came of it.
        result: ObjectResult,
    },
    /// The phase waits for these.
    Waiting {
        /// Index in the plan.
        phase: usize,
        /// Each object not there yet, and why.
        objects: Vec<(ObjectKey, Health)>,
    },
    /// A phase ended.
    PhaseEnded {
        /// Index in the plan.
        phase: usize,
        /// How.
        outcome: Outcome,
    },
}

/// What came of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectResult {
    /// It was not there.
    Created,
    /// The apply changed it.
    Configured,
    /// The apply changed nothing.
    Unchanged,
    /// The hook ran to its end.
    Ran,
    /// It is deleted, or was gone already.
    Pruned,
    /// It stays, without the stamp.
    Released,
    /// It left the inventory without a request.
    Forgotten,
    /// It was not done.
    Failed {
        /// What the server or the target said.
        message: String,
    },
    /// It was not tried, because something before it failed or the sync was stopped.
    Skipped,
}
