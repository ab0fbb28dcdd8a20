//! Owns which files of a folder are read: every `*.yaml`, `*.yml` and `*.json` below it, in byte order of their paths.
//!
//! Left out are files and folders whose name starts with a dot, and all other endings. Links to files are read when their own name has one of the
//! endings; links to folders are not followed, so no folder is read twice and none in a circle. A path that names one file is read
//! whatever its ending. Must not look into the files.

use std::sync::Arc;

use plumb_world::{Diagnostic, EntryKind, FileTable, RelPath, SourceFile, Span, TreeId, World, WorldError};

use crate::limits::{MAX_FILE_BYTES, MAX_FILES, MAX_FOLDER_DEPTH, MAX_TOTAL_BYTES};

/// The files below one path, and what is wrong with the others.
#[derive(Debug, Default)]
pub struct Listing {
    /// The files, in byte order of their paths.
    pub files: Vec<RelPath>,
    /// What could not be read, as errors, and what is left out that a user may think is read, as warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether the path is there at all.
    pub found: bool,
}

const ENDINGS: [&str; 3] = [".yaml", ".yml", ".json"];

/// Lists the files to read below a folder, or the one file that the path names.
///
/// `Err` means that the world failed, not the user: it is worth another try.
pub fn list(world: &dyn World, tree: TreeId, path: &RelPath) -> Result<Listing, WorldError> {
    let mut listing = Listing::default();
    match world.list(tree, path) {
        Ok(None) => {}
        Ok(Some(_)) => {
            listing.found = true;
            walk(world, tree, path, 0, &mut listing)?;
        }
        Err(WorldError::WrongKind { found: "a submodule", .. }) => listing.diagnostics.push(submodule(path)),
        Err(WorldError::WrongKind { .. }) => {
            listing.found = true;
            listing.files.push(path.clone());
        }
        Err(error) => listing.diagnostics.push(blame(error)?),
    }
    // `list` goes folder by folder, and `a-b.yaml` comes before `a/x.yaml` in byte order of whole paths.
    listing.files.sort();
    Ok(listing)
}

fn walk(world: &dyn World, tree: TreeId, folder: &RelPath, depth: usize, listing: &mut Listing) -> Result<(), WorldError> {
    if depth > MAX_FOLDER_DEPTH {
        let message = format!("`{folder}` is nested deeper than {MAX_FOLDER_DEPTH} folders");
        listing.diagnostics.push(Diagnostic::error("folder-depth", message));
        return Ok(());
    }
    let entries = match world.list(tree, folder) {
        Ok(entries) => entries.unwrap_or_default(),
        Err(error) => {
            listing.diagnostics.push(blame(error)?);
            return Ok(());
        }
    };
    for entry in entries.iter().filter(|entry| !entry.name.starts_with('.')) {
        let Ok(path) = folder.join(&entry.name) else {
            let message = format!("`{folder}` holds `{}`, a name that no file may have", entry.name.escape_default());
            listing.diagnostics.push(Diagnostic::error("file-name", message));
            continue;
        };
        let readable = ENDINGS.iter().any(|ending| entry.name.ends_with(ending));
        match entry.kind {
            EntryKind::Directory => walk(world, tree, &path, depth + 1, listing)?,
            EntryKind::Submodule => listing.diagnostics.push(submodule(&path)),
            EntryKind::File | EntryKind::Executable | EntryKind::Link if readable => listing.files.push(path),
            EntryKind::File | EntryKind::Executable | EntryKind::Link => {}
        }
    }
    Ok(())
}

fn submodule(path: &RelPath) -> Diagnostic {
    Diagnostic::warning("submodule", format!("`{path}` is a submodule: nothing in it is read"))
        .hint("Name the other repository as a source of its own.")
}

/// Returns what is the user's to repair as a diagnostic; what is not stays an error.
pub(crate) fn blame(error: WorldError) -> Result<Diagnostic, WorldError> {
    match &error {
        WorldError::TooLarge { .. } => Ok(too_large(error.to_string())),
        WorldError::BadLink { .. } => {
            Ok(Diagnostic::error("bad-link", error.to_string()).hint("Links are followed inside their own source only."))
        }
        WorldError::WrongKind { .. } => Ok(Diagnostic::error("wrong-kind", error.to_string())),
        _ => Err(error),
    }
}

fn too_large(message: String) -> Diagnostic {
    Diagnostic::error("file-size", message).hint("Split the file, or take what is not a manifest out of the folder.")
}

/// Reads files into a table, within the limits on one unit.
#[derive(Debug, Default)]
pub struct Reader {
    files: usize,
    bytes: usize,
}

/// The source that files are read from.
#[derive(Clone, Copy, Debug)]
pub struct From<'a> {
    /// The alias of the source.
    pub source: &'a Arc<str>,
    /// Its revision, as shown to people.
    pub revision: &'a Arc<str>,
    /// Its tree.
    pub tree: TreeId,
}

impl Reader {
    /// Reads one file into the table. A file that is gone, too large or badly linked is a diagnostic.
    pub fn read(
        &mut self,
        world: &dyn World,
        from: From<'_>,
        path: &RelPath,
        table: &mut FileTable,
    ) -> Result<Result<Span, Diagnostic>, WorldError> {
        self.files += 1;
        if self.files > MAX_FILES {
            return Ok(Err(Diagnostic::error(
                "file-count",
                format!("`{path}` is file number {}; a unit may have {MAX_FILES}", self.files),
            )));
        }
        let blob = match world.file(from.tree, path) {
            Ok(Some(blob)) => blob,
            Ok(None) => return Ok(Err(Diagnostic::error("no-file", format!("`{path}` is a link to nothing")))),
            // A link named like a file may lead to a folder, which is left out as other links to folders are.
            Err(error) => return blame(error).map(Err),
        };
        let size = blob.bytes.len();
        if size >= MAX_FILE_BYTES {
            return Ok(Err(too_large(format!("`{path}` has {size} bytes; a file must have fewer than {MAX_FILE_BYTES}"))));
        }
        self.bytes += size;
        if self.bytes > MAX_TOTAL_BYTES {
            return Ok(Err(too_large(format!(
                "with `{path}` the unit's files have {} bytes together; {MAX_TOTAL_BYTES} are allowed",
                self.bytes
            ))));
        }
        let end = u32::try_from(size).unwrap_or(u32::MAX);
        let (source, revision) = (from.source.clone(), from.revision.clone());
        let file = table.add(SourceFile { source, revision, path: path.clone(), text: blob.bytes, made: false });
        Ok(Ok(Span { file, start: 0, end }))
    }
}
