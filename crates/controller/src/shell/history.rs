//! Owns what goes into the history and the audit log. The store takes everything at once and tells of its own trouble; nothing here waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use plumb_manifest::ObjectKey;
use plumb_plan::ObjectResult;
use plumb_store::{
    AuditRecord, BuildRecord, DriftEntry, ObjectEntry, ObjectOutcome, PhaseEntry, PlanSummary, Store, SyncId, SyncOutcome, SyncRecord,
    Trigger,
};
use plumb_unit::{CommitInfo, Ending, NodeKey, Revisions};
use serde_json::{Value, json};

use super::Shared;
use crate::clock::now_ms;
use crate::core::{Cause, EffectId, End, Ended, Entry, Settled, SyncKind, Want};

/// What a sync has to tell beside what the core knows of it.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) id: SyncId,
    pub(crate) revisions: Revisions,
    pub(crate) plan: PlanSummary,
    pub(crate) objects: Vec<(ObjectKey, ObjectResult)>,
    pub(crate) drift: Vec<DriftEntry>,
    pub(crate) phases: Vec<PhaseEntry>,
    pub(crate) started_ms: u64,
    pub(crate) build: BuildRecord,
}

/// The history.
pub(crate) struct History {
    pub(crate) store: Store,
    told: Mutex<HashMap<EffectId, Told>>,
}

impl History {
    pub(crate) fn new(store: Store) -> Self {
        Self { store, told: Mutex::default() }
    }

    /// Leaves what a sync has to tell until the core says what became of it.
    pub(crate) fn tell(&self, effect: EffectId, told: Told) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(effect, told);
    }

    fn take(&self, effect: EffectId) -> Option<Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).remove(&effect)
    }
}

/// Writes down what the core says happened.
pub(crate) fn record(shared: &Shared, node: NodeKey, entry: Entry) {
    match entry {
        Entry::Synced { effect, want, kind, cause, end } => {
            if let Some(told) = shared.history.take(effect) {
                let record = sync_record(shared, node, &want, kind, &cause, &end, told);
                log(&record);
                shared.history.store.record_sync(record);
            }
        }
        Entry::BuildFailed { want, failure } => {
            let now = now_ms();
            let told = Told {
                id: SyncId::new(now),
                revisions: want.revisions.clone(),
                plan: PlanSummary::default(),
                objects: Vec::new(),
                drift: Vec::new(),
                phases: Vec::new(),
                started_ms: now,
                build: BuildRecord::NotKept { reason: "it did not build".to_owned() },
            };
            let end = End::Failed(failure);
            let record = sync_record(shared, node, &want, SyncKind::Apply, &want.cause, &end, told);
            log(&record);
            shared.history.store.record_sync(record);
        }
        Entry::Stale { failure } => audit(shared, Some(node), "plumb", "stale", None, None, json!({"failure": &*failure.message})),
        Entry::RequestEnded { id, by, end } => {
            let detail = describe(&end);
            audit(shared, Some(node), &by, "request-ended", Some(id.0.to_string()), None, detail);
            shared.board.request_ended(id, end);
        }
        Entry::Removed => audit(shared, Some(node), "plumb", "removed", None, None, Value::Null),
    }
}

/// Writes down that objects ended by themselves, as a line of its own: no sync did it.
pub(crate) fn ended(shared: &Shared, unit: NodeKey, ended: &[(ObjectKey, Ending)]) {
    let now = now_ms();
    let says = |ending: &Ending| {
        let how = if ending.well { "ended by itself" } else { "failed, and was taken away after its time" };
        if ending.message.is_empty() { how.to_owned() } else { format!("{how}: {}", ending.message) }
    };
    let failed: Vec<String> =
        ended.iter().filter(|(_, ending)| !ending.well).map(|(key, ending)| format!("{key} {}", says(ending))).collect();
    let revisions = shared.units.read(&unit, |memory| memory.record.revisions.clone()).unwrap_or_default();
    let record = SyncRecord {
        id: SyncId::new(now),
        commit: commit_of(shared, &unit, &revisions),
        revisions,
        trigger: Trigger::Ended,
        plan: PlanSummary::default(),
        objects: ended.iter().map(|(key, ending)| ObjectEntry::ended(key, &says(ending))).collect(),
        drift: Vec::new(),
        phases: Vec::new(),
        outcome: if failed.is_empty() { SyncOutcome::Succeeded } else { SyncOutcome::Failed },
        error: (!failed.is_empty()).then(|| failed.join("\n")),
        started_ms: now,
        ended_ms: now,
        build: BuildRecord::NotKept { reason: "nothing was synced".to_owned() },
        unit,
    };
    tracing::info!(unit = %record.unit, objects = ended.len(), "ended by themselves, as expected");
    shared.history.store.record_sync(record);
}

