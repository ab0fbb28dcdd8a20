//! Owns the tests of the transformers of names, namespaces, labels and annotations.

use std::sync::Arc;

use plumb_suite::MemoryWorld;
use plumb_world::{RelPath, SourceFile};
use plumb_yaml::Emitter;

use super::affixes::{self, AffixArgs, Side};
use super::entries::{self, EntriesArgs};
use super::namespace::{self, NamespaceArgs, Subjects};
use crate::config::TransformerConfig;
use crate::decode::Placed;
use crate::problem::{Failure, Outcome};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::run::Run;
use crate::tree::{Node, Texts, write_yaml};

/// Reads a stream, does steps to its objects, and returns them as they are printed, or the mistakes.
pub(crate) fn after(input: &str, steps: impl for<'a> Fn(&mut Resources<'a>, &Run<'a>) -> Outcome<()>) -> String {
    let world = MemoryWorld::default();
    let texts = Texts::new(plumb_world::FileTable::default());
    let run = crate::fixture::bare(&world, &texts);
    let mut resources = read(input, &run);
    match steps(&mut resources, &run) {
        Ok(()) => print(resources, &run),
        Err(Failure::Wrong(mistakes)) => {
            assert!(mistakes.iter().all(|mistake| !mistake.hints.is_empty() && !mistake.labels.is_empty()), "{mistakes:?}");
            mistakes.iter().map(|mistake| format!("error: {}\n", mistake.message)).collect()
        }
        Err(Failure::World(error)) => panic!("{error}"),
    }
}

/// Reads a stream of objects.
pub(crate) fn read<'a>(input: &str, run: &Run<'a>) -> Resources<'a> {
    let text: Arc<str> = Arc::from(input);
    let path = RelPath::root().join("in.yaml").unwrap();
    let file = SourceFile { source: Arc::from(""), revision: Arc::from(""), path, text: Arc::from(text.as_bytes()), made: false };
    let stream = run.texts.read(run.texts.add(file), text);
    let mut resources = Resources::default();
    for document in stream.documents() {
        resources.append(Resource::new(Node::written(document.unwrap().root())), run).unwrap();
    }
    resources
}

fn print<'a>(resources: Resources<'a>, run: &Run<'a>) -> String {
    let mut printed = Vec::new();
    for mut resource in resources.into_list() {
        resource.finish(run.texts);
        let mut out = Emitter::new();
        write_yaml(resource.view(), &mut out, true).unwrap();
        printed.push(String::from_utf8(out.finish()).unwrap());
    }
    printed.join("---\n")
}

pub(crate) fn affix<'a>(side: Side, text: &'a str, resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    let args = AffixArgs { side, text, fields: TransformerConfig::builtin().name_prefix, place: None };
    affixes::apply(&args, resources, run)
}

pub(crate) fn into_namespace<'a>(namespace: &'a str, subjects: Subjects, resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    let args = NamespaceArgs { namespace, fields: TransformerConfig::builtin().namespace, unset_only: false, subjects, place: None };
    namespace::apply(&args, resources, run)
}

fn label<'a>(pairs: &[(&'a str, &'a str)], selectors: bool, resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    let config = TransformerConfig::builtin();
    let only_own = vec![crate::args::FieldSpec { gvk: crate::id::Gvk::default(), path: "metadata/labels", create: true }];
    let pairs = pairs.iter().map(|(key, text)| (*key, Placed { text, place: None })).collect();
    let fields = if selectors { config.common_labels } else { only_own.into() };
    entries::apply(&EntriesArgs { by: "labels", pairs, fields, place: None }, resources, run)
}

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
spec:
  template:
    spec: {containers: [{name: c}]}
";

#[test]
fn labels_of_selectors_share_their_values() {
    // Asked of kustomize 5.8.1: the overlay's label does not go to selectors, and changes them all the same.
    let output = after(DEPLOYMENT, |resources, run| {
        label(&[("app", "x"), ("k", "8")], true, resources, run)?;
        label(&[("app", "yy"), ("b", "true")], false, resources, run)
    });
    let expect = "apiVersion: apps/v1
kind: Deployment
metadata:
  labels:
    app: yy
    b: \"true\"
    k: \"8\"
  name: d
spec:
  selector:
    matchLabels:
      app: yy
      k: \"8\"
  template:
    metadata:
      labels:
        app: yy
        k: \"8\"
    spec:
      containers:
      - name: c
";
    assert_eq!(output, expect);
}

