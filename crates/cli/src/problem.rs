//! Owns why a command failed: what is said, what to do about it, and the exit code.

use std::io;
use std::process::ExitCode;

/// The process did what it was asked for.
pub(crate) const DONE: u8 = 0;
/// It could not, or `diff` found a difference.
pub(crate) const FAILED: u8 = 1;
/// It was asked in a way that is not understood.
pub(crate) const USAGE: u8 = 2;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Problem {
    /// Diagnostics with excerpts, ready to be printed; often empty.
    pub(crate) report: String,
    /// What happened, a lowercase fragment; empty when the report says it all.
    pub(crate) message: String,
    /// What to do, each on a line of its own.
    pub(crate) hints: Vec<String>,
    /// Diagnostics that explain the message, ready to be printed behind it; often empty.
    pub(crate) details: String,
    /// How the process ends.
    pub(crate) code: u8,
}

/// What a command gives: the exit code of a success, or a problem.
pub(crate) type Done = Result<u8, Problem>;

impl Problem {
    /// Makes a failure.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { report: String::new(), message: message.into(), hints: Vec::new(), details: String::new(), code: FAILED }
    }

    /// Makes a failure of usage.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, ..Self::new(message) }
    }

    /// Makes a failure that diagnostics explain.
    pub(crate) fn report(report: String) -> Self {
        Self { report, ..Self::new("") }
    }

    /// Adds what to do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Makes it one of `diff`, where 1 means "different".
    #[cfg(feature = "operator")]
    #[must_use]
    pub(crate) fn of_diff(self) -> Self {
        Self { code: self.code.max(USAGE), ..self }
    }

    /// Takes an error with its causes, each said once.
    pub(crate) fn of(error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            source = cause.source();
        }
        Self::new(message)
    }
}

impl From<io::Error> for Problem {
    /// For writing to stdout: who reads has gone, which is no failure of ours.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { code: DONE, ..Self::new("") };
        }
        Self::new(format!("stdout cannot be written to: {error}"))
    }
}

/// Returns the process's exit code.
pub(crate) fn exit(code: u8) -> ExitCode {
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        #[source]
        source: Option<Box<Layer>>,
    }

    #[test]
    fn causes_are_said_once() {
        let inner = Layer { text: "connection refused", source: None };
        let outer = Layer { text: "no answer", source: Some(Box::new(inner)) };
        assert_eq!(Problem::of(&outer).message, "no answer: connection refused");
        let inner = Layer { text: "connection refused", source: None };
        let outer = Layer { text: "no answer: connection refused", source: Some(Box::new(inner)) };
        assert_eq!(Problem::of(&outer).message, "no answer: connection refused");
    }

    #[cfg(feature = "operator")]
    #[test]
    fn a_failed_diff_is_told_from_a_difference() {
        assert_eq!(Problem::new("x").of_diff().code, 2);
        assert_eq!(Problem::usage("x").code, 2);
    }

    #[test]
    fn a_reader_that_left_is_no_failure() {
        assert_eq!(Problem::from(io::Error::from(io::ErrorKind::BrokenPipe)).code, 0);
    }
}
