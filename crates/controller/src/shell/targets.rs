//! Owns the clusters: connecting, the lease, reading what lies there at a start, and turning what their watches see into events.
//! Must not write anything but what keeps the lease.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use plumb_cluster::{
    Cluster, ConnectOptions, Inventories, InventoryRecord, KubeconfigSource, Lease, LeaseOptions, LeaseState, Rate, Reach,
};
use plumb_manifest::{Digest, Gvk};
use plumb_unit::{NodeKey, OnDelete};
use tokio::sync::watch;

use super::Shared;
use super::keep::Beside;
use crate::clock::now_ms;
use crate::core::{Class, Event, Facts, Failure, ShardId, Want};

/// The only share of the work: one process does all of it.
pub(crate) const SHARD: ShardId = ShardId(0);
/// The API server counts a lease's transitions from 0; to the core 0 is "never held".
const CORE_EPOCHS_FROM: u64 = 1;
/// How long to wait before a cluster that does not answer is tried again.
/// How long a build waits for the records of its target before it is tried again.
const RESTORED: Duration = Duration::from_secs(20);
const RECONNECT: Duration = Duration::from_secs(2);

/// Which clusters there are and how they are reached.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The kubeconfig file; none for what `$KUBECONFIG` or the home folder names.
    pub kubeconfig: Option<PathBuf>,
    /// Contexts, each a cluster's name; the first one is the default, and holds the lease.
    pub contexts: Vec<Arc<str>>,
    /// Requests per second to each.
    pub requests_per_second: u32,
}

/// One cluster that answers, or answered once.
pub(crate) struct Target {
    pub(crate) name: Arc<str>,
    pub(crate) cluster: Cluster,
    pub(crate) inventories: Inventories,
    reread_ms: AtomicU64,
    /// Whether its records were read: before that, nothing is known of what was installed.
    restored: watch::Sender<bool>,
}

impl Target {
    /// Reads everything that is watched again, unless that was done within half the interval: one reread serves all units that ask for it.
    pub(crate) fn reread_if_older(&self, interval: Option<Duration>) {
        let Some(interval) = interval else { return self.cluster.reread() };
        let (now, half) = (now_ms(), u64::try_from(interval.as_millis() / 2).unwrap_or(u64::MAX));
        if now.saturating_sub(self.reread_ms.load(Ordering::Relaxed)) >= half {
            self.reread_ms.store(now, Ordering::Relaxed);
            self.cluster.reread();
        }
    }
}

/// All clusters.
pub(crate) struct Targets {
    options: ClusterOptions,
    connected: Mutex<BTreeMap<Arc<str>, Arc<Target>>>,
    lease: Mutex<Option<Lease>>,
    /// Whether the lease was ever held: before that another process may write, and what is read then is stale at once.
    held: watch::Sender<bool>,
}

impl Targets {
    pub(crate) fn new(options: ClusterOptions) -> Self {
        Self { options, connected: Mutex::default(), lease: Mutex::default(), held: watch::channel(false).0 }
    }

    /// Returns the registered name that a unit's target means: an empty one means the default cluster.
    pub(crate) fn name(&self, asked: &Arc<str>) -> Option<Arc<str>> {
        if asked.is_empty() {
            self.options.contexts.first().cloned()
        } else {
            self.options.contexts.iter().find(|name| *name == asked).cloned()
        }
    }

    /// Returns the registered names, the default one first.
    pub(crate) fn names(&self) -> &[Arc<str>] {
        &self.options.contexts
    }

    /// Returns a cluster that was connected.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Target>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Returns every cluster that was connected.
    pub(crate) fn all(&self) -> Vec<Arc<Target>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Returns the fence of one of the core's epochs; none before the lease was striven for.
    pub(crate) fn fence(&self, epoch: u64) -> Option<plumb_cluster::Fence> {
        let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        lease.as_ref().map(|lease| lease.fence(epoch.saturating_sub(CORE_EPOCHS_FROM)))
    }

    /// Gives the lease back. Writes must have ended.
    pub(crate) async fn release(&self) {
        let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(lease) = lease {
            lease.release().await;
        }
    }
}

/// Connects to a cluster, restores what lies there, and reports what happens to it until told to stop.
pub(crate) async fn attend(shared: Arc<Shared>, name: Arc<str>, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        _ = stop.wait_for(|stopping| *stopping) => {}
        () = attend_for_ever(&shared, &name) => {}
    }
}

