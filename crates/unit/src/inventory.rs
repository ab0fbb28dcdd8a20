//! Owns the inventory: the objects a unit owns now, the only things it may prune.

use plumb_manifest::{Digest, ObjectKey};

/// Which complete read of which source last held an object: what a later absence is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The source's identity: URL and ref, never the credentials.
    pub source: String,
    /// The commit.
    pub commit: String,
}

/// One owned object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryItem {
    /// What it is.
    pub key: ObjectKey,
    /// The version it was last written at.
    pub version: String,
    /// The server's UID, once known.
    pub uid: Option<String>,
    /// Hash of the manifest last applied or about to be.
    pub manifest: Digest,
    /// That it has done what it was for and may go by itself, once that was seen.
    pub ended: Option<Ending>,
}

/// How an object ended that its own controller takes away, as a Job with `ttlSecondsAfterFinished`: gone, it stands for its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// From when on it may go: seconds since 1970, by the server's clock.
    pub at: i64,
    /// Whether it ended well.
    pub well: bool,
    /// What it came to, for people; may be empty.
    pub message: String,
}

/// What a unit owns at its target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The objects, ordered by key.
    pub items: Vec<InventoryItem>,
    /// The evidence of the last complete build, per source alias order.
    pub evidence: Vec<Evidence>,
}
