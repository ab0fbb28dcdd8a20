//! Owns what a repository's URL may be, and ref names. Must not open anything.
//!
//! A URL ends up in requests, in an SSH command and in folder names, so it is parsed once, here, and refused when it is
//! anything but one of the four forms.

use std::fmt;

use plumb_unit::GitRef;

use crate::error::FetchError;
use crate::limits::MAX_URL_BYTES;

/// Why a text is no URL to fetch from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// It is empty.
    #[error("the URL of the repository is empty")]
    Empty,
    /// It is too long.
    #[error("the URL of the repository has {0} bytes; it may have {MAX_URL_BYTES}")]
    TooLong(usize),
    /// It has a control character, blank, quote or the like.
    #[error("the URL `{0}` has a character that no URL may have; percent-encode it")]
    Character(String),
    /// Its scheme is none that is fetched from.
    #[error("the URL `{0}` is not fetched from; use https://, http://, ssh://, user@host:path or file://")]
    Scheme(String),
    /// It is none of a chart.
    #[error("the URL `{0}` is none of a chart repository or registry; use https:// or http:// for a repository, oci:// for a registry")]
    ChartScheme(String),
    /// A chart's name that cannot be one.
    #[error("`{0}` cannot be a chart's name: letters, digits, `-`, `_` and `.` can be in it")]
    Chart(String),
    /// It has a user or password where only credentials may have them.
    #[error("the URL of {0} has a user or password in it; remove it and name a Secret with `username` and `password`")]
    UserInfo(String),
    /// Its host is missing or malformed.
    #[error("the URL `{0}` has no valid host")]
    Host(String),
    /// Its port is malformed.
    #[error("the URL `{0}` has no valid port")]
    Port(String),
    /// Its path is missing or malformed.
    #[error("the URL `{0}` has no valid path: {1}")]
    Path(String, &'static str),
}

/// How a repository is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// HTTP without TLS.
    Http,
    /// HTTP with TLS.
    Https,
    /// SSH.
    Ssh,
    /// A repository of this machine.
    File,
}

/// A repository's URL, without credentials, in one canonical spelling.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GitUrl {
    scheme: Scheme,
    user: Option<String>,
    host: String,
    port: u16,
    path: String,
}

impl GitUrl {
    /// Parses a URL.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.is_empty() {
            return Err(UrlError::Empty);
        }
        if text.len() > MAX_URL_BYTES {
            return Err(UrlError::TooLong(text.len()));
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || "\"'`<>\\^{|}".contains(c)) {
            return Err(UrlError::Character(text.escape_debug().to_string()));
        }
        if text.starts_with('-') {
            return Err(UrlError::Scheme(text.to_owned()));
        }
        match text.split_once("://") {
            Some(("https", rest)) => Self::http(Scheme::Https, rest, text),
            Some(("http", rest)) => Self::http(Scheme::Http, rest, text),
            Some(("ssh", rest)) => Self::ssh(rest, text),
            Some(("file", rest)) => Self::file(rest, text),
            Some(_) => Err(UrlError::Scheme(text.to_owned())),
            None => Self::scp(text),
        }
    }

    fn http(scheme: Scheme, rest: &str, text: &str) -> Result<Self, UrlError> {
        let (authority, path) = split_authority(rest);
        if let Some((_, host)) = authority.rsplit_once('@') {
            return Err(UrlError::UserInfo(host.to_owned()));
        }
        if !text.is_ascii() {
            return Err(UrlError::Character(text.to_owned()));
        }
        let default = if scheme == Scheme::Https { 443 } else { 80 };
        let (host, port) = host_and_port(authority, default, text)?;
        let path = clean_path(path, text)?;
        if path.contains(['?', '#']) {
            return Err(UrlError::Path(text.to_owned(), "a query or fragment has no place in it"));
        }
        Ok(Self { scheme, user: None, host, port, path })
    }

    fn ssh(rest: &str, text: &str) -> Result<Self, UrlError> {
        let (authority, path) = split_authority(rest);
        let (user, authority) = user_and_host(authority, text)?;
        let (host, port) = host_and_port(authority, 22, text)?;
        Ok(Self { scheme: Scheme::Ssh, user, host, port, path: decode_path(&clean_path(path, text)?, text)? })
    }

    /// `user@host:path`, as `scp` has it; the path is relative to the user's home unless it starts with `/`.
    fn scp(text: &str) -> Result<Self, UrlError> {
        let Some((authority, path)) = text.split_once(':') else { return Err(UrlError::Scheme(text.to_owned())) };
        if authority.contains('/') || path.starts_with(':') {
            return Err(UrlError::Scheme(text.to_owned()));
        }
        let (user, authority) = user_and_host(authority, text)?;
        let (host, port) = host_and_port(authority, 22, text)?;
        if path.starts_with('-') {
            return Err(UrlError::Path(text.to_owned(), "it starts with a dash"));
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/~/{}", path.trim_start_matches("~/")) };
        Ok(Self { scheme: Scheme::Ssh, user, host, port, path: clean_path(&path, text)? })
    }

    fn file(rest: &str, text: &str) -> Result<Self, UrlError> {
        let (authority, path) = split_authority(rest);
        if !(authority.is_empty() || authority == "localhost") {
            return Err(UrlError::Host(text.to_owned()));
        }
        let path = decode_path(&clean_path(path, text)?, text)?;
        Ok(Self { scheme: Scheme::File, user: None, host: String::new(), port: 0, path })
    }

    /// Returns how the repository is reached.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Returns the user, for SSH.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Returns the host in lower case, without the brackets of an IPv6 address; empty for a file.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port; 0 for a file.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the path, which starts with `/` (`/~/` for one relative to the SSH user's home).
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns host and port as they are written in a URL, the port only when it is not the scheme's own.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let own = match self.scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
            Scheme::Ssh => 22,
            Scheme::File => 0,
        };
        if self.port == own { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Ssh => "ssh",
            Scheme::File => "file",
        };
        write!(f, "{scheme}://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        write!(f, "{}{}", self.authority(), self.path)
    }
}

