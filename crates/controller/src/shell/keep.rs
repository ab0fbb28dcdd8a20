//! Owns the form in which a unit's gates and the rest of what outlives the process lie in its record at the target.

use std::sync::Arc;

use plumb_manifest::Digest;
use plumb_unit::{OnDelete, Revisions, ServiceAccountRef};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::core::{Kept, Pin, Suspend};
use crate::releases::Release;

/// What lies beside the inventory of a unit.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Beside {
    /// The core's part.
    pub(crate) kept: Kept,
    /// The identity of the root that declared the unit.
    pub(crate) declared_from: Option<Arc<str>>,
    /// What happens to its objects when it is gone: asked when the declaration is gone already.
    pub(crate) on_delete: Option<OnDelete>,
    /// Whom it acts as, for the same case.
    pub(crate) account: Option<ServiceAccountRef>,
    /// Hash of the unit that was last synced.
    pub(crate) spec: Option<Digest>,
    /// What was installed last, of a unit that tells installations apart.
    pub(crate) release: Option<Release>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Form {
    #[serde(skip_serializing_if = "Option::is_none")]
    suspend: Option<SuspendForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pin: Option<PinForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approved: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    prune_held: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    declared_from: Option<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_delete: Option<OnDelete>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<(Arc<str>, Arc<str>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spec: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<Release>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SuspendForm {
    by: Arc<str>,
    reason: Arc<str>,
    until_ms: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct PinForm {
    revisions: Revisions,
    record: Option<Arc<str>>,
    by: Arc<str>,
    reason: Arc<str>,
}

impl Beside {
    /// Returns the form that lies in the record.
    pub(crate) fn write(&self) -> Value {
        let form = Form {
            suspend: self.kept.suspend.as_ref().map(|suspend| SuspendForm {
                by: Arc::clone(&suspend.by),
                reason: Arc::clone(&suspend.reason),
                until_ms: suspend.until,
            }),
            pin: self.kept.pin.as_ref().map(|pin| PinForm {
                revisions: pin.revisions.clone(),
                record: pin.record.clone(),
                by: Arc::clone(&pin.by),
                reason: Arc::clone(&pin.reason),
            }),
            approved: self.kept.approved.map(|digest| digest.to_string()),
            prune_held: self.kept.prune_held,
            deleted: self.kept.deleted.clone(),
            declared_from: self.declared_from.clone(),
            on_delete: self.on_delete,
            account: self.account.as_ref().map(|account| (Arc::clone(&account.namespace), Arc::clone(&account.name))),
            spec: self.spec.map(|digest| digest.to_string()),
            release: self.release.clone(),
        };
        serde_json::to_value(form).unwrap_or(Value::Null)
    }

    /// Reads the form. What cannot be read holds no gate: a gate that somebody set would be lost silently, so it is an error.
    pub(crate) fn read(value: &Value) -> Result<Self, serde_json::Error> {
        if value.is_null() {
            return Ok(Self::default());
        }
        let form: Form = serde_json::from_value(value.clone())?;
        Ok(Self {
            kept: Kept {
                suspend: form.suspend.map(|suspend| Suspend { by: suspend.by, reason: suspend.reason, until: suspend.until_ms }),
                pin: form.pin.map(|pin| Arc::new(Pin { revisions: pin.revisions, record: pin.record, by: pin.by, reason: pin.reason })),
                approved: form.approved.as_deref().and_then(Digest::parse),
                prune_held: form.prune_held,
                deleted: form.deleted,
            },
            declared_from: form.declared_from,
            on_delete: form.on_delete,
            account: form.account.map(|(namespace, name)| ServiceAccountRef { namespace, name }),
            spec: form.spec.as_deref().and_then(Digest::parse),
            release: form.release,
        })
    }
}

#[cfg(test)]
mod tests {
    use plumb_unit::Revisions;

    use super::*;

    #[test]
    fn what_is_kept_is_read_back() {
        let pin = Pin { revisions: Revisions::new(), record: Some("0abc".into()), by: "ada".into(), reason: "why".into() };
        let beside = Beside {
            kept: Kept {
                suspend: Some(Suspend { by: "ada".into(), reason: "lunch".into(), until: Some(7) }),
                pin: Some(Arc::new(pin)),
                approved: Some(Digest::of(b"plan")),
                prune_held: true,
                deleted: Some("bob".into()),
            },
            declared_from: Some("https://git.example.com/x//y".into()),
            on_delete: Some(OnDelete::Orphan),
            account: Some(ServiceAccountRef { namespace: "a".into(), name: "b".into() }),
            spec: Some(Digest::of(b"spec")),
            release: Some(Release {
                inputs: Digest::of(b"inputs"),
                content: Digest::of(b"content"),
                now_s: 1,
                revision: 2,
                upgrade: true,
                done: true,
                removed: false,
            }),
        };
        assert_eq!(Beside::read(&beside.write()).expect("form"), beside);
        assert_eq!(Beside::read(&Value::Null).expect("null"), Beside::default());
        assert!(Beside::read(&serde_json::json!({"suspend": 7})).is_err());
    }
}
