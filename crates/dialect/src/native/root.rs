//! Owns the root entry: where units are declared, and which namespaces they may name.
//!
//! A root is written `URL`, `URL@REF`, `URL//PATH` or `URL//PATH@REF`:
//!
//! - the first `//` behind the scheme splits the repository from the folder in it;
//! - the first `@` behind that (or, without a folder, behind the host) splits off the ref, so a ref may have `@` in it and a path may not;
//! - the ref is a branch; `tag:NAME`, `commit:ID`, `branch:NAME`, `refs/heads/NAME`, `refs/tags/NAME` and a commit in full say what they are. Without one it is the
//!   remote's `HEAD`.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use plumb_unit::{GitRef, GitSource, SecretRef};
use plumb_world::{PathError, RelPath};

use super::git::{RepositoryError, parse_repository, short_ref};

/// Which namespaces the units of a root may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Namespaces {
    /// Any.
    All,
    /// These.
    Only(BTreeSet<Arc<str>>),
}

impl Namespaces {
    /// Returns whether a unit may lie in the namespace.
    pub fn allow(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(namespace),
        }
    }
}

/// Where units are declared, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootSpec {
    /// The installation that the units belong to.
    pub installation: Arc<str>,
    /// Repository, ref and folder, with the credentials that open it.
    pub source: GitSource,
    /// Which namespaces its units may name.
    pub namespaces: Namespaces,
    /// Whether a unit without a service account acts as the platform's account.
    pub platform_account: bool,
}

/// Why a text is no root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RootError {
    /// The repository or the ref is wrong.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The folder is wrong.
    #[error("the root's folder: {0}")]
    Path(#[from] PathError),
    /// Another tool's way of naming a ref.
    #[error("`{0}` names its ref with `?ref=`: write `URL//PATH@REF`")]
    Query(String),
    /// The ref stands before the folder.
    #[error("`{0}` names its ref before the folder: write `URL//PATH@REF`")]
    RefBeforePath(String),
    /// Nothing behind the `@`.
    #[error("`{0}` ends with `@` and no ref")]
    EmptyRef(String),
}

impl RootSpec {
    /// Reads the `--root` form. Units may name any namespace and act as the platform's account until the caller says otherwise.
    pub fn parse(installation: &str, text: &str) -> Result<Self, RootError> {
        let (before, path_and_ref) = split_path(text);
        let (url, path, reference) = match path_and_ref {
            Some(rest) => {
                if split_ref(before).1.is_some() {
                    return Err(RootError::RefBeforePath(text.to_owned()));
                }
                let (path, reference) = rest.split_once('@').map_or((rest, None), |(path, reference)| (path, Some(reference)));
                (before, path, reference)
            }
            None => {
                let (url, reference) = split_ref(before);
                (url, "", reference)
            }
        };
        let url = parse_repository(url)?;
        if text.contains('?') {
            return Err(RootError::Query(text.to_owned()));
        }
        let reference = match reference {
            None => GitRef::Default,
            Some("") => return Err(RootError::EmptyRef(text.to_owned())),
            Some(reference) => short_ref(reference)?,
        };
        let path = RelPath::parse(path)?;
        let source = GitSource { url, reference, secret: None, path };
        Ok(Self { installation: installation.into(), source, namespaces: Namespaces::All, platform_account: true })
    }

    /// Returns the root with the credentials that open it.
    #[must_use]
    pub fn with_secret(mut self, name: Option<&str>) -> Self {
        self.source.secret = name.map(|name| SecretRef { name: name.to_owned() });
        self
    }
}

impl fmt::Display for RootSpec {
    /// The form that [`RootSpec::parse`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GitSource { url, reference, path, .. } = &self.source;
        f.write_str(url)?;
        if !path.is_root() {
            write!(f, "//{path}")?;
        }
        match reference {
            GitRef::Default => Ok(()),
            GitRef::Branch(name) => write!(f, "@branch:{name}"),
            GitRef::Tag(name) => write!(f, "@tag:{name}"),
            GitRef::Commit(id) => write!(f, "@commit:{id}"),
        }
    }
}

