//! Owns the health table, and the comparison with Argo CD's own cases where the shared corpus is present.

use std::collections::BTreeMap;
use std::path::Path;

use plumb_manifest::ObjectKey;
use plumb_plan::{Health, HealthStatus, health, worst};
use serde_json::{Value, json};

use HealthStatus::{Degraded, Healthy, Progressing, Suspended, Unknown};

fn of(api_version: &str, kind: &str, rest: Value) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "web", "generation": 2}});
    for (name, value) in rest.as_object().unwrap() {
        if name == "metadata" {
            for (name, value) in value.as_object().unwrap() {
                object["metadata"][name] = value.clone();
            }
        } else {
            object[name] = value.clone();
        }
    }
    object
}

fn check(api_version: &str, kind: &str, table: &[(Value, HealthStatus, &str)]) {
    for (rest, status, message) in table {
        let got = health(&of(api_version, kind, rest.clone()));
        assert_eq!((got.status, got.message.as_str()), (*status, *message), "{kind} {rest}");
    }
}

fn conditions(list: &[(&str, &str, &str, &str)]) -> Value {
    list.iter()
        .map(|(kind, status, reason, message)| json!({"type": kind, "status": status, "reason": reason, "message": message}))
        .collect()
}

#[test]
fn any_kind_by_kstatus() {
    check(
        "example.com/v1",
        "Widget",
        &[
            (json!({}), Healthy, ""),
            (json!({"status": {"observedGeneration": 2}}), Healthy, ""),
            (json!({"status": {"observedGeneration": 1}}), Progressing, "Widget generation is 2, but latest observed generation is 1"),
            (json!({"status": {"conditions": conditions(&[("Ready", "True", "", "fine")])}}), Healthy, "fine"),
            (json!({"status": {"conditions": conditions(&[("Ready", "False", "", "not yet")])}}), Progressing, "not yet"),
            (json!({"status": {"conditions": conditions(&[("Ready", "Unknown", "", "who knows")])}}), Progressing, "who knows"),
            (
                json!({"status": {"conditions": conditions(&[("Ready", "True", "", ""), ("Reconciling", "True", "", "working")])}}),
                Progressing,
                "working",
            ),
            (
                json!({"status": {"conditions": conditions(&[("Ready", "False", "", ""), ("Stalled", "True", "", "stuck")])}}),
                Degraded,
                "stuck",
            ),
            (json!({"status": {"conditions": conditions(&[("Stalled", "False", "", "")])}}), Healthy, ""),
            (json!({"status": {"conditions": "odd"}}), Healthy, ""),
            (json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}), Progressing, "Pending deletion"),
            (
                json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["example.com/backup"]}}),
                Progressing,
                "Pending deletion: waits for example.com/backup",
            ),
            (
                json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": {"phase": "Terminating", "conditions": [
                    {"type": "NamespaceDeletionContentFailure", "status": "False", "message": "all went well"},
                    {"type": "NamespaceFinalizersRemaining", "status": "True", "message": "example.com/x in 2 resource instances"},
                ]}}),
                Progressing,
                "Pending deletion: example.com/x in 2 resource instances",
            ),
            (
                json!({"metadata": {"annotations": {"argocd.argoproj.io/ignore-healthcheck": "true"}}, "status": {"observedGeneration": 1}}),
                Healthy,
                "",
            ),
        ],
    );
}

#[test]
fn deployments() {
    let status = |replicas: i64, updated: i64, ready: i64, available: i64| {
        json!({"spec": {"replicas": 2}, "status": {"observedGeneration": 2, "replicas": replicas, "updatedReplicas": updated, "readyReplicas": ready,
            "availableReplicas": available, "conditions": conditions(&[("Available", "True", "", "")])}})
    };
    check(
        "apps/v1",
        "Deployment",
        &[
            (status(2, 2, 2, 2), Healthy, ""),
            (json!({"spec": {"replicas": 0}}), Progressing, "Deployment has not been observed by its controller yet"),
            (
                json!({"spec": {"replicas": 0}, "status": {"observedGeneration": 2, "conditions": conditions(&[("Available", "True", "", "")])}}),
                Healthy,
                "",
            ),
            (json!({"spec": {"replicas": 0}, "status": {"observedGeneration": 2}}), Healthy, ""),
            (status(1, 1, 1, 1), Progressing, "updated: 1/2"),
            (status(3, 2, 3, 3), Progressing, "1 old replicas are pending termination"),
            (status(3, 3, 3, 3), Progressing, "1 replicas are pending termination"),
            (status(2, 2, 2, 1), Progressing, "available: 1/2"),
            (status(2, 2, 1, 2), Progressing, "ready: 1/2"),
            (json!({"spec": {"paused": true}}), Suspended, "Deployment is paused"),
            (
                json!({"status": {"observedGeneration": 2, "conditions": conditions(&[("Progressing", "False", "ProgressDeadlineExceeded", "")])}}),
                Degraded,
                "Deployment \"web\" exceeded its progress deadline",
            ),
            (
                json!({"status": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
                    "conditions": conditions(&[("Available", "False", "", "minimum availability")])}}),
                Progressing,
                "minimum availability",
            ),
        ],
    );
}

