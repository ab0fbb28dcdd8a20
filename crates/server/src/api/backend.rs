//! Owns what the API needs of whoever runs the loop.

use std::fmt;
use std::time::Duration;

use plumb_store::{SyncDetail, SyncId, SyncSummary};
use serde_json::Value;
use tokio::sync::mpsc;

use super::error::ApiError;
use super::order::Order;
use super::progress::{Progress, RequestView, StreamEvent};
use super::view::{DiffView, Info, ObjectEvent, Tree, UnitView};

/// Who asks: the user of the process on the other side of the socket, as the system tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user's number.
    pub uid: u32,
    /// The user's name; `uid:<number>` for one without.
    pub name: String,
}

/// A unit as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnitRef {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for UnitRef {
    /// `namespace/name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Which units are meant; with nothing said, all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnitFilter {
    /// Those of this namespace.
    pub namespace: Option<String>,
    /// Those of this name.
    pub name: Option<String>,
}

impl UnitFilter {
    /// Returns whether a unit is meant.
    pub fn matches(&self, namespace: &str, name: &str) -> bool {
        self.namespace.as_deref().is_none_or(|wanted| wanted == namespace) && self.name.as_deref().is_none_or(|wanted| wanted == name)
    }
}

/// Answers questions and takes orders.
///
/// Protocol: every method may be called at any time and by many at once; an order is taken (202) or refused at once, and what becomes
/// of it is asked for by its id. A stream's sender is dropped when nothing more comes; when its receiver is gone, sending fails and the
/// backend forgets it. A stream's channel is bounded: a backend never waits for a slow reader.
pub trait Backend: Send + Sync + 'static {
    /// Returns what runs here.
    fn info(&self) -> impl Future<Output = Result<Info, ApiError>> + Send;

    /// Returns the units, ordered by namespace and name.
    fn units(&self, filter: &UnitFilter) -> impl Future<Output = Result<Vec<UnitView>, ApiError>> + Send;

    /// Returns one unit, with why it is not where it should be.
    fn unit(&self, unit: &UnitRef) -> impl Future<Output = Result<UnitView, ApiError>> + Send;

    /// Returns a unit's objects and what they own.
    fn tree(&self, unit: &UnitRef) -> impl Future<Output = Result<Tree, ApiError>> + Send;

    /// Returns recent events of a unit's objects, oldest first.
    fn object_events(&self, unit: &UnitRef) -> impl Future<Output = Result<Vec<ObjectEvent>, ApiError>> + Send;

    /// Returns a unit's newest syncs, newest first.
    fn history(&self, unit: &UnitRef, limit: usize) -> impl Future<Output = Result<Vec<SyncSummary>, ApiError>> + Send;

    /// Returns one sync of a unit.
    fn sync(&self, unit: &UnitRef, sync: SyncId) -> impl Future<Output = Result<SyncDetail, ApiError>> + Send;

    /// Takes an order.
    fn request(
        &self,
        caller: &Caller,
        unit: &UnitRef,
        order: Order,
        reason: Option<String>,
    ) -> impl Future<Output = Result<RequestView, ApiError>> + Send;

    /// Returns a request when it has ended, or as it is when the time has passed.
    fn request_state(&self, id: &str, wait: Duration) -> impl Future<Output = Result<RequestView, ApiError>> + Send;

    /// Takes a request back.
    fn cancel(&self, caller: &Caller, id: &str) -> impl Future<Output = Result<RequestView, ApiError>> + Send;

    /// Returns a request's progress, from now on, ending with [`Progress::Ended`].
    fn request_progress(&self, id: &str) -> impl Future<Output = Result<mpsc::Receiver<Progress>, ApiError>> + Send;

    /// Returns every change of the units meant: first each as it is, then as it changes.
    fn stream(&self, filter: &UnitFilter) -> impl Future<Output = Result<mpsc::Receiver<StreamEvent>, ApiError>> + Send;

    /// Returns a unit's manifests as last built, values of Secrets replaced.
    fn manifests(&self, unit: &UnitRef) -> impl Future<Output = Result<Vec<Value>, ApiError>> + Send {
        let _ = unit;
        async { Err(ApiError::unsupported("show a unit's manifests")) }
    }

    /// Returns what a sync would change.
    fn diff(&self, unit: &UnitRef) -> impl Future<Output = Result<DiffView, ApiError>> + Send {
        let _ = unit;
        async { Err(ApiError::unsupported("compare a unit with its target")) }
    }
}
