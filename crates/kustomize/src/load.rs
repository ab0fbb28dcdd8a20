//! Owns how a kustomization reaches files: relative to its folder, kept below it where that is asked for.

use std::sync::Arc;

use plumb_world::{FileId, RelPath, SourceFile, Span, TreeId, WorldError};

use crate::decode::Placed;
use crate::problem::{Failure, Outcome, wrong};
use crate::run::Run;

/// How deep kustomizations may name each other.
const MAX_DEPTH: usize = 100;

/// A file that was read.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) id: FileId,
    content: Content,
}

/// What is in a file. A text is kept as one, since bytes cannot become one without a copy, but a text can become bytes.
#[derive(Clone, Debug)]
enum Content {
    Text(Arc<str>),
    Binary(Arc<[u8]>),
}

impl Content {
    fn of(bytes: Arc<[u8]>) -> Self {
        match std::str::from_utf8(&bytes) {
            Ok(text) => Self::Text(Arc::from(text)),
            Err(_) => Self::Binary(bytes),
        }
    }

    fn bytes(&self) -> Arc<[u8]> {
        match self {
            Self::Text(text) => Arc::clone(text).into(),
            Self::Binary(bytes) => Arc::clone(bytes),
        }
    }
}

impl File {
    /// Returns a file of the table.
    pub(crate) fn of_table(id: FileId, bytes: Arc<[u8]>) -> Self {
        Self { id, content: Content::of(bytes) }
    }

    /// Returns the content.
    pub(crate) fn bytes(&self) -> Arc<[u8]> {
        self.content.bytes()
    }

    /// Returns the text, with the line ends that kustomize reads; it must be UTF-8.
    pub(crate) fn text(&self) -> Outcome<Arc<str>> {
        match &self.content {
            Content::Text(text) => Ok(Arc::clone(text)),
            Content::Binary(bytes) => {
                let at = bytes.utf8_chunks().next().map_or(0, |chunk| chunk.valid().len()) as u32;
                Err(wrong("encoding", "the file is not UTF-8", Some(Span { file: self.id, start: at, end: at + 1 })).into())
            }
        }
    }
}

/// What a path that a kustomization names is.
#[derive(Debug)]
pub(crate) enum Named {
    File(File),
    Folder(Loader),
}

/// The folder of one kustomization.
#[derive(Clone, Debug)]
pub(crate) struct Loader {
    pub(crate) tree: TreeId,
    pub(crate) root: RelPath,
    /// Whether files must lie below the folder (`LoadRestrictionsRootOnly`).
    pub(crate) restricted: bool,
    /// The folders whose kustomizations led here, the outermost first.
    visited: Vec<(TreeId, RelPath)>,
}

impl Loader {
    pub(crate) fn new(tree: TreeId, root: RelPath, restricted: bool) -> Self {
        Self { tree, root, restricted, visited: Vec::new() }
    }

    /// Reads a file that a kustomization names. One that is not there is a mistake of who names it.
    pub(crate) fn file(&self, run: &Run<'_>, path: Placed<'_>) -> Outcome<File> {
        let full = self.full(path)?;
        self.check_inside(run, path, &full)?;
        match self.read(run, &full) {
            Ok(Some(file)) => Ok(file),
            Ok(None) => Err(self.missing(run, path, &full)),
            Err(failure) => Err(told(failure, path)),
        }
    }

    /// Reads a file of the folder itself, if it is there.
    pub(crate) fn own_file(&self, run: &Run<'_>, name: &str) -> Outcome<Option<File>> {
        let full = self.full(Placed { text: name, place: None })?;
        match self.read(run, &full) {
            Err(Failure::World(WorldError::WrongKind { .. })) => Ok(None),
            other => other,
        }
    }

    /// Reads a file by its path in the tree, if it is there; the restriction is kept.
    pub(crate) fn at(&self, run: &Run<'_>, full: &RelPath) -> Outcome<Option<File>> {
        self.check_inside(run, Placed { text: full.as_str(), place: None }, full)?;
        self.read(run, full)
    }

    /// Finds out what a path is: a file, or the folder of another kustomization.
    pub(crate) fn named(&self, run: &Run<'_>, path: Placed<'_>) -> Outcome<Named> {
        if path.text.is_empty() {
            return Err(wrong("path", "a path is empty", path.place).into());
        }
        let full = self.full(path)?;
        match self.read(run, &full) {
            Ok(Some(file)) => self.check_inside(run, path, &full).map(|()| Named::File(file)),
            // Some worlds say of a folder that it is no file, others that there is none of that name.
            Ok(None) if matches!(run.world.list(self.tree, &full), Ok(Some(_))) => self.folder_at(path, full).map(Named::Folder),
            Ok(None) => Err(self.missing(run, path, &full)),
            Err(Failure::World(WorldError::WrongKind { .. })) => self.folder_at(path, full).map(Named::Folder),
            Err(failure) => Err(told(failure, path)),
        }
    }

