//! Owns the requests to one API server: headers, pace, concurrency, time limits and retries.
//! Must not know what a request means; every path and body is made by its caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT, WARNING};
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::error::{ClusterError, Refusal};
use crate::fault::{self, Fault, Moment};
use crate::rate::{Limiter, Rate, backoff};
use crate::time::parse_http_date;

/// Longest answer that is read; a single object is bounded by etcd at a few MiB, a page of 500 by this.
pub const MAX_ANSWER: usize = 256 << 20;
/// How long an order is repeated while the server asks to slow down.
const PATIENCE_THROTTLED: Duration = Duration::from_secs(120);
/// How long an order is repeated while there is no answer, or the server is not able to serve.
const PATIENCE_AWAY: Duration = Duration::from_secs(8);
/// How often an order is repeated after an internal error, which most often is a webhook that does not answer yet.
const RETRIES_INTERNAL: u32 = 3;

/// What may still be written: asked before every attempt of a write.
pub type FenceCheck = Arc<dyn Fn() -> FenceState + Send + Sync>;

/// Whether a write may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FenceState {
    /// It may.
    Holds,
    /// Not now: the renewal is late, as it is when the server is slow. It comes, or the lease is lost; a write waits for either.
    Late,
    /// Never again: this process is no longer the writer.
    Lost,
}

/// How often a write that waits for a late renewal looks.
const LATE_LOOK: Duration = Duration::from_millis(25);

/// Whether a cluster answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Not asked yet.
    Untried,
    /// The last request was answered.
    Up,
    /// The last request was not.
    Down(String),
}

/// How many requests went out, by sort. Retries count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// GET of objects and lists.
    pub reads: u64,
    /// POST, PUT, PATCH and DELETE, without the lease.
    pub writes: u64,
    /// Watches begun.
    pub watches: u64,
    /// Requests about the lease.
    pub lease: u64,
}

/// The headers that say whom a request is made for. Empty headers are the operator itself, and only [`Wire::own`] makes them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ActAs(pub(crate) Arc<[(HeaderName, HeaderValue)]>);

/// What goes out.
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) accept: Option<&'static str>,
    pub(crate) body: Bytes,
    /// What it is about, for messages.
    pub(crate) what: &'a str,
    pub(crate) act_as: &'a ActAs,
    pub(crate) fence: Option<&'a FenceCheck>,
    /// The lease: takes no slot, waits for no token, is not repeated.
    pub(crate) urgent: bool,
    /// Whether an order that got no answer is repeated here; false where the caller has its own rhythm.
    pub(crate) repeat: bool,
}

impl<'a> Call<'a> {
    pub(crate) fn get(path: String, what: &'a str, act_as: &'a ActAs) -> Self {
        Self {
            method: Method::GET,
            path,
            content_type: None,
            accept: None,
            body: Bytes::new(),
            what,
            act_as,
            fence: None,
            urgent: false,
            repeat: true,
        }
    }

    pub(crate) fn write(method: Method, path: String, what: &'a str, act_as: &'a ActAs, content_type: &'static str, body: Vec<u8>) -> Self {
        Self { method, content_type: Some(content_type), body: body.into(), ..Self::get(path, what, act_as) }
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    /// Texts of the `Warning` headers.
    pub(crate) warnings: Vec<String>,
    /// The server's clock, seconds since 1970.
    pub(crate) date: Option<i64>,
    retry_after: Option<Duration>,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(crate) fn refusal(&self, what: &str) -> Refusal {
        Refusal::parse(what, self.status, &self.body, self.retry_after)
    }

    /// Returns the body of a success, else the refusal.
    pub(crate) fn success(self, what: &str) -> Result<Bytes, ClusterError> {
        if self.is_success() { Ok(self.body) } else { Err(self.refusal(what).into_error()) }
    }
}

/// The way to one API server.
pub(crate) struct Wire {
    client: Client,
    server: String,
    agent: HeaderValue,
    limiter: Limiter,
    slots: Semaphore,
    timeout: Duration,
    counts: [AtomicU64; 4],
    outages: AtomicU64,
    reach: watch::Sender<Reach>,
    fault: Option<&'static Fault>,
}

impl Wire {
    pub(crate) fn new(client: Client, server: String, agent: HeaderValue, rate: Rate, connections: usize, timeout: Duration) -> Self {
        Self {
            client,
            server,
            agent,
            limiter: Limiter::new(rate),
            slots: Semaphore::new(connections.max(1)),
            timeout,
            counts: Default::default(),
            outages: AtomicU64::new(0),
            reach: watch::Sender::new(Reach::Untried),
            fault: Fault::injected(),
        }
    }

    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    pub(crate) fn reach(&self) -> watch::Receiver<Reach> {
        self.reach.subscribe()
    }

    /// Returns how often the server ceased to answer.
    pub(crate) fn outages(&self) -> u64 {
        self.outages.load(Ordering::Acquire)
    }

