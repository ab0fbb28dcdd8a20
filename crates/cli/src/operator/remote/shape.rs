//! Owns the JSON of `get units` and `status`, version 1 (docs/cli-output.md): what the operator says of a unit in the words of the command line.
//! Fields are added, never renamed.

use plumb_plan::HealthStatus;
use plumb_server::api::{Activity, ActivityState, GateKind, GateView, Problem, StaleSource, SyncState, UnitView, WhyState};
use plumb_unit::{CommitInfo, Revisions};
use serde::Serialize;

/// A unit's state.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnitStatus {
    pub(crate) version: u32,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// `Synced`, `OutOfSync`, `New` or `Deleting`.
    pub(crate) sync: &'static str,
    pub(crate) health: HealthStatus,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) health_message: String,
    /// What is synced; empty before the first sync.
    pub(crate) revisions: Revisions,
    pub(crate) wanted: Revisions,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<CommitInfo>,
    /// What it is doing, or what it waits for, in a sentence.
    pub(crate) activity: String,
    pub(crate) gates: Vec<Gate>,
    /// The last error with its excerpt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) stale: Vec<StaleSource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) drift: Option<String>,
    pub(crate) objects: u32,
    pub(crate) cluster: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target_namespace: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) declared_at: String,
}

/// Why a unit may not do something now.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Gate {
    pub(crate) kind: GateKind,
    pub(crate) reason: String,
    /// Why, one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) reasons: Vec<String>,
    /// Who or what lifts it; for what a person lifts, the command.
    pub(crate) lifted_by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<String>,
}

impl UnitStatus {
    /// Takes the operator's view at a time, which only words of the activity depend on.
    pub(crate) fn of(view: UnitView, now_ms: u64) -> Self {
        let name = format!("{}/{}", view.namespace, view.name);
        Self {
            version: crate::VERSION,
            sync: match view.sync {
                SyncState::Synced => "Synced",
                SyncState::OutOfSync => "OutOfSync",
                SyncState::New => "New",
                SyncState::Deleting => "Deleting",
            },
            health: view.health.status,
            health_message: view.health.message.clone(),
            revisions: view.synced.clone().unwrap_or_default(),
            wanted: view.wanted.clone(),
            commit: view.commit.clone(),
            activity: activity(&view, now_ms),
            error: error(&view),
            gates: view.gates.into_iter().map(|gate| Gate::of(gate, &name)).collect(),
            problems: view.problems,
            stale: view.stale,
            drift: view.drift,
            objects: view.objects,
            cluster: view.target.cluster,
            target_namespace: view.target.namespace,
            declared_at: view.declared_at,
            namespace: view.namespace,
            name: view.name,
        }
    }

    /// Returns `namespace/name`.
    pub(crate) fn full_name(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

impl Gate {
    fn of(view: GateView, unit: &str) -> Self {
        let lifted_by = lifted_by(&view, unit);
        Self {
            kind: view.kind,
            reason: view.message,
            reasons: view.reasons,
            lifted_by,
            by: view.by,
            until_ms: view.until_ms,
            digest: view.digest,
        }
    }
}

fn lifted_by(gate: &GateView, unit: &str) -> String {
    match gate.kind {
        GateKind::Approval => match &gate.digest {
            Some(digest) => format!("`plumb approve {unit} {digest}`"),
            None => format!("`plumb approve {unit}`"),
        },
        GateKind::Suspended | GateKind::Pinned | GateKind::Deleted => format!("`plumb resume {unit}`"),
        GateKind::Quarantine => format!("a change of the unit, or `plumb resume {unit}`"),
        GateKind::Manual => format!("`plumb reconcile {unit}`"),
        GateKind::Evidence => "a complete read of the source".to_owned(),
        GateKind::PruneGroup => "the builds of the others".to_owned(),
        GateKind::Dependency => "these units, when they are ready".to_owned(),
        GateKind::Source => "a successful fetch".to_owned(),
        GateKind::Root | GateKind::Undeclared => "reading the root".to_owned(),
        GateKind::Target => "the cluster, when it answers".to_owned(),
        GateKind::Lease => "the other process, when it ends".to_owned(),
        GateKind::Stalled => "a change of its declaration".to_owned(),
        GateKind::NoEvidence => format!("declaring it again, or `plumb delete {unit}`"),
        GateKind::ForeignOwner => format!("the owner, or `plumb approve {unit}`"),
        _ => String::new(),
    }
}

fn activity(view: &UnitView, now_ms: u64) -> String {
    if let Some(why) = view.why.as_ref().filter(|why| !why.message.is_empty() && why.state != WhyState::AtRest) {
        return why.message.clone();
    }
    let Activity { state, what, until_ms } = &view.activity;
    let what = what.as_deref().map(|what| format!(" ({what})")).unwrap_or_default();
    match state {
        ActivityState::Resting => "at rest".to_owned(),
        ActivityState::Gated => {
            view.gates.first().map_or_else(|| "waits".to_owned(), |gate| gate.message.lines().next().unwrap_or_default().to_owned())
        }
        ActivityState::Queued => format!("waits for a free place{what}"),
        ActivityState::Working => format!("working{what}"),
        ActivityState::Waiting => match until_ms {
            Some(until) => format!("tried again {}", crate::operator::moment::until(*until, now_ms)),
            None => "tried again later".to_owned(),
        },
    }
}

/// Returns what went wrong: the diagnostics with their excerpts, or the failure's own words.
fn error(view: &UnitView) -> Option<String> {
    let errors: Vec<String> = view.problems.iter().filter(|problem| problem.severity == "error").map(diagnostic).collect();
    if errors.is_empty() { view.failure.clone().filter(|failure| !failure.is_empty()) } else { Some(errors.join("\n\n")) }
}

fn diagnostic(problem: &Problem) -> String {
    let mut lines = vec![format!("{}[{}]: {}", problem.severity, problem.code, problem.message)];
    lines.extend(problem.place.as_ref().map(|place| format!(" --> {place}")));
    lines.extend(problem.excerpt.as_ref().map(|excerpt| excerpt.trim_end().to_owned()));
    lines.extend(problem.hints.iter().map(|hint| format!("  = help: {hint}")));
    lines.join("\n")
}