    /// Opens the folder of another kustomization.
    pub(crate) fn folder(&self, run: &Run<'_>, path: Placed<'_>) -> Outcome<Loader> {
        match self.named(run, path)? {
            Named::Folder(folder) => Ok(folder),
            Named::File(_) => Err(wrong("path", format!("`{}` is a file, not a folder", path.text), path.place).into()),
        }
    }

    fn folder_at(&self, path: Placed<'_>, root: RelPath) -> Outcome<Loader> {
        let mut visited = self.visited.clone();
        visited.push((self.tree, self.root.clone()));
        if let Some((_, seen)) = visited.iter().find(|(tree, seen)| *tree == self.tree && seen.starts_with(&root)) {
            let message = format!("cycle detected: candidate root '{root}' contains visited root '{seen}'");
            return Err(wrong("cycle", message, path.place)
                .hint("A base must lie beside the kustomizations that use it, not around them.")
                .into());
        }
        if visited.len() > MAX_DEPTH {
            return Err(wrong("too-deep", format!("more than {MAX_DEPTH} kustomizations are nested here"), path.place).into());
        }
        Ok(Self { tree: self.tree, root, restricted: self.restricted, visited })
    }

    fn full(&self, path: Placed<'_>) -> Outcome<RelPath> {
        self.root.join(path.text).map_err(|error| wrong("path", error.to_string(), path.place).into())
    }

    /// Refuses what does not lie below the folder, or only seems to because a link leads out of it.
    fn check_inside(&self, run: &Run<'_>, path: Placed<'_>, full: &RelPath) -> Outcome<()> {
        if !self.restricted {
            return Ok(());
        }
        if !full.starts_with(&self.root) {
            return Err(self.outside(path));
        }
        let real = |path: &RelPath| run.world.real_path(self.tree, path).map(|real| real.unwrap_or_else(|| path.clone()));
        match (real(full), real(&self.root)) {
            (Ok(file), Ok(root)) if file.starts_with(&root) => Ok(()),
            (Ok(_), Ok(_)) => Err(self.outside(path)),
            (Err(error), _) | (_, Err(error)) => Err(told(error.into(), path)),
        }
    }

    fn outside(&self, path: Placed<'_>) -> Failure {
        wrong("load-restriction", format!("security; file '{}' is not in or below '{}'", path.text, self.root), path.place)
            .hint("Move the file below the kustomization's folder, or make a kustomization of its folder and name that.")
            .hint("`--load-restrictor LoadRestrictionsNone` lifts the restriction.")
            .into()
    }

    fn missing(&self, run: &Run<'_>, path: Placed<'_>, full: &RelPath) -> Failure {
        let diagnostic = wrong("missing-file", format!("'{}' is neither a file nor a folder", path.text), path.place);
        let names: Vec<String> = full
            .parent()
            .and_then(|folder| run.world.list(self.tree, &folder).ok().flatten())
            .map(|entries| entries.into_iter().map(|entry| entry.name).collect())
            .unwrap_or_default();
        match plumb_helm::nearest(full.name(), names.iter().map(String::as_str)) {
            Some(near) => diagnostic.hint(format!("Did you mean `{near}`, which is in the same folder?")).into(),
            None => diagnostic.into(),
        }
    }

    fn read(&self, run: &Run<'_>, full: &RelPath) -> Outcome<Option<File>> {
        let Some(blob) = run.world.file(self.tree, full)? else { return Ok(None) };
        let content = Content::of(blob.bytes);
        let file = SourceFile {
            source: Arc::clone(&run.source),
            revision: Arc::clone(&run.revision),
            path: full.clone(),
            text: content.bytes(),
            made: false,
        };
        Ok(Some(File { id: run.texts.add(file), content }))
    }
}

/// What the world refuses of a tree's content is a mistake of who names it.
fn told(failure: Failure, path: Placed<'_>) -> Failure {
    match failure {
        Failure::World(error @ (WorldError::BadLink { .. } | WorldError::WrongKind { .. } | WorldError::TooLarge { .. })) => {
            wrong("path", error.to_string(), path.place).into()
        }
        other => other,
    }
}
