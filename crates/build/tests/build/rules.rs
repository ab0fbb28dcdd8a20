//! Owns the tests of what a case cannot show: what is read, that the same input gives the same bytes, and that secrets stay out of reports.

use plumb_build::{rendered_objects, report};
use plumb_manifest::{Digest, ObjectKey, Scope};
use plumb_suite::{MemoryWorld, Read};
use plumb_world::RelPath;

use super::{run, run_files, unit};

fn path(text: &str) -> RelPath {
    RelPath::parse(text).expect("path")
}

#[test]
fn exactly_the_files_of_the_path_are_read() {
    let (mut world, tree) = MemoryWorld::of(&[
        ("deploy/b.yaml", ""),
        ("deploy/a/x.yml", ""),
        ("deploy/a-b.json", ""),
        ("deploy/.hidden/x.yaml", "{"),
        ("deploy/.x.yaml", "{"),
        ("deploy/README.md", "{"),
        ("other/x.yaml", "{"),
        ("outside/y.yaml", ""),
    ]);
    world.link(tree, "deploy/folder", "../other");
    world.link(tree, "deploy/linked.yaml", "../outside/y.yaml");
    world.submodule(tree, "deploy/module");
    let built = run(&world, tree, &unit(&[("path".to_owned(), "deploy".to_owned())]));
    assert!(built.result.is_ok());
    let read: Vec<String> = built.files.iter().map(|(_, file)| file.path.to_string()).collect();
    assert_eq!(read, ["deploy/a-b.json", "deploy/a/x.yml", "deploy/b.yaml", "deploy/linked.yaml"]);
    assert_eq!(
        built.warnings.iter().map(|warning| warning.message.as_str()).collect::<Vec<_>>(),
        ["`deploy/module` is a submodule: nothing in it is read"]
    );
    let mut files: Vec<Read> = world.reads().into_iter().filter(|read| matches!(read, Read::File(..))).collect();
    files.dedup();
    assert_eq!(files.len(), 4, "{files:?}");
    assert!(world.reads().contains(&Read::List(tree, path("deploy/a"))));
}

#[test]
fn a_link_out_of_the_source_is_an_error() {
    let (mut world, tree) = MemoryWorld::of(&[("deploy/a.yaml", "")]);
    world.link(tree, "deploy/b.yaml", "../../../etc/passwd");
    world.link(tree, "deploy/c.yaml", "c.yaml");
    let built = run(&world, tree, &unit(&[]));
    let errors: Vec<String> = built.result.expect_err("errors").into_iter().map(|error| error.message).collect();
    assert_eq!(errors, ["`deploy/b.yaml` is a link that leaves its source", "`deploy/c.yaml` is a link in a circle"]);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let files = [("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {z: '1', a: '2'}}\ndata: {b: x, a: z}\n")];
    let manifests = |files: &[(&str, &str)]| run_files(files).result.expect("built");
    let (one, two) = (manifests(&files), manifests(&files));
    assert_eq!(one[0].json, two[0].json);
    assert_eq!(&*one[0].json, br#"{"apiVersion":"v1","data":{"a":"z","b":"x"},"kind":"ConfigMap","metadata":{"labels":{"a":"2","z":"1"},"name":"a","namespace":"shop"}}"#);
    assert_eq!(one[0].digest, Digest::of(&one[0].json));
    // Comments and the order of keys are no change.
    let moved = [("b.yaml", "# why\nkind: ConfigMap\napiVersion: v1\ndata: {a: z, b: x}\nmetadata: {labels: {a: '2', z: '1'}, name: a}\n")];
    assert_eq!(manifests(&moved)[0].digest, one[0].digest);
}

#[test]
fn kinds_go_by_the_schema_then_by_the_set_then_by_the_cluster() {
    let crd = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: hosts.example.com}\nspec:\n  group: example.com\n  scope: Cluster\n  names: {kind: Host, plural: hosts}\n  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]\n";
    let built = run_files(&[
        ("a.yaml", "apiVersion: example.com/v1\nkind: Host\nmetadata: {name: h}\n"),
        ("b.yaml", crd),
        ("c.yaml", "apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: w}\n"),
        ("d.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: other}\n"),
    ]);
    let manifests = built.result.expect("built");
    let seen: Vec<(ObjectKey, Option<Scope>, bool)> =
        manifests.iter().map(|manifest| (manifest.key.clone(), manifest.scope, manifest.sensitive)).collect();
    assert_eq!(
        seen,
        [
            (ObjectKey::new("example.com", "Host", None, "h"), Some(Scope::Cluster), false),
            (ObjectKey::new("apiextensions.k8s.io", "CustomResourceDefinition", None, "hosts.example.com"), Some(Scope::Cluster), false),
            (ObjectKey::new("example.org", "Widget", Some("shop"), "w"), None, false),
            (ObjectKey::new("", "Secret", Some("other"), "s"), Some(Scope::Namespaced), true),
        ]
    );
    let unknown = plumb_build::unknown_kind(&manifests[2]);
    assert_eq!(report::line(&unknown, &built.files), "error: c.yaml:1:1: the cluster knows no kind `Widget` in `example.org/v1`");
    assert_eq!(
        report::line(&plumb_build::no_namespace(&manifests[2]), &built.files),
        "error: c.yaml:1:1: `Widget.example.org w` has no namespace"
    );
}

