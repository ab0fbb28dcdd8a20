//! Owns what the API shows of a unit: its state in the API's words. Must not ask anybody: all it needs comes in.

use std::collections::BTreeSet;

use plumb_controller::core::{Activity as Doing, Gate, Stage, SyncKind, SyncWord, UnitStatus, Withheld, Work};
use plumb_controller::{SourceState, UnitState};
use plumb_manifest::ObjectKey;
use plumb_plan::{Health, HealthStatus};
use plumb_server::api::{Activity, ActivityState, HealthView, ObjectRef, StaleSource, SyncState, TargetView, UnitView, WhyState, WhyView};
use plumb_store::HoldEntry;
use plumb_unit::NodeKey;

use super::{gate, problems};
use crate::operator::moment;

/// How many gates one sentence names.
const NAMED_GATES: usize = 3;

/// Returns a unit's state, without why it is not where it should be. `look` tells how an object of its cluster does.
pub(super) fn unit(state: &UnitState, look: impl Fn(&ObjectKey) -> Option<Health>) -> UnitView {
    let status = &state.status;
    let declared = state.unit.as_ref();
    UnitView {
        namespace: state.key.namespace.to_string(),
        name: state.key.name.to_string(),
        target: TargetView {
            cluster: state.cluster.as_deref().unwrap_or_default().to_owned(),
            namespace: declared.and_then(|unit| unit.target.namespace.as_deref().map(str::to_owned)),
        },
        sync: sync(status.sync),
        health: HealthView { status: status.health, message: health_message(state, look) },
        synced: status.synced.clone(),
        wanted: status.wanted.clone(),
        commit: state.commit.clone(),
        activity: activity(status.activity),
        why: None,
        gates: status.gates.iter().map(gate::view).collect(),
        failure: status.failure.as_ref().map(|failure| failure.message.to_string()),
        problems: state.report.as_deref().map(problems::of).unwrap_or_default(),
        stale: stale(status),
        drift: status.drift.as_deref().map(str::to_owned),
        objects: status.owned,
        declared_at: declared.map(|unit| unit.declared_at.clone()).unwrap_or_default(),
    }
}

fn sync(word: SyncWord) -> SyncState {
    match word {
        SyncWord::Synced => SyncState::Synced,
        SyncWord::OutOfSync => SyncState::OutOfSync,
        SyncWord::New => SyncState::New,
        SyncWord::Deleting => SyncState::Deleting,
    }
}

/// Returns which object makes the unit do as it does, and why; empty for a healthy unit.
fn health_message(state: &UnitState, look: impl Fn(&ObjectKey) -> Option<Health>) -> String {
    if state.status.health == HealthStatus::Healthy {
        return String::new();
    }
    let mut such = state.inventory.items.iter().filter_map(|item| {
        let health = look(&item.key).filter(|health| health.status == state.status.health)?;
        Some((&item.key, health.message))
    });
    let Some((key, message)) = such.next() else { return String::new() };
    let more = match such.count() {
        0 => String::new(),
        count => format!(" (and {count} more)"),
    };
    if message.is_empty() { format!("{key}{more}") } else { format!("{key}: {message}{more}") }
}

fn stale(status: &UnitStatus) -> Vec<StaleSource> {
    let one = |(source, since_ms, failure): &(plumb_unit::NodeKey, u64, plumb_controller::core::Failure)| StaleSource {
        source: source.to_string(),
        since_ms: *since_ms,
        message: failure.message.to_string(),
    };
    status.stale.iter().map(one).collect()
}

fn activity(doing: Doing) -> Activity {
    let (state, what, until_ms) = match doing {
        Doing::Resting => (ActivityState::Resting, None, None),
        Doing::Gated => (ActivityState::Gated, None, None),
        Doing::Queued(work) => (ActivityState::Queued, Some(stage(work)), None),
        Doing::Working(work) => (ActivityState::Working, Some(stage(work)), None),
        Doing::Waiting { until } => (ActivityState::Waiting, None, Some(until)),
    };
    Activity { state, what: what.map(str::to_owned), until_ms }
}

/// Returns what is wrong with roots and with sources that no unit shows as its own.
pub(super) fn elsewhere(sources: &[SourceState], units: &[UnitState]) -> Vec<String> {
    let told: BTreeSet<&NodeKey> = units.iter().flat_map(|unit| unit.status.stale.iter().map(|(source, ..)| source)).collect();
    let of = |source: &SourceState| {
        let name = &source.key.name;
        let stale = source.status.stale.as_ref().filter(|_| !told.contains(&source.key));
        let unread = stale.map(|(_, failure)| format!("{name} cannot be read: {}", failure.message));
        let problems = source.status.problems.iter().map(|problem| format!("root {name}: {}", problem.trim_start_matches("error: ")));
        problems.chain(unread).collect::<Vec<_>>()
    };
    sources.iter().flat_map(of).collect()
}

