//! Owns the health of what runs: Deployments, StatefulSets, DaemonSets, ReplicaSets, Pods, Jobs, CronJobs.

use serde_json::Value;

use super::Object;
use crate::Health;

pub(super) fn deployment(object: Object<'_>) -> Health {
    if object.is_true("/spec/paused") {
        return Health::suspended("Deployment is paused");
    }
    if let Some(unobserved) = object.unobserved() {
        return unobserved;
    }
    if object.condition("Progressing").is_some_and(|condition| condition.reason == "ProgressDeadlineExceeded") {
        return Health::degraded(format!("Deployment {:?} exceeded its progress deadline", object.text("/metadata/name")));
    }
    let wanted = object.number("/spec/replicas").unwrap_or(1);
    let (total, updated) = (object.count("/status/replicas"), object.count("/status/updatedReplicas"));
    let (available, ready) = (object.count("/status/availableReplicas"), object.count("/status/readyReplicas"));
    if updated < wanted {
        return Health::progressing(format!("updated: {updated}/{wanted}"));
    }
    if total > updated {
        return Health::progressing(format!("{} old replicas are pending termination", total - updated));
    }
    if total > wanted {
        return Health::progressing(format!("{} replicas are pending termination", total - wanted));
    }
    if available < updated {
        return Health::progressing(format!("available: {available}/{updated}"));
    }
    if ready < wanted {
        return Health::progressing(format!("ready: {ready}/{wanted}"));
    }
    match object.condition("Available") {
        Some(condition) if condition.status != "True" => Health::progressing(condition.message),
        _ => Health::healthy(""),
    }
}

pub(super) fn stateful_set(object: Object<'_>) -> Health {
    if let Some(unobserved) = object.unobserved() {
        return unobserved;
    }
    let wanted = object.number("/spec/replicas").unwrap_or(1);
    let (total, ready) = (object.count("/status/replicas"), object.count("/status/readyReplicas"));
    let updated = object.count("/status/updatedReplicas");
    if ready < wanted {
        return Health::progressing(format!("ready: {ready}/{wanted}"));
    }
    if total > wanted {
        return Health::progressing(format!("{} replicas are pending termination", total - wanted));
    }
    if object.text("/spec/updateStrategy/type") == "OnDelete" {
        return Health::healthy(format!("statefulset has {ready} ready pods"));
    }
    if let Some(partition) = object.number("/spec/updateStrategy/rollingUpdate/partition").filter(|partition| *partition > 0) {
        let due = (wanted - partition).max(0);
        if updated < due {
            return Health::progressing(format!("partitioned roll-out: updated {updated}/{due}"));
        }
        return Health::healthy(format!("partitioned roll-out complete: {updated} updated"));
    }
    if object.text("/status/updateRevision") != object.text("/status/currentRevision") {
        return Health::progressing(format!("updated: {updated}/{wanted}"));
    }
    Health::healthy(format!("statefulset has {ready} ready pods"))
}

pub(super) fn daemon_set(object: Object<'_>) -> Health {
    if let Some(unobserved) = object.unobserved() {
        return unobserved;
    }
    let wanted = object.count("/status/desiredNumberScheduled");
    let (updated, available) = (object.count("/status/updatedNumberScheduled"), object.count("/status/numberAvailable"));
    let on_delete = object.text("/spec/updateStrategy/type") == "OnDelete";
    if updated < wanted && !on_delete {
        return Health::progressing(format!("updated: {updated}/{wanted}"));
    }
    if available < wanted {
        return Health::progressing(format!("available: {available}/{wanted}"));
    }
    Health::healthy("")
}

pub(super) fn replica_set(object: Object<'_>) -> Health {
    if let Some(unobserved) = object.unobserved() {
        return unobserved;
    }
    if let Some(failure) = object.condition("ReplicaFailure").filter(|condition| condition.status == "True") {
        return Health::degraded(failure.message);
    }
    let wanted = object.number("/spec/replicas").unwrap_or(1);
    let (total, available) = (object.count("/status/replicas"), object.count("/status/availableReplicas"));
    if available < wanted {
        return Health::progressing(format!("available: {available}/{wanted}"));
    }
    if total > wanted {
        return Health::progressing(format!("{} replicas are pending termination", total - wanted));
    }
    Health::healthy("")
}

