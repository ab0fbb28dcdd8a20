//! Owns the cached repository of one URL: which commits it holds whole, how it stays small, and who may write to it.
//! Must not hand a commit to anybody: whether one may see it is `cache`'s to decide.
//!
//! On disk it is a bare Git repository per generation, each commit a shallow one, so `git` can look at it. When many
//! packs have gathered, what is still wanted is copied to a new generation and the old one goes with its last reader.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use gix_hash::ObjectId;
use gix_object::{CommitRef, Kind};
use plumb_unit::CommitInfo;
use plumb_world::EntryKind;

use crate::error::FetchError;
use crate::limits::{KEPT_COMMITS, Limits, MAX_HAVES};
use crate::link::Patience;
use crate::objects::{ObjectError, Objects};
use crate::pack;
use crate::walk::{Side, differences};

/// A commit's content that callers need.
#[derive(Clone, Debug)]
pub(crate) struct Commit {
    pub(crate) tree: ObjectId,
    pub(crate) parents: Vec<ObjectId>,
    pub(crate) info: CommitInfo,
}

/// Reads a commit.
pub(crate) fn read_commit(objects: &Objects, id: ObjectId, limit: u64) -> Result<Commit, ObjectError> {
    let data = objects.read_as(&id, Kind::Commit, limit)?;
    let broken = |_| ObjectError::Broken(format!("commit {id} is malformed"));
    let commit = CommitRef::from_bytes(&data, gix_hash::Kind::Sha1).map_err(broken)?;
    let line = |text: &[u8]| String::from_utf8_lossy(text).chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let author = commit.author().map_err(broken)?;
    let time = commit.time().map_err(broken)?;
    let message: &[u8] = commit.message;
    let subject = message.split(|byte| *byte == b'\n').map(line).map(|text| text.trim().to_owned()).find(|text| !text.is_empty());
    let info = CommitInfo {
        author: format!("{} <{}>", line(author.name).trim(), line(author.email).trim()),
        subject: subject.unwrap_or_default(),
        time: time.seconds,
    };
    Ok(Commit { tree: commit.tree(), parents: commit.parents().collect(), info })
}

struct State {
    objects: Arc<Objects>,
    generation: u32,
    /// The commits that are here with all their files, oldest first.
    complete: Vec<ObjectId>,
    /// The commits that snapshots read from, with their number.
    live: BTreeMap<ObjectId, usize>,
}

/// The cached repository of one URL.
pub(crate) struct Repo {
    folder: PathBuf,
    pub(crate) url: String,
    limits: Limits,
    state: Mutex<State>,
    busy: Mutex<bool>,
    freed: Condvar,
}

/// Leave to write to a repository.
pub(crate) struct Turn<'a>(&'a Repo);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.0.busy.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.0.freed.notify_all();
    }
}

/// Keeps a commit readable while it lives.
pub(crate) struct Hold {
    repo: Arc<Repo>,
    commit: ObjectId,
}

impl Hold {
    /// Holds a commit, whether it is here yet or not.
    pub(crate) fn new(repo: &Arc<Repo>, commit: ObjectId) -> Self {
        *repo.state().live.entry(commit).or_default() += 1;
        Self { repo: repo.clone(), commit }
    }

    pub(crate) fn repo(&self) -> &Arc<Repo> {
        &self.repo
    }

    pub(crate) fn commit(&self) -> ObjectId {
        self.commit
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.repo.release(self.commit);
    }
}

