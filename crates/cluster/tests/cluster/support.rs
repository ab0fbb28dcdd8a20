//! What the tests of this crate share: a namespace of the shared control plane, and a unit that is planned and synced as the loop would.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use plumb_cluster::{
    Acting, Adopt, Cluster, ConnectOptions, Inventories, InventoryRecord, KubeconfigSource, Observation, SyncOptions, SyncOutcome, unfenced,
};
use plumb_manifest::{Gvk, Manifest, ObjectKey};
use plumb_plan::{Alone, BuildFacts, Event, GroupSums, Intent, ObjectResult, Others, Plan, PlanInput, Redactor, Rules, SyncScope, plan};
use plumb_plane::{Access, Namespace, Plane};
use plumb_schema::{Schema, Scope};
use plumb_unit::{Evidence, NodeKey, Policy};
use plumb_world::{FileId, Span};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(crate) struct Bed {
    pub(crate) access: &'static Access,
    pub(crate) cluster: Cluster,
    pub(crate) namespace: Namespace<'static>,
    pub(crate) installation: String,
}

pub(crate) fn shared() -> &'static Access {
    Plane::shared().expect("a control plane")
}

pub(crate) fn options(kubeconfig: &std::path::Path, installation: &str) -> ConnectOptions {
    ConnectOptions::new(KubeconfigSource::File(kubeconfig.to_owned()), None, installation, Redactor::new([7; 32]))
}

impl Bed {
    pub(crate) async fn new(prefix: &str) -> Self {
        let access = shared();
        let namespace = access.namespace(prefix).expect("a namespace");
        let installation = namespace.name().to_owned();
        let cluster = Cluster::connect(options(access.kubeconfig(), &installation)).await.expect("connected");
        cluster.prepare().await.expect("prepared");
        Self { access, cluster, namespace, installation }
    }

    /// Another process of the same installation.
    pub(crate) async fn again(&self) -> Cluster {
        Cluster::connect(options(self.access.kubeconfig(), &self.installation)).await.expect("connected")
    }

    pub(crate) async fn app(&self, name: &str) -> App {
        App::new(&self.cluster, self.namespace.name(), name).await
    }
}

/// A unit, and what the loop keeps of it.
pub(crate) struct App {
    pub(crate) unit: NodeKey,
    pub(crate) acting: Acting,
    pub(crate) inventories: Arc<Inventories>,
    pub(crate) record: InventoryRecord,
    pub(crate) policy: Policy,
    pub(crate) schema: Schema,
    pub(crate) rules: Rules,
    pub(crate) namespace: String,
    pub(crate) adopt: Adopt,
    pub(crate) commit: u32,
    pub(crate) approvals: BTreeSet<plumb_manifest::Digest>,
    pub(crate) events: Arc<Mutex<Vec<Event>>>,
    pub(crate) cancel: CancellationToken,
}

pub(crate) fn results(outcome: &SyncOutcome) -> Vec<(String, ObjectResult)> {
    outcome.objects.iter().map(|(key, result)| (format!("{}/{}", key.kind, key.name), result.clone())).collect()
}

impl App {
    pub(crate) async fn new(cluster: &Cluster, namespace: &str, name: &str) -> Self {
        let unit = NodeKey::unit(cluster.installation(), namespace, name);
        let inventories = Arc::new(Inventories::new(cluster));
        let loaded = inventories.load().await.expect("inventories");
        assert!(loaded.damaged.is_empty(), "{:?}", loaded.damaged);
        let record = loaded.records.into_iter().find(|record| record.unit == unit).unwrap_or_else(|| InventoryRecord::empty(unit.clone()));
        let mut policy = Policy::standard();
        policy.timeout = Duration::from_secs(60);
        Self {
            unit,
            acting: cluster.acting_as(None).expect("acting"),
            inventories,
            record,
            policy,
            schema: Schema::builtin(),
            rules: Rules::default(),
            namespace: namespace.to_owned(),
            adopt: Adopt::Nothing,
            commit: 0,
            approvals: BTreeSet::new(),
            events: Arc::default(),
            cancel: CancellationToken::new(),
        }
    }

    pub(crate) fn manifest(&self, object: &Value) -> Arc<Manifest> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
        let gvk = Gvk::new(text("/apiVersion").expect("apiVersion"), text("/kind").expect("kind"));
        let mut schema = self.schema.clone();
        schema.add_crd(object);
        let namespaced = schema.scope(&gvk) != Some(Scope::Cluster);
        let namespace = text("/metadata/namespace").unwrap_or(&self.namespace);
        let key = ObjectKey::new(&gvk.group, &gvk.kind, namespaced.then_some(namespace), text("/metadata/name").expect("name"));
        Arc::new(Manifest::new(key, gvk, object, Span { file: FileId(0), start: 0, end: 0 }))
    }

    pub(crate) async fn plan(&mut self, objects: &[Value]) -> Plan {
        self.plan_beside(objects, &Alone).await
    }

    pub(crate) async fn plan_beside(&mut self, objects: &[Value], others: &dyn Others) -> Plan {
        self.commit += 1;
        for object in objects.iter().filter(|object| object["kind"] == "CustomResourceDefinition") {
            self.schema.add_crd(object);
        }
        let manifests: Vec<_> = objects.iter().map(|object| self.manifest(object)).collect();
        let facts = self.acting.facts(&self.unit, &manifests, &self.record.inventory, &self.rules, &self.schema).await.expect("facts");
        let build = BuildFacts {
            evidence: vec![Evidence { source: "test".to_owned(), commit: self.commit.to_string() }],
            declaration_changed: false,
            incomplete: None,
        };
        plan(&PlanInput {
            unit: &self.unit,
            intent: Intent::Sync,
            manifests: &manifests,
            live: &facts,
            others,
            inventory: &self.record.inventory,
            policy: &self.policy,
            schema: &self.schema,
            build: &build,
            group: GroupSums::default(),
            approvals: &self.approvals,
            scope: &SyncScope::Whole,
            occasion: None,
        })
    }

    pub(crate) fn options(&self) -> SyncOptions {
        SyncOptions {
            fence: unfenced(),
            cancel: self.cancel.clone(),
            concurrency: 16,
            adopt: self.adopt.clone(),
            rules: self.rules.clone(),
            dry_run: false,
            record: self.record.clone(),
            gates_when_done: None,
        }
    }

    pub(crate) async fn carry_out(&mut self, plan: &Plan) -> SyncOutcome {
        let options = self.options();
        let events = self.events.clone();
        let outcome = self.acting.sync(plan, &self.inventories, &options, &move |event| events.lock().expect("events").push(event)).await;
        self.record = outcome.record.clone();
        outcome
    }

    pub(crate) async fn sync(&mut self, objects: Vec<Value>) -> SyncOutcome {
        let plan = self.plan(&objects).await;
        self.carry_out(&plan).await
    }
}

/// Waits for an observation that `want` accepts.
pub(crate) async fn observed<T>(receiver: &mut mpsc::Receiver<Observation>, mut want: impl FnMut(&Observation) -> Option<T>) -> T {
    let wait = async {
        loop {
            let observation = receiver.recv().await.expect("the observer is not replaced");
            if let Some(found) = want(&observation) {
                return found;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.expect("observed in time")
}

pub(crate) fn config_map(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": value}})
}

pub(crate) fn deployment(name: &str, replicas: u32) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {"app": name}}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [
            {"name": "main", "image": "registry.example.com/web:1", "ports": [{"containerPort": 80}], "env": [{"name": "A", "value": "1"}],
             "resources": {"limits": {"cpu": "0.5"}}}
        ]}}
    }})
}
