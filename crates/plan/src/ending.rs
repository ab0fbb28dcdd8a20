//! Owns which objects end by themselves: done with what they were for, they are taken away by their own controllers, and nobody misses them.
//! No clock: it says since when an object is done and how long it stays; whoever finds it gone compares.
//!
//! A finished Pod is not such an object: it stays until somebody deletes it, and who restarts it is its owner's business.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// What an object that ends by itself has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Since when it is done, as the server writes times.
    pub since: String,
    /// How many seconds it stays after that.
    pub stays_s: u64,
    /// Whether it did well what it was for.
    pub well: bool,
    /// What its controller says of it; may be empty.
    pub message: String,
}

/// Conditions that say that something which runs to an end has ended, and whether well: of Jobs, JobSets and Kubeflow's jobs.
const ENDS: [(&str, bool); 4] = [("Complete", true), ("Completed", true), ("Succeeded", true), ("Failed", false)];

/// Returns what a live object has come to, if it is done and its own controller takes it away some time after that: a Job with
/// `ttlSecondsAfterFinished` and what follows its example, an Argo Workflow with a `ttlStrategy`, a bootstrap token with an expiration.
pub fn finished(live: &Value) -> Option<Finished> {
    let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    match (text("/apiVersion"), text("/kind")) {
        ("v1", "Secret") => bootstrap_token(live),
        (version, "Workflow") if version.starts_with("argoproj.io/") => workflow(live),
        _ => job(live),
    }
}

fn job(live: &Value) -> Option<Finished> {
    let spec = live.get("spec")?;
    let stays = spec.get("ttlSecondsAfterFinished").or_else(|| spec.pointer("/runPolicy/ttlSecondsAfterFinished"))?.as_u64()?;
    let conditions = live.pointer("/status/conditions")?.as_array()?;
    conditions.iter().find_map(|condition| {
        let text = |field: &str| condition.get(field).and_then(Value::as_str).unwrap_or_default();
        let (_, well) = ENDS.into_iter().find(|(kind, _)| *kind == text("type") && text("status") == "True")?;
        Some(Finished { since: text("lastTransitionTime").to_owned(), stays_s: stays, well, message: text("message").to_owned() })
    })
}

fn workflow(live: &Value) -> Option<Finished> {
    let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let strategy = live.pointer("/spec/ttlStrategy")?;
    let well = match text("/status/phase") {
        "Succeeded" => true,
        "Failed" | "Error" => false,
        _ => return None,
    };
    let seconds = |field: &str| strategy.get(field).and_then(Value::as_u64);
    let stays_s =
        seconds(if well { "secondsAfterSuccess" } else { "secondsAfterFailure" }).or_else(|| seconds("secondsAfterCompletion"))?;
    Some(Finished { since: text("/status/finishedAt").to_owned(), stays_s, well, message: text("/status/message").to_owned() })
}

/// kube-controller-manager deletes those of `kube-system` that have expired; to make one anew is to have it deleted again.
fn bootstrap_token(live: &Value) -> Option<Finished> {
    let is = |pointer: &str, wanted: &str| live.pointer(pointer).and_then(Value::as_str) == Some(wanted);
    if !is("/type", "bootstrap.kubernetes.io/token") || !is("/metadata/namespace", "kube-system") {
        return None;
    }
    let since = String::from_utf8(STANDARD.decode(live.pointer("/data/expiration")?.as_str()?).ok()?).ok()?;
    Some(Finished { since, stays_s: 0, well: true, message: "the token has expired".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(live: &Value, expect: Option<(&str, u64, bool)>) {
        let found = finished(live);
        assert_eq!(found.as_ref().map(|found| (found.since.as_str(), found.stays_s, found.well)), expect, "{live}");
    }

    fn condition(kind: &str, status: &str) -> Value {
        json!([{"type": "Suspended", "status": "False"}, {"type": kind, "status": status, "lastTransitionTime": "2026-01-01T00:00:00Z", "message": "m"}])
    }

    #[test]
    fn a_job_that_is_done_goes_when_its_time_is_over() {
        let job = |spec: Value, conditions: Value| json!({"apiVersion": "batch/v1", "kind": "Job", "spec": spec, "status": {"conditions": conditions}});
        let ttl = json!({"ttlSecondsAfterFinished": 5});
        check(&job(ttl.clone(), condition("Complete", "True")), Some(("2026-01-01T00:00:00Z", 5, true)));
        check(&job(ttl.clone(), condition("Failed", "True")), Some(("2026-01-01T00:00:00Z", 5, false)));
        check(&job(json!({"ttlSecondsAfterFinished": 0}), condition("Complete", "True")), Some(("2026-01-01T00:00:00Z", 0, true)));
        check(&job(json!({}), condition("Complete", "True")), None);
        check(&job(ttl.clone(), condition("Complete", "False")), None);
        check(&job(ttl.clone(), condition("FailureTarget", "True")), None);
        check(&job(ttl.clone(), json!(null)), None);
        check(
            &json!({"kind": "JobSet", "spec": ttl, "status": {"conditions": condition("Completed", "True")}}),
            Some(("2026-01-01T00:00:00Z", 5, true)),
        );
        let policy = json!({"runPolicy": {"ttlSecondsAfterFinished": 7}});
        check(
            &json!({"kind": "PyTorchJob", "spec": policy, "status": {"conditions": condition("Failed", "True")}}),
            Some(("2026-01-01T00:00:00Z", 7, false)),
        );
    }

    #[test]
    fn a_finished_pod_stays() {
        check(&json!({"apiVersion": "v1", "kind": "Pod", "spec": {"restartPolicy": "Never"}, "status": {"phase": "Succeeded"}}), None);
        check(&json!(null), None);
    }

    #[test]
    fn a_workflow_goes_by_how_it_ended() {
        let workflow = |strategy: Value, phase: &str| {
            json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": {"ttlStrategy": strategy},
                "status": {"phase": phase, "finishedAt": "2026-01-01T00:00:00Z"}})
        };
        let strategy = json!({"secondsAfterCompletion": 1, "secondsAfterSuccess": 2});
        check(&workflow(strategy.clone(), "Succeeded"), Some(("2026-01-01T00:00:00Z", 2, true)));
        check(&workflow(strategy.clone(), "Error"), Some(("2026-01-01T00:00:00Z", 1, false)));
        check(&workflow(strategy, "Running"), None);
        check(&workflow(json!({}), "Succeeded"), None);
    }

    #[test]
    fn a_bootstrap_token_goes_when_it_expires() {
        let secret = |namespace: &str, kind: &str| {
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": namespace}, "type": kind,
                "data": {"expiration": STANDARD.encode("2026-01-01T00:00:00Z")}})
        };
        check(&secret("kube-system", "bootstrap.kubernetes.io/token"), Some(("2026-01-01T00:00:00Z", 0, true)));
        check(&secret("default", "bootstrap.kubernetes.io/token"), None);
        check(&secret("kube-system", "Opaque"), None);
    }
}
