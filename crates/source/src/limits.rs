//! Owns the limits on what a source may make this process do. Must not enforce any of them.

use std::time::Duration;

/// Bytes of one file that a build may read.
pub const MAX_BLOB_BYTES: u64 = 64 << 20;
/// Bytes of one object of a repository, read or not: what it takes in memory while a download is checked.
pub const MAX_OBJECT_BYTES: u64 = 256 << 20;
/// Bytes of one download.
pub const MAX_PACK_BYTES: u64 = 2 << 30;
/// Bytes of a server's list of refs.
pub const MAX_LISTING_BYTES: u64 = 64 << 20;
/// Bytes of a server's complaints that are kept.
pub const MAX_STDERR_BYTES: usize = 4096;
/// Links that one path may cross.
pub const MAX_LINK_HOPS: usize = 40;
/// Bytes of a link's target.
pub const MAX_LINK_BYTES: u64 = 4096;
/// Folders within folders that a walk of a whole tree goes down.
pub const MAX_TREE_DEPTH: usize = 256;
/// Entries that a walk of a whole tree visits.
pub const MAX_TREE_ENTRIES: u64 = 4 << 20;
/// Commits that are looked through for a pinned one.
pub const MAX_HISTORY_COMMITS: usize = 4 << 20;
/// Bytes of a URL.
pub const MAX_URL_BYTES: usize = 2048;
/// Redirects that one request follows.
pub const MAX_REDIRECTS: usize = 5;
/// Tags of tags that are peeled.
pub const MAX_TAG_DEPTH: usize = 10;
/// Packs in a cached repository before it is written anew as one.
pub const MAX_PACKS: usize = 48;
/// Commits kept when a cached repository is written anew, beside those in use.
pub const KEPT_COMMITS: usize = 16;
/// Commits that a server is told we have.
pub const MAX_HAVES: usize = 32;
/// Bytes of a chart repository's index, unpacked. The largest public ones have some tens of megabytes.
pub const MAX_INDEX_BYTES: u64 = 256 << 20;
/// Bytes of what an index says of one chart.
pub const MAX_INDEX_ENTRY_BYTES: u64 = 16 << 20;
/// Bytes of a chart's archive. What it unpacks to has Helm's own limits.
pub const MAX_ARCHIVE_BYTES: u64 = 100 << 20;
/// Bytes of a registry's manifest, as the distribution protocol has it.
pub const MAX_MANIFEST_BYTES: u64 = 4 << 20;
/// Bytes of a token service's answer.
pub const MAX_TOKEN_BYTES: u64 = 64 << 10;
/// Versions that a registry may have of one chart.
pub const MAX_TAGS: usize = 100_000;
/// Pages of one list of tags.
pub const MAX_TAG_PAGES: usize = 1_000;
/// How long a fetch may take when nothing else is said.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(120);
/// How often a wait looks whether it shall end.
pub(crate) const POLL: Duration = Duration::from_millis(50);

/// The limits of one cache; [`Limits::default`] are the constants of this crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// See [`MAX_BLOB_BYTES`].
    pub blob_bytes: u64,
    /// See [`MAX_OBJECT_BYTES`].
    pub object_bytes: u64,
    /// See [`MAX_PACK_BYTES`].
    pub pack_bytes: u64,
    /// See [`MAX_LISTING_BYTES`].
    pub listing_bytes: u64,
    /// See [`MAX_TREE_ENTRIES`].
    pub tree_entries: u64,
    /// See [`MAX_PACKS`].
    pub packs: usize,
    /// See [`MAX_INDEX_BYTES`].
    pub index_bytes: u64,
    /// See [`MAX_INDEX_ENTRY_BYTES`].
    pub index_entry_bytes: u64,
    /// See [`MAX_ARCHIVE_BYTES`].
    pub archive_bytes: u64,
    /// See [`MAX_TAGS`].
    pub tags: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            blob_bytes: MAX_BLOB_BYTES,
            object_bytes: MAX_OBJECT_BYTES,
            pack_bytes: MAX_PACK_BYTES,
            listing_bytes: MAX_LISTING_BYTES,
            tree_entries: MAX_TREE_ENTRIES,
            packs: MAX_PACKS,
            index_bytes: MAX_INDEX_BYTES,
            index_entry_bytes: MAX_INDEX_ENTRY_BYTES,
            archive_bytes: MAX_ARCHIVE_BYTES,
            tags: MAX_TAGS,
        }
    }
}
