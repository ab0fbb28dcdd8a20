//! Owns where the conformance corpus is: answers of the programs whose behaviour is held here, recorded outside the project.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Returns the unpacked corpus: what `PLUMB_CORPUS` names, or what is unpacked from `../shared/corpus` beside the checkout. Nothing where it is neither; then
/// there is nothing to compare with, and the test says so and passes.
pub fn corpus() -> Option<PathBuf> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOUND.get_or_init(find).clone()
}

fn find() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("PLUMB_CORPUS").map(PathBuf::from).filter(|folder| folder.is_dir()) {
        return Some(folder);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let script = root.join("../shared/corpus/unpack.sh");
    if !script.is_file() {
        eprintln!("there is no corpus here: nothing to compare with");
        return None;
    }
    let has_zstd = Command::new("zstd").arg("--version").output().is_ok_and(|output| output.status.success());
    if !has_zstd {
        eprintln!("the corpus cannot be unpacked without zstd: nothing to compare with");
        return None;
    }
    let folder = root.join("target/corpus");
    let output = Command::new("sh").arg(&script).arg(&folder).output();
    match output {
        Ok(output) if output.status.success() => Some(folder),
        Ok(output) => panic!("the corpus cannot be unpacked: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => panic!("the corpus cannot be unpacked: {error}"),
    }
}