#[test]
fn labels_take_what_is_there() {
    let input = "apiVersion: apps/v1
kind: StatefulSet
metadata: {name: d, labels: null}
spec:
  selector: {matchLabels: {app: old}}
  template: {metadata: {labels: {app: old}}}
  volumeClaimTemplates: [{metadata: {name: a}}, {metadata: {labels: {app: own}}}]
";
    let expect = "apiVersion: apps/v1
kind: StatefulSet
metadata:
  labels:
    app: x
  name: d
spec:
  selector:
    matchLabels:
      app: x
  template:
    metadata:
      labels:
        app: x
  volumeClaimTemplates:
  - metadata:
      labels:
        app: x
      name: a
  - metadata:
      labels:
        app: x
";
    assert_eq!(after(input, |resources, run| label(&[("app", "x")], true, resources, run)), expect);
    let odd = "apiVersion: v1\nkind: A\nmetadata: {name: a, labels: [x]}\n";
    let expect = "error: considering field 'metadata/labels' of object A.v1.[noGrp]/a.[noNs]: wrong node kind: expected MappingNode but was SequenceNode\n";
    assert_eq!(after(odd, |resources, run| label(&[("app", "x")], true, resources, run)), expect);
}

#[test]
fn affixes_skip_what_is_found_by_name() {
    let input = "apiVersion: v1
kind: Namespace
metadata: {name: n}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: \"8\"}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: c}
";
    let expect = "apiVersion: v1
kind: Namespace
metadata:
  name: \"n\"
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: a-8-z
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: c
";
    let output = after(input, |resources, run| {
        affix(Side::Prefix, "a-", resources, run)?;
        affix(Side::Suffix, "-z", resources, run)?;
        let map = resources.get(1).unwrap();
        assert_eq!((map.prefixes.as_slice(), map.suffixes.as_slice()), (["a-"].as_slice(), ["-z"].as_slice()));
        assert_eq!(map.previous.iter().map(|previous| previous.name).collect::<Vec<_>>(), ["8", "a-8"]);
        Ok(())
    });
    assert_eq!(output, expect);
}

const BINDING: &str = "apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: b, namespace: ''}
subjects:
- {kind: ServiceAccount, name: default}
- {kind: ServiceAccount, name: other, namespace: \"8\"}
- {kind: User, name: default}
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: a, namespace: x}
spec: {service: {name: s}}
";

#[test]
fn namespace_goes_to_subjects_that_are_meant() {
    let expect = |first: &str, second: &str, third: &str| {
        format!(
            "apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: b
  namespace: ns
subjects:
- kind: ServiceAccount
  name: default
{first}- kind: ServiceAccount
  name: other
  namespace: {second}
- kind: User
  name: default
{third}---
"
        )
    };
    let ns = "  namespace: ns\n";
    for (subjects, expect) in [
        (Subjects::Default, expect(ns, "\"8\"", ns)),
        (Subjects::ServiceAccounts, expect(ns, "ns", "")),
        (Subjects::None, expect("", "\"8\"", "")),
    ] {
        let output = after(BINDING, |resources, run| into_namespace("ns", subjects, resources, run));
        assert!(output.starts_with(&expect), "{output}");
        assert!(output.ends_with("spec:\n  service:\n    name: s\n    namespace: ns\n"), "{output}");
    }
}

#[test]
fn namespace_that_makes_two_one_is_an_error() {
    let input = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: x}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: y}\n";
    let output = after(input, |resources, run| into_namespace("ns", Subjects::Default, resources, run));
    assert_eq!(output, "error: namespace transformation produces ID conflict: two objects become ConfigMap.v1.[noGrp]/a.ns\n");
}

#[test]
fn patches_change_shared_labels_everywhere() {
    // Asked of kustomize 5.8.1.
    let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, labels: {app: patched}}\n";
    let output = after(DEPLOYMENT, |resources, run| {
        label(&[("app", "x")], true, resources, run)?;
        let patch = read(run.texts.keep(patch.to_owned()), run).into_list().remove(0);
        let node = std::mem::replace(&mut resources.list_mut()[0].node, Node::null());
        resources.list_mut()[0].node = crate::merge::merge(node, &patch.node, "patches", run)?.unwrap();
        Ok(())
    });
    assert_eq!(output.matches("app: patched\n").count(), 3, "{output}");
}
