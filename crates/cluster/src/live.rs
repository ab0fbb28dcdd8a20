//! Owns reads on demand: live objects for a diff, children for a tree, events. What they read is given to the caller and not kept.
//! Must not be called by the loop: what the loop needs is in the index.

use plumb_manifest::{Gvk, ObjectKey};
use plumb_plan::{Health, health};
use serde::Deserialize;
use serde_json::Value;

use crate::Acting;
use crate::error::{Class, ClusterError, classify};
use crate::resource::segment;
use crate::wire::Call;

/// Items read at once.
const PAGE: usize = 250;
/// How deep a tree of owners goes.
const MAX_TREE_DEPTH: usize = 6;
/// Objects read at once for a diff.
const READS: usize = 16;
/// The kinds that are looked through for children, beside custom resources' own.
const CHILD_KINDS: [(&str, &str); 7] = [
    ("apps/v1", "ReplicaSet"),
    ("v1", "Pod"),
    ("batch/v1", "Job"),
    ("apps/v1", "ControllerRevision"),
    ("v1", "PersistentVolumeClaim"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
];

/// An object that another one owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// What.
    pub key: ObjectKey,
    /// Its UID.
    pub uid: String,
    /// The UID of its owner.
    pub owner: String,
    /// How it does.
    pub health: Health,
}

/// Something that the cluster reported about an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectEvent {
    /// When it last happened, as the server writes times.
    pub last_seen: String,
    /// `Normal` or `Warning`.
    pub kind: String,
    /// The machine's word.
    pub reason: String,
    /// For people.
    pub message: String,
    /// How often.
    pub count: u64,
    /// Who reported it.
    pub source: String,
}

#[derive(Deserialize)]
struct List<T> {
    #[serde(default)]
    metadata: Meta,
    #[serde(default = "Vec::new")]
    items: Vec<T>,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default, rename = "continue")]
    next: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventBody {
    last_timestamp: Option<String>,
    event_time: Option<String>,
    first_timestamp: Option<String>,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
    count: Option<u64>,
    #[serde(default)]
    reporting_component: String,
    #[serde(default)]
    source: Source,
}

#[derive(Default, Deserialize)]
struct Source {
    #[serde(default)]
    component: String,
}

impl Acting {
    /// Reads objects as they are, managedFields included, in the order asked for; none where there is none.
    pub async fn live(&self, keys: &[(ObjectKey, String)]) -> Vec<Result<Option<Value>, ClusterError>> {
        use futures::StreamExt;
        // Owned, because a stream of borrowing futures is not `Send` for every lifetime.
        let reads = keys.iter().cloned().map(|(key, version)| async move {
            let gvk = Gvk { group: key.group.clone(), version: version.as_str().into(), kind: key.kind.clone() };
            let resource = self.cluster.resource(&gvk).await?;
            self.read_object(&resource, &key).await
        });
        futures::stream::iter(reads).buffered(READS).collect().await
    }

    /// Returns the objects that some objects of a namespace own, and those that these own, parents before children.
    pub async fn children(&self, namespace: &str, owners: &[String]) -> Result<Vec<Child>, ClusterError> {
        let mut all = Vec::new();
        for (version, kind) in CHILD_KINDS {
            let gvk = Gvk::new(version, kind);
            let resource = match self.cluster.resource(&gvk).await {
                Ok(resource) => resource,
                Err(ClusterError::UnknownKind(_)) => continue,
                Err(error) => return Err(error),
            };
            let what = format!("the {kind}s of {namespace}");
            let listed = self
                .pages(&format!("{}?", resource.collection(Some(namespace))), &what, |item: Value| {
                    let text = |pointer: &str| item.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
                    let owner = item.pointer("/metadata/ownerReferences/0/uid").and_then(Value::as_str).map(str::to_owned);
                    let Some(owner) = owner else { return };
                    let mut whole = item.clone();
                    whole["apiVersion"] = version.into();
                    whole["kind"] = kind.into();
                    let key = resource.key(Some(namespace), &text("/metadata/name"));
                    all.push(Child { key, uid: text("/metadata/uid"), owner, health: health(&whole) });
                })
                .await;
            match listed {
                Err(error) if classify(&error) == Class::Denied => {}
                other => other?,
            }
        }
        Ok(descendants(all, owners))
    }

    /// Returns what the cluster reported about an object, oldest first.
    pub async fn events(&self, key: &ObjectKey, uid: &str) -> Result<Vec<ObjectEvent>, ClusterError> {
        let namespace = key.namespace.as_deref().unwrap_or("default");
        let selector = segment(&format!("involvedObject.uid={uid}"));
        let path = format!("/api/v1/namespaces/{}/events?fieldSelector={selector}&", segment(namespace));
        let mut events = Vec::new();
        self.pages(&path, &format!("the events of {key}"), |event: EventBody| {
            let last_seen = event.last_timestamp.or(event.event_time).or(event.first_timestamp).unwrap_or_default();
            let source = if event.source.component.is_empty() { event.reporting_component } else { event.source.component };
            let count = event.count.unwrap_or(1).max(1);
            events.push(ObjectEvent { last_seen, kind: event.kind, reason: event.reason, message: event.message, count, source });
        })
        .await?;
        events.sort_by(|one, other| one.last_seen.cmp(&other.last_seen));
        Ok(events)
    }

    /// Hands each item of a list to `each`, page by page.
    pub(crate) async fn pages<T: serde::de::DeserializeOwned>(
        &self,
        base: &str,
        what: &str,
        mut each: impl FnMut(T),
    ) -> Result<(), ClusterError> {
        let mut next = String::new();
        loop {
            let path = format!("{base}limit={PAGE}&continue={}", segment(&next));
            let body = self.cluster.wire().fetch(&Call::get(path, what, &self.act_as)).await?;
            let list: List<T> = serde_json::from_slice(&body)
                .map_err(|error| ClusterError::Unreadable { what: what.to_owned(), reason: error.to_string() })?;
            list.items.into_iter().for_each(&mut each);
            next = list.metadata.next;
            if next.is_empty() {
                return Ok(());
            }
        }
    }
}

fn descendants(mut all: Vec<Child>, owners: &[String]) -> Vec<Child> {
    all.sort_by(|one, other| one.key.cmp(&other.key));
    let mut found: Vec<Child> = Vec::new();
    let mut parents = owners.to_vec();
    for _ in 0..MAX_TREE_DEPTH {
        let (next, rest): (Vec<Child>, Vec<Child>) = all.into_iter().partition(|child| parents.contains(&child.owner));
        all = rest;
        if next.is_empty() {
            break;
        }
        parents = next.iter().map(|child| child.uid.clone()).collect();
        found.extend(next);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_plan::HealthStatus;

    #[test]
    fn a_tree_is_bounded_and_ignores_strangers() {
        let child = |name: &str, uid: usize, owner: usize| Child {
            key: ObjectKey::new("", "Pod", Some("a"), name),
            uid: uid.to_string(),
            owner: owner.to_string(),
            health: Health { status: HealthStatus::Healthy, message: String::new() },
        };
        let chain: Vec<Child> = (0..20).map(|at| child(&format!("{at:02}"), at + 1, at)).chain([child("x", 99, 98)]).collect();
        let found = descendants(chain, &["0".to_owned()]);
        assert_eq!(found.len(), MAX_TREE_DEPTH);
        assert_eq!((&*found[0].key.name, &*found[1].key.name), ("00", "01"));
    }
}
