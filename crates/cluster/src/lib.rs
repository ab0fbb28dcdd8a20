//! Owns a Kubernetes API as target: the index of what is managed there, apply, wait, prune, inventories and the lease. The only crate that
//! knows `kube` and `k8s-openapi`. Must not decide what is to be done: plans come from `plumb-plan`, orders from the controller.
//!
//! A [`Cluster`] is one API server with its identity pinned. What is done on behalf of a unit goes through [`Acting`], which carries the
//! unit's account and cannot be empty. [`Cluster::facts`] is what a plan is made from, [`Acting::sync`] carries a plan out,
//! [`Cluster::observe`] tells what changed since, [`Inventories`] keeps what each unit owns, and a [`Lease`] says who may write.
#![expect(clippy::disallowed_methods, reason = "this crate is an edge: it reads kubeconfigs and the clock")]

mod answers;
mod apply;
mod ask;
mod cluster;
mod connect;
mod definition;
mod delete;
mod discovery;
mod ended;
mod entry;
mod error;
mod facts;
mod fault;
mod ground;
mod hook;
mod index;
mod inventory;
mod lease;
mod lines;
mod live;
mod look;
mod managed;
mod observation;
mod observe;
mod premises;
mod rate;
mod resource;
mod scaler;
mod seen;
mod step;
mod sync;
mod time;
mod wait;
mod watcher;
mod webhook;
mod wire;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use answers::{MAX_ANSWERS, StoredAnswers};
pub use apply::Adoption;
pub use ask::{MAX_LOOKUP_BYTES, Served};
pub use cluster::{Acting, Cluster};
pub use connect::{
    Account, ConnectOptions, DEFAULT_CONNECTIONS, DEFAULT_RATE, DEFAULT_REQUEST_TIMEOUT, Identity, KubeconfigSource, contexts,
};
pub use entry::ObjectState;
pub use error::{Cause, Class, ClusterError, Refusal, classify};
pub use facts::Facts;
pub use fault::{BadFault, Fault};
pub use index::{IndexSize, MAX_WAITING};
pub use inventory::{Inventories, InventoryRecord, Loaded, MAX_PART, MAX_PARTS};
pub use lease::{Fence, Lease, LeaseOptions, LeaseState};
pub use lines::MAX_LINE;
pub use live::{Child, ObjectEvent};
pub use managed::gives_way;
pub use observation::Observation;
pub use rate::Rate;
pub use resource::Resource;
pub use sync::{Adopt, DEFAULT_CONCURRENCY, Failure, SyncOptions, SyncOutcome, unfenced};
pub use wire::{FenceCheck, FenceState, MAX_ANSWER, Reach, RequestCounts};

/// The namespace for what the operator itself keeps in a target.
pub const SYSTEM_NAMESPACE: &str = "plumb-system";

/// Locks, also after a panic elsewhere: what is behind these locks is whole after every statement.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
