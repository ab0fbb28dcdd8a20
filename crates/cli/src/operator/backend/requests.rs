//! Owns the requests that came in through the API: what was asked, until it has ended and a while after.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use plumb_controller::Operator;
use plumb_controller::core::{Activity, Ended, PlanHead, RequestId};
use plumb_plan::Plan;
use plumb_server::api::{OrderKind, RequestState, RequestView};
use plumb_store::{HoldEntry, PlanSummary, Trigger};
use plumb_unit::NodeKey;

use super::view;

/// How many requests are remembered.
pub(super) const REMEMBERED: usize = 1_000;
/// How long the history is given to have the sync of a request that has just ended.
const HISTORY_WAIT: Duration = Duration::from_millis(300);
/// How many of a unit's newest syncs are looked at for the one of a request.
const SYNCS: usize = 10;

/// A request as it came in.
pub(super) struct Asked {
    /// The unit.
    pub(super) unit: NodeKey,
    /// Its name.
    pub(super) id: RequestId,
    /// What is shown of it before it is begun.
    view: RequestView,
    /// What is shown of it from its end on.
    over: OnceLock<RequestView>,
}

/// The requests.
#[derive(Default)]
pub(super) struct Requests {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    asked: BTreeMap<String, Arc<Asked>>,
    order: VecDeque<String>,
}

impl Requests {
    /// Remembers a request; the oldest one is forgotten when there are too many.
    pub(super) fn add(&self, asked: Asked) {
        let mut state = self.state();
        let id = asked.id.to_string();
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
    pub(super) fn get(&self, id: &str) -> Option<Arc<Asked>> {
        self.state().asked.get(id).cloned()
    }

    /// Each change is one insert: a panic elsewhere leaves the state whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    /// Takes a request as it is shown when it is taken.
    pub(super) fn new(unit: NodeKey, id: RequestId, view: RequestView) -> Self {
        Self { unit, id, view, over: OnceLock::new() }
    }

    /// Returns whether its end is known already.
    pub(super) fn has_ended(&self) -> bool {
        self.over.get().is_some()
    }

    /// Returns the request as it is now.
    pub(super) async fn now(&self, operator: &Operator) -> RequestView {
        if let Some(over) = self.over.get() {
            return over.clone();
        }
        let Some(end) = operator.ended(&self.id) else {
            let works = |status: &plumb_controller::core::UnitStatus| matches!(status.activity, Activity::Working(_));
            let state = if operator.unit(&self.unit).is_some_and(|unit| works(&unit.status)) {
                RequestState::Running
            } else {
                RequestState::Accepted
            };
            return RequestView { state, ..self.view.clone() };
        };
        let plan = operator.dry_run(&self.id);
        let mut over = ended(&self.view, &end, plan.as_deref());
        over.sync = self.sync(operator, &over).await;
        // Two who ask at once find the same.
        self.over.get_or_init(|| over).clone()
    }

    /// Returns the sync that carried it out, if the history has it by now.
    async fn sync(&self, operator: &Operator, over: &RequestView) -> Option<String> {
        let syncs = !matches!(over.kind, OrderKind::Suspend | OrderKind::Resume) && over.plan.is_none();
        if !syncs || !matches!(over.state, RequestState::Done | RequestState::Failed) {
            return None;
        }
        let store = operator.store();
        let look = async {
            store.flush().await.ok()?;
            let history = store.history(&self.unit, SYNCS).await.ok()?;
            let its_own = |trigger: &Trigger| matches!(trigger, Trigger::Request { id, .. } if **id == *self.id.0);
            history.into_iter().find(|sync| its_own(&sync.trigger)).map(|sync| sync.id.to_string())
        };
        tokio::time::timeout(HISTORY_WAIT, look).await.ok().flatten()
    }
}

/// Returns how a request looks that has ended.
fn ended(asked: &RequestView, end: &Ended, plan: Option<&Plan>) -> RequestView {
    let mut view = asked.clone();
    let mut state = |state, message: Option<&str>| {
        view.state = state;
        view.message = message.map(str::to_owned);
    };
    match end {
        Ended::Done { .. } | Ended::Planned(_) => state(RequestState::Done, None),
        Ended::Refused(why) => state(RequestState::Refused, Some(why)),
        Ended::Failed(failure) => state(RequestState::Failed, Some(&failure.message)),
        Ended::Cancelled(why) => state(RequestState::Cancelled, Some(why)),
    }
    match end {
        Ended::Done { withheld: Some(withheld) } => {
            view.withheld = view::withheld(withheld);
            view.withheld_digest = Some(withheld.digest.to_string());
        }
        Ended::Planned(head) => view.plan = Some(planned(head, plan)),
        _ => {}
    }
    view
}

/// Returns a dry run's answer in numbers. An approval binds to what the plan withholds, not to the plan's own hash.
pub(super) fn planned(head: &PlanHead, plan: Option<&Plan>) -> PlanSummary {
    let digest = head.digest.to_string();
    let hold = |hold: &plumb_controller::core::HoldHead| HoldEntry {
        kind: hold.kind,
        reason: hold.reason.to_string(),
        objects: hold.objects,
        digest: digest.clone(),
    };
    let holds: Vec<HoldEntry> = head.holds.iter().map(hold).collect();
    // The plan itself is forgotten before its head.
    let mut summary = plan.map_or_else(
        || PlanSummary { applies: head.changes.saturating_sub(head.deletes), deletes: head.deletes, ..PlanSummary::default() },
        PlanSummary::of,
    );
    if !holds.is_empty() || summary.digest.is_empty() {
        summary.digest = digest;
    }
    summary.holds = holds;
    summary
}

#[cfg(test)]
mod tests {
    use plumb_controller::core::{Class, Failure, HoldHead, Withheld};
    use plumb_manifest::Digest;
    use plumb_plan::HoldKind;

