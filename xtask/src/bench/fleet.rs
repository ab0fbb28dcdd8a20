//! Owns the fleet that benchmarks measure: many small units in one repository.

use anyhow::Result;
use plumb_plane::Options;
use serde_json::{Value, json};

use crate::stage::Stage;

/// Starts a control plane and writes a repository with so many units; nothing is pushed yet.
pub(crate) fn new(units: usize) -> Result<Stage> {
    let stage = Stage::new("release", Options::default())?;
    for nth in 0..units {
        stage.repo.write(&format!("units/{}.yaml", name(nth)), unit(nth))?;
        stage.repo.write(&format!("apps/{}/app.yaml", name(nth)), app(nth, "1"))?;
    }
    stage.plane.kubectl(&["create", "namespace", "bench"])?;
    Ok(stage)
}

/// Returns the name of the unit with a number.
pub(crate) fn name(nth: usize) -> String {
    format!("app-{nth:04}")
}

fn unit(nth: usize) -> String {
    let name = name(nth);
    format!(
        "apiVersion: plumb.dev/v1alpha1\nkind: Unit\nmetadata: {{name: {name}, namespace: fleet}}\nspec:\n  source: {{path: apps/{name}}}\n  target: {{namespace: bench}}\n  policy: {{wait: false}}\n"
    )
}

/// Returns the four objects of a unit as a stream.
pub(crate) fn app(nth: usize, tier: &str) -> String {
    objects(nth, "bench", tier).iter().map(|(_, object)| format!("---\n{object}\n")).collect()
}

/// Returns the four objects of a unit, each with the path it is applied at.
pub(crate) fn objects(nth: usize, namespace: &str, tier: &str) -> [(String, Value); 4] {
    let name = name(nth);
    let metadata = json!({"name": name, "labels": {"app": name, "tier": tier}});
    let pod = json!({"serviceAccountName": name, "containers": [{"name": "main", "image": "registry.example.com/app:1",
        "ports": [{"containerPort": 8080, "name": "http"}], "resources": {"limits": {"memory": "64Mi"}, "requests": {"cpu": "10m"}}}]});
    let template = json!({"metadata": {"labels": {"app": name}}, "spec": pod});
    let backend = json!({"service": {"name": name, "port": {"name": "http"}}});
    [
        (
            format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}"),
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}),
        ),
        (
            format!("/api/v1/namespaces/{namespace}/services/{name}"),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata,
                "spec": {"selector": {"app": name}, "ports": [{"port": 80, "name": "http", "targetPort": "http"}]}}),
        ),
        (
            format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}"),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata,
                "spec": {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template}}),
        ),
        (
            format!("/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/{name}"),
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata,
                "spec": {"rules": [{"host": format!("{name}.example.com"), "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]}}),
        ),
    ]
}
