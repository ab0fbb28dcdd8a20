//! Owns following a request until it has ended, and saying how it did.

use std::fmt::Write as _;

use plumb_server::api::{OrderKind, Progress, RequestState, RequestView, UnitRef};
use plumb_store::ObjectOutcome;

use super::{Remote, refusal};
use crate::args::Format;
use crate::operator::words::{cut, reference, result_tone, word};
use crate::printer::{Printer, Tone, clean_line};
use crate::problem::{DONE, Done, Problem};

/// How wide a line that is drawn over may be.
const MAX_WIDTH: usize = 100;

/// The line that is drawn over, and what it says.
struct Line<'a> {
    printer: &'a Printer,
    stage: String,
    waiting: String,
    done: u32,
    drawn: bool,
}

impl Remote<'_> {
    /// Shows a request's progress until it has ended.
    pub(super) async fn follow(&self, request: RequestView) -> Result<RequestView, Problem> {
        let mut line = Line { printer: self.printer, stage: String::new(), waiting: String::new(), done: 0, drawn: false };
        let followed = tokio::select! {
            followed = self.stream(&request.id, &mut line) => followed,
            _ = tokio::signal::ctrl_c() => {
                line.erase();
                self.printer.note(&format!("request {} goes on without this command; `plumb status {}/{}` shows it", request.id, request.namespace, request.name));
                return Ok(request);
            }
        };
        line.erase();
        followed
    }

    async fn stream(&self, id: &str, line: &mut Line<'_>) -> Result<RequestView, Problem> {
        // Progress is for looks: when it breaks off, or is not told, the request is asked about instead.
        if let Ok(mut progress) = self.client.progress(id).await {
            while let Ok(Some(step)) = progress.next().await {
                if let Progress::Ended { request } = step {
                    return Ok(request);
                }
                line.take(step);
            }
        }
        self.client.wait(id).await.map_err(|error| refusal(&error))
    }

    /// Prints how a request ended, or that it goes on.
    pub(super) fn ended(&self, unit: &UnitRef, request: &RequestView) -> Done {
        match self.global.output {
            Some(format @ (Format::Json | Format::Yaml)) => self.printer.document(format, &crate::with_version(crate::json(request)))?,
            Some(Format::Name) => self.printer.line(&clean_line(&request.id))?,
            None | Some(Format::Wide) => self.printer.data(&describe(unit, request, self.printer))?,
        }
        let why = || request.message.as_deref().map(|message| format!(": {}", clean_line(message))).unwrap_or_default();
        let problem = |word: &str| Err(Problem::new(format!("{} of {unit} {word}{}", kind_word(request.kind), why())));
        match request.state {
            RequestState::Accepted | RequestState::Running | RequestState::Done => Ok(DONE),
            RequestState::Refused => problem("was refused"),
            RequestState::Failed => match problem("failed") {
                Err(problem) => {
                    Err(problem.hint(format!("`plumb status {unit}` shows the whole error; the unit is tried again by itself.")))
                }
                done => done,
            },
            RequestState::Cancelled => problem("was cancelled"),
        }
    }
}

