//! Owns who may give notice: HMAC-SHA256 over the body, compared in constant time, with a replay window where the sender signs a time.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::hmac;

/// How far a signed time may be from now, either way.
pub const REPLAY_WINDOW: Duration = Duration::from_secs(300);
/// Shortest secret that is taken.
pub const MIN_SECRET_BYTES: usize = 16;

/// How many signatures are remembered; beyond that the oldest is forgotten, and seeing it again costs one look at a repository.
const MAX_SEEN: usize = 10_000;
const MAX_SECRET_BYTES: u64 = 4096;

/// A secret that is shared with whoever sends notifications.
#[derive(Clone)]
pub struct HookSecret(hmac::Key);

/// Why a secret is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// It is guessed too easily.
    #[error("a hook secret has at least {MIN_SECRET_BYTES} bytes; this one has {0}")]
    TooShort(usize),
    /// The file could not be read.
    #[error("hook secret `{path}` cannot be read: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        why: String,
    },
    /// Others may read it.
    #[error("hook secret `{path}` has mode {mode:03o}; take the rights of group and others away (`chmod 600`)")]
    TooOpen {
        /// The file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
}

impl HookSecret {
    /// Takes a secret as it was given to the sender.
    pub fn from_bytes(secret: &[u8]) -> Result<Self, SecretError> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(SecretError::TooShort(secret.len()));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, secret)))
    }

    /// Reads a secret from a file that only its owner may read; white space around it is not part of it.
    pub fn from_file(path: &Path) -> Result<Self, SecretError> {
        let shown = path.display().to_string();
        let unreadable = |error: std::io::Error| SecretError::Unreadable { path: shown.clone(), why: error.to_string() };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(SecretError::TooOpen { path: shown, mode });
        }
        let mut bytes = Vec::new();
        file.take(MAX_SECRET_BYTES).read_to_end(&mut bytes).map_err(unreadable)?;
        Self::from_bytes(bytes.trim_ascii())
    }
}

impl std::fmt::Debug for HookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HookSecret(…)")
    }
}

/// A signature as a header carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// `X-Hub-Signature-256: sha256=<hex>`: over the body.
    Body([u8; 32]),
    /// `X-Plumb-Signature: t=<seconds>,v1=<hex>`: over `<seconds>.<body>`.
    Timed { seconds: u64, mac: [u8; 32] },
}

impl Claim {
    pub(crate) fn from_hub(header: &str) -> Option<Self> {
        Some(Self::Body(from_hex(header.trim().strip_prefix("sha256=")?)?))
    }

    pub(crate) fn from_timed(header: &str) -> Option<Self> {
        let (time, mac) = header.trim().strip_prefix("t=")?.split_once(",v1=")?;
        if time.is_empty() || time.len() > 12 || !time.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(Self::Timed { seconds: time.parse().ok()?, mac: from_hex(mac)? })
    }
}

/// What came of checking a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Good,
    Bad,
    /// Signed too long ago, or too far ahead.
    OutOfTime,
    /// Good, and seen before.
    Replayed,
}

/// Checks signatures.
pub(crate) struct Verifier {
    secrets: Vec<HookSecret>,
    seen: Mutex<BTreeMap<(u64, [u8; 32]), ()>>,
}

impl Verifier {
    pub(crate) fn new(secrets: Vec<HookSecret>) -> Self {
        Self { secrets, seen: Mutex::default() }
    }

    /// Checks a body against what its header claims.
    pub(crate) fn check(&self, claim: &Claim, body: &[u8], now_seconds: u64) -> Verdict {
        match claim {
            Claim::Body(mac) if self.is_signed(body, mac) => Verdict::Good,
            Claim::Body(_) => Verdict::Bad,
            Claim::Timed { seconds, mac } => {
                let mut signed = format!("{seconds}.").into_bytes();
                signed.extend_from_slice(body);
                if !self.is_signed(&signed, mac) {
                    Verdict::Bad
                } else if seconds.abs_diff(now_seconds) > REPLAY_WINDOW.as_secs() {
                    Verdict::OutOfTime
                } else if self.remember(*seconds, *mac, now_seconds) {
                    Verdict::Good
                } else {
                    Verdict::Replayed
                }
            }
        }
    }

    /// All secrets are tried, whichever fits: how long it takes says nothing.
    fn is_signed(&self, content: &[u8], mac: &[u8; 32]) -> bool {
        self.secrets.iter().fold(false, |found, secret| hmac::verify(&secret.0, content, mac).is_ok() | found)
    }

