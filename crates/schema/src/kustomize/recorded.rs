//! Owns the recorded table and reading it: a text, of which a build only reads the lines it needs.
//!
//! The first line has three numbers: how many kinds, how many types, and the first type of kustomize's own. Then a line for each kind, in order:
//! `apps/v1 Deployment n 12`, where `n` or `c` is its scope and the number its type, and `-` for neither. Then a line for each type: its name or `-`,
//! `[` with the type of its items, `*` with that of its values, `s=` and `m=` and `k=` with strategy, key and keys, and its fields as `name:type`.

use std::sync::OnceLock;

use super::Merge;

const TABLE: &str = include_str!("../../data/kustomize.txt");

/// A kind's line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) namespaced: Option<bool>,
    pub(super) root: Option<u32>,
}

/// The table, with where its lines are.
pub(super) struct Recorded {
    lines: Vec<&'static str>,
    kinds: usize,
    first_own: u32,
}

impl Recorded {
    pub(super) fn get() -> &'static Self {
        static TABLE_READ: OnceLock<Recorded> = OnceLock::new();
        TABLE_READ.get_or_init(|| Self::read(TABLE))
    }

    fn read(text: &'static str) -> Self {
        let (head, rest) = text.split_once('\n').unwrap_or(("", ""));
        let mut numbers = head.split(' ').map(|number| number.parse::<usize>().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        let (kinds, types, first_own) = (next(), next(), next() as u32);
        let mut lines = Vec::with_capacity(kinds + types);
        lines.extend(rest.lines());
        Self { lines, kinds, first_own }
    }

    /// Returns a kind's line.
    pub(super) fn kind(&self, api_version: &str, kind: &str) -> Option<Kind> {
        let lines = self.lines.get(..self.kinds)?;
        let at = lines.binary_search_by(|line| {
            let mut words = line.split(' ');
            let mut next = || words.next().unwrap_or("");
            (next(), next()).cmp(&(api_version, kind))
        });
        let mut words = lines.get(at.ok()?)?.split(' ').skip(2);
        let namespaced = match words.next() {
            Some("n") => Some(true),
            Some("c") => Some(false),
            _ => None,
        };
        Some(Kind { namespaced, root: words.next().and_then(|id| id.parse().ok()) })
    }

    /// Returns whether a type is of kustomize's own kinds.
    pub(super) fn is_own(&self, id: u32) -> bool {
        id >= self.first_own
    }

    fn words(&self, id: u32) -> impl Iterator<Item = &'static str> {
        self.lines.get(self.kinds + id as usize).copied().unwrap_or("").split(' ')
    }

    /// Returns the name of a type's definition; `-` for none.
    pub(super) fn name(&self, id: u32) -> &'static str {
        self.words(id).next().unwrap_or("-")
    }

    /// Returns the type of a definition. Only documents of others ask for it, so all lines are looked at.
    pub(super) fn definition(&self, name: &str) -> Option<u32> {
        let lines = self.lines.get(self.kinds..)?;
        // kustomize's own go over those of their name, and stand last.
        lines.iter().rposition(|line| line.split(' ').next() == Some(name)).map(|at| at as u32)
    }

    pub(super) fn elements(&self, id: u32) -> Option<u32> {
        self.words(id).skip(1).find_map(|word| word.strip_prefix('['))?.parse().ok()
    }

    pub(super) fn field(&self, id: u32, name: &str) -> Option<u32> {
        let mut any = None;
        for word in self.words(id).skip(1) {
            if let Some(of) = word.strip_prefix('*') {
                any = Some(of);
            } else if let Some(of) = word.strip_prefix(name).and_then(|rest| rest.strip_prefix(':')) {
                return of.parse().ok();
            }
        }
        any?.parse().ok()
    }

    pub(super) fn merge(&self, id: u32) -> Merge<'static> {
        let mut merge = Merge::default();
        for word in self.words(id).skip(1) {
            match word.split_once('=') {
                Some(("s", strategy)) => merge.strategy = strategy,
                Some(("m", key)) => merge.key = key,
                Some(("k", keys)) => merge.list_keys = keys,
                _ => {}
            }
        }
        merge
    }
}
