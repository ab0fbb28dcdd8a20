//! Owns what managedFields say of who manages an object, and how the entries of tools that left become ours.
//! Must not be asked what changed; that is the settled values' part.

use serde_json::{Map, Value, json};

/// One entry of managedFields, borrowed from an object.
pub(crate) struct Entry<'a> {
    pub(crate) manager: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) version: &'a str,
    pub(crate) subresource: &'a str,
    pub(crate) time: &'a str,
    pub(crate) fields: Option<&'a Value>,
    whole: &'a Value,
}

pub(crate) fn entries(live: &Value) -> impl Iterator<Item = Entry<'_>> {
    let list = live.pointer("/metadata/managedFields").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    list.iter().map(|whole| {
        let text = |name: &str| whole.get(name).and_then(Value::as_str).unwrap_or_default();
        Entry {
            manager: text("manager"),
            operation: text("operation"),
            version: text("apiVersion"),
            subresource: text("subresource"),
            time: text("time"),
            fields: whole.get("fieldsV1"),
            whole,
        }
    })
}

/// Returns our own entry: what we applied and nobody has changed since.
pub(crate) fn own<'a>(live: &'a Value, manager: &str) -> Option<Entry<'a>> {
    entries(live).find(|entry| entry.manager == manager && entry.operation == "Apply" && entry.subresource.is_empty())
}

/// The name under which the server puts what an object had before its first server-side apply, if nobody managed it.
pub(crate) const BEFORE: &str = "before-first-apply";

/// Returns whether a manager is a tool that changes an object once and leaves: what it set goes with the object to whoever adopts it.
pub(crate) fn leaves(manager: &str) -> bool {
    manager == BEFORE || manager == "helm" || manager == "kubectl" || manager.starts_with("kubectl-")
}

/// GitOps controllers that go on applying: who takes their objects fights with them.
const CONTROLLERS: [&str; 6] =
    ["argocd-controller", "argocd-application-controller", "kustomize-controller", "helm-controller", "flux", "fleetagent"];

/// Returns whether a manager is a GitOps controller, another unit of this kind of installation among them.
pub(crate) fn controls(manager: &str) -> bool {
    manager.starts_with("plumb/") || CONTROLLERS.contains(&manager)
}

/// Returns whether who adopts an object takes a manager's place: what it set and the manifests do not name goes.
pub fn gives_way(manager: &str) -> bool {
    leaves(manager) || controls(manager)
}

/// Returns who else manages an object so that taking it needs somebody's consent, each named once.
pub(crate) fn owners(live: &Value, own: &str) -> Vec<String> {
    let mut owners: Vec<String> = entries(live)
        .filter(|entry| entry.manager != own && entry.subresource.is_empty() && gives_way(entry.manager))
        .map(|entry| entry.manager.to_owned())
        .collect();
    owners.sort();
    owners.dedup();
    owners
}

/// Returns the managedFields in which the entries of `taken` managers are merged into ours, so that an apply removes what they set and the
/// manifest does not; none when there is nothing to merge.
///
/// As client-go's csaupgrade does it: entries of subresources stay, and only fields of our entry's API version are merged (there is no
/// converting them); entries at other versions are dropped.
pub(crate) fn merged(live: &Value, own_manager: &str, version: &str, taken: impl Fn(&str) -> bool) -> Option<Value> {
    let is_taken = |entry: &Entry<'_>| entry.subresource.is_empty() && entry.manager != own_manager && taken(entry.manager);
    let mut fields = own(live, own_manager).filter(|entry| entry.version == version).and_then(|entry| entry.fields.cloned());
    let mut time = own(live, own_manager).map(|entry| entry.time.to_owned());
    let mut any = false;
    for entry in entries(live).filter(is_taken) {
        any = true;
        let Some(more) = entry.fields.filter(|_| entry.version == version) else { continue };
        let all = fields.get_or_insert_with(|| Value::Object(Map::new()));
        unite(all, more);
        time = time.max(Some(entry.time.to_owned()));
    }
    if !any {
        return None;
    }
    let is_own = |entry: &Entry<'_>| entry.manager == own_manager && entry.operation == "Apply" && entry.subresource.is_empty();
    let mut list: Vec<Value> =
        entries(live).filter(|entry| !(is_taken(entry) || is_own(entry) && fields.is_some())).map(|entry| entry.whole.clone()).collect();
    if let Some(fields) = fields {
        let mut entry =
            json!({"manager": own_manager, "operation": "Apply", "apiVersion": version, "fieldsType": "FieldsV1", "fieldsV1": fields});
        if let Some(time) = time.filter(|time| !time.is_empty()) {
            entry["time"] = time.into();
        }
        list.push(entry);
    }
    Some(list_or_reset(list))
}