    pub(crate) fn counts(&self) -> RequestCounts {
        let [reads, writes, watches, lease] = [0, 1, 2, 3].map(|at: usize| self.counts[at].load(Ordering::Relaxed));
        RequestCounts { reads, writes, watches, lease }
    }

    /// Sends an order and repeats it while that may help: on 429 and 503 as long as the server says, on a lost connection, on 5xx.
    /// Every order of this crate may be repeated: applies and deletes with preconditions say the same thing twice.
    pub(crate) async fn send(&self, call: &Call<'_>) -> Result<Answer, ClusterError> {
        // Patience begins with the first answer: to wait for one's turn is no trouble of the server's.
        let mut since: Option<Instant> = None;
        let mut attempt = 0;
        loop {
            let outcome = self.once(call).await;
            let elapsed = since.get_or_insert_with(Instant::now).elapsed();
            let wait = if call.repeat && !call.urgent { pause(&outcome, attempt, elapsed, call.what) } else { None };
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return outcome,
            }
            attempt += 1;
        }
    }

    /// Sends an order and returns the body of a success.
    pub(crate) async fn fetch(&self, call: &Call<'_>) -> Result<Bytes, ClusterError> {
        self.send(call).await?.success(call.what)
    }

    async fn once(&self, call: &Call<'_>) -> Result<Answer, ClusterError> {
        let _slot = if call.urgent { None } else { Some(self.slots.acquire().await.map_err(|_| ClusterError::Stopped)?) };
        self.limiter.take(call.urgent).await;
        if let Some(fence) = call.fence {
            self.passed(fence).await?;
        }
        let sort = if call.urgent { 3 } else { usize::from(call.method != Method::GET) };
        self.counts[sort].fetch_add(1, Ordering::Relaxed);
        let request = self.request(call)?;
        let strikes = self.fault.filter(|_| sort == 1).and_then(Fault::strikes);
        if strikes == Some(Moment::Before) {
            fault::die(call.what);
        }
        let answered = tokio::time::timeout(self.timeout, async {
            let response = self.client.send(request).await.map_err(|error| self.away(&error))?;
            self.read(response).await
        })
        .await
        .unwrap_or_else(|_| Err(self.unreachable(format!("no answer within {} s", self.timeout.as_secs_f32()))));
        if strikes == Some(Moment::After) {
            fault::die(call.what);
        }
        self.note(answered.as_ref().err());
        if let Ok(answer) = &answered {
            self.pace(answer.status);
        }
        answered
    }

    /// Keeps to the pace that the server lets through.
    fn pace(&self, status: u16) {
        match status {
            429 => self.limiter.refused(Instant::now()),
            _ => self.limiter.passed(Instant::now()),
        }
    }

    /// Waits until a write may begin, as long as for a server that does not answer.
    async fn passed(&self, fence: &FenceCheck) -> Result<(), ClusterError> {
        let begun = Instant::now();
        loop {
            match fence() {
                FenceState::Holds => return Ok(()),
                FenceState::Late if begun.elapsed() < PATIENCE_AWAY => tokio::time::sleep(LATE_LOOK).await,
                FenceState::Late => return Err(self.unreachable("the lease could not be renewed in time; nothing was written".to_owned())),
                FenceState::Lost => return Err(ClusterError::Fenced),
            }
        }
    }

    /// Begins a request whose answer is read piece by piece. Waits for headers at most as long as an order may take.
    pub(crate) async fn stream(&self, call: &Call<'_>) -> Result<Response<Body>, ClusterError> {
        self.limiter.take(false).await;
        self.counts[2].fetch_add(1, Ordering::Relaxed);
        let request = self.request(call)?;
        let sent = tokio::time::timeout(self.timeout, self.client.send(request)).await;
        let response = match sent {
            Ok(response) => response.map_err(|error| self.away(&error)),
            Err(_) => Err(self.unreachable(format!("no answer within {} s", self.timeout.as_secs_f32()))),
        };
        self.note(response.as_ref().err());
        let response = response?;
        self.pace(response.status().as_u16());
        if response.status().is_success() {
            return Ok(response);
        }
        let answer = tokio::time::timeout(self.timeout, self.read(response))
            .await
            .unwrap_or_else(|_| Err(self.unreachable("the answer broke off".to_owned())))?;
        Err(answer.refusal(call.what).into_error())
    }

