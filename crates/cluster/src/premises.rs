//! Owns what settled values rest on beside the objects: the definitions of their kinds, and the mutating webhooks that are called for them.
//! Both are watched as compactly as a change can be told by, and only what units use is looked at. A change voids what rested on it: the
//! objects concerned are to be applied once more.
//! Must not stand in anybody's way: where it may not look it says so, and a change goes unnoticed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use plumb_manifest::{Digest, Gvk, ObjectKey};
use plumb_plan::{INSTALLATION_LABEL, UnitHash};
use plumb_schema::Schema;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::Cluster;
use crate::cluster::{WeakCluster, read_value};
use crate::definition::ground;
use crate::error::{Class, ClusterError, classify};
use crate::ground::Grounds;
use crate::lines::Head;
use crate::locked;
use crate::observation::Observation;
use crate::rate::backoff;
use crate::resource::{Resource, segment};
use crate::seen::Seen;
use crate::watcher::{METADATA_LIST, Subject, Watcher};
use crate::webhook::{Webhook, differing, webhooks};
use crate::wire::{ActAs, Call};

/// How long after a change objects are applied once more: each API server learns of it by itself, and changes come in groups.
const SPREADS: Duration = Duration::from_secs(2);
/// Items in one page of a list of names.
const PAGE: usize = 500;
/// How long to wait before what could not be written down is tried again.
const STORE_RETRY: Duration = Duration::from_secs(30);
/// How often a definition is asked for that there is no answer about, before it is left to its next change.
const LOOKS: u32 = 8;

fn definitions() -> Gvk {
    Gvk::new("apiextensions.k8s.io/v1", "CustomResourceDefinition")
}

fn configurations() -> Gvk {
    Gvk::new("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration")
}

/// What settled values of one cluster rest on.
#[derive(Default)]
pub(crate) struct Premises {
    state: Mutex<State>,
    due: Notify,
    stop: CancellationToken,
}

#[derive(Default)]
struct State {
    begun: bool,
    /// What the process before this one knew; none before that was asked for.
    before: Option<Grounds>,
    /// What was last written down of it.
    stored: Grounds,
    /// The definitions of kinds that are in use, by name; followed once there is one.
    definitions: BTreeMap<Arc<str>, Definition>,
    /// The webhooks of each configuration.
    webhooks: BTreeMap<Arc<str>, Vec<Webhook>>,
    /// Kinds whose first list is here: from then on a difference is a change.
    complete: BTreeSet<Gvk>,
    /// Kinds that cannot be followed, and why.
    trouble: BTreeMap<Gvk, String>,
    /// Definitions to look at, and how often that failed.
    look: BTreeMap<Arc<str>, u32>,
    /// Webhooks that came, went or changed, by configuration.
    changed: BTreeMap<Arc<str>, Vec<Webhook>>,
}

/// A definition of kinds that are in use.
#[derive(Default)]
struct Definition {
    /// Its generation when it was last looked at; none before.
    generation: Option<i64>,
    /// What the objects of each version in use rest on.
    grounds: BTreeMap<Gvk, Option<Digest>>,
}

impl Drop for Premises {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Premises {
    /// Begins to follow what settled values rest on, for whoever observes the cluster.
    pub(crate) fn begin(&self, cluster: &Cluster) {
        if std::mem::replace(&mut locked(&self.state).begun, true) {
            return;
        }
        let (weak, stop) = (cluster.weak(), self.stop.clone());
        tokio::spawn(async move {
            let attended = async {
                if let Some(cluster) = weak.upgrade() {
                    let before = crate::ground::load(&cluster).await;
                    cluster.premises().recall(&cluster, before);
                }
                attend(weak).await;
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = attended => {}
            }
        });
    }

    /// Takes what the process before this one knew: a difference is a change.
    fn recall(&self, cluster: &Cluster, before: Option<Grounds>) {
        {
            let mut state = locked(&self.state);
            if let Some(before) = &before {
                state.webhooks.clone_from(&before.webhooks);
                state.complete.insert(configurations());
                state.stored = before.clone();
            }
            state.before = Some(before.unwrap_or_default());
        }
        self.follow(cluster, &configurations());
        // What was in use before anybody observed.
        for gvk in cluster.watched() {
            self.used(cluster, &gvk);
        }
    }