/// Returns what a request came to, for people; empty for one that did not succeed, as the error says it.
fn describe(unit: &UnitRef, request: &RequestView, printer: &Printer) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        let _ = writeln!(out, "{text}");
    };
    match request.state {
        RequestState::Accepted | RequestState::Running => {
            line(format!("{unit} {} (request {})", accepted_word(request.kind), clean_line(&request.id)))
        }
        RequestState::Done => line(format!("{unit} {}", printer.paint(Tone::Good, done_word(request)))),
        RequestState::Refused | RequestState::Failed | RequestState::Cancelled => return out,
    }
    if let Some(plan) = &request.plan {
        let parts = [
            (plan.applies, "to apply"),
            (plan.keeps, "as they are"),
            (plan.deletes, "to delete"),
            (plan.releases, "to release"),
            (plan.forgets, "to forget"),
        ];
        let parts: Vec<String> = parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        line(format!("  plan {}", if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") }));
    }
    for hold in request.withheld.iter().chain(request.plan.iter().flat_map(|plan| &plan.holds)) {
        line(format!("  {} {}: {}", printer.paint(Tone::Busy, "held"), word(&hold.kind), clean_line(&hold.reason)));
    }
    if let Some(digest) = &request.withheld_digest {
        line(format!("  lifted by `plumb approve {unit} {}`", clean_line(digest)));
    }
    out
}

fn kind_word(kind: OrderKind) -> &'static str {
    match kind {
        OrderKind::Reconcile => "reconciling",
        OrderKind::Sync => "the sync",
        OrderKind::Suspend => "suspending",
        OrderKind::Resume => "resuming",
        OrderKind::Approve => "the approval",
        OrderKind::Rollback => "the rollback",
        OrderKind::Delete => "the deletion",
    }
}

fn accepted_word(kind: OrderKind) -> &'static str {
    match kind {
        OrderKind::Reconcile => "will be reconciled",
        OrderKind::Sync => "will be synced",
        OrderKind::Suspend => "will be suspended",
        OrderKind::Resume => "will be resumed",
        OrderKind::Approve => "is approved and will be synced",
        OrderKind::Rollback => "will be rolled back",
        OrderKind::Delete => "will be deleted",
    }
}

fn done_word(request: &RequestView) -> &'static str {
    match request.kind {
        OrderKind::Reconcile => "reconciled",
        OrderKind::Sync if request.plan.is_some() => "planned, nothing is changed",
        OrderKind::Sync => "synced",
        OrderKind::Suspend => "suspended",
        OrderKind::Resume => "resumed",
        OrderKind::Approve => "approved and synced",
        OrderKind::Rollback => "rolled back; `plumb resume` lets it follow its source again",
        OrderKind::Delete => "deleted",
    }
}

impl Line<'_> {
    fn take(&mut self, step: Progress) {
        match step {
            Progress::Stage { stage } => (self.stage, self.waiting) = (clean_line(&stage), String::new()),
            Progress::PhaseStarted { phase, .. } => (self.stage, self.waiting) = (clean_line(&phase), String::new()),
            Progress::OperationEnded { object, result, message } => {
                self.done += 1;
                if result != ObjectOutcome::Unchanged && result != ObjectOutcome::Skipped {
                    self.erase();
                    let message = message.map(|message| format!(": {}", clean_line(&message))).unwrap_or_default();
                    let result = self.printer.paint_err(result_tone(result), &format!("{:<11}", word(&result)));
                    self.printer.note(&format!("{result} {}{message}", reference(&object)));
                }
            }
            Progress::Waiting { objects } => self.waiting = waiting(&objects),
            Progress::PhaseEnded { .. } => self.waiting.clear(),
            Progress::Planned { .. } | Progress::OperationStarted { .. } | Progress::Ended { .. } => {}
        }
        self.draw();
    }

    fn draw(&mut self) {
        self.erase();
        if self.printer.moving() && !self.stage.is_empty() {
            self.printer.err(&cut(&format!("{}  {} done{}", self.stage, self.done, self.waiting), MAX_WIDTH));
            self.drawn = true;
        }
    }

    fn erase(&mut self) {
        if std::mem::take(&mut self.drawn) {
            self.printer.err("\r\x1b[2K");
        }
    }
}

fn waiting(objects: &[plumb_server::api::ObjectHealth]) -> String {
    let Some(first) = objects.first() else { return String::new() };
    let message = if first.health.message.is_empty() { String::new() } else { format!(" ({})", clean_line(&first.health.message)) };
    let more = if objects.len() > 1 { format!(" and {} more", objects.len() - 1) } else { String::new() };
    format!("  waits for {}{message}{more}", reference(&first.object))
}
