//! Owns how recorded answers lie in the target: one Secret of `plumb-system` for each unit that asked for randomness or certificates, beside its
//! inventory, so that losing everything else changes no password. Must not look into them.

use http::Method;
use plumb_plan::UnitHash;
use plumb_unit::NodeKey;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{Class, ClusterError, classify};
use crate::inventory::ensure_namespace;
use crate::wire::{ActAs, Call, FenceCheck};
use crate::{Cluster, SYSTEM_NAMESPACE};

/// Bytes of a unit's answers at most: below the API server's 1 MiB for an object, Base64 included.
pub const MAX_ANSWERS: usize = 700 << 10;

const ANSWERS_LABEL: &str = "plumb.dev/answers";
const KEY: &str = "answers";

/// Answers as they lie in the target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredAnswers {
    /// What the writer gave.
    pub bytes: Vec<u8>,
    /// The version to write against; none where there is no Secret yet.
    pub version: Option<String>,
}

#[derive(Deserialize)]
struct Secret {
    metadata: Meta,
    #[serde(default)]
    data: std::collections::BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    resource_version: String,
}

impl Cluster {
    /// Reads a unit's answers; without a Secret there are none.
    pub async fn answers(&self, unit: &NodeKey) -> Result<StoredAnswers, ClusterError> {
        let what = format!("the recorded answers of {unit}");
        let own = ActAs::default();
        let answer = self.wire().send(&Call::get(format!("{}/{}", secrets(), self.answers_name(unit)), &what, &own)).await?;
        if answer.status == 404 {
            return Ok(StoredAnswers::default());
        }
        let secret = read(&answer.success(&what)?, &what)?;
        let bytes = secret.data.get(KEY).map_or(Some(Vec::new()), |text| plumb_go::base64::decode(text.as_bytes()));
        let bytes = bytes.ok_or_else(|| ClusterError::Unreadable { what, reason: "they are no Base64".to_owned() })?;
        Ok(StoredAnswers { bytes, version: Some(secret.metadata.resource_version) })
    }

    /// Writes a unit's answers against the version that was read, and returns the new version. If somebody else wrote them meanwhile, they stay as
    /// they are and the error is [`ClusterError::Overtaken`].
    pub async fn write_answers(&self, unit: &NodeKey, answers: &StoredAnswers, fence: Option<&FenceCheck>) -> Result<String, ClusterError> {
        let what = format!("the recorded answers of {unit}");
        if answers.bytes.len() > MAX_ANSWERS {
            let reason = format!("they have {} bytes; {MAX_ANSWERS} are allowed", answers.bytes.len());
            return Err(ClusterError::Invalid { what, reason });
        }
        let name = self.answers_name(unit);
        let mut metadata = json!({
            "name": name, "namespace": SYSTEM_NAMESPACE, "labels": {ANSWERS_LABEL: &**self.installation()},
        });
        if let Some(version) = &answers.version {
            metadata["resourceVersion"] = version.as_str().into();
        }
        let data: Value = json!({KEY: plumb_go::base64::encode(&answers.bytes)});
        let body = json!({"apiVersion": "v1", "kind": "Secret", "type": "plumb.dev/answers", "metadata": metadata, "data": data});
        let (method, path) = match answers.version {
            Some(_) => (Method::PUT, format!("{}/{name}", secrets())),
            None => (Method::POST, secrets()),
        };
        let own = ActAs::default();
        let mut call = Call::write(method, path, &what, &own, "application/json", body.to_string().into_bytes());
        call.fence = fence;
        let mut written = self.wire().send(&call).await?;
        if written.status == 404 && answers.version.is_none() {
            ensure_namespace(self.wire()).await?;
            written = self.wire().send(&call).await?;
        }
        match written.success(&what) {
            Ok(body) => Ok(read(&body, &what)?.metadata.resource_version),
            Err(error) if classify(&error) == Class::Conflict => Err(ClusterError::Overtaken { what }),
            Err(error) => Err(error),
        }
    }

    /// Deletes the answers of a unit that is gone.
    pub async fn delete_answers(&self, unit: &NodeKey, fence: Option<&FenceCheck>) -> Result<(), ClusterError> {
        let what = format!("the recorded answers of {unit}");
        let own = ActAs::default();
        let path = format!("{}/{}", secrets(), self.answers_name(unit));
        let mut call = Call::write(Method::DELETE, path, &what, &own, "application/json", b"{}".to_vec());
        call.fence = fence;
        let answer = self.wire().send(&call).await?;
        if answer.status == 404 { Ok(()) } else { answer.success(&what).map(|_| ()) }
    }

    fn answers_name(&self, unit: &NodeKey) -> String {
        format!("plumb-{}-{}-answers", self.installation(), UnitHash::of(unit))
    }
}

fn secrets() -> String {
    format!("/api/v1/namespaces/{SYSTEM_NAMESPACE}/secrets")
}

fn read(body: &[u8], what: &str) -> Result<Secret, ClusterError> {
    serde_json::from_slice(body).map_err(|error| ClusterError::Unreadable { what: what.to_owned(), reason: error.to_string() })
}
