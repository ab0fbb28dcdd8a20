//! Owns what the linter says of templates: the chart renders, and what comes out looks like objects (helm: pkg/chart/v2/lint/rules/template.go).

use plumb_go::strconv::quote;
use plumb_gotemplate::{Functions, Heap, Host, MAP};
use plumb_yaml::{Kind, Memory, NodeRef};

use super::documents::{Head, each, with_root};
use super::{Findings, Folder, Presence, Severity, deprecations, names};
use crate::chart::{Chart, File};
use crate::dependencies::Part;
use crate::metadata::mismatch;
use crate::ready::Ready;
use crate::render::{Error, Options, Output, Set, checked, given, ran};
use crate::sources::Naming;
use crate::values::{Log, Nulls, layered, read_first, under};

const PLACE: &str = "templates/";
/// Words without which a workload has no selector, wherever they are in the text: the linter looks no closer.
const SELECTORS: [&str; 2] = ["matchLabels", "matchExpressions"];
const WORKLOADS: [&str; 4] = ["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"];

pub(super) fn check(
    folder: &Folder<'_>,
    options: &Options<'_>,
    kubernetes: (u32, u32),
    host: &mut dyn Host,
    findings: &mut Findings,
) -> Result<(), Error> {
    match folder.templates {
        Presence::Folder => {}
        Presence::Absent => {
            findings.check(Severity::Warning, PLACE, Err::<(), _>("directory does not exist"));
            return Ok(());
        }
        Presence::File => {
            findings.check(Severity::Error, PLACE, Err::<(), _>("not a directory"));
            return Ok(());
        }
    }
    let chart = match &folder.chart {
        Ok(chart) => chart,
        Err(error) => {
            findings.check(Severity::Error, PLACE, Err::<(), _>(error.clone()));
            return Ok(());
        }
    };
    match rendered(chart, folder.values, options, host)? {
        // What has no values that fit is not looked at any further.
        None => {}
        Some(Err(error)) => {
            findings.check(Severity::Error, PLACE, Err::<(), _>(error.message));
        }
        Some(Ok(outputs)) => {
            for file in &chart.templates {
                let source = format!("{}/{}", chart.metadata.name, file.name);
                let output = outputs.iter().find(|output| output.source == source);
                let text = output.map(|output| String::from_utf8_lossy(&output.text.bytes)).unwrap_or_default();
                if !template(file, &text, kubernetes, findings) {
                    break;
                }
            }
        }
    }
    Ok(())
}

/// What the templates write where nothing that asks to fail does; nothing where dependencies or values do not fit together.
fn rendered(
    chart: &Chart,
    own: Option<&[u8]>,
    options: &Options<'_>,
    host: &mut dyn Host,
) -> Result<Option<Result<Vec<Output>, Error>>, Error> {
    let nobody = Naming::new(None);
    let mut heap = Heap::new(false, options.limits.heap_bytes);
    let values = given(&mut heap, &nobody, options)?;
    if let Some(own) = own.and_then(|own| read_first(&mut heap, own).ok()) {
        // When Helm's linter looks at values.yaml, the maps that the user gives take up what the chart has in them, `null` too, and keep it.
        let both = heap.map(&MAP);
        for below in [values, own] {
            under(&mut heap, both, below, Nulls::Erase, &mut Log::new(&mut Vec::new()));
        }
    }
    let mut part = match Part::new(&mut heap, chart, &nobody) {
        Ok(part) => part,
        // Helm reads values with the chart, and says so there.
        Err(error) => return Ok(Some(Err(error.into()))),
    };
    if part.settle(&mut heap, values).is_err() {
        return Ok(None);
    }
    // Twice, as Helm's linter does it: what `null` takes away the first time comes back from the chart the second time.
    let mut values = values;
    for _ in 0..2 {
        let Ok(over) = layered(&mut heap, &part, values, Nulls::Erase, &mut Vec::new()) else { return Ok(None) };
        values = over;
    }
    let functions = Functions::helm();
    let mut set = Set::filled(&mut heap, &part, values, &nobody, options);
    let Ready { templates, schemas } = set.ready(&mut heap, &functions, &part, None, options);
    if let Err(error) = checked(&heap, &part, values, &schemas, options, &mut Vec::new()) {
        return Ok(Some(Err(error)));
    }
    // The linter looks at each output by itself.
    let unsorted = |_: &str, _: &str, _: &mut Memory| Ok(Default::default());
    let written = set.execute(heap, templates, &functions, &unsorted, options, host);
    let written = written.map_err(|failed| ran(failed).error);
    Ok(Some(written.map(|written| written.outputs.into_iter().map(|(output, _)| output).collect())))
}

