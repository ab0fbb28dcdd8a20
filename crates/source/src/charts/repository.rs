//! Owns chart repositories on the web: the index, and where an archive is. Must not know registries.

use std::io::{self, BufRead, BufReader, Read};

use bytes::{Buf, Bytes};
use http::{HeaderValue, header};
use plumb_go::url::Url;
use plumb_unit::ChartVersion;

use super::index::{self, IndexError, Listed};
use super::pick::{newest_first, pick};
use super::place::{describe, is_sha256};
use super::{At, Found, Visit};
use crate::client::{Content, follow};
use crate::error::{FetchError, quote};

impl Visit<'_> {
    /// Reads the index and takes the version that is wanted.
    pub(super) fn find_in_index(&mut self, wanted: &ChartVersion) -> Result<Found, FetchError> {
        let url = self.place.shown();
        let range = match wanted {
            ChartVersion::Range(range) => range,
            ChartVersion::Tag(name) | ChartVersion::Digest(name) => {
                let why = "only a registry has tags and digests; name a version".to_owned();
                return Err(FetchError::Reference { name: name.clone(), what: "a version of a chart repository", why });
            }
        };
        let chart = self.place.chart();
        let listed = self.read_index()?.ok_or_else(|| FetchError::NoSuchChart { url: url.clone(), chart: chart.to_owned() })?;
        let text = |listed: &Listed| listed.version.clone();
        let sorted = newest_first(listed.into_iter().filter(|listed| !listed.urls.is_empty()).collect(), text);
        let newest = sorted.first().map(|(_, newest)| format!("; the newest is {}", quote(&newest.version))).unwrap_or_default();
        let picked = pick(sorted, range, text);
        let picked = picked.map_err(|why| FetchError::Reference { name: range.clone(), what: "a range of versions", why })?;
        let Some(picked) = picked else {
            return Err(FetchError::NoSuchVersion { url, chart: chart.to_owned(), wanted: describe(wanted), newest });
        };
        let broken = |why: String| FetchError::Protocol { url: self.place.shown(), expected: self.place.expected(), why };
        let digest = picked.digest.strip_prefix("sha256:").unwrap_or(&picked.digest).to_ascii_lowercase();
        if !digest.is_empty() && !is_sha256(&digest) {
            return Err(broken(format!("its index gives {} {} a digest that is no SHA-256", chart, quote(&picked.version))));
        }
        let first = picked.urls.first().map(String::as_str).unwrap_or_default();
        let at = absolute(&self.place.base(), first).ok_or_else(|| broken(format!("`{}` of its index is no URL", quote(first))))?;
        let digest = Some(digest).filter(|digest| !digest.is_empty());
        Ok(Found { version: picked.version, digest, at: At::Url(at) })
    }

    fn read_index(&mut self) -> Result<Option<Vec<Listed>>, FetchError> {
        let link = self.client.link.clone();
        link.allow("the index", self.limits.index_bytes);
        let url = format!("{}/index.yaml", self.place.base());
        // Tens of megabytes compress to a tenth.
        let accept = [(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"))];
        let (response, _) = follow(&mut self.client, &url, &accept).map_err(|error| self.told(&error))?;
        let packed = response.headers().get(header::CONTENT_ENCODING).is_some_and(|how| how.as_bytes().eq_ignore_ascii_case(b"gzip"));
        let body = Stream { content: Content::new(link, response.into_body()), chunk: Bytes::new() };
        let mut input: Box<dyn BufRead> =
            if packed { Box::new(BufReader::new(flate2::bufread::MultiGzDecoder::new(body))) } else { Box::new(body) };
        index::read(&mut *input, self.place.chart(), self.limits).map_err(|error| match error {
            IndexError::Read(error) => self.told(&error),
            IndexError::Malformed(why) => {
                let why = format!("its index.yaml cannot be read: {}", quote(&why));
                FetchError::Protocol { url: self.place.shown(), expected: self.place.expected(), why }
            }
            IndexError::TooLarge { what, limit } => FetchError::TooLarge { url: self.place.shown(), what, limit },
        })
    }

    /// Downloads an archive from wherever it is; credentials go to the repository's own origin alone.
    pub(super) fn archive_at(&mut self, url: &str) -> Result<Vec<u8>, FetchError> {
        self.client.link.allow("the chart", self.limits.archive_bytes);
        let (response, _) = follow(&mut self.client, url, &[]).map_err(|error| self.told(&error))?;
        Content::new(self.client.link.clone(), response.into_body()).all().map_err(|error| self.told(&error))
    }
}

/// Returns where an archive is: the index may name it from its own folder on.
fn absolute(base: &str, url: &str) -> Option<String> {
    if url.is_empty() || url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return None;
    }
    let parsed = Url::parse(url.as_bytes()).ok()?;
    if !parsed.scheme.is_empty() {
        return matches!(&parsed.scheme[..], b"http" | b"https").then(|| url.to_owned());
    }
    let (scheme, rest) = base.split_once("://")?;
    if let Some(rest) = url.strip_prefix("//") {
        return Some(format!("{scheme}://{rest}"));
    }
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (own, query) = url.split_once('?').map_or((url, ""), |(own, query)| (own, query));
    let whole = if own.starts_with('/') { own.to_owned() } else { format!("{path}/{own}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    Some(format!("{scheme}://{host}/{}{query}", parts.join("/")))
}

/// A body that is read as it comes.
struct Stream {
    content: Content,
    chunk: Bytes,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let count = available.len().min(buffer.len());
        buffer[..count].copy_from_slice(&available[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Stream {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.chunk.is_empty() {
            self.chunk = self.content.chunk()?;
        }
        Ok(&self.chunk)
    }

    fn consume(&mut self, amount: usize) {
        self.chunk.advance(amount.min(self.chunk.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_named_from_the_index_on_or_in_full() {
        for (base, url, expect) in [
            ("https://a/charts", "redis-1.tgz", Some("https://a/charts/redis-1.tgz")),
            ("https://a/charts", "charts/redis-1.tgz", Some("https://a/charts/charts/redis-1.tgz")),
            ("https://a/charts", "/redis-1.tgz", Some("https://a/redis-1.tgz")),
            ("https://a/charts", "../redis-1.tgz", Some("https://a/redis-1.tgz")),
            ("https://a/charts", "../../../redis-1.tgz?x=../y", Some("https://a/redis-1.tgz?x=../y")),
            ("https://a", "./redis-1.tgz", Some("https://a/redis-1.tgz")),
            ("https://a", "http://b/redis-1.tgz", Some("http://b/redis-1.tgz")),
            ("https://a", "//b/redis-1.tgz", Some("https://b/redis-1.tgz")),
            ("https://a", "file:///etc/passwd", None),
            ("https://a", "oci://b/redis", None),
            ("https://a", "", None),
            ("https://a", "a b", None),
            ("https://a", "a\nHost: b", None),
        ] {
            assert_eq!(absolute(base, url).as_deref(), expect, "{url}");
        }
    }
}
