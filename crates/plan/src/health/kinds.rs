//! Owns the health of the other built-in kinds with rules of their own: volumes, Services, definitions, autoscalers.

use serde_json::Value;

use super::{Condition, Object};
use crate::{Health, HealthStatus};

pub(super) fn volume_claim(object: Object<'_>) -> Health {
    match object.text("/status/phase") {
        "Bound" => Health::healthy(""),
        "Lost" => Health::degraded("its volume is lost"),
        "" | "Pending" => Health::progressing("waiting to be bound"),
        other => Health::new(HealthStatus::Unknown, format!("PersistentVolumeClaim phase {other:?}")),
    }
}

pub(super) fn volume(object: Object<'_>) -> Health {
    match object.text("/status/phase") {
        "Failed" => Health::degraded(object.text("/status/message")),
        "" | "Pending" => Health::progressing("volume is pending"),
        _ => Health::healthy(""),
    }
}

pub(super) fn namespace(object: Object<'_>) -> Health {
    match object.text("/status/phase") {
        "Terminating" => Health::progressing("Namespace is terminating"),
        _ => Health::healthy(""),
    }
}

pub(super) fn service(object: Object<'_>) -> Health {
    let waits = object.text("/spec/type") == "LoadBalancer" && object.list("/status/loadBalancer/ingress").is_empty();
    if waits { Health::progressing("waiting for an address of the load balancer") } else { Health::healthy("") }
}

pub(super) fn definition(object: Object<'_>) -> Health {
    for condition in object.conditions() {
        match (condition.kind, condition.status) {
            ("NamesAccepted", "False") => return Health::degraded(condition.message),
            ("Established", "False") if condition.reason != "Installing" => return Health::degraded(condition.message),
            _ => {}
        }
    }
    match object.condition("Established") {
        Some(condition) if condition.status == "True" => Health::healthy("CRD is established"),
        _ => Health::progressing("CRD is being installed"),
    }
}

pub(super) fn api_service(object: Object<'_>) -> Health {
    match object.condition("Available") {
        Some(condition) if condition.status == "True" => Health::healthy(with_reason(condition)),
        Some(condition) => Health::progressing(with_reason(condition)),
        None => Health::progressing("waiting to be processed"),
    }
}

fn with_reason(condition: Condition<'_>) -> String {
    format!("{}: {}", condition.reason, condition.message)
}

/// Reasons for which an autoscaler cannot do its work until somebody acts.
const STUCK_SCALE: [&str; 2] = ["FailedGetScale", "FailedUpdateScale"];
const STUCK_METRIC: [&str; 6] = [
    "FailedGetResourceMetric",
    "FailedGetPodsMetric",
    "FailedGetObjectMetric",
    "FailedGetExternalMetric",
    "FailedComputeMetricsReplicas",
    "InvalidSelector",
];

pub(super) fn autoscaler(object: Object<'_>) -> Health {
    // autoscaling/v1 keeps its conditions in an annotation.
    let annotated =
        object.at("/metadata/annotations").and_then(|annotations| annotations.get("autoscaling.alpha.kubernetes.io/conditions")?.as_str());
    let parsed: Value = annotated.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let text = |value: &'_ Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let listed = parsed.as_array().map_or(object.list("/status/conditions"), Vec::as_slice);
    let mut healthy = None;
    for condition in listed {
        let (kind, status, reason, message) =
            (text(condition, "type"), text(condition, "status"), text(condition, "reason"), text(condition, "message"));
        let stuck = match kind.as_str() {
            "AbleToScale" => STUCK_SCALE.contains(&reason.as_str()),
            "ScalingActive" => STUCK_METRIC.contains(&reason.as_str()),
            _ => false,
        };
        if stuck {
            return Health::degraded(message);
        }
        if status == "True" && matches!(kind.as_str(), "AbleToScale" | "ScalingLimited") {
            healthy.get_or_insert(message);
        }
    }
    healthy.map_or_else(|| Health::progressing("Waiting to Autoscale"), Health::healthy)
}
