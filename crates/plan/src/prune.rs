//! Owns when something is deleted: what is evidence that it was dropped, and which deletions wait for a person (DESIGN.md, 5.3).

use plumb_manifest::{Digest, ObjectKey};
use plumb_unit::{Inventory, NodeKey};

use crate::{BuildFacts, Forgotten, Hold, HoldKind, Intent, Live, LiveFact, Others, UnitHash, Wants};

/// Deletions up to this many never count as many.
pub const PRUNE_HOLD_OBJECTS: usize = 10;
/// Deletions up to this share of what is owned, in percent, never count as many.
pub const PRUNE_HOLD_PERCENT: usize = 30;
/// Kinds that take data or other people's objects along: their deletion always waits for approval.
pub const PRUNE_HOLD_KINDS: [(&str, &str); 4] =
    [("apiextensions.k8s.io", "CustomResourceDefinition"), ("", "Namespace"), ("", "PersistentVolume"), ("", "PersistentVolumeClaim")];

/// What the other units that one commit touches own and would delete, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupSums {
    /// Objects they would delete.
    pub deletes: usize,
    /// Objects they own before.
    pub owned: usize,
}

/// The numbers of one unit's prune. They can be summed over a commit and judged again just before the deletes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PruneCase {
    /// Objects to delete, held ones too.
    pub deletes: usize,
    /// Objects owned before.
    pub owned: usize,
    /// Objects owned when all of it is done.
    pub left: usize,
}

/// Returns why deletions wait for approval by their number, or none when they need not. `others` are the units beside this one that
/// the same commit touches. Kinds are judged by [`always_held`].
pub fn prune_verdict(case: PruneCase, others: GroupSums) -> Option<String> {
    if case.deletes == 0 {
        return None;
    }
    let (deletes, owned) = (case.deletes + others.deletes, case.owned + others.owned);
    if deletes > PRUNE_HOLD_OBJECTS && deletes * 100 > owned * PRUNE_HOLD_PERCENT {
        let percent = deletes * 100 / owned.max(1);
        let whose = if others.deletes > 0 { "the units that this change touches own" } else { "the unit owns" };
        return Some(format!("deletes {deletes} of the {owned} objects that {whose} ({percent} %)"));
    }
    (case.left == 0).then(|| {
        if case.deletes == 1 {
            "deletes the unit's last object".to_owned()
        } else {
            format!("deletes the unit's last {} objects", case.deletes)
        }
    })
}

/// Returns whether the deletion of such a kind always waits for approval.
pub fn always_held(key: &ObjectKey) -> bool {
    PRUNE_HOLD_KINDS.contains(&(&*key.group, &*key.kind))
}

/// Returns why a build is no evidence that what it does not name was dropped, and what lifts that: a complete read (`Evidence`), or a
/// person (`Prune`).
pub(crate) fn evidence_gap(intent: Intent, build: &BuildFacts, inventory: &Inventory) -> Option<(HoldKind, String)> {
    if let Some(why) = &build.incomplete {
        return Some((HoldKind::Evidence, format!("no complete read shows that they were dropped: {why}")));
    }
    if matches!(intent, Intent::Remove { .. }) {
        return None;
    }
    if inventory.evidence.is_empty() {
        return Some((HoldKind::Prune, "there is no record of the source that they came from".to_owned()));
    }
    let read = |source: &str| build.evidence.iter().find(|evidence| evidence.source == source);
    for seen in &inventory.evidence {
        if read(&seen.source).is_none() {
            return Some((HoldKind::Prune, format!("they were last seen in `{}`, which the unit no longer reads", seen.source)));
        }
    }
    let later = inventory.evidence.iter().any(|seen| read(&seen.source).is_some_and(|now| now.commit != seen.commit));
    if !later && !build.declaration_changed {
        return Some((HoldKind::Prune, "the same revision that they were made from no longer yields them".to_owned()));
    }
    None
}

/// What is to be done about an owned object that the build does not name.
pub(crate) enum Dropped {
    Delete(LiveFact),
    Release,
    Forget(Forgotten),
    /// Whether it is live, or wanted by another unit, could not be told.
    Unknown,
}

