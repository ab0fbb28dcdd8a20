//! Owns the second thread of a command that reads and renders a chart: most of that work waits for nothing.

use std::thread::{Builder, scope};

/// Carries out two things at once, the first one here; one after the other where no thread can be started.
pub(crate) fn both(one: &mut dyn FnMut(), other: &mut (dyn FnMut() + Send)) {
    let is_done = scope(|scope| {
        let other = Builder::new().spawn_scoped(scope, &mut *other);
        one();
        other.is_ok()
    });
    if !is_done {
        other();
    }
}
