//! Owns what can go wrong with a fetch, and what each failure means for the caller.

use crate::url::UrlError;

/// Why there is no revision.
///
/// Failures are shared by all who waited for the same fetch, so they are cloned; causes are kept as text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The URL is none that is fetched from.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The name of a branch or tag, or a commit id, is malformed.
    #[error("`{name}` cannot be {what}: {why}")]
    Reference {
        /// What was asked for.
        name: String,
        /// What it should have been, with its article.
        what: &'static str,
        /// The reason.
        why: String,
    },
    /// The credentials themselves cannot be used.
    #[error("the credentials for {url} cannot be used: {why}")]
    Credentials {
        /// The repository.
        url: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// The server answered, and the branch, tag or HEAD is not among its refs.
    #[error("{url} has no {reference}; push it, or name one that is there")]
    NoSuchRef {
        /// The repository.
        url: String,
        /// The ref, as "branch `main`".
        reference: String,
    },
    /// The server answered, and the repository has no ref at all.
    #[error("{url} is empty: no branch and no tag; push a commit, or restore the repository")]
    Empty {
        /// The repository.
        url: String,
    },
    /// The server answered, and none of its branches and tags holds the commit.
    #[error("no branch or tag of {url} holds commit {commit}; push a ref that does, or name another commit")]
    CommitNotHeld {
        /// The repository.
        url: String,
        /// The commit.
        commit: String,
    },
    /// The repository answered, and has no such chart.
    #[error("{url} has no chart `{chart}`; check its name")]
    NoSuchChart {
        /// The repository.
        url: String,
        /// The chart.
        chart: String,
    },
    /// The repository answered, and has the chart in no version that fits.
    #[error("{url} has no version of `{chart}` that fits `{wanted}`{newest}")]
    NoSuchVersion {
        /// The repository.
        url: String,
        /// The chart.
        chart: String,
        /// What was asked for.
        wanted: String,
        /// The newest that is there, as a clause; empty where there is none.
        newest: String,
    },
    /// What came is not what its digest says.
    #[error("{what} from {url} has the digest sha256:{found}, not sha256:{wanted}; do not use it before whoever publishes it says why")]
    Digest {
        /// The repository.
        url: String,
        /// What came.
        what: String,
        /// The digest that was promised, in hex.
        wanted: String,
        /// The digest that it has, in hex.
        found: String,
    },
    /// What came is no chart.
    #[error("{what} from {url} is not a chart: {why}")]
    NotAChart {
        /// The repository.
        url: String,
        /// What came.
        what: String,
        /// The reason.
        why: String,
    },
    /// A ref names something that is not a commit.
    #[error("{reference} of {url} names {found}, not a commit")]
    NotACommit {
        /// The repository.
        url: String,
        /// The ref.
        reference: String,
        /// What it names, with its article.
        found: String,
    },
    /// The server wants credentials, or other ones.
    #[error("{url} did not accept the credentials: {why}")]
    Unauthorized {
        /// The repository.
        url: String,
        /// What was sent, and what to do.
        why: String,
    },
    /// The server knows who asks, and refuses.
    #[error("{url} refuses access: {why}; ask for the right to read it, or give other credentials")]
    Forbidden {
        /// The repository.
        url: String,
        /// What the server said.
        why: String,
    },
    /// The server knows no such repository, or hides it from these credentials.
    #[error("{url} does not exist, or these credentials may not see it; check the URL and the right to read it")]
    NotFound {
        /// The repository.
        url: String,
    },
    /// The repository moved in a way that is not followed.
    #[error("{url} has moved to {to}; change the URL")]
    Moved {
        /// The repository.
        url: String,
        /// Where the server points.
        to: String,
    },
    /// The SSH server's key is not the known one.
    #[error("the host key of {host} is not accepted: {why}")]
    HostKey {
        /// Host and port.
        host: String,
        /// The reason, and what to do.
        why: String,
    },
    /// No TLS connection that could be trusted.
    #[error("no trusted TLS connection to {url}: {why}; a private authority goes into `ca.crt` of the credentials")]
    Tls {
        /// The repository.
        url: String,
        /// The cause.
        why: String,
    },
    /// It leads to an address that nothing is fetched from.
    #[error("{url} leads to {host} {why}; nothing is fetched from there")]
    Egress {
        /// The repository.
        url: String,
        /// The host and the address that it has.
        host: String,
        /// What that address is.
        why: &'static str,
    },
    /// The server could not be reached, or hung up.
    #[error("{url} cannot be reached: {why}")]
    Unreachable {
        /// The repository.
        url: String,
        /// The cause.
        why: String,
    },
    /// The server says that it has a problem or is too busy.
    #[error("{url} is not available: HTTP status {status}")]
    Unavailable {
        /// The repository.
        url: String,
        /// The status.
        status: u16,
    },
    /// The server does not speak as is expected.
    #[error("{url} does not answer as {expected}: {why}")]
    Protocol {
        /// The repository.
        url: String,
        /// What should be there, with its article.
        expected: &'static str,
        /// The cause.
        why: String,
    },
    /// Something is over one of the named limits.
    #[error("{what} of {url} is over the limit of {limit} bytes")]
    TooLarge {
        /// The repository.
        url: String,
        /// What is too large, with its article.
        what: &'static str,
        /// The limit in bytes.
        limit: u64,
    },
    /// What was received is malformed or incomplete.
    #[error("what {url} sent is broken: {why}")]
    Corrupt {
        /// The repository.
        url: String,
        /// The cause.
        why: String,
    },
    /// The fetch took too long.
    #[error("{url} did not answer within {seconds} s")]
    DeadlineExceeded {
        /// The repository.
        url: String,
        /// The time that was given.
        seconds: u64,
    },
    /// The caller's flag ended the fetch.
    #[error("the fetch from {url} was interrupted")]
    Interrupted {
        /// The repository.
        url: String,
    },
    /// This cache does not read repositories of its own machine.
    #[error("{url}: repositories of this machine are not read here; serve it over http or ssh")]
    FileUrl {
        /// The URL.
        url: String,
    },
    /// The cache's own folder could not be used.
    #[error("the repository cache at {path}: {why}")]
    Cache {
        /// The file or folder.
        path: String,
        /// The cause.
        why: String,
    },
    /// A bug, contained.
    #[error("fetching from {url} failed in an unforeseen way: {why}")]
    Bug {
        /// The repository.
        url: String,
        /// What the panic said.
        why: String,
    },
}

