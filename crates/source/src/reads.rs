//! Owns the record of what a build has read of one repository, and how it tells which commits can touch the build.
//! Must not read anything but the ids behind recorded answers.

use std::collections::{BTreeMap, BTreeSet};

use plumb_manifest::Digest;
use plumb_world::{Blob, BlobId, Entry, EntryKind, RelPath, WorldError};

use crate::diff::TreeDiff;
use crate::snapshot::Snapshot;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Question {
    File,
    List,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Absent,
    File(BlobId),
    Listing(Digest),
    /// The text of the error.
    Refused(String),
}

/// Everything a build asked of one repository, absences and errors too. Paths are from the repository's root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadSet {
    answers: BTreeMap<(Question, RelPath), Answer>,
    /// Entries whose own change changes an answer: files, links crossed, the first missing part of an absent path.
    exact: BTreeSet<RelPath>,
    /// Folders whose entries were listed.
    listed: BTreeSet<RelPath>,
}

impl ReadSet {
    /// Records a question for a file; `at` is where the answer was found.
    pub(crate) fn file(&mut self, path: &RelPath, crossed: Vec<RelPath>, answer: &Result<(Option<Blob>, RelPath), WorldError>) {
        let (answer, at) = match answer {
            Ok((None, at)) => (Answer::Absent, at),
            Ok((Some(blob), at)) => (Answer::File(blob.id), at),
            Err(error) => (Answer::Refused(error.to_string()), path),
        };
        self.exact.extend(crossed);
        self.exact.insert(at.clone());
        self.answers.insert((Question::File, path.clone()), answer);
    }

    /// Records a question for a folder.
    pub(crate) fn list(&mut self, path: &RelPath, crossed: Vec<RelPath>, answer: &Result<(Option<Vec<Entry>>, RelPath), WorldError>) {
        self.exact.extend(crossed);
        let answer = match answer {
            Ok((None, at)) => {
                self.exact.insert(at.clone());
                Answer::Absent
            }
            Ok((Some(entries), at)) => {
                self.listed.insert(at.clone());
                Answer::Listing(digest_of(entries))
            }
            Err(error) => {
                self.exact.insert(path.clone());
                self.listed.insert(path.clone());
                Answer::Refused(error.to_string())
            }
        };
        self.answers.insert((Question::List, path.clone()), answer);
    }

    /// Returns whether nothing was asked.
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// Returns how many questions were asked.
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Returns the files that were read, with their content's address.
    pub fn files(&self) -> impl Iterator<Item = (&RelPath, BlobId)> {
        self.answers.iter().filter_map(|((_, path), answer)| match answer {
            Answer::File(id) => Some((path, *id)),
            _ => None,
        })
    }

    /// Returns the hash of all questions and answers. Two builds of one unit with equal digests have read the same.
    pub fn digest(&self) -> Digest {
        let mut parts: Vec<Vec<u8>> = Vec::with_capacity(self.answers.len() * 3);
        for ((question, path), answer) in &self.answers {
            parts.push(vec![*question as u8]);
            parts.push(path.as_str().as_bytes().to_vec());
            parts.push(match answer {
                Answer::Absent => b"absent".to_vec(),
                Answer::File(id) => [b"file", id.as_bytes()].concat(),
                Answer::Listing(digest) => [b"list", &digest.0[..]].concat(),
                Answer::Refused(text) => [b"no", text.as_bytes()].concat(),
            });
        }
        Digest::of_parts(parts.iter().map(Vec::as_slice))
    }

    /// Returns whether any recorded answer is another at a newer revision of the same repository. Files are compared by
    /// id and not read; of an entry that is a folder only name and kind count as part of its parent's listing.
    pub fn touched_by(&self, new: &Snapshot) -> bool {
        self.answers.iter().any(|((question, path), old)| {
            let now = match question {
                Question::File => match new.answer_id(path) {
                    // An error that came with reading, as of size, cannot be told without it.
                    Ok(_) if matches!(old, Answer::Refused(_)) => return self.refused_otherwise(path, old, new),
                    Ok(None) => Answer::Absent,
                    Ok(Some(id)) => Answer::File(id),
                    Err(error) => Answer::Refused(error.to_string()),
                },
                Question::List => match new.list(path) {
                    Ok(None) => Answer::Absent,
                    Ok(Some(entries)) => Answer::Listing(digest_of(&entries)),
                    Err(error) => Answer::Refused(error.to_string()),
                },
            };
            now != *old
        })
    }

