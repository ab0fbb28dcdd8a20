//! Owns the tests of the `helm` step: where charts and values come from, what is asked and answered, hooks, and what is wrong with them.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_build::{Built, Request, SourceTree, build, render_text};
use plumb_manifest::{Moment, Role};
use plumb_schema::Schema;
use plumb_suite::MemoryWorld;
use plumb_unit::{HelmStep, SetKind, Step, StepKind, Unit, ValuesLayer, ValuesObject};
use plumb_world::{Answer, AnsweredWorld, Known, Need, RelPath, TreeId, World};

const CHART: (&str, &str) = ("chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n");

fn step() -> HelmStep {
    HelmStep {
        source: "main".into(),
        chart: path("chart"),
        release: None,
        values: Vec::new(),
        crds: true,
        hooks: true,
        schema: true,
        kube_version: None,
        api_versions: Vec::new(),
    }
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

fn file(name: &str) -> ValuesLayer {
    ValuesLayer::File { source: "main".into(), path: path(name), optional: false }
}

fn unit(step: HelmStep) -> Unit {
    let unit = super::unit(&[("namespace".to_owned(), "team-a".to_owned())]);
    Unit { build: vec![Step { name: "chart".into(), kind: StepKind::Helm(Box::new(step)) }], ..unit }
}

fn run(world: &dyn World, tree: TreeId, step: HelmStep) -> Built {
    let trees = BTreeMap::from([(Arc::from("main"), SourceTree { tree, revision: "main@sha1:4f0c".into() })]);
    build(world, &Request { unit: &unit(step), trees }, &Schema::builtin()).unwrap()
}

fn offline(files: &[(&str, &str)], step: HelmStep) -> Built {
    let (world, tree) = MemoryWorld::of(files);
    run(&world, tree, step)
}

fn errors(built: &Built) -> Vec<String> {
    built.result.as_ref().err().into_iter().flatten().map(|error| error.message.clone()).collect()
}

fn config(values: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {{{{ .Release.Name }}}}}}\ndata:\n{values}")
}

fn data(built: &Built) -> serde_json::Value {
    assert_eq!(errors(built), [""; 0]);
    built.result.as_ref().unwrap()[0].value()["data"].clone()
}

