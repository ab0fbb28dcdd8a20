//! Owns finding the corpus and choosing from it: real charts as they are, and one expected output per real tree. Must not change what a manifest means.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use plumb_plane::git::Repo;
use serde_json::Value;

use crate::setup;

/// Longest name: units and namespaces are DNS labels.
const MAX_NAME: usize = 55;

/// What one unit is made from.
pub(super) struct Piece {
    pub(super) name: String,
    pub(super) content: Content,
}

/// What lies in a unit's folder.
pub(super) enum Content {
    /// Manifests.
    Manifests(String),
    /// A chart's folder, and a file of values.
    Chart(PathBuf, Option<PathBuf>),
}

impl Piece {
    /// Returns the unit's steps; none are found out from the files.
    pub(super) fn steps(&self) -> &'static str {
        match &self.content {
            Content::Manifests(_) => "",
            Content::Chart(_, None) => "  build: [{helm: {chart: chart, releaseName: rel}}]\n",
            Content::Chart(_, Some(_)) => "  build: [{helm: {chart: chart, releaseName: rel, values: [{file: values.yaml}]}}]\n",
        }
    }

    /// Writes the unit's folder.
    pub(super) fn write(&self, repo: &Repo) -> Result<()> {
        let place = format!("apps/{}", self.name);
        match &self.content {
            Content::Manifests(text) => repo.write(&format!("{place}/all.yaml"), text)?,
            Content::Chart(chart, values) => {
                if let Some(values) = values {
                    repo.write(&format!("{place}/values.yaml"), std::fs::read(values)?)?;
                }
                copy(chart, &format!("{place}/chart"), repo)?;
            }
        }
        Ok(())
    }
}

fn copy(folder: &Path, place: &str, repo: &Repo) -> Result<()> {
    for path in folders(folder)? {
        let place = format!("{place}/{}", base(&path));
        // Git would leave out what it names, and it is no part of the chart.
        if base(&path) == ".gitignore" {
            continue;
        }
        if path.is_dir() {
            copy(&path, &place, repo)?;
        } else {
            repo.write(&place, std::fs::read(&path)?)?;
        }
    }
    Ok(())
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
pub(super) fn choose(corpus: &Path, limit: Option<usize>, charts: bool) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    for folder in folders(&corpus.join("helm/charts"))? {
        if let Some(values) = values(&folder)? {
            pieces.push((format!("chart-{}", base(&folder)), Content::Chart(folder.join("chart"), values)));
        }
    }
    for folder in if charts { Vec::new() } else { folders(&corpus.join("kustomize/real"))? } {
        if let Ok(text) = std::fs::read_to_string(folder.join("expected.yaml"))
            && text.contains("kind:")
        {
            pieces.push((format!("tree-{}", base(&folder)), Content::Manifests(text)));
        }
    }
    let count = pieces.len();
    let limit = limit.unwrap_or(count).clamp(1, count.max(1));
    let chosen = pieces.into_iter().enumerate().filter(|(nth, _)| nth * limit / count != (nth + 1) * limit / count);
    Ok(chosen.map(|(nth, (name, content))| Piece { name: unit_name(nth, &name), content }).collect())
}

fn unit_name(nth: usize, name: &str) -> String {
    let mut name: String = name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    if name.len() > MAX_NAME {
        name.truncate(MAX_NAME - 4);
        name = format!("{}-{nth}", name.trim_end_matches('-'));
    }
    name.trim_end_matches('-').to_owned()
}

/// Returns the file of values that a chart renders with, none where its own do; nothing at all when no variant of it renders.
fn values(folder: &Path) -> Result<Option<Option<PathBuf>>> {
    let case: Value = serde_json::from_slice(&std::fs::read(folder.join("case.json"))?).with_context(|| folder.display().to_string())?;
    let variants = case["variants"].as_array().map_or(&[][..], Vec::as_slice);
    let rendered = |variant: &&Value| variant["rc"] == 0;
    let default = variants.iter().filter(rendered).find(|variant| variant["name"] == "default");
    let variant = default.or_else(|| variants.iter().find(rendered));
    Ok(variant.map(|variant| variant["values"].as_str().map(|path| folder.join(path))))
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
