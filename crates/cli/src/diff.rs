//! Owns `diff --live`: what an `apply` would change, field by field. Exit code 0: nothing, 1: something, above: it could not be told.

use std::fmt::Write as _;

use plumb_manifest::ObjectKey;
use plumb_plan::{FieldChange, HoldKind, ObjectSummary, Operation, UnitHash, diff_owned, effective};
use serde_json::{Value, json};

use crate::args::{DiffArgs, Format, Global};
use crate::oneshot::{self, Ask, OneShot, cluster_problem};
use crate::printer::{Printer, Tone, clean_line};
use crate::problem::{DONE, Done, FAILED, Problem};
use crate::words;

/// What would happen to one object.
struct Difference {
    key: ObjectKey,
    /// `create`, `change` or `delete`.
    change: &'static str,
    fields: Vec<FieldChange>,
    /// Whether it waits for approval.
    held: bool,
}

/// Compares a folder with the cluster.
pub(crate) async fn run(printer: &Printer, global: &Global, args: &DiffArgs) -> Done {
    compare(printer, global, args).await.map_err(Problem::of_diff)
}

async fn compare(printer: &Printer, global: &Global, args: &DiffArgs) -> Done {
    let ask = Ask { path: &args.path, name: args.name.as_deref(), adopt: false, approve: false, timeout: None };
    let one = oneshot::prepare(printer, global, ask).await?;
    let differences = differences(&one).await?;
    match global.output {
        Some(format @ (Format::Json | Format::Yaml)) => printer.document(format, &document(&one, &differences))?,
        Some(Format::Name) => {
            for difference in &differences {
                printer.line(&difference.key.to_string())?;
            }
        }
        None | Some(Format::Wide) => printer.data(&describe(&differences, printer))?,
    }
    Ok(if differences.is_empty() { DONE } else { FAILED })
}

async fn differences(one: &OneShot) -> Result<Vec<Difference>, Problem> {
    let keys: Vec<(ObjectKey, String)> = one.manifests.iter().map(|manifest| (manifest.key.clone(), manifest.gvk.version.to_string())).collect();
    let mut differences = Vec::new();
    let manager = UnitHash::of(&one.folder.unit.key).manager();
    for (manifest, live) in one.manifests.iter().zip(one.acting.live(&keys).await) {
        let key = manifest.key.clone();
        let Some(live) = live.map_err(|error| cluster_problem(&error))? else {
            differences.push(Difference { key, change: "create", fields: Vec::new(), held: false });
            continue;
        };
        let wanted = manifest.value();
        let rules = one.rules.for_object(&key, &wanted, false);
        let applied = effective(&key, &wanted, &rules, Some(&live), &manager);
        let fields = diff_owned(&key, &live, &applied, one.schema.root(&manifest.gvk), &one.redactor);
        if !fields.is_empty() {
            differences.push(Difference { key, change: "change", fields, held: false });
        }
    }
    let deletes = one.plan.operations().filter(|operation| matches!(operation, Operation::Delete { .. }));
    differences.extend(deletes.map(|operation| Difference { key: operation.key().clone(), change: "delete", fields: Vec::new(), held: false }));
    let held = one.plan.holds.iter().filter(|hold| matches!(hold.kind, HoldKind::Prune | HoldKind::Evidence)).flat_map(|hold| &hold.objects);
    differences.extend(held.map(|key| Difference { key: key.clone(), change: "delete", fields: Vec::new(), held: true }));
    differences.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(differences)
}

fn describe(differences: &[Difference], printer: &Printer) -> String {
    let mut out = String::new();
    for difference in differences {
        let (sign, tone) = match difference.change {
            "create" => ("+", Tone::Good),
            "delete" => ("-", Tone::Bad),
            _ => ("~", Tone::Busy),
        };
        let held = if difference.held { "  (waits for approval)" } else { "" };
        let _ = writeln!(out, "{} {}{held}", printer.paint(tone, sign), printer.paint(Tone::Strong, &difference.key.to_string()));
        for field in &difference.fields {
            let path = clean_line(&field.path.to_string());
            let by = field.manager.as_deref().map(|manager| printer.paint(Tone::Faint, &format!("  ({})", clean_line(manager)))).unwrap_or_default();
            let _ = writeln!(out, "    {path}: {} → {}{by}", words::value(field.old.as_ref()), words::value(field.new.as_ref()));
        }
    }
    out
}

fn document(one: &OneShot, differences: &[Difference]) -> Value {
    let objects: Vec<Value> = differences
        .iter()
        .map(|difference| {
            let fields: Vec<Value> = difference.fields.iter().map(field).collect();
            json!({"object": ObjectSummary::from(&difference.key), "change": difference.change, "held": difference.held, "fields": fields})
        })
        .collect();
    json!({"version": crate::VERSION, "unit": one.folder.unit.key.to_string(), "objects": objects})
}

fn field(change: &FieldChange) -> Value {
    let mut value = json!({"path": change.path.to_string()});
    for (name, side) in [("old", &change.old), ("new", &change.new)] {
        if let Some(side) = side {
            value[name] = side.clone();
        }
    }
    if let Some(manager) = &change.manager {
        value["manager"] = Value::String(manager.clone());
    }
    value
}