#[test]
fn layers_of_values_go_over_each_other_in_their_order() {
    let template =
        config("  a: {{ .Values.a | quote }}\n  b: {{ .Values.b | quote }}\n  c: {{ .Values.c | quote }}\n  d: {{ .Values.d | quote }}\n");
    let files = [
        CHART,
        ("chart/values.yaml", "a: chart\nb: chart\nc: chart\nd: chart\n"),
        ("chart/templates/config.yaml", template.as_str()),
        ("env/10.yaml", "b: ten\nc: ten\n"),
        ("env/20.yaml", "c: twenty\n"),
        ("env/notes.txt", "c: never\n"),
    ];
    let inline = ValuesLayer::Inline { json: r#"{"d": "inline"}"#.to_owned(), declared_at: "units/shop.yaml:9:5".to_owned() };
    let set = ValuesLayer::Set { kind: SetKind::Text, text: "d=set".to_owned() };
    let with = |values| data(&offline(&files, HelmStep { values, ..step() }));
    assert_eq!(with(vec![file("env/*.yaml"), inline.clone()]), serde_json::json!({"a": "chart", "b": "ten", "c": "twenty", "d": "inline"}));
    assert_eq!(with(vec![inline, set])["d"], "set");
    let missing = offline(&files, HelmStep { values: vec![file("env/30.yaml")], ..step() });
    assert_eq!(errors(&missing), ["there is no values file `env/30.yaml` in source `main` at main@sha1:4f0c"]);
    let optional = ValuesLayer::File { source: "main".into(), path: path("env/30.yaml"), optional: true };
    assert_eq!(with(vec![optional])["a"], "chart");
}

#[test]
fn what_a_chart_asks_is_gathered_answered_and_taken() {
    let template = config(
        "  v: {{ .Capabilities.KubeVersion.Version }}\n  r: {{ .Release.Revision | quote }}\n  u: {{ .Release.IsUpgrade | quote }}\n  p: {{ randAlphaNum 8 }}\n  q: {{ randAlphaNum 8 }}\n  o: {{ lookup \"v1\" \"Secret\" \"team-a\" \"old\" | dig \"data\" \"x\" \"none\" }}\n  t: {{ now | date \"2006\" | quote }}\n",
    );
    let files = [CHART, ("chart/templates/config.yaml", template.as_str())];
    let (memory, tree) = MemoryWorld::of(&files);
    let mut known = Known::new();
    let first = run(&AnsweredWorld { world: &memory, known: &known }, tree, step());
    let wanted: Vec<String> = first.needs.iter().map(ToString::to_string).collect();
    assert_eq!(
        wanted,
        [
            "what the cluster serves",
            "Secret (v1) team-a/old",
            "randAlphaNum in shop/templates/config.yaml",
            "randAlphaNum in shop/templates/config.yaml",
            "the time",
            "whether it is an installation or an upgrade",
        ]
    );
    for (nth, need) in first.needs.iter().enumerate() {
        let answer: Vec<u8> = match need {
            Need::Capabilities => br#"{"version": "v1.36.3", "apis": ["v1"]}"#.to_vec(),
            Need::Object(_) => br#"{"data": {"x": "found"}}"#.to_vec(),
            Need::Random { bytes, .. } => vec![u8::try_from(nth).unwrap(); usize::try_from(*bytes).unwrap()],
            Need::Now => b"1700000000".to_vec(),
            Need::Release => br#"{"revision": 3, "upgrade": true}"#.to_vec(),
            Need::Certificate { .. } => panic!("no certificate is asked for"),
        };
        known.insert(need.clone(), Answer::Known(answer.into()));
    }
    let second = run(&AnsweredWorld { world: &memory, known: &known }, tree, step());
    assert!(second.needs.is_empty());
    let data = data(&second);
    assert_eq!(
        [&data["v"], &data["r"], &data["u"], &data["o"], &data["t"]],
        ["v1.36.3", "3", "true", "found", "2023"].map(serde_json::Value::from).each_ref()
    );
    assert_ne!(data["p"], data["q"]);
}

/// No password is rotated by editing a chart (DESIGN.md, invariant 4): a call is named by where it stands, never by its line.
#[test]
fn editing_a_chart_asks_for_the_same_randomness() {
    let needs = |template: &str| {
        let files = [
            CHART,
            ("chart/templates/config.yaml", template),
            ("chart/templates/_p.tpl", "{{ define \"p\" }}{{ randAlphaNum 8 }}{{ end }}"),
        ];
        let (memory, tree) = MemoryWorld::of(&files);
        let built = run(&AnsweredWorld { world: &memory, known: &Known::new() }, tree, step());
        built.needs.into_iter().filter(Need::is_kept).collect::<Vec<_>>()
    };
    let before = needs(&config("  p: {{ randAlphaNum 8 }}\n  q: {{ include \"p\" . }}\n"));
    let after = needs(&config(
        "  # a comment, and another field\n  z: {{ upper \"z\" }}\n\n  q: {{ include \"p\" . }}\n  p: {{ randAlphaNum 8 }}\n",
    ));
    assert_eq!(before.len(), 2);
    assert_eq!(before, after);
    assert_ne!(needs(&config("  p: {{ randAlphaNum 9 }}\n")), needs(&config("  p: {{ randAlphaNum 8 }}\n")));
}

#[test]
fn offline_the_same_bytes_come_out_and_what_is_a_stand_in_is_said() {
    let template = config("  p: {{ randAlphaNum 8 }}\n");
    let files = [CHART, ("chart/templates/config.yaml", template.as_str())];
    let (one, other) = (offline(&files, step()), offline(&files, step()));
    assert_eq!(render_text(&one), render_text(&other));
    let warnings: Vec<&str> = one.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(warnings, ["nobody answers here: randAlphaNum in shop/templates/config.yaml"]);
}

#[test]
fn values_of_a_secret_make_what_carries_them_secret() {
    let secret = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {p: {{ .Values.password | upper | quote }}}\n";
    let open = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\ndata: {p: {{ .Values.open | quote }}}\n";
    let files = [CHART, ("chart/values.yaml", "open: yes\n"), ("chart/templates/a.yaml", secret), ("chart/templates/b.yaml", open)];
    let layer = ValuesLayer::Object { kind: ValuesObject::Secret, name: "db".to_owned(), key: "values.yaml".to_owned(), optional: false };
    let step = HelmStep { values: vec![layer], ..step() };
    let (memory, tree) = MemoryWorld::of(&files);
    let mut known = Known::new();
    let needs = run(&AnsweredWorld { world: &memory, known: &known }, tree, step.clone()).needs;
    let need = needs.iter().find(|need| matches!(need, Need::Object(_))).unwrap().clone();
    assert_eq!(need.to_string(), "Secret (v1) team-a/db");
    // password: hunter2
    known.insert(need.clone(), Answer::Known(br#"{"data": {"values.yaml": "cGFzc3dvcmQ6IGh1bnRlcjI="}}"#.as_slice().into()));
    for need in needs.iter().filter(|other| **other != need) {
        known.insert(need.clone(), Answer::Absent);
    }
    let built = run(&AnsweredWorld { world: &memory, known: &known }, tree, step.clone());
    let manifests = built.result.as_ref().unwrap();
    assert_eq!(manifests[0].value()["data"]["p"], "HUNTER2");
    assert_eq!((manifests[0].sensitive, manifests[1].sensitive), (true, false));
    for (answer, message) in [
        (Answer::Absent, "there is no Secret team-a/db, whose `values.yaml` holds values"),
        (Answer::Denied("forbidden".to_owned()), "Secret team-a/db may not be read: forbidden"),
        (Answer::Known(b"{}".as_slice().into()), "Secret team-a/db has no key `values.yaml` that holds values"),
    ] {
        known.insert(need.clone(), answer);
        assert_eq!(errors(&run(&AnsweredWorld { world: &memory, known: &known }, tree, step.clone())), [message]);
    }
}

#[test]
fn hooks_crds_and_tests_play_their_parts() {
    let hook = |name: &str, annotations: &str| {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}\n  annotations: {{{annotations}}}\nspec: {{template: {{spec: {{}}}}}}\n"
        )
    };
    let early =
        hook("early", "helm.sh/hook: \"pre-install,pre-upgrade\", helm.sh/hook-weight: \"-5\", helm.sh/hook-delete-policy: hook-succeeded");
    let late = hook("late", "helm.sh/hook: post-install");
    let test = hook("test", "helm.sh/hook: test");
    let files = [
        CHART,
        (
            "chart/crds/shop.yaml",
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: shops.example.com}\nspec: {group: example.com, names: {kind: Shop, plural: shops}, scope: Namespaced, versions: [{name: v1, served: true, storage: true}]}\n",
        ),
        ("chart/templates/late.yaml", late.as_str()),
        ("chart/templates/early.yaml", early.as_str()),
        ("chart/templates/test.yaml", test.as_str()),
        ("chart/templates/config.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"),
        ("chart/templates/NOTES.txt", "hello\n"),
    ];
    let parts = |step| {
        let built = offline(&files, step);
        assert_eq!(errors(&built), [""; 0]);
        let part = |manifest: &Arc<plumb_manifest::Manifest>| {
            let role = match &manifest.role {
                Role::Object => "object".to_owned(),
                Role::Base => "base".to_owned(),
                Role::Hook(hook) => {
                    let moments: Vec<&str> = hook.moments.iter().copied().map(Moment::word).collect();
                    format!("{} {} {:?}", moments.join("+"), hook.weight, hook.delete)
                }
            };
            format!("{}: {role}", manifest.key.name)
        };
        built.result.unwrap().iter().map(part).collect::<Vec<_>>()
    };
    assert_eq!(
        parts(step()),
        [
            "shops.example.com: base",
            "web: object",
            "early: pre-install+pre-upgrade -5 HookDelete { before: false, succeeded: true, failed: false }",
            "late: post-install 0 HookDelete { before: true, succeeded: false, failed: false }",
        ]
    );
    assert_eq!(parts(HelmStep { crds: false, hooks: false, ..step() }), ["web: object"]);
}

