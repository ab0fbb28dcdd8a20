//! Owns the digest of a unit: what tells whether two declarations of it mean the same.

use plumb_manifest::Digest;

use crate::Unit;

impl Unit {
    /// Returns the hash of all fields but `declared_at` and `digest` itself.
    ///
    /// It is made of the fields' `Debug` text, so no new field can be forgotten. Two versions of the program may come to
    /// different digests: a unit is then built once more, nothing else.
    pub fn compute_digest(&self) -> Digest {
        let Self { key, sources, build, target, depends_on, policy, declared_at: _, digest: _ } = self;
        Digest::of(format!("{:?}", (key, sources, build, target, depends_on, policy)).as_bytes())
    }

    /// Returns the unit with its digest computed.
    #[must_use]
    pub fn with_digest(mut self) -> Self {
        self.digest = self.compute_digest();
        self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::{NodeKey, Policy, Target, Unit};
    use plumb_manifest::Digest;

    fn unit() -> Unit {
        Unit {
            key: NodeKey::unit("plumb", "team-a", "shop"),
            sources: BTreeMap::new(),
            build: Vec::new(),
            target: Target { cluster: "".into(), namespace: None, create_namespace: false, service_account: None },
            depends_on: Vec::new(),
            policy: Policy::standard(),
            declared_at: "a.yaml:1:1".to_owned(),
            digest: Digest::of(b""),
        }
    }

    #[test]
    fn moving_the_declaration_is_no_change() {
        let moved = Unit { declared_at: "b.yaml:9:1".to_owned(), ..unit() };
        assert_eq!(unit().compute_digest(), moved.compute_digest());
        let other = Unit { policy: Policy { prune: false, ..Policy::standard() }, ..unit() };
        assert_ne!(unit().compute_digest(), other.compute_digest());
    }
}
