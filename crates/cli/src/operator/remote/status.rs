//! Owns `get units` and `status`: how units do, what each waits for, and who lifts it.

use std::fmt::Write as _;

use super::shape::{Gate, UnitStatus};
use crate::args::Format;
use crate::operator::moment;
use crate::operator::words::{cut, first_line, health_tone, revisions, word};
use crate::printer::{Printer, Tone, clean, clean_line};
use crate::problem::{DONE, Done};
use crate::table::{Cell, Table};

/// How long a message in a table may be.
const MAX_MESSAGE_CHARS: usize = 80;

/// Prints a list of units.
pub(crate) fn list(printer: &Printer, format: Option<Format>, units: &[UnitStatus]) -> Done {
    match format {
        Some(format @ (Format::Json | Format::Yaml)) => printer.document(format, &crate::json(units))?,
        Some(Format::Name) => {
            for unit in units {
                printer.line(&clean_line(&unit.full_name()))?;
            }
        }
        None | Some(Format::Wide) if units.is_empty() => printer.note("no units"),
        None | Some(Format::Wide) => printer.table(&table(units, format.is_some(), moment::now_ms()))?,
    }
    Ok(DONE)
}

fn table(units: &[UnitStatus], wide: bool, now_ms: u64) -> Table {
    let mut head = vec!["NAMESPACE", "NAME", "SYNC", "HEALTH", "REVISION", "AGE"];
    if wide {
        head.extend(["CLUSTER", "OBJECTS", "DECLARED"]);
    }
    head.push("MESSAGE");
    let mut table = Table::new(&head);
    for unit in units {
        let mut row = vec![
            Cell::from(clean_line(&unit.namespace)),
            Cell::from(clean_line(&unit.name)),
            Cell::toned(unit.sync, Some(sync_tone(unit.sync))),
            Cell::toned(word(&unit.health), Some(health_tone(unit.health))),
            Cell::from(revisions(&unit.revisions)),
            Cell::from(unit.commit.as_ref().map_or_else(String::new, |commit| moment::age(milliseconds(commit.time), now_ms))),
        ];
        if wide {
            row.push(Cell::from(clean_line(&unit.cluster)));
            row.push(Cell::from(unit.objects.to_string()));
            row.push(Cell::from(clean_line(&unit.declared_at)));
        }
        row.push(Cell::from(cut(&message(unit), if wide { usize::MAX } else { MAX_MESSAGE_CHARS })));
        table.row(row);
    }
    table
}

fn milliseconds(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000)
}

fn sync_tone(word: &str) -> Tone {
    if word == "Synced" { Tone::Good } else { Tone::Busy }
}

/// Returns the one thing about a unit that matters most: an error, a gate, a source that cannot be read, drift, what it is doing.
fn message(unit: &UnitStatus) -> String {
    let error = unit.error.as_deref().map(first_line);
    let gate = || unit.gates.first().map(|gate| first_line(&gate.reason));
    let stale = || unit.stale.first().map(|stale| format!("source cannot be read: {}", first_line(&stale.message)));
    let drift = || unit.drift.as_deref().map(first_line);
    let busy = || Some(first_line(&unit.activity)).filter(|_| unit.sync != "Synced");
    let health = || Some(first_line(&unit.health_message)).filter(|_| unit.health != plumb_plan::HealthStatus::Healthy);
    error.or_else(gate).or_else(stale).or_else(drift).or_else(busy).or_else(health).unwrap_or_default()
}

/// Prints one unit in full.
pub(crate) fn one(printer: &Printer, format: Option<Format>, unit: &UnitStatus) -> Done {
    match format {
        Some(format @ (Format::Json | Format::Yaml)) => printer.document(format, &crate::json(unit))?,
        Some(Format::Name) => printer.line(&clean_line(&unit.full_name()))?,
        None | Some(Format::Wide) => printer.data(&describe(unit, printer, moment::now_ms()))?,
    }
    Ok(DONE)
}

