//! Owns the local API's backend: questions are answered from what the operator shows, orders are handed to its loop.
//! Must not decide what becomes of an order.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use plumb_controller::core::{Gate, Order, Request, RequestId};
use plumb_controller::{Change, Operator, UnitState};
use plumb_manifest::{Digest, ObjectKey};
use plumb_server::api::{
    self, ApiError, ErrorCode, Info, ObjectEvent, OrderKind, Progress, RequestState, RequestView, StreamEvent, Tree, TreeNode, UnitFilter,
    UnitRef, UnitView,
};
use plumb_server::{Backend, Caller};
use plumb_store::{SyncDetail, SyncId, SyncSummary, Which};
use plumb_unit::OnDelete;
use tokio::sync::mpsc;

use super::requests::{self, Asked, Requests};
use super::{stream, view};
use crate::moment::now_ms;

/// How many objects of a unit have their events asked for: each is a request to the cluster.
const MAX_EVENT_OBJECTS: usize = 200;

/// Answers for a running operator. Clones are the same one.
#[derive(Clone)]
pub(crate) struct OperatorBackend {
    pub(super) operator: Operator,
    pub(super) requests: Arc<Requests>,
    started_ms: u64,
    next: Arc<AtomicU64>,
}

impl OperatorBackend {
    pub(crate) fn new(operator: Operator) -> Self {
        Self { operator, requests: Arc::default(), started_ms: now_ms(), next: Arc::default() }
    }

    pub(super) fn state(&self, unit: &UnitRef) -> Result<UnitState, ApiError> {
        let key = self.operator.key(&unit.namespace, &unit.name);
        self.operator.unit(&key).ok_or_else(|| ApiError::no_unit(&unit.namespace, &unit.name))
    }

    fn acting(&self, state: &UnitState) -> Result<plumb_cluster::Acting, ApiError> {
        let cluster = state.cluster.as_deref().unwrap_or_default();
        let acting = self
            .operator
            .acting(state)
            .ok_or_else(|| ApiError::new(ErrorCode::Unavailable, format!("cluster `{cluster}` does not answer")))?;
        acting.map_err(|error| unavailable(&error))
    }

    pub(super) fn asked(&self, id: &str) -> Result<Arc<Asked>, ApiError> {
        self.requests.get(id).ok_or_else(|| ApiError::no_request(id))
    }

    /// Names a request: unique within this installation for as long as the clock does not go back over a start.
    fn new_id(&self) -> String {
        format!("{:x}-{:x}", self.started_ms, self.next.fetch_add(1, Ordering::Relaxed))
    }

    async fn core_order(&self, state: &UnitState, order: &api::Order) -> Result<Order, ApiError> {
        Ok(match order {
            api::Order::Reconcile | api::Order::Sync { revision: None, dry_run: false } => Order::Reconcile,
            api::Order::Sync { revision: None, dry_run: true } => Order::DryRun { revisions: None },
            api::Order::Sync { revision: Some(_), .. } => {
                return Err(ApiError::unsupported("sync one revision of its source")
                    .hint("`plumb rollback --to COMMIT` brings back one that was synced before."));
            }
            api::Order::Suspend { for_ms } => Order::Suspend { until: for_ms.map(|ms| now_ms().saturating_add(ms)) },
            api::Order::Resume => Order::Resume,
            api::Order::Approve { digest } => Order::Approve { digest: approvable(state, digest.as_deref())? },
            api::Order::Rollback { to } => {
                let which = which(to.as_deref());
                let recorded = self.operator.store().recorded_request(&state.key, &which).await?;
                Order::SyncAt { revisions: recorded.revisions, record: Some(recorded.sync.to_string().into()) }
            }
            api::Order::Delete { orphan } => {
                let orphans = state.unit.as_ref().is_some_and(|unit| unit.policy.on_delete == OnDelete::Orphan);
                if orphan.is_some_and(|orphan| orphan != orphans) {
                    let wanted = if orphans { "delete" } else { "orphan" };
                    return Err(ApiError::unsupported("go against a unit's own `policy.onDelete`")
                        .hint(format!("Declare `policy.onDelete: {wanted}` first.")));
                }
                Order::Delete
            }
        })
    }
}

