//! Owns what is known of the stamped objects of one cluster, kept as packed bytes and hashes: what watches saw and what applies answered,
//! whichever came first.
//! Must not keep a tree of an object, or anything of an object without a stamp.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use plumb_manifest::{Digest, Gvk, ObjectKey};
use plumb_plan::{FieldChange, Health, HealthStatus, ObjectRules, Redactor, Settled, UnitHash, applied_fields, drift, health, read_stamps};
use serde_json::Value;
use tokio::sync::{Notify, mpsc};

use crate::lines::{Head, head};
use crate::locked;
use crate::managed;

/// What a watch or a failed look-up has to tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// All stamped objects of the kind are in the index: what is not there is not there.
    Synced(Gvk),
    /// The kind cannot be watched, and why; none: it can again. Its objects in the index are as they were last seen.
    Trouble {
        /// The kind.
        gvk: Gvk,
        /// Why.
        message: Option<String>,
    },
    /// A stamped object that this process did not write.
    Appeared {
        /// What.
        key: ObjectKey,
        /// Whose its stamps say it is.
        unit: Option<UnitHash>,
    },
    /// Fields are not what they were settled as.
    Drifted {
        /// What.
        key: ObjectKey,
        /// Whose.
        unit: Option<UnitHash>,
        /// Each field, with who changed it.
        changes: Vec<FieldChange>,
    },
    /// The fields are again what they were settled as, and this process did not do it.
    Restored {
        /// What.
        key: ObjectKey,
        /// Whose.
        unit: Option<UnitHash>,
    },
    /// An object is gone, or lost its stamp, and this process did not do it.
    Deleted {
        /// What.
        key: ObjectKey,
        /// Whose it was.
        unit: Option<UnitHash>,
        /// Its UID.
        uid: String,
    },
    /// Nobody took observations for so long that some were dropped: everything is to be judged again.
    Overflow,
    /// An object does otherwise than before.
    Health {
        /// What.
        key: ObjectKey,
        /// Whose.
        unit: Option<UnitHash>,
        /// How it does.
        health: Health,
    },
}

/// How a stamped object is, as last seen.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectState {
    /// What.
    pub key: ObjectKey,
    /// Its UID.
    pub uid: String,
    /// The unit that its stamps name.
    pub unit: Option<UnitHash>,
    /// The manifest that its stamps name.
    pub manifest: Option<Digest>,
    /// How it does.
    pub health: Health,
    /// Where it is not as settled.
    pub drift: Vec<FieldChange>,
    /// Whether it is being deleted.
    pub deleting: bool,
}

/// What is kept of one object.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The API version at which its settled values were read.
    pub(crate) version: Arc<str>,
    pub(crate) uid: Box<str>,
    pub(crate) resource_version: Box<str>,
    pub(crate) unit: Option<UnitHash>,
    pub(crate) manifest: Option<Digest>,
    pub(crate) prune_disabled: bool,
    pub(crate) deleting: bool,
    pub(crate) health: HealthStatus,
    pub(crate) message: Box<str>,
    /// What the server settled our applied values as; none where no Apply entry of ours was found.
    pub(crate) settled: Option<Settled>,
    /// Paths that are somebody else's.
    pub(crate) rules: Arc<ObjectRules>,
    /// Whether an autoscaler sets its replicas, as last looked up.
    pub(crate) scaled: bool,
    /// Where the live object is not as settled; empty most of the time.
    pub(crate) drift: Box<[FieldChange]>,
    pub(crate) generation: Option<i64>,
    /// Whether our entry covers the manifest that the stamp names.
    pub(crate) covers: Covers,
    content: Digest,
    status: Digest,
}

impl Entry {
    fn state(&self, key: &ObjectKey) -> ObjectState {
        let (uid, drift) = (self.uid.to_string(), self.drift.to_vec());
        ObjectState {
            key: key.clone(),
            uid,
            unit: self.unit,
            manifest: self.manifest,
            health: self.health(),
            drift,
            deleting: self.deleting,
        }
    }

