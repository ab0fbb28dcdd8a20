//! Owns what the API says of a kind: its plural, its scope, and how its lists and maps are keyed. A table recorded from a real API server,
//! with the CRDs of a set laid over it. Must not talk to a cluster, and must not validate.
//!
//! Lists merge in three ways: item by item under some keys, as a set, or as a whole (atomic), which is also what an unknown list is.
//!
//! ```
//! use plumb_manifest::{FieldPath, Gvk, Segment};
//! use plumb_schema::{ListKind, Schema, Scope};
//!
//! let schema = Schema::builtin();
//! let service = Gvk::new("v1", "Service");
//! assert_eq!(schema.scope(&service), Some(Scope::Namespaced));
//! assert_eq!(schema.plural(&service), Some("services"));
//! let ports = FieldPath(vec![Segment::Key("spec".into()), Segment::Key("ports".into())]);
//! let ListKind::Map(keys) = schema.list_kind(&service, &ports) else { panic!("ports merge by key") };
//! assert_eq!(keys.iter().map(|key| &*key.name).collect::<Vec<_>>(), ["port", "protocol"]);
//! ```

pub mod kustomize;
mod learn;
mod record;
mod table;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

pub use plumb_manifest::Scope;
use plumb_manifest::{FieldPath, Gvk, Segment};
use serde_json::Value;

pub use record::{RecordError, record};
use table::{Shape, Table, TypeId};

/// A field that tells the items of a list apart.
#[derive(Clone, Debug, PartialEq)]
pub struct ListKey {
    /// The field's name.
    pub name: Arc<str>,
    /// Its value in an item that does not have it.
    pub default: Option<Value>,
}

/// How a list merges.
#[derive(Clone, Debug, PartialEq)]
pub enum ListKind {
    /// Item by item, told apart by these fields.
    Map(Vec<ListKey>),
    /// Value by value.
    Set,
    /// As a whole.
    Atomic,
}

/// What is known of kinds. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Schema {
    base: Arc<Table>,
    learned: BTreeMap<Gvk, Learned>,
}

#[derive(Clone, Debug)]
struct Learned {
    plural: Arc<str>,
    scope: Scope,
    shape: Option<(Arc<Table>, TypeId)>,
}

static BUILTIN: OnceLock<Arc<Table>> = OnceLock::new();

impl Schema {
    /// Returns what the recorded API server knows without any CRD.
    pub fn builtin() -> Self {
        let base = BUILTIN.get_or_init(|| Arc::new(Table::parse(include_str!("../data/kinds.txt")).unwrap_or_default()));
        Self { base: base.clone(), learned: BTreeMap::new() }
    }

    /// Returns this schema with what a CustomResourceDefinition manifest says laid over it; see [`Self::add_crd`].
    #[must_use]
    pub fn with_crd(mut self, crd: &Value) -> Self {
        self.add_crd(crd);
        self
    }

    /// Learns every version of a CustomResourceDefinition manifest. Returns false, and learns nothing, when names or scope are missing.
    pub fn add_crd(&mut self, crd: &Value) -> bool {
        learn::crd(self, crd).is_some()
    }

    /// Learns a kind from discovery: its lists stay unknown unless a CRD told of them.
    pub fn add_kind(&mut self, gvk: Gvk, plural: &str, scope: Scope) {
        if self.base.kind(&gvk).is_some() {
            return;
        }
        let shape = self.learned.get(&gvk).and_then(|known| known.shape.clone());
        self.learned.insert(gvk, Learned { plural: plural.into(), scope, shape });
    }

    /// Returns whether objects of the kind live in namespaces. A version that is not known goes by the others of its group.
    pub fn scope(&self, gvk: &Gvk) -> Option<Scope> {
        self.names(gvk).map(|(_, scope)| scope)
    }

    /// Returns the kind's name in URLs. A version that is not known goes by the others of its group.
    pub fn plural(&self, gvk: &Gvk) -> Option<&str> {
        self.names(gvk).map(|(plural, _)| plural)
    }

