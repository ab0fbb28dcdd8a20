//! Owns an object database on disk: reading objects whose bytes are checked against their id, and taking packs in.
//! Must not know refs, commits' histories or the network.
//!
//! What is checked: a pack's objects are named by the hash of their decoded content when it comes in, so no server can
//! pass one object off as another; each object that is read is hashed again, so a damaged disk is noticed.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use gix_hash::{ObjectId, oid};
use gix_object::{Find, FindHeader, Kind};
use gix_odb::HandleArc;
use gix_pack::bundle::write::Options;

use crate::error::FetchError;
use crate::limits::{Limits, POLL};
use crate::link::Patience;
use crate::tree::Tree;

/// Decoded trees that are kept, by the number of their entries.
const CACHED_ENTRIES: usize = 1 << 14;

/// Why an object could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ObjectError {
    /// It is not here.
    Missing(ObjectId),
    /// It is over a limit.
    TooLarge { size: u64, limit: u64 },
    /// It is of another kind.
    Kind { found: Kind, wanted: Kind },
    /// It, or the database, is damaged.
    Broken(String),
    /// This machine could not write.
    Local(String),
}

impl ObjectError {
    /// Returns the error as a clause.
    pub(crate) fn why(&self) -> String {
        match self {
            Self::Missing(id) => format!("object {id} is missing"),
            Self::TooLarge { size, limit } => format!("an object has {size} bytes; it may have {limit}"),
            Self::Kind { found, wanted } => format!("an object is a {found}, not a {wanted}"),
            Self::Broken(why) | Self::Local(why) => why.clone(),
        }
    }

    /// Returns the failure of a fetch from `url` in which this happened.
    pub(crate) fn into_fetch(self, url: &str) -> FetchError {
        let url = url.to_owned();
        match self {
            Self::TooLarge { limit, .. } => FetchError::TooLarge { url, what: "an object", limit },
            Self::Local(why) => FetchError::Cache { path: format!("the one of {url}"), why },
            error => FetchError::Corrupt { url, why: error.why() },
        }
    }
}

#[derive(Default)]
struct TreeCache {
    trees: HashMap<ObjectId, Arc<Tree>>,
    entries: usize,
}

/// An object database.
pub(crate) struct Objects {
    store: Arc<gix_odb::Store>,
    folder: PathBuf,
    limits: Limits,
    idle: Mutex<Vec<HandleArc>>,
    trees: Mutex<TreeCache>,
    /// A folder that goes when nobody reads from it any more.
    doomed: Mutex<Option<PathBuf>>,
}

impl Objects {
    /// Opens a folder `objects` of a repository.
    pub(crate) fn open(folder: &Path, limits: &Limits) -> io::Result<Self> {
        let slots = gix_odb::store::init::Slots::AsNeededByDiskState { multiplier: 2.0, minimum: 256 };
        let alloc_limit_bytes = usize::try_from(limits.object_bytes).ok();
        let options = gix_odb::store::init::Options { slots, alloc_limit_bytes, ..Default::default() };
        let store = gix_odb::Store::at_opts(folder.to_owned(), gix_hash::Kind::Sha1, &mut std::iter::empty(), options)?;
        Ok(Self {
            store: Arc::new(store),
            folder: folder.to_owned(),
            limits: limits.clone(),
            idle: Mutex::default(),
            trees: Mutex::default(),
            doomed: Mutex::default(),
        })
    }

    /// Marks a folder for removal once the last reader is gone.
    pub(crate) fn doom(&self, folder: &Path) {
        *self.doomed.lock().unwrap_or_else(PoisonError::into_inner) = Some(folder.to_owned());
    }

    /// Returns how many packs there are.
    pub(crate) fn packs(&self) -> usize {
        let files = fs::read_dir(self.folder.join("pack")).into_iter().flatten().flatten();
        files.filter(|file| file.path().extension().is_some_and(|extension| extension == "idx")).count()
    }

    fn with<T>(&self, work: impl FnOnce(&HandleArc) -> T) -> T {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let handle = idle.unwrap_or_else(|| {
            let mut handle = HandleArc::from(self.store.to_handle_arc());
            handle.ignore_replacements = true;
            handle
        });
        let value = work(&handle);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
        value
    }

    /// Returns whether the object is here.
    pub(crate) fn contains(&self, id: &oid) -> bool {
        self.with(|handle| gix_object::Exists::exists(handle, id))
    }

    /// Returns an object's kind and size without its content.
    pub(crate) fn header(&self, id: &oid) -> Result<(Kind, u64), ObjectError> {
        match self.with(|handle| FindHeader::try_header(handle, id)) {
            Ok(Some(header)) => Ok((header.kind, header.size)),
            Ok(None) => Err(ObjectError::Missing(id.to_owned())),
            Err(error) => Err(ObjectError::Broken(crate::error::chain(&error))),
        }
    }

