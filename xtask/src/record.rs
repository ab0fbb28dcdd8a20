//! Owns `record`: asking the reference programs again for what is committed of them.

mod helm;

use std::process::Command;

use anyhow::{Context, Result, bail};
use plumb_plane::Plane;
use serde_json::Value;

use crate::setup;

pub(crate) use helm::run as helm;

const DISCOVERY: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const TABLE: &str = "crates/schema/data/kinds.txt";

/// Records what a real API server says of its kinds: scope, plural, list keys.
pub(crate) fn schema() -> Result<()> {
    setup::ensure()?;
    setup::ensure_package("curl", &["curl"])?;
    let plane = Plane::start(plumb_plane::Options::default())?;
    let index = get(&plane, "/openapi/v3", "application/json")?;
    let paths = index["paths"].as_object().context("`/openapi/v3` names no documents")?;
    let documents: Vec<Value> = paths
        .values()
        .filter_map(|path| path["serverRelativeURL"].as_str())
        .map(|url| get(&plane, url, "application/json"))
        .collect::<Result<_>>()?;
    let discovery = [get(&plane, "/api", DISCOVERY)?, get(&plane, "/apis", DISCOVERY)?];
    let table = plumb_schema::record(&documents, &discovery)?;
    std::fs::write(setup::root().join(TABLE), &table)?;
    println!("{TABLE}: {} bytes from {} documents", table.len(), documents.len());
    Ok(())
}

fn get(plane: &Plane, path: &str, accept: &str) -> Result<Value> {
    let output = Command::new("curl")
        .args(["--silent", "--fail", "--show-error", "--noproxy", "*", "--cacert"])
        .arg(plane.authority())
        .args(["--header", &format!("Accept: {accept}"), "--header", &format!("Authorization: Bearer {}", plane.token())])
        .arg(format!("{}{path}", plane.server()))
        .output()
        .context("curl did not start")?;
    if !output.status.success() {
        bail!("{path}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("{path} is not JSON"))
}