/// Returns the stage of a unit that work is, in one word.
pub(super) fn stage(work: Work) -> &'static str {
    match work {
        Work::Fetch | Work::WhoReads | Work::Generate => "fetch",
        Work::Build => "build",
        Work::Sync(SyncKind::Delete, Stage::Apply) => "delete",
        Work::Sync(_, Stage::Apply) => "apply",
        Work::Sync(_, Stage::Wait) => "wait",
    }
}

/// Returns why a unit is not where it should be, at a time.
pub(super) fn why(status: &UnitStatus, now_ms: u64) -> WhyView {
    let failure = status.failure.as_ref().map(|failure| failure.message.lines().next().unwrap_or_default());
    let (state, message, at_ms) = match status.activity {
        Doing::Resting => (WhyState::AtRest, String::new(), None),
        Doing::Gated => (WhyState::Gated, gated(&status.gates), None),
        Doing::Queued(work) => (WhyState::Queued, format!("waits for a free place to {}", verb(work)), None),
        Doing::Working(work) => (WhyState::Running, doing(work).to_owned(), None),
        Doing::Waiting { until } => {
            let when = moment::until(until, now_ms);
            let message = match (failure, &status.drift) {
                (Some(failure), _) => format!("tried again {when}: {failure}"),
                (None, Some(drift)) => format!("puts drift right {when}: {drift}"),
                (None, None) => format!("goes on {when}"),
            };
            (WhyState::Timer, message, Some(until))
        }
    };
    WhyView { state, message, place: None, at_ms }
}

fn gated(gates: &[Gate]) -> String {
    let mut text = gates.iter().take(NAMED_GATES).map(|gate| gate::view(gate).message).collect::<Vec<_>>().join("; ");
    if gates.len() > NAMED_GATES {
        text.push_str(&format!("; and {} more", gates.len() - NAMED_GATES));
    }
    text
}

fn verb(work: Work) -> &'static str {
    match work {
        Work::Fetch => "fetch its source",
        Work::WhoReads => "find out whom a commit touches",
        Work::Generate => "read the root",
        Work::Build => "build",
        Work::Sync(SyncKind::Delete, _) => "delete its objects",
        Work::Sync(SyncKind::Repair, _) => "put drift right",
        Work::Sync(SyncKind::Renew, _) => "have its objects settled anew",
        Work::Sync(..) => "sync",
    }
}

fn doing(work: Work) -> &'static str {
    match work {
        Work::Fetch => "fetches its source",
        Work::WhoReads => "finds out whom a commit touches",
        Work::Generate => "reads the root",
        Work::Build => "builds",
        Work::Sync(SyncKind::Delete, Stage::Apply) => "deletes its objects",
        Work::Sync(SyncKind::Delete, Stage::Wait) => "waits until its objects are gone",
        Work::Sync(SyncKind::Repair, Stage::Apply) => "puts drift right",
        Work::Sync(SyncKind::Renew, Stage::Apply) => "has its objects settled anew",
        Work::Sync(_, Stage::Apply) => "applies",
        Work::Sync(_, Stage::Wait) => "waits for health",
    }
}

/// Returns an object as the API names it.
pub(super) fn object(key: &ObjectKey) -> ObjectRef {
    ObjectRef {
        group: key.group.to_string(),
        version: None,
        kind: key.kind.to_string(),
        namespace: key.namespace.as_deref().map(str::to_owned),
        name: key.name.to_string(),
    }
}

/// Returns how an object does as the API says it.
pub(super) fn health(health: Health) -> HealthView {
    HealthView { status: health.status, message: health.message }
}

/// Returns what a sync withheld, hold by hold; one approval is for all of it.
pub(super) fn withheld(withheld: &Withheld) -> Vec<HoldEntry> {
    let entry = |hold: &plumb_controller::core::HoldHead| HoldEntry {
        kind: hold.kind,
        reason: hold.reason.to_string(),
        objects: hold.objects,
        digest: withheld.digest.to_string(),
    };
    withheld.holds.iter().map(entry).collect()
}

/// States for the tests of this folder.
#[cfg(test)]
pub(super) mod fixtures {
    use std::sync::Arc;

    use plumb_manifest::Digest;
    use plumb_unit::{Inventory, InventoryItem, NodeKey, Policy, Revision, Revisions, Target, Unit};

    use super::*;

    /// Returns a revision of the main source.
    pub(crate) fn revisions(commit: &str) -> Revisions {
        Revisions::from([("main".into(), Revision { reference: "main".into(), commit: commit.to_owned() })])
    }

