//! Owns the stamps of the native dialect: what says of a live object which unit it belongs to. A stamp is a hint; the unit's inventory is the proof.

use plumb_manifest::Digest;
use plumb_unit::NodeKey;
use serde_json::{Map, Value};

/// The label with the installation's name: what a watch selects.
pub const INSTALLATION_LABEL: &str = "plumb.dev/installation";
/// The label with the unit's hash.
pub const UNIT_LABEL: &str = "plumb.dev/unit";
/// The annotation with the unit's whole name.
pub const OWNER_ANNOTATION: &str = "plumb.dev/owner";
/// The annotation with the digest of the manifest that was applied last.
pub const MANIFEST_ANNOTATION: &str = "plumb.dev/manifest";

/// What a unit's objects carry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamps {
    /// The value of [`INSTALLATION_LABEL`].
    pub installation: String,
    /// The value of [`UNIT_LABEL`]: 16 hex digits.
    pub unit: String,
    /// The value of [`OWNER_ANNOTATION`]: `installation/namespace/name`.
    pub owner: String,
    /// The field manager: `plumb/` and the same 16 hex digits.
    pub field_manager: String,
}

impl Stamps {
    /// Returns the stamps of a unit.
    pub fn of(key: &NodeKey) -> Self {
        let parts = [key.installation.as_bytes(), key.namespace.as_bytes(), key.name.as_bytes()];
        let mut unit = Digest::of_parts(parts).to_string();
        unit.truncate(16);
        Self {
            installation: key.installation.to_string(),
            owner: format!("{}/{}/{}", key.installation, key.namespace, key.name),
            field_manager: format!("plumb/{unit}"),
            unit,
        }
    }

    /// Returns the labels.
    pub fn labels(&self) -> [(&'static str, &str); 2] {
        [(INSTALLATION_LABEL, &self.installation), (UNIT_LABEL, &self.unit)]
    }

    /// Returns the annotations of an object whose manifest, without stamps, has this digest.
    pub fn annotations(&self, manifest: &Digest) -> [(&'static str, String); 2] {
        [(OWNER_ANNOTATION, self.owner.clone()), (MANIFEST_ANNOTATION, manifest.to_string())]
    }

    /// Returns the label selector of the installation's objects.
    pub fn selector(&self) -> String {
        format!("{INSTALLATION_LABEL}={}", self.installation)
    }

    /// Writes the stamps into an object that is to be applied. What is there under the same names is replaced.
    pub fn stamp(&self, object: &mut Value, manifest: &Digest) {
        let Some(metadata) = object.as_object_mut().map(|object| child(object, "metadata")) else { return };
        let Some(metadata) = metadata.as_object_mut() else { return };
        if let Some(labels) = child(metadata, "labels").as_object_mut() {
            labels.extend(self.labels().map(|(key, value)| (key.to_owned(), Value::from(value))));
        }
        if let Some(annotations) = child(metadata, "annotations").as_object_mut() {
            annotations.extend(self.annotations(manifest).map(|(key, value)| (key.to_owned(), Value::from(value))));
        }
    }
}

/// Returns the map below a key; what is there and no map becomes one.
fn child<'a>(map: &'a mut Map<String, Value>, key: &str) -> &'a mut Value {
    let value = map.entry(key).or_insert(Value::Null);
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn stamps_name_the_unit() {
        let stamps = Stamps::of(&NodeKey::unit("plumb", "team-a", "shop"));
        assert_eq!(stamps.owner, "plumb/team-a/shop");
        assert_eq!(stamps.unit.len(), 16);
        assert_eq!(stamps.field_manager, format!("plumb/{}", stamps.unit));
        assert_eq!(stamps.selector(), "plumb.dev/installation=plumb");
        // Names that run together are still different units.
        assert_ne!(stamps.unit, Stamps::of(&NodeKey::unit("plumb", "team-", "ashop")).unit);
        // The hash is part of what lies in clusters: it never changes.
        let whole = Digest::of_parts([b"plumb".as_slice(), b"team-a", b"shop"]).to_string();
        assert!(whole.starts_with(&stamps.unit));
    }

    #[test]
    fn an_object_is_stamped_beside_what_it_has() {
        let digest = Digest::of(b"x");
        let stamps = Stamps::of(&NodeKey::unit("plumb", "team-a", "shop"));
        let mut object = json!({"metadata": {"name": "web", "labels": {"app": "web"}, "annotations": null}});
        stamps.stamp(&mut object, &digest);
        assert_eq!(object["metadata"]["labels"], json!({"app": "web", "plumb.dev/installation": "plumb", "plumb.dev/unit": stamps.unit}));
        let expect = json!({"plumb.dev/owner": "plumb/team-a/shop", "plumb.dev/manifest": digest.to_string()});
        assert_eq!(object["metadata"]["annotations"], expect);
    }
}
