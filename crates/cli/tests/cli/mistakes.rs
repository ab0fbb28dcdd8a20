//! Mistakes of every sort in one commit: each unit names its own with file, line and column, what is live stays, and a neighbour goes on.

use serde_json::Value;

use crate::serve::Serve;
use crate::world::World;

fn bomb() -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = [format!("*a{}", level - 1).as_str(); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: bomb}}\ndata:\n{}",
        text.lines().map(|line| format!("  {line}\n")).collect::<String>()
    )
}

/// A file of more than ten MB.
fn large() -> String {
    let line = format!("  key-NUMBER: \"{}\"\n", "x".repeat(1000));
    let lines: String = (0..10_500).map(|nth| line.replace("NUMBER", &nth.to_string())).collect();
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: large}}\ndata:\n{lines}")
}

#[test]
fn every_mistake_of_a_commit_is_named_and_hurts_nobody_else() {
    let world = World::new();
    let site = world.site();
    let units = ["large", "bomb", "twice", "unknown", "nowhere", "neighbour"];
    for unit in units {
        world.declare(&site, unit, "wait: false");
        world.config_map(unit, &format!("{unit}-text"), "1");
    }
    // This one gives its objects no namespace.
    let declaration = format!("units/{}/nowhere.yaml", site.installation);
    let nowhere =
        "apiVersion: plumb.dev/v1alpha1\nkind: Unit\nmetadata: {name: nowhere, namespace: team}\nspec:\n  source: {path: apps/nowhere}\n";
    world.repo.write(&declaration, nowhere).unwrap();
    let text = |namespace: &str, value: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: nowhere-text{namespace}}}\ndata: {{value: \"{value}\"}}\n")
    };
    let at_site = format!(", namespace: {}", site.namespace);
    world.repo.write("apps/nowhere/nowhere-text.yaml", text(&at_site, "1")).unwrap();
    let first = world.push("Add them");
    let mut serve = Serve::start(&site);
    units.iter().for_each(|unit| serve.until_synced(unit, &first));
    let before = world.live();

    world.repo.write("apps/large/large.yaml", large()).unwrap();
    world.repo.write("apps/bomb/bomb.yaml", bomb()).unwrap();
    let same = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: same}\n";
    world.repo.write("apps/twice/one.yaml", same).unwrap();
    world.repo.write("apps/twice/two.yaml", format!("# The same again.\n{same}")).unwrap();
    world.repo.write("apps/unknown/thing.yaml", "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: thing}\n").unwrap();
    world.repo.write("apps/nowhere/nowhere-text.yaml", text("", "2")).unwrap();
    for unit in ["large", "bomb", "twice", "unknown", "neighbour"] {
        world.config_map(unit, &format!("{unit}-text"), "2");
    }
    let second = world.push("Make every mistake there is");
    let failed = |serve: &Serve, unit: &str| serve.unit(unit).is_some_and(|unit| unit["failure"].is_string());
    for unit in &units[..5] {
        serve.until(&format!("{unit} says what is wrong"), |serve| failed(serve, unit));
    }
    serve.until_synced("neighbour", &second);

    let output = serve.plumb(&["status", "-o", "json"]);
    let list: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let status = |name: &str| list.iter().find(|unit| unit["name"] == name).unwrap();
    let problems = |unit: &str| status(unit)["problems"].as_array().cloned().unwrap_or_default();
    // It is refused unread: it has no lines.
    let large = problems("large")[0]["message"].as_str().unwrap().to_owned();
    assert!(large.starts_with("`apps/large/large.yaml` has 1") && large.ends_with("a file must have fewer than 10000000"), "{large}");
    for (unit, place, message) in [
        ("bomb", "apps/bomb/bomb.yaml:", "alias"),
        ("twice", "apps/twice/two.yaml:2:1", "ConfigMap"),
        ("unknown", "apps/unknown/thing.yaml:1:1", "Thing"),
        ("nowhere", "apps/nowhere/nowhere-text.yaml:3:18", "namespace"),
    ] {
        let problems = problems(unit);
        let fits = |problem: &Value| {
            let text = |field: &str| problem[field].as_str().unwrap_or_default().to_owned();
            let place_of = text("place");
            place_of.starts_with(place) && place_of.split(':').count() == 3 && text("message").contains(message)
        };
        assert!(problems.iter().any(fits), "{unit}: {:#}", status(unit));
    }
    for unit in &units[..5] {
        assert_eq!(
            (&status(unit)["sync"], &status(unit)["health"]),
            (&"OutOfSync".into(), &"Healthy".into()),
            "{unit}: what is live stays"
        );
    }
    assert_eq!((&status("neighbour")["sync"], &status("neighbour")["health"]), (&"Synced".into(), &"Healthy".into()));
    let live = world.live();
    assert_eq!(before.uids(&site), live.uids(&site), "nothing came and nothing went");
    for unit in units {
        let value = if unit == "neighbour" { "2" } else { "1" };
        assert_eq!(live.of(&site)[&format!("ConfigMap/{unit}-text")]["data"]["value"], value, "{unit}");
    }

    for path in ["large/large", "bomb/bomb", "twice/two", "unknown/thing"] {
        world.repo.remove(&format!("apps/{path}.yaml")).unwrap();
    }
    world.repo.write("apps/nowhere/nowhere-text.yaml", text(&at_site, "2")).unwrap();
    let third = world.push("Take the mistakes back");
    units.iter().for_each(|unit| serve.until_synced(unit, &third));
}
