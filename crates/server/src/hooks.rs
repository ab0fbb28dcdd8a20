//! Owns push notifications: limits before reading, authentication before parsing, and nothing of a payload but an address and a ref.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http_body_util::BodyExt;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::rate::{Rates, Remote};
use crate::signature::{Claim, HookSecret, Verdict, Verifier};
use crate::{Notice, Notices, RepoUrl};

/// How long a notification's body may be.
pub const MAX_BODY_BYTES: usize = 1 << 20;
/// How many bytes of bodies may be in memory at once, over all connections.
pub const BODY_BUDGET_BYTES: usize = 8 << 20;
/// How long a body may take to arrive.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What a notification without a good signature costs its remote, in tokens.
const BAD_TOKENS: f64 = 1.0;
/// What a good one costs: it is nearly free, for many about one repository become one look at it.
const GOOD_TOKENS: f64 = 0.1;
/// Longest ref that is handed on.
const MAX_REF_BYTES: usize = 1024;
/// Addresses of one repository that a payload may name.
const MAX_ADDRESSES: usize = 4;

/// Push notifications. Cheap to clone.
#[derive(Clone)]
pub struct Hooks {
    shared: Arc<Shared>,
}

struct Shared {
    verifier: Verifier,
    notices: Arc<dyn Notices>,
    rates: Rates,
    budget: Arc<Semaphore>,
    body_timeout: Duration,
    counts: Counts,
}

/// How many notifications ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HookCounts {
    /// Handed on.
    pub accepted: u64,
    /// Well signed, and not about a push, or seen before.
    pub ignored: u64,
    /// Not signed, badly signed, or signed too long ago.
    pub unauthorized: u64,
    /// Well signed and not understood.
    pub malformed: u64,
    /// Longer than [`MAX_BODY_BYTES`].
    pub too_large: u64,
    /// Too slow to arrive.
    pub too_slow: u64,
    /// Turned away because of the rate or the memory they would take.
    pub turned_away: u64,
}

#[derive(Default)]
struct Counts {
    accepted: AtomicU64,
    ignored: AtomicU64,
    unauthorized: AtomicU64,
    malformed: AtomicU64,
    too_large: AtomicU64,
    too_slow: AtomicU64,
    turned_away: AtomicU64,
}

impl Hooks {
    /// Takes the secrets of those who may give notice, and whom to tell.
    pub fn new(secrets: Vec<HookSecret>, notices: Arc<dyn Notices>) -> Self {
        Self::with_body_timeout(secrets, notices, BODY_TIMEOUT)
    }

    /// Takes another time that a body may take to arrive.
    pub fn with_body_timeout(secrets: Vec<HookSecret>, notices: Arc<dyn Notices>, body_timeout: Duration) -> Self {
        let shared = Shared {
            verifier: Verifier::new(secrets),
            notices,
            rates: Rates::default(),
            budget: Arc::new(Semaphore::new(BODY_BUDGET_BYTES)),
            body_timeout,
            counts: Counts::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Returns how many notifications ended how, since the start.
    pub fn counts(&self) -> HookCounts {
        let counts = &self.shared.counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        HookCounts {
            accepted: read(&counts.accepted),
            ignored: read(&counts.ignored),
            unauthorized: read(&counts.unauthorized),
            malformed: read(&counts.malformed),
            too_large: read(&counts.too_large),
            too_slow: read(&counts.too_slow),
            turned_away: read(&counts.turned_away),
        }
    }
}

/// Returns the routes of push notifications.
pub(crate) fn routes(hooks: Hooks) -> Router {
    Router::new().route("/hooks/github", post(github)).route("/hooks/generic", post(generic)).with_state(hooks)
}

/// Why a notification goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    TurnedAway,
    NoRoom,
    TooLarge,
    TooSlow,
    Broken,
    Unauthorized,
    Malformed,
}

/// What a well signed notification leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Accepted,
    Ignored,
}

async fn github(State(hooks): State<Hooks>, Extension(remote): Extension<Remote>, request: Request) -> Response {
    let claim = text(request.headers(), "x-hub-signature-256").and_then(Claim::from_hub);
    let event = text(request.headers(), "x-github-event").unwrap_or("push").to_owned();
    let is_form = text(request.headers(), "content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let result = match hooks.shared.receive(remote, request, claim).await {
        Ok(Received { replayed: true, .. }) => Ok(Taken::Ignored),
        Ok(_) if event != "push" => Ok(Taken::Ignored),
        Ok(received) => hooks.shared.take_github(&received.body, is_form),
        Err(refusal) => Err(refusal),
    };
    hooks.shared.answer(result)
}

