//! Owns the journal of units being built: after the process was killed it tells which ones were, so that a unit that kills the process twice
//! is quarantined at the next start. Losing the journal only loses the count.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use plumb_unit::NodeKey;

/// A journal longer than this is written anew.
const MAX_JOURNAL_BYTES: u64 = 1 << 20;

/// Counts how often in a row the process died while it built a unit.
pub(crate) struct Crashes {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    file: Option<std::fs::File>,
    written: u64,
    working: BTreeMap<String, u32>,
    counts: BTreeMap<String, u32>,
}

impl Crashes {
    /// Reads what the last process left behind.
    pub(crate) fn open(path: PathBuf) -> Self {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        let mut working: BTreeMap<String, u32> = BTreeMap::new();
        for line in std::fs::read_to_string(&path).unwrap_or_default().lines() {
            match line.split_at_checked(1) {
                Some(("+", unit)) => *working.entry(unit.to_owned()).or_default() += 1,
                Some(("-", unit)) => {
                    working.remove(unit);
                    counts.remove(unit);
                }
                Some(("=", rest)) => {
                    if let Some((count, unit)) = rest.split_once(' ') {
                        counts.insert(unit.to_owned(), count.parse().unwrap_or(0));
                    }
                }
                _ => {}
            }
        }
        for unit in working.into_keys() {
            *counts.entry(unit).or_default() += 1;
        }
        let mut state = State { file: None, written: 0, working: BTreeMap::new(), counts };
        state.rewrite(&path);
        Self { path, state: Mutex::new(state) }
    }

    /// Returns how often in a row the process died while it built the unit.
    pub(crate) fn count(&self, unit: &NodeKey) -> u32 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).counts.get(&name(unit)).copied().unwrap_or(0)
    }

    /// Notes that the unit is being built until the guard is dropped.
    pub(crate) fn working_on(&self, unit: &NodeKey) -> Working<'_> {
        let name = name(unit);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.append(&format!("+{name}\n"));
        *state.working.entry(name.clone()).or_default() += 1;
        Working { crashes: self, name }
    }
}

fn name(unit: &NodeKey) -> String {
    unit.to_string().replace('\n', " ")
}

impl State {
    /// A journal that cannot be written costs the count of a crash, nothing else.
    fn append(&mut self, line: &str) {
        if let Some(file) = &mut self.file
            && file.write_all(line.as_bytes()).is_ok()
        {
            self.written += line.len() as u64;
        }
    }

    fn rewrite(&mut self, path: &PathBuf) {
        let mut text = String::new();
        for (unit, count) in &self.counts {
            text.push_str(&format!("={count} {unit}\n"));
        }
        for unit in self.working.keys() {
            text.push_str(&format!("+{unit}\n"));
        }
        self.file = std::fs::File::create(path).ok();
        self.written = 0;
        self.append(&text);
    }
}

/// While it lives, its unit is being built.
pub(crate) struct Working<'a> {
    crashes: &'a Crashes,
    name: String,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let mut state = self.crashes.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.working.remove(&self.name);
        state.counts.remove(&self.name);
        state.append(&format!("-{}\n", self.name));
        if state.written > MAX_JOURNAL_BYTES {
            state.rewrite(&self.crashes.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_while_building_is_counted_and_a_finished_build_clears_it() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("working");
        let unit = NodeKey::unit("main", "team-a", "shop");
        for expected in 0..2 {
            let crashes = Crashes::open(path.clone());
            assert_eq!(crashes.count(&unit), expected);
            // As a kill does: the guard never ends.
            std::mem::forget(crashes.working_on(&unit));
        }
        let crashes = Crashes::open(path.clone());
        assert_eq!(crashes.count(&unit), 2);
        drop(crashes.working_on(&unit));
        assert_eq!(Crashes::open(path).count(&unit), 0);
    }

    #[test]
    fn the_journal_stays_small() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("working");
        let crashes = Crashes::open(path.clone());
        let unit = NodeKey::unit("main", "a-rather-long-namespace-name", "a-rather-long-unit-name");
        for _ in 0..20_000 {
            drop(crashes.working_on(&unit));
        }
        assert!(std::fs::metadata(path).expect("journal").len() <= MAX_JOURNAL_BYTES + 100);
    }
}
