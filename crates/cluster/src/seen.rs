//! Owns which objects a list held while it is read: a mark of each, so that a list of any length costs little.
//! Must not be asked which objects these are: it only tells whether one is among them.

use std::collections::BTreeSet;

use plumb_manifest::{Digest, ObjectKey};

/// The objects of a list.
#[derive(Default)]
pub(crate) struct Seen(BTreeSet<Digest>);

impl Seen {
    pub(crate) fn insert(&mut self, key: &ObjectKey) {
        self.0.insert(mark(key));
    }

    pub(crate) fn remove(&mut self, key: &ObjectKey) {
        self.0.remove(&mark(key));
    }

    pub(crate) fn contains(&self, key: &ObjectKey) -> bool {
        self.0.contains(&mark(key))
    }
}

/// Two objects of one kind have the same mark as often as two files have the same BLAKE3 hash.
fn mark(key: &ObjectKey) -> Digest {
    Digest::of_parts([key.namespace.as_deref().unwrap_or_default().as_bytes(), key.name.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_told_apart() {
        let key = |namespace, name: &str| ObjectKey::new("", "Secret", namespace, name);
        let mut seen = Seen::default();
        seen.insert(&key(Some("a"), "b"));
        seen.insert(&key(Some("a"), "c"));
        seen.remove(&key(Some("a"), "c"));
        assert!(seen.contains(&key(Some("a"), "b")));
        for other in [key(Some("a"), "c"), key(Some("ab"), ""), key(None, "ab"), key(Some("b"), "a")] {
            assert!(!seen.contains(&other), "{other}");
        }
    }
}