/// Returns the managedFields without our entry.
pub(crate) fn without(live: &Value, own_manager: &str) -> Value {
    list_or_reset(entries(live).filter(|entry| entry.manager != own_manager).map(|entry| entry.whole.clone()).collect())
}

/// The API server ignores an empty list and takes one empty entry for it.
fn list_or_reset(list: Vec<Value>) -> Value {
    if list.is_empty() { json!([{}]) } else { Value::Array(list) }
}

/// Adds one set of fields to another. Both are trees of `f:`, `k:`, `v:` and `.` keys, so a union is a deep merge.
fn unite(all: &mut Value, more: &Value) {
    let (Value::Object(all), Value::Object(more)) = (all, more) else { return };
    for (key, value) in more {
        match all.get_mut(key) {
            Some(known) => unite(known, value),
            None => {
                all.insert(key.clone(), value.clone());
            }
        }
    }
}

/// Returns the manager that a conflict names: `conflict with "kubectl-client-side-apply" using apps/v1`.
pub(crate) fn conflicting(message: &str) -> Option<&str> {
    message.split('"').nth(1).filter(|manager| !manager.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(entries: Value) -> Value {
        json!({"metadata": {"managedFields": entries}})
    }

    fn entry(manager: &str, operation: &str, version: &str, fields: Value) -> Value {
        json!({"manager": manager, "operation": operation, "apiVersion": version, "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    #[test]
    fn merges_the_entries_of_tools_that_left() {
        let mut scale = entry("kubectl", "Update", "apps/v1", json!({"f:spec": {"f:replicas": {}}}));
        scale["subresource"] = "scale".into();
        let live = object(json!([
            entry("plumb/1", "Apply", "apps/v1", json!({"f:spec": {"f:a": {}}})),
            entry("kubectl-client-side-apply", "Update", "apps/v1", json!({"f:spec": {"f:b": {}, "f:a": {"f:deep": {}}}})),
            entry("helm", "Update", "apps/v1beta1", json!({"f:spec": {"f:old": {}}})),
            scale,
            entry("kube-controller-manager", "Update", "apps/v1", json!({"f:status": {}})),
        ]));
        let merged = merged(&live, "plumb/1", "apps/v1", leaves).expect("merged");
        let managers: Vec<&str> = merged.as_array().expect("list").iter().filter_map(|entry| entry["manager"].as_str()).collect();
        assert_eq!(managers, ["kubectl", "kube-controller-manager", "plumb/1"]);
        assert_eq!(merged[2]["fieldsV1"], json!({"f:spec": {"f:a": {"f:deep": {}}, "f:b": {}}}));
    }

    #[test]
    fn takes_over_where_we_have_no_entry_yet() {
        let live = object(json!([entry("before-first-apply", "Update", "v1", json!({"f:data": {"f:x": {}}}))]));
        let list = merged(&live, "plumb/1", "v1", leaves).expect("merged");
        assert_eq!((list[0]["manager"].as_str(), list[0]["operation"].as_str()), (Some("plumb/1"), Some("Apply")));
        let old = object(json!([entry("helm", "Update", "v1beta1", json!({"f:data": {}}))]));
        assert_eq!(merged(&old, "plumb/1", "v1", leaves), Some(json!([{}])));
    }

    #[test]
    fn leaves_alone_where_nobody_left() {
        let live = object(json!([entry("plumb/1", "Apply", "v1", json!({})), entry("kubelet", "Update", "v1", json!({}))]));
        assert!(merged(&live, "plumb/1", "v1", leaves).is_none());
        assert!(owners(&live, "plumb/1").is_empty());
        assert_eq!(without(&object(json!([entry("plumb/1", "Apply", "v1", json!({}))])), "plumb/1"), json!([{}]));
        assert!(merged(&json!({"metadata": 3}), "plumb/1", "v1", leaves).is_none());
    }

    #[test]
    fn names_owners() {
        let live = object(json!([
            entry("kubectl-create", "Update", "v1", json!({})),
            entry("plumb/2", "Apply", "v1", json!({})),
            entry("argocd-controller", "Apply", "v1", json!({})),
            entry("kubectl-create", "Update", "v1", json!({})),
        ]));
        assert_eq!(owners(&live, "plumb/1"), ["argocd-controller", "kubectl-create", "plumb/2"]);
        assert_eq!(conflicting("conflict with \"kubectl-client-side-apply\" using apps/v1"), Some("kubectl-client-side-apply"));
        assert_eq!(conflicting("odd"), None);
    }
}
