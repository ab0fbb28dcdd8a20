//! Owns what the URL of a chart repository or registry may be. Must not open anything.

use plumb_unit::{ChartRepository, ChartVersion};

use crate::client::Origin;
use crate::error::FetchError;
use crate::limits::MAX_URL_BYTES;
use crate::url::{UrlError, host_and_port, split_authority};

/// Bytes of a chart's name.
const MAX_NAME_BYTES: usize = 250;

/// Where a chart lies, without credentials, in one canonical spelling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    registry: bool,
    tls: bool,
    host: String,
    port: u16,
    /// Without slashes at its ends.
    path: String,
    chart: String,
}

impl Place {
    /// Checks where a chart lies.
    pub(crate) fn parse(repository: &ChartRepository) -> Result<Self, UrlError> {
        let text = repository.url();
        if text.is_empty() {
            return Err(UrlError::Empty);
        }
        if text.len() > MAX_URL_BYTES {
            return Err(UrlError::TooLong(text.len()));
        }
        if !text.is_ascii() || text.chars().any(|c| c.is_control() || c.is_whitespace() || "\"'`<>\\^{|}".contains(c)) {
            return Err(UrlError::Character(text.escape_debug().to_string()));
        }
        let wrong = || UrlError::ChartScheme(text.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let (registry, tls) = match (repository, scheme) {
            (ChartRepository::Http { .. }, "https") => (false, true),
            (ChartRepository::Http { .. }, "http") => (false, false),
            (ChartRepository::Oci { insecure, .. }, "oci") => (true, !insecure),
            _ => return Err(wrong()),
        };
        let (authority, path) = split_authority(rest);
        if let Some((_, host)) = authority.rsplit_once('@') {
            return Err(UrlError::UserInfo(host.to_owned()));
        }
        let (host, port) = host_and_port(authority, if tls { 443 } else { 80 }, text)?;
        let path = path.trim_matches('/').to_owned();
        let bad = |why| UrlError::Path(text.to_owned(), why);
        if path.contains(['?', '#']) {
            return Err(bad("a query or fragment has no place in it"));
        }
        if path.split('/').any(|segment| matches!(segment, "." | "..")) {
            return Err(bad("`.` and `..` have no place in it"));
        }
        if registry && !is_registry_name(&path) {
            return Err(bad("what a registry has is named in lower case, as `oci://HOST/charts/redis`, and its version beside it"));
        }
        let chart = repository.chart().to_owned();
        if !is_chart_name(&chart) {
            return Err(UrlError::Chart(chart.escape_debug().to_string()));
        }
        Ok(Self { registry, tls, host, port, path, chart })
    }

    pub(crate) fn is_registry(&self) -> bool {
        self.registry
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Returns the path: of a registry, the repository's name.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Returns the chart's name.
    pub(crate) fn chart(&self) -> &str {
        &self.chart
    }

    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let own = if self.tls { 443 } else { 80 };
        if self.port == own { host } else { format!("{host}:{}", self.port) }
    }

    /// Returns whom credentials are for.
    pub(crate) fn origin(&self) -> Origin {
        Origin { tls: self.tls, host: self.host.clone(), port: self.port, authority: self.authority() }
    }

    /// Returns the URL of a path on the server.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}://{}/{path}", if self.tls { "https" } else { "http" }, self.authority())
    }

    /// Returns the URL that requests to a chart repository start with, without a slash at its end.
    pub(crate) fn base(&self) -> String {
        self.at(&self.path).trim_end_matches('/').to_owned()
    }

    /// Returns the URL as people know it.
    pub(crate) fn shown(&self) -> String {
        if self.registry { format!("oci://{}/{}", self.authority(), self.path) } else { self.base() }
    }

    /// Returns what one chart's cache is found by.
    pub(crate) fn cached(&self) -> String {
        match (self.registry, self.tls) {
            (false, _) => format!("{}#{}", self.base(), self.chart),
            (true, true) => self.shown(),
            (true, false) => format!("{}#insecure", self.shown()),
        }
    }

    /// Returns what should answer there.
    pub(crate) fn expected(&self) -> &'static str {
        if self.registry { "a registry" } else { "a chart repository" }
    }
}

/// Checks a version as it is asked for.
pub(crate) fn check_version(version: &ChartVersion) -> Result<(), FetchError> {
    let (name, what, why) = match version {
        ChartVersion::Range(range) if range.is_empty() => return Ok(()),
        ChartVersion::Range(range) => match plumb_go::semver::Constraints::parse(range) {
            Ok(_) => return Ok(()),
            Err(error) => (range, "a range of versions", error.to_string()),
        },
        ChartVersion::Tag(tag) if is_tag(tag) => return Ok(()),
        ChartVersion::Tag(tag) => (tag, "a tag", "a tag has letters, digits, `_`, `.` and `-`, at most 128".to_owned()),
        ChartVersion::Digest(digest) if sha256_of(digest).is_some() => return Ok(()),
        ChartVersion::Digest(digest) => (digest, "a digest", "a digest is `sha256:` and 64 hexadecimal digits in lower case".to_owned()),
    };
    Err(FetchError::Reference { name: name.escape_debug().to_string(), what, why })
}

