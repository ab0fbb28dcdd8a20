//! Owns `check` and `test`: what has to hold before a change lands.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use plumb_plane::{Plane, Tools};

use crate::setup::{cargo, ensure, root, run, tools};
use crate::{demo, tidy};

/// Checks formatting, lints and the tidy rules.
pub(crate) fn check() -> Result<()> {
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    tidy_only()?;
    run(&mut cargo(&["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    // The program without its operator is another program: what only the operator uses would be dead code in it.
    let lean = ["clippy", "--quiet", "--package", "plumb", "--no-default-features", "--no-deps", "--", "--deny", "warnings"];
    run(&mut cargo(&lean))
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
        let tools = tools()?;
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
    // In colour its lines could not be told apart, and continuous integration often asks for colour.
    command.env("PLUMB_PLANE", plane.directory()).env("CARGO_TERM_COLOR", "never");
    if long {
        command.env("PLUMB_ORACLE", Tools::locate()?.oracle()?).env("PLUMB_HELM_ORACLE", Tools::locate()?.helm_oracle()?);
        command.env("PLUMB_KUSTOMIZE", Tools::locate()?.kustomize()?).env("PLUMB_LONG", "1");
    }
    test_twice(command, &plane)?;
    drop(plane);
    demo::run(demo::Options::checked())
}

/// Runs the tests; those test binaries that failed are run once more, and said to have been. Time limits against a real control plane can be
/// missed on a machine that others share, and a failure that stands fails both times.
fn test_twice(mut command: Command, plane: &Plane) -> Result<()> {
    let mut child = command.stderr(Stdio::piped()).spawn()?;
    let mut again = Vec::new();
    for line in child.stderr.take().into_iter().flat_map(|stderr| BufReader::new(stderr).lines()).map_while(Result::ok) {
        if let Some(arguments) = line.strip_prefix("error: test failed, to rerun pass `").and_then(|rest| rest.strip_suffix('`')) {
            again.push(arguments.to_owned());
        }
        pass_on(&line);
    }
    if child.wait()?.success() {
        return Ok(());
    }
    if again.is_empty() {
        bail!("the tests could not be built or run");
    }
    for arguments in &again {
        println!("\nonce more, because it failed: cargo test {arguments}");
        let words: Vec<&str> = std::iter::once("test").chain(arguments.split(' ')).collect();
        run(cargo(&words).env("PLUMB_PLANE", plane.directory()))?;
    }
    println!("\npassed only the second time: {}", again.join(", "));
    Ok(())
}

/// Passes a line of cargo's on as it came.
fn pass_on(line: &str) {
    use std::io::Write;
    // Nobody reading is no reason to stop testing.
    let _ = writeln!(std::io::stderr(), "{line}");
}
