//! Owns the tests of the linter's rules; whole charts were compared with the real Helm.

use super::*;
use crate::File;
use crate::engine_cases::Nobody;

const CHART: (&str, &str) = ("Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\nicon: https://e.org/i.png\n");

/// What is found in a folder with these files, a line each.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let chart = Chart::load(files.iter().map(|(name, text)| File { name: (*name).to_owned(), data: text.as_bytes().into() }).collect());
    let content = |name: &str| files.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_bytes());
    let has = |folder: &str| if files.iter().any(|(name, _)| name.starts_with(folder)) { Presence::Folder } else { Presence::Absent };
    let folder = Folder {
        place: "/charts/c".to_owned(),
        chart_file: content("Chart.yaml").unwrap_or_default(),
        values: content("values.yaml"),
        schema: content("values.schema.json"),
        templates: has("templates/"),
        crds: has("crds/"),
        chart: chart.as_ref().map_err(ToString::to_string),
    };
    let options = Options { lint: true, ..Options::default() };
    lint(&folder, &options, (1, 30), &mut Nobody).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn chart_yaml_is_looked_at_field_by_field() {
    let file = "apiVersion: v1\nname: l\nversion: \"1.0\"\nname: l\ntype: application\nfoo: bar\nicon: nope\nsources: [x, \"https://ok/\"]\n\
                maintainers: [{name: a, email: \"bad@\"}]\ndependencies: [{name: q, version: \"1\"}]\nappVersion: null\n";
    // As Helm 4.3.1 prints them.
    assert_eq!(
        found(&[("Chart.yaml", file), ("values.yaml", "")]),
        [
            "[WARNING] Chart.yaml: failed to strictly parse chart metadata file\n\terror converting YAML to JSON: yaml: unmarshal errors:\n  \
             line 4: key \"name\" already set in map",
            "[ERROR] Chart.yaml: appVersion should be of type string but it's of type <nil>",
            "[ERROR] Chart.yaml: invalid email 'bad@' for maintainer 'a'",
            "[ERROR] Chart.yaml: invalid source URL 'x'",
            "[ERROR] Chart.yaml: invalid icon URL 'nope'",
            "[ERROR] Chart.yaml: chart type is not valid in apiVersion 'v1'. It is valid in apiVersion 'v2'",
            "[ERROR] Chart.yaml: dependencies are not valid in the Chart file with apiVersion 'v1'. They are valid in apiVersion 'v2'",
            "[WARNING] Chart.yaml: version '1.0' is not a valid SemVerV2",
            "[WARNING] templates/: directory does not exist",
            "[WARNING] /charts/c: chart directory is missing these dependencies: q",
        ]
    );
    let unknown = format!("{}foo: bar\nbar: 1\n", CHART.1);
    assert_eq!(
        found(&[("Chart.yaml", &unknown), ("values.yaml", ""), ("templates/a.tpl", "")]),
        [
            "[WARNING] Chart.yaml: failed to strictly parse chart metadata file\n\terror unmarshaling JSON: while decoding JSON: json: unknown field \"bar\""
        ]
    );
    assert_eq!(
        found(&[("Chart.yaml", "name: [x]\n"), ("values.yaml", "")])[0],
        "[ERROR] Chart.yaml: unable to parse YAML\n\terror unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go struct field Metadata.name of type string"
    );
}

#[test]
fn what_templates_write_is_looked_at_document_by_document() {
    let objects = "  apiVersion: v1\n  kind: Service\n  metadata: {name: 1abc}\n---\nkind: Deployment\nmetadata: {name: ok}\n---\n# nothing\n---\n\
                   apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: ok}\n---\nkind: Role\nmetadata: {name: a/b%}\n";
    let lines = found(&[
        CHART,
        ("values.yaml", ""),
        ("templates/a.yaml", objects),
        ("templates/b.json", "{}"),
        ("templates/c.yml", "kind: x\n--- foo\na: 1\n"),
        ("templates/d.yaml", "kind: X\nmetadata: {name: a_b}\n"),
    ]);
    let begins = [
        "[WARNING] templates/a.yaml: document starts with an illegal indent: \"  apiVersion: v1\", which may cause parsing problems",
        "[WARNING] templates/a.yaml: object name does not conform to Kubernetes naming requirements: \"1abc\": metadata.name: Invalid value: \"1abc\": a DNS-1035 label",
        "[ERROR] templates/a.yaml: a Deployment must contain matchLabels or matchExpressions, and \"ok\" does not",
        "[WARNING] templates/a.yaml: policy/v1beta1 PodDisruptionBudget is deprecated in v1.21+, unavailable in v1.25+; use policy/v1 PodDisruptionBudget",
        "[WARNING] templates/a.yaml: object name does not conform to Kubernetes naming requirements: \"a/b%\": [metadata.name: Invalid value: \"a/b%\": may not contain '/', metadata.name: Invalid value: \"a/b%\": may not contain '%']",
        "[ERROR] templates/b.json: file extension '.json' not valid. Valid extensions are .yaml, .yml, .tpl, or .txt",
        // What cannot be read ends it: the last template is not looked at.
        "[ERROR] templates/c.yml: unable to parse YAML: invalid Yaml document separator: foo",
    ];
    assert_eq!(lines.len(), begins.len(), "{lines:#?}");
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.starts_with(begin), "{line}");
    }
}

#[test]
fn values_are_held_against_the_schema_twice() {
    let schema = ("values.schema.json", r#"{"properties": {"a": {"type": "string"}}}"#);
    assert_eq!(
        found(&[CHART, ("values.yaml", "a: 1\n"), schema, ("templates/a.tpl", "")]),
        [
            "[ERROR] values.yaml: - at '/a': got number, want string\n",
            "[ERROR] templates/: values don't meet the specifications of the schema(s) in the following chart(s):\nc:\n- at '/a': got number, want string\n",
        ]
    );
    assert_eq!(found(&[CHART, ("templates/a.tpl", "")]), ["[INFO] values.yaml: file does not exist"]);
}

#[test]
fn lists_dependencies_and_definitions_have_rules_of_their_own() {
    let list = "kind: List\nmetadata: {name: l}\nitems: [{metadata: {annotations: {helm.sh/resource-policy: keep}}}]\n";
    let chart = format!("{}dependencies: [{{name: d, version: \"1\", alias: x}}, {{name: e, version: \"1\"}}]\n", CHART.1);
    let lines = found(&[
        ("Chart.yaml", &chart),
        ("values.yaml", ""),
        ("templates/a.yaml", list),
        ("crds/a.yaml", "kind: X\n"),
        ("charts/d/Chart.yaml", "apiVersion: v2\nname: d\nversion: 1.0.0\n"),
        ("charts/f/Chart.yaml", "apiVersion: v2\nname: f\nversion: 1.0.0\n"),
    ]);
    assert_eq!(
        lines,
        [
            "[ERROR] templates/a.yaml: annotation 'helm.sh/resource-policy' within List objects are ignored",
            "[ERROR] /charts/c: chart metadata is missing these dependencies: f",
            "[WARNING] /charts/c: chart directory is missing these dependencies: e",
            "[ERROR] crds/a.yaml: apiVersion is not in 'apiextensions.k8s.io'",
            "[ERROR] crds/a.yaml: object kind is not 'CustomResourceDefinition'",
        ]
    );
}
