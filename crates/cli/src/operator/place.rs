//! Owns where things lie on this machine unless told otherwise: the socket, the state folder.

use std::path::{Path, PathBuf};

/// Returns the socket of the running `plumb serve` that is meant.
pub(crate) fn socket(asked: Option<&Path>) -> PathBuf {
    let folder = || folder("XDG_RUNTIME_DIR", "").unwrap_or_else(state);
    asked.map_or_else(|| folder().join("plumb.sock"), Path::to_owned)
}

/// Returns the folder for the repository cache and the history.
pub(crate) fn state() -> PathBuf {
    folder("XDG_STATE_HOME", "").or_else(|| folder("HOME", ".local/state")).unwrap_or_else(|| PathBuf::from("/var/lib/plumb"))
}

/// Returns Plumb's own folder below the one that a variable names; a relative one does not count, as the XDG base directory specification has it.
fn folder(variable: &str, below: &str) -> Option<PathBuf> {
    let base = PathBuf::from(std::env::var_os(variable)?);
    base.is_absolute().then(|| base.join(below).join("plumb"))
}
