//! Owns credentials for sources: a file of mode 0600, keyed by namespace and name, in the field names of Flux's Git secrets.
//! Must not log or show a value.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use plumb_unit::Credentials;
use plumb_world::Secret;
use serde::Deserialize;

/// Why the credentials cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialsError {
    /// The file cannot be read.
    #[error("the credentials file `{path}` cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others may read the file.
    #[error("the credentials file `{path}` has mode {mode:o}; others could read it: `chmod 600 {path}`")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is not what it should be.
    #[error(
        "the credentials file `{path}` is not a map of NAMESPACE/NAME to username, password, bearerToken, identity, known_hosts, ca.crt: {why}"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The parser's words, which never hold a value.
        why: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    username: Option<String>,
    password: Option<String>,
    #[serde(rename = "bearerToken")]
    bearer_token: Option<String>,
    identity: Option<String>,
    known_hosts: Option<String>,
    #[serde(rename = "ca.crt")]
    ca_crt: Option<String>,
}

/// Credentials by `namespace/name`.
pub type CredentialsFile = BTreeMap<String, Credentials>;

/// Reads a credentials file: YAML or JSON, a map from `NAMESPACE/NAME` to the fields of a Git secret.
pub fn read_file(path: &Path) -> Result<CredentialsFile, CredentialsError> {
    let unreadable = |source| CredentialsError::Unreadable { path: path.to_owned(), source };
    let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(CredentialsError::Open { path: path.to_owned(), mode });
    }
    let text = std::fs::read(path).map_err(unreadable)?;
    let entries: BTreeMap<String, Entry> =
        crate::config::read(&text).map_err(|why| CredentialsError::Malformed { path: path.to_owned(), why })?;
    Ok(entries.into_iter().map(|(name, entry)| (name, entry.into())).collect())
}

impl From<Entry> for Credentials {
    fn from(entry: Entry) -> Self {
        Self {
            username: entry.username,
            password: entry.password.map(Secret::new),
            bearer_token: entry.bearer_token.map(Secret::new),
            identity: entry.identity.map(Secret::new),
            known_hosts: entry.known_hosts,
            ca_crt: entry.ca_crt,
        }
    }
}

/// Takes the data of a Kubernetes Secret, each value as its bytes; unknown fields are other programs' and left alone.
pub(crate) fn from_secret(data: &BTreeMap<String, Vec<u8>>) -> Credentials {
    let text = |field: &str| data.get(field).and_then(|bytes| String::from_utf8(bytes.clone()).ok());
    Credentials {
        username: text("username"),
        password: text("password").map(Secret::new),
        bearer_token: text("bearerToken").map(Secret::new),
        identity: text("identity").map(Secret::new),
        known_hosts: text("known_hosts"),
        ca_crt: text("ca.crt"),
    }
}
