//! Owns the lease that makes one process the writer of an installation at one cluster: taking, renewing, losing and giving it back.
//! Must not be asked for the time of another machine: whether a lease still stands is told from this machine's monotonic clock alone.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::{Class, ClusterError, classify};
use crate::locked;
use crate::time::{micro_time, now_micros};
use crate::wire::{ActAs, Call, FenceCheck, FenceState, Wire};
use crate::{Cluster, SYSTEM_NAMESPACE};

/// How a lease is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseOptions {
    /// How long a lease stands without being renewed. Another process takes it at most this plus `retry` after its holder died.
    pub duration: Duration,
    /// How often it is renewed, and how often another process looks.
    pub retry: Duration,
    /// How long a write most often takes. A write is begun only while the lease stands for longer than this and `skew`.
    pub request: Duration,
    /// By how much clocks may run apart during one `duration`.
    pub skew: Duration,
}

impl Default for LeaseOptions {
    /// Four seconds, looked at twice a second: taken over within five seconds.
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(4),
            retry: Duration::from_millis(500),
            request: Duration::from_secs(2),
            skew: Duration::from_millis(200),
        }
    }
}

/// Who may write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// Not this process; the holder's name, if known.
    Waiting {
        /// Who holds it.
        holder: Option<String>,
        /// Why it could not be looked at, if so.
        trouble: Option<String>,
    },
    /// This process. Each time it is taken the epoch rises.
    Held {
        /// The number of times that the lease changed hands.
        epoch: u64,
    },
}

/// The right to write while the lease stands.
#[derive(Clone, Debug)]
pub struct Fence {
    standing: Arc<Mutex<Standing>>,
    epoch: u64,
    margin: Duration,
}

#[derive(Debug, Default)]
struct Standing {
    epoch: Option<u64>,
    until: Option<Instant>,
}

impl Fence {
    /// Returns the epoch in which it was given.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Returns whether a write may begin: the lease is the one this fence was given in, and stands longer than a request takes.
    pub fn holds(&self) -> bool {
        self.state() == FenceState::Holds
    }

    /// Returns whether a write may begin, and if not whether to wait. A late lease may still be this process's: its keeper renews it, which
    /// succeeds only if nobody else has taken it, or says that it is lost.
    pub fn state(&self) -> FenceState {
        let standing = locked(&self.standing);
        match standing.until {
            _ if standing.epoch != Some(self.epoch) => FenceState::Lost,
            Some(until) if Instant::now() + self.margin < until => FenceState::Holds,
            Some(_) => FenceState::Late,
            None => FenceState::Lost,
        }
    }

    /// Returns the same question as a closure.
    pub fn check(&self) -> FenceCheck {
        let fence = self.clone();
        Arc::new(move || fence.state())
    }
}

