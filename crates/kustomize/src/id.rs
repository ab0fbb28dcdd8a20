//! Owns how kustomize names objects (`kyaml/resid`): kinds, identities, and when two are the same.

use std::fmt;

/// The namespace of objects that have none because their kind has none.
pub(crate) const NOT_A_NAMESPACE: &str = "_non_namespaceable_";
/// The namespace of objects that name none.
pub(crate) const DEFAULT_NAMESPACE: &str = "default";

/// A group, version and kind. Also part of a selection, where an empty text stands for any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct Gvk<'a> {
    pub(crate) group: &'a str,
    pub(crate) version: &'a str,
    pub(crate) kind: &'a str,
}

impl<'a> Gvk<'a> {
    /// Returns the kind of an object with an `apiVersion`.
    pub(crate) fn of(api_version: &'a str, kind: &'a str) -> Self {
        let (group, version) = split_api_version(api_version);
        Self { group, version, kind }
    }

    /// Returns `group/version`, or the version alone.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Returns whether this one is what is selected; what the selector leaves empty may be anything.
    pub(crate) fn is_selected(&self, selector: &Gvk<'_>) -> bool {
        (selector.group.is_empty() || self.group == selector.group)
            && (selector.version.is_empty() || self.version == selector.version)
            && (selector.kind.is_empty() || self.kind == selector.kind)
    }
}

/// Splits an `apiVersion` at its first slash.
pub(crate) fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

impl<'a> fmt::Display for Gvk<'a> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |text: &'a str, none: &'static str| -> &'a str { if text.is_empty() { none } else { text } };
        write!(f, "{}.{}.{}", part(self.kind, "[noKind]"), part(self.version, "[noVer]"), part(self.group, "[noGrp]"))
    }
}

/// The identity of an object, now or at an earlier step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Id<'a> {
    pub(crate) gvk: Gvk<'a>,
    pub(crate) name: &'a str,
    pub(crate) namespace: &'a str,
    /// Whether the schema says for certain that the kind has no namespaces.
    pub(crate) cluster_scoped: bool,
}

impl<'a> Id<'a> {
    /// Returns the namespace that counts.
    pub(crate) fn effective_namespace(&self) -> &'a str {
        if self.cluster_scoped {
            NOT_A_NAMESPACE
        } else if self.namespace.is_empty() {
            DEFAULT_NAMESPACE
        } else {
            self.namespace
        }
    }

    /// Returns what two identities must share to be the same.
    pub(crate) fn key(&self) -> (Gvk<'a>, &'a str, &'a str) {
        (self.gvk, self.name, self.effective_namespace())
    }

    pub(crate) fn same(&self, other: &Id<'_>) -> bool {
        self.key() == other.key()
    }

    /// Returns whether kind and name are the same, whatever the namespace.
    pub(crate) fn same_kind_and_name(&self, other: &Id<'_>) -> bool {
        self.gvk == other.gvk && self.name == other.name
    }
}

impl fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() { "[noName]" } else { self.name };
        let namespace = if self.namespace.is_empty() { "[noNs]" } else { self.namespace };
        write!(f, "{}/{name}.{namespace}", self.gvk)
    }
}
