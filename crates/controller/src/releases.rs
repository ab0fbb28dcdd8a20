//! Owns which installation of a unit a build is: what it is told of the time and of earlier ones, and which hooks its sync runs.
//!
//! A build is told the same for as long as it is made from the same files and answers, over restarts too: else an annotation with the time, or a
//! chart that writes another object on an upgrade, would change what runs although nobody changed anything.

use std::collections::BTreeSet;

use plumb_manifest::Digest;
use plumb_plan::Occasion;
use plumb_unit::Unit;
use plumb_world::{Answer, FileTable, Known, Need};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::answers::OfTheRevision;
use crate::clock::now_ms;

/// One installation of a unit. The last one lies beside the inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// Hash of all that it was built from.
    pub inputs: Digest,
    /// Hash of its manifests.
    pub content: Digest,
    /// The time that its build was told, in seconds since 1970.
    pub now_s: u64,
    /// Which installation it is, from 1.
    pub revision: u32,
    /// Whether one was carried out before.
    pub upgrade: bool,
    /// Whether it was carried out.
    pub done: bool,
    /// Whether the hooks of its removal ran.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}

impl Release {
    /// Returns what a build of it is told.
    pub fn told(&self) -> OfTheRevision {
        OfTheRevision { now_s: self.now_s, revision: self.revision, upgrade: self.upgrade }
    }

    /// Reads it from what lies beside an inventory.
    pub fn of_gates(gates: &Value) -> Option<Self> {
        serde_json::from_value(gates.get("release")?.clone()).ok()
    }

    /// Returns what lies beside the inventory of a unit that has nothing else there.
    pub fn to_gates(&self) -> Value {
        serde_json::json!({"release": self})
    }
}

/// What is known of a unit's installations.
#[derive(Clone, Copy)]
pub struct Past<'p> {
    /// The last one that was begun.
    pub last: Option<&'p Release>,
    /// The one that was built since, if any.
    pub next: Option<&'p Release>,
    /// Whether the unit owns anything: what runs from before installations were told apart is upgraded.
    pub owns: bool,
}

impl Past<'_> {
    /// Returns the installation that a build is taken for before it is known what it is made from.
    pub fn assumed(&self) -> Release {
        self.next.or(self.last).cloned().unwrap_or_else(|| self.following(Digest::of(b"")))
    }

    /// Returns the installation that a build from these inputs is.
    pub fn of_inputs(&self, inputs: Digest) -> Release {
        let known = [self.next, self.last].into_iter().flatten().find(|release| release.inputs == inputs);
        known.cloned().unwrap_or_else(|| self.following(inputs))
    }

    fn following(&self, inputs: Digest) -> Release {
        Release {
            inputs,
            content: Digest::of(b""),
            now_s: now_ms() / 1000,
            revision: self.last.map_or(1, |last| last.revision.saturating_add(1)),
            upgrade: self.last.map_or(self.owns, |last| last.done || last.upgrade),
            done: false,
            removed: false,
        }
    }

    /// Returns whether the hooks of a removal are still to run: of what was carried out once.
    pub fn removal(&self) -> Option<Occasion> {
        self.last.filter(|last| (last.done || last.upgrade) && !last.removed).map(|_| Occasion::Removal)
    }

    /// Returns which hooks a sync runs: none where this very content was carried out already, and none of a build that tells no installations apart.
    pub fn occasion(&self, release: Option<&Release>, content: Digest, rollback: bool) -> Option<Occasion> {
        let release = release?;
        if self.last.is_some_and(|last| last.done && last.content == content) {
            return None;
        }
        Some(match (rollback, release.upgrade) {
            (true, _) => Occasion::Rollback,
            (false, true) => Occasion::Upgrade,
            (false, false) => Occasion::Install,
        })
    }

    /// Returns what is written beside the inventory when the sync of a build begins.
    pub fn begun(&self, release: Option<&Release>, content: Digest) -> Option<Release> {
        let release = release?.clone();
        let done = self.last.is_some_and(|last| last.done && last.content == content && last.inputs == release.inputs);
        Some(Release { content, done, ..release })
    }
}

/// Hashes all that a build is made from: its steps, the files it read, and what it was answered, less what is recorded so that it stays.
pub fn inputs(unit: &Unit, files: &FileTable, asked: &BTreeSet<Need>, known: &Known) -> Digest {
    let mut parts = vec![format!("{:?}", (&unit.build, &unit.target.namespace)).into_bytes()];
    for (_, file) in files.iter().filter(|(_, file)| !file.made) {
        parts.extend([file.source.as_bytes().to_vec(), file.path.as_str().as_bytes().to_vec(), Digest::of(&file.text).0.to_vec()]);
    }
    for need in asked.iter().filter(|need| !need.is_kept() && !need.is_of_the_revision()) {
        let answer = match known.get(need) {
            Some(Answer::Known(bytes)) => Digest::of(bytes).0.to_vec(),
            other => format!("{other:?}").into_bytes(),
        };
        parts.extend([need.to_string().into_bytes(), answer]);
    }
    Digest::of_parts(parts.iter().map(Vec::as_slice))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    #[test]
    fn the_first_is_an_installation_until_it_was_carried_out() {
        let none = Past { last: None, next: None, owns: false };
        let first = none.of_inputs(digest("a"));
        assert_eq!((first.revision, first.upgrade), (1, false));
        assert_eq!(none.occasion(Some(&first), digest("x"), false), Some(Occasion::Install));
        // It failed half way: still the installation, told the same.
        let begun = none.begun(Some(&first), digest("x")).unwrap();
        let failed = Past { last: Some(&begun), next: None, owns: true };
        assert_eq!(failed.of_inputs(digest("a")).told(), first.told());
        assert_eq!(failed.occasion(Some(&begun), digest("x"), false), Some(Occasion::Install));
        assert_eq!(failed.of_inputs(digest("b")), Release { inputs: digest("b"), revision: 2, content: digest(""), ..first.clone() });
        // It was carried out: the same again runs no hooks, another one is an upgrade.
        let done = Release { done: true, ..begun };
        let past = Past { last: Some(&done), next: None, owns: true };
        assert_eq!(past.occasion(Some(&done), digest("x"), false), None);
        let second = past.of_inputs(digest("b"));
        assert_eq!((second.revision, second.upgrade), (2, true));
        assert_eq!(past.occasion(Some(&second), digest("y"), false), Some(Occasion::Upgrade));
        assert_eq!(past.occasion(Some(&second), digest("y"), true), Some(Occasion::Rollback));
        assert_eq!(past.occasion(None, digest("y"), false), None);
    }

    #[test]
    fn what_ran_before_installations_were_told_apart_is_upgraded() {
        let past = Past { last: None, next: None, owns: true };
        assert!(past.assumed().upgrade);
    }

    #[test]
    fn a_release_survives_being_written() {
        let release = Past { last: None, next: None, owns: false }.of_inputs(digest("a"));
        assert_eq!(Release::of_gates(&release.to_gates()), Some(release));
        assert_eq!(Release::of_gates(&Value::Null), None);
    }
}
