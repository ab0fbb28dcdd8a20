//! Owns how people name objects and fields: `deploy/web`, `deployment.apps/web`, `spec.containers[0].image`, `containers[name=web].image`; and what
//! they may have meant by one that is not there.

use std::collections::BTreeSet;

use crate::near::nearest;
use crate::path::{FieldPath, Segment};

/// Short names that `kubectl` knows, by kind.
const SHORT: &[(&str, &str)] = &[
    ("cj", "CronJob"),
    ("cm", "ConfigMap"),
    ("crd", "CustomResourceDefinition"),
    ("deploy", "Deployment"),
    ("ds", "DaemonSet"),
    ("ep", "Endpoints"),
    ("hpa", "HorizontalPodAutoscaler"),
    ("ing", "Ingress"),
    ("limits", "LimitRange"),
    ("netpol", "NetworkPolicy"),
    ("ns", "Namespace"),
    ("pc", "PriorityClass"),
    ("pdb", "PodDisruptionBudget"),
    ("po", "Pod"),
    ("pv", "PersistentVolume"),
    ("pvc", "PersistentVolumeClaim"),
    ("quota", "ResourceQuota"),
    ("rc", "ReplicationController"),
    ("rs", "ReplicaSet"),
    ("sa", "ServiceAccount"),
    ("sc", "StorageClass"),
    ("sts", "StatefulSet"),
    ("svc", "Service"),
];

/// What is known of an object by which people name it.
#[derive(Clone, Copy, Debug)]
pub struct Called<'o> {
    /// Its `apiVersion`.
    pub api_version: &'o str,
    /// Its `kind`.
    pub kind: &'o str,
    /// Its name.
    pub name: &'o str,
}

/// A field by both of its paths.
#[derive(Clone, Copy, Debug)]
pub struct Pathed<'o> {
    /// Its path, with items by their names where they have some.
    pub path: &'o FieldPath,
    /// The same, with all items by their numbers.
    pub positions: &'o FieldPath,
}

/// What may have been meant by what is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Near {
    /// What may have been meant.
    pub meant: Option<String>,
    /// What else there is: objects of the kind, or fields at the last part that is there.
    pub known: Vec<String>,
}

impl Called<'_> {
    /// Returns what people call it: `Deployment/web`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    /// Returns whether it is of a kind, in any of the forms that `kubectl` takes.
    pub fn is_kind(&self, asked: &str) -> bool {
        let (asked, group) = asked.split_once('.').map_or((asked, None), |(kind, group)| (kind, Some(group)));
        let own_group = self.api_version.rsplit_once('/').map_or("", |(group, _)| group);
        if group.is_some_and(|group| group != own_group && !own_group.starts_with(&format!("{group}."))) {
            return false;
        }
        let (asked, kind) = (asked.to_lowercase(), self.kind.to_lowercase());
        let plural = match kind.as_str() {
            kind if kind.ends_with('s') || kind.ends_with('x') => format!("{kind}es"),
            kind if kind.ends_with('y') && !kind.ends_with("ey") && !kind.ends_with("ay") => format!("{}ies", &kind[..kind.len() - 1]),
            kind => format!("{kind}s"),
        };
        asked == kind || asked == plural || SHORT.iter().any(|(short, long)| *short == asked && *long == self.kind)
    }
}

