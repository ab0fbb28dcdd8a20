//! Owns the local API's backend: questions are answered from what the operator shows, orders are handed to its loop.
//! Must not decide what becomes of an order.

mod diff;
mod gate;
mod order;
mod probe;
mod problems;
mod requests;
mod streams;
mod tree;
mod view;

use std::sync::Arc;
use std::time::Duration;

use plumb_cluster::{Acting, Class, ClusterError, classify};
use plumb_controller::core::{Order as CoreOrder, Request, RequestId};
use plumb_controller::{Change, Operator, UnitState};
use plumb_server::api::{
    ApiError, Backend, Caller, DiffView, ErrorCode, Info, ObjectEvent, Order, OrderKind, Progress, RequestState, RequestView, StreamEvent,
    Tree, UnitFilter, UnitRef, UnitView,
};
use plumb_store::{SyncDetail, SyncId, SyncSummary};
use plumb_unit::NodeKey;
use tokio::sync::{mpsc, watch};

use crate::operator::moment::now_ms;
use requests::{Asked, Requests};

pub(crate) use probe::Figures;

/// How long a cancelled request is given to end before it is shown as it is.
const CANCEL_WAIT: Duration = Duration::from_secs(2);

/// Answers for a running operator. Clones are the same one.
#[derive(Clone)]
pub(crate) struct OperatorBackend {
    operator: Operator,
    requests: Arc<Requests>,
    started_ms: u64,
    /// Turns true when nothing more will happen: whoever still listens is told so by the end of the stream.
    closing: watch::Receiver<bool>,
}

impl OperatorBackend {
    /// Takes the operator, and what says that it has ended.
    pub(crate) fn new(operator: Operator, closing: watch::Receiver<bool>) -> Self {
        Self { operator, requests: Arc::default(), started_ms: now_ms(), closing }
    }

    fn key(&self, unit: &UnitRef) -> NodeKey {
        self.operator.key(&unit.namespace, &unit.name)
    }

    fn state(&self, unit: &UnitRef) -> Result<UnitState, ApiError> {
        self.operator.unit(&self.key(unit)).ok_or_else(|| ApiError::no_unit(&unit.namespace, &unit.name))
    }

    fn view(&self, state: &UnitState) -> UnitView {
        view::unit(state, |key| self.operator.health(state.cluster.as_deref()?, key))
    }

    fn acting(&self, state: &UnitState) -> Result<Acting, ApiError> {
        let silent =
            || ApiError::new(ErrorCode::Unavailable, format!("cluster `{}` does not answer", state.cluster.as_deref().unwrap_or_default()));
        self.operator.acting(state).ok_or_else(silent)?.map_err(|error| cluster_error(&error))
    }

    fn asked(&self, id: &str) -> Result<Arc<Asked>, ApiError> {
        self.requests.get(id).ok_or_else(|| ApiError::no_request(id))
    }

    /// Hands an order to the loop under a name of its own.
    fn tell(&self, unit: NodeKey, by: &str, reason: Option<&str>, id: &RequestId, order: CoreOrder) {
        let request = Request { id: id.clone(), by: by.into(), reason: reason.unwrap_or_default().into(), order };
        self.operator.request(unit, request);
    }

    /// Waits until a request has ended, the time has passed or nothing more happens.
    async fn ended(&self, id: &RequestId, wait: Duration) -> bool {
        // Before the first look, so that no end comes between it and the listening.
        let mut changes = self.operator.changes();
        let mut closing = self.closing.clone();
        let listening = async {
            while self.operator.ended(id).is_none() {
                loop {
                    match changes.next().await {
                        Some(Change::Request(ended)) if ended == *id => break,
                        Some(Change::Missed) => break,
                        Some(_) => {}
                        None => return,
                    }
                }
            }
        };
        tokio::select! {
            biased;
            () = listening => {}
            () = tokio::time::sleep(wait) => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
        self.operator.ended(id).is_some()
    }
}

/// Returns a name that no other request has.
fn new_id() -> Result<RequestId, ApiError> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| ApiError::new(ErrorCode::Internal, "the system gives no random numbers"))?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(RequestId(text.into()))
}

/// Returns a cluster's no as the API says it.
fn cluster_error(error: &ClusterError) -> ApiError {
    let code = match classify(error) {
        Class::Denied => ErrorCode::Refused,
        Class::NotFound => ErrorCode::NotFound,
        Class::Invalid | Class::Conflict | Class::Setup => ErrorCode::Conflict,
        Class::Unreachable | Class::Throttled | Class::Server | Class::Expired | Class::Stopped => ErrorCode::Unavailable,
    };
    ApiError::new(code, error.to_string())
}

