//! Owns reading one `Unit` resource.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_build::{Kind, Node};
use plumb_manifest::{Digest, MAX_LABEL, MAX_SUBDOMAIN, is_dns_label, is_dns_subdomain};
use plumb_unit::{GitRef, GitSource, NodeKey, Policy, SecretRef, ServiceAccountRef, SourceSpec, Target, Unit};
use plumb_world::{RelPath, Span};

use super::chart;
use super::fields::{Field, Fields, Log};
use super::git::{RepositoryError, commit, is_file_url, parse_repository, ref_name};
use super::policy;
use super::root::RootSpec;
use super::steps;

/// The version of Plumb's own resources.
pub(crate) const API_VERSION: &str = "plumb.dev/v1alpha1";

/// The source that is meant when none is named.
pub(super) const MAIN: &str = "main";

/// Reads `metadata` alone: which unit a document declares. With errors the key may still be there, so that the unit keeps its old state.
pub(crate) fn key(document: Node<'_>, root: &RootSpec, log: &mut Log<'_>) -> Option<NodeKey> {
    let kind_at = document.member("kind").map_or(document.span(), |member| member.value.span());
    let mut top = Fields::new("", kind_at, document);
    let mut metadata = top.need("metadata", log)?.map(log)?;
    let name = metadata.need("name", log).and_then(|field| dns_name(&field, MAX_SUBDOMAIN, log));
    let namespace = metadata.take("namespace");
    if namespace.is_none() {
        let hint = "A unit lies in a namespace, as everything that tenants own.";
        log.error("missing", "`metadata.namespace` is missing".to_owned(), metadata.at, hint);
    }
    let namespace = namespace.and_then(|field| Some((dns_name(&field, MAX_LABEL, log)?, field)));
    for name in ["labels", "annotations"] {
        let Some(map) = metadata.take(name).and_then(|field| field.map(log)) else { continue };
        for (_, field) in map.take_all().iter().filter(|(_, field)| field.value.text().is_none()) {
            let _ = field.text(log);
        }
    }
    metadata.finish(log);
    let (namespace, field) = namespace?;
    if !root.namespaces.allow(namespace) {
        let message = format!("this root may not declare units in namespace `{namespace}`");
        log.error("namespace", message, field.value.span(), "The operator's `--allow-namespace` says which namespaces it may name.");
        return None;
    }
    Some(NodeKey::unit(&root.installation, namespace, name?))
}

/// Reads everything but `metadata`. What is wrong or not carried is in the log; the result counts only when both are empty.
pub(crate) fn read(document: Node<'_>, key: NodeKey, root: &RootSpec, declared_at: String, log: &mut Log<'_>) -> Option<Unit> {
    let kind_at = document.member("kind").map_or(document.span(), |member| member.value.span());
    let mut top = Fields::new("", kind_at, document);
    for known in ["apiVersion", "kind", "metadata"] {
        top.take(known);
    }
    let spec = top.need("spec", log).and_then(|field| field.map(log));
    top.finish(log);
    let mut spec = spec?;
    let sources = sources(&mut spec, root, log);
    let build = spec.take("build").map_or_else(Vec::new, |field| steps::read(&field, &sources, log));
    spec.unsupported(&[("inputs", "inputs are not supported yet"), ("outputs", "outputs are not supported yet")], log);
    let target = target(spec.take("target"), &key, root, spec.at, log);
    let depends_on = spec.take("dependsOn").map_or_else(Vec::new, |field| depends_on(&field, &key, log));
    let policy: Policy = policy::read(spec.take("policy"), log);
    spec.finish(log);
    let unit = Unit { key, sources, build, target: target?, depends_on, policy, declared_at, digest: Digest::of(b"") };
    Some(unit.with_digest())
}

fn sources(spec: &mut Fields<'_>, root: &RootSpec, log: &mut Log<'_>) -> BTreeMap<Arc<str>, SourceSpec> {
    let mut sources = BTreeMap::new();
    match (spec.take("source"), spec.take("sources")) {
        (Some(short), Some(long)) => {
            let message = "`spec.source` and `spec.sources` are both there".to_owned();
            log.error("value", message, long.key_span, "`source: {…}` is short for `sources: {main: {…}}`: keep one of them.");
            drop(short);
        }
        (Some(short), None) => {
            if let Some(source) = source(&short, root, log) {
                sources.insert(Arc::from(MAIN), source);
            }
        }
        (None, Some(long)) => {
            let Some(fields) = long.map(log) else { return sources };
            let all = fields.take_all();
            if all.is_empty() {
                log.error("value", format!("`{}` names no source", long.path), long.key_span, "");
            }
            for (alias, field) in all {
                if !is_dns_label(&alias) {
                    let message = format!("`{alias}` is no name of a source");
                    log.error("value", message, field.key_span, "Use lowercase letters, digits and `-`, at most 63.");
                }
                if let Some(source) = source(&field, root, log) {
                    sources.insert(alias.into(), source);
                }
            }
        }
        (None, None) => {
            log.error(
                "missing",
                "`spec.source` is missing".to_owned(),
                spec.at,
                "`source: {path: FOLDER}` is a folder of the root's own repository.",
            );
        }
    }
    sources
}

