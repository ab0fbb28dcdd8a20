//! Taking objects over: from kubectl, Helm and nobody, with consent; and leaving them as they are without.

use plumb_cluster::Adopt;
use plumb_plan::{ObjectResult, Outcome, UnitHash};
use serde_json::{Value, json};

use crate::support::{Bed, config_map};

fn two_fields(name: &str) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"old": "label"}}, "data": {"key": "theirs", "dropped": "x"}}).to_string()
}

fn live(bed: &Bed, name: &str) -> Value {
    bed.namespace.json(&["get", "configmap", name, "--show-managed-fields"]).expect("live")
}

/// T12: what kubectl applied is told, left alone, adopted on consent, and a field that Git does not have is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_kubectl_applied_is_adopted_on_consent() {
    let bed = Bed::new("adopt").await;
    let mut app = bed.app("shop").await;
    bed.namespace.apply(&two_fields("a")).expect("applied");
    let before = live(&bed, "a");

    let outcome = app.sync(vec![config_map("a", "ours")]).await;
    assert_eq!(outcome.outcome, Outcome::Failed);
    let adoption = &outcome.adoptions[0];
    assert_eq!(adoption.managers, ["kubectl-client-side-apply"]);
    assert_eq!(adoption.fields, [".data.key"]);
    assert_eq!(live(&bed, "a"), before, "left as it is");

    app.adopt = Adopt::Objects([adoption.key.clone()].into());
    let outcome = app.sync(vec![config_map("a", "ours")]).await;
    assert_eq!(outcome.outcome, Outcome::Done, "{outcome:#?}");
    assert_eq!(outcome.taken[0].1, ["kubectl-client-side-apply"]);
    let now = live(&bed, "a");
    assert_eq!(now["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(now["data"], json!({"key": "ours"}), "no orphaned field");
    assert!(now["metadata"]["labels"].get("old").is_none());
    assert!(now["metadata"]["annotations"].get("kubectl.kubernetes.io/last-applied-configuration").is_none());
    let managers: Vec<&str> =
        now["metadata"]["managedFields"].as_array().expect("fields").iter().filter_map(|entry| entry["manager"].as_str()).collect();
    assert_eq!(managers, [UnitHash::of(&app.unit).manager()]);
    app.adopt = Adopt::Nothing;
    assert!(app.plan(&[config_map("a", "ours")]).await.is_settled());
}

/// Equal values are no conflict: the server takes the apply. It is taken back exactly, and asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_apply_without_conflict_on_a_strangers_object_is_taken_back() {
    let bed = Bed::new("equal").await;
    let mut app = bed.app("shop").await;
    bed.namespace.apply(&two_fields("a")).expect("applied");
    let mut before = live(&bed, "a");
    let outcome = app.sync(vec![config_map("a", "theirs")]).await;
    assert_eq!((outcome.outcome, outcome.adoptions.len()), (Outcome::Failed, 1), "{outcome:#?}");
    assert_eq!(
        (outcome.adoptions[0].managers.clone(), outcome.adoptions[0].fields.len()),
        (vec!["kubectl-client-side-apply".to_owned()], 0)
    );
    let mut now = live(&bed, "a");
    for object in [&mut before, &mut now] {
        object["metadata"]["resourceVersion"] = Value::Null;
    }
    assert_eq!(now, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_of_helm_and_of_nobody_are_taken() {
    let bed = Bed::new("helm").await;
    let mut app = bed.app("shop").await;
    std::fs::write(bed.access.directory().join(format!("{}.json", bed.installation)), two_fields("helm")).expect("file");
    let file = bed.access.directory().join(format!("{}.json", bed.installation));
    bed.namespace.kubectl(&["create", "--field-manager=helm", "-f", &file.display().to_string()]).expect("created");
    bed.namespace.apply(&two_fields("nobody")).expect("applied");
    bed.namespace
        .kubectl(&[
            "patch",
            "configmap",
            "nobody",
            "--type=json",
            "-p",
            r#"[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]"#,
        ])
        .expect("patched");
    app.adopt = Adopt::Everything;
    let outcome = app.sync(vec![config_map("helm", "1"), config_map("nobody", "1"), config_map("new", "1")]).await;
    assert_eq!(outcome.outcome, Outcome::Done, "{outcome:#?}");
    for name in ["helm", "nobody"] {
        assert_eq!(live(&bed, name)["data"], json!({"key": "1"}), "{name}");
    }
}

/// Somebody took the stamps off what is ours: it is not a stranger's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lost_its_stamps_is_still_ours() {
    let bed = Bed::new("stamps").await;
    let mut app = bed.app("shop").await;
    assert_eq!(app.sync(vec![config_map("a", "1")]).await.outcome, Outcome::Done);
    let before = live(&bed, "a");
    bed.namespace.kubectl(&["label", "configmap", "a", "plumb.dev/unit-", "plumb.dev/installation-"]).expect("unlabelled");
    bed.namespace.kubectl(&["patch", "configmap", "a", "-p", r#"{"data":{"key":"2"}}"#]).expect("patched");
    let key = app.manifest(&config_map("a", "1")).key.clone();
    while app.acting.cluster().object(&key).is_some() {
        tokio::task::yield_now().await;
    }
    let outcome = app.sync(vec![config_map("a", "1")]).await;
    assert_eq!(outcome.outcome, Outcome::Done, "{outcome:#?}");
    assert_eq!(outcome.objects[0].1, ObjectResult::Configured);
    let now = live(&bed, "a");
    assert_eq!((&now["metadata"]["uid"], &now["data"]["key"]), (&before["metadata"]["uid"], &json!("1")));
    assert!(now["metadata"]["labels"].get("plumb.dev/unit").is_some());
}
