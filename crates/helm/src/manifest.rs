//! Owns what a render comes to: documents in the order Helm installs them, and hooks apart
//! (helm: pkg/release/v1/util/manifest.go, manifest_sorter.go, kind_sorter.go).

use std::ops::Range;
use std::sync::Arc;

use plumb_yaml::{Kind, Memory, NodeRef, Options};

use crate::metadata::{mismatch, scalar};

/// A document of a template's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Path of the template, beginning with the chart's name.
    pub source: String,
    /// The document, as it was written.
    pub content: Arc<str>,
    /// Where it is in what the template wrote, in bytes.
    pub range: Range<usize>,
    /// Its `kind`; empty without one.
    pub kind: String,
}

/// A document that Helm would apply at one moment of a release only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The document.
    pub manifest: Manifest,
    /// Events of `helm.sh/hook`, as Helm names them (`pre-install`, …).
    pub events: Vec<&'static str>,
    /// `helm.sh/hook-weight`.
    pub weight: i64,
    /// `helm.sh/hook-delete-policy`.
    pub delete_policies: Vec<String>,
}

const EVENTS: &[&str] =
    &["pre-install", "post-install", "pre-delete", "post-delete", "pre-upgrade", "post-upgrade", "pre-rollback", "post-rollback", "test"];

/// `InstallOrder`.
const ORDER: &[&str] = &[
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

/// What documents come to: manifests and hooks, or Helm's error.
pub(crate) type Sorted = Result<(Vec<Manifest>, Vec<Hook>), String>;

/// Tells manifests from hooks in what a template wrote.
pub(crate) fn told_apart(source: &str, output: &str, memory: &mut Memory) -> Sorted {
    let (mut manifests, mut hooks) = (Vec::new(), Vec::new());
    for range in documents(output) {
        sort_in(source, output, range, memory, &mut manifests, &mut hooks)?;
    }
    Ok((manifests, hooks))
}

/// Sorts what the outputs of templates have in them, which come in the order of their paths.
pub(crate) fn sorted(outputs: impl IntoIterator<Item = Sorted>) -> Sorted {
    let (mut manifests, mut hooks) = (Vec::new(), Vec::new());
    for output in outputs {
        let (some, others) = output?;
        manifests.extend(some);
        hooks.extend(others);
    }
    manifests.sort_by_cached_key(|manifest: &Manifest| place(&manifest.kind));
    hooks.sort_by_cached_key(|hook: &Hook| place(&hook.manifest.kind));
    Ok((manifests, hooks))
}

/// Where a kind comes: those that Helm does not know last, by name.
fn place(kind: &str) -> (usize, String) {
    match ORDER.iter().position(|known| *known == kind) {
        Some(at) => (at, String::new()),
        None => (ORDER.len(), kind.to_owned()),
    }
}

/// Returns the ranges of documents, as `SplitManifests` cuts: at each line that begins with `---`, whatever follows.
pub fn documents(output: &str) -> Vec<Range<usize>> {
    let begin = output.len() - output.trim_start().len();
    let mut cuts: Vec<Range<usize>> = Vec::new();
    let finder = memchr::memmem::Finder::new("\n---");
    let mut next = Some(begin);
    while let Some(line) = next {
        let rest = &output[line..];
        if let Some(after) = rest.strip_prefix("---") {
            let content = after.trim_start_matches([' ', '\t']);
            cuts.push(line..line + rest.len() - content.len());
        }
        next = finder.find(rest.as_bytes()).map(|at| line + at + 1);
    }
    let starts = std::iter::once(begin).chain(cuts.iter().map(|cut| cut.end));
    let ends = cuts.iter().map(|cut| cut.start).chain([output.len()]);
    let trimmed = starts.zip(ends).map(|(start, end)| {
        let text = &output[start..end];
        start + text.len() - text.trim_start().len()..end
    });
    trimmed.filter(|range| !output[range.clone()].trim().is_empty()).collect()
}

fn sort_in(
    source: &str,
    output: &str,
    range: Range<usize>,
    memory: &mut Memory,
    manifests: &mut Vec<Manifest>,
    hooks: &mut Vec<Hook>,
) -> Result<(), String> {
    let content: Arc<str> = output[range.clone()].into();
    let stream = memory.parse_str(content.clone(), &Options::default());
    let failed = |error: &str| format!("YAML parse error on {source}: {error}");
    let Some(document) = stream.documents().next() else {
        manifests.push(Manifest { source: source.to_owned(), content, range, kind: String::new() });
        return Ok(());
    };
    let document = document.map_err(|errors| {
        failed(&format!("error converting YAML to JSON: {}", errors.first().map(ToString::to_string).unwrap_or_default()))
    })?;
    let head = Head::read(document.root()).map_err(|error| failed(&error))?;
    memory.take_back(stream);
    let manifest = Manifest { source: source.to_owned(), content, range, kind: head.kind };
    let annotation = |name: &str| head.annotations.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let Some(types) = annotation("helm.sh/hook") else {
        manifests.push(manifest);
        return Ok(());
    };
    let events: Option<Vec<&'static str>> = types.split(',').map(event).collect();
    let Some(events) = events else { return Ok(()) };
    let words = |name| annotation(name).map(|list| list.split(',').map(|word| word.trim().to_lowercase()).collect());
    hooks.push(Hook {
        manifest,
        events,
        weight: annotation("helm.sh/hook-weight").and_then(|weight| weight.parse().ok()).unwrap_or_default(),
        delete_policies: words("helm.sh/hook-delete-policy").unwrap_or_default(),
    });
    Ok(())
}

fn event(word: &str) -> Option<&'static str> {
    let word = word.trim().to_lowercase();
    let word = if word == "test-success" { "test" } else { word.as_str() };
    EVENTS.iter().copied().find(|known| *known == word)
}

/// What Helm reads of a document.
struct Head {
    kind: String,
    annotations: Vec<(String, String)>,
}

impl Head {
    fn read(root: NodeRef<'_>) -> Result<Self, String> {
        match root.kind() {
            Kind::Map => {}
            Kind::Null => return Ok(Self { kind: String::new(), annotations: Vec::new() }),
            _ => return mismatch(root, "value", "util.SimpleHead"),
        }
        let mut annotations = Vec::new();
        for (key, field) in [("apiVersion", "apiVersion"), ("kind", "kind")] {
            if let Some(node) = root.get(key).filter(|node| scalar(*node).is_none()) {
                return mismatch(node, &format!("struct field SimpleHead.{field}"), "string");
            }
        }
        if let Some(entries) = root.get("metadata").and_then(|metadata| metadata.get("annotations")) {
            for entry in entries.entries() {
                match scalar(entry.value) {
                    Some(text) => annotations.push((entry.name().to_owned(), text)),
                    None => return mismatch(entry.value, "struct field .metadata.annotations", "string"),
                }
            }
        }
        let kind = root.get("kind").and_then(scalar).unwrap_or_default();
        Ok(Self { kind, annotations })
    }
}
