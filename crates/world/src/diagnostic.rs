//! Owns diagnostics: a user's mistake as a value, with its places and what to do about it.

use crate::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The build goes on.
    Warning,
    /// The build has no result.
    Error,
}

/// A place and what is to be seen there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there, a lowercase fragment; may be empty.
    pub text: String,
}

/// Something a user should know about their input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable name, kebab-case (`yaml-syntax`, `duplicate-object`).
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What happened, a lowercase sentence fragment that names the object.
    pub message: String,
    /// Where; the first is the primary place. Empty when there is no file to point at.
    pub labels: Vec<Label>,
    /// What to do, each a sentence of its own.
    pub hints: Vec<String>,
}

impl Diagnostic {
    /// Returns an error without a place.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, severity: Severity::Error, message: message.into(), labels: Vec::new(), hints: Vec::new() }
    }

    /// Returns a warning without a place.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Adds a place; the first one added is the primary one.
    #[must_use]
    pub fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// A result that came with warnings.
#[derive(Clone, Debug)]
pub struct Warned<T> {
    /// The result.
    pub value: T,
    /// What the user should know all the same.
    pub warnings: Vec<Diagnostic>,
}
