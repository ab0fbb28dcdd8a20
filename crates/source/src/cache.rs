//! Owns who gets which revision: one cached repository per URL, and a commit only for those whose own credentials were
//! shown a ref that holds it. Must not decide when to fetch.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gix_hash::ObjectId;
use plumb_manifest::Digest;
use plumb_unit::{ChartVersion, Credentials, GitRef, Remote, Revision};

use crate::charts::{Import, Means, Place, Visit, check_version};
use crate::egress::Egress;
use crate::error::{FetchError, quote};
use crate::flight::{Flights, Tick};
use crate::history;
use crate::limits::{DEFAULT_TIMEOUT, Limits};
use crate::link::Patience;
use crate::local::Local;
use crate::objects::ObjectError;
use crate::repo::{Hold, Repo, Turn, read_commit};
use crate::snapshot::Snapshot;
use crate::tls::Roots;
use crate::url::{GitUrl, Scheme, check_reference, describe};
use crate::wire::{Listed, Session, Wants};

/// Processes that may use one folder at the same time, each with a part of its own.
const MAX_PROCESSES: usize = 16;

/// How a cache works.
#[derive(Clone, Debug, Default)]
pub struct CacheOptions {
    /// The limits on what a source may make this process do.
    pub limits: Limits,
    /// Whether `file://` URLs are read: right for one-shot commands, wrong where tenants name URLs.
    pub local_repositories: bool,
    /// Whether URLs that name this machine are fetched from, as `http://127.0.0.1`: right and wrong in the same places.
    pub loopback: bool,
}

/// How one fetch works.
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// How long it may take, waiting included.
    pub timeout: Duration,
    /// Ends it when set.
    pub interrupt: Arc<AtomicBool>,
    /// A fetch that began after this moment will do, also one that is over; none: only one that begins from now on.
    pub since: Option<Tick>,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self { timeout: DEFAULT_TIMEOUT, interrupt: Arc::default(), since: None }
    }
}

/// What one fetch is shared by: what is asked of whom, and the credentials' fingerprint. Equal keys see the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey {
    asked: Asked,
    access: Digest,
}

/// What is asked of whom.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Asked {
    Git(GitUrl, GitRef),
    Chart(Place, ChartVersion),
}

impl Asked {
    /// Returns the URL, for messages.
    fn url(&self) -> String {
        match self {
            Self::Git(url, _) => url.to_string(),
            Self::Chart(place, _) => place.shown(),
        }
    }

    /// Returns what its cached repository is found by.
    fn cached(&self) -> String {
        match self {
            Self::Git(url, _) => url.to_string(),
            Self::Chart(place, _) => place.cached(),
        }
    }

    fn describe(&self) -> String {
        match self {
            Self::Git(_, reference) => describe(reference),
            Self::Chart(place, version) => format!("{} of chart `{}`", crate::charts::describe(version), place.chart()),
        }
    }
}

impl SourceKey {
    /// Returns the credentials' fingerprint, keyed with a secret of the cache's folder.
    pub fn access(&self) -> Digest {
        self.access
    }
}

impl fmt::Debug for SourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} as {}", self.asked.describe(), self.asked.url(), self.access)
    }
}

/// The outcome of a fetch.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The revision.
    pub snapshot: Snapshot,
    /// Whether objects had to be downloaded for it.
    pub downloaded: bool,
    /// Whether another caller's fetch was used.
    pub shared: bool,
}

/// How much a cache has asked of servers since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Conversations begun: each lists refs.
    pub listings: u64,
    /// Downloads of revisions.
    pub downloads: u64,
    /// Times a cached repository was written anew.
    pub rewrites: u64,
}

/// The cached repositories of this process.
///
/// All methods block; call them from a thread that may, as of a pool: they must not run on an async runtime's own worker.
pub struct Cache {
    folder: PathBuf,
    _lock: File,
    secret: [u8; 32],
    options: CacheOptions,
    roots: Roots,
    repos: Mutex<BTreeMap<String, Arc<Repo>>>,
    flights: Flights<SourceKey, (Snapshot, bool)>,
    listings: AtomicU64,
    downloads: AtomicU64,
    rewrites: AtomicU64,
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cache({})", self.folder.display())
    }
}