    fn refused_otherwise(&self, path: &RelPath, old: &Answer, new: &Snapshot) -> bool {
        match new.file(path) {
            Ok(_) => true,
            Err(error) => *old != Answer::Refused(error.to_string()),
        }
    }

    /// Returns whether one of the changed paths can touch a recorded answer. Never misses one; may be wrong the other way.
    pub fn may_be_touched_by(&self, diff: &TreeDiff) -> bool {
        let mut index = ReadIndex::default();
        index.insert((), self);
        !index.affected(diff).is_empty()
    }
}

/// Returns the hash of a listing: names and kinds, and the content of what is not a folder.
fn digest_of(entries: &[Entry]) -> Digest {
    let mut text = Vec::new();
    for entry in entries {
        text.extend_from_slice(&(entry.name.len() as u64).to_le_bytes());
        text.extend_from_slice(entry.name.as_bytes());
        text.push(entry.kind as u8);
        if entry.kind != EntryKind::Directory {
            text.extend_from_slice(entry.id.as_bytes());
        }
    }
    Digest::of(&text)
}

/// The read sets of many units of one repository, by path: finding whom a commit touches costs in proportion to the
/// commit, not to the number of units.
#[derive(Clone, Debug)]
pub struct ReadIndex<K> {
    exact: BTreeMap<RelPath, BTreeSet<K>>,
    listed: BTreeMap<RelPath, BTreeSet<K>>,
    paths: BTreeMap<K, (BTreeSet<RelPath>, BTreeSet<RelPath>)>,
}

impl<K> Default for ReadIndex<K> {
    fn default() -> Self {
        Self { exact: BTreeMap::new(), listed: BTreeMap::new(), paths: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> ReadIndex<K> {
    /// Adds a unit's reads, in place of what was known of it.
    pub fn insert(&mut self, key: K, reads: &ReadSet) {
        self.remove(&key);
        for path in &reads.exact {
            self.exact.entry(path.clone()).or_default().insert(key.clone());
        }
        for path in &reads.listed {
            self.listed.entry(path.clone()).or_default().insert(key.clone());
        }
        self.paths.insert(key, (reads.exact.clone(), reads.listed.clone()));
    }

    /// Removes a unit.
    pub fn remove(&mut self, key: &K) {
        let Some((exact, listed)) = self.paths.remove(key) else { return };
        for (paths, index) in [(exact, &mut self.exact), (listed, &mut self.listed)] {
            for path in paths {
                if let Some(keys) = index.get_mut(&path) {
                    keys.remove(key);
                    if keys.is_empty() {
                        index.remove(&path);
                    }
                }
            }
        }
    }

    /// Returns how many units are known.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Returns whether no unit is known.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Returns the units that a change can touch: those that read a changed file, listed the folder it is in, crossed a
    /// changed link or missed a path that is there now. All, when the change could not be told.
    pub fn affected(&self, diff: &TreeDiff) -> BTreeSet<K> {
        if diff.is_everything() {
            return self.paths.keys().cloned().collect();
        }
        let mut keys = BTreeSet::new();
        for path in diff.paths() {
            let mut ancestor = Some(path.clone());
            while let Some(at) = ancestor {
                keys.extend(self.exact.get(&at).into_iter().flatten().cloned());
                ancestor = at.parent();
            }
            keys.extend(self.listed.get(path).into_iter().flatten().cloned());
            let parent = path.parent().and_then(|parent| self.listed.get(&parent));
            keys.extend(parent.into_iter().flatten().cloned());
        }
        keys
    }
}
