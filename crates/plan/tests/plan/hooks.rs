//! Owns the tests of hooks in plans: which run on which occasion, in which order, and what comes before and after them.

use std::sync::Arc;

use plumb_manifest::{Hook, HookDelete, Moment, Role};
use plumb_plan::{Intent, Occasion};
use plumb_unit::OnDelete;
use serde_json::{Value, json};

use crate::set::{Set, config, manifest};

fn job(name: &str) -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "team-a"}})
}

fn hook(set: &mut Set, object: &Value, weight: i64, moments: &[Moment]) {
    let delete = HookDelete { before: true, succeeded: false, failed: false };
    let hook = Hook { moments: moments.iter().copied().collect(), weight, delete };
    let manifest = Arc::unwrap_or_clone(manifest(object));
    set.manifests.push(Arc::new(manifest.with_role(Role::Hook(Arc::new(hook)))));
}

/// A chart as CrunchyData's and GitLab's: migrations before an upgrade, seeds after an installation, both in two steps (T18 of the complaints).
fn chart() -> Set {
    let mut set = Set::wanting(&[config("web")]);
    let crd =
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "shops.example.com"}});
    set.manifests.push(Arc::new(Arc::unwrap_or_clone(manifest(&crd)).with_role(Role::Base)));
    hook(&mut set, &job("late"), 5, &[Moment::PreInstall, Moment::PreUpgrade]);
    hook(&mut set, &config("needed"), -5, &[Moment::PreInstall, Moment::PreUpgrade]);
    hook(&mut set, &job("migrate"), 0, &[Moment::PreUpgrade]);
    hook(&mut set, &job("seed"), 0, &[Moment::PostInstall]);
    hook(&mut set, &job("undo"), 0, &[Moment::PreRollback]);
    set
}

#[test]
fn t18_an_installation_runs_its_hooks_by_weight_around_everything_else() {
    let mut set = chart();
    set.occasion = Some(Occasion::Install);
    assert_eq!(
        set.phases(),
        [
            "base after [] -> established: + CustomResourceDefinition/shops.example.com",
            "pre-install after [base] -> hooks: run ConfigMap/needed run Job/late",
            "configuration after [pre-install] -> accepted: + ConfigMap/web",
            "health after [base,pre-install,configuration] -> healthy(2): ",
            "post-install after [health] -> hooks: run Job/seed",
        ]
    );
}

#[test]
fn t18_an_upgrade_and_a_rollback_run_theirs() {
    let mut set = chart();
    set.occasion = Some(Occasion::Upgrade);
    let phases = set.phases();
    assert_eq!(phases[1], "pre-upgrade after [base] -> hooks: run ConfigMap/needed run Job/migrate run Job/late");
    assert!(!phases.iter().any(|phase| phase.contains("seed")), "{phases:?}");
    set.occasion = Some(Occasion::Rollback);
    assert_eq!(set.phases()[1], "pre-rollback after [base] -> hooks: run Job/undo");
}

#[test]
fn without_an_occasion_no_hook_runs_and_none_is_applied() {
    let set = chart();
    assert_eq!(
        set.phases(),
        [
            "definitions after [] -> established: + CustomResourceDefinition/shops.example.com",
            "configuration after [] -> accepted: + ConfigMap/web",
            "health after [definitions,configuration] -> healthy(2): ",
        ]
    );
}

#[test]
fn a_hook_is_not_owned() {
    let mut set = chart();
    set.occasion = Some(Occasion::Install);
    let plan = set.plan();
    assert_eq!(plan.inventory_before.items.len(), 2, "{:?}", plan.inventory_before);
    assert!(!plan.is_settled());
}

#[test]
fn a_removal_runs_its_hooks_around_the_deletion_once_that_may_go_on() {
    let mut set = Set::new();
    set.own(&config("web"));
    hook(&mut set, &job("backup"), 0, &[Moment::PreDelete]);
    hook(&mut set, &job("farewell"), 0, &[Moment::PostDelete]);
    set.occasion = Some(Occasion::Removal);
    set.intent = Intent::Remove { on_delete: OnDelete::Delete, confirmed: true };
    assert_eq!(
        set.phases(),
        [
            "pre-delete after [] -> hooks: run Job/backup",
            "prune-configuration after [pre-delete] -> gone: delete ConfigMap/web",
            "post-delete after [prune-configuration] -> hooks: run Job/farewell",
        ]
    );
    // The last object of a unit is not deleted unasked: until somebody approves, no hook runs either.
    set.intent = Intent::Remove { on_delete: OnDelete::Delete, confirmed: false };
    let plan = set.plan();
    assert_eq!((plan.holds.len(), plan.operations().count()), (1, 0));
    set.approvals.insert(plan.digest);
    assert_eq!(set.phases().len(), 3, "an approval of the plan shown lets its hooks run");
    set.intent = Intent::Remove { on_delete: OnDelete::Orphan, confirmed: true };
    assert!(set.phases().iter().all(|phase| !phase.contains("Job")), "objects that stay need no farewell");
}
