//! Owns prune groups: what one commit touched is built before any of it deletes, and its deletions are judged together.

use plumb_unit::NodeKey;

use super::Core;
use super::state::{GroupId, Verdict};

/// More deletions than this wait for an approval, if they are also more than [`HELD_PERCENT`].
pub const HELD_DELETES: u32 = 10;

/// A larger share of what the touched units own waits for an approval, in percent, if it is also more than [`HELD_DELETES`].
pub const HELD_PERCENT: u32 = 30;

/// Whether so many deletions among so many objects need an approval.
fn large(deletes: u32, owned: u32) -> bool {
    deletes > HELD_DELETES && u64::from(deletes) * 100 > u64::from(owned) * u64::from(HELD_PERCENT)
}

impl Core {
    /// Counts the node among those that the revision touched; its build is due with this want.
    pub(super) fn join_group(&mut self, id: &GroupId, key: &NodeKey, seq: u64) {
        let group = self.groups.entry(id.clone()).or_default();
        group.pending.insert(key.clone(), seq);
        if let Some(unit) = self.units.get_mut(key) {
            group.members.insert(key.clone());
            unit.groups.insert(id.clone());
        }
    }

    /// Lets a unit that stays at another state on purpose wait for the group, but not the group for it.
    pub(super) fn attend_group(&mut self, id: &GroupId, key: &NodeKey) {
        if let Some(unit) = self.units.get_mut(key) {
            unit.groups.insert(id.clone());
            self.groups.entry(id.clone()).or_default().members.insert(key.clone());
        }
    }

    /// Lets such a unit wait for all that is waited for.
    pub(super) fn attend_open_groups(&mut self, key: &NodeKey) {
        let ids: Vec<GroupId> = self.groups.keys().cloned().collect();
        for id in ids {
            self.attend_group(&id, key);
        }
    }

    /// Counts a unit that goes to another state on request among those that are waited for, wherever something waits: it may want
    /// what others are about to delete.
    pub(super) fn join_open_groups(&mut self, key: &NodeKey) {
        let Some(unit) = self.units.get(key) else { return };
        let seq = unit.want.seq;
        let own: GroupId = (key.clone(), seq); // for what was judged already and is not deleted yet
        let others = self.units.iter().filter(|(other, unit)| *other != key && unit.outstanding() > 0);
        let others: Vec<NodeKey> = others.map(|(other, _)| other.clone()).collect();
        for other in others {
            self.attend_group(&own, &other);
            self.dirty.insert(other);
        }
        let ids: Vec<GroupId> = self.groups.keys().cloned().chain([own]).collect();
        for id in ids {
            self.join_group(&id, key, seq);
        }
    }

    /// Notes that a node has been built (or a root read) up to this want.
    pub(super) fn satisfied(&mut self, key: &NodeKey, seq: u64) {
        let Some(unit) = self.units.get(key) else { return };
        for id in unit.groups.clone() {
            self.satisfied_in(&id, key, seq);
        }
    }

    pub(super) fn satisfied_in(&mut self, id: &GroupId, key: &NodeKey, seq: u64) {
        let Some(group) = self.groups.get_mut(id) else { return };
        if group.pending.get(key).is_some_and(|due| *due <= seq) {
            group.pending.remove(key);
            self.judge(id);
        }
    }

    /// Takes the unit out of all groups: it is gone, or stays at another state on purpose.
    pub(super) fn leave_groups(&mut self, key: &NodeKey) {
        let Some(unit) = self.units.get_mut(key) else { return };
        for id in std::mem::take(&mut unit.groups) {
            let Some(group) = self.groups.get_mut(&id) else { continue };
            group.members.remove(key);
            group.pending.remove(key);
            self.judge(&id);
        }
    }

    /// Takes a root out of all groups.
    pub(super) fn leave_groups_root(&mut self, key: &NodeKey) {
        let ids: Vec<GroupId> = self.groups.iter().filter(|(_, group)| group.pending.contains_key(key)).map(|(id, _)| id.clone()).collect();
        for id in ids {
            if let Some(group) = self.groups.get_mut(&id) {
                group.pending.remove(key);
            }
            self.judge(&id);
        }
    }

    /// Judges a group in which nothing is pending any more, and dissolves it.
    pub(super) fn judge(&mut self, id: &GroupId) {
        if self.groups.get(id).is_none_or(|group| !group.pending.is_empty()) {
            return;
        }
        let Some(group) = self.groups.remove(id) else { return };
        let units = group.members.iter().filter_map(|key| self.units.get(key));
        let counts = units.filter_map(|unit| Some((unit.outstanding(), unit.built.as_ref()?.head.owned)));
        let (deletes, owned) = counts.fold((0u32, 0u32), |sum, one| (sum.0.saturating_add(one.0), sum.1.saturating_add(one.1)));
        for key in &group.members {
            self.verdict(key, Some(id), deletes, owned);
        }
    }

    /// Judges a unit whose newest build no commit shares.
    pub(super) fn judge_alone(&mut self, key: &NodeKey) {
        let Some(unit) = self.units.get(key) else { return };
        let Some(built) = &unit.built else { return };
        if unit.groups.is_empty() && unit.verdict == Verdict::Open && unit.outstanding() > 0 {
            let (deletes, owned) = (built.head.deletes, built.head.owned);
            self.verdict(key, None, deletes, owned);
        }
    }

    fn verdict(&mut self, key: &NodeKey, id: Option<&GroupId>, deletes: u32, owned: u32) {
        let Some(unit) = self.units.get_mut(key) else { return };
        if let Some(id) = id {
            unit.groups.remove(id);
        }
        self.dirty.insert(key.clone());
        if unit.outstanding() == 0 {
            return;
        }
        if large(deletes, owned) {
            unit.verdict = Verdict::Held { deletes, owned };
            if !std::mem::replace(&mut unit.kept.prune_held, true) {
                self.keep(key);
            }
        } else if !matches!(unit.verdict, Verdict::Held { .. }) {
            unit.verdict = Verdict::Allowed { deletes, owned };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_is_more_than_both_limits() {
        assert!(!large(HELD_DELETES, 10));
        assert!(large(HELD_DELETES + 1, 11));
        assert!(!large(30, 100));
        assert!(large(31, 100));
    }
}
