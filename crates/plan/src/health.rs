//! Owns health: how an object does, from the object alone. kstatus' contract comes first (generation, `Reconciling`, `Stalled`,
//! `Ready`); built-in kinds that do not follow it have rules of their own; the words are Argo CD's. No clock: nothing depends on age.

mod kinds;
mod workloads;

use plumb_manifest::ObjectKey;
use serde_json::Value;

use crate::{Health, HealthStatus};

impl Health {
    pub(crate) fn new(status: HealthStatus, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    fn healthy(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Healthy, message)
    }

    fn progressing(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Progressing, message)
    }

    fn degraded(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Degraded, message)
    }

    fn suspended(message: impl Into<String>) -> Self {
        Self::new(HealthStatus::Suspended, message)
    }

    /// Returns the health of an object that is not there.
    pub fn missing() -> Self {
        Self::new(HealthStatus::Missing, "not there")
    }
}

/// Annotation that takes an object out of the account.
const IGNORE: &str = "argocd.argoproj.io/ignore-healthcheck";

/// Returns how a live object does.
pub fn health(live: &Value) -> Health {
    let kind = live.get("kind").and_then(Value::as_str).unwrap_or_default();
    let api_version = live.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let object = Object { value: live, kind };
    if let Some(generic) = object.generic() {
        return generic;
    }
    match (group, kind) {
        ("apps", "Deployment") => workloads::deployment(object),
        ("apps", "StatefulSet") => workloads::stateful_set(object),
        ("apps", "DaemonSet") => workloads::daemon_set(object),
        ("apps", "ReplicaSet") | ("", "ReplicationController") => workloads::replica_set(object),
        ("", "Pod") => workloads::pod(object),
        ("batch", "Job") => workloads::job(object),
        ("batch", "CronJob") => workloads::cron_job(object),
        ("", "PersistentVolumeClaim") => kinds::volume_claim(object),
        ("", "PersistentVolume") => kinds::volume(object),
        ("", "Namespace") => kinds::namespace(object),
        ("", "Service") => kinds::service(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => kinds::definition(object),
        ("apiregistration.k8s.io", "APIService") => kinds::api_service(object),
        ("autoscaling", "HorizontalPodAutoscaler") => kinds::autoscaler(object),
        _ => object.by_conditions(),
    }
}

/// Returns the health of several objects together: the worst, and how many are as bad, with the first of them. Nothing is healthy.
pub fn worst<'a>(objects: impl IntoIterator<Item = (&'a ObjectKey, &'a Health)>) -> Health {
    let mut worst: Option<(&ObjectKey, &Health, usize)> = None;
    for (key, health) in objects {
        match &mut worst {
            Some((_, bad, count)) if bad.status == health.status => *count += 1,
            Some((_, bad, _)) if bad.status > health.status => {}
            _ => worst = Some((key, health, 1)),
        }
    }
    match worst {
        None => Health::healthy(""),
        Some((_, health, _)) if health.status == HealthStatus::Healthy => Health::healthy(""),
        Some((key, health, count)) => {
            let more = if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() };
            Health::new(health.status, format!("{key}: {}{more}", health.message))
        }
    }
}

/// An object being looked at.
#[derive(Clone, Copy)]
struct Object<'a> {
    value: &'a Value,
    kind: &'a str,
}

/// One of `status.conditions`.
#[derive(Clone, Copy)]
struct Condition<'a> {
    kind: &'a str,
    status: &'a str,
    reason: &'a str,
    message: &'a str,
}

impl<'a> Object<'a> {
    fn at(self, pointer: &str) -> Option<&'a Value> {
        self.value.pointer(pointer)
    }

    fn text(self, pointer: &str) -> &'a str {
        self.at(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    fn number(self, pointer: &str) -> Option<i64> {
        self.at(pointer).and_then(Value::as_i64)
    }

    fn count(self, pointer: &str) -> i64 {
        self.number(pointer).unwrap_or(0)
    }

    fn is_true(self, pointer: &str) -> bool {
        self.at(pointer) == Some(&Value::Bool(true))
    }

    fn list(self, pointer: &str) -> &'a [Value] {
        self.at(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn conditions(self) -> impl Iterator<Item = Condition<'a>> {
        self.list("/status/conditions").iter().map(|condition| {
            let text = |field: &str| condition.get(field).and_then(Value::as_str).unwrap_or_default();
            Condition { kind: text("type"), status: text("status"), reason: text("reason"), message: text("message") }
        })
    }

    fn condition(self, kind: &str) -> Option<Condition<'a>> {
        self.conditions().find(|condition| condition.kind == kind)
    }

    /// What holds for every kind: deletion, generation, and the two conditions that are bad when true.
    fn generic(self) -> Option<Health> {
        if !self.text("/metadata/deletionTimestamp").is_empty() {
            return Some(Health::progressing(self.why_not_gone()));
        }
        if self.at("/metadata/annotations").and_then(|annotations| annotations.get(IGNORE)?.as_str()) == Some("true") && self.kind != "Pod"
        {
            return Some(Health::healthy(""));
        }
        if let (Some(generation), Some(observed)) = (self.number("/metadata/generation"), self.number("/status/observedGeneration"))
            && observed != generation
        {
            let message = format!("{} generation is {generation}, but latest observed generation is {observed}", self.kind);
            return Some(Health::progressing(message));
        }
        self.conditions().find_map(|condition| match (condition.kind, condition.status) {
            ("Reconciling", "True") => Some(Health::progressing(condition.message)),
            ("Stalled", "True") => Some(Health::degraded(condition.message)),
            _ => None,
        })
    }

    /// What an object that is being deleted waits for: what a namespace's controller says, or the finalizers that are left.
    fn why_not_gone(self) -> String {
        let said: Vec<&str> = self
            .conditions()
            .filter(|condition| {
                condition.kind.starts_with("NamespaceDeletion")
                    || condition.kind.starts_with("Namespace") && condition.kind.ends_with("Remaining")
            })
            .filter(|condition| condition.status == "True" && !condition.message.is_empty())
            .map(|condition| condition.message)
            .collect();
        if !said.is_empty() {
            return format!("Pending deletion: {}", said.join("; "));
        }
        let finalizers: Vec<&str> = self.list("/metadata/finalizers").iter().filter_map(Value::as_str).collect();
        if finalizers.is_empty() { "Pending deletion".to_owned() } else { format!("Pending deletion: waits for {}", finalizers.join(", ")) }
    }

    /// kstatus for any kind: `Ready` decides where there is one; an object without one is as it should be.
    fn by_conditions(self) -> Health {
        match self.condition("Ready") {
            Some(ready) if ready.status == "True" => Health::healthy(ready.message),
            Some(ready) => Health::progressing(ready.message),
            None => Health::healthy(""),
        }
    }

    /// A controller that always writes the generation it saw, and has not yet.
    fn unobserved(self) -> Option<Health> {
        let seen = self.count("/status/observedGeneration");
        let generation = self.number("/metadata/generation").unwrap_or(1);
        (seen < generation).then(|| Health::progressing(format!("{} has not been observed by its controller yet", self.kind)))
    }
}
