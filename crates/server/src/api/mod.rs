//! Owns the local API, version 1: REST and JSON over a Unix socket.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /v1` | [`Info`] |
//! | `GET /v1/units?namespace=` | [`List`] of [`UnitView`] |
//! | `GET /v1/units/{namespace}/{name}` | [`UnitView`] with `why` |
//! | `GET /v1/units/{namespace}/{name}/tree` | [`Tree`] |
//! | `GET /v1/units/{namespace}/{name}/events` | [`List`] of [`ObjectEvent`] |
//! | `GET /v1/units/{namespace}/{name}/history?limit=` | [`List`] of [`plumb_store::SyncSummary`] |
//! | `GET /v1/units/{namespace}/{name}/history/{sync}` | [`plumb_store::SyncDetail`] |
//! | `GET /v1/units/{namespace}/{name}/manifests` | [`List`] of objects |
//! | `GET /v1/units/{namespace}/{name}/diff` | [`DiffView`] |
//! | `POST /v1/units/{namespace}/{name}/requests` | [`NewRequest`] → 202 and [`RequestView`] |
//! | `GET /v1/requests/{id}?waitMs=` | [`RequestView`], when it has ended or that time has passed |
//! | `DELETE /v1/requests/{id}` | [`RequestView`]: it is taken back |
//! | `GET /v1/requests/{id}/events` | a stream of [`Progress`], one JSON document a line, until the request has ended |
//! | `GET /v1/events?namespace=&name=` | a stream of [`StreamEvent`], one JSON document a line |
//!
//! An error is [`ErrorView`] with the HTTP status of its code. Fields are only ever added.

mod backend;
mod error;
mod order;
mod progress;
mod routes;
mod view;

pub use backend::{Backend, Caller, UnitFilter, UnitRef};
pub use error::{ApiError, ErrorCode, ErrorView};
pub use order::{NewRequest, Order, OrderKind};
pub use progress::{ObjectHealth, Progress, RequestState, RequestView, StreamEvent};
pub(crate) use routes::routes;
pub use routes::{MAX_REQUEST_BYTES, MAX_WAIT};
pub use view::{
    Activity, ActivityState, DiffView, FieldDiff, GateKind, GateView, HealthView, Info, List, ObjectDiff, ObjectEvent, ObjectRef, Problem,
    StaleSource, SyncState, TargetView, Tree, TreeNode, UnitView, WhyState, WhyView,
};
