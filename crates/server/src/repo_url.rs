//! Owns when two ways to write a repository's address mean the same repository. No pattern is ever made of such a text.

use std::fmt;

/// Longest address that is looked at.
pub const MAX_URL_BYTES: usize = 2048;

/// A repository's address without what differs between ways to reach it: scheme, user, port, `.git`, upper case. Two addresses that
/// compare equal may still be two repositories; a notification then costs one look too many, and none is missed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepoUrl(String);

impl RepoUrl {
    /// Reads `https://`, `http://`, `ssh://`, `git://`, `file://`, `user@host:path` or an absolute path; none for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || text.len() > MAX_URL_BYTES || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return None;
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            return match scheme.to_ascii_lowercase().as_str() {
                "http" | "https" | "ssh" | "git" | "git+ssh" | "git+https" => {
                    let (authority, path) = rest.split_once('/')?;
                    Self::of(host(authority)?, path)
                }
                "file" => Self::local(rest.strip_prefix("localhost").unwrap_or(rest)),
                _ => None,
            };
        }
        if text.starts_with('/') {
            return Self::local(text);
        }
        let (authority, path) = text.split_once(':')?;
        if authority.contains('/') { None } else { Self::of(host(authority)?, path) }
    }

    /// Returns the text that is compared: `host/owner/name`, or `file:/path`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(host: String, path: &str) -> Option<Self> {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let path = without_suffix(path)?;
        Some(Self(format!("{host}/{}", path.to_ascii_lowercase())))
    }

    fn local(path: &str) -> Option<Self> {
        if path.starts_with('/') { Some(Self(format!("file:/{}", without_suffix(path)?))) } else { None }
    }
}

/// Returns a host in lower case, without user and port.
fn host(authority: &str) -> Option<String> {
    let after_user = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match after_user.strip_prefix('[') {
        Some(address) => address.split_once(']')?.0,
        None => after_user.split(':').next().unwrap_or_default(),
    };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    if host.is_empty() { None } else { Some(host) }
}

/// Returns a path without outer and doubled slashes and without `.git`; none when nothing is left.
fn without_suffix(path: &str) -> Option<String> {
    let joined = path.split('/').filter(|segment| !segment.is_empty()).collect::<Vec<_>>().join("/");
    let path = joined.strip_suffix(".git").unwrap_or(&joined).trim_end_matches('/');
    if path.is_empty() { None } else { Some(path.to_owned()) }
}

impl fmt::Display for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RepoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ways_to_one_repository_are_equal() {
        for text in [
            "https://git.example.com/team-a/shop.git",
            "https://git.example.com/team-a/shop",
            "https://git.example.com/team-a/shop/",
            "https://git.example.com:443//team-a/shop.git/",
            "http://user:pa@ss@Git.Example.COM:8080/team-a/shop",
            "ssh://git@git.example.com:2222/team-a/shop.git",
            "git@git.example.com:team-a/shop.git",
            "git@git.example.com:/team-a/shop",
            "git.example.com.:Team-A/Shop.git",
            "git://git.example.com/team-a/shop?ref=main#top",
        ] {
            assert_eq!(RepoUrl::parse(text).expect(text).as_str(), "git.example.com/team-a/shop", "{text}");
        }
        for text in ["/srv/git/shop.git", "file:///srv/git/shop", "file://localhost/srv/git/shop/"] {
            assert_eq!(RepoUrl::parse(text).expect(text).as_str(), "file:/srv/git/shop", "{text}");
        }
        assert_eq!(RepoUrl::parse("ssh://git@[FE80::1]:22/a").expect("address").as_str(), "fe80::1/a");
    }

    #[test]
    fn different_repositories_differ() {
        let texts = ["https://a/x/y", "https://b/x/y", "https://a/x/y2", "https://a/x", "/x/y", "https://a/x.y", "https://a/x.git.git"];
        let urls: Vec<_> = texts.iter().map(|text| RepoUrl::parse(text).expect(text)).collect();
        for (nth, url) in urls.iter().enumerate() {
            assert!(urls[nth + 1..].iter().all(|other| other != url), "{url}");
        }
    }

    #[test]
    fn what_is_no_address_is_none() {
        let long = format!("https://host/{}", "a".repeat(MAX_URL_BYTES));
        for text in [
            "",
            " ",
            "shop",
            "https://",
            "https://host",
            "https://host/",
            "https:///path",
            "ftp://host/x",
            "C:\\x y",
            "a/b:c",
            "x:",
            "file://srv/x",
            "https://h/a\nb",
            &long,
        ] {
            assert_eq!(RepoUrl::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn metacharacters_are_only_characters() {
        for text in
            ["https://host/(a+)+$", "https://host/.*", "https://host/[", "https://host/a\\", "https://host/%00", "https://host/$(reboot)"]
        {
            let url = RepoUrl::parse(text).expect(text);
            assert_ne!(Some(&url), RepoUrl::parse("https://host/aaaa").as_ref());
        }
    }
}
