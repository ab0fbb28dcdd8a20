//! Owns what the commands need on a fresh machine: finds it, installs what can be installed, names the rest in one line.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use plumb_plane::{Progress, Tools, ask_to_end};

/// How often a build that takes minutes says how far it is.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// Returns the workspace's root folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Makes sure that the programs the tests run are here: Go to build the control plane, git and sshd as servers.
pub(crate) fn ensure() -> Result<()> {
    if !on_path("go") {
        bail!("`go` 1.26 or newer is needed to build the test control plane: install it, then run this again");
    }
    ensure_package("git", &["git"])?;
    ensure_package("openssh-server", &["sshd", "/usr/sbin/sshd"])
}

/// Makes sure that a package's program is here, by its name or its path.
pub(crate) fn ensure_package(package: &str, programs: &[&str]) -> Result<()> {
    if programs.iter().any(|program| on_path(program) || Path::new(program).is_file()) {
        return Ok(());
    }
    let install = format!("apt-get install -y {package}");
    if !on_path("apt-get") || !is_root() {
        bail!("`{}` is needed: run `{install}` as root, then run this again", programs[0]);
    }
    println!("installing {package}");
    // An old package index is the usual reason for a failed install on a fresh machine.
    run(Command::new("apt-get").args(["-qq", "update"]))?;
    run(Command::new("apt-get").args(["-qq", "install", "-y", "--no-install-recommends", package]).env("DEBIAN_FRONTEND", "noninteractive"))
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout.trim_ascii() == b"0")
}

/// Returns whether a program is on the PATH.
pub(crate) fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// Runs a command to its end; an exit code other than 0 is an error that names the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("`{}` did not start", command.get_program().to_string_lossy()))?;
    if !status.success() {
        bail!("`{}` failed ({status})", words(command));
    }
    Ok(())
}

fn words(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&argument.to_string_lossy());
    }
    text
}

/// Finds what builds the control plane and the reference programs. A build says how far it is, a line every few seconds.
pub(crate) fn tools() -> Result<Tools> {
    let told = Mutex::new(None::<Instant>);
    Ok(Tools::locate()?.with_progress(move |step| {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|last| last.elapsed() >= TELL_EVERY) {
            *told = Some(Instant::now());
            println!("  {}", far(&step));
        }
    }))
}

/// Returns how far a build is.
fn far(step: &Progress<'_>) -> String {
    match step.total {
        0 => format!("building {}: {}", step.tool, step.line),
        total => format!("building {}: {} of {total} packages", step.tool, step.done),
    }
}

/// Asks a process to end as an orderly shutdown does, and kills it when it takes too long.
pub(crate) fn end(mut child: Child, patience: Duration) -> Result<()> {
    ask_to_end(&child);
    let begun = Instant::now();
    while child.try_wait()?.is_none() {
        if begun.elapsed() > patience {
            child.kill()?;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Returns a `cargo` command that works in the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Builds the `plumb` binary and returns its path.
pub(crate) fn plumb(profile: &str) -> Result<PathBuf> {
    run(&mut cargo(&["build", "--quiet", "--profile", profile, "--package", "plumb"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    Ok(target.join(if profile == "dev" { "debug" } else { profile }).join("plumb"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_says_how_far_it_is() {
        let step = |done, total| Progress { tool: "plane-kube", done, total, line: "go: downloading k8s.io/api v0.36.1" };
        assert_eq!(far(&step(0, 0)), "building plane-kube: go: downloading k8s.io/api v0.36.1");
        assert_eq!(far(&step(412, 1893)), "building plane-kube: 412 of 1893 packages");
    }

    #[test]
    fn a_process_is_asked_to_end_and_then_made_to() {
        let asked = Command::new("sleep").arg("60").spawn().expect("sleep");
        let begun = Instant::now();
        end(asked, Duration::from_secs(30)).expect("ended");
        let deaf = Command::new("sh").args(["-c", "trap '' TERM; while :; do sleep 0.05; done"]).spawn().expect("sh");
        end(deaf, Duration::from_millis(300)).expect("ended");
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }
}