/// A canary in every place where a Secret may hold one: none reaches a report, whether the file parses or not.
#[test]
fn no_report_shows_a_secret() {
    let canary = "hunter2";
    for text in [
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a, labels: {a: [1]}}\ndata: {password: hunter2, other: [1]}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {labels: {a: 1}, name: A_B}\nstringData: {password: hunter2}\n",
        "{apiVersion: v1, kind: Secret, stringData: {password: hunter2}, metadata: {name: 7}}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n  password: hunter2\n  password: hunter2\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n  password: \"hunter2\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n  password: hunter2: x\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData:\n\tpassword: hunter2\n",
        "{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"stringData\": {\"password\": \"hunter2\" \"x\"}}\n",
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n  annotations: {kubectl.kubernetes.io/last-applied-configuration: '{\"data\":\"hunter2\"}', x: 1}\n",
        "a: [\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata:\n  password: |\n    hunter2\n   - bad\n",
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: 7}, data: {password: hunter2}}\n",
    ] {
        let built = run_files(&[("a.yaml", text)]);
        assert!(built.result.is_err(), "{text}");
        let report = report::render(&built.diagnostics(), &built.files, "", false);
        assert!(!report.contains(canary), "{text}\n{report}");
        assert!(report.contains("a.yaml:"), "{text}\n{report}");
    }
}

#[test]
fn rendered_objects_say_where_they_come_from() {
    let built = run_files(&[("deploy/a.yaml", "# head\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")]);
    let objects = serde_json::to_value(rendered_objects(&built)).expect("JSON");
    let digest = built.result.expect("built")[0].digest.to_string();
    let expect = serde_json::json!([{
        "origin": {"source": "main", "revision": "main@sha1:4f0c", "file": "deploy/a.yaml", "line": 3, "column": 1},
        "digest": digest,
        "sensitive": false,
        "object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}},
    }]);
    assert_eq!(objects, expect);
}

/// What `render` prints is what is applied: read again, it gives the same manifests.
#[test]
fn what_is_printed_builds_to_the_same() {
    let built = run_files(&[
        (
            "0.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: keep, namespace: shop}\ndata:\n  text: |+\n    x\n\n\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: clip, namespace: shop}\ndata:\n  text: |\n    x\n\n",
        ),
        (
            "a.yaml",
            "# kept\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop} # why\ndata: {x: 'yes', n: \"1\"}\n---\n\n---\n# only a comment\n",
        ),
        (
            "b.json",
            "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"b\"}, \"data\": {\"t\": \"two\\nlines\\n\", \"e\": \" x\"}}",
        ),
        ("c.yaml", "apiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: c}\n  data:\n    a: |\n      x\n       y\n"),
        (
            "d.yaml",
            "--- # open\napiVersion: v1\nkind: Service\nmetadata:\n  name: d\n  namespace: shop\n  creationTimestamp: null\nspec: {ports: [{port: 80, name: on}]}\nstatus: {loadBalancer: {}}\n...\n",
        ),
    ]);
    let text = plumb_build::render_text(&built);
    let again = run_files(&[("all.yaml", &text)]);
    let digests = |built: &plumb_build::Built| {
        built.result.as_ref().expect("built").iter().map(|manifest| (manifest.key.clone(), manifest.digest)).collect::<Vec<_>>()
    };
    assert_eq!(digests(&again), digests(&built), "{text}");
    assert!(text.contains("# why"), "{text}");
    assert!(built.warnings.is_empty(), "{:?}", built.warnings);
}
