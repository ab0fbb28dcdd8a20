//! Owns the unit and the nodes that the loop schedules.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_manifest::Digest;
use plumb_world::RelPath;

use crate::{ChartSource, GitSource, HelmStep, NodeKey, Policy, Remote};

/// Where one of a unit's sources comes from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum SourceSpec {
    /// A Git repository.
    Git(GitSource),
    /// A chart of a repository or registry.
    Chart(ChartSource),
    /// A folder on this machine, for one-shot commands.
    Folder(RelPath),
}

impl SourceSpec {
    /// Returns what is fetched for it; nothing for a folder.
    pub fn remote(&self) -> Option<Remote> {
        match self {
            Self::Git(git) => Some(Remote::Git(git.clone())),
            Self::Chart(chart) => Some(Remote::Chart(chart.clone())),
            Self::Folder(_) => None,
        }
    }

    /// Returns the folder that it starts at.
    pub fn path(&self) -> &RelPath {
        match self {
            Self::Git(git) => &git.path,
            Self::Chart(chart) => &chart.path,
            Self::Folder(path) => path,
        }
    }
}

/// One step of a build.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Step {
    /// The step's name, unique in the unit.
    pub name: Arc<str>,
    /// What it does.
    pub kind: StepKind,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum StepKind {
    /// Reads YAML and JSON files as they are.
    Plain {
        /// The alias of the source.
        source: Arc<str>,
        /// A folder (read with its subfolders) or one file, from the source's own path on.
        path: RelPath,
    },
    /// Renders a Helm chart.
    Helm(Box<HelmStep>),
    /// Builds a kustomization.
    Kustomize {
        /// The alias of the source.
        source: Arc<str>,
        /// The kustomization's folder, from the source's own path on.
        path: RelPath,
        /// The step before it whose objects come first among its resources.
        after: Option<Arc<str>>,
    },
}

/// An account of the cluster that a unit acts as.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct ServiceAccountRef {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

/// Where a unit lives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Target {
    /// The registered cluster's name: a kubeconfig context; empty for the default one.
    pub cluster: Arc<str>,
    /// The namespace of objects that name none.
    pub namespace: Option<Arc<str>>,
    /// Whether that namespace is created.
    pub create_namespace: bool,
    /// Whom the unit acts as; none: the platform account that the root entry granted.
    pub service_account: Option<ServiceAccountRef>,
}

/// The smallest thing that is deployed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Unit {
    /// Its name among all.
    pub key: NodeKey,
    /// Alias → source; `main` is the one meant when none is named.
    pub sources: BTreeMap<Arc<str>, SourceSpec>,
    /// What turns the sources into manifests; empty: found out from the files.
    pub build: Vec<Step>,
    /// Where it lives.
    pub target: Target,
    /// Units that must be ready before.
    pub depends_on: Vec<NodeKey>,
    /// How it is kept.
    pub policy: Policy,
    /// Where it was declared (`units/shop.yaml:1:1`), for messages.
    pub declared_at: String,
    /// Hash of all fields above but `declared_at`.
    pub digest: Digest,
}

/// What the loop schedules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A repository at one ref, or a chart.
    Source(Remote),
    /// A unit.
    Unit(Arc<Unit>),
    /// A resource with a field that its dialect does not carry: it stays visible and does nothing.
    Stalled {
        /// Each unsupported field: path and reason.
        reasons: Vec<String>,
    },
}
