//! Owns showing a plan being carried out, from its events: a line per object that changed, and on a terminal a last one that is drawn over.
//! Must not decide anything by them.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use plumb_manifest::ObjectKey;
use plumb_plan::{Event, Health, ObjectResult, Operation, Plan};

use crate::operator::moment;
use crate::printer::{Printer, Tone, clean_line};

/// How wide a line that is drawn over may be: a longer one would break, and could not be drawn over.
const MAX_WIDTH: usize = 100;

/// Draws the events of one plan.
pub(crate) struct Progress {
    printer: Printer,
    /// Whether the lines of objects are the command's data; else they are left out, for the data comes as one document.
    lines: bool,
    phases: Vec<String>,
    total: usize,
    begun: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    done: usize,
    phase: usize,
    waiting: BTreeMap<usize, Vec<(ObjectKey, Health)>>,
    drawn: bool,
}

impl Progress {
    /// Begins for a plan.
    pub(crate) fn new(printer: Printer, plan: &Plan, lines: bool) -> Self {
        let total = plan.operations().filter(|operation| !matches!(operation, Operation::Keep(_))).count();
        let phases = plan.phases.iter().map(|phase| phase.name.to_owned()).collect();
        Self { printer, lines, phases, total, begun: Instant::now(), state: Mutex::default() }
    }

    /// Takes an event.
    pub(crate) fn event(&self, event: Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::PhaseStarted { phase } => state.phase = phase,
            Event::OperationStarted { .. } => {}
            Event::OperationEnded { key, result } => {
                if !matches!(result, ObjectResult::Unchanged) || state.done < self.total {
                    state.done += 1;
                }
                self.result(&mut state, &key, &result);
            }
            Event::Waiting { phase, objects } => {
                if !self.printer.moving() && !objects.is_empty() && !state.waiting.contains_key(&phase) {
                    let name = self.phases.get(phase).map_or("", String::as_str);
                    self.printer.note(&format!("{name}: waits for {}", names(&objects)));
                }
                state.waiting.insert(phase, objects);
            }
            Event::PhaseEnded { phase, .. } => drop(state.waiting.remove(&phase)),
        }
        self.draw(&mut state);
    }

    /// Takes the moving line away.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.erase(&mut state);
    }

    fn result(&self, state: &mut State, key: &ObjectKey, result: &ObjectResult) {
        if !self.lines || matches!(result, ObjectResult::Unchanged | ObjectResult::Skipped) {
            return;
        }
        self.erase(state);
        let (word, tone) = word(result);
        // A reader that has gone is noticed when the outcome is printed; the sync goes on without it.
        let _ = self.printer.line(&format!("{} {key}", self.printer.paint(tone, &format!("{word:<11}"))));
    }

    fn draw(&self, state: &mut State) {
        if !self.printer.moving() {
            return;
        }
        self.erase(state);
        let text = line(state, &self.phases, self.total, self.begun.elapsed().as_millis());
        self.printer.err(&text);
        state.drawn = true;
    }

    fn erase(&self, state: &mut State) {
        if std::mem::take(&mut state.drawn) {
            self.printer.err("\r\x1b[2K");
        }
    }
}

/// Returns the moving line.
fn line(state: &State, phases: &[String], total: usize, elapsed_ms: u128) -> String {
    let phase = phases.get(state.phase).map_or("", String::as_str);
    let waiting: Vec<(ObjectKey, Health)> = state.waiting.values().flatten().cloned().collect();
    let took = moment::took(u64::try_from(elapsed_ms).unwrap_or(u64::MAX));
    let mut text = format!("{phase}  {}/{total}  {took}", state.done.min(total));
    if !waiting.is_empty() {
        text.push_str(&format!("  waits for {}", names(&waiting)));
    }
    text.chars().take(MAX_WIDTH).collect()
}

/// Returns the first of some objects with why it is not there, and how many more there are.
fn names(objects: &[(ObjectKey, Health)]) -> String {
    let Some((key, health)) = objects.first() else { return String::new() };
    let message = if health.message.is_empty() { String::new() } else { format!(" ({})", clean_line(&health.message)) };
    let more = if objects.len() > 1 { format!(" and {} more", objects.len() - 1) } else { String::new() };
    format!("{key}{message}{more}")
}

/// Returns what came of an operation, in a word.
pub(crate) fn word(result: &ObjectResult) -> (&'static str, Tone) {
    match result {
        ObjectResult::Created => ("created", Tone::Good),
        ObjectResult::Configured => ("configured", Tone::Good),
        ObjectResult::Unchanged => ("unchanged", Tone::Faint),
        ObjectResult::Ran => ("ran", Tone::Good),
        ObjectResult::Pruned => ("pruned", Tone::Busy),
        ObjectResult::Released => ("released", Tone::Busy),
        ObjectResult::Forgotten => ("forgotten", Tone::Faint),
        ObjectResult::Failed { .. } => ("failed", Tone::Bad),
        ObjectResult::Skipped => ("skipped", Tone::Faint),
    }
}

#[cfg(test)]
mod tests {
    use plumb_plan::HealthStatus;

    use super::*;

    #[test]
    fn the_line_says_what_is_waited_for_and_fits() {
        let key = |name: &str| ObjectKey::new("apps", "Deployment", Some("a"), name);
        let health = Health { status: HealthStatus::Progressing, message: "1 of 2 replicas".into() };
        let mut state = State { done: 3, phase: 1, ..State::default() };
        let phases = ["configuration".to_owned(), "workloads".to_owned()];
        assert_eq!(line(&state, &phases, 4, 1_500), "workloads  3/4  1.50s");
        state.waiting.insert(1, vec![(key("web"), health.clone()), (key("db"), health.clone())]);
        let text = line(&state, &phases, 4, 1_500);
        assert!(text.contains("(1 of 2 replicas) and 1 more"), "{text}");
        state.waiting.insert(1, vec![(key(&"x".repeat(300)), health)]);
        assert_eq!(line(&state, &phases, 4, 1_500).chars().count(), MAX_WIDTH);
    }
}
