//! Owns `apply`: a folder brought to a cluster once, or the plan of it.

use std::fmt::Write as _;

use plumb_cluster::{Adopt, DEFAULT_CONCURRENCY, SyncOptions, SyncOutcome};
use plumb_controller::releases::Release;
use plumb_plan::{HoldKind, Operation, Outcome, Plan, PlanSummary};
use plumb_store::ObjectEntry;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::args::{Format, Global};
use crate::operator::args::ApplyArgs;
use crate::operator::oneshot::{self, Ask, OneShot};
use crate::operator::progress::{Progress, word};
use crate::printer::{Printer, Tone, clean_line};
use crate::problem::{DONE, Done, FAILED, Problem};

/// Applies a folder, or prints what that would do.
pub(crate) async fn run(printer: &Printer, global: &Global, args: &ApplyArgs) -> Done {
    let ask = Ask { path: &args.path, name: args.name.as_deref(), adopt: args.adopt, approve: args.approve, timeout: Some(args.timeout) };
    let one = oneshot::prepare(printer, global, ask).await?;
    if args.dry_run {
        return print_plan(printer, global.output, &one.plan);
    }
    let cancel = CancellationToken::new();
    let progress = Progress::new(*printer, &one.plan, matches!(global.output, None | Some(Format::Wide)));
    let options = SyncOptions {
        fence: plumb_cluster::unfenced(),
        cancel: cancel.clone(),
        concurrency: DEFAULT_CONCURRENCY,
        adopt: if args.adopt { Adopt::Everything } else { Adopt::Nothing },
        rules: one.rules.clone(),
        dry_run: false,
        record: one.record_to_write(),
        gates_when_done: one.release.as_ref().map(|release| Release { done: true, ..release.clone() }.to_gates()),
    };
    one.keep_answers().await?;
    let events = |event| progress.event(event);
    let outcome = {
        let sync = one.acting.sync(&one.plan, &one.inventories, &options, &events);
        tokio::pin!(sync);
        tokio::select! {
            outcome = &mut sync => outcome,
            // The first Ctrl-C ends waits and begins no further write; a second one ends the process as usual.
            _ = tokio::signal::ctrl_c() => {
                printer.note("stopping; what is under way ends first");
                cancel.cancel();
                sync.await
            }
        }
    };
    progress.end();
    finish(printer, global.output, &one, &outcome)
}

/// Prints a plan that is not carried out.
fn print_plan(printer: &Printer, format: Option<Format>, plan: &Plan) -> Done {
    match format {
        Some(format @ (Format::Json | Format::Yaml)) => {
            let value = serde_json::to_value(PlanSummary::from(plan)).unwrap_or(Value::Null);
            printer.document(format, &value)?;
        }
        Some(Format::Name) => {
            for operation in plan.operations().filter(|operation| operation.writes()) {
                printer.line(&operation.key().to_string())?;
            }
        }
        None | Some(Format::Wide) => printer.data(&describe(plan, printer))?,
    }
    Ok(DONE)
}

/// Returns a plan for people: phases with their operations, then what is held.
fn describe(plan: &Plan, printer: &Printer) -> String {
    let mut out = String::new();
    for phase in &plan.phases {
        let shown: Vec<(&str, Tone, &Operation)> = phase
            .operations
            .iter()
            .filter_map(|operation| Some((operation_word(operation)?, operation_tone(operation), operation)))
            .collect();
        if shown.is_empty() {
            continue;
        }
        let _ = writeln!(out, "{}", printer.paint(Tone::Strong, phase.name));
        for (word, tone, operation) in shown {
            let _ = writeln!(out, "  {} {}", printer.paint(tone, &format!("{word:<9}")), operation.key());
        }
    }
    for hold in &plan.holds {
        let _ = writeln!(out, "{} {}", printer.paint(Tone::Busy, "held"), clean_line(&hold.reason));
        for key in &hold.objects {
            let _ = writeln!(out, "  {key}");
        }
        let _ = writeln!(out, "  {}", lifted(hold.kind));
    }
    let counts = PlanSummary::from(plan).counts;
    let parts = [
        (counts.apply, "to apply"),
        (counts.hook, "hooks to run"),
        (counts.keep, "as they are"),
        (counts.delete, "to delete"),
        (counts.release, "to release"),
        (counts.forget, "to forget"),
        (counts.held, "held"),
    ];
    let parts: Vec<String> = parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let _ = writeln!(out, "{}: {}", plan.unit, if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") });
    out
}

fn operation_word(operation: &Operation) -> Option<&'static str> {
    match operation {
        Operation::Apply { mode: plumb_plan::ApplyMode::TakeOver(_), .. } => Some("take over"),
        Operation::Apply { .. } => Some("apply"),
        Operation::Hook(_) => Some("run"),
        Operation::Keep(_) => None,
        Operation::Delete { .. } => Some("delete"),
        Operation::Release { .. } => Some("release"),
        Operation::Forget { .. } => Some("forget"),
    }
}

