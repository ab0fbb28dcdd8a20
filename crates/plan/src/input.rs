//! Owns what a plan is made from: the facts about live objects, other units, and the build. Must not read any of them itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_manifest::{Digest, Manifest, Moment, ObjectKey};
use plumb_schema::Schema;
use plumb_unit::{Evidence, Inventory, NodeKey, OnDelete, Policy};

use crate::{GroupSums, UnitHash};

/// All that a plan is made from.
#[derive(Clone, Copy)]
pub struct PlanInput<'a> {
    /// The unit.
    pub unit: &'a NodeKey,
    /// What is wanted of it.
    pub intent: Intent,
    /// What the build gave, all of it: a partial request is told by `scope`. For a removal, its hooks alone.
    pub manifests: &'a [Arc<Manifest>],
    /// What is live.
    pub live: &'a dyn LiveFacts,
    /// What other units own and want.
    pub others: &'a dyn Others,
    /// What the unit owns.
    pub inventory: &'a Inventory,
    /// How the unit is kept.
    pub policy: &'a Policy,
    /// What is known of kinds; the CRDs among the manifests are added to it.
    pub schema: &'a Schema,
    /// How far the build is evidence.
    pub build: &'a BuildFacts,
    /// What the other units that the same commit touches own and would delete.
    pub group: GroupSums,
    /// Digests that somebody approved: of plans, or of holds.
    pub approvals: &'a BTreeSet<Digest>,
    /// What the request is about.
    pub scope: &'a SyncScope,
    /// Which hooks run; none where nothing is installed anew, as when drift is put right.
    pub occasion: Option<Occasion>,
}

/// What a sync is in the life of a unit: it decides which hooks run (helm: pkg/action/{install,upgrade,rollback,uninstall}.go).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The first one.
    Install,
    /// Another build than the last one that was carried out.
    Upgrade,
    /// A return to what was built earlier.
    Rollback,
    /// The end: the objects are deleted.
    Removal,
}

impl Occasion {
    /// Returns the moments before and after.
    pub fn moments(self) -> (Moment, Moment) {
        match self {
            Self::Install => (Moment::PreInstall, Moment::PostInstall),
            Self::Upgrade => (Moment::PreUpgrade, Moment::PostUpgrade),
            Self::Rollback => (Moment::PreRollback, Moment::PostRollback),
            Self::Removal => (Moment::PreDelete, Moment::PostDelete),
        }
    }
}

/// What is wanted of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// To be as its build says.
    Sync,
    /// To be gone.
    Remove {
        /// What happens to its objects.
        on_delete: OnDelete,
        /// Whether a person asked for this removal by name: then neither its size nor its being the last holds it. Kinds whose loss
        /// takes data along wait for approval all the same.
        confirmed: bool,
    },
}

/// What a sync is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SyncScope {
    /// The whole unit.
    #[default]
    Whole,
    /// Some objects of it.
    Partial {
        /// Which.
        objects: BTreeSet<ObjectKey>,
        /// Whether those of them that the build no longer names are pruned.
        prune: bool,
    },
}

/// How far a build is evidence that what it does not name was dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildFacts {
    /// Why it is not complete: a document that did not parse, an answer that was partial. None: it read everything there is to read.
    /// For a removal: of the read in which the unit was gone.
    pub incomplete: Option<String>,
    /// What it read: each source's identity and commit.
    pub evidence: Vec<Evidence>,
    /// Whether the unit's own declaration is a later one than that of the last sync: then equal commits can well yield other objects.
    pub declaration_changed: bool,
}

/// Answers what is live, from a watch. Immediate: no answer costs a request.
pub trait LiveFacts {
    /// Returns what is known of an object that carries a stamp of this installation.
    fn live(&self, key: &ObjectKey) -> Live;
}

/// What is known of an object. "Absent" and "could not tell" are different answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Live {
    /// No object with a stamp of this installation has that key. One without a stamp may: it shows when it is applied.
    Absent,
    /// It is there.
    Here(LiveFact),
    /// It did what it was for and was taken away by its own controller, as expected ([`crate::finished`]): nothing is missing.
    Ended {
        /// The unit that its stamps named.
        unit: UnitHash,
        /// The manifest that it was made from.
        manifest: Digest,
    },
    /// The kind is not being watched, or not yet.
    Unknown,
}

/// What a plan needs to know of a live object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveFact {
    /// Its UID.
    pub uid: String,
    /// Its resourceVersion: the precondition of a delete.
    pub resource_version: String,
    /// Its `metadata.generation`, where its kind has one: approvals bind to it, as a status write does not change it.
    pub generation: Option<i64>,
    /// The unit its stamps name ([`crate::read_stamps`]).
    pub unit: Option<UnitHash>,
    /// The digest its stamps name.
    pub manifest: Option<Digest>,
    /// How its values compare with the settled ones.
    pub state: LiveState,
    /// Whether it has a deletionTimestamp.
    pub deleting: bool,
    /// Whether `plumb.dev/prune: disabled` keeps it.
    pub prune_disabled: bool,
}

impl LiveFact {
    /// Returns what an approval binds to: the generation, or the resourceVersion of kinds that have none.
    pub fn approval_version(&self) -> String {
        self.generation.map_or_else(|| format!("v{}", self.resource_version), |generation| format!("g{generation}"))
    }
}

/// How a live object compares with what was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveState {
    /// Our entry covers the manifest ([`crate::covers`]) and there is no drift.
    Stands,
    /// There is drift.
    Drifted,
    /// There is no telling: our entry does not cover the manifest, or the settled values are void.
    Unsettled,
}

impl LiveFacts for BTreeMap<ObjectKey, LiveFact> {
    fn live(&self, key: &ObjectKey) -> Live {
        self.get(key).map_or(Live::Absent, |fact| Live::Here(fact.clone()))
    }
}

impl LiveFacts for BTreeMap<ObjectKey, Live> {
    fn live(&self, key: &ObjectKey) -> Live {
        self.get(key).cloned().unwrap_or(Live::Absent)
    }
}

/// Another unit's hold on an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The unit.
    pub unit: NodeKey,
    /// Whether its inventory names the object.
    pub owns: bool,
    /// Whether its newest complete build names the object.
    pub wants: Wants,
}

/// Whether a unit wants an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// Its newest complete build names it.
    Yes,
    /// Its newest complete build does not.
    No,
    /// There is no complete build of its newest revision yet.
    Unknown,
}

/// Answers what other units of this target have to do with an object.
///
/// Protocol: asked only once the inventories of all units of the target have been read. An object under the stamps of a unit that makes no
/// claim is taken for one whose unit is gone.
pub trait Others {
    /// Returns the claims of all other units, those being removed too: of those that own the object or want it, not of each that might.
    fn claims(&self, key: &ObjectKey) -> Vec<Claim>;
}

/// No other unit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Others for Alone {
    fn claims(&self, _: &ObjectKey) -> Vec<Claim> {
        Vec::new()
    }
}

impl Others for BTreeMap<ObjectKey, Vec<Claim>> {
    fn claims(&self, key: &ObjectKey) -> Vec<Claim> {
        self.get(key).cloned().unwrap_or_default()
    }
}
