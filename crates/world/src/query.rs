//! Owns queries: what a build may ask of the outside beside files, and what it is answered.

use std::fmt;
use std::sync::Arc;

/// One question of a build. Two equal ones have one answer within a build.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Need {
    /// What the target serves. The answer is JSON: `{"version": "v1.34.0", "apis": ["apps/v1", "apps/v1/Deployment", …]}`.
    Capabilities,
    /// A live object of the target, or all of a kind. The answer is the object as JSON, or a list of them with `items`.
    Object(Lookup),
    /// Random bytes for one call. Recorded for ever: the same call is answered the same in every later build.
    Random {
        /// Who asks.
        call: CallSite,
        /// How many bytes.
        bytes: u32,
    },
    /// A key or certificate for one call, recorded until it has to be renewed. The answer is JSON: `["certificate", "key"]`, both PEM.
    Certificate {
        /// Who asks; its arguments hold the whole request.
        call: CallSite,
        /// What is asked for.
        request: Box<CertificateNeed>,
    },
    /// The time, one for all that a build is made from: seconds since 1970 in decimal digits.
    Now,
    /// Which time a unit is installed, one for all that a build is made from. The answer is JSON: `{"revision": 2, "upgrade": true}`.
    Release,
}

/// Objects of the target to read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lookup {
    /// `apps/v1`.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// The namespace; empty for objects of the cluster, and for all namespaces.
    pub namespace: String,
    /// The name; empty for all of the kind.
    pub name: String,
}

/// Names one call among all of a build, so that moving or editing other lines does not change it: never a line or column, never a number that
/// counts over a whole chart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallSite {
    /// The release.
    pub release: String,
    /// The template file, beginning with the chart's name.
    pub template: String,
    /// The `define` around the call; the file's name outside any.
    pub define: String,
    /// The function.
    pub function: String,
    /// Hash of the arguments, in hex.
    pub arguments: String,
    /// How many equal calls came before.
    pub ordinal: u32,
}

/// What a certificate is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateNeed {
    /// Common name; for a key alone, its kind (`rsa`, `dsa`, `ecdsa`, `ed25519`).
    pub common_name: String,
    /// Addresses.
    pub addresses: Vec<String>,
    /// DNS names.
    pub names: Vec<String>,
    /// How long it holds, in days.
    pub days: i64,
    /// Whether it may sign others.
    pub authority: bool,
    /// Who signs it: certificate and key as PEM; itself where there is nobody.
    pub signer: Option<(String, String)>,
    /// The key to use as PEM; a new one where there is none.
    pub key: Option<String>,
}

impl Need {
    /// Returns whether an answer is kept beside the inventory, so that what it went into stays as it is.
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::Random { .. } | Self::Certificate { .. })
    }

    /// Returns whether an answer is the same for everything that a unit's build is made from, and another one once that changes.
    pub fn is_of_the_revision(&self) -> bool {
        matches!(self, Self::Now | Self::Release)
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capabilities => f.write_str("what the cluster serves"),
            Self::Object(Lookup { api_version, kind, namespace, name }) => {
                write!(f, "{kind} ({api_version})")?;
                match (namespace.as_str(), name.as_str()) {
                    ("", "") => Ok(()),
                    ("", name) => write!(f, " {name}"),
                    (namespace, "") => write!(f, " in namespace {namespace}"),
                    (namespace, name) => write!(f, " {namespace}/{name}"),
                }
            }
            Self::Random { call, .. } | Self::Certificate { call, .. } => write!(f, "{} in {}", call.function, call.template),
            Self::Now => f.write_str("the time"),
            Self::Release => f.write_str("whether it is an installation or an upgrade"),
        }
    }
}

/// What a question is answered with. "Absent", "may not be told" and "not asked yet" are different answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This.
    Known(Arc<[u8]>),
    /// It was looked for, and is not there.
    Absent,
    /// It may not be told, and why.
    Denied(String),
    /// The build ends with this need, and is run again once it is answered.
    Later,
    /// Nobody answers here: an offline build goes on with a stand-in and says so.
    Unanswered,
}

/// A tree of another repository, as a kustomization names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemoteTree {
    /// The repository's address.
    pub url: String,
    /// A branch, tag or commit; empty for the repository's own default.
    pub reference: String,
}

/// What is known of something at another address.
#[derive(Clone, Debug)]
pub enum Remote<T> {
    /// It is here.
    Here(T),
    /// It could not be had, and why.
    Denied(String),
    /// Nothing of other addresses is fetched here.
    NotHere,
}