    fn follow(&self, cluster: &Cluster, gvk: &Gvk) {
        let watcher = Watcher::new(cluster, gvk, Subject::Premise, &Arc::default());
        tokio::spawn(watcher.run(self.stop.clone()));
    }

    /// Notes that a kind is in use and served: if it has a definition, that counts from now on.
    pub(crate) fn used(&self, cluster: &Cluster, gvk: &Gvk) {
        if Schema::builtin().is_builtin(&gvk.group, &gvk.kind) {
            return;
        }
        let Some(resource) = cluster.discovery().known(gvk) else { return };
        let name: Arc<str> = format!("{}.{}", resource.plural, gvk.group).into();
        let first = {
            let mut state = locked(&self.state);
            let Some(before) = &state.before else { return };
            if state.definitions.get(&name).is_some_and(|known| known.grounds.contains_key(gvk)) {
                return;
            }
            let before = before.definitions.get(&gvk.to_string()).copied();
            let first = state.definitions.is_empty();
            state.definitions.entry(name.clone()).or_default().grounds.insert(gvk.clone(), before);
            first
        };
        if first {
            self.follow(cluster, &definitions());
        }
        // At once: what changes before it was looked at goes unnoticed.
        let cluster = cluster.clone();
        tokio::spawn(async move { look(&cluster, name, 0).await });
    }

    /// Takes an event of a definition or a configuration.
    pub(crate) fn event(&self, gvk: &Gvk, head: &Head<'_>, deleted: bool, object: &[u8]) -> Result<(), serde_json::Error> {
        let name: Arc<str> = head.meta.name.as_ref().into();
        let mut state = locked(&self.state);
        if *gvk == definitions() {
            let Some(known) = state.definitions.get_mut(&name) else { return Ok(()) };
            if deleted {
                // Its objects are gone with it. Should it come back, it is another one.
                known.generation = Some(-1);
            } else if known.generation.is_some_and(|generation| Some(generation) != head.meta.generation) {
                state.look.insert(name, 0);
                self.due.notify_one();
            }
            return Ok(());
        }
        let now = if deleted { Vec::new() } else { webhooks(&serde_json::from_slice::<Value>(object)?) };
        self.configured(&mut state, name, now);
        Ok(())
    }

    fn configured(&self, state: &mut State, name: Arc<str>, now: Vec<Webhook>) {
        let before = if now.is_empty() { state.webhooks.remove(&name) } else { state.webhooks.insert(name.clone(), now.clone()) };
        if state.complete.contains(&configurations()) {
            let differ = differing(&before.unwrap_or_default(), &now);
            if !differ.is_empty() {
                state.changed.entry(name).or_default().extend(differ);
                self.due.notify_one();
            }
        }
    }

    /// Takes a finished list: what it lacks is gone.
    pub(crate) fn complete(&self, cluster: &Cluster, gvk: &Gvk, seen: &Seen) {
        {
            let mut state = locked(&self.state);
            if *gvk == configurations() {
                let key = |name: &Arc<str>| ObjectKey { name: name.clone(), ..ObjectKey::new(&gvk.group, &gvk.kind, None, "") };
                let is_gone = |name: &Arc<str>| !seen.contains(&key(name));
                let gone: Vec<Arc<str>> = state.webhooks.keys().filter(|name| is_gone(name)).cloned().collect();
                gone.into_iter().for_each(|name| self.configured(&mut state, name, Vec::new()));
            }
            state.complete.insert(gvk.clone());
        }
        self.due.notify_one();
        self.well(cluster, gvk);
    }

    /// Says that a kind cannot be followed.
    pub(crate) fn trouble(&self, cluster: &Cluster, gvk: &Gvk, message: &str) {
        let message = format!("{message}; until then it goes unnoticed when one changes what objects were settled as");
        if locked(&self.state).trouble.insert(gvk.clone(), message.clone()).as_deref() != Some(&message) {
            cluster.index().tell(Observation::Trouble { gvk: gvk.clone(), message: Some(message) });
        }
    }

    /// Says that a kind can be followed again.
    pub(crate) fn well(&self, cluster: &Cluster, gvk: &Gvk) {
        if locked(&self.state).trouble.remove(gvk).is_some() {
            cluster.index().tell(Observation::Trouble { gvk: gvk.clone(), message: None });
        }
    }

    /// Returns what cannot be followed, and why.
    pub(crate) fn troubles(&self) -> BTreeMap<Gvk, String> {
        locked(&self.state).trouble.clone()
    }

