//! Removing: only what the plan meant, only while it is that, and releasing instead of deleting.

use std::collections::BTreeMap;

use plumb_plan::{Claim, ObjectResult, Operation, Outcome, Plan, UnitHash, Wants};
use serde_json::json;

use crate::support::{App, Bed, config_map, deployment, results};

async fn two(bed: &Bed) -> App {
    let mut app = bed.app("shop").await;
    assert_eq!(app.sync(vec![config_map("a", "1"), config_map("b", "1")]).await.outcome, Outcome::Done);
    app
}

fn deletes(plan: &Plan) -> Vec<String> {
    plan.operations()
        .filter(|operation| matches!(operation, Operation::Delete { .. }))
        .map(|operation| operation.key().name.to_string())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_git_dropped_is_pruned() {
    let bed = Bed::new("prune").await;
    let mut app = two(&bed).await;
    let outcome = app.sync(vec![config_map("a", "1")]).await;
    assert_eq!(outcome.outcome, Outcome::Done, "{outcome:#?}");
    assert_eq!(results(&outcome), [("ConfigMap/a".to_owned(), ObjectResult::Unchanged), ("ConfigMap/b".to_owned(), ObjectResult::Pruned)]);
    assert!(bed.namespace.kubectl(&["get", "configmap", "b"]).is_err());
    assert_eq!(app.inventories.load().await.expect("loaded").records[0].inventory.items.len(), 1);
}

/// Changed since the plan was made, but still ours: judged again, and deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_in_between_is_judged_again() {
    let bed = Bed::new("rejudge").await;
    let mut app = two(&bed).await;
    let plan = app.plan(&[config_map("a", "1")]).await;
    assert_eq!(deletes(&plan), ["b"]);
    bed.namespace.kubectl(&["annotate", "configmap", "b", "some=thing"]).expect("annotated");
    assert_eq!(app.carry_out(&plan).await.outcome, Outcome::Done);
    assert!(bed.namespace.kubectl(&["get", "configmap", "b"]).is_err());
}

/// Somebody deleted it and made another one of that name: the other one stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_of_the_same_name_is_not_the_same_object() {
    let bed = Bed::new("samename").await;
    let mut app = two(&bed).await;
    let plan = app.plan(&[config_map("a", "1")]).await;
    bed.namespace.kubectl(&["delete", "configmap", "b"]).expect("deleted");
    bed.namespace.kubectl(&["create", "configmap", "b", "--from-literal=key=other"]).expect("created");
    let outcome = app.carry_out(&plan).await;
    assert_eq!((outcome.outcome, results(&outcome)[1].1.clone()), (Outcome::Done, ObjectResult::Pruned));
    assert_eq!(bed.namespace.json(&["get", "configmap", "b"]).expect("other")["data"]["key"], "other");
}

/// It became somebody else's, or asked to stay, after the plan was made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_ours_any_more_is_left() {
    let bed = Bed::new("left").await;
    let mut app = two(&bed).await;
    let plan = app.plan(&[config_map("a", "1")]).await;
    bed.namespace.kubectl(&["annotate", "configmap", "b", "plumb.dev/prune=disabled"]).expect("annotated");
    let key = app.manifest(&config_map("b", "1")).key.clone();
    let outcome = app.carry_out(&plan).await;
    assert_eq!((outcome.outcome, results(&outcome)[1].1.clone()), (Outcome::Done, ObjectResult::Forgotten), "{outcome:#?}");
    bed.namespace.kubectl(&["get", "configmap", "b"]).expect("still there");
    assert!(!outcome.record.inventory.items.iter().any(|item| item.key == key));
}