fn operation_tone(operation: &Operation) -> Tone {
    match operation {
        Operation::Apply { .. } | Operation::Hook(_) => Tone::Good,
        Operation::Delete { .. } => Tone::Bad,
        Operation::Release { .. } => Tone::Busy,
        Operation::Keep(_) | Operation::Forget { .. } => Tone::Faint,
    }
}

fn lifted(kind: HoldKind) -> &'static str {
    match kind {
        HoldKind::Prune => "`--approve` lets it run",
        HoldKind::Adoption | HoldKind::Owner => "`--adopt` takes them over",
        HoldKind::Evidence => "a complete build lifts it",
    }
}

/// Prints what came of a sync.
fn finish(printer: &Printer, format: Option<Format>, one: &OneShot, outcome: &SyncOutcome) -> Done {
    for (key, warning) in &outcome.warnings {
        printer.warning(&format!("{key}: {}", clean_line(warning)));
    }
    match format {
        Some(format @ (Format::Json | Format::Yaml)) => printer.document(format, &document(one, outcome))?,
        Some(Format::Name) => {
            for (key, _) in &outcome.objects {
                printer.line(&key.to_string())?;
            }
        }
        // Each object was told when it was done.
        None | Some(Format::Wide) => printer.note(&format!("{}: {}", one.folder.unit.key, tally(outcome))),
    }
    for hold in &one.plan.holds {
        printer.warning(&format!("held: {}", clean_line(&hold.reason)));
        printer.note(&format!("  {}", lifted(hold.kind)));
    }
    let mut problem = Problem::new(match outcome.outcome {
        Outcome::Cancelled => "stopped before everything was done",
        Outcome::Done | Outcome::Failed => "not everything could be done",
    });
    for adoption in &outcome.adoptions {
        let fields = if adoption.fields.is_empty() { String::new() } else { format!(" and differs in {}", adoption.fields.join(", ")) };
        let _ = writeln!(problem.report, "{} is managed by {}{fields}", adoption.key, adoption.managers.join(", "));
    }
    let adoptable =
        |failure: &&plumb_cluster::Failure| outcome.adoptions.iter().any(|adoption| failure.key.as_ref() == Some(&adoption.key));
    for failure in outcome.failures.iter().filter(|failure| !adoptable(failure)) {
        let _ = writeln!(problem.report, "{}", clean_line(&failure.message));
    }
    if !outcome.adoptions.is_empty() {
        problem = problem.hint("`--adopt` takes them over, with the fields that others set and the manifests do not name.");
    }
    match outcome.outcome {
        Outcome::Done if outcome.adoptions.is_empty() => Ok(if one.plan.holds.is_empty() { DONE } else { FAILED }),
        Outcome::Done | Outcome::Failed | Outcome::Cancelled => Err(problem),
    }
}

/// Returns how many objects came to what: `3 created, 12 unchanged`.
fn tally(outcome: &SyncOutcome) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for (_, result) in &outcome.objects {
        let (word, _) = word(result);
        match counts.iter_mut().find(|(seen, _)| *seen == word) {
            Some((_, count)) => *count += 1,
            None => counts.push((word, 1)),
        }
    }
    let parts: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") }
}

fn document(one: &OneShot, outcome: &SyncOutcome) -> Value {
    let word = match outcome.outcome {
        Outcome::Done if one.plan.holds.is_empty() && outcome.adoptions.is_empty() => "succeeded",
        Outcome::Done => "held",
        Outcome::Failed => "failed",
        Outcome::Cancelled => "stopped",
    };
    let objects: Vec<ObjectEntry> = outcome.objects.iter().map(|(key, result)| ObjectEntry::of(key, result)).collect();
    let summary = PlanSummary::from(&one.plan);
    let adoptions: Vec<Value> = outcome
        .adoptions
        .iter()
        .map(|adoption| json!({"object": plumb_plan::ObjectSummary::from(&adoption.key), "managers": adoption.managers, "fields": adoption.fields}))
        .collect();
    json!({
        "version": crate::VERSION,
        "unit": one.folder.unit.key.to_string(),
        "outcome": word,
        "objects": objects,
        "holds": summary.holds,
        "adoptions": adoptions,
        "failures": outcome.failures.iter().map(|failure| &failure.message).collect::<Vec<_>>(),
    })
}