    /// Returns whether nothing that a manifest can set differs.
    pub(crate) fn same_content(&self, other: &Self) -> bool {
        self.uid == other.uid && self.content == other.content
    }

    pub(crate) fn health(&self) -> Health {
        Health { status: self.health, message: self.message.to_string() }
    }
}

/// Whether our managedFields entry holds all that the manifest says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Covers {
    /// It does: this process applied it, or compared it.
    Yes,
    /// Not compared yet; the fieldsV1 of our entry, to be compared when the manifest is at hand.
    Unproven(Option<Box<[u8]>>),
}

/// What is kept of a kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct KindState {
    pub(crate) synced: bool,
    pub(crate) trouble: Option<String>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<ObjectKey, Entry>,
    flights: BTreeMap<ObjectKey, Flights>,
    waiters: BTreeMap<ObjectKey, Vec<Arc<Notify>>>,
    kinds: BTreeMap<Gvk, KindState>,
}

/// Requests about an object that are under way, and what the watch said meanwhile.
#[derive(Default)]
struct Flights {
    count: usize,
    /// The newest event, held back: it may show our own write, whose answer is not here yet.
    pending: Option<(Gvk, bool, Vec<u8>)>,
}

/// Observations that wait to be taken at most; an observer that is slower misses some, and is told so.
pub const MAX_WAITING: usize = 1 << 16;

/// What is known of a cluster's stamped objects.
pub(crate) struct Index {
    state: Mutex<State>,
    outlet: Mutex<Outlet>,
    redactor: Redactor,
}

#[derive(Default)]
struct Outlet {
    sender: Option<mpsc::Sender<Observation>>,
    lost: bool,
}

/// Bytes that the index holds, for tests and metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexSize {
    /// Objects.
    pub objects: usize,
    /// Bytes of their packed settled values.
    pub settled_bytes: usize,
}

impl Index {
    pub(crate) fn new(redactor: Redactor) -> Self {
        Self { state: Mutex::default(), outlet: Mutex::default(), redactor }
    }

    pub(crate) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Returns what is observed from now on. An earlier observer gets nothing more.
    pub(crate) fn observe(&self) -> mpsc::Receiver<Observation> {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        *locked(&self.outlet) = Outlet { sender: Some(sender), lost: false };
        receiver
    }

    pub(crate) fn tell(&self, observation: Observation) {
        let mut outlet = locked(&self.outlet);
        let Some(sender) = outlet.sender.clone() else { return };
        if outlet.lost {
            // One place is kept for this word.
            outlet.lost = sender.capacity() < 2 || sender.try_send(Observation::Overflow).is_err();
        }
        if outlet.lost || sender.capacity() < 2 || sender.try_send(observation).is_err() {
            outlet.lost = !sender.is_closed();
        }
    }

    pub(crate) fn get(&self, key: &ObjectKey) -> Option<Entry> {
        locked(&self.state).objects.get(key).cloned()
    }

    /// Runs a reader over one entry without copying it.
    pub(crate) fn with<T>(&self, key: &ObjectKey, read: impl FnOnce(Option<&Entry>) -> T) -> T {
        read(locked(&self.state).objects.get(key))
    }

    /// Returns how each object does that a unit's stamps are on.
    pub(crate) fn of_unit(&self, unit: UnitHash) -> Vec<ObjectState> {
        let state = locked(&self.state);
        let of_unit = state.objects.iter().filter(|(_, entry)| entry.unit == Some(unit));
        of_unit.map(|(key, entry)| entry.state(key)).collect()
    }

    pub(crate) fn state(&self, key: &ObjectKey) -> Option<ObjectState> {
        locked(&self.state).objects.get(key).map(|entry| entry.state(key))
    }

    pub(crate) fn kind(&self, gvk: &Gvk) -> KindState {
        locked(&self.state).kinds.get(gvk).cloned().unwrap_or_default()
    }

