//! Owns making a unit's plan from what the shell knows: facts from the watch, claims of other units, the record, and what may be deleted.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use plumb_cluster::{Acting, Facts};
use plumb_manifest::{Digest, ObjectKey};
use plumb_plan::{BuildFacts, GroupSums, HoldKind, Intent, Plan, PlanInput, Rules, SyncScope};
use plumb_unit::{Evidence, Inventory, NodeKey, OnDelete, Policy, ServiceAccountRef, SourceSpec, Unit};

use super::targets::Target;
use super::units::{BuiltUnit, Held};
use super::{Shared, failure};
use crate::core::{Class, Failure, HoldHead, PlanHead, PrunePermission, RequestId, Want, Withheld};

/// How many dry runs are remembered for those who ask late.
const REMEMBERED_DRY_RUNS: usize = 100;

/// A plan with what it was made from.
pub(crate) struct Made {
    /// What is to be carried out.
    pub(crate) plan: Plan,
    /// What is left over for want of a permission.
    pub(crate) withheld: Option<Withheld>,
    /// What waits for a permission.
    pub(crate) held: Held,
    /// The rules of the unit's fields.
    pub(crate) rules: Rules,
    /// Whom it is carried out as.
    pub(crate) acting: Acting,
}

/// Makes the plan of a want as it may be carried out now.
pub(crate) async fn make(
    shared: &Shared,
    node: &NodeKey,
    want: &Want,
    built: &BuiltUnit,
    target: &Target,
    prune: PrunePermission,
    approved: Option<Digest>,
) -> Result<Made, Failure> {
    let basis = Basis::of(shared, node, want, built);
    let acting = target.cluster.acting_as(basis.account.as_ref()).map_err(|error| failure(&error))?;
    let rules = Rules::compile(&basis.policy.field_rules)
        .map_err(|errors| Failure::new(Class::Input, errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))?;
    let facts = acting.facts(node, &built.manifests, &basis.inventory, &rules, &shared.schema).await.map_err(|error| failure(&error))?;
    let others = shared.units.others(node, &target.name);
    let occasion = shared.units.with(node, |memory| match basis.intent(want, prune) {
        Intent::Sync => memory.past().occasion(built.release.as_ref(), built.content, want.pin.is_some()),
        Intent::Remove { .. } => memory.past().removal(),
    });
    let draw = |group: GroupSums, scope: &SyncScope, approvals: &BTreeSet<Digest>| {
        plumb_plan::plan(&PlanInput {
            unit: node,
            intent: basis.intent(want, prune),
            manifests: &built.manifests,
            live: &facts as &Facts,
            others: &others,
            inventory: &basis.inventory,
            policy: &basis.policy,
            schema: &shared.schema,
            build: &basis.build,
            group,
            approvals,
            scope,
            occasion,
        })
    };
    let nobody = BTreeSet::new();
    let whole = draw(GroupSums::default(), &SyncScope::Whole, &nobody);
    let group = group(prune, &whole);
    let judged = if group == GroupSums::default() { whole } else { draw(group, &SyncScope::Whole, &nobody) };
    let held = Held::of(&judged);
    // An approval binds to what was shown: if the world moved since, it is held again under another name.
    let shown = shared.units.with(node, |memory| memory.held.clone());
    let approves = approved.is_some_and(|approved| {
        approved == held.digest || shown.as_ref().is_some_and(|shown| shown.digest == approved && shown.holds == held.holds)
    });
    let rest = |plan: &Plan, deletes: u32| Withheld { digest: held.digest, deletes, holds: heads(plan) };
    if approves {
        let plan = draw(group, &SyncScope::Whole, &held.holds);
        let withheld = (!plan.holds.is_empty()).then(|| rest(&plan, held_deletes(&plan)));
        return Ok(Made { plan, withheld, held, rules, acting });
    }
    if prune == PrunePermission::Withheld && judged.prune.deletes > 0 {
        let objects: BTreeSet<ObjectKey> = built.manifests.iter().map(|manifest| manifest.key.clone()).collect();
        let withheld = Some(rest(&judged, count(judged.prune.deletes)));
        let plan = draw(group, &SyncScope::Partial { objects, prune: false }, &nobody);
        return Ok(Made { plan, withheld, held, rules, acting });
    }
    let withheld = (!judged.holds.is_empty()).then(|| rest(&judged, held_deletes(&judged)));
    Ok(Made { plan: judged, withheld, held, rules, acting })
}

