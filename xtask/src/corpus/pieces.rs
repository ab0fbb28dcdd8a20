//! Owns finding the corpus and choosing from it: one expected output per real chart and real tree. Must not change what a manifest means.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::setup;

/// Longest name: units and namespaces are DNS labels.
const MAX_NAME: usize = 55;

/// One unit's manifests.
pub(super) struct Piece {
    pub(super) name: String,
    pub(super) text: String,
}

/// Unpacks the corpus beside the repository into the cache folder and returns where it is; none when there is no corpus.
pub(super) fn unpack() -> Result<Option<PathBuf>> {
    let Some(script) = setup::root().parent().map(|folder| folder.join("shared/corpus/unpack.sh")).filter(|path| path.is_file()) else {
        return Ok(None);
    };
    let cache = std::env::var_os("PLUMB_CACHE").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/plumb"));
    let folder = cache.or_else(home).context("no cache folder: set PLUMB_CACHE")?.join("corpus");
    std::fs::create_dir_all(folder.parent().unwrap_or(&folder))?;
    setup::run(Command::new("sh").arg(script).arg(&folder))?;
    Ok(Some(folder))
}

/// Returns the corpus' pieces in the order of their names, or as many of them, evenly chosen.
pub(super) fn choose(corpus: &Path, limit: Option<usize>) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    for folder in folders(&corpus.join("helm/charts"))? {
        if let Some(text) = chart(&folder)? {
            // Rendered for a namespace `ns`: the unit has its own, as a release would.
            let text = text.lines().map(own_namespace).collect::<Vec<_>>().join("\n") + "\n";
            pieces.push((format!("chart-{}", base(&folder)), text));
        }
    }
    for folder in folders(&corpus.join("kustomize/real"))? {
        if let Ok(text) = std::fs::read_to_string(folder.join("expected.yaml")) {
            pieces.push((format!("tree-{}", base(&folder)), text));
        }
    }
    pieces.retain(|(_, text)| text.contains("kind:"));
    let count = pieces.len();
    let limit = limit.unwrap_or(count).clamp(1, count.max(1));
    let chosen = pieces.into_iter().enumerate().filter(|(nth, _)| nth * limit / count != (nth + 1) * limit / count);
    Ok(chosen.map(|(nth, (name, text))| piece(nth, &name, text)).collect())
}

fn piece(nth: usize, name: &str, text: String) -> Piece {
    let mut name: String = name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    if name.len() > MAX_NAME {
        name.truncate(MAX_NAME - 4);
        name = format!("{}-{nth}", name.trim_end_matches('-'));
    }
    let name = name.trim_end_matches('-').to_owned();
    let text = text.replace(TARGET, &name);
    Piece { name, text }
}

/// Stands for the unit's namespace until its name is known.
const TARGET: &str = "\u{1}namespace\u{1}";

fn own_namespace(line: &str) -> String {
    let words: Vec<&str> = line.trim_start().trim_start_matches("- ").split_whitespace().collect();
    match words.as_slice() {
        ["namespace:", "ns" | "\"ns\"" | "'ns'"] => {
            let at = line.find("namespace:").unwrap_or_default();
            format!("{}namespace: {TARGET}", &line[..at])
        }
        _ => line.to_owned(),
    }
}

/// Returns a chart's output with its default values, else of the first variant that renders.
fn chart(folder: &Path) -> Result<Option<String>> {
    let case: Value = serde_json::from_slice(&std::fs::read(folder.join("case.json"))?).with_context(|| folder.display().to_string())?;
    let variants = case["variants"].as_array().map_or(&[][..], Vec::as_slice);
    let rendered = |variant: &&Value| variant["rc"] == 0;
    let default = variants.iter().filter(rendered).find(|variant| variant["name"] == "default");
    let Some(variant) = default.or_else(|| variants.iter().find(rendered)) else { return Ok(None) };
    let path = variant["helm4"]["expected"].as_str().or_else(|| variant["expected"].as_str());
    Ok(path.and_then(|path| std::fs::read_to_string(folder.join(path)).ok()))
}

fn folders(parent: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(parent).with_context(|| parent.display().to_string())? {
        folders.push(entry?.path());
    }
    folders.sort();
    Ok(folders)
}

fn base(folder: &Path) -> String {
    folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