/// Prints each unit in full.
pub(crate) fn all(printer: &Printer, format: Option<Format>, units: &[UnitStatus]) -> Done {
    if !matches!(format, None | Some(Format::Wide)) || units.is_empty() {
        return list(printer, format, units);
    }
    let texts: Vec<String> = units.iter().map(|unit| describe(unit, printer, moment::now_ms())).collect();
    printer.data(&texts.join("\n"))?;
    Ok(DONE)
}

/// Returns a unit's state for people.
fn describe(unit: &UnitStatus, printer: &Printer, now_ms: u64) -> String {
    let mut out = format!("{}\n", printer.paint(Tone::Strong, &clean_line(&unit.full_name())));
    let mut line = |label: &str, text: &str| {
        if !text.is_empty() {
            let _ = writeln!(out, "  {label:<10}{text}");
        }
    };
    line("sync", &printer.paint(sync_tone(unit.sync), unit.sync));
    let health = printer.paint(health_tone(unit.health), &word(&unit.health));
    line("health", &if unit.health_message.is_empty() { health } else { format!("{health}: {}", clean_line(&unit.health_message)) });
    line("revision", &revision(unit));
    if let Some(commit) = &unit.commit {
        let by = format!("by {}, {} ago", clean_line(&commit.author), moment::age(milliseconds(commit.time), now_ms));
        line("commit", &format!("{} {}", clean_line(&commit.subject), printer.paint(Tone::Faint, &by)));
    }
    line("cluster", &clean_line(&unit.cluster));
    line("namespace", &clean_line(unit.target_namespace.as_deref().unwrap_or_default()));
    line("objects", &unit.objects.to_string());
    line("declared", &clean_line(&unit.declared_at));
    line("now", &clean_line(&unit.activity));
    line("drift", &printer.paint(Tone::Busy, &clean_line(unit.drift.as_deref().unwrap_or_default())));
    for stale in &unit.stale {
        let since = moment::age(stale.since_ms, now_ms);
        line("stale", &format!("{} cannot be read for {since}: {}", clean_line(&stale.source), clean_line(&stale.message)));
    }
    gates(&mut out, unit, printer, now_ms);
    section(&mut out, printer, "last error", unit.error.as_deref());
    out
}

fn revision(unit: &UnitStatus) -> String {
    let (synced, wanted) = (revisions(&unit.revisions), revisions(&unit.wanted));
    match (synced.is_empty(), wanted.is_empty() || wanted == synced) {
        (false, true) => synced,
        (false, false) => format!("{synced}, wanted {wanted}"),
        (true, false) => format!("none yet, wanted {wanted}"),
        (true, true) => "none yet".to_owned(),
    }
}

fn gates(out: &mut String, unit: &UnitStatus, printer: &Printer, now_ms: u64) {
    if unit.gates.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n  {}", printer.paint(Tone::Busy, "waits for"));
    for gate in &unit.gates {
        let Gate { kind, reason, reasons, lifted_by, by: _, until_ms, digest: _ } = gate;
        let _ = writeln!(out, "    {:<14}{}", word(kind), clean_line(reason));
        for reason in reasons.iter().filter(|one| !reason.contains(one.as_str())) {
            let _ = writeln!(out, "    {:<14}- {}", "", clean_line(reason));
        }
        if !lifted_by.is_empty() {
            let _ = writeln!(out, "    {:<14}{} {}", "", printer.paint(Tone::Faint, "lifted by"), clean_line(lifted_by));
        }
        if let Some(until) = until_ms {
            let _ = writeln!(out, "    {:<14}{} {}", "", printer.paint(Tone::Faint, "ends"), moment::until(*until, now_ms));
        }
    }
}

/// Adds a text of several lines under a head, indented.
pub(crate) fn section(out: &mut String, printer: &Printer, head: &str, text: Option<&str>) {
    let Some(text) = text.map(str::trim_end).filter(|text| !text.is_empty()) else { return };
    let _ = writeln!(out, "\n  {}", printer.paint(Tone::Bad, head));
    for line in clean(text).lines() {
        let _ = if line.is_empty() { writeln!(out) } else { writeln!(out, "    {line}") };
    }
}