impl fmt::Debug for GitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

pub(crate) fn split_authority(rest: &str) -> (&str, &str) {
    rest.find('/').map_or((rest, ""), |at| rest.split_at(at))
}

fn user_and_host<'a>(authority: &'a str, text: &str) -> Result<(Option<String>, &'a str), UrlError> {
    let Some((user, host)) = authority.rsplit_once('@') else { return Ok((None, authority)) };
    if user.contains(':') {
        return Err(UrlError::UserInfo(host.to_owned()));
    }
    let fine = !user.is_empty() && !user.starts_with('-') && user.chars().all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c));
    if !fine {
        return Err(UrlError::Host(text.to_owned()));
    }
    Ok((Some(user.to_owned()), host))
}

pub(crate) fn host_and_port(authority: &str, default: u16, text: &str) -> Result<(String, u16), UrlError> {
    let bad_host = || UrlError::Host(text.to_owned());
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or_else(bad_host)?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| bad_host())?;
        (host, rest.strip_prefix(':').or(rest.is_empty().then_some("")).ok_or_else(bad_host)?)
    } else {
        let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
        let fine =
            !host.is_empty() && !host.starts_with(['-', '.']) && host.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        (fine.then_some(host).ok_or_else(bad_host)?, port)
    };
    let port = match port {
        "" if authority.ends_with(':') => return Err(UrlError::Port(text.to_owned())),
        "" => default,
        digits if digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(|| UrlError::Port(text.to_owned()))?
        }
        _ => return Err(UrlError::Port(text.to_owned())),
    };
    Ok((host.to_ascii_lowercase(), port))
}

fn clean_path(path: &str, text: &str) -> Result<String, UrlError> {
    let path = path.trim_end_matches('/');
    if path.is_empty() || path == "/~" {
        return Err(UrlError::Path(text.to_owned(), "it names no repository"));
    }
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(UrlError::Path(text.to_owned(), "`.` and `..` have no place in it"));
    }
    Ok(path.to_owned())
}

/// Decodes `%41`; what comes out goes to a file system or an SSH command, so it is looked at again.
fn decode_path(path: &str, text: &str) -> Result<String, UrlError> {
    if !path.contains('%') {
        return Ok(path.to_owned());
    }
    let wrong = |why| UrlError::Path(text.to_owned(), why);
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok()).filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok()).ok_or_else(|| wrong("its percent-encoding is broken"))?;
        bytes.push(byte);
        rest = &tail[2..];
    }
    let path = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8"))?;
    if path.chars().any(char::is_control) {
        return Err(wrong("it has a control character"));
    }
    clean_path(&path, text)
}

/// Returns a branch's, tag's or commit's name as it is shown: "branch `main`".
pub(crate) fn describe(reference: &GitRef) -> String {
    match reference {
        GitRef::Default => "HEAD".to_owned(),
        GitRef::Branch(name) => format!("branch `{name}`"),
        GitRef::Tag(name) => format!("tag `{name}`"),
        GitRef::Commit(id) => format!("commit `{id}`"),
    }
}

