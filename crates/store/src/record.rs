//! Owns what is told of one sync, and the JSON that `plumb history -o json` prints of it. Field names are stable: people script
//! against them; fields are only ever added.

use plumb_manifest::ObjectKey;
use plumb_plan::{FieldChange, HoldKind, ObjectResult, Operation, Plan};
use plumb_unit::{CommitInfo, NodeKey, Revisions};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{BuildRecord, SyncId};

/// What stands in place of a secret value.
pub const REDACTED: &str = "(secret)";

/// Who or what made a sync happen. In JSON `{"kind": "request", "id": …, "by": …, "why": …}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Trigger {
    /// A new revision of one of the unit's sources, or a change of the unit itself.
    Commit,
    /// A live value was not what it was settled as.
    Drift,
    /// The full reread that backs the watch up.
    Interval,
    /// Somebody asked.
    Request {
        /// The request's id.
        id: String,
        /// Who asked.
        by: String,
        /// Why, in their words.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        why: Option<String>,
    },
    /// A unit that this one waits for became ready.
    Dependency {
        /// That unit, `namespace/name`.
        unit: String,
    },
    /// What settled values rest on has changed: the definition of a kind, or a mutating webhook.
    Ground {
        /// Which, and how, for people.
        what: String,
    },
    /// The process started.
    Start,
    /// Nothing was synced: objects ended by themselves, as a Job with a `ttlSecondsAfterFinished` does.
    Ended,
}

/// How a sync ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SyncOutcome {
    /// Everything the plan named was done.
    Succeeded,
    /// Something failed; `error` says what.
    Failed,
    /// A newer revision or a request stopped it.
    Stopped,
    /// What could be done was done; part of the plan waits for somebody.
    Held,
}

impl SyncOutcome {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Held => "held",
        }
    }

    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "succeeded" => Self::Succeeded,
            "stopped" => Self::Stopped,
            "held" => Self::Held,
            _ => Self::Failed,
        }
    }
}

/// A part of a plan that waited for somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HoldEntry {
    /// `prune`, `adoption`, `evidence` or `owner`.
    pub kind: HoldKind,
    /// Why, with the numbers.
    pub reason: String,
    /// How many objects it held.
    pub objects: u32,
    /// What an approval of it binds to.
    pub digest: String,
}

/// What a plan was going to do, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PlanSummary {
    /// The plan's digest, to which an approval binds; empty when there was no plan.
    pub digest: String,
    /// Objects to send.
    pub applies: u32,
    /// Hooks to run.
    pub hooks: u32,
    /// Objects that stand as they are.
    pub keeps: u32,
    /// Objects to delete.
    pub deletes: u32,
    /// Objects to leave with their stamp taken off.
    pub releases: u32,
    /// Objects to drop from the inventory without touching them.
    pub forgets: u32,
    /// What waited for somebody.
    pub holds: Vec<HoldEntry>,
}

impl PlanSummary {
    /// Counts a plan.
    pub fn of(plan: &Plan) -> Self {
        let mut summary = Self { digest: plan.digest.to_string(), ..Self::default() };
        for operation in plan.phases.iter().flat_map(|phase| &phase.operations) {
            match operation {
                Operation::Apply { .. } => summary.applies += 1,
                Operation::Hook(_) => summary.hooks += 1,
                Operation::Keep(_) => summary.keeps += 1,
                Operation::Delete { .. } => summary.deletes += 1,
                Operation::Release { .. } => summary.releases += 1,
                Operation::Forget { .. } => summary.forgets += 1,
            }
        }
        summary.holds = plan
            .holds
            .iter()
            .map(|hold| HoldEntry {
                kind: hold.kind,
                reason: hold.reason.clone(),
                objects: u32::try_from(hold.objects.len()).unwrap_or(u32::MAX),
                digest: hold.digest.to_string(),
            })
            .collect();
        summary
    }
}

