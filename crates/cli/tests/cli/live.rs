//! Owns what is in the cluster: one look at everything that tests create, and the check that it is exactly what Git says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::world::{Site, World};

/// The kinds that tests create, and the paths of their lists in a namespace.
pub(crate) const KINDS: [(&str, &str); 7] = [
    ("configmaps", "/api/v1"),
    ("secrets", "/api/v1"),
    ("services", "/api/v1"),
    ("serviceaccounts", "/api/v1"),
    ("deployments.apps", "/apis/apps/v1"),
    ("roles.rbac.authorization.k8s.io", "/apis/rbac.authorization.k8s.io/v1"),
    ("rolebindings.rbac.authorization.k8s.io", "/apis/rbac.authorization.k8s.io/v1"),
];
/// What every namespace has.
const EVERYWHERE: [&str; 2] = ["ConfigMap/kube-root-ca.crt", "ServiceAccount/default"];

type Objects = BTreeMap<String, Value>;

/// What was in the cluster at one moment, by namespace and `Kind/name`.
pub(crate) struct Live(BTreeMap<String, Objects>);

impl World {
    /// Looks at everything.
    pub(crate) fn live(&self) -> Live {
        let kinds = KINDS.map(|(kind, _)| kind).join(",");
        let list = self.plane.json(&["get", &kinds, "--all-namespaces", "--show-managed-fields"]).unwrap();
        let mut live = Live(BTreeMap::new());
        for item in list["items"].as_array().unwrap() {
            let namespace = item["metadata"]["namespace"].as_str().unwrap();
            let name = name(item);
            if !EVERYWHERE.contains(&name.as_str()) {
                live.0.entry(namespace.to_owned()).or_default().insert(name, item.clone());
            }
        }
        live
    }

    /// Fails unless what is live in a site is what a unit's folder says, no more and no less, and its record says so too.
    pub(crate) fn assert_is_git(&self, site: &Site, unit: &str, live: &Live, case: &str) {
        let wanted = self.rendered(site, unit);
        let objects = live.of(site);
        let names: BTreeSet<String> = wanted.iter().map(|item| name(&item["object"])).collect();
        assert_eq!(objects.keys().cloned().collect::<BTreeSet<_>>(), names, "{case}: what is live, and what Git says");
        let record = live.record(site, unit).unwrap_or_else(|| panic!("{case}: there is no record"));
        let recorded: BTreeMap<String, &Value> = record.as_array().unwrap().iter().map(|item| (recorded_name(item), item)).collect();
        assert_eq!(recorded.keys().cloned().collect::<BTreeSet<_>>(), names, "{case}: what the record names, and what Git says");
        for item in &wanted {
            let name = name(&item["object"]);
            let object = &objects[&name];
            assert_eq!(object["metadata"]["annotations"]["plumb.dev/manifest"], item["digest"], "{case}: {name}");
            assert_eq!(object["metadata"]["labels"]["plumb.dev/unit"], site.hash(unit).as_str(), "{case}: {name}");
            assert_covers(object, &item["object"], &format!("{case}: {name}"));
            assert_eq!(recorded[&name][6], item["digest"], "{case}: the record of {name}");
            let uid = &recorded[&name][5];
            assert!(uid.is_null() || *uid == object["metadata"]["uid"], "{case}: the UID in the record of {name}");
        }
    }

    /// Fails unless nothing of a unit is left, its record included.
    pub(crate) fn is_gone(&self, site: &Site, unit: &str, live: &Live) -> bool {
        live.of(site).is_empty() && live.record(site, unit).is_none()
    }
}

impl Live {
    /// Returns the objects in a site's namespace.
    pub(crate) fn of(&self, site: &Site) -> Objects {
        self.0.get(&site.namespace).cloned().unwrap_or_default()
    }

    /// Returns the UIDs of a site's objects.
    pub(crate) fn uids(&self, site: &Site) -> BTreeMap<String, String> {
        self.of(site).into_iter().map(|(name, object)| (name, object["metadata"]["uid"].as_str().unwrap().to_owned())).collect()
    }

    /// Returns the items of a unit's record; none when there is no record. It has one part.
    fn record(&self, site: &Site, unit: &str) -> Option<Value> {
        let system = self.0.get("plumb-system")?;
        let name = format!("ConfigMap/plumb-{}-{}", site.installation, site.hash(unit));
        let parts: Vec<_> = system.keys().filter(|found| found.starts_with(&name) && **found != name).collect();
        assert!(parts.is_empty(), "parts that belong to no record: {parts:?}");
        let map = system.get(&name)?;
        let record: Value = serde_json::from_str(map["data"]["record"].as_str().unwrap()).unwrap();
        Some(record["items"].clone())
    }
}

/// Fails unless all objects that are in both looks, and in `names`, are the same objects.
pub(crate) fn assert_same(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>, case: &str) {
    for (name, uid) in before {
        if let Some(now) = after.get(name) {
            assert_eq!(now, uid, "{case}: {name} was made anew");
        }
    }
}

fn name(object: &Value) -> String {
    format!("{}/{}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
}

fn recorded_name(item: &Value) -> String {
    format!("{}/{}", item[1].as_str().unwrap(), item[3].as_str().unwrap())
}

/// Fails unless every leaf of one value is in the other.
fn assert_covers(live: &Value, wanted: &Value, place: &str) {
    match wanted {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| assert_covers(&live[key], value, &format!("{place}.{key}"))),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, item)| assert_covers(&live[at], item, &format!("{place}[{at}]"))),
        leaf => assert_eq!(live, leaf, "{place}"),
    }
}
