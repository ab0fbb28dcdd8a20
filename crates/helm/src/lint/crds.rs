//! Owns what the linter says of `crds/` (helm: pkg/chart/v2/lint/rules/crds.go).

use super::documents::each;
use super::{Findings, Folder, Presence, Severity};

const PLACE: &str = "crds/";

pub(super) fn check(folder: &Folder<'_>, findings: &mut Findings) {
    match folder.crds {
        Presence::Absent => return,
        Presence::Folder => {}
        Presence::File => {
            findings.check(Severity::Error, PLACE, Err::<(), _>("not a directory"));
            return;
        }
    }
    let chart = match &folder.chart {
        Ok(chart) => chart,
        Err(error) => {
            findings.check(Severity::Error, PLACE, Err::<(), _>(error.clone()));
            return;
        }
    };
    let mut goes_on = true;
    chart.each_crd(&mut |file| {
        if !goes_on {
            return;
        }
        each(&String::from_utf8_lossy(&file.data), &mut |head| match head {
            Ok(None) => {}
            Ok(Some(head)) => {
                let is_api = head.api_version.starts_with("apiextensions.k8s.io");
                let api = if is_api { Ok(()) } else { Err("apiVersion is not in 'apiextensions.k8s.io'") };
                findings.check(Severity::Error, &file.name, api);
                let is_kind = head.kind == "CustomResourceDefinition";
                let kind = if is_kind { Ok(()) } else { Err("object kind is not 'CustomResourceDefinition'") };
                findings.check(Severity::Error, &file.name, kind);
            }
            Err(error) => {
                goes_on = false;
                findings.check(Severity::Error, &file.name, Err::<(), _>(format!("unable to parse YAML: {error}")));
            }
        });
    });
}
