//! Owns nodes and units: what is to be deployed, from where, to where and under which policy. Plain data, no engine.

mod digest;
mod helm;
mod inventory;
mod key;
mod policy;
mod source;
mod unit;

pub use helm::{HelmStep, SetKind, ValuesLayer, ValuesObject};
pub use inventory::{Ending, Evidence, Inventory, InventoryItem};
pub use key::{NodeKey, NodeKind};
pub use policy::{Drift, FieldEffect, FieldRule, FieldScope, OnDelete, Policy, SyncMode};
pub use source::{
    ChartRepository, ChartSource, ChartVersion, CommitInfo, Credentials, GitRef, GitSource, Remote, Revision, Revisions, SecretRef,
};
pub use unit::{Node, ServiceAccountRef, SourceSpec, Step, StepKind, Target, Unit};
