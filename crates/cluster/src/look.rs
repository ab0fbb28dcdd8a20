//! Owns small looks at a cluster that belong to no sync: how an object does, and the Secrets that credentials lie in.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plumb_manifest::ObjectKey;
use plumb_plan::{Health, HealthStatus};
use serde_json::Value;

use crate::Cluster;
use crate::cluster::read_value;
use crate::error::{Class, ClusterError, classify};
use crate::resource::segment;
use crate::wire::{ActAs, Call};

impl Cluster {
    /// Returns how a stamped object does as last seen, without a request.
    pub fn health(&self, key: &ObjectKey) -> Health {
        let index = self.index();
        index.with(key, |entry| entry.map(crate::entry::Entry::health)).unwrap_or_else(|| {
            if let Some(ended) = index.ended(key) {
                crate::ended::health(&ended.ending)
            } else if index.lists(key) {
                Health::missing()
            } else {
                Health { status: HealthStatus::Unknown, message: "its kind is not being watched".to_owned() }
            }
        })
    }

    /// Returns the data of a Secret as its bytes, read with the operator's own rights; none where there is none.
    pub async fn secret(&self, namespace: &str, name: &str) -> Result<Option<BTreeMap<String, Vec<u8>>>, ClusterError> {
        let own = ActAs::default();
        let what = format!("Secret {namespace}/{name}");
        let path = format!("/api/v1/namespaces/{}/secrets/{}", segment(namespace), segment(name));
        let body = match self.wire().fetch(&Call::get(path, &what, &own)).await {
            Err(error) if classify(&error) == Class::NotFound => return Ok(None),
            other => other?,
        };
        let value = read_value(&body, &what)?;
        let data = value.get("data").and_then(Value::as_object);
        let decode = |(key, value): (&String, &Value)| Some((key.clone(), STANDARD.decode(value.as_str()?).ok()?));
        Ok(Some(data.into_iter().flatten().filter_map(decode).collect()))
    }
}
