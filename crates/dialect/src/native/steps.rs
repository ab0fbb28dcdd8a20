//! Owns reading the steps of a unit's build.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_build::MAX_RELEASE_NAME;
use plumb_manifest::{MAX_LABEL, MAX_SUBDOMAIN};
use plumb_unit::{HelmStep, SetKind, SourceSpec, Step, StepKind, ValuesLayer, ValuesObject};
use plumb_world::{RelPath, Span};

use super::fields::{Field, Log};
use super::unit::{MAIN, dns_name, rel_path};

const NOT_YET: &str = "not supported yet";

/// Reads the steps of a build.
pub(super) fn read(field: &Field<'_>, sources: &BTreeMap<Arc<str>, SourceSpec>, log: &mut Log<'_>) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for item in field.list(log) {
        let Some((step, at)) = step(&item, &steps, sources, log) else { continue };
        if steps.iter().any(|other| other.name == step.name) {
            log.error("value", format!("two steps are called `{}`", step.name), at, "");
        }
        steps.push(step);
    }
    steps
}

fn step(field: &Field<'_>, before: &[Step], sources: &BTreeMap<Arc<str>, SourceSpec>, log: &mut Log<'_>) -> Option<(Step, Span)> {
    let mut fields = field.map(log)?;
    let name = fields.take("name");
    const KINDS: [&str; 3] = ["plain", "helm", "kustomize"];
    let mut asked: Vec<(&'static str, Field<'_>)> = KINDS.into_iter().filter_map(|kind| Some((kind, fields.take(kind)?))).collect();
    let after = fields.take("after");
    let reasons = [("substitute", NOT_YET), ("patch", NOT_YET), ("decrypt", "decryption is not supported yet")];
    let elsewhere = fields.unsupported(&reasons, log);
    fields.finish(log);
    if let [(first, _), (second, again), ..] = asked.as_slice() {
        log.error("value", format!("`{}` has both `{first}` and `{second}`", field.path), again.key_span, "Make two steps of it.");
        return None;
    }
    if let (Some(after), false) = (&after, asked.first().is_some_and(|(word, _)| *word == "kustomize")) {
        let hint = "Only `kustomize` takes the objects of another step; those of all others are put one after another.";
        log.error("value", format!("`{}` means nothing here", after.path), after.key_span, hint);
        return None;
    }
    let (word, kind) = match asked.pop() {
        Some(("plain", plain)) => ("plain", plain_step(&plain, field, sources, log)),
        Some(("helm", helm)) => ("helm", helm_step(&helm, field, sources, log)),
        Some((_, kustomize)) => ("kustomize", kustomize_step(&kustomize, field, after, before, sources, log)),
        None => {
            if !elsewhere {
                let message = format!("`{}` does nothing", field.path);
                let hint = "A step has one of `plain`, `helm`, `kustomize`, `substitute`, `patch` and `decrypt`.";
                log.error("value", message, field.key_span, hint);
            }
            return None;
        }
    };
    let at = name.as_ref().map_or(field.key_span, |name| name.value.span());
    let name = match &name {
        Some(name) => dns_name(name, MAX_LABEL, log)?.into(),
        None if before.is_empty() => word.into(),
        None => format!("{word}-{}", before.len() + 1).into(),
    };
    Some((Step { name, kind: kind? }, at))
}

fn plain_step(field: &Field<'_>, step: &Field<'_>, sources: &BTreeMap<Arc<str>, SourceSpec>, log: &mut Log<'_>) -> Option<StepKind> {
    let mut plain = field.map(log)?;
    let source = plain.take("source");
    let path = plain.take("path").map_or(Some(RelPath::root()), |field| rel_path(&field, log));
    plain.finish(log);
    let source = step_source(source, step, sources, log)?;
    Some(StepKind::Plain { source, path: path? })
}

