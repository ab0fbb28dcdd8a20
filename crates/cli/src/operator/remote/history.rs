//! Owns `history`: a unit's past syncs, as a table or one of them in full.

use std::fmt::Write as _;

use plumb_store::{ObjectOutcome, SyncDetail, SyncSummary, Trigger};
use serde_json::Value;

use super::status::section;
use crate::args::Format;
use crate::operator::moment;
use crate::operator::words::{cut, first_line, object, outcome_tone, result_tone, revisions, value, word};
use crate::printer::{Printer, Tone, clean_line};
use crate::problem::{DONE, Done};
use crate::table::{Cell, Table};

/// How long a commit's subject or an error may be in a table.
const MAX_CHARS: usize = 60;

/// Prints syncs in full as data, newest first.
pub(crate) fn documents(printer: &Printer, format: Format, syncs: Vec<SyncDetail>) -> Done {
    printer.document(format, &Value::Array(crate::versioned(syncs)))?;
    Ok(DONE)
}

/// Prints syncs as a table, newest first.
pub(crate) fn list(printer: &Printer, format: Option<Format>, syncs: &[SyncSummary]) -> Done {
    if format == Some(Format::Name) {
        for sync in syncs {
            printer.line(&sync.id.to_string())?;
        }
    } else if syncs.is_empty() {
        printer.note("no syncs yet");
    } else {
        printer.table(&table(syncs, format == Some(Format::Wide), moment::now_ms()))?;
    }
    Ok(DONE)
}

/// Prints one sync in full.
pub(crate) fn one(printer: &Printer, format: Option<Format>, sync: SyncDetail) -> Done {
    match format {
        Some(format @ (Format::Json | Format::Yaml)) => printer.document(format, &crate::with_version(crate::json(&sync)))?,
        Some(Format::Name) => printer.line(&sync.summary.id.to_string())?,
        None | Some(Format::Wide) => printer.data(&describe(&sync, printer, moment::now_ms()))?,
    }
    Ok(DONE)
}

fn table(syncs: &[SyncSummary], wide: bool, now_ms: u64) -> Table {
    let mut head = vec!["ID", "AGE", "OUTCOME", "CHANGED", "DRIFT", "REVISION", "WHY"];
    if wide {
        head.extend(["TOOK", "FAILED", "AUTHOR"]);
    }
    head.push("WHAT");
    let mut table = Table::new(&head);
    for sync in syncs {
        let mut row = vec![
            Cell::from(sync.id.to_string()),
            Cell::from(moment::age(sync.started_ms, now_ms)),
            Cell::toned(word(&sync.outcome), Some(outcome_tone(sync.outcome))),
            count(sync.objects_changed),
            count(sync.drifted),
            Cell::from(revisions(&sync.revisions)),
            Cell::from(trigger(&sync.trigger)),
        ];
        if wide {
            row.push(Cell::from(moment::took(sync.ended_ms.saturating_sub(sync.started_ms))));
            row.push(count(sync.objects_failed));
            row.push(Cell::from(clean_line(sync.commit.as_ref().map_or("", |commit| &commit.author))));
        }
        row.push(Cell::from(cut(&what(sync), if wide { usize::MAX } else { MAX_CHARS })));
        table.row(row);
    }
    table
}

/// Zero is the normal case, and a dash is easier to skip.
fn count(number: u32) -> Cell {
    Cell::from(if number == 0 { String::new() } else { number.to_string() })
}

/// Returns the one line that says most: the error's first one, or the commit's subject and why somebody asked for it.
fn what(sync: &SyncSummary) -> String {
    let why = if let Trigger::Request { why: Some(why), .. } = &sync.trigger { format!(" ({})", clean_line(why)) } else { String::new() };
    match (&sync.error, &sync.commit) {
        (Some(error), _) => first_line(error),
        (None, Some(commit)) => format!("{}{why}", clean_line(&commit.subject)),
        (None, None) => why.trim().to_owned(),
    }
}

fn trigger(trigger: &Trigger) -> String {
    let text = match trigger {
        Trigger::Commit => "commit".to_owned(),
        Trigger::Drift => "drift".to_owned(),
        Trigger::Interval => "interval".to_owned(),
        Trigger::Start => "start".to_owned(),
        Trigger::Ended => "ended by itself".to_owned(),
        Trigger::Ground { what } => what.clone(),
        Trigger::Request { by, .. } => format!("request of {by}"),
        Trigger::Dependency { unit } => format!("{unit} became ready"),
    };
    clean_line(&text)
}

/// Returns a sync for people.
fn describe(sync: &SyncDetail, printer: &Printer, now_ms: u64) -> String {
    let summary = &sync.summary;
    let mut out = format!("{}\n", printer.paint(Tone::Strong, &summary.id.to_string()));
    let mut line = |label: &str, text: &str| {
        if !text.is_empty() {
            let _ = writeln!(out, "  {label:<10}{text}");
        }
    };
    line("outcome", &printer.paint(outcome_tone(summary.outcome), &word(&summary.outcome)));
    line("revision", &revisions(&summary.revisions));
    if let Some(commit) = &summary.commit {
        line(
            "commit",
            &format!("{} {}", clean_line(&commit.subject), printer.paint(Tone::Faint, &format!("by {}", clean_line(&commit.author)))),
        );
    }
    let reason =
        if let Trigger::Request { why: Some(why), .. } = &summary.trigger { format!(": {}", clean_line(why)) } else { String::new() };
    line("why", &format!("{}{reason}", trigger(&summary.trigger)));
    let took = moment::took(summary.ended_ms.saturating_sub(summary.started_ms));
    line("started", &format!("{} ago, took {took}", moment::age(summary.started_ms, now_ms)));
    line("plan", &plan(sync));
    line("rollback", &rollback(summary));
    for hold in &sync.plan.holds {
        line("held", &format!("{}: {}", word(&hold.kind), clean_line(&hold.reason)));
    }
    objects(&mut out, sync, printer);
    drift(&mut out, sync, printer);
    if !sync.phases.is_empty() {
        let spans: Vec<String> =
            sync.phases.iter().map(|phase| format!("{} {}", clean_line(&phase.name), moment::took(phase.duration_ms))).collect();
        let _ = writeln!(out, "\n  {:<10}{}", "stages", spans.join(", "));
    }
    section(&mut out, printer, "error", summary.error.as_deref());
    out
}

