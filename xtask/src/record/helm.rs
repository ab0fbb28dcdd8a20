//! Owns asking the real `helm` again what the recorded families of cases come to.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;
use plumb_suite::{Answer, Recorded};

use crate::setup;

const FAMILIES: &str = "crates/helm/tests/helm/recorded";

/// Records the answers of all families, or of those that are named.
pub(crate) fn run(names: &[&str]) -> Result<()> {
    let helm = setup::tools()?.helm()?;
    super::families(FAMILIES, names, &|case| ask(&helm, case))
}

/// Asks about one case, in a folder of its own.
fn ask(helm: &Path, case: &Recorded) -> Result<Answer> {
    let folder = tempfile::tempdir()?;
    for (name, text) in plumb_suite::chart_files(case) {
        let path = match name.strip_prefix('@') {
            Some(outside) => folder.path().join(outside),
            None => folder.path().join("chart").join(&name),
        };
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(path, text)?;
    }
    let mut command = Command::new(helm);
    command.args(["template", "rel", "chart"]);
    if !case.arguments.iter().any(|argument| argument == "-n") {
        command.args(["-n", "ns"]);
    }
    let output = command
        .args(&case.arguments)
        .current_dir(&folder)
        .stdin(Stdio::null())
        .env_clear()
        .envs([("HOME", folder.path().as_os_str()), ("KUBECONFIG", "/nonexistent".as_ref()), ("TZ", "UTC".as_ref())])
        .output()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let answer = if output.status.success() { Answer::Output(text(output.stdout)) } else { Answer::Error(error(&text(output.stderr))) };
    Ok(if case.is_line { plumb_suite::line_answer(answer) } else { answer })
}

/// What Helm says without what it logs.
fn error(told: &str) -> String {
    let from = told.find("Error: ").unwrap_or_default();
    told[from..].to_owned()
}
