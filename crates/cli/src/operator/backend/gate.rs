//! Owns how gates look in the API.

use std::sync::Arc;

use plumb_controller::core::Gate;
use plumb_server::api::{GateKind, GateView};

/// Returns a gate as the API shows it.
pub(super) fn view(gate: &Gate) -> GateView {
    let mut view = GateView { kind: kind(gate), message: gate.to_string(), reasons: Vec::new(), by: None, until_ms: None, digest: None };
    match gate {
        Gate::Suspended(suspend) => {
            view.by = Some(suspend.by.to_string());
            view.until_ms = suspend.until;
        }
        Gate::Pinned(pin) => {
            view.by = Some(pin.by.to_string());
            view.reasons = if pin.reason.is_empty() { Vec::new() } else { vec![pin.reason.to_string()] };
        }
        Gate::Deleted { by } => view.by = Some(by.to_string()),
        Gate::Approval { digest, reasons } => {
            view.message =
                if reasons.is_empty() { "waits for approval".to_owned() } else { format!("waits for approval: {}", reasons.join("; ")) };
            view.reasons = texts(reasons);
            view.digest = Some(digest.to_string());
        }
        Gate::Evidence { reasons } => view.reasons = texts(reasons),
        Gate::PruneGroup { waiting, .. } | Gate::Dependency { waiting } => view.reasons = texts(waiting),
        Gate::DependencyMissing { missing } => view.reasons = texts(missing),
        Gate::Stalled { reasons } => view.reasons = reasons.clone(),
        Gate::Target { retry_at, .. } => view.until_ms = *retry_at,
        Gate::NoEvidence { reason } => view.reasons = texts(std::slice::from_ref::<Arc<str>>(reason)),
        Gate::DependencyCycle { .. }
        | Gate::Quarantine { .. }
        | Gate::Source { .. }
        | Gate::Root { .. }
        | Gate::Lease
        | Gate::Manual
        | Gate::Undeclared => {}
    }
    view
}

fn texts(parts: &[impl ToString]) -> Vec<String> {
    parts.iter().map(ToString::to_string).collect()
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

#[cfg(test)]
mod tests {
    use plumb_controller::core::{Class, Failure, Pin, Suspend};
    use plumb_manifest::Digest;
    use plumb_unit::{NodeKey, Revisions};

    use super::*;

    fn check(gate: Gate, kind: GateKind, message: &str) -> GateView {
        let view = view(&gate);
        assert_eq!((view.kind, view.message.as_str()), (kind, message));
        view
    }

    #[test]
    fn what_people_set_names_them() {
        let suspend = Suspend { by: "ann".into(), reason: "holidays".into(), until: Some(7) };
        let suspended = check(Gate::Suspended(suspend), GateKind::Suspended, "suspended by ann: holidays");
        assert_eq!((suspended.by.as_deref(), suspended.until_ms), (Some("ann"), Some(7)));
        let pin = Pin { revisions: Revisions::new(), record: None, by: "bob".into(), reason: "too slow".into() };
        let pinned = check(Gate::Pinned(Arc::new(pin)), GateKind::Pinned, "kept at an older state by bob; `plumb resume` lifts it");
        assert_eq!((pinned.by.as_deref(), pinned.reasons), (Some("bob"), vec!["too slow".to_owned()]));
        let deleted = check(Gate::Deleted { by: "eve".into() }, GateKind::Deleted, "deleted by eve; `plumb resume` brings it back");
        assert_eq!(deleted.by.as_deref(), Some("eve"));
    }

    #[test]
    fn an_approval_has_its_digest_and_each_reason() {
        let digest = Digest([0xab; 16]);
        let reasons: Vec<Arc<str>> = vec!["deletes 12 of 17 objects".into(), "deletes 1 Namespace".into()];
        let message = "waits for approval: deletes 12 of 17 objects; deletes 1 Namespace";
        let approval = check(Gate::Approval { digest, reasons: reasons.clone() }, GateKind::Approval, message);
        assert_eq!((approval.digest, approval.reasons.len()), (Some("ab".repeat(16)), 2));
        let evidence =
            check(Gate::Evidence { reasons }, GateKind::Evidence, "deletions wait: deletes 12 of 17 objects; deletes 1 Namespace");
        assert_eq!((evidence.digest, evidence.reasons.len()), (None, 2));
    }

    #[test]
    fn what_lifts_itself_says_when_or_for_whom_it_waits() {
        let other = NodeKey::unit("main", "team-a", "base");
        let target = Gate::Target { target: "prod".into(), retry_at: Some(9) };
        assert_eq!(check(target, GateKind::Target, "target \"prod\" does not answer").until_ms, Some(9));
        let waits = check(Gate::Dependency { waiting: vec![other.clone()] }, GateKind::Dependency, "waits until ready: team-a/base");
        assert_eq!(waits.reasons, ["team-a/base"]);
        check(
            Gate::DependencyMissing { missing: vec![other.clone()] },
            GateKind::Dependency,
            "depends on units that do not exist: team-a/base",
        );
        let failure = Some(Failure::new(Class::Denied, "the password is wrong"));
        check(Gate::Source { source: other, failure }, GateKind::Source, "source team-a/base cannot be read: the password is wrong");
        check(Gate::Lease, GateKind::Lease, "another process holds the lease");
    }
}
