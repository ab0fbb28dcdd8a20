//! Owns how inventories lie in the target: ConfigMaps of `plumb-system`, named by installation and unit, in parts when they are long, each
//! written against the version that this process last saw, so that a second writer is noticed at its first write.
//! Must not decide what a unit owns; plans do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http::Method;
use plumb_manifest::{Digest, ObjectKey};
use plumb_plan::UnitHash;
use plumb_unit::{Ending, Evidence, Inventory, InventoryItem, NodeKey, Revisions};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Class, ClusterError, classify};
use crate::locked;
use crate::resource::segment;
use crate::wire::{ActAs, Call, FenceCheck, Wire};
use crate::{Cluster, SYSTEM_NAMESPACE};

/// Bytes of a record in one ConfigMap at most: below the API server's 1 MiB for an object, with room for what it adds.
pub const MAX_PART: usize = 700 << 10;
/// Parts of one record at most: some 60,000 objects of one unit.
pub const MAX_PARTS: usize = 16;
/// ConfigMaps read at once before it is known how long they are, and at most.
const FIRST_PAGE: usize = 10;
const MAX_PAGE: usize = 500;
/// How many bytes a page of them is to have.
const PAGE_BYTES: usize = 2 << 20;
/// The form of records that this version writes.
const FORM: u32 = 1;

const INVENTORY_LABEL: &str = "plumb.dev/inventory";
const UNIT_LABEL: &str = "plumb.dev/inventory-unit";
const PARTS_ANNOTATION: &str = "plumb.dev/parts";

/// All that lies at the target about one unit: losing everything else changes nothing that runs.
#[derive(Clone, Debug, PartialEq)]
pub struct InventoryRecord {
    /// The unit.
    pub unit: NodeKey,
    /// What it owns.
    pub inventory: Inventory,
    /// Its gates, as the controller writes them; null when there are none.
    pub gates: Value,
    /// The revisions it was last synced to.
    pub revisions: Revisions,
    /// The epoch of the lease under which this was written.
    pub epoch: u64,
}

impl InventoryRecord {
    /// Returns the record of a unit that owns nothing yet.
    pub fn empty(unit: NodeKey) -> Self {
        Self { unit, inventory: Inventory::default(), gates: Value::Null, revisions: Revisions::new(), epoch: 0 }
    }
}

/// What was found at the target.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The records that could be read, by unit.
    pub records: Vec<InventoryRecord>,
    /// The ConfigMaps that hold none, and why. Their units own things that are not known: they may not prune.
    pub damaged: Vec<(String, String)>,
}

/// The inventories of one installation at one cluster.
pub struct Inventories {
    wire: Arc<Wire>,
    installation: Arc<str>,
    known: Mutex<BTreeMap<UnitHash, Stored>>,
}

#[derive(Clone, Debug)]
struct Stored {
    version: String,
    digest: Digest,
    weight: Digest,
    epoch: u64,
    parts: Vec<String>,
}

type WiredItem = (String, String, Option<String>, String, String, Option<String>, String);

#[derive(Serialize, Deserialize)]
struct Wired {
    form: u32,
    unit: (String, String),
    epoch: u64,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    gates: Value,
    #[serde(default)]
    revisions: Revisions,
    /// Source and commit.
    #[serde(default)]
    evidence: Vec<(String, String)>,
    /// Group, kind, namespace, name, version, UID, manifest.
    items: Vec<WiredItem>,
    /// Of objects that ended or may end by themselves: the item's place in the list, when, whether well, what it came to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ended: Vec<(usize, i64, bool, String)>,
}

#[derive(Deserialize)]
struct MapList {
    metadata: ListMeta,
    #[serde(default)]
    items: Vec<ConfigMap>,
}

#[derive(Default, Deserialize)]
struct ListMeta {
    #[serde(default, rename = "continue")]
    next: String,
}

#[derive(Deserialize)]
struct ConfigMap {
    metadata: Meta,
    #[serde(default)]
    data: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    name: String,
    resource_version: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

impl ConfigMap {
    fn part(&self) -> &str {
        self.data.get("record").map_or("", String::as_str)
    }

