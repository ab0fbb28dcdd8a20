//! Annotations as kustomize 5.8.1 writes them.

use super::*;
use crate::fixture::run_on;

#[test]
fn addresses_of_repositories_are_told_from_paths() {
    let base = Provenance { path: "a/b".to_owned(), ..Provenance::default() };
    for (path, expect) in [
        ("../c.yaml", "path: a/c.yaml\n"),
        ("overlay", "path: a/b/overlay\n"),
        ("https://github.com/org/repo/examples/x?ref=v1", "path: examples/x\nrepo: https://github.com/org/repo\nref: v1\n"),
        ("github.com/org/repo/examples/multibases/dev/", "path: examples/multibases/dev\nrepo: https://github.com/org/repo\n"),
        ("https://github.com/org/repo", "path: notCloned\nrepo: https://github.com/org/repo\n"),
        ("git@github.com:org/repo.git//x?version=main", "path: x\nrepo: git@github.com:org/repo.git\nref: main\n"),
        ("ssh://git@example.com/org/repo//x", "path: x\nrepo: ssh://git@example.com/org/repo\n"),
        ("https://example.com/org/project/_git/repo/deep/er", "path: deep/er\nrepo: https://example.com/org/project/_git/repo\n"),
        ("https://example.com/file.yaml", "path: a/b/https:/example.com/file.yaml\n"),
    ] {
        assert_eq!(base.appended(path).text(), expect, "{path}");
    }
    assert_eq!(Provenance::default().text(), "{}\n");
}

#[test]
fn objects_say_where_they_come_from_and_what_changed_them() {
    let objects = "kind: A\nmetadata: {name: a}\n---\nkind: A\nmetadata: {name: b, annotations: {x: 1}}\n";
    let made = run_on(&[], objects, |resources, scene| {
        let here = Provenance::default();
        annotate_new(resources, &here.appended("o.yaml"), scene.run);
        for plugin in ["PrefixTransformer", "LabelTransformer"] {
            add_transformation(resources, &here.of_builtin("kustomization.yaml", plugin), scene.run)?;
        }
        add_managed_by(resources, "v5.8.1", scene.run);
        clean(resources, true, false, scene.run);
        Ok(())
    });
    let object = |name: &str, more: &str| {
        format!(
            "kind: A\nmetadata:\n  annotations:\n    config.kubernetes.io/origin: |\n      path: o.yaml\n{more}  labels:\n    \
             app.kubernetes.io/managed-by: kustomize-v5.8.1\n  name: {name}\n"
        )
    };
    assert_eq!(made, Ok(format!("{}---\n{}", object("a", ""), object("b", "    x: \"1\"\n"))));
}

#[test]
fn transformations_are_a_list() {
    let made = run_on(&[], "kind: A\nmetadata: {name: a}\n", |resources, scene| {
        let here = Provenance::default();
        annotate_new(resources, &here.of_builtin("kustomization.yaml", "ConfigMapGenerator"), scene.run);
        for plugin in ["PrefixTransformer", "LabelTransformer"] {
            add_transformation(resources, &here.of_builtin("kustomization.yaml", plugin), scene.run)?;
        }
        clean(resources, false, true, scene.run);
        Ok(())
    });
    let step = |kind: &str| {
        format!("      - configuredIn: kustomization.yaml\n        configuredBy:\n          apiVersion: builtin\n          kind: {kind}\n")
    };
    let expect = format!(
        "kind: A\nmetadata:\n  annotations:\n    alpha.config.kubernetes.io/transformations: |\n{}{}  name: a\n",
        step("PrefixTransformer"),
        step("LabelTransformer")
    );
    assert_eq!(made, Ok(expect));
}

#[test]
fn nothing_asked_for_leaves_no_empty_map() {
    let objects = "kind: A\nmetadata: {name: a, annotations: {}}\n---\nkind: A\nmetadata: {name: b, annotations: {q: 1, t: x}}\n";
    let made = run_on(&[], objects, |resources, scene| {
        clean(resources, false, false, scene.run);
        Ok(())
    });
    let expect = "kind: A\nmetadata:\n  name: a\n---\nkind: A\nmetadata:\n  annotations:\n    q: \"1\"\n    t: x\n  name: b\n";
    assert_eq!(made, Ok(expect.to_owned()));
}
