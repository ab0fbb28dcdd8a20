//! Owns the question who else sets a workload's replicas. It is asked only when replicas drifted: there is no watch of autoscalers.
//! Must not keep an autoscaler.

use plumb_manifest::{Gvk, ObjectKey};
use plumb_plan::scale_target;
use serde::Deserialize;
use serde_json::Value;

use crate::Cluster;
use crate::error::{Class, ClusterError, classify};
use crate::resource::segment;
use crate::wire::{ActAs, Call};

/// Autoscalers read at once.
const PAGE: usize = 250;

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    metadata: Meta,
    #[serde(default)]
    items: Vec<Value>,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default, rename = "continue")]
    next: String,
}

impl Cluster {
    /// Returns the autoscaler that a live workload's replicas are set by; none if there is none, or none that may be read.
    pub async fn scaler_of(&self, key: &ObjectKey) -> Result<Option<ObjectKey>, ClusterError> {
        let Some(namespace) = &key.namespace else { return Ok(None) };
        let scalers = [("autoscaling", "HorizontalPodAutoscaler"), ("keda.sh", "ScaledObject")];
        for (group, kind) in scalers {
            if self.preferred(group, kind).is_none() && group == "autoscaling" {
                // The table of kinds may not be there yet.
                let _ = self.resource(&Gvk::new("autoscaling/v2", kind)).await;
            }
            let Some(resource) = self.preferred(group, kind) else { continue };
            let (what, own) = (format!("the {kind}s of {namespace}"), ActAs::default());
            let mut next = String::new();
            loop {
                let path = format!("{}?limit={PAGE}&continue={}", resource.collection(Some(namespace)), segment(&next));
                let body = match self.wire().fetch(&Call::get(path, &what, &own)).await {
                    Ok(body) => body,
                    Err(error) if matches!(classify(&error), Class::Denied | Class::NotFound | Class::Expired) => break,
                    Err(error) => return Err(error),
                };
                let list: List = serde_json::from_slice(&body)
                    .map_err(|error| ClusterError::Unreadable { what: what.clone(), reason: error.to_string() })?;
                for mut item in list.items {
                    // Items of a list do not say what they are.
                    item["apiVersion"] = resource.gvk.api_version().into();
                    item["kind"] = Value::String(kind.to_owned());
                    if scale_target(&item).as_ref() == Some(key) {
                        let name = item.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
                        return Ok(Some(ObjectKey::new(group, kind, Some(namespace), name)));
                    }
                }
                next = list.metadata.next;
                if next.is_empty() {
                    break;
                }
            }
        }
        Ok(None)
    }
}
