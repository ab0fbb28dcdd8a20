//! Owns `render`: a folder's manifests, offline. Runs without a runtime, TLS or a cluster.

use plumb_build::{Built, report};
use plumb_schema::Schema;
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
    check(printer, &built, &args.path)?;
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

/// Prints a build's warnings, or returns all its errors.
pub(crate) fn check(printer: &Printer, built: &Built, name: &str) -> Result<(), Problem> {
    let report = report::render(&built.diagnostics(), &built.files, name, printer.color_err());
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
