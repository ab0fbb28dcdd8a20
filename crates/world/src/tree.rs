//! Owns the `World` trait and what it answers with: trees, entries, blobs, and places in files.

use std::fmt;
use std::sync::Arc;

use crate::{Answer, Need, RelPath, Remote, RemoteTree};

/// Names one snapshot's tree within one build. Given out by whoever implements [`World`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeId(pub u32);

/// The content address of a blob or tree: a Git object id (20 or 32 bytes).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId {
    len: u8,
    bytes: [u8; 32],
}

impl BlobId {
    /// Takes the raw id; returns nothing when it is neither 20 nor 32 bytes long.
    pub fn from_bytes(raw: &[u8]) -> Option<Self> {
        if raw.len() != 20 && raw.len() != 32 {
            return None;
        }
        let mut bytes = [0; 32];
        bytes[..raw.len()].copy_from_slice(raw);
        Some(Self { len: raw.len() as u8, bytes })
    }

    /// Returns the raw id, 20 or 32 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl From<[u8; 20]> for BlobId {
    fn from(id: [u8; 20]) -> Self {
        let mut bytes = [0; 32];
        bytes[..20].copy_from_slice(&id);
        Self { len: 20, bytes }
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A file's content and its address.
#[derive(Clone, Debug)]
pub struct Blob {
    /// The content's address.
    pub id: BlobId,
    /// The whole content.
    pub bytes: Arc<[u8]>,
}

/// What kind of thing a tree entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A regular file with the executable bit.
    Executable,
    /// A folder.
    Directory,
    /// A symbolic link; never followed by a listing.
    Link,
    /// Another repository's commit.
    Submodule,
}

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The entry's own name, one path segment.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
    /// Its content's address.
    pub id: BlobId,
}

/// Why the world could not say. An absent file is not an error: it is `Ok(None)`.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// The tree was not given to this world.
    #[error("no tree {0:?} is here")]
    UnknownTree(TreeId),
    /// A file is over the limit on one file's size.
    #[error("`{path}` has {size} bytes; a file may have {limit}")]
    TooLarge {
        /// The file.
        path: RelPath,
        /// Its size in bytes.
        size: u64,
        /// The named limit in bytes.
        limit: u64,
    },
    /// A link leaves the tree, is absolute, forms a cycle or goes too deep.
    #[error("`{path}` is a link {why}")]
    BadLink {
        /// The link.
        path: RelPath,
        /// What is wrong with it, as a clause.
        why: String,
    },
    /// A folder was asked for as a file, or the other way round.
    #[error("`{path}` is {found}, not {wanted}")]
    WrongKind {
        /// The entry.
        path: RelPath,
        /// What it is, with its article.
        found: &'static str,
        /// What was asked for, with its article.
        wanted: &'static str,
    },
    /// The object database could not be read.
    #[error("`{path}` could not be read: {why}")]
    Unreadable {
        /// The entry.
        path: RelPath,
        /// The cause.
        why: String,
    },
}

/// The one door of a build. Every answer is immediate, and the implementation records every question, absences too:
/// that record is the build's read set.
///
/// Protocol: a tree's content never changes while the world lives; links are followed only inside their tree.
pub trait World: Sync {
    /// Returns the file's content, or `None` when nothing has that path.
    fn file(&self, tree: TreeId, path: &RelPath) -> Result<Option<Blob>, WorldError>;
    /// Returns the folder's entries ordered by name, or `None` when nothing has that path.
    fn list(&self, tree: TreeId, path: &RelPath) -> Result<Option<Vec<Entry>>, WorldError>;
    /// Returns where a path leads once the links on it are followed; `None` when nothing has that path. A world that keeps no links has none to follow.
    fn real_path(&self, tree: TreeId, path: &RelPath) -> Result<Option<RelPath>, WorldError> {
        let _ = tree;
        Ok(Some(path.clone()))
    }
    /// Returns the tree of another repository. A world fetches nothing unless it was made to.
    fn remote_tree(&self, remote: &RemoteTree) -> Remote<TreeId> {
        let _ = remote;
        Remote::NotHere
    }
    /// Returns a file of another address, over http(s). A world fetches nothing unless it was made to.
    fn remote_file(&self, url: &str) -> Remote<Blob> {
        let _ = url;
        Remote::NotHere
    }
    /// Returns what is known of the outside. A world of files alone answers nothing.
    fn ask(&self, need: &Need) -> Answer {
        let _ = need;
        Answer::Unanswered
    }
}

/// Names one file within one build; its name and text are in the build's [`FileTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub u32);

/// A byte range of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A place as people count: both from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// A file that a build read: where it came from, and its text.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// The alias of the unit's source.
    pub source: Arc<str>,
    /// The source's revision, as shown to people (`main@sha1:…`).
    pub revision: Arc<str>,
    /// Its path in that source; of a made text, what to call it.
    pub path: RelPath,
    /// Its whole content.
    pub text: Arc<[u8]>,
    /// Whether a step of the build made it: then it is no file of the source, and no input.
    pub made: bool,
}

/// The files one build read, in the order it read them.
#[derive(Clone, Debug, Default)]
pub struct FileTable {
    files: Vec<SourceFile>,
    hidden: Vec<Span>,
}

impl FileTable {
    /// Adds a file and names it.
    pub fn add(&mut self, file: SourceFile) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(file);
        id
    }

    /// Marks a range as secret: whoever shows an excerpt leaves it out.
    pub fn hide(&mut self, span: Span) {
        self.hidden.push(span);
    }

    /// Returns the ranges of a file that no excerpt may show, in the order they were marked.
    pub fn hidden(&self, id: FileId) -> impl Iterator<Item = Span> {
        self.hidden.iter().copied().filter(move |span| span.file == id)
    }

    /// Returns the files with their names, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files.iter().enumerate().map(|(at, file)| (FileId(u32::try_from(at).unwrap_or(u32::MAX)), file))
    }

    /// Returns the file of that name.
    pub fn get(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(id.0 as usize)
    }

    /// Returns line and column of the first byte of a span; 1:1 for a file that is not here.
    pub fn position(&self, span: Span) -> Position {
        let Some(file) = self.get(span.file) else { return Position { line: 1, column: 1 } };
        let before = &file.text[..(span.start as usize).min(file.text.len())];
        let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        Position { line: u32::try_from(line).unwrap_or(u32::MAX), column: u32::try_from(column).unwrap_or(u32::MAX) }
    }

    /// Returns `path:line:column` of a span.
    pub fn place(&self, span: Span) -> String {
        let position = self.position(span);
        let path = self.get(span.file).map_or("?", |file| file.path.as_str());
        format!("{path}:{}:{}", position.line, position.column)
    }
}