#[test]
fn stateful_sets() {
    let set = |spec: Value, status: Value| json!({"spec": spec, "status": status});
    check(
        "apps/v1",
        "StatefulSet",
        &[
            (json!({}), Progressing, "StatefulSet has not been observed by its controller yet"),
            (set(json!({"replicas": 2}), json!({"observedGeneration": 2, "replicas": 2, "readyReplicas": 1})), Progressing, "ready: 1/2"),
            (
                set(json!({"replicas": 1}), json!({"observedGeneration": 2, "replicas": 2, "readyReplicas": 2})),
                Progressing,
                "1 replicas are pending termination",
            ),
            (
                set(
                    json!({"replicas": 2}),
                    json!({"observedGeneration": 2, "replicas": 2, "readyReplicas": 2, "updatedReplicas": 1, "updateRevision": "b", "currentRevision": "a"}),
                ),
                Progressing,
                "updated: 1/2",
            ),
            (
                set(json!({"replicas": 2}), json!({"observedGeneration": 2, "replicas": 2, "readyReplicas": 2})),
                Healthy,
                "statefulset has 2 ready pods",
            ),
            (
                set(
                    json!({"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 1}}}),
                    json!({"observedGeneration": 2, "replicas": 3, "readyReplicas": 3, "updatedReplicas": 1}),
                ),
                Progressing,
                "partitioned roll-out: updated 1/2",
            ),
            (
                set(
                    json!({"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 1}}}),
                    json!({"observedGeneration": 2, "replicas": 3, "readyReplicas": 3, "updatedReplicas": 2, "updateRevision": "b", "currentRevision": "a"}),
                ),
                Healthy,
                "partitioned roll-out complete: 2 updated",
            ),
            (
                set(
                    json!({"replicas": 1, "updateStrategy": {"type": "OnDelete"}}),
                    json!({"observedGeneration": 2, "replicas": 1, "readyReplicas": 1, "updateRevision": "b", "currentRevision": "a"}),
                ),
                Healthy,
                "statefulset has 1 ready pods",
            ),
        ],
    );
}

#[test]
fn daemon_sets_and_replica_sets() {
    let daemon = |updated: i64, available: i64| json!({"status": {"observedGeneration": 2, "desiredNumberScheduled": 2, "updatedNumberScheduled": updated, "numberAvailable": available}});
    check(
        "apps/v1",
        "DaemonSet",
        &[
            (json!({}), Progressing, "DaemonSet has not been observed by its controller yet"),
            (daemon(1, 2), Progressing, "updated: 1/2"),
            (daemon(2, 1), Progressing, "available: 1/2"),
            (daemon(2, 2), Healthy, ""),
        ],
    );
    check(
        "apps/v1",
        "ReplicaSet",
        &[
            (json!({"status": {"observedGeneration": 2, "replicas": 1, "availableReplicas": 1}}), Healthy, ""),
            (json!({"status": {"observedGeneration": 2, "replicas": 1}}), Progressing, "available: 0/1"),
            (
                json!({"spec": {"replicas": 0}, "status": {"observedGeneration": 2, "replicas": 1}}),
                Progressing,
                "1 replicas are pending termination",
            ),
            (
                json!({"status": {"observedGeneration": 2, "conditions": conditions(&[("ReplicaFailure", "True", "", "quota")])}}),
                Degraded,
                "quota",
            ),
        ],
    );
}

#[test]
fn pods() {
    let ready = conditions(&[("Ready", "True", "", "")]);
    let waiting = |reason: &str| json!({"status": {"phase": "Running", "containerStatuses": [{"name": "a", "state": {"waiting": {"reason": reason, "message": "why"}}}]}});
    let ended = |state: Value| json!({"status": {"phase": "Failed", "containerStatuses": [{"name": "a", "state": {"terminated": state}}]}});
    check(
        "v1",
        "Pod",
        &[
            (json!({}), Progressing, "Pod has not been observed yet"),
            (json!({"status": {"phase": "Pending"}}), Progressing, ""),
            (
                json!({"status": {"phase": "Pending", "conditions": conditions(&[("PodScheduled", "False", "Unschedulable", "no node")])}}),
                Progressing,
                "no node",
            ),
            (json!({"status": {"phase": "Running", "conditions": ready}}), Healthy, ""),
            (json!({"status": {"phase": "Running"}}), Progressing, "Pod is running but is not ready"),
            (
                json!({"status": {"phase": "Running", "containerStatuses": [{"name": "a", "lastState": {"terminated": {}}}]}}),
                Degraded,
                "container \"a\" terminated and is not ready",
            ),
            (waiting("CrashLoopBackOff"), Degraded, "why"),
            (waiting("ErrImagePull"), Degraded, "why"),
            (waiting("CreateContainerConfigError"), Degraded, "why"),
            (waiting("ContainerCreating"), Progressing, "Pod is running but is not ready"),
            (json!({"status": {"phase": "Succeeded"}}), Healthy, ""),
            (json!({"status": {"phase": "Failed", "message": "evicted"}}), Degraded, "evicted"),
            (ended(json!({"exitCode": 3})), Degraded, "container \"a\" failed with exit code 3"),
            (ended(json!({"exitCode": 137, "reason": "OOMKilled"})), Degraded, "container \"a\" was OOMKilled"),
            (ended(json!({"exitCode": 1, "message": "boom"})), Degraded, "boom"),
            (json!({"status": {"phase": "Odd"}}), Unknown, "Pod phase \"Odd\""),
            (json!({"spec": {"restartPolicy": "Never"}, "status": {"phase": "Running", "conditions": ready}}), Progressing, ""),
        ],
    );
}

#[test]
fn jobs() {
    check(
        "batch/v1",
        "Job",
        &[
            (json!({}), Progressing, "Job runs: 0 active, 0 succeeded"),
            (json!({"status": {"conditions": conditions(&[("Complete", "True", "", "done")])}}), Healthy, "done"),
            (json!({"status": {"conditions": conditions(&[("Failed", "True", "", "failed")])}}), Degraded, "failed"),
            (
                json!({"status": {"conditions": conditions(&[("Suspended", "True", "", ""), ("Failed", "True", "", "failed")])}}),
                Degraded,
                "failed",
            ),
            (json!({"status": {"conditions": conditions(&[("Suspended", "True", "", "")])}}), Suspended, "Job suspended"),
            (json!({"spec": {"suspend": true}}), Suspended, "Job suspended"),
        ],
    );
    check("batch/v1", "CronJob", &[(json!({}), Healthy, ""), (json!({"spec": {"suspend": true}}), Suspended, "CronJob is suspended")]);
}

#[test]
fn other_kinds() {
    let phase = |phase: &str| json!({"status": {"phase": phase}});
    check(
        "v1",
        "PersistentVolumeClaim",
        &[
            (phase("Bound"), Healthy, ""),
            (phase("Pending"), Progressing, "waiting to be bound"),
            (json!({}), Progressing, "waiting to be bound"),
            (phase("Lost"), Degraded, "its volume is lost"),
            (phase("Odd"), Unknown, "PersistentVolumeClaim phase \"Odd\""),
        ],
    );
    check(
        "v1",
        "PersistentVolume",
        &[(phase("Available"), Healthy, ""), (phase("Pending"), Progressing, "volume is pending"), (phase("Failed"), Degraded, "")],
    );
    check(
        "v1",
        "Namespace",
        &[(phase("Active"), Healthy, ""), (json!({}), Healthy, ""), (phase("Terminating"), Progressing, "Namespace is terminating")],
    );
    check(
        "v1",
        "Service",
        &[
            (json!({}), Healthy, ""),
            (
                json!({"spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {}}}),
                Progressing,
                "waiting for an address of the load balancer",
            ),
            (json!({"spec": {"type": "LoadBalancer"}, "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}), Healthy, ""),
        ],
    );
    for (kind, api_version) in [("ConfigMap", "v1"), ("Ingress", "networking.k8s.io/v1"), ("PodDisruptionBudget", "policy/v1")] {
        check(api_version, kind, &[(json!({}), Healthy, "")]);
    }
    check(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        &[
            (json!({}), Progressing, "CRD is being installed"),
            (json!({"status": {"conditions": conditions(&[("Established", "True", "", "")])}}), Healthy, "CRD is established"),
            (
                json!({"status": {"conditions": conditions(&[("Established", "False", "Installing", "")])}}),
                Progressing,
                "CRD is being installed",
            ),
            (json!({"status": {"conditions": conditions(&[("Established", "False", "NotAccepted", "no")])}}), Degraded, "no"),
            (
                json!({"status": {"conditions": conditions(&[("Established", "True", "", ""), ("NamesAccepted", "False", "", "taken")])}}),
                Degraded,
                "taken",
            ),
        ],
    );
    check(
        "apiregistration.k8s.io/v1",
        "APIService",
        &[
            (json!({}), Progressing, "waiting to be processed"),
            (json!({"status": {"conditions": conditions(&[("Available", "True", "Local", "local")])}}), Healthy, "Local: local"),
            (
                json!({"status": {"conditions": conditions(&[("Available", "False", "MissingEndpoints", "none")])}}),
                Progressing,
                "MissingEndpoints: none",
            ),
        ],
    );
    check(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        &[
            (json!({}), Progressing, "Waiting to Autoscale"),
            (json!({"status": {"conditions": conditions(&[("AbleToScale", "True", "", "able")])}}), Healthy, "able"),
            (
                json!({"status": {"conditions": conditions(&[("AbleToScale", "True", "", "able"), ("ScalingActive", "False", "FailedGetResourceMetric", "no metrics")])}}),
                Degraded,
                "no metrics",
            ),
            (
                json!({"status": {"conditions": conditions(&[("AbleToScale", "False", "FailedGetScale", "no scale")])}}),
                Degraded,
                "no scale",
            ),
        ],
    );
}

#[test]
fn several_are_as_the_worst() {
    let key = |name: &str| ObjectKey::new("", "ConfigMap", Some("a"), name);
    let (a, b, c) = (key("a"), key("b"), key("c"));
    let of = |status, message: &str| Health { status, message: message.to_owned() };
    let (fine, bad, slow) = (of(Healthy, "x"), of(Degraded, "broken"), of(Progressing, "slow"));
    assert_eq!(worst([]), of(Healthy, ""));
    assert_eq!(worst([(&a, &fine)]), of(Healthy, ""));
    assert_eq!(worst([(&a, &slow), (&b, &bad), (&c, &fine)]), of(Degraded, "ConfigMap a/b: broken"));
    assert_eq!(worst([(&a, &slow), (&b, &slow)]), of(Progressing, "ConfigMap a/a: slow (and 1 more)"));
    assert!(worst([(&a, &Health::missing())]).message.contains("not there"));
}

#[test]
fn odd_objects_have_a_health() {
    for odd in [
        json!(null),
        json!([]),
        json!({"kind": 5}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "status": [], "spec": 1, "metadata": "x"}),
    ] {
        let _ = health(&odd);
    }
}

/// Cases in which Plumb's words differ from Argo CD's, and why.
const DIFFERENT: &[(&str, &str)] = &[];

#[test]
fn argo_cds_cases_have_argo_cds_words() {
    let Some(folder) = plumb_suite::corpus().map(|corpus| corpus.join("health/gitops-engine")) else { return };
    let cases: Vec<Value> = serde_json::from_slice(&read(&folder.join("cases.json"))).unwrap();
    let known: BTreeMap<&str, &str> = DIFFERENT.iter().copied().collect();
    let mut differs = Vec::new();
    for case in &cases {
        let input = case["input"].as_str().unwrap();
        let object = yaml(&read(&folder.join(input)));
        let wanted = case["status"].as_str().unwrap_or("Healthy");
        let got = health(&object);
        if format!("{:?}", got.status) != wanted {
            differs.push((input, format!("{:?} ({}) instead of {wanted}", got.status, got.message)));
        }
    }
    assert!(cases.len() >= 29);
    let unexpected: Vec<_> = differs.iter().filter(|(input, _)| !known.contains_key(input)).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    let agree: Vec<_> = known.keys().filter(|input| differs.iter().all(|(other, _)| other != *input)).collect();
    assert!(agree.is_empty(), "no longer different: {agree:?}");
}

#[expect(clippy::disallowed_methods, reason = "the corpus is a folder of files")]
fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(text: &[u8]) -> Value {
    let stream = plumb_yaml::parse(text, &plumb_yaml::Options::default());
    let document = stream.documents().next().unwrap().unwrap();
    let mut json = Vec::new();
    plumb_yaml::to_json(document.root(), &mut json).unwrap();
    serde_json::from_slice(&json).unwrap()
}