fn kustomize_step(
    field: &Field<'_>,
    step: &Field<'_>,
    after: Option<Field<'_>>,
    before: &[Step],
    sources: &BTreeMap<Arc<str>, SourceSpec>,
    log: &mut Log<'_>,
) -> Option<StepKind> {
    let mut kustomize = field.map(log)?;
    let source = kustomize.take("source");
    let path = kustomize.take("path").map_or(Some(RelPath::root()), |field| rel_path(&field, log));
    kustomize.finish(log);
    let source = step_source(source, step, sources, log)?;
    let after = match after {
        Some(field) => Some(taken_step(&field, before, log)?),
        None => None,
    };
    Some(StepKind::Kustomize { source, path: path?, after })
}

/// Reads the name of a step whose objects another one takes: it comes before, and nobody else takes them.
fn taken_step(field: &Field<'_>, before: &[Step], log: &mut Log<'_>) -> Option<Arc<str>> {
    let name = field.text(log)?;
    let Some(step) = before.iter().find(|step| &*step.name == name) else {
        let names: Vec<String> = before.iter().map(|step| format!("`{}`", step.name)).collect();
        let hint = if names.is_empty() { "No step comes before it.".to_owned() } else { format!("Before it come {}.", names.join(", ")) };
        log.error("value", format!("`{}` names `{name}`, which is no step before this one", field.path), field.value.span(), &hint);
        return None;
    };
    let taker = before.iter().find(|other| matches!(&other.kind, StepKind::Kustomize { after: Some(taken), .. } if **taken == *name));
    if let Some(taker) = taker {
        log.error("value", format!("step `{}` takes the objects of `{name}` already", taker.name), field.value.span(), "");
        return None;
    }
    Some(step.name.clone())
}

fn helm_step(field: &Field<'_>, step: &Field<'_>, sources: &BTreeMap<Arc<str>, SourceSpec>, log: &mut Log<'_>) -> Option<StepKind> {
    let mut helm = field.map(log)?;
    let source = helm.take("source");
    let chart = helm.take("chart").map_or(Some(RelPath::root()), |field| rel_path(&field, log));
    let release = helm.take("releaseName").map(|field| release_name(&field, log));
    let values = helm.take("values");
    let crds = helm.take("crds").map_or(Some(true), |field| field.word(log, &[("include", true), ("skip", false)]));
    let hooks = helm.take("hooks").map_or(Some(true), |field| field.boolean(log));
    let schema = helm.take("schema").map_or(Some(true), |field| field.word(log, &[("check", true), ("skip", false)]));
    let kube_version = helm.take("kubeVersion").and_then(|field| field.text(log)).map(str::to_owned);
    let api_versions = helm.take("apiVersions").map_or_else(Vec::new, |field| texts(&field, log));
    helm.finish(log);
    let source = step_source(source, step, sources, log)?;
    let values = values.map_or_else(Vec::new, |field| layers(&field, &source, sources, log));
    let release = match release {
        Some(release) => Some(release?),
        None => None,
    };
    let helm = HelmStep { source, chart: chart?, release, values, crds: crds?, hooks: hooks?, schema: schema?, kube_version, api_versions };
    Some(StepKind::Helm(Box::new(helm)))
}

/// Reads a release's name: Helm takes DNS names of at most 53 characters.
fn release_name(field: &Field<'_>, log: &mut Log<'_>) -> Option<String> {
    let name = dns_name(field, MAX_SUBDOMAIN, log)?;
    if name.len() > MAX_RELEASE_NAME {
        let message = format!("`{}` has {} characters; Helm takes {MAX_RELEASE_NAME}", field.path, name.len());
        log.error("name", message, field.value.span(), "");
        return None;
    }
    Some(name.to_owned())
}

fn texts(field: &Field<'_>, log: &mut Log<'_>) -> Vec<String> {
    field.list(log).iter().filter_map(|item| item.text(log)).map(str::to_owned).collect()
}

/// Reads the layers of values in their order.
fn layers(field: &Field<'_>, own: &Arc<str>, sources: &BTreeMap<Arc<str>, SourceSpec>, log: &mut Log<'_>) -> Vec<ValuesLayer> {
    let mut layers = Vec::new();
    for item in field.list(log) {
        let Some(layer) = layer(&item, own, sources, log) else { continue };
        let after_set = matches!(layers.last(), Some(ValuesLayer::Set { .. })) && !matches!(layer, ValuesLayer::Set { .. });
        if after_set {
            let message = format!("`{}` comes after a `set`", item.path);
            log.error("value", message, item.key_span, "`set` and its kin go over all else, as Helm has it: move them to the end.");
        }
        layers.push(layer);
    }
    layers
}

