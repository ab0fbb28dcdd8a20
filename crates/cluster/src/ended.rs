//! Owns what is known of objects that end by themselves: when they may go, whether they went by themselves, and how that gets into
//! inventories and back, so that nobody runs them again after a restart.
//! Must not say which objects are such; the plan's `finished` does.

use plumb_manifest::{Digest, ObjectKey};
use plumb_plan::{Health, HealthStatus, UnitHash, finished};
use plumb_unit::{Ending, Inventory, NodeKey};
use serde_json::Value;

use crate::Cluster;
use crate::entry::Entry;
use crate::time::{now_micros, parse_time};

/// How far the clocks of this machine, the API server and its controllers may be apart.
const SKEW_SECONDS: i64 = 5;

/// An object that ended by itself, or may have: kept for as long as its unit's inventory names it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ended {
    /// The unit that its stamps named.
    pub(crate) unit: UnitHash,
    /// The manifest that its stamps named.
    pub(crate) manifest: Digest,
    pub(crate) ending: Ending,
    /// Whether it was seen to go by itself; if not, it is known from an inventory only.
    pub(crate) seen: bool,
}

impl Ended {
    /// Returns whether an object that is not there went by itself.
    pub(crate) fn is_over(&self) -> bool {
        self.seen || is_due_now(&self.ending)
    }
}

/// Returns when a live object may go by itself; none while it is not done, or if it never goes.
pub(crate) fn ending(live: &Value) -> Option<Ending> {
    let finished = finished(live)?;
    let stays = i64::try_from(finished.stays_s).unwrap_or(i64::MAX);
    Some(Ending { at: parse_time(&finished.since)?.saturating_add(stays), well: finished.well, message: finished.message })
}

/// Judges an object that is gone. `last` is how the server last had it, if it says. One that somebody took away before its time is missed.
pub(crate) fn judge(entry: &Entry, last: Option<&Value>) -> Option<Ended> {
    let ending = last.and_then(ending).or_else(|| entry.ends.as_deref().cloned())?;
    let deleted_at = last.and_then(|live| parse_time(live.pointer("/metadata/deletionTimestamp")?.as_str()?));
    let over = is_due(&ending, deleted_at.unwrap_or_else(now_seconds));
    over.then_some(Ended { unit: entry.unit?, manifest: entry.manifest?, ending, seen: true })
}

/// Returns whether something may have gone by itself by now.
pub(crate) fn is_due_now(ending: &Ending) -> bool {
    is_due(ending, now_seconds())
}

fn is_due(ending: &Ending, now: i64) -> bool {
    ending.at <= now.saturating_add(SKEW_SECONDS)
}

fn now_seconds() -> i64 {
    now_micros() / 1_000_000
}

/// Returns how something did that ended by itself: what failed has not become well by being taken away.
pub(crate) fn health(ending: &Ending) -> Health {
    let status = if ending.well { HealthStatus::Healthy } else { HealthStatus::Degraded };
    let message = if ending.message.is_empty() { "it ended".to_owned() } else { format!("it ended: {}", ending.message) };
    Health { status, message }
}

impl Cluster {
    /// Writes into a unit's inventory what is known of the ends of its objects.
    pub fn note_endings(&self, unit: &NodeKey, inventory: &mut Inventory) {
        let unit = UnitHash::of(unit);
        for item in &mut inventory.items {
            if let Some(known) = self.index().ending(&item.key, unit, item.manifest) {
                item.ended = known;
            }
        }
    }

    /// Takes what a unit's inventory says of objects that ended. What was seen since is newer and stays.
    pub fn recall_endings(&self, unit: &NodeKey, inventory: &Inventory) {
        let unit = UnitHash::of(unit);
        for item in &inventory.items {
            if let Some(ending) = &item.ended {
                self.index().recall(&item.key, Ended { unit, manifest: item.manifest, ending: ending.clone(), seen: false });
            }
        }
    }

    /// Returns how an object ended that went by itself; none for one that is there, or is missed.
    pub fn ended(&self, key: &ObjectKey) -> Option<Ending> {
        self.index().ended(key).map(|ended| ended.ending)
    }
}
