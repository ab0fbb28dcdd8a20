//! Owns the `kustomize` step: a kustomization of a tree, alone or over the objects of another step.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_gotemplate::Host;
use plumb_helm::Capabilities;
use plumb_kustomize::{Built, Charts, Options, Output, Reorder, Request};
use plumb_manifest::Role;
use plumb_world::{RelPath, SourceFile, Span, WorldError};

use crate::helm::served;
use crate::queries::{Questions, Release};
use crate::run::{Run, Taken};

/// What charts of a kustomization are told: the same as those of a `helm` step.
struct Asking<'r> {
    questions: &'r Questions<'r>,
    namespace: &'r str,
}

impl Charts for Asking<'_> {
    fn host(&self, release: &str) -> Box<dyn Host + '_> {
        Box::new(Release { questions: self.questions, name: release.to_owned(), calls: BTreeMap::new() })
    }

    fn capabilities(&self) -> Result<Capabilities, String> {
        served(self.questions)
    }

    fn namespace(&self) -> &str {
        self.namespace
    }
}

impl Run<'_> {
    /// Runs one `kustomize` step.
    pub(crate) fn kustomize(&mut self, alias: &Arc<str>, path: &RelPath, after: Option<&str>) -> Result<(), WorldError> {
        let before = self.errors();
        let given = after.map(|step| self.take_kept(step)).unwrap_or_default();
        let Some((source, path)) = self.place(alias, path) else { return Ok(()) };
        if before > 0 && after.is_some() {
            // What the step before came to is not all there: what is wrong with it is said already.
            return Ok(());
        }
        let request = Request {
            tree: source.tree,
            path: path.clone(),
            source: alias.clone(),
            revision: source.revision.clone(),
            given: given.iter().map(|(whole, _)| whole.file).collect(),
            options: Options { reorder: Reorder::Legacy, restricted: true, managed_by_label: false },
        };
        let files = std::mem::take(&mut self.files);
        let charts = Asking { questions: &self.questions, namespace: self.release_namespace() };
        let Built { result, warnings, files } = plumb_kustomize::build(self.world, &request, Some(&charts), files)?;
        self.files = files;
        self.diagnostics.extend(warnings);
        match result {
            Ok(output) => self.take_built(&request, &given, output),
            Err(mistakes) => self.diagnostics.extend(mistakes),
        }
        Ok(())
    }

    /// Adds what a kustomization came to. An object that another step made plays the part that it played there.
    fn take_built(&mut self, request: &Request, given: &[(Span, Taken)], output: Output) {
        for object in output.objects {
            let Some(text) = output.text.get(object.text) else { continue };
            let taken = object.given.and_then(|nth| given.get(nth)).map(|(_, taken)| taken.clone());
            let taken = taken.unwrap_or(Taken { role: Role::Object, sensitive: false, made: true, release: None });
            let path = object.source.and_then(|file| self.files.get(file)).map_or_else(|| request.path.clone(), |file| file.path.clone());
            let end = u32::try_from(text.len()).unwrap_or(u32::MAX);
            let file =
                SourceFile { source: request.source.clone(), revision: request.revision.clone(), path, text: text.into(), made: true };
            let whole = Span { file: self.files.add(file), start: 0, end };
            if taken.sensitive {
                self.files.hide(whole);
            }
            self.file(whole, &Taken { made: true, ..taken });
        }
    }
}
