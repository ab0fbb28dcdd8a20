//! Owns what the linter says of the charts in a chart (helm: pkg/chart/v2/lint/rules/dependencies.go).

use std::collections::BTreeSet;

use super::{Findings, Folder, Severity};

pub(super) fn check(folder: &Folder<'_>, findings: &mut Findings) {
    let chart = match &folder.chart {
        Ok(chart) => chart,
        Err(error) => {
            findings.check(Severity::Error, "", Err::<(), _>(format!("unable to load chart\n\t{error}")));
            return;
        }
    };
    let wanted: Vec<&str> = chart.metadata.dependencies.iter().map(|one| one.name.as_str()).collect();
    let there: Vec<&str> = chart.dependencies.iter().map(|one| one.metadata.name.as_str()).collect();
    let lacking = |of: &[&str], among: &[&str]| of.iter().filter(|name| !among.contains(name)).copied().collect::<Vec<&str>>().join(",");
    let mut told = |severity, message: &str, names: String| {
        if !names.is_empty() {
            findings.check(severity, &folder.place, Err::<(), _>(format!("{message}: {names}")));
        }
    };
    told(Severity::Error, "chart metadata is missing these dependencies", lacking(&there, &wanted));
    let mut known = BTreeSet::new();
    let keys = chart.metadata.dependencies.iter().map(|one| if one.alias.is_empty() { one.name.as_str() } else { one.alias.as_str() });
    let twice: Vec<&str> = keys.filter(|key| !known.insert(*key)).collect();
    told(Severity::Error, "multiple dependencies with name or alias", twice.join(","));
    told(Severity::Warning, "chart directory is missing these dependencies", lacking(&wanted, &there));
}
