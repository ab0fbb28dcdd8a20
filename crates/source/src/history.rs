//! Owns the proof that a branch or tag holds a commit: the commits alone, without files, beside the cached repository.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use gix_hash::ObjectId;

use crate::error::FetchError;
use crate::limits::{Limits, MAX_HAVES, MAX_HISTORY_COMMITS};
use crate::objects::{ObjectError, Objects};
use crate::repo::{Repo, read_commit};
use crate::wire::{Session, Wants};

/// Returns whether one of the tips is the commit or descends from it, by what an object database holds.
pub(crate) fn descends(objects: &Objects, tips: &[ObjectId], wanted: ObjectId, limits: &Limits) -> Result<bool, ObjectError> {
    let mut seen: BTreeSet<ObjectId> = BTreeSet::new();
    let mut todo = tips.to_vec();
    while let Some(id) = todo.pop() {
        if id == wanted {
            return Ok(true);
        }
        if !seen.insert(id) {
            continue;
        }
        if seen.len() > MAX_HISTORY_COMMITS {
            return Err(ObjectError::Broken(format!("its history has more than {MAX_HISTORY_COMMITS} commits")));
        }
        match read_commit(objects, id, limits.blob_bytes) {
            Ok(commit) => todo.extend(commit.parents),
            // A tag may name a tree or file; a shallow repository ends somewhere.
            Err(ObjectError::Kind { .. } | ObjectError::Missing(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Asks a server for the history of its branches and tags, and looks for the commit in it.
pub(crate) fn held(session: &mut Session<'_>, repo: &Repo, tips: &[ObjectId], wanted: ObjectId) -> Result<bool, FetchError> {
    let folder = repo.scratch().join("history");
    let unusable = |error: std::io::Error| FetchError::Cache { path: folder.display().to_string(), why: error.to_string() };
    fs::create_dir_all(folder.join("objects/pack")).map_err(unusable)?;
    let mut objects = Objects::open(&folder.join("objects"), repo.limits()).map_err(unusable)?;
    if objects.packs() > repo.limits().packs {
        fs::remove_dir_all(&folder).map_err(unusable)?;
        fs::create_dir_all(folder.join("objects/pack")).map_err(unusable)?;
        objects = Objects::open(&folder.join("objects"), repo.limits()).map_err(unusable)?;
    }
    let known = read_tips(&folder.join("tips"));
    let missing: Vec<_> = tips.iter().filter(|tip| !known.contains(*tip)).copied().collect();
    let corrupt = |error: ObjectError| error.into_fetch(&repo.url);
    // Told first from what is here: a branch that has only grown since still holds it.
    let unchanged: Vec<_> = tips.iter().filter(|tip| known.contains(*tip)).copied().collect();
    if descends(&objects, &unchanged, wanted, repo.limits()).map_err(corrupt)? {
        return Ok(true);
    }
    if missing.is_empty() {
        return Ok(false);
    }
    let haves: Vec<_> = known.iter().take(MAX_HAVES).copied().collect();
    let wants = Wants { commits: &missing, haves: &haves, shallow: false };
    session.download(&wants, &objects, repo.scratch())?;
    let lines: String = known.iter().chain(&missing).map(|id| format!("{id}\n")).collect();
    fs::write(folder.join("tips"), lines).map_err(unusable)?;
    descends(&objects, tips, wanted, repo.limits()).map_err(corrupt)
}

fn read_tips(path: &Path) -> BTreeSet<ObjectId> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| ObjectId::from_hex(line.as_bytes()).ok()).collect()
}
