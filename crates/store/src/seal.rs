//! Owns how content lies in the file: named by a hash, deflated, and encrypted where it is secret. Must not write a secret in clear,
//! nor a plain hash of one: a short secret can be guessed from its hash.

use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{digest, hmac, rand};
use base64::Engine;

/// Content below this is not deflated: the header would eat the gain.
const DEFLATE_FROM_BYTES: usize = 128;
const KEY_BYTES: usize = 32;

/// The name of content: SHA-256, keyed where the content is secret.
pub(crate) type Name = [u8; 32];

/// How a blob's bytes are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Plain = 0,
    Deflated = 1,
    Sealed = 2,
    NameOnly = 3,
}

/// Content as it lies in the file.
pub(crate) struct Encoded {
    pub(crate) form: Form,
    pub(crate) size: i64,
    pub(crate) key_id: Option<Vec<u8>>,
    pub(crate) data: Option<Vec<u8>>,
}

/// The key that secret files are encrypted with (AES-256-GCM). It reveals itself to nobody.
#[derive(Clone)]
pub struct Key {
    encrypt: [u8; KEY_BYTES],
    name: [u8; KEY_BYTES],
    id: [u8; 8],
}

/// Why a key file is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It could not be read.
    #[error("key file `{path}` cannot be read: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        why: String,
    },
    /// Others may read it.
    #[error("key file `{path}` has mode {mode:03o}; take the rights of group and others away (`chmod 600`)")]
    TooOpen {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// It does not hold a key.
    #[error("key file `{path}` does not hold 32 bytes, raw or in base64 (`head -c 32 /dev/urandom | base64`)")]
    NotAKey {
        /// The file.
        path: String,
    },
}