/// What a repository of Git is at.
pub(crate) const GIT: &str = "a Git server";

/// What a failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FetchClass {
    /// The server answered, and what was asked for is not there. The only class that says something about the source.
    Absent,
    /// Could not tell: access was refused, or the repository is hidden. Somebody must change credentials, rights or URL.
    Denied,
    /// Could not tell: try again later.
    Unavailable,
    /// Could not tell: what came is malformed or over a limit. Trying again helps only after the source has changed.
    Refused,
    /// The declaration itself is wrong.
    Invalid,
    /// The caller ended it.
    Interrupted,
    /// This machine has a problem.
    Local,
}

impl FetchClass {
    /// Returns whether the server said that the thing is not there; otherwise nothing is known about it.
    pub fn is_absent(self) -> bool {
        self == Self::Absent
    }

    /// Returns whether trying again without any change may help.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Unavailable | Self::Interrupted | Self::Local)
    }
}

/// Returns what a failure means for the caller. No failure of a fetch is evidence for a deletion; `Absent` alone may be
/// shown as a statement about the source.
pub fn classify(error: &FetchError) -> FetchClass {
    use FetchError as E;
    match error {
        E::NoSuchRef { .. } | E::Empty { .. } | E::CommitNotHeld { .. } | E::NoSuchChart { .. } | E::NoSuchVersion { .. } => {
            FetchClass::Absent
        }
        E::Unauthorized { .. }
        | E::Forbidden { .. }
        | E::NotFound { .. }
        | E::Moved { .. }
        | E::HostKey { .. }
        | E::Tls { .. }
        | E::Egress { .. } => FetchClass::Denied,
        E::Unreachable { .. } | E::Unavailable { .. } | E::DeadlineExceeded { .. } => FetchClass::Unavailable,
        E::Protocol { .. }
        | E::TooLarge { .. }
        | E::Corrupt { .. }
        | E::NotACommit { .. }
        | E::Digest { .. }
        | E::NotAChart { .. }
        | E::Bug { .. } => FetchClass::Refused,
        E::Url(_) | E::Reference { .. } | E::Credentials { .. } | E::FileUrl { .. } => FetchClass::Invalid,
        E::Interrupted { .. } => FetchClass::Interrupted,
        E::Cache { .. } => FetchClass::Local,
    }
}

/// Returns text from a server fit for a message: one line, no control characters, bounded.
pub(crate) fn quote(text: &str) -> String {
    const LONGEST: usize = 300;
    let clean: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns an error with all its causes, one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    quote(&text)
}
