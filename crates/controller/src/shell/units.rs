//! Owns what the shell remembers of units between effects: their declaration, record, newest build, and who claims which object.
//! Must not keep manifests of units at rest: they are built again in a millisecond.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use plumb_cluster::{Adoption, InventoryRecord};
use plumb_manifest::{Digest, Manifest, ObjectKey};
use plumb_plan::{Claim, FieldChange, Operation, Others, Plan, UnitHash, Wants};
use plumb_unit::{Ending, NodeKey, Revisions};
use plumb_world::FileTable;

use super::keep::Beside;
use crate::answers::KeptAnswers;
use crate::core::UnitNode;
use crate::releases::{Past, Release};
use crate::shell::sources::Reads;

/// What a build gave, as far as a sync needs it.
#[derive(Debug)]
pub(crate) struct BuiltUnit {
    /// Which want it was built for.
    pub(crate) seq: u64,
    /// The manifests, stamped by nobody yet.
    pub(crate) manifests: Vec<Arc<Manifest>>,
    /// Where they stand, for errors that come after the build.
    pub(crate) files: FileTable,
    /// Hash of all manifests.
    pub(crate) content: Digest,
    /// What it was built from.
    pub(crate) revisions: Revisions,
    /// What the history keeps, so that it can be built again with its sources away.
    pub(crate) input: plumb_store::BuildRecord,
    /// Why it is no evidence that something was dropped, where an answer it rests on is not whole.
    pub(crate) incomplete: Option<String>,
    /// Which installation it is; none of a build that does not ask.
    pub(crate) release: Option<Release>,
    /// How long it took, in milliseconds.
    pub(crate) build_ms: u64,
}

/// What waits for somebody's permission, and what a permission binds to. The plan's own hash will not do: it changes as the rest of the plan
/// is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// What an approval names.
    pub(crate) digest: Digest,
    /// The holds of the plan, each with the live versions it rests on.
    pub(crate) holds: BTreeSet<Digest>,
    /// Objects that somebody else manages.
    pub(crate) adoptions: BTreeSet<ObjectKey>,
}

impl Held {
    /// Takes a plan as it would be without any approval: what it holds back, and what it would delete without asking.
    pub(crate) fn of(plan: &Plan) -> Self {
        let holds: BTreeSet<Digest> = plan.holds.iter().map(|hold| hold.digest).collect();
        let deletes = plan.operations().filter_map(|operation| match operation {
            Operation::Delete { key, uid, .. } => Some(format!("delete {key} {uid}")),
            _ => None,
        });
        let deletes: BTreeSet<String> = deletes.collect();
        let parts = holds.iter().map(|digest| digest.0.as_slice()).chain(deletes.iter().map(String::as_bytes));
        Self { digest: Digest::of_parts(parts), holds, adoptions: BTreeSet::new() }
    }

    /// Returns it with objects that somebody else manages.
    pub(crate) fn with(&self, adoptions: &[Adoption]) -> Self {
        let names: Vec<String> =
            adoptions.iter().map(|adoption| format!("adopt {} {:?} {:?}", adoption.key, adoption.managers, adoption.fields)).collect();
        let parts = std::iter::once(self.digest.0.as_slice()).chain(names.iter().map(String::as_bytes));
        Self {
            digest: Digest::of_parts(parts),
            holds: self.holds.clone(),
            adoptions: adoptions.iter().map(|adoption| adoption.key.clone()).collect(),
        }
    }
}

/// What is remembered of one unit.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Its declaration; none for one that is known from its record only.
    pub(crate) node: Option<UnitNode>,
    /// What lies at the target.
    pub(crate) record: InventoryRecord,
    /// Held by whoever writes the record.
    pub(crate) record_lock: Arc<tokio::sync::Mutex<()>>,
    /// The cluster that the record lies in.
    pub(crate) lives_in: Option<Arc<str>>,
    /// What outlives the process beside the inventory, as it was last written or is about to be.
    pub(crate) beside: Beside,
    /// Which installation the newest build is, before it is carried out.
    pub(crate) next: Option<Release>,
    /// Recorded answers, once they were read, and the version that they lie at.
    pub(crate) answers: Option<(KeptAnswers, Option<String>)>,
    /// The newest build whose manifests are still held.
    pub(crate) built: Option<Arc<BuiltUnit>>,
    /// What the newest complete build read.
    pub(crate) reads: Option<Arc<Reads>>,
    /// What the newest complete build names; none before there was one.
    pub(crate) wants: Option<BTreeSet<ObjectKey>>,
    /// The build that the history holds already.
    pub(crate) recorded: Option<Digest>,
    /// What the last sync left undone for want of a permission.
    pub(crate) held: Option<Held>,
    /// Fields that are not what they were settled as.
    pub(crate) drift: BTreeMap<ObjectKey, Vec<FieldChange>>,
    /// Objects that ended by themselves and of which the history does not tell yet.
    pub(crate) ended: Vec<(ObjectKey, Ending)>,
    /// Whether somebody is about to write down what is known of ends.
    pub(crate) noting: bool,
    /// Reverts of the same path, counted.
    pub(crate) contests: plumb_plan::Contests,
    /// The newest build's errors and warnings, for people.
    pub(crate) report: Option<Arc<str>>,
}

impl Memory {
    fn new(unit: &NodeKey) -> Self {
        Self {
            node: None,
            record: InventoryRecord::empty(unit.clone()),
            record_lock: Arc::default(),
            lives_in: None,
            beside: Beside::default(),
            next: None,
            answers: None,
            built: None,
            reads: None,
            wants: None,
            recorded: None,
            held: None,
            drift: BTreeMap::new(),
            ended: Vec::new(),
            noting: false,
            contests: plumb_plan::Contests::default(),
            report: None,
        }
    }

