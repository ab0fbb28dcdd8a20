//! Owns the world of `kustomize build`: the whole file system, as the user who asks sees it. Bases may lie anywhere.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use plumb_world::{Blob, BlobId, Entry, EntryKind, RelPath, TreeId, World, WorldError};

/// The largest file that is read.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// The file system.
pub(crate) struct Disk;

impl Disk {
    pub(crate) const TREE: TreeId = TreeId(0);
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
    fn file(&self, _: TreeId, path: &RelPath) -> Result<Option<Blob>, WorldError> {
        use std::io::Read;
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

    fn real_path(&self, _: TreeId, path: &RelPath) -> Result<Option<RelPath>, WorldError> {
        match fs::canonicalize(place(path)) {
            Ok(real) => Ok(real.to_str().and_then(|real| RelPath::parse(real.trim_start_matches('/')).ok())),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(unreadable(path, &error)),
        }
    }

    fn list(&self, _: TreeId, path: &RelPath) -> Result<Option<Vec<Entry>>, WorldError> {
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