/// Tells of a sync in the process's own log: one line each, the history has the rest.
fn log(record: &SyncRecord) {
    let revision = record.revisions.values().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let unit = &record.unit;
    if let Some(error) = &record.error {
        return tracing::warn!(%unit, revision, "the sync failed: {}", error.lines().next().unwrap_or_default());
    }
    let changes = [ObjectOutcome::Created, ObjectOutcome::Configured, ObjectOutcome::Pruned];
    let changed = record.objects.iter().filter(|object| changes.contains(&object.result)).count();
    let what = match record.outcome {
        SyncOutcome::Held => "synced, and part of the plan waits for somebody",
        SyncOutcome::Stopped => "stopped by something newer",
        SyncOutcome::Succeeded | SyncOutcome::Failed => "synced",
    };
    tracing::info!(%unit, revision, changed, "{what}");
}

/// Writes a line of the audit log.
pub(crate) fn audit(
    shared: &Shared,
    unit: Option<NodeKey>,
    actor: &str,
    action: &str,
    request: Option<String>,
    why: Option<String>,
    detail: Value,
) {
    shared.history.store.audit(AuditRecord {
        at_ms: now_ms(),
        unit,
        actor: actor.to_owned(),
        action: action.to_owned(),
        request,
        why,
        detail,
    });
}

fn describe(end: &Ended) -> Value {
    match end {
        Ended::Done { withheld: None } => json!({"end": "done"}),
        Ended::Done { withheld: Some(withheld) } => {
            json!({"end": "done", "withheld": withheld.holds.iter().map(|hold| hold.reason.to_string()).collect::<Vec<_>>()})
        }
        Ended::Planned(_) => json!({"end": "planned"}),
        Ended::Refused(why) => json!({"end": "refused", "why": &**why}),
        Ended::Failed(failure) => json!({"end": "failed", "why": &*failure.message}),
        Ended::Cancelled(why) => json!({"end": "cancelled", "why": &**why}),
    }
}

fn sync_record(shared: &Shared, unit: NodeKey, want: &Want, kind: SyncKind, cause: &Cause, end: &End<Settled>, told: Told) -> SyncRecord {
    let (outcome, error) = match end {
        End::Done(Settled { withheld: Some(_), .. }) => (SyncOutcome::Held, None),
        End::Done(_) => (SyncOutcome::Succeeded, None),
        End::Stopped => (SyncOutcome::Stopped, None),
        End::Failed(failure) => (SyncOutcome::Failed, Some(failure.message.to_string())),
    };
    let commit = commit_of(shared, &unit, &told.revisions);
    SyncRecord {
        id: told.id,
        revisions: told.revisions,
        commit,
        trigger: trigger(kind, cause, want),
        plan: told.plan,
        objects: told.objects.iter().map(|(key, result)| ObjectEntry::of(key, result)).collect(),
        drift: told.drift,
        phases: told.phases,
        outcome,
        error,
        started_ms: told.started_ms,
        ended_ms: now_ms(),
        build: told.build,
        unit,
    }
}

/// The words of the commit of the unit's main source, or of its only one.
fn commit_of(shared: &Shared, unit: &NodeKey, revisions: &Revisions) -> Option<CommitInfo> {
    let alias = if revisions.contains_key("main") { Arc::from("main") } else { revisions.keys().next()?.clone() };
    let source = shared.units.read(unit, |memory| memory.node.as_ref()?.sources.get(&alias).cloned())??;
    shared.sources.commit(&source, revisions.get(&alias)?)
}

fn trigger(kind: SyncKind, cause: &Cause, want: &Want) -> Trigger {
    match (kind, cause) {
        (SyncKind::Repair, _) | (_, Cause::Drift) => Trigger::Drift,
        (_, Cause::Request(id, by)) => Trigger::Request {
            id: id.0.to_string(),
            by: by.to_string(),
            why: want.pin.as_ref().map(|pin| pin.reason.to_string()).filter(|why| !why.is_empty()),
        },
        (_, Cause::Start) => Trigger::Start,
        (_, Cause::Interval) => Trigger::Interval,
        (_, Cause::Ground(what)) => Trigger::Ground { what: what.to_string() },
        (_, Cause::Commit(..) | Cause::Declared | Cause::Removed | Cause::Permitted) => Trigger::Commit,
    }
}
