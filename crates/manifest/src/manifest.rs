//! Owns the manifest: one object to apply, its bytes, and where it was written.

use std::fmt;
use std::sync::Arc;

use plumb_world::Span;
use serde_json::Value;

use crate::{Gvk, ObjectKey};

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
}

impl Manifest {
    /// Takes an object whose identity has been checked; the JSON is written with keys in byte order.
    pub fn new(key: ObjectKey, gvk: Gvk, object: &Value, at: Span) -> Self {
        let json: Arc<[u8]> = object.to_string().into_bytes().into();
        Self { key, gvk, digest: Digest::of(&json), json, at }
    }

    /// Returns the object as a tree. Meant to be dropped soon: a tree is twelve times its bytes.
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.json).unwrap_or(Value::Null)
    }
}
