//! Owns the plan: desired × live × inventory × policy → what would change, as pure data; diff, health and drift.
//! Must not talk to a cluster: targets carry plans out.

mod contested;
mod diff;
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
pub use fields::{FieldSet, FieldsError, MAX_FIELDS_DEPTH, applied_fields, covers, entries, owner_of};
pub use health::{health, worst};
pub use input::{Alone, BuildFacts, Claim, Intent, Live, LiveFact, LiveFacts, LiveState, Others, PlanInput, SyncScope, Wants};
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