    fn further(&self) -> Vec<String> {
        let names = self.metadata.annotations.get(PARTS_ANNOTATION).map_or("", String::as_str);
        names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }
}

/// Records on their way from ConfigMaps.
#[derive(Default)]
struct Gathered {
    loaded: Loaded,
    stored: BTreeMap<UnitHash, Stored>,
    /// Heads some of whose parts are not here yet, and parts, by name.
    open: BTreeMap<String, ConfigMap>,
}

impl Gathered {
    fn take(&mut self, inventories: &Inventories, map: ConfigMap) {
        let name = map.metadata.name.clone();
        // A part is named for its head.
        let head = if inventories.is_head(&name) { name.clone() } else { name.rsplit_once('-').map_or("", |(head, _)| head).to_owned() };
        self.open.insert(name, map);
        let whole = |head: &ConfigMap| head.further().iter().all(|part| self.open.contains_key(part));
        if self.open.get(&head).is_some_and(whole) {
            self.put_together(inventories, &head);
        }
    }

    fn put_together(&mut self, inventories: &Inventories, head: &str) {
        let Some(head) = self.open.remove(head) else { return };
        match inventories.assemble(&head, |name| self.open.get(name).map(ConfigMap::part)) {
            Ok((record, stored)) => {
                self.stored.insert(UnitHash::of(&record.unit), stored);
                self.loaded.records.push(record);
            }
            Err(reason) => self.loaded.damaged.push((head.metadata.name.clone(), reason)),
        }
        head.further().iter().for_each(|part| {
            self.open.remove(part);
        });
    }

    fn finish(mut self, inventories: &Inventories) -> (Loaded, BTreeMap<UnitHash, Stored>) {
        let heads: Vec<String> = self.open.keys().filter(|name| inventories.is_head(name)).cloned().collect();
        heads.iter().for_each(|head| self.put_together(inventories, head));
        (self.loaded, self.stored)
    }
}

fn collection() -> String {
    format!("/api/v1/namespaces/{SYSTEM_NAMESPACE}/configmaps")
}

/// Creates the namespace for what the operator itself keeps, if it is not there.
pub(crate) async fn ensure_namespace(wire: &Wire) -> Result<(), ClusterError> {
    let what = format!("Namespace {SYSTEM_NAMESPACE}");
    let own = ActAs::default();
    let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE}}).to_string();
    let answer =
        wire.send(&Call::write(Method::POST, "/api/v1/namespaces".to_owned(), &what, &own, "application/json", body.into_bytes())).await?;
    if answer.status == 409 { Ok(()) } else { answer.success(&what).map(|_| ()) }
}

impl Inventories {
    /// Returns a reader and writer that has read nothing yet.
    pub fn new(cluster: &Cluster) -> Self {
        Self { wire: cluster.wire().clone(), installation: cluster.installation().clone(), known: Mutex::default() }
    }

    /// Reads all inventories of the installation. What it returns is complete, or it is an error.
    pub async fn load(&self) -> Result<Loaded, ClusterError> {
        let (loaded, known) = self.list(&format!("{INVENTORY_LABEL}={}", self.installation)).await?;
        *locked(&self.known) = known;
        Ok(loaded)
    }

    /// Reads the inventory of one unit again; none if there is none.
    pub async fn load_one(&self, unit: &NodeKey) -> Result<Option<InventoryRecord>, ClusterError> {
        let hash = UnitHash::of(unit);
        let (loaded, mut found) = self.list(&format!("{INVENTORY_LABEL}={},{UNIT_LABEL}={hash}", self.installation)).await?;
        if let Some((_, reason)) = loaded.damaged.into_iter().next() {
            return Err(ClusterError::Unreadable { what: format!("the inventory of {unit}"), reason });
        }
        let mut known = locked(&self.known);
        match found.remove(&hash) {
            Some(stored) => known.insert(hash, stored),
            None => known.remove(&hash),
        };
        Ok(loaded.records.into_iter().find(|record| record.unit == *unit))
    }

    /// Writes a unit's record; returns whether a request was needed.
    ///
    /// *Guarantees*: what is there changes from the old record to the new one in one request. If another process wrote it since this one
    /// read it, it stays as it is and the error is [`ClusterError::Overtaken`].
    pub async fn write(&self, record: &InventoryRecord, fence: Option<&FenceCheck>) -> Result<bool, ClusterError> {
        let hash = UnitHash::of(&record.unit);
        let what = format!("the inventory of {}", record.unit);
        let text = wired(record);
        let digest = Digest::of(text.as_bytes());
        let stored = locked(&self.known).get(&hash).cloned();
        if stored.as_ref().is_some_and(|stored| stored.digest == digest) {
            return Ok(false);
        }
        if stored.as_ref().is_some_and(|stored| stored.epoch > record.epoch) {
            return Err(ClusterError::Overtaken { what });
        }
        let pieces = pieces(&text).ok_or_else(|| ClusterError::Invalid {
            what: what.clone(),
            reason: "it owns more objects than an inventory can hold".to_owned(),
        })?;
        let head = self.head(hash);
        let names: Vec<String> = pieces.iter().skip(1).map(|piece| format!("{head}-{}", Digest::of(piece.as_bytes()))).collect();
        for (name, piece) in names.iter().zip(pieces.iter().skip(1)) {
            self.put_part(hash, name, piece, &what, fence).await?;
        }
        let version = self.put_head(hash, &head, pieces.first().copied().unwrap_or(""), &names, stored.as_ref(), &what, fence).await?;
        locked(&self.known).insert(hash, Stored { version, digest, weight: weight(record), epoch: record.epoch, parts: names.clone() });
        for old in stored.into_iter().flat_map(|stored| stored.parts).filter(|old| !names.contains(old)) {
            // A part that nothing names any more does no harm.
            let _ = self.delete_map(&old, None, &what, fence).await;
        }
        Ok(true)
    }