    /// Returns whether an object's kind is listed, so that what is not in the index is not there.
    pub(crate) fn lists(&self, key: &ObjectKey) -> bool {
        let state = locked(&self.state);
        state.kinds.iter().any(|(gvk, kind)| gvk.group == key.group && gvk.kind == key.kind && kind.synced && kind.trouble.is_none())
    }

    pub(crate) fn size(&self) -> IndexSize {
        let state = locked(&self.state);
        IndexSize {
            objects: state.objects.len(),
            settled_bytes: state.objects.values().filter_map(|entry| entry.settled.as_ref()).map(|settled| settled.as_bytes().len()).sum(),
        }
    }

    /// Marks a request about an object as under way until the guard is dropped: events of it wait for the answer.
    pub(crate) fn flight(self: &Arc<Self>, key: &ObjectKey) -> Flight {
        locked(&self.state).flights.entry(key.clone()).or_default().count += 1;
        Flight { index: self.clone(), key: key.clone() }
    }

    /// Calls `notify` whenever something about one of these objects changes, until the guard is dropped.
    pub(crate) fn listen(self: &Arc<Self>, keys: &[ObjectKey], notify: &Arc<Notify>) -> Listening {
        let mut state = locked(&self.state);
        for key in keys {
            state.waiters.entry(key.clone()).or_default().push(notify.clone());
        }
        Listening { index: self.clone(), keys: keys.to_vec(), notify: notify.clone() }
    }

    /// Takes what the server answered to our own write of an object: what it answers now *is* settled. `sent` is what was applied.
    pub(crate) fn applied(
        &self,
        gvk: &Gvk,
        key: &ObjectKey,
        answer: &[u8],
        live: &Value,
        sent: &Sent<'_>,
    ) -> Result<Arc<Entry>, serde_json::Error> {
        let head = head(answer)?;
        let manager = sent.unit.manager();
        let settled = Settled::read(key, sent.object, live, &manager, &self.redactor).ok();
        let how = health(live);
        let entry = Entry {
            version: gvk.version.clone(),
            settled,
            rules: sent.rules.clone(),
            scaled: sent.scaled,
            drift: Box::default(),
            covers: Covers::Yes,
            ..Entry::plain(&head, live, how)
        };
        let copy = Arc::new(entry.clone());
        let mut state = locked(&self.state);
        if state.objects.get(key).is_none_or(|known| !is_older(&entry.resource_version, &known.resource_version)) {
            state.objects.insert(key.clone(), entry);
        }
        wake(&mut state, key);
        Ok(copy)
    }

    /// Notes that our entry was compared with the manifest and covers it, and which rules hold.
    pub(crate) fn proven(&self, key: &ObjectKey, uid: &str, rules: Arc<ObjectRules>, settled: Option<Settled>, changes: Vec<FieldChange>) {
        if let Some(entry) = locked(&self.state).objects.get_mut(key).filter(|entry| &*entry.uid == uid) {
            entry.covers = Covers::Yes;
            entry.rules = rules;
            entry.settled = settled.or(entry.settled.take());
            entry.drift = changes.into();
        }
    }

    /// Notes whether an autoscaler sets an object's replicas: then they are no drift.
    pub(crate) fn scaled(&self, key: &ObjectKey, scaled: bool) {
        if let Some(entry) = locked(&self.state).objects.get_mut(key) {
            entry.scaled = scaled;
            if scaled {
                entry.drift = entry.drift.iter().filter(|change| !is_replicas(change)).cloned().collect();
            }
        }
    }

    /// Takes an object out because this process deleted or released it, or found it gone.
    pub(crate) fn removed(&self, key: &ObjectKey, uid: &str) {
        let mut state = locked(&self.state);
        if state.objects.get(key).is_some_and(|entry| &*entry.uid == uid) {
            state.objects.remove(key);
        }
        wake(&mut state, key);
    }