/// A sync's id, a commit, or the last good one of another build.
fn which(to: Option<&str>) -> Which {
    match to {
        None => Which::Previous,
        Some(text) => text.parse::<SyncId>().map_or_else(|_| Which::Commit(text.to_owned()), Which::Sync),
    }
}

/// Returns the digest that waits, if the one given is its beginning.
fn approvable(state: &UnitState, asked: Option<&str>) -> Result<Digest, ApiError> {
    let waiting = state.status.gates.iter().find_map(|gate| if let Gate::Approval { digest, .. } = gate { Some(*digest) } else { None });
    let waiting = waiting.or_else(|| state.status.withheld.as_ref().map(|withheld| withheld.digest));
    let unit = &state.key;
    let Some(waiting) = waiting else { return Err(ApiError::new(ErrorCode::Conflict, format!("nothing of {unit} waits for approval"))) };
    match asked {
        Some(text) if text.is_empty() || !waiting.to_string().starts_with(&text.to_ascii_lowercase()) => {
            Err(ApiError::new(ErrorCode::Conflict, format!("`{text}` is not what waits for approval of {unit}: that is {waiting} now"))
                .hint(format!("`plumb status {unit}` shows what it would do.")))
        }
        _ => Ok(waiting),
    }
}

fn kind(order: &api::Order) -> OrderKind {
    match order {
        api::Order::Reconcile => OrderKind::Reconcile,
        api::Order::Sync { .. } => OrderKind::Sync,
        api::Order::Suspend { .. } => OrderKind::Suspend,
        api::Order::Resume => OrderKind::Resume,
        api::Order::Approve { .. } => OrderKind::Approve,
        api::Order::Rollback { .. } => OrderKind::Rollback,
        api::Order::Delete { .. } => OrderKind::Delete,
    }
}

fn unavailable(error: &plumb_cluster::ClusterError) -> ApiError {
    ApiError::new(ErrorCode::Unavailable, error.to_string())
}

impl Backend for OperatorBackend {
    async fn info(&self) -> Result<Info, ApiError> {
        Ok(Info {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            installation: self.operator.installation().to_string(),
            started_ms: self.started_ms,
            history: crate::json(&self.operator.store().health()),
        })
    }

    async fn units(&self, filter: &UnitFilter) -> Result<Vec<UnitView>, ApiError> {
        let states = self.operator.units();
        Ok(states.iter().filter(|state| filter.matches(&state.key.namespace, &state.key.name)).map(view::unit).collect())
    }

    async fn unit(&self, unit: &UnitRef) -> Result<UnitView, ApiError> {
        Ok(view::unit_with_why(&self.state(unit)?))
    }

    async fn tree(&self, unit: &UnitRef) -> Result<Tree, ApiError> {
        let state = self.state(unit)?;
        let acting = self.acting(&state)?;
        let cluster = state.cluster.as_deref().unwrap_or_default();
        let items = &state.inventory.items;
        let mut namespaces: Vec<&str> = items.iter().filter_map(|item| item.key.namespace.as_deref()).collect();
        namespaces.dedup();
        let owners: Vec<String> = items.iter().filter_map(|item| item.uid.clone()).collect();
        let mut children = Vec::new();
        for namespace in namespaces {
            if children.iter().any(|(seen, _): &(&str, _)| *seen == namespace) {
                continue;
            }
            children.push((namespace, acting.children(namespace, &owners).await.map_err(|error| unavailable(&error))?));
        }
        let children: Vec<plumb_cluster::Child> = children.into_iter().flat_map(|(_, found)| found).collect();
        let node = |item: &plumb_unit::InventoryItem| TreeNode {
            object: view::object(&item.key),
            health: view::health(self.operator.health(cluster, &item.key)),
            managed: true,
            children: item.uid.as_deref().map(|uid| below(uid, &children)).unwrap_or_default(),
        };
        Ok(Tree { objects: items.iter().map(node).collect(), truncated: false })
    }

    async fn object_events(&self, unit: &UnitRef) -> Result<Vec<ObjectEvent>, ApiError> {
        let state = self.state(unit)?;
        let acting = self.acting(&state)?;
        let mut events = Vec::new();
        let owned = state.inventory.items.iter().filter_map(|item| Some((&item.key, item.uid.as_deref()?)));
        for (key, uid) in owned.take(MAX_EVENT_OBJECTS) {
            for event in acting.events(key, uid).await.map_err(|error| unavailable(&error))? {
                events.push(object_event(key, event));
            }
        }
        events.sort_by_key(|event| event.last_ms);
        Ok(events)
    }

