//! Owns the plan as data: phases, operations, edges, holds, and the events that carrying one out emits.

use std::sync::Arc;
use std::time::Duration;

use plumb_manifest::{Digest, FieldPath, Manifest, ObjectKey};
use plumb_unit::{Inventory, NodeKey};
use serde_json::Value;

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
    /// Hash of the operations and of the live versions they rest on: what an approval binds to.
    pub digest: Digest,
}

/// A set of operations that may run together, and when it is over.
#[derive(Clone, Debug)]
pub struct Phase {
    /// A word for people: `definitions`, `namespaces`, `configuration`, `workloads`, `webhooks`, `resources`, `prune-…`.
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
    /// When each object is healthy.
    Healthy,
    /// When these Services have a ready endpoint.
    EndpointsReady(Vec<ObjectKey>),
    /// When each deleted object is gone.
    Gone,
}

/// One change of one object.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Server-side apply.
    Apply(Arc<Manifest>),
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
}

/// What a hold is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldKind {
    /// A deletion that is large, or of a kind whose loss takes data along.
    Prune,
    /// A live object that somebody else manages.
    Adoption,
    /// There is no evidence that the source dropped these; no approval lifts it, a complete read does.
    Evidence,
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
    /// It is deleted, or was gone already.
    Pruned,
    /// It stays, without the stamp.
    Released,
    /// It was not done.
    Failed {
        /// What the server or the target said.
        message: String,
    },
    /// It was not tried, because something before it failed or the sync was stopped.
    Skipped,
}