    /// Returns what is known of its installations.
    pub(crate) fn past(&self) -> Past<'_> {
        Past { last: self.beside.release.as_ref(), next: self.next.as_ref(), owns: !self.record.inventory.items.is_empty() }
    }

    /// Returns the name of the cluster it lives in.
    pub(crate) fn target(&self) -> Option<Arc<str>> {
        self.node.as_ref().map(|node| Arc::clone(&node.unit.target.cluster))
    }

    /// Returns whether an object is this unit's, or is about to be: a first sync's objects are in no record before it has ended.
    pub(crate) fn has_to_do_with(&self, key: &ObjectKey) -> bool {
        self.owns(key) || self.wants.as_ref().is_some_and(|wants| wants.contains(key))
    }

    /// Returns whether the inventory names an object.
    pub(crate) fn owns(&self, key: &ObjectKey) -> bool {
        self.record.inventory.items.binary_search_by(|item| item.key.cmp(key)).is_ok()
    }
}

/// All units.
#[derive(Default)]
pub(crate) struct Units {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    units: BTreeMap<NodeKey, Memory>,
    /// What the stamps call each unit.
    names: BTreeMap<UnitHash, NodeKey>,
    /// Who owns or wants an object, by cluster.
    claims: BTreeMap<(Arc<str>, ObjectKey), BTreeSet<NodeKey>>,
}

impl Units {
    /// Reads or changes what is remembered of a unit; a unit that was never heard of gets a place.
    pub(crate) fn with<T>(&self, unit: &NodeKey, change: impl FnOnce(&mut Memory) -> T) -> T {
        let mut state = self.state();
        let State { units, names, .. } = &mut *state;
        change(units.entry(unit.clone()).or_insert_with(|| {
            names.insert(UnitHash::of(unit), unit.clone());
            Memory::new(unit)
        }))
    }

    /// Reads or changes what is remembered of a unit, if anything is.
    pub(crate) fn known<T>(&self, unit: &NodeKey, change: impl FnOnce(&mut Memory) -> T) -> Option<T> {
        self.state().units.get_mut(unit).map(change)
    }

    /// Reads what is remembered of a unit, if anything is.
    pub(crate) fn read<T>(&self, unit: &NodeKey, read: impl FnOnce(&Memory) -> T) -> Option<T> {
        self.state().units.get(unit).map(read)
    }

    /// Returns the unit that a stamp names.
    pub(crate) fn named(&self, hash: UnitHash) -> Option<NodeKey> {
        self.state().names.get(&hash).cloned()
    }

    /// Returns every unit for which a question is answered with something.
    pub(crate) fn select<T>(&self, mut question: impl FnMut(&NodeKey, &Memory) -> Option<T>) -> Vec<T> {
        self.state().units.iter().filter_map(|(key, memory)| question(key, memory)).collect()
    }

    /// Notes what a unit owns and wants at a cluster, in place of what was noted before.
    pub(crate) fn claim(&self, unit: &NodeKey, cluster: &Arc<str>, before: &BTreeSet<ObjectKey>, now: &BTreeSet<ObjectKey>) {
        let mut state = self.state();
        for gone in before.difference(now) {
            let place = (Arc::clone(cluster), gone.clone());
            if let Some(units) = state.claims.get_mut(&place) {
                units.remove(unit);
                if units.is_empty() {
                    state.claims.remove(&place);
                }
            }
        }
        for new in now.difference(before) {
            state.claims.entry((Arc::clone(cluster), new.clone())).or_default().insert(unit.clone());
        }
    }

    /// Returns all that a unit owns or wants.
    pub(crate) fn claimed(&self, unit: &NodeKey) -> BTreeSet<ObjectKey> {
        self.read(unit, claimed).unwrap_or_default()
    }

    /// Forgets a unit and its claims.
    pub(crate) fn forget(&self, unit: &NodeKey) {
        let mut state = self.state();
        state.units.remove(unit);
        state.names.remove(&UnitHash::of(unit));
        state.claims.retain(|_, units| {
            units.remove(unit);
            !units.is_empty()
        });
    }

    /// Returns the claims of all units but one at a cluster.
    pub(crate) fn others<'a>(&'a self, unit: &'a NodeKey, cluster: &Arc<str>) -> OtherUnits<'a> {
        OtherUnits { units: self, unit, cluster: Arc::clone(cluster) }
    }

    /// A panic elsewhere leaves the state whole: each change is a few inserts.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn claimed(memory: &Memory) -> BTreeSet<ObjectKey> {
    let owned = memory.record.inventory.items.iter().map(|item| item.key.clone());
    owned.chain(memory.wants.iter().flatten().cloned()).collect()
}

/// What all units but one claim.
pub(crate) struct OtherUnits<'a> {
    units: &'a Units,
    unit: &'a NodeKey,
    cluster: Arc<str>,
}

impl Others for OtherUnits<'_> {
    fn claims(&self, key: &ObjectKey) -> Vec<Claim> {
        let state = self.units.state();
        let place = (Arc::clone(&self.cluster), key.clone());
        let claimants = state.claims.get(&place).into_iter().flatten().filter(|unit| *unit != self.unit);
        claimants
            .filter_map(|unit| {
                let memory = state.units.get(unit)?;
                let owns = memory.owns(key);
                // A unit that is not declared any more wants nothing; one that was never built may want anything it owns.
                let wants = match (&memory.node, &memory.wants) {
                    (None, _) => Wants::No,
                    (Some(_), None) => Wants::Unknown,
                    (Some(_), Some(wants)) if wants.contains(key) => Wants::Yes,
                    (Some(_), Some(_)) => Wants::No,
                };
                Some(Claim { unit: unit.clone(), owns, wants })
            })
            .collect()
    }
}
