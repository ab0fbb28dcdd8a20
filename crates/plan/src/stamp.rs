//! Owns the stamps on applied objects: which unit an object belongs to, and from which manifest it was made.
//! Must not decide whether a stamp is believed: that takes the unit's inventory.

use std::fmt;

use plumb_manifest::Digest;
use plumb_unit::NodeKey;
use serde_json::{Map, Value};

/// Label: the installation. What a watch selects by.
pub const INSTALLATION_LABEL: &str = "plumb.dev/installation";
/// Label: the unit's [`UnitHash`] in hex.
pub const UNIT_LABEL: &str = "plumb.dev/unit";
/// Annotation: `<installation>/<namespace>/<name>` of the unit.
pub const OWNER_ANNOTATION: &str = "plumb.dev/owner";
/// Annotation: the digest of the manifest without stamps, in hex.
pub const MANIFEST_ANNOTATION: &str = "plumb.dev/manifest";
/// Annotation of an object: with [`PRUNE_DISABLED`] it is never pruned, only released.
pub const PRUNE_ANNOTATION: &str = "plumb.dev/prune";
/// The value of [`PRUNE_ANNOTATION`] that keeps an object.
pub const PRUNE_DISABLED: &str = "disabled";

/// A unit's short name on objects: the first 8 bytes of a hash of installation, namespace and name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitHash(pub [u8; 8]);

impl UnitHash {
    /// Returns the hash of a unit's key.
    pub fn of(unit: &NodeKey) -> Self {
        let digest = Digest::of_parts([unit.installation.as_bytes(), unit.namespace.as_bytes(), unit.name.as_bytes()]);
        let mut short = [0; 8];
        short.copy_from_slice(&digest.0[..8]);
        Self(short)
    }

    /// Reads the 16 hex digits that `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 16 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        u64::from_str_radix(text, 16).ok().map(|number| Self(number.to_be_bytes()))
    }

    /// Returns the field manager that the unit applies as: `plumb/<16 hex>`.
    pub fn manager(&self) -> String {
        format!("plumb/{self}")
    }
}

impl fmt::Display for UnitHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for UnitHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Puts a unit's stamps on an object. `manifest` is the digest of the object as it was before.
pub fn stamp(object: &mut Value, unit: &NodeKey, manifest: Digest) {
    let owner = format!("{}/{}/{}", unit.installation, unit.namespace, unit.name);
    put(object, "labels", &[(INSTALLATION_LABEL, unit.installation.to_string()), (UNIT_LABEL, UnitHash::of(unit).to_string())]);
    put(object, "annotations", &[(OWNER_ANNOTATION, owner), (MANIFEST_ANNOTATION, manifest.to_string())]);
}

fn put(object: &mut Value, field: &str, pairs: &[(&str, String)]) {
    let Some(top) = object.as_object_mut() else { return };
    let Some(metadata) = top.entry("metadata").or_insert_with(|| Value::Object(Map::new())).as_object_mut() else { return };
    let slot = metadata.entry(field).or_insert(Value::Null);
    if slot.is_null() {
        *slot = Value::Object(Map::new());
    }
    if let Some(map) = slot.as_object_mut() {
        for (key, value) in pairs {
            map.insert((*key).to_owned(), Value::String(value.clone()));
        }
    }
}

/// What the stamps of a live object say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// The unit, if the label and the annotation name the same one.
    pub unit: Option<UnitHash>,
    /// The digest of the manifest it was made from.
    pub manifest: Option<Digest>,
    /// Whether [`PRUNE_ANNOTATION`] keeps it.
    pub prune_disabled: bool,
}

/// Reads a live object's stamps. Label and owner annotation must name the same unit, or neither is read.
pub fn read_stamps(live: &Value) -> Stamps {
    let text = |field: &str, key: &str| live.get("metadata")?.get(field)?.get(key)?.as_str();
    let unit = text("labels", UNIT_LABEL)
        .and_then(UnitHash::parse)
        .filter(|unit| text("annotations", OWNER_ANNOTATION).and_then(owner_key).is_some_and(|owner| UnitHash::of(&owner) == *unit));
    Stamps {
        unit,
        manifest: text("annotations", MANIFEST_ANNOTATION).and_then(Digest::parse),
        prune_disabled: text("annotations", PRUNE_ANNOTATION) == Some(PRUNE_DISABLED),
    }
}

/// Reads the unit's key from an owner annotation.
pub fn owner_key(text: &str) -> Option<NodeKey> {
    let mut parts = text.splitn(3, '/');
    let (installation, namespace, name) = (parts.next()?, parts.next()?, parts.next()?);
    (!installation.is_empty() && !name.is_empty()).then(|| NodeKey::unit(installation, namespace, name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn stamps_are_read_back() {
        let unit = NodeKey::unit("main", "team-a", "shop");
        let digest = Digest::of(b"x");
        let mut object = json!({"metadata": {"name": "a", "labels": null, "annotations": {"plumb.dev/prune": "disabled"}}});
        stamp(&mut object, &unit, digest);
        let stamps = read_stamps(&object);
        assert_eq!(stamps, Stamps { unit: Some(UnitHash::of(&unit)), manifest: Some(digest), prune_disabled: true });
        assert_eq!(UnitHash::of(&unit).manager().len(), "plumb/".len() + 16);
    }

    #[test]
    fn a_label_that_the_annotation_does_not_confirm_names_nobody() {
        let mut object = json!({"metadata": {"name": "a"}});
        stamp(&mut object, &NodeKey::unit("main", "team-a", "shop"), Digest::of(b"x"));
        object["metadata"]["annotations"][OWNER_ANNOTATION] = json!("main/team-a/other");
        assert_eq!(read_stamps(&object).unit, None);
        for bad in ["", "0123456789abcde", "0123456789abcdefg", "+123456789abcdef"] {
            assert_eq!(UnitHash::parse(bad), None, "{bad:?}");
        }
    }
}
