//! Owns what is kept of one stamped object, and what a change of it means.
//! Must not keep a tree of the object; what it is made of is read once, from a live object that is then dropped.

use std::sync::Arc;

use plumb_manifest::{Digest, Gvk, ObjectKey};
use plumb_plan::{
    FieldChange, Health, HealthStatus, MANIFEST_ANNOTATION, ObjectRules, Redactor, Settled, UnitHash, applied_fields, drift, health, keeps,
    read_stamps,
};
use plumb_unit::Ending;
use serde_json::Value;

use crate::ended;
use crate::lines::Head;
use crate::managed;
use crate::observation::Observation;

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
    /// Whether others own some of the fields that drifted. If not, the server changed them by itself: by admission, or by what defines the kind.
    pub(crate) by_others: bool,
    /// Whether what its values were settled on has changed since.
    pub(crate) void: bool,
    pub(crate) generation: Option<i64>,
    /// Whether our entry covers the manifest that the stamp names.
    pub(crate) covers: Covers,
    /// When it may go by itself; none while it is not done, or if it never goes.
    pub(crate) ends: Option<Box<Ending>>,
    pub(crate) content: Digest,
    pub(crate) status: Digest,
}

impl Entry {
    pub(crate) fn state(&self, key: &ObjectKey) -> ObjectState {
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

    /// Returns whether it is being deleted because its time is over: it is not to be held up or made anew.
    pub(crate) fn is_ending(&self) -> bool {
        self.deleting && self.ends.as_deref().is_some_and(ended::is_due_now)
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

/// Returns whether the manifest stamp is as our own last apply wrote it.
fn holds_manifest_stamp(live: &Value, manager: &str) -> bool {
    let path = format!("/f:metadata/f:annotations/f:{}", MANIFEST_ANNOTATION.replace('/', "~1"));
    applied_fields(live, manager).is_some_and(|fields| fields.pointer(&path).is_some())
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
    /// Makes an entry of the answer to our own apply: what it says now *is* settled.
    pub(crate) fn answered(gvk: &Gvk, key: &ObjectKey, head: &Head<'_>, live: &Value, sent: &Sent<'_>, redactor: &Redactor) -> Self {
        let settled = Settled::read(key, sent.object, live, &sent.unit.manager(), redactor).ok();
        let (rules, scaled) = (sent.rules.clone(), sent.scaled);
        Self { version: gvk.version.clone(), settled, rules, scaled, covers: Covers::Yes, ..Self::plain(head, live, health(live)) }
    }

    /// Makes an entry of a live object that a watch told of. Values that were settled before stand while unit and manifest are the same.
    pub(crate) fn seen(gvk: &Gvk, key: &ObjectKey, head: &Head<'_>, live: &Value, before: Option<&Entry>, redactor: &Redactor) -> Self {
        let plain = Entry::plain(head, live, health(live));
        let manager = plain.unit.map(|unit| unit.manager()).unwrap_or_default();
        // A manifest stamp that another process of ours wrote means a later manifest; one that somebody else wrote is drift.
        let reapplied = |entry: &Entry| entry.manifest != plain.manifest && holds_manifest_stamp(live, &manager);
        let standing = before.filter(|entry| entry.unit == plain.unit && entry.settled.is_some() && !reapplied(entry));
        let applied_at = managed::own(live, &manager).and_then(|entry| entry.version.rsplit('/').next().map(Arc::from));
        let version = applied_at.or_else(|| before.map(|entry| entry.version.clone())).unwrap_or_else(|| gvk.version.clone());
        if let Some(standing) = standing {
            let Some(settled) = &standing.settled else { return plain };
            let mut changes = drift(key, settled, live, &manager, &standing.rules, redactor);
            if standing.scaled {
                changes.retain(|change| !is_replicas(change));
            }
            let by_server = |change: &FieldChange| keeps(live, &change.path, &manager);
            if standing.void {
                changes.retain(|change| !by_server(change));
            }
            let by_others = !changes.iter().all(by_server);
            return Entry {
                version,
                settled: Some(settled.clone()),
                rules: standing.rules.clone(),
                scaled: standing.scaled,
                drift: changes.into(),
                by_others,
                void: standing.void,
                covers: standing.covers.clone(),
                ..plain
            };
        }
        // Seen for the first time, or applied by another process: what is ours now is as it was applied, and what is not is told when the
        // manifest is at hand. The live object stands in for the manifest.
        let fields = applied_fields(live, &manager).map(|fields| fields.to_string().into_bytes().into_boxed_slice());
        let settled = Settled::read(key, live, live, &manager, redactor).ok();
        let scaled = before.is_some_and(|entry| entry.scaled);
        Entry { version, settled, scaled, covers: Covers::Unproven(fields), ..plain }
    }

    fn plain(head: &Head<'_>, live: &Value, health: Health) -> Self {
        let stamps = read_stamps(live);
        let ends = ended::ending(live);
        // On its way out by itself, it is as good as gone.
        let health = match &ends {
            Some(ending) if head.meta.deleting && ended::is_due_now(ending) => ended::health(ending),
            _ => health,
        };
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
            by_others: false,
            void: false,
            generation: head.meta.generation,
            covers: Covers::Unproven(None),
            ends: ends.map(Box::new),
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

/// Returns what a change from one entry to the next means.
pub(crate) fn meaning(key: &ObjectKey, before: Option<&Entry>, now: &Entry) -> Vec<Observation> {
    let unit = now.unit;
    let mut means = Vec::new();
    if now.ends.is_some() && before.is_none_or(|before| before.ends != now.ends) {
        means.push(Observation::Finished { key: key.clone(), unit });
    }
    let Some(before) = before else {
        means.push(Observation::Appeared { key: key.clone(), unit });
        return means;
    };
    if before.unit.is_some() && before.unit != now.unit {
        means.push(Observation::Deleted { key: key.clone(), unit: before.unit, uid: now.uid.to_string() });
    }
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

/// Returns whether one resourceVersion is older than another. Since Kubernetes 1.35 they are comparable integers; before, they were too.
pub(crate) fn is_older(one: &str, other: &str) -> bool {
    match (one.parse::<u64>(), other.parse::<u64>()) {
        (Ok(one), Ok(other)) => one < other,
        _ => false,
    }
}
