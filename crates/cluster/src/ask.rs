//! Owns what builds ask of a cluster: objects as they are, and what it serves. Read as whom the unit acts as; nothing is kept.

use std::time::Duration;

use plumb_manifest::{Gvk, ObjectKey};
use plumb_world::Lookup;
use serde_json::{Value, json};

use crate::Acting;
use crate::error::ClusterError;

/// What a cluster serves, as charts are told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The server's version (`v1.36.3`).
    pub version: String,
    /// `group/version` and `group/version/Kind`, in order.
    pub apis: Vec<String>,
    /// API groups whose server does not answer: that they are not among `apis` says nothing.
    pub unknown: Vec<String>,
}

/// How long what a cluster serves counts as known: many charts ask at once, and what Plumb itself installs is learned at once.
const SERVED_FOR: Duration = Duration::from_secs(10);

/// Bytes of one answer to a lookup at most: a chart that lists more wants something else.
pub const MAX_LOOKUP_BYTES: usize = 16 << 20;

impl Acting {
    /// Returns what the cluster serves.
    pub async fn served(&self) -> Result<Served, ClusterError> {
        let version = self.cluster.version().await?;
        let mut apis = std::collections::BTreeSet::new();
        let (kinds, stale) = self.cluster.discovery().versions(self.cluster.wire(), SERVED_FOR).await?;
        for gvk in kinds {
            apis.insert(gvk.api_version());
            apis.insert(format!("{}/{}", gvk.api_version(), gvk.kind));
        }
        Ok(Served { version, apis: apis.into_iter().collect(), unknown: stale.iter().map(ToString::to_string).collect() })
    }

    /// Returns an object, or all of a kind as a list with `items`; none when there is no such object, or no such kind.
    pub async fn lookup(&self, lookup: &Lookup) -> Result<Option<Value>, ClusterError> {
        let gvk = Gvk::new(&lookup.api_version, &lookup.kind);
        let resource = match self.cluster.resource(&gvk).await {
            Ok(resource) => resource,
            Err(ClusterError::UnknownKind(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let namespace = (resource.namespaced && !lookup.namespace.is_empty()).then_some(lookup.namespace.as_str());
        if !lookup.name.is_empty() {
            if resource.namespaced && namespace.is_none() {
                return Ok(None);
            }
            return self.read_object(&resource, &ObjectKey::new(&gvk.group, &gvk.kind, namespace, &lookup.name)).await;
        }
        let what = match namespace {
            Some(namespace) => format!("the {} of {namespace}", resource.plural),
            None => format!("the {}", resource.plural),
        };
        let (mut items, mut bytes) = (Vec::new(), 0_usize);
        let path = format!("{}?", resource.collection(namespace));
        self.pages(&path, &what, |item: Box<serde_json::value::RawValue>| {
            bytes = bytes.saturating_add(item.get().len());
            if bytes <= MAX_LOOKUP_BYTES
                && let Ok(mut item) = serde_json::from_str::<Value>(item.get())
            {
                // In a list the server leaves both out; charts read them.
                item["apiVersion"] = lookup.api_version.as_str().into();
                item["kind"] = lookup.kind.as_str().into();
                items.push(item);
            }
        })
        .await?;
        if bytes > MAX_LOOKUP_BYTES {
            let reason = format!("a chart looks them up, and they have {bytes} bytes together; {MAX_LOOKUP_BYTES} are allowed");
            return Err(ClusterError::Unreadable { what, reason });
        }
        Ok(Some(json!({"apiVersion": lookup.api_version, "kind": format!("{}List", lookup.kind), "items": items})))
    }
}
