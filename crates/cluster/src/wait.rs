//! Owns the end conditions of phases: established, healthy, gone, endpoints ready. They are told by the watch's index; nothing is polled while
//! a kind can be watched.
//! Must not decide what a failed wait means for the rest of a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use plumb_manifest::{Gvk, ObjectKey};
use plumb_plan::{Health, HealthStatus, health};
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Acting;
use crate::error::{ClusterError, classify};
use crate::lines::{Lines, WatchLine};
use crate::resource::{Resource, segment};

use crate::wire::Call;

/// How long an object may stay degraded before waiting for it is given up: it may pass through on its way.
const DEGRADED_FOR: Duration = Duration::from_secs(10);
/// How often an object is read whose kind cannot be watched.
const UNWATCHED: Duration = Duration::from_secs(2);

/// Why a wait ended without what it was for.
#[derive(Debug)]
pub(crate) enum Unmet {
    /// These are not there yet, and why.
    TimedOut(Vec<(ObjectKey, Health)>),
    /// These failed for good.
    Failed(Vec<(ObjectKey, Health)>),
    /// The wait was stopped.
    Stopped,
    /// What was to be watched cannot be read.
    Error(ClusterError),
}

/// How a wait is bounded, and who is told of it.
pub(crate) struct Patience<'a> {
    pub(crate) until: Instant,
    pub(crate) cancel: &'a CancellationToken,
    pub(crate) waiting: &'a (dyn Fn(Vec<(ObjectKey, Health)>) + Send + Sync),
}

/// What an object is waited for.
pub(crate) struct Awaited {
    pub(crate) key: ObjectKey,
    pub(crate) gvk: Gvk,
    /// For a deletion: the UID that has to go.
    pub(crate) gone: Option<String>,
}

enum State {
    Met,
    Not(Health),
}

impl Acting {
    /// Waits until each object is healthy, or gone.
    pub(crate) async fn wait(&self, awaited: &[Awaited], patience: &Patience<'_>) -> Result<(), Unmet> {
        if awaited.is_empty() {
            return Ok(());
        }
        let cluster = &self.cluster;
        cluster.watch(awaited.iter().map(|awaited| awaited.gvk.clone()).collect::<BTreeSet<_>>());
        let keys: Vec<ObjectKey> = awaited.iter().map(|awaited| awaited.key.clone()).collect();
        let notify = Arc::new(Notify::new());
        let _listening = cluster.index().listen(&keys, &notify);
        let mut degraded: BTreeMap<&ObjectKey, Instant> = BTreeMap::new();
        let mut told = Vec::new();
        loop {
            let mut pending = Vec::new();
            let mut failed = Vec::new();
            let mut unwatched = false;
            for object in awaited {
                let (state, watched) = self.state(object).await.map_err(Unmet::Error)?;
                unwatched |= !watched;
                let State::Not(health) = state else {
                    degraded.remove(&object.key);
                    continue;
                };
                if health.status == HealthStatus::Degraded && object.gone.is_none() {
                    let since = *degraded.entry(&object.key).or_insert_with(Instant::now);
                    if since.elapsed() >= DEGRADED_FOR {
                        failed.push((object.key.clone(), health.clone()));
                    }
                } else {
                    degraded.remove(&object.key);
                }
                pending.push((object.key.clone(), health));
            }
            if pending.is_empty() {
                return Ok(());
            }
            if !failed.is_empty() {
                return Err(Unmet::Failed(failed));
            }
            if told != pending {
                (patience.waiting)(pending.clone());
                told.clone_from(&pending);
            }
            let look_again = degraded.values().map(|since| *since + DEGRADED_FOR).min();
            let look_again = look_again.into_iter().chain(unwatched.then(|| Instant::now() + UNWATCHED)).min();
            tokio::select! {
                biased;
                () = patience.cancel.cancelled() => return Err(Unmet::Stopped),
                () = tokio::time::sleep_until(patience.until) => return Err(Unmet::TimedOut(pending)),
                () = notify.notified() => {}
                () = tokio::time::sleep_until(look_again.unwrap_or(patience.until)) => {}
            }
        }
    }

