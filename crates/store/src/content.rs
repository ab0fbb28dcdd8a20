//! Owns what a build was made of, as it is handed over and as it is handed back.

use std::fmt;
use std::sync::Arc;

use plumb_manifest::Digest;
use plumb_unit::{CommitInfo, Revisions};
use plumb_world::RelPath;
use serde_json::Value;

use crate::SyncId;
use crate::seal::{NO_KEY, Name, Sealer, sha256};

/// How many bytes of files one build may have to be kept.
pub const MAX_BUILD_BYTES: usize = 32 << 20;

/// One file that a build read.
#[derive(Clone)]
pub struct InputFile {
    /// The alias of the unit's source.
    pub source: Arc<str>,
    /// Its path in that source.
    pub path: RelPath,
    /// Its whole content.
    pub content: Arc<[u8]>,
    /// Whether it holds a secret: it is then kept only encrypted, or not at all.
    pub secret: bool,
}

/// Everything one build was made of.
#[derive(Clone)]
pub struct BuildInput {
    /// The caller's own name for it: two builds with one key are the same build.
    pub key: Digest,
    /// The lowered unit, and whatever else the caller needs to build it again.
    pub spec: Value,
    /// Whether `spec` holds a secret.
    pub spec_secret: bool,
    /// The files it read.
    pub files: Vec<InputFile>,
}

/// What a sync was built from.
#[derive(Clone, Debug)]
pub enum BuildRecord {
    /// This.
    Files(BuildInput),
    /// The same as an earlier sync of the unit, by the caller's name for it.
    Same {
        /// That name.
        key: Digest,
    },
    /// It is not kept.
    NotKept {
        /// Why, a clause.
        reason: String,
    },
}

/// Which recorded sync is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// This one.
    Sync(SyncId),
    /// The newest one, successful ones first, of a commit of one of the sources; the first digits are enough.
    Commit(String),
    /// The newest successful one whose build is not that of the newest sync.
    Previous,
    /// The newest successful one.
    Newest,
}

/// One file as it was.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordedFile {
    /// The alias of the unit's source.
    pub source: Arc<str>,
    /// Its path in that source.
    pub path: RelPath,
    /// Its whole content.
    pub content: Arc<[u8]>,
    /// Whether it holds a secret.
    pub secret: bool,
}

/// A sync's build, ready to be built again.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedBuild {
    /// The sync.
    pub sync: SyncId,
    /// The caller's own name for the build.
    pub key: Digest,
    /// What was synced.
    pub revisions: Revisions,
    /// The commit's own words.
    pub commit: Option<CommitInfo>,
    /// The lowered unit as it was given.
    pub spec: Value,
    /// The files, ordered by source and path.
    pub files: Vec<RecordedFile>,
}

impl fmt::Debug for InputFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} ({} bytes)", self.source, self.path, self.content.len())
    }
}

impl fmt::Debug for RecordedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} ({} bytes)", self.source, self.path, self.content.len())
    }
}

impl fmt::Debug for BuildInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BuildInput({} {:?})", self.key, self.files)
    }
}

impl BuildInput {
    /// Returns about how many bytes it holds.
    pub(crate) fn weight(&self) -> usize {
        let files: usize = self.files.iter().map(|file| file.content.len() + file.path.as_str().len() + 128).sum();
        files + 2048
    }
}

/// A file with its name, on the way into the file. The unit itself is the one with neither source nor path.
#[derive(Clone)]
pub(crate) struct NamedFile {
    pub(crate) source: String,
    pub(crate) path: String,
    pub(crate) secret: bool,
    pub(crate) name: Name,
    pub(crate) content: Arc<[u8]>,
}

/// A build with all its names, on the way into the file.
pub(crate) struct NamedBuild {
    pub(crate) digest: Name,
    pub(crate) key: Digest,
    pub(crate) lacks: Option<&'static str>,
    pub(crate) key_id: Option<Vec<u8>>,
    pub(crate) files: Vec<NamedFile>,
}

/// Names everything in a build; says why when it is not to be kept. Costs time in proportion to its bytes.
pub(crate) fn name_build(input: &BuildInput, sealer: &Sealer) -> Result<NamedBuild, String> {
    let spec: Arc<[u8]> = input.spec.to_string().into_bytes().into();
    let bytes: usize = spec.len() + input.files.iter().map(|file| file.content.len()).sum::<usize>();
    if bytes > MAX_BUILD_BYTES {
        return Err(format!("its files have {bytes} bytes; at most {MAX_BUILD_BYTES} are kept"));
    }
    let mut files = vec![NamedFile {
        source: String::new(),
        path: String::new(),
        secret: input.spec_secret,
        name: sealer.name(&spec, input.spec_secret),
        content: spec,
    }];
    files.extend(input.files.iter().map(|file| NamedFile {
        source: file.source.to_string(),
        path: file.path.as_str().to_owned(),
        secret: file.secret,
        name: sealer.name(&file.content, file.secret),
        content: file.content.clone(),
    }));
    files.sort_by(|a, b| (&a.source, &a.path).cmp(&(&b.source, &b.path)));
    files.dedup_by(|a, b| (&a.source, &a.path) == (&b.source, &b.path));
    let has_secrets = files.iter().any(|file| file.secret);
    Ok(NamedBuild {
        digest: digest_of(&input.key, &files),
        key: input.key,
        lacks: (has_secrets && !sealer.has_key()).then_some(NO_KEY),
        key_id: sealer.key_id().filter(|_| has_secrets).map(<[u8]>::to_vec),
        files,
    })
}

fn digest_of(key: &Digest, files: &[NamedFile]) -> Name {
    let mut text = key.0.to_vec();
    for file in files {
        for part in [file.source.as_bytes(), file.path.as_bytes(), &file.name] {
            text.extend_from_slice(&(part.len() as u64).to_le_bytes());
            text.extend_from_slice(part);
        }
        text.push(u8::from(file.secret));
    }
    sha256(&[&text])
}
