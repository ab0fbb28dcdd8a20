//! Owns what the loop shows: the newest state of each node, and how requests ended. Readers never wait for the loop.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plumb_unit::NodeKey;
use tokio::sync::broadcast;

use crate::core::{Ended, RequestId, Status};

/// How many ended requests are remembered for those who ask late.
const REMEMBERED_REQUESTS: usize = 1_000;
/// How many changes a slow reader may fall behind before it has to read everything again.
const BACKLOG: usize = 4_096;

/// Something that changed on the board.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A node's state.
    Node(NodeKey),
    /// A request ended.
    Request(RequestId),
    /// A sync of a node did something; with the name of the phase that it is about, and how many operations that has.
    Progress(NodeKey, Arc<plumb_plan::Event>, Option<(&'static str, u32)>),
}

/// What the loop shows.
pub(crate) struct Board {
    state: Mutex<State>,
    changes: broadcast::Sender<Change>,
}

#[derive(Default)]
struct State {
    nodes: BTreeMap<NodeKey, Arc<Status>>,
    ended: BTreeMap<RequestId, Arc<Ended>>,
    order: VecDeque<RequestId>,
}

impl Board {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::default(), changes: broadcast::channel(BACKLOG).0 }
    }

    pub(crate) fn publish(&self, node: NodeKey, status: Status) {
        self.state().nodes.insert(node.clone(), Arc::new(status));
        // Nobody listening is the normal case.
        let _ = self.changes.send(Change::Node(node));
    }

    pub(crate) fn forget(&self, node: &NodeKey) {
        self.state().nodes.remove(node);
        let _ = self.changes.send(Change::Node(node.clone()));
    }

    pub(crate) fn progress(&self, node: &NodeKey, plan: &plumb_plan::Plan, event: &plumb_plan::Event) {
        use plumb_plan::Event::{OperationEnded, OperationStarted, PhaseEnded, PhaseStarted, Waiting};
        if self.changes.receiver_count() > 0 {
            let phase = match event {
                PhaseStarted { phase } | Waiting { phase, .. } | PhaseEnded { phase, .. } => plan.phases.get(*phase),
                OperationStarted { .. } | OperationEnded { .. } => None,
            };
            let phase = phase.map(|phase| (phase.name, u32::try_from(phase.operations.len()).unwrap_or(u32::MAX)));
            let _ = self.changes.send(Change::Progress(node.clone(), Arc::new(event.clone()), phase));
        }
    }

    pub(crate) fn request_ended(&self, id: RequestId, end: Ended) {
        {
            let mut state = self.state();
            if state.ended.insert(id.clone(), Arc::new(end)).is_none() {
                state.order.push_back(id.clone());
            }
            if state.order.len() > REMEMBERED_REQUESTS
                && let Some(oldest) = state.order.pop_front()
            {
                state.ended.remove(&oldest);
            }
        }
        let _ = self.changes.send(Change::Request(id));
    }

    pub(crate) fn node(&self, node: &NodeKey) -> Option<Arc<Status>> {
        self.state().nodes.get(node).cloned()
    }

    pub(crate) fn nodes(&self) -> Vec<(NodeKey, Arc<Status>)> {
        self.state().nodes.iter().map(|(key, status)| (key.clone(), Arc::clone(status))).collect()
    }

    pub(crate) fn ended(&self, id: &RequestId) -> Option<Arc<Ended>> {
        self.state().ended.get(id).cloned()
    }

    pub(crate) fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// A reader that panicked leaves the state whole: each change is one insert.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
