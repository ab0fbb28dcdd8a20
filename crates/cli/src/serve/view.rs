//! Owns what the local API shows of the operator: its state in the API's words. Must not ask anybody: all it needs comes in.

use plumb_controller::UnitState;
use plumb_controller::core::{Activity as Doing, Gate, Stage, SyncWord, Withheld, Work};
use plumb_manifest::ObjectKey;
use plumb_plan::{Health, HealthStatus, Plan};
use plumb_server::api::{
    Activity, ActivityState, GateKind, GateView, HealthView, ObjectRef, StaleSource, SyncState, TargetView, UnitView, WhyState, WhyView,
};
use plumb_store::HoldEntry;
use plumb_unit::NodeKey;

/// Returns a unit's state.
pub(crate) fn unit(state: &UnitState) -> UnitView {
    let status = &state.status;
    let declared = state.unit.as_ref();
    UnitView {
        namespace: state.key.namespace.to_string(),
        name: state.key.name.to_string(),
        target: TargetView {
            cluster: state.cluster.as_deref().unwrap_or_default().to_owned(),
            namespace: declared.and_then(|unit| unit.target.namespace.as_deref().map(str::to_owned)),
        },
        sync: match status.sync {
            SyncWord::Synced => SyncState::Synced,
            SyncWord::OutOfSync => SyncState::OutOfSync,
            SyncWord::New => SyncState::New,
            SyncWord::Deleting => SyncState::Deleting,
        },
        health: HealthView { status: status.health, message: String::new() },
        synced: status.synced.clone(),
        wanted: status.wanted.clone(),
        commit: state.commit.clone(),
        activity: activity(&status.activity),
        why: None,
        gates: status.gates.iter().map(gate).collect(),
        failure: failure(state),
        problems: Vec::new(),
        stale: status.stale.iter().map(|(source, since_ms, failure)| stale(source, *since_ms, &failure.message)).collect(),
        drift: status.drift.as_deref().map(str::to_owned),
        objects: status.owned,
        declared_at: declared.map(|unit| unit.declared_at.clone()).unwrap_or_default(),
    }
}

/// The build's own report has the excerpts; the failure is its first line, or what went wrong elsewhere.
fn failure(state: &UnitState) -> Option<String> {
    let failure = state.status.failure.as_ref()?;
    let report = state.report.as_deref().filter(|_| failure.class == plumb_controller::core::Class::Input);
    Some(report.filter(|report| !report.is_empty()).unwrap_or(&failure.message).to_owned())
}

fn stale(source: &NodeKey, since_ms: u64, message: &str) -> StaleSource {
    StaleSource { source: source.to_string(), since_ms, message: message.to_owned() }
}

/// Returns a unit's state with why it is not where it should be. Times are left to whoever shows them, for they pass.
pub(crate) fn unit_with_why(state: &UnitState) -> UnitView {
    let (word, message, at_ms) = match state.status.activity {
        Doing::Resting => (WhyState::AtRest, String::new(), None),
        Doing::Gated => (WhyState::Gated, state.status.gates.first().map(ToString::to_string).unwrap_or_default(), None),
        Doing::Queued(work) => (WhyState::Queued, format!("waits for a free place to {}", verb(work)), None),
        Doing::Working(work) => (WhyState::Running, verb(work).to_owned(), None),
        Doing::Waiting { until } => (WhyState::Timer, String::new(), Some(until)),
    };
    UnitView { why: Some(WhyView { state: word, message, place: None, at_ms }), ..unit(state) }
}

fn activity(doing: &Doing) -> Activity {
    let (state, what, until_ms) = match *doing {
        Doing::Resting => (ActivityState::Resting, None, None),
        Doing::Gated => (ActivityState::Gated, None, None),
        Doing::Queued(work) => (ActivityState::Queued, Some(noun(work)), None),
        Doing::Working(work) => (ActivityState::Working, Some(noun(work)), None),
        Doing::Waiting { until } => (ActivityState::Waiting, None, Some(until)),
    };
    Activity { state, what: what.map(str::to_owned), until_ms }
}

