//! Owns the default order (DESIGN.md, 7): which phase an object belongs to, and which phases wait for which.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use plumb_manifest::{Manifest, Moment, ObjectKey};
use plumb_schema::Schema;
use serde_json::Value;

use crate::{Edge, End, Operation, Outcome, Phase};

/// The phases of applying, in an order that respects every edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    Definitions,
    Namespaces,
    Configuration,
    Bindings,
    Workloads,
    Resources,
    Webhooks,
    Admitted,
}

const RANKS: [(Rank, &str); 8] = [
    (Rank::Definitions, "definitions"),
    (Rank::Namespaces, "namespaces"),
    (Rank::Configuration, "configuration"),
    (Rank::Bindings, "bindings"),
    (Rank::Workloads, "workloads"),
    (Rank::Resources, "resources"),
    (Rank::Webhooks, "webhooks"),
    (Rank::Admitted, "admitted"),
];

/// Prune phases in their order, and what they take.
const PRUNE: [(&str, &[Rank]); 6] = [
    ("prune-resources", &[Rank::Resources, Rank::Admitted]),
    ("prune-webhooks", &[Rank::Webhooks]),
    ("prune-workloads", &[Rank::Workloads]),
    ("prune-configuration", &[Rank::Bindings, Rank::Configuration]),
    ("prune-namespaces", &[Rank::Namespaces]),
    ("prune-definitions", &[Rank::Definitions]),
];

