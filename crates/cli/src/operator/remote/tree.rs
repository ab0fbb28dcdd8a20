//! Owns `tree` and `events`: a unit's objects and what they own, and what the cluster said of them.

use std::fmt::Write as _;

use plumb_server::api::{ObjectEvent, Tree, TreeNode};
use serde_json::Value;

use super::shape::UnitStatus;
use crate::args::Format;
use crate::operator::moment;
use crate::operator::words::{health_tone, reference, word};
use crate::printer::{Printer, Tone, clean_line};
use crate::problem::{DONE, Done};
use crate::table::{Cell, Table};

/// Prints a unit's tree.
pub(crate) fn show(printer: &Printer, format: Option<Format>, unit: &UnitStatus, tree: &Tree) -> Done {
    match format {
        Some(format @ (Format::Json | Format::Yaml)) => {
            let mut value = crate::with_version(crate::json(tree));
            value["namespace"] = Value::from(unit.namespace.as_str());
            value["name"] = Value::from(unit.name.as_str());
            printer.document(format, &value)?;
        }
        Some(Format::Name) => {
            let mut names = String::new();
            tree.objects.iter().for_each(|object| flat(object, &mut names));
            printer.data(&names)?;
        }
        None | Some(Format::Wide) => printer.data(&draw(unit, tree, printer))?,
    }
    Ok(DONE)
}

fn flat(node: &TreeNode, out: &mut String) {
    let _ = writeln!(out, "{}", reference(&node.object));
    node.children.iter().for_each(|child| flat(child, out));
}

fn draw(unit: &UnitStatus, tree: &Tree, printer: &Printer) -> String {
    let health = printer.paint(health_tone(unit.health), &word(&unit.health));
    let mut out = format!("{}  {}  {health}\n", printer.paint(Tone::Strong, &clean_line(&unit.full_name())), unit.sync);
    branches(&tree.objects, "", printer, &mut out);
    if tree.truncated {
        let _ = writeln!(out, "{}", printer.paint(Tone::Busy, "… there is more than is shown"));
    }
    out
}

fn branches(nodes: &[TreeNode], indent: &str, printer: &Printer, out: &mut String) {
    for (at, node) in nodes.iter().enumerate() {
        let (joint, below) = if at + 1 == nodes.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        let health = printer.paint(health_tone(node.health.status), &word(&node.health.status));
        let message = if node.health.message.is_empty() { String::new() } else { format!(": {}", clean_line(&node.health.message)) };
        let line = printer.paint(Tone::Faint, &format!("{indent}{joint}"));
        let _ = writeln!(out, "{line}{}  {health}{}", reference(&node.object), printer.paint(Tone::Faint, &message));
        branches(&node.children, &format!("{indent}{below}"), printer, out);
    }
}

/// Prints events, oldest first.
pub(crate) fn events(printer: &Printer, format: Option<Format>, events: &[ObjectEvent]) -> Done {
    match format {
        Some(format @ (Format::Json | Format::Yaml)) => printer.document(format, &Value::Array(crate::versioned(events.to_vec())))?,
        Some(Format::Name) => {
            for event in events {
                printer.line(&reference(&event.object))?;
            }
        }
        None | Some(Format::Wide) if events.is_empty() => printer.note("no events; clusters keep them for an hour unless told otherwise"),
        None | Some(Format::Wide) => printer.table(&table(events, moment::now_ms()))?,
    }
    Ok(DONE)
}

fn table(events: &[ObjectEvent], now_ms: u64) -> Table {
    let mut table = Table::new(&["AGE", "TYPE", "REASON", "OBJECT", "COUNT", "MESSAGE"]);
    for event in events {
        let tone = if event.kind == "Normal" { Tone::Good } else { Tone::Busy };
        table.row(vec![
            Cell::from(moment::age(event.last_ms, now_ms)),
            Cell::toned(clean_line(&event.kind), Some(tone)),
            Cell::from(clean_line(&event.reason)),
            Cell::from(reference(&event.object)),
            Cell::from(event.count.max(1).to_string()),
            Cell::from(clean_line(&event.message)),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn unit() -> UnitStatus {
        let view = json!({"namespace": "demo", "name": "hello", "target": {"cluster": ""}, "activity": {"state": "resting"}, "objects": 2,
            "sync": "synced", "health": {"status": "Progressing"}});
        UnitStatus::of(serde_json::from_value(view).unwrap(), 0)
    }

    #[test]
    fn a_tree_is_drawn_with_health() {
        let node = |group: &str, kind: &str, name: &str, health: Value, children: Value| json!({"object": {"group": group, "kind": kind, "namespace": "hello", "name": name}, "health": health, "managed": true, "children": children});
        let healthy = json!({"status": "Healthy"});
        let pod = node("", "Pod", "web-1-a", json!({"status": "Progressing"}), json!([]));
        let set = node("apps", "ReplicaSet", "web-1", healthy.clone(), json!([pod]));
        let web = node("apps", "Deployment", "web", json!({"status": "Progressing", "message": "1 of 2 ready"}), json!([set]));
        let tree: Tree = serde_json::from_value(json!({"objects": [node("", "Service", "web", healthy, json!([])), web]})).unwrap();
        let name = |group: &str, kind: &str, name: &str| crate::operator::words::object(group, kind, Some("hello"), name);
        let expected = format!(
            "\
demo/hello  Synced  Progressing
├─ {}  Healthy
└─ {}  Progressing: 1 of 2 ready
   └─ {}  Healthy
      └─ {}  Progressing
",
            name("", "Service", "web"),
            name("apps", "Deployment", "web"),
            name("apps", "ReplicaSet", "web-1"),
            name("", "Pod", "web-1-a"),
        );
        assert_eq!(draw(&unit(), &tree, &Printer::plain()), expected);
    }
}
