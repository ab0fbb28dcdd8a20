//! Owns `check` and `test`: what has to hold before a change lands.

use anyhow::{Result, bail};
use plumb_plane::{Plane, Tools};

use crate::setup::{cargo, ensure, root, run};
use crate::{demo, tidy};

/// Checks formatting, lints and the tidy rules.
pub(crate) fn check() -> Result<()> {
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    tidy_only()?;
    run(&mut cargo(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
}

/// Runs the tidy rules alone.
pub(crate) fn tidy_only() -> Result<()> {
    let findings = tidy::run(&root());
    for finding in &findings {
        println!("tidy: {finding}");
    }
    if !findings.is_empty() {
        bail!("{} tidy findings", findings.len());
    }
    Ok(())
}

/// Runs everything: the control plane is built while the lints run, and shared by all test binaries.
pub(crate) fn run_tests(long: bool) -> Result<()> {
    ensure()?;
    let tools = std::thread::spawn(|| -> Result<()> {
        let tools = Tools::locate()?;
        tools.kube()?;
        tools.oracle()?;
        Ok(())
    });
    let checked = check();
    let built = tools.join();
    checked?;
    match built {
        Ok(result) => result?,
        Err(_) => bail!("building the control plane panicked"),
    }
    let plane = Plane::start(plumb_plane::Options::default())?;
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.env("PLUMB_PLANE", plane.directory());
    if long {
        command.env("PLUMB_ORACLE", Tools::locate()?.oracle()?);
    }
    run(&mut command)?;
    drop(plane);
    demo::run(demo::Options::checked())
}
