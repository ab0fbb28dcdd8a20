//! Owns redaction: a Secret's values are replaced before anything is compared, formatted, logged or kept (DESIGN.md, 5.8).
//! What is shown is a keyed fingerprint of the decoded value: equal values look equal, and without the key they tell nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plumb_manifest::ObjectKey;
use serde_json::Value;

/// kubectl's copy of the whole manifest.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Replaces secret values by fingerprints. The key comes from the edge and is never shown.
#[derive(Clone)]
pub struct Redactor {
    key: [u8; 32],
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor(…)")
    }
}

impl Redactor {
    /// Takes the key of the fingerprints.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// Returns the keyed hash of a value.
    pub(crate) fn hash(&self, value: &[u8]) -> [u8; 16] {
        let mut short = [0; 16];
        short.copy_from_slice(&blake3::keyed_hash(&self.key, value).as_bytes()[..16]);
        short
    }

    /// Returns what is shown for a value: it carries nothing of it.
    pub fn placeholder(&self, value: &[u8]) -> String {
        show(&self.hash(value))
    }

    /// Replaces a Secret's `data`, `stringData` and last-applied annotation; other kinds stay as they are.
    pub fn redact(&self, key: &ObjectKey, object: &mut Value) {
        if !is_secret(key) {
            return;
        }
        for field in ["data", "stringData"] {
            if let Some(map) = object.get_mut(field) {
                self.replace(map, field == "data");
            }
        }
        if let Some(copy) = object.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations")?.get_mut(LAST_APPLIED)) {
            self.replace(copy, false);
        }
    }

    fn replace(&self, value: &mut Value, encoded: bool) {
        match value {
            Value::Object(map) => map.values_mut().for_each(|value| self.replace(value, encoded)),
            Value::Null => {}
            other => *other = Value::String(show(&self.hash_value(other, encoded))),
        }
    }

    /// Hashes what a value of `data` decodes to, or the value's own text.
    pub(crate) fn hash_value(&self, value: &Value, encoded: bool) -> [u8; 16] {
        match value {
            Value::String(text) if encoded => STANDARD.decode(text).map_or_else(|_| self.hash(text.as_bytes()), |bytes| self.hash(&bytes)),
            Value::String(text) => self.hash(text.as_bytes()),
            other => self.hash(other.to_string().as_bytes()),
        }
    }
}

pub(crate) fn show(hash: &[u8; 16]) -> String {
    let hex: String = hash[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("redacted:{hex}")
}

pub(crate) fn is_secret(key: &ObjectKey) -> bool {
    key.group.is_empty() && &*key.kind == "Secret"
}

/// Returns how a path of a Secret is secret: none for what is not; whether it is base64 otherwise.
pub(crate) fn secret_path(path: &[&str]) -> Option<bool> {
    match path {
        ["data", ..] => Some(true),
        ["stringData", ..] | ["metadata", "annotations", LAST_APPLIED] => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_value_of_a_secret_is_left() {
        let redactor = Redactor::new([7; 32]);
        let mut secret = json!({
            "kind": "Secret", "metadata": {"name": "a", "annotations": {LAST_APPLIED: "{\"data\":{\"p\":\"Y2FuYXJ5\"}}", "note": "kept"}},
            "data": {"p": "Y2FuYXJ5", "broken": "canary!"}, "stringData": {"p": "canary", "number": 5}
        });
        redactor.redact(&ObjectKey::new("", "Secret", Some("x"), "a"), &mut secret);
        let text = secret.to_string();
        assert!(!text.contains("canary") && !text.contains("Y2FuYXJ5"), "{text}");
        assert_eq!(secret["data"]["p"], secret["stringData"]["p"], "the same value looks the same, encoded or not");
        assert_eq!(secret["metadata"]["annotations"]["note"], "kept");
        assert_eq!(format!("{redactor:?}"), "Redactor(…)");
    }

    #[test]
    fn another_key_gives_another_fingerprint() {
        assert_ne!(Redactor::new([1; 32]).placeholder(b"x"), Redactor::new([2; 32]).placeholder(b"x"));
        let mut config = json!({"data": {"a": "b"}});
        Redactor::new([1; 32]).redact(&ObjectKey::new("", "ConfigMap", Some("x"), "a"), &mut config);
        assert_eq!(config, json!({"data": {"a": "b"}}));
    }
}
