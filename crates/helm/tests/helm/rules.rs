//! Owns small charts, each for one rule: values over values, aliases, conditions, tags, imports, hooks, order, files, refusals.

use plumb_helm::{Chart, Error, File, Options, Rendered, ValuesFile, render};

use crate::host::NoHost;

fn chart(files: &[(&str, &str)]) -> Chart {
    let files = files.iter().map(|(name, text)| File { name: (*name).to_owned(), data: text.as_bytes().into() });
    Chart::load(files.collect()).unwrap()
}

fn with(files: &[(&str, &str)], values: &str) -> Result<Rendered, Error> {
    let values = [ValuesFile { name: "values".to_owned(), content: values.as_bytes().into(), secret: false }];
    render(&chart(files), &Options { release: "rel", namespace: "ns", values: &values, ..Options::default() }, &mut NoHost)
}

fn text(files: &[(&str, &str)], values: &str) -> String {
    with(files, values).unwrap().text(true)
}

const CHART: (&str, &str) = ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n");

#[test]
fn values_go_over_those_of_the_chart_and_null_takes_away() {
    let own = ("values.yaml", "a: {b: 1, c: 2, d: {e: 3}}\nf: [1]\nnothing: null\n");
    let template = ("templates/a.yaml", "v: {{ .Values | toJson }}\n");
    let out = text(&[CHART, own, template], "a: {b: null, d: {x: 4}}\nf: [2, 3]\n");
    assert_eq!(out, "---\n# Source: c/templates/a.yaml\nv: {\"a\":{\"c\":2,\"d\":{\"e\":3,\"x\":4}},\"f\":[2,3]}\n");
}

const PARENT: (&str, &str) = (
    "Chart.yaml",
    "apiVersion: v2\nname: c\nversion: 1.0.0\ndependencies:\n- {name: sub, version: 1.x, alias: one, condition: one.enabled}\n\
     - {name: sub, version: 1.x, alias: two, tags: [t], import-values: [out, {child: deep, parent: here}]}\n",
);
const SUB: [(&str, &str); 3] = [
    ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 1.2.3\n"),
    ("charts/sub/values.yaml", "x: 1\nexports: {out: {w: 2}}\ndeep: {z: 3}\n"),
    ("charts/sub/templates/s.yaml", "n: {{ .Chart.Name }} {{ .Values.x }} {{ .Values.global.g }}\n"),
];

#[test]
fn a_chart_takes_part_under_each_of_its_aliases() {
    let own = ("templates/a.yaml", "v: {{ .Values.w }} {{ with .Values.here }}{{ .z }}{{ end }}\n");
    let files = [&[PARENT, own][..], &SUB].concat();
    assert_eq!(
        text(&files, "one: {x: 7}\nglobal: {g: all}\n"),
        "---\n# Source: c/charts/one/templates/s.yaml\nn: one 7 all\n\n---\n# Source: c/charts/two/templates/s.yaml\nn: two 1 all\n\n\
         ---\n# Source: c/templates/a.yaml\nv: 2 3\n"
    );
    let out = text(&files, "one: {enabled: false}\ntags: {t: false}\n");
    assert!(!out.contains("charts/"), "{out}");
}

#[test]
fn hooks_come_after_manifests_and_those_in_the_order_of_kinds() {
    let all = "kind: Deployment\n---\nkind: Zebra\n--- # text\nkind: Namespace\n---apiVersion: v1\nkind: Aardvark\n---\n\n---\n\
               kind: Job\nmetadata: {annotations: {helm.sh/hook: \"pre-install, test-success\", helm.sh/hook-weight: \"-3\"}}\n---\n\
               kind: Job\nmetadata: {annotations: {helm.sh/hook: unknown}}\n";
    let crd = ("crds/a.yaml", "kind: CustomResourceDefinition\n");
    let rendered = with(&[CHART, ("templates/a.yaml", all), crd], "").unwrap();
    let kinds: Vec<&str> = rendered.manifests.iter().map(|manifest| manifest.kind.as_str()).collect();
    assert_eq!(kinds, ["Namespace", "Deployment", "Aardvark", "Zebra"]);
    assert_eq!(rendered.hooks.len(), 1);
    assert_eq!((rendered.hooks[0].events.as_slice(), rendered.hooks[0].weight), (["pre-install", "test"].as_slice(), -3));
    assert!(rendered.text(true).starts_with("---\n# Source: c/crds/a.yaml\nkind: CustomResourceDefinition\n"));
    assert!(!rendered.text(false).contains("crds"));
    for manifest in &rendered.manifests {
        let output = rendered.outputs.iter().find(|output| output.source == manifest.source).unwrap();
        assert_eq!(output.text.bytes[manifest.range.clone()], *manifest.content.as_bytes());
    }
}

