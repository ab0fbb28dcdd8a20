//! Owns what the API shows: plain data, and the JSON that `-o json` prints of it. Field names are stable; fields are only ever added.

use plumb_plan::HealthStatus;
use plumb_store::HoldEntry;
use plumb_unit::{CommitInfo, Revisions};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What runs here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// The program's version.
    pub version: String,
    /// The installation's name.
    pub installation: String,
    /// When it started, milliseconds since 1970.
    pub started_ms: u64,
    /// How the history does: the store's own health, as JSON.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub history: Value,
    /// What is wrong that no unit can show: roots that cannot be read, and what in them is no unit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// A list, in an order that does not change from call to call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct List<T> {
    /// What is in it.
    pub items: Vec<T>,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// API group, empty for core.
    pub group: String,
    /// Version, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Kind.
    pub kind: String,
    /// Namespace; left out for a cluster-scoped kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

/// How something does, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthView {
    /// `Healthy`, `Progressing`, `Degraded`, `Suspended`, `Missing` or `Unknown`.
    pub status: HealthStatus,
    /// Why, for people; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// Whether a unit is at what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SyncState {
    /// It is.
    Synced,
    /// It is not.
    OutOfSync,
    /// It never was synced, as far as is known.
    New,
    /// It goes.
    Deleting,
}

/// What a unit is doing, roughly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ActivityState {
    /// Nothing.
    Resting,
    /// It waits for somebody or something named in `gates`.
    Gated,
    /// It waits for a free place.
    Queued,
    /// It works.
    Working,
    /// It waits for a time.
    Waiting,
}

/// What a unit is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// Roughly.
    pub state: ActivityState,
    /// `fetch`, `build`, `apply`, `wait`, … while it works or is queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<String>,
    /// Until when it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
}

/// What sort of gate it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum GateKind {
    /// Somebody paused it.
    Suspended,
    /// Somebody keeps it at an earlier state.
    Pinned,
    /// Somebody deleted it though it is declared.
    Deleted,
    /// Part of its plan waits for a person.
    Approval,
    /// Deletions wait for evidence.
    Evidence,
    /// Deletions wait for others of the same commit.
    PruneGroup,
    /// Units that must be ready before it, are missing, or wait for it in a circle.
    Dependency,
    /// The process died while it worked on the unit.
    Quarantine,
    /// A source has not been read.
    Source,
    /// The root that declares it is being read.
    Root,
    /// The target does not answer.
    Target,
    /// Another process holds the lease.
    Lease,
    /// It syncs on request only.
    Manual,
    /// It has fields that are not supported.
    Stalled,
    /// No root that declares it has been read.
    Undeclared,
    /// It is not listed any more, but that is no evidence.
    NoEvidence,
    /// Somebody else owns what it wants.
    ForeignOwner,
}

/// Why something may not happen now, and who lifts that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GateView {
    /// What sort it is.
    pub kind: GateKind,
    /// For people, with who lifts it.
    pub message: String,
    /// Why, one by one, where there are several reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Who set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it lifts itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// What an approval binds to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// Why a unit is not where it should be, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WhyState {
    /// It is where it should be.
    AtRest,
    /// It waits for a gate.
    Gated,
    /// Something is under way.
    Running,
    /// It waits for a free place.
    Queued,
    /// It is tried again at a time.
    Timer,
}

/// Why a unit is not where it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WhyView {
    /// In one word.
    pub state: WhyState,
    /// For people.
    pub message: String,
    /// How many come before it, when it is queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<u64>,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
}

/// Something wrong with the unit's input: one diagnostic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// A stable name (`yaml-syntax`).
    pub code: String,
    /// `error` or `warning`.
    pub severity: String,
    /// What happened.
    pub message: String,
    /// `path:line:column`, where there is a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The lines around it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
    /// What to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

/// A source that cannot be read just now; the unit stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StaleSource {
    /// Which.
    pub source: String,
    /// Since when.
    pub since_ms: u64,
    /// Why.
    pub message: String,
}

/// Where a unit lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetView {
    /// The cluster's name; empty for the default one.
    pub cluster: String,
    /// The namespace of objects that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// A unit's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnitView {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Where it lives.
    pub target: TargetView,
    /// Whether it is at what is wanted.
    pub sync: SyncState,
    /// How its objects do.
    pub health: HealthView,
    /// The revisions last synced completely.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub synced: Option<Revisions>,
    /// The revisions wanted.
    #[serde(default)]
    pub wanted: Revisions,
    /// The words of the commit that is synced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitInfo>,
    /// What it is doing.
    pub activity: Activity,
    /// Why it is not where it should be; in the view of one unit only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<WhyView>,
    /// What holds it, or part of it.
    #[serde(default)]
    pub gates: Vec<GateView>,
    /// The last failure, until something goes well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What is wrong with its input, all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// Sources that cannot be read just now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stale: Vec<StaleSource>,
    /// Drift that is there now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<String>,
    /// How many objects it owns.
    pub objects: u32,
    /// Where it was declared.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub declared_at: String,
}

/// One object of a unit and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TreeNode {
    /// The object.
    pub object: ObjectRef,
    /// How it does.
    pub health: HealthView,
    /// Whether the unit owns it; its children come of it and are owned by it.
    pub managed: bool,
    /// What it owns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<TreeNode>,
}

/// A unit's objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tree {
    /// The objects that the unit owns, ordered.
    pub objects: Vec<TreeNode>,
    /// Whether there was more than is shown.
    #[serde(default)]
    pub truncated: bool,
}

/// A Kubernetes event of one of a unit's objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectEvent {
    /// The object.
    pub object: ObjectRef,
    /// `Normal` or `Warning`.
    #[serde(rename = "type")]
    pub kind: String,
    /// A word.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// Who said it.
    pub source: String,
    /// How often.
    pub count: u32,
    /// When first, milliseconds since 1970.
    pub first_ms: u64,
    /// When last, milliseconds since 1970.
    pub last_ms: u64,
}

/// One field that differs. Values of Secrets are shown as `(secret)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldDiff {
    /// Where.
    pub path: String,
    /// What is live; left out when it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Value>,
    /// What is wanted; left out when it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Value>,
    /// The field manager of the live value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
}

/// One object that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectDiff {
    /// The object.
    pub object: ObjectRef,
    /// `create`, `change`, `delete` or `release`.
    pub action: String,
    /// The fields that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldDiff>,
}

/// What a sync would change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DiffView {
    /// The objects that differ, ordered.
    pub objects: Vec<ObjectDiff>,
    /// What would wait for somebody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<HoldEntry>,
}