#[test]
fn a_unit_without_steps_whose_folder_is_a_chart_is_one() {
    let built = super::run_files(&[
        ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n"),
        ("values.yaml", "a: 1\n"),
        ("templates/config.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}-web}\n"),
        (".helmignore", "docs/\n"),
        ("docs/huge.bin", "not read"),
    ]);
    assert_eq!(built.result.as_ref().unwrap()[0].key.to_string(), "ConfigMap shop/shop-web");
    assert!(!built.files.iter().any(|(_, file)| file.path.as_str().starts_with("docs")));
}

#[test]
fn wrong_charts_are_errors_that_name_them() {
    let chart = |files: &[(&str, &str)]| errors(&offline(files, step()));
    assert_eq!(chart(&[("x", "")]), ["there is no chart at `chart` in source `main` at main@sha1:4f0c"]);
    assert_eq!(chart(&[("chart/values.yaml", "a: 1")]), ["`chart`: Chart.yaml file is missing"]);
    assert_eq!(chart(&[("chart", "no archive")]).len(), 1);
    let long = "x".repeat(54);
    let named = offline(&[CHART], HelmStep { release: Some(long.clone()), ..step() });
    assert_eq!(errors(&named), [format!("the release name `{long}` has 54 characters; Helm takes 53")]);
    let refused = chart(&[CHART, ("chart/templates/a.yaml", "{{ fail \"no storage class\" }}")]);
    assert!(refused[0].contains("no storage class"), "{refused:?}");
    // Two documents are wrong, and both are told.
    let both = chart(&[CHART, ("chart/templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\n---\napiVersion: v1\nkind: Secret\n")]);
    assert_eq!(both.len(), 2, "{both:?}");
}