impl Repo {
    /// Opens the newest whole generation, or starts the first.
    pub(crate) fn open(folder: &Path, url: &str, limits: &Limits) -> Result<Self, FetchError> {
        fs::create_dir_all(folder).map_err(|error| unusable(folder, &error))?;
        let mut generations: Vec<u32> = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| unusable(folder, &error))?.flatten() {
            remove_scratch(&entry)?;
            let Some(number) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            if entry.path().join("shallow").is_file() {
                generations.push(number);
            } else {
                // Begun and never finished.
                fs::remove_dir_all(entry.path()).map_err(|error| unusable(&entry.path(), &error))?;
            }
        }
        generations.sort_unstable();
        let newest = generations.pop();
        for outdated in generations {
            let outdated = folder.join(outdated.to_string());
            fs::remove_dir_all(&outdated).map_err(|error| unusable(&outdated, &error))?;
        }
        let generation = newest.unwrap_or(1);
        let home = folder.join(generation.to_string());
        let objects = create(&home, limits)?;
        for entry in fs::read_dir(home.join("objects/pack")).map_err(|error| unusable(&home, &error))?.flatten() {
            remove_scratch(&entry)?;
        }
        let list = fs::read_to_string(home.join("shallow")).unwrap_or_default();
        let complete = list.lines().filter_map(|line| ObjectId::from_hex(line.as_bytes()).ok()).filter(|id| objects.contains(id)).collect();
        write_list(&home, &complete)?;
        let state = State { objects: Arc::new(objects), generation, complete, live: BTreeMap::new() };
        let limits = limits.clone();
        Ok(Self {
            folder: folder.to_owned(),
            url: url.to_owned(),
            limits,
            state: Mutex::new(state),
            busy: Mutex::new(false),
            freed: Condvar::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Returns a folder for passing files, on the same file system.
    pub(crate) fn scratch(&self) -> &Path {
        &self.folder
    }

    /// Returns the present object database. Keep it no longer than one read takes.
    pub(crate) fn objects(&self) -> Arc<Objects> {
        self.state().objects.clone()
    }

    /// Returns whether a commit is here with all its files.
    pub(crate) fn has(&self, commit: &ObjectId) -> bool {
        self.state().complete.contains(commit)
    }

    /// Returns commits to tell a server, newest first.
    pub(crate) fn haves(&self) -> Vec<ObjectId> {
        self.state().complete.iter().rev().take(MAX_HAVES).copied().collect()
    }

    /// Returns the tree of the commit that came last, as what a new one is compared with.
    pub(crate) fn last_tree(&self) -> Option<ObjectId> {
        let (objects, last) = {
            let state = self.state();
            (state.objects.clone(), *state.complete.last()?)
        };
        read_commit(&objects, last, self.limits.blob_bytes).ok().map(|commit| commit.tree)
    }

    /// Waits until nobody else writes.
    pub(crate) fn turn(&self, patience: &Patience) -> Result<Turn<'_>, FetchError> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        while *busy {
            if let Some(over) = patience.over(&self.url) {
                return Err(over);
            }
            busy = self.freed.wait_timeout(busy, patience.slice()).unwrap_or_else(PoisonError::into_inner).0;
        }
        *busy = true;
        Ok(Turn(self))
    }

    /// Makes sure that a commit has come with everything it names, and remembers it.
    pub(crate) fn complete(&self, id: ObjectId, _turn: &Turn<'_>) -> Result<(), ObjectError> {
        let objects = self.objects();
        let commit = read_commit(&objects, id, self.limits.blob_bytes)?;
        let base = self.last_tree();
        let side = |tree| Side { objects: &objects, tree };
        differences(base.map(side), Some(side(commit.tree)), self.limits.tree_entries, |change| match change.new {
            Some(item) if item.kind != EntryKind::Submodule && !objects.contains(&item.id) => Err(ObjectError::Missing(item.id)),
            _ => Ok(()),
        })?;
        let mut state = self.state();
        state.complete.retain(|known| *known != id);
        state.complete.push(id);
        let home = self.folder.join(state.generation.to_string());
        write_list(&home, &state.complete).map_err(|error| ObjectError::Local(error.to_string()))
    }

    fn release(&self, commit: ObjectId) {
        let mut state = self.state();
        if let Some(count) = state.live.get_mut(&commit) {
            *count -= 1;
            if *count == 0 {
                state.live.remove(&commit);
            }
        }
    }

