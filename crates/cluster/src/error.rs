//! Owns what can go wrong with a cluster, and the one classification that requeueing, conditions and metrics share.
//! Must not decide what is done about it.

use std::fmt;
use std::time::Duration;

use plumb_manifest::Gvk;

/// Why an order to a cluster was not carried out.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The kubeconfig cannot be used.
    #[error("kubeconfig {origin}: {reason}")]
    Kubeconfig {
        /// Its path, or where its text came from.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The kubeconfig signs in by running a program.
    #[error(
        "kubeconfig {origin}: context `{context}` signs in with {plugin}, which would run a program; \
         put a token or a client certificate of a service account there (`kubectl create token NAME`)"
    )]
    RunsProgram {
        /// The kubeconfig.
        origin: String,
        /// The context.
        context: String,
        /// `exec` or the auth provider's name.
        plugin: String,
    },
    /// An identity that names nobody, or somebody who may not be acted as.
    #[error("cannot act as service account `{account}`: {reason}")]
    Identity {
        /// `namespace/name` as given.
        account: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No answer.
    #[error("cannot reach {server}: {reason}")]
    Unreachable {
        /// The server's address.
        server: String,
        /// What the transport said.
        reason: String,
    },
    /// The address is answered by another cluster than the one that was registered.
    #[error(
        "{server} is another cluster now: its kube-system has UID {found}, not {expected}; \
         nothing is synced until it is accepted (`plumb cluster accept`)"
    )]
    OtherCluster {
        /// The server's address.
        server: String,
        /// The UID pinned.
        expected: String,
        /// The UID found.
        found: String,
    },
    /// The server's refusal.
    #[error("{0}")]
    Api(Box<Refusal>),
    /// The server does not serve the kind.
    #[error("the cluster does not serve {0}; apply its CustomResourceDefinition, or name a version that it serves")]
    UnknownKind(Gvk),
    /// The server's answer is not what the API promises.
    #[error("{what}: the server's answer cannot be read: {reason}")]
    Unreadable {
        /// What was asked.
        what: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The order itself is wrong.
    #[error("{what}: {reason}")]
    Invalid {
        /// The object.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// Another unit of this installation applied the object between the plan and the apply.
    #[error("{what} was applied by unit {owner} meanwhile; take it out of one of the two")]
    OfAnotherUnit {
        /// The object.
        what: String,
        /// The unit, as the object's stamp names it.
        owner: String,
    },
    /// Somebody else wrote what this process thought it alone wrote.
    #[error("{what} was written by another process; this one has to read it again before it writes")]
    Overtaken {
        /// What was written.
        what: String,
    },
    /// This process may no longer write.
    #[error("the lease is not held any more; nothing was written")]
    Fenced,
    /// The order was stopped.
    #[error("stopped")]
    Stopped,
}

/// What the API server said when it refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was asked, naming the object.
    pub what: String,
    /// HTTP status code.
    pub code: u16,
    /// The machine's word (`Forbidden`, `Invalid`); may be empty.
    pub reason: String,
    /// The server's message.
    pub message: String,
    /// What is wrong, each with its field.
    pub causes: Vec<Cause>,
    /// When to try again, if the server said so.
    pub retry_after: Option<Duration>,
}

/// One thing wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The machine's word (`FieldManagerConflict`, `FieldValueInvalid`).
    pub reason: String,
    /// For people.
    pub message: String,
    /// The field, as the server writes paths.
    pub field: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.what)?;
        if self.message.is_empty() { write!(f, "the server answered {} {}", self.code, self.reason) } else { f.write_str(&self.message) }
    }
}

/// The sort of an error: what to do about it, and its word in conditions and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// No answer: try again with back-off, the target is out of reach.
    Unreachable,
    /// The server asks to slow down.
    Throttled,
    /// The server failed by itself.
    Server,
    /// A right is missing.
    Denied,
    /// Not there.
    NotFound,
    /// Something changed in between, or another manager owns a field.
    Conflict,
    /// The version asked for is too old.
    Expired,
    /// The object is wrong: trying again changes nothing.
    Invalid,
    /// The registration is wrong: kubeconfig, identity, another cluster.
    Setup,
    /// This process may not write, or was told to stop.
    Stopped,
}

impl Class {
    /// Returns the word for conditions and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "Unreachable",
            Self::Throttled => "Throttled",
            Self::Server => "ServerError",
            Self::Denied => "Denied",
            Self::NotFound => "NotFound",
            Self::Conflict => "Conflict",
            Self::Expired => "Expired",
            Self::Invalid => "Invalid",
            Self::Setup => "Setup",
            Self::Stopped => "Stopped",
        }
    }

    /// Returns whether the same order may succeed later without anybody changing anything.
    pub fn passes_by_itself(self) -> bool {
        matches!(self, Self::Unreachable | Self::Throttled | Self::Server | Self::Conflict | Self::Expired)
    }
}

