//! Owns the making of small sets: manifests, live facts, inventories, and plans of them shown as text.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_manifest::{Digest, Gvk, Manifest, ObjectKey};
use plumb_plan::{
    BuildFacts, Claim, End, GroupSums, Intent, Live, LiveFact, LiveState, Operation, Plan, PlanInput, SyncScope, UnitHash, Wants, plan,
};
use plumb_schema::{Schema, Scope};
use plumb_unit::{Evidence, Inventory, InventoryItem, NodeKey, Policy};
use plumb_world::{FileId, Span};
use serde_json::{Value, json};

/// Everything a plan is made from, to be bent by a test.
pub(crate) struct Set {
    pub(crate) unit: NodeKey,
    pub(crate) intent: Intent,
    pub(crate) manifests: Vec<Arc<Manifest>>,
    pub(crate) live: BTreeMap<ObjectKey, Live>,
    pub(crate) others: BTreeMap<ObjectKey, Vec<Claim>>,
    pub(crate) inventory: Inventory,
    pub(crate) policy: Policy,
    pub(crate) build: BuildFacts,
    pub(crate) group: GroupSums,
    pub(crate) approvals: BTreeSet<Digest>,
    pub(crate) scope: SyncScope,
    pub(crate) occasion: Option<plumb_plan::Occasion>,
}

impl Set {
    pub(crate) fn new() -> Self {
        Self {
            unit: unit("shop"),
            intent: Intent::Sync,
            manifests: Vec::new(),
            live: BTreeMap::new(),
            others: BTreeMap::new(),
            inventory: Inventory { items: Vec::new(), evidence: vec![evidence("repo", "c1")] },
            policy: Policy::standard(),
            build: BuildFacts { incomplete: None, evidence: vec![evidence("repo", "c2")], declaration_changed: false },
            group: GroupSums::default(),
            approvals: BTreeSet::new(),
            scope: SyncScope::Whole,
            occasion: None,
        }
    }

    /// A set that wants objects that are not there.
    pub(crate) fn wanting(objects: &[Value]) -> Self {
        let mut set = Self::new();
        objects.iter().for_each(|object| set.want(object));
        set
    }

    pub(crate) fn want(&mut self, object: &Value) {
        self.manifests.push(manifest(object));
    }

    /// Adds an object that is owned and live as its manifest says.
    pub(crate) fn own(&mut self, object: &Value) -> ObjectKey {
        let manifest = manifest(object);
        let key = manifest.key.clone();
        self.inventory.items.push(InventoryItem {
            key: key.clone(),
            version: manifest.gvk.version.to_string(),
            uid: None,
            manifest: manifest.digest,
            ended: None,
        });
        self.inventory.items.sort_by(|a, b| a.key.cmp(&b.key));
        self.live.insert(key.clone(), Live::Here(fact(&self.unit, &key, manifest.digest)));
        key
    }

    /// Owns so many ConfigMaps that the build does not name.
    pub(crate) fn drop_many(&mut self, count: usize) {
        for nth in 0..count {
            self.own(&config(&format!("dropped-{nth}")));
        }
    }

    /// Owns so many ConfigMaps that the build names.
    pub(crate) fn keep_many(&mut self, count: usize) {
        for nth in 0..count {
            let object = config(&format!("kept-{nth}"));
            self.own(&object);
            self.want(&object);
        }
    }

    pub(crate) fn fact(&mut self, key: &ObjectKey) -> &mut LiveFact {
        match self.live.get_mut(key) {
            Some(Live::Here(fact)) => fact,
            other => panic!("{key} is {other:?}"),
        }
    }

    pub(crate) fn plan(&self) -> Plan {
        plan(&PlanInput {
            unit: &self.unit,
            intent: self.intent,
            manifests: &self.manifests,
            live: &self.live,
            others: &self.others,
            inventory: &self.inventory,
            policy: &self.policy,
            schema: &Schema::builtin(),
            build: &self.build,
            group: self.group,
            approvals: &self.approvals,
            scope: &self.scope,
            occasion: self.occasion,
        })
    }

    /// The phases, one line each: `name after a,b -> end: op Kind/name …`.
    pub(crate) fn phases(&self) -> Vec<String> {
        show(&self.plan())
    }
}

pub(crate) fn show(plan: &Plan) -> Vec<String> {
    plan.phases
        .iter()
        .map(|phase| {
            let after: Vec<&str> = phase.after.iter().map(|edge| plan.phases[edge.phase].name).collect();
            let end = match &phase.end {
                End::Accepted => "accepted".to_owned(),
                End::Established => "established".to_owned(),
                End::Healthy(keys) => format!("healthy({})", keys.len()),
                End::EndpointsReady(keys) => format!("endpoints({})", keys.iter().map(|key| &*key.name).collect::<Vec<_>>().join(",")),
                End::Gone => "gone".to_owned(),
                End::Hooks => "hooks".to_owned(),
            };
            let operations: Vec<String> = phase.operations.iter().map(operation).collect();
            format!("{} after [{}] -> {end}: {}", phase.name, after.join(","), operations.join(" "))
        })
        .collect()
}

pub(crate) fn operation(operation: &Operation) -> String {
    let key = operation.key();
    let word = match operation {
        Operation::Apply { mode, .. } => format!("apply({mode:?})").to_lowercase(),
        Operation::Hook(_) => "run".to_owned(),
        Operation::Keep(_) => "keep".to_owned(),
        Operation::Delete { .. } => "delete".to_owned(),
        Operation::Release { .. } => "release".to_owned(),
        Operation::Forget { why, .. } => format!("forget({why})"),
    };
    let word = word.replace("apply(first)", "+");
    format!("{word} {}/{}", key.kind, key.name)
}

pub(crate) fn operations(plan: &Plan) -> Vec<String> {
    plan.operations().map(operation).collect()
}

pub(crate) fn unit(name: &str) -> NodeKey {
    NodeKey::unit("main", "team-a", name)
}

pub(crate) fn evidence(source: &str, commit: &str) -> Evidence {
    Evidence { source: source.to_owned(), commit: commit.to_owned() }
}

pub(crate) fn claim(name: &str, owns: bool, wants: Wants) -> Vec<Claim> {
    vec![Claim { unit: unit(name), owns, wants }]
}

pub(crate) fn manifest(object: &Value) -> Arc<Manifest> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap();
    let gvk = Gvk::new(text("/apiVersion"), text("/kind"));
    let namespace = match Schema::builtin().scope(&gvk) {
        Some(Scope::Cluster) => None,
        _ => Some(object.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or("shop")),
    };
    let key = ObjectKey::new(&gvk.group, &gvk.kind, namespace, text("/metadata/name"));
    Arc::new(Manifest::new(key, gvk, object, Span { file: FileId(0), start: 0, end: 0 }))
}

pub(crate) fn fact(unit: &NodeKey, key: &ObjectKey, manifest: Digest) -> LiveFact {
    LiveFact {
        uid: format!("uid of {key}"),
        resource_version: "7".to_owned(),
        generation: None,
        unit: Some(UnitHash::of(unit)),
        manifest: Some(manifest),
        state: LiveState::Stands,
        deleting: false,
        prune_disabled: false,
    }
}

pub(crate) fn object(api_version: &str, kind: &str, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}})
}

pub(crate) fn config(name: &str) -> Value {
    object("v1", "ConfigMap", name)
}
