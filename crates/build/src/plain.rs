//! Owns the `plain` step: the files of a folder as they are.

use std::sync::Arc;

use plumb_manifest::Role;
use plumb_world::{Diagnostic, RelPath, Severity, WorldError};

use crate::files;
use crate::run::{Run, Taken};

impl Run<'_> {
    /// Runs one `plain` step.
    pub(crate) fn plain(&mut self, alias: &Arc<str>, path: &RelPath) -> Result<(), WorldError> {
        let Some((source, path)) = self.place(alias, path) else { return Ok(()) };
        let listing = files::list(self.world, source.tree, &path)?;
        let failed = listing.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        self.diagnostics.extend(listing.diagnostics);
        if !listing.found && !failed {
            let message = format!("`{path}` is neither a folder nor a file in source `{alias}` at {}", source.revision);
            self.diagnostics.push(Diagnostic::error("no-path", message).hint("Check `path` of the source and of the step, and the ref."));
        } else if listing.files.is_empty() && !failed {
            let message = format!("`{path}` in source `{alias}` holds no `*.yaml`, `*.yml` or `*.json` file");
            self.diagnostics.push(Diagnostic::warning("no-files", message));
        }
        let from = files::From { source: alias, revision: &source.revision, tree: source.tree };
        for file in &listing.files {
            match self.reader.read(self.world, from, file, &mut self.files)? {
                Ok(whole) => self.file(whole, &Taken { role: Role::Object, sensitive: false, made: false, release: None }),
                Err(diagnostic) => self.diagnostics.push(diagnostic),
            }
        }
        Ok(())
    }
}
