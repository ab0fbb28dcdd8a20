//! Owns registries: tags, manifests and blobs by the distribution protocol, and who asks for them by what the registry
//! challenges with. Must not know chart repositories.
//!
//! Credentials go to the registry's own origin, and to the token service that the registry itself names, over TLS
//! if the registry has it; never to where a redirect leads. A token goes to the registry alone.

use http::{HeaderName, HeaderValue, Response, header};
use hyper::body::Incoming;
use plumb_go::semver::Version;
use plumb_unit::ChartVersion;
use serde::Deserialize;

use super::challenge::{self, Challenge};
use super::pick::{newest_first, pick};
use super::place::{describe, is_tag, sha256_of};
use super::{At, Found, Visit, hex_sha256};
use crate::client::{Content, Origin, answer, authorization, follow};
use crate::error::{FetchError, quote};
use crate::limits::{MAX_MANIFEST_BYTES, MAX_TAG_PAGES, MAX_TOKEN_BYTES};

/// What the manifest of a chart says it is (helm: pkg/registry/constants.go).
const CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
/// A chart's archive.
const CHART: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
/// What it was before Helm 3.7.
const OLD_CHART: &str = "application/tar+gzip";
const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
/// Tags asked for at once.
const PAGE: usize = 1000;

#[derive(Deserialize)]
struct Tags {
    #[serde(default)]
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Manifest {
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    #[serde(rename = "mediaType", default)]
    media_type: String,
    digest: String,
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
}

impl Visit<'_> {
    /// Finds the manifest of the version that is wanted, and the archive that it names.
    pub(super) fn find_in_registry(&mut self, wanted: &ChartVersion) -> Result<Found, FetchError> {
        let missing = |newest: String| FetchError::NoSuchVersion {
            url: self.place.shown(),
            chart: self.place.chart().to_owned(),
            wanted: describe(wanted),
            newest,
        };
        let (tag, pinned) = match wanted {
            ChartVersion::Digest(digest) => (digest.clone(), sha256_of(digest)),
            ChartVersion::Tag(tag) => (tag.clone(), None),
            // A whole version is a tag: no need to ask for all of them.
            ChartVersion::Range(range) if Version::parse_strict(range).is_ok() => (range.replace('+', "_"), None),
            ChartVersion::Range(range) => {
                let sorted = newest_first(self.tags()?, String::clone);
                let newest = sorted.first().map(|(_, tag)| format!("; the newest is {}", quote(tag))).unwrap_or_default();
                let picked = pick(sorted, range, String::clone);
                let picked = picked.map_err(|why| FetchError::Reference { name: range.clone(), what: "a range of versions", why })?;
                (picked.ok_or_else(|| missing(newest))?.replace('+', "_"), None)
            }
        };
        let bytes = self.manifest(&tag)?.ok_or_else(|| missing(String::new()))?;
        let digest = hex_sha256(&bytes);
        let what = format!("the manifest of `{tag}`");
        if let Some(pinned) = pinned.filter(|pinned| *pinned != digest) {
            let (url, wanted) = (self.place.shown(), pinned.to_owned());
            return Err(FetchError::Digest { url, what, wanted, found: digest });
        }
        let layer = self.chart_layer(&bytes, what)?;
        // A version of one's own is told by the chart itself, later.
        let version = if pinned.is_some() { String::new() } else { tag.replace('_', "+") };
        Ok(Found { version, digest: Some(digest), at: At::Blob(layer) })
    }

