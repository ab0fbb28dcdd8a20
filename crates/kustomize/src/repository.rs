//! Owns telling addresses of Git repositories from paths (`api/internal/git/repospec.go`), and what they name.

use plumb_world::RemoteTree;

/// A repository and a place in it.
pub(crate) struct Repository {
    /// What is cloned.
    pub(crate) clone: String,
    /// The folder in it, without a slash before it; empty for its root.
    pub(crate) folder: String,
    pub(crate) reference: String,
}

/// How many parts of a path are the repository's, where nothing marks its end: owner and name.
const OWNER_AND_NAME: usize = 2;

impl Repository {
    /// Returns the path that kustomize writes down; at the root it is the name of the folder that it would clone to.
    pub(crate) fn path(&self) -> &str {
        if self.folder.is_empty() { "notCloned" } else { &self.folder }
    }
}

/// Returns the repository that an address names, and the folder in it; nothing for what is no such address.
pub fn remote(address: &str) -> Option<(RemoteTree, String)> {
    let repository = parse(address)?;
    Some((RemoteTree { url: repository.clone, reference: repository.reference }, repository.folder))
}

/// Reads an address; nothing for a path.
pub(crate) fn parse(address: &str) -> Option<Repository> {
    if address.starts_with('/') {
        return None;
    }
    let (address, query) = address.split_once('?').unwrap_or((address, ""));
    let (host, rest) = host(address)?;
    let (repository, folder) = split_path(rest, host == "file://")?;
    let folder = folder.trim_start_matches('/');
    let clean = String::from_utf8_lossy(&plumb_go::path::clean(folder.as_bytes())).into_owned();
    if repository.is_empty() || clean == ".." || clean.starts_with("../") {
        return None;
    }
    let folder = if clean == "." { String::new() } else { clean };
    Some(Repository { clone: format!("{host}{repository}"), folder, reference: reference(query) })
}

/// The branch, tag or commit that a query names; `ref` goes before `version`.
fn reference(query: &str) -> String {
    let value = |name: &str| {
        let found = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name);
        found.map(|(_, value)| unescaped(value)).filter(|value| !value.is_empty())
    };
    value("ref").or_else(|| value("version")).unwrap_or_default()
}

/// Undoes the escapes of a query.
fn unescaped(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, more)) = rest.split_first() {
        let escaped =
            more.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        rest = match (first, escaped) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                more.get(2..).unwrap_or_default()
            }
            _ => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                more
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn strip_ignoring_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let start = text.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| text.get(prefix.len()..)).flatten()
}

/// Splits scheme, user and host off.
fn host(address: &str) -> Option<(String, &str)> {
    let address = strip_ignoring_case(address, "git::").unwrap_or(address);
    let schemes = ["ssh://", "https://", "http://", "file://"];
    let (scheme, rest) = schemes.iter().find_map(|scheme| Some((*scheme, strip_ignoring_case(address, scheme)?))).unwrap_or(("", address));
    if scheme == "file://" {
        return Some((scheme.to_owned(), rest));
    }
    let user_end = rest.find('@').filter(|end| {
        let user = rest.get(..*end).unwrap_or("");
        user.starts_with(|first: char| first.is_ascii_alphabetic()) && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    let (user, rest) = rest.split_at(user_end.map_or(0, |end| end + 1));
    let is_github = strip_ignoring_case(rest, "github.com/").or_else(|| strip_ignoring_case(rest, "github.com:")).is_some();
    let like_scp = scheme.is_empty() && (!user.is_empty() || is_github);
    if scheme.is_empty() && !like_scp {
        return None;
    }
    let slash = rest.find('/');
    let end = match rest.find(':').filter(|_| like_scp) {
        Some(colon) if colon > 0 && slash.is_none_or(|slash| colon < slash) => Some(colon),
        _ => slash,
    };
    let (host, path) = rest.split_at(end.map_or(0, |end| end + 1));
    let (host, path) = if end.is_none() { (rest, "") } else { (host, path) };
    if host.is_empty() {
        return None;
    }
    if is_github {
        let host = if scheme == "ssh://" || !user.is_empty() { format!("{user}github.com:") } else { "https://github.com/".to_owned() };
        return Some((host, path));
    }
    Some((format!("{scheme}{user}{host}"), path))
}

/// Splits the repository's path from the folder in it: at a mark, else behind owner and name.
fn split_path(path: &str, is_file: bool) -> Option<(&str, &str)> {
    const GIT_FOLDER: &str = "_git/";
    const GIT_SUFFIX: &str = ".git";
    if let Some(at) = path.find(GIT_FOLDER) {
        let from = at + GIT_FOLDER.len();
        let end = path.get(from..)?.find('/').map_or(path.len(), |slash| from + slash);
        return Some((path.get(..end)?, path.get(end + 1..).unwrap_or("")));
    }
    if let Some(at) = path.find("//") {
        return Some((path.get(..at)?, path.get(at + 2..)?));
    }
    if let Some(at) = path.find(GIT_SUFFIX) {
        return Some(path.split_at(at + GIT_SUFFIX.len()));
    }
    if is_file {
        return Some((path, ""));
    }
    let slashes: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
    match slashes.get(OWNER_AND_NAME - 1) {
        Some(at) => Some((path.get(..*at)?, path.get(at + 1..)?)),
        None => (slashes.len() + 1 >= OWNER_AND_NAME).then_some((path, "")),
    }
}
