//! Owns fetching charts: which version a range means now, and its archive, checked against its digest. A chart lies in a
//! repository on the web (`repository`) or in a registry (`registry`). Must not keep anything: that is `cache`'s.

mod challenge;
mod import;
mod index;
mod pick;
mod place;
mod registry;
mod repository;

use std::io;

use plumb_unit::{ChartSource, ChartVersion, Credentials};

pub(crate) use import::Import;
pub(crate) use place::{Place, check_version, describe};

use crate::cache::FetchOptions;
use crate::client::{Client, authorization};
use crate::egress::Egress;
use crate::error::{FetchError, quote};
use crate::limits::Limits;
use crate::link::{Link, Patience};
use crate::tls::Roots;

/// A version that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// As the index or the tag has it; empty where only a digest was asked for.
    pub(crate) version: String,
    /// What names the revision, in hex: of a registry the manifest's digest, else the archive's; none where an index
    /// does not tell.
    pub(crate) digest: Option<String>,
    pub(crate) at: At,
}

/// Where an archive is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Url(String),
    /// A blob of the registry, by its SHA-256 in hex.
    Blob(String),
}

/// A conversation about one chart.
pub(crate) struct Visit<'a> {
    client: Client,
    place: &'a Place,
    credentials: &'a Credentials,
    limits: &'a Limits,
    /// Whether the registry has been shown who asks.
    challenged: bool,
}

/// What all conversations of one process share.
pub(crate) struct Means<'a> {
    pub(crate) roots: &'a Roots,
    pub(crate) limits: &'a Limits,
    /// Whether sources may be on this machine.
    pub(crate) loopback: bool,
}

impl<'a> Visit<'a> {
    pub(crate) fn begin(
        place: &'a Place,
        credentials: &'a Credentials,
        means: &Means<'a>,
        patience: &Patience,
    ) -> Result<Self, FetchError> {
        let egress = Egress::of(place.host(), means.loopback);
        let link = Link::new(&place.shown(), place.expected(), egress, patience.clone(), ("the answer", means.limits.listing_bytes))?;
        let broken = |why| FetchError::Credentials { url: place.shown(), why };
        let home = place.origin();
        let config = means.roots.config(credentials.ca_crt.as_deref().filter(|_| home.tls)).map_err(broken)?;
        let shown = authorization(credentials).map_err(broken)?;
        // A registry says itself what it wants to see.
        let client = Client::new(link, config, home, shown.filter(|_| !place.is_registry()));
        Ok(Self { client, place, credentials, limits: means.limits, challenged: false })
    }

    /// Finds the version that is wanted.
    pub(crate) fn find(&mut self, wanted: &ChartVersion) -> Result<Found, FetchError> {
        if self.place.is_registry() { self.find_in_registry(wanted) } else { self.find_in_index(wanted) }
    }

    /// Downloads what was found, and checks it. Returns it with the digest of its revision.
    pub(crate) fn download(&mut self, found: &Found) -> Result<(Vec<u8>, String), FetchError> {
        let (bytes, wanted) = match &found.at {
            At::Url(url) => (self.archive_at(url)?, found.digest.clone()),
            At::Blob(hex) => (self.blob(hex)?, Some(hex.clone())),
        };
        let own = hex_sha256(&bytes);
        if let Some(wanted) = wanted.filter(|wanted| *wanted != own) {
            let what = format!("{} {}", self.place.chart(), quote(&found.version)).trim_end().to_owned();
            return Err(FetchError::Digest { url: self.place.shown(), what, wanted, found: own });
        }
        let digest = found.digest.clone().unwrap_or(own);
        Ok((bytes, digest))
    }

    /// Returns the failure behind an error of reading, which knows only that something went wrong.
    fn told(&self, error: &io::Error) -> FetchError {
        let (url, expected) = (self.place.shown(), self.place.expected());
        self.client.link.failure().unwrap_or_else(|| FetchError::Protocol { url, expected, why: crate::error::chain(error) })
    }
}

/// Returns the SHA-256 in hex.
pub(crate) fn hex_sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A chart's archive, as it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartArchive {
    /// The version, as the index or the tag has it.
    pub version: String,
    /// SHA-256 in hex: in a registry the manifest's, else the archive's.
    pub digest: String,
    /// Where the archive is; of a registry the chart's `oci://` URL.
    pub url: String,
    /// The archive.
    pub bytes: Vec<u8>,
}

/// Fetches charts and keeps nothing: for commands that write archives where the user says.
#[derive(Default)]
pub struct ChartClient {
    roots: Roots,
    limits: Limits,
}

impl ChartClient {
    /// Returns the version that a source means now, and where its archive is, without downloading that.
    pub fn resolve(
        &self,
        source: &ChartSource,
        credentials: Option<&Credentials>,
        options: &FetchOptions,
    ) -> Result<(String, String), FetchError> {
        self.visit(source, credentials, options, |visit| {
            let found = visit.find(&source.version)?;
            let url = match &found.at {
                At::Url(url) => url.clone(),
                At::Blob(_) => visit.place.shown(),
            };
            Ok((found.version, url))
        })
    }

    /// Returns the versions that a registry has of a chart, newest first.
    pub fn versions(
        &self,
        source: &ChartSource,
        credentials: Option<&Credentials>,
        options: &FetchOptions,
    ) -> Result<Vec<String>, FetchError> {
        self.visit(source, credentials, options, |visit| {
            let tags = visit.tags()?;
            Ok(pick::newest_first(tags, String::clone).into_iter().map(|(_, tag)| tag).collect())
        })
    }

    /// Downloads the archive that a source means now.
    pub fn fetch(
        &self,
        source: &ChartSource,
        credentials: Option<&Credentials>,
        options: &FetchOptions,
    ) -> Result<ChartArchive, FetchError> {
        self.visit(source, credentials, options, |visit| {
            let found = visit.find(&source.version)?;
            let (bytes, digest) = visit.download(&found)?;
            let url = match found.at {
                At::Url(url) => url,
                At::Blob(_) => visit.place.shown(),
            };
            Ok(ChartArchive { version: found.version, digest, url, bytes })
        })
    }

    fn visit<T>(
        &self,
        source: &ChartSource,
        credentials: Option<&Credentials>,
        options: &FetchOptions,
        work: impl FnOnce(&mut Visit<'_>) -> Result<T, FetchError>,
    ) -> Result<T, FetchError> {
        let place = Place::parse(&source.repository)?;
        check_version(&source.version)?;
        let nothing = Credentials::default();
        let means = Means { roots: &self.roots, limits: &self.limits, loopback: true };
        let patience = Patience::new(options.timeout, options.interrupt.clone());
        work(&mut Visit::begin(&place, credentials.unwrap_or(&nothing), &means, &patience)?)
    }
}