    /// Returns whether the recorded API server itself serves the group and kind: if not, it is a custom resource.
    pub fn is_builtin(&self, group: &str, kind: &str) -> bool {
        self.base.kinds_of(group, kind).next().is_some()
    }

    /// Returns how the list at a path merges. What is not known, and what is not a list, is atomic.
    pub fn list_kind(&self, gvk: &Gvk, path: &FieldPath) -> ListKind {
        let node = path.0.iter().fold(self.root(gvk), |node, segment| match segment {
            Segment::Key(key) => node.field(key),
            Segment::Index(_) | Segment::Item(_) | Segment::Member(_) => node.item(),
        });
        match node.list() {
            List::Map(keys) => ListKind::Map(keys.to_vec()),
            List::Set => ListKind::Set,
            List::Atomic => ListKind::Atomic,
        }
    }

    /// Returns the kind's root, to walk down beside an object.
    pub fn root(&self, gvk: &Gvk) -> Node<'_> {
        match self.learned.get(gvk) {
            Some(kind) => Node { known: kind.shape.is_some(), at: kind.shape.as_ref().map(|(table, id)| (&**table, *id)) },
            None => {
                let kind = self.base.kind(gvk);
                Node { known: kind.is_some(), at: kind.and_then(|kind| kind.root).map(|id| (&*self.base, id)) }
            }
        }
    }

    fn names(&self, gvk: &Gvk) -> Option<(&str, Scope)> {
        if let Some(kind) = self.learned.get(gvk) {
            return Some((&kind.plural, kind.scope));
        }
        let base = self.base.kind(gvk).or_else(|| self.base.kinds_of(&gvk.group, &gvk.kind).next());
        let other = || self.learned.iter().find(|(known, _)| known.group == gvk.group && known.kind == gvk.kind);
        base.map(|kind| (&*kind.plural, kind.scope)).or_else(|| other().map(|(_, kind)| (&*kind.plural, kind.scope)))
    }
}

/// A place in a kind's schema; where nothing is known, all below is plain: maps merge by key, lists are atomic.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    known: bool,
    at: Option<(&'a Table, TypeId)>,
}

/// How the list at a [`Node`] merges.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum List<'a> {
    /// Item by item, told apart by these fields.
    Map(&'a [ListKey]),
    /// Value by value.
    Set,
    /// As a whole.
    Atomic,
}

impl<'a> Node<'a> {
    /// Returns the place about which nothing is known.
    pub fn unknown() -> Self {
        Self { known: false, at: None }
    }

    /// Returns whether the kind's schema is known: then a plain place is one that is known to be plain.
    pub fn is_known(self) -> bool {
        self.known
    }

    /// Returns the place of a map's value.
    pub fn field(self, name: &str) -> Self {
        let Some((table, Shape::Map { fields, rest })) = self.shape() else { return Self { at: None, ..self } };
        Self { at: fields.get(name).or(rest.as_ref()).map(|id| (table, *id)), ..self }
    }

    /// Returns the place of the items of a list.
    pub fn item(self) -> Self {
        let Some((table, Shape::Items { item, .. })) = self.shape() else { return Self { at: None, ..self } };
        Self { at: item.map(|id| (table, id)), ..self }
    }

    /// Returns how the list here merges.
    pub fn list(self) -> List<'a> {
        match self.shape() {
            Some((_, Shape::Items { keys, .. })) => List::Map(keys),
            Some((_, Shape::Set)) => List::Set,
            _ => List::Atomic,
        }
    }

    /// Returns whether the map here is replaced as a whole.
    pub fn atomic_map(self) -> bool {
        matches!(self.shape(), Some((_, Shape::AtomicMap)))
    }

    fn shape(self) -> Option<(&'a Table, &'a Shape)> {
        let (table, id) = self.at?;
        Some((table, table.shape(id)?))
    }
}