/// Looks at what one template wrote; returns whether to go on.
fn template(file: &File, text: &str, kubernetes: (u32, u32), findings: &mut Findings) -> bool {
    let extension = String::from_utf8_lossy(plumb_go::path::ext(file.name.as_bytes())).into_owned();
    let allowed = if [".yaml", ".yml", ".tpl", ".txt"].contains(&extension.as_str()) {
        Ok(())
    } else {
        Err(format!("file extension '{extension}' not valid. Valid extensions are .yaml, .yml, .tpl, or .txt"))
    };
    findings.check(Severity::Error, &file.name, allowed);
    if ![".yaml", ".yml"].contains(&extension.to_lowercase().as_str()) || text.trim().is_empty() {
        return true;
    }
    findings.check(Severity::Warning, &file.name, top_indent(text));
    let mut goes_on = true;
    each(text, &mut |head| match head {
        Ok(None) => {}
        Ok(Some(head)) => object(&file.name, &head, text, kubernetes, findings),
        Err(error) => {
            goes_on = false;
            findings.check(Severity::Error, &file.name, Err::<(), _>(format!("unable to parse YAML: {error}")));
        }
    });
    goes_on
}

fn top_indent(text: &str) -> Result<(), String> {
    match text.lines().find(|line| !line.trim().is_empty()) {
        Some(line) if line.starts_with([' ', '\t']) => {
            Err(format!("document starts with an illegal indent: {}, which may cause parsing problems", quote(line)))
        }
        _ => Ok(()),
    }
}

fn object(place: &str, head: &Head, text: &str, kubernetes: (u32, u32), findings: &mut Findings) {
    findings.check(Severity::Warning, place, names::check(&head.kind, &head.name));
    if !head.api_version.is_empty() && !head.kind.is_empty() {
        findings.check(Severity::Warning, place, deprecations::check(&head.api_version, &head.kind, kubernetes));
    }
    let has_selector = !WORKLOADS.contains(&head.kind.as_str()) || SELECTORS.iter().any(|word| text.contains(word));
    let selector = if has_selector {
        Ok(())
    } else {
        Err(format!("a {} must contain matchLabels or matchExpressions, and {} does not", head.kind, quote(&head.name)))
    };
    findings.check(Severity::Error, place, selector);
    if head.kind == "List" {
        findings.check(Severity::Error, place, list(text));
    }
}

/// A policy on an item of a list counts for nothing. The linter looks at the first document of the text, whichever the list is.
fn list(text: &str) -> Result<(), String> {
    let has_policy = |item: NodeRef<'_>| {
        let annotations = item.get("metadata").and_then(|metadata| metadata.get("annotations"));
        annotations.is_some_and(|annotations| annotations.get("helm.sh/resource-policy").is_some())
    };
    let found = with_root(text, |root| match root.get("items") {
        Some(items) if !matches!(items.kind(), Kind::List | Kind::Null) => mismatch(items, "struct field .Items", "[]struct"),
        Some(items) => Ok(items.items().any(has_policy)),
        None => Ok(false),
    });
    match found.map_err(|error| format!("unable to parse YAML: {error}"))? {
        Some(true) => Err("annotation 'helm.sh/resource-policy' within List objects are ignored".to_owned()),
        _ => Ok(()),
    }
}
