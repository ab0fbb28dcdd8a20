//! Owns how files are named to people: those below the working folder from there on, all others from the root.

use plumb_build::report;
use plumb_world::{Diagnostic, FileTable, SourceFile};

/// The working folder, as paths of the file system begin that lie below it.
pub(crate) struct Nearby {
    prefix: String,
}

impl Nearby {
    /// Takes the working folder.
    pub(crate) fn of_working_folder() -> Self {
        let folder = std::env::current_dir().and_then(|folder| folder.canonicalize()).unwrap_or_default();
        let prefix = folder.to_str().map(|folder| folder.trim_matches('/').to_owned()).unwrap_or_default();
        Self { prefix: if prefix.is_empty() { prefix } else { format!("{prefix}/") } }
    }

    /// Returns a path of the file system as people would type it.
    pub(crate) fn path(&self, path: &str) -> String {
        match path.strip_prefix(&self.prefix).filter(|_| !self.prefix.is_empty()) {
            Some(below) => below.to_owned(),
            None => format!("/{path}"),
        }
    }

    fn text(&self, text: &str) -> String {
        if self.prefix.is_empty() { text.to_owned() } else { text.replace(&format!("/{}", self.prefix), "").replace(&self.prefix, "") }
    }

    /// Returns diagnostics as they are shown, with their files named so.
    pub(crate) fn report(&self, diagnostics: &[Diagnostic], files: &FileTable, color: bool) -> String {
        let mut named = FileTable::default();
        for (id, file) in files.iter() {
            let path = plumb_world::RelPath::parse(&self.text(file.path.as_str())).unwrap_or_else(|_| file.path.clone());
            named.add(SourceFile { path, ..file.clone() });
            files.hidden(id).for_each(|span| named.hide(span));
        }
        let told: Vec<Diagnostic> = diagnostics
            .iter()
            .map(|diagnostic| Diagnostic {
                message: self.text(&diagnostic.message),
                hints: diagnostic.hints.iter().map(|hint| self.text(hint)).collect(),
                ..diagnostic.clone()
            })
            .collect();
        report::render(&told, &named, "", color)
    }
}
