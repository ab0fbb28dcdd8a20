//! Owns what a source is and what its revisions are called.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use plumb_world::{RelPath, Secret};

/// Which ref of a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum GitRef {
    /// The remote's HEAD.
    Default,
    /// A branch.
    Branch(String),
    /// A tag.
    Tag(String),
    /// A full commit id that some listed ref holds.
    Commit(String),
}

/// A reference to credentials, resolved by the edge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct SecretRef {
    /// The Secret's name, or the entry's name in the credentials file; always in the unit's own namespace.
    pub name: String,
}

/// A Git repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct GitSource {
    /// `https://`, `http://`, `ssh://`, `user@host:path` or `file://`.
    pub url: String,
    /// Which ref.
    pub reference: GitRef,
    /// Credentials, if any.
    pub secret: Option<SecretRef>,
    /// The folder that the source starts at.
    pub path: RelPath,
}

/// Where a chart lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum ChartRepository {
    /// A repository of charts: a folder on the web with an `index.yaml`.
    Http {
        /// `https://` or `http://`.
        url: String,
        /// The chart's name in the index.
        chart: String,
    },
    /// A repository of a registry.
    Oci {
        /// `oci://HOST/PATH/CHART`.
        url: String,
        /// Whether the registry is spoken to without TLS.
        insecure: bool,
    },
}

impl ChartRepository {
    /// Returns the URL, without credentials.
    pub fn url(&self) -> &str {
        match self {
            Self::Http { url, .. } | Self::Oci { url, .. } => url,
        }
    }

    /// Returns the chart's name, by which it is asked for.
    pub fn chart(&self) -> &str {
        match self {
            Self::Http { chart, .. } => chart,
            Self::Oci { url, .. } => url.trim_end_matches('/').rsplit('/').next().unwrap_or(url),
        }
    }
}

/// Which version of a chart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum ChartVersion {
    /// The newest in a range as Helm has them, asked anew at each fetch; empty: the newest that is no prerelease.
    Range(String),
    /// What a registry has under this tag, now.
    Tag(String),
    /// The manifest of a registry with this digest: `sha256:` and 64 hex digits.
    Digest(String),
}

/// A chart of a repository or registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct ChartSource {
    /// Where it lies.
    pub repository: ChartRepository,
    /// Which version.
    pub version: ChartVersion,
    /// Credentials, if any.
    pub secret: Option<SecretRef>,
    /// The folder that the source starts at, from the chart's own.
    pub path: RelPath,
}

/// What is fetched: a source without where it starts in it counts as the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Remote {
    /// A Git repository at a ref.
    Git(GitSource),
    /// A chart in a range of versions.
    Chart(ChartSource),
}

impl Remote {
    /// Returns the URL, without credentials.
    pub fn url(&self) -> &str {
        match self {
            Self::Git(git) => &git.url,
            Self::Chart(chart) => chart.repository.url(),
        }
    }

    /// Returns what names its credentials.
    pub fn secret(&self) -> Option<&SecretRef> {
        match self {
            Self::Git(git) => git.secret.as_ref(),
            Self::Chart(chart) => chart.secret.as_ref(),
        }
    }

    /// Returns the whole of it, from its root on.
    #[must_use]
    pub fn whole(mut self) -> Self {
        match &mut self {
            Self::Git(GitSource { path, .. }) | Self::Chart(ChartSource { path, .. }) => *path = RelPath::root(),
        }
        self
    }
}

impl From<&GitSource> for Remote {
    fn from(git: &GitSource) -> Self {
        Self::Git(git.clone())
    }
}

impl From<&ChartSource> for Remote {
    fn from(chart: &ChartSource) -> Self {
        Self::Chart(chart.clone())
    }
}

impl From<&Remote> for Remote {
    fn from(remote: &Remote) -> Self {
        remote.clone()
    }
}

/// What opens a repository. Field names are those of Flux's Git secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// For basic authentication.
    pub username: Option<String>,
    /// For basic authentication.
    pub password: Option<Secret<String>>,
    /// For bearer authentication.
    pub bearer_token: Option<Secret<String>>,
    /// An SSH private key in OpenSSH's or PEM form.
    pub identity: Option<Secret<String>>,
    /// The host keys to accept, in the form of `known_hosts`.
    pub known_hosts: Option<String>,
    /// Certificates to trust beside the system's, PEM.
    pub ca_crt: Option<String>,
}

/// A commit's own words.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CommitInfo {
    /// `Name <address>`.
    pub author: String,
    /// First line of the message.
    pub subject: String,
    /// Seconds since 1970, the committer's clock: shown, never compared.
    pub time: i64,
}

/// One immutable state of a source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Revision {
    /// The ref's short name, as asked (`main`, `v1.2`), or a chart's version; empty for a commit.
    pub reference: String,
    /// The commit, in hex; of a chart the SHA-256 of its archive or, in a registry, of its manifest.
    pub commit: String,
}

impl fmt::Display for Revision {
    /// `main@sha1:4f0c…` or `20.1.7@sha256:9f86…` in full.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithm = if self.commit.len() == 64 { "sha256" } else { "sha1" };
        if self.reference.is_empty() {
            write!(f, "{algorithm}:{}", self.commit)
        } else {
            write!(f, "{}@{algorithm}:{}", self.reference, self.commit)
        }
    }
}

/// A unit's revision: source alias → revision. A loop keeps a unit's in a dozen places, so a clone shares the map until one of them changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Revisions(Arc<BTreeMap<Arc<str>, Revision>>);

impl Revisions {
    /// Returns a map of no sources.
    pub fn new() -> Self {
        Self::default()
    }
}

impl Deref for Revisions {
    type Target = BTreeMap<Arc<str>, Revision>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Revisions {
    fn deref_mut(&mut self) -> &mut Self::Target {
        Arc::make_mut(&mut self.0)
    }
}

impl FromIterator<(Arc<str>, Revision)> for Revisions {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Revision)>>(revisions: I) -> Self {
        Self(Arc::new(revisions.into_iter().collect()))
    }
}

impl<const N: usize> From<[(Arc<str>, Revision); N]> for Revisions {
    fn from(revisions: [(Arc<str>, Revision); N]) -> Self {
        revisions.into_iter().collect()
    }
}

impl<'r> IntoIterator for &'r Revisions {
    type Item = (&'r Arc<str>, &'r Revision);
    type IntoIter = std::collections::btree_map::Iter<'r, Arc<str>, Revision>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
