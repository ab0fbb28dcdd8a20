//! Owns which paths differ between two revisions of one repository.

use std::collections::BTreeSet;

use plumb_world::{EntryKind, RelPath};

use crate::snapshot::Snapshot;
use crate::walk::{Side, differences};

/// The paths that differ between two trees: files, links and submodules that came, went or changed, and folders that came
/// or went. A folder that stayed is not named, only what changed in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeDiff {
    paths: BTreeSet<RelPath>,
    everything: bool,
}

impl TreeDiff {
    /// Compares two revisions. The work is in proportion to the change. When it cannot be told (the trees belong to
    /// different repositories, one is damaged, a path cannot be expressed) everything counts as changed.
    pub fn between(old: &Snapshot, new: &Snapshot) -> Self {
        let unknown = Self { paths: BTreeSet::new(), everything: true };
        if old.url() != new.url() {
            return unknown;
        }
        let objects = new.repo().objects();
        let side = |tree| Some(Side { objects: &objects, tree });
        let mut paths = Some(BTreeSet::new());
        let walked = differences(side(old.tree_id()), side(new.tree_id()), new.repo().limits().tree_entries, |change| {
            let folder = |item: Option<&crate::tree::Item>| item.is_some_and(|item| item.kind == EntryKind::Directory);
            if folder(change.old) && folder(change.new) {
                return Ok(());
            }
            let path = std::str::from_utf8(change.path).ok().and_then(|path| RelPath::parse(path).ok());
            match path {
                Some(path) => {
                    if let Some(paths) = &mut paths {
                        paths.insert(path);
                    }
                }
                None => paths = None,
            }
            Ok(())
        });
        match (walked, paths) {
            (Ok(()), Some(paths)) => Self { paths, everything: false },
            _ => unknown,
        }
    }

    /// Returns whether everything counts as changed.
    pub fn is_everything(&self) -> bool {
        self.everything
    }

    /// Returns whether nothing differs.
    pub fn is_empty(&self) -> bool {
        !self.everything && self.paths.is_empty()
    }

    /// Returns the paths that differ, in order.
    pub fn paths(&self) -> impl Iterator<Item = &RelPath> {
        self.paths.iter()
    }
}
