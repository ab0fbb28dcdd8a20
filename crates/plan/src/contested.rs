//! Owns contested paths: fields that are put right again and again against one manager. Time comes in.

use std::collections::{BTreeMap, VecDeque};

use plumb_manifest::ObjectKey;

use crate::FieldChange;

/// So many reverts of one path against one manager within the window make it contested.
pub const CONTEST_REVERTS: usize = 3;
/// The window, in milliseconds: ten minutes.
pub const CONTEST_WINDOW_MS: u64 = 10 * 60 * 1000;
/// The first pause; each further revert doubles it.
pub const CONTEST_FIRST_PAUSE_MS: u64 = 60 * 1000;
/// The longest pause.
pub const CONTEST_MAX_PAUSE_MS: u64 = 60 * 60 * 1000;
/// How many paths are remembered; the one that was quiet longest is forgotten first.
pub const CONTEST_TRACKED: usize = 10_000;

/// A path that somebody else keeps changing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contest {
    /// The path, as shown.
    pub path: String,
    /// The other manager; none when the field keeps vanishing and nobody owns it.
    pub manager: Option<String>,
    /// How often it was reverted since the contest began.
    pub reverts: u32,
    /// Until when it is left alone.
    pub until_ms: u64,
}

type Place = (ObjectKey, String, Option<String>);

#[derive(Clone, Debug, Default)]
struct Entry {
    recent_ms: VecDeque<u64>,
    total: u32,
    last_ms: u64,
    pause_ms: u64,
    until_ms: u64,
}

/// Remembers what was reverted when.
#[derive(Clone, Debug, Default)]
pub struct Contests {
    entries: BTreeMap<Place, Entry>,
}

impl Contests {
    /// Returns the contest that forbids reverting a change now, if there is one.
    pub fn blocks(&self, key: &ObjectKey, change: &FieldChange, now_ms: u64) -> Option<Contest> {
        let place = place(key, change);
        let entry = self.entries.get(&place)?;
        (now_ms < entry.until_ms).then(|| contest(&place, entry))
    }

    /// Notes that a change was reverted. Returns the contest if the path is contested now.
    pub fn reverted(&mut self, key: &ObjectKey, change: &FieldChange, now_ms: u64) -> Option<Contest> {
        let place = place(key, change);
        if !self.entries.contains_key(&place) {
            self.make_room(now_ms);
        }
        let entry = self.entries.entry(place.clone()).or_default();
        if entry.is_quiet(now_ms) {
            *entry = Entry::default();
        }
        entry.recent_ms.retain(|at| now_ms.saturating_sub(*at) < CONTEST_WINDOW_MS);
        entry.recent_ms.push_back(now_ms);
        if entry.recent_ms.len() > CONTEST_REVERTS {
            entry.recent_ms.pop_front();
        }
        entry.total += 1;
        entry.last_ms = now_ms;
        if entry.pause_ms == 0 && entry.recent_ms.len() < CONTEST_REVERTS {
            return None;
        }
        entry.pause_ms = if entry.pause_ms == 0 { CONTEST_FIRST_PAUSE_MS } else { (entry.pause_ms * 2).min(CONTEST_MAX_PAUSE_MS) };
        entry.until_ms = now_ms.saturating_add(entry.pause_ms);
        Some(contest(&place, entry))
    }

    /// Returns the contests of an object that are on.
    pub fn of<'a>(&'a self, key: &'a ObjectKey, now_ms: u64) -> impl Iterator<Item = Contest> + 'a {
        let entries = self.entries.range((key.clone(), String::new(), None)..).take_while(move |(place, _)| place.0 == *key);
        entries.filter(move |(_, entry)| entry.pause_ms > 0 && !entry.is_quiet(now_ms)).map(|(place, entry)| contest(place, entry))
    }

    /// Forgets an object.
    pub fn forget(&mut self, key: &ObjectKey) {
        self.entries.retain(|place, _| place.0 != *key);
    }