#[test]
fn files_are_there_by_name_and_by_pattern() {
    let files = [
        CHART,
        ("f/a.txt", "one\ntwo\n"),
        ("f/g/b.txt", "three"),
        ("templates/_p.tpl", "{{ define \"p\" }}{{ .Template.Name }}{{ end }}"),
        (
            "templates/a.yaml",
            "a: {{ .Files.Get \"f/a.txt\" | quote }}\nb: {{ .Files.Lines \"f/a.txt\" | toJson }}\nc: {{ .Files.Get \"no\" | quote }}\n\
             d: {{ (.Files.Glob \"f/*\").AsConfig | nindent 2 }}\ne: {{ (.Files.Glob \"f/**\").AsSecrets | nindent 2 }}\n\
             f: {{ include \"p\" . }}\n",
        ),
    ];
    assert_eq!(
        text(&files, ""),
        "---\n# Source: c/templates/a.yaml\na: \"one\\ntwo\\n\"\nb: [\"one\",\"two\"]\nc: \"\"\nd: \n  a.txt: |\n    one\n    two\n\
         e: \n  a.txt: b25lCnR3bwo=\n  b.txt: dGhyZWU=\nf: c/templates/a.yaml\n"
    );
}

#[test]
fn refusals_say_where() {
    let failing = ("templates/a.yaml", "a: b\n{{ fail \"not like this\" }}\n");
    let error = with(&[CHART, failing], "").unwrap_err();
    assert_eq!(error.message, "execution error at (c/templates/a.yaml:2:3): not like this");
    assert!(error.asked);
    let error = with(&[CHART, ("templates/a.yaml", "a\n{{ if }}\n")], "").unwrap_err();
    assert_eq!(error.message, "parse error at (c/templates/a.yaml:2): missing value for if");
    let needs = ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\nkubeVersion: '>= 99'\n");
    let error = with(&[needs], "").unwrap_err();
    assert!(error.message.starts_with("chart requires kubeVersion: >= 99 which is incompatible with Kubernetes v1."), "{error}");
    let error = with(&[PARENT], "").unwrap_err();
    assert!(error.message.ends_with("found in Chart.yaml, but missing in charts/ directory: sub, sub"), "{error}");
    let library = ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\ntype: library\n");
    assert_eq!(with(&[library], "").unwrap_err().message, "library charts are not installable");
    assert!(with(&[CHART], "a: [").unwrap_err().message.starts_with("failed to parse values: "));
}

#[test]
fn what_is_no_chart_is_refused() {
    let load = |files: &[(&str, &str)]| {
        let files = files.iter().map(|(name, text)| File { name: (*name).to_owned(), data: text.as_bytes().into() });
        Chart::load(files.collect()).unwrap_err().to_string()
    };
    assert_eq!(load(&[]), "Chart.yaml file is missing");
    assert!(load(&[("Chart.yaml", "name: c\n")]).contains("version is required"));
    assert!(load(&[("Chart.yaml", "name: ../c\nversion: 1.0.0\n")]).contains("is invalid"));
    assert!(load(&[("Chart.yaml", "name: c\nversion: 1.0.0\ntype: x\n")]).contains("type must be"));
    assert!(load(&[("Chart.yaml", "name: [c]\nversion: 1.0.0\n")]).contains("cannot unmarshal"));
}