/// A process's part in the lease of an installation. Dropping it stops renewing; [`Lease::release`] gives the lease back.
pub struct Lease {
    standing: Arc<Mutex<Standing>>,
    state: watch::Receiver<LeaseState>,
    options: LeaseOptions,
    stop: CancellationToken,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Lease {
    /// Begins to strive for the lease `plumb-<installation>` and to renew it. Names of holders must be unique among processes.
    pub fn start(cluster: &Cluster, holder: &str, options: LeaseOptions) -> Self {
        let (sender, state) = watch::channel(LeaseState::Waiting { holder: None, trouble: None });
        let standing = Arc::new(Mutex::new(Standing::default()));
        let stop = CancellationToken::new();
        let keeper = Keeper {
            wire: cluster.wire().clone(),
            name: format!("plumb-{}", cluster.installation()),
            holder: holder.to_owned(),
            options,
            standing: standing.clone(),
            sender,
            seen: None,
        };
        let task = tokio::spawn(keeper.run(stop.clone()));
        Self { standing, state, options, stop, task: Some(task) }
    }

    /// Returns who may write now.
    pub fn state(&self) -> LeaseState {
        self.state.borrow().clone()
    }

    /// Returns a receiver that is told of every change.
    pub fn watch(&self) -> watch::Receiver<LeaseState> {
        self.state.clone()
    }

    /// Waits until this process holds the lease and returns its fence.
    pub async fn held(&self) -> Result<Fence, ClusterError> {
        let mut state = self.state.clone();
        loop {
            if let LeaseState::Held { epoch } = *state.borrow_and_update() {
                return Ok(self.fence(epoch));
            }
            state.changed().await.map_err(|_| ClusterError::Stopped)?;
        }
    }

    /// Returns the fence of an epoch; it holds only while that epoch does.
    pub fn fence(&self, epoch: u64) -> Fence {
        Fence { standing: self.standing.clone(), epoch, margin: self.options.request + self.options.skew }
    }

    /// Gives the lease back, so that another process takes it at once. Writes must have ended before.
    pub async fn release(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            let _ = task.await;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        *locked(&self.standing) = Standing::default();
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(skip_serializing_if = "Option::is_none")]
    holder_identity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_duration_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acquire_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renew_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lease_transitions: Option<u64>,
}

#[derive(Deserialize)]
struct Body {
    metadata: Meta,
    #[serde(default)]
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    resource_version: String,
}

/// What was last seen of the lease, and when it last changed by this machine's clock.
struct Seen {
    version: String,
    spec: Spec,
    since: Instant,
}

struct Keeper {
    wire: Arc<Wire>,
    name: String,
    holder: String,
    options: LeaseOptions,
    standing: Arc<Mutex<Standing>>,
    sender: watch::Sender<LeaseState>,
    seen: Option<Seen>,
}

impl Keeper {
    async fn run(mut self, stop: CancellationToken) {
        loop {
            let begun = Instant::now();
            let step = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                step = tokio::time::timeout(self.options.duration, self.step()) => step,
            };
            match step {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.failed(&error),
                Err(_) => self.failed(&self.wire.unreachable("the lease was not answered for".to_owned())),
            }
            let rest = self.options.retry.saturating_sub(begun.elapsed());
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(rest) => {}
            }
        }
        self.give_back().await;
    }

    /// Looks at the lease, and takes or renews it.
    async fn step(&mut self) -> Result<(), ClusterError> {
        if self.seen.is_none() {
            self.look().await?;
        }
        let Some(seen) = &self.seen else { return self.create().await };
        // No other process has this name: nobody wrote since it was last renewed, however late that now is, and none can in between.
        if self.is_mine(&seen.spec) {
            // Once it was said to be lost, holding it again is a new epoch: what began in the old one must not go on.
            let lost = locked(&self.standing).epoch.is_none();
            return self.put(lost).await;
        }
        // Somebody else's: its end is told by watching it not change.
        if seen.spec.holder_identity.as_deref().unwrap_or_default().is_empty() || seen.since.elapsed() >= self.duration_of(&seen.spec) {
            return self.put(true).await;
        }
        self.look().await
    }

    fn is_mine(&self, spec: &Spec) -> bool {
        spec.holder_identity.as_deref() == Some(&self.holder)
    }

    /// How long the lease stands by its own word, never shorter than what this process grants.
    fn duration_of(&self, spec: &Spec) -> Duration {
        let told = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok()).map_or(Duration::ZERO, Duration::from_secs);
        told.max(self.options.duration).min(Duration::from_secs(3600))
    }

    fn path(&self) -> String {
        format!("/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases")
    }

    fn what(&self) -> String {
        format!("Lease {SYSTEM_NAMESPACE}/{}", self.name)
    }

    async fn look(&mut self) -> Result<(), ClusterError> {
        let (what, own) = (self.what(), ActAs::default());
        let mut call = Call::get(format!("{}/{}", self.path(), self.name), &what, &own);
        call.urgent = true;
        let answer = self.wire.send(&call).await?;
        if answer.status == 404 {
            self.seen = None;
            return Ok(());
        }
        let body = answer.success(&what)?;
        self.saw(&body)?;
        if let (Some(seen), None) = (&self.seen, locked(&self.standing).epoch) {
            let holder = seen.spec.holder_identity.clone().filter(|holder| !holder.is_empty());
            self.tell(LeaseState::Waiting { holder, trouble: None });
        }
        Ok(())
    }

    fn saw(&mut self, body: &[u8]) -> Result<(), ClusterError> {
        let read: Body =
            serde_json::from_slice(body).map_err(|error| ClusterError::Unreadable { what: self.what(), reason: error.to_string() })?;
        let version = read.metadata.resource_version;
        if self.seen.as_ref().is_none_or(|seen| seen.version != version) {
            self.seen = Some(Seen { version, spec: read.spec, since: Instant::now() });
        }
        Ok(())
    }

    async fn create(&mut self) -> Result<(), ClusterError> {
        let begun = Instant::now();
        let spec = self.spec(None);
        match self.write(Method::POST, self.path(), &spec, None).await {
            Ok(body) => {
                self.saw(&body)?;
                self.hold(0, begun);
                Ok(())
            }
            Err(error) if classify(&error) == Class::NotFound => {
                crate::inventory::ensure_namespace(&self.wire).await?;
                Ok(())
            }
            Err(error) if classify(&error) == Class::Conflict => self.look().await,
            Err(error) => Err(error),
        }
    }

    /// Renews the lease, or takes it.
    async fn put(&mut self, take: bool) -> Result<(), ClusterError> {
        let begun = Instant::now();
        let Some(seen) = &self.seen else { return Ok(()) };
        let spec = self.spec(Some((&seen.spec, take)));
        let epoch = spec.lease_transitions.unwrap_or_default();
        let version = seen.version.clone();
        match self.write(Method::PUT, format!("{}/{}", self.path(), self.name), &spec, Some(&version)).await {
            Ok(body) => {
                self.saw(&body)?;
                self.hold(epoch, begun);
                Ok(())
            }
            Err(error) if matches!(classify(&error), Class::Conflict | Class::NotFound) => self.doubt().await,
            Err(error) => Err(error),
        }
    }

    /// Finds out who wrote the lease: another process, or this one with a renewal that it took for failed.
    async fn doubt(&mut self) -> Result<(), ClusterError> {
        self.seen = None;
        let looked = self.look().await;
        if !self.seen.as_ref().is_some_and(|seen| self.is_mine(&seen.spec)) {
            self.lose();
        }
        looked
    }

    fn spec(&self, before: Option<(&Spec, bool)>) -> Spec {
        let now = micro_time(now_micros());
        let taken = before.is_none_or(|(_, take)| take);
        Spec {
            holder_identity: Some(self.holder.clone()),
            lease_duration_seconds: Some(i64::try_from(self.options.duration.as_secs_f64().ceil() as u64).unwrap_or(1).max(1)),
            acquire_time: if taken { Some(now.clone()) } else { before.and_then(|(spec, _)| spec.acquire_time.clone()) },
            renew_time: Some(now),
            lease_transitions: Some(before.map_or(0, |(spec, take)| spec.lease_transitions.unwrap_or_default() + u64::from(take))),
        }
    }

    async fn write(&self, method: Method, path: String, spec: &Spec, version: Option<&str>) -> Result<bytes::Bytes, ClusterError> {
        let (what, own) = (self.what(), ActAs::default());
        let mut metadata = Map::new();
        metadata.insert("name".to_owned(), self.name.clone().into());
        metadata.insert("namespace".to_owned(), SYSTEM_NAMESPACE.into());
        if let Some(version) = version {
            metadata.insert("resourceVersion".to_owned(), version.into());
        }
        let body =
            serde_json::json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": Value::Object(metadata), "spec": spec});
        let mut call = Call::write(method, path, &what, &own, "application/json", body.to_string().into_bytes());
        call.urgent = true;
        self.wire.fetch(&call).await
    }

    /// The lease stands from when the request *began*: the server may have carried it out at any moment after.
    fn hold(&self, epoch: u64, begun: Instant) {
        *locked(&self.standing) = Standing { epoch: Some(epoch), until: Some(begun + self.options.duration) };
        self.tell(LeaseState::Held { epoch });
    }

    fn lose(&self) {
        *locked(&self.standing) = Standing::default();
        self.tell(LeaseState::Waiting { holder: None, trouble: None });
    }

    /// A lease that has run out is not given up at once: writes wait, and if it can be renewed nobody else had it, so they go on.
    fn failed(&mut self, error: &ClusterError) {
        let expired = locked(&self.standing).until.is_some_and(|until| Instant::now() >= until + self.options.duration);
        if expired {
            self.lose();
            self.seen = None;
        }
        if locked(&self.standing).epoch.is_none() {
            self.tell(LeaseState::Waiting { holder: None, trouble: Some(error.to_string()) });
        }
    }

    async fn give_back(&mut self) {
        let held = locked(&self.standing).epoch.is_some();
        self.lose();
        if let (true, Some(seen)) = (held, &self.seen) {
            let spec = Spec { holder_identity: Some(String::new()), ..self.spec(Some((&seen.spec, false))) };
            let (path, version) = (format!("{}/{}", self.path(), self.name), seen.version.clone());
            // A lease that cannot be given back runs out by itself.
            let _ = tokio::time::timeout(self.options.duration, self.write(Method::PUT, path, &spec, Some(&version))).await;
        }
    }

    fn tell(&self, now: LeaseState) {
        self.sender.send_if_modified(|state| {
            let turned = *state != now;
            *state = now;
            turned
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_fence_ends_before_its_lease_does() {
        let options = LeaseOptions::default();
        let standing = Arc::new(Mutex::new(Standing { epoch: Some(3), until: Some(Instant::now() + options.duration) }));
        let fence = Fence { standing: standing.clone(), epoch: 3, margin: options.request + options.skew };
        assert!(fence.holds());
        tokio::time::advance(options.duration - options.request - options.skew).await;
        assert_eq!(fence.state(), FenceState::Late, "it may be renewed yet");
        *locked(&standing) = Standing { epoch: Some(3), until: Some(Instant::now() + options.duration) };
        assert_eq!(fence.state(), FenceState::Holds, "it was renewed");
        *locked(&standing) = Standing { epoch: Some(4), until: Some(Instant::now() + options.duration) };
        assert_eq!(fence.state(), FenceState::Lost, "a later epoch is not this one");
        *locked(&standing) = Standing::default();
        assert_eq!(fence.state(), FenceState::Lost, "nobody holds it");
    }
}
