//! Owns the tests of the schemas that kustomize merges by.

use serde_json::json;

use super::*;

fn at(schema: &Schema, api_version: &str, kind: &str, path: &str) -> Option<Type> {
    let root = schema.of(api_version, kind)?;
    path.split('.').filter(|name| !name.is_empty()).try_fold(root, |of, name| match name {
        "[]" => schema.elements(of),
        name => schema.field(of, name),
    })
}

#[track_caller]
fn check(schema: &Schema, api_version: &str, kind: &str, path: &str, expect: Option<(&str, &str)>) {
    let found = at(schema, api_version, kind, path).map(|of| {
        let merge = schema.merge(of);
        (merge.strategy, merge.keys().collect::<Vec<_>>().join(","))
    });
    assert_eq!(found.as_ref().map(|(strategy, keys)| (*strategy, keys.as_str())), expect, "{api_version} {kind} {path}");
}

#[test]
fn lists_merge_as_kustomize_merges_them() {
    let schema = Schema::builtin();
    let container = "spec.template.spec.containers";
    check(&schema, "apps/v1", "Deployment", container, Some(("merge", "name")));
    check(&schema, "apps/v1", "Deployment", &format!("{container}.[].ports"), Some(("merge", "containerPort,protocol")));
    check(&schema, "apps/v1", "Deployment", &format!("{container}.[].args"), Some(("", "")));
    check(&schema, "apps/v1", "Deployment", &format!("{container}.[].env"), Some(("merge", "name")));
    check(&schema, "apps/v1", "Deployment", "spec.template.spec.volumes", Some(("merge,retainKeys", "name")));
    check(&schema, "apps/v1", "Deployment", "metadata.finalizers", Some(("merge", "")));
    check(&schema, "apps/v1", "Deployment", "metadata.labels.anything", Some(("", "")));
    check(&schema, "apps/v1", "Deployment", "spec.unknown", None);
    check(&schema, "v1", "Service", "spec.ports", Some(("merge", "port,protocol")));
    check(&schema, "example.com/v1", "Thing", "", None);
}

#[test]
fn scopes_are_known() {
    let schema = Schema::builtin();
    for (api_version, kind, expect) in [
        ("v1", "ConfigMap", Some(true)),
        ("v1", "Namespace", Some(false)),
        ("rbac.authorization.k8s.io/v1", "ClusterRole", Some(false)),
        ("policy/v1beta1", "PodSecurityPolicy", Some(false)),
        ("extensions/v1beta1", "Ingress", Some(true)),
        ("v1", "NodeProxyOptions", Some(false)),
        ("example.com/v1", "Thing", None),
        ("apps/v1", "Deploymen", None),
    ] {
        assert_eq!(schema.is_namespaced(api_version, kind), expect, "{api_version} {kind}");
    }
}

#[test]
fn documents_replace_what_is_embedded() {
    let document = json!({
        "definitions": {
            "v1.Thing": {
                "properties": {
                    "parts": {
                        "type": "array",
                        "items": {"$ref": "#/definitions/v1.Part"},
                        "x-kubernetes-patch-strategy": "merge",
                        "x-kubernetes-patch-merge-key": "id"
                    },
                    "template": {"$ref": "#/definitions/io.k8s.api.core.v1.PodTemplateSpec"}
                },
                "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Thing"}]
            },
            "v1.Part": {"properties": {"deep": {"type": "array", "items": {"type": "string"}, "x-kubernetes-patch-strategy": "merge"}}},
            "io.k8s.api.core.v1.PodSpec": {"properties": {"containers": {"type": "array", "items": {"type": "string"}}}}
        },
        "paths": {
            "/apis/example.com/v1/namespaces/{namespace}/things": {
                "get": {"x-kubernetes-group-version-kind": {"group": "example.com", "version": "v1", "kind": "Thing"}}
            }
        }
    });
    let alone = Schema::of_document(&document, Embedded::Unused);
    check(&alone, "example.com/v1", "Thing", "parts", Some(("merge", "id")));
    check(&alone, "example.com/v1", "Thing", "parts.[].deep", Some(("merge", "")));
    check(&alone, "example.com/v1", "Thing", "template.spec.containers", None);
    check(&alone, "apps/v1", "Deployment", "", None);
    assert_eq!(alone.is_namespaced("example.com/v1", "Thing"), Some(true));
    assert_eq!(alone.is_namespaced("v1", "Namespace"), Some(false));
    let over = Schema::of_document(&document, Embedded::Below);
    check(&over, "example.com/v1", "Thing", "template.spec.containers", Some(("", "")));
    check(&over, "apps/v1", "Deployment", "spec.template.spec.containers", Some(("", "")));
    let under = Schema::of_document(&document, Embedded::Above);
    check(&under, "example.com/v1", "Thing", "template.spec.containers", Some(("merge", "name")));
    check(&under, "apps/v1", "Deployment", "spec.template.spec.containers", Some(("merge", "name")));
}

#[test]
fn versions_are_those_that_are_embedded() {
    assert!(Schema::of_version("v1.21.2").is_some());
    assert!(Schema::of_version("v1.20.4").is_none());
}
