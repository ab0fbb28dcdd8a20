//! Owns reading a repository of this machine: its refs and objects, straight from its files. Must not start a program,
//! and not write there.

use std::path::{Path, PathBuf};

use gix_hash::ObjectId;
use gix_object::{Kind, TagRefIter};
use gix_ref::Target;

use crate::error::{FetchError, GIT, chain};
use crate::limits::{Limits, MAX_TAG_DEPTH};
use crate::link::Patience;
use crate::objects::{ObjectError, Objects};
use crate::pack;
use crate::repo::{Repo, read_commit};
use crate::url::GitUrl;
use crate::walk::{Side, differences};
use crate::wire::Listed;

/// Symbolic refs that lead to symbolic refs.
const MAX_SYMBOLIC: usize = 5;

/// A repository of this machine.
pub(crate) struct Local {
    url: String,
    refs: gix_ref::file::Store,
    pub(crate) objects: Objects,
}

impl Local {
    /// Opens a bare repository, or the one of a working copy.
    pub(crate) fn open(url: &GitUrl, limits: &Limits) -> Result<Self, FetchError> {
        let text = url.to_string();
        let protocol = |why: &str| FetchError::Protocol { url: text.clone(), expected: GIT, why: why.to_owned() };
        let folder = find(Path::new(url.path())).ok_or_else(|| FetchError::NotFound { url: text.clone() })?;
        if folder.is_file() {
            return Err(protocol("it is a linked working copy; name the repository itself"));
        }
        if folder.join("reftable").is_dir() {
            return Err(protocol("its refs are stored as `reftable`, which is not supported; serve it over http or ssh"));
        }
        let config = std::fs::read_to_string(folder.join("config")).unwrap_or_default().to_ascii_lowercase();
        if config.lines().any(|line| line.trim_start().starts_with("objectformat") && line.contains("sha256")) {
            return Err(protocol("its objects are named by sha256, which is not supported yet; only sha1 is"));
        }
        let broken = |error: std::io::Error| FetchError::Unreachable { url: text.clone(), why: error.to_string() };
        let objects = Objects::open(&folder.join("objects"), limits).map_err(broken)?;
        Ok(Self { refs: gix_ref::file::Store::at(folder, gix_hash::Kind::Sha1), objects, url: text })
    }

    fn corrupt(&self, why: String) -> FetchError {
        FetchError::Corrupt { url: self.url.clone(), why }
    }

    /// Returns a ref by its full name.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Listed>, FetchError> {
        let Some((mut target, mut symbolic)) = self.target(name)?.map(|target| (target, None)) else { return Ok(None) };
        for _ in 0..MAX_SYMBOLIC {
            match target {
                Target::Object(id) => {
                    let id = self.peel(id)?;
                    return Ok(Some(Listed { name: name.to_owned(), id, target: symbolic }));
                }
                Target::Symbolic(next) => {
                    let next = next.as_bstr().to_string();
                    let Some(found) = self.target(&next)? else { return Ok(None) };
                    target = found;
                    symbolic.get_or_insert(next);
                }
            }
        }
        Err(self.corrupt(format!("ref `{name}` leads through too many refs")))
    }

    fn target(&self, name: &str) -> Result<Option<Target>, FetchError> {
        let found = self.refs.try_find(name).map_err(|error| self.corrupt(chain(&error)))?;
        // A name is also looked for in the usual places; only the exact one counts.
        Ok(found.filter(|found| found.name.as_bstr() == name).map(|found| found.target))
    }

    /// Returns all branches and tags. One that is broken is passed over, as servers do, unless there is no other.
    pub(crate) fn list(&self) -> Result<Vec<Listed>, FetchError> {
        let broken = |error: &(dyn std::error::Error + 'static)| self.corrupt(chain(error));
        let platform = self.refs.iter().map_err(|error| broken(&error))?;
        let (mut listed, mut unusable) = (Vec::new(), None);
        for reference in platform.all().map_err(|error| broken(&error))? {
            let reference = reference.map_err(|error| broken(&error))?;
            let Ok(name) = std::str::from_utf8(reference.name.as_bstr()) else { continue };
            if name.starts_with("refs/heads/") || name.starts_with("refs/tags/") {
                match self.find(name) {
                    Ok(found) => listed.extend(found),
                    Err(error) => unusable = Some(error),
                }
            }
        }
        match unusable {
            Some(error) if listed.is_empty() => Err(error),
            _ => Ok(listed),
        }
    }

    fn peel(&self, mut id: ObjectId) -> Result<ObjectId, FetchError> {
        for _ in 0..MAX_TAG_DEPTH {
            let (kind, data) = match self.objects.header(&id) {
                Ok((Kind::Tag, _)) => self.objects.read(&id, crate::limits::MAX_BLOB_BYTES).map_err(|error| self.corrupt(error.why()))?,
                Ok(_) => return Ok(id),
                Err(error) => return Err(self.corrupt(error.why())),
            };
            debug_assert_eq!(kind, Kind::Tag);
            id = TagRefIter::from_bytes(&data, gix_hash::Kind::Sha1).target_id().map_err(|error| self.corrupt(chain(&error)))?;
        }
        Err(self.corrupt("a tag of a tag of a tag goes too deep".to_owned()))
    }

    /// Copies a commit with its files, as far as they are not in the cache.
    pub(crate) fn copy(&self, commit: ObjectId, repo: &Repo, patience: &Patience) -> Result<(), ObjectError> {
        let limits = repo.limits();
        let cached = repo.objects();
        let tree = read_commit(&self.objects, commit, limits.blob_bytes)?.tree;
        let mut ids = vec![commit, tree];
        let base = repo.last_tree().map(|tree| Side { objects: &cached, tree });
        let new = Side { objects: &self.objects, tree };
        differences(base, Some(new), limits.tree_entries, |change| {
            ids.extend(change.new.filter(|item| item.kind != plumb_world::EntryKind::Submodule).map(|item| item.id));
            Ok(())
        })?;
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| !cached.contains(id));
        pack::copy(&self.objects, &cached, &ids, repo.scratch(), limits.object_bytes, patience)
    }
}

/// Returns the repository's own folder, as Git finds it; a file stands for a linked working copy.
fn find(path: &Path) -> Option<PathBuf> {
    let mut with_suffix = path.as_os_str().to_owned();
    with_suffix.push(".git");
    let candidates = [path.join(".git"), path.to_owned(), PathBuf::from(with_suffix)];
    candidates.into_iter().find(|folder| folder.is_file() || (folder.join("HEAD").is_file() && folder.join("objects").is_dir()))
}
