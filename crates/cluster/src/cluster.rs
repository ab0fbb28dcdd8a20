//! Owns one cluster: its connection, its identity, the kinds that it serves, and the index of what is stamped there.
//! Must not decide anything; it is what the rest of this crate hangs on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use plumb_manifest::Gvk;
use plumb_unit::ServiceAccountRef;
use serde_json::Value;
use tokio::sync::watch;

use crate::SYSTEM_NAMESPACE;
use crate::connect::{Account, ConnectOptions, Identity, connect};
use crate::discovery::Discovery;
use crate::error::ClusterError;
use crate::index::Index;
use crate::inventory::ensure_namespace;
use crate::locked;
use crate::observe::Watches;
use crate::premises::Premises;
use crate::resource::Resource;
use crate::wire::{ActAs, Call, Reach, RequestCounts, Wire};

/// A Kubernetes API as target. Clones share everything.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    wire: Arc<Wire>,
    installation: Arc<str>,
    discovery: Arc<Discovery>,
    /// The UID of `kube-system` when it was registered, and another one if that answers now.
    identity: Mutex<(String, Option<String>)>,
    impersonates_already: bool,
    index: Arc<Index>,
    watches: Watches,
    premises: Arc<Premises>,
    /// How often the server had ceased to answer when its identity was last asked for.
    verified: AtomicU64,
}

/// A cluster that its own background tasks do not keep alive.
#[derive(Clone)]
pub(crate) struct WeakCluster(Weak<Inner>);

impl WeakCluster {
    pub(crate) fn upgrade(&self) -> Option<Cluster> {
        self.0.upgrade().map(|inner| Cluster { inner })
    }
}

impl Cluster {
    /// Connects, and pins which cluster it is by the UID of `kube-system`.
    ///
    /// Errors: the kubeconfig cannot be used, would run a program, or points at files it may not; no answer; another cluster than registered.
    pub async fn connect(options: ConnectOptions) -> Result<Self, ClusterError> {
        let connected = connect(&options).await?;
        let wire = Arc::new(connected.wire);
        let found = system_uid(&wire).await?;
        let expected = options.identity.unwrap_or_else(|| found.clone());
        let other = (found != expected).then_some(found);
        let index = Arc::new(Index::new(options.redactor));
        let inner = Inner {
            wire,
            installation: options.installation,
            discovery: Arc::default(),
            identity: Mutex::new((expected, other)),
            impersonates_already: connected.impersonates_already,
            watches: Watches::default(),
            premises: Arc::default(),
            index,
            verified: AtomicU64::new(0),
        };
        let cluster = Self { inner: Arc::new(inner) };
        cluster.same()?;
        Ok(cluster)
    }

    /// Makes sure that the namespace is there in which the operator keeps inventories and the lease.
    pub async fn prepare(&self) -> Result<(), ClusterError> {
        let own = ActAs::default();
        let what = format!("Namespace {SYSTEM_NAMESPACE}");
        let answer = self.inner.wire.send(&Call::get(format!("/api/v1/namespaces/{SYSTEM_NAMESPACE}"), &what, &own)).await?;
        if answer.status == 404 { ensure_namespace(&self.inner.wire).await } else { answer.success(&what).map(|_| ()) }
    }

    /// Returns the UID of `kube-system` that is pinned.
    pub fn identity(&self) -> String {
        locked(&self.inner.identity).0.clone()
    }

    /// Returns an error while another cluster answers at the address.
    pub fn same(&self) -> Result<(), ClusterError> {
        let identity = locked(&self.inner.identity);
        match &identity.1 {
            None => Ok(()),
            Some(found) => Err(ClusterError::OtherCluster {
                server: self.inner.wire.server().to_owned(),
                expected: identity.0.clone(),
                found: found.clone(),
            }),
        }
    }

    /// Asks again which cluster answers. Done before absences in a list are believed.
    pub(crate) async fn verify(&self) -> Result<(), ClusterError> {
        let found = system_uid(&self.inner.wire).await?;
        {
            let mut identity = locked(&self.inner.identity);
            identity.1 = (found != identity.0).then_some(found);
        }
        self.same()
    }

    /// Asks again which cluster answers, if the server had ceased to answer since it was last asked.
    pub(crate) async fn verify_after_outage(&self) -> Result<(), ClusterError> {
        let outages = self.inner.wire.outages();
        if self.inner.verified.load(Ordering::Acquire) != outages {
            self.verify().await?;
            self.inner.verified.store(outages, Ordering::Release);
        }
        self.same()
    }

