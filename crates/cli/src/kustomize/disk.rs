//! Owns the world of `kustomize build`: the whole file system, as the user who asks sees it, and repositories of other addresses that kustomizations
//! name. Bases may lie anywhere.

use std::collections::HashMap;
use std::fs;
use std::io::{ErrorKind, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use plumb_source::Snapshot;
use plumb_world::{Blob, BlobId, Entry, EntryKind, RelPath, Remote, RemoteTree, TreeId, World, WorldError};

use super::fetched::Fetched;

/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// The file system as tree 0, and repositories that were fetched as the trees behind it.
#[derive(Default)]
pub(crate) struct Disk {
    fetched: Mutex<Fetched>,
    /// Where folders lead: many files are in one, and each of them is asked about.
    folders: Mutex<HashMap<RelPath, Option<RelPath>>>,
}

impl Disk {
    pub(crate) const TREE: TreeId = TreeId(0);

    /// Returns the snapshot of a tree that was fetched; nothing for the file system itself.
    fn snapshot(&self, tree: TreeId) -> Result<Option<Snapshot>, WorldError> {
        let Some(index) = tree.0.checked_sub(1) else { return Ok(None) };
        let fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        fetched.snapshot(index as usize).map(Some).ok_or(WorldError::UnknownTree(tree))
    }

    /// Returns where a folder leads, looked up once.
    fn real_folder(&self, path: &RelPath) -> Result<Option<RelPath>, WorldError> {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = folders.get(path) {
            return Ok(known.clone());
        }
        let real = canonical(path)?;
        folders.insert(path.clone(), real.clone());
        Ok(real)
    }
}

fn canonical(path: &RelPath) -> Result<Option<RelPath>, WorldError> {
    match fs::canonicalize(place(path)) {
        Ok(real) => Ok(real.to_str().and_then(|real| RelPath::parse(real.trim_start_matches('/')).ok())),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
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

/// Reads a file into the memory that it stays in.
fn content(mut opened: fs::File, size: usize) -> std::io::Result<Arc<[u8]>> {
    let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, size).collect();
    let is_read = Arc::get_mut(&mut bytes).is_some_and(|room| opened.read_exact(room).is_ok());
    if is_read && opened.read(&mut [0])? == 0 {
        return Ok(bytes);
    }
    // It is not as large as it says, as those of `/proc`, or changes at this moment.
    opened.rewind()?;
    let mut bytes = Vec::new();
    opened.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

impl World for Disk {
    fn file(&self, tree: TreeId, path: &RelPath) -> Result<Option<Blob>, WorldError> {
        if let Some(snapshot) = self.snapshot(tree)? {
            return snapshot.file(path);
        }
        let opened = match fs::File::open(place(path)) {
            Ok(opened) => opened,
            Err(error) if is_absent(&error) => return Ok(None),
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
        let bytes = content(opened, about.len() as usize).map_err(|error| unreadable(path, &error))?;
        Ok(Some(Blob { id: nothing(), bytes }))
    }

    fn remote_tree(&self, remote: &RemoteTree) -> Remote<TreeId> {
        match self.fetched.lock().unwrap_or_else(PoisonError::into_inner).tree(remote) {
            Ok(index) => Remote::Here(TreeId(u32::try_from(index + 1).unwrap_or(u32::MAX))),
            Err(why) => Remote::Denied(why),
        }
    }

    fn remote_file(&self, url: &str) -> Remote<Blob> {
        match self.fetched.lock().unwrap_or_else(PoisonError::into_inner).file(url) {
            Ok(bytes) => Remote::Here(Blob { id: nothing(), bytes: bytes.into() }),
            Err(why) => Remote::Denied(why),
        }
    }

    fn real_path(&self, tree: TreeId, path: &RelPath) -> Result<Option<RelPath>, WorldError> {
        if let Some(snapshot) = self.snapshot(tree)? {
            return snapshot.real_path(path, &mut Vec::new());
        }
        match fs::symlink_metadata(place(path)) {
            Ok(about) if about.is_dir() => self.real_folder(path),
            Ok(about) if !about.is_symlink() => match path.parent() {
                Some(folder) => Ok(self.real_folder(&folder)?.and_then(|real| real.join(path.name()).ok())),
                None => canonical(path),
            },
            Ok(_) => canonical(path),
            Err(error) if is_absent(&error) => Ok(None),
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
