//! Owns the values and versions that a command line of `plumb helm` gives to a chart.

use std::path::Path;

use plumb_helm::{Capabilities, Form, ValuesFile};

use super::args::ValuesArgs;
use super::folder::read;
use crate::printer::Printer;
use crate::problem::Problem;

/// What was given, read.
pub(crate) struct Given {
    /// Files by name.
    pub(crate) values: Vec<ValuesFile>,
    /// `--set` and its kin, in Helm's order.
    pub(crate) arguments: Vec<(Form, String)>,
    /// The version of Kubernetes, with the APIs that Helm knows.
    pub(crate) capabilities: Capabilities,
}

impl Given {
    /// Reads what a command line gives.
    pub(crate) fn read(args: &ValuesArgs) -> Result<Self, Problem> {
        let mut capabilities = Capabilities::default();
        if let Some(version) = args.kube_version.as_ref().filter(|version| !version.is_empty()) {
            capabilities.set_kube_version(version).map_err(Problem::new)?;
        }
        let mut values = Vec::new();
        for path in &args.values {
            values.push(ValuesFile { name: path.display().to_string(), content: read(path)?.into(), secret: false });
        }
        // Helm's order, whatever the order on the command line is.
        let forms = [
            (Form::Json, &args.set_json),
            (Form::Typed, &args.set),
            (Form::Text, &args.set_string),
            (Form::File, &args.set_file),
            (Form::Literal, &args.set_literal),
        ];
        let arguments = forms.into_iter().flat_map(|(form, texts)| texts.iter().map(move |text| (form, text.clone()))).collect();
        Ok(Self { values, arguments, capabilities })
    }
}

/// Reads a file that `--set-file` names.
pub(crate) fn read_file(name: &str) -> Result<Vec<u8>, String> {
    read(Path::new(name)).map_err(|problem| problem.message)
}

/// Tells what Helm logs of values and schemas, each once.
pub(crate) fn tell(printer: &Printer, warnings: &[String]) {
    let mut told = std::collections::BTreeSet::new();
    for warning in warnings.iter().filter(|warning| told.insert(warning.as_str())) {
        printer.warning(warning.strip_prefix("warning: ").unwrap_or(warning));
    }
}