    /// Takes an event of a watch. What it means is added to `out`.
    pub(crate) fn event(&self, gvk: &Gvk, key: &ObjectKey, deleted: bool, object: &[u8]) -> Result<(), serde_json::Error> {
        let head = head(object)?;
        {
            let mut state = locked(&self.state);
            if let Some(flights) = state.flights.get_mut(key) {
                flights.pending = Some((gvk.clone(), deleted, object.to_vec()));
                return Ok(());
            }
            if deleted {
                let observation = gone(&mut state, key, &head);
                drop(state);
                observation.into_iter().for_each(|observation| self.tell(observation));
                return Ok(());
            }
            if let Some(entry) = state.objects.get_mut(key) {
                if *entry.resource_version == *head.meta.version || is_older(&head.meta.version, &entry.resource_version) {
                    return Ok(());
                }
                if *entry.uid == *head.meta.uid
                    && (entry.content, entry.status, entry.deleting) == (head.content, head.status, head.meta.deleting)
                {
                    entry.generation = head.meta.generation;
                    entry.resource_version = head.meta.version.as_ref().into();
                    return Ok(());
                }
            }
        }
        let live: Value = serde_json::from_slice(object)?;
        self.changed(gvk, key, &head, &live, object);
        Ok(())
    }

    fn changed(&self, gvk: &Gvk, key: &ObjectKey, head: &Head<'_>, live: &Value, object: &[u8]) {
        let before = self.get(key).filter(|entry| *entry.uid == *head.meta.uid);
        let entry = self.fresh(gvk, key, head, live, before.as_ref());
        if entry.version != gvk.version {
            // Another version of the same object: the watch of the version that it was applied at tells.
            return;
        }
        let mut state = locked(&self.state);
        if let Some(flights) = state.flights.get_mut(key) {
            flights.pending = Some((gvk.clone(), false, object.to_vec()));
            return;
        }
        if state.objects.get(key).is_some_and(|known| is_older(&entry.resource_version, &known.resource_version)) {
            return;
        }
        let means = meaning(key, before.as_ref(), &entry);
        state.objects.insert(key.clone(), entry);
        wake(&mut state, key);
        drop(state);
        means.into_iter().for_each(|observation| self.tell(observation));
    }

    /// Takes a finished list: what the index has of the kind and the list has not is gone. Objects under way are left alone.
    pub(crate) fn absent(&self, gvk: &Gvk, seen: &BTreeSet<ObjectKey>) {
        let mut state = locked(&self.state);
        let missing: Vec<ObjectKey> = of_kind(&state, gvk).filter(|key| !seen.contains(key) && !state.flights.contains_key(key)).collect();
        for key in missing {
            if let Some(entry) = state.objects.remove(&key) {
                self.tell(Observation::Deleted { key: key.clone(), unit: entry.unit, uid: entry.uid.into() });
            }
            wake(&mut state, &key);
        }
    }

    /// Returns whether a finished list lacks objects that the index has: then it is to be asked twice.
    pub(crate) fn lacks(&self, gvk: &Gvk, seen: &BTreeSet<ObjectKey>) -> bool {
        let state = locked(&self.state);
        of_kind(&state, gvk).any(|key| !seen.contains(&key))
    }

    pub(crate) fn synced(&self, gvk: &Gvk) {
        let mut state = locked(&self.state);
        let kind = state.kinds.entry(gvk.clone()).or_default();
        if kind.trouble.take().is_some() {
            self.tell(Observation::Trouble { gvk: gvk.clone(), message: None });
        }
        kind.synced = true;
        self.tell(Observation::Synced(gvk.clone()));
        wake_kind(&mut state, gvk);
    }

    /// A kind whose watch was resumed: what was wrong is over.
    pub(crate) fn synced_again(&self, gvk: &Gvk) {
        let over = locked(&self.state).kinds.get_mut(gvk).is_some_and(|kind| kind.trouble.take().is_some());
        if over {
            self.tell(Observation::Trouble { gvk: gvk.clone(), message: None });
            wake_kind(&mut locked(&self.state), gvk);
        }
    }