    use super::*;

    fn taken(id: &str) -> Asked {
        let view = RequestView {
            id: id.to_owned(),
            namespace: "team-a".to_owned(),
            name: "shop".to_owned(),
            kind: OrderKind::Reconcile,
            by: "ann".to_owned(),
            reason: None,
            created_ms: 0,
            state: RequestState::Accepted,
            message: None,
            withheld: Vec::new(),
            withheld_digest: None,
            plan: None,
            sync: None,
        };
        Asked::new(NodeKey::unit("main", "team-a", "shop"), RequestId(id.into()), view)
    }

    fn hold() -> HoldHead {
        HoldHead { kind: HoldKind::Prune, reason: "deletes 12 of 17 objects".into(), objects: 12 }
    }

    #[test]
    fn the_oldest_request_is_forgotten_at_the_limit() {
        let requests = Requests::default();
        (0..REMEMBERED).for_each(|at| requests.add(taken(&at.to_string())));
        assert!(requests.get("0").is_some());
        requests.add(taken("one more"));
        assert!(requests.get("0").is_none() && requests.get("1").is_some() && requests.get("one more").is_some());
    }

    #[test]
    fn each_end_has_its_state() {
        let check = |end: Ended, state: RequestState, message: Option<&str>| {
            let view = ended(&taken("x").view, &end, None);
            assert_eq!((view.state, view.message.as_deref()), (state, message));
            view
        };
        check(Ended::Done { withheld: None }, RequestState::Done, None);
        check(Ended::Refused("suspended".into()), RequestState::Refused, Some("suspended"));
        check(Ended::Failed(Failure::new(Class::Denied, "no")), RequestState::Failed, Some("no"));
        check(Ended::Cancelled("newer".into()), RequestState::Cancelled, Some("newer"));
        let withheld = Withheld { digest: Digest([1; 16]), deletes: 12, holds: vec![hold()] };
        let held = check(Ended::Done { withheld: Some(withheld) }, RequestState::Done, None);
        assert_eq!((held.withheld.len(), held.withheld_digest), (1, Some("01".repeat(16))));
        let head = PlanHead { content: Digest([2; 16]), digest: Digest([3; 16]), changes: 5, deletes: 2, owned: 17, holds: vec![hold()] };
        let plan = check(Ended::Planned(head), RequestState::Done, None).plan.unwrap();
        assert_eq!((plan.applies, plan.deletes, plan.digest.as_str()), (3, 2, "03".repeat(16).as_str()));
        assert_eq!((plan.holds.len(), plan.holds[0].digest.as_str()), (1, "03".repeat(16).as_str()));
    }
}