async fn generic(State(hooks): State<Hooks>, Extension(remote): Extension<Remote>, request: Request) -> Response {
    let headers = request.headers();
    let timed = text(headers, "x-plumb-signature").map(Claim::from_timed);
    let claim = timed.unwrap_or_else(|| text(headers, "x-hub-signature-256").and_then(Claim::from_hub));
    let result = match hooks.shared.receive(remote, request, claim).await {
        Ok(Received { replayed: true, .. }) => Ok(Taken::Ignored),
        Ok(received) => hooks.shared.take_generic(&received.body),
        Err(refusal) => Err(refusal),
    };
    hooks.shared.answer(result)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A well signed body. The permits are its share of the memory for bodies.
struct Received {
    body: Vec<u8>,
    replayed: bool,
    _share: Option<OwnedSemaphorePermit>,
}

#[derive(Deserialize)]
struct GithubPush {
    #[serde(rename = "ref", default)]
    reference: Option<String>,
    repository: GithubRepository,
}

#[derive(Deserialize)]
struct GithubRepository {
    #[serde(default)]
    clone_url: Option<String>,
    #[serde(default)]
    ssh_url: Option<String>,
    #[serde(default)]
    git_url: Option<String>,
    #[serde(default)]
    html_url: Option<String>,
}

#[derive(Deserialize)]
struct GenericPush {
    url: String,
    #[serde(rename = "ref", default)]
    reference: Option<String>,
}

impl Shared {
    /// Reads and authenticates a body. Nothing is read of a request that is too long, too frequent or not signed at all.
    async fn receive(&self, remote: Remote, request: Request, claim: Option<Claim>) -> Result<Received, Refusal> {
        if !self.rates.take(remote, GOOD_TOKENS, Instant::now()) {
            return Err(Refusal::TurnedAway);
        }
        let declared = text(request.headers(), "content-length").and_then(|length| length.parse::<u64>().ok());
        if declared.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
            return Err(Refusal::TooLarge);
        }
        let unsigned = || self.rates.take(remote, BAD_TOKENS, Instant::now());
        let Some(claim) = claim else {
            unsigned();
            return Err(Refusal::Unauthorized);
        };
        let (body, share) =
            tokio::time::timeout(self.body_timeout, self.read(request.into_body())).await.map_err(|_| Refusal::TooSlow)??;
        let replayed = match self.verifier.check(&claim, &body, now_seconds()) {
            Verdict::Good => false,
            Verdict::Replayed => true,
            Verdict::Bad | Verdict::OutOfTime => {
                unsigned();
                return Err(Refusal::Unauthorized);
            }
        };
        Ok(Received { body, replayed, _share: share })
    }

    /// Reads a body. Memory is taken as bytes arrive, not as they are announced.
    async fn read(&self, mut body: Body) -> Result<(Vec<u8>, Option<OwnedSemaphorePermit>), Refusal> {
        let mut bytes = Vec::new();
        let mut share: Option<OwnedSemaphorePermit> = None;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Refusal::Broken)?.into_data() else { continue };
            if bytes.len() + data.len() > MAX_BODY_BYTES {
                return Err(Refusal::TooLarge);
            }
            let more = u32::try_from(data.len()).map_err(|_| Refusal::TooLarge)?;
            let more = self.budget.clone().try_acquire_many_owned(more).map_err(|_| Refusal::NoRoom)?;
            match &mut share {
                Some(share) => share.merge(more),
                None => share = Some(more),
            }
            bytes.extend_from_slice(&data);
        }
        Ok((bytes, share))
    }

    fn take_github(&self, body: &[u8], is_form: bool) -> Result<Taken, Refusal> {
        let payload;
        let json = if is_form {
            payload = form_urlencoded::parse(body).find(|(name, _)| name == "payload").ok_or(Refusal::Malformed)?.1;
            payload.as_bytes()
        } else {
            body
        };
        let push: GithubPush = serde_json::from_slice(json).map_err(|_| Refusal::Malformed)?;
        let GithubRepository { clone_url, ssh_url, git_url, html_url } = push.repository;
        let named = [clone_url, ssh_url, git_url, html_url];
        self.notify(named.iter().flatten().map(String::as_str), push.reference)
    }

    fn take_generic(&self, body: &[u8]) -> Result<Taken, Refusal> {
        let push: GenericPush = serde_json::from_slice(body).map_err(|_| Refusal::Malformed)?;
        self.notify(std::iter::once(push.url.as_str()), push.reference)
    }

    fn notify<'a>(&self, addresses: impl Iterator<Item = &'a str>, reference: Option<String>) -> Result<Taken, Refusal> {
        let reference = reference.filter(|text| text.len() <= MAX_REF_BYTES && !text.chars().any(char::is_control));
        let mut repositories: Vec<RepoUrl> = addresses.take(MAX_ADDRESSES).filter_map(RepoUrl::parse).collect();
        repositories.sort();
        repositories.dedup();
        if repositories.is_empty() {
            return Err(Refusal::Malformed);
        }
        for repository in repositories {
            self.notices.pushed(Notice { repository, reference: reference.clone() });
        }
        Ok(Taken::Accepted)
    }

    fn answer(&self, result: Result<Taken, Refusal>) -> Response {
        let counts = &self.counts;
        let (count, status, text) = match result {
            Ok(Taken::Accepted) => (&counts.accepted, StatusCode::ACCEPTED, "accepted\n"),
            Ok(Taken::Ignored) => (&counts.ignored, StatusCode::ACCEPTED, "ignored\n"),
            Err(Refusal::TurnedAway) => (&counts.turned_away, StatusCode::TOO_MANY_REQUESTS, "too many requests; try again later\n"),
            Err(Refusal::NoRoom) => (&counts.turned_away, StatusCode::SERVICE_UNAVAILABLE, "too busy; try again later\n"),
            Err(Refusal::TooLarge) => (&counts.too_large, StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 1 MiB\n"),
            Err(Refusal::TooSlow) => (&counts.too_slow, StatusCode::REQUEST_TIMEOUT, "the body took too long\n"),
            Err(Refusal::Broken) => (&counts.malformed, StatusCode::BAD_REQUEST, "the body broke off\n"),
            Err(Refusal::Unauthorized) => (&counts.unauthorized, StatusCode::UNAUTHORIZED, "no valid signature\n"),
            Err(Refusal::Malformed) => (&counts.malformed, StatusCode::BAD_REQUEST, "the payload names no repository\n"),
        };
        count.fetch_add(1, Ordering::Relaxed);
        let mut response = (status, text).into_response();
        if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        if result.is_err() {
            // What was not read of the body is not waited for.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

fn now_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