    pub(crate) fn trouble(&self, gvk: &Gvk, message: &str) {
        let mut state = locked(&self.state);
        let kind = state.kinds.entry(gvk.clone()).or_default();
        if kind.trouble.as_deref() != Some(message) {
            kind.trouble = Some(message.to_owned());
            self.tell(Observation::Trouble { gvk: gvk.clone(), message: Some(message.to_owned()) });
        }
        wake_kind(&mut state, gvk);
    }

    /// Drops all that is known of a kind that is no longer watched.
    pub(crate) fn forget(&self, gvk: &Gvk) {
        let mut state = locked(&self.state);
        let keys: Vec<ObjectKey> = of_kind(&state, gvk).collect();
        for key in keys {
            state.objects.remove(&key);
        }
        state.kinds.remove(gvk);
    }

    /// Makes an entry of a live object that a watch told of. Values that were settled before stand while unit and manifest are the same.
    fn fresh(&self, gvk: &Gvk, key: &ObjectKey, head: &Head<'_>, live: &Value, before: Option<&Entry>) -> Entry {
        let plain = Entry::plain(head, live, health(live));
        let manager = plain.unit.map(|unit| unit.manager()).unwrap_or_default();
        let standing = before.filter(|entry| entry.unit == plain.unit && entry.manifest == plain.manifest && entry.settled.is_some());
        let applied_at = managed::own(live, &manager).and_then(|entry| entry.version.rsplit('/').next().map(Arc::from));
        let version = applied_at.or_else(|| before.map(|entry| entry.version.clone())).unwrap_or_else(|| gvk.version.clone());
        if let Some(standing) = standing {
            let Some(settled) = &standing.settled else { return plain };
            let mut changes = drift(key, settled, live, &manager, &standing.rules, &self.redactor);
            if standing.scaled {
                changes.retain(|change| !is_replicas(change));
            }
            return Entry {
                version,
                settled: Some(settled.clone()),
                rules: standing.rules.clone(),
                scaled: standing.scaled,
                drift: changes.into(),
                covers: standing.covers.clone(),
                ..plain
            };
        }
        // Seen for the first time, or applied by another process: what is ours now is as it was applied, and what is not is told when the
        // manifest is at hand. The live object stands in for the manifest.
        let fields = applied_fields(live, &manager).map(|fields| fields.to_string().into_bytes().into_boxed_slice());
        let settled = Settled::read(key, live, live, &manager, &self.redactor).ok();
        let scaled = before.is_some_and(|entry| entry.scaled);
        Entry { version, settled, scaled, covers: Covers::Unproven(fields), ..plain }
    }
}

/// Returns whether a change is one of a workload's number of replicas.
pub(crate) fn is_replicas(change: &FieldChange) -> bool {
    use plumb_manifest::Segment::Key;
    matches!(change.path.0.as_slice(), [Key(spec), Key(replicas)] if spec == "spec" && replicas == "replicas")
}

/// What was sent in an apply.
pub(crate) struct Sent<'a> {
    pub(crate) unit: UnitHash,
    /// The object, with its stamps.
    pub(crate) object: &'a Value,
    pub(crate) rules: Arc<ObjectRules>,
    pub(crate) scaled: bool,
}

impl Entry {
    fn plain(head: &Head<'_>, live: &Value, health: Health) -> Self {
        let stamps = read_stamps(live);
        Self {
            version: Arc::from(""),
            uid: head.meta.uid.as_ref().into(),
            resource_version: head.meta.version.as_ref().into(),
            unit: stamps.unit,
            manifest: stamps.manifest,
            prune_disabled: stamps.prune_disabled,
            deleting: head.meta.deleting,
            health: health.status,
            message: health.message.into(),
            settled: None,
            rules: no_rules(),
            scaled: false,
            drift: Box::default(),
            generation: head.meta.generation,
            covers: Covers::Unproven(None),
            content: head.content,
            status: head.status,
        }
    }
}

/// One empty set of rules for all objects that have none.
pub(crate) fn no_rules() -> Arc<ObjectRules> {
    static NONE: std::sync::LazyLock<Arc<ObjectRules>> = std::sync::LazyLock::new(Arc::default);
    NONE.clone()
}