/// What came of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ObjectOutcome {
    /// It was not there.
    Created,
    /// The apply changed it.
    Configured,
    /// The apply changed nothing, or none was needed.
    Unchanged,
    /// The hook ran to its end.
    Ran,
    /// It is deleted.
    Pruned,
    /// It stays, without the stamp.
    Released,
    /// It left the inventory without being touched.
    Forgotten,
    /// It was not done; `message` says why.
    Failed,
    /// It was not tried.
    Skipped,
    /// It ended by itself, as expected, and is not missed; `message` says what it came to.
    Ended,
}

/// One object of a sync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectEntry {
    /// API group, empty for core.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace; left out for a cluster-scoped kind.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// What came of it.
    pub result: ObjectOutcome,
    /// What the server said, where it failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub message: Option<String>,
}

impl ObjectEntry {
    /// Takes what the event stream said of an object.
    pub fn of(key: &ObjectKey, result: &ObjectResult) -> Self {
        let (result, message) = match result {
            ObjectResult::Created => (ObjectOutcome::Created, None),
            ObjectResult::Configured => (ObjectOutcome::Configured, None),
            ObjectResult::Unchanged => (ObjectOutcome::Unchanged, None),
            ObjectResult::Ran => (ObjectOutcome::Ran, None),
            ObjectResult::Pruned => (ObjectOutcome::Pruned, None),
            ObjectResult::Released => (ObjectOutcome::Released, None),
            ObjectResult::Forgotten => (ObjectOutcome::Forgotten, None),
            ObjectResult::Failed { message } => (ObjectOutcome::Failed, Some(message.clone())),
            ObjectResult::Skipped => (ObjectOutcome::Skipped, None),
        };
        Self {
            group: key.group.to_string(),
            kind: key.kind.to_string(),
            namespace: key.namespace.as_deref().map(str::to_owned),
            name: key.name.to_string(),
            result,
            message,
        }
    }

    /// Takes an object that ended by itself.
    pub fn ended(key: &ObjectKey, message: &str) -> Self {
        Self { result: ObjectOutcome::Ended, message: Some(message.to_owned()), ..Self::of(key, &ObjectResult::Unchanged) }
    }

    fn changed(&self) -> bool {
        use ObjectOutcome::*;
        matches!(self.result, Created | Configured | Pruned | Released | Forgotten)
    }
}

/// One field that was found changed.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftEntry {
    /// API group, empty for core.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace; left out for a cluster-scoped kind.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
    /// The field, as people write it: `spec.replicas`; empty for the whole object.
    pub path: String,
    /// What it was settled as; left out when it was not there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub old: Option<Value>,
    /// What was found; left out when it was gone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub new: Option<Value>,
    /// The field manager that owns the value found: a manager's name, not a person's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub manager: Option<String>,
    /// Whether this sync put it right.
    pub reverted: bool,
}

impl DriftEntry {
    /// Takes a change that was found. The values of a Secret, and those that the caller calls secret, are replaced at once.
    pub fn of(key: &ObjectKey, change: &FieldChange, reverted: bool, secret: bool) -> Self {
        let mut entry = Self {
            group: key.group.to_string(),
            kind: key.kind.to_string(),
            namespace: key.namespace.as_deref().map(str::to_owned),
            name: key.name.to_string(),
            path: change.path.to_string(),
            old: change.old.clone(),
            new: change.new.clone(),
            manager: change.manager.clone(),
            reverted,
        };
        if secret {
            entry.hide();
        }
        entry.redact();
        entry
    }

    /// Replaces the values when the object is a Secret.
    pub(crate) fn redact(&mut self) {
        if self.group.is_empty() && self.kind == "Secret" {
            self.hide();
        }
    }

    fn hide(&mut self) {
        for value in [&mut self.old, &mut self.new].into_iter().flatten() {
            *value = Value::String(REDACTED.to_owned());
        }
    }
}

impl std::fmt::Debug for DriftEntry {
    /// Without the values: a record is logged before it is redacted.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DriftEntry({}.{} {:?}/{} {})", self.kind, self.group, self.namespace, self.name, self.path)
    }
}

/// One stage of a sync and how long it took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PhaseEntry {
    /// `fetch`, `build`, `plan`, or the plan's phase (`workloads`, `prune-workloads`, …).
    pub name: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// Everything that is recorded of one sync.
