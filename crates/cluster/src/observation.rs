//! Owns the words in which a watch speaks: what was observed of stamped objects. Must not say what is done about it.

use std::collections::BTreeSet;
use std::sync::Arc;

use plumb_manifest::{Gvk, ObjectKey};
use plumb_plan::{FieldChange, Health, UnitHash};
use plumb_unit::Ending;

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
    /// An object has done what it was for, and may go by itself from some time on.
    Finished {
        /// What.
        key: ObjectKey,
        /// Whose.
        unit: Option<UnitHash>,
    },
    /// An object is gone that was to go by itself: nothing is missing.
    Ended {
        /// What.
        key: ObjectKey,
        /// Whose it was.
        unit: Option<UnitHash>,
        /// What it came to.
        ending: Ending,
    },
    /// What settled values rest on has changed: the objects concerned are to be applied once more, and are unsettled until then.
    Voided {
        /// Group and kind of all objects that it may concern, those too that could not be applied so far.
        kinds: BTreeSet<(Arc<str>, Arc<str>)>,
        /// Whose objects it concerns.
        units: BTreeSet<UnitHash>,
        /// What changed, for people.
        what: String,
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
