//! Owns what is known of the stamped objects of one cluster, kept as packed bytes and hashes: what watches saw and what applies answered,
//! whichever came first.
//! Must not keep a tree of an object, or anything of an object without a stamp.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use plumb_manifest::{Digest, Gvk, ObjectKey};
use plumb_plan::{FieldChange, ObjectRules, Redactor, Settled, UnitHash};
use plumb_unit::Ending;
use serde_json::Value;
use tokio::sync::{Notify, mpsc};

use crate::ended::{Ended, judge};
use crate::entry::{Covers, Entry, ObjectState, Sent, is_older, is_replicas, meaning};
use crate::lines::{Head, head};
use crate::locked;
use crate::observation::Observation;
use crate::seen::Seen;

/// What is kept of a kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct KindState {
    pub(crate) synced: bool,
    pub(crate) trouble: Option<String>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<ObjectKey, Entry>,
    /// Objects that went by themselves; of those that are there again, what was known before.
    ended: BTreeMap<ObjectKey, Ended>,
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
    /// The version of a list that lacked the object meanwhile: its deletion may be what was under way, and no event tells of it any more.
    absent_at: Option<String>,
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
        let entry = Entry::answered(gvk, key, &head, live, sent, &self.redactor);
        let copy = Arc::new(entry.clone());
        let mut state = locked(&self.state);
        if state.objects.get(key).is_none_or(|known| !is_older(&entry.resource_version, &known.resource_version)) {
            state.objects.insert(key.clone(), entry);
            state.ended.remove(key);
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

    /// Returns how an object ended that is not there, if it went by itself.
    pub(crate) fn ended(&self, key: &ObjectKey) -> Option<Ended> {
        let state = locked(&self.state);
        state.ended.get(key).filter(|ended| ended.is_over() && !state.objects.contains_key(key)).cloned()
    }

    /// Returns what is known of the end of a unit's object that was made from a manifest: the outer none where nothing is.
    pub(crate) fn ending(&self, key: &ObjectKey, unit: UnitHash, manifest: Digest) -> Option<Option<Ending>> {
        let state = locked(&self.state);
        match state.objects.get(key) {
            Some(entry) if entry.unit == Some(unit) && entry.manifest == Some(manifest) => Some(entry.ends.as_deref().cloned()),
            Some(_) => None,
            None => {
                let ended = state.ended.get(key).filter(|ended| ended.unit == unit && ended.manifest == manifest);
                ended.map(|ended| Some(ended.ending.clone()))
            }
        }
    }

    /// Takes what an inventory says of an object that ended.
    pub(crate) fn recall(&self, key: &ObjectKey, ended: Ended) {
        let mut state = locked(&self.state);
        if state.ended.get(key).is_none_or(|known| !known.seen) {
            state.ended.insert(key.clone(), ended);
        }
    }

    /// Drops what is known of the end of an object that no inventory names any more.
    pub(crate) fn disowned(&self, key: &ObjectKey) {
        locked(&self.state).ended.remove(key);
    }

    /// Voids what objects of a kind were settled as: they are unsettled until they are applied again. Returns whose they are. What somebody else
    /// changed meanwhile is drift as before; what the change itself did is not.
    pub(crate) fn void(&self, gvk: &Gvk, concerns: &dyn Fn(&ObjectKey) -> bool) -> BTreeSet<UnitHash> {
        let mut state = locked(&self.state);
        let keys: Vec<ObjectKey> = of_kind(&state, gvk).filter(|key| concerns(key)).collect();
        let mut units = BTreeSet::new();
        for key in keys {
            let Some(entry) = state.objects.get_mut(&key).filter(|entry| entry.settled.is_some()) else { continue };
            if entry.by_others {
                continue;
            }
            if !std::mem::take(&mut entry.drift).is_empty() {
                self.tell(Observation::Restored { key: key.clone(), unit: entry.unit });
            }
            entry.void = true;
            units.extend(entry.unit);
        }
        units
    }

    /// Returns the kinds that cannot be watched, and why.
    pub(crate) fn troubles(&self) -> BTreeMap<Gvk, String> {
        let state = locked(&self.state);
        state.kinds.iter().filter_map(|(gvk, kind)| Some((gvk.clone(), kind.trouble.clone()?))).collect()
    }

    /// Takes an object out because this process deleted or released it, or found it gone.
    pub(crate) fn removed(&self, key: &ObjectKey, uid: &str) {
        let mut state = locked(&self.state);
        state.ended.remove(key);
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
                let last = serde_json::from_slice(object)?;
                let observation = gone(&mut state, key, &head, &last);
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
        let entry = Entry::seen(gvk, key, head, live, before.as_ref(), &self.redactor);
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

    /// Takes a finished list of a version: what the index has of the kind and the list has not is gone. Of objects under way that is told when
    /// their requests have ended, unless those made them anew.
    pub(crate) fn absent(&self, gvk: &Gvk, seen: &Seen, version: &str) {
        let mut state = locked(&self.state);
        let missing: Vec<ObjectKey> = of_kind(&state, gvk).filter(|key| !seen.contains(key)).collect();
        for key in missing {
            match state.flights.get_mut(&key) {
                Some(flights) => flights.absent_at = Some(version.to_owned()),
                None => self.lost(&mut state, &key),
            }
        }
    }

    /// Takes an object out that is not there any more, and says so.
    fn lost(&self, state: &mut State, key: &ObjectKey) {
        if let Some(entry) = state.objects.remove(key) {
            self.tell(went(state, key, entry, None));
        }
        wake(state, key);
    }

    /// Returns whether a finished list lacks objects that the index has: then it is to be asked twice.
    pub(crate) fn lacks(&self, gvk: &Gvk, seen: &Seen) -> bool {
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

fn gone(state: &mut State, key: &ObjectKey, head: &Head<'_>, last: &Value) -> Option<Observation> {
    let entry = state.objects.get(key)?;
    if *entry.uid != *head.meta.uid || is_older(&head.meta.version, &entry.resource_version) {
        return None;
    }
    let entry = state.objects.remove(key)?;
    wake(state, key);
    Some(went(state, key, entry, Some(last)))
}

/// Says what it means that an object is gone, and keeps of it what has to be known if it went by itself.
fn went(state: &mut State, key: &ObjectKey, entry: Entry, last: Option<&Value>) -> Observation {
    let key = key.clone();
    match judge(&entry, last) {
        Some(ended) => {
            let ending = ended.ending.clone();
            state.ended.insert(key.clone(), ended);
            Observation::Ended { key, unit: entry.unit, ending }
        }
        None => {
            state.ended.remove(&key);
            Observation::Deleted { key, unit: entry.unit, uid: entry.uid.into() }
        }
    }
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

/// A request about an object that is under way. When it ends, what the watch said meanwhile is taken.
pub(crate) struct Flight {
    index: Arc<Index>,
    key: ObjectKey,
}

impl Drop for Flight {
    fn drop(&mut self) {
        let Flights { pending, absent_at, .. } = {
            let mut state = locked(&self.index.state);
            let Some(flights) = state.flights.get_mut(&self.key) else { return };
            flights.count -= 1;
            if flights.count > 0 {
                return;
            }
            state.flights.remove(&self.key).unwrap_or_default()
        };
        if let Some((gvk, deleted, object)) = pending {
            // These bytes were read once already, when they were put aside.
            let _ = self.index.event(&gvk, &self.key, deleted, &object);
        }
        if let Some(version) = absent_at {
            let mut state = locked(&self.index.state);
            if state.objects.get(&self.key).is_some_and(|entry| is_older(&entry.resource_version, &version)) {
                self.index.lost(&mut state, &self.key);
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::no_rules;
    use plumb_plan::MANIFEST_ANNOTATION;
    use plumb_unit::NodeKey;
    use serde_json::json;

    fn unit() -> NodeKey {
        NodeKey::unit("main", "a", "shop")
    }

    fn object(version: u32, value: &str) -> Value {
        let mut object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "a", "uid": "u"}, "data": {"key": value}});
        plumb_plan::stamp(&mut object, &unit(), Digest::of(b"manifest"));
        object["metadata"]["resourceVersion"] = version.to_string().into();
        let annotations = json!({"f:plumb.dev/manifest": {}, "f:plumb.dev/owner": {}});
        object["metadata"]["managedFields"] = json!([{"manager": UnitHash::of(&unit()).manager(), "operation": "Apply", "apiVersion": "v1",
            "fieldsV1": {"f:data": {"f:key": {}}, "f:metadata": {"f:annotations": annotations}}}]);
        object
    }

    struct Bench {
        index: Arc<Index>,
        key: ObjectKey,
        gvk: Gvk,
        seen: mpsc::Receiver<Observation>,
    }

    impl Bench {
        fn new() -> Self {
            let index = Arc::new(Index::new(Redactor::new([0; 32])));
            let seen = index.observe();
            Self { index, key: ObjectKey::new("", "ConfigMap", Some("a"), "x"), gvk: Gvk::new("v1", "ConfigMap"), seen }
        }

        fn answered(&self, version: u32, value: &str) {
            let live = object(version, value);
            let sent = Sent { unit: UnitHash::of(&unit()), object: &live, rules: no_rules(), scaled: false };
            self.index.applied(&self.gvk, &self.key, live.to_string().as_bytes(), &live, &sent).expect("answer");
        }

        fn watched(&mut self, object: &Value) -> Vec<Observation> {
            self.index.event(&self.gvk, &self.key, false, object.to_string().as_bytes()).expect("event");
            self.told()
        }

        fn told(&mut self) -> Vec<Observation> {
            std::iter::from_fn(|| self.seen.try_recv().ok()).collect()
        }
    }

    #[test]
    fn our_own_write_is_no_drift_whichever_way_it_is_told_first() {
        let mut bench = Bench::new();
        bench.answered(1, "one");
        // The watch first.
        let flight = bench.index.flight(&bench.key);
        assert_eq!(bench.watched(&object(2, "two")), []);
        bench.answered(2, "two");
        drop(flight);
        assert_eq!(bench.told(), []);
        // The answer first.
        bench.answered(4, "four");
        assert_eq!(bench.watched(&object(3, "three")), [], "older than the answer");
        assert_eq!(bench.watched(&object(4, "four")), []);
    }

    #[test]
    fn a_change_during_our_write_is_drift_after_it() {
        let mut bench = Bench::new();
        let flight = bench.index.flight(&bench.key);
        bench.answered(1, "one");
        assert_eq!(bench.watched(&object(2, "theirs")), []);
        drop(flight);
        let told = bench.told();
        assert!(matches!(&told[..], [Observation::Drifted { changes, .. }] if changes.len() == 1), "{told:?}");
        assert!(matches!(bench.watched(&object(3, "one"))[..], [Observation::Restored { .. }]));
    }

    #[test]
    fn what_a_list_lacked_during_our_delete_is_gone_after_it_and_what_we_made_anew_is_not() {
        let mut bench = Bench::new();
        for (answered, gone) in [(None, true), (Some(9), false)] {
            bench.answered(1, "one");
            let flight = bench.index.flight(&bench.key);
            bench.index.absent(&bench.gvk, &Seen::default(), "5");
            answered.into_iter().for_each(|version| bench.answered(version, "two"));
            assert_eq!(bench.told(), [], "the request is under way");
            drop(flight);
            assert_eq!(bench.index.get(&bench.key).is_none(), gone);
            assert_eq!(matches!(&bench.told()[..], [Observation::Deleted { .. }]), gone);
        }
    }

    #[test]
    fn stamps_that_somebody_changed_are_told_to_who_lost_them() {
        let mut bench = Bench::new();
        bench.answered(1, "one");
        let mut edited = object(2, "one");
        edited["metadata"]["annotations"][MANIFEST_ANNOTATION] = Digest::of(b"other").to_string().into();
        edited["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"] = json!({});
        assert!(matches!(bench.watched(&edited)[..], [Observation::Drifted { .. }]));
        let mut unstamped = object(3, "one");
        unstamped["metadata"]["labels"]["plumb.dev/unit"] = "0000000000000000".into();
        let told = bench.watched(&unstamped);
        assert!(matches!(&told[..], [Observation::Deleted { unit: Some(lost), .. }, ..] if *lost == UnitHash::of(&unit())), "{told:?}");
    }

    #[test]
    fn a_job_that_goes_in_its_time_ended_and_one_that_goes_before_is_missed() {
        let key = ObjectKey::new("batch", "Job", Some("a"), "x");
        let gvk = Gvk::new("batch/v1", "Job");
        let job = |version: u32, ttl: u64, deleted_at: Option<&str>| {
            let mut job = object(version, "one");
            (job["apiVersion"], job["kind"]) = ("batch/v1".into(), "Job".into());
            job["spec"] = json!({"ttlSecondsAfterFinished": ttl});
            job["status"] = json!({"conditions": [{"type": "Complete", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]});
            job["metadata"]["deletionTimestamp"] = deleted_at.into();
            job.to_string()
        };
        for (ttl, deleted_at, ended) in [
            (60, Some("2026-01-01T00:01:00Z"), true),
            (60, Some("2026-01-01T00:00:30Z"), false),
            (60, None, true),
            (1_000_000_000, None, false),
        ] {
            let mut bench = Bench::new();
            bench.index.event(&gvk, &key, false, job(1, ttl, None).as_bytes()).expect("event");
            assert!(matches!(bench.told()[..], [Observation::Finished { .. }, Observation::Appeared { .. }]));
            bench.index.event(&gvk, &key, true, job(2, ttl, deleted_at).as_bytes()).expect("event");
            let told = bench.told();
            assert_eq!(matches!(told[..], [Observation::Ended { .. }]), ended, "{ttl} {deleted_at:?} {told:?}");
            assert_eq!(bench.index.ended(&key).is_some(), ended);
            // A list that lacks it tells as much.
            bench.index.event(&gvk, &key, false, job(3, ttl, None).as_bytes()).expect("event");
            bench.index.absent(&gvk, &Seen::default(), "4");
            assert_eq!(bench.index.ended(&key).is_some(), ttl == 60);
        }
    }

    #[test]
    fn a_slow_observer_is_told_that_it_missed_something() {
        let mut bench = Bench::new();
        for _ in 0..MAX_WAITING + 10 {
            bench.index.tell(Observation::Synced(bench.gvk.clone()));
        }
        assert!(bench.told().len() < MAX_WAITING);
        bench.index.tell(Observation::Synced(bench.gvk.clone()));
        assert_eq!(bench.told(), [Observation::Overflow, Observation::Synced(bench.gvk.clone())]);
    }
}