    fn make_room(&mut self, now_ms: u64) {
        if self.entries.len() < CONTEST_TRACKED {
            return;
        }
        self.entries.retain(|_, entry| !entry.is_quiet(now_ms));
        if self.entries.len() >= CONTEST_TRACKED {
            let quietest = self.entries.iter().min_by_key(|(_, entry)| entry.until_ms.max(entry.last_ms)).map(|(place, _)| place.clone());
            if let Some(place) = quietest {
                self.entries.remove(&place);
            }
        }
    }
}

impl Entry {
    /// Whether nothing happened for a window after the last pause.
    fn is_quiet(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.until_ms.max(self.last_ms)) >= CONTEST_WINDOW_MS
    }
}

fn place(key: &ObjectKey, change: &FieldChange) -> Place {
    (key.clone(), change.path.to_string(), change.manager.clone())
}

fn contest(place: &Place, entry: &Entry) -> Contest {
    Contest { path: place.1.clone(), manager: place.2.clone(), reverts: entry.total, until_ms: entry.until_ms }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_manifest::{FieldPath, Segment};

    fn change(path: &str, manager: &str) -> FieldChange {
        FieldChange { path: FieldPath(vec![Segment::Key(path.into())]), old: None, new: None, manager: Some(manager.into()) }
    }

    fn key() -> ObjectKey {
        ObjectKey::new("apps", "Deployment", Some("a"), "web")
    }

    #[test]
    fn the_third_revert_in_ten_minutes_is_a_contest() {
        let mut contests = Contests::default();
        let change = change("replicas", "hpa");
        assert_eq!(contests.reverted(&key(), &change, 0), None);
        assert_eq!(contests.reverted(&key(), &change, 1), None);
        let contest = contests.reverted(&key(), &change, CONTEST_WINDOW_MS - 1).expect("three within the window");
        assert_eq!(
            (contest.manager.as_deref(), contest.reverts, contest.until_ms),
            (Some("hpa"), 3, CONTEST_WINDOW_MS - 1 + CONTEST_FIRST_PAUSE_MS)
        );
        assert!(contests.blocks(&key(), &change, contest.until_ms - 1).is_some());
        assert_eq!(contests.blocks(&key(), &change, contest.until_ms), None);
        assert_eq!(contests.of(&key(), contest.until_ms).count(), 1);
    }

    #[test]
    fn at_the_edge_of_the_window_the_first_no_longer_counts() {
        let mut contests = Contests::default();
        let change = change("replicas", "hpa");
        for now in [0, 1, CONTEST_WINDOW_MS] {
            assert_eq!(contests.reverted(&key(), &change, now), None, "{now}");
        }
    }

    #[test]
    fn other_managers_and_paths_count_for_themselves() {
        let mut contests = Contests::default();
        for (path, manager) in [("a", "x"), ("b", "x"), ("a", "y"), ("b", "y")] {
            assert_eq!(contests.reverted(&key(), &change(path, manager), 0), None);
            assert_eq!(contests.reverted(&key(), &change(path, manager), 0), None);
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_end_when_it_is_quiet() {
        let mut contests = Contests::default();
        let change = change("a", "x");
        let mut now = 0;
        let mut pauses = Vec::new();
        for _ in 0..10 {
            if let Some(contest) = contests.reverted(&key(), &change, now) {
                pauses.push((contest.until_ms - now) / 60_000);
                now = contest.until_ms;
            }
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        now += CONTEST_WINDOW_MS;
        assert_eq!(contests.of(&key(), now).count(), 0);
        assert_eq!(contests.reverted(&key(), &change, now), None, "a new count begins");
    }

    #[test]
    fn memory_is_bounded() {
        let mut contests = Contests::default();
        for nth in 0..=CONTEST_TRACKED {
            contests.reverted(&key(), &change(&nth.to_string(), "x"), nth as u64);
        }
        assert_eq!(contests.entries.len(), CONTEST_TRACKED);
        assert!(!contests.entries.contains_key(&place(&key(), &change("0", "x"))));
        contests.forget(&key());
        assert!(contests.entries.is_empty());
    }
}
