//! Owns Helm's linter: what it finds in a chart's folder, with its severities, places and words
//! (helm: pkg/chart/v2/lint, pkg/action/lint.go). Must not read files: it is given what lies in the folder.

mod addresses;
mod chartfile;
mod crds;
mod dependencies;
mod deprecations;
mod documents;
mod names;
mod templates;
mod values;

#[cfg(test)]
mod tests;

use plumb_gotemplate::Host;

use crate::chart::Chart;
use crate::render::{Error, Options};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// For information.
    Info,
    /// Against what is usual, and it works.
    Warning,
    /// It will not work.
    Error,
}

/// Something that the linter found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it weighs.
    pub severity: Severity,
    /// Which file or folder.
    pub place: String,
    /// What is wrong.
    pub message: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let severity = match self.severity {
            Severity::Info => "INFO",
            Severity::Warning => "WARNING",
            Severity::Error => "ERROR",
        };
        write!(f, "[{severity}] {}: {}", self.place, self.message)
    }
}

/// Whether a folder is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Nothing is.
    Absent,
    /// A file has its name.
    File,
    /// It is.
    Folder,
}

/// What lies in a chart's folder.
pub struct Folder<'f> {
    /// Where it is, as findings name it.
    pub place: String,
    /// Chart.yaml.
    pub chart_file: &'f [u8],
    /// values.yaml, whatever `.helmignore` says.
    pub values: Option<&'f [u8]>,
    /// values.schema.json, likewise.
    pub schema: Option<&'f [u8]>,
    /// `templates/`.
    pub templates: Presence,
    /// `crds/`.
    pub crds: Presence,
    /// The chart as it is read, or why it cannot be.
    pub chart: Result<&'f Chart, String>,
}

/// What was found so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    /// Adds a finding if there is one; returns whether all is well.
    fn check<T>(&mut self, severity: Severity, place: &str, result: Result<T, impl Into<String>>) -> bool {
        match result {
            Ok(_) => true,
            Err(message) => {
                self.0.push(Finding { severity, place: place.to_owned(), message: message.into() });
                false
            }
        }
    }
}

/// Looks at a chart with values, in Helm's order. `kubernetes` is major and minor where the user names a version. The error is of the values given.
pub fn lint(folder: &Folder<'_>, options: &Options<'_>, kubernetes: (u32, u32), host: &mut dyn Host) -> Result<Vec<Finding>, Error> {
    let mut findings = Findings::default();
    chartfile::check(folder.chart_file, &mut findings);
    values::check(folder, options, &mut findings)?;
    templates::check(folder, options, kubernetes, host, &mut findings)?;
    dependencies::check(folder, &mut findings);
    crds::check(folder, &mut findings);
    Ok(findings.0)
}
