//! Owns the tests of names and vars that are followed.

use super::names;
use super::vars::{self, VarSet};
use crate::args::Var;
use crate::config::TransformerConfig;
use crate::id::Gvk;
use crate::problem::Outcome;
use crate::resources::Resources;
use crate::run::Run;
use crate::transformers::affixes::Side;
use crate::transformers::namespace::Subjects;
use crate::transformers::tests::{affix, after, into_namespace};

fn follow<'a>(resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    names::follow(&TransformerConfig::builtin().name_reference, resources, run)
}

const POD: &str = "apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  serviceAccountName: 'sa'
  volumes:
  - {name: v, configMap: {name: m}}
  - {name: w, configMap: {name: elsewhere}}
  - name: x
---
apiVersion: v1
kind: ConfigMap
metadata: {name: m}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: sa}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: b}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}
subjects: [{kind: ServiceAccount, name: sa}, {kind: User, name: other}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: r}
rules: [{resources: [configmaps], resourceNames: [m, n]}]
";

#[test]
fn names_follow_prefixes() {
    let expect = "apiVersion: v1
kind: Pod
metadata:
  name: a-p
spec:
  serviceAccountName: a-sa
  volumes:
  - configMap:
      name: a-m
    name: v
  - configMap:
      name: elsewhere
    name: w
  - name: x
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: a-m
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: a-sa
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: a-b
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: a-r
subjects:
- kind: ServiceAccount
  name: a-sa
- kind: User
  name: other
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: a-r
rules:
- resourceNames:
  - a-m
  - \"n\"
  resources:
  - configmaps
";
    let output = after(POD, |resources, run| {
        affix(Side::Prefix, "a-", resources, run)?;
        follow(resources, run)
    });
    assert_eq!(output, expect);
}

#[test]
fn namespaces_of_subjects_follow() {
    let output = after(POD, |resources, run| {
        into_namespace("ns", Subjects::Default, resources, run)?;
        follow(resources, run)
    });
    let expect = "subjects:\n- kind: ServiceAccount\n  name: sa\n  namespace: ns\n- kind: User\n  name: other\n---\n";
    assert!(output.contains(expect), "{output}");
}

#[test]
fn untouched_objects_stay_as_they_were_read() {
    after(POD, |resources, run| {
        resources.list_mut().iter_mut().for_each(|resource| resource.store_previous(run));
        follow(resources, run)?;
        for resource in resources.iter() {
            assert!(resource.view().node_ref().is_some());
        }
        Ok(())
    });
}

#[test]
fn two_that_may_be_meant_are_an_error() {
    let input = "apiVersion: v1
kind: Pod
metadata: {name: p}
spec: {volumes: [{configMap: {name: m}}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: m}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: n}
";
    let output = after(input, |resources, run| {
        for at in 1..3 {
            let resource = &mut resources.list_mut()[at];
            resource.previous.push(crate::resource::Previous { kind: "ConfigMap", name: "m", namespace: "default" });
            let name: &'static str = if at == 1 { "x" } else { "y" };
            resource.set_name(name, crate::tree::Origin::WRITTEN, run.texts);
        }
        follow(resources, run)
    });
    assert_eq!(
        output,
        "error: updating name reference in 'spec/volumes/configMap/name' field of 'Pod.v1.[noGrp]/p.[noNs]': found multiple possible referrals: ConfigMap.v1.[noGrp]/x.[noNs], \
         ConfigMap.v1.[noGrp]/y.[noNs]\n"
    );
}

fn var(name: &'static str, field_path: &'static str) -> Var<'static> {
    Var { name, gvk: Gvk { group: "", version: "v1", kind: "Service" }, object: "s", namespace: "", field_path, place: None }
}

const WITH_VARS: &str = "apiVersion: v1
kind: Service
metadata: {name: s, annotations: {a.b/c: text}}
spec:
  ports: [{port: 80, nodePort: $(PORT)}, {port: $(PORT), name: $(NAME), targetPort: '$(PORT)'}]
  weight: 1.5
  on: true
---
apiVersion: v1
kind: Pod
metadata: {name: p, labels: {x: '$(PORT)', y: \"$$(PORT)\"}}
spec: {containers: [{args: [-p=$(PORT), $(PORT), $(ON), $(FLOAT), a$(FLOAT), $(NAME), $(ANNOTATION), $(NONE), '8']}]}
";

#[test]
fn vars_keep_their_types_when_they_stand_alone() {
    let expect = "apiVersion: v1
kind: Service
metadata:
  annotations:
    a.b/c: text
  name: a-s
spec:
  \"on\": true
  ports:
  - nodePort: $(PORT)
    port: 80
  - name: $(NAME)
    port: 80
    targetPort: 80
  weight: 1.5
---
apiVersion: v1
kind: Pod
metadata:
  labels:
    x: 80
    \"y\": $(PORT)
  name: a-p
spec:
  containers:
  - args:
    - -p=80
    - 80
    - true
    - 1.5
    - a1.5
    - a-s
    - text
    - $(NONE)
    - \"8\"
";
    let output = after(WITH_VARS, |resources, run| {
        let mut set = VarSet::default();
        let all = [
            var("PORT", "spec.ports[0].port"),
            var("NAME", "metadata.name"),
            var("ON", "spec.on"),
            var("FLOAT", "spec.weight"),
            var("ANNOTATION", "metadata.annotations.[a.b/c]"),
            var("UNUSED", "spec.ports"),
        ];
        vars::gather(&all, &mut set, resources, run)?;
        affix(Side::Prefix, "a-", resources, run)?;
        vars::resolve(&set, &TransformerConfig::builtin().var_reference, resources, run)?;
        assert_eq!(
            run.warnings().iter().map(|warning| warning.message.as_str()).collect::<Vec<_>>(),
            ["well-defined vars that were never replaced: UNUSED"]
        );
        Ok(())
    });
    assert_eq!(output, expect);
}

#[test]
fn four_thousand_objects_are_followed_quickly() {
    use std::fmt::Write;
    let mut input = String::new();
    for at in 0..2000 {
        let _ = write!(
            input,
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m{at}}}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d{at}}}\n\
             spec:\n  template:\n    spec:\n      serviceAccountName: x\n      containers:\n      - name: c\n        image: i\n        env:\n        \
             - {{name: a, valueFrom: {{configMapKeyRef: {{name: m{at}, key: k}}}}}}\n        - {{name: b, value: c}}\n---\n"
        );
    }
    let input = input.trim_end_matches("---\n");
    after(input, |resources, run| {
        affix(Side::Prefix, "a-", resources, run)?;
        follow(resources, run)?;
        let last = resources.get(3999).unwrap().view().at(&["spec", "template", "spec", "containers"]).unwrap().items().next().unwrap();
        let env = last.get("env").unwrap().items().next().unwrap();
        assert_eq!(env.at(&["valueFrom", "configMapKeyRef", "name"]).unwrap().text(), "a-m1999");
        Ok(())
    });
}

#[test]
fn blank_namespaces_of_subjects_are_an_error() {
    let input = "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: b}\nsubjects: [{kind: ServiceAccount, name: s, namespace: }]\n";
    let output = after(input, follow);
    assert_eq!(output, "error: Invalid Input: namespace is blank for resource \"RoleBinding.v1.rbac.authorization.k8s.io/b.[noNs]\"\n");
}
