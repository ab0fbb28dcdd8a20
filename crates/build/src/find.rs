//! Owns finding out from the files how a unit without steps is built.

use plumb_unit::{HelmStep, Step, StepKind};
use plumb_world::{Diagnostic, RelPath, WorldError};

use crate::path_in_tree;
use crate::run::Run;

impl Run<'_> {
    /// Finds out from the files how a unit without steps is built: a folder with
    /// `Chart.yaml` is a chart with its own values, and all else is plain YAML, unless it is somebody else's format.
    pub(crate) fn find_out(&mut self) -> Result<Vec<Step>, WorldError> {
        const FORMATS: [(&str, &str); 4] = [
            ("Chart.yaml", "Helm chart"),
            ("kustomization.yaml", "kustomization"),
            ("kustomization.yml", "kustomization"),
            ("Kustomization", "kustomization"),
        ];
        let mut steps = Vec::new();
        for alias in self.unit.sources.keys() {
            let (Some(source), Ok(folder)) = (self.trees.get(alias), path_in_tree(self.unit, alias, &RelPath::root())) else { continue };
            let entries = match self.world.list(source.tree, &folder) {
                Ok(entries) => entries.unwrap_or_default(),
                // A file, or what `plain` will complain about.
                Err(WorldError::WrongKind { .. } | WorldError::BadLink { .. }) => Vec::new(),
                Err(error) => return Err(error),
            };
            let format = FORMATS.iter().find(|(name, _)| entries.iter().any(|entry| entry.name == *name));
            if let Some(("Chart.yaml", _)) = format {
                let helm = HelmStep {
                    source: alias.clone(),
                    chart: RelPath::root(),
                    release: None,
                    values: Vec::new(),
                    crds: true,
                    hooks: true,
                    schema: true,
                    kube_version: None,
                    api_versions: Vec::new(),
                };
                steps.push(Step { name: alias.clone(), kind: StepKind::Helm(Box::new(helm)) });
            } else if let Some((name, what)) = format {
                let message = format!("`{folder}` in source `{alias}` is a {what} (it holds `{name}`): that is not supported yet");
                self.diagnostics.push(
                    Diagnostic::error("unsupported-format", message).hint("Point the source's `path` at a folder of plain manifests."),
                );
            } else {
                steps.push(Step { name: alias.clone(), kind: StepKind::Plain { source: alias.clone(), path: RelPath::root() } });
            }
        }
        Ok(steps)
    }
}
