//! Owns the `World` of a build: trees of snapshots and folders, and the record of every question.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use plumb_world::{Blob, Entry, RelPath, TreeId, World, WorldError};

use crate::folder::Folder;
use crate::reads::ReadSet;
use crate::snapshot::Snapshot;

enum Place {
    Snapshot(Snapshot),
    Folder(Folder),
}

struct Tree {
    place: Place,
    base: RelPath,
    reads: Mutex<ReadSet>,
}

/// The world of one build: the trees it was given, and what it asked of each.
#[derive(Default)]
pub struct SnapshotWorld {
    trees: Vec<Tree>,
}

impl SnapshotWorld {
    /// Returns a world without trees.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a snapshot; paths start at `base`, links may lead anywhere in the repository.
    pub fn add(&mut self, snapshot: Snapshot, base: RelPath) -> TreeId {
        self.add_place(Place::Snapshot(snapshot), base)
    }

    /// Adds a folder on disk; paths start at `base`, links may lead anywhere in the folder.
    pub fn add_folder(&mut self, folder: Folder, base: RelPath) -> TreeId {
        self.add_place(Place::Folder(folder), base)
    }

    fn add_place(&mut self, place: Place, base: RelPath) -> TreeId {
        let id = TreeId(u32::try_from(self.trees.len()).unwrap_or(u32::MAX));
        self.trees.push(Tree { place, base, reads: Mutex::default() });
        id
    }

    /// Returns what was asked of a tree so far; of a folder on disk nothing is recorded.
    pub fn reads(&self, tree: TreeId) -> ReadSet {
        self.trees.get(tree.0 as usize).map(|tree| tree.reads.lock().unwrap_or_else(PoisonError::into_inner).clone()).unwrap_or_default()
    }

    /// Returns what was asked of each tree.
    pub fn into_reads(self) -> BTreeMap<TreeId, ReadSet> {
        let reads = self.trees.into_iter().map(|tree| tree.reads.into_inner().unwrap_or_else(PoisonError::into_inner));
        (0..).map(TreeId).zip(reads).collect()
    }

    fn place(&self, tree: TreeId, path: &RelPath) -> Result<(&Tree, RelPath), WorldError> {
        let place = self.trees.get(tree.0 as usize).ok_or(WorldError::UnknownTree(tree))?;
        let full = place.base.join(path.as_str());
        let full = full.map_err(|error| WorldError::Unreadable { path: path.clone(), why: error.to_string() })?;
        Ok((place, full))
    }
}

impl World for SnapshotWorld {
    fn file(&self, tree: TreeId, path: &RelPath) -> Result<Option<Blob>, WorldError> {
        let (tree, path) = self.place(tree, path)?;
        match &tree.place {
            Place::Folder(folder) => folder.file(&path),
            Place::Snapshot(snapshot) => {
                let mut crossed = Vec::new();
                let answer = snapshot.answer_file(&path, &mut crossed);
                tree.reads.lock().unwrap_or_else(PoisonError::into_inner).file(&path, crossed, &answer);
                answer.map(|(blob, _)| blob)
            }
        }
    }

    fn list(&self, tree: TreeId, path: &RelPath) -> Result<Option<Vec<Entry>>, WorldError> {
        let (tree, path) = self.place(tree, path)?;
        match &tree.place {
            Place::Folder(folder) => folder.list(&path),
            Place::Snapshot(snapshot) => {
                let mut crossed = Vec::new();
                let answer = snapshot.answer_list(&path, &mut crossed);
                tree.reads.lock().unwrap_or_else(PoisonError::into_inner).list(&path, crossed, &answer);
                answer.map(|(entries, _)| entries)
            }
        }
    }

    fn real_path(&self, tree: TreeId, path: &RelPath) -> Result<Option<RelPath>, WorldError> {
        let (place, full) = self.place(tree, path)?;
        let mut crossed = Vec::new();
        let real = match &place.place {
            Place::Folder(folder) => folder.real_path(&full, &mut crossed),
            Place::Snapshot(snapshot) => snapshot.real_path(&full, &mut crossed),
        };
        let base = &place.base;
        Ok(real?.and_then(|real| RelPath::parse(real.as_str().strip_prefix(base.as_str())?.trim_start_matches('/')).ok()))
    }
}

/// The world of a one-shot command: one folder on disk, as tree 0.
pub struct FolderWorld(Folder);

impl FolderWorld {
    /// The only tree.
    pub const TREE: TreeId = TreeId(0);

    /// Opens a folder.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        Folder::open(path).map(Self)
    }
}

impl World for FolderWorld {
    fn file(&self, tree: TreeId, path: &RelPath) -> Result<Option<Blob>, WorldError> {
        if tree == Self::TREE { self.0.file(path) } else { Err(WorldError::UnknownTree(tree)) }
    }

    fn list(&self, tree: TreeId, path: &RelPath) -> Result<Option<Vec<Entry>>, WorldError> {
        if tree == Self::TREE { self.0.list(path) } else { Err(WorldError::UnknownTree(tree)) }
    }

    fn real_path(&self, tree: TreeId, path: &RelPath) -> Result<Option<RelPath>, WorldError> {
        if tree == Self::TREE { self.0.real_path(path, &mut Vec::new()) } else { Err(WorldError::UnknownTree(tree)) }
    }
}
