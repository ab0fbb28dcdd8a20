//! Owns how the API says no.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

/// What sort of no it is; decides the HTTP status and the CLI's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ErrorCode {
    /// There is no such thing.
    NotFound,
    /// The question or order makes no sense.
    Invalid,
    /// It does not fit the state things are in.
    Conflict,
    /// It may not be done.
    Refused,
    /// It cannot be told or done just now.
    Unavailable,
    /// This process cannot do that.
    Unsupported,
    /// A fault of ours.
    Internal,
}

impl ErrorCode {
    /// Returns the HTTP status that goes with it.
    pub fn status(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::Refused => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Internal => 500,
            Self::Unsupported => 501,
            Self::Unavailable => 503,
        }
    }
}

/// Why a question has no answer, or an order is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[error("{message}")]
pub struct ApiError {
    /// What sort of no it is.
    pub code: ErrorCode,
    /// For people: a lowercase fragment that names the object.
    pub message: String,
    /// What to do, each a sentence of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

/// What lies in the body of an answer that is no: `{"error": {"code": …, "message": …, "hints": […]}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorView {
    /// The error.
    pub error: ApiError,
}

impl ApiError {
    /// Returns an error without hints.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hints: Vec::new() }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Returns that there is no such unit.
    pub fn no_unit(namespace: &str, name: &str) -> Self {
        Self::new(ErrorCode::NotFound, format!("there is no unit `{namespace}/{name}`")).hint("`plumb get units` lists them.")
    }

    /// Returns that there is no such request.
    pub fn no_request(id: &str) -> Self {
        Self::new(ErrorCode::NotFound, format!("there is no request `{id}`, or no longer"))
    }

    /// Returns that this process cannot do that.
    pub fn unsupported(what: &str) -> Self {
        Self::new(ErrorCode::Unsupported, format!("this `plumb serve` cannot {what}"))
    }
}

impl From<plumb_store::StoreError> for ApiError {
    fn from(error: plumb_store::StoreError) -> Self {
        use plumb_store::StoreError::{Ambiguous, NoSuchBuild, NoSuchSync, NotRebuildable};
        let code = match &error {
            NoSuchSync(_) | NoSuchBuild { .. } => ErrorCode::NotFound,
            Ambiguous { .. } => ErrorCode::Invalid,
            NotRebuildable { .. } => ErrorCode::Conflict,
            _ => ErrorCode::Unavailable,
        };
        Self::new(code, error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(ErrorView { error: self })).into_response()
    }
}