impl Cache {
    /// Opens a folder, which is made if it is not there. A second process at the same folder gets a part of its own.
    pub fn open(folder: &Path, options: CacheOptions) -> Result<Self, FetchError> {
        fs::create_dir_all(folder).map_err(|error| unusable(folder, &error))?;
        let secret = read_or_make_secret(&folder.join("key"))?;
        for part in 0..MAX_PROCESSES {
            let path = folder.join(format!("{part}.lock"));
            let lock = File::create(&path).map_err(|error| unusable(&path, &error))?;
            match lock.try_lock() {
                Ok(()) => {}
                Err(fs::TryLockError::WouldBlock) => continue,
                Err(fs::TryLockError::Error(error)) => return Err(unusable(&path, &error)),
            }
            let part = folder.join(part.to_string());
            fs::create_dir_all(&part).map_err(|error| unusable(&part, &error))?;
            return Ok(Self {
                folder: part,
                _lock: lock,
                secret,
                options,
                roots: Roots::default(),
                repos: Mutex::default(),
                flights: Flights::default(),
                listings: AtomicU64::new(0),
                downloads: AtomicU64::new(0),
                rewrites: AtomicU64::new(0),
            });
        }
        let why = format!("{MAX_PROCESSES} processes use it already");
        Err(FetchError::Cache { path: folder.display().to_string(), why })
    }

    /// Returns the present moment, for [`FetchOptions::since`]: take it when a push is announced, and give it to each fetch
    /// that is to see that push.
    pub fn tick(&self) -> Tick {
        self.flights.tick()
    }

