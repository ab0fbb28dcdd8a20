//! Owns charts that are somewhere else: what a reference on the command line means (`oci://…`, the URL of an archive, `--repo`,
//! `REPOSITORY/CHART`), which credentials go with it, and fetching it. Must not write any file.

use std::path::PathBuf;

use clap::Args;
use plumb_go::semver::Version;
use plumb_source::{ChartArchive, ChartClient, FetchError, FetchOptions};
use plumb_unit::{ChartRepository, ChartSource, ChartVersion, Credentials};
use plumb_world::{RelPath, Secret};

use super::repositories::{Repositories, Repository};
use crate::printer::Printer;
use crate::problem::Problem;

/// What `--devel` stands for: prereleases too.
const DEVEL: &str = ">0.0.0-0";

/// Where a chart comes from, when it is not on this machine.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RemoteArgs {
    /// Chart repository to take the chart from
    #[arg(long, value_name = "URL")]
    pub(crate) repo: Option<String>,
    /// Version of the chart, or a range of versions; the newest when left out
    #[arg(long, value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// Take prereleases too; the same as `--version '>0.0.0-0'`
    #[arg(long)]
    pub(crate) devel: bool,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
}

/// Who fetches a chart, and how.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct AccessArgs {
    /// User for the chart's repository or registry
    #[arg(long, value_name = "USER")]
    pub(crate) username: Option<String>,
    /// That user's password
    #[arg(long, value_name = "PASSWORD", value_parser = secret)]
    pub(crate) password: Option<Secret<String>>,
    /// Authority to trust beside the system's, a PEM file
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Speak to a registry without TLS
    #[arg(long)]
    pub(crate) plain_http: bool,
}

fn secret(text: &str) -> Result<Secret<String>, std::convert::Infallible> {
    Ok(Secret::new(text.to_owned()))
}

/// A chart that came from somewhere else.
pub(crate) struct Pulled {
    pub(crate) archive: ChartArchive,
    /// What Helm would call the file.
    pub(crate) file: String,
    /// What Helm tells of one from a registry: two lines.
    pub(crate) told: Option<String>,
}

/// Fetches charts for one command.
pub(crate) struct Remote<'a> {
    client: ChartClient,
    options: FetchOptions,
    access: &'a AccessArgs,
    pub(crate) repositories: Repositories,
}

impl<'a> Remote<'a> {
    /// Reads the user's repositories, and gets ready.
    pub(crate) fn open(access: &'a AccessArgs) -> Result<Self, Problem> {
        Ok(Self { client: ChartClient::default(), options: FetchOptions::default(), access, repositories: Repositories::read()? })
    }

    /// Returns a chart of a registry as a source: `oci://HOST/PATH/CHART`, with `:TAG` or `@DIGEST` if they are to count.
    pub(crate) fn in_registry(&self, reference: &str, version: &str) -> Result<ChartSource, Problem> {
        let (rest, digest) = reference.split_once('@').map_or((reference, None), |(rest, digest)| (rest, Some(digest)));
        let slash = rest.rfind('/').unwrap_or(0);
        let (url, tag) = match rest[slash..].split_once(':') {
            Some((name, tag)) => (format!("{}{name}", &rest[..slash]), tag),
            None => (rest.to_owned(), ""),
        };
        if !tag.is_empty() && !version.is_empty() && tag != version {
            return Err(Problem::new(format!("chart reference and version mismatch: {version} is not {tag}")));
        }
        let wanted = if tag.is_empty() { version } else { tag };
        let version = match digest {
            Some(digest) => ChartVersion::Digest(digest.to_owned()),
            None if !tag.is_empty() && Version::parse(tag).is_err() => ChartVersion::Tag(tag.to_owned()),
            None => ChartVersion::Range(wanted.to_owned()),
        };
        let repository = ChartRepository::Oci { url, insecure: self.access.plain_http };
        Ok(ChartSource { repository, version, secret: None, path: RelPath::root() })
    }

    /// Returns a chart of a chart repository as a source.
    pub(crate) fn in_repository(url: &str, chart: &str, version: &str) -> ChartSource {
        let repository = ChartRepository::Http { url: url.to_owned(), chart: chart.to_owned() };
        ChartSource { repository, version: ChartVersion::Range(version.to_owned()), secret: None, path: RelPath::root() }
    }

    /// Fetches the chart that a reference means.
    pub(crate) fn pull(&self, reference: &str, args: &RemoteArgs) -> Result<Pulled, Problem> {
        let version = args.version.as_deref().filter(|version| !version.is_empty());
        let version = version.unwrap_or(if args.devel { DEVEL } else { "" });
        if reference.starts_with("oci://") {
            let source = self.in_registry(reference, version)?;
            return self.pull_source(&source);
        }
        if let Some(url) = &args.repo {
            return self.pull_source(&Self::in_repository(url, reference, version));
        }
        if reference.starts_with("http://") || reference.starts_with("https://") {
            let credentials = self.credentials(reference)?;
            let archive = self.client.archive(reference, credentials.as_ref(), &self.options).map_err(|error| problem(&error))?;
            return Ok(Pulled { archive, file: file_name(reference)?, told: None });
        }
        let Some((name, chart)) = reference.split_once('/') else {
            let message = format!("non-absolute URLs should be in form of repo_name/path_to_chart, got: {reference}");
            return Err(Problem::new(message).hint("`--repo URL` says which repository has it."));
        };
        let Some(Repository { url, .. }) = self.repositories.named(name) else {
            let hint = "`--repo URL CHART`, `oci://HOST/PATH/CHART` and the URL of an archive need no `helm repo add`.";
            return Err(Problem::new(format!("repo {name} not found")).hint(hint));
        };
        self.pull_source(&Self::in_repository(url, chart, version))
    }

