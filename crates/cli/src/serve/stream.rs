//! Owns the streams of the local API: what happens to one request, and what happens to all units.

use std::sync::Arc;

use plumb_controller::Change;
use plumb_plan::{Event, ObjectResult};
use plumb_server::api::{ObjectHealth, Progress, StreamEvent, UnitFilter};
use plumb_store::ObjectEntry;
use plumb_unit::NodeKey;
use tokio::sync::mpsc;

use super::backend::OperatorBackend;
use super::requests::{self, Asked};
use super::view;

/// How many lines a reader may be behind: more are left out of progress, and told as missed in the stream of everything.
const BACKLOG: usize = 1_024;

/// Returns what happens to a request's unit until the request has ended.
pub(crate) fn progress(backend: &OperatorBackend, asked: Arc<Asked>) -> mpsc::Receiver<Progress> {
    let (sender, receiver) = mpsc::channel(BACKLOG);
    let backend = backend.clone();
    let mut changes = backend.operator.changes();
    tokio::spawn(async move {
        let mut stage = "";
        loop {
            let request = requests::now(&backend.operator, &asked);
            if request.state.has_ended() {
                // The last line may wait for its reader: nothing comes behind it.
                let _ = sender.send(Progress::Ended { request }).await;
                return;
            }
            let step = tokio::select! {
                change = changes.next() => match change {
                    None => return,
                    Some(Change::Node(node)) if node == asked.unit => stage_of(&backend, &node, &mut stage),
                    Some(Change::Progress(node, event)) if node == asked.unit => step(&event),
                    Some(_) => None,
                },
                () = sender.closed() => return,
            };
            if let Some(step) = step {
                // A reader that is too slow sees fewer lines.
                let _ = sender.try_send(step);
            }
        }
    });
    receiver
}

fn stage_of(backend: &OperatorBackend, node: &NodeKey, last: &mut &'static str) -> Option<Progress> {
    use plumb_controller::core::Activity;
    let Activity::Working(work) = backend.operator.unit(node)?.status.activity else { return None };
    let stage = view::noun(work);
    (std::mem::replace(last, stage) != stage).then(|| Progress::Stage { stage: stage.to_owned() })
}

/// Returns an event of a plan as a line. Phases are known by their place only, and their names are told by the stages.
fn step(event: &Event) -> Option<Progress> {
    match event {
        Event::OperationStarted { key } => Some(Progress::OperationStarted { object: view::object(key) }),
        Event::OperationEnded { key, result } => {
            let entry = ObjectEntry::of(key, result);
            let message = if let ObjectResult::Failed { message } = result { Some(message.clone()) } else { None };
            Some(Progress::OperationEnded { object: view::object(key), result: entry.result, message })
        }
        Event::Waiting { objects, .. } => {
            let one = |(key, health): &(_, plumb_plan::Health)| ObjectHealth {
                object: view::object(key),
                health: view::health(Some(health.clone())),
            };
            Some(Progress::Waiting { objects: objects.iter().map(one).collect() })
        }
        Event::PhaseStarted { .. } | Event::PhaseEnded { .. } => None,
    }
}

/// Returns every change of the units meant: first each as it is, then as it changes.
pub(crate) fn everything(backend: &OperatorBackend, filter: UnitFilter) -> mpsc::Receiver<StreamEvent> {
    let (sender, receiver) = mpsc::channel(BACKLOG);
    let backend = backend.clone();
    let mut changes = backend.operator.changes();
    tokio::spawn(async move {
        for state in backend.operator.units() {
            if filter.matches(&state.key.namespace, &state.key.name)
                && sender.send(StreamEvent::Unit { unit: Box::new(view::unit(&state)) }).await.is_err()
            {
                return;
            }
        }
        let mut missed = false;
        loop {
            let event = tokio::select! {
                change = changes.next() => match change {
                    None => return,
                    Some(change) => told(&backend, &filter, change),
                },
                () = sender.closed() => return,
            };
            missed = missed && sender.try_send(StreamEvent::Missed).is_err();
            if let Some(event) = event {
                missed |= sender.try_send(event).is_err();
            }
        }
    });
    receiver
}

fn told(backend: &OperatorBackend, filter: &UnitFilter, change: Change) -> Option<StreamEvent> {
    let meant = |node: &NodeKey| node.kind == plumb_unit::NodeKind::Unit && filter.matches(&node.namespace, &node.name);
    match change {
        Change::Node(node) if meant(&node) => Some(match backend.operator.unit(&node) {
            Some(state) => StreamEvent::Unit { unit: Box::new(view::unit(&state)) },
            None => StreamEvent::Gone { namespace: node.namespace.to_string(), name: node.name.to_string() },
        }),
        Change::Progress(node, event) if meant(&node) => {
            let progress = Box::new(step(&event)?);
            Some(StreamEvent::Progress { namespace: node.namespace.to_string(), name: node.name.to_string(), progress })
        }
        Change::Missed => Some(StreamEvent::Missed),
        _ => None,
    }
}
