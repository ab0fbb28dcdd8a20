//! Generated objects as kustomize 5.8.1 prints them, hashes too.

use super::*;
use crate::fixture::run_on;
use crate::resources::Resources;
use crate::tree::Origin;

/// Files that generators read.
const FILES: &[(&str, &[u8])] = &[
    ("app/e.env", b"\xef\xbb\xbfA=1\r\n# no\n\n  B = two words \nC\n=x\nD=\"q\"\n"),
    ("app/bin", b"\x00\xff\x80"),
    ("app/lines.txt", b"line1\nline2\n"),
    ("app/zeros", &[0; 60]),
    ("app/bad.env", b"A=1\nB=\xff\n"),
];

/// Runs generators in a kustomization's form over objects, takes what they make in, and hashes.
fn check(objects: &str, config_maps: &str, secrets: &str) -> Result<String, String> {
    run_on(FILES, objects, |resources, scene| {
        for (text, is_secret) in [(config_maps, false), (secrets, true)] {
            if text.is_empty() {
                continue;
            }
            for item in scene.read("kustomization.yaml", text).items() {
                let args = GeneratorArgs::read(Fields::open(scene.run, item, "generator", Mode::Kustomization), is_secret)?;
                let made = if is_secret { secret(&args, scene.loader, scene.run) } else { configmap(&args, scene.loader, scene.run) }?;
                let mut more = Resources::default();
                more.append(made, scene.run)?;
                resources.absorb_all(more, scene.run, Origin::WRITTEN)?;
            }
        }
        crate::hash::apply(resources, scene.run)
    })
}

