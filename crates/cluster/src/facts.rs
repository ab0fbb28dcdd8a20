//! Owns what a plan is told of live objects: from the index, without a request unless a rule asks for a live value.
//! Must not plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use plumb_manifest::{Gvk, Manifest, ObjectKey};
use plumb_plan::{Live, LiveFact, LiveFacts, LiveState, Rules, Settled, UnitHash, covers, drift, effective};
use plumb_schema::Schema;
use plumb_unit::{Inventory, NodeKey};
use serde_json::Value;

use crate::Acting;
use crate::delete::gvk_of;
use crate::entry::{Covers, Entry};
use crate::error::ClusterError;
use crate::index::Index;

/// How long the first list of a kind is waited for before its objects are called unknown.
const FIRST_LIST: Duration = Duration::from_secs(20);

/// What is live of what a unit wants and owns, at one moment.
pub struct Facts {
    facts: BTreeMap<ObjectKey, Live>,
    index: Arc<Index>,
}

impl LiveFacts for Facts {
    /// Answers for any object; for those that the facts were asked for, with the comparison against their manifests.
    fn live(&self, key: &ObjectKey) -> Live {
        self.facts.get(key).cloned().unwrap_or_else(|| self.index.live(key))
    }
}

impl Index {
    /// Returns what is known of an object without its manifest.
    pub(crate) fn live(&self, key: &ObjectKey) -> Live {
        match self.get(key) {
            Some(entry) => match (entry.unit, entry.manifest) {
                (Some(unit), Some(manifest)) if entry.is_ending() => Live::Ended { unit, manifest },
                _ => Live::Here(fact(&entry, LiveState::Unsettled)),
            },
            None if !self.lists(key) => Live::Unknown,
            None => self.ended(key).map_or(Live::Absent, |ended| Live::Ended { unit: ended.unit, manifest: ended.manifest }),
        }
    }
}

fn fact(entry: &Entry, state: LiveState) -> LiveFact {
    LiveFact {
        uid: entry.uid.to_string(),
        resource_version: entry.resource_version.to_string(),
        generation: entry.generation,
        unit: entry.unit,
        manifest: entry.manifest,
        state,
        deleting: entry.deleting,
        prune_disabled: entry.prune_disabled,
    }
}

impl Acting {
    /// Returns what is live of a unit's manifests and of what it owns. Their kinds are watched from now on, and their first lists waited for;
    /// an object whose kind cannot be listed is [`Live::Unknown`].
    pub async fn facts(
        &self,
        unit: &NodeKey,
        manifests: &[Arc<Manifest>],
        inventory: &Inventory,
        rules: &Rules,
        schema: &Schema,
    ) -> Result<Facts, ClusterError> {
        let mut kinds: BTreeSet<Gvk> = manifests.iter().map(|manifest| manifest.gvk.clone()).collect();
        kinds.extend(inventory.items.iter().map(|item| gvk_of(&item.key, &item.version)));
        self.cluster.recall_endings(unit, inventory);
        self.cluster.watch(kinds.iter().cloned());
        let lists = kinds.iter().map(|gvk| async move {
            // A kind that is not served yet, or may not be read, is told as trouble at once.
            let _ = tokio::time::timeout(FIRST_LIST, self.cluster.synced(gvk)).await;
        });
        futures::future::join_all(lists).await;
        let index = self.cluster.index();
        let mut facts = BTreeMap::new();
        for item in &inventory.items {
            facts.insert(item.key.clone(), index.live(&item.key));
        }
        for manifest in manifests {
            facts.insert(manifest.key.clone(), self.compared(unit, manifest, rules, schema).await?);
        }
        Ok(Facts { facts, index: index.clone() })
    }

    /// Returns what is known of a wanted object, compared with its manifest where that was not done yet.
    async fn compared(&self, unit: &NodeKey, manifest: &Manifest, rules: &Rules, schema: &Schema) -> Result<Live, ClusterError> {
        let index = self.cluster.index();
        let key = &manifest.key;
        let Some(entry) = index.get(key).filter(|entry| !entry.is_ending()) else { return Ok(index.live(key)) };
        if entry.void && entry.drift.is_empty() {
            return Ok(Live::Here(fact(&entry, LiveState::Unsettled)));
        }
        let ours =
            entry.unit == Some(UnitHash::of(unit)) && entry.manifest == Some(manifest.digest) && entry.version == manifest.gvk.version;
        let Covers::Unproven(fields) = &entry.covers else {
            let state = if entry.drift.is_empty() { LiveState::Stands } else { LiveState::Drifted };
            return Ok(Live::Here(fact(&entry, state)));
        };
        let (true, Some(fields)) = (ours, fields) else { return Ok(Live::Here(fact(&entry, LiveState::Unsettled))) };
        let fields: Value = serde_json::from_slice(fields).unwrap_or(Value::Null);
        let (wanted, manager) = (manifest.value(), UnitHash::of(unit).manager());
        let root = schema.root(&manifest.gvk);
        let plain = rules.for_object(key, &wanted, false);
        if !plain.needs_live() && covers(&fields, &effective(key, &wanted, &plain, None, &manager), root) {
            index.proven(key, &entry.uid, Arc::new(plain), None, Vec::new());
            return Ok(Live::Here(fact(&entry, LiveState::Stands)));
        }
        // Something of the manifest is not ours any more, or a rule gives it away: that takes the live object to tell.
        let resource = self.cluster.resource(&manifest.gvk).await?;
        let Some(live) = self.read_object(&resource, key).await? else { return Ok(Live::Here(fact(&entry, LiveState::Unsettled))) };
        let scaled = wanted.pointer("/spec/replicas").is_some() && self.cluster.scaler_of(key).await?.is_some();
        let rules = Arc::new(rules.for_object(key, &wanted, scaled));
        let applied = effective(key, &wanted, &rules, Some(&live), &manager);
        let now = plumb_plan::applied_fields(&live, &manager).unwrap_or(&Value::Null);
        if !covers(now, &applied, root) {
            return Ok(Live::Here(fact(&entry, LiveState::Unsettled)));
        }
        let settled = Settled::read(key, &applied, &live, &manager, index.redactor()).ok();
        let changes = settled.as_ref().map_or_else(Vec::new, |settled| drift(key, settled, &live, &manager, &rules, index.redactor()));
        let state = if changes.is_empty() { LiveState::Stands } else { LiveState::Drifted };
        index.proven(key, &entry.uid, rules, settled, changes);
        index.scaled(key, scaled);
        Ok(Live::Here(fact(&entry, state)))
    }
}