/// Returns what the other units of the same commit delete and own: the core sums over all, the plan adds its own.
fn group(prune: PrunePermission, whole: &Plan) -> GroupSums {
    let PrunePermission::Group { deletes, owned } = prune else { return GroupSums::default() };
    let rest = |sum: u32, own: usize| usize::try_from(sum).unwrap_or(usize::MAX).saturating_sub(own);
    GroupSums { deletes: rest(deletes, whole.prune.deletes), owned: rest(owned, whole.prune.owned) }
}

/// Returns what the core decides by.
pub(crate) fn head(plan: &Plan, held: &Held, content: Digest) -> PlanHead {
    let changes = plan.phases.iter().flat_map(|phase| &phase.operations).filter(|operation| operation.writes()).count();
    PlanHead {
        content,
        digest: held.digest,
        changes: count(changes),
        deletes: count(plan.prune.deletes),
        owned: count(plan.prune.owned),
        holds: heads(plan),
    }
}

fn heads(plan: &Plan) -> Vec<HoldHead> {
    let head =
        |hold: &plumb_plan::Hold| HoldHead { kind: hold.kind, reason: hold.reason.as_str().into(), objects: count(hold.objects.len()) };
    plan.holds.iter().map(head).collect()
}

fn held_deletes(plan: &Plan) -> u32 {
    let held = plan.holds.iter().filter(|hold| matches!(hold.kind, HoldKind::Prune | HoldKind::Evidence));
    count(held.map(|hold| hold.objects.len()).sum())
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// What a plan rests on beside the build and what is live.
struct Basis {
    inventory: Inventory,
    policy: Policy,
    account: Option<ServiceAccountRef>,
    on_delete: OnDelete,
    build: BuildFacts,
}

impl Basis {
    fn of(shared: &Shared, node: &NodeKey, want: &Want, built: &BuiltUnit) -> Self {
        shared.units.with(node, |memory| {
            let unit = want.unit.as_deref();
            // A unit whose declaration is gone is removed as it was declared last.
            let account = unit.map_or_else(|| memory.beside.account.clone(), |unit| unit.target.service_account.clone());
            Self {
                inventory: memory.record.inventory.clone(),
                policy: unit.map_or_else(Policy::standard, |unit| unit.policy.clone()),
                account,
                on_delete: unit.map_or(memory.beside.on_delete.unwrap_or(OnDelete::Orphan), |unit| unit.policy.on_delete),
                build: BuildFacts {
                    incomplete: built.incomplete.clone(),
                    evidence: unit.map(|unit| evidence(unit, want)).unwrap_or_default(),
                    declaration_changed: unit.is_some_and(|unit| memory.beside.spec.is_some_and(|spec| spec != unit.digest)),
                },
            }
        })
    }

    fn intent(&self, want: &Want, prune: PrunePermission) -> Intent {
        if want.delete || want.unit.is_none() {
            Intent::Remove { on_delete: self.on_delete, confirmed: prune == PrunePermission::Ordered }
        } else {
            Intent::Sync
        }
    }
}

/// Returns which revision of which source a build of a want reads.
fn evidence(unit: &Unit, want: &Want) -> Vec<Evidence> {
    let read = |(alias, spec): (&Arc<str>, &SourceSpec)| {
        let (remote, revision) = (spec.remote()?, want.revisions.get(alias)?);
        Some(Evidence { source: super::sources::identity(&remote), commit: revision.commit.clone() })
    };
    unit.sources.iter().filter_map(read).collect()
}

/// The answers of dry runs, by request.
#[derive(Default)]
pub(crate) struct DryRuns {
    answers: Mutex<Vec<(RequestId, Arc<Plan>)>>,
}

impl DryRuns {
    pub(crate) fn keep(&self, request: RequestId, plan: Plan) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.push((request, Arc::new(plan)));
        if answers.len() > REMEMBERED_DRY_RUNS {
            answers.remove(0);
        }
    }

    pub(crate) fn get(&self, request: &RequestId) -> Option<Arc<Plan>> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.iter().find(|(id, _)| id == request).map(|(_, plan)| Arc::clone(plan))
    }
}