fn plan(sync: &SyncDetail) -> String {
    let plan = &sync.plan;
    let parts = [
        (plan.applies, "to apply"),
        (plan.keeps, "as they are"),
        (plan.deletes, "to delete"),
        (plan.releases, "to release"),
        (plan.forgets, "to forget"),
    ];
    parts.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")).collect::<Vec<_>>().join(", ")
}

fn rollback(summary: &SyncSummary) -> String {
    if summary.offline_rollback {
        return "possible without its sources".to_owned();
    }
    summary.offline_rollback_reason.as_deref().map(|reason| format!("needs its sources: {}", clean_line(reason))).unwrap_or_default()
}

fn objects(out: &mut String, sync: &SyncDetail, printer: &Printer) {
    let changed: Vec<_> = sync.objects.iter().filter(|object| object.result != ObjectOutcome::Unchanged).collect();
    if changed.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n  {}", printer.paint(Tone::Strong, "objects"));
    for entry in &changed {
        let result = printer.paint(result_tone(entry.result), &format!("{:<12}", word(&entry.result)));
        let name = object(&entry.group, &entry.kind, entry.namespace.as_deref(), &entry.name);
        let message = entry.message.as_deref().map(|message| format!(": {}", clean_line(message))).unwrap_or_default();
        let _ = writeln!(out, "    {result}{name}{message}");
    }
    let rest = sync.objects.len() - changed.len();
    if rest > 0 {
        let _ = writeln!(out, "    {}", printer.paint(Tone::Faint, &format!("and {rest} unchanged")));
    }
}

fn drift(out: &mut String, sync: &SyncDetail, printer: &Printer) {
    if sync.drift.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n  {}", printer.paint(Tone::Busy, "drift"));
    for found in &sync.drift {
        let name = object(&found.group, &found.kind, found.namespace.as_deref(), &found.name);
        let path = if found.path.is_empty() { "the whole object".to_owned() } else { clean_line(&found.path) };
        let manager = found.manager.as_deref().map(|manager| format!(" by {}", clean_line(manager))).unwrap_or_default();
        let end = if found.reverted { "put right" } else { "left as it is" };
        let _ = writeln!(out, "    {name}");
        let _ = writeln!(out, "      {path}: {} → {}{manager}, {end}", value(found.old.as_ref()), value(found.new.as_ref()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sync() -> SyncDetail {
        serde_json::from_value(json!({
            "id": "0000000009s", "unit": {"installation": "plumb", "kind": "unit", "namespace": "demo", "name": "hello"},
            "outcome": "succeeded", "startedMs": 0, "endedMs": 1_240, "objectsChanged": 1, "objectsFailed": 0, "drifted": 1,
            "revisions": {"main": {"reference": "main", "commit": "4f0c1a2b9d4f0c1a2b9d"}},
            "commit": {"author": "Ann <ann@example.com>", "subject": "Say hello", "time": 0}, "trigger": {"kind": "drift"},
            "plan": {"digest": "d", "applies": 1, "keeps": 4}, "offlineRollback": true,
            "objects": [
                {"group": "apps", "kind": "Deployment", "namespace": "hello", "name": "web", "result": "configured"},
                {"group": "", "kind": "Service", "namespace": "hello", "name": "web", "result": "unchanged"}
            ],
            "drift": [{"group": "apps", "kind": "Deployment", "namespace": "hello", "name": "web", "path": "spec.replicas", "old": 2, "new": 5,
                "manager": "kubectl", "reverted": true}],
            "phases": [{"name": "build", "durationMs": 3}, {"name": "workloads", "durationMs": 1_020}]
        }))
        .unwrap()
    }

    #[test]
    fn the_history_is_compact() {
        let expected = "\
ID           AGE  OUTCOME    CHANGED  DRIFT  REVISION       WHY    WHAT
0000000009s  9s   succeeded  1        1      main@4f0c1a2b  drift  Say hello
";
        assert_eq!(table(&[sync().summary], false, 9_000).render(false), expected);
    }

    #[test]
    fn one_sync_tells_everything() {
        let web = object("apps", "Deployment", Some("hello"), "web");
        let expected = format!(
            "\
0000000009s
  outcome   succeeded
  revision  main@4f0c1a2b
  commit    Say hello by Ann <ann@example.com>
  why       drift
  started   9s ago, took 1.24s
  plan      1 to apply, 4 as they are
  rollback  possible without its sources

  objects
    configured  {web}
    and 1 unchanged

  drift
    {web}
      spec.replicas: 2 → 5 by kubectl, put right

  stages    build 3ms, workloads 1.02s
"
        );
        assert_eq!(describe(&sync(), &Printer::plain(), 9_000), expected);
    }

    #[test]
    fn a_long_subject_is_cut_at_the_limit() {
        let mut sync = sync().summary;
        sync.error = Some("x".repeat(MAX_CHARS + 1));
        assert!(table(&[sync], false, 0).render(false).contains(&format!("{}…\n", "x".repeat(MAX_CHARS - 1))));
    }
}
