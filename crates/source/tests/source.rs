//! Fetches from real Git servers and reads what comes, hostile or not.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails by panicking, and these look at real files")]

#[path = "source/cached.rs"]
mod cached;
#[path = "source/charts.rs"]
mod charts;
#[path = "source/disk.rs"]
mod disk;
#[path = "source/hostile_charts.rs"]
mod hostile_charts;
#[path = "source/http.rs"]
mod http;
#[path = "source/raw.rs"]
mod raw;
#[path = "source/reads.rs"]
mod reads;
#[path = "source/ssh.rs"]
mod ssh;
#[path = "source/trees.rs"]
mod trees;

use std::path::Path;
use std::time::Duration;

use plumb_plane::git::{HttpOptions, HttpServer, Repo};
use plumb_source::{Cache, CacheOptions, FetchError, FetchOptions, Fetched, Limits, Snapshot};
use plumb_unit::{Credentials, GitRef, GitSource};
use plumb_world::{RelPath, Secret};
use tempfile::TempDir;

/// A server with one repository, a working copy of it and a cache.
struct Stage {
    folder: TempDir,
    server: HttpServer,
    repo: Repo,
    cache: Cache,
    url: String,
}

impl Stage {
    fn new() -> Self {
        Self::with(HttpOptions::default())
    }

    fn with(options: HttpOptions) -> Self {
        Self::limited(options, Limits::default())
    }

    fn limited(options: HttpOptions, limits: Limits) -> Self {
        let folder = TempDir::new().unwrap();
        let server = HttpServer::start(&folder.path().join("served"), options).unwrap();
        let mut remote = server.create("team/shop").unwrap();
        // Git asks nobody for a certificate here: what is pushed goes straight to the folder.
        remote.url = format!("file://{}", server.path("team/shop").display());
        let repo = Repo::create(&folder.path().join("work"), &remote).unwrap();
        let cache = open(&folder.path().join("cache"), limits);
        let url = server.url("team/shop");
        Self { folder, server, repo, cache, url }
    }

    /// Commits one file on `main` and pushes it.
    fn push(&self, path: &str, content: &str) -> String {
        self.repo.write(path, content).unwrap();
        let id = self.repo.commit(&format!("Change {path}")).unwrap();
        self.repo.push().unwrap();
        id
    }

    fn fetch(&self, reference: GitRef) -> Result<Fetched, FetchError> {
        self.fetch_as(reference, None)
    }

    fn fetch_as(&self, reference: GitRef, credentials: Option<&Credentials>) -> Result<Fetched, FetchError> {
        self.cache.fetch(&source(&self.url, reference), credentials, &soon())
    }

    fn main(&self) -> Snapshot {
        self.fetch(branch("main")).unwrap().snapshot
    }
}

fn open(folder: &Path, limits: Limits) -> Cache {
    Cache::open(folder, CacheOptions { limits, local_repositories: true, loopback: true }).unwrap()
}

fn source(url: &str, reference: GitRef) -> GitSource {
    GitSource { url: url.to_owned(), reference, secret: None, path: RelPath::root() }
}

fn branch(name: &str) -> GitRef {
    GitRef::Branch(name.to_owned())
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

/// Long enough for a busy machine; a test that waits for it fails.
fn soon() -> FetchOptions {
    FetchOptions { timeout: Duration::from_secs(60), ..FetchOptions::default() }
}

fn read(snapshot: &Snapshot, at: &str) -> Option<String> {
    snapshot.file(&path(at)).unwrap().map(|blob| String::from_utf8(blob.bytes.to_vec()).unwrap())
}

/// Returns text that cannot be compressed much: each byte of its pack matters.
fn noise(length: usize) -> String {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + (state % 90) as u8)
    };
    (0..length).map(|_| next()).collect()
}

fn basic(user: &str, password: &str) -> Credentials {
    Credentials { username: Some(user.to_owned()), password: Some(Secret::new(password.to_owned())), ..Credentials::default() }
}

fn bearer(token: &str) -> Credentials {
    Credentials { bearer_token: Some(Secret::new(token.to_owned())), ..Credentials::default() }
}