fn kind(order: &Order) -> OrderKind {
    match order {
        Order::Reconcile => OrderKind::Reconcile,
        Order::Sync { .. } => OrderKind::Sync,
        Order::Suspend { .. } => OrderKind::Suspend,
        Order::Resume => OrderKind::Resume,
        Order::Approve { .. } => OrderKind::Approve,
        Order::Rollback { .. } => OrderKind::Rollback,
        Order::Delete { .. } => OrderKind::Delete,
    }
}

impl Backend for OperatorBackend {
    async fn info(&self) -> Result<Info, ApiError> {
        Ok(Info {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            installation: self.operator.installation().to_string(),
            started_ms: self.started_ms,
            history: crate::json(&self.operator.store().health()),
            problems: [view::elsewhere(&self.operator.sources(), &self.operator.units()), self.operator.troubles()].concat(),
        })
    }

    async fn units(&self, filter: &UnitFilter) -> Result<Vec<UnitView>, ApiError> {
        let states = self.operator.units();
        Ok(states.iter().filter(|state| filter.matches(&state.key.namespace, &state.key.name)).map(|state| self.view(state)).collect())
    }

    async fn unit(&self, unit: &UnitRef) -> Result<UnitView, ApiError> {
        let state = self.state(unit)?;
        Ok(UnitView { why: Some(view::why(&state.status, now_ms())), ..self.view(&state) })
    }

    async fn tree(&self, unit: &UnitRef) -> Result<Tree, ApiError> {
        let state = self.state(unit)?;
        Ok(tree::tree(self, &state).await)
    }

    async fn object_events(&self, unit: &UnitRef) -> Result<Vec<ObjectEvent>, ApiError> {
        let state = self.state(unit)?;
        tree::events(self, &state).await
    }

    async fn history(&self, unit: &UnitRef, limit: usize) -> Result<Vec<SyncSummary>, ApiError> {
        let key = self.key(unit);
        let syncs = self.operator.store().history(&key, limit).await?;
        // The history outlives its unit.
        if syncs.is_empty() {
            self.state(unit)?;
        }
        Ok(syncs)
    }

    async fn sync(&self, unit: &UnitRef, sync: SyncId) -> Result<SyncDetail, ApiError> {
        let detail = self.operator.store().sync(sync).await?;
        if detail.summary.unit == self.key(unit) {
            return Ok(detail);
        }
        Err(ApiError::new(ErrorCode::NotFound, format!("sync `{sync}` is not one of {unit}")))
    }

    async fn request(&self, caller: &Caller, unit: &UnitRef, order: Order, reason: Option<String>) -> Result<RequestView, ApiError> {
        let state = self.state(unit)?;
        let core = order::order(self.operator.store(), &state, &order, now_ms()).await?;
        let id = new_id()?;
        let view = RequestView {
            id: id.to_string(),
            namespace: unit.namespace.clone(),
            name: unit.name.clone(),
            kind: kind(&order),
            by: caller.name.clone(),
            reason: reason.clone(),
            created_ms: now_ms(),
            state: RequestState::Accepted,
            message: None,
            withheld: Vec::new(),
            withheld_digest: None,
            plan: None,
            sync: None,
        };
        self.requests.add(Asked::new(state.key.clone(), id.clone(), view.clone()));
        self.tell(state.key, &caller.name, reason.as_deref(), &id, core);
        Ok(view)
    }

    async fn request_state(&self, id: &str, wait: Duration) -> Result<RequestView, ApiError> {
        let asked = self.asked(id)?;
        if !wait.is_zero() && !asked.has_ended() {
            self.ended(&asked.id, wait).await;
        }
        Ok(asked.now(&self.operator).await)
    }

    async fn cancel(&self, caller: &Caller, id: &str) -> Result<RequestView, ApiError> {
        let asked = self.asked(id)?;
        if asked.now(&self.operator).await.state.has_ended() {
            return Err(ApiError::new(ErrorCode::Conflict, format!("request `{id}` has ended already")));
        }
        self.tell(asked.unit.clone(), &caller.name, None, &new_id()?, CoreOrder::Cancel { id: asked.id.clone() });
        self.ended(&asked.id, CANCEL_WAIT).await;
        Ok(asked.now(&self.operator).await)
    }

    async fn request_progress(&self, id: &str) -> Result<mpsc::Receiver<Progress>, ApiError> {
        Ok(streams::progress(self, self.asked(id)?))
    }

    async fn stream(&self, filter: &UnitFilter) -> Result<mpsc::Receiver<StreamEvent>, ApiError> {
        Ok(streams::everything(self, filter.clone()))
    }

    async fn diff(&self, unit: &UnitRef) -> Result<DiffView, ApiError> {
        diff::diff(self, &self.state(unit)?).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_requests_are_random_and_hexadecimal() {
        let (one, other) = (new_id().unwrap(), new_id().unwrap());
        assert_ne!(one, other);
        assert!(one.0.len() == 32 && one.0.bytes().all(|byte| byte.is_ascii_hexdigit()), "{one}");
    }
}
