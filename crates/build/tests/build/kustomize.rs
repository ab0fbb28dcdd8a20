//! Owns the tests of `kustomize` steps that take the objects of another step.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_build::{Built, Request, SourceTree, build};
use plumb_manifest::Role;
use plumb_schema::Schema;
use plumb_suite::MemoryWorld;
use plumb_unit::{HelmStep, Step, StepKind, Unit};
use plumb_world::RelPath;
use serde_json::json;

const CHART: &[(&str, &str)] = &[
    ("chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n"),
    ("chart/values.yaml", "color: blue\n"),
    (
        "chart/templates/config.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {color: {{ .Values.color }}, release: {{ .Release.Name }}}\n",
    ),
    (
        "chart/templates/hook.yaml",
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate, annotations: {helm.sh/hook: pre-install}}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}\n",
    ),
];

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

fn built(overlay: &str) -> Built {
    let files: Vec<(&str, &str)> = CHART.iter().copied().chain([("overlay/kustomization.yaml", overlay)]).collect();
    let (world, tree) = MemoryWorld::of(&files);
    let helm = HelmStep {
        source: "main".into(),
        chart: path("chart"),
        release: None,
        values: Vec::new(),
        crds: true,
        hooks: true,
        schema: true,
        kube_version: None,
        api_versions: Vec::new(),
    };
    let kustomize = StepKind::Kustomize { source: "main".into(), path: path("overlay"), after: Some("chart".into()) };
    let steps = vec![Step { name: "chart".into(), kind: StepKind::Helm(Box::new(helm)) }, Step { name: "overlay".into(), kind: kustomize }];
    let unit = Unit { build: steps, ..super::unit(&[("namespace".to_owned(), "team-a".to_owned())]) };
    let trees = BTreeMap::from([(Arc::from("main"), SourceTree { tree, revision: "main@sha1:4f0c".into() })]);
    build(&world, &Request { unit: &unit, trees }, &Schema::builtin()).unwrap()
}

#[test]
fn a_kustomization_changes_what_a_chart_made() {
    let built = built(
        "namePrefix: eu-\npatches:\n- target: {kind: ConfigMap}\n  patch: '[{\"op\": \"replace\", \"path\": \"/data/color\", \"value\": \"red\"}]'\n",
    );
    let manifests = built.result.as_ref().unwrap();
    let names: Vec<&str> = manifests.iter().map(|manifest| &*manifest.key.name).collect();
    assert_eq!(names, ["eu-web", "eu-migrate"]);
    assert_eq!(manifests[0].value()["data"], json!({"color": "red", "release": "shop"}));
    // What Helm marks its objects with is there, so that the chart finds its own.
    assert_eq!(manifests[0].value()["metadata"]["labels"]["app.kubernetes.io/managed-by"], "Helm");
    assert!(matches!(manifests[1].role, Role::Hook(_)), "a hook stays a hook");
}

#[test]
fn nothing_is_built_over_a_chart_that_fails() {
    let built = built("resources: [gone.yaml]\n");
    let errors: Vec<&str> = built.result.as_ref().unwrap_err().iter().map(|error| error.message.as_str()).collect();
    assert_eq!(errors, ["'gone.yaml' is neither a file nor a folder"]);
}
