//! Owns reading a folder on disk as a tree, for one-shot commands. Must not leave the folder: entries are opened one
//! segment at a time below an open folder, links are read and never followed by the system.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use plumb_world::{Blob, BlobId, Entry, EntryKind, RelPath, WorldError};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, openat, readlinkat, statat};
use rustix::io::Errno;

use crate::limits::{MAX_BLOB_BYTES, MAX_LINK_BYTES};
use crate::resolve::{Lookup, Nodes, resolve};
use crate::snapshot::{blob_id, name};

/// A folder on disk, open. What is in it is read when it is asked for and may change in between.
#[derive(Clone, Debug)]
pub struct Folder(Arc<OwnedFd>);

impl Folder {
    /// Opens a folder.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self(Arc::new(openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)))
    }

    /// Returns a file's content, or `None` when nothing has that path. Its id is that of the same content in Git.
    pub fn file(&self, path: &RelPath) -> Result<Option<Blob>, WorldError> {
        match self.locate(path)? {
            Lookup::Absent { .. } => Ok(None),
            Lookup::Found { kind: EntryKind::File | EntryKind::Executable, node, .. } => read(&node, path).map(Some),
            Lookup::Found { kind, .. } => Err(WorldError::WrongKind { path: path.clone(), found: name(kind), wanted: "a file" }),
        }
    }

    /// Returns a folder's entries ordered by name, or `None` when nothing has that path. What is neither file, folder nor
    /// link is passed over, and so is `.git`. The ids of folders and links are those of nothing: they are not computed.
    pub fn list(&self, path: &RelPath) -> Result<Option<Vec<Entry>>, WorldError> {
        match self.locate(path)? {
            Lookup::Absent { .. } => Ok(None),
            Lookup::Found { kind: EntryKind::Directory, node, .. } => entries(&node, path).map(Some),
            Lookup::Found { kind, .. } => Err(WorldError::WrongKind { path: path.clone(), found: name(kind), wanted: "a folder" }),
        }
    }

    /// Returns where a path leads, and the links on the way.
    pub(crate) fn real_path(&self, path: &RelPath, crossed: &mut Vec<RelPath>) -> Result<Option<RelPath>, WorldError> {
        Ok(match resolve(&Disk, Node::Open(self.0.clone()), path, crossed)? {
            Lookup::Absent { .. } => None,
            Lookup::Found { path, .. } => Some(path),
        })
    }

    fn locate(&self, path: &RelPath) -> Result<Lookup<Node>, WorldError> {
        resolve(&Disk, Node::Open(self.0.clone()), path, &mut Vec::new())
    }
}

/// An entry: open, or a link in an open folder.
#[derive(Clone)]
enum Node {
    Open(Arc<OwnedFd>),
    Link(Arc<OwnedFd>, String),
}

struct Disk;

impl Nodes for Disk {
    type Node = Node;

    fn child(&self, folder: &Node, name: &str, at: &RelPath) -> Result<Option<(EntryKind, Node)>, WorldError> {
        let Node::Open(folder) = folder else { return Ok(None) };
        if name == ".git" {
            // As in a snapshot, which has none.
            return Ok(None);
        }
        let kind = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => kind(&stat),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::NAMETOOLONG) => return Ok(None),
            Err(error) => return Err(unreadable(at, error)),
        };
        let Some(kind) = kind else {
            return Err(WorldError::WrongKind { path: at.clone(), found: "a device, socket or pipe", wanted: "a file" });
        };
        if kind == EntryKind::Link {
            return Ok(Some((kind, Node::Link(folder.clone(), name.to_owned()))));
        }
        // It may have become something else since: a link is not followed, a pipe does not block, and what was opened
        // counts.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match openat(folder, name, flags, Mode::empty()) {
            Ok(file) => {
                let stat = fstat(&file).map_err(|error| unreadable(at, error))?;
                let changed = || WorldError::Unreadable { path: at.clone(), why: "it changed while it was opened".to_owned() };
                let kind = self::kind(&stat).filter(|kind| *kind != EntryKind::Link).ok_or_else(changed)?;
                Ok(Some((kind, Node::Open(Arc::new(file)))))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(unreadable(at, error)),
        }
    }

    fn target(&self, link: &Node, at: &RelPath) -> Result<String, WorldError> {
        let Node::Link(folder, name) = link else {
            return Err(WorldError::BadLink { path: at.clone(), why: "that cannot be read".to_owned() });
        };
        let target = readlinkat(folder, name.as_str(), Vec::new()).map_err(|error| unreadable(at, error))?;
        let target = target.into_string().ok().filter(|target| target.len() as u64 <= MAX_LINK_BYTES);
        target.ok_or_else(|| WorldError::BadLink { path: at.clone(), why: "to something that is no path".to_owned() })
    }
}