/// A finalizer holds the object: the sync waits until it is gone, and the inventory names it until then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_going_is_waited_for() {
    let bed = Bed::new("going").await;
    let mut app = bed.app("shop").await;
    let mut held = config_map("b", "1");
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    assert_eq!(app.sync(vec![config_map("a", "1"), held]).await.outcome, Outcome::Done);
    let plan = app.plan(&[config_map("a", "1")]).await;
    let key = app.manifest(&config_map("b", "1")).key.clone();
    let cluster = app.acting.cluster().clone();
    let lift = async {
        while cluster.object(&key).is_none_or(|object| !object.deleting) {
            tokio::task::yield_now().await;
        }
        bed.namespace.kubectl(&["patch", "configmap", "b", "-p", r#"{"metadata":{"finalizers":null}}"#]).expect("lifted");
    };
    let (outcome, ()) = tokio::join!(app.carry_out(&plan), lift);
    assert_eq!(outcome.outcome, Outcome::Done, "{outcome:#?}");
    assert_eq!(outcome.record.inventory.items.len(), 1);
}

/// T14: an object that moves from one unit to another keeps its UID; the first unit forgets it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moved_object_keeps_its_uid() {
    let bed = Bed::new("move").await;
    let mut first = bed.app("first").await;
    let mut second = bed.app("second").await;
    let mut old = deployment("web", 0);
    old["metadata"]["annotations"] = json!({"only": "first"});
    assert_eq!(first.sync(vec![config_map("a", "1"), old.clone()]).await.outcome, Outcome::Done);
    let uid = bed.namespace.json(&["get", "deployment", "web"]).expect("live")["metadata"]["uid"].clone();
    let key = first.manifest(&old).key.clone();

    // While the first unit wants it, the second is told whose it is.
    let claim = |wants| BTreeMap::from([(key.clone(), vec![Claim { unit: first.unit.clone(), owns: true, wants }])]);
    let refused = second.plan_beside(&[deployment("web", 0)], &claim(Wants::Yes)).await;
    assert_eq!(refused.holds.len(), 1);
    let plan = second.plan_beside(&[deployment("web", 0)], &claim(Wants::No)).await;
    let outcome = second.carry_out(&plan).await;
    assert_eq!(outcome.outcome, Outcome::Done, "{outcome:#?}");
    assert_eq!(outcome.taken[0].1, [UnitHash::of(&first.unit).manager()]);
    let live = bed.namespace.json(&["get", "deployment", "web"]).expect("live");
    assert_eq!(live["metadata"]["uid"], uid);
    assert_eq!(live["metadata"]["labels"]["plumb.dev/unit"], UnitHash::of(&second.unit).to_string());
    assert!(live["metadata"]["annotations"].get("only").is_none(), "what only the first declared is gone");

    let taken = BTreeMap::from([(key.clone(), vec![Claim { unit: second.unit.clone(), owns: true, wants: Wants::Yes }])]);
    let plan = first.plan_beside(&[config_map("a", "1")], &taken).await;
    let outcome = first.carry_out(&plan).await;
    assert_eq!(
        (outcome.outcome, results(&outcome).last().map(|last| last.1.clone())),
        (Outcome::Done, Some(ObjectResult::Forgotten)),
        "{outcome:#?}"
    );
    assert_eq!(bed.namespace.json(&["get", "deployment", "web"]).expect("live")["metadata"]["uid"], uid);
}

/// Released objects stay as they are, without a trace of us.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_released_object_stays() {
    let bed = Bed::new("release").await;
    let mut app = two(&bed).await;
    bed.namespace.kubectl(&["annotate", "configmap", "b", "plumb.dev/prune=disabled"]).expect("annotated");
    let key = app.manifest(&config_map("b", "1")).key.clone();
    let mut plan = app.plan(&[config_map("a", "1")]).await;
    let release = Operation::Release { key: key.clone(), version: "v1".to_owned() };
    for operation in plan.phases.iter_mut().flat_map(|phase| &mut phase.operations).filter(|operation| *operation.key() == key) {
        *operation = release.clone();
    }
    let outcome = app.carry_out(&plan).await;
    assert_eq!((outcome.outcome, results(&outcome)[1].1.clone()), (Outcome::Done, ObjectResult::Released), "{outcome:#?}");
    let live = bed.namespace.json(&["get", "configmap", "b", "--show-managed-fields"]).expect("live");
    assert_eq!(live["data"]["key"], "1");
    assert!(!live.to_string().replace("plumb.dev/prune", "").contains("plumb"), "{live:#}");
}
