//! Owns finding out from the files how a unit without steps is built.

use plumb_unit::{HelmStep, Step, StepKind};
use plumb_world::{RelPath, WorldError};

use crate::path_in_tree;
use crate::run::Run;

impl Run<'_> {
    /// Finds out from the files how a unit without steps is built: a folder with
    /// `Chart.yaml` is a chart with its own values, one with a kustomization is that, and all else is plain YAML.
    pub(crate) fn find_out(&mut self) -> Result<Vec<Step>, WorldError> {
        const FORMATS: [&str; 4] = ["Chart.yaml", "kustomization.yaml", "kustomization.yml", "Kustomization"];
        let mut steps = Vec::new();
        for alias in self.unit.sources.keys() {
            let (Some(source), Ok(folder)) = (self.trees.get(alias), path_in_tree(self.unit, alias, &RelPath::root())) else { continue };
            let entries = match self.world.list(source.tree, &folder) {
                Ok(entries) => entries.unwrap_or_default(),
                // A file, or what `plain` will complain about.
                Err(WorldError::WrongKind { .. } | WorldError::BadLink { .. }) => Vec::new(),
                Err(error) => return Err(error),
            };
            let format = FORMATS.iter().find(|name| entries.iter().any(|entry| entry.name == **name));
            if format == Some(&"Chart.yaml") {
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
            } else if format.is_some() {
                let kind = StepKind::Kustomize { source: alias.clone(), path: RelPath::root(), after: None };
                steps.push(Step { name: alias.clone(), kind });
            } else {
                steps.push(Step { name: alias.clone(), kind: StepKind::Plain { source: alias.clone(), path: RelPath::root() } });
            }
        }
        Ok(steps)
    }
}
