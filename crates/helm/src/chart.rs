//! Owns charts as they are read: files sorted into templates, values, schemas, dependencies (helm: pkg/chart/v2/loader/load.go).

use std::sync::Arc;

use crate::archive::unpack;
use crate::metadata::Metadata;

/// Charts inside charts.
const MAX_DEPTH: usize = 64;

/// A file of a chart: its path with `/`, relative to the chart.
#[derive(Clone, Debug)]
pub struct File {
    /// Path.
    pub name: String,
    /// Content.
    pub data: Arc<[u8]>,
}

/// A chart as it was read; nothing of it depends on values.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// Chart.yaml.
    pub metadata: Metadata,
    /// Files of `templates/`.
    pub templates: Vec<File>,
    /// Chart.yaml as it was read, or nothing in a chart that was made otherwise.
    pub definition: Option<File>,
    /// values.yaml, when there is one.
    pub values: Option<File>,
    /// values.schema.json, when there is one.
    pub schema: Option<File>,
    /// Everything else: what `.Files` has, CRDs among it.
    pub files: Vec<File>,
    /// Charts of `charts/`.
    pub dependencies: Vec<Chart>,
    /// Path of the chart in the one that was asked for; empty for that one.
    pub place: String,
}

/// Why a chart could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartError(pub String);

impl std::fmt::Display for ChartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ChartError {}

fn failed<T>(message: impl Into<String>) -> Result<T, ChartError> {
    Err(ChartError(message.into()))
}

impl Chart {
    /// Reads a chart from its files.
    pub fn load(files: Vec<File>) -> Result<Self, ChartError> {
        Self::at(files, String::new(), 0)
    }

    fn at(files: Vec<File>, place: String, depth: usize) -> Result<Self, ChartError> {
        if depth > MAX_DEPTH {
            return failed(format!("charts may lie {MAX_DEPTH} deep in charts"));
        }
        let mut chart = Self { place, ..Self::default() };
        let Some(own) = files.iter().find(|file| file.name == "Chart.yaml") else { return failed("Chart.yaml file is missing") };
        chart.metadata.read(&own.data).map_err(|error| ChartError(format!("cannot load Chart.yaml: {error}")))?;
        if chart.metadata.api_version.is_empty() {
            "v1".clone_into(&mut chart.metadata.api_version);
        }
        let mut inner: Vec<(String, Vec<File>)> = Vec::new();
        for file in files {
            match file.name.as_str() {
                "Chart.yaml" => chart.definition = Some(file),
                "Chart.lock" => {}
                "values.yaml" => chart.values = Some(file),
                "values.schema.json" => chart.schema = Some(file),
                "requirements.yaml" => {
                    chart.metadata.read(&file.data).map_err(|error| ChartError(format!("cannot load requirements.yaml: {error}")))?;
                    if chart.metadata.api_version == "v1" {
                        chart.files.push(file);
                    }
                }
                "requirements.lock" => {
                    if chart.metadata.api_version == "v1" {
                        chart.files.push(file);
                    }
                }
                name if name.starts_with("templates/") => chart.templates.push(file),
                name if name.starts_with("charts/") && name.ends_with(".prov") => chart.files.push(file),
                name if name.starts_with("charts/") => {
                    let rest = &name["charts/".len()..];
                    let first = rest.split('/').next().unwrap_or_default().to_owned();
                    let file = File { name: rest.to_owned(), data: file.data };
                    match inner.iter_mut().find(|(name, _)| *name == first) {
                        Some((_, files)) => files.push(file),
                        None => inner.push((first, vec![file])),
                    }
                }
                _ => chart.files.push(file),
            }
        }
        chart.metadata.validate().map_err(ChartError)?;
        for (name, files) in inner {
            if name.starts_with(['_', '.']) {
                continue;
            }
            let sub = chart.dependency(&name, files, depth);
            let sub = sub.map_err(|error| ChartError(format!("error unpacking subchart {name} in {}: {error}", chart.metadata.name)))?;
            chart.dependencies.push(sub);
        }
        Ok(chart)
    }

    fn dependency(&self, name: &str, files: Vec<File>, depth: usize) -> Result<Self, ChartError> {
        let place = format!("{}charts/{name}/", self.place);
        if name.ends_with(".tgz") {
            let Some(file) = files.into_iter().next().filter(|file| file.name == name) else {
                return failed(format!("error unpacking subchart tar in {}: expected {name}", self.metadata.name));
            };
            let files = unpack(&file.data).map_err(|error| ChartError(error.0))?;
            return Self::at(files, place, depth + 1);
        }
        let inside = files.into_iter().filter_map(|file| {
            let name = file.name.split_once('/')?.1.to_owned();
            Some(File { name, data: file.data })
        });
        Self::at(inside.collect(), place, depth + 1)
    }

    /// Calls `see` with each document of `crds/`, those of the chart before those of the charts in it.
    pub fn each_crd(&self, see: &mut dyn FnMut(&File)) {
        let is_manifest = |name: &str| [".yaml", ".yml", ".json"].iter().any(|ending| name.to_lowercase().ends_with(ending));
        self.files.iter().filter(|file| file.name.starts_with("crds/") && is_manifest(&file.name)).for_each(&mut *see);
        self.dependencies.iter().for_each(|inner| inner.each_crd(see));
    }
}