    /// Returns what is worth writing down, if it is another than what was.
    fn unstored(&self) -> Option<Grounds> {
        let state = locked(&self.state);
        if !state.complete.contains(&configurations()) || !state.changed.is_empty() {
            return None;
        }
        let mut definitions = state.before.clone().unwrap_or_default().definitions;
        let known = state.definitions.values().flat_map(|known| &known.grounds);
        definitions.extend(known.filter_map(|(gvk, ground)| Some((gvk.to_string(), (*ground)?))));
        let now = Grounds { webhooks: state.webhooks.clone(), definitions };
        (now != state.stored).then_some(now)
    }

    fn is_due(&self) -> bool {
        let state = locked(&self.state);
        !state.look.is_empty() || !state.changed.is_empty()
    }

    /// Takes what a definition says now; returns the kinds in use that rest on something else than before.
    fn looked(&self, name: &Arc<str>, definition: &Value) -> Vec<Gvk> {
        let mut state = locked(&self.state);
        let Some(known) = state.definitions.get_mut(name) else { return Vec::new() };
        known.generation = Some(definition.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default());
        let mut changed = Vec::new();
        for (gvk, before) in &mut known.grounds {
            // A version that is not there any more has no objects to settle.
            let Some(now) = ground(definition, &gvk.version) else { continue };
            if before.replace(now).is_some_and(|before| before != now) {
                changed.push(gvk.clone());
            }
        }
        changed
    }
}

impl Cluster {
    /// Returns what cannot be watched, and why: of objects, and of what their settled values rest on.
    pub fn troubles(&self) -> BTreeMap<Gvk, String> {
        let mut troubles = self.premises().troubles();
        troubles.extend(self.index().troubles());
        troubles
    }
}

/// Looks at what changed, and says what that voids.
async fn attend(cluster: WeakCluster) {
    loop {
        let Some(strong) = cluster.upgrade() else { return };
        let premises = strong.premises().clone();
        drop(strong);
        premises.due.notified().await;
        let Some(cluster) = cluster.upgrade() else { return };
        if premises.is_due() {
            tokio::time::sleep(SPREADS).await;
            let looks = std::mem::take(&mut locked(&premises.state).look);
            for (name, tries) in looks {
                look(&cluster, name, tries).await;
            }
            let changed = std::mem::take(&mut locked(&premises.state).changed);
            for (name, webhooks) in changed {
                let mut voided = Voided::default();
                for webhook in &webhooks {
                    voided.by_webhook(&cluster, webhook).await;
                }
                voided.tell(&cluster, format!("MutatingWebhookConfiguration {name} changed"));
            }
        }
        if let Some(grounds) = premises.unstored() {
            match crate::ground::store(&cluster, &grounds).await {
                Ok(()) => locked(&premises.state).stored = grounds,
                Err(error) => {
                    tracing::debug!("what settled values rest on could not be written down: {error}");
                    remind(&cluster, STORE_RETRY);
                }
            }
        }
    }
}

/// Has what is due looked at again after a time.
fn remind(cluster: &Cluster, after: Duration) {
    let weak = cluster.weak();
    tokio::spawn(async move {
        tokio::time::sleep(after).await;
        if let Some(cluster) = weak.upgrade() {
            cluster.premises().due.notify_one();
        }
    });
}

/// Looks at a definition, and voids what rests on what it said before.
async fn look(cluster: &Cluster, name: Arc<str>, tries: u32) {
    let (own, what) = (ActAs::default(), format!("CustomResourceDefinition {name}"));
    let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{}", segment(&name));
    let read = cluster.wire().fetch(&Call::get(path, &what, &own)).await.and_then(|body| read_value(&body, &what));
    let premises = cluster.premises();
    match read {
        Ok(definition) => {
            premises.well(cluster, &definitions());
            let mut voided = Voided::default();
            let changed = premises.looked(&name, &definition);
            // It is to be written down.
            premises.due.notify_one();
            for gvk in changed {
                voided.kind(cluster, &gvk, &|_| true);
            }
            voided.tell(cluster, format!("{what} changed"));
        }
        // Served by an API server of its own, or gone.
        Err(error) if classify(&error) == Class::NotFound => {}
        Err(error) if classify(&error).passes_by_itself() && tries < LOOKS => {
            locked(&premises.state).look.insert(name, tries + 1);
            remind(cluster, backoff(tries + 4));
        }
        Err(error) => premises.trouble(cluster, &definitions(), &format!("cannot read {what}: {error}")),
    }
}

/// What one change voids.
#[derive(Default)]
struct Voided {
    kinds: BTreeSet<(Arc<str>, Arc<str>)>,
    units: BTreeSet<UnitHash>,
    /// Which namespaces a selector selects; none where that could not be told.
    namespaces: BTreeMap<Box<str>, Option<BTreeSet<ObjectKey>>>,
}

impl Voided {
    fn kind(&mut self, cluster: &Cluster, gvk: &Gvk, concerns: &dyn Fn(&ObjectKey) -> bool) {
        self.kinds.insert((gvk.group.clone(), gvk.kind.clone()));
        self.units.extend(cluster.index().void(gvk, concerns));
    }