    /// Returns the versions among the tags.
    pub(super) fn tags(&mut self) -> Result<Vec<String>, FetchError> {
        let link = self.client.link.clone();
        link.allow("the list of tags", self.limits.listing_bytes);
        let mut url = self.place.at(&format!("v2/{}/tags/list?n={PAGE}", self.place.path()));
        let mut tags = Vec::new();
        for _ in 0..MAX_TAG_PAGES {
            let (response, at) = self.ask(&url, &[])?;
            if let Some(error) = self.client.refuse(response.status(), response.headers()) {
                return Err(error);
            }
            let next = response.headers().get(header::LINK).and_then(|link| link.to_str().ok()).and_then(next_page);
            let next = next.map(|next| self.next_url(&at, next)).transpose()?;
            let bytes = self.body(response)?;
            let page: Tags = serde_json::from_slice(&bytes).map_err(|error| self.unlike(&format!("its list of tags: {error}")))?;
            let versions = page.tags.unwrap_or_default().into_iter().filter(|tag| is_tag(tag)).map(|tag| tag.replace('_', "+"));
            tags.extend(versions.filter(|version| Version::parse_strict(version).is_ok()));
            if tags.len() > self.limits.tags {
                return Err(self.unlike(&format!("it has more than {} tags of versions", self.limits.tags)));
            }
            match next {
                Some(next) if next != url => url = next,
                Some(_) => return Err(self.unlike("a page of its tags is its own next one")),
                None => return Ok(tags),
            }
        }
        Err(self.unlike(&format!("its list of tags has more than {MAX_TAG_PAGES} pages")))
    }

    fn next_url(&self, at: &str, next: &str) -> Result<String, FetchError> {
        let home = self.client.home();
        let url = if next.starts_with('/') && !next.starts_with("//") {
            self.place.at(next.trim_start_matches('/'))
        } else if next.starts_with('?') {
            format!("{}{next}", at.split('?').next().unwrap_or(at))
        } else {
            next.to_owned()
        };
        match Origin::parse(&url) {
            Some((origin, _)) if origin == *home => Ok(url),
            _ => Err(self.unlike("the next page of its tags is somewhere else")),
        }
    }

    /// Returns a manifest as it is; none where there is none of that name.
    fn manifest(&mut self, reference: &str) -> Result<Option<Vec<u8>>, FetchError> {
        self.client.link.allow("the manifest", MAX_MANIFEST_BYTES);
        let url = self.place.at(&format!("v2/{}/manifests/{reference}", self.place.path()));
        let (response, _) = self.ask(&url, &[(header::ACCEPT, HeaderValue::from_static(ACCEPTED))])?;
        if response.status() == http::StatusCode::NOT_FOUND {
            return Ok(None);
        }
        match self.client.refuse(response.status(), response.headers()) {
            Some(error) => Err(error),
            None => self.body(response).map(Some),
        }
    }

    /// Returns the digest of the archive that a manifest names, in hex.
    fn chart_layer(&self, manifest: &[u8], what: String) -> Result<String, FetchError> {
        let refused = |why: String| FetchError::NotAChart { url: self.place.shown(), what: what.clone(), why };
        let manifest: Manifest = serde_json::from_slice(manifest).map_err(|error| refused(format!("it cannot be read: {error}")))?;
        let config = manifest.config.ok_or_else(|| refused("it has no config; an index of several images is none".to_owned()))?;
        if config.media_type != CONFIG {
            return Err(refused(format!("its config is of the type `{}`", quote(&config.media_type))));
        }
        let mut layers = manifest.layers.iter().filter(|layer| layer.media_type == CHART || layer.media_type == OLD_CHART);
        let layer = layers.next_back().ok_or_else(|| refused(format!("it has no layer of the type `{CHART}`")))?;
        let hex = sha256_of(&layer.digest).ok_or_else(|| refused("its layer has no SHA-256 digest".to_owned()))?;
        Ok(hex.to_owned())
    }

    /// Downloads a blob; the registry may have it elsewhere, where no credentials go.
    pub(super) fn blob(&mut self, hex: &str) -> Result<Vec<u8>, FetchError> {
        self.client.link.allow("the chart", self.limits.archive_bytes);
        let url = self.place.at(&format!("v2/{}/blobs/sha256:{hex}", self.place.path()));
        let (response, _) = self.ask(&url, &[])?;
        match self.client.refuse(response.status(), response.headers()) {
            Some(error) => Err(error),
            None => self.body(response),
        }
    }

