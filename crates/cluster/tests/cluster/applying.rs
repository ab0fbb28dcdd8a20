//! Applying: what is created, configured and left alone, in which order, and what is said when it fails.

use std::time::Duration;

use plumb_cluster::{Class, Cluster, Rate};
use plumb_plan::{Event, ObjectResult, Outcome, UnitHash, applied_fields};
use serde_json::{Value, json};

use crate::support::{App, Bed, config_map, deployment, options, results};

/// What the whole notion of settled values rests on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_field_that_somebody_changed_is_not_in_our_entry_any_more() {
    let bed = Bed::new("scale").await;
    let mut app = bed.app("shop").await;
    app.policy.wait = false;
    assert_eq!(app.sync(vec![deployment("web", 1)]).await.outcome, Outcome::Done);
    let manager = UnitHash::of(&app.unit).manager();
    let holds_replicas = || {
        let live = bed.namespace.json(&["get", "deployment", "web", "--show-managed-fields"]).expect("live");
        applied_fields(&live, &manager).expect("our entry")["f:spec"].get("f:replicas").is_some()
    };
    assert!(holds_replicas());
    bed.namespace.kubectl(&["scale", "deployment/web", "--replicas=2"]).expect("scaled");
    assert!(!holds_replicas());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn creates_configures_and_leaves_alone() {
    let bed = Bed::new("apply").await;
    let mut app = bed.app("shop").await;
    let before = bed.cluster.requests();
    let outcome = app.sync(vec![config_map("a", "1"), config_map("b", "1")]).await;
    assert_eq!(outcome.outcome, Outcome::Done, "{outcome:#?}");
    assert!(outcome.objects.iter().all(|(_, result)| *result == ObjectResult::Created));
    assert_eq!(bed.cluster.requests().writes - before.writes, 3, "two objects and one inventory");

    let outcome = app.sync(vec![config_map("a", "2"), config_map("b", "1")]).await;
    assert_eq!(
        results(&outcome),
        [("ConfigMap/a".to_owned(), ObjectResult::Configured), ("ConfigMap/b".to_owned(), ObjectResult::Unchanged)]
    );
    assert!(outcome.record.inventory.items.iter().all(|item| item.uid.is_some()), "{:?}", outcome.record);

    let before = bed.cluster.requests();
    assert_eq!(app.sync(vec![config_map("a", "2"), config_map("b", "1")]).await.outcome, Outcome::Done);
    assert_eq!(bed.cluster.requests().writes, before.writes, "what stands costs no request");

    // Another process finds the same without writing.
    let mut other = App::new(&bed.again().await, bed.namespace.name(), "shop").await;
    assert_eq!(other.record.inventory.items.len(), 2);
    let plan = other.plan(&[config_map("a", "2"), config_map("b", "1")]).await;
    assert!(plan.is_settled(), "{:#?}", plan.phases);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_sync_begins_nothing_more() {
    let bed = Bed::new("stop").await;
    let mut app = bed.app("shop").await;
    let mut stuck = deployment("stuck", 1);
    stuck["spec"]["template"]["spec"]["nodeSelector"] = json!({"no": "where"});
    let plan = app.plan(&[stuck]).await;
    let (cancel, events) = (app.cancel.clone(), app.events.clone());
    let stop = async {
        // The wait for health is announced; then it is stopped.
        while !events.lock().expect("events").iter().any(|event| matches!(event, Event::Waiting { .. })) {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
        tokio::time::Instant::now()
    };
    let (outcome, stopped) = tokio::join!(app.carry_out(&plan), stop);
    assert!(stopped.elapsed() < Duration::from_secs(2));
    assert_eq!(outcome.outcome, Outcome::Cancelled);
    let outcome = app.carry_out(&plan).await;
    assert_eq!((outcome.outcome, results(&outcome)[0].1.clone()), (Outcome::Cancelled, ObjectResult::Skipped));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_fence_writes_nothing() {
    let bed = Bed::new("fence").await;
    let mut app = bed.app("shop").await;
    let plan = app.plan(&[config_map("a", "1")]).await;
    let mut options = app.options();
    options.fence = std::sync::Arc::new(|| plumb_cluster::FenceState::Lost);
    let before = bed.cluster.requests();
    let outcome = app.acting.sync(&plan, &app.inventories, &options, &|_| ()).await;
    assert_eq!((outcome.outcome, outcome.class()), (Outcome::Failed, Some(Class::Stopped)));
    assert_eq!(bed.cluster.requests().writes, before.writes);
}

fn definition(group: &str) -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": format!("things.{group}")}, "spec": {
        "group": group, "scope": "Namespaced", "names": {"kind": "Thing", "listKind": "ThingList", "plural": "things", "singular": "thing"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "properties": {
            "spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}}}]
    }})
}

fn thing(group: &str, name: &str, size: Value) -> Value {
    json!({"apiVersion": format!("{group}/v1"), "kind": "Thing", "metadata": {"name": name}, "spec": {"size": size}})
}

/// T09: definition, custom resource, binding, workload and webhook in one set, in one pass; and the whole set is pruned again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_that_depends_on_itself_takes_one_pass() {
    let bed = Bed::new("whole").await;
    let mut app = bed.app("shop").await;
    let name = bed.namespace.name().to_owned();
    let group = format!("{name}.example.com");
    let objects = vec![
        thing(&group, "one", json!(1)),
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": name}, "webhooks": [{
            "name": "things.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Ignore", "timeoutSeconds": 1,
            "clientConfig": {"service": {"name": "hook", "namespace": name, "path": "/"}},
            "rules": [{"apiGroups": [group], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["things"]}]},
            // Nothing answers at the Service's address here, so this one refuses whatever it sees: were it there before what it depends on
            // is, that could not be created any more.
            {"name": "early.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail", "timeoutSeconds": 1,
            "clientConfig": {"service": {"name": "hook", "namespace": name, "path": "/"}},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
            "rules": [{"apiGroups": ["", "apps", "discovery.k8s.io", "rbac.authorization.k8s.io"], "apiVersions": ["*"], "operations": ["CREATE"],
                "resources": ["serviceaccounts", "services", "endpointslices", "pods", "replicasets", "deployments", "roles", "rolebindings"]}]}]}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "hook"}, "spec": {"selector": {"app": "hook"}, "ports": [{"port": 443}]}}),
        deployment("hook", 1),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "hook"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "hook"},
            "subjects": [{"kind": "ServiceAccount", "name": "hook", "namespace": name}]}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "hook"},
            "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]}),
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "hook"}}),
        definition(&group),
    ];
    let outcome = app.sync(objects.clone()).await;
    assert_eq!(outcome.outcome, Outcome::Done, "{outcome:#?}");
    assert_eq!(outcome.objects.len(), 8);
    assert!(outcome.objects.iter().all(|(_, result)| *result == ObjectResult::Created), "{:?}", outcome.objects);

    // Gone again, but for the definition: that waits for approval.
    let plan = app.plan(&objects[7..]).await;
    app.approvals.insert(plan.digest);
    let outcome = app.sync(objects[7..].to_vec()).await;
    assert_eq!(outcome.outcome, Outcome::Done, "{outcome:#?}");
    let pruned = outcome.objects.iter().filter(|(_, result)| *result == ObjectResult::Pruned).count();
    assert_eq!(pruned, 7, "{:?}", outcome.objects);
    assert_eq!(outcome.record.inventory.items.len(), 1);
    let left = bed.namespace.kubectl(&["get", "things,deployments,roles,rolebindings", "-o", "name"]).expect("list");
    assert_eq!(left, "");
    bed.namespace.kubectl(&["delete", "crd", &format!("things.{group}")]).expect("deleted");
}

