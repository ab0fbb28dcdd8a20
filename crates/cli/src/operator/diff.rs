//! Owns `diff --live`: what an `apply` would change, field by field. Exit code 0: nothing, 1: something, above: it could not be told.

use std::fmt::Write as _;

use plumb_manifest::ObjectKey;
use plumb_plan::{FieldChange, HoldKind, ObjectSummary, Operation, UnitHash, applied_fields, diff_owned, dropped, effective, owner_of};
use plumb_server::api::{DiffView, FieldDiff, ObjectDiff};
use serde_json::{Value, json};

use crate::args::{Format, Global};
use crate::operator::args::DiffArgs;
use crate::operator::oneshot::{self, Ask, OneShot, cluster_problem};
use crate::operator::words;
use crate::printer::{Printer, Tone, clean_line};
use crate::problem::{DONE, Done, FAILED, Problem};

/// What would happen to one object.
pub(crate) struct Difference {
    key: ObjectKey,
    /// `create`, `change`, `delete` or `release`.
    change: String,
    fields: Vec<Field>,
    /// Whether it waits for approval.
    held: bool,
}

/// One field that would change.
struct Field {
    path: String,
    /// What is live; none: it is not there.
    old: Option<Value>,
    /// What is wanted; none: it goes.
    new: Option<Value>,
    /// Who owns the live value.
    manager: Option<String>,
}

impl From<FieldChange> for Field {
    fn from(change: FieldChange) -> Self {
        Self { path: change.path.to_string(), old: change.old, new: change.new, manager: change.manager }
    }
}

/// Compares a folder with the cluster.
pub(crate) async fn run(printer: &Printer, global: &Global, args: &DiffArgs) -> Done {
    compare(printer, global, args).await.map_err(Problem::of_diff)
}

async fn compare(printer: &Printer, global: &Global, args: &DiffArgs) -> Done {
    let ask = Ask { path: &args.path, name: args.name.as_deref(), adopt: false, approve: false, timeout: None };
    let one = oneshot::prepare(printer, global, ask).await?;
    let differences = differences(&one).await?;
    print(printer, global.output, &one.folder.unit.key.to_string(), &differences)?;
    Ok(if differences.is_empty() { DONE } else { FAILED })
}

/// Prints what differs of a unit.
pub(crate) fn print(printer: &Printer, format: Option<Format>, unit: &str, differences: &[Difference]) -> Result<(), Problem> {
    match format {
        Some(format @ (Format::Json | Format::Yaml)) => printer.document(format, &document(unit, differences))?,
        Some(Format::Name) => {
            for difference in differences {
                printer.line(&difference.key.to_string())?;
            }
        }
        None | Some(Format::Wide) => printer.data(&describe(differences, printer))?,
    }
    Ok(())
}

/// Takes what a running operator says of a unit.
pub(crate) fn of_view(view: DiffView) -> Vec<Difference> {
    let field = |field: FieldDiff| Field { path: field.path, old: field.live, new: field.wanted, manager: field.manager };
    let difference = |object: ObjectDiff| Difference {
        key: ObjectKey::new(&object.object.group, &object.object.kind, object.object.namespace.as_deref(), &object.object.name),
        change: object.action,
        fields: object.fields.into_iter().map(field).collect(),
        held: false,
    };
    view.objects.into_iter().map(difference).collect()
}

async fn differences(one: &OneShot) -> Result<Vec<Difference>, Problem> {
    let keys: Vec<(ObjectKey, String)> =
        one.manifests.iter().map(|manifest| (manifest.key.clone(), manifest.gvk.version.to_string())).collect();
    let mut differences = Vec::new();
    let manager = UnitHash::of(&one.folder.unit.key).manager();
    for (manifest, live) in one.manifests.iter().zip(one.acting.live(&keys).await) {
        let key = manifest.key.clone();
        let Some(live) = live.map_err(|error| cluster_problem(&error))? else {
            differences.push(Difference { key, change: "create".to_owned(), fields: Vec::new(), held: false });
            continue;
        };
        let wanted = manifest.value();
        let rules = one.rules.for_object(&key, &wanted, false);
        let applied = effective(&key, &wanted, &rules, Some(&live), &manager);
        let mut fields = diff_owned(&key, &live, &applied, one.schema.root(&manifest.gvk), &one.redactor);
        fields.extend(dropped(&key, &live, &applied, one.schema.root(&manifest.gvk), taken(&live, &manager), &one.redactor));
        for field in &mut fields {
            field.manager = owner_of(&live, &field.path, &manager).map(str::to_owned);
        }
        if !fields.is_empty() {
            differences.push(Difference {
                key,
                change: "change".to_owned(),
                fields: fields.into_iter().map(Field::from).collect(),
                held: false,
            });
        }
    }
    let deletes = one.plan.operations().filter(|operation| matches!(operation, Operation::Delete { .. }));
    differences.extend(deletes.map(|operation| Difference {
        key: operation.key().clone(),
        change: "delete".to_owned(),
        fields: Vec::new(),
        held: false,
    }));
    let held =
        one.plan.holds.iter().filter(|hold| matches!(hold.kind, HoldKind::Prune | HoldKind::Evidence)).flat_map(|hold| &hold.objects);
    differences.extend(held.map(|key| Difference { key: key.clone(), change: "delete".to_owned(), fields: Vec::new(), held: true }));
    differences.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(differences)
}

/// Returns whose fields go with an apply when the manifest does not name them: our own; and where we have none yet, those of whom we take
/// the object from.
pub(crate) fn taken(live: &Value, manager: &str) -> impl Fn(&str) -> bool {
    let adopts = applied_fields(live, manager).is_none();
    move |other| other == manager || adopts && plumb_cluster::gives_way(other)
}

fn describe(differences: &[Difference], printer: &Printer) -> String {
    let mut out = String::new();
    for difference in differences {
        let (sign, tone) = match difference.change.as_str() {
            "create" => ("+", Tone::Good),
            "delete" | "release" => ("-", Tone::Bad),
            _ => ("~", Tone::Busy),
        };
        let held = if difference.held { "  (waits for approval)" } else { "" };
        let _ = writeln!(out, "{} {}{held}", printer.paint(tone, sign), printer.paint(Tone::Strong, &difference.key.to_string()));
        for field in &difference.fields {
            let path = clean_line(&field.path);
            let by = field
                .manager
                .as_deref()
                .map(|manager| printer.paint(Tone::Faint, &format!("  ({})", clean_line(manager))))
                .unwrap_or_default();
            let _ = writeln!(out, "    {path}: {} → {}{by}", words::value(field.old.as_ref()), words::value(field.new.as_ref()));
        }
    }
    out
}

fn document(unit: &str, differences: &[Difference]) -> Value {
    let object = |difference: &Difference| {
        let fields: Vec<Value> = difference.fields.iter().map(field).collect();
        json!({"object": ObjectSummary::from(&difference.key), "change": difference.change, "held": difference.held, "fields": fields})
    };
    json!({"version": crate::VERSION, "unit": unit, "objects": differences.iter().map(object).collect::<Vec<_>>()})
}

fn field(change: &Field) -> Value {
    let mut value = json!({"path": change.path});
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
