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
    /// The ref's short name, as asked (`main`, `v1.2`); empty for a commit.
    pub reference: String,
    /// The commit, in hex.
    pub commit: String,
}

impl fmt::Display for Revision {
    /// `main@sha1:4f0c…` in full.
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