fn kind(stat: &rustix::fs::Stat) -> Option<EntryKind> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Some(EntryKind::Directory),
        FileType::Symlink => Some(EntryKind::Link),
        FileType::RegularFile if stat.st_mode & 0o100 != 0 => Some(EntryKind::Executable),
        FileType::RegularFile => Some(EntryKind::File),
        _ => None,
    }
}

fn unreadable(path: &RelPath, error: Errno) -> WorldError {
    WorldError::Unreadable { path: path.clone(), why: error.to_string() }
}

fn read(node: &Node, path: &RelPath) -> Result<Blob, WorldError> {
    let broken = |error: std::io::Error| WorldError::Unreadable { path: path.clone(), why: error.to_string() };
    let Node::Open(file) = node else { return Err(broken(std::io::ErrorKind::NotFound.into())) };
    let file = File::from(file.try_clone().map_err(broken)?);
    let mut bytes = Vec::new();
    (&file).take(MAX_BLOB_BYTES + 1).read_to_end(&mut bytes).map_err(broken)?;
    let size = bytes.len() as u64;
    if size > MAX_BLOB_BYTES {
        let size = file.metadata().map_or(size, |metadata| metadata.len());
        return Err(WorldError::TooLarge { path: path.clone(), size, limit: MAX_BLOB_BYTES });
    }
    let id = gix_object::compute_hash(gix_hash::Kind::Sha1, gix_object::Kind::Blob, &bytes)
        .map_err(|error| broken(std::io::Error::other(error)))?;
    Ok(Blob { id: blob_id(id), bytes: bytes.into() })
}

fn entries(node: &Node, path: &RelPath) -> Result<Vec<Entry>, WorldError> {
    let Node::Open(folder) = node else { return Ok(Vec::new()) };
    let mut entries = Vec::new();
    for entry in Dir::read_from(folder).map_err(|error| unreadable(path, error))? {
        let entry = entry.map_err(|error| unreadable(path, error))?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b".." | b".git") {
            continue;
        }
        let Ok(text) = name.to_str().map_err(drop).and_then(|text| if text.contains('\\') { Err(()) } else { Ok(text) }) else {
            let why = format!("it has `{}`, which is no path of UTF-8 without backslashes", name.to_string_lossy().escape_debug());
            return Err(WorldError::Unreadable { path: path.clone(), why });
        };
        match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => {
                let Some(kind) = kind(&stat) else { continue };
                entries.push(Entry { name: text.to_owned(), kind, id: identity(&stat) });
            }
            Err(Errno::NOENT) => {}
            Err(error) => return Err(unreadable(path, error)),
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// Returns an id that stands for a file's state on disk; hashing each file of a listing would read what nobody asked for.
fn identity(stat: &rustix::fs::Stat) -> BlobId {
    let state = format!("{} {} {} {} {}", stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime, stat.st_mtime_nsec);
    let mut bytes = [0; 20];
    bytes.copy_from_slice(&blake3::hash(state.as_bytes()).as_bytes()[..20]);
    BlobId::from(bytes)
}