impl Key {
    /// Reads a key file: 32 raw bytes, or their base64 text.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let shown = path.display().to_string();
        let unreadable = |error: std::io::Error| KeyError::Unreadable { path: shown.clone(), why: error.to_string() };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::TooOpen { path: shown, mode });
        }
        let mut bytes = Vec::new();
        file.take(1024).read_to_end(&mut bytes).map_err(unreadable)?;
        Self::from_text_or_bytes(&bytes).ok_or(KeyError::NotAKey { path: shown })
    }

    /// Takes 32 bytes of good randomness.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let derive = |label: &[u8]| mac(bytes, &[label]);
        let mut id = [0; 8];
        id.copy_from_slice(&derive(b"plumb store: which key 1")[..8]);
        Self { encrypt: derive(b"plumb store: encrypt 1"), name: derive(b"plumb store: name 1"), id }
    }

    fn from_text_or_bytes(bytes: &[u8]) -> Option<Self> {
        if let Ok(raw) = <&[u8; 32]>::try_from(bytes) {
            return Some(Self::from_bytes(raw));
        }
        let decoded = base64::engine::general_purpose::STANDARD.decode(bytes.trim_ascii()).ok()?;
        Some(Self::from_bytes(<&[u8; 32]>::try_from(decoded.as_slice()).ok()?))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Names, encodes and decodes content.
#[derive(Clone)]
pub(crate) struct Sealer {
    key: Option<Key>,
    salt: [u8; 32],
}

impl Sealer {
    /// Takes the key and the database's own salt, which names the secrets of which only a name is kept.
    pub(crate) fn new(key: Option<Key>, salt: [u8; 32]) -> Self {
        Self { key, salt }
    }

    pub(crate) fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Returns the key's own name.
    pub(crate) fn key_id(&self) -> Option<&[u8]> {
        self.key.as_ref().map(|key| key.id.as_slice())
    }

    /// Returns the name of content.
    pub(crate) fn name(&self, content: &[u8], secret: bool) -> Name {
        match (&self.key, secret) {
            (_, false) => sha256(&[content]),
            (Some(key), true) => mac(&key.name, &[content]),
            (None, true) => mac(&self.salt, &[b"name only", content]),
        }
    }

    /// Returns content as it is to lie in the file.
    pub(crate) fn encode(&self, content: &[u8], name: &Name, secret: bool) -> Encoded {
        let size = content.len() as i64;
        if !secret {
            let (form, data) = match deflate(content) {
                Some(deflated) if deflated.len() < content.len() => (Form::Deflated, deflated),
                _ => (Form::Plain, content.to_vec()),
            };
            return Encoded { form, size, key_id: None, data: Some(data) };
        }
        let sealed = self.key.as_ref().and_then(|key| Some((key, seal(key, deflate_always(content)?, name)?)));
        match sealed {
            Some((key, data)) => Encoded { form: Form::Sealed, size, key_id: Some(key.id.to_vec()), data: Some(data) },
            None => Encoded { form: Form::NameOnly, size, key_id: None, data: None },
        }
    }

    /// Reads a blob's bytes back and checks them against their name; says why when that cannot be done.
    pub(crate) fn decode(
        &self,
        form: i64,
        size: i64,
        key_id: Option<&[u8]>,
        data: Option<&[u8]>,
        name: &[u8],
        secret: bool,
    ) -> Result<Vec<u8>, String> {
        let damaged = || "what is recorded of it is damaged".to_owned();
        let limit = u64::try_from(size).map_err(|_| damaged())?;
        let content = match (form, data) {
            (0, Some(data)) => data.to_vec(),
            (1, Some(data)) => inflate(data, limit).ok_or_else(damaged)?,
            (2, Some(data)) => {
                let key = self.key.as_ref().filter(|key| Some(key.id.as_slice()) == key_id).ok_or_else(|| OTHER_KEY.to_owned())?;
                inflate(&open(key, data, name).ok_or_else(damaged)?, limit).ok_or_else(damaged)?
            }
            (3, _) => return Err(NO_KEY.to_owned()),
            _ => return Err(damaged()),
        };
        if self.name(&content, secret) != name {
            return Err(damaged());
        }
        Ok(content)
    }
}

/// Why a build with secret files is not kept when there is no key.
pub(crate) const NO_KEY: &str = "it read files that hold secrets, and the history was given no key to encrypt them with";
/// Why a build with secret files cannot be read.
pub(crate) const OTHER_KEY: &str = "its secret files are encrypted with a key that was not given";

/// Returns fresh randomness.
pub(crate) fn random() -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).ok()?;
    Some(bytes)
}

pub(crate) fn sha256(parts: &[&[u8]]) -> Name {
    let mut context = digest::Context::new(&digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    parts.iter().for_each(|part| context.update(part));
    let mut out = [0; 32];
    out.copy_from_slice(context.sign().as_ref());
    out
}

/// The nonce is random: with one key that is safe for 2³² blobs. It lies before the ciphertext, which is bound to its name.
fn seal(key: &Key, mut content: Vec<u8>, name: &Name) -> Option<Vec<u8>> {
    let cipher = RandomizedNonceKey::new(&AES_256_GCM, &key.encrypt).ok()?;
    let nonce = cipher.seal_in_place_append_tag(Aad::from(name), &mut content).ok()?;
    let mut out = nonce.as_ref().to_vec();
    out.append(&mut content);
    Some(out)
}

fn open(key: &Key, data: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let (nonce, ciphertext) = data.split_at_checked(NONCE_LEN)?;
    let cipher = RandomizedNonceKey::new(&AES_256_GCM, &key.encrypt).ok()?;
    let mut buffer = ciphertext.to_vec();
    let length = cipher.open_in_place(Nonce::try_assume_unique_for_key(nonce).ok()?, Aad::from(name), &mut buffer).ok()?.len();
    buffer.truncate(length);
    Some(buffer)
}

fn deflate(content: &[u8]) -> Option<Vec<u8>> {
    if content.len() < DEFLATE_FROM_BYTES { None } else { deflate_always(content) }
}

fn deflate_always(content: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::with_capacity(content.len() / 3), flate2::Compression::new(3));
    encoder.write_all(content).ok()?;
    encoder.finish().ok()
}