    /// Finds what a source means now, and downloads it.
    pub(crate) fn pull_source(&self, source: &ChartSource) -> Result<Pulled, Problem> {
        let found = self.find(source).map_err(|error| problem(&error))?;
        self.download(source, &found)
    }

    /// Finds the version that a source means now.
    pub(crate) fn find(&self, source: &ChartSource) -> Result<plumb_source::FoundChart, FetchError> {
        let credentials = self.credentials(source.repository.url());
        let credentials =
            credentials.map_err(|problem| FetchError::Credentials { url: source.repository.url().to_owned(), why: problem.message })?;
        self.client.find(source, credentials.as_ref(), &self.options)
    }

    /// Downloads what was found.
    pub(crate) fn download(&self, source: &ChartSource, found: &plumb_source::FoundChart) -> Result<Pulled, Problem> {
        let credentials = self.credentials(source.repository.url())?;
        let archive = self.client.download(source, found, credentials.as_ref(), &self.options).map_err(|error| problem(&error))?;
        let ChartRepository::Oci { url, .. } = &source.repository else {
            let file = file_name(found.url().unwrap_or_default())?;
            return Ok(Pulled { archive, file, told: None });
        };
        let place = url.trim_start_matches("oci://").trim_end_matches('/');
        let chart = source.repository.chart();
        let (file, what) = match &source.version {
            ChartVersion::Digest(digest) => (format!("{chart}@{}.tgz", digest.replace(':', "-")), format!("{place}@{digest}")),
            _ => (format!("{chart}-{}.tgz", archive.version), format!("{place}:{}", archive.version.replace('+', "_"))),
        };
        let told = format!("Pulled: {what}\nDigest: sha256:{}\n", archive.digest);
        Ok(Pulled { archive, file, told: Some(told) })
    }

    /// Returns what opens a URL: the command's own credentials, else those of the user's repository that it lies in, else those
    /// of the registry.
    fn credentials(&self, url: &str) -> Result<Option<Credentials>, Problem> {
        let AccessArgs { username, password, ca_file, .. } = self.access;
        let mut credentials = match (username, password) {
            (None, None) => self.repositories.credentials(url)?,
            (username, password) => Credentials { username: username.clone(), password: password.clone(), ..Credentials::default() },
        };
        if let Some(path) = ca_file {
            let read = std::fs::read_to_string(path);
            credentials.ca_crt = Some(read.map_err(|error| Problem::new(format!("{} cannot be read: {error}", path.display())))?);
        }
        Ok((credentials != Credentials::default()).then_some(credentials))
    }
}

/// Returns whether a reference can only be meant for somewhere else.
pub(crate) fn is_remote(reference: &str, args: &RemoteArgs) -> bool {
    args.repo.is_some() || ["oci://", "http://", "https://"].iter().any(|scheme| reference.starts_with(scheme))
}

/// Fetches a chart for a command that shows it, and tells what Helm tells beside.
pub(crate) fn fetch(printer: &Printer, reference: &str, args: &RemoteArgs) -> Result<Vec<u8>, Problem> {
    let pulled = Remote::open(&args.access)?.pull(reference, args)?;
    if let Some(told) = &pulled.told {
        printer.err(told);
    }
    Ok(pulled.archive.bytes)
}

/// Returns a failure of fetching, with what to do.
pub(crate) fn problem(error: &FetchError) -> Problem {
    let problem = Problem::of(error);
    match error {
        FetchError::Unauthorized { .. } => {
            problem.hint("`--username` and `--password` say who asks; `helm registry login` and `helm repo add` are read too.")
        }
        FetchError::Tls { .. } => problem.hint("`--plain-http` is for registries without TLS, `--ca-file` for a private authority."),
        _ => problem,
    }
}

/// Returns what the file of a URL is called.
fn file_name(url: &str) -> Result<String, Problem> {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let parsed = plumb_go::url::Url::parse(path.as_bytes()).map(|url| String::from_utf8_lossy(&url.path).into_owned());
    let path = parsed.unwrap_or_else(|_| path.to_owned());
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if matches!(name, "" | "." | "..") || name.contains(|c: char| c.is_control() || c == '\\') {
        return Err(Problem::new(format!("`{}` names no file", crate::printer::clean_line(url))));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_by_the_last_part_of_its_url() {
        let check = |url: &str| file_name(url).map_err(|problem| problem.message);
        assert_eq!(check("https://a/b/redis-1.0.0.tgz?x=/y").as_deref(), Ok("redis-1.0.0.tgz"));
        assert_eq!(check("https://a/b/redis-1.0.0%2Bbuild.tgz").as_deref(), Ok("redis-1.0.0+build.tgz"));
        assert_eq!(check("https://a/b%2F..%2Fpasswd").as_deref(), Ok("passwd"));
        for url in ["https://a/..", "https://a/%2e%2e", "https://a/x%00y", "https://a/", "https://a/b%5Cc"] {
            assert!(check(url).is_err(), "{url}");
        }
    }
}
