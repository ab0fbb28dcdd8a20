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

use plumb_unit::{ChartRepository, ChartSource, ChartVersion, Credentials};

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
    /// The version, as the index or the tag has it; empty where only a digest or a URL was given.
    pub version: String,
    /// SHA-256 in hex: in a registry the manifest's, else the archive's.
    pub digest: String,
    /// The archive.
    pub bytes: Vec<u8>,
}

/// A version that a [`ChartClient`] has found, not downloaded yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundChart(Found);

impl FoundChart {
    /// Returns the version, as the index or the tag has it; empty where only a digest was given.
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// Returns the URL of the archive; none in a registry.
    pub fn url(&self) -> Option<&str> {
        match &self.0.at {
            At::Url(url) => Some(url),
            At::Blob(_) => None,
        }
    }
}

/// Fetches charts and keeps nothing: for commands that write archives where the user says.
#[derive(Default)]
pub struct ChartClient {
    roots: Roots,
    limits: Limits,
}

impl ChartClient {
    /// Finds the version that a source means now.
    pub fn find(&self, source: &ChartSource, credentials: Option<&Credentials>, options: &FetchOptions) -> Result<FoundChart, FetchError> {
        check_version(&source.version)?;
        self.visit(&source.repository, credentials, options, |visit| visit.find(&source.version).map(FoundChart))
    }

    /// Downloads what was found of a source.
    pub fn download(
        &self,
        source: &ChartSource,
        found: &FoundChart,
        credentials: Option<&Credentials>,
        options: &FetchOptions,
    ) -> Result<ChartArchive, FetchError> {
        self.visit(&source.repository, credentials, options, |visit| {
            let (bytes, digest) = visit.download(&found.0)?;
            Ok(ChartArchive { version: found.0.version.clone(), digest, bytes })
        })
    }

    /// Downloads an archive by its URL, which no index vouches for.
    pub fn archive(&self, url: &str, credentials: Option<&Credentials>, options: &FetchOptions) -> Result<ChartArchive, FetchError> {
        let plain = url.split(['?', '#']).next().unwrap_or(url);
        let folder = plain.rsplit_once('/').map_or(plain, |(folder, _)| folder).to_owned();
        // What it is called does not matter to anybody here.
        let repository = ChartRepository::Http { url: folder, chart: "chart".to_owned() };
        self.visit(&repository, credentials, options, |visit| {
            let bytes = visit.archive_at(url)?;
            Ok(ChartArchive { version: String::new(), digest: hex_sha256(&bytes), bytes })
        })
    }

    fn visit<T>(
        &self,
        repository: &ChartRepository,
        credentials: Option<&Credentials>,
        options: &FetchOptions,
        work: impl FnOnce(&mut Visit<'_>) -> Result<T, FetchError>,
    ) -> Result<T, FetchError> {
        let place = Place::parse(repository)?;
        let nothing = Credentials::default();
        let means = Means { roots: &self.roots, limits: &self.limits, loopback: true };
        let patience = Patience::new(options.timeout, options.interrupt.clone());
        work(&mut Visit::begin(&place, credentials.unwrap_or(&nothing), &means, &patience)?)
    }
}