    async fn history(&self, unit: &UnitRef, limit: usize) -> Result<Vec<SyncSummary>, ApiError> {
        Ok(self.operator.store().history(&self.operator.key(&unit.namespace, &unit.name), limit).await?)
    }

    async fn sync(&self, unit: &UnitRef, sync: SyncId) -> Result<SyncDetail, ApiError> {
        let detail = self.operator.store().sync(sync).await?;
        if detail.summary.unit != self.operator.key(&unit.namespace, &unit.name) {
            return Err(ApiError::new(ErrorCode::NotFound, format!("sync {sync} is not one of {unit}")));
        }
        Ok(detail)
    }

    async fn request(&self, caller: &Caller, unit: &UnitRef, order: api::Order, reason: Option<String>) -> Result<RequestView, ApiError> {
        let state = self.state(unit)?;
        let core_order = self.core_order(&state, &order).await?;
        let id = self.new_id();
        let view = RequestView {
            id: id.clone(),
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
        self.requests.add(Asked { unit: state.key.clone(), view: view.clone() });
        let request = Request {
            id: RequestId(id.into()),
            by: caller.name.as_str().into(),
            reason: reason.unwrap_or_default().into(),
            order: core_order,
        };
        self.operator.request(state.key, request);
        Ok(view)
    }

    async fn request_state(&self, id: &str, wait: Duration) -> Result<RequestView, ApiError> {
        let asked = self.asked(id)?;
        // Before the first look, so that no end comes between it and the listening.
        let mut changes = self.operator.changes();
        let ended = async {
            loop {
                let view = requests::now(&self.operator, &asked);
                if view.state.has_ended() || !next_end(&mut changes, id).await {
                    return view;
                }
            }
        };
        Ok(tokio::time::timeout(wait, ended).await.unwrap_or_else(|_| requests::now(&self.operator, &asked)))
    }

    async fn cancel(&self, caller: &Caller, id: &str) -> Result<RequestView, ApiError> {
        let asked = self.asked(id)?;
        let request = Request {
            id: RequestId(self.new_id().into()),
            by: caller.name.as_str().into(),
            reason: "".into(),
            order: Order::Cancel { id: RequestId(id.into()) },
        };
        self.operator.request(asked.unit.clone(), request);
        Ok(requests::now(&self.operator, &asked))
    }

    async fn request_progress(&self, id: &str) -> Result<mpsc::Receiver<Progress>, ApiError> {
        Ok(stream::progress(self, self.asked(id)?))
    }

    async fn stream(&self, filter: &UnitFilter) -> Result<mpsc::Receiver<StreamEvent>, ApiError> {
        Ok(stream::everything(self, filter.clone()))
    }
}

/// Waits until a request may have ended; false when nothing more comes.
async fn next_end(changes: &mut plumb_controller::Changes, id: &str) -> bool {
    loop {
        match changes.next().await {
            Some(Change::Request(ended)) if &*ended.0 == id => return true,
            Some(Change::Missed) => return true,
            Some(_) => {}
            None => return false,
        }
    }
}

/// Returns what an object owns, and what that owns. Parents come before their children, so no object is below itself.
fn below(owner: &str, all: &[plumb_cluster::Child]) -> Vec<TreeNode> {
    let own = all.iter().enumerate().filter(|(_, child)| child.owner == owner);
    own.map(|(at, child)| TreeNode {
        object: view::object(&child.key),
        health: view::health(Some(child.health.clone())),
        managed: false,
        children: below(&child.uid, &all[at + 1..]),
    })
    .collect()
}

fn object_event(key: &ObjectKey, event: plumb_cluster::ObjectEvent) -> ObjectEvent {
    let last_ms = crate::moment::rfc3339_ms(&event.last_seen).unwrap_or(0);
    ObjectEvent {
        object: view::object(key),
        kind: event.kind,
        reason: event.reason,
        message: event.message,
        source: event.source,
        count: u32::try_from(event.count).unwrap_or(u32::MAX),
        first_ms: last_ms,
        last_ms,
    }
}