    pub(crate) fn weak(&self) -> WeakCluster {
        WeakCluster(Arc::downgrade(&self.inner))
    }

    /// Returns the server's address.
    pub fn server(&self) -> &str {
        self.inner.wire.server()
    }

    /// Returns the installation's name.
    pub fn installation(&self) -> &Arc<str> {
        &self.inner.installation
    }

    /// Returns a receiver that is told when the server begins or ceases to answer.
    pub fn reach(&self) -> watch::Receiver<Reach> {
        self.inner.wire.reach()
    }

    /// Returns how many requests went out so far.
    pub fn requests(&self) -> RequestCounts {
        self.inner.wire.counts()
    }

    /// Returns how the cluster serves a kind, asking it when that is not known yet.
    pub async fn resource(&self, gvk: &Gvk) -> Result<Resource, ClusterError> {
        self.inner.discovery.resolve(&self.inner.wire, gvk).await
    }

    /// Returns all kinds that the cluster serves, each at its preferred version, read anew.
    pub async fn resources(&self) -> Result<Vec<Resource>, ClusterError> {
        self.inner.discovery.reread(&self.inner.wire).await?;
        Ok(self.inner.discovery.all())
    }

    /// Returns the version of a kind that the cluster prefers, if it is known to serve it.
    pub fn preferred(&self, group: &str, kind: &str) -> Option<Resource> {
        self.inner.discovery.preferred(group, kind)
    }

    /// Returns a handle whose reads and writes are made as a service account, or as the account that an administrator granted (`None`).
    ///
    /// Errors: the account is empty or not a name; the kubeconfig itself acts as somebody, and that cannot be stacked.
    pub fn acting_as(&self, account: Option<&ServiceAccountRef>) -> Result<Acting, ClusterError> {
        let identity = match account {
            None => Identity::Platform,
            Some(account) if self.inner.impersonates_already => {
                return Err(ClusterError::Identity {
                    account: format!("{}/{}", account.namespace, account.name),
                    reason: "the kubeconfig itself acts as somebody else (`as:`)".to_owned(),
                });
            }
            Some(account) => Identity::ServiceAccount(Account::new(account)?),
        };
        Ok(Acting { cluster: self.clone(), act_as: identity.headers()?, identity })
    }

    /// Returns the server's version (`v1.36.3`).
    pub async fn version(&self) -> Result<String, ClusterError> {
        let own = ActAs::default();
        let what = "the version of the cluster";
        let body = self.inner.wire.fetch(&Call::get("/version".to_owned(), what, &own)).await?;
        let value: Value = read_value(&body, what)?;
        Ok(value.get("gitVersion").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    pub(crate) fn wire(&self) -> &Arc<Wire> {
        &self.inner.wire
    }

    pub(crate) fn discovery(&self) -> &Arc<Discovery> {
        &self.inner.discovery
    }

    pub(crate) fn index(&self) -> &Arc<Index> {
        &self.inner.index
    }

    pub(crate) fn watches(&self) -> &Watches {
        &self.inner.watches
    }

    pub(crate) fn premises(&self) -> &Arc<Premises> {
        &self.inner.premises
    }
}

/// A cluster as seen and changed by one identity. Every read and write on behalf of a unit goes through one.
#[derive(Clone)]
pub struct Acting {
    pub(crate) cluster: Cluster,
    pub(crate) act_as: ActAs,
    identity: Identity,
}

impl Acting {
    /// Returns whom it acts as.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Returns the cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }
}

async fn system_uid(wire: &Wire) -> Result<String, ClusterError> {
    let own = ActAs::default();
    let what = "Namespace kube-system";
    let body = wire.fetch(&Call::get("/api/v1/namespaces/kube-system".to_owned(), what, &own)).await?;
    let uid = read_value(&body, what)?.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned);
    uid.filter(|uid| !uid.is_empty()).ok_or_else(|| ClusterError::Unreadable { what: what.to_owned(), reason: "it has no UID".to_owned() })
}

/// Reads an answer as a tree.
pub(crate) fn read_value(body: &[u8], what: &str) -> Result<Value, ClusterError> {
    serde_json::from_slice(body).map_err(|error| ClusterError::Unreadable { what: what.to_owned(), reason: error.to_string() })
}