    /// Returns whether the signature is new.
    fn remember(&self, seconds: u64, mac: [u8; 32], now_seconds: u64) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = now_seconds.saturating_sub(REPLAY_WINDOW.as_secs());
        *seen = seen.split_off(&(oldest, [0; 32]));
        let is_new = seen.insert((seconds, mac), ()).is_none();
        if seen.len() > MAX_SEEN {
            seen.pop_first();
        }
        is_new
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16);
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (value(pair[0])? * 16 + value(pair[1])?) as u8;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const SECRET: &[u8] = b"It's a Secret to Everybody";
    const NOW: u64 = 1_790_000_000;

    fn mac(content: &[u8]) -> [u8; 32] {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), content).as_ref().try_into().expect("32 bytes")
    }

    fn verifier() -> Verifier {
        let other = HookSecret::from_bytes(b"another one, of another team").expect("secret");
        Verifier::new(vec![other, HookSecret::from_bytes(SECRET).expect("secret")])
    }

    fn timed(seconds: u64, body: &[u8]) -> Claim {
        let mut signed = format!("{seconds}.").into_bytes();
        signed.extend_from_slice(body);
        Claim::Timed { seconds, mac: mac(&signed) }
    }

    #[test]
    fn agrees_with_githubs_own_example() {
        let header = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let claim = Claim::from_hub(header).expect("header");
        assert_eq!(verifier().check(&claim, b"Hello, World!", NOW), Verdict::Good);
        assert_eq!(verifier().check(&claim, b"Hello, World", NOW), Verdict::Bad);
    }

    #[test]
    fn a_signed_time_counts_within_its_window_and_once() {
        let verifier = verifier();
        let window = REPLAY_WINDOW.as_secs();
        for (seconds, expect) in [
            (NOW - window - 1, Verdict::OutOfTime),
            (NOW + window + 1, Verdict::OutOfTime),
            (NOW - window, Verdict::Good),
            (NOW + window, Verdict::Good),
            (NOW, Verdict::Good),
            (NOW, Verdict::Replayed),
        ] {
            assert_eq!(verifier.check(&timed(seconds, b"x"), b"x", NOW), expect, "{seconds}");
        }
        let Claim::Timed { mac, .. } = timed(NOW, b"x") else { panic!("timed") };
        let moved = Claim::Timed { seconds: NOW + 1, mac };
        assert_eq!(verifier.check(&moved, b"x", NOW), Verdict::Bad, "the time is signed too");
        assert_eq!(verifier.check(&timed(NOW - window, b"x"), b"x", NOW + 1), Verdict::OutOfTime, "forgotten, and too old");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let verifier = verifier();
        for nth in 0..MAX_SEEN as u64 + 10 {
            let body = nth.to_le_bytes();
            assert_eq!(verifier.check(&timed(NOW, &body), &body, NOW), Verdict::Good);
        }
        assert_eq!(verifier.seen.lock().expect("lock").len(), MAX_SEEN);
    }

    #[test]
    fn refuses_headers_of_another_form() {
        let hex = "0".repeat(64);
        for header in ["", "sha256=", "sha1=0", "sha256=zz", &hex, &format!("sha256={hex}0"), &format!("sha256={}é", &hex[2..])] {
            assert_eq!(Claim::from_hub(header), None, "{header}");
        }
        for header in ["", "t=1", "t=,v1=0", &format!("t=-1,v1={hex}"), &format!("t=9999999999999,v1={hex}"), &format!("v1={hex},t=1")] {
            assert_eq!(Claim::from_timed(header), None, "{header}");
        }
        assert!(Claim::from_timed(&format!("t=1,v1={hex}")).is_some());
    }

    #[test]
    fn a_secret_is_long_and_private() {
        assert_eq!(HookSecret::from_bytes(b"short").map(drop), Err(SecretError::TooShort(5)));
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("secret");
        std::fs::write(&path, [SECRET, b"\n"].concat()).expect("write");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("mode");
        assert!(matches!(HookSecret::from_file(&path), Err(SecretError::TooOpen { mode: 0o644, .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("mode");
        let verifier = Verifier::new(vec![HookSecret::from_file(&path).expect("secret")]);
        assert_eq!(verifier.check(&Claim::Body(mac(b"x")), b"x", NOW), Verdict::Good);
    }
}
