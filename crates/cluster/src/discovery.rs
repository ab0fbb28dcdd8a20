//! Owns which kinds a cluster serves: read at once in aggregated form, again when a kind is unknown, learned from CRDs as they are established.
//! Must not keep more of a kind than its address.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use plumb_manifest::Gvk;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::ClusterError;
use crate::locked;
use crate::resource::{Resource, segment};
use crate::wire::{ActAs, Call, Wire};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
     application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// How long an unknown kind stays unknown before the server is asked again.
const UNKNOWN_FOR: Duration = Duration::from_secs(2);

type Kinds = BTreeMap<(Arc<str>, Arc<str>), Vec<Resource>>;

/// The kinds of one cluster.
#[derive(Default)]
pub(crate) struct Discovery {
    table: Mutex<Table>,
    /// Told whenever a kind may be known that was not before.
    more: watch::Sender<()>,
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Table {
    kinds: Kinds,
    /// Learned from CRDs, kept over a reread: the server's own table lags behind what it serves.
    learned: Kinds,
    read_at: Option<Instant>,
    /// Groups whose server did not answer: what they serve is not known, which is not the same as nothing.
    stale: Vec<Arc<str>>,
}

impl Discovery {
    /// Returns the kind as the table has it.
    pub(crate) fn known(&self, gvk: &Gvk) -> Option<Resource> {
        let table = locked(&self.table);
        find(&table.kinds, gvk).or_else(|| find(&table.learned, gvk)).cloned()
    }

