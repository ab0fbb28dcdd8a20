//! Owns how people name objects and fields: `deploy/web`, `deployment.apps/web`, `spec.containers[0].image`, `containers[name=web].image`; and what
//! is said of one that is not there.

use std::collections::BTreeSet;

use plumb_gotemplate::Hole;
use plumb_manifest::Segment;

use super::near::nearest;
use super::{Condition, Explained, Field, Object};

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

/// What was asked for and is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// What may have been meant.
    pub meant: Option<String>,
    /// What else there is: objects, or fields at the last part that is there.
    pub known: Vec<String>,
    /// Blocks that wrote nothing, and have what was asked for in them.
    pub left_out: Vec<Condition>,
}

impl Object {
    /// Returns what people call it: `Deployment/web`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }

    fn is_kind(&self, asked: &str) -> bool {
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

impl Explained {
    /// Returns the objects of a name: `KIND/NAME`, with the kind in any of `kubectl`'s forms, or the name alone.
    pub fn find(&self, asked: &str) -> Result<Vec<&Object>, Missing> {
        let (kind, name) = asked.split_once('/').map_or((None, asked), |(kind, name)| (Some(kind), name));
        let fits = |object: &&Object| object.name == name && kind.is_none_or(|kind| object.is_kind(kind));
        let found: Vec<&Object> = self.objects().iter().filter(fits).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let of_kind: Vec<&Object> = self.objects().iter().filter(|object| kind.is_none_or(|kind| object.is_kind(kind))).collect();
        let near = nearest(name, of_kind.iter().map(|object| object.name.as_str()));
        let among = |name: &str| of_kind.iter().find(|object| object.name == name).map(|object| object.id());
        // The same name of another kind may be meant, too.
        let elsewhere = || self.objects().iter().find(|object| object.name == name).map(Object::id);
        let meant = near.and_then(among).or_else(elsewhere);
        let left_out = match kind.filter(|_| of_kind.is_empty()) {
            Some(kind) => self.left_out(&|_| true, &|text| says_kind(text, kind)),
            None => Vec::new(),
        };
        Err(Missing { meant, known: of_kind.into_iter().map(Object::id).collect(), left_out })
    }

    /// Returns the fields at and below a path of an object.
    pub fn fields<'o>(&self, object: &'o Object, asked: &str) -> Result<Vec<&'o Field>, Missing> {
        let found: Vec<&Field> = object.fields.iter().filter(|field| is_at(&field.path.0, &field.positions.0, asked)).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let mut paths = BTreeSet::new();
        for field in &object.fields {
            (1..=field.path.0.len()).for_each(|len| _ = paths.insert(plumb_manifest::FieldPath(field.path.0[..len].to_vec()).to_string()));
        }
        // The longest part that is there, and what is below it.
        let mut there = asked;
        while !there.is_empty() && !object.fields.iter().any(|field| is_at(&field.path.0, &field.positions.0, there)) {
            there = there.rfind(['.', '[']).map_or("", |at| &there[..at]);
        }
        let depth = |text: &str| text.matches(['.', '[']).count();
        let below = |path: &&String| path.len() > there.len() && path.starts_with(there) && depth(path) <= depth(there) + 1;
        let known: Vec<String> = paths.iter().filter(below).cloned().collect();
        let meant = nearest(asked, paths.iter().map(String::as_str)).map(str::to_owned);
        let last = asked.rsplit(['.', ']']).find(|part| !part.is_empty()).unwrap_or(asked);
        let last = last.split('[').next().unwrap_or(last).to_owned();
        let of_object = |hole: &Hole| self.is_in(hole, object);
        let left_out = self.left_out(&of_object, &|text| says_key(text, &last));
        Err(Missing { meant, known, left_out })
    }

    /// Whether a block stands in the template that wrote an object, or in one that was called there.
    fn is_in(&self, hole: &Hole, object: &Object) -> bool {
        let (_, own) = object.source.split_once('/').unwrap_or(("", &object.source));
        let here = |site| self.source(site).is_some_and(|source| source.name == own);
        if here(hole.site) {
            return true;
        }
        let mut ctl = hole.ctl;
        while let Some(known) = self.rendered.heap.origins.ctl(ctl) {
            if here(known.site) {
                return true;
            }
            ctl = known.up;
        }
        false
    }

    /// Returns the blocks that wrote nothing and whose text says something, each once, the innermost that do.
    fn left_out(&self, of: &dyn Fn(&Hole) -> bool, says: &dyn Fn(&str) -> bool) -> Vec<Condition> {
        let mut sites: Vec<&Hole> = Vec::new();
        for hole in self.rendered.heap.origins.holes().iter().filter(|hole| !hole.taken && of(hole)) {
            if sites.iter().all(|known| known.site != hole.site) && says(&self.text(hole.site)) {
                sites.push(hole);
            }
        }
        let told = |hole: &&Hole| {
            let mut values = Vec::new();
            self.settings(hole.cond, false, &mut values);
            self.block(hole.site, false, values)
        };
        sites.iter().map(told).collect()
    }
}

/// Whether a line of a template is `key:`.
fn says_key(text: &str, key: &str) -> bool {
    text.lines().map(|line| line.trim_start().trim_start_matches("- ")).any(|line| {
        line.strip_prefix(key)
            .or_else(|| line.trim_start_matches('"').strip_prefix(key))
            .is_some_and(|rest| rest.trim_start_matches('"').starts_with(':'))
    })
}

/// Whether a line of a template is the kind that somebody asked for.
fn says_kind(text: &str, asked: &str) -> bool {
    text.lines().filter_map(|line| line.trim().strip_prefix("kind:")).any(|kind| {
        let object = Object { kind: kind.trim().trim_matches('"').to_owned(), ..Object::default() };
        object.is_kind(asked.split('.').next().unwrap_or(asked))
    })
}

/// Whether a path is what was asked for, or lies below it.
fn is_at(path: &[Segment], positions: &[Segment], asked: &str) -> bool {
    let (mut rest, mut nth) = (asked.trim_start_matches('.'), 0);
    while !rest.is_empty() {
        let Some(segment) = path.get(nth) else { return false };
        let after = match segment {
            Segment::Key(key) => after_key(rest, key, nth == 0),
            other => {
                let shown = |segment: &Segment| plumb_manifest::FieldPath(vec![segment.clone()]).to_string();
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
    use plumb_manifest::FieldPath;
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
        let object = |kind: &str, api: &str| Object { kind: kind.to_owned(), api_version: api.to_owned(), ..Object::default() };
        let deployment = object("Deployment", "apps/v1");
        for asked in ["deploy", "Deployment", "deployments", "deployment.apps"] {
            assert!(deployment.is_kind(asked), "{asked}");
        }
        assert!(!deployment.is_kind("deployment.extensions") && !deployment.is_kind("ds"));
        assert!(object("Ingress", "networking.k8s.io/v1").is_kind("ingresses.networking"));
        assert!(object("NetworkPolicy", "networking.k8s.io/v1").is_kind("networkpolicies"));
    }

    #[test]
    fn keys_are_looked_for_as_lines() {
        assert!(says_key("x }}\n  replicas: {{ .n }}\n", "replicas"));
        assert!(says_key("- name: a", "name"));
        assert!(!says_key("minreplicas: 1\n", "replicas"));
        assert!(says_kind("if }}\nkind: Ingress\n", "ing"));
    }
}
