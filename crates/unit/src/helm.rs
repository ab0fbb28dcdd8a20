//! Owns the plain spec of a `helm` step: which chart, under which name, with which values.

use std::sync::Arc;

use plumb_world::RelPath;

/// Renders a Helm chart.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HelmStep {
    /// The alias of the source that the chart lies in.
    pub source: Arc<str>,
    /// The chart's folder or archive, from the source's own path on.
    pub chart: RelPath,
    /// Name of the release; none: the unit's name.
    pub release: Option<String>,
    /// Layers of values over the chart's own, later ones over earlier ones.
    pub values: Vec<ValuesLayer>,
    /// Whether what lies in `crds/` belongs to the manifests.
    pub crds: bool,
    /// Whether hooks run.
    pub hooks: bool,
    /// Whether values are held against the charts' `values.schema.json`.
    pub schema: bool,
    /// What the chart is told of Kubernetes' version; none: what the target says.
    pub kube_version: Option<String>,
    /// APIs that the chart is told are there, beside what the target serves.
    pub api_versions: Vec<String>,
}

/// One layer of values.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ValuesLayer {
    /// A file of a source, or files whose names match.
    File {
        /// The alias of the source.
        source: Arc<str>,
        /// The file, from the source's own path on; the last part may hold `*` and `?`.
        path: RelPath,
        /// Whether it may be missing.
        optional: bool,
    },
    /// Values written in the unit itself.
    Inline {
        /// The values as JSON.
        json: String,
        /// Where they are written (`units/shop.yaml:14:9`).
        declared_at: String,
    },
    /// A key of a ConfigMap or Secret in the unit's target namespace.
    Object {
        /// `ConfigMap` or `Secret`.
        kind: ValuesObject,
        /// Its name.
        name: String,
        /// The key that holds YAML.
        key: String,
        /// Whether it may be missing.
        optional: bool,
    },
    /// One value, as `--set` and its kin take them.
    Set {
        /// How the text is read.
        kind: SetKind,
        /// `a.b[0]=text`.
        text: String,
    },
}

/// Which object holds values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ValuesObject {
    /// In the clear.
    ConfigMap,
    /// Secret: so is whatever is made of it.
    Secret,
}

impl ValuesObject {
    /// Returns the kind's name.
    pub fn word(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret => "Secret",
        }
    }
}

/// How a `set` layer is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SetKind {
    /// `--set`: truths, `null` and whole numbers are such.
    Typed,
    /// `--set-string`: always a text.
    Text,
    /// `--set-json`: JSON.
    Json,
    /// `--set-literal`: as it stands.
    Literal,
}
