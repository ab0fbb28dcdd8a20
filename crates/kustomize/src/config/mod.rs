//! Owns the configuration of the transformers (`builtinconfig`): which fields of which kinds hold names, labels, images and the like.
//!
//! The defaults are built once and borrowed: a build that adds nothing to them copies and compares nothing.

pub(crate) mod crds;
mod defaults;
mod list;

use std::cmp::Ordering;

use plumb_world::Span;

pub(crate) use list::{List, Specs};

use crate::args::FieldSpec;
use crate::decode::Fields;
use crate::fieldspec::merge_all;
use crate::id::Gvk;
use crate::problem::{Outcome, wrong};

/// A kind, and the fields that refer to objects of it by name (`NameBackReferences`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Referrers<'a> {
    pub(crate) target: Gvk<'a>,
    pub(crate) fields: Specs<'a>,
}

/// Which fields the transformers change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TransformerConfig<'a> {
    pub(crate) name_prefix: Specs<'a>,
    pub(crate) name_suffix: Specs<'a>,
    pub(crate) namespace: Specs<'a>,
    pub(crate) common_labels: Specs<'a>,
    pub(crate) labels: Specs<'a>,
    pub(crate) template_labels: Specs<'a>,
    pub(crate) common_annotations: Specs<'a>,
    pub(crate) name_reference: List<'a, Referrers<'a>>,
    pub(crate) var_reference: Specs<'a>,
    pub(crate) images: Specs<'a>,
    pub(crate) replicas: Specs<'a>,
}

impl<'a> TransformerConfig<'a> {
    /// Returns what kustomize has built in. ([`Default`] is a configuration with nothing in it.)
    pub(crate) fn builtin() -> Self {
        defaults::builtin()
    }

    /// Reads a file of `configurations`. kustomize reads it strictly: `Mode::Kustomization`.
    pub(crate) fn read(mut fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        let mut read = Self {
            name_prefix: specs(&mut fields, "namePrefix"),
            name_suffix: specs(&mut fields, "nameSuffix"),
            namespace: specs(&mut fields, "namespace"),
            common_labels: specs(&mut fields, "commonLabels"),
            labels: specs(&mut fields, "labels"),
            template_labels: specs(&mut fields, "templateLabels"),
            common_annotations: specs(&mut fields, "commonAnnotations"),
            name_reference: List::Owned(fields.list("nameReference", read_referrers)),
            var_reference: specs(&mut fields, "varReference"),
            images: specs(&mut fields, "images"),
            replicas: specs(&mut fields, "replicas"),
        };
        fields.close()?;
        read.sort();
        Ok(read)
    }

    /// Takes another configuration in (`Merge`). What both have is there once; what contradicts is an error, which `place` asks for.
    pub(crate) fn merge(&mut self, other: &Self, place: Option<Span>) -> Outcome<()> {
        let mut failed = Vec::new();
        for (name, own, more) in [
            ("NamePrefix", &mut self.name_prefix, &other.name_prefix),
            ("NameSuffix", &mut self.name_suffix, &other.name_suffix),
            ("NameSpace", &mut self.namespace, &other.namespace),
            ("CommonAnnotations", &mut self.common_annotations, &other.common_annotations),
            ("CommonLabels", &mut self.common_labels, &other.common_labels),
            ("Labels", &mut self.labels, &other.labels),
            ("TemplateLabels", &mut self.template_labels, &other.template_labels),
            ("VarReference", &mut self.var_reference, &other.var_reference),
            ("Images", &mut self.images, &other.images),
            ("Replicas", &mut self.replicas, &other.replicas),
        ] {
            if let Err(cause) = merge_specs(own, more, true) {
                failed.push(conflict(name, &cause, place));
            }
        }
        if let Err(cause) = merge_referrers(&mut self.name_reference, &other.name_reference) {
            failed.push(conflict("NameReference", &cause, place));
        }
        if failed.is_empty() { Ok(()) } else { Err(crate::problem::Failure::Wrong(failed)) }
    }