    /// Voids the objects that a webhook is, or was, called for. What cannot be told counts as if it were.
    async fn by_webhook(&mut self, cluster: &Cluster, webhook: &Webhook) {
        for gvk in cluster.watched() {
            let Some(resource) = cluster.discovery().known(&gvk).filter(|resource| webhook.is_called_for(resource)) else { continue };
            let namespaces = match &webhook.namespaces {
                Some(selector) => self.selected_namespaces(cluster, selector).await,
                None => None,
            };
            let objects = match &webhook.objects {
                Some(selector) => selected(cluster, &resource, selector, true).await.ok(),
                None => None,
            };
            self.kind(cluster, &gvk, &|key| {
                // Only a namespaced object has a namespace to be selected by; a Namespace is its own.
                let namespace = key.namespace.as_deref().or((&*key.kind == "Namespace").then_some(&*key.name));
                let is_in = |names: &BTreeSet<ObjectKey>| namespace.is_none_or(|name| names.iter().any(|key| *key.name == *name));
                namespaces.as_ref().is_none_or(is_in) && objects.as_ref().is_none_or(|keys| keys.contains(key))
            });
        }
    }

    async fn selected_namespaces(&mut self, cluster: &Cluster, selector: &str) -> Option<BTreeSet<ObjectKey>> {
        if let Some(known) = self.namespaces.get(selector) {
            return known.clone();
        }
        let found = match cluster.resource(&Gvk::new("v1", "Namespace")).await {
            Ok(resource) => selected(cluster, &resource, selector, false).await.ok(),
            Err(_) => None,
        };
        self.namespaces.insert(selector.into(), found.clone());
        found
    }

    fn tell(self, cluster: &Cluster, what: String) {
        if !self.kinds.is_empty() {
            cluster.index().tell(Observation::Voided { kinds: self.kinds, units: self.units, what });
        }
    }
}

/// Returns the keys of a kind's objects with some labels, only the stamped ones if asked.
async fn selected(cluster: &Cluster, resource: &Resource, selector: &str, stamped: bool) -> Result<BTreeSet<ObjectKey>, ClusterError> {
    let (own, what) = (ActAs::default(), format!("the names of {}", resource.gvk));
    let stamp = if stamped { format!("{INSTALLATION_LABEL}={},", cluster.installation()) } else { String::new() };
    let base = format!("{}?labelSelector={}", resource.collection(None), segment(&format!("{stamp}{selector}")));
    let (mut keys, mut next) = (BTreeSet::new(), String::new());
    loop {
        let mut call = Call::get(format!("{base}&limit={PAGE}&continue={}", segment(&next)), &what, &own);
        call.accept = Some(METADATA_LIST);
        let body = cluster.wire().fetch(&call).await?;
        let page: Names =
            serde_json::from_slice(&body).map_err(|error| ClusterError::Unreadable { what: what.clone(), reason: error.to_string() })?;
        keys.extend(page.items.into_iter().map(|item| resource.key(Some(&item.metadata.namespace), &item.metadata.name)));
        next = page.metadata.next;
        if next.is_empty() {
            return Ok(keys);
        }
    }
}

#[derive(Deserialize)]
struct Names {
    #[serde(default)]
    metadata: Continue,
    #[serde(default)]
    items: Vec<Named>,
}

#[derive(Default, Deserialize)]
struct Continue {
    #[serde(default, rename = "continue")]
    next: String,
}

#[derive(Deserialize)]
struct Named {
    metadata: Name,
}

#[derive(Deserialize)]
struct Name {
    name: String,
    #[serde(default)]
    namespace: String,
}
