//! Owns `render`: a folder's manifests, offline. Runs without a runtime, TLS or a cluster.

use std::collections::BTreeSet;

use plumb_build::{Built, report};
use plumb_schema::Schema;
use plumb_world::Diagnostic;
use serde_json::Value;

use crate::args::{Format, Global, PathArgs};
use crate::folder::Folder;
use crate::printer::Printer;
use crate::problem::{DONE, Done, Problem};
use crate::versioned;

/// Prints the manifests of a folder or file.
pub(crate) fn run(printer: &Printer, global: &Global, args: &PathArgs) -> Done {
    let folder = Folder::open(&args.path, None, global.namespace.as_deref())?;
    let built = folder.build(&Schema::builtin())?;
    check(printer, &built, unsettled(&built), &args.path)?;
    if built.result.as_ref().is_ok_and(Vec::is_empty) {
        printer.note("no objects");
    }
    match global.output {
        None | Some(Format::Wide) => printer.data(&plumb_build::render_text(&built))?,
        Some(Format::Name) => {
            for manifest in built.result.iter().flatten() {
                printer.line(&manifest.key.to_string())?;
            }
        }
        Some(format @ (Format::Json | Format::Yaml)) => {
            printer.document(format, &Value::Array(versioned(plumb_build::rendered_objects(&built))))?
        }
    }
    Ok(DONE)
}

/// Returns a warning for each kind that nobody offline knows: whether it lies in namespaces is a guess until a cluster is asked.
fn unsettled(built: &Built) -> Vec<Diagnostic> {
    let mut told = BTreeSet::new();
    let unknown = built.result.iter().flatten().filter(|manifest| manifest.scope.is_none());
    let first = unknown.filter(|manifest| told.insert(manifest.gvk.clone()));
    let warning = |manifest: &std::sync::Arc<plumb_manifest::Manifest>| {
        let (kind, version) = (&manifest.gvk.kind, manifest.gvk.api_version());
        Diagnostic::warning("kind-not-checked", format!("whether there is a kind `{kind}` in `{version}` is not known offline"))
            .at(manifest.at, "")
            .hint("It is taken for one that lies in namespaces. Beside its CustomResourceDefinition, or with a cluster (`plumb apply --dry-run`), it is known.")
    };
    first.map(warning).collect()
}

/// Prints a build's warnings and `more` of them, or returns all its errors.
pub(crate) fn check(printer: &Printer, built: &Built, more: Vec<Diagnostic>, name: &str) -> Result<(), Problem> {
    let mut diagnostics = built.diagnostics();
    diagnostics.extend(more);
    let report = report::render(&diagnostics, &built.files, name, printer.color_err());
    let Err(errors) = &built.result else {
        printer.err(&report);
        return Ok(());
    };
    let problem = Problem::report(report);
    if errors.iter().any(|error| error.code == "no-namespace") {
        return Err(problem.hint("`-n NAMESPACE` gives objects that name no namespace one."));
    }
    Err(problem)
}
