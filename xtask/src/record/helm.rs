//! Owns asking the real `helm` again what the recorded families of cases come to.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use plumb_suite::{Answer, Recorded, answered};

use crate::setup;

const FAMILIES: &str = "crates/helm/tests/helm/recorded";

/// Records the answers of all families, or of those that are named.
pub(crate) fn run(names: &[&str]) -> Result<()> {
    let helm = setup::tools()?.helm()?;
    let mut files: Vec<_> = fs::read_dir(setup::root().join(FAMILIES))?.collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    for file in files {
        let path = file.path();
        let family = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !names.is_empty() && !names.contains(&family.as_str()) {
            continue;
        }
        let (mut count, mut failed) = (0, None);
        let text = fs::read_to_string(&path)?;
        let again = answered(&text, &mut |case| {
            count += 1;
            let answer = ask(&helm, case).with_context(|| format!("{family}: {}", case.name));
            answer.unwrap_or_else(|error| {
                failed.get_or_insert(error);
                Answer::Error(String::new())
            })
        });
        if let Some(error) = failed {
            return Err(error);
        }
        fs::write(&path, again)?;
        println!("{family}: {count} cases");
    }
    Ok(())
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
