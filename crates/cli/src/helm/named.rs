//! Owns the names of the files that a chart's origins point into, so that diagnostics can show them.

use std::cell::RefCell;

use plumb_helm::{Chart, File, Options, diagnose};
use plumb_world::{FileId, FileTable, RelPath, SourceFile};

use super::machine::Machine;

/// Files by their names, each once.
#[derive(Default)]
pub(crate) struct Files {
    table: RefCell<FileTable>,
    names: RefCell<Vec<String>>,
}

impl Files {
    /// Names a file.
    pub(crate) fn name(&self, name: &str, file: &File) -> Option<FileId> {
        let mut names = self.names.borrow_mut();
        if let Some(at) = names.iter().position(|known| known == name) {
            return u32::try_from(at).ok().map(FileId);
        }
        // A path that is not below here is shown without what leads away from here.
        let inside = name.trim_start_matches('/').split('/').filter(|part| *part != "..").collect::<Vec<_>>().join("/");
        let path = RelPath::parse(&inside).unwrap_or_else(|_| RelPath::root());
        names.push(name.to_owned());
        let file = SourceFile { source: "".into(), revision: "".into(), path, text: file.data.clone(), made: false };
        Some(self.table.borrow_mut().add(file))
    }
}

/// Returns a report on a chart that does not render, rendering it once more with origins.
pub(crate) fn report(chart: &Chart, options: Options<'_>, has_dns: bool, color: bool) -> String {
    let files = Files::default();
    let named = |name: &str, file: &File| files.name(name, file);
    let options = Options { trace: Some(&named), ..options };
    let mut diagnostics = diagnose(chart, &options, &mut Machine { has_dns });
    // What has neither a place nor a hint says no more than Helm's own words above it.
    diagnostics.retain(|diagnostic| !diagnostic.labels.is_empty() || !diagnostic.hints.is_empty());
    let table = files.table.borrow();
    plumb_build::report::render(&diagnostics, &table, "", color)
}
