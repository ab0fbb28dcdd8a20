//! Watching: drift is seen with who made it, and only drift; what is put right is exactly what was changed.

use plumb_cluster::Observation;
use plumb_plan::{HealthStatus, ObjectResult, Outcome};
use serde_json::json;

use crate::support::{Bed, config_map, deployment, observed};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manual_edit_is_seen_named_and_put_right() {
    let bed = Bed::new("drift").await;
    let mut app = bed.app("shop").await;
    let mut observations = bed.cluster.observe();
    let outcome = app.sync(vec![deployment("web", 1)]).await;
    assert_eq!(outcome.outcome, Outcome::Done, "{outcome:#?}");
    let key = outcome.objects[0].0.clone();

    // An edit of a managed field, of one that is not ours, and an annotation that nobody declared.
    let script = r#"sed -i -e "s/web:1/web:9/" -e "s/^  progressDeadlineSeconds: .*/  progressDeadlineSeconds: 77/" -e "s/^  annotations:/  annotations:\n    by: hand/" "$0""#;
    let edited = bed
        .access
        .command()
        .args(["-n", bed.namespace.name(), "edit", "deployment", "web"])
        .env("KUBE_EDITOR", format!("sh -c '{script}'"))
        .output();
    let edited = edited.expect("edited");
    assert!(edited.status.success(), "{edited:?}");
    let changes = observed(&mut observations, |observation| match observation {
        Observation::Drifted { key: drifted, changes, unit } => {
            assert_eq!((drifted, *unit), (&key, Some(plumb_plan::UnitHash::of(&app.unit))));
            Some(changes.clone())
        }
        // The roll-out went by without a word of drift: what we write ourselves is none.
        _ => None,
    })
    .await;
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(changes[0].path.to_string(), "spec.template.spec.containers[name=main].image");
    assert_eq!(changes[0].old, Some(json!("registry.example.com/web:1")));
    assert_eq!(changes[0].new, Some(json!("registry.example.com/web:9")));
    assert_eq!(changes[0].manager.as_deref(), Some("kubectl-edit"));

    let outcome = app.sync(vec![deployment("web", 1)]).await;
    assert_eq!((outcome.outcome, outcome.objects[0].1.clone()), (Outcome::Done, ObjectResult::Configured), "{outcome:#?}");
    let live = bed.namespace.json(&["get", "deployment", "web"]).expect("live");
    assert_eq!(live["spec"]["template"]["spec"]["containers"][0]["image"], "registry.example.com/web:1");
    assert_eq!(live["spec"]["progressDeadlineSeconds"], 77, "what we do not manage stays");
    assert_eq!(live["metadata"]["annotations"]["by"], "hand");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revert_by_hand_and_a_deletion_are_seen() {
    let bed = Bed::new("seen").await;
    let mut app = bed.app("shop").await;
    let mut observations = bed.cluster.observe();
    assert_eq!(app.sync(vec![config_map("a", "1")]).await.outcome, Outcome::Done);
    bed.namespace.kubectl(&["patch", "configmap", "a", "-p", r#"{"data":{"key":"2"}}"#]).expect("patched");
    observed(&mut observations, |observation| matches!(observation, Observation::Drifted { .. }).then_some(())).await;
    bed.namespace.kubectl(&["patch", "configmap", "a", "-p", r#"{"data":{"key":"1"}}"#]).expect("patched");
    observed(&mut observations, |observation| matches!(observation, Observation::Restored { .. }).then_some(())).await;
    bed.namespace.kubectl(&["delete", "configmap", "a"]).expect("deleted");
    observed(&mut observations, |observation| matches!(observation, Observation::Deleted { key, .. } if &*key.name == "a").then_some(()))
        .await;
    let outcome = app.sync(vec![config_map("a", "1")]).await;
    assert_eq!(outcome.objects[0].1, ObjectResult::Created);
}

/// Drift that happened while nobody watched is found by the next process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_from_before_the_start_is_found() {
    let bed = Bed::new("before").await;
    let objects = vec![config_map("a", "1"), deployment("web", 0)];
    {
        let mut app = bed.app("shop").await;
        app.policy.wait = false;
        assert_eq!(app.sync(objects.clone()).await.outcome, Outcome::Done);
    }
    bed.namespace.kubectl(&["patch", "configmap", "a", "-p", r#"{"data":{"key":"2"}}"#]).expect("patched");
    let mut app = crate::support::App::new(&bed.again().await, bed.namespace.name(), "shop").await;
    app.policy.wait = false;
    let outcome = app.sync(objects).await;
    let results: Vec<_> = outcome.objects.iter().map(|(key, result)| (&*key.name, result.clone())).collect();
    assert_eq!(results, [("a", ObjectResult::Configured), ("web", ObjectResult::Unchanged)], "{outcome:#?}");
}

/// Replicas that an autoscaler sets are its right: no drift, and an apply leaves them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_autoscaler_has_its_replicas() {
    let bed = Bed::new("hpa").await;
    let mut app = bed.app("shop").await;
    app.policy.wait = false;
    let mut observations = bed.cluster.observe();
    assert_eq!(app.sync(vec![deployment("web", 1)]).await.outcome, Outcome::Done);
    bed.namespace.kubectl(&["autoscale", "deployment", "web", "--min=2", "--max=3", "--cpu=50%"]).expect("autoscaled");
    bed.namespace.kubectl(&["wait", "deployment/web", "--for=jsonpath={.spec.replicas}=2", "--timeout=60s"]).expect("scaled");
    bed.namespace.kubectl(&["label", "deployment", "web", "app=other", "--overwrite"]).expect("labelled");
    // The label is drift; the replicas, changed before it, are not.
    observed(&mut observations, |observation| match observation {
        Observation::Drifted { changes, .. } => {
            assert!(changes.iter().all(|change| change.path.to_string() != "spec.replicas"), "{changes:?}");
            Some(())
        }
        _ => None,
    })
    .await;
    let mut next = deployment("web", 1);
    next["metadata"]["annotations"] = json!({"version": "2"});
    assert_eq!(app.sync(vec![next.clone()]).await.outcome, Outcome::Done);
    assert_eq!(bed.namespace.json(&["get", "deployment", "web"]).expect("live")["spec"]["replicas"], 2);

    // And so it is for the next process.
    let mut other = crate::support::App::new(&bed.again().await, bed.namespace.name(), "shop").await;
    assert!(other.plan(&[next]).await.is_settled());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_told_as_it_changes() {
    let bed = Bed::new("health").await;
    let mut app = bed.app("shop").await;
    app.policy.wait = false;
    let mut observations = bed.cluster.observe();
    assert_eq!(app.sync(vec![deployment("web", 2)]).await.outcome, Outcome::Done);
    observed(&mut observations, |observation| match observation {
        Observation::Health { health, .. } => (health.status == HealthStatus::Healthy).then_some(()),
        _ => None,
    })
    .await;
    let states = bed.cluster.objects_of(&app.unit);
    assert_eq!((states.len(), states[0].health.status), (1, HealthStatus::Healthy));
    let children = app.acting.children(bed.namespace.name(), &[states[0].uid.clone()]).await.expect("children");
    let kinds: Vec<&str> = children.iter().map(|child| &*child.key.kind).collect();
    assert_eq!(kinds, ["ReplicaSet", "Pod", "Pod"]);
    let events = app.acting.events(&states[0].key, &states[0].uid).await.expect("events");
    assert!(events.iter().any(|event| event.reason == "ScalingReplicaSet"), "{events:?}");
    let live = app.acting.live(&[(states[0].key.clone(), "v1".to_owned())]).await;
    assert!(live[0].as_ref().is_ok_and(Option::is_some));
}

/// Nothing of what is not stamped is kept, and kinds come and go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_stamped_objects_of_watched_kinds_are_kept() {
    let bed = Bed::new("kept").await;
    let mut app = bed.app("shop").await;
    for at in 0..5 {
        bed.namespace.kubectl(&["create", "configmap", &format!("foreign{at}")]).expect("created");
    }
    assert_eq!(app.sync(vec![config_map("a", "1")]).await.outcome, Outcome::Done);
    assert_eq!(bed.cluster.index_size().objects, 1);
    let kind = app.manifest(&config_map("a", "1")).gvk.clone();
    assert!(bed.cluster.watched().contains(&kind));
    bed.cluster.watch_only(&Default::default());
    assert_eq!((bed.cluster.index_size().objects, bed.cluster.watched().len()), (0, 0));
    bed.cluster.watch([kind.clone()]);
    bed.cluster.synced(&kind).await.expect("synced");
    assert_eq!(bed.cluster.index_size().objects, 1);
}
