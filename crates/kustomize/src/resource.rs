//! Owns one object on its way through a build: its tree, the names it had, and what generators and patches asked for it.
//!
//! kustomize keeps the latter in annotations of the object and takes them out in the end (`resource.go`). Here they are fields, and what that way of
//! keeping them does to an object's own annotations is done at the end: see [`Resource::finish`].

use crate::id::{Gvk, Id};
use crate::run::Run;
use crate::tree::{Field, Kind, Node, Origin, Tag, Texts, View};

/// What becomes of a generated object when there is one of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Behavior {
    /// Not said: as create.
    #[default]
    Unspecified,
    Create,
    Replace,
    Merge,
}

impl Behavior {
    /// Reads a behaviour; what is none counts as not said.
    pub(crate) fn of(text: &str) -> Self {
        match text {
            "create" => Self::Create,
            "replace" => Self::Replace,
            "merge" => Self::Merge,
            _ => Self::Unspecified,
        }
    }
}

/// A name that an object had before a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Previous<'a> {
    pub(crate) kind: &'a str,
    pub(crate) name: &'a str,
    pub(crate) namespace: &'a str,
}

/// An object.
#[derive(Clone, Debug)]
pub(crate) struct Resource<'a> {
    pub(crate) node: Node<'a>,
    /// The names it had, the first one first.
    pub(crate) previous: Vec<Previous<'a>>,
    pub(crate) prefixes: Vec<&'a str>,
    pub(crate) suffixes: Vec<&'a str>,
    /// As a patch: whether it may change a name.
    pub(crate) allow_name_change: bool,
    /// As a patch: whether it may change a kind.
    pub(crate) allow_kind_change: bool,
    /// Only generated objects have one.
    pub(crate) behavior: Option<Behavior>,
    pub(crate) needs_hash: bool,
    /// Whether a chart made it: the namespace transformer leaves it alone.
    pub(crate) from_helm: bool,
    /// Which of the files that were given to the build it is from.
    pub(crate) given: Option<usize>,
    /// The names of the vars that take a value of it.
    pub(crate) vars: Vec<&'a str>,
}

impl<'a> Resource<'a> {
    pub(crate) fn new(node: Node<'a>) -> Self {
        Self {
            node,
            previous: Vec::new(),
            prefixes: Vec::new(),
            suffixes: Vec::new(),
            allow_name_change: false,
            allow_kind_change: false,
            behavior: None,
            needs_hash: false,
            from_helm: false,
            given: None,
            vars: Vec::new(),
        }
    }

    pub(crate) fn view(&self) -> View<'_, 'a> {
        self.node.view()
    }

