//! Owns what is told of requests and gates: who asked for what, when and why. Only ever appended to.

use plumb_unit::NodeKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something a person or the loop did to a node on purpose.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRecord {
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// The node; none for what concerns the whole installation.
    pub unit: Option<NodeKey>,
    /// Who: a user's name, or `plumb`.
    pub actor: String,
    /// What, a verb and its state: `suspend`, `approve`, `rollback`, `gate-set`, `gate-lifted`, `request-ended`.
    pub action: String,
    /// The request's id.
    pub request: Option<String>,
    /// Why, in their words.
    pub why: Option<String>,
    /// Whatever else there is to say. Must hold no secret.
    pub detail: Value,
}

impl AuditRecord {
    pub(crate) fn weight(&self) -> usize {
        512 + self.actor.len() + self.action.len() + self.why.as_ref().map_or(0, String::len) + self.detail.to_string().len() * 2
    }
}

/// One line of the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Its place in the log; rises by one.
    pub id: i64,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// The node; left out for what concerns the whole installation.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unit: Option<NodeKey>,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// The request's id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
    /// Whatever else there is to say.
    pub detail: Value,
}
