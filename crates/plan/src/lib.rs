//! Owns the plan: desired × live × inventory × policy → what would change, as pure data; diff, health and drift.
//! Must not talk to a cluster: targets carry plans out.
//!
//! - [`plan`] makes a [`Plan`] of [`PlanInput`]: phases of operations, edges among them, and [`Hold`]s on what waits for somebody. What is live
//!   comes in through [`LiveFacts`], what other units want through [`Others`].
//! - A [`Settled`] is the server's answer to an apply, packed; [`drift`] compares a live object with it, [`covers`] tells after a restart
//!   whether a live object stands, [`effective`] is what is really sent under the field rules ([`Rules`]).
//! - [`health`] tells how an object does, [`diff`] how it would change, [`Contests`] which fields somebody else keeps changing.
//!
//! ```
//! use std::collections::{BTreeMap, BTreeSet};
//! use std::sync::Arc;
//! use plumb_manifest::{Gvk, Manifest, ObjectKey};
//! use plumb_plan::{Alone, BuildFacts, GroupSums, Intent, LiveFact, PlanInput, SyncScope, plan};
//! use plumb_schema::Schema;
//! use plumb_unit::{Inventory, NodeKey, Policy};
//! use plumb_world::{FileId, Span};
//!
//! let object = serde_json::json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}});
//! let key = ObjectKey::new("apps", "Deployment", Some("shop"), "web");
//! let manifest = Manifest::new(key, Gvk::new("apps/v1", "Deployment"), &object, Span { file: FileId(0), start: 0, end: 0 });
//! let plan = plan(&PlanInput {
//!     unit: &NodeKey::unit("main", "team-a", "shop"),
//!     intent: Intent::Sync,
//!     manifests: &[Arc::new(manifest)],
//!     live: &BTreeMap::<ObjectKey, LiveFact>::new(),
//!     others: &Alone,
//!     inventory: &Inventory::default(),
//!     policy: &Policy::standard(),
//!     schema: &Schema::builtin(),
//!     build: &BuildFacts::default(),
//!     group: GroupSums::default(),
//!     approvals: &BTreeSet::new(),
//!     scope: &SyncScope::Whole,
//!     occasion: None,
//! });
//! assert_eq!(plan.phases.iter().map(|phase| phase.name).collect::<Vec<_>>(), ["workloads", "health"]);
//! ```

mod contested;
mod diff;
mod dropped;
mod ending;
mod fields;
mod health;
mod input;
mod model;
mod order;
mod packed;
mod planner;
mod prune;
mod quantity;
mod redact;
mod rules;
mod settled;
mod stamp;
mod summary;

pub use contested::{CONTEST_FIRST_PAUSE_MS, CONTEST_MAX_PAUSE_MS, CONTEST_REVERTS, CONTEST_TRACKED, CONTEST_WINDOW_MS, Contest, Contests};
pub use diff::{diff, diff_owned};
pub use dropped::dropped;
pub use ending::{Finished, finished};
pub use fields::{FieldSet, FieldsError, MAX_FIELDS_DEPTH, applied_fields, covers, entries, keeps, owner_of};
pub use health::{health, worst};
pub use input::{Alone, BuildFacts, Claim, Intent, Live, LiveFact, LiveFacts, LiveState, Occasion, Others, PlanInput, SyncScope, Wants};
pub use model::*;
pub use planner::plan;
pub use prune::{GroupSums, PRUNE_HOLD_KINDS, PRUNE_HOLD_OBJECTS, PRUNE_HOLD_PERCENT, PruneCase, always_held, hold, prune_verdict};
pub use redact::Redactor;
pub use rules::{MAX_RULE_SEGMENTS, ObjectRules, RuleError, Rules, effective, scale_target};
pub use settled::{Settled, SettledError, admission_changes, drift};
pub use stamp::{
    INSTALLATION_LABEL, MANIFEST_ANNOTATION, OWNER_ANNOTATION, PRUNE_ANNOTATION, PRUNE_DISABLED, Stamps, UNIT_LABEL, UnitHash, owner_key,
    read_stamps, stamp,
};
pub use summary::{Counts, HoldSummary, KeptSummary, ObjectSummary, OperationSummary, PhaseSummary, PlanSummary, SUMMARY_VERSION};