fn inflate(data: &[u8], limit: u64) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    flate2::read::DeflateDecoder::new(data).take(limit + 1).read_to_end(&mut out).ok()?;
    (out.len() as u64 == limit).then_some(out)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn round_trip(sealer: &Sealer, content: &[u8], secret: bool) -> (Encoded, Result<Vec<u8>, String>) {
        let name = sealer.name(content, secret);
        let blob = sealer.encode(content, &name, secret);
        let back = sealer.decode(blob.form as i64, blob.size, blob.key_id.as_deref(), blob.data.as_deref(), &name, secret);
        (blob, back)
    }

    #[test]
    fn content_comes_back_in_each_form() {
        let with_key = Sealer::new(Some(Key::from_bytes(&[7; 32])), [1; 32]);
        let text = "replicas: 3\n".repeat(100);
        for (content, secret, form) in [
            ("a: 1", false, Form::Plain),
            (&text, false, Form::Deflated),
            ("", false, Form::Plain),
            (&text, true, Form::Sealed),
            ("", true, Form::Sealed),
        ] {
            let (blob, back) = round_trip(&with_key, content.as_bytes(), secret);
            assert_eq!((blob.form, back), (form, Ok(content.as_bytes().to_vec())));
        }
    }

    #[test]
    fn without_a_key_only_a_salted_name_of_a_secret_is_kept() {
        let without = Sealer::new(None, [1; 32]);
        let (blob, back) = round_trip(&without, b"password: hunter2", true);
        assert_eq!((blob.form, blob.data, back), (Form::NameOnly, None, Err(NO_KEY.to_owned())));
        assert_ne!(without.name(b"x", true), Sealer::new(None, [2; 32]).name(b"x", true));
        assert_ne!(without.name(b"x", true), sha256(&[b"x"]));
    }

    #[test]
    fn a_changed_blob_or_another_key_opens_nothing() {
        let sealer = Sealer::new(Some(Key::from_bytes(&[7; 32])), [1; 32]);
        let name = sealer.name(b"secret", true);
        let blob = sealer.encode(b"secret", &name, true);
        let data = blob.data.expect("sealed");
        for at in [0, NONCE_LEN, data.len() - 1] {
            let mut changed = data.clone();
            changed[at] ^= 1;
            assert!(sealer.decode(2, blob.size, blob.key_id.as_deref(), Some(&changed), &name, true).is_err());
        }
        // Deflating hides a text from a search as well; encrypted is more.
        assert_eq!((inflate(&data, 6), inflate(&data[NONCE_LEN..], 6)), (None, None));
        let other = Sealer::new(Some(Key::from_bytes(&[8; 32])), [1; 32]);
        assert_eq!(other.decode(2, blob.size, blob.key_id.as_deref(), Some(&data), &name, true), Err(OTHER_KEY.to_owned()));
        assert!(sealer.decode(2, blob.size, blob.key_id.as_deref(), Some(&data), &sealer.name(b"other", true), true).is_err());
    }

    #[test]
    fn a_key_file_is_private_and_holds_a_key() {
        let folder = tempfile::tempdir().expect("folder");
        let write = |name: &str, content: &[u8], mode: u32| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).expect("write");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
            Key::from_file(&path).map(|key| key.id).map_err(|error| error.to_string())
        };
        let text = base64::engine::general_purpose::STANDARD.encode([9; 32]);
        assert_eq!(write("raw", &[9; 32], 0o600), write("text", format!("{text}\n").as_bytes(), 0o400));
        assert!(write("raw", &[9; 32], 0o600).is_ok());
        assert!(write("open", &[9; 32], 0o640).is_err_and(|error| error.contains("mode 640")));
        assert!(write("short", &[9; 31], 0o600).is_err_and(|error| error.contains("does not hold 32 bytes")));
        assert!(Key::from_file(&folder.path().join("none")).is_err());
    }
}
