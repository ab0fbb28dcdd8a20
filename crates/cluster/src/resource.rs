//! Owns how kinds map to addresses: plural, scope, and the path of an object or a collection.
//! Must not ask the server; discovery does.

use std::fmt::Write;
use std::sync::Arc;

use plumb_manifest::{Gvk, ObjectKey};

use crate::error::ClusterError;

/// A kind as the server serves it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource {
    /// Group, version and kind.
    pub gvk: Gvk,
    /// The name in paths (`deployments`).
    pub plural: Arc<str>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

impl Resource {
    /// Returns the path of the collection: of one namespace, or of all.
    pub(crate) fn collection(&self, namespace: Option<&str>) -> String {
        let mut path = if self.gvk.group.is_empty() {
            format!("/api/{}", segment(&self.gvk.version))
        } else {
            format!("/apis/{}/{}", segment(&self.gvk.group), segment(&self.gvk.version))
        };
        if let (Some(namespace), true) = (namespace, self.namespaced) {
            let _ = write!(path, "/namespaces/{}", segment(namespace));
        }
        let _ = write!(path, "/{}", segment(&self.plural));
        path
    }

    /// Returns the path of one object.
    pub(crate) fn object(&self, key: &ObjectKey) -> Result<String, ClusterError> {
        let wrong = |reason: String| ClusterError::Invalid { what: key.to_string(), reason };
        // The server cleans paths before it routes them, so a name of dots would address another object.
        for part in [Some(&key.name), key.namespace.as_ref()].into_iter().flatten() {
            if matches!(&**part, "" | "." | "..") {
                return Err(wrong(format!("`{part}` is not a name")));
            }
        }
        match (self.namespaced, &key.namespace) {
            (true, None) => Err(wrong(format!("a {} lives in a namespace and this one names none", key.kind))),
            (false, Some(namespace)) => Err(wrong(format!("a {} lives in no namespace, take `{namespace}` out", key.kind))),
            _ => Ok(format!("{}/{}", self.collection(key.namespace.as_deref()), segment(&key.name))),
        }
    }

    /// Returns the key of one of its objects.
    pub(crate) fn key(&self, namespace: Option<&str>, name: &str) -> ObjectKey {
        ObjectKey {
            group: self.gvk.group.clone(),
            kind: self.gvk.kind.clone(),
            namespace: namespace.filter(|namespace| !namespace.is_empty()).map(Into::into),
            name: name.into(),
        }
    }
}

/// Escapes one segment of a path or one value of a query.
pub(crate) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(byte as char);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(api_version: &str, kind: &str, plural: &str, namespaced: bool) -> Resource {
        Resource { gvk: Gvk::new(api_version, kind), plural: plural.into(), namespaced }
    }

    #[test]
    fn addresses_objects() {
        let deployment = resource("apps/v1", "Deployment", "deployments", true);
        let role = resource("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", false);
        let key = |kind: &str, namespace, name: &str| ObjectKey::new("", kind, namespace, name);
        assert_eq!(deployment.object(&key("Deployment", Some("a"), "b")).expect("path"), "/apis/apps/v1/namespaces/a/deployments/b");
        assert_eq!(
            role.object(&key("ClusterRole", None, "system:x/../y?z")).expect("path"),
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Ax%2F..%2Fy%3Fz"
        );
        assert_eq!(resource("v1", "Node", "nodes", false).collection(None), "/api/v1/nodes");
    }

    #[test]
    fn refuses_names_that_address_something_else() {
        let map = resource("v1", "ConfigMap", "configmaps", true);
        for (namespace, name) in [(Some("a"), ".."), (Some("a"), ""), (Some(".."), "b"), (None, "b")] {
            assert!(map.object(&ObjectKey::new("", "ConfigMap", namespace, name)).is_err(), "{namespace:?} {name:?}");
        }
        let node = resource("v1", "Node", "nodes", false);
        assert!(node.object(&ObjectKey::new("", "Node", Some("a"), "b")).is_err());
    }
}
