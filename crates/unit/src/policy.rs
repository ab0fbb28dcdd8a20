//! Owns a unit's policy and field rules.

use std::time::Duration;

/// Whether a unit syncs by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncMode {
    /// Each new revision is applied.
    Automatic,
    /// Only a request applies.
    Manual,
}

/// What is done about drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Drift {
    /// It is put right.
    Revert,
    /// It is reported.
    Report,
    /// It is not looked for.
    Ignore,
}

/// What happens to the objects when the unit is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDelete {
    /// They are pruned.
    Delete,
    /// They stay, without the stamp.
    Orphan,
}

/// Where a field rule holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldScope {
    /// Comparing only.
    Diff,
    /// Applying only.
    Apply,
    /// Both.
    Both,
}

/// What a field rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FieldEffect {
    /// A difference at the path is not drift.
    Ignore,
    /// The live value stays; the path is left out of the apply.
    KeepLive,
    /// The manifest's value is used when the object is created, then the live one stays.
    OnlyAtCreation,
}

/// Yields paths of some objects.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldRule {
    /// API group; none for any.
    pub group: Option<String>,
    /// Kind; none for any.
    pub kind: Option<String>,
    /// Object name; none for any.
    pub name: Option<String>,
    /// JSON pointers (`/spec/replicas`).
    pub paths: Vec<String>,
    /// Where it holds.
    pub scope: FieldScope,
    /// What it does.
    pub effect: FieldEffect,
}

/// How a unit is kept.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Policy {
    /// Whether it syncs by itself.
    pub sync: SyncMode,
    /// Whether objects that are gone from the source are pruned.
    pub prune: bool,
    /// What is done about drift.
    pub drift: Drift,
    /// Whether a sync ends only when the objects are healthy.
    pub wait: bool,
    /// How long a phase may wait for health.
    pub timeout: Duration,
    /// How often everything is read again behind the watch.
    pub interval: Duration,
    /// What happens to the objects when the unit is gone.
    pub on_delete: OnDelete,
    /// Paths that are somebody else's.
    pub field_rules: Vec<FieldRule>,
}

impl Policy {
    /// Returns the policy of a unit that names none.
    pub fn standard() -> Self {
        Self {
            sync: SyncMode::Automatic,
            prune: true,
            drift: Drift::Revert,
            wait: true,
            timeout: Duration::from_secs(300),
            interval: Duration::from_secs(600),
            on_delete: OnDelete::Delete,
            field_rules: Vec::new(),
        }
    }
}
