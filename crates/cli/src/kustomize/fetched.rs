//! Owns what `kustomize build` fetches of other addresses: repositories and single files, within one span of time, for one build only.

use std::time::{Duration, Instant};

use plumb_source::{Cache, CacheOptions, ChartClient, FetchError, FetchOptions, Snapshot};
use plumb_unit::{GitRef, GitSource};
use plumb_world::{RelPath, RemoteTree};

/// How long all that is fetched for one build may take together: a host that never answers is not waited for once per name.
const FETCHING: Duration = Duration::from_secs(120);

/// What was fetched of other addresses, for this build only.
#[derive(Default)]
pub(super) struct Fetched {
    /// Keeps the repositories; made when the first one is asked for, and gone with the build.
    cache: Option<(tempfile::TempDir, Cache)>,
    trees: Vec<(RemoteTree, Result<Snapshot, String>)>,
    /// How much of [`FETCHING`] is used up.
    spent: Duration,
}

impl Fetched {
    /// Returns the number of a repository's tree, fetched when it is first asked for, or why it is not to be had.
    pub(super) fn tree(&mut self, remote: &RemoteTree) -> Result<usize, String> {
        let known = self.trees.iter().position(|(known, _)| known == remote);
        let index = known.unwrap_or_else(|| {
            let snapshot = self.within_time(|fetched, options| fetched.fetch(remote, options));
            self.trees.push((remote.clone(), snapshot));
            self.trees.len() - 1
        });
        self.trees[index].1.as_ref().map(|_| index).map_err(Clone::clone)
    }

    /// Returns a tree by its number.
    pub(super) fn snapshot(&self, index: usize) -> Option<Snapshot> {
        self.trees.get(index).and_then(|(_, snapshot)| snapshot.clone().ok())
    }

    /// Returns what is at an address.
    pub(super) fn file(&mut self, url: &str) -> Result<Vec<u8>, String> {
        let archive = |options: &FetchOptions| ChartClient::default().archive(url, None, options).map_err(|error| error.to_string());
        Ok(self.within_time(|_, options| archive(options))?.bytes)
    }

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