#[test]
fn a_configmap_is_what_kustomize_makes() {
    let config_map = r#"
- name: cm
  namespace: ns
  envs: [e.env]
  files: [bin, lines.txt, k=lines.txt, long=zeros]
  literals: ["b='q'", "yes=yes", 'c="x', "d='", "e=a=b", "n=1"]
  options: {labels: {b: "yes", a: "1"}, annotations: {x: "a: b"}, immutable: true}
"#;
    let expect = r#"apiVersion: v1
binaryData:
  bin: AP+A
data:
  A: "1"
  'B ': ' two words '
  C: ""
  D: '"q"'
  b: q
  c: '"x'
  d: ''''
  e: a=b
  k: |
    line1
    line2
  lines.txt: |
    line1
    line2
  long: "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
  "n": "1"
  "yes": "yes"
immutable: true
kind: ConfigMap
metadata:
  annotations:
    x: 'a: b'
  labels:
    a: "1"
    b: "yes"
  name: cm-bhc7hc95k5
  namespace: ns
"#;
    assert_eq!(check("", config_map, ""), Ok(expect.to_owned()));
}

#[test]
fn a_secret_is_what_kustomize_makes() {
    let secrets = r"
- name: s
  type: kubernetes.io/tls
  literals: [a=b]
  files: [zeros, lines.txt]
  options: {disableNameSuffixHash: true}
- name: empty
";
    let expect = "apiVersion: v1
data:
  a: Yg==
  lines.txt: bGluZTEKbGluZTIK
  zeros: |
    AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
    AAAAAAAAAA
kind: Secret
metadata:
  name: s
type: kubernetes.io/tls
---
apiVersion: v1
data: {}
kind: Secret
metadata:
  name: empty-46f8b28mk5
type: Opaque
";
    assert_eq!(check("", "", secrets), Ok(expect.to_owned()));
}

#[test]
fn behaviours_merge_and_replace() {
    let old = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: cm\n  labels: {k: '0', l: '0'}\n  annotations: {z: q}\n\
               data: {a: 1, b: old}\nbinaryData: {c: AA==}\n";
    let merge = "- {name: cm, behavior: merge, literals: [b=new, c=3], options: {labels: {l: '1'}}}";
    let expect = "apiVersion: v1\nbinaryData:\n  c: AA==\ndata:\n  a: \"1\"\n  b: new\n  c: \"3\"\nkind: ConfigMap\nmetadata:\n  annotations:\n    z: q\n  \
                  labels:\n    k: \"0\"\n    l: \"1\"\n  name: cm\n";
    assert_eq!(check(old, merge, ""), Ok(expect.to_owned()));
    let replace = "- {name: cm, behavior: replace, literals: [b=new]}";
    let expect = "apiVersion: v1\ndata:\n  b: new\nkind: ConfigMap\nmetadata:\n  annotations:\n    z: q\n  labels:\n    k: \"0\"\n    l: \"0\"\n  name: cm\n";
    assert_eq!(check(old, replace, ""), Ok(expect.to_owned()));
}

#[test]
fn what_is_merged_into_stays_from_where_it_was() {
    let old = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: cm\n  annotations: {config.kubernetes.io/origin: old, x: old}\n";
    for (behavior, origin) in [("merge", "old"), ("replace", "new")] {
        let annotations = "{config.kubernetes.io/origin: new, x: new}";
        let made = check(old, &format!("- {{name: cm, behavior: {behavior}, options: {{annotations: {annotations}}}}}"), "");
        let expect = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  annotations:\n    config.kubernetes.io/origin: {origin}\n    x: new\n  name: cm\n"
        );
        assert_eq!(made, Ok(expect), "{behavior}");
    }
}

#[test]
fn mistakes_are_told_at_their_place() {
    let old = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\n";
    for (objects, config_maps, expect) in [
        ("", "- {literals: [a=b]}", "kustomization.yaml:1:3: a configmap must have a name | Give the generator a `name`."),
        (
            "",
            "- {name: a, literals: [a, =b, c=d, c=e]}",
            "kustomization.yaml:1:24: invalid literal source a, expected key=value | Write a literal as `KEY=value`.\n\
             kustomization.yaml:1:27: invalid literal source =b, expected key=value | Write a literal as `KEY=value`.",
        ),
        (
            "",
            "- {name: a, literals: [c=d, c=e]}",
            "kustomization.yaml:1:29: `a` repeats the key `c` | Give each literal, file and line of an env file a key of its own.",
        ),
        ("", "- {name: a, envs: [bad.env]}", "app/bad.env:2:1: line 2 of `bad.env` has invalid utf8 bytes"),
        ("", "- {name: a, files: [none]}", "kustomization.yaml:1:21: 'none' is neither a file nor a folder"),
        (
            "",
            "- {name: a, files: [=bin]}",
            "kustomization.yaml:1:21: missing key name for file path \"bin\" in source \"=bin\" | Write a file as `path` or as `key=path`.",
        ),
        (
            "",
            "- {name: a, behavior: merge}",
            "kustomization.yaml:1:3: id ConfigMap.v1.[noGrp]/a.[noNs] does not exist; cannot merge or replace | Leave `behavior` out, or name an object that a \
             resource or a generator of a base makes.",
        ),
        (
            old,
            "- {name: cm}",
            "kustomization.yaml:1:3: id ConfigMap.v1.[noGrp]/cm.[noNs] exists; can not use behavior: 'unspecified', behavior must be merge or replace",
        ),
    ] {
        assert_eq!(check(objects, config_maps, ""), Err(expect.to_owned()), "{config_maps}");
    }
}

#[test]
fn what_is_said_for_all_generators_goes_below_what_one_says() {
    let placed = |text| Placed { text, place: None };
    let global = GeneratorOptions { labels: vec![("a", placed("1")), ("b", placed("2"))], immutable: true, ..GeneratorOptions::default() };
    let own = GeneratorOptions { labels: vec![("a", placed("own"))], disable_name_suffix_hash: true, ..GeneratorOptions::default() };
    let merged = merge_options(Some(own), Some(&global)).expect("it is there");
    let labels: Vec<_> = merged.labels.iter().map(|(key, value)| (*key, value.text)).collect();
    assert_eq!(labels, [("a", "own"), ("b", "2")]);
    assert!(merged.immutable && merged.disable_name_suffix_hash);
    assert!(merge_options(None, None).is_none());
}

#[test]
fn a_value_remembers_its_line() {
    let made = run_on(FILES, "", |_, scene| {
        let config = scene.read("kustomization.yaml", "{name: a, envs: [e.env], files: [lines.txt]}");
        let args = GeneratorArgs::read(Fields::open(scene.run, config, "generator", Mode::Kustomization), false)?;
        let made = secret(&args, scene.loader, scene.run)?;
        let files = scene.run.texts.files();
        let place = |key| {
            let chain = scene.run.texts.chain(made.view().at(&["data", key]).expect("it is there"));
            chain.into_iter().filter_map(|stamp| stamp.place).map(|place| files.place(place)).collect::<Vec<_>>()
        };
        assert_eq!(place("B "), ["app/e.env:4:1", "kustomization.yaml:1:18"]);
        assert_eq!(place("lines.txt"), ["app/lines.txt:1:1", "kustomization.yaml:1:34"]);
        let hidden: usize = files.iter().map(|(id, _)| files.hidden(id).count()).sum();
        assert_eq!(hidden, 5);
        Ok(())
    });
    assert_eq!(made, Ok(String::new()));
}
