//! Owns a world of files with answers beside them: what a build is run in once somebody asked for it.

use std::collections::BTreeMap;

use crate::{Answer, Blob, Entry, Need, RelPath, TreeId, World, WorldError};

/// Answers by question.
pub type Known = BTreeMap<Need, Answer>;

/// A world of files, with answers beside them. What is not known yet is answered later.
pub struct AnsweredWorld<'w> {
    /// The files.
    pub world: &'w dyn World,
    /// The answers.
    pub known: &'w Known,
}

impl World for AnsweredWorld<'_> {
    fn file(&self, tree: TreeId, path: &RelPath) -> Result<Option<Blob>, WorldError> {
        self.world.file(tree, path)
    }

    fn list(&self, tree: TreeId, path: &RelPath) -> Result<Option<Vec<Entry>>, WorldError> {
        self.world.list(tree, path)
    }

    fn real_path(&self, tree: TreeId, path: &RelPath) -> Result<Option<RelPath>, WorldError> {
        self.world.real_path(tree, path)
    }

    fn ask(&self, need: &Need) -> Answer {
        self.known.get(need).cloned().unwrap_or(Answer::Later)
    }
}
