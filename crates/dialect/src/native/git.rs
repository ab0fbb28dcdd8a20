//! Owns how repositories and refs are written: which URLs are taken, which names a ref may have. Nothing of it ever becomes a command's argument unchecked.

use plumb_unit::GitRef;

/// Why a text names no repository or ref.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RepositoryError {
    /// The scheme is not one of those that are taken.
    #[error("`{0}` has the scheme `{1}`: use `https`, `http`, `ssh` or `file`, or `USER@HOST:PATH`")]
    Scheme(String, String),
    /// No scheme, and not `user@host:path` either.
    #[error("`{0}` is no repository: write `https://HOST/PATH`, `ssh://USER@HOST/PATH`, `USER@HOST:PATH` or `file:///PATH`")]
    Shape(String),
    /// A password in the URL would show in logs, histories and status. The text is left out for the same reason.
    #[error("the URL of the repository at `{0}` holds a password: name credentials instead")]
    Password(String),
    /// A character that no URL here may have, or a leading dash.
    #[error("`{0}` has a character that no repository's URL may have")]
    Character(String),
    /// A ref whose name Git would refuse.
    #[error("`{0}` is no name of a branch or tag")]
    Ref(String),
    /// A commit that is not written in full.
    #[error("`{0}` is no commit: write all 40 (or 64) hex digits")]
    Commit(String),
}

/// Checks a repository's URL: `https://`, `http://`, `ssh://`, `file:///` or `user@host:path`, without a password.
pub fn parse_repository(text: &str) -> Result<String, RepositoryError> {
    let shape = || RepositoryError::Shape(text.escape_default().to_string());
    if text.starts_with('-') || text.contains(|c: char| c.is_whitespace() || c.is_control() || "\\<>\"'`{}|^$;&()".contains(c)) {
        return Err(RepositoryError::Character(text.escape_default().to_string()));
    }
    let Some((scheme, rest)) = text.split_once("://") else { return scp(text).ok_or_else(shape) };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    if user.is_some_and(|user| user.contains(':')) {
        return Err(RepositoryError::Password(host.to_owned()));
    }
    // A host or user that starts with a dash would be an option to a program that is handed it.
    let dashed = host.starts_with('-') || user.is_some_and(|user| user.is_empty() || user.starts_with('-'));
    match scheme {
        "https" | "http" | "ssh" if !host.is_empty() && !path.is_empty() && !dashed => Ok(text.to_owned()),
        "file" if authority.is_empty() && !path.is_empty() => Ok(text.to_owned()),
        "https" | "http" | "ssh" | "file" => Err(shape()),
        other => Err(RepositoryError::Scheme(text.to_owned(), other.to_owned())),
    }
}

/// `git@host:org/repo.git`, as scp writes it.
fn scp(text: &str) -> Option<String> {
    let (authority, path) = text.split_once(':')?;
    let (user, host) = authority.split_once('@')?;
    let holds = !user.is_empty()
        && !user.starts_with('-')
        && !host.is_empty()
        && !host.starts_with('-')
        && !path.is_empty()
        && !path.starts_with('-');
    (holds && !authority.contains('/') && !host.contains('@')).then(|| text.to_owned())
}

/// Returns whether the URL names a folder of this machine.
pub(crate) fn is_file_url(url: &str) -> bool {
    url.starts_with("file://")
}

/// Checks the name of a branch or tag, as `git check-ref-format` does.
pub(crate) fn ref_name(name: &str) -> Result<String, RepositoryError> {
    let refused = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    let parts_hold = name.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"));
    let holds = parts_hold
        && !name.contains(refused)
        && !name.contains("..")
        && !name.contains("@{")
        && !name.starts_with('-')
        && !name.ends_with('.')
        && name != "@";
    if holds { Ok(name.to_owned()) } else { Err(RepositoryError::Ref(name.escape_default().to_string())) }
}

/// Checks a commit's id, in full and in lowercase.
pub(crate) fn commit(id: &str) -> Result<String, RepositoryError> {
    if is_commit(id) { Ok(id.to_ascii_lowercase()) } else { Err(RepositoryError::Commit(id.escape_default().to_string())) }
}

fn is_commit(id: &str) -> bool {
    matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Reads a ref in the short form: `main`, `branch:main`, `tag:v1`, `commit:4f0c…`, `refs/heads/main`, `refs/tags/v1`, `HEAD`, or a commit in full.
pub(crate) fn short_ref(text: &str) -> Result<GitRef, RepositoryError> {
    if let Some(name) = text.strip_prefix("branch:").or_else(|| text.strip_prefix("refs/heads/")) {
        return Ok(GitRef::Branch(ref_name(name)?));
    }
    if let Some(name) = text.strip_prefix("tag:").or_else(|| text.strip_prefix("refs/tags/")) {
        return Ok(GitRef::Tag(ref_name(name)?));
    }
    if let Some(id) = text.strip_prefix("commit:") {
        return Ok(GitRef::Commit(commit(id)?));
    }
    match text {
        "HEAD" => Ok(GitRef::Default),
        _ if is_commit(text) => Ok(GitRef::Commit(commit(text)?)),
        // Other places of `refs/` are no branches, and a branch of that name would be a trap.
        _ if text.starts_with("refs/") => Err(RepositoryError::Ref(text.to_owned())),
        _ => Ok(GitRef::Branch(ref_name(text)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_are_taken() {
        for url in [
            "https://host/a/b.git",
            "http://127.0.0.1:3000/x",
            "ssh://git@host:22/a/b",
            "git@host:a/b.git",
            "file:///srv/git/a.git",
            "https://user@host/a",
        ] {
            assert_eq!(parse_repository(url).as_deref(), Ok(url));
        }
    }

    #[test]
    fn urls_that_are_not() {
        let hostile = [
            "",
            "host/a",
            "git://host/a",
            "ext::sh -c id",
            "https://",
            "https://host",
            "https:///a",
            "file://host/a",
            "file://",
            "ssh://-oProxyCommand=id/a",
            "-u@host:a",
            "git@-host:a",
            "git@host:-a",
            "https://host/a b",
            "https://host/`id`",
            "https://host/$(id)",
            "ssh://git@host/a;id",
            "--upload-pack=id",
            "a\0b",
        ];
        for url in hostile {
            assert!(parse_repository(url).is_err(), "{url}");
        }
        let error = parse_repository("https://user:hunter2@host/a").expect_err("a password");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn refs_in_short() {
        let id = "4f0c".repeat(10);
        for (text, expect) in [
            ("main", GitRef::Branch("main".into())),
            ("feature/x@2", GitRef::Branch("feature/x@2".into())),
            ("branch:v1", GitRef::Branch("v1".into())),
            ("refs/heads/a/b", GitRef::Branch("a/b".into())),
            ("tag:@scope/pkg@1.0", GitRef::Tag("@scope/pkg@1.0".into())),
            ("refs/tags/v1", GitRef::Tag("v1".into())),
            (&id, GitRef::Commit(id.clone())),
            ("HEAD", GitRef::Default),
        ] {
            assert_eq!(short_ref(text), Ok(expect), "{text}");
        }
        for bad in ["", "a..b", "-x", "a b", "a/", "a.lock", "refs/pull/1/head", "commit:4f0c", "tag:", "x~1", "x@{1}", "a:b", "@"] {
            assert!(short_ref(bad).is_err(), "{bad}");
        }
    }
}
