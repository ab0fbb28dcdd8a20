//! Owns the streams of the API: what happens to one request's unit, and what happens to all units. Nobody waits for their readers but they.

use std::sync::Arc;

use plumb_controller::Change;
use plumb_controller::core::Activity;
use plumb_plan::{Event, ObjectResult, Outcome};
use plumb_server::api::{ObjectHealth, Progress, StreamEvent, UnitFilter};
use plumb_store::ObjectEntry;
use plumb_unit::{NodeKey, NodeKind};
use tokio::sync::mpsc;

use super::OperatorBackend;
use super::requests::Asked;
use super::view;

/// How many lines a reader may be behind. What comes then is left out of a request's progress, and told as missed in the stream of everything.
const BACKLOG: usize = 1_024;

/// Returns what happens to a request's unit until the request has ended.
pub(super) fn progress(backend: &OperatorBackend, asked: Arc<Asked>) -> mpsc::Receiver<Progress> {
    let (sender, receiver) = mpsc::channel(BACKLOG);
    let backend = backend.clone();
    // From now on, not from when the task runs: nothing is lost between.
    let mut changes = backend.operator.changes();
    let mut closing = backend.closing.clone();
    tokio::spawn(async move {
        let mut stage = "";
        // A reader that is too slow sees fewer lines.
        let tell = |line: Option<Progress>| {
            if let Some(line) = line {
                sender.try_send(line).ok();
            }
        };
        tell(stage_of(&backend, &asked.unit, &mut stage));
        while backend.operator.ended(&asked.id).is_none() {
            let change = tokio::select! {
                change = changes.next() => change,
                () = sender.closed() => return,
                _ = closing.wait_for(|closing| *closing) => return,
            };
            let line = match change {
                None => return,
                Some(Change::Node(node)) if node == asked.unit => stage_of(&backend, &node, &mut stage),
                Some(Change::Progress(node, event, phase)) if node == asked.unit => step(&event, phase),
                Some(_) => None,
            };
            tell(line);
        }
        let request = asked.now(&backend.operator).await;
        // The last line waits for its reader: nothing comes behind it.
        tokio::select! {
            _ = sender.send(Progress::Ended { request }) => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
    });
    receiver
}

fn stage_of(backend: &OperatorBackend, node: &NodeKey, last: &mut &'static str) -> Option<Progress> {
    let Activity::Working(work) = backend.operator.unit(node)?.status.activity else { return None };
    let stage = view::stage(work);
    (std::mem::replace(last, stage) != stage).then(|| Progress::Stage { stage: stage.to_owned() })
}

/// Returns every change of the units meant: first each as it is, then as it changes.
pub(super) fn everything(backend: &OperatorBackend, filter: UnitFilter) -> mpsc::Receiver<StreamEvent> {
    let (sender, receiver) = mpsc::channel(BACKLOG);
    let backend = backend.clone();
    let mut changes = backend.operator.changes();
    let mut closing = backend.closing.clone();
    tokio::spawn(async move {
        let telling = async {
            for state in backend.operator.units() {
                let meant = filter.matches(&state.key.namespace, &state.key.name);
                if meant && sender.send(StreamEvent::Unit { unit: Box::new(backend.view(&state)) }).await.is_err() {
                    return;
                }
            }
            // While this waits for its reader, what it does not take in time comes back as missed.
            while let Some(change) = changes.next().await {
                if let Some(event) = told(&backend, &filter, change)
                    && sender.send(event).await.is_err()
                {
                    return;
                }
            }
        };
        tokio::select! {
            () = telling => {}
            () = sender.closed() => {}
            _ = closing.wait_for(|closing| *closing) => {}
        }
    });
    receiver
}

fn told(backend: &OperatorBackend, filter: &UnitFilter, change: Change) -> Option<StreamEvent> {
    let meant = |node: &NodeKey| node.kind == NodeKind::Unit && filter.matches(&node.namespace, &node.name);
    match change {
        Change::Node(node) if meant(&node) => Some(match backend.operator.unit(&node) {
            Some(state) => StreamEvent::Unit { unit: Box::new(backend.view(&state)) },
            None => StreamEvent::Gone { namespace: node.namespace.to_string(), name: node.name.to_string() },
        }),
        Change::Progress(node, event, phase) if meant(&node) => {
            let progress = Box::new(step(&event, phase)?);
            Some(StreamEvent::Progress { namespace: node.namespace.to_string(), name: node.name.to_string(), progress })
        }
        Change::Missed => Some(StreamEvent::Missed),
        _ => None,
    }
}

/// Returns an event of a sync as a line; `phase` is the name of the phase that it is about and how many operations that has.
fn step(event: &Event, phase: Option<(&'static str, u32)>) -> Option<Progress> {
    let name = || phase.map(|(name, _)| name.to_owned());
    Some(match event {
        Event::PhaseStarted { .. } => Progress::PhaseStarted { phase: name()?, operations: phase?.1 },
        Event::OperationStarted { key } => Progress::OperationStarted { object: view::object(key) },
        Event::OperationEnded { key, result } => {
            let message = if let ObjectResult::Failed { message } = result { Some(message.clone()) } else { None };
            Progress::OperationEnded { object: view::object(key), result: ObjectEntry::of(key, result).result, message }
        }
        Event::Waiting { objects, .. } => {
            let one =
                |(key, health): &(_, plumb_plan::Health)| ObjectHealth { object: view::object(key), health: view::health(health.clone()) };
            Progress::Waiting { objects: objects.iter().map(one).collect() }
        }
        Event::PhaseEnded { outcome, .. } => {
            let outcome = match outcome {
                Outcome::Done => "done",
                Outcome::Failed => "failed",
                Outcome::Cancelled => "cancelled",
            };
            Progress::PhaseEnded { phase: name()?, outcome: outcome.to_owned() }
        }
    })
}

#[cfg(test)]
mod tests {
    use plumb_manifest::ObjectKey;
    use plumb_plan::{Health, HealthStatus};
    use plumb_server::api::{HealthView, ObjectRef};
    use plumb_store::ObjectOutcome;

    use super::*;

    #[test]
    fn each_event_of_a_sync_is_a_line() {
        let key = ObjectKey::new("apps", "Deployment", Some("shop"), "web");
        let object = ObjectRef {
            group: "apps".into(),
            version: None,
            kind: "Deployment".into(),
            namespace: Some("shop".into()),
            name: "web".into(),
        };
        let phase = Some(("workloads", 3));
        let failed = ObjectResult::Failed { message: "denied".into() };
        let waits = Health { status: HealthStatus::Progressing, message: "0 of 1 ready".into() };
        for (event, expect) in [
            (Event::PhaseStarted { phase: 1 }, Progress::PhaseStarted { phase: "workloads".into(), operations: 3 }),
            (Event::OperationStarted { key: key.clone() }, Progress::OperationStarted { object: object.clone() }),
            (
                Event::OperationEnded { key: key.clone(), result: failed },
                Progress::OperationEnded { object: object.clone(), result: ObjectOutcome::Failed, message: Some("denied".into()) },
            ),
            (
                Event::Waiting { phase: 1, objects: vec![(key, waits)] },
                Progress::Waiting {
                    objects: vec![ObjectHealth {
                        object,
                        health: HealthView { status: HealthStatus::Progressing, message: "0 of 1 ready".into() },
                    }],
                },
            ),
            (
                Event::PhaseEnded { phase: 1, outcome: Outcome::Cancelled },
                Progress::PhaseEnded { phase: "workloads".into(), outcome: "cancelled".into() },
            ),
        ] {
            assert_eq!(step(&event, phase), Some(expect));
        }
        assert_eq!(step(&Event::PhaseStarted { phase: 9 }, None), None);
    }
}