/// Returns the sort of an error.
pub fn classify(error: &ClusterError) -> Class {
    match error {
        ClusterError::Unreachable { .. } => Class::Unreachable,
        ClusterError::Api(refusal) => classify_refusal(refusal),
        ClusterError::UnknownKind(_) => Class::NotFound,
        ClusterError::Unreadable { .. } => Class::Server,
        ClusterError::Invalid { .. } => Class::Invalid,
        ClusterError::Overtaken { .. } | ClusterError::OfAnotherUnit { .. } => Class::Conflict,
        ClusterError::Fenced | ClusterError::Stopped => Class::Stopped,
        ClusterError::Kubeconfig { .. }
        | ClusterError::RunsProgram { .. }
        | ClusterError::Identity { .. }
        | ClusterError::OtherCluster { .. } => Class::Setup,
    }
}

fn classify_refusal(refusal: &Refusal) -> Class {
    match refusal.code {
        401 | 403 => Class::Denied,
        404 => Class::NotFound,
        409 => Class::Conflict,
        410 => Class::Expired,
        429 => Class::Throttled,
        500 if refusal.is_wrong_manifest() => Class::Invalid,
        code if code >= 500 => Class::Server,
        _ => Class::Invalid,
    }
}

impl Refusal {
    /// Returns whether the server blames the manifest although it answers 500, as server-side apply does for a field that the
    /// schema does not have (k8s.io/apimachinery managedfields wraps the typed conversion's error without a code).
    pub(crate) fn is_wrong_manifest(&self) -> bool {
        self.message.starts_with("failed to create typed patch object") || self.message.contains("field not declared in schema")
    }

    /// Returns the causes that are conflicts with other field managers.
    pub(crate) fn manager_conflicts(&self) -> impl Iterator<Item = &Cause> {
        self.causes.iter().filter(|cause| cause.reason == "FieldManagerConflict")
    }
}

#[derive(serde::Deserialize)]
struct StatusBody {
    #[serde(default)]
    message: String,
    #[serde(default)]
    reason: String,
    details: Option<Details>,
}

#[derive(serde::Deserialize)]
struct Details {
    #[serde(default)]
    causes: Vec<CauseBody>,
    #[serde(rename = "retryAfterSeconds")]
    retry_after: Option<u64>,
}

#[derive(serde::Deserialize)]
struct CauseBody {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    field: String,
}

/// Longest piece of an unparsable answer that goes into a message.
const MAX_EXCERPT: usize = 300;

impl Refusal {
    /// Reads a `Status`; an answer that is none (a proxy's page) is kept as an excerpt.
    pub(crate) fn parse(what: &str, code: u16, body: &[u8], retry_after: Option<Duration>) -> Self {
        match serde_json::from_slice::<StatusBody>(body) {
            Ok(status) => {
                let details = status.details.unwrap_or(Details { causes: Vec::new(), retry_after: None });
                Self {
                    what: what.to_owned(),
                    code,
                    reason: status.reason,
                    message: status.message,
                    causes: details
                        .causes
                        .into_iter()
                        .map(|cause| Cause { reason: cause.reason, message: cause.message, field: cause.field })
                        .collect(),
                    retry_after: retry_after.or(details.retry_after.map(Duration::from_secs)),
                }
            }
            Err(_) => {
                let text = String::from_utf8_lossy(&body[..body.len().min(MAX_EXCERPT)]).trim().to_owned();
                Self { what: what.to_owned(), code, reason: String::new(), message: text, causes: Vec::new(), retry_after }
            }
        }
    }

    pub(crate) fn into_error(self) -> ClusterError {
        ClusterError::Api(Box::new(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(code: u16, body: &str) -> Class {
        classify(&Refusal::parse("ConfigMap a/b", code, body.as_bytes(), None).into_error())
    }

    #[test]
    fn sorts_refusals() {
        for (code, expect) in [
            (401, Class::Denied),
            (403, Class::Denied),
            (404, Class::NotFound),
            (409, Class::Conflict),
            (410, Class::Expired),
            (422, Class::Invalid),
            (429, Class::Throttled),
            (500, Class::Server),
            (503, Class::Server),
        ] {
            assert_eq!(class(code, r#"{"kind":"Status","message":"no"}"#), expect, "{code}");
        }
        assert_eq!(
            class(500, r#"{"message":"failed to create typed patch object (a/b; v1, Kind=ConfigMap): .x: field not declared in schema"}"#),
            Class::Invalid
        );
    }

    #[test]
    fn an_answer_that_is_no_status_is_quoted_in_part() {
        let page = "x".repeat(MAX_EXCERPT * 2);
        let refusal = Refusal::parse("ConfigMap a/b", 502, page.as_bytes(), None);
        assert_eq!(refusal.message.len(), MAX_EXCERPT);
    }

    #[test]
    fn the_servers_wait_is_kept() {
        let refusal = Refusal::parse("x", 429, br#"{"details":{"retryAfterSeconds":7}}"#, None);
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(7)));
    }
}