    /// Returns an object's kind and content, checked against its id.
    pub(crate) fn read(&self, id: &oid, limit: u64) -> Result<(Kind, Vec<u8>), ObjectError> {
        let (_, size) = self.header(id)?;
        if size > limit {
            return Err(ObjectError::TooLarge { size, limit });
        }
        let mut buffer = Vec::new();
        let kind = self.with(|handle| match handle.try_find(id, &mut buffer) {
            Ok(Some(data)) => {
                let kind = data.kind;
                data.verify_checksum(id).map(|_| kind).map_err(|error| ObjectError::Broken(crate::error::chain(&error)))
            }
            Ok(None) => Err(ObjectError::Missing(id.to_owned())),
            Err(error) => Err(ObjectError::Broken(crate::error::chain(&error))),
        })?;
        Ok((kind, buffer))
    }

    /// Returns the content of an object that must be of one kind.
    pub(crate) fn read_as(&self, id: &oid, wanted: Kind, limit: u64) -> Result<Vec<u8>, ObjectError> {
        let (found, data) = self.read(id, limit)?;
        if found == wanted { Ok(data) } else { Err(ObjectError::Kind { found, wanted }) }
    }

    /// Returns a decoded tree.
    pub(crate) fn tree(&self, id: &oid) -> Result<Arc<Tree>, ObjectError> {
        if let Some(tree) = self.trees.lock().unwrap_or_else(PoisonError::into_inner).trees.get(id) {
            return Ok(tree.clone());
        }
        let data = self.read_as(id, Kind::Tree, self.limits.blob_bytes)?;
        let tree = Arc::new(Tree::decode(&data).map_err(ObjectError::Broken)?);
        let mut cache = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.entries > CACHED_ENTRIES {
            *cache = TreeCache::default();
        }
        cache.entries += tree.items.len() + 1;
        cache.trees.insert(id.to_owned(), tree.clone());
        Ok(tree)
    }

    /// Takes a pack in; a thin one is completed from what is here.
    ///
    /// *Guarantees*: nothing of a pack that is malformed, incomplete or over a limit becomes visible.
    pub(crate) fn ingest(&self, pack: &mut dyn BufRead, patience: &Patience) -> Result<(), ObjectError> {
        let folder = self.folder.join("pack");
        let stop = AtomicBool::new(false);
        let done = (Mutex::new(false), Condvar::new());
        let written = std::thread::scope(|scope| {
            // Indexing looks at a flag only, and a small pack can unfold to hours of work.
            scope.spawn(|| watch(&done, &stop, patience));
            let options =
                Options { thread_limit: Some(1), alloc_limit_bytes: usize::try_from(self.limits.object_bytes).ok(), ..Options::default() };
            let mut progress: Box<dyn gix_utils::progress::DynNestedProgress> = Box::new(gix_utils::progress::Discard);
            let written = self.with(|handle| {
                gix_pack::Bundle::write_to_directory(
                    pack,
                    Some(&folder),
                    &mut *progress,
                    &stop,
                    Some(handle),
                    gix_hash::Kind::Sha1,
                    options,
                )
            });
            *done.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
            done.1.notify_all();
            written
        });
        let outcome = written.map_err(|error| {
            let why = crate::error::chain(&error);
            let local = error.downcast_any_ref::<io::Error>().is_some_and(|error| is_local(error.kind()));
            if local { ObjectError::Local(why) } else { ObjectError::Broken(why) }
        })?;
        if let Some(keep) = outcome.keep_path {
            fs::remove_file(&keep).map_err(|error| ObjectError::Local(format!("{}: {error}", keep.display())))?;
        }
        Ok(())
    }
}

/// Returns whether an error is this machine's own: the connection's are all of the kind `Other` by the time they come here.
fn is_local(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as K;
    matches!(
        kind,
        K::StorageFull | K::QuotaExceeded | K::ReadOnlyFilesystem | K::PermissionDenied | K::FileTooLarge | K::NotFound | K::NotADirectory
    )
}

/// Sets the flag when it is time to end.
fn watch(done: &(Mutex<bool>, Condvar), stop: &AtomicBool, patience: &Patience) {
    let mut finished = done.0.lock().unwrap_or_else(PoisonError::into_inner);
    while !*finished {
        if patience.over("").is_some() {
            stop.store(true, Ordering::Relaxed);
            return;
        }
        finished = done.1.wait_timeout(finished, POLL).unwrap_or_else(PoisonError::into_inner).0;
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        if let Some(folder) = self.doomed.get_mut().unwrap_or_else(PoisonError::into_inner).take()
            && let Err(error) = fs::remove_dir_all(&folder)
        {
            tracing::warn!(folder = %folder.display(), %error, "an outdated part of the repository cache stays behind");
        }
    }
}
