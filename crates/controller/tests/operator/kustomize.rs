//! Units that build kustomizations: over a chart with its hooks, alone, broken and put right, and rolled back with Git's history behind them.

use plumb_controller::core::Order;

use crate::Bench;

const OVER_A_CHART: &str = "  build:
  - {name: chart, helm: {chart: chart, values: [{inline: {color: blue}}]}}
  - {kustomize: {path: overlays/prod}, after: chart}
";

const CONFIG: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {color: {{ .Values.color }}, upgrade: {{ .Release.IsUpgrade | quote }}}
";

const HOOK: &str = "apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {helm.sh/hook: pre-install, helm.sh/hook-delete-policy: before-hook-creation}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: registry.example.com/a:1}]}}}
";

const OVERLAY: &str = "namePrefix: eu-
resources: [../../base]
configMapGenerator:
- {name: settings, literals: [level=1]}
patches:
- target: {kind: ConfigMap, name: web}
  patch: |
    - {op: add, path: /data/size, value: large}
";

fn write(bench: &Bench, files: &[(&str, &str)]) {
    for (name, text) in files {
        bench.repo.write(&format!("apps/shop/{name}"), text).unwrap();
    }
}

fn shop(bench: &Bench) {
    write(
        bench,
        &[
            ("chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n"),
            ("chart/templates/web.yaml", CONFIG),
            ("chart/templates/hook.yaml", HOOK),
            ("base/kustomization.yaml", "resources: [reader.yaml]\n"),
            (
                "base/reader.yaml",
                "apiVersion: v1\nkind: PodTemplate\nmetadata: {name: reader}\ntemplate: {spec: {containers: [{name: a, image: a, envFrom: [{configMapRef: {name: settings}}]}]}}\n",
            ),
            ("overlays/prod/kustomization.yaml", OVERLAY),
        ],
    );
}

fn data(bench: &Bench, key: &str) -> Option<String> {
    Some(bench.live("configmap/eu-web")?["data"][key].as_str()?.to_owned())
}

/// The name of the generated ConfigMap that the template refers to.
fn settings(bench: &Bench) -> Option<String> {
    let reader = bench.live("podtemplate/eu-reader")?;
    Some(reader["template"]["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"].as_str()?.to_owned())
}

#[test]
fn a_chart_then_a_kustomization_are_one_unit() {
    let mut bench = Bench::new();
    bench.declare("shop", OVER_A_CHART);
    shop(&bench);
    bench.push("Add the shop");
    bench.start();
    bench.until_synced("shop");
    let all = ["color", "size", "upgrade"].map(|key| data(&bench, key).unwrap());
    assert_eq!(all, ["blue", "large", "false"]);
    assert!(bench.live("job/eu-migrate").unwrap()["status"]["succeeded"] == 1, "the chart's hook ran, under its new name");
    let first = settings(&bench).unwrap();
    assert!(first.starts_with("eu-settings-"), "{first}");
    assert!(bench.live(&format!("configmap/{first}")).is_some());
    let marks = bench.live("configmap/eu-web").unwrap()["metadata"]["labels"]["app.kubernetes.io/managed-by"].clone();
    assert_eq!(marks, "Helm");

    // Another content is another name: the old ConfigMap goes once nobody names it any more.
    write(&bench, &[("overlays/prod/kustomization.yaml", &OVERLAY.replace("level=1", "level=2"))]);
    bench.push("Raise the level");
    bench.until("the reference follows", || settings(&bench).is_some_and(|name| name != first));
    bench.until_synced("shop");
    bench.until("the old one is gone", || bench.live(&format!("configmap/{first}")).is_none());
    assert_eq!(data(&bench, "upgrade").as_deref(), Some("true"));

    // A mistake changes nothing, and is told at its place.
    let second = settings(&bench).unwrap();
    write(&bench, &[("overlays/prod/kustomization.yaml", &OVERLAY.replace("patches:", "patchs:"))]);
    bench.push("Misspell a field");
    bench.until("the mistake is told", || bench.failure("shop").contains("patchs"));
    assert_eq!(settings(&bench), Some(second));

    // Drift in what a patch set is put right.
    write(&bench, &[("overlays/prod/kustomization.yaml", OVERLAY)]);
    bench.push("Put it right");
    bench.until("the old level is back", || settings(&bench).as_ref() == Some(&first));
    bench.until_synced("shop");
    bench
        .plane
        .kubectl(&["-n", &bench.namespace, "patch", "configmap/eu-web", "--type=merge", "-p", r#"{"data":{"size":"mine"}}"#])
        .unwrap();
    bench.until("the drift is put right", || data(&bench, "size").as_deref() == Some("large"));

    // Only what the kustomization reads makes a build.
    bench.until_at_rest("shop");
    bench.order("shop", Order::Reconcile);
    assert_eq!(data(&bench, "size").as_deref(), Some("large"));
}

#[test]
fn a_folder_with_a_kustomization_needs_no_steps() {
    let mut bench = Bench::new();
    bench.declare("shop", "");
    write(
        &bench,
        &[
            ("kustomization.yaml", "resources: [web.yaml]\ncommonAnnotations: {team: a}\n"),
            ("web.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {color: red}\n"),
        ],
    );
    bench.push("Add the shop");
    bench.start();
    bench.until_synced("shop");
    let live = bench.live("configmap/web").unwrap();
    assert_eq!((live["data"]["color"].clone(), live["metadata"]["annotations"]["team"].clone()), ("red".into(), "a".into()));
}