    /// Deletes the record of a unit that is gone and owns nothing.
    pub async fn delete(&self, unit: &NodeKey, fence: Option<&FenceCheck>) -> Result<(), ClusterError> {
        let hash = UnitHash::of(unit);
        let what = format!("the inventory of {unit}");
        let Some(stored) = locked(&self.known).get(&hash).cloned() else { return Ok(()) };
        self.delete_map(&self.head(hash), Some(&stored.version), &what, fence).await?;
        for part in &stored.parts {
            let _ = self.delete_map(part, None, &what, fence).await;
        }
        locked(&self.known).remove(&hash);
        Ok(())
    }

    /// Returns the epoch under which a unit's record was last written, as far as this process knows.
    pub(crate) fn stored_epoch(&self, unit: &NodeKey) -> Option<u64> {
        locked(&self.known).get(&UnitHash::of(unit)).map(|stored| stored.epoch)
    }

    /// Returns whether a record says something else than what lies at the target, as far as this process knows. The epoch, UIDs and later
    /// evidence for the same objects are not worth a write of their own.
    pub(crate) fn differs(&self, record: &InventoryRecord) -> bool {
        let weight = weight(record);
        locked(&self.known).get(&UnitHash::of(&record.unit)).is_none_or(|stored| stored.weight != weight)
    }

    fn head(&self, hash: UnitHash) -> String {
        format!("plumb-{}-{hash}", self.installation)
    }

    fn is_head(&self, name: &str) -> bool {
        name.strip_prefix(&format!("plumb-{}-", self.installation)).is_some_and(|rest| UnitHash::parse(rest).is_some())
    }