const WORKLOADS: [(&str, &str); 16] = [
    ("", "Endpoints"),
    ("", "Pod"),
    ("", "ReplicationController"),
    ("", "Service"),
    ("apiregistration.k8s.io", "APIService"),
    ("apps", "ControllerRevision"),
    ("apps", "DaemonSet"),
    ("apps", "Deployment"),
    ("apps", "ReplicaSet"),
    ("apps", "StatefulSet"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("batch", "CronJob"),
    ("batch", "Job"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("networking.k8s.io", "Ingress"),
    ("policy", "PodDisruptionBudget"),
];

/// Returns the rank of a kind by itself; a custom resource's may rise to [`Rank::Admitted`].
fn rank(key: &ObjectKey, schema: &Schema) -> Rank {
    match (&*key.group, &*key.kind) {
        ("apiextensions.k8s.io", "CustomResourceDefinition") => Rank::Definitions,
        ("", "Namespace") => Rank::Namespaces,
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => Rank::Bindings,
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration") => Rank::Webhooks,
        pair if WORKLOADS.contains(&pair) => Rank::Workloads,
        (group, kind) if schema.is_builtin(group, kind) => Rank::Configuration,
        _ => Rank::Resources,
    }
}

/// What the set says about its own order.
pub(crate) struct Relations {
    schema: Schema,
    /// Group and kind of each CRD in the set.
    defined: BTreeSet<(String, String)>,
    rules: Vec<Rule>,
    /// Services in the set that webhook configurations in the set call.
    webhook_services: BTreeSet<ObjectKey>,
    /// Services in the set that conversions and aggregated APIs in the set call.
    served_by: Vec<(Served, ObjectKey)>,
}

/// One rule of an admission webhook.
struct Rule {
    groups: Vec<String>,
    versions: Vec<String>,
    resources: Vec<String>,
}

/// What cannot be written before a Service answers.
enum Served {
    Kind(String, String),
    GroupVersion(String, String),
}

impl Relations {
    /// Reads the few manifests that say something about others.
    pub(crate) fn of(manifests: &[Arc<Manifest>], schema: &Schema) -> Self {
        let keys: BTreeSet<&ObjectKey> = manifests.iter().map(|manifest| &manifest.key).collect();
        let mut relations = Self {
            schema: schema.clone(),
            defined: BTreeSet::new(),
            rules: Vec::new(),
            webhook_services: BTreeSet::new(),
            served_by: Vec::new(),
        };
        for manifest in manifests {
            match (&*manifest.key.group, &*manifest.key.kind) {
                ("apiextensions.k8s.io", "CustomResourceDefinition") => relations.definition(&manifest.value(), &keys),
                ("apiregistration.k8s.io", "APIService") => relations.api_service(&manifest.value(), &keys),
                ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration") => {
                    relations.webhooks(&manifest.value(), &keys);
                }
                _ => {}
            }
        }
        relations
    }

    fn definition(&mut self, crd: &Value, keys: &BTreeSet<&ObjectKey>) {
        self.schema.add_crd(crd);
        let kind = (text(crd, "/spec/group"), text(crd, "/spec/names/kind"));
        if let Some(service) = service(crd.pointer("/spec/conversion/webhook/clientConfig/service"), keys) {
            self.served_by.push((Served::Kind(kind.0.clone(), kind.1.clone()), service));
        }
        self.defined.insert(kind);
    }

    fn api_service(&mut self, api: &Value, keys: &BTreeSet<&ObjectKey>) {
        if let Some(service) = service(api.pointer("/spec/service"), keys) {
            self.served_by.push((Served::GroupVersion(text(api, "/spec/group"), text(api, "/spec/version")), service));
        }
    }

    fn webhooks(&mut self, configuration: &Value, keys: &BTreeSet<&ObjectKey>) {
        for webhook in items(configuration, "/webhooks") {
            self.webhook_services.extend(service(webhook.pointer("/clientConfig/service"), keys));
            for rule in items(webhook, "/rules") {
                let list = |field| items(rule, field).iter().filter_map(Value::as_str).map(str::to_owned).collect();
                self.rules.push(Rule { groups: list("/apiGroups"), versions: list("/apiVersions"), resources: list("/resources") });
            }
        }
    }

    /// Returns the phase of an object that is applied.
    pub(crate) fn rank(&self, manifest: &Manifest) -> Rank {
        match rank(&manifest.key, &self.schema) {
            Rank::Resources if self.is_admitted(manifest) => Rank::Admitted,
            rank => rank,
        }
    }

    fn is_admitted(&self, manifest: &Manifest) -> bool {
        let plural = self.schema.plural(&manifest.gvk);
        let named = |list: &[String], name: &str| list.iter().any(|entry| entry == "*" || entry == name);
        let by_rule = self.rules.iter().any(|rule| {
            let resource = rule.resources.iter().any(|entry| {
                let entry = entry.strip_suffix("/*").unwrap_or(entry);
                entry == "*" || plural.is_none_or(|plural| entry == plural)
            });
            resource && named(&rule.groups, &manifest.gvk.group) && named(&rule.versions, &manifest.gvk.version)
        });
        by_rule || self.served(manifest).next().is_some()
    }

    fn served<'a>(&'a self, manifest: &'a Manifest) -> impl Iterator<Item = &'a ObjectKey> {
        let serves = |served: &Served| match served {
            Served::Kind(group, kind) => **group == *manifest.gvk.group && **kind == *manifest.gvk.kind,
            Served::GroupVersion(group, version) => **group == *manifest.gvk.group && **version == *manifest.gvk.version,
        };
        self.served_by.iter().filter(move |(served, _)| serves(served)).map(|(_, service)| service)
    }

    fn is_defined(&self, manifest: &Manifest) -> bool {
        self.defined.contains(&(manifest.gvk.group.to_string(), manifest.gvk.kind.to_string()))
    }
}

fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn items<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Returns the Service of a client configuration when it is in the set.
fn service(reference: Option<&Value>, keys: &BTreeSet<&ObjectKey>) -> Option<ObjectKey> {
    let reference = reference?;
    let namespace = text(reference, "/namespace");
    let key = ObjectKey::new("", "Service", Some(namespace.as_str()), &text(reference, "/name"));
    keys.contains(&key).then_some(key)
}

/// Puts operations into phases.
pub(crate) struct Phases {
    phases: Vec<Phase>,
    timeout: Duration,
    /// What every phase that applies comes after: hooks, and what they need.
    floor: Vec<usize>,
}

impl Phases {
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { phases: Vec::new(), timeout, floor: Vec::new() }
    }

    pub(crate) fn finish(self) -> Vec<Phase> {
        self.phases
    }

    fn push(&mut self, name: &'static str, operations: Vec<Operation>, end: End, after: impl IntoIterator<Item = usize>) -> usize {
        let mut after: Vec<usize> = after.into_iter().collect();
        after.sort_unstable();
        after.dedup();
        let after = after.into_iter().map(|phase| Edge { phase, on: Outcome::Done }).collect();
        self.phases.push(Phase { name, operations, end, timeout: self.timeout, after });
        self.phases.len() - 1
    }

    /// Adds what has to be there before the first hook: definitions, and the unit's own namespace.
    pub(crate) fn base(&mut self, operations: Vec<Operation>) {
        let defines = |operation: &Operation| &*operation.key().kind == "CustomResourceDefinition";
        let (definitions, others): (Vec<_>, Vec<_>) = operations.into_iter().partition(defines);
        for (operations, end) in [(others, End::Accepted), (definitions, End::Established)] {
            if !operations.is_empty() {
                let at = self.push("base", operations, end, []);
                self.floor.push(at);
            }
        }
    }

    /// Adds the hooks that run before everything else.
    pub(crate) fn hooks(&mut self, moment: Option<Moment>, operations: Vec<Operation>) {
        if let Some(moment) = moment.filter(|_| !operations.is_empty()) {
            let floor = std::mem::take(&mut self.floor);
            self.floor = vec![self.push(moment.word(), operations, End::Hooks, floor)];
        }
    }

    /// Adds the hooks that run after everything is applied and, where that is asked, healthy.
    pub(crate) fn hooks_after(&mut self, moment: Option<Moment>, operations: Vec<Operation>, last: &[usize]) {
        if let Some(moment) = moment.filter(|_| !operations.is_empty()) {
            self.push(moment.word(), operations, End::Hooks, last.iter().copied());
        }
    }

    /// Adds the phases that apply, and the wait for the health of `keys` when asked. Returns those that a prune comes after.
    pub(crate) fn apply(&mut self, operations: Vec<Operation>, keys: Vec<ObjectKey>, relations: &Relations, wait: bool) -> Vec<usize> {
        let mut ranked: [Vec<Operation>; RANKS.len()] = Default::default();
        let (mut services, mut needs_definitions) = (BTreeSet::new(), false);
        for operation in operations {
            let (Operation::Apply { manifest, .. } | Operation::Keep(manifest)) = &operation else { continue };
            let rank = relations.rank(manifest);
            if matches!(operation, Operation::Apply { .. }) {
                match rank {
                    Rank::Webhooks => services.extend(relations.webhook_services.iter().cloned()),
                    Rank::Admitted => {
                        services.extend(relations.served(manifest).cloned());
                        services.extend(relations.webhook_services.iter().cloned());
                    }
                    _ => {}
                }
                needs_definitions |= relations.is_defined(manifest);
            }
            ranked[rank as usize].push(operation);
        }
        let mut at: [Option<usize>; RANKS.len()] = [None; RANKS.len()];
        for (rank, name) in RANKS {
            let operations = std::mem::take(&mut ranked[rank as usize]);
            if rank == Rank::Webhooks && !services.is_empty() {
                let endpoints = std::mem::take(&mut services).into_iter().collect();
                let after = self.before(rank, &at);
                at[Rank::Workloads as usize] = Some(self.push("endpoints", Vec::new(), End::EndpointsReady(endpoints), after));
            }
            if operations.is_empty() {
                continue;
            }
            let changes = operations.iter().any(Operation::writes);
            let end = if rank == Rank::Definitions && (changes || needs_definitions) { End::Established } else { End::Accepted };
            let after = self.before(rank, &at);
            at[rank as usize] = Some(self.push(name, operations, end, after));
        }
        let mut last: Vec<usize> = (0..self.phases.len()).collect();
        if wait && !keys.is_empty() {
            last = vec![self.push("health", Vec::new(), End::Healthy(keys), last)];
        }
        last
    }

    /// Which phases come right before one. The place of the workloads holds the wait for endpoints once there is one.
    fn before(&self, rank: Rank, at: &[Option<usize>; RANKS.len()]) -> Vec<usize> {
        let earlier: &[Rank] = match rank {
            Rank::Definitions | Rank::Namespaces => &[],
            Rank::Configuration => &[Rank::Namespaces],
            Rank::Bindings => &[Rank::Namespaces, Rank::Configuration],
            Rank::Workloads | Rank::Resources => &[Rank::Definitions, Rank::Namespaces, Rank::Configuration, Rank::Bindings],
            Rank::Webhooks => &[Rank::Definitions, Rank::Configuration, Rank::Bindings, Rank::Workloads],
            Rank::Admitted => &[Rank::Definitions, Rank::Namespaces, Rank::Configuration, Rank::Bindings, Rank::Workloads, Rank::Webhooks],
        };
        let earlier = earlier.iter().filter_map(|rank| at[*rank as usize]);
        earlier.chain(self.floor.iter().copied()).collect()
    }

    /// Adds the phases that delete, each when the one before is gone. Returns those that come last.
    pub(crate) fn prune(&mut self, deletes: Vec<Operation>, schema: &Schema, after: &[usize]) -> Vec<usize> {
        let mut after = after.to_vec();
        let mut deletes: Vec<(Rank, Operation)> = deletes.into_iter().map(|delete| (prune_rank(delete.key(), schema), delete)).collect();
        for (name, ranks) in PRUNE {
            let (these, rest): (Vec<_>, Vec<_>) = deletes.into_iter().partition(|(rank, _)| ranks.contains(rank));
            deletes = rest;
            if !these.is_empty() {
                let operations = these.into_iter().map(|(_, delete)| delete).collect();
                after = vec![self.push(name, operations, End::Gone, after)];
            }
        }
        after
    }

    /// Adds what only takes stamps off or forgets.
    pub(crate) fn release(&mut self, operations: Vec<Operation>, after: &[usize]) {
        if !operations.is_empty() {
            self.push("release", operations, End::Accepted, after.iter().copied());
        }
    }
}

/// An aggregated API goes with the webhooks: once its Service is gone it only makes discovery fail.
fn prune_rank(key: &ObjectKey, schema: &Schema) -> Rank {
    if (&*key.group, &*key.kind) == ("apiregistration.k8s.io", "APIService") { Rank::Webhooks } else { rank(key, schema) }
}
