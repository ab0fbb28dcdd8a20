//! Owns what a sync of a unit would change: a dry run by the loop, and the fields by comparing with what is live.

use std::time::Duration;

use plumb_controller::UnitState;
use plumb_controller::core::{Ended, Order};
use plumb_manifest::{Manifest, ObjectKey};
use plumb_plan::{FieldChange, HoldKind, Operation, Plan, Redactor, Rules, UnitHash, diff_owned, dropped, effective};
use plumb_schema::Schema;
use plumb_server::api::{ApiError, DiffView, ErrorCode, FieldDiff, ObjectDiff};
use plumb_store::REDACTED;
use serde_json::Value;

use crate::operator::diff::taken;

use super::{OperatorBackend, cluster_error, new_id, requests, view};

/// Who asks for the dry run, as the audit log says it: the question itself names nobody.
const ASKER: &str = "plumb diff";
/// How long a dry run may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Returns what a sync of a unit would change now.
pub(super) async fn diff(backend: &OperatorBackend, state: &UnitState) -> Result<DiffView, ApiError> {
    let id = new_id()?;
    backend.tell(state.key.clone(), ASKER, None, &id, Order::DryRun { revisions: None });
    if !backend.ended(&id, TIMEOUT).await {
        backend.tell(state.key.clone(), ASKER, None, &new_id()?, Order::Cancel { id });
        return Err(ApiError::new(ErrorCode::Unavailable, format!("{} was not planned within {} s", state.key, TIMEOUT.as_secs()))
            .hint(format!("`plumb status {}` shows what it waits for.", state.key)));
    }
    let lost = || ApiError::new(ErrorCode::Unavailable, format!("the plan of {} is not there any more; ask again", state.key));
    match &*backend.operator.ended(&id).ok_or_else(lost)? {
        Ended::Planned(head) => {
            let plan = backend.operator.dry_run(&id).ok_or_else(lost)?;
            let holds = requests::planned(head, Some(&plan)).holds;
            Ok(DiffView { objects: objects(backend, state, &plan).await?, holds })
        }
        Ended::Done { .. } => Err(lost()),
        Ended::Refused(why) => Err(ApiError::new(ErrorCode::Refused, why.to_string())),
        Ended::Failed(failure) => Err(ApiError::new(ErrorCode::Conflict, failure.message.to_string())),
        Ended::Cancelled(why) => Err(ApiError::new(ErrorCode::Unavailable, format!("the plan of {} was cancelled: {why}", state.key))),
    }
}

async fn objects(backend: &OperatorBackend, state: &UnitState, plan: &Plan) -> Result<Vec<ObjectDiff>, ApiError> {
    let mut objects: Vec<ObjectDiff> = removals(plan).map(|(key, action)| difference(key, action, Vec::new())).collect();
    let drifted = state.status.drift.is_some();
    let applied: Vec<(&Manifest, bool)> = plan
        .operations()
        .filter_map(|operation| match operation {
            Operation::Apply { manifest, .. } => Some((&**manifest, true)),
            // A unit whose policy only reports drift leaves it; it is a difference all the same.
            Operation::Keep(manifest) if drifted => Some((&**manifest, false)),
            Operation::Keep(_) | Operation::Hook(_) | Operation::Delete { .. } | Operation::Release { .. } | Operation::Forget { .. } => {
                None
            }
        })
        .collect();
    let keys: Vec<(ObjectKey, String)> =
        applied.iter().map(|(manifest, _)| (manifest.key.clone(), manifest.gvk.version.to_string())).collect();
    let rules = rules(state)?;
    let (schema, redactor, manager) = (Schema::builtin(), redactor()?, UnitHash::of(&state.key).manager());
    let acting = backend.acting(state)?;
    for ((manifest, changes_it), live) in applied.into_iter().zip(acting.live(&keys).await) {
        let key = &manifest.key;
        let found = match live.map_err(|error| cluster_error(&error))? {
            None => difference(key, "create", Vec::new()),
            Some(live) => {
                let wanted = manifest.value();
                let sent = effective(key, &wanted, &rules.for_object(key, &wanted, false), Some(&live), &manager);
                let mut changes = diff_owned(key, &live, &sent, schema.root(&manifest.gvk), &redactor);
                if changes_it {
                    changes.extend(dropped(key, &live, &sent, schema.root(&manifest.gvk), taken(&live, &manager), &redactor));
                }
                let secret = manifest.sensitive || key.group.is_empty() && &*key.kind == "Secret";
                let action = if changes_it { "change" } else { "report" };
                difference(key, action, changes.into_iter().map(|change| field(change, secret)).collect())
            }
        };
        if changes_it || !found.fields.is_empty() {
            objects.push(found);
        }
    }
    objects.sort_by(|one, other| one.object.cmp(&other.object));
    Ok(objects)
}

/// Returns what goes, held or not.
fn removals(plan: &Plan) -> impl Iterator<Item = (&ObjectKey, &'static str)> {
    let going = plan.operations().filter_map(|operation| match operation {
        Operation::Delete { key, .. } => Some((key, "delete")),
        Operation::Release { key, .. } => Some((key, "release")),
        Operation::Apply { .. } | Operation::Hook(_) | Operation::Keep(_) | Operation::Forget { .. } => None,
    });
    let held = plan.holds.iter().filter(|hold| matches!(hold.kind, HoldKind::Prune | HoldKind::Evidence));
    going.chain(held.flat_map(|hold| &hold.objects).map(|key| (key, "delete")))
}

fn difference(key: &ObjectKey, action: &str, fields: Vec<FieldDiff>) -> ObjectDiff {
    ObjectDiff { object: view::object(key), action: action.to_owned(), fields }
}

fn field(change: FieldChange, secret: bool) -> FieldDiff {
    let shown = |value: Option<Value>| if secret { value.map(|_| Value::from(REDACTED)) } else { value };
    FieldDiff { path: change.path.to_string(), live: shown(change.old), wanted: shown(change.new), manager: change.manager }
}

fn rules(state: &UnitState) -> Result<Rules, ApiError> {
    let rules = state.unit.as_ref().map(|unit| unit.policy.field_rules.as_slice()).unwrap_or_default();
    let wrong = |errors: Vec<plumb_plan::RuleError>| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    Rules::compile(rules).map_err(|errors| ApiError::new(ErrorCode::Conflict, wrong(errors)))
}

/// Fingerprints are only compared within one answer, so their key is made anew each time.
fn redactor() -> Result<Redactor, ApiError> {
    let mut key = [0; 32];
    aws_lc_rs::rand::fill(&mut key).map_err(|_| ApiError::new(ErrorCode::Internal, "the system gives no random numbers"))?;
    Ok(Redactor::new(key))
}

#[cfg(test)]
mod tests {
    use plumb_manifest::{FieldPath, Segment};

    use super::*;

    #[test]
    fn values_of_secrets_are_not_shown() {
        let path = FieldPath::default().child(Segment::Key("data".to_owned()));
        let change = FieldChange { path, old: Some(Value::from("old")), new: None, manager: Some("kubectl".to_owned()) };
        let open = field(change.clone(), false);
        assert_eq!((open.path.as_str(), open.live, open.wanted), ("data", Some(Value::from("old")), None));
        let hidden = field(change, true);
        assert_eq!((hidden.live, hidden.wanted, hidden.manager.as_deref()), (Some(Value::from(REDACTED)), None, Some("kubectl")));
    }
}
