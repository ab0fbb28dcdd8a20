//! Owns the JSON form of a plan: what `--dry-run -o json` prints and the history keeps. Its shape is versioned: fields are added, never
//! renamed. Objects that nothing is sent for are counted, not listed.
//!
//! ```json
//! {"version": 1, "unit": "team-a/shop", "digest": "9f…",
//!  "counts": {"apply": 2, "keep": 40, "delete": 1, "release": 0, "forget": 0, "held": 1},
//!  "phases": [{"name": "workloads", "end": "accepted", "timeoutMs": 300000, "after": ["configuration"],
//!              "operations": [{"operation": "apply", "object": {"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web"}, "mode": "owned"}]}],
//!  "holds": [{"kind": "prune", "reason": "deletes 1 Namespace: what they hold goes with them", "digest": "07…", "objects": [{"kind": "Namespace", "name": "old"}]}],
//!  "kept": []}
//! ```

use plumb_manifest::ObjectKey;
use serde::{Deserialize, Serialize};

use crate::{ApplyMode, End, Forgotten, HoldKind, Kept, Operation, Phase, Plan};

/// The version of the shape.
pub const SUMMARY_VERSION: u32 = 1;

/// A plan to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanSummary {
    /// [`SUMMARY_VERSION`].
    pub version: u32,
    /// The unit, `namespace/name`.
    pub unit: String,
    /// What an approval of the whole plan binds to.
    pub digest: String,
    /// How many objects each thing happens to.
    pub counts: Counts,
    /// What happens, in order.
    pub phases: Vec<PhaseSummary>,
    /// What waits for somebody.
    pub holds: Vec<HoldSummary>,
    /// Owned objects that the build no longer names and that stay.
    pub kept: Vec<KeptSummary>,
}

/// How many objects each thing happens to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Server-side applies.
    pub apply: usize,
    /// Hooks that run.
    #[serde(default, skip_serializing_if = "is_none")]
    pub hook: usize,
    /// Objects that stand as they are.
    pub keep: usize,
    /// Deletions.
    pub delete: usize,
    /// Objects that lose the stamp and stay.
    pub release: usize,
    /// Objects that leave the inventory untouched.
    pub forget: usize,
    /// Objects that holds keep back.
    pub held: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// One phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PhaseSummary {
    /// Its name.
    pub name: String,
    /// When it is over: `accepted`, `established`, `healthy`, `endpointsReady`, `gone` or `hooks`.
    pub end: String,
    /// How long that may take, in milliseconds.
    pub timeout_ms: u64,
    /// The names of the phases it waits for.
    pub after: Vec<String>,
    /// What it does; objects that stand are left out.
    pub operations: Vec<OperationSummary>,
}

/// One change of one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationSummary {
    /// `apply`, `delete`, `release` or `forget`.
    pub operation: String,
    /// What it is about.
    pub object: ObjectSummary,
    /// Of an apply: `first`, `owned`, or `takeOver`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Of a forgetting: `gone`, `foreign`, `alias`, or `moved to NAMESPACE/NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// An object's key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectSummary {
    /// API group; left out for core.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace; left out for the cluster's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

/// One hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldSummary {
    /// `prune`, `adoption`, `evidence` or `owner`.
    pub kind: HoldKind,
    /// Why.
    pub reason: String,
    /// What an approval of it binds to.
    pub digest: String,
    /// The objects held.
    pub objects: Vec<ObjectSummary>,
}

/// One object that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptSummary {
    /// Which.
    pub object: ObjectSummary,
    /// `pruneOff` or `partial`.
    pub why: Kept,
}

impl From<&ObjectKey> for ObjectSummary {
    fn from(key: &ObjectKey) -> Self {
        Self {
            group: key.group.to_string(),
            kind: key.kind.to_string(),
            namespace: key.namespace.as_deref().map(str::to_owned),
            name: key.name.to_string(),
        }
    }
}

impl From<&ObjectSummary> for ObjectKey {
    fn from(object: &ObjectSummary) -> Self {
        Self::new(&object.group, &object.kind, object.namespace.as_deref(), &object.name)
    }
}

impl From<&Plan> for PlanSummary {
    fn from(plan: &Plan) -> Self {
        let mut counts = Counts { held: plan.holds.iter().map(|hold| hold.objects.len()).sum(), ..Counts::default() };
        for operation in plan.operations() {
            match operation {
                Operation::Apply { .. } => counts.apply += 1,
                Operation::Hook(_) => counts.hook += 1,
                Operation::Keep(_) => counts.keep += 1,
                Operation::Delete { .. } => counts.delete += 1,
                Operation::Release { .. } => counts.release += 1,
                Operation::Forget { .. } => counts.forget += 1,
            }
        }
        let holds = plan.holds.iter().map(|hold| HoldSummary {
            kind: hold.kind,
            reason: hold.reason.clone(),
            digest: hold.digest.to_string(),
            objects: hold.objects.iter().map(ObjectSummary::from).collect(),
        });
        Self {
            version: SUMMARY_VERSION,
            unit: plan.unit.to_string(),
            digest: plan.digest.to_string(),
            counts,
            phases: plan.phases.iter().map(|phase| phase_summary(phase, &plan.phases)).collect(),
            holds: holds.collect(),
            kept: plan.kept.iter().map(|(key, why)| KeptSummary { object: key.into(), why: *why }).collect(),
        }
    }
}

fn phase_summary(phase: &Phase, all: &[Phase]) -> PhaseSummary {
    let end = match phase.end {
        End::Accepted => "accepted",
        End::Established => "established",
        End::Healthy(_) => "healthy",
        End::EndpointsReady(_) => "endpointsReady",
        End::Gone => "gone",
        End::Hooks => "hooks",
    };
    PhaseSummary {
        name: phase.name.to_owned(),
        end: end.to_owned(),
        timeout_ms: u64::try_from(phase.timeout.as_millis()).unwrap_or(u64::MAX),
        after: phase.after.iter().filter_map(|edge| Some(all.get(edge.phase)?.name.to_owned())).collect(),
        operations: phase.operations.iter().filter_map(operation_summary).collect(),
    }
}

fn operation_summary(operation: &Operation) -> Option<OperationSummary> {
    let (word, mode, why) = match operation {
        Operation::Keep(_) => return None,
        Operation::Apply { mode: ApplyMode::First, .. } => ("apply", Some("first"), None),
        Operation::Apply { mode: ApplyMode::Owned, .. } => ("apply", Some("owned"), None),
        Operation::Apply { mode: ApplyMode::TakeOver(_), .. } => ("apply", Some("takeOver"), None),
        Operation::Hook(_) => ("hook", None, None),
        Operation::Delete { .. } => ("delete", None, None),
        Operation::Release { .. } => ("release", None, None),
        Operation::Forget { why, .. } => ("forget", None, Some(why.to_string())),
    };
    Some(OperationSummary { operation: word.to_owned(), object: operation.key().into(), mode: mode.map(str::to_owned), why })
}

impl std::fmt::Display for Forgotten {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gone => f.write_str("gone"),
            Self::Moved(unit) => write!(f, "moved to {unit}"),
            Self::Foreign => f.write_str("foreign"),
            Self::Alias => f.write_str("alias"),
        }
    }
}
