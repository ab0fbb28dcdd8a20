//! Owns asking and ordering: what a running operator tells of its units, and how requests reach the loop. Nothing here waits for the loop.

use std::sync::Arc;

use plumb_cluster::{Acting, ClusterError};
use plumb_manifest::ObjectKey;
use plumb_plan::{Health, Plan};
use plumb_store::Store;
use plumb_unit::{CommitInfo, Inventory, NodeKey, NodeKind, Unit};

use crate::board::Change as Changed;
use crate::core::{Ended, Event, Request, RequestId, SourceStatus, Status, UnitStatus};
use crate::operator::Operator;
use crate::shell::Shared;

/// A unit as the operator sees it.
#[derive(Clone, Debug)]
pub struct UnitState {
    /// Its key.
    pub key: NodeKey,
    /// What the loop says of it.
    pub status: UnitStatus,
    /// Its declaration; none for one that is known from its record only.
    pub unit: Option<Arc<Unit>>,
    /// The registered name of its cluster.
    pub cluster: Option<Arc<str>>,
    /// The words of the commit that is synced, of the main source.
    pub commit: Option<CommitInfo>,
    /// The newest build's errors and warnings with their excerpts.
    pub report: Option<Arc<str>>,
    /// What it owns.
    pub inventory: Inventory,
}

/// A source or a root as the operator sees it.
#[derive(Clone, Debug)]
pub struct SourceState {
    /// Its key.
    pub key: NodeKey,
    /// What the loop says of it.
    pub status: SourceStatus,
}