fn source(field: &Field<'_>, root: &RootSpec, log: &mut Log<'_>) -> Option<SourceSpec> {
    let mut fields = field.map(log)?;
    let kinds: Vec<(&str, Field<'_>)> = ["git", "helm", "oci"].into_iter().filter_map(|kind| Some((kind, fields.take(kind)?))).collect();
    let path = fields.take("path").map_or(Some(RelPath::root()), |field| rel_path(&field, log));
    let reasons = [("bucket", "buckets are not supported yet"), ("archive", "archives are not supported yet")];
    let elsewhere = fields.unsupported(&reasons, log);
    fields.finish(log);
    if elsewhere {
        return None;
    }
    let path = path?;
    match kinds.as_slice() {
        [] => Some(SourceSpec::Git(GitSource { path, ..root.source.clone() })),
        [("git", git)] => git_source(git, path, root, log).map(SourceSpec::Git),
        [("helm", chart)] => chart::in_repository(chart, path, secret_ref, log).map(SourceSpec::Chart),
        [(_, chart)] => chart::in_registry(chart, path, secret_ref, log).map(SourceSpec::Chart),
        _ => {
            let message = format!("`{}` must have one of `git`, `helm` and `oci`", field.path);
            log.error("value", message, field.key_span, "");
            None
        }
    }
}

fn git_source(field: &Field<'_>, path: RelPath, root: &RootSpec, log: &mut Log<'_>) -> Option<GitSource> {
    let mut fields = field.map(log)?;
    let url = fields.take("url");
    let reference = fields.take("ref");
    let secret = fields.take("secretRef");
    fields.finish(log);
    let own = url.is_none();
    let url = match &url {
        Some(field) => repository(field, root, log),
        None => Some(root.source.url.clone()),
    };
    let reference = match &reference {
        Some(field) => git_ref(field, log),
        None if own => Some(root.source.reference.clone()),
        None => Some(GitRef::Default),
    };
    let secret = match &secret {
        Some(field) => Some(secret_ref(field, log)?),
        None if own => root.source.secret.clone(),
        None => None,
    };
    Some(GitSource { url: url?, reference: reference?, secret, path })
}

fn repository(field: &Field<'_>, root: &RootSpec, log: &mut Log<'_>) -> Option<String> {
    let url = match parse_repository(field.text(log)?) {
        Ok(url) => url,
        Err(error) => {
            if matches!(error, RepositoryError::Password(_)) {
                log.hidden.push(field.value.span());
            }
            log.error("value", format!("`{}`: {error}", field.path), field.value.span(), "");
            return None;
        }
    };
    // Whoever may push to the root must not thereby read the operator's disk.
    if is_file_url(&url) && !is_file_url(&root.source.url) {
        let message = format!("`{}` names a folder of the operator's machine", field.path);
        log.error("value", message, field.value.span(), "Only units of a root that is itself a `file://` repository may.");
        return None;
    }
    Some(url)
}

fn git_ref(field: &Field<'_>, log: &mut Log<'_>) -> Option<GitRef> {
    let mut fields = field.map(log)?;
    let taken: Vec<(&str, Field<'_>)> =
        ["branch", "tag", "commit"].into_iter().filter_map(|name| Some((name, fields.take(name)?))).collect();
    fields.unsupported(&[("semver", "version ranges are not supported yet"), ("name", "use `branch`, `tag` or `commit`")], log);
    fields.finish(log);
    let [(name, value)] = taken.as_slice() else {
        let message = format!("`{}` must have one of `branch`, `tag` and `commit`", field.path);
        log.error("value", message, field.key_span, "");
        return None;
    };
    let text = value.text(log)?;
    let parsed = match *name {
        "branch" => ref_name(text).map(GitRef::Branch),
        "tag" => ref_name(text).map(GitRef::Tag),
        _ => commit(text).map(GitRef::Commit),
    };
    parsed.map_err(|error| log.error("value", format!("`{}`: {error}", value.path), value.value.span(), "")).ok()
}

fn secret_ref(field: &Field<'_>, log: &mut Log<'_>) -> Option<SecretRef> {
    let mut fields = field.map(log)?;
    let name = fields.need("name", log).and_then(|field| dns_name(&field, MAX_SUBDOMAIN, log));
    if let Some(namespace) = fields.take("namespace") {
        let message = format!("`{}`: a unit reads Secrets of its own namespace only", namespace.path);
        log.error("value", message, namespace.key_span, "Leave it out.");
    }
    fields.finish(log);
    Some(SecretRef { name: name?.to_owned() })
}

fn target(field: Option<Field<'_>>, key: &NodeKey, root: &RootSpec, spec_at: Span, log: &mut Log<'_>) -> Option<Target> {
    let mut target = Target { cluster: "".into(), namespace: None, create_namespace: false, service_account: None };
    let mut at = spec_at;
    if let Some(field) = field {
        at = field.key_span;
        let mut fields = field.map(log)?;
        if let Some(cluster) = fields.take("cluster").and_then(|field| field.text(log)) {
            target.cluster = cluster.into();
        }
        target.namespace = fields.take("namespace").and_then(|field| dns_name(&field, MAX_LABEL, log)).map(Into::into);
        if let Some(create) = fields.take("createNamespace") {
            target.create_namespace = create.boolean(log).unwrap_or(false);
            if target.create_namespace && target.namespace.is_none() {
                log.error("value", format!("`{}` is true, and `target.namespace` is missing", create.path), create.key_span, "");
            }
        }
        if let Some(account) = fields.take("serviceAccount").and_then(|field| dns_name(&field, MAX_SUBDOMAIN, log)) {
            target.service_account = Some(ServiceAccountRef { namespace: key.namespace.clone(), name: account.into() });
        }
        fields.unsupported(&[("host", "hosts are not supported yet"), ("terraform", "Terraform is not supported yet")], log);
        fields.finish(log);
    }
    if target.service_account.is_none() && !root.platform_account {
        let message = "`spec.target.serviceAccount` is missing, and this root grants no platform account".to_owned();
        log.error("missing", message, at, "Name a service account of the unit's own namespace.");
    }
    Some(target)
}

fn depends_on(field: &Field<'_>, key: &NodeKey, log: &mut Log<'_>) -> Vec<NodeKey> {
    let mut keys = Vec::new();
    for item in field.list(log) {
        let Some(mut fields) = item.map(log) else { continue };
        let name = fields.need("name", log).and_then(|field| dns_name(&field, MAX_SUBDOMAIN, log));
        let namespace = fields.take("namespace").map_or(Some(&*key.namespace), |field| dns_name(&field, MAX_LABEL, log));
        fields.finish(log);
        let (Some(name), Some(namespace)) = (name, namespace) else { continue };
        let other = NodeKey::unit(&key.installation, namespace, name);
        if other == *key {
            log.error("cycle", format!("`{key}` depends on itself"), item.value.span(), "");
        } else if !keys.contains(&other) {
            keys.push(other);
        }
    }
    keys
}

pub(super) fn rel_path(field: &Field<'_>, log: &mut Log<'_>) -> Option<RelPath> {
    if field.value.text() == Some("") {
        return Some(RelPath::root());
    }
    RelPath::parse(field.text(log)?).map_err(|error| log.error("value", format!("`{}`: {error}", field.path), field.value.span(), "")).ok()
}

/// Reads a name as Kubernetes takes them: with dots up to 253 characters, without up to 63.
pub(super) fn dns_name<'n>(field: &Field<'n>, limit: usize, log: &mut Log<'_>) -> Option<&'n str> {
    let text = field.text(log)?;
    let dots = limit > MAX_LABEL;
    if !(if dots { is_dns_subdomain(text) } else { is_dns_label(text) }) {
        let message = format!("`{}` is `{text}`, which is no name", field.path);
        let letters = if dots { "lowercase letters, digits, `-` and `.`" } else { "lowercase letters, digits and `-`" };
        log.error(
            "name",
            message,
            field.value.span(),
            &format!("A name has {letters}, starts and ends with a letter or digit, and has at most {limit} characters."),
        );
        return None;
    }
    Some(text)
}

/// Returns whether a document is one of Plumb's own resources, by its `apiVersion`.
pub(crate) fn is_own(document: Node<'_>) -> bool {
    let api_version = document.get("apiVersion").filter(|value| value.kind() == Kind::Text).and_then(Node::text);
    api_version.is_some_and(|text| text == "plumb.dev" || text.starts_with("plumb.dev/"))
}