    /// Returns how an object stands, and whether a watch tells.
    async fn state(&self, object: &Awaited) -> Result<(State, bool), ClusterError> {
        let index = self.cluster.index();
        let kind = index.kind(&object.gvk);
        if kind.trouble.is_none() {
            let state = index.with(&object.key, |entry| match (&object.gone, entry) {
                (Some(uid), Some(entry)) if *entry.uid == **uid => State::Not(still_there(entry.health())),
                (Some(_), _) if kind.synced => State::Met,
                (Some(_), _) => State::Not(Health { status: HealthStatus::Progressing, message: "its kind is being listed".to_owned() }),
                (None, Some(entry)) => settled_state(entry.health()),
                (None, None) => State::Not(Health { status: HealthStatus::Missing, message: "it is not there".to_owned() }),
            });
            return Ok((self.or_ended(object, state), true));
        }
        // The operator may not watch this kind: ask as the unit itself.
        let resource = self.cluster.resource(&object.gvk).await?;
        let live = self.read_object(&resource, &object.key).await?;
        let uid = |live: &serde_json::Value| live.pointer("/metadata/uid").and_then(serde_json::Value::as_str).map(str::to_owned);
        let state = match (&object.gone, live) {
            (Some(gone), Some(live)) if uid(&live).as_ref() == Some(gone) => State::Not(still_there(health(&live))),
            (Some(_), _) => State::Met,
            (None, Some(live)) => settled_state(health(&live)),
            (None, None) => State::Not(Health { status: HealthStatus::Missing, message: "it is not there".to_owned() }),
        };
        Ok((self.or_ended(object, state), false))
    }

    /// What is not there because it ended by itself is not waited for.
    fn or_ended(&self, object: &Awaited, state: State) -> State {
        match state {
            State::Not(health) if health.status == HealthStatus::Missing => match self.cluster.ended(&object.key) {
                Some(ending) => settled_state(crate::ended::health(&ending)),
                None => State::Not(health),
            },
            state => state,
        }
    }

    /// Waits until each Service has a ready endpoint.
    pub(crate) async fn wait_for_endpoints(&self, services: &[ObjectKey], patience: &Patience<'_>) -> Result<(), Unmet> {
        let mut by_namespace: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for service in services {
            by_namespace.entry(service.namespace.as_deref().unwrap_or_default()).or_default().insert(&service.name);
        }
        let resource = self.cluster.resource(&Gvk::new("discovery.k8s.io/v1", "EndpointSlice")).await.map_err(Unmet::Error)?;
        let waits = by_namespace.iter().map(|(namespace, names)| self.wait_in_namespace(&resource, namespace, names, patience));
        futures::future::try_join_all(waits).await.map(|_| ())
    }

    async fn wait_in_namespace(
        &self,
        resource: &Resource,
        namespace: &str,
        names: &BTreeSet<&str>,
        patience: &Patience<'_>,
    ) -> Result<(), Unmet> {
        let mut attempt = 0;
        let mut slices = Slices::default();
        loop {
            let end = tokio::select! {
                biased;
                () = patience.cancel.cancelled() => return Err(Unmet::Stopped),
                () = tokio::time::sleep_until(patience.until) => return Err(Unmet::TimedOut(slices.missing(namespace, names))),
                end = self.follow_slices(resource, namespace, names, &mut slices, patience) => end,
            };
            match end {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if classify(&error).passes_by_itself() => {}
                Err(error) => return Err(Unmet::Error(error)),
            }
            tokio::time::sleep(crate::rate::backoff(attempt)).await;
            attempt += 1;
        }
    }

    /// Lists and watches the EndpointSlices of some Services; true when all have a ready endpoint, false when the watch ended.
    async fn follow_slices(
        &self,
        resource: &Resource,
        namespace: &str,
        names: &BTreeSet<&str>,
        slices: &mut Slices,
        patience: &Patience<'_>,
    ) -> Result<bool, ClusterError> {
        let what = format!("the EndpointSlices of {namespace}");
        let list = names.iter().copied().collect::<Vec<_>>().join(",");
        let selector = segment(&format!("{SERVICE_LABEL} in ({list})"));
        let base = format!("{}?labelSelector={selector}", resource.collection(Some(namespace)));
        let body = self.cluster.wire().fetch(&Call::get(base.clone(), &what, &self.act_as)).await?;
        let unreadable = |error: serde_json::Error| ClusterError::Unreadable { what: what.clone(), reason: error.to_string() };
        let listed: SliceList = serde_json::from_slice(&body).map_err(unreadable)?;
        drop(body);
        slices.ready.clear();
        listed.items.into_iter().for_each(|slice| slices.take(slice, false));
        if slices.all(names) {
            return Ok(true);
        }
        (patience.waiting)(slices.missing(namespace, names));
        let path = format!("{base}&watch=true&timeoutSeconds=120&resourceVersion={}", segment(&listed.metadata.resource_version));
        let mut body = self.cluster.wire().stream(&Call::get(path, &what, &self.act_as)).await?.into_body();
        let mut lines = Lines::default();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.cluster.wire().away(&error))?;
            let Ok(data) = frame.into_data() else { continue };
            let mut expired = false;
            let fed = lines.feed(&data, |line| {
                let Ok(read) = serde_json::from_slice::<WatchLine<'_>>(line) else { return false };
                expired = read.kind == "ERROR";
                if let Ok(slice) = serde_json::from_str::<Slice>(read.object.get()) {
                    slices.take(slice, read.kind == "DELETED");
                }
                !expired
            });
            if slices.all(names) {
                return Ok(true);
            }
            if expired || fed != Ok(true) {
                return Ok(false);
            }
        }
        Ok(false)
    }
}