/// T10: there is no annotation that could be too long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_definition_of_a_megabyte_and_a_half_is_applied() {
    let bed = Bed::new("big").await;
    let mut app = bed.app("shop").await;
    let group = format!("{}.example.com", bed.namespace.name());
    let mut big = definition(&group);
    let properties: serde_json::Map<String, Value> =
        (0..1_000).map(|at| (format!("field{at}"), json!({"type": "string", "description": "x".repeat(1_450)}))).collect();
    big["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"] = Value::Object(properties);
    assert!(big.to_string().len() > 1_450_000);
    let mut one = thing(&group, "one", Value::Null);
    one["spec"] = json!({"field999": "x"});
    let outcome = app.sync(vec![big, one]).await;
    bed.namespace.kubectl(&["delete", "crd", &format!("things.{group}")]).expect("deleted");
    assert_eq!(outcome.outcome, Outcome::Done, "{:?}", outcome.failures);
}

/// T09: five mistakes are five errors at once, whatever phase they are in, and what is right is applied.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_mistakes_are_five_errors() {
    let bed = Bed::new("five").await;
    let mut app = bed.app("shop").await;
    let mut no_image = deployment("b", 1);
    no_image["spec"]["template"]["spec"]["containers"][0]["name"] = json!("No Name");
    let mut no_selector = deployment("c", 1);
    no_selector["spec"]["selector"]["matchLabels"] = json!({"app": "else"});
    let objects = vec![
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"key": 5}}),
        no_image,
        no_selector,
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "d"}, "spec": {"ports": [{"port": 99_999}]}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "e"}, "spec": {"prots": [{"port": 80}]}}),
        config_map("fine", "1"),
    ];
    let outcome = app.sync(objects).await;
    assert_eq!((outcome.outcome, outcome.class()), (Outcome::Failed, Some(Class::Invalid)), "{outcome:#?}");
    let mut wrong: Vec<&str> = outcome.failures.iter().filter_map(|failure| failure.key.as_ref()).map(|key| &*key.name).collect();
    wrong.sort_unstable();
    assert_eq!(wrong, ["a", "b", "c", "d", "e"], "{:#?}", outcome.failures);
    assert!(outcome.failures.iter().all(|failure| failure.class == Class::Invalid), "{:#?}", outcome.failures);
    bed.namespace.kubectl(&["get", "configmap", "fine"]).expect("what is right is there");
    let broken = results(&outcome);
    assert!(broken.contains(&("ConfigMap/fine".to_owned(), ObjectResult::Created)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kind_that_is_not_served_is_named() {
    let bed = Bed::new("unknown").await;
    let mut app = bed.app("shop").await;
    let outcome = app.sync(vec![thing("nowhere.example.com", "x", json!(1)), config_map("fine", "1")]).await;
    assert_eq!(outcome.outcome, Outcome::Failed);
    let messages: Vec<&str> = outcome.failures.iter().map(|failure| failure.message.as_str()).collect();
    assert_eq!(
        messages,
        ["the cluster does not serve nowhere.example.com/v1 Thing; apply its CustomResourceDefinition, or name a version that it serves"]
    );
}

/// T28: a cluster that may be asked rarely is asked rarely, and everything is done in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_pace_is_kept_and_ends() {
    let bed = Bed::new("pace").await;
    let mut slow = options(bed.access.kubeconfig(), &bed.installation);
    slow.rate = Rate { per_second: 100.0, burst: 10 };
    let cluster = Cluster::connect(slow).await.expect("connected");
    let mut app = App::new(&cluster, bed.namespace.name(), "shop").await;
    let objects: Vec<Value> = (0..200).map(|at| config_map(&format!("m{at}"), "1")).collect();
    let plan = app.plan(&objects).await;
    let (begun, before) = (tokio::time::Instant::now(), cluster.requests());
    let outcome = app.carry_out(&plan).await;
    assert_eq!(outcome.outcome, Outcome::Done);
    let sent = cluster.requests().writes - before.writes;
    assert_eq!(sent, 201);
    assert!(begun.elapsed() >= Duration::from_millis((sent - 10) * 10 - 100), "{:?}", begun.elapsed());
}

/// What admission makes of a manifest is said once, and is not drift.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_admission_changes_is_settled() {
    let bed = Bed::new("admit").await;
    let mut app = bed.app("shop").await;
    app.policy.wait = false;
    let mut pod = deployment("web", 0);
    pod["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"limits": {"memory": "1024Mi"}});
    let outcome = app.sync(vec![pod.clone()]).await;
    assert_eq!(outcome.outcome, Outcome::Done, "{outcome:#?}");
    assert!(outcome.admission.is_empty(), "another spelling of a quantity is no change: {:?}", outcome.admission);
    assert!(app.plan(&[pod]).await.is_settled());
}