/// Kong's chart, and others, look their own objects up and leave out those that are not marked as theirs.
#[test]
fn objects_carry_what_helm_marks_those_of_a_release_with() {
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, labels: {app.kubernetes.io/managed-by: me}}\n";
    let hook = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-install}}\n";
    let built = offline(&[CHART, ("chart/templates/a.yaml", template), ("chart/templates/b.yaml", hook)], step());
    let manifests = built.result.unwrap();
    let metadata = &manifests[0].value()["metadata"];
    assert_eq!(metadata["labels"]["app.kubernetes.io/managed-by"], "Helm");
    assert_eq!(
        metadata["annotations"],
        serde_json::json!({"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "team-a"})
    );
    assert_eq!(manifests[1].value()["metadata"].get("labels"), None, "nor does Helm mark hooks");
}

#[test]
fn each_value_that_a_schema_refuses_is_an_error_of_its_own() {
    let schema = r#"{"properties": {"replicas": {"type": "integer"}, "image": {"properties": {"tag": {"type": "string"}}}}}"#;
    let files = [CHART, ("chart/values.yaml", "replicas: many\nimage: {tag: 1}\n"), ("chart/values.schema.json", schema)];
    let built = offline(&files, step());
    let place = |error: &plumb_world::Diagnostic| built.files.place(error.labels[0].span);
    let told: Vec<_> = built.result.as_ref().unwrap_err().iter().map(|error| (place(error), error.message.as_str())).collect();
    let expect = [
        ("chart/values.yaml:1:11", "`replicas`: got string, want integer"),
        ("chart/values.yaml:2:14", "`image.tag`: got number, want string"),
    ];
    assert_eq!(told, expect.map(|(place, message)| (place.to_owned(), message)));
    assert_eq!(errors(&offline(&files, HelmStep { schema: false, ..step() })), [""; 0]);
}

#[test]
fn a_chart_may_set_a_key_twice_as_helm_lets_it() {
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata:\n  a: first\n  a: last\n";
    let built = offline(&[CHART, ("chart/templates/a.yaml", template)], step());
    assert_eq!(data(&built)["a"], "last");
    assert_eq!(built.warnings.len(), 1);
}
