//! Owns reading `known_hosts`: which keys a host may show. Must not trust on first use.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use russh::keys::{Algorithm, PublicKey, parse_public_key_base64};

/// The keys that one host may show.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostKeys {
    accepted: Vec<PublicKey>,
    revoked: Vec<PublicKey>,
}

/// What is said of a key that a host has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the known one.
    Known,
    /// It is marked as revoked.
    Revoked,
    /// Other keys are known of this host.
    Changed,
}

impl HostKeys {
    /// Returns the keys of one host. Lines that are malformed or of an unknown kind are passed over, as OpenSSH does.
    pub(crate) fn read(text: &str, host: &str, port: u16) -> Self {
        let name = if port == 22 { host.to_owned() } else { format!("[{host}]:{port}") };
        let mut keys = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let mut fields = line.split_ascii_whitespace().peekable();
            let marker = fields.next_if(|field| field.starts_with('@'));
            let (Some(patterns), Some(_), Some(key)) = (fields.next(), fields.next(), fields.next()) else { continue };
            if !matches(patterns, &name) {
                continue;
            }
            let Ok(key) = parse_public_key_base64(key) else { continue };
            match marker {
                None => keys.accepted.push(key),
                Some("@revoked") => keys.revoked.push(key),
                Some(_) => {}
            }
        }
        keys
    }

    /// Returns whether no key of the host is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.accepted.is_empty()
    }

    /// Returns the algorithms to ask the host for: only those of the known keys, or it would show another key than the
    /// known one and look like an impostor.
    pub(crate) fn algorithms(&self, all: &[Algorithm]) -> Vec<Algorithm> {
        let known = |algorithm: &Algorithm| {
            self.accepted.iter().any(|key| match (key.algorithm(), algorithm) {
                (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
                (known, algorithm) => known == *algorithm,
            })
        };
        all.iter().filter(|algorithm| known(algorithm)).cloned().collect()
    }

    /// Judges a key that the host has shown.
    pub(crate) fn judge(&self, shown: &PublicKey) -> Verdict {
        let among = |keys: &[PublicKey]| keys.iter().any(|key| key.key_data() == shown.key_data());
        if among(&self.revoked) {
            Verdict::Revoked
        } else if among(&self.accepted) {
            Verdict::Known
        } else {
            Verdict::Changed
        }
    }
}

/// Returns whether a host is among the comma-separated patterns; one that is excluded with `!` is not, whatever else says.
fn matches(patterns: &str, name: &str) -> bool {
    let mut found = false;
    for pattern in patterns.split(',') {
        if let Some(pattern) = pattern.strip_prefix('!') {
            if glob(&pattern.to_ascii_lowercase(), name) {
                return false;
            }
        } else if let Some(hashed) = pattern.strip_prefix("|1|") {
            found |= is_hash_of(hashed, name);
        } else {
            found |= glob(&pattern.to_ascii_lowercase(), name);
        }
    }
    found
}

/// Matches `*` and `?`, in time that is linear in the pattern for each byte of the name.
fn glob(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    p = at + 1;
                    n = from + 1;
                    star = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

fn is_hash_of(hashed: &str, name: &str) -> bool {
    let Some((salt, hash)) = hashed.split_once('|') else { return false };
    let (Ok(salt), Ok(hash)) = (STANDARD.decode(salt), STANDARD.decode(hash)) else { return false };
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt), name.as_bytes(), &hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const OTHER: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    fn judge(text: &str, host: &str, port: u16) -> Verdict {
        let key = parse_public_key_base64(KEY).expect("key");
        HostKeys::read(text, host, port).judge(&key)
    }

    #[test]
    fn finds_the_lines_of_a_host() {
        let known = |text: String, host, port| assert_eq!(judge(&text, host, port), Verdict::Known, "{text}");
        known(format!("git.example.com ssh-ed25519 {KEY} comment"), "git.example.com", 22);
        known(format!("# c\n\nother,git.example.com\tssh-ed25519 {KEY}"), "git.example.com", 22);
        known(format!("[git.example.com]:2222 ssh-ed25519 {KEY}"), "git.example.com", 2222);
        known(format!("*.example.com ssh-ed25519 {KEY}"), "git.example.com", 22);
        known(format!("git.example.com x {OTHER}\ngit.example.com x {KEY}"), "git.example.com", 22);
        let salt = b"0123456789";
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
        let hash = STANDARD.encode(hmac::sign(&key, b"git.example.com"));
        known(format!("|1|{}|{hash} ssh-ed25519 {KEY}", STANDARD.encode(salt)), "git.example.com", 22);
    }

    #[test]
    fn refuses_every_other_host_and_key() {
        let refused = |text: String, host, port| assert_ne!(judge(&text, host, port), Verdict::Known, "{text}");
        refused(String::new(), "git.example.com", 22);
        refused(format!("git.example.com ssh-ed25519 {OTHER}"), "git.example.com", 22);
        refused(format!("git.example.com ssh-ed25519 {KEY}"), "git.example.com", 2222);
        refused(format!("[git.example.com]:2222 ssh-ed25519 {KEY}"), "git.example.com", 22);
        refused(format!("*,!git.example.com ssh-ed25519 {KEY}"), "git.example.com", 22);
        refused(format!("@cert-authority * ssh-ed25519 {KEY}"), "git.example.com", 22);
        refused(format!("@revoked * ssh-ed25519 {KEY}\n* ssh-ed25519 {KEY}"), "git.example.com", 22);
        refused("git.example.com ssh-ed25519 garbage".to_owned(), "git.example.com", 22);
        refused("|1|x|y ssh-ed25519 z".to_owned(), "git.example.com", 22);
        assert_eq!(judge(&format!("@revoked * x {KEY}"), "a", 22), Verdict::Revoked);
    }
}
