//! Owns the requests that came in through the local API: what was asked, until it has ended and a while after.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plumb_controller::Operator;
use plumb_controller::core::{Ended, RequestId};
use plumb_server::api::{RequestState, RequestView};
use plumb_unit::NodeKey;

use super::view;

/// How many requests are remembered.
pub(crate) const REMEMBERED: usize = 1_000;

/// A request as it came in.
#[derive(Clone)]
pub(crate) struct Asked {
    /// The unit.
    pub(crate) unit: NodeKey,
    /// What is shown of it while it runs.
    pub(crate) view: RequestView,
}

/// The requests.
#[derive(Default)]
pub(crate) struct Requests {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    asked: BTreeMap<String, Arc<Asked>>,
    order: VecDeque<String>,
}

impl Requests {
    /// Remembers a request; the oldest one is forgotten when there are too many.
    pub(crate) fn add(&self, asked: Asked) {
        let mut state = self.state();
        let id = asked.view.id.clone();
        if state.asked.insert(id.clone(), Arc::new(asked)).is_none() {
            state.order.push_back(id);
        }
        if state.order.len() > REMEMBERED
            && let Some(oldest) = state.order.pop_front()
        {
            state.asked.remove(&oldest);
        }
    }

    /// Returns a request as it came in.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Asked>> {
        self.state().asked.get(id).cloned()
    }

    /// Each change is one insert: a panic elsewhere leaves the state whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns a request as it is now.
pub(crate) fn now(operator: &Operator, asked: &Asked) -> RequestView {
    let id = RequestId(asked.view.id.as_str().into());
    let mut view = asked.view.clone();
    let Some(end) = operator.ended(&id) else {
        view.state = RequestState::Running;
        return view;
    };
    match &*end {
        Ended::Done { withheld } => {
            view.state = RequestState::Done;
            if let Some(withheld) = withheld {
                view.withheld = view::withheld(withheld);
                view.withheld_digest = Some(withheld.digest.to_string());
            }
        }
        Ended::Planned(_) => {
            view.state = RequestState::Done;
            view.plan = operator.dry_run(&id).map(|plan| view::plan(&plan));
        }
        Ended::Refused(why) => (view.state, view.message) = (RequestState::Refused, Some(why.to_string())),
        Ended::Failed(failure) => (view.state, view.message) = (RequestState::Failed, Some(failure.message.to_string())),
        Ended::Cancelled(why) => (view.state, view.message) = (RequestState::Cancelled, Some(why.to_string())),
    }
    view
}
