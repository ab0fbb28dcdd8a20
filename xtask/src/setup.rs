//! Owns what the commands need on a fresh machine: finds it, installs what can be installed, names the rest in one line.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

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

fn ensure_package(package: &str, programs: &[&str]) -> Result<()> {
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

fn on_path(program: &str) -> bool {
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