fn layer(item: &Field<'_>, own: &Arc<str>, sources: &BTreeMap<Arc<str>, SourceSpec>, log: &mut Log<'_>) -> Option<ValuesLayer> {
    const KINDS: [&str; 8] = ["file", "inline", "configMap", "secret", "set", "setString", "setJson", "setLiteral"];
    let mut fields = item.map(log)?;
    let mut taken: Vec<(&'static str, Field<'_>)> = KINDS.into_iter().filter_map(|name| Some((name, fields.take(name)?))).collect();
    let (source, key, optional) = (fields.take("source"), fields.take("key"), fields.take("optional"));
    let elsewhere = fields.unsupported(&[("output", "outputs are not supported yet")], log);
    fields.finish(log);
    if elsewhere {
        return None;
    }
    if taken.len() != 1 {
        let names: Vec<String> = KINDS.iter().map(|name| format!("`{name}`")).collect();
        log.error("value", format!("`{}` must have one of {}", item.path, names.join(", ")), item.key_span, "");
        return None;
    }
    let (kind, field) = taken.remove(0);
    let is_object = matches!(kind, "configMap" | "secret");
    for (extra, allowed) in [(&source, kind == "file"), (&key, is_object), (&optional, kind == "file" || is_object)] {
        if let Some(extra) = extra.as_ref().filter(|_| !allowed) {
            log.error("value", format!("`{}` means nothing beside `{kind}`", extra.path), extra.key_span, "Leave it out.");
        }
    }
    let optional = optional.map_or(Some(false), |field| field.boolean(log));
    match kind {
        "file" => {
            let source = if source.is_some() { step_source(source, item, sources, log)? } else { Arc::clone(own) };
            Some(ValuesLayer::File { source, path: rel_path(&field, log)?, optional: optional? })
        }
        "inline" => {
            field.map(log)?;
            let json = match field.value.to_value() {
                Ok(value) => value.to_string(),
                Err(diagnostic) => {
                    log.errors.push(*diagnostic);
                    return None;
                }
            };
            Some(ValuesLayer::Inline { json, declared_at: log.place(field.value) })
        }
        "configMap" | "secret" => {
            let kind = if kind == "secret" { ValuesObject::Secret } else { ValuesObject::ConfigMap };
            let key = key.map_or(Some("values.yaml"), |field| field.text(log))?.to_owned();
            Some(ValuesLayer::Object { kind, name: dns_name(&field, MAX_SUBDOMAIN, log)?.to_owned(), key, optional: optional? })
        }
        _ => {
            let kind = match kind {
                "setString" => SetKind::Text,
                "setJson" => SetKind::Json,
                "setLiteral" => SetKind::Literal,
                _ => SetKind::Typed,
            };
            Some(ValuesLayer::Set { kind, text: field.text(log)?.to_owned() })
        }
    }
}

/// A step that names no source means `main`, or the only one.
fn step_source(
    named: Option<Field<'_>>,
    step: &Field<'_>,
    sources: &BTreeMap<Arc<str>, SourceSpec>,
    log: &mut Log<'_>,
) -> Option<Arc<str>> {
    let Some(field) = named else {
        let main = sources.get_key_value(MAIN).or_else(|| sources.first_key_value().filter(|_| sources.len() == 1));
        if main.is_none() && !sources.is_empty() {
            let message = format!("`{}` names no source, and none is called `{MAIN}`", step.path);
            log.error("missing", message, step.key_span, "");
        }
        return main.map(|(alias, _)| alias.clone());
    };
    let alias = field.text(log)?;
    let found = sources.get_key_value(alias).map(|(alias, _)| alias.clone());
    // Without a source at all, that is the error.
    if found.is_none() && !sources.is_empty() {
        let known: Vec<String> = sources.keys().map(|alias| format!("`{alias}`")).collect();
        let message = format!("`{}` is `{alias}`, which is no source of this unit", field.path);
        log.error("value", message, field.value.span(), &format!("Its sources are {}.", known.join(", ")));
    }
    found
}
