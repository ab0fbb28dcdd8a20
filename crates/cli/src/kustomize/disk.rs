//! Owns the world of `kustomize build`: the whole file system, as the user who asks sees it, and repositories of other addresses that kustomizations
//! name. Bases may lie anywhere.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use plumb_source::{Cache, CacheOptions, ChartClient, FetchError, FetchOptions, Snapshot};
use plumb_unit::{GitRef, GitSource};
use plumb_world::{Blob, BlobId, Entry, EntryKind, RelPath, Remote, RemoteTree, TreeId, World, WorldError};

/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// How long all that is fetched for one build may take together: a host that never answers is not waited for once per name.
const FETCHING: Duration = Duration::from_secs(120);

/// The file system as tree 0, and repositories that were fetched as the trees behind it.
#[derive(Default)]
pub(crate) struct Disk {
    fetched: Mutex<Fetched>,
}

/// What was fetched of other addresses, for this build only.
#[derive(Default)]
struct Fetched {
    /// Keeps the repositories; made when the first one is asked for, and gone with the build.
    cache: Option<(tempfile::TempDir, Cache)>,
    trees: Vec<(RemoteTree, Result<Snapshot, String>)>,
    /// How much of [`FETCHING`] is used up.
    spent: Duration,
}

impl Disk {
    pub(crate) const TREE: TreeId = TreeId(0);

    /// Returns the snapshot of a tree that was fetched; nothing for the file system itself.
    fn snapshot(&self, tree: TreeId) -> Result<Option<Snapshot>, WorldError> {
        let Some(index) = tree.0.checked_sub(1) else { return Ok(None) };
        let fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        match fetched.trees.get(index as usize) {
            Some((_, Ok(snapshot))) => Ok(Some(snapshot.clone())),
            _ => Err(WorldError::UnknownTree(tree)),
        }
    }
}

impl Fetched {
    /// Fetches with what is left of the time.
    fn within_time<T>(&mut self, fetch: impl FnOnce(&mut Self, &FetchOptions) -> Result<T, String>) -> Result<T, String> {
        let timeout = FETCHING.saturating_sub(self.spent);
        if timeout.is_zero() {
            return Err(format!("all that is fetched for one build may take {} s together, and those are over", FETCHING.as_secs()));
        }
        let start = Instant::now();
        let done = fetch(self, &FetchOptions { timeout, ..FetchOptions::default() });
        self.spent += start.elapsed();
        done
    }