fn settled_state(health: Health) -> State {
    match health.status {
        HealthStatus::Healthy | HealthStatus::Suspended => State::Met,
        _ => State::Not(health),
    }
}

const SERVICE_LABEL: &str = "kubernetes.io/service-name";

#[derive(Deserialize)]
struct SliceList {
    metadata: Meta,
    #[serde(default)]
    items: Vec<Slice>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    #[serde(default)]
    name: String,
    #[serde(default)]
    resource_version: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Slice {
    #[serde(default)]
    metadata: Meta,
    /// Null where a Service has no endpoint at all.
    #[serde(default)]
    endpoints: Option<Vec<Endpoint>>,
}

#[derive(Deserialize)]
struct Endpoint {
    #[serde(default)]
    addresses: Vec<String>,
    #[serde(default)]
    conditions: Conditions,
}

#[derive(Default, Deserialize)]
struct Conditions {
    /// Not said means ready.
    ready: Option<bool>,
}

/// Which slices of which Services have a ready endpoint.
#[derive(Default)]
struct Slices {
    ready: BTreeMap<String, String>,
}

impl Slices {
    fn take(&mut self, slice: Slice, deleted: bool) {
        let ready =
            slice.endpoints.iter().flatten().any(|endpoint| !endpoint.addresses.is_empty() && endpoint.conditions.ready != Some(false));
        match slice.metadata.labels.get(SERVICE_LABEL) {
            Some(service) if ready && !deleted => self.ready.insert(slice.metadata.name, service.clone()),
            _ => self.ready.remove(&slice.metadata.name),
        };
    }

    fn has(&self, service: &str) -> bool {
        self.ready.values().any(|ready| ready == service)
    }

    fn all(&self, services: &BTreeSet<&str>) -> bool {
        services.iter().all(|service| self.has(service))
    }

    fn missing(&self, namespace: &str, services: &BTreeSet<&str>) -> Vec<(ObjectKey, Health)> {
        let missing = services.iter().filter(|service| !self.has(service));
        let health = || Health { status: HealthStatus::Progressing, message: "it has no ready endpoint".to_owned() };
        missing.map(|service| (ObjectKey::new("", "Service", Some(namespace), service), health())).collect()
    }
}

/// Returns what an object that is to go waits for. Its own health counts only once it shows that it is going.
fn still_there(health: Health) -> Health {
    let message = if health.message.starts_with("Pending deletion") { health.message } else { "it is being deleted".to_owned() };
    Health { status: HealthStatus::Progressing, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_ready_unless_it_says_no() {
        let mut slices = Slices::default();
        let slice = |endpoints: &str| -> Slice {
            serde_json::from_str(&format!(
                r#"{{"metadata":{{"name":"a-x","labels":{{"kubernetes.io/service-name":"a"}}}},"endpoints":{endpoints}}}"#
            ))
            .expect("slice")
        };
        let services = BTreeSet::from(["a"]);
        for (endpoints, ready) in [
            ("null", false),
            ("[]", false),
            (r#"[{"addresses":["1.2.3.4"],"conditions":{}}]"#, true),
            (r#"[{"addresses":["1.2.3.4"],"conditions":{"ready":false}}]"#, false),
            (r#"[{"addresses":[],"conditions":{"ready":true}}]"#, false),
        ] {
            slices.take(slice(endpoints), false);
            assert_eq!(slices.all(&services), ready, "{endpoints}");
        }
        slices.take(slice(r#"[{"addresses":["1.2.3.4"]}]"#), false);
        slices.take(slice(r#"[{"addresses":["1.2.3.4"]}]"#), true);
        assert_eq!(slices.missing("n", &services).len(), 1);
    }
}
