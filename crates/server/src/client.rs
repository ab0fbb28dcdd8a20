//! Owns the other side of the local API: what the command line asks a running `plumb serve`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use plumb_store::{SyncDetail, SyncId, SyncSummary};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::api::{
    ApiError, DiffView, ErrorView, Info, List, MAX_WAIT, NewRequest, ObjectEvent, Progress, RequestView, StreamEvent, Tree, UnitFilter,
    UnitRef, UnitView,
};

/// How long an answer may take to begin, beside what was asked to be waited for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an answer, or one line of a stream, may be.
pub const MAX_ANSWER_BYTES: usize = 256 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody listens.
    #[error("no `plumb serve` listens on `{path}`; start one, or name its socket with `--socket`")]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The socket is another user's.
    #[error("`{path}` belongs to another user; ask as the user that runs `plumb serve`, or as root")]
    NotAllowed {
        /// The socket.
        path: PathBuf,
    },
    /// The answer is no.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The answer did not come.
    #[error("`plumb serve` did not answer within {0:?}")]
    TimedOut(Duration),
    /// The connection broke, or the answer was not understood.
    #[error("the answer of `plumb serve` broke off or was not understood: {0}")]
    Broken(String),
}

/// Asks a running `plumb serve`. Each question is its own connection.
#[derive(Clone, Debug)]
pub struct Client {
    path: PathBuf,
}

/// Lines of a stream, as they come.
#[derive(Debug)]
pub struct Lines<T> {
    body: Incoming,
    buffer: Vec<u8>,
    // A stream of documents of this type; nothing of it is held.
    kind: std::marker::PhantomData<fn() -> T>,
}

impl Client {
    /// Takes the path of the socket.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned() }
    }

    /// Returns what runs there.
    pub async fn info(&self) -> Result<Info, ClientError> {
        self.get("/v1").await
    }

    /// Returns the units meant.
    pub async fn units(&self, filter: &UnitFilter) -> Result<Vec<UnitView>, ClientError> {
        self.list(&format!("/v1/units{}", filter_query(filter))).await
    }

    /// Returns one unit, with why it is not where it should be.
    pub async fn unit(&self, unit: &UnitRef) -> Result<UnitView, ClientError> {
        self.get(&unit_path(unit, "")).await
    }

    /// Returns a unit's objects and what they own.
    pub async fn tree(&self, unit: &UnitRef) -> Result<Tree, ClientError> {
        self.get(&unit_path(unit, "/tree")).await
    }

    /// Returns recent events of a unit's objects.
    pub async fn object_events(&self, unit: &UnitRef) -> Result<Vec<ObjectEvent>, ClientError> {
        self.list(&unit_path(unit, "/events")).await
    }

    /// Returns a unit's newest syncs, newest first.
    pub async fn history(&self, unit: &UnitRef, limit: usize) -> Result<Vec<SyncSummary>, ClientError> {
        self.list(&unit_path(unit, &format!("/history?limit={limit}"))).await
    }

    /// Returns one sync of a unit.
    pub async fn sync(&self, unit: &UnitRef, sync: SyncId) -> Result<SyncDetail, ClientError> {
        self.get(&unit_path(unit, &format!("/history/{sync}"))).await
    }

    /// Returns a unit's manifests as last built.
    pub async fn manifests(&self, unit: &UnitRef) -> Result<Vec<Value>, ClientError> {
        self.list(&unit_path(unit, "/manifests")).await
    }

    /// Returns what a sync would change.
    pub async fn diff(&self, unit: &UnitRef) -> Result<DiffView, ClientError> {
        self.get(&unit_path(unit, "/diff")).await
    }

    /// Orders something.
    pub async fn request(&self, unit: &UnitRef, request: &NewRequest) -> Result<RequestView, ClientError> {
        let body = serde_json::to_vec(request).map_err(|error| ClientError::Broken(error.to_string()))?;
        let path = unit_path(unit, "/requests");
        read(self.send(Method::POST, &path, body, ANSWER_TIMEOUT).await?).await
    }

    /// Returns a request when it has ended, or as it is when the time has passed.
    pub async fn request_state(&self, id: &str, wait: Duration) -> Result<RequestView, ClientError> {
        let wait = wait.min(MAX_WAIT);
        let path = format!("/v1/requests/{}?waitMs={}", encode(id), wait.as_millis());
        read(self.send(Method::GET, &path, Vec::new(), wait + ANSWER_TIMEOUT).await?).await
    }

    /// Waits until a request has ended.
    pub async fn wait(&self, id: &str) -> Result<RequestView, ClientError> {
        loop {
            let request = self.request_state(id, MAX_WAIT).await?;
            if request.state.has_ended() {
                return Ok(request);
            }
        }
    }

    /// Takes a request back.
    pub async fn cancel(&self, id: &str) -> Result<RequestView, ClientError> {
        let path = format!("/v1/requests/{}", encode(id));
        read(self.send(Method::DELETE, &path, Vec::new(), ANSWER_TIMEOUT).await?).await
    }

    /// Returns a request's progress.
    pub async fn progress(&self, id: &str) -> Result<Lines<Progress>, ClientError> {
        self.stream_of(&format!("/v1/requests/{}/events", encode(id))).await
    }

    /// Returns every change of the units meant.
    pub async fn stream(&self, filter: &UnitFilter) -> Result<Lines<StreamEvent>, ClientError> {
        self.stream_of(&format!("/v1/events{}", filter_query(filter))).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        read(self.send(Method::GET, path, Vec::new(), ANSWER_TIMEOUT).await?).await
    }

    async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, ClientError> {
        self.get::<List<T>>(path).await.map(|list| list.items)
    }

    async fn stream_of<T>(&self, path: &str) -> Result<Lines<T>, ClientError> {
        let response = self.send(Method::GET, path, Vec::new(), ANSWER_TIMEOUT).await?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        Ok(Lines { body: response.into_body(), buffer: Vec::new(), kind: std::marker::PhantomData })
    }

    async fn send(&self, method: Method, path: &str, body: Vec<u8>, timeout: Duration) -> Result<Response<Incoming>, ClientError> {
        let answer = async {
            let stream = UnixStream::connect(&self.path).await.map_err(|source| match source.kind() {
                std::io::ErrorKind::PermissionDenied => ClientError::NotAllowed { path: self.path.clone() },
                _ => ClientError::NotRunning { path: self.path.clone(), source },
            })?;
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
            // Ends when the answer has been read or dropped; its faults come out where the answer is read.
            tokio::spawn(connection);
            let request = Request::builder().method(method).uri(path).header(HOST, "plumb").header(CONTENT_TYPE, "application/json");
            let request = request.body(Full::new(Bytes::from(body))).map_err(|error| ClientError::Broken(error.to_string()))?;
            sender.send_request(request).await.map_err(broken)
        };
        tokio::time::timeout(timeout, answer).await.map_err(|_| ClientError::TimedOut(timeout))?
    }
}