#[derive(Clone, Debug)]
pub struct SyncRecord {
    /// Its name, made with [`SyncId::new`].
    pub id: SyncId,
    /// The unit.
    pub unit: NodeKey,
    /// What was synced, per source.
    pub revisions: Revisions,
    /// The commit's own words, of the main source.
    pub commit: Option<CommitInfo>,
    /// Who or what made it happen.
    pub trigger: Trigger,
    /// What the plan was going to do.
    pub plan: PlanSummary,
    /// What came of each object.
    pub objects: Vec<ObjectEntry>,
    /// What was found changed.
    pub drift: Vec<DriftEntry>,
    /// How long each stage took.
    pub phases: Vec<PhaseEntry>,
    /// How it ended.
    pub outcome: SyncOutcome,
    /// Why it did not succeed.
    pub error: Option<String>,
    /// When it started.
    pub started_ms: u64,
    /// When it ended.
    pub ended_ms: u64,
    /// What it was built from, so that it can be built again without its sources.
    pub build: BuildRecord,
}

impl SyncRecord {
    pub(crate) fn changed(&self) -> usize {
        self.objects.iter().filter(|object| object.changed()).count()
    }

    pub(crate) fn failed(&self) -> usize {
        self.objects.iter().filter(|object| object.result == ObjectOutcome::Failed).count()
    }

    /// Returns whether it was a check that found nothing to do: only the newest such record of a unit is kept.
    pub(crate) fn is_quiet(&self) -> bool {
        matches!(self.trigger, Trigger::Interval | Trigger::Start)
            && self.outcome == SyncOutcome::Succeeded
            && self.drift.is_empty()
            && self.changed() == 0
    }

    /// Returns about how many bytes the record holds, without its files.
    pub(crate) fn weight(&self) -> usize {
        let texts = |parts: &[&str]| parts.iter().map(|part| part.len() + 32).sum::<usize>();
        let value = |value: &Option<Value>| value.as_ref().map_or(0, |value| value.to_string().len() * 4);
        let objects: usize =
            self.objects.iter().map(|o| 128 + texts(&[&o.group, &o.kind, &o.name]) + o.message.as_ref().map_or(0, String::len)).sum();
        let drift: usize = self.drift.iter().map(|d| 192 + texts(&[&d.kind, &d.name, &d.path]) + value(&d.old) + value(&d.new)).sum();
        512 + objects + drift + self.phases.len() * 64 + self.error.as_ref().map_or(0, String::len) + self.revisions.len() * 128
    }
}

/// One line of a unit's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncSummary {
    /// Its name: what `plumb rollback --to` takes.
    pub id: SyncId,
    /// The unit: `{"installation": …, "kind": "unit", "namespace": …, "name": …}`.
    pub unit: NodeKey,
    /// Source alias → `{"reference": "main", "commit": "<hex>"}`.
    pub revisions: Revisions,
    /// `{"author": …, "subject": …, "time": <seconds>}`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commit: Option<CommitInfo>,
    /// Who or what made it happen.
    pub trigger: Trigger,
    /// How it ended.
    pub outcome: SyncOutcome,
    /// Why it did not succeed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// When it started, milliseconds since 1970.
    pub started_ms: u64,
    /// When it ended, milliseconds since 1970.
    pub ended_ms: u64,
    /// How many objects it created, changed, pruned or released.
    pub objects_changed: u32,
    /// How many objects failed.
    pub objects_failed: u32,
    /// How many fields were found changed.
    pub drifted: u32,
    /// Whether it can be built again with its sources away.
    pub offline_rollback: bool,
    /// Why it cannot.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub offline_rollback_reason: Option<String>,
}

/// Everything that is known of one sync; in JSON the fields of [`SyncSummary`] and these beside them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncDetail {
    /// The line of the history.
    #[serde(flatten)]
    pub summary: SyncSummary,
    /// What the plan was going to do.
    pub plan: PlanSummary,
    /// What came of each object.
    pub objects: Vec<ObjectEntry>,
    /// What was found changed.
    pub drift: Vec<DriftEntry>,
    /// How long each stage took.
    pub phases: Vec<PhaseEntry>,
}