#[cfg(test)]
mod tests {
    use plumb_server::api::UnitView;
    use serde_json::{Value, json};

    use super::*;

    fn unit(mut value: Value) -> UnitStatus {
        let rest =
            json!({"namespace": "demo", "name": "hello", "target": {"cluster": "prod"}, "activity": {"state": "resting"}, "objects": 17});
        for (name, default) in rest.as_object().unwrap() {
            value.as_object_mut().unwrap().entry(name).or_insert(default.clone());
        }
        UnitStatus::of(serde_json::from_value::<UnitView>(value).unwrap(), 31_000)
    }

    fn waiting() -> UnitStatus {
        unit(json!({
            "sync": "outOfSync", "health": {"status": "Healthy"},
            "synced": {"main": {"reference": "main", "commit": "4f0c1a2b9d4f0c1a2b9d"}},
            "wanted": {"main": {"reference": "main", "commit": "99aabbccddeeff001122"}},
            "commit": {"author": "Ann <ann@example.com>", "subject": "Say hello", "time": 1},
            "why": {"state": "gated", "message": "waits for approval"},
            "gates": [
                {"kind": "approval", "message": "12 of 17 objects would be deleted", "digest": "3f2a"},
                {"kind": "suspended", "message": "suspended by ann: holidays", "untilMs": 61_000}
            ],
            "failure": "it does not build",
            "problems": [{"code": "yaml-syntax", "severity": "error", "message": "mapping values are not allowed here", "place": "settings.yaml:6:14",
                "excerpt": "  |\n6 |   greeting: a: b\n", "hints": ["Quote the value."]}]
        }))
    }

    #[test]
    fn a_unit_says_what_it_waits_for_who_lifts_it_and_what_went_wrong() {
        let expected = "\
demo/hello
  sync      OutOfSync
  health    Healthy
  revision  main@4f0c1a2b, wanted main@99aabbcc
  commit    Say hello by Ann <ann@example.com>, 30s ago
  cluster   prod
  objects   17
  now       waits for approval

  waits for
    approval      12 of 17 objects would be deleted
                  lifted by `plumb approve demo/hello 3f2a`
    suspended     suspended by ann: holidays
                  lifted by `plumb resume demo/hello`
                  ends in 30s

  last error
    error[yaml-syntax]: mapping values are not allowed here
     --> settings.yaml:6:14
      |
    6 |   greeting: a: b
      = help: Quote the value.
";
        assert_eq!(describe(&waiting(), &Printer::plain(), 31_000), expected);
    }

    #[test]
    fn scripts_find_what_they_ask_for() {
        let value = crate::json(&waiting());
        assert_eq!((&value["version"], &value["sync"], &value["health"]), (&json!(1), &json!("OutOfSync"), &json!("Healthy")));
        assert_eq!(value["gates"][0]["reason"], "12 of 17 objects would be deleted");
        assert!(value["error"].as_str().unwrap().contains("settings.yaml:6:14"));
    }

    #[test]
    fn the_table_has_the_most_important_message() {
        let units = [unit(json!({"sync": "synced", "health": {"status": "Healthy"}})), waiting()];
        let expected = "\
NAMESPACE  NAME   SYNC       HEALTH   REVISION       AGE  MESSAGE
demo       hello  Synced     Healthy  -              -    -
demo       hello  OutOfSync  Healthy  main@4f0c1a2b  4s   error[yaml-syntax]: mapping values are not allowed here
";
        assert_eq!(table(&units, false, 5_000).render(false), expected);
    }

    #[test]
    fn a_long_message_is_cut_at_the_limit() {
        let mut long = waiting();
        long.error = Some("x".repeat(MAX_MESSAGE_CHARS + 1));
        assert!(table(&[long], false, 0).render(false).contains(&format!("{}…\n", "x".repeat(MAX_MESSAGE_CHARS - 1))));
    }
}