/// Returns the positions of the objects of a name: `KIND/NAME`, with the kind in any of `kubectl`'s forms, or the name alone.
pub fn find_objects(asked: &str, objects: &[Called<'_>]) -> Result<Vec<usize>, Near> {
    let (kind, name) = asked.split_once('/').map_or((None, asked), |(kind, name)| (Some(kind), name));
    let is_kind = |object: &Called<'_>| kind.is_none_or(|kind| object.is_kind(kind));
    let found: Vec<usize> =
        objects.iter().enumerate().filter(|(_, object)| object.name == name && is_kind(object)).map(|(at, _)| at).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let of_kind: Vec<&Called<'_>> = objects.iter().filter(|object| is_kind(object)).collect();
    let near = nearest(name, of_kind.iter().map(|object| object.name));
    let among = |name: &str| of_kind.iter().find(|object| object.name == name).map(|object| object.id());
    // The same name of another kind may be meant, too.
    let elsewhere = || objects.iter().find(|object| object.name == name).map(Called::id);
    // Prefixes, suffixes and hashes around a name that somebody wrote without.
    let within = || match of_kind.iter().filter(|object| has_part(object.name, name)).collect::<Vec<_>>().as_slice() {
        [only] => Some(only.id()),
        _ => None,
    };
    let meant = near.and_then(among).or_else(elsewhere).or_else(within);
    Err(Near { meant, known: of_kind.into_iter().map(Called::id).collect() })
}

/// Whether a name has another in it, between dashes.
fn has_part(name: &str, part: &str) -> bool {
    !part.is_empty() && format!("-{name}-").contains(&format!("-{part}-"))
}

/// Returns the positions of the fields at and below a path.
pub fn find_fields(asked: &str, fields: &[Pathed<'_>]) -> Result<Vec<usize>, Near> {
    let is_at = |field: &Pathed<'_>, asked: &str| is_at(&field.path.0, &field.positions.0, asked);
    let found: Vec<usize> = fields.iter().enumerate().filter(|(_, field)| is_at(field, asked)).map(|(at, _)| at).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let mut paths = BTreeSet::new();
    for field in fields {
        (1..=field.path.0.len()).for_each(|len| _ = paths.insert(FieldPath(field.path.0[..len].to_vec()).to_string()));
    }
    // The longest part that is there, and what is below it.
    let mut there = asked;
    while !there.is_empty() && !fields.iter().any(|field| is_at(field, there)) {
        there = there.rfind(['.', '[']).map_or("", |at| &there[..at]);
    }
    let depth = |text: &str| text.matches(['.', '[']).count();
    let below = |path: &&String| path.len() > there.len() && path.starts_with(there) && depth(path) <= depth(there) + 1;
    let known: Vec<String> = paths.iter().filter(below).cloned().collect();
    let meant = nearest(asked, paths.iter().map(String::as_str)).map(str::to_owned);
    Err(Near { meant, known })
}

/// Whether a path is what was asked for, or lies below it.
fn is_at(path: &[Segment], positions: &[Segment], asked: &str) -> bool {
    let (mut rest, mut nth) = (asked.trim_start_matches('.'), 0);
    while !rest.is_empty() {
        let Some(segment) = path.get(nth) else { return false };
        let after = match segment {
            Segment::Key(key) => after_key(rest, key, nth == 0),
            other => {
                let shown = |segment: &Segment| FieldPath(vec![segment.clone()]).to_string();
                let position = positions.get(nth).and_then(|position| rest.strip_prefix(&shown(position)));
                rest.strip_prefix(&shown(other)).or(position)
            }
        };
        let Some(after) = after.filter(|after| after.is_empty() || after.starts_with(['.', '['])) else { return false };
        rest = after;
        nth += 1;
    }
    true
}

/// What is left of a path behind a key: after a dot, or in brackets and quotes.
fn after_key<'r>(rest: &'r str, key: &str, first: bool) -> Option<&'r str> {
    if let Some(quoted) = rest.strip_prefix("[\"") {
        return quoted.strip_prefix(key)?.strip_prefix("\"]");
    }
    let rest = if first { rest } else { rest.strip_prefix('.')? };
    rest.strip_prefix("[\"").and_then(|quoted| quoted.strip_prefix(key)?.strip_prefix("\"]")).or_else(|| rest.strip_prefix(key))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn path() -> (FieldPath, FieldPath) {
        let key = |text: &str| Segment::Key(text.to_owned());
        let item = Segment::Item(vec![("name".to_owned(), Value::from("web"))]);
        let named = FieldPath(vec![key("spec"), key("containers"), item, key("a.b/c")]);
        let mut positions = named.clone();
        positions.0[2] = Segment::Index(1);
        (named, positions)
    }

    #[test]
    fn fields_are_found_by_every_form_of_their_path() {
        let (path, positions) = path();
        let at = |asked: &str| is_at(&path.0, &positions.0, asked);
        for asked in [
            "spec.containers[name=web][\"a.b/c\"]",
            "spec.containers[1].a.b/c",
            "spec.containers[1][\"a.b/c\"]",
            ".spec.containers",
            "spec",
        ] {
            assert!(at(asked), "{asked}");
        }
        for asked in ["spe", "spec.containers[0]", "spec.containers[name=we]", "spec.containers[1].a.b/cd", "spec.container"] {
            assert!(!at(asked), "{asked}");
        }
    }

    #[test]
    fn kinds_have_many_names() {
        fn object(kind: &'static str, api_version: &'static str) -> Called<'static> {
            Called { api_version, kind, name: "x" }
        }
        let deployment = object("Deployment", "apps/v1");
        for asked in ["deploy", "Deployment", "deployments", "deployment.apps"] {
            assert!(deployment.is_kind(asked), "{asked}");
        }
        assert!(!deployment.is_kind("deployment.extensions") && !deployment.is_kind("ds"));
        assert!(object("Ingress", "networking.k8s.io/v1").is_kind("ingresses.networking"));
        assert!(object("NetworkPolicy", "networking.k8s.io/v1").is_kind("networkpolicies"));
    }
}
