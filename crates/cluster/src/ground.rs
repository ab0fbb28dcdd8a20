//! Owns how what settled values rest on is kept over a restart: one ConfigMap beside the inventories, so that what changed while no process ran
//! is noticed by the next one.
//! Must not stop anything: without it, what is found at a start counts as having been there.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use plumb_manifest::Digest;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::cluster::read_value;
use crate::error::ClusterError;
use crate::resource::segment;
use crate::webhook::Webhook;
use crate::wire::{ActAs, Call};
use crate::{Cluster, SYSTEM_NAMESPACE};

/// What settled values of one cluster rest on, as far as units use it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Grounds {
    /// The webhooks of each configuration.
    #[serde(default)]
    pub(crate) webhooks: BTreeMap<Arc<str>, Vec<Webhook>>,
    /// Group, version and kind → hash of what its objects rest on.
    #[serde(default)]
    pub(crate) definitions: BTreeMap<String, Digest>,
}

fn path(cluster: &Cluster) -> String {
    format!("/api/v1/namespaces/{SYSTEM_NAMESPACE}/configmaps/{}", segment(&name(cluster)))
}

fn name(cluster: &Cluster) -> String {
    format!("plumb-{}-ground", cluster.installation())
}

/// Reads what the process before this one knew; none if there was none, or if it cannot be read.
pub(crate) async fn load(cluster: &Cluster) -> Option<Grounds> {
    let (own, what) = (ActAs::default(), format!("ConfigMap {SYSTEM_NAMESPACE}/{}", name(cluster)));
    let body = cluster.wire().fetch(&Call::get(path(cluster), &what, &own)).await.ok()?;
    let map = read_value(&body, &what).ok()?;
    serde_json::from_str(map.pointer("/data/ground")?.as_str()?).ok()
}

/// Writes what this process knows.
pub(crate) async fn store(cluster: &Cluster, grounds: &Grounds) -> Result<(), ClusterError> {
    let (own, name) = (ActAs::default(), name(cluster));
    let what = format!("ConfigMap {SYSTEM_NAMESPACE}/{name}");
    let text = serde_json::to_string(grounds).unwrap_or_default();
    let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": SYSTEM_NAMESPACE}, "data": {"ground": text}});
    let path = format!("{}?fieldManager=plumb&force=true", path(cluster));
    let call = Call::write(Method::PATCH, path, &what, &own, "application/apply-patch+yaml", body.to_string().into_bytes());
    cluster.wire().fetch(&call).await.map(drop)
}