/// Argo CD's annotation that marks a Pod as a hook.
const HOOK: &str = "argocd.argoproj.io/hook";
/// Argo CD's annotation that lets a Pod that runs to completion count as healthy while it runs.
const IGNORE_RESTART_POLICY: &str = "argocd.argoproj.io/ignore-restart-policy";

pub(super) fn pod(object: Object<'_>) -> Health {
    let restarts = matches!(object.text("/spec/restartPolicy"), "Always" | "");
    let annotation = |name: &str| object.at("/metadata/annotations").and_then(|annotations| annotations.get(name)?.as_str());
    let is_hook = annotation(HOOK).is_some();
    let as_service = (restarts || annotation(IGNORE_RESTART_POLICY) == Some("true")) && !is_hook;
    if as_service {
        let waiting = containers(object).filter_map(|container| container.pointer("/state/waiting"));
        let failed = waiting.filter(|waiting| is_failure(text(waiting, "reason"))).map(|waiting| text(waiting, "message"));
        let messages: Vec<&str> = failed.collect();
        if !messages.is_empty() {
            return Health::degraded(messages.join(", "));
        }
    }
    match object.text("/status/phase") {
        "Pending" => unschedulable(object).unwrap_or_else(|| Health::progressing(object.text("/status/message"))),
        "Succeeded" => Health::healthy(object.text("/status/message")),
        "Failed" => Health::degraded(failure(object)),
        "Running" if as_service => running(object),
        "Running" => Health::progressing(object.text("/status/message")),
        "" => Health::progressing("Pod has not been observed yet"),
        other => Health::new(crate::HealthStatus::Unknown, format!("Pod phase {other:?}")),
    }
}

fn running(object: Object<'_>) -> Health {
    if object.condition("Ready").is_some_and(|ready| ready.status == "True") {
        return Health::healthy(object.text("/status/message"));
    }
    // It ended and has not come back yet: a crash, unless it only starts slowly.
    match containers(object).find(|container| container.pointer("/lastState/terminated").is_some()) {
        Some(container) => Health::degraded(format!("container {:?} terminated and is not ready", text(container, "name"))),
        None => Health::progressing("Pod is running but is not ready"),
    }
}

/// kstatus calls a Pod failed 15 seconds after it could not be scheduled; without a clock it stays on its way, with the reason.
fn unschedulable(object: Object<'_>) -> Option<Health> {
    let scheduled =
        object.condition("PodScheduled").filter(|condition| condition.status == "False" && condition.reason == "Unschedulable")?;
    Some(Health::progressing(scheduled.message))
}

fn is_failure(reason: &str) -> bool {
    reason.starts_with("Err") || reason.ends_with("Error") || reason.ends_with("BackOff")
}

fn failure(object: Object<'_>) -> String {
    let message = object.text("/status/message");
    if !message.is_empty() {
        return message.to_owned();
    }
    for container in containers(object) {
        let Some(ended) = container.pointer("/state/terminated") else { continue };
        let name = text(container, "name");
        let code = ended.get("exitCode").and_then(Value::as_i64).unwrap_or_default();
        if !text(ended, "message").is_empty() {
            return text(ended, "message").to_owned();
        }
        if text(ended, "reason") == "OOMKilled" {
            return format!("container {name:?} was OOMKilled");
        }
        if code != 0 {
            return format!("container {name:?} failed with exit code {code}");
        }
    }
    String::new()
}

fn containers<'a>(object: Object<'a>) -> impl Iterator<Item = &'a Value> {
    object.list("/status/initContainerStatuses").iter().chain(object.list("/status/containerStatuses"))
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn job(object: Object<'_>) -> Health {
    let mut suspended = false;
    for condition in object.conditions().filter(|condition| condition.status == "True") {
        match condition.kind {
            "Failed" => return Health::degraded(condition.message),
            "Complete" => return Health::healthy(condition.message),
            "Suspended" => suspended = true,
            _ => {}
        }
    }
    if suspended || object.is_true("/spec/suspend") {
        return Health::suspended("Job suspended");
    }
    let (active, succeeded) = (object.count("/status/active"), object.count("/status/succeeded"));
    Health::progressing(format!("Job runs: {active} active, {succeeded} succeeded"))
}

pub(super) fn cron_job(object: Object<'_>) -> Health {
    if object.is_true("/spec/suspend") { Health::suspended("CronJob is suspended") } else { Health::healthy("") }
}
