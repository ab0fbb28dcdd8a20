//! Owns the API's paths: from a request to a call of the backend, and from its answer to JSON.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Extension, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hyper::body::{Bytes, Frame};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::backend::{Backend, Caller, UnitFilter, UnitRef};
use super::error::{ApiError, ErrorCode};
use super::order::NewRequest;
use super::view::List;

/// How long an order's JSON may be.
pub const MAX_REQUEST_BYTES: usize = 64 << 10;
/// How long one question for a request's state may wait.
pub const MAX_WAIT: Duration = Duration::from_secs(60);

const HISTORY_ROWS: usize = 20;
const MAX_NAME_BYTES: usize = 253;

type Answer<T> = Result<Json<T>, ApiError>;

/// Returns the API's routes over a backend.
pub(crate) fn routes<B: Backend>(backend: Arc<B>) -> Router {
    let unit = Router::new()
        .route("/", get(one::<B>))
        .route("/tree", get(tree::<B>))
        .route("/events", get(object_events::<B>))
        .route("/history", get(history::<B>))
        .route("/history/{sync}", get(sync::<B>))
        .route("/manifests", get(manifests::<B>))
        .route("/diff", get(diff::<B>))
        .route("/requests", axum::routing::post(request::<B>));
    Router::new()
        .route("/v1", get(info::<B>))
        .route("/v1/units", get(units::<B>))
        .nest("/v1/units/{namespace}/{name}", unit)
        .route("/v1/requests/{id}", get(request_state::<B>).delete(cancel::<B>))
        .route("/v1/requests/{id}/events", get(request_progress::<B>))
        .route("/v1/events", get(stream::<B>))
        .fallback(|| async { ApiError::new(ErrorCode::NotFound, "there is no such path; this is version 1 of the API") })
        .method_not_allowed_fallback(|| async { ApiError::new(ErrorCode::Unsupported, "this path does not take that method") })
        .layer(DefaultBodyLimit::max(MAX_REQUEST_BYTES))
        .with_state(backend)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FilterQuery {
    namespace: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryQuery {
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WaitQuery {
    #[serde(default)]
    wait_ms: u64,
}

type UnitPath = Result<Path<(String, String)>, PathRejection>;
type QueryOf<T> = Result<Query<T>, QueryRejection>;

fn unit_of(path: UnitPath) -> Result<UnitRef, ApiError> {
    let Path((namespace, name)) = path.map_err(|rejection| invalid(rejection.body_text()))?;
    let fits = |text: &str| !text.is_empty() && text.len() <= MAX_NAME_BYTES && !text.chars().any(|c| c.is_control() || c == '/');
    if fits(&namespace) && fits(&name) { Ok(UnitRef { namespace, name }) } else { Err(invalid("that is no unit's name")) }
}

fn query<T>(query: QueryOf<T>) -> Result<T, ApiError> {
    query.map(|Query(value)| value).map_err(|rejection| invalid(rejection.body_text()))
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::Invalid, message)
}

fn list<T>(items: Vec<T>) -> Json<List<T>> {
    Json(List { items })
}

async fn info<B: Backend>(State(backend): State<Arc<B>>) -> Answer<super::view::Info> {
    backend.info().await.map(Json)
}

async fn units<B: Backend>(State(backend): State<Arc<B>>, filter: QueryOf<FilterQuery>) -> Answer<List<super::view::UnitView>> {
    let FilterQuery { namespace, name } = query(filter)?;
    backend.units(&UnitFilter { namespace, name }).await.map(list)
}

async fn one<B: Backend>(State(backend): State<Arc<B>>, path: UnitPath) -> Answer<super::view::UnitView> {
    backend.unit(&unit_of(path)?).await.map(Json)
}

async fn tree<B: Backend>(State(backend): State<Arc<B>>, path: UnitPath) -> Answer<super::view::Tree> {
    backend.tree(&unit_of(path)?).await.map(Json)
}

async fn object_events<B: Backend>(State(backend): State<Arc<B>>, path: UnitPath) -> Answer<List<super::view::ObjectEvent>> {
    backend.object_events(&unit_of(path)?).await.map(list)
}

async fn history<B: Backend>(
    State(backend): State<Arc<B>>,
    path: UnitPath,
    asked: QueryOf<HistoryQuery>,
) -> Answer<List<plumb_store::SyncSummary>> {
    let limit = query(asked)?.limit.unwrap_or(HISTORY_ROWS);
    backend.history(&unit_of(path)?, limit).await.map(list)
}

async fn sync<B: Backend>(
    State(backend): State<Arc<B>>,
    path: Result<Path<(String, String, String)>, PathRejection>,
) -> Answer<plumb_store::SyncDetail> {
    let Path((namespace, name, id)) = path.map_err(|rejection| invalid(rejection.body_text()))?;
    let unit = unit_of(Ok(Path((namespace, name))))?;
    let id = id.parse().map_err(|error: plumb_store::BadSyncId| invalid(error.to_string()))?;
    backend.sync(&unit, id).await.map(Json)
}

async fn manifests<B: Backend>(State(backend): State<Arc<B>>, path: UnitPath) -> Answer<List<serde_json::Value>> {
    backend.manifests(&unit_of(path)?).await.map(list)
}

async fn diff<B: Backend>(State(backend): State<Arc<B>>, path: UnitPath) -> Answer<super::view::DiffView> {
    backend.diff(&unit_of(path)?).await.map(Json)
}

async fn request<B: Backend>(
    State(backend): State<Arc<B>>,
    Extension(caller): Extension<Caller>,
    path: UnitPath,
    sent: Result<Json<NewRequest>, JsonRejection>,
) -> Result<Response, ApiError> {
    let unit = unit_of(path)?;
    let Json(sent) = sent.map_err(|rejection| invalid(rejection.body_text()))?;
    let taken = backend.request(&caller, &unit, sent.order()?, sent.reason).await?;
    Ok((StatusCode::ACCEPTED, Json(taken)).into_response())
}

async fn request_state<B: Backend>(
    State(backend): State<Arc<B>>,
    Path(id): Path<String>,
    wait: QueryOf<WaitQuery>,
) -> Answer<super::progress::RequestView> {
    let wait = Duration::from_millis(query(wait)?.wait_ms).min(MAX_WAIT);
    backend.request_state(&id, wait).await.map(Json)
}

async fn cancel<B: Backend>(
    State(backend): State<Arc<B>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Answer<super::progress::RequestView> {
    backend.cancel(&caller, &id).await.map(Json)
}

async fn request_progress<B: Backend>(State(backend): State<Arc<B>>, Path(id): Path<String>) -> Result<Response, ApiError> {
    backend.request_progress(&id).await.map(lines)
}

async fn stream<B: Backend>(State(backend): State<Arc<B>>, filter: QueryOf<FilterQuery>) -> Result<Response, ApiError> {
    let FilterQuery { namespace, name } = query(filter)?;
    backend.stream(&UnitFilter { namespace, name }).await.map(lines)
}

fn lines<T: Serialize + Send + 'static>(events: mpsc::Receiver<T>) -> Response {
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::new(Lines(events))).into_response()
}

/// A body of JSON documents, one a line, as they come.
struct Lines<T>(mpsc::Receiver<T>);

impl<T: Serialize> hyper::body::Body for Lines<T> {
    type Data = Bytes;
    type Error = serde_json::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, serde_json::Error>>> {
        self.0.poll_recv(context).map(|event| {
            let line = serde_json::to_vec(&event?).map(|mut line| {
                line.push(b'\n');
                Frame::data(Bytes::from(line))
            });
            Some(line)
        })
    }
}