    pub(crate) fn api_version(&self) -> &'a str {
        self.view().get("apiVersion").map_or("", View::text)
    }

    pub(crate) fn kind(&self) -> &'a str {
        self.view().get("kind").map_or("", View::text)
    }

    pub(crate) fn gvk(&self) -> Gvk<'a> {
        Gvk::of(self.api_version(), self.kind())
    }

    /// Returns a text of the metadata; empty for a null.
    fn meta_text(&self, key: &str) -> &'a str {
        self.view().at(&["metadata", key]).filter(|value| !value.is_null_or_empty()).map_or("", View::text)
    }

    pub(crate) fn name(&self) -> &'a str {
        self.meta_text("name")
    }

    pub(crate) fn namespace(&self) -> &'a str {
        self.meta_text("namespace")
    }

    /// Returns the identity it has now.
    pub(crate) fn id(&self, run: &Run<'a>) -> Id<'a> {
        run.id(self.gvk(), self.name(), self.namespace())
    }

    /// Returns the identities it had, the first one first.
    pub(crate) fn previous_ids(&self, run: &Run<'a>) -> Vec<Id<'a>> {
        let Gvk { group, version, .. } = self.gvk();
        self.previous.iter().map(|was| run.id(Gvk { group, version, kind: was.kind }, was.name, was.namespace)).collect()
    }

    /// Returns the identity it had first.
    pub(crate) fn original_id(&self, run: &Run<'a>) -> Id<'a> {
        self.previous_ids(run).first().copied().unwrap_or_else(|| self.id(run))
    }

    /// Keeps the identity it has as one it had.
    pub(crate) fn store_previous(&mut self, run: &Run<'a>) {
        let id = self.id(run);
        self.previous.push(Previous { kind: id.gvk.kind, name: id.name, namespace: id.effective_namespace() });
    }

    pub(crate) fn labels(&self) -> Vec<(&'a str, &'a str)> {
        self.meta_map("labels")
    }

    pub(crate) fn annotations(&self) -> Vec<(&'a str, &'a str)> {
        self.meta_map("annotations")
    }

    fn meta_map(&self, key: &str) -> Vec<(&'a str, &'a str)> {
        let map = self.view().get("metadata").filter(|metadata| !metadata.is_null_or_empty()).and_then(|metadata| metadata.get(key));
        map.map(|map| map.fields().map(|(key, value)| (key.text, value.text())).collect()).unwrap_or_default()
    }

    /// Sets the name (`SetName`): an untagged scalar that keeps the style of the old one.
    pub(crate) fn set_name(&mut self, name: &'a str, origin: Origin, texts: &'a Texts) {
        self.set_meta("name", Node::untagged(name).stamped(origin), texts);
    }

    /// Sets the namespace, or takes it out if it is empty.
    pub(crate) fn set_namespace(&mut self, namespace: &'a str, origin: Origin, texts: &'a Texts) {
        if namespace.is_empty() {
            if let Some(metadata) = self.node.get_mut("metadata", texts) {
                metadata.remove("namespace", texts);
            }
            return;
        }
        self.set_meta("namespace", Node::untagged(namespace).stamped(origin), texts);
    }

    fn set_meta(&mut self, key: &'a str, value: Node<'a>, texts: &'a Texts) {
        if let Some(metadata) = self.node.get_or_insert("metadata", Kind::Map, value.view().origin(), texts) {
            metadata.set(key, value, texts);
        }
    }

    /// Sets labels or annotations as a whole (`setMapInMetadata`): texts in the order of their keys; the key is taken out if there are none.
    /// Values that are the same text keep who gave them.
    pub(crate) fn set_meta_map(&mut self, key: &'a str, entries: Vec<(&'a str, &'a str)>, origin: Origin, texts: &'a Texts) {
        let mut entries = entries;
        entries.sort_by_key(|(key, _)| *key);
        let old = self.node.get_mut("metadata", texts).and_then(|metadata| metadata.remove(key, texts));
        if entries.is_empty() {
            return;
        }
        let fields = entries
            .into_iter()
            .map(|(key, text)| {
                let was = old.as_ref().and_then(|old| old.view().get(key)).filter(|was| was.text() == text);
                let origin = was.map_or(origin, |was| was.node_ref().map_or(was.origin(), |node| texts.written(node)));
                let mut value = Node::string(text).stamped(origin);
                value.quote_if_needed(texts);
                Field::new(key, value)
            })
            .collect();
        let map = Node::map(fields).stamped(origin);
        if let Some(metadata) = self.node.get_or_insert("metadata", Kind::Map, origin, texts) {
            metadata.put(key, map, texts);
        }
    }

    /// Returns whether the other one went through the same prefixes and suffixes (`PrefixesSuffixesEquals`).
    pub(crate) fn same_affixes(&self, other: &Self, allow_empty: bool) -> bool {
        let same = |left: &[&str], right: &[&str]| (allow_empty && (left.is_empty() || right.is_empty())) || same_ending(left, right);
        same(&self.prefixes, &other.prefixes) && same(&self.suffixes, &other.suffixes)
    }

    /// Takes labels, annotations, name, namespace and what is kept for it from another one, where this one has none of its own
    /// (`CopyMergeMetaDataFieldsFrom`).
    pub(crate) fn take_metadata(&mut self, other: &Self, origin: Origin, texts: &'a Texts) {
        let merged = |base: Vec<(&'a str, &'a str)>, over: Vec<(&'a str, &'a str)>| {
            let mut entries = base;
            for (key, value) in over {
                match entries.iter_mut().find(|(known, _)| *known == key) {
                    Some(entry) => entry.1 = value,
                    None => entries.push((key, value)),
                }
            }
            entries
        };
        self.set_meta_map("labels", merged(other.labels(), self.labels()), origin, texts);
        self.set_meta_map("annotations", merged(other.annotations(), self.annotations()), origin, texts);
        self.set_name(other.name(), origin, texts);
        self.set_namespace(other.namespace(), origin, texts);
        self.previous.clone_from(&other.previous);
        self.prefixes.clone_from(&other.prefixes);
        self.suffixes.clone_from(&other.suffixes);
        self.allow_name_change = other.allow_name_change;
        self.allow_kind_change = other.allow_kind_change;
        self.behavior = other.behavior;
        self.needs_hash = other.needs_hash && self.needs_hash;
        self.from_helm = other.from_helm;
        self.vars.clone_from(&other.vars);
        self.given = other.given;
    }

    /// Returns whether kustomize would keep something in the annotations of the object: then it has annotations, which some steps see.
    pub(crate) fn is_kept_in_annotations(&self) -> bool {
        !(self.previous.is_empty() && self.prefixes.is_empty() && self.suffixes.is_empty())
            || self.allow_name_change
            || self.allow_kind_change
            || self.behavior.is_some()
            || self.needs_hash
            || self.from_helm
    }

    /// Gives the object the annotations, with nothing in them, that it would have with kustomize.
    pub(crate) fn show_annotations(&mut self, texts: &'a Texts) {
        if !self.is_kept_in_annotations() || self.view().at(&["metadata", "annotations"]).is_some() {
            return;
        }
        if let Some(metadata) = self.node.get_or_insert("metadata", Kind::Map, Origin::WRITTEN, texts) {
            metadata.put("annotations", Node::map(Vec::new()), texts);
        }
    }

    /// Takes over what kustomize keeps in annotations, for objects that come with some.
    /// The error is kustomize's message.
    pub(crate) fn read_kept(&mut self, texts: &'a Texts) -> Result<(), &'static str> {
        let annotations = self.annotations();
        if !annotations.iter().any(|(key, _)| KEPT.contains(key)) {
            return Ok(());
        }
        let listed = |name: &str| -> Vec<&'a str> {
            let found = annotations.iter().find(|(key, _)| key.strip_prefix(DOMAIN) == Some(name));
            found.map(|(_, value)| value.split(',').collect()).unwrap_or_default()
        };
        let is_enabled = |name: &str| listed(name) == ["enabled"];
        let (names, namespaces, kinds) = (listed("previousNames"), listed("previousNamespaces"), listed("previousKinds"));
        if names.len() != namespaces.len() || names.len() != kinds.len() {
            return Err("number of previous names, number of previous namespaces, number of previous kinds not equal");
        }
        self.previous =
            names.into_iter().zip(namespaces).zip(kinds).map(|((name, namespace), kind)| Previous { kind, name, namespace }).collect();
        self.prefixes = listed("prefixes");
        self.suffixes = listed("suffixes");
        self.allow_name_change = is_enabled("allowNameChange");
        self.allow_kind_change = is_enabled("allowKindChange");
        self.needs_hash = is_enabled("needsHashSuffix");
        self.behavior = listed("generatorBehavior").first().map(|behavior| Behavior::of(behavior));
        self.from_helm = !listed("helm-generated").is_empty();
        let rest = annotations.into_iter().filter(|(key, _)| !KEPT.contains(key)).collect();
        self.set_meta_map("annotations", rest, Origin::WRITTEN, texts);
        self.show_annotations(texts);
        Ok(())
    }

    /// Does to the annotations what keeping and taking out kustomize's own ones does (`RemoveBuildAnnotations`, `RemoveOriginAnnotations`): all values
    /// are texts, and an empty map goes.
    pub(crate) fn finish(&mut self, texts: &'a Texts) {
        let Some(map) = self.view().at(&["metadata", "annotations"]) else { return };
        let is_finished = map.len() > 0
            && map.fields().all(|(key, value)| !KEPT.contains(&key.text) && value.scalar().is_some_and(|scalar| scalar.tag == Tag::Str));
        if !is_finished {
            let rest = self.annotations().into_iter().filter(|(key, _)| !KEPT.contains(key)).collect();
            self.set_meta_map("annotations", rest, Origin::WRITTEN, texts);
        }
    }
}

/// The domain of the annotations that kustomize keeps its state in.
const DOMAIN: &str = "internal.config.kubernetes.io/";

/// The annotations that kustomize takes out in the end (`BuildAnnotations`).
const KEPT: [&str; 19] = [
    "internal.config.kubernetes.io/previousKinds",
    "internal.config.kubernetes.io/previousNames",
    "internal.config.kubernetes.io/prefixes",
    "internal.config.kubernetes.io/suffixes",
    "internal.config.kubernetes.io/previousNamespaces",
    "internal.config.kubernetes.io/allowNameChange",
    "internal.config.kubernetes.io/allowKindChange",
    "internal.config.kubernetes.io/refBy",
    "internal.config.kubernetes.io/generatorBehavior",
    "internal.config.kubernetes.io/needsHashSuffix",
    "internal.config.kubernetes.io/path",
    "internal.config.kubernetes.io/index",
    "internal.config.kubernetes.io/seqindent",
    "config.k8s.io/id",
    "internal.config.kubernetes.io/annotations-migration-resource-id",
    "config.kubernetes.io/path",
    "config.kubernetes.io/index",
    "internal.config.kubernetes.io/id",
    "internal.config.kubernetes.io/helm-generated",
];

/// Returns whether the shorter list is the end of the longer one; an empty one only of an empty one.
fn same_ending(left: &[&str], right: &[&str]) -> bool {
    let (short, long) = if left.len() > right.len() { (right, left) } else { (left, right) };
    if short.is_empty() { long.is_empty() } else { long.ends_with(short) }
}