    /// Returns how much was asked of servers so far.
    pub fn counts(&self) -> CacheCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CacheCounts { listings: read(&self.listings), downloads: read(&self.downloads), rewrites: read(&self.rewrites) }
    }

    /// Checks URL and ref or version, and returns what a fetch of them is shared by. The source's path plays no part in it.
    pub fn key(&self, source: impl Into<Remote>, credentials: Option<&Credentials>) -> Result<SourceKey, FetchError> {
        let asked = match source.into() {
            Remote::Git(git) => {
                let url = GitUrl::parse(&git.url)?;
                if url.scheme() == Scheme::File && !self.options.local_repositories {
                    return Err(FetchError::FileUrl { url: url.to_string() });
                }
                check_reference(&git.reference)?;
                Asked::Git(url, git.reference)
            }
            Remote::Chart(chart) => {
                check_version(&chart.version)?;
                Asked::Chart(Place::parse(&chart.repository)?, chart.version)
            }
        };
        Ok(SourceKey { asked, access: fingerprint(&self.secret, credentials) })
    }

    /// Fetches the newest revision of a ref, or of a chart in a range of versions.
    ///
    /// The server is asked for the ref with the caller's own credentials; objects that are here, whoever brought them, are
    /// not downloaded again. Callers with the same key share one fetch, which has begun after each of them asked (or after
    /// [`FetchOptions::since`]). The newest revision is that of the fetch that began last: a branch that was reset to an
    /// older commit gives that commit.
    pub fn fetch(
        &self,
        source: impl Into<Remote>,
        credentials: Option<&Credentials>,
        options: &FetchOptions,
    ) -> Result<Fetched, FetchError> {
        let key = self.key(source, credentials)?;
        let since = options.since.unwrap_or_else(|| self.tick());
        let patience = Patience::new(options.timeout, options.interrupt.clone());
        let url = key.asked.url();
        let nothing = Credentials::default();
        let credentials = credentials.unwrap_or(&nothing);
        let (result, own) = self.flights.share(&key, since, &patience, &url, || {
            catch_unwind(AssertUnwindSafe(|| self.fetch_now(&key, credentials, &patience))).unwrap_or_else(|panic| {
                let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
                Err(FetchError::Bug { url: url.clone(), why: quote(text.unwrap_or("no words")) })
            })
        });
        let (snapshot, downloaded) = result?;
        Ok(Fetched { snapshot, downloaded, shared: !own })
    }

    /// Returns the revision that the same key was last given, also by an earlier process, without asking the server. None
    /// when there is none or it is no longer cached.
    pub fn last(&self, key: &SourceKey) -> Option<Snapshot> {
        let repo = self.repo(&key.asked).ok()?;
        let text = fs::read_to_string(proof(&repo, key)).ok()?;
        // The commit, what it was asked for as, and of a chart its digest.
        let mut words = text.trim_end().splitn(3, ' ');
        let (commit, reference, digest) = (words.next()?, words.next().unwrap_or_default(), words.next());
        let id = ObjectId::from_hex(commit.as_bytes()).ok()?;
        let hold = Hold::new(&repo, id);
        repo.has(&id).then_some(())?;
        let commit = read_commit(&repo.objects(), id, self.options.limits.blob_bytes).ok()?;
        let revision = Revision { reference: reference.to_owned(), commit: digest.map_or_else(|| id.to_string(), str::to_owned) };
        Some(Snapshot::new(hold, commit, revision))
    }

    /// Forgets the last result of a key that nobody uses any more.
    pub fn forget(&self, key: &SourceKey) {
        self.flights.forget(key);
    }

    fn repo(&self, asked: &Asked) -> Result<Arc<Repo>, FetchError> {
        let text = asked.cached();
        let mut repos = self.repos.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(repo) = repos.get(&text) {
            return Ok(repo.clone());
        }
        let folder = self.folder.join(Digest::of(text.as_bytes()).to_string());
        let repo = Arc::new(Repo::open(&folder, &text, &self.options.limits)?);
        repos.insert(text, repo.clone());
        Ok(repo)
    }

    fn fetch_now(&self, key: &SourceKey, credentials: &Credentials, patience: &Patience) -> Result<(Snapshot, bool), FetchError> {
        let repo = self.repo(&key.asked)?;
        self.listings.fetch_add(1, Ordering::Relaxed);
        match &key.asked {
            Asked::Git(url, reference) => self.fetch_commit(key, (url, reference), &repo, credentials, patience),
            Asked::Chart(place, version) => self.fetch_chart(key, (place, version), &repo, credentials, patience),
        }
    }

    fn fetch_commit(
        &self,
        key: &SourceKey,
        (url, reference): (&GitUrl, &GitRef),
        repo: &Arc<Repo>,
        credentials: &Credentials,
        patience: &Patience,
    ) -> Result<(Snapshot, bool), FetchError> {
        let mut origin = if url.scheme() == Scheme::File {
            Origin::Local(Box::new(Local::open(url, &self.options.limits)?))
        } else {
            let egress = Egress::of(url.host(), self.options.loopback);
            Origin::Server(Box::new(Session::open(url, credentials, &self.roots, &self.options.limits, egress, patience)?))
        };
        let (id, reference) = resolve(&mut origin, url, reference, repo)?;
        let hold = Hold::new(repo, id);
        let downloaded = !repo.has(&id) && self.obtain(&mut origin, key, &hold, patience)?;
        if let Origin::Server(session) = origin {
            session.close();
        }
        let commit = read_commit(&repo.objects(), id, self.options.limits.blob_bytes);
        let commit = commit.map_err(|error| failure(key, error, patience))?;
        remember(repo, key, &format!("{id} {reference}"))?;
        Ok((Snapshot::new(hold, commit, Revision { reference, commit: id.to_string() }), downloaded))
    }

    /// A chart is kept as a commit that holds its files, so that it is read and compared as one.
    fn fetch_chart(
        &self,
        key: &SourceKey,
        (place, version): (&Place, &ChartVersion),
        repo: &Arc<Repo>,
        credentials: &Credentials,
        patience: &Patience,
    ) -> Result<(Snapshot, bool), FetchError> {
        let means = Means { roots: &self.roots, limits: &self.options.limits, loopback: self.options.loopback };
        let mut visit = Visit::begin(place, credentials, &means, patience)?;
        let found = visit.find(version)?;
        let known = found.digest.as_deref().and_then(|digest| known_chart(repo, digest));
        if let Some((hold, own, digest)) = known {
            let version = if found.version.is_empty() { own } else { found.version };
            let snapshot = self.chart_snapshot(key, hold, version, digest, patience)?;
            return Ok((snapshot, false));
        }
        let (archive, digest) = visit.download(&found)?;
        drop(visit);
        let what = format!("{} {}", place.chart(), quote(&found.version)).trim_end().to_owned();
        let import =
            Import::unpack(&archive, &digest).map_err(|why| FetchError::NotAChart { url: place.shown(), what, why: quote(&why) })?;
        let own = import.version.clone();
        let hold = Hold::new(repo, import.commit);
        let downloaded = self.take_in(key, &import, &hold, patience)?;
        write_whole(&charts(repo).join(&digest), &format!("{} {own}\n", import.commit))?;
        let version = if found.version.is_empty() { own } else { found.version };
        Ok((self.chart_snapshot(key, hold, version, digest, patience)?, downloaded))
    }

    fn chart_snapshot(
        &self,
        key: &SourceKey,
        hold: Hold,
        version: String,
        digest: String,
        patience: &Patience,
    ) -> Result<Snapshot, FetchError> {
        let (repo, id) = (hold.repo().clone(), hold.commit());
        let commit = read_commit(&repo.objects(), id, self.options.limits.blob_bytes);
        let commit = commit.map_err(|error| failure(key, error, patience))?;
        remember(&repo, key, &format!("{id} {version} {digest}"))?;
        Ok(Snapshot::new(hold, commit, Revision { reference: version, commit: digest }))
    }

    /// Brings a chart into the cache; false when it was there under another digest, or somebody else just has.
    fn take_in(&self, key: &SourceKey, import: &Import, hold: &Hold, patience: &Patience) -> Result<bool, FetchError> {
        let repo = hold.repo();
        let turn: Turn<'_> = repo.turn(patience)?;
        if repo.has(&import.commit) {
            return Ok(false);
        }
        self.downloads.fetch_add(1, Ordering::Relaxed);
        let mut pack = import.pack(repo.scratch()).map_err(|error| failure(key, error, patience))?;
        repo.objects().ingest(&mut pack, patience).map_err(|error| failure(key, error, patience))?;
        self.complete(key, hold, patience, &turn)?;
        Ok(true)
    }

    /// Brings a commit into the cache; false when somebody else just has.
    fn obtain(&self, origin: &mut Origin<'_>, key: &SourceKey, hold: &Hold, patience: &Patience) -> Result<bool, FetchError> {
        let (repo, id) = (hold.repo(), hold.commit());
        let turn: Turn<'_> = repo.turn(patience)?;
        if repo.has(&id) {
            return Ok(false);
        }
        self.downloads.fetch_add(1, Ordering::Relaxed);
        match origin {
            Origin::Local(local) => local.copy(id, repo, patience).map_err(|error| failure(key, error, patience))?,
            Origin::Server(session) => {
                let wants = Wants { commits: &[id], haves: &repo.haves(), shallow: true };
                session.download(&wants, &repo.objects(), repo.scratch())?;
            }
        }
        self.complete(key, hold, patience, &turn)?;
        Ok(true)
    }

    fn complete(&self, key: &SourceKey, hold: &Hold, patience: &Patience, turn: &Turn<'_>) -> Result<(), FetchError> {
        let repo = hold.repo();
        repo.complete(hold.commit(), turn).map_err(|error| failure(key, error, patience))?;
        match repo.tidy(patience, turn) {
            Ok(true) => drop(self.rewrites.fetch_add(1, Ordering::Relaxed)),
            Ok(false) => {}
            Err(error) => tracing::warn!(url = %repo.url, error = %error.why(), "a cached repository could not be written anew"),
        }
        Ok(())
    }
}

