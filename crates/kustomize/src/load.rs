//! Owns how a kustomization reaches files: relative to its folder, kept below it where that is asked for.

use std::sync::Arc;

use plumb_world::{FileId, RelPath, Remote, RemoteTree, SourceFile, Span, TreeId, WorldError};

use crate::decode::Placed;
use crate::limits::{Limit, MAX_KUSTOMIZATION_DEPTH};
use crate::problem::{Failure, Outcome, wrong};
use crate::repository::{self, Repository};
use crate::run::Run;

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
    /// The address of the repository that the tree is of, and what was asked of it; none for the tree that is built.
    remote: Option<(Arc<str>, Arc<str>)>,
}

impl Loader {
    pub(crate) fn new(tree: TreeId, root: RelPath, restricted: bool) -> Self {
        Self { tree, root, restricted, visited: Vec::new(), remote: None }
    }

    /// Reads a file that a kustomization names. One that is not there is a mistake of who names it.
    pub(crate) fn file(&self, run: &Run<'_>, path: Placed<'_>) -> Outcome<File> {
        if is_web(path.text) {
            return self.web_file(run, path);
        }
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
        if is_web(path.text) {
            return self.named_on_web(run, path);
        }
        if let Some(repository) = repository::parse(path.text)
            && !matches!(self.full(path).map(|full| self.read(run, &full)), Ok(Ok(Some(_))))
        {
            return self.folder_of(run, path, &repository).map(Named::Folder);
        }
        let full = self.full(path)?;
        match self.read(run, &full) {
            Ok(Some(file)) => self.check_inside(run, path, &full).map(|()| Named::File(file)),
            // Some worlds say of a folder that it is no file, others that there is none of that name.
            Ok(None) if matches!(run.world.list(self.tree, &full), Ok(Some(_))) => self.folder_at(run, path, &full).map(Named::Folder),
            Ok(None) => Err(self.missing(run, path, &full)),
            Err(Failure::World(WorldError::WrongKind { .. })) => self.folder_at(run, path, &full).map(Named::Folder),
            Err(failure) => Err(told(failure, path)),
        }
    }

    /// A path on the web: a file, unless it is the address of a repository.
    fn named_on_web(&self, run: &Run<'_>, path: Placed<'_>) -> Outcome<Named> {
        let plain = path.text.split(['?', '#']).next().unwrap_or(path.text);
        let is_file = [".yaml", ".yml", ".json"].iter().any(|ending| plain.ends_with(ending)) && !plain.contains(".git/");
        match repository::parse(path.text) {
            Some(repository) if !is_file => self.folder_of(run, path, &repository).map(Named::Folder),
            _ => self.web_file(run, path).map(Named::File),
        }
    }

    fn web_file(&self, run: &Run<'_>, path: Placed<'_>) -> Outcome<File> {
        match run.world.remote_file(path.text) {
            Remote::Here(blob) => {
                run.take(Limit::ReadBytes, blob.bytes.len(), path.place)?;
                let content = Content::of(blob.bytes);
                let name =
                    path.text.split(['?', '#']).next().unwrap_or(path.text).trim_start_matches("https://").trim_start_matches("http://");
                let file = SourceFile {
                    source: Arc::from(path.text),
                    revision: Arc::from(""),
                    path: RelPath::parse(name).unwrap_or_else(|_| RelPath::root()),
                    text: content.bytes(),
                    made: false,
                };
                Ok(File { id: run.texts.add(file), content })
            }
            Remote::Denied(why) => Err(wrong("remote", format!("`{}` cannot be fetched: {why}", path.text), path.place).into()),
            Remote::NotHere => Err(not_fetched(path)),
        }
    }

    /// Opens a folder of another repository; what is in it may name nothing outside of that.
    fn folder_of(&self, run: &Run<'_>, path: Placed<'_>, repository: &Repository) -> Outcome<Loader> {
        let remote = RemoteTree { url: repository.clone.clone(), reference: repository.reference.clone() };
        let tree = match run.world.remote_tree(&remote) {
            Remote::Here(tree) => tree,
            Remote::Denied(why) => {
                return Err(wrong("remote", format!("`{}` cannot be fetched: {why}", path.text), path.place).into());
            }
            Remote::NotHere => return Err(not_fetched(path)),
        };
        let root = RelPath::parse(&repository.folder).map_err(|error| wrong("path", error.to_string(), path.place))?;
        let visited = self.visited_from_here(path)?;
        if visited.iter().any(|(seen, at)| *seen == tree && at.starts_with(&root)) {
            let message = format!("cycle detected: URI '{}' referenced by previous URI", path.text);
            return Err(wrong("cycle", message, path.place).into());
        }
        let remote = (Arc::from(remote.url), Arc::from(remote.reference));
        Ok(Self { tree, root, restricted: true, visited, remote: Some(remote) })
    }

    /// Opens the folder of another kustomization.
    pub(crate) fn folder(&self, run: &Run<'_>, path: Placed<'_>) -> Outcome<Loader> {
        match self.named(run, path)? {
            Named::Folder(folder) => Ok(folder),
            Named::File(_) => Err(wrong("path", format!("`{}` is a file, not a folder", path.text), path.place).into()),
        }
    }

    /// Opens a folder where it really is, as kustomize does: paths in it start from there, and a link that leads back is a cycle.
    fn folder_at(&self, run: &Run<'_>, path: Placed<'_>, full: &RelPath) -> Outcome<Loader> {
        let real = run.world.real_path(self.tree, full).map_err(|error| told(error.into(), path))?;
        let root = real.unwrap_or_else(|| full.clone());
        let visited = self.visited_from_here(path)?;
        if let Some((_, seen)) = visited.iter().find(|(tree, seen)| *tree == self.tree && seen.starts_with(&root)) {
            let message = format!("cycle detected: candidate root '{root}' contains visited root '{seen}'");
            return Err(wrong("cycle", message, path.place)
                .hint("A base must lie beside the kustomizations that use it, not around them.")
                .into());
        }
        Ok(Self { tree: self.tree, root, restricted: self.restricted, visited, remote: self.remote.clone() })
    }

    /// The folders that lead to a kustomization which is named here.
    fn visited_from_here(&self, path: Placed<'_>) -> Outcome<Vec<(TreeId, RelPath)>> {
        let mut visited = self.visited.clone();
        visited.push((self.tree, self.root.clone()));
        if visited.len() > MAX_KUSTOMIZATION_DEPTH {
            let message = format!("more than {MAX_KUSTOMIZATION_DEPTH} kustomizations are nested here");
            return Err(wrong("too-deep", message, path.place).into());
        }
        Ok(visited)
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
        if path.text.contains("://") || crate::metadata::is_repository(path.text) {
            return not_fetched(path);
        }
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
        run.take(Limit::ReadBytes, blob.bytes.len(), None)?;
        let content = Content::of(blob.bytes);
        let file = SourceFile {
            source: self.remote.as_ref().map_or(&run.source, |(url, _)| url).clone(),
            revision: self.remote.as_ref().map_or(&run.revision, |(_, reference)| reference).clone(),
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

fn is_web(path: &str) -> bool {
    path.starts_with("https://") || path.starts_with("http://")
}

/// Whoever builds decides whether anything is fetched.
fn not_fetched(path: Placed<'_>) -> Failure {
    wrong("remote", format!("`{}` is at another address, which nothing is fetched from here", path.text), path.place)
        .hint("In a unit, name the repository as a source and a path of it in a step of its own; or keep a copy beside the kustomization.")
        .into()
}