async fn attend_for_ever(shared: &Arc<Shared>, name: &Arc<str>) {
    let target = connected(shared, name).await;
    if shared.targets.names().first() == Some(name) {
        let lease = Lease::start(&target.cluster, &holder(), LeaseOptions::default());
        let state = lease.watch();
        *shared.targets.lease.lock().unwrap_or_else(PoisonError::into_inner) = Some(lease);
        tokio::spawn(follow_lease(Arc::clone(shared), state));
    }
    if shared.targets.held.subscribe().wait_for(|held| *held).await.is_err() {
        return;
    }
    restore(shared, &target).await;
    let mut observations = target.cluster.observe();
    let mut reach = target.cluster.reach();
    shared.tell(Event::Reach(Arc::clone(name), true));
    loop {
        tokio::select! {
            observation = observations.recv() => match observation {
                Some(observation) => super::watching::observed(shared, &target, observation),
                None => return,
            },
            changed = reach.changed() => {
                if changed.is_err() {
                    return;
                }
                let answers = !matches!(*reach.borrow_and_update(), Reach::Down(_));
                shared.tell(Event::Reach(Arc::clone(name), answers));
            }
        }
    }
}

async fn connected(shared: &Arc<Shared>, name: &Arc<str>) -> Arc<Target> {
    let mut said = String::new();
    loop {
        match connect(shared, name).await {
            Ok(target) => {
                let target = Arc::new(target);
                shared.targets.connected.lock().unwrap_or_else(PoisonError::into_inner).insert(Arc::clone(name), Arc::clone(&target));
                return target;
            }
            Err(error) => {
                let text = error.to_string();
                if text != said {
                    tracing::warn!(cluster = &**name, "cannot connect: {text}");
                    said = text;
                }
                shared.tell(Event::Reach(Arc::clone(name), false));
                tokio::time::sleep(RECONNECT).await;
            }
        }
    }
}

async fn connect(shared: &Shared, name: &Arc<str>) -> Result<Target, plumb_cluster::ClusterError> {
    let options = &shared.targets.options;
    let kubeconfig = options.kubeconfig.as_ref().map_or(KubeconfigSource::Environment, |path| KubeconfigSource::File(path.clone()));
    let mut connect = ConnectOptions::new(kubeconfig, Some(name), &shared.installation, shared.redactor.clone());
    connect.rate = Rate { per_second: f64::from(options.requests_per_second), burst: options.requests_per_second.saturating_mul(2) };
    let cluster = Cluster::connect(connect).await?;
    let inventories = Inventories::new(&cluster);
    Ok(Target { name: Arc::clone(name), cluster, inventories, reread_ms: AtomicU64::new(now_ms()), restored: watch::Sender::new(false) })
}

/// Reads all records of a cluster and tells the core of them, until it succeeds: without them nothing may be decided.
async fn restore(shared: &Arc<Shared>, target: &Arc<Target>) {
    loop {
        match target.inventories.load().await {
            Ok(loaded) => {
                for (map, reason) in &loaded.damaged {
                    tracing::error!(
                        cluster = &*target.name,
                        "the inventory in ConfigMap {map} cannot be read, its unit prunes nothing: {reason}"
                    );
                }
                for record in &loaded.records {
                    target.cluster.recall_endings(&record.unit, &record.inventory);
                }
                let kinds: Vec<Gvk> = loaded.records.iter().flat_map(kinds).collect();
                target.cluster.watch(kinds.iter().cloned());
                // Until a kind's first list is in, nothing is known of its objects; a kind that cannot be listed says so by itself.
                for gvk in kinds {
                    let _ = target.cluster.synced(&gvk).await;
                }
                for record in loaded.records {
                    restore_unit(shared, target, record);
                }
                target.restored.send_replace(true);
                return;
            }
            Err(error) => {
                tracing::warn!(cluster = &*target.name, "cannot read the inventories: {error}");
                shared.tell(Event::Reach(Arc::clone(&target.name), false));
                tokio::time::sleep(RECONNECT).await;
            }
        }
    }
}

fn kinds(record: &InventoryRecord) -> impl Iterator<Item = Gvk> + '_ {
    let unique: std::collections::BTreeSet<Gvk> = record
        .inventory
        .items
        .iter()
        .map(|item| Gvk { group: Arc::clone(&item.key.group), version: item.version.as_str().into(), kind: Arc::clone(&item.key.kind) })
        .collect();
    unique.into_iter()
}