    fn sort(&mut self) {
        for specs in [
            &mut self.name_prefix,
            &mut self.name_suffix,
            &mut self.namespace,
            &mut self.common_labels,
            &mut self.labels,
            &mut self.template_labels,
            &mut self.common_annotations,
            &mut self.var_reference,
            &mut self.images,
            &mut self.replicas,
        ] {
            sort_specs(specs.to_mut());
        }
        self.name_reference.to_mut().sort_by(|left, right| compare(&left.target, &right.target));
    }
}

fn conflict(name: &str, cause: &str, place: Option<Span>) -> plumb_world::Diagnostic {
    wrong("field-spec", format!("failed to merge {name} fieldSpec: {cause}"), place)
        .hint("Give the field the same `create` as the other configuration does, or leave it out: it is there already.")
}

fn specs<'a>(fields: &mut Fields<'_, '_, 'a>, name: &'static str) -> Specs<'a> {
    List::Owned(fields.list(name, FieldSpec::read))
}

fn read_referrers<'a>(mut fields: Fields<'_, '_, 'a>) -> Outcome<Referrers<'a>> {
    let target = Gvk { group: fields.text("group"), version: fields.text("version"), kind: fields.text("kind") };
    let read = Referrers { target, fields: specs(&mut fields, "fieldSpecs") };
    fields.close()?;
    Ok(read)
}

fn merge_specs<'a>(own: &mut Specs<'a>, more: &Specs<'a>, sorted: bool) -> Result<(), String> {
    if own.is_same(more) || more.is_empty() {
        return Ok(());
    }
    if own.is_empty() && matches!(more, List::Borrowed(_)) {
        *own = more.clone();
        return Ok(());
    }
    let list = own.to_mut();
    merge_all(list, more)?;
    if sorted {
        sort_specs(list);
    }
    Ok(())
}

fn merge_referrers<'a>(own: &mut List<'a, Referrers<'a>>, more: &List<'a, Referrers<'a>>) -> Result<(), String> {
    if own.is_same(more) || more.is_empty() {
        return Ok(());
    }
    if own.is_empty() && matches!(more, List::Borrowed(_)) {
        *own = more.clone();
        return Ok(());
    }
    let list = own.to_mut();
    for referrers in more.iter() {
        let mut found = false;
        for known in list.iter_mut().filter(|known| known.target == referrers.target) {
            found = true;
            merge_specs(&mut known.fields, &referrers.fields, false)?;
        }
        if !found {
            list.push(referrers.clone());
        }
    }
    list.sort_by(|left, right| compare(&left.target, &right.target));
    Ok(())
}

fn sort_specs(list: &mut [FieldSpec<'_>]) {
    list.sort_by(|left, right| compare(&left.gvk, &right.gvk));
}

/// The kinds that come first in kustomize's order of kinds: what other objects need.
pub(crate) const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// The kinds that come last: what could refuse other objects.
pub(crate) const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// Orders kinds as kustomize does (`Gvk.IsLessThan`): by what depends on what, else by their names.
pub(crate) fn compare(left: &Gvk<'_>, right: &Gvk<'_>) -> Ordering {
    let rank = |kind: &str| {
        let first = FIRST.iter().position(|first| *first == kind);
        let last = LAST.iter().position(|last| *last == kind);
        (first.unwrap_or(FIRST.len()), last.map_or(0, |last| last + 1))
    };
    rank(left.kind).cmp(&rank(right.kind)).then_with(|| text_of(left).cmp(text_of(right)))
}

/// The text that kinds of one rank are ordered by (`stableSortString`).
fn text_of<'g>(gvk: &Gvk<'g>) -> impl Iterator<Item = u8> + 'g {
    let part = |text: &'g str, none: &'static str| if text.is_empty() { none.bytes() } else { text.bytes() };
    part(gvk.group, "~G").chain("_".bytes()).chain(part(gvk.version, "~V")).chain("_".bytes()).chain(part(gvk.kind, "~K"))
}

#[cfg(test)]
mod tests;
