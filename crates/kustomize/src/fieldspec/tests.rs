//! Owns the tests of where the paths of field specs lead.

use super::*;
use crate::transformers::tests::after;
use crate::tree::Origin;

/// Sets `X` at a path of the first object, made where it is missing if the path starts with `+`.
fn set_at(input: &str, path: &str) -> String {
    after(input, |resources, run| {
        let (create, path) = path.strip_prefix('+').map_or((false, path), |path| (true, path));
        let path = run.texts.keep(path.to_owned());
        let path = Path::new(FieldSpec { gvk: Gvk::default(), path, create }, run);
        let follow = Follow { run, create: Some(Create::TEXT), stamp: Stamp { by: "test", place: None } };
        let mut set = |field: &mut Node<'_>| {
            field.assign(Node::string("X").stamped(Origin::WRITTEN));
            Ok(())
        };
        resources.list_mut().iter_mut().try_for_each(|resource| follow.apply(&mut resource.node, &path, &mut set))
    })
}

#[test]
fn paths_lead_where_kustomize_goes() {
    let input = "a: {b: [{c: 1}, {d: 2}, [{c: 3}]], n: null, s: text, x/y: 1}\nkind: K\n";
    let error =
        |path: &str, cause: &str| format!("error: considering field '{path}' of object K.[noVer].[noGrp]/[noName].[noNs]: {cause}\n");
    let same = "a:\n  b:\n  - c: 1\n  - d: 2\n  - - c: 3\n  \"n\": null\n  s: text\n  x/y: 1\nkind: K\n";
    for (path, expect) in [
        ("a/b/c", same.replace("c: 1", "c: X").replace("c: 3", "c: X")),
        ("/a/b[]/d", same.replace("d: 2", "d: X")),
        ("a/x\\/y", same.replace("x/y: 1", "x/y: X")),
        ("a/none/c", same.to_owned()),
        ("a/n/c", same.to_owned()),
        ("a/n", same.replace("\"n\": null", "\"n\": X")),
        ("+a/n/c", same.replace("\"n\": null", "\"n\":\n    c: X")),
        ("a/n[]/c", same.replace("\"n\": null", "\"n\": []")),
        ("+a/q/r", same.replace("  s: text", "  q:\n    r: X\n  s: text")),
        ("+a/q[]/r", same.to_owned()),
        ("a/s/c", error("a/s/c", "expected sequence or mapping node")),
        ("a//c", error("a//c", "cannot set or create an empty field name")),
        ("a/0", error("a/0", "fieldName: 0: wrong node kind: expected SequenceNode but was MappingNode")),
    ] {
        assert_eq!(set_at(input, path), expect, "{path}");
    }
}

#[test]
fn limits_are_errors() {
    let long = vec!["a"; MAX_PATH_PARTS + 1].join("/");
    assert!(set_at("a: 1\n", &format!("+{long}")).contains("has 129 parts, which is more than 128"));
    let deep = format!("a: {}{{b: 1}}{}\n", "[".repeat(MAX_NESTED_LISTS + 1), "]".repeat(MAX_NESTED_LISTS + 1));
    assert!(set_at(&deep, "a/b").contains("lists lie too deep in lists"));
}
