//! Owns what of a CustomResourceDefinition the values of its objects rest on: how they are pruned, defaulted, listed and converted.
//! Must not keep a definition: what is kept of it is a hash for each version.

use plumb_manifest::Digest;
use serde_json::Value;

/// Fields of a schema that only explain it.
const WORDS: [&str; 4] = ["description", "title", "example", "externalDocs"];
/// Fields of a schema whose own fields are names, each of a schema.
const NAMED: [&str; 3] = ["properties", "patternProperties", "definitions"];
/// Fields of a schema that are values, not schemas.
const VALUES: [&str; 2] = ["default", "enum"];

/// Returns the hash of what objects of a version rest on; none if the definition has no such version. A text that changed, a column, another
/// version or the certificate of a conversion webhook does not change it.
pub(crate) fn ground(definition: &Value, version: &str) -> Option<Digest> {
    let spec = definition.get("spec")?;
    let versions = spec.get("versions")?.as_array()?;
    let named = |value: &&Value| value.get("name").and_then(Value::as_str) == Some(version);
    let own = versions.iter().find(named)?;
    let stored = versions.iter().find(|version| version.get("storage") == Some(&Value::Bool(true)));
    let mut hasher = blake3::Hasher::new();
    let mut text = |value: Option<&Value>| {
        hasher.update(value.unwrap_or(&Value::Null).to_string().as_bytes()).update(b"\n");
    };
    let conversion = "/conversion/webhook/clientConfig";
    text(spec.get("scope"));
    text(spec.get("preserveUnknownFields"));
    text(spec.pointer("/conversion/strategy"));
    text(spec.pointer(&format!("{conversion}/service")));
    text(spec.pointer(&format!("{conversion}/url")));
    text(stored.and_then(|stored| stored.get("name")));
    text(own.get("served"));
    schema(own.pointer("/schema/openAPIV3Schema").unwrap_or(&Value::Null), false, &mut hasher);
    let mut short = [0; 16];
    short.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    Some(Digest(short))
}

/// Hashes a schema without its words; with `names`, a map from names to schemas.
fn schema(value: &Value, names: bool, hasher: &mut blake3::Hasher) {
    match value {
        Value::Object(map) => {
            hasher.update(b"{");
            for (key, below) in map.iter().filter(|(key, _)| names || !WORDS.contains(&key.as_str())) {
                hasher.update(&(key.len() as u64).to_le_bytes()).update(key.as_bytes());
                if !names && VALUES.contains(&key.as_str()) {
                    hasher.update(below.to_string().as_bytes());
                } else {
                    schema(below, !names && NAMED.contains(&key.as_str()), hasher);
                }
            }
            hasher.update(b"}");
        }
        Value::Array(items) => {
            hasher.update(b"[");
            items.iter().for_each(|item| schema(item, false, hasher));
            hasher.update(b"]");
        }
        other => {
            hasher.update(other.to_string().as_bytes()).update(b",");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definition() -> Value {
        json!({"spec": {"group": "x.io", "scope": "Namespaced", "conversion": {"strategy": "None"}, "versions": [
            {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "description": "a thing", "properties": {
                "description": {"type": "string"}, "size": {"type": "integer", "default": 1}}}}},
            {"name": "v2", "served": true, "storage": false, "schema": {"openAPIV3Schema": {"type": "object"}}}]}})
    }

    fn check(pointer: &str, value: Value, changes: bool) {
        let mut changed = definition();
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        changed.pointer_mut(parent).expect("a place")[name] = value;
        let found = ground(&changed, "v1") != ground(&definition(), "v1");
        assert_eq!(found, changes, "{pointer}");
    }

    #[test]
    fn only_what_objects_rest_on_counts() {
        let schema = "/spec/versions/0/schema/openAPIV3Schema";
        check(&format!("{schema}/description"), json!("another word"), false);
        check(&format!("{schema}/properties/size/description"), json!("how large"), false);
        check("/spec/versions/0/additionalPrinterColumns", json!([{"name": "Size"}]), false);
        check("/spec/conversion/webhook", json!({"clientConfig": {"caBundle": "eA=="}}), false);
        check("/spec/versions/1/schema", json!({"openAPIV3Schema": {"type": "object", "properties": {}}}), false);
        check(&format!("{schema}/properties/size/default"), json!(2), true);
        check(&format!("{schema}/properties/new"), json!({"type": "string"}), true);
        check(&format!("{schema}/properties/description/type"), json!("integer"), true);
        check(&format!("{schema}/properties/description"), json!({"type": "string", "default": {"title": "a"}}), true);
        check(&format!("{schema}/x-kubernetes-preserve-unknown-fields"), json!(true), true);
        check("/spec/conversion/strategy", json!("Webhook"), true);
        check("/spec/versions/0/served", json!(false), true);
        assert!(ground(&definition(), "v3").is_none() && ground(&json!({"spec": 3}), "v1").is_none());
    }
}