impl<T: DeserializeOwned> Lines<T> {
    /// Returns the next line; none when nothing more comes.
    pub async fn next(&mut self) -> Result<Option<T>, ClientError> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let rest = self.buffer.split_off(searched + end + 1);
                let line = std::mem::replace(&mut self.buffer, rest);
                return serde_json::from_slice(&line).map(Some).map_err(|error| ClientError::Broken(error.to_string()));
            }
            searched = self.buffer.len();
            match self.body.frame().await {
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(ClientError::Broken("a line broke off".to_owned())),
                Some(frame) => append(&mut self.buffer, frame.map_err(broken)?.into_data().unwrap_or_default())?,
            }
        }
    }
}

fn append(buffer: &mut Vec<u8>, data: Bytes) -> Result<(), ClientError> {
    if buffer.len() + data.len() > MAX_ANSWER_BYTES {
        return Err(ClientError::Broken(format!("it is longer than {MAX_ANSWER_BYTES} bytes")));
    }
    buffer.extend_from_slice(&data);
    Ok(())
}

async fn read<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T, ClientError> {
    if !response.status().is_success() {
        return Err(refusal(response).await);
    }
    let body = collect(response.into_body()).await?;
    serde_json::from_slice(&body).map_err(|error| ClientError::Broken(error.to_string()))
}

async fn collect(mut body: Incoming) -> Result<Vec<u8>, ClientError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        append(&mut bytes, frame.map_err(broken)?.into_data().unwrap_or_default())?;
    }
    Ok(bytes)
}

async fn refusal(response: Response<Incoming>) -> ClientError {
    let status = response.status();
    match collect(response.into_body()).await {
        Err(error) => error,
        Ok(body) => match serde_json::from_slice::<ErrorView>(&body) {
            Ok(view) => view.error.into(),
            Err(_) => ClientError::Broken(format!("status {status}")),
        },
    }
}

fn broken(error: hyper::Error) -> ClientError {
    ClientError::Broken(error.to_string())
}

fn unit_path(unit: &UnitRef, rest: &str) -> String {
    format!("/v1/units/{}/{}{rest}", encode(&unit.namespace), encode(&unit.name))
}

fn filter_query(filter: &UnitFilter) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("namespace", &filter.namespace), ("name", &filter.name)] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    if query.is_empty() { query } else { format!("?{query}") }
}

/// Encodes one segment of a path: everything but what never needs it.
fn encode(segment: &str) -> String {
    segment
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
