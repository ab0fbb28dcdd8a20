//! Owns failing: what the user did wrong, as diagnostics, or the world that could not say.

use plumb_world::{Diagnostic, Span, WorldError};

use crate::limits::MAX_MISTAKES;

/// Why a step has no result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The user's mistakes; at least one.
    Wrong(Vec<Diagnostic>),
    /// The world failed: worth another try.
    World(WorldError),
}

pub(crate) type Outcome<T> = Result<T, Failure>;

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Wrong(vec![diagnostic])
    }
}

impl From<WorldError> for Failure {
    fn from(error: WorldError) -> Self {
        Self::World(error)
    }
}

impl Failure {
    /// Adds a place to each mistake: what led there.
    #[must_use]
    pub(crate) fn through(mut self, place: Option<Span>, text: &str) -> Self {
        if let (Self::Wrong(diagnostics), Some(place)) = (&mut self, place) {
            for diagnostic in diagnostics {
                let label = plumb_world::Label { span: place, text: text.to_owned() };
                if !diagnostic.labels.contains(&label) {
                    diagnostic.labels.push(label);
                }
            }
        }
        self
    }
}

/// Returns an error at a place that may not be known.
pub(crate) fn wrong(code: &'static str, message: impl Into<String>, place: Option<Span>) -> Diagnostic {
    let diagnostic = Diagnostic::error(code, message);
    match place {
        Some(place) => diagnostic.at(place, ""),
        None => diagnostic,
    }
}

/// Collects results of independent parts: all mistakes of all of them, or all values.
pub(crate) fn all<T>(parts: impl IntoIterator<Item = Outcome<T>>) -> Outcome<Vec<T>> {
    let (mut values, mut mistakes) = (Vec::new(), Vec::new());
    for part in parts {
        match part {
            Ok(value) => values.push(value),
            // More of them would say nothing new.
            Err(Failure::Wrong(more)) if mistakes.len() + more.len() >= MAX_MISTAKES => {
                mistakes.extend(more);
                break;
            }
            Err(Failure::Wrong(more)) => mistakes.extend(more),
            Err(world) => return Err(world),
        }
    }
    if mistakes.is_empty() { Ok(values) } else { Err(Failure::Wrong(mistakes)) }
}