    /// Waits until the kind is in the table. Asks nobody: whoever needs a kind does.
    pub(crate) async fn wait_for(&self, gvk: &Gvk) {
        let mut more = self.more.subscribe();
        while self.known(gvk).is_none() {
            if more.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Returns the kind at the version that the server prefers.
    pub(crate) fn preferred(&self, group: &str, kind: &str) -> Option<Resource> {
        let table = locked(&self.table);
        let key = (Arc::from(group), Arc::from(kind));
        table.kinds.get(&key).or_else(|| table.learned.get(&key)).and_then(|versions| versions.first()).cloned()
    }

    /// Returns all kinds, each at its preferred version.
    pub(crate) fn all(&self) -> Vec<Resource> {
        let table = locked(&self.table);
        table.kinds.values().chain(table.learned.values()).filter_map(|versions| versions.first()).cloned().collect()
    }

    /// Returns all kinds at all their versions, read anew when they were not within so long. What was learned since is among them. Second, the
    /// groups whose server does not answer: what they serve is not known.
    pub(crate) async fn versions(&self, wire: &Wire, within: Duration) -> Result<(Vec<Gvk>, Vec<Arc<str>>), ClusterError> {
        let _asking = self.asking.lock().await;
        if locked(&self.table).read_at.is_none_or(|at| at.elapsed() > within) {
            self.reread(wire).await?;
        }
        let table = locked(&self.table);
        let all = table.kinds.values().chain(table.learned.values()).flatten();
        Ok((all.map(|resource| resource.gvk.clone()).collect(), table.stale.clone()))
    }

    /// Returns the kind, asking the server when it is not in the table.
    pub(crate) async fn resolve(&self, wire: &Wire, gvk: &Gvk) -> Result<Resource, ClusterError> {
        if let Some(resource) = self.known(gvk) {
            return Ok(resource);
        }
        let asked_at = Instant::now();
        let _asking = self.asking.lock().await;
        let fresh = |table: &Table| table.read_at.is_some_and(|at| at >= asked_at || at.elapsed() < UNKNOWN_FOR);
        if !fresh(&locked(&self.table)) {
            self.reread(wire).await?;
        }
        if let Some(resource) = self.known(gvk) {
            return Ok(resource);
        }
        if locked(&self.table).stale.contains(&gvk.group) {
            let reason = format!("the server behind API group `{}` does not answer, so it is not known whether it serves {gvk}", gvk.group);
            return Err(wire.unreachable(reason));
        }
        Err(ClusterError::UnknownKind(gvk.clone()))
    }

    /// Reads the table from the server.
    pub(crate) async fn reread(&self, wire: &Wire) -> Result<(), ClusterError> {
        let own = ActAs::default();
        let mut kinds = Kinds::new();
        let mut stale = Vec::new();
        for path in ["/api", "/apis"] {
            let mut call = Call::get(path.to_owned(), "the kinds that the cluster serves", &own);
            call.accept = Some(AGGREGATED);
            let body = wire.fetch(&call).await?;
            if read_aggregated(&body, &mut kinds, &mut stale).is_none() {
                read_groups(wire, path, &body, &mut kinds, &mut stale).await?;
            }
        }
        let mut table = locked(&self.table);
        table.kinds = kinds;
        table.stale = stale;
        table.read_at = Some(Instant::now());
        drop(table);
        self.more.send_replace(());
        Ok(())
    }

    /// Learns the kinds that an established CustomResourceDefinition defines, and returns them.
    pub(crate) fn learn(&self, definition: &Value) -> Vec<Gvk> {
        let resources = defined(definition).unwrap_or_default();
        let kinds = resources.iter().map(|resource| resource.gvk.clone()).collect();
        let mut table = locked(&self.table);
        for resource in resources {
            let versions = table.learned.entry((resource.gvk.group.clone(), resource.gvk.kind.clone())).or_default();
            versions.retain(|known| known.gvk != resource.gvk);
            versions.push(resource);
        }
        drop(table);
        self.more.send_replace(());
        kinds
    }

    /// Forgets the kind of a CustomResourceDefinition that is gone, by the definition's name: `plural.group`.
    pub(crate) fn unlearn(&self, definition: &str) {
        let Some((plural, group)) = definition.split_once('.') else { return };
        let is_other = |versions: &mut Vec<Resource>| !versions.iter().any(|known| &*known.plural == plural && &*known.gvk.group == group);
        let mut table = locked(&self.table);
        table.learned.retain(|_, versions| is_other(versions));
        table.kinds.retain(|_, versions| is_other(versions));
    }
}

fn find<'a>(kinds: &'a Kinds, gvk: &Gvk) -> Option<&'a Resource> {
    kinds.get(&(gvk.group.clone(), gvk.kind.clone()))?.iter().find(|resource| resource.gvk.version == gvk.version)
}

fn add(kinds: &mut Kinds, resource: Resource) {
    kinds.entry((resource.gvk.group.clone(), resource.gvk.kind.clone())).or_default().push(resource);
}

/// Returns the kinds that a CustomResourceDefinition serves, the storage version first.
pub(crate) fn defined(definition: &Value) -> Option<Vec<Resource>> {
    let spec = definition.get("spec")?;
    let group: Arc<str> = spec.get("group")?.as_str()?.into();
    let kind: Arc<str> = spec.pointer("/names/kind")?.as_str()?.into();
    let plural: Arc<str> = spec.pointer("/names/plural")?.as_str()?.into();
    let namespaced = spec.get("scope")?.as_str()? == "Namespaced";
    let flag = |version: &Value, name: &str| version.get(name).and_then(Value::as_bool).unwrap_or(false);
    let mut versions: Vec<&Value> = spec.get("versions")?.as_array()?.iter().filter(|version| flag(version, "served")).collect();
    versions.sort_by_key(|version| !flag(version, "storage"));
    Some(
        versions
            .into_iter()
            .filter_map(|version| version.get("name")?.as_str())
            .map(|version| Resource {
                gvk: Gvk { group: group.clone(), version: version.into(), kind: kind.clone() },
                plural: plural.clone(),
                namespaced,
            })
            .collect(),
    )
}

#[derive(Deserialize)]
struct GroupList {
    kind: String,
    #[serde(default)]
    items: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    metadata: GroupName,
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Default, Deserialize)]
struct GroupName {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    version: String,
    #[serde(default)]
    freshness: String,
    #[serde(default)]
    resources: Vec<Served>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Served {
    resource: String,
    response_kind: Option<Kind>,
    #[serde(default)]
    scope: String,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    group: String,
    #[serde(default)]
    version: String,
    kind: String,
}

/// Reads an `APIGroupDiscoveryList`; none if the answer is the older, unaggregated form.
fn read_aggregated(body: &Bytes, kinds: &mut Kinds, stale: &mut Vec<Arc<str>>) -> Option<()> {
    let list: GroupList = serde_json::from_slice(body).ok().filter(|list: &GroupList| list.kind == "APIGroupDiscoveryList")?;
    for group in list.items {
        let name: Arc<str> = group.metadata.name.as_str().into();
        for version in group.versions {
            if version.freshness == "Stale" {
                stale.push(name.clone());
            }
            let at: Arc<str> = version.version.as_str().into();
            for served in version.resources {
                let Some(kind) = served.response_kind else { continue };
                let own = |given: &str, own: &Arc<str>| if given.is_empty() { own.clone() } else { given.into() };
                let gvk = Gvk { group: own(&kind.group, &name), version: own(&kind.version, &at), kind: kind.kind.as_str().into() };
                add(kinds, Resource { gvk, plural: served.resource.as_str().into(), namespaced: served.scope == "Namespaced" });
            }
        }
    }
    Some(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OldGroups {
    #[serde(default)]
    versions: Vec<String>,
    #[serde(default)]
    groups: Vec<OldGroup>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OldGroup {
    name: String,
    #[serde(default)]
    versions: Vec<OldVersion>,
    preferred_version: Option<OldVersion>,
}

#[derive(Deserialize, PartialEq)]
struct OldVersion {
    version: String,
}

#[derive(Deserialize)]
struct OldResources {
    #[serde(default)]
    resources: Vec<OldResource>,
}

#[derive(Deserialize)]
struct OldResource {
    name: String,
    kind: String,
    #[serde(default)]
    namespaced: bool,
}

/// Reads a server's groups one by one, for those before Kubernetes 1.27.
async fn read_groups(wire: &Wire, path: &str, body: &Bytes, kinds: &mut Kinds, stale: &mut Vec<Arc<str>>) -> Result<(), ClusterError> {
    let what = "the API groups of the cluster";
    let groups: OldGroups =
        serde_json::from_slice(body).map_err(|error| ClusterError::Unreadable { what: what.to_owned(), reason: error.to_string() })?;
    let mut wanted: Vec<(String, String)> = groups.versions.into_iter().map(|version| (String::new(), version)).collect();
    for mut group in groups.groups {
        group.versions.sort_by_key(|version| Some(version) != group.preferred_version.as_ref());
        wanted.extend(group.versions.into_iter().map(|version| (group.name.clone(), version.version)));
    }
    let own = ActAs::default();
    for (group, version) in wanted {
        let at = if group.is_empty() {
            format!("{path}/{}", segment(&version))
        } else {
            format!("{path}/{}/{}", segment(&group), segment(&version))
        };
        match wire.fetch(&Call::get(at, what, &own)).await {
            Ok(body) => {
                let list: OldResources = serde_json::from_slice(&body)
                    .map_err(|error| ClusterError::Unreadable { what: what.to_owned(), reason: error.to_string() })?;
                for served in list.resources.into_iter().filter(|served| !served.name.contains('/')) {
                    let gvk = Gvk { group: group.as_str().into(), version: version.as_str().into(), kind: served.kind.as_str().into() };
                    add(kinds, Resource { gvk, plural: served.name.as_str().into(), namespaced: served.namespaced });
                }
            }
            Err(ClusterError::Api(_)) => stale.push(group.as_str().into()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_the_aggregated_form() {
        let body = json!({"kind": "APIGroupDiscoveryList", "items": [
            {"metadata": {"name": "apps"}, "versions": [{"version": "v1", "resources": [
                {"resource": "deployments", "scope": "Namespaced", "responseKind": {"group": "apps", "version": "v1", "kind": "Deployment"}},
                {"resource": "odd", "scope": "Cluster", "responseKind": {"group": "", "version": "", "kind": "Odd"}},
                {"resource": "none", "scope": "Cluster"}]}]},
            {"metadata": {"name": "metrics.k8s.io"}, "versions": [{"version": "v1beta1", "freshness": "Stale"}]},
        ]});
        let (mut kinds, mut stale) = (Kinds::new(), Vec::new());
        read_aggregated(&Bytes::from(body.to_string()), &mut kinds, &mut stale).expect("aggregated");
        let found = find(&kinds, &Gvk::new("apps/v1", "Deployment")).expect("deployment");
        assert_eq!((&*found.plural, found.namespaced), ("deployments", true));
        assert!(!find(&kinds, &Gvk::new("apps/v1", "Odd")).expect("odd").namespaced);
        assert_eq!(stale, [Arc::from("metrics.k8s.io")]);
        assert!(read_aggregated(&Bytes::from_static(br#"{"kind":"APIVersions"}"#), &mut kinds, &mut stale).is_none());
    }

    #[test]
    fn learns_definitions() {
        let discovery = Discovery::default();
        discovery.learn(
            &json!({"spec": {"group": "x.io", "scope": "Cluster", "names": {"kind": "Thing", "plural": "things"}, "versions": [
            {"name": "v1alpha1", "served": true, "storage": false}, {"name": "v1", "served": true, "storage": true},
            {"name": "v0", "served": false, "storage": false}]}}),
        );
        assert_eq!(discovery.preferred("x.io", "Thing").expect("thing").gvk, Gvk::new("x.io/v1", "Thing"));
        assert!(discovery.known(&Gvk::new("x.io/v0", "Thing")).is_none());
        discovery.unlearn("things.x.io");
        assert!(discovery.preferred("x.io", "Thing").is_none());
        discovery.learn(&json!({"spec": 3}));
    }
}
