//! Owns the words and tones that tables and trees share: revisions, objects, values of fields.

use plumb_plan::HealthStatus;
use plumb_server::api::ObjectRef;
use plumb_store::{ObjectOutcome, SyncOutcome};
use plumb_unit::{Revision, Revisions};
use serde_json::Value;

use crate::printer::{Tone, clean_line};

/// How much of a field's value is shown.
const MAX_VALUE_CHARS: usize = 60;
/// How many digits of a commit are shown.
const COMMIT_DIGITS: usize = 8;

/// Returns a revision short: `main@4f0c1a2b`.
pub(crate) fn revision(revision: &Revision) -> String {
    let commit = revision.commit.get(..COMMIT_DIGITS).unwrap_or(&revision.commit);
    clean_line(&if revision.reference.is_empty() { commit.to_owned() } else { format!("{}@{commit}", revision.reference) })
}

/// Returns revisions in one cell: the only one, or each with its alias.
pub(crate) fn revisions(all: &Revisions) -> String {
    match all.iter().collect::<Vec<_>>().as_slice() {
        [(_, one)] => revision(one),
        several => several.iter().map(|(alias, one)| format!("{}={}", clean_line(alias), revision(one))).collect::<Vec<_>>().join(" "),
    }
}

/// Returns an object as all of Plumb writes it.
pub(crate) fn object(group: &str, kind: &str, namespace: Option<&str>, name: &str) -> String {
    clean_line(&plumb_manifest::ObjectKey::new(group, kind, namespace, name).to_string())
}

/// Returns an object of the operator's answers.
pub(crate) fn reference(object: &ObjectRef) -> String {
    self::object(&object.group, &object.kind, object.namespace.as_deref(), &object.name)
}

/// Returns the tone of a health.
pub(crate) fn health_tone(health: HealthStatus) -> Tone {
    match health {
        HealthStatus::Healthy => Tone::Good,
        HealthStatus::Progressing | HealthStatus::Suspended | HealthStatus::Unknown => Tone::Busy,
        HealthStatus::Missing | HealthStatus::Degraded => Tone::Bad,
    }
}

/// Returns a word that serde gives to a plain enum.
pub(crate) fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Returns the tone of a sync's outcome.
pub(crate) fn outcome_tone(outcome: SyncOutcome) -> Tone {
    match outcome {
        SyncOutcome::Succeeded => Tone::Good,
        SyncOutcome::Held | SyncOutcome::Stopped => Tone::Busy,
        SyncOutcome::Failed => Tone::Bad,
    }
}

/// Returns the tone of what came of an object.
pub(crate) fn result_tone(result: ObjectOutcome) -> Tone {
    match result {
        ObjectOutcome::Created | ObjectOutcome::Configured | ObjectOutcome::Ran => Tone::Good,
        ObjectOutcome::Pruned | ObjectOutcome::Released => Tone::Busy,
        ObjectOutcome::Unchanged | ObjectOutcome::Forgotten | ObjectOutcome::Skipped | ObjectOutcome::Ended => Tone::Faint,
        ObjectOutcome::Failed => Tone::Bad,
    }
}

/// Returns a value of a field on one line, cut where it gets long.
pub(crate) fn value(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::String(text)) => cut(&clean_line(text), MAX_VALUE_CHARS),
        Some(other) => cut(&clean_line(&other.to_string()), MAX_VALUE_CHARS),
    }
}

/// Returns the start of a text, and a sign where something is left out.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        text.to_owned()
    } else {
        format!("{}…", text.chars().take(most.saturating_sub(1)).collect::<String>())
    }
}

/// Returns the first line of a text.
pub(crate) fn first_line(text: &str) -> String {
    clean_line(text.trim().lines().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_at_the_limit() {
        assert_eq!(value(Some(&Value::from("x".repeat(MAX_VALUE_CHARS)))).chars().count(), MAX_VALUE_CHARS);
        let long = value(Some(&Value::from("x".repeat(MAX_VALUE_CHARS + 1))));
        assert!(long.ends_with('…') && long.chars().count() == MAX_VALUE_CHARS);
        assert_eq!(value(None), "nothing");
        assert_eq!(value(Some(&serde_json::json!({"a": 1}))), "{\"a\":1}");
    }

    #[test]
    fn revisions_are_short() {
        let one = Revision { reference: "main".into(), commit: "4f0c1a2b9d4f0c1a2b9d".into() };
        let tag = Revision { reference: String::new(), commit: "abc".into() };
        assert_eq!(revisions(&Revisions::from([("main".into(), one.clone())])), "main@4f0c1a2b");
        assert_eq!(revisions(&Revisions::from([("main".into(), one), ("tools".into(), tag)])), "main=main@4f0c1a2b tools=abc");
        assert_eq!(revisions(&Revisions::new()), "");
    }
}