    fn request(&self, call: &Call<'_>) -> Result<Request<Body>, ClusterError> {
        let mut builder = Request::builder().method(call.method.clone()).uri(&call.path).header(USER_AGENT, self.agent.clone());
        builder = builder.header(ACCEPT, HeaderValue::from_static(call.accept.unwrap_or("application/json")));
        if let Some(content_type) = call.content_type {
            builder = builder.header(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        for (name, value) in call.act_as.0.iter() {
            builder = builder.header(name.clone(), value.clone());
        }
        builder
            .body(Body::from(call.body.clone()))
            .map_err(|error| ClusterError::Invalid { what: call.what.to_owned(), reason: error.to_string() })
    }

    async fn read(&self, response: Response<Body>) -> Result<Answer, ClusterError> {
        let (parts, mut body) = response.into_parts();
        let text = |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let retry_after = text(RETRY_AFTER).and_then(|value| value.parse().ok()).map(Duration::from_secs);
        let date = text(http::header::DATE).and_then(parse_http_date);
        let warnings = parts.headers.get_all(WARNING).iter().filter_map(|value| warning_text(value.to_str().ok()?)).collect();
        let mut first: Option<Bytes> = None;
        let mut rest: Vec<u8> = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.away(&error))?;
            let Ok(data) = frame.into_data() else { continue };
            match first.take() {
                None if rest.is_empty() => first = Some(data),
                None => rest.extend_from_slice(&data),
                Some(begin) => {
                    rest.reserve(begin.len() + data.len());
                    rest.extend_from_slice(&begin);
                    rest.extend_from_slice(&data);
                }
            }
            if rest.len() > MAX_ANSWER {
                return Err(self.unreachable(format!("the answer is longer than {MAX_ANSWER} bytes")));
            }
        }
        let body = first.unwrap_or_else(|| rest.into());
        Ok(Answer { status: parts.status.as_u16(), body, warnings, date, retry_after })
    }

    fn note(&self, error: Option<&ClusterError>) {
        let now = match error {
            Some(ClusterError::Unreachable { reason, .. }) => Reach::Down(reason.clone()),
            Some(_) => return,
            None => Reach::Up,
        };
        self.reach.send_if_modified(|reach| {
            let turned = std::mem::discriminant(reach) != std::mem::discriminant(&now);
            if turned {
                if matches!(now, Reach::Down(_)) {
                    self.outages.fetch_add(1, Ordering::AcqRel);
                }
                *reach = now;
            }
            turned
        });
    }

    pub(crate) fn away(&self, error: &dyn std::error::Error) -> ClusterError {
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            let text = inner.to_string();
            if !reason.contains(&text) {
                reason = format!("{reason}: {text}");
            }
            source = inner.source();
        }
        self.unreachable(reason)
    }

    pub(crate) fn unreachable(&self, reason: String) -> ClusterError {
        ClusterError::Unreachable { server: self.server.clone(), reason }
    }
}

/// Returns how long to wait before the order is repeated; none when that is of no use.
fn pause(outcome: &Result<Answer, ClusterError>, attempt: u32, elapsed: Duration, what: &str) -> Option<Duration> {
    let (patience, hint) = match outcome {
        Ok(answer) => match answer.status {
            429 => (PATIENCE_THROTTLED, answer.retry_after),
            502..=504 => (PATIENCE_AWAY, answer.retry_after),
            500 if attempt < RETRIES_INTERNAL && !answer.refusal(what).is_wrong_manifest() => (PATIENCE_AWAY, answer.retry_after),
            _ => return None,
        },
        Err(ClusterError::Unreachable { .. }) => (PATIENCE_AWAY, None),
        Err(_) => return None,
    };
    let wait =
        hint.map_or_else(|| backoff(attempt), |hint| hint.max(Duration::from_millis(10)).mul_f64(1.0 + 0.2 * crate::rate::fraction()));
    (elapsed + wait <= patience).then_some(wait)
}

/// Returns the text of `299 - "text"`.
fn warning_text(value: &str) -> Option<String> {
    let (_, quoted) = value.split_once('"')?;
    Some(quoted.strip_suffix('"').unwrap_or(quoted).replace("\\\"", "\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &'static [u8], retry_after: Option<u64>) -> Result<Answer, ClusterError> {
        let retry_after = retry_after.map(Duration::from_secs);
        Ok(Answer { status, body: Bytes::from_static(body), warnings: Vec::new(), date: None, retry_after })
    }

    #[test]
    fn repeats_what_may_pass_and_only_that() {
        let now = Duration::ZERO;
        assert!(pause(&answer(200, b"", None), 0, now, "x").is_none());
        assert!(pause(&answer(422, b"", None), 0, now, "x").is_none());
        assert!(pause(&answer(503, b"", None), 0, now, "x").is_some());
        assert!(pause(&answer(429, b"", Some(2)), 0, now, "x").is_some_and(|wait| wait >= Duration::from_secs(2)));
        assert!(pause(&answer(500, b"{}", None), RETRIES_INTERNAL, now, "x").is_none());
        assert!(pause(&answer(500, br#"{"message":"failed to create typed patch object (x)"}"#, None), 0, now, "x").is_none());
        assert!(pause(&Err(ClusterError::Fenced), 0, now, "x").is_none());
    }

    #[test]
    fn patience_ends() {
        assert!(pause(&answer(503, b"", None), 0, PATIENCE_AWAY, "x").is_none());
        assert!(pause(&answer(429, b"", None), 0, PATIENCE_AWAY, "x").is_some());
        assert!(pause(&answer(429, b"", None), 0, PATIENCE_THROTTLED, "x").is_none());
    }

    #[test]
    fn reads_warnings() {
        assert_eq!(warning_text(r#"299 - "unknown field \"x\"""#).as_deref(), Some(r#"unknown field "x""#));
        assert_eq!(warning_text("nothing"), None);
    }
}