/// Returns what a version asks for, for messages.
pub(crate) fn describe(version: &ChartVersion) -> String {
    match version {
        ChartVersion::Range(range) if range.is_empty() => "the newest version".to_owned(),
        ChartVersion::Range(text) | ChartVersion::Tag(text) | ChartVersion::Digest(text) => text.clone(),
    }
}

/// Returns the digits of a digest.
pub(crate) fn sha256_of(digest: &str) -> Option<&str> {
    let hex = digest.strip_prefix("sha256:")?;
    is_sha256(hex).then_some(hex)
}

pub(crate) fn is_sha256(hex: &str) -> bool {
    hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

pub(crate) fn is_tag(tag: &str) -> bool {
    let first = tag.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    first && tag.len() <= 128 && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

fn is_registry_name(path: &str) -> bool {
    let part = |part: &str| {
        let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = part.as_bytes();
        let known = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(byte);
        ends(bytes.first()) && ends(bytes.last()) && bytes.iter().all(known)
    };
    path.len() <= MAX_NAME_BYTES && path.split('/').all(part)
}

/// A chart's name becomes part of file names, so it is one segment of a path.
fn is_chart_name(name: &str) -> bool {
    let fine = |c: char| c.is_alphanumeric() || "-_.+".contains(c);
    !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.chars().all(fine) && !matches!(name, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(url: &str, chart: &str) -> Result<Place, UrlError> {
        Place::parse(&ChartRepository::Http { url: url.to_owned(), chart: chart.to_owned() })
    }

    fn oci(url: &str) -> Result<Place, UrlError> {
        Place::parse(&ChartRepository::Oci { url: url.to_owned(), insecure: false })
    }

    #[test]
    fn spells_a_place_one_way() {
        for (url, base) in [
            ("https://Charts.Example.com", "https://charts.example.com"),
            ("https://charts.example.com:443/", "https://charts.example.com"),
            ("http://charts.example.com:8080/a//", "http://charts.example.com:8080/a"),
            ("https://[2001:db8::1]/a", "https://[2001:db8::1]/a"),
        ] {
            assert_eq!(http(url, "redis").map(|place| place.base()).as_deref(), Ok(base), "{url}");
        }
        let place = oci("oci://Registry.example.com/charts/redis/").expect("place");
        assert_eq!(
            (place.shown().as_str(), place.chart(), place.path()),
            ("oci://registry.example.com/charts/redis", "redis", "charts/redis")
        );
        assert_eq!(place.at("v2/"), "https://registry.example.com/v2/");
    }

    #[test]
    fn refuses_what_is_no_place() {
        for url in [
            "",
            "charts.example.com",
            "ftp://a/b",
            "oci://a/b",
            "https://a/../b",
            "https://a/b?x=1",
            "https://a/b#c",
            "https://-a/b",
            "https://a b",
        ] {
            assert!(http(url, "redis").is_err(), "{url}");
        }
        for url in [
            "oci://",
            "oci://a",
            "oci://a/Redis",
            "oci://a/redis:1.2.3",
            "oci://a/redis@sha256:00",
            "https://a/redis",
            "oci://a/../redis",
            "oci://a/b//redis",
        ] {
            assert!(oci(url).is_err(), "{url}");
        }
        for chart in ["", ".", "..", "a/b", "../a", "a\nb", "a b", &"a".repeat(MAX_NAME_BYTES + 1)] {
            assert!(http("https://a/b", chart).is_err(), "{chart:?}");
        }
        let error = http("https://ada:s3cret@charts.example.com", "redis").expect_err("password");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }

    #[test]
    fn checks_versions() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        for version in [
            ChartVersion::Range(String::new()),
            ChartVersion::Range("~20.1".to_owned()),
            ChartVersion::Tag("1.2.3_build".to_owned()),
            ChartVersion::Digest(digest.clone()),
        ] {
            assert_eq!(check_version(&version), Ok(()), "{version:?}");
        }
        for version in [
            ChartVersion::Range("newest".to_owned()),
            ChartVersion::Tag("a/b".to_owned()),
            ChartVersion::Tag("a".repeat(129)),
            ChartVersion::Tag("../x".to_owned()),
            ChartVersion::Digest(digest[..20].to_owned()),
            ChartVersion::Digest(digest.to_uppercase()),
        ] {
            assert!(check_version(&version).is_err(), "{version:?}");
        }
    }
}