fn restore_unit(shared: &Arc<Shared>, target: &Target, record: InventoryRecord) {
    let beside = match Beside::read(&record.gates) {
        Ok(beside) => beside,
        Err(error) => {
            tracing::error!(unit = %record.unit, "the gates beside the inventory cannot be read, the unit is left alone: {error}");
            return;
        }
    };
    let node = record.unit.clone();
    let facts = Facts {
        inventory: digest(&record),
        owned: u32::try_from(record.inventory.items.len()).unwrap_or(u32::MAX),
        synced: (!record.revisions.is_empty()).then(|| record.revisions.clone()),
        unit: beside.spec,
        kept: beside.kept.clone(),
        crashes: shared.crashes.count(&node),
        declared_from: beside.declared_from.clone(),
        target: Arc::clone(&target.name),
        on_delete: beside.on_delete.unwrap_or(OnDelete::Orphan),
    };
    let before = shared.units.claimed(&node);
    shared.units.with(&node, |memory| {
        memory.beside = beside;
        // Another process may have gone on meanwhile.
        memory.next = None;
        memory.answers = None;
        memory.lives_in = Some(Arc::clone(&target.name));
        memory.record = record;
    });
    shared.units.claim(&node, &target.name, &before, &shared.units.claimed(&node));
    shared.tell(Event::Restored(node, facts));
}

/// Returns the hash of what a record says is owned.
pub(crate) fn digest(record: &InventoryRecord) -> Digest {
    let items: Vec<String> = record.inventory.items.iter().map(|item| format!("{} {} {}", item.key, item.version, item.manifest)).collect();
    Digest::of_parts(items.iter().map(String::as_bytes))
}

/// Tells the core of the lease. Another process may have written before it came (back) here, so the records are read again first.
async fn follow_lease(shared: Arc<Shared>, mut state: watch::Receiver<LeaseState>) {
    let mut epoch_before = None;
    loop {
        let now = state.borrow_and_update().clone();
        match now {
            LeaseState::Held { epoch } => {
                if epoch_before.is_some_and(|before| before != epoch) {
                    for target in shared.targets.all() {
                        restore(&shared, &target).await;
                    }
                }
                epoch_before = Some(epoch);
                shared.targets.held.send_replace(true);
                tracing::info!(epoch, "holds the lease");
                shared.tell(Event::Lease(SHARD, Some(epoch + CORE_EPOCHS_FROM)));
            }
            LeaseState::Waiting { holder, trouble } => {
                tracing::info!(holder, trouble, "does not hold the lease");
                shared.tell(Event::Lease(SHARD, None));
            }
        }
        if state.changed().await.is_err() {
            return;
        }
    }
}

/// A name that no other process has.
fn holder() -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let mut random = [0; 8];
    // Without randomness the process id and the time still tell processes apart.
    let _ = aws_lc_rs::rand::fill(&mut random);
    let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{random}", host.trim(), std::process::id())
}

/// Returns the cluster that a unit's record lies in, or will.
pub(crate) fn of(shared: &Shared, unit: &NodeKey) -> Option<Arc<Target>> {
    let (lives_in, declared) = shared.units.read(unit, |memory| (memory.lives_in.clone(), memory.target()))?;
    let name = lives_in.or_else(|| shared.targets.name(&declared?))?;
    shared.targets.get(&name)
}

/// Returns the cluster that a want is for: the unit's own, or the one its record lies in when it is gone.
pub(crate) fn of_want(shared: &Shared, unit: &NodeKey, want: &Want) -> Result<Arc<Target>, Failure> {
    let name = match &want.unit {
        Some(unit) => shared.targets.name(&unit.target.cluster).ok_or_else(|| unknown(shared, &unit.target.cluster))?,
        None => shared
            .units
            .read(unit, |memory| memory.lives_in.clone())
            .flatten()
            // One that never was anywhere, as when its declaration could not be followed, owns nothing: any cluster can tell.
            .or_else(|| shared.targets.names().first().cloned())
            .ok_or_else(|| Failure::new(Class::Input, format!("no record of {unit} is known")))?,
    };
    shared.targets.get(&name).ok_or_else(|| Failure::new(Class::Unreachable, format!("cluster {name} does not answer")))
}

/// Waits until a target's records were read.
pub(crate) async fn restored(target: &Target) -> Result<(), Failure> {
    let mut restored = target.restored.subscribe();
    match tokio::time::timeout(RESTORED, restored.wait_for(|restored| *restored)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Failure::new(Class::Transient, format!("the records of cluster {} are not read yet", target.name))),
    }
}

/// Returns the error for a cluster that nobody registered.
pub(crate) fn unknown(shared: &Shared, asked: &str) -> Failure {
    let known: Vec<&str> = shared.targets.names().iter().map(|name| &**name).collect();
    Failure::new(Class::Input, format!("cluster `{asked}` is not registered; there are: {}", known.join(", ")))
}
