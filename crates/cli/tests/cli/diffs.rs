//! `diff --live` against a real API server: it shows what an apply would change, also what it would take away; afterwards nothing differs.

use std::process::{Command, Output};

use plumb_plane::Plane;

use crate::serve::{PLUMB, Serve};
use crate::world::{APP, World};

const THEIRS: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: text, labels: {old: label}}\ndata: {value: \"0\", extra: \"x\", theirs: \"y\"}\n";
const OURS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: text}\ndata: {value: \"1\", extra: \"x\"}\n";
const LESS: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: text}\ndata: {value: \"1\"}\n";

/// T12: an object that kubectl applied is adopted, and a field is removed in Git: both are shown before they happen.
#[test]
fn what_an_apply_takes_away_is_shown_before() {
    let plane = Plane::shared().unwrap();
    let namespace = plane.namespace("diff").unwrap();
    namespace.apply(THEIRS).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| std::fs::write(folder.path().join("text.yaml"), text).unwrap();
    let plumb = |arguments: &[&str]| {
        let mut command = Command::new(PLUMB);
        command.args(arguments).args(["./", "-n", namespace.name(), "--name", namespace.name(), "--kubeconfig"]).arg(plane.kubeconfig());
        command.env_clear().env("HOME", "/nobody").current_dir(folder.path()).output().unwrap()
    };
    let diff = || plumb(&["diff", "--live"]);
    let shown = |output: &Output| {
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        (output.status.code(), text.lines().skip(1).map(|line| line.trim().to_owned()).collect::<Vec<_>>())
    };
    let lines = |code, lines: &[&str]| (Some(code), lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>());

    write(OURS);
    let expected = [
        "data.value: 0 → 1  (kubectl-client-side-apply)",
        "data.theirs: y → nothing  (kubectl-client-side-apply)",
        "metadata.labels: {\"old\":\"label\"} → nothing  (kubectl-client-side-apply)",
    ];
    assert_eq!(shown(&diff()), lines(1, &expected));
    assert!(plumb(&["apply", "--adopt"]).status.success());
    let live = || namespace.json(&["get", "configmap", "text"]).unwrap();
    assert_eq!(live()["data"], serde_json::json!({"value": "1", "extra": "x"}));
    assert!(live()["metadata"]["labels"].get("old").is_none());
    assert_eq!(shown(&diff()), lines(0, &[]));

    write(LESS);
    assert_eq!(shown(&diff()), lines(1, &["data.extra: x → nothing"]));
    assert!(plumb(&["apply"]).status.success());
    assert_eq!(live()["data"], serde_json::json!({"value": "1"}));
    assert_eq!(shown(&diff()), lines(0, &[]));
}

/// The same of a unit that waits for its adoption to be approved.
#[test]
fn what_an_approval_takes_away_is_shown_before() {
    let world = World::new();
    let site = world.site();
    world.plane.apply(&site.namespace, THEIRS).unwrap();
    world.declare(&site, APP, "wait: false");
    world.repo.write(&format!("apps/{APP}/text.yaml"), OURS).unwrap();
    let commit = world.push("Adopt it");
    let mut serve = Serve::start(&site);
    serve.until("it waits for approval", |serve| serve.unit(APP).is_some_and(|unit| unit["gates"].to_string().contains("approval")));
    let diff = |serve: &Serve| {
        let output = serve.plumb(&["diff", &format!("team/{APP}"), "--live"]);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, shown) = diff(&serve);
    assert_eq!(code, Some(1));
    for line in ["data.value: 0 → 1", "data.theirs: y → nothing", "metadata.labels: {\"old\":\"label\"} → nothing"] {
        assert!(shown.lines().any(|shown| shown.trim() == line), "{line}: {shown}");
    }
    serve.approve_if_asked();
    serve.until_synced(APP, &commit);
    assert_eq!(diff(&serve), (Some(0), String::new()));
}
