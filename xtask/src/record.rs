//! Owns `record`: asking the reference programs again for what is committed of them.

mod helm;
mod kustomize;

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use plumb_plane::Plane;
use plumb_suite::{Answer, Recorded, answered};
use serde_json::Value;

use crate::setup;

pub(crate) use helm::run as helm;
pub(crate) use kustomize::run as kustomize;

const DISCOVERY: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const TABLE: &str = "crates/schema/data/kinds.txt";
const KUSTOMIZE_TABLE: &str = "crates/schema/data/kustomize.txt";

/// Records what a real API server says of its kinds: scope, plural, list keys; and what kustomize embeds of the same.
pub(crate) fn schema() -> Result<()> {
    setup::ensure()?;
    kustomize_schema()?;
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

/// Records what kustomize knows of kinds.
fn kustomize_schema() -> Result<()> {
    let output = Command::new("go")
        .args(["run", "."])
        .current_dir(setup::root().join("testplane/kustomize"))
        .output()
        .context("go did not start")?;
    if !output.status.success() {
        bail!("testplane/kustomize: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let embedded: Value = serde_json::from_slice(&output.stdout).context("testplane/kustomize did not print JSON")?;
    if embedded["version"] != plumb_schema::kustomize::VERSION {
        bail!("kustomize embeds {}; say so in `plumb_schema::kustomize::VERSION`", embedded["version"]);
    }
    let table = plumb_schema::kustomize::record(&embedded["kubernetes"], &embedded["kustomization"]);
    std::fs::write(setup::root().join(KUSTOMIZE_TABLE), &table)?;
    println!("{KUSTOMIZE_TABLE}: {} bytes", table.len());
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

/// Asks a program about the cases of all families in a folder, or of those that are named, and writes its answers down.
fn families(folder: &str, names: &[&str], ask: &dyn Fn(&Recorded) -> Result<Answer>) -> Result<()> {
    let mut files: Vec<_> = fs::read_dir(setup::root().join(folder))?.collect::<Result<_, _>>()?;
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
            let answer = ask(case).with_context(|| format!("{family}: {}", case.name));
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