/// Checks a ref by Git's own rules for names, and a commit id for being full.
pub(crate) fn check_reference(reference: &GitRef) -> Result<(), FetchError> {
    let (name, prefix, what) = match reference {
        GitRef::Default => return Ok(()),
        GitRef::Branch(name) => (name, "refs/heads/", "a branch"),
        GitRef::Tag(name) => (name, "refs/tags/", "a tag"),
        GitRef::Commit(id) => {
            let hex = id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            if hex && id.len() == 40 {
                return Ok(());
            }
            let why = "a commit is named by its full id, 40 hexadecimal digits in lower case".to_owned();
            return Err(FetchError::Reference { name: id.escape_debug().to_string(), what: "a commit", why });
        }
    };
    let wrong = |why: &str| FetchError::Reference { name: name.escape_debug().to_string(), what, why: why.to_owned() };
    if name.starts_with('-') {
        return Err(wrong("it starts with a dash"));
    }
    gix_ref::FullName::try_from(format!("{prefix}{name}")).map(drop).map_err(|error| wrong(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_a_url_one_way() {
        for (input, expect) in [
            ("https://Git.Example.com/team/shop.git/", "https://git.example.com/team/shop.git"),
            ("https://git.example.com:443/a", "https://git.example.com/a"),
            ("http://git.example.com:8080/a", "http://git.example.com:8080/a"),
            ("ssh://git@git.example.com:2222/team/shop.git", "ssh://git@git.example.com:2222/team/shop.git"),
            ("git@git.example.com:team/shop.git", "ssh://git@git.example.com/~/team/shop.git"),
            ("git@git.example.com:/srv/shop.git", "ssh://git@git.example.com/srv/shop.git"),
            ("git.example.com:shop", "ssh://git.example.com/~/shop"),
            ("file:///srv/a%20b", "file:///srv/a b"),
            ("https://[2001:db8::1]:8443/a", "https://[2001:db8::1]:8443/a"),
        ] {
            assert_eq!(GitUrl::parse(input).expect(input).to_string(), expect);
        }
    }

    #[test]
    fn refuses_what_is_no_url() {
        for input in [
            "",
            "-oProxyCommand=true",
            "--upload-pack=touch /tmp/x",
            "--upload-pack=/tmp/x:y",
            "ext::sh -c true",
            "ext::sh",
            "fd::17",
            "./repo",
            "/srv/repo",
            "git://git.example.com/a",
            "ftp://git.example.com/a",
            "javascript://a/b",
            "https://-evil/a",
            "ssh://-oProxyCommand=true/a",
            "ssh://-oProxy@host/a",
            "-oProxy@host:a",
            "git@host:--upload-pack=x",
            "git@host:",
            "https://git.example.com",
            "https://git.example.com/",
            "https://git.example.com/a/../b",
            "https://git.example.com/a?x=1",
            "https://git.example.com/a#x",
            "https://git.example.com:0/a",
            "https://git.example.com:99999/a",
            "https://git.example.com:/a",
            "https:///a",
            "https://git.example.com/a\nHost: b",
            "https://git.example.com/a b",
            "ssh://git@host/a'b",
            "ssh://git@host/a%0ab",
            "ssh://git@host/a%00b",
            "ssh://git@host/a/%2e%2e/b",
            "file://otherhost/a",
            "file:///a%2",
        ] {
            assert!(GitUrl::parse(input).is_err(), "{input:?}");
        }
        assert!(matches!(GitUrl::parse(&format!("https://a/{}", "b".repeat(MAX_URL_BYTES))), Err(UrlError::TooLong(_))));
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        for input in ["https://ada:s3cret@git.example.com/a", "https://s3cret@git.example.com/a", "ssh://ada:s3cret@git.example.com/a"] {
            let error = GitUrl::parse(input).expect_err(input);
            assert!(matches!(error, UrlError::UserInfo(_)));
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn checks_ref_names() {
        for name in ["main", "feature/a", "v1.2.3", "ünï"] {
            check_reference(&GitRef::Branch(name.to_owned())).expect(name);
        }
        for name in ["", "-x", "a..b", "a b", "a\nb", "a~1", "a:b", "a.lock", "/a", "a/", ".a", "a@{b", "a*", "a\0b"] {
            assert!(check_reference(&GitRef::Branch(name.to_owned())).is_err(), "{name:?}");
            assert!(check_reference(&GitRef::Tag(name.to_owned())).is_err(), "{name:?}");
        }
        check_reference(&GitRef::Commit("0123456789abcdef0123456789abcdef01234567".to_owned())).expect("full");
        for id in ["0123456", "HEAD", "0123456789ABCDEF0123456789abcdef01234567", "--all"] {
            assert!(check_reference(&GitRef::Commit(id.to_owned())).is_err(), "{id}");
        }
    }
}