    /// Returns a unit at rest that owns a Deployment and a Service.
    pub(crate) fn state() -> UnitState {
        let key = NodeKey::unit("main", "team-a", "shop");
        let item = |group: &str, kind: &str, uid: &str| InventoryItem {
            key: ObjectKey::new(group, kind, Some("shop"), "web"),
            version: "v1".to_owned(),
            uid: Some(uid.to_owned()),
            manifest: Digest([0; 16]),
            ended: None,
        };
        let target = Target { cluster: "".into(), namespace: Some("shop".into()), create_namespace: false, service_account: None };
        let unit = Unit {
            key: key.clone(),
            sources: Default::default(),
            build: Vec::new(),
            target,
            depends_on: Vec::new(),
            policy: Policy::standard(),
            declared_at: "units/shop.yaml:1:1".to_owned(),
            digest: Digest([0; 16]),
        };
        UnitState {
            key,
            status: status(),
            unit: Some(Arc::new(unit)),
            cluster: Some("prod".into()),
            commit: None,
            report: None,
            inventory: Inventory { items: vec![item("", "Service", "u1"), item("apps", "Deployment", "u2")], evidence: Vec::new() },
        }
    }

    /// Returns the status of a unit at rest.
    pub(crate) fn status() -> UnitStatus {
        UnitStatus {
            sync: SyncWord::Synced,
            health: HealthStatus::Healthy,
            synced: Some(revisions("4f0c1a2b9d")),
            wanted: revisions("4f0c1a2b9d"),
            activity: Doing::Resting,
            gates: Vec::new(),
            failure: None,
            stale: Vec::new(),
            drift: None,
            withheld: None,
            owned: 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use plumb_controller::core::{Class, Failure};
    use plumb_unit::NodeKey;

    use super::fixtures::{state, status};
    use super::*;

    fn degraded(key: &ObjectKey) -> Option<Health> {
        let status = if &*key.kind == "Deployment" { HealthStatus::Degraded } else { HealthStatus::Healthy };
        Some(Health { status, message: "0 of 1 ready".to_owned() })
    }

    #[test]
    fn a_unit_at_rest_is_shown_whole() {
        let view = unit(&state(), degraded);
        assert_eq!((view.namespace.as_str(), view.name.as_str(), view.target.cluster.as_str()), ("team-a", "shop", "prod"));
        assert_eq!((view.sync, view.objects, view.declared_at.as_str()), (SyncState::Synced, 2, "units/shop.yaml:1:1"));
        assert_eq!(view.health, HealthView { status: HealthStatus::Healthy, message: String::new() });
        assert_eq!(view.activity, Activity { state: ActivityState::Resting, what: None, until_ms: None });
    }

    #[test]
    fn what_is_wrong_is_named() {
        let mut state = state();
        state.status.health = HealthStatus::Degraded;
        state.status.failure = Some(Failure::new(Class::Input, "error: x.yaml:1:2: bad"));
        state.status.stale = vec![(NodeKey::unit("main", "", "git"), 5, Failure::new(Class::Denied, "no"))];
        state.status.drift = Some("1 field by kubectl".into());
        state.report = Some("error[bad-yaml]: bad\n --> x.yaml:1:2\n\nteam-a/shop: 1 error\n".into());
        let view = unit(&state, degraded);
        assert_eq!(view.health.message, "Deployment.apps shop/web: 0 of 1 ready");
        assert_eq!(view.failure.as_deref(), Some("error: x.yaml:1:2: bad"));
        assert_eq!((view.problems.len(), view.problems[0].place.as_deref()), (1, Some("x.yaml:1:2")));
        assert_eq!((view.stale[0].since_ms, view.stale[0].message.as_str()), (5, "no"));
        assert_eq!(view.drift.as_deref(), Some("1 field by kubectl"));
    }

    #[test]
    fn why_says_what_goes_on_and_when_it_goes_on() {
        let check = |activity: Doing, state: WhyState, message: &str| {
            let failure = Some(Failure::new(Class::Transient, "connection refused\nmore"));
            let gates = vec![Gate::Lease, Gate::Manual, Gate::Undeclared, Gate::Lease];
            let why = why(&UnitStatus { activity, failure, gates, ..status() }, 1_000);
            assert_eq!((why.state, why.message.as_str()), (state, message));
        };
        check(Doing::Resting, WhyState::AtRest, "");
        check(Doing::Queued(Work::Build), WhyState::Queued, "waits for a free place to build");
        check(Doing::Working(Work::Sync(SyncKind::Repair, Stage::Apply)), WhyState::Running, "puts drift right");
        check(Doing::Working(Work::Sync(SyncKind::Delete, Stage::Wait)), WhyState::Running, "waits until its objects are gone");
        check(Doing::Waiting { until: 41_000 }, WhyState::Timer, "tried again in 40s: connection refused");
        let gated = "another process holds the lease; syncs on request only: `plumb reconcile`; no root that declares it has been read yet; and 1 more";
        check(Doing::Gated, WhyState::Gated, gated);
    }
}