#[test]
fn what_a_chart_says_of_itself_is_read_as_helm_reads_it() {
    let own = "apiVersion: v2\nname: m\nversion: 1.0\nappVersion: 1.10\ndescription: |\n  a\n  b\nkeywords: [1, true]\nannotations: {a: 1, b: true}\n\
               maintainers: [{name: 5}]\nsources: [1.50]\n";
    let template = (
        "templates/a.yaml",
        "metadata: {annotations: {a: 5, b: true}}\nd: {{ list .Chart.Version .Chart.AppVersion .Chart.Description .Chart.Keywords | toJson }}\n",
    );
    let out = text(&[("Chart.yaml", own), template], "");
    assert!(out.ends_with("d: [\"1\",\"1.1\",\"a b \",[\"1\",\"true\"]]\n"), "{out}");
    let load =
        |text: &str| Chart::load(vec![File { name: "Chart.yaml".to_owned(), data: text.as_bytes().into() }]).unwrap_err().to_string();
    let with = |more: &str| load(&format!("apiVersion: v2\nname: m\nversion: 1.0.0\n{more}\n"));
    assert_eq!(with("dependencies: [{name: a, alias: ../../x}]"), "validation: dependency \"a\" has disallowed characters in the alias");
    assert_eq!(with("dependencies: [{name: a}, {name: b, alias: a}]"), "validation: more than one dependency with name or alias \"a\"");
    assert_eq!(with("dependencies: [null]"), "validation: dependencies must not contain empty or null nodes");
    assert_eq!(with("maintainers: [null]"), "validation: maintainers must not contain empty or null nodes");
    assert!(with("home: [x]").ends_with("cannot unmarshal array into Go struct field Metadata.home of type string"));
}

#[test]
fn values_are_held_against_schemas_of_all_charts() {
    let schema = |text| ("values.schema.json", text);
    let files = [
        CHART,
        schema(r#"{"required": ["a"], "properties": {"k": {"type": "integer"}}}"#),
        ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 1.0.0\n"),
        ("charts/sub/values.schema.json", r#"{"properties": {"x": {"type": "string"}}}"#),
        ("templates/a.yaml", "a: 1\n"),
    ];
    let error = with(&files, "k: x\nsub: {x: 1}\n").unwrap_err();
    assert_eq!(
        error.message,
        "values don't meet the specifications of the schema(s) in the following chart(s):\nc:\n- at '': missing property 'a'\n\
         - at '/k': got string, want integer\nsub:\n- at '/x': got number, want string\n"
    );
    let places: Vec<String> = error
        .refused
        .iter()
        .flat_map(|refused| refused.violations.iter().map(|one| [refused.at.as_slice(), &one.path].concat().join(".")))
        .collect();
    assert_eq!(places, ["", "k", "sub.x"]);
    let values = [ValuesFile { name: "values".to_owned(), content: b"k: x\n".as_slice().into(), secret: false }];
    let options = Options { release: "rel", values: &values, skip_schema: true, ..Options::default() };
    assert!(render(&chart(&files), &options, &mut NoHost).is_ok());
    let aliased = ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\ndependencies: [{name: sub, version: 1.x, alias: other}]\n");
    let error = with(&[&[aliased], &files[2..]].concat(), "other: {x: 1}\n").unwrap_err();
    assert!(error.message.ends_with("\nother:\n- at '/x': got number, want string\n"), "{error}");
}

#[test]
fn failed_templates_are_told_in_lines() {
    let helper = ("templates/_h.tpl", "{{ define \"h\" }}\n{{ .Values.a.b.c }}{{ end }}");
    let error = with(&[CHART, helper, ("templates/a.yaml", "a: {{ include \"h\" . }}\n")], "a: {}\n").unwrap_err();
    // As Helm 4.3.1 prints it.
    assert_eq!(
        error.message,
        "c/templates/a.yaml:1:6\n  executing \"c/templates/a.yaml\" at <include \"h\" .>:\n    error calling include:\n\
         c/templates/_h.tpl:2:10\n  executing \"h\" at <.Values.a.b.c>:\n    nil pointer evaluating interface {}.c"
    );
    let tpl = ("templates/a.yaml", "a: {{ tpl \"{{ .Values.a.b.c }}\" . }}\n");
    let error = with(&[CHART, tpl], "a: {}\n").unwrap_err();
    assert_eq!(error.message.lines().count(), 1, "{error}");
    assert!(with(&[CHART, ("templates/a.yaml", "a: b: c\n")], "").unwrap_err().written.is_some_and(|written| written.len() == 1));
}

#[test]
fn names_of_releases_have_a_form() {
    let render = |name: &str| render(&chart(&[CHART]), &Options { release: name, ..Options::default() }, &mut NoHost);
    let long = "a".repeat(54);
    for name in ["", "A", "a_b", "-a", "a..b", "../x", &long] {
        assert!(render(name).unwrap_err().message.starts_with("release name check failed: release name "), "{name}");
    }
    assert!(render("a.b-1").is_ok());
}