impl std::fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Node").field(&self.shape().map(|(_, shape)| shape)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn path(steps: &[&str]) -> FieldPath {
        let step = |step: &&str| match *step {
            "*" => Segment::Index(0),
            key => Segment::Key(key.to_owned()),
        };
        FieldPath(steps.iter().map(step).collect())
    }

    fn list(schema: &Schema, api_version: &str, kind: &str, steps: &[&str]) -> String {
        match schema.list_kind(&Gvk::new(api_version, kind), &path(steps)) {
            ListKind::Map(keys) => keys.iter().map(|key| key.name.to_string()).collect::<Vec<_>>().join(","),
            ListKind::Set => "set".to_owned(),
            ListKind::Atomic => "atomic".to_owned(),
        }
    }

    #[test]
    fn lists_merge_as_the_api_server_says() {
        let schema = Schema::builtin();
        for (api_version, kind, steps, expect) in [
            ("apps/v1", "Deployment", &["spec", "template", "spec", "containers"][..], "name"),
            ("apps/v1", "Deployment", &["spec", "template", "spec", "containers", "*", "ports"], "containerPort,protocol"),
            ("apps/v1", "Deployment", &["spec", "template", "spec", "containers", "*", "args"], "atomic"),
            ("apps/v1", "Deployment", &["spec", "template", "spec", "tolerations"], "atomic"),
            ("apps/v1", "Deployment", &["spec", "template", "spec", "imagePullSecrets"], "name"),
            ("batch/v1", "CronJob", &["spec", "jobTemplate", "spec", "template", "spec", "initContainers", "*", "env"], "name"),
            ("v1", "ConfigMap", &["metadata", "finalizers"], "set"),
            ("v1", "ConfigMap", &["metadata", "ownerReferences"], "uid"),
            ("v1", "Service", &["spec", "ports"], "port,protocol"),
            ("networking.k8s.io/v1", "Ingress", &["spec", "rules"], "atomic"),
            ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", &["webhooks"], "name"),
            ("v1", "ServiceAccount", &["secrets"], "name"),
            ("example.com/v1", "Unknown", &["spec", "containers"], "atomic"),
            ("apps/v1", "Deployment", &["no", "such", "*", "field"], "atomic"),
        ] {
            assert_eq!(list(&schema, api_version, kind, steps), expect, "{kind} {steps:?}");
        }
        let ListKind::Map(keys) = schema.list_kind(&Gvk::new("v1", "Service"), &path(&["spec", "ports"])) else { panic!("a map") };
        assert_eq!(keys[1].default, Some(json!("TCP")));
    }

    #[test]
    fn maps_that_are_replaced_as_a_whole_are_known() {
        let schema = Schema::builtin();
        let at = |api_version, kind, steps: &[&str]| {
            let root = schema.root(&Gvk::new(api_version, kind));
            steps.iter().fold(root, |node, step| if *step == "*" { node.item() } else { node.field(step) }).atomic_map()
        };
        assert!(at("apps/v1", "Deployment", &["spec", "selector"]));
        assert!(at("v1", "Service", &["spec", "selector"]));
        assert!(at("apps/v1", "Deployment", &["spec", "template", "spec", "containers", "*", "env", "*", "valueFrom", "secretKeyRef"]));
        assert!(!at("apps/v1", "Deployment", &["spec", "template"]));
        assert!(!at("v1", "ConfigMap", &["data"]));
    }

    #[test]
    fn scopes_and_plurals() {
        let schema = Schema::builtin();
        for (api_version, kind, scope, plural) in [
            ("v1", "Namespace", Some(Scope::Cluster), Some("namespaces")),
            ("v1", "Endpoints", Some(Scope::Namespaced), Some("endpoints")),
            ("networking.k8s.io/v1", "NetworkPolicy", Some(Scope::Namespaced), Some("networkpolicies")),
            ("rbac.authorization.k8s.io/v1", "ClusterRole", Some(Scope::Cluster), Some("clusterroles")),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition", Some(Scope::Cluster), Some("customresourcedefinitions")),
            // Versions that this server no longer serves go by those it does.
            ("policy/v1beta1", "PodDisruptionBudget", Some(Scope::Namespaced), Some("poddisruptionbudgets")),
            ("example.com/v1", "Namespace", None, None),
        ] {
            let gvk = Gvk::new(api_version, kind);
            assert_eq!((schema.scope(&gvk), schema.plural(&gvk)), (scope, plural), "{gvk}");
        }
        assert!(schema.is_builtin("apps", "Deployment") && !schema.is_builtin("", "Deployment"));
    }

    fn crd() -> Value {
        json!({"spec": {"group": "example.com", "scope": "Cluster", "names": {"kind": "Widget", "plural": "widgets"}, "versions": [
            {"name": "v1", "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {
                "parts": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["id", "size"],
                    "items": {"type": "object", "properties": {"id": {"type": "string"}, "size": {"type": "integer", "default": 3},
                        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}}}},
                "whole": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": {"type": "string"}}},
                "plain": {"type": "array", "items": {"type": "string"}}
            }}}}}},
            {"name": "v2"}
        ]}})
    }

    #[test]
    fn a_definition_in_the_set_is_learned() {
        let schema = Schema::builtin().with_crd(&crd());
        let gvk = Gvk::new("example.com/v1", "Widget");
        assert_eq!((schema.scope(&gvk), schema.plural(&gvk)), (Some(Scope::Cluster), Some("widgets")));
        assert_eq!(schema.scope(&Gvk::new("example.com/v9", "Widget")), Some(Scope::Cluster));
        assert!(!schema.is_builtin("example.com", "Widget"));
        for (version, steps, expect) in [
            ("example.com/v1", &["spec", "parts"][..], "id,size"),
            ("example.com/v1", &["spec", "parts", "*", "tags"], "set"),
            ("example.com/v1", &["spec", "plain"], "atomic"),
            ("example.com/v1", &["metadata", "finalizers"], "set"),
            ("example.com/v2", &["metadata", "ownerReferences"], "uid"),
        ] {
            assert_eq!(list(&schema, version, "Widget", steps), expect, "{steps:?}");
        }
        assert!(schema.root(&gvk).field("spec").field("whole").atomic_map());
        let ListKind::Map(keys) = schema.list_kind(&gvk, &path(&["spec", "parts"])) else { panic!("a map") };
        assert_eq!(keys[1].default, Some(json!(3)));
        assert_eq!(Schema::builtin().scope(&gvk), None, "the built-in table stays as it is");
    }

    #[test]
    fn what_is_no_definition_teaches_nothing() {
        for bad in [
            json!(null),
            json!({}),
            json!({"spec": {"group": "a"}}),
            json!({"spec": {"scope": "Odd", "group": "a", "names": {"kind": "A", "plural": "as"}, "versions": []}}),
        ] {
            let mut schema = Schema::builtin();
            assert!(!schema.add_crd(&bad), "{bad}");
        }
    }

    #[test]
    fn schemas_that_nest_too_deep_are_plain_below() {
        let nested = |depth: usize| {
            let mut inner = json!({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}});
            (0..depth).for_each(|_| inner = json!({"type": "object", "properties": {"a": inner}}));
            let mut crd = crd();
            crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = inner;
            crd
        };
        for (depth, known) in [(learn::MAX_SCHEMA_DEPTH, "set"), (learn::MAX_SCHEMA_DEPTH + 1, "atomic")] {
            let schema = Schema::builtin().with_crd(&nested(depth));
            assert_eq!(list(&schema, "example.com/v1", "Widget", &vec!["a"; depth]), known, "{depth}");
        }
    }

    #[test]
    fn a_kind_from_discovery_has_names_and_no_lists() {
        let mut schema = Schema::builtin().with_crd(&crd());
        schema.add_kind(Gvk::new("other.dev/v1", "Gadget"), "gadgets", Scope::Namespaced);
        schema.add_kind(Gvk::new("example.com/v1", "Widget"), "widgets", Scope::Cluster);
        schema.add_kind(Gvk::new("v1", "Service"), "nonsense", Scope::Cluster);
        assert_eq!(schema.plural(&Gvk::new("other.dev/v1", "Gadget")), Some("gadgets"));
        assert_eq!(list(&schema, "example.com/v1", "Widget", &["spec", "parts"]), "id,size", "what a CRD told stays");
        assert_eq!(schema.plural(&Gvk::new("v1", "Service")), Some("services"));
        assert!(!schema.root(&Gvk::new("other.dev/v1", "Gadget")).is_known());
    }
}
