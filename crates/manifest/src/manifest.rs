//! Owns the manifest: one object to apply, its bytes, and where it was written.

use std::fmt;
use std::sync::Arc;

use plumb_world::Span;
use serde_json::Value;

use crate::{Gvk, Hook, ObjectKey, Role};

/// A content hash: the first 16 bytes of BLAKE3.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 16]);

impl Digest {
    /// Hashes bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut short = [0; 16];
        short.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
        Self(short)
    }

    /// Hashes several parts so that moving a byte from one to the next changes the result.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut short = [0; 16];
        short.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(short)
    }

    /// Reads the 32 hex digits that `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0; 16];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not 32 hex digits"))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a kind's objects lie in namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Each object lies in a namespace.
    Namespaced,
    /// Objects belong to the whole cluster.
    Cluster,
}

/// One object to apply. Its namespace is settled: the manifest's own or the target's, none for a cluster-scoped kind.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// What the object is.
    pub key: ObjectKey,
    /// The version it is written at.
    pub gvk: Gvk,
    /// The object as compact JSON, keys in byte order.
    pub json: Arc<[u8]>,
    /// Hash of `json`.
    pub digest: Digest,
    /// The document it was written as.
    pub at: Span,
    /// Whether the kind lies in namespaces; none while nobody offline knows the kind. Then the key's namespace is the manifest's
    /// own or the target's, which is right if the kind turns out to be namespaced, and the cluster settles it.
    pub scope: Option<Scope>,
    /// Whether the object holds secrets: its values never reach a diff, a log or a store in the clear.
    pub sensitive: bool,
    /// What part it plays.
    pub role: Role,
}

impl Manifest {
    /// Takes an object whose identity has been checked; the JSON is written with keys in byte order.
    pub fn new(key: ObjectKey, gvk: Gvk, object: &Value, at: Span) -> Self {
        let json: Arc<[u8]> = object.to_string().into_bytes().into();
        let scope = Some(if key.namespace.is_some() { Scope::Namespaced } else { Scope::Cluster });
        let sensitive = key.group.is_empty() && &*key.kind == "Secret";
        Self { key, gvk, digest: Digest::of(&json), json, at, scope, sensitive, role: Role::Object }
    }

    /// Returns the manifest in another part.
    #[must_use]
    pub fn with_role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    /// Returns when it runs, of one that is a hook.
    pub fn hook(&self) -> Option<&Hook> {
        match &self.role {
            Role::Hook(hook) => Some(hook),
            Role::Object | Role::Base => None,
        }
    }

    /// Returns the manifest as one whose kind nobody offline knows.
    #[must_use]
    pub fn with_unknown_scope(self) -> Self {
        Self { scope: None, ..self }
    }

    /// Returns the manifest with what the cluster says of its kind. A cluster-scoped kind loses the namespace, in the key and in
    /// the JSON. A namespaced kind whose key has no namespace stays without one: the caller refuses it.
    #[must_use]
    pub fn settled(&self, scope: Scope) -> Self {
        let mut settled = Self { scope: Some(scope), ..self.clone() };
        if scope == Scope::Cluster && settled.key.namespace.take().is_some() {
            let mut object = self.value();
            if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.remove("namespace");
            }
            settled.json = object.to_string().into_bytes().into();
            settled.digest = Digest::of(&settled.json);
        }
        settled
    }

    /// Returns the object as a tree. Meant to be dropped soon: a tree is twelve times its bytes.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.json).unwrap_or(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use plumb_world::FileId;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_cluster_settles_the_scope() {
        let at = Span { file: FileId(0), start: 0, end: 0 };
        let object = json!({"kind": "Widget", "metadata": {"name": "w", "namespace": "team-a"}});
        let key = ObjectKey::new("example.com", "Widget", Some("team-a"), "w");
        let open = Manifest::new(key, Gvk::new("example.com/v1", "Widget"), &object, at).with_unknown_scope();
        let (inside, outside) = (open.settled(Scope::Namespaced), open.settled(Scope::Cluster));
        assert_eq!((inside.key.clone(), inside.digest), (open.key.clone(), open.digest));
        assert_eq!(outside.key, ObjectKey::new("example.com", "Widget", None, "w"));
        assert_eq!(&*outside.json, br#"{"kind":"Widget","metadata":{"name":"w"}}"#);
        assert_eq!(outside.digest, Digest::of(&outside.json));
    }

    #[test]
    fn only_core_secrets_are_sensitive() {
        let at = Span { file: FileId(0), start: 0, end: 0 };
        let new = |group: &str| Manifest::new(ObjectKey::new(group, "Secret", Some("a"), "b"), Gvk::new("v1", "Secret"), &json!({}), at);
        assert!(new("").sensitive);
        assert!(!new("example.com").sensitive);
    }
}
