//! Owns asking the real `kustomize` again what the recorded families of cases come to.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;
use plumb_suite::{Answer, Content, Recorded, kustomize_files};

use crate::setup;

const FAMILIES: &str = "crates/kustomize/tests/kustomize/recorded";
/// What a case calls the program that inflates charts.
const HELM: &str = "HELM";
/// What an answer calls the folder of its case.
const ROOT: &str = "ROOT";

/// Records the answers of all families, or of those that are named.
pub(crate) fn run(names: &[&str]) -> Result<()> {
    let tools = setup::tools()?;
    let (kustomize, helm) = (tools.kustomize()?, tools.helm()?);
    super::families(FAMILIES, names, &|case| ask(&kustomize, &helm, case))
}

/// Asks about one case, in a folder of its own.
fn ask(kustomize: &Path, helm: &Path, case: &Recorded) -> Result<Answer> {
    let temporary = tempfile::tempdir()?;
    let folder = temporary.path().canonicalize()?.join("case");
    fs::create_dir(&folder)?;
    for (name, content) in kustomize_files(case) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        match content {
            Content::Bytes(bytes) => fs::write(path, bytes)?,
            Content::Link(target) => symlink(target, path)?,
        }
    }
    let mut command = Command::new(kustomize);
    command.arg("build");
    for argument in &case.arguments {
        match argument.as_str() {
            HELM => command.arg(helm),
            other => command.arg(other),
        };
    }
    // Git is looked for as soon as a resource is nowhere, and must not be asked for anything.
    let output = command
        .current_dir(&folder)
        .stdin(Stdio::null())
        .env_clear()
        .envs([("HOME", temporary.path().as_os_str()), ("TZ", "UTC".as_ref())])
        .output()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(if output.status.success() {
        Answer::Output(text(output.stdout))
    } else {
        Answer::Error(error(&text(output.stderr), &folder.to_string_lossy(), &temporary.path().to_string_lossy()))
    })
}

/// What kustomize says, without its warnings, this machine's folders and addresses in its memory.
fn error(told: &str, folder: &str, temporary: &str) -> String {
    let from = told.find("Error: ").or_else(|| told.find("panic: ")).unwrap_or_default();
    // What follows is how Helm was called, with folders that are made anew each time.
    let told = told[from..].split(": unable to run: ").next().unwrap_or_default();
    let told = told.replace(folder, ROOT).replace(temporary, "OUTSIDE");
    if told.starts_with("panic: ") {
        return told.lines().take(1).map(|line| format!("{line}\n")).collect();
    }
    let mut parts = told.split("&{0x");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str("&{ADDRESS");
        text.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}