/// Splits at the first `//` that is not the scheme's.
fn split_path(text: &str) -> (&str, Option<&str>) {
    let start = text.find("://").map_or(0, |at| at + "://".len());
    match text[start..].find("//") {
        Some(at) => (&text[..start + at], Some(&text[start + at + 2..])),
        None => (text, None),
    }
}

/// Splits at the first `@` behind the host.
fn split_ref(url: &str) -> (&str, Option<&str>) {
    let start = match url.find("://") {
        Some(at) => url[at + 3..].find('/').map_or(url.len(), |slash| at + 3 + slash),
        None => url.find(':').unwrap_or(0),
    };
    match url[start..].find('@') {
        Some(at) => (&url[..start + at], Some(&url[start + at + 1..])),
        None => (url, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, url: &str, path: &str, reference: GitRef) {
        let root = RootSpec::parse("plumb", text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((root.source.url.as_str(), root.source.path.as_str(), &root.source.reference), (url, path, &reference), "{text}");
        assert_eq!(RootSpec::parse("plumb", &root.to_string()), Ok(root), "{text}");
    }

    #[test]
    fn every_form_of_url_takes_path_and_ref() {
        let main = || GitRef::Branch("main".into());
        check("https://host/a.git", "https://host/a.git", "", GitRef::Default);
        check("https://host/a.git@main", "https://host/a.git", "", main());
        check("https://host:8443/a.git//clusters/prod@main", "https://host:8443/a.git", "clusters/prod", main());
        check("https://user@host/a.git//x", "https://user@host/a.git", "x", GitRef::Default);
        check("ssh://git@host:22/a.git//x/@tag:v1", "ssh://git@host:22/a.git", "x", GitRef::Tag("v1".into()));
        check("git@host:a/b.git//x@feature/y", "git@host:a/b.git", "x", GitRef::Branch("feature/y".into()));
        check("git@host:a/b.git@main", "git@host:a/b.git", "", main());
        check("file:///srv/git/a.git//x@refs/tags/@scope/p@1", "file:///srv/git/a.git", "x", GitRef::Tag("@scope/p@1".into()));
        check("file:///srv/git/a.git@main", "file:///srv/git/a.git", "", main());
        check(&format!("https://host/a//@{}", "4f0c".repeat(10)), "https://host/a", "", GitRef::Commit("4f0c".repeat(10)));
    }

    #[test]
    fn what_is_no_root_says_why() {
        for (text, expect) in [
            (
                "clusters/prod",
                "`clusters/prod` is no repository: write `https://HOST/PATH`, `ssh://USER@HOST/PATH`, `USER@HOST:PATH` or `file:///PATH`",
            ),
            ("git://host/a", "`git://host/a` has the scheme `git`: use `https`, `http`, `ssh` or `file`, or `USER@HOST:PATH`"),
            ("https://host/a//x?ref=main", "`https://host/a//x?ref=main` names its ref with `?ref=`: write `URL//PATH@REF`"),
            ("https://host/a@main//x", "`https://host/a@main//x` names its ref before the folder: write `URL//PATH@REF`"),
            ("https://host/a//x@", "`https://host/a//x@` ends with `@` and no ref"),
            ("https://host/a//../x", "the root's folder: `../x` leaves its source"),
            ("https://host/a//x@a..b", "`a..b` is no name of a branch or tag"),
            ("https://u:p@host/a", "the URL of the repository at `host` holds a password: name credentials instead"),
        ] {
            assert_eq!(RootSpec::parse("plumb", text).map_err(|error| error.to_string()), Err(expect.to_owned()), "{text}");
        }
    }

    #[test]
    fn namespaces_are_all_or_named() {
        assert!(Namespaces::All.allow("x"));
        let only = Namespaces::Only(BTreeSet::from(["team-a".into()]));
        assert!(only.allow("team-a") && !only.allow("team-b"));
    }
}
