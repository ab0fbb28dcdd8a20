//! Owns the readable tree of one revision, straight from the object database. Must not record who reads what.

use std::fmt;
use std::sync::Arc;

use gix_hash::ObjectId;
use plumb_unit::{CommitInfo, Revision};
use plumb_world::{Blob, BlobId, Entry, EntryKind, RelPath, WorldError};

use crate::limits::MAX_LINK_BYTES;
use crate::objects::{ObjectError, Objects};
use crate::repo::{Commit, Hold, Repo};
use crate::resolve::{Lookup, Nodes, resolve};

struct Inner {
    hold: Hold,
    commit: Commit,
    revision: Revision,
}

/// The readable tree of one revision. Cloning is cheap; what it reads stays on disk while a clone lives.
#[derive(Clone)]
pub struct Snapshot(Arc<Inner>);

impl Snapshot {
    pub(crate) fn new(hold: Hold, commit: Commit, revision: Revision) -> Self {
        Self(Arc::new(Inner { hold, commit, revision }))
    }

    /// Returns the revision.
    pub fn revision(&self) -> &Revision {
        &self.0.revision
    }

    /// Returns the commit's author, subject and time.
    pub fn commit(&self) -> &CommitInfo {
        &self.0.commit.info
    }

    /// Returns the URL it was fetched from, without credentials.
    pub fn url(&self) -> &str {
        &self.repo().url
    }

    /// Returns the address of the whole tree.
    pub fn tree(&self) -> BlobId {
        blob_id(self.0.commit.tree)
    }

    pub(crate) fn tree_id(&self) -> ObjectId {
        self.0.commit.tree
    }

    pub(crate) fn repo(&self) -> &Repo {
        self.0.hold.repo()
    }

    /// Returns a file's content, or `None` when nothing has that path. Links are followed inside the repository.
    ///
    /// The bytes were hashed and are those that the commit names.
    pub fn file(&self, path: &RelPath) -> Result<Option<Blob>, WorldError> {
        self.answer_file(path, &mut Vec::new()).map(|(blob, _)| blob)
    }

    /// Returns a folder's entries ordered by name, or `None` when nothing has that path. Submodules are listed as such;
    /// what is in them is not fetched.
    pub fn list(&self, path: &RelPath) -> Result<Option<Vec<Entry>>, WorldError> {
        self.answer_list(path, &mut Vec::new()).map(|(entries, _)| entries)
    }

    /// Answers a question for a file, and tells where the answer was found: the path without links.
    pub(crate) fn answer_file(&self, path: &RelPath, crossed: &mut Vec<RelPath>) -> Result<(Option<Blob>, RelPath), WorldError> {
        let objects = self.repo().objects();
        match self.locate(&objects, path, crossed)? {
            Lookup::Absent { at } => Ok((None, at)),
            Lookup::Found { kind: EntryKind::File | EntryKind::Executable, node, path: at } => {
                let limit = self.repo().limits().blob_bytes;
                let bytes = objects.read_as(&node, gix_object::Kind::Blob, limit).map_err(|error| unreadable(path, &error))?;
                Ok((Some(Blob { id: blob_id(node), bytes: bytes.into() }), at))
            }
            Lookup::Found { kind, .. } => Err(WorldError::WrongKind { path: path.clone(), found: name(kind), wanted: "a file" }),
        }
    }

    /// Returns where a path leads, and the links on the way; `None` when nothing has that path.
    pub fn real_path(&self, path: &RelPath, crossed: &mut Vec<RelPath>) -> Result<Option<RelPath>, WorldError> {
        Ok(match self.locate(&self.repo().objects(), path, crossed)? {
            Lookup::Absent { .. } => None,
            Lookup::Found { path, .. } => Some(path),
        })
    }

    /// Answers which file is at a path, without reading it.
    pub(crate) fn answer_id(&self, path: &RelPath) -> Result<Option<BlobId>, WorldError> {
        let objects = self.repo().objects();
        match self.locate(&objects, path, &mut Vec::new())? {
            Lookup::Absent { .. } => Ok(None),
            Lookup::Found { kind: EntryKind::File | EntryKind::Executable, node, .. } => Ok(Some(blob_id(node))),
            Lookup::Found { kind, .. } => Err(WorldError::WrongKind { path: path.clone(), found: name(kind), wanted: "a file" }),
        }
    }

    /// Answers a question for a folder, and tells where the answer was found.
    pub(crate) fn answer_list(&self, path: &RelPath, crossed: &mut Vec<RelPath>) -> Result<(Option<Vec<Entry>>, RelPath), WorldError> {
        let objects = self.repo().objects();
        match self.locate(&objects, path, crossed)? {
            Lookup::Absent { at } => Ok((None, at)),
            Lookup::Found { kind: EntryKind::Directory, node, path: at } => {
                let tree = objects.tree(&node).map_err(|error| unreadable(path, &error))?;
                let refused = |why| WorldError::Unreadable { path: path.clone(), why };
                if let Some(why) = &tree.hostile {
                    return Err(refused(why.clone()));
                }
                Ok((Some(tree.entries().map_err(refused)?), at))
            }
            Lookup::Found { kind, .. } => Err(WorldError::WrongKind { path: path.clone(), found: name(kind), wanted: "a folder" }),
        }
    }

    fn locate(&self, objects: &Objects, path: &RelPath, crossed: &mut Vec<RelPath>) -> Result<Lookup<ObjectId>, WorldError> {
        resolve(&Trees(objects), self.0.commit.tree, path, crossed)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot({} of {})", self.0.revision, self.repo().url)
    }
}

/// Looks names up in trees of the object database.
struct Trees<'a>(&'a Objects);

impl Nodes for Trees<'_> {
    type Node = ObjectId;

    fn child(&self, folder: &ObjectId, name: &str, at: &RelPath) -> Result<Option<(EntryKind, ObjectId)>, WorldError> {
        let tree = self.0.tree(folder).map_err(|error| unreadable(at, &error))?;
        match &tree.hostile {
            Some(why) => Err(WorldError::Unreadable { path: at.clone(), why: why.clone() }),
            None => Ok(tree.get(name).map(|item| (item.kind, item.id))),
        }
    }

    fn target(&self, link: &ObjectId, at: &RelPath) -> Result<String, WorldError> {
        let data = self.0.read_as(link, gix_object::Kind::Blob, MAX_LINK_BYTES).map_err(|error| unreadable(at, &error))?;
        String::from_utf8(data).map_err(|_| WorldError::BadLink { path: at.clone(), why: "to something that is no path".to_owned() })
    }
}

fn unreadable(path: &RelPath, error: &ObjectError) -> WorldError {
    match error {
        ObjectError::TooLarge { size, limit } => WorldError::TooLarge { path: path.clone(), size: *size, limit: *limit },
        error => WorldError::Unreadable { path: path.clone(), why: error.why() },
    }
}

pub(crate) fn name(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::File | EntryKind::Executable => "a file",
        EntryKind::Directory => "a folder",
        EntryKind::Link => "a link",
        EntryKind::Submodule => "a submodule, which is not fetched",
    }
}

/// Returns an object's id as the world has it.
pub(crate) fn blob_id(id: ObjectId) -> BlobId {
    let mut bytes = [0; 20];
    bytes.iter_mut().zip(id.as_slice()).for_each(|(to, from)| *to = *from);
    BlobId::from(bytes)
}