/// Decides about an owned object that the build does not name, evidence and approvals aside.
pub(crate) fn dropped(unit: &NodeKey, key: &ObjectKey, live: Live, others: &dyn Others) -> Dropped {
    let claims = others.claims(key);
    if let Some(claim) = claims.iter().find(|claim| claim.wants == Wants::Yes) {
        return Dropped::Forget(Forgotten::Moved(claim.unit.clone()));
    }
    if claims.iter().any(|claim| claim.wants == Wants::Unknown) {
        return Dropped::Unknown;
    }
    match live {
        Live::Unknown => Dropped::Unknown,
        Live::Absent | Live::Ended { .. } => Dropped::Forget(Forgotten::Gone),
        Live::Here(fact) if fact.unit == Some(UnitHash::of(unit)) => {
            if fact.prune_disabled {
                Dropped::Release
            } else {
                Dropped::Delete(fact)
            }
        }
        Live::Here(fact) => {
            let owner = claims.into_iter().find(|claim| claim.owns && Some(UnitHash::of(&claim.unit)) == fact.unit);
            Dropped::Forget(owner.map_or(Forgotten::Foreign, |claim| Forgotten::Moved(claim.unit)))
        }
    }
}

/// Makes a hold. `objects` are the objects with their UID and the version that an approval binds to ([`LiveFact::approval_version`]).
pub fn hold(unit: &NodeKey, kind: HoldKind, reason: String, objects: &[(ObjectKey, String, String)]) -> Hold {
    let mut parts: Vec<Vec<u8>> = vec![b"hold".to_vec(), format!("{unit:?}").into_bytes(), format!("{kind:?}").into_bytes()];
    for (key, uid, version) in objects {
        parts.push(key_bytes(key));
        parts.push(uid.clone().into_bytes());
        parts.push(version.clone().into_bytes());
    }
    let digest = Digest::of_parts(parts.iter().map(Vec::as_slice));
    Hold { reason, objects: objects.iter().map(|(key, ..)| key.clone()).collect(), kind, digest }
}

/// A key as bytes in which no two keys are equal.
pub(crate) fn key_bytes(key: &ObjectKey) -> Vec<u8> {
    let namespace = key.namespace.as_deref().map_or(String::new(), |namespace| format!("+{namespace}"));
    format!("{}\0{}\0{namespace}\0{}", key.group, key.kind, key.name).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(deletes: usize, owned: usize) -> PruneCase {
        PruneCase { deletes, owned, left: owned - deletes }
    }

    #[test]
    fn more_than_ten_and_more_than_thirty_percent_wait() {
        for (deletes, owned, held) in
            [(10, 20, false), (11, 20, true), (11, 36, true), (11, 37, false), (12, 40, false), (30, 100, false), (31, 100, true)]
        {
            assert_eq!(prune_verdict(case(deletes, owned), GroupSums::default()).is_some(), held, "{deletes} of {owned}");
        }
    }

    #[test]
    fn sums_count_over_the_units_of_one_commit() {
        let others = GroupSums { deletes: 8, owned: 10 };
        assert_eq!(
            prune_verdict(case(3, 10), others).as_deref(),
            Some("deletes 11 of the 20 objects that the units that this change touches own (55 %)")
        );
        assert_eq!(prune_verdict(case(2, 10), others), None);
        assert_eq!(prune_verdict(case(0, 10), GroupSums { deletes: 50, owned: 50 }), None);
        assert_eq!(prune_verdict(case(3, 10), GroupSums { deletes: 8, owned: 100 }), None);
    }

    #[test]
    fn the_last_object_waits() {
        assert_eq!(prune_verdict(case(1, 1), GroupSums::default()).as_deref(), Some("deletes the unit's last object"));
        assert_eq!(prune_verdict(case(2, 2), GroupSums::default()).as_deref(), Some("deletes the unit's last 2 objects"));
        assert_eq!(prune_verdict(case(1, 2), GroupSums::default()), None);
    }

    #[test]
    fn kinds_that_take_data_along_wait() {
        for (group, kind, held) in [
            ("", "Namespace", true),
            ("", "PersistentVolume", true),
            ("", "PersistentVolumeClaim", true),
            ("apiextensions.k8s.io", "CustomResourceDefinition", true),
            ("", "ConfigMap", false),
            ("example.com", "Namespace", false),
        ] {
            assert_eq!(always_held(&ObjectKey::new(group, kind, None, "x")), held, "{group}/{kind}");
        }
    }

    #[test]
    fn keys_do_not_run_into_each_other() {
        assert_ne!(key_bytes(&ObjectKey::new("", "A", None, "b")), key_bytes(&ObjectKey::new("", "A", Some(""), "b")));
    }
}
