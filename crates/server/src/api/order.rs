//! Owns orders: as they are sent, and as they are understood. A field that does not belong to an order is an error, not ignored.

use serde::{Deserialize, Serialize};

use super::error::{ApiError, ErrorCode};

/// What may be ordered of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OrderKind {
    /// Fetch, and sync with everything read again.
    Reconcile,
    /// Sync now, at the newest or a given revision.
    Sync,
    /// Do nothing by itself until resumed.
    Suspend,
    /// Lift suspension, rollback, quarantine and deletion.
    Resume,
    /// Permit what a plan withholds.
    Approve,
    /// Go back to an earlier state and stay there until resumed.
    Rollback,
    /// Delete the unit's objects.
    Delete,
}

/// An order as it is sent: `{"kind": "suspend", "forMs": 3600000, "reason": "night shift"}`. Which fields go with which kind:
/// `revision`, `dryRun` with `sync`; `forMs` with `suspend`; `digest` with `approve`; `to` with `rollback`; `orphan` with `delete`;
/// `reason` with all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewRequest {
    /// What is ordered.
    pub kind: OrderKind,
    /// Why, for the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The commit to sync, in full or its first digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Say what would be done, and do nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// For how long to suspend; until resumed when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    /// The hash that was shown with what waits; whatever waits now when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The sync or commit to go back to; the last good one of another build when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Leave the objects running, without their stamps; the unit's own policy when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orphan: Option<bool>,
}

/// An order as it is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Fetch, and sync with everything read again.
    Reconcile,
    /// Sync now.
    Sync {
        /// The commit; the newest when none.
        revision: Option<String>,
        /// Whether only to say what would be done.
        dry_run: bool,
    },
    /// Do nothing by itself.
    Suspend {
        /// For how long; until resumed when none.
        for_ms: Option<u64>,
    },
    /// Lift suspension, rollback, quarantine and deletion.
    Resume,
    /// Permit what a plan withholds.
    Approve {
        /// The hash that was shown; whatever waits now when none.
        digest: Option<String>,
    },
    /// Go back to an earlier state and stay there.
    Rollback {
        /// A sync's id or a commit; the last good one of another build when none.
        to: Option<String>,
    },
    /// Delete the unit's objects.
    Delete {
        /// Whether to leave them running; the unit's own policy when none.
        orphan: Option<bool>,
    },
}

/// Longest reason, revision or digest.
const MAX_TEXT_BYTES: usize = 1024;

impl NewRequest {
    /// Returns a request of a kind with nothing else said.
    pub fn new(kind: OrderKind) -> Self {
        Self { kind, reason: None, revision: None, dry_run: false, for_ms: None, digest: None, to: None, orphan: None }
    }

    /// Returns the order, or which field does not belong to it.
    pub fn order(&self) -> Result<Order, ApiError> {
        use OrderKind as Kind;
        let invalid = |what: String| Err(ApiError::new(ErrorCode::Invalid, what));
        let fields = [
            ("revision", self.revision.is_some(), self.kind == Kind::Sync),
            ("dryRun", self.dry_run, self.kind == Kind::Sync),
            ("forMs", self.for_ms.is_some(), self.kind == Kind::Suspend),
            ("digest", self.digest.is_some(), self.kind == Kind::Approve),
            ("to", self.to.is_some(), self.kind == Kind::Rollback),
            ("orphan", self.orphan.is_some(), self.kind == Kind::Delete),
        ];
        if let Some((field, ..)) = fields.iter().find(|(_, given, fits)| *given && !fits) {
            return invalid(format!("`{field}` does not go with this kind of request"));
        }
        for text in [&self.reason, &self.revision, &self.digest, &self.to].into_iter().flatten() {
            if text.len() > MAX_TEXT_BYTES || text.chars().any(char::is_control) {
                return invalid(format!("a text of the request is longer than {MAX_TEXT_BYTES} bytes or has control characters"));
            }
        }
        Ok(match self.kind {
            Kind::Reconcile => Order::Reconcile,
            Kind::Sync => Order::Sync { revision: self.revision.clone(), dry_run: self.dry_run },
            Kind::Suspend => Order::Suspend { for_ms: self.for_ms },
            Kind::Resume => Order::Resume,
            Kind::Approve => Order::Approve { digest: self.digest.clone() },
            Kind::Rollback => Order::Rollback { to: self.to.clone() },
            Kind::Delete => Order::Delete { orphan: self.orphan },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Order, String> {
        serde_json::from_str::<NewRequest>(json).map_err(|error| error.to_string())?.order().map_err(|error| error.message)
    }

    #[test]
    fn each_kind_takes_its_own_fields() {
        for (json, expect) in [
            (r#"{"kind": "reconcile", "reason": "now"}"#, Order::Reconcile),
            (r#"{"kind": "sync", "revision": "abcd", "dryRun": true}"#, Order::Sync { revision: Some("abcd".into()), dry_run: true }),
            (r#"{"kind": "suspend", "forMs": 5}"#, Order::Suspend { for_ms: Some(5) }),
            (r#"{"kind": "resume"}"#, Order::Resume),
            (r#"{"kind": "approve", "digest": "d"}"#, Order::Approve { digest: Some("d".into()) }),
            (r#"{"kind": "rollback", "to": "x"}"#, Order::Rollback { to: Some("x".into()) }),
            (r#"{"kind": "delete", "orphan": true}"#, Order::Delete { orphan: Some(true) }),
        ] {
            assert_eq!(read(json), Ok(expect), "{json}");
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for json in [
            r#"{}"#,
            r#"{"kind": "explode"}"#,
            r#"{"kind": "delete", "orfan": true}"#,
            r#"{"kind": "reconcile", "to": "x"}"#,
            r#"{"kind": "rollback", "dryRun": true}"#,
            r#"{"kind": "suspend", "forMs": -1}"#,
            r#"{"kind": "resume", "reason": "a\nb"}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
        let long = NewRequest { reason: Some("x".repeat(MAX_TEXT_BYTES + 1)), ..NewRequest::new(OrderKind::Resume) };
        assert!(long.order().is_err());
    }
}
