//! Owns which kinds are watched, and what an observer is told. How a kind is followed is the watcher's part.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use plumb_manifest::{Gvk, ObjectKey};
use plumb_plan::UnitHash;
use plumb_unit::NodeKey;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::Cluster;
use crate::cluster::WeakCluster;
use crate::entry::{ObjectState, is_replicas};
use crate::error::ClusterError;
use crate::index::IndexSize;
use crate::locked;
use crate::observation::Observation;
use crate::rate::backoff;
use crate::watcher::{Subject, Watcher};

/// The kinds that are watched.
#[derive(Default)]
pub(crate) struct Watches {
    running: Mutex<BTreeMap<Gvk, Running>>,
}

struct Running {
    stop: CancellationToken,
    reread: Arc<Notify>,
}

impl Drop for Watches {
    fn drop(&mut self) {
        for running in locked(&self.running).values() {
            running.stop.cancel();
        }
    }
}

impl Cluster {
    /// Returns what is observed from now on, of all kinds that are watched. There is one observer; an earlier one gets nothing more.
    pub fn observe(&self) -> mpsc::Receiver<Observation> {
        let raw = self.index().observe();
        let (sender, receiver) = mpsc::channel(OBSERVED);
        self.premises().begin(self);
        tokio::spawn(without_autoscalers(self.weak(), raw, sender));
        receiver
    }

    /// Returns how each object does that carries a unit's stamps, as last seen.
    pub fn objects_of(&self, unit: &NodeKey) -> Vec<ObjectState> {
        self.index().of_unit(UnitHash::of(unit))
    }

    /// Returns how a stamped object is, as last seen; none if no such is known.
    pub fn object(&self, key: &ObjectKey) -> Option<ObjectState> {
        self.index().state(key)
    }

    /// Watches these kinds from now on, beside those already watched.
    pub fn watch(&self, kinds: impl IntoIterator<Item = Gvk>) {
        for gvk in kinds {
            let mut running = locked(&self.watches().running);
            running.entry(gvk).or_insert_with_key(|gvk| {
                let (stop, reread) = (CancellationToken::new(), Arc::new(Notify::new()));
                tokio::spawn(Watcher::new(self, gvk, Subject::Stamped, &reread).run(stop.clone()));
                Running { stop, reread }
            });
        }
    }

    /// Watches these kinds and no others: those that plans and inventories name.
    pub fn watch_only(&self, kinds: &BTreeSet<Gvk>) {
        let ended: Vec<Gvk> = {
            let mut running = locked(&self.watches().running);
            let ended: Vec<Gvk> = running.keys().filter(|gvk| !kinds.contains(gvk)).cloned().collect();
            ended.iter().filter_map(|gvk| running.remove(gvk)).for_each(|running| running.stop.cancel());
            ended
        };
        ended.iter().for_each(|gvk| self.index().forget(gvk));
        self.watch(kinds.iter().cloned());
    }

    /// Returns the kinds that are watched.
    pub fn watched(&self) -> BTreeSet<Gvk> {
        locked(&self.watches().running).keys().cloned().collect()
    }

    /// Reads all watched kinds again from the start, in case a watch missed something.
    pub fn reread(&self) {
        locked(&self.watches().running).values().for_each(|running| running.reread.notify_one());
    }

    /// Has the watches of kinds try again at once that could not be watched.
    pub(crate) fn look_again(&self, kinds: &[Gvk]) {
        let running = locked(&self.watches().running);
        for gvk in kinds {
            if let Some(running) = running.get(gvk).filter(|_| self.index().kind(gvk).trouble.is_some()) {
                running.reread.notify_one();
            }
        }
    }

    /// Waits until a kind's list is in the index, or returns why it cannot be read.
    pub async fn synced(&self, gvk: &Gvk) -> Result<(), ClusterError> {
        let notify = Arc::new(Notify::new());
        let any = ObjectKey { group: gvk.group.clone(), kind: gvk.kind.clone(), namespace: None, name: "".into() };
        let _listening = self.index().listen(std::slice::from_ref(&any), &notify);
        loop {
            let state = self.index().kind(gvk);
            if let Some(message) = state.trouble {
                return Err(ClusterError::Invalid { what: gvk.to_string(), reason: message });
            }
            if state.synced {
                return Ok(());
            }
            notify.notified().await;
        }
    }

    /// Returns how much the index holds.
    pub fn index_size(&self) -> IndexSize {
        self.index().size()
    }
}

/// Observations on their way to the observer.
const OBSERVED: usize = 1024;
/// How often it is asked who scales a workload while there is no answer.
const SCALER_ATTEMPTS: u32 = 4;

/// Passes observations on. Replicas that an autoscaler sets are no drift; it is asked who did it only when they changed.
async fn without_autoscalers(cluster: WeakCluster, mut raw: mpsc::Receiver<Observation>, sender: mpsc::Sender<Observation>) {
    while let Some(mut observation) = raw.recv().await {
        if let Observation::Drifted { key, changes, .. } = &mut observation
            && changes.iter().any(is_replicas)
        {
            let Some(cluster) = cluster.upgrade() else { return };
            if is_scaled(&cluster, key).await {
                changes.retain(|change| !is_replicas(change));
                if changes.is_empty() {
                    continue;
                }
            }
        }
        if sender.send(observation).await.is_err() {
            return;
        }
    }
}

async fn is_scaled(cluster: &Cluster, key: &ObjectKey) -> bool {
    for attempt in 0..SCALER_ATTEMPTS {
        match cluster.scaler_of(key).await {
            Ok(scaler) => {
                cluster.index().scaled(key, scaler.is_some());
                return scaler.is_some();
            }
            Err(_) => tokio::time::sleep(backoff(attempt)).await,
        }
    }
    false
}