    /// Reads records page by page, each put together as soon as all of it is here: what is read and not yet used is never more than a page and
    /// one record.
    async fn list(&self, selector: &str) -> Result<(Loaded, BTreeMap<UnitHash, Stored>), ClusterError> {
        let own = ActAs::default();
        let what = "the inventories of this installation";
        'again: for _ in 0..LIST_ATTEMPTS {
            let mut gathered = Gathered::default();
            let (mut next, mut limit) = (String::new(), FIRST_PAGE);
            loop {
                let path = format!("{}?labelSelector={}&limit={limit}&continue={}", collection(), segment(selector), segment(&next));
                let body = match self.wire.fetch(&Call::get(path, what, &own)).await {
                    Ok(body) => body,
                    Err(error) if classify(&error) == Class::Expired => continue 'again,
                    Err(error) => return Err(error),
                };
                let page: MapList = serde_json::from_slice(&body)
                    .map_err(|error| ClusterError::Unreadable { what: what.to_owned(), reason: error.to_string() })?;
                limit = (PAGE_BYTES * page.items.len().max(1) / body.len().max(1)).clamp(1, MAX_PAGE);
                drop(body);
                page.items.into_iter().for_each(|map| gathered.take(self, map));
                next = page.metadata.next;
                if next.is_empty() {
                    return Ok(gathered.finish(self));
                }
            }
        }
        Err(ClusterError::Unreadable { what: what.to_owned(), reason: "the list expired again and again before it was read".to_owned() })
    }

    fn assemble<'a>(&self, head: &ConfigMap, part: impl Fn(&str) -> Option<&'a str>) -> Result<(InventoryRecord, Stored), String> {
        let parts = head.further();
        let mut text = head.part().to_owned();
        for name in &parts {
            text.push_str(part(name).ok_or_else(|| format!("its part {name} is missing"))?);
        }
        let record = unwired(&text, &self.installation)?;
        if self.head(UnitHash::of(&record.unit)) != head.metadata.name {
            return Err(format!("it is named for another unit than {}", record.unit));
        }
        let version = head.metadata.resource_version.clone();
        let stored = Stored { version, digest: Digest::of(text.as_bytes()), weight: weight(&record), epoch: record.epoch, parts };
        Ok((record, stored))
    }

    fn body(&self, hash: UnitHash, name: &str, part: &str, names: &[String], version: Option<&str>) -> Vec<u8> {
        let mut metadata = json!({"name": name, "namespace": SYSTEM_NAMESPACE, "labels": {INVENTORY_LABEL: &*self.installation, UNIT_LABEL: hash.to_string()}});
        if !names.is_empty() {
            metadata["annotations"] = json!({PARTS_ANNOTATION: names.join(",")});
        }
        if let Some(version) = version {
            metadata["resourceVersion"] = version.into();
        }
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"record": part}}).to_string().into_bytes()
    }

    /// Writes a part. Its name holds the hash of its text, so one that exists already is the right one.
    async fn put_part(&self, hash: UnitHash, name: &str, part: &str, what: &str, fence: Option<&FenceCheck>) -> Result<(), ClusterError> {
        match self.post(self.body(hash, name, part, &[], None), what, fence).await {
            Err(error) if classify(&error) == Class::Conflict => Ok(()),
            other => other.map(|_| ()),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one request and the names of all that is in it")]
    async fn put_head(
        &self,
        hash: UnitHash,
        head: &str,
        part: &str,
        names: &[String],
        stored: Option<&Stored>,
        what: &str,
        fence: Option<&FenceCheck>,
    ) -> Result<String, ClusterError> {
        let body = self.body(hash, head, part, names, stored.map(|stored| stored.version.as_str()));
        let written = match stored {
            None => self.post(body, what, fence).await,
            Some(_) => {
                let own = ActAs::default();
                let mut call = Call::write(Method::PUT, format!("{}/{head}", collection()), what, &own, "application/json", body);
                call.fence = fence;
                self.wire.fetch(&call).await.and_then(|body| read_map(&body, what))
            }
        };
        match written {
            Ok(map) => Ok(map.metadata.resource_version),
            Err(error) if classify(&error) == Class::Conflict => {
                // The answer to an earlier attempt of this very write may have been lost.
                let own = ActAs::default();
                let body = self.wire.fetch(&Call::get(format!("{}/{head}", collection()), what, &own)).await?;
                let found = read_map(&body, what)?;
                if found.part() == part && found.further() == names {
                    return Ok(found.metadata.resource_version);
                }
                Err(ClusterError::Overtaken { what: what.to_owned() })
            }
            // Somebody deleted the record: the one in memory is the newest there is, and what it owns must be written again.
            Err(error) if classify(&error) == Class::NotFound && stored.is_some() => {
                Ok(self.post(self.body(hash, head, part, names, None), what, fence).await?.metadata.resource_version)
            }
            Err(error) => Err(error),
        }
    }

    async fn post(&self, body: Vec<u8>, what: &str, fence: Option<&FenceCheck>) -> Result<ConfigMap, ClusterError> {
        let own = ActAs::default();
        let mut call = Call::write(Method::POST, collection(), what, &own, "application/json", body);
        call.fence = fence;
        let answer = self.wire.send(&call).await?;
        if answer.status == 404 {
            ensure_namespace(&self.wire).await?;
            return read_map(&self.wire.fetch(&call).await?, what);
        }
        read_map(&answer.success(what)?, what)
    }

    async fn delete_map(&self, name: &str, version: Option<&str>, what: &str, fence: Option<&FenceCheck>) -> Result<(), ClusterError> {
        let own = ActAs::default();
        let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions"});
        if let Some(version) = version {
            options["preconditions"] = json!({"resourceVersion": version});
        }
        let mut call = Call::write(
            Method::DELETE,
            format!("{}/{name}", collection()),
            what,
            &own,
            "application/json",
            options.to_string().into_bytes(),
        );
        call.fence = fence;
        let answer = self.wire.send(&call).await?;
        match answer.status {
            404 => Ok(()),
            409 => Err(ClusterError::Overtaken { what: what.to_owned() }),
            _ => answer.success(what).map(|_| ()),
        }
    }
}

/// How often a list that expires under its reader is begun again.
const LIST_ATTEMPTS: usize = 4;

fn read_map(body: &[u8], what: &str) -> Result<ConfigMap, ClusterError> {
    serde_json::from_slice(body).map_err(|error| ClusterError::Unreadable { what: what.to_owned(), reason: error.to_string() })
}

/// Cuts a text into parts; none if it needs more than there may be.
fn pieces(text: &str) -> Option<Vec<&str>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > MAX_PART {
        let cut = (0..=MAX_PART).rev().find(|at| rest.is_char_boundary(*at)).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(cut);
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    (pieces.len() <= MAX_PARTS).then_some(pieces)
}

fn wired(record: &InventoryRecord) -> String {
    let items = record.inventory.items.iter().map(|item| {
        (
            item.key.group.to_string(),
            item.key.kind.to_string(),
            item.key.namespace.as_ref().map(ToString::to_string),
            item.key.name.to_string(),
            item.version.clone(),
            item.uid.clone(),
            item.manifest.to_string(),
        )
    });
    let ended = record.inventory.items.iter().enumerate().filter_map(|(at, item)| {
        let ending = item.ended.as_ref()?;
        Some((at, ending.at, ending.well, ending.message.clone()))
    });
    let wired = Wired {
        form: FORM,
        unit: (record.unit.namespace.to_string(), record.unit.name.to_string()),
        epoch: record.epoch,
        gates: record.gates.clone(),
        revisions: record.revisions.clone(),
        evidence: record.inventory.evidence.iter().map(|evidence| (evidence.source.clone(), evidence.commit.clone())).collect(),
        items: items.collect(),
        ended: ended.collect(),
    };
    serde_json::to_string(&wired).unwrap_or_default()
}

/// Returns the hash of what of a record is worth a write by itself.
fn weight(record: &InventoryRecord) -> Digest {
    let mut record = InventoryRecord { epoch: 0, ..record.clone() };
    record.inventory.evidence.clear();
    for item in &mut record.inventory.items {
        item.uid = None;
    }
    Digest::of(wired(&record).as_bytes())
}

fn unwired(text: &str, installation: &str) -> Result<InventoryRecord, String> {
    let wired: Wired = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if wired.form != FORM {
        return Err(format!("it is of form {}, and this version reads form {FORM}", wired.form));
    }
    let items = wired.items.into_iter().map(|(group, kind, namespace, name, version, uid, manifest)| {
        let manifest = Digest::parse(&manifest).ok_or_else(|| format!("`{manifest}` is not a digest"))?;
        Ok(InventoryItem { key: ObjectKey::new(&group, &kind, namespace.as_deref(), &name), version, uid, manifest, ended: None })
    });
    let mut items = items.collect::<Result<Vec<_>, String>>()?;
    for (at, when, well, message) in wired.ended {
        let item = items.get_mut(at).ok_or_else(|| format!("it says that item {at} ended, and has no such"))?;
        item.ended = Some(Ending { at: when, well, message });
    }
    Ok(InventoryRecord {
        unit: NodeKey::unit(installation, &wired.unit.0, &wired.unit.1),
        inventory: Inventory { items, evidence: wired.evidence.into_iter().map(|(source, commit)| Evidence { source, commit }).collect() },
        gates: wired.gates,
        revisions: wired.revisions,
        epoch: wired.epoch,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_back() {
        let mut record = InventoryRecord::empty(NodeKey::unit("main", "team-a", "shop"));
        record.epoch = 7;
        record.gates = json!({"suspend": {"reason": "x"}});
        record.inventory.evidence.push(Evidence { source: "https://x".into(), commit: "abc".into() });
        record.inventory.items.push(InventoryItem {
            key: ObjectKey::new("apps", "Deployment", Some("a"), "b"),
            version: "v1".into(),
            uid: None,
            manifest: Digest::of(b"x"),
            ended: Some(Ending { at: 1_767_225_600, well: false, message: "it failed".into() }),
        });
        assert_eq!(unwired(&wired(&record), "main").expect("record"), record);
    }

    #[test]
    fn what_is_no_record_is_an_error() {
        for text in [
            "",
            "{}",
            r#"{"form":2,"unit":["a","b"],"epoch":0,"items":[]}"#,
            r#"{"form":1,"unit":["a","b"],"epoch":0,"items":[["","ConfigMap","a","b","v1",null,"zz"]]}"#,
            r#"{"form":1,"unit":["a","b"],"epoch":0,"items":[],"ended":[[0,1,true,""]]}"#,
        ] {
            assert!(unwired(text, "main").is_err(), "{text}");
        }
    }

    #[test]
    fn long_records_are_cut_between_characters_and_bounded() {
        let text = format!("x{}", "é".repeat(MAX_PART));
        let cut = pieces(&text).expect("pieces");
        assert_eq!((cut.len(), cut.concat() == text), (3, true));
        assert!(pieces(&"x".repeat(MAX_PART * MAX_PARTS)).is_some());
        assert!(pieces(&"x".repeat(MAX_PART * MAX_PARTS + 1)).is_none());
    }
}