    /// Writes the repository anew when too many packs have gathered. Failing is harmless: it is tried again next time.
    pub(crate) fn tidy(&self, patience: &Patience, _turn: &Turn<'_>) -> Result<bool, ObjectError> {
        let (old, generation, kept) = {
            let state = self.state();
            if state.objects.packs() <= self.limits.packs {
                return Ok(false);
            }
            let recent: BTreeSet<_> = state.complete.iter().rev().take(KEPT_COMMITS).collect();
            let kept: Vec<_> = state.complete.iter().filter(|id| recent.contains(id) || state.live.contains_key(*id)).copied().collect();
            (state.objects.clone(), state.generation + 1, kept)
        };
        let ids = self.reachable(&old, &kept)?;
        let home = self.folder.join(generation.to_string());
        let broken = |error: FetchError| ObjectError::Local(error.to_string());
        let new = create(&home, &self.limits).map_err(broken)?;
        pack::copy(&old, &new, &ids, &self.folder, self.limits.object_bytes, patience)?;
        write_list(&home, &kept).map_err(broken)?;
        let mut state = self.state();
        // Somebody has begun to read what was about to go.
        if state.live.keys().any(|id| state.complete.contains(id) && !kept.contains(id)) {
            new.doom(&home);
            return Ok(false);
        }
        old.doom(&self.folder.join(state.generation.to_string()));
        state.objects = Arc::new(new);
        state.generation = generation;
        state.complete = kept;
        Ok(true)
    }

    fn reachable(&self, objects: &Objects, commits: &[ObjectId]) -> Result<Vec<ObjectId>, ObjectError> {
        let mut ids = BTreeSet::new();
        let mut base = None;
        for id in commits {
            let commit = read_commit(objects, *id, self.limits.blob_bytes)?;
            ids.insert(*id);
            ids.insert(commit.tree);
            let side = |tree| Side { objects, tree };
            differences(base.map(side), Some(side(commit.tree)), self.limits.tree_entries, |change| {
                ids.extend(change.new.filter(|item| item.kind != EntryKind::Submodule).map(|item| item.id));
                Ok(())
            })?;
            base = Some(commit.tree);
        }
        Ok(ids.into_iter().collect())
    }
}

fn unusable(path: &Path, error: &std::io::Error) -> FetchError {
    FetchError::Cache { path: path.display().to_string(), why: error.to_string() }
}

/// Removes what a killed process was writing.
fn remove_scratch(entry: &fs::DirEntry) -> Result<(), FetchError> {
    let path = entry.path();
    if !entry.file_name().to_string_lossy().starts_with(".tmp") {
        return Ok(());
    }
    let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    removed.map_err(|error| unusable(&path, &error))
}

/// Makes a bare repository, unless it is there, and opens its objects.
fn create(home: &Path, limits: &Limits) -> Result<Objects, FetchError> {
    for folder in ["objects/pack", "objects/info", "refs/heads", "refs/tags"] {
        let folder = home.join(folder);
        fs::create_dir_all(&folder).map_err(|error| unusable(&folder, &error))?;
    }
    for (name, content) in [("HEAD", "ref: refs/heads/main\n"), ("config", "[core]\n\trepositoryformatversion = 0\n\tbare = true\n")] {
        let file = home.join(name);
        if !file.is_file() {
            fs::write(&file, content).map_err(|error| unusable(&file, &error))?;
        }
    }
    let objects = home.join("objects");
    Objects::open(&objects, limits).map_err(|error| unusable(&objects, &error))
}

/// Writes the list of whole commits, as Git's own list of shallow ones.
fn write_list(home: &Path, complete: &Vec<ObjectId>) -> Result<(), FetchError> {
    let path = home.join("shallow");
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(home)?;
        for id in complete {
            writeln!(file, "{id}")?;
        }
        file.persist(&path).map_err(|error| error.error).map(drop)
    };
    write().map_err(|error| unusable(&path, &error))
}