    fn fetch(&mut self, remote: &RemoteTree, options: &FetchOptions) -> Result<Snapshot, String> {
        if self.cache.is_none() {
            let folder = tempfile::tempdir().map_err(|error| format!("no folder to fetch to can be made: {error}"))?;
            let cache = Cache::open(folder.path(), CacheOptions { loopback: true, ..CacheOptions::default() });
            self.cache = Some((folder, cache.map_err(|error| error.to_string())?));
        }
        let Some((_, cache)) = &self.cache else { return Err("nothing can be fetched".to_owned()) };
        let name = &remote.reference;
        // A name says nothing of what it is: a branch goes before a tag, as in `git fetch`.
        let tries = match name.as_str() {
            "" => vec![GitRef::Default],
            _ => vec![GitRef::Branch(name.clone()), GitRef::Tag(name.clone()), GitRef::Commit(name.clone())],
        };
        for reference in tries {
            let source = GitSource { url: remote.url.clone(), reference, secret: None, path: RelPath::root() };
            match cache.fetch(&source, None, options) {
                Ok(fetched) => return Ok(fetched.snapshot),
                Err(FetchError::NoSuchRef { .. } | FetchError::Reference { .. }) if !name.is_empty() => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Err(format!("there is no branch, tag or commit `{name}`; push it, or name one that is there"))
    }
}

/// Contents are not addressed here: nothing is kept from one run to the next.
fn nothing() -> BlobId {
    BlobId::from([0; 20])
}

fn place(path: &RelPath) -> PathBuf {
    Path::new("/").join(path.as_str())
}

fn unreadable(path: &RelPath, error: &std::io::Error) -> WorldError {
    WorldError::Unreadable { path: path.clone(), why: error.to_string() }
}

impl World for Disk {
    fn file(&self, tree: TreeId, path: &RelPath) -> Result<Option<Blob>, WorldError> {
        use std::io::Read;
        if let Some(snapshot) = self.snapshot(tree)? {
            return snapshot.file(path);
        }
        let opened = match fs::File::open(place(path)) {
            Ok(opened) => opened,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
            Err(error) => return Err(unreadable(path, &error)),
        };
        let about = opened.metadata().map_err(|error| unreadable(path, &error))?;
        if about.is_dir() {
            return Err(WorldError::WrongKind { path: path.clone(), found: "a folder", wanted: "a file" });
        }
        if !about.is_file() {
            return Err(WorldError::WrongKind { path: path.clone(), found: "a device, socket or pipe", wanted: "a file" });
        }
        if about.len() > MAX_FILE_BYTES {
            return Err(WorldError::TooLarge { path: path.clone(), size: about.len(), limit: MAX_FILE_BYTES });
        }
        let mut bytes = Vec::with_capacity(about.len() as usize);
        opened.take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
        Ok(Some(Blob { id: nothing(), bytes: bytes.into() }))
    }

    fn remote_tree(&self, remote: &RemoteTree) -> Remote<TreeId> {
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        let known = fetched.trees.iter().position(|(known, _)| known == remote);
        let index = known.unwrap_or_else(|| {
            let snapshot = fetched.within_time(|fetched, options| fetched.fetch(remote, options));
            fetched.trees.push((remote.clone(), snapshot));
            fetched.trees.len() - 1
        });
        match &fetched.trees[index].1 {
            Ok(_) => Remote::Here(TreeId(u32::try_from(index + 1).unwrap_or(u32::MAX))),
            Err(why) => Remote::Denied(why.clone()),
        }
    }

    fn remote_file(&self, url: &str) -> Remote<Blob> {
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        let file = fetched.within_time(|_, options| ChartClient::default().archive(url, None, options).map_err(|error| error.to_string()));
        match file {
            Ok(file) => Remote::Here(Blob { id: nothing(), bytes: file.bytes.into() }),
            Err(why) => Remote::Denied(why),
        }
    }

    fn real_path(&self, tree: TreeId, path: &RelPath) -> Result<Option<RelPath>, WorldError> {
        if let Some(snapshot) = self.snapshot(tree)? {
            return snapshot.real_path(path, &mut Vec::new());
        }
        match fs::canonicalize(place(path)) {
            Ok(real) => Ok(real.to_str().and_then(|real| RelPath::parse(real.trim_start_matches('/')).ok())),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(unreadable(path, &error)),
        }
    }

    fn list(&self, tree: TreeId, path: &RelPath) -> Result<Option<Vec<Entry>>, WorldError> {
        if let Some(snapshot) = self.snapshot(tree)? {
            return snapshot.list(path);
        }
        let read = match fs::read_dir(place(path)) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                return Err(WorldError::WrongKind { path: path.clone(), found: "a file", wanted: "a folder" });
            }
            Err(error) => return Err(unreadable(path, &error)),
        };
        let mut entries = Vec::new();
        for entry in read {
            let entry = entry.map_err(|error| unreadable(path, &error))?;
            let kind = match entry.file_type() {
                Ok(kind) if kind.is_dir() => EntryKind::Directory,
                Ok(kind) if kind.is_symlink() => EntryKind::Link,
                _ => EntryKind::File,
            };
            entries.push(Entry { name: entry.file_name().to_string_lossy().into_owned(), kind, id: nothing() });
        }
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(Some(entries))
    }
}
