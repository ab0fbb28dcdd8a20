//! Replacements as kustomize 5.8.1 makes them.

use super::*;
use crate::fixture::run_on;

const OBJECTS: &str = r#"apiVersion: v1
kind: ConfigMap
metadata: {name: source}
data: {host: db.example.com, port: "5432", pair: "left:right"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  template:
    spec:
      containers:
      - {name: web, image: "web:1", env: [{name: HOST, value: old}]}
      - {name: side-car, image: "side:1"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: target}
data:
  compact.json: '{"db":{"host":"old","port":1},"list":[]}'
  pretty.json: |-
    {
      "db": {"host": "old"}
    }
  config.yaml: |-
    db:
      # about the host
      host: "old"
      ports: {main: 1, other: 2}
    list:
    - a
"#;

/// Runs one replacement, and returns the object of that number.
fn check(replacement: &str, object: usize) -> Result<String, String> {
    let made = run_on(&[], OBJECTS, |resources, scene| {
        let config = scene.read("replacements.yaml", &format!("replacements:\n- {}\n", replacement.replace('\n', "\n  ")));
        apply(&read_plugin(scene.run, config)?, resources, scene.run)
    })?;
    Ok(made.split("---\n").nth(object).unwrap_or_default().to_owned())
}

fn to(source: &str, target: &str) -> String {
    format!("source: {{kind: ConfigMap, name: source, fieldPath: {source}}}\ntargets:\n- {target}")
}

#[test]
fn values_go_to_fields() {
    let web = |fields: &str, options: &str| {
        format!("select: {{kind: Deployment, name: web}}\n  fieldPaths: [{fields}]\n  options: {{{options}}}")
    };
    for (replacement, expect) in [
        // A number keeps its type, and what is made has none of its own.
        (to("data.port", &web("spec.replicas", "")), "replicas: 5432"),
        (to("data.host", &web("'spec.template.spec.containers.[name=side-car].image'", "")), "- image: db.example.com"),
        (to("data.host", &web("spec.template.spec.containers.1.image", "delimiter: ':', index: 1")), "- image: side:db.example.com"),
        (to("data.host", &web("spec.template.spec.containers.1.image", "delimiter: ':', index: -1")), "- image: db.example.com:side:1"),
        (to("data.host", &web("spec.template.spec.containers.1.image", "delimiter: ':', index: 9")), "- image: side:1:db.example.com"),
        (to("data.host", &web("'spec.template.spec.containers.*.command'", "create: true")), "- command: db.example.com\n        env:"),
        (
            to("data.host", &web("'spec.template.spec.containers.[name=new].image'", "create: true")),
            "- image: db.example.com\n        name: new\n",
        ),
        (to("data.port", &web("'metadata.annotations.example\\.com/port'", "create: true")), "annotations:\n    example.com/port: 5432\n"),
        (to("data", &web("spec.template.spec.containers", "")), "containers:\n        host: db.example.com\n        pair: left:right\n"),
        ("sourceValue: '7'\ntargets:\n- select: {labelSelector: app=web}\n  fieldPaths: [spec.replicas]".to_owned(), "replicas: 7\n"),
        (to("data.pair, options: {delimiter: ':', index: 1}", &web("spec.template.spec.containers.0.env.0.value", "")), "value: right\n"),
    ] {
        let made = check(&replacement, 1);
        assert!(made.as_ref().is_ok_and(|made| made.contains(expect)), "{replacement}\n{made:?}");
    }
}

#[test]
fn texts_that_are_json_or_yaml_are_changed_inside() {
    let into = |path: &str| check(&to("data.host", &format!("select: {{name: target}}\n  fieldPaths: ['{path}']")), 2);
    for (path, expect) in [
        ("data.compact\\.json.db.host", "'{\"db\":{\"host\":\"db.example.com\",\"port\":1},\"list\":[]}'"),
        ("data.pretty\\.json.db.host", "pretty.json: |-\n    {\n      \"db\": {\n        \"host\": \"db.example.com\"\n      }\n    }\n"),
        (
            "data.config\\.yaml.db.host",
            "    db:\n      # about the host\n      host: \"db.example.com\"\n      ports: {main: 1, other: 2}\n    list:\n    - a\n",
        ),
        ("data.config\\.yaml.list.0", "    list:\n    - db.example.com\n"),
    ] {
        let made = into(path);
        assert!(made.as_ref().is_ok_and(|made| made.contains(expect)), "{path}\n{made:?}");
    }
}

#[test]
fn mistakes_say_what_is_there() {
    let web = |fields: &str| format!("select: {{kind: Deployment}}\n  fieldPaths: [{fields}]");
    for (replacement, expect) in [
        ("targets: [{select: {name: a}}]".to_owned(), "replacements must specify a source and at least one target"),
        (
            to("data.hots", &web("spec.replicas")),
            "fieldPath `data.hots` is missing for replacement source ConfigMap.[noVer].[noGrp]/source.[noNs] | There is no `hots`; did you mean `host`?",
        ),
        (
            to("data.host", &web("spec.replica")),
            "unable to find field \"spec.replica\" in replacement target | There is no `replica`; did you mean `replicas`? | With `options: {create: true}`",
        ),
        (to("data.host", &web("spec.template.spec.containers.7.image")), "index 7 specified but only 2 elements found"),
        (
            to("data.host, options: {delimiter: '.', index: 3}", &web("spec.replicas")),
            "options.index 3 is out of bounds for value db.example.com",
        ),
        (to("data.host", "fieldPaths: [a]"), "target must specify resources to select"),
        (
            "source: {kind: ConfigMap}\ntargets: [{select: {name: a}}]".to_owned(),
            "multiple matches for selector ConfigMap.[noVer].[noGrp]/[noName].[noNs]",
        ),
        (
            "source: {kind: ConfigMap, name: sorce}\ntargets: [{select: {name: a}}]".to_owned(),
            "nothing selected by ConfigMap.[noVer].[noGrp]/sorce.[noNs] | Did you mean `source`?",
        ),
        (to("data.host", "select: {name: '('}"), "error parsing regexp: missing closing )"),
    ] {
        let made = check(&replacement, 0);
        assert!(made.as_ref().is_err_and(|made| made.contains(expect)), "{replacement}\n{made:?}");
    }
}

#[test]
fn files_of_replacements_hold_one_or_many() {
    let files: &[(&str, &[u8])] = &[
        ("app/one.yaml", b"sourceValue: a\ntargets: [{select: {name: x}}]\n"),
        ("app/many.yaml", b"- sourceValue: a\n- sourceValue: b\n"),
        ("app/none.yaml", b"text\n"),
    ];
    let count = |config: &str| {
        run_on(files, "", |_, scene| {
            let config = scene.read("r.yaml", config);
            let loaded = load(read_plugin(scene.run, config)?, scene.loader, scene.run)?;
            assert_eq!(loaded.len(), 4);
            Ok(())
        })
    };
    assert_eq!(count("replacements: [{path: one.yaml}, {path: many.yaml}, {sourceValue: c}]"), Ok(String::new()));
    assert!(count("replacements: [{path: none.yaml}]").is_err_and(|error| error.contains("neither a replacement nor a list")));
    assert!(count("replacements: [{path: one.yaml, targets: [{}]}]").is_err_and(|error| error.contains("both path and inline")));
}

#[test]
fn the_chain_names_the_replacement_and_the_source() {
    let done = run_on(&[], OBJECTS, |resources, scene| {
        let text =
            format!("replacements:\n- {}\n", to("data.port", "select: {name: web}\n  fieldPaths: [spec.replicas]").replace('\n', "\n  "));
        let config = scene.read("replacements.yaml", &text);
        apply(&read_plugin(scene.run, config)?, resources, scene.run)?;
        let view = resources.get(1).and_then(|web| web.view().at(&["spec", "replicas"])).expect("it is there");
        let files = scene.run.texts.files();
        let chain = scene
            .run
            .texts
            .chain(view)
            .into_iter()
            .map(|stamp| (stamp.by, stamp.place.map(|place| files.place(place)).unwrap_or_default()));
        let expect = [(BY, "replacements.yaml:5:18"), (SOURCE, "objects.yaml:4:36"), ("", "objects.yaml:10:13")]
            .map(|(by, place)| (by, place.to_owned()));
        assert_eq!(chain.collect::<Vec<_>>(), expect);
        Ok(())
    });
    assert!(done.is_ok(), "{done:?}");
}

#[test]
fn comments_stay_at_their_lines() {
    let written = "# head of file\n\n# head of db\ndb:\n    # about host\n    host: old # trailing\n    port: 1    # far\n    # foot of db\n\n# head list\n\nlist:  # on list\n# first\n- a\n- b # b\nlit: |\n  # no comment\n\n  x\nmap:\n\n  k: v\n# end\n";
    let bare = "db:\n  host: old\n  port: 1\nlist:\n- a\n- b\nlit: |\n  # no comment\n\n  x\nmap:\n  k: v\n";
    let changed = bare.replace("old", "new");
    let expect = "# head of file\n\n# head of db\ndb:\n  # about host\n  host: new # trailing\n  port: 1 # far\n  # foot of db\n# head list\nlist: # on list\n# first\n- a\n- b # b\nlit: |\n  # no comment\n\n  x\nmap:\n  k: v\n# end\n";
    assert_eq!(comments::put_back(written, bare, &changed).as_deref(), Some(expect));
    assert_eq!(comments::put_back("a: {b: 1} # x\n", "a:\n  b: 1\n", "a:\n  b: 2\n"), None);
}
