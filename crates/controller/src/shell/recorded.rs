//! Owns building from the history: a world that holds just the files a recorded build read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_build::SourceTree;
use plumb_manifest::Digest;
use plumb_store::{InputFile, RecordedBuild};
use plumb_unit::{Revisions, Unit};
use plumb_world::{Answer, Blob, BlobId, Entry, EntryKind, Known, Need, RelPath, TreeId, World, WorldError};

use crate::core::{Class, Failure};

/// Returns the unit as it was recorded. Where it lives and how it is kept stay as they are declared now: a rollback brings back what was built,
/// not an older policy or another cluster.
pub(crate) fn unit(recorded: &RecordedBuild, now: &Unit) -> Result<Unit, Failure> {
    let then: Unit = serde_json::from_value(recorded.spec.clone())
        .map_err(|error| Failure::new(Class::Input, format!("sync {} was recorded by another version: {error}", recorded.sync)))?;
    Ok(Unit { key: now.key.clone(), target: now.target.clone(), policy: now.policy.clone(), depends_on: now.depends_on.clone(), ..then })
}

/// The source that answers are recorded under: no alias can be it.
const ANSWERS: &str = "(answers)";

/// Returns the file that answers are recorded in; none where nothing was asked.
pub(crate) fn answers_file(asked: &BTreeSet<Need>, known: &Known) -> Option<InputFile> {
    let line = |need: &Need| {
        let answer = match known.get(need)? {
            Answer::Known(bytes) => Some(plumb_go::base64::encode(bytes)),
            // What was denied then is asked again.
            _ => None,
        };
        Some((need.clone(), answer))
    };
    let lines: Vec<(Need, Option<String>)> = asked.iter().filter_map(line).collect();
    let path = RelPath::parse("answers.json").ok()?;
    let content = serde_json::to_vec(&lines).ok()?;
    let secret = asked.iter().any(|need| need.is_kept() || matches!(need, Need::Object(lookup) if lookup.kind == "Secret"));
    (!lines.is_empty()).then(|| InputFile { source: ANSWERS.into(), path, content: content.into(), secret })
}

/// Returns the answers of a recorded build: what was absent then is absent.
pub(crate) fn answers(recorded: &RecordedBuild) -> Known {
    let file = recorded.files.iter().find(|file| &*file.source == ANSWERS);
    let lines: Vec<(Need, Option<String>)> = file.and_then(|file| serde_json::from_slice(&file.content).ok()).unwrap_or_default();
    let answer = |(need, text): (Need, Option<String>)| match text {
        Some(text) => Some((need, Answer::Known(plumb_go::base64::decode(text.as_bytes())?.into()))),
        None => Some((need, Answer::Absent)),
    };
    lines.into_iter().filter_map(answer).collect()
}

/// The files of a recorded build.
pub(crate) struct RecordedWorld {
    files: BTreeMap<(Arc<str>, RelPath), Arc<[u8]>>,
    aliases: Vec<Arc<str>>,
}

impl RecordedWorld {
    pub(crate) fn new(recorded: &RecordedBuild) -> Self {
        let files = recorded.files.iter().map(|file| ((Arc::clone(&file.source), file.path.clone()), Arc::clone(&file.content))).collect();
        Self { files, aliases: Vec::new() }
    }

    /// Returns the trees of the unit's sources and remembers their numbers.
    pub(crate) fn trees(&self, unit: &Unit, revisions: &Revisions) -> BTreeMap<Arc<str>, SourceTree> {
        let numbered = unit.sources.keys().enumerate().map(|(at, alias)| (TreeId(u32::try_from(at).unwrap_or(u32::MAX)), alias));
        numbered
            .map(|(tree, alias)| {
                let revision = revisions.get(alias).map_or_else(|| "recorded".to_owned(), ToString::to_string);
                (Arc::clone(alias), SourceTree { tree, revision: revision.into() })
            })
            .collect()
    }

    /// Names the trees in the order of [`Self::trees`].
    pub(crate) fn with_aliases(mut self, unit: &Unit) -> Self {
        self.aliases = unit.sources.keys().cloned().collect();
        self
    }

    fn alias(&self, tree: TreeId) -> Result<&Arc<str>, WorldError> {
        self.aliases.get(tree.0 as usize).ok_or(WorldError::UnknownTree(tree))
    }
}

fn id(bytes: &[u8]) -> Option<BlobId> {
    let digest = Digest::of(bytes);
    let mut raw = [0; 20];
    raw[..16].copy_from_slice(&digest.0);
    BlobId::from_bytes(&raw)
}

impl World for RecordedWorld {
    fn file(&self, tree: TreeId, path: &RelPath) -> Result<Option<Blob>, WorldError> {
        let place = (Arc::clone(self.alias(tree)?), path.clone());
        Ok(self.files.get(&place).and_then(|bytes| Some(Blob { id: id(bytes)?, bytes: Arc::clone(bytes) })))
    }

    fn list(&self, tree: TreeId, path: &RelPath) -> Result<Option<Vec<Entry>>, WorldError> {
        let alias = self.alias(tree)?;
        let depth = path.segments().count();
        let mut names = BTreeSet::new();
        for (source, file) in self.files.keys() {
            if source == alias && file.starts_with(path) && file != path {
                let below = file.segments().count() > depth + 1;
                if let Some(name) = file.segments().nth(depth) {
                    names.insert((name.to_owned(), below));
                }
            }
        }
        if names.is_empty() {
            return if self.files.contains_key(&(Arc::clone(alias), path.clone())) {
                Err(WorldError::WrongKind { path: path.clone(), found: "a file", wanted: "a folder" })
            } else {
                Ok(None)
            };
        }
        let entries = names.into_iter().filter_map(|(name, folder)| {
            let kind = if folder { EntryKind::Directory } else { EntryKind::File };
            Some(Entry { id: id(name.as_bytes())?, name, kind })
        });
        Ok(Some(entries.collect()))
    }
}