    /// Sends a GET and, once, shows who asks if the registry wants to know.
    fn ask(&mut self, url: &str, headers: &[(HeaderName, HeaderValue)]) -> Result<(Response<Incoming>, String), FetchError> {
        let asked = answer(&mut self.client, url, headers).map_err(|error| self.told(&error))?;
        if asked.0.status() != http::StatusCode::UNAUTHORIZED || self.challenged {
            return Ok(asked);
        }
        // Whoever is asked after a redirect learns nothing.
        let at_home = Origin::parse(&asked.1).is_some_and(|(origin, _)| origin == *self.client.home());
        let said = asked.0.headers().get_all(header::WWW_AUTHENTICATE);
        let said = challenge::parse(said.iter().filter_map(|header| header.to_str().ok()));
        let shown = match said.into_iter().next().filter(|_| at_home) {
            Some(Challenge::Basic) => self.authorization()?,
            Some(Challenge::Bearer { realm, service, scope }) => Some(self.token(&realm, service.as_deref(), scope)?),
            None => None,
        };
        let Some(shown) = shown else { return Ok(asked) };
        self.challenged = true;
        self.client.authorize(shown);
        answer(&mut self.client, url, headers).map_err(|error| self.told(&error))
    }

    fn authorization(&self) -> Result<Option<HeaderValue>, FetchError> {
        authorization(self.credentials).map_err(|why| FetchError::Credentials { url: self.place.shown(), why })
    }

    /// Returns the header with a token: one's own, or what the token service gives.
    fn token(&mut self, realm: &str, service: Option<&str>, scope: Option<String>) -> Result<HeaderValue, FetchError> {
        let own = self.authorization()?;
        if let Some(token) = own.clone().filter(|_| self.credentials.bearer_token.is_some()) {
            return Ok(token);
        }
        let (origin, _) = Origin::parse(realm).ok_or_else(|| self.unlike("its token service has no http URL"))?;
        if self.client.home().tls && !origin.tls {
            return Err(self.unlike("its token service has no TLS"));
        }
        let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", self.place.path()));
        let mut query: Vec<String> = scope.split(' ').map(|scope| format!("scope={}", encoded(scope))).collect();
        query.extend(service.map(|service| format!("service={}", encoded(service))));
        let joint = if realm.contains('?') { '&' } else { '?' };
        let url = format!("{realm}{joint}{}", query.join("&"));
        self.client.link.allow("the token", MAX_TOKEN_BYTES);
        let mut client = self.client.beside(origin, own);
        let (response, _) = follow(&mut client, &url, &[]).map_err(|error| self.told(&error))?;
        let bytes = self.body(response)?;
        // The error may quote what it could not read, and that may be the token.
        let token: Token = serde_json::from_slice(&bytes).map_err(|_| self.unlike("its token service gives none"))?;
        let token = if token.token.is_empty() { token.access_token } else { token.token };
        let mut header = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| self.unlike("its token service gives none"))?;
        header.set_sensitive(true);
        if token.is_empty() { Err(self.unlike("its token service gives none")) } else { Ok(header) }
    }

    fn body(&self, response: Response<Incoming>) -> Result<Vec<u8>, FetchError> {
        Content::new(self.client.link.clone(), response.into_body()).all().map_err(|error| self.told(&error))
    }

    fn unlike(&self, why: &str) -> FetchError {
        FetchError::Protocol { url: self.place.shown(), expected: self.place.expected(), why: quote(why) }
    }
}

/// Returns the target of a `Link` header that is the next page (RFC 8288).
fn next_page(header: &str) -> Option<&str> {
    let (target, rest) = header.trim().strip_prefix('<')?.split_once('>')?;
    let rest = rest.to_ascii_lowercase().replace([' ', '"'], "");
    rest.split(';').any(|parameter| parameter == "rel=next").then_some(target)
}

/// Returns a text as it may stand in a query.
fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_where_the_header_says() {
        for (header, expect) in [
            ("</v2/a/tags/list?last=x&n=2>; rel=\"next\"", Some("/v2/a/tags/list?last=x&n=2")),
            ("<https://a/b>;rel=next", Some("https://a/b")),
            ("<https://a/b>; rel=\"prev\"", None),
            ("/v2/a", None),
            ("", None),
        ] {
            assert_eq!(next_page(header), expect, "{header}");
        }
    }

    #[test]
    fn a_query_holds_any_text() {
        assert_eq!(encoded("repository:a/b:pull"), "repository%3Aa%2Fb%3Apull");
        assert_eq!(encoded("x&y=ü"), "x%26y%3D%C3%BC");
    }
}