/// Returns the stage that an effect is, in one word.
pub(crate) fn noun(work: Work) -> &'static str {
    match work {
        Work::Fetch | Work::WhoReads | Work::Generate => "fetch",
        Work::Build => "build",
        Work::Sync(_, Stage::Apply) => "apply",
        Work::Sync(_, Stage::Wait) => "wait",
    }
}

fn verb(work: Work) -> &'static str {
    match work {
        Work::Fetch => "fetch its source",
        Work::WhoReads => "find out whom a commit touches",
        Work::Generate => "read the root",
        Work::Build => "build",
        Work::Sync(_, Stage::Apply) => "apply",
        Work::Sync(_, Stage::Wait) => "wait for health",
    }
}

fn gate(gate: &Gate) -> GateView {
    let mut view = GateView { kind: kind(gate), message: gate.to_string(), reasons: Vec::new(), by: None, until_ms: None, digest: None };
    match gate {
        Gate::Suspended(suspend) => (view.by, view.until_ms) = (Some(suspend.by.to_string()), suspend.until),
        Gate::Pinned(pin) => view.by = Some(pin.by.to_string()),
        Gate::Deleted { by } => view.by = Some(by.to_string()),
        Gate::Approval { digest, reasons } => {
            view.digest = Some(digest.to_string());
            view.message = format!("waits for approval: {}", reasons.join("; "));
            view.reasons = reasons.iter().map(ToString::to_string).collect();
        }
        Gate::Evidence { reasons } => view.reasons = reasons.iter().map(ToString::to_string).collect(),
        Gate::Stalled { reasons } => view.reasons = reasons.clone(),
        Gate::Target { retry_at, .. } => view.until_ms = *retry_at,
        _ => {}
    }
    view
}

fn kind(gate: &Gate) -> GateKind {
    match gate {
        Gate::Suspended(_) => GateKind::Suspended,
        Gate::Pinned(_) => GateKind::Pinned,
        Gate::Deleted { .. } => GateKind::Deleted,
        Gate::Approval { .. } => GateKind::Approval,
        Gate::Evidence { .. } => GateKind::Evidence,
        Gate::PruneGroup { .. } => GateKind::PruneGroup,
        Gate::Dependency { .. } | Gate::DependencyMissing { .. } | Gate::DependencyCycle { .. } => GateKind::Dependency,
        Gate::Quarantine { .. } => GateKind::Quarantine,
        Gate::Source { .. } => GateKind::Source,
        Gate::Root { .. } => GateKind::Root,
        Gate::Target { .. } => GateKind::Target,
        Gate::Lease => GateKind::Lease,
        Gate::Manual => GateKind::Manual,
        Gate::Stalled { .. } => GateKind::Stalled,
        Gate::Undeclared => GateKind::Undeclared,
        Gate::NoEvidence { .. } => GateKind::NoEvidence,
    }
}

/// Returns an object.
pub(crate) fn object(key: &ObjectKey) -> ObjectRef {
    ObjectRef {
        group: key.group.to_string(),
        version: None,
        kind: key.kind.to_string(),
        namespace: key.namespace.as_deref().map(str::to_owned),
        name: key.name.to_string(),
    }
}

/// Returns how an object does; what was never seen is not known.
pub(crate) fn health(health: Option<Health>) -> HealthView {
    match health {
        Some(health) => HealthView { status: health.status, message: health.message },
        None => HealthView { status: HealthStatus::Unknown, message: String::new() },
    }
}

/// Returns what a sync withheld.
pub(crate) fn withheld(withheld: &Withheld) -> Vec<HoldEntry> {
    let entry = |hold: &plumb_controller::core::HoldHead| HoldEntry {
        kind: hold.kind,
        reason: hold.reason.to_string(),
        objects: hold.objects,
        digest: withheld.digest.to_string(),
    };
    withheld.holds.iter().map(entry).collect()
}

/// Returns a plan in numbers.
pub(crate) fn plan(plan: &Plan) -> plumb_store::PlanSummary {
    plumb_store::PlanSummary::of(plan)
}
