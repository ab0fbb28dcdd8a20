//! Owns the plan: desired × live × inventory × policy → what would change, as pure data; diff, health and drift.
//! Must not talk to a cluster: targets carry plans out.

mod model;

pub use model::*;