/// Something that changed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Change {
    /// A node's state; it may be gone.
    Node(NodeKey),
    /// A request ended.
    Request(RequestId),
    /// A sync of a unit did something; where it is about a phase, with the phase's name and how many operations it has.
    Progress(NodeKey, Arc<plumb_plan::Event>, Option<(&'static str, u32)>),
    /// The reader was too slow and missed something.
    Missed,
}

/// Changes as they come.
pub struct Changes(tokio::sync::broadcast::Receiver<Changed>);

impl Changes {
    /// Returns the next change; none when the operator has ended.
    pub async fn next(&mut self) -> Option<Change> {
        use tokio::sync::broadcast::error::RecvError;
        match self.0.recv().await {
            Ok(Changed::Node(node)) => Some(Change::Node(node)),
            Ok(Changed::Request(id)) => Some(Change::Request(id)),
            Ok(Changed::Progress(node, event, phase)) => Some(Change::Progress(node, event, phase)),
            Err(RecvError::Lagged(_)) => Some(Change::Missed),
            Err(RecvError::Closed) => None,
        }
    }
}

/// A number that the operator counts: name, meaning, value.
pub type Counter = (&'static str, &'static str, u64);

impl Operator {
    /// Returns the installation's name.
    pub fn installation(&self) -> &Arc<str> {
        &self.shared.installation
    }

    /// Returns every unit, ordered by namespace and name.
    pub fn units(&self) -> Vec<UnitState> {
        let nodes = self.shared.board.nodes();
        nodes.into_iter().filter_map(|(key, status)| self.state(key, &status)).collect()
    }

    /// Returns one unit.
    pub fn unit(&self, key: &NodeKey) -> Option<UnitState> {
        let status = self.shared.board.node(key)?;
        self.state(key.clone(), &status)
    }

    /// Returns what the loop says of each node, and nothing that would have to be gathered: cheap enough to ask often.
    pub fn statuses(&self) -> Vec<(NodeKey, Arc<Status>)> {
        self.shared.board.nodes()
    }

    /// Returns every source and root.
    pub fn sources(&self) -> Vec<SourceState> {
        let nodes = self.shared.board.nodes().into_iter();
        nodes
            .filter_map(|(key, status)| match &*status {
                Status::Source(status) => Some(SourceState { key, status: status.clone() }),
                Status::Unit(_) => None,
            })
            .collect()
    }

    fn state(&self, key: NodeKey, status: &Status) -> Option<UnitState> {
        let Status::Unit(status) = status else { return None };
        let shared: &Shared = &self.shared;
        let known = shared.units.read(&key, |memory| {
            let revision = status.synced.as_ref().and_then(|synced| {
                synced
                    .get("main")
                    .cloned()
                    .map(|revision| ("main", revision))
                    .or_else(|| synced.iter().next().map(|(alias, revision)| (&**alias, revision.clone())))
            });
            let source =
                memory.node.as_ref().zip(revision).and_then(|(node, (alias, revision))| Some((node.sources.get(alias)?.clone(), revision)));
            let unit = memory.node.as_ref().map(|node| Arc::clone(&node.unit));
            let cluster = memory.lives_in.clone().or_else(|| shared.targets.name(&memory.target()?));
            (unit, cluster, memory.report.clone(), memory.record.inventory.clone(), source)
        });
        // A unit whose declaration cannot be followed has a state and nothing else.
        let (unit, cluster, report, inventory, source) = known.unwrap_or((None, None, None, Inventory::default(), None));
        let commit = source.and_then(|(source, revision)| shared.sources.commit(&source, &revision));
        Some(UnitState { key, status: (**status).clone(), unit, cluster, commit, report, inventory })
    }

    /// Returns how an object of a cluster does, as last seen.
    pub fn health(&self, cluster: &str, key: &ObjectKey) -> Option<Health> {
        Some(self.shared.targets.get(cluster)?.cluster.health(key))
    }

    /// Returns a cluster as a unit may see it; none while the cluster does not answer.
    pub fn acting(&self, unit: &UnitState) -> Option<Result<Acting, ClusterError>> {
        let target = self.shared.targets.get(unit.cluster.as_ref()?)?;
        let account = unit.unit.as_ref().and_then(|unit| unit.target.service_account.clone());
        Some(target.cluster.acting_as(account.as_ref()))
    }

    /// Returns the history.
    pub fn store(&self) -> &Store {
        &self.shared.history.store
    }

    /// Hands a request to the loop. What becomes of it is told by [`Self::ended`].
    pub fn request(&self, node: NodeKey, request: Request) {
        let order = serde_json::json!({"order": format!("{:?}", request.order)});
        let why = (!request.reason.is_empty()).then(|| request.reason.to_string());
        crate::shell::audit(&self.shared, Some(node.clone()), &request.by, "request", Some(request.id.0.to_string()), why, order);
        self.shared.tell(Event::Request(node, request));
    }

    /// Returns how a request ended, once it has.
    pub fn ended(&self, id: &RequestId) -> Option<Arc<Ended>> {
        self.shared.board.ended(id)
    }

    /// Returns the plan that a dry run answered with.
    pub fn dry_run(&self, id: &RequestId) -> Option<Arc<Plan>> {
        self.shared.dry_runs.get(id)
    }

    /// Returns changes from now on.
    pub fn changes(&self) -> Changes {
        Changes(self.shared.board.changes())
    }

    /// Says that repositories have news; `is` tells by a source's URL which.
    pub fn pushed(&self, is: impl Fn(&str) -> bool) {
        for node in self.shared.sources.select(is) {
            self.shared.tell(Event::Pushed(node));
        }
    }

    /// Returns whether the operator does its work: it holds the lease, or says why not.
    pub fn ready(&self) -> Result<(), String> {
        let clusters: Vec<_> =
            self.shared.targets.names().iter().filter(|name| self.shared.targets.get(name).is_none()).map(|name| &**name).collect();
        if clusters.is_empty() { Ok(()) } else { Err(format!("{} of the clusters did not answer yet", clusters.len())) }
    }

    /// Returns what cannot be watched in the clusters, and why: of that, what is shown is as it was last seen.
    pub fn troubles(&self) -> Vec<String> {
        let of = |target: &Arc<crate::shell::Target>| {
            let name = Arc::clone(&target.name);
            target.cluster.troubles().into_values().map(move |message| format!("cluster {name}: {message}")).collect::<Vec<_>>()
        };
        self.shared.targets.all().iter().flat_map(of).collect()
    }

    /// Returns what is counted.
    pub fn counters(&self) -> Vec<Counter> {
        let mut counters = self.shared.counters.list().to_vec();
        let (mut reads, mut writes) = (0, 0);
        for target in self.shared.targets.all() {
            let counts = target.cluster.requests();
            reads += counts.reads;
            writes += counts.writes;
        }
        counters.push(("plumb_cluster_reads_total", "Requests to clusters that read", reads));
        counters.push(("plumb_cluster_writes_total", "Requests to clusters that write", writes));
        counters
    }

    /// Returns the key of a unit of this installation.
    pub fn key(&self, namespace: &str, name: &str) -> NodeKey {
        NodeKey {
            installation: Arc::clone(&self.shared.installation),
            kind: NodeKind::Unit,
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}