/// Where a repository is.
enum Origin<'a> {
    Local(Box<Local>),
    Server(Box<Session<'a>>),
}

impl Origin<'_> {
    fn find(&mut self, name: &str) -> Result<Option<Listed>, FetchError> {
        match self {
            Self::Local(local) => local.find(name),
            Self::Server(session) => Ok(session.list(&[name])?.into_iter().find(|listed| listed.name == name)),
        }
    }

    fn all(&mut self) -> Result<Vec<Listed>, FetchError> {
        match self {
            Self::Local(local) => local.list(),
            Self::Server(session) => session.list(&["refs/heads/", "refs/tags/"]),
        }
    }

    fn holds(&mut self, tips: &[ObjectId], commit: ObjectId, repo: &Repo) -> Result<bool, FetchError> {
        match self {
            Self::Local(local) => history::descends(&local.objects, tips, commit, repo.limits())
                .map_err(|error| FetchError::Corrupt { url: repo.url.clone(), why: error.why() }),
            Self::Server(session) => history::held(session, repo, tips, commit),
        }
    }
}

/// Returns the commit that a ref names, and the ref's short name.
fn resolve(origin: &mut Origin<'_>, url: &GitUrl, reference: &GitRef, repo: &Repo) -> Result<(ObjectId, String), FetchError> {
    let (name, short) = match reference {
        GitRef::Default => ("HEAD".to_owned(), None),
        GitRef::Branch(branch) => (format!("refs/heads/{branch}"), Some(branch)),
        GitRef::Tag(tag) => (format!("refs/tags/{tag}"), Some(tag)),
        GitRef::Commit(hex) => return pinned(origin, url, hex, repo),
    };
    match origin.find(&name)? {
        Some(found) => {
            let target = found.target.as_deref().and_then(|target| target.strip_prefix("refs/heads/"));
            Ok((found.id, short.map_or(target.unwrap_or("HEAD"), String::as_str).to_owned()))
        }
        None if origin.all()?.is_empty() => Err(FetchError::Empty { url: url.to_string() }),
        None => Err(FetchError::NoSuchRef { url: url.to_string(), reference: describe(reference) }),
    }
}

