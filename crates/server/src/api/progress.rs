//! Owns what the API shows of a request: where it is, how it goes on, and the stream of everything that changes.

use plumb_store::{HoldEntry, ObjectOutcome, PlanSummary};
use serde::{Deserialize, Serialize};

use super::order::OrderKind;
use super::view::{HealthView, ObjectRef, UnitView};

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RequestState {
    /// It is taken and not yet begun.
    Accepted,
    /// It is under way.
    Running,
    /// It is done.
    Done,
    /// It may not be done.
    Refused,
    /// It could not be done.
    Failed,
    /// It was taken back, or what it was about went away.
    Cancelled,
}

impl RequestState {
    /// Returns whether nothing more comes.
    pub fn has_ended(self) -> bool {
        !matches!(self, Self::Accepted | Self::Running)
    }
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestView {
    /// Its name.
    pub id: String,
    /// The unit's namespace.
    pub namespace: String,
    /// The unit's name.
    pub name: String,
    /// What was ordered.
    pub kind: OrderKind,
    /// Who asked.
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When, milliseconds since 1970.
    pub created_ms: u64,
    /// Where it is.
    pub state: RequestState,
    /// Why it was refused, failed or was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What it left undone for want of a permission.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<HoldEntry>,
    /// What an approval of that binds to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld_digest: Option<String>,
    /// A dry run's answer, in numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanSummary>,
    /// The sync that carried it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync: Option<String>,
}

/// One line of a request's stream. In JSON `{"kind": "operationEnded", "object": {…}, "result": "configured"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Progress {
    /// The unit is at another stage: `fetch`, `build`, `plan`, `apply`, `wait`.
    Stage {
        /// Which.
        stage: String,
    },
    /// The plan is made.
    Planned {
        /// In numbers.
        plan: PlanSummary,
    },
    /// A phase begins.
    PhaseStarted {
        /// Its name.
        phase: String,
        /// How many operations it has.
        operations: u32,
    },
    /// An operation begins.
    OperationStarted {
        /// What it is about.
        object: ObjectRef,
    },
    /// An operation ended.
    OperationEnded {
        /// What it was about.
        object: ObjectRef,
        /// What came of it.
        result: ObjectOutcome,
        /// What the server said, where it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// The phase waits for these.
    Waiting {
        /// Each object not there yet, and how it does.
        objects: Vec<ObjectHealth>,
    },
    /// A phase ended: `done`, `failed` or `cancelled`.
    PhaseEnded {
        /// Its name.
        phase: String,
        /// How.
        outcome: String,
    },
    /// The request has ended. The last line.
    Ended {
        /// The request.
        request: RequestView,
    },
}

/// One object and how it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectHealth {
    /// The object.
    pub object: ObjectRef,
    /// How it does.
    pub health: HealthView,
}

/// One line of the stream of everything. In JSON `{"kind": "unit", "unit": {…}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum StreamEvent {
    /// A unit's state, changed or for the first time.
    Unit {
        /// The state.
        unit: Box<UnitView>,
    },
    /// A unit is gone.
    Gone {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// A sync goes on.
    Progress {
        /// The unit's namespace.
        namespace: String,
        /// The unit's name.
        name: String,
        /// How.
        progress: Box<Progress>,
    },
    /// The reader was too slow and missed something: read the list again.
    Missed,
}