/// The objects of a kind, in key order: keys sort by group and kind first.
fn of_kind<'s>(state: &'s State, gvk: &'s Gvk) -> impl Iterator<Item = ObjectKey> + 's {
    let first = ObjectKey { group: gvk.group.clone(), kind: gvk.kind.clone(), namespace: None, name: "".into() };
    state
        .objects
        .range(first..)
        .take_while(|(key, _)| key.group == gvk.group && key.kind == gvk.kind)
        .filter(|(_, entry)| entry.version == gvk.version)
        .map(|(key, _)| key.clone())
}

fn gone(state: &mut State, key: &ObjectKey, head: &Head<'_>) -> Option<Observation> {
    let entry = state.objects.get(key)?;
    if *entry.uid != *head.meta.uid || is_older(&head.meta.version, &entry.resource_version) {
        return None;
    }
    let entry = state.objects.remove(key)?;
    wake(state, key);
    Some(Observation::Deleted { key: key.clone(), unit: entry.unit, uid: entry.uid.into() })
}

/// Returns what a change from one entry to the next means.
fn meaning(key: &ObjectKey, before: Option<&Entry>, now: &Entry) -> Vec<Observation> {
    let unit = now.unit;
    let Some(before) = before else { return vec![Observation::Appeared { key: key.clone(), unit }] };
    let mut means = Vec::new();
    if before.health != now.health || before.message != now.message {
        means.push(Observation::Health { key: key.clone(), unit, health: now.health() });
    }
    if before.drift != now.drift {
        let (key, changes) = (key.clone(), now.drift.to_vec());
        means.push(if changes.is_empty() { Observation::Restored { key, unit } } else { Observation::Drifted { key, unit, changes } });
    } else if (before.unit, before.manifest) != (now.unit, now.manifest) {
        means.push(Observation::Appeared { key: key.clone(), unit });
    }
    means
}

fn wake(state: &mut State, key: &ObjectKey) {
    for waiter in state.waiters.get(key).into_iter().flatten() {
        waiter.notify_one();
    }
}

fn wake_kind(state: &mut State, gvk: &Gvk) {
    for (key, waiters) in &state.waiters {
        if key.group == gvk.group && key.kind == gvk.kind {
            waiters.iter().for_each(|waiter| waiter.notify_one());
        }
    }
}

/// Returns whether one resourceVersion is older than another. Since Kubernetes 1.35 they are comparable integers; before, they were too.
pub(crate) fn is_older(one: &str, other: &str) -> bool {
    match (one.parse::<u64>(), other.parse::<u64>()) {
        (Ok(one), Ok(other)) => one < other,
        _ => false,
    }
}

/// A request about an object that is under way. When it ends, what the watch said meanwhile is taken.
pub(crate) struct Flight {
    index: Arc<Index>,
    key: ObjectKey,
}

impl Drop for Flight {
    fn drop(&mut self) {
        let pending = {
            let mut state = locked(&self.index.state);
            let Some(flights) = state.flights.get_mut(&self.key) else { return };
            flights.count -= 1;
            if flights.count > 0 {
                return;
            }
            state.flights.remove(&self.key).and_then(|flights| flights.pending)
        };
        if let Some((gvk, deleted, object)) = pending {
            // These bytes were read once already, when they were put aside.
            let _ = self.index.event(&gvk, &self.key, deleted, &object);
        }
    }
}

/// Somebody waits for changes of some objects.
pub(crate) struct Listening {
    index: Arc<Index>,
    keys: Vec<ObjectKey>,
    notify: Arc<Notify>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut state = locked(&self.index.state);
        for key in &self.keys {
            if let Some(waiters) = state.waiters.get_mut(key) {
                waiters.retain(|waiter| !Arc::ptr_eq(waiter, &self.notify));
                if waiters.is_empty() {
                    state.waiters.remove(key);
                }
            }
        }
    }
}
