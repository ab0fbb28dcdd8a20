//! Owns taking objects away: deletes that hit only the object they were meant for, and releases that leave it standing.
//! Must not decide what goes; every order comes from a plan, and is judged again when the object changed meanwhile.

use http::Method;
use plumb_manifest::{Gvk, ObjectKey};
use plumb_plan::{UnitHash, read_stamps};
use plumb_unit::NodeKey;
use serde_json::{Value, json};

use crate::Acting;
use crate::apply::unstamp;
use crate::cluster::read_value;
use crate::entry::Entry;
use crate::error::{Class, ClusterError, classify};
use crate::managed;
use crate::rate::backoff;
use crate::resource::{Resource, segment};
use crate::wire::{Call, FenceCheck};

/// How often a delete is judged again because the object changed in between.
const REJUDGED: u32 = 6;

/// What became of an object that was to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deleted {
    /// It is not there any more.
    Gone,
    /// The server took the order; finalizers or a grace period are still to pass.
    Going,
    /// It is not this unit's any more, or asked to be kept: it was left alone.
    Left,
}

/// An object to delete.
pub(crate) struct Delete<'a> {
    pub(crate) unit: &'a NodeKey,
    pub(crate) key: &'a ObjectKey,
    pub(crate) version: &'a str,
    pub(crate) uid: &'a str,
    pub(crate) resource_version: &'a str,
    pub(crate) dry_run: bool,
    pub(crate) fence: Option<&'a FenceCheck>,
}

pub(crate) fn gvk_of(key: &ObjectKey, version: &str) -> Gvk {
    Gvk { group: key.group.clone(), version: version.into(), kind: key.kind.clone() }
}

impl Acting {
    /// Reads one object; none if it is not there.
    pub(crate) async fn read_object(&self, resource: &Resource, key: &ObjectKey) -> Result<Option<Value>, ClusterError> {
        let what = key.to_string();
        let answer = self.cluster.wire().send(&Call::get(resource.object(key)?, &what, &self.act_as)).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        read_value(&answer.success(&what)?, &what).map(Some)
    }

    /// Deletes one object, if it is still the one that the plan saw.
    pub(crate) async fn delete(&self, order: &Delete<'_>) -> Result<Deleted, ClusterError> {
        let what = order.key.to_string();
        let resource = match self.cluster.resource(&gvk_of(order.key, order.version)).await {
            Ok(resource) => resource,
            // What is not served cannot be there. A group whose server is away is another error.
            Err(ClusterError::UnknownKind(_)) => return Ok(Deleted::Gone),
            Err(error) => return Err(error),
        };
        let path = resource.object(order.key)?;
        let index = self.cluster.index();
        let _flight = index.flight(order.key);
        // A status that changed since the plan was made is no reason to ask twice.
        let still_ours = |entry: &&Entry| *entry.uid == *order.uid && entry.unit == Some(UnitHash::of(order.unit)) && !entry.prune_disabled;
        let seen = index.with(order.key, |entry| entry.filter(still_ours).map(|entry| entry.resource_version.to_string()));
        let mut version = seen.unwrap_or_else(|| order.resource_version.to_owned());
        for attempt in 0..REJUDGED {
            let body = json!({
                "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background",
                "preconditions": {"uid": order.uid, "resourceVersion": version},
            });
            let path = if order.dry_run { format!("{path}?dryRun=All") } else { path.clone() };
            let mut call = Call::write(Method::DELETE, path, &what, &self.act_as, "application/json", body.to_string().into_bytes());
            call.fence = order.fence;
            let answer = self.cluster.wire().send(&call).await?;
            match answer.status {
                404 => return Ok(self.gone(order)),
                409 => {}
                _ => {
                    let body = answer.success(&what)?;
                    // A `Status` says that it is gone, the object itself that it is going.
                    let is_status = serde_json::from_slice::<Kind>(&body).is_ok_and(|body| body.kind == "Status");
                    return Ok(if is_status && !order.dry_run { self.gone(order) } else { Deleted::Going });
                }
            }
            let Some(live) = self.read_object(&resource, order.key).await? else { return Ok(self.gone(order)) };
            let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            if text("/metadata/uid") != order.uid {
                return Ok(self.gone(order));
            }
            if live.pointer("/metadata/deletionTimestamp").is_some() {
                return Ok(Deleted::Going);
            }
            let stamps = read_stamps(&live);
            if stamps.unit != Some(UnitHash::of(order.unit)) || stamps.prune_disabled {
                return Ok(Deleted::Left);
            }
            version = text("/metadata/resourceVersion").to_owned();
            tokio::time::sleep(backoff(attempt).mul_f64(0.2)).await;
        }
        Err(ClusterError::Overtaken { what })
    }

    fn gone(&self, order: &Delete<'_>) -> Deleted {
        self.cluster.index().removed(order.key, order.uid);
        if &*order.key.kind == "CustomResourceDefinition" {
            self.cluster.discovery().unlearn(&order.key.name);
        }
        Deleted::Gone
    }

    /// Takes a unit's stamps off an object, and our entry out of its managedFields; its values stay.
    pub(crate) async fn release(
        &self,
        unit: &NodeKey,
        key: &ObjectKey,
        version: &str,
        dry_run: bool,
        fence: Option<&FenceCheck>,
    ) -> Result<(), ClusterError> {
        let what = key.to_string();
        let resource = match self.cluster.resource(&gvk_of(key, version)).await {
            Ok(resource) => resource,
            Err(ClusterError::UnknownKind(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let manager = UnitHash::of(unit).manager();
        let index = self.cluster.index();
        let _flight = index.flight(key);
        for attempt in 0..REJUDGED {
            let Some(live) = self.read_object(&resource, key).await? else { return Ok(()) };
            let stamped = read_stamps(&live).unit;
            if stamped.is_some_and(|stamped| stamped != UnitHash::of(unit)) || dry_run {
                return Ok(());
            }
            if stamped.is_none() && managed::own(&live, &manager).is_none() {
                return Ok(());
            }
            let Some(patch) = unstamp(&live, &manager) else { return Ok(()) };
            let path = format!("{}?fieldManager={}", resource.object(key)?, segment(&manager));
            let mut call =
                Call::write(Method::PATCH, path, &what, &self.act_as, "application/json-patch+json", patch.to_string().into_bytes());
            call.fence = fence;
            match self.cluster.wire().fetch(&call).await {
                Ok(_) => {
                    let uid = live.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
                    index.removed(key, uid);
                    return Ok(());
                }
                Err(error) => match classify(&error) {
                    Class::NotFound => return Ok(()),
                    Class::Conflict => tokio::time::sleep(backoff(attempt).mul_f64(0.2)).await,
                    _ => return Err(error),
                },
            }
        }
        Err(ClusterError::Overtaken { what })
    }
}

#[derive(serde::Deserialize)]
struct Kind {
    #[serde(default)]
    kind: String,
}