/// Returns a commit that was asked for by its id, once a branch or tag is shown to hold it. Servers hand out more than
/// that: on some, any commit of any fork.
fn pinned(origin: &mut Origin<'_>, url: &GitUrl, hex: &str, repo: &Repo) -> Result<(ObjectId, String), FetchError> {
    let id = ObjectId::from_hex(hex.as_bytes()).map_err(|error| FetchError::Reference {
        name: hex.to_owned(),
        what: "a commit",
        why: error.to_string(),
    })?;
    let listed = origin.all()?;
    if listed.is_empty() {
        return Err(FetchError::Empty { url: url.to_string() });
    }
    let mut tips: Vec<_> = listed.iter().map(|listed| listed.id).collect();
    tips.sort_unstable();
    tips.dedup();
    if tips.contains(&id) || origin.holds(&tips, id, repo)? {
        return Ok((id, String::new()));
    }
    Err(FetchError::CommitNotHeld { url: url.to_string(), commit: hex.to_owned() })
}

/// Returns what an object's failure means for the fetch it happened in.
fn failure(key: &SourceKey, error: ObjectError, patience: &Patience) -> FetchError {
    let url = key.asked.url();
    match error {
        ObjectError::Kind { found, wanted: gix_object::Kind::Commit } => {
            FetchError::NotACommit { url, reference: key.asked.describe(), found: format!("a {found}") }
        }
        error => patience.over(&url).unwrap_or_else(|| error.into_fetch(&url)),
    }
}

fn unusable(path: &Path, error: &std::io::Error) -> FetchError {
    FetchError::Cache { path: path.display().to_string(), why: error.to_string() }
}

fn proof(repo: &Repo, key: &SourceKey) -> PathBuf {
    let reference = match &key.asked {
        Asked::Git(_, reference) => describe(reference),
        Asked::Chart(_, version) => format!("{version:?}"),
    };
    let name = Digest::of_parts([reference.as_bytes(), &key.access.0[..]]);
    repo.scratch().join("proofs").join(name.to_string())
}

/// Where it is kept which commit stands for which digest of a chart.
fn charts(repo: &Repo) -> PathBuf {
    repo.scratch().join("charts")
}

/// Returns the commit that stands for a digest, held, with the chart's own version; nothing when it is not here any more.
fn known_chart(repo: &Arc<Repo>, digest: &str) -> Option<(Hold, String, String)> {
    let text = fs::read_to_string(charts(repo).join(digest)).ok()?;
    let (commit, version) = text.trim_end().split_once(' ')?;
    let id = ObjectId::from_hex(commit.as_bytes()).ok()?;
    let hold = Hold::new(repo, id);
    repo.has(&id).then(|| (hold, version.to_owned(), digest.to_owned()))
}

/// Notes what a key was shown, for [`Cache::last`].
fn remember(repo: &Repo, key: &SourceKey, shown: &str) -> Result<(), FetchError> {
    write_whole(&proof(repo, key), &format!("{shown}\n"))
}

/// Writes a small file so that it is there whole or not at all, and not when it says the same already.
fn write_whole(path: &Path, text: &str) -> Result<(), FetchError> {
    if fs::read_to_string(path).is_ok_and(|known| known == text) {
        return Ok(());
    }
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.persist(path).map_err(|error| error.error).map(drop)
    };
    write().map_err(|error| unusable(path, &error))
}

/// Returns the secret that fingerprints of credentials are keyed with, so that they tell nothing to who reads them.
fn read_or_make_secret(path: &Path) -> Result<[u8; 32], FetchError> {
    let read = || fs::read(path).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    if let Some(secret) = read() {
        return Ok(secret);
    }
    let broken = |why: String| FetchError::Cache { path: path.display().to_string(), why };
    let mut secret = [0; 32];
    aws_lc_rs::rand::fill(&mut secret).map_err(|_| broken("no randomness".to_owned()))?;
    let write = || {
        // Made with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        file.write_all(&secret)?;
        match file.persist_noclobber(path) {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error.error),
        }
    };
    write().map_err(|error| unusable(path, &error))?;
    // Another process may have been first.
    read().ok_or_else(|| broken("it is damaged; remove it".to_owned()))
}

fn fingerprint(secret: &[u8; 32], credentials: Option<&Credentials>) -> Digest {
    let mut hasher = blake3::Hasher::new_keyed(secret);
    let nothing = Credentials::default();
    let Credentials { username, password, bearer_token, identity, known_hosts, ca_crt } = credentials.unwrap_or(&nothing);
    let secrets = [password, bearer_token, identity].map(|secret| secret.as_ref().map(|secret| secret.reveal().as_str()));
    let others = [username, known_hosts, ca_crt].map(Option::as_deref);
    for field in secrets.into_iter().chain(others) {
        hasher.update(&[u8::from(field.is_some())]);
        let field = field.unwrap_or_default();
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field.as_bytes());
    }
    let mut short = [0; 16];
    short.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    Digest(short)
}
