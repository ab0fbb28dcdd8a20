//! Owns what one object must be, whatever its kind: identity, names, labels, namespace against scope, and nothing that only the server may write.

use std::sync::Arc;

use plumb_manifest::{Gvk, Manifest, ObjectKey, Role, Scope};
use plumb_schema::Schema;
use plumb_unit::Target;
use plumb_world::{Diagnostic, FileTable, Span};
use serde_json::Value;

use crate::document::{Kind, Member, Node};
use crate::limits::{MAX_COLLECTED, MAX_OBJECT_BYTES};
use crate::names;

/// The group of Plumb's own resources.
const OWN_GROUP: &str = "plumb.dev";

/// Labels and annotations that Plumb sets on every object it applies.
const STAMPS: [&str; 4] = ["plumb.dev/installation", "plumb.dev/unit", "plumb.dev/owner", "plumb.dev/manifest"];

/// Fields of `metadata` that the server refuses in an apply.
const REFUSED: [&str; 3] = ["managedFields", "resourceVersion", "uid"];

/// Fields of `metadata` that the server sets whatever an apply says: left out, so that they are no drift.
const SERVERS_OWN: [&str; 5] = ["creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation", "selfLink"];

/// What an item of a list takes from the list when it does not say itself, as kubectl reads lists.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inherited {
    api_version: Option<String>,
    kind: Option<String>,
    in_list: bool,
    as_written: bool,
}

impl Inherited {
    /// A document of its own inherits nothing; it may be printed as it was written when its places are those of the file.
    pub(crate) fn of_document(as_written: bool) -> Self {
        Self { as_written, ..Self::default() }
    }

    /// `ConfigMapList` gives its items `ConfigMap`; `List` gives nothing.
    pub(crate) fn of_list(list: Node<'_>) -> Self {
        let kind = list.get("kind").and_then(Node::text).and_then(|kind| kind.strip_suffix("List")).filter(|kind| !kind.is_empty());
        let api_version = kind.and_then(|_| list.get("apiVersion")).and_then(Node::text);
        Self { api_version: api_version.map(str::to_owned), kind: kind.map(str::to_owned), in_list: true, as_written: false }
    }
}

/// An object whose own fields are checked and whose namespace is still to be settled.
pub(crate) struct Draft {
    pub(crate) gvk: Gvk,
    name: String,
    namespace: Option<(String, Span)>,
    at: Span,
    name_at: Span,
    content: Content,
    verbatim: bool,
    /// What part it plays.
    pub(crate) role: Role,
    /// Whether it holds secrets, whatever its kind.
    pub(crate) sensitive: bool,
}

/// A tree is twelve times its bytes: what has to wait waits as bytes.
enum Content {
    Tree(Value),
    Packed(Vec<u8>),
}

impl Draft {
    /// Returns the object when it defines a kind.
    pub(crate) fn definition(&self) -> Option<&Value> {
        match &self.content {
            Content::Tree(value) if &*self.gvk.group == "apiextensions.k8s.io" && &*self.gvk.kind == "CustomResourceDefinition" => {
                Some(value)
            }
            _ => None,
        }
    }

    /// Adds what Helm adds to every object of a release when it applies it (pkg/action/validate.go, `setMetadataVisitor`): charts look their own
    /// objects up and tell by it whether they are theirs.
    pub(crate) fn mark_release(&mut self, name: &str, namespace: &str) {
        let Content::Tree(value) = &mut self.content else { return };
        let additions = [
            ("labels", "app.kubernetes.io/managed-by", "Helm"),
            ("annotations", "meta.helm.sh/release-name", name),
            ("annotations", "meta.helm.sh/release-namespace", namespace),
        ];
        metadata(value, |metadata| {
            for (field, key, text) in additions {
                let map = metadata.entry(field).or_insert_with(|| Value::Object(serde_json::Map::new()));
                if map.is_null() {
                    *map = Value::Object(serde_json::Map::new());
                }
                if let Some(map) = map.as_object_mut() {
                    map.insert(key.to_owned(), Value::from(text));
                }
            }
        });
        self.verbatim = false;
    }

    pub(crate) fn packed(self) -> Self {
        let content = match self.content {
            Content::Tree(value) => Content::Packed(value.to_string().into_bytes()),
            packed => packed,
        };
        Self { content, ..self }
    }
}

/// Checks an object's own fields. What is wrong goes to the diagnostics, all of it; without an identity there is no draft.
pub(crate) fn draft(
    node: Node<'_>,
    at: Span,
    inherited: &Inherited,
    schema: &Schema,
    files: &mut FileTable,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Draft> {
    if node.kind() != Kind::Map {
        let what = if inherited.in_list { "an item of the list" } else { "the document" };
        let message = format!("{what} is {}, not an object", node.kind().described());
        diagnostics.push(
            Diagnostic::error("not-an-object", message).at(node.span(), "").hint("An object has `apiVersion`, `kind` and `metadata`."),
        );
        return None;
    }
    let mut check = Check { diagnostics, files, verbatim: inherited.as_written };
    let gvk = check.gvk(node, inherited)?;
    if &*gvk.group == OWN_GROUP {
        check.own_resource(node, &gvk);
        return None;
    }
    if &*gvk.group == "kustomize.config.k8s.io" {
        let diagnostic = Diagnostic::error("not-an-object", "a kustomization is not an object");
        check.diagnostics.push(
            diagnostic
                .at(check.key_of(node, "kind"), "")
                .hint("Name its folder in a `kustomize` step, or take it out to apply the files beside it as they are."),
        );
        return None;
    }
    check.hide_secrets(node, &gvk);
    let (name, name_at) = check.name(node, &gvk, schema)?;
    let metadata = node.get("metadata")?;
    let namespace = check.namespace(metadata);
    check.labels(metadata, "labels");
    check.labels(metadata, "annotations");
    if let Some(sops) = node.get("sops").filter(|sops| sops.kind() == Kind::Map) {
        let diagnostic =
            Diagnostic::error("encrypted", format!("`{} {name}` is encrypted with SOPS: decryption is not supported yet", word(&gvk)));
        check.diagnostics.push(diagnostic.at(sops.span(), ""));
    }
    let mut value = check.value(node)?;
    check.complete(&mut value, &gvk, inherited);
    check.drop_servers_own(node, &mut value, &gvk);
    Some(Draft {
        gvk,
        name,
        namespace,
        at,
        name_at,
        content: Content::Tree(value),
        verbatim: check.verbatim,
        role: Role::Object,
        sensitive: false,
    })
}

/// Settles a draft's namespace by what is known of its kind. Returns the manifest, and whether it is applied as it was written.
pub(crate) fn settle(draft: Draft, schema: &Schema, target: &Target, diagnostics: &mut Vec<Diagnostic>) -> Option<(Manifest, bool)> {
    let scope = schema.scope(&draft.gvk);
    let mut value = match draft.content {
        Content::Tree(value) => value,
        Content::Packed(bytes) => serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    };
    let mut verbatim = draft.verbatim;
    let own = draft.namespace.as_ref().map(|(name, _)| name.as_str());
    let namespace: Option<Arc<str>> = match scope {
        Some(Scope::Cluster) => {
            if let Some((name, at)) = &draft.namespace {
                let message = format!("`{} {}` belongs to no namespace: `{name}` is left out", word(&draft.gvk), draft.name);
                diagnostics.push(Diagnostic::warning("cluster-scoped", message).at(*at, "").hint("Remove `metadata.namespace`."));
                metadata(&mut value, |metadata| drop(metadata.remove("namespace")));
                verbatim = false;
            }
            None
        }
        _ => own.map(Arc::from).or_else(|| target.namespace.clone()),
    };
    if scope == Some(Scope::Namespaced) && namespace.is_none() {
        diagnostics.push(no_namespace_at(&draft.gvk, &draft.name, draft.name_at));
        return None;
    }
    if let (None, Some(namespace)) = (own, &namespace) {
        metadata(&mut value, |metadata| drop(metadata.insert("namespace".to_owned(), Value::from(&**namespace))));
        verbatim = false;
    }
    let key = ObjectKey { group: draft.gvk.group.clone(), kind: draft.gvk.kind.clone(), namespace, name: draft.name.into() };
    let mut manifest = Manifest::new(key, draft.gvk, &value, draft.at).with_role(draft.role);
    manifest.sensitive |= draft.sensitive;
    if scope.is_none() {
        manifest = manifest.with_unknown_scope();
    }
    if manifest.json.len() > MAX_OBJECT_BYTES {
        let message = format!("`{}` has {} bytes as JSON; the API server takes {MAX_OBJECT_BYTES}", manifest.key, manifest.json.len());
        diagnostics.push(Diagnostic::error("object-size", message).at(draft.name_at, ""));
        return None;
    }
    Some((manifest, verbatim))
}

/// The code of [`unknown_kind`]: of the errors of a build the one that goes without another input, once somebody installs the definition.
pub const UNKNOWN_KIND: &str = "unknown-kind";

/// Says that a cluster does not know a manifest's kind: what a target reports when a plan meets one.
pub fn unknown_kind(manifest: &Manifest) -> Diagnostic {
    Diagnostic::error(UNKNOWN_KIND, format!("the cluster knows no kind `{}` in `{}`", manifest.gvk.kind, manifest.gvk.api_version()))
        .at(manifest.at, format!("`{}`", manifest.key))
        .hint("Check `apiVersion` and `kind`, or install the CustomResourceDefinition first: in this unit, or in one that this unit depends on.")
}

/// Says that an object of a namespaced kind names no namespace: what a target reports when it settles a kind that the build did not know.
pub fn no_namespace(manifest: &Manifest) -> Diagnostic {
    no_namespace_at(&manifest.gvk, &manifest.key.name, manifest.at)
}

fn no_namespace_at(gvk: &Gvk, name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("no-namespace", format!("`{} {name}` has no namespace", word(gvk)))
        .at(at, "")
        .hint("Set `metadata.namespace` here, or `spec.target.namespace` of the unit.")
}

fn metadata(value: &mut Value, change: impl FnOnce(&mut serde_json::Map<String, Value>)) {
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        change(metadata);
    }
}

/// Returns a kind as people write it: `Deployment.apps`.
fn word(gvk: &Gvk) -> String {
    if gvk.group.is_empty() { gvk.kind.to_string() } else { format!("{}.{}", gvk.kind, gvk.group) }
}

/// One object under check.
struct Check<'c> {
    diagnostics: &'c mut Vec<Diagnostic>,
    files: &'c mut FileTable,
    verbatim: bool,
}

impl Check<'_> {
    fn error(&mut self, code: &'static str, message: String, at: Span, hint: &str) {
        let diagnostic = Diagnostic::error(code, message).at(at, "");
        self.push(if hint.is_empty() { diagnostic } else { diagnostic.hint(hint) });
    }

    /// One object may have a million labels, each of them wrong.
    fn push(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < MAX_COLLECTED {
            self.diagnostics.push(diagnostic);
        }
    }

    fn key_of(&self, node: Node<'_>, key: &str) -> Span {
        node.member(key).map_or(node.span(), |member| member.key_span)
    }

    fn gvk(&mut self, node: Node<'_>, inherited: &Inherited) -> Option<Gvk> {
        let own = |key: &str| node.get(key).filter(|value| value.kind() != Kind::Null);
        // As in kubectl, a list gives both or neither.
        let inherits = own("apiVersion").is_none() && own("kind").is_none();
        if inherits && inherited.kind.is_none() {
            let at = node.first_line();
            let hint = self.what_else(at);
            self.error("identity", "the object has neither `apiVersion` nor `kind`".to_owned(), at, &hint);
            return None;
        }
        let api_version = self.identity_text(node, "apiVersion", inherited.api_version.as_deref().filter(|_| inherits));
        let kind = self.identity_text(node, "kind", inherited.kind.as_deref().filter(|_| inherits));
        let (api_version, kind) = (api_version?, kind?);
        let gvk = names::gvk(&api_version, &kind).map_err(|rule| {
            let at = node.get("apiVersion").map_or(node.span(), Node::span);
            self.error("api-version", format!("`apiVersion` is `{api_version}`, which is no version of an API"), at, rule);
        });
        if !names::is_kind(&kind) {
            let at = node.get("kind").map_or(node.span(), Node::span);
            self.error(
                "kind",
                format!("`kind` is `{kind}`, which no kind can be called"),
                at,
                "A kind is one word of letters and digits, such as `Deployment`.",
            );
            return None;
        }
        gvk.ok()
    }

    fn identity_text(&mut self, node: Node<'_>, key: &str, inherited: Option<&str>) -> Option<String> {
        match node.get(key).filter(|value| value.kind() != Kind::Null) {
            Some(value) => match value.text() {
                Some("") | None => {
                    let found = if value.text().is_some() { "empty" } else { value.kind().described() };
                    self.error("identity", format!("`{key}` is {found}, not a name"), value.span(), "");
                    None
                }
                Some(text) => Some(text.to_owned()),
            },
            None if inherited.is_some() => inherited.map(str::to_owned),
            None => {
                let at = node.first_line();
                let hint = self.what_else(at);
                self.error("identity", format!("the object has no `{key}`"), at, &hint);
                None
            }
        }
    }

    /// Guesses from a file's name what a document without identity is.
    fn what_else(&self, at: Span) -> String {
        let name = self.files.get(at.file).map_or("", |file| file.path.name());
        match name {
            "Chart.yaml" | "values.yaml" => format!("`{name}` belongs to a Helm chart: name the chart's own folder, or use a `helm` step."),
            "kustomization.yaml" | "kustomization.yml" => format!("`{name}` is for kustomize, which is not supported yet."),
            _ => "Every `*.yaml`, `*.yml` and `*.json` file of the folder is read: what is no manifest belongs elsewhere, or under a name that starts with a dot.".to_owned(),
        }
    }

    fn own_resource(&mut self, node: Node<'_>, gvk: &Gvk) {
        let at = self.key_of(node, "apiVersion");
        let message = format!("`{}` is declared in a root, not among a unit's manifests", word(gvk));
        self.error("own-resource", message, at, "Move it below the path that `plumb serve --root` names.");
    }

    /// No excerpt shows what a Secret holds, nor the copy that kubectl keeps of it.
    fn hide_secrets(&mut self, node: Node<'_>, gvk: &Gvk) {
        if !gvk.group.is_empty() || &*gvk.kind != "Secret" {
            return;
        }
        for field in ["data", "stringData"] {
            let Some(value) = node.get(field) else { continue };
            if value.kind() != Kind::Map {
                self.files.hide(value.span());
            }
            for member in value.members() {
                self.files.hide(member.value.span());
            }
        }
        for member in node.get("metadata").and_then(|metadata| metadata.get("annotations")).into_iter().flat_map(Node::members) {
            self.files.hide(member.value.span());
        }
    }

    fn name(&mut self, node: Node<'_>, gvk: &Gvk, schema: &Schema) -> Option<(String, Span)> {
        let kind = word(gvk);
        let Some(metadata) = node.get("metadata").filter(|metadata| metadata.kind() != Kind::Null) else {
            let at = node.member("kind").map_or_else(|| node.first_line(), |member| member.value.span());
            self.error("no-name", format!("this `{kind}` has no `metadata.name`"), at, "");
            return None;
        };
        if metadata.kind() != Kind::Map {
            self.error("type", format!("`metadata` of this `{kind}` is {}, not a map", metadata.kind().described()), metadata.span(), "");
            return None;
        }
        let Some(name) = metadata.get("name").filter(|name| name.kind() != Kind::Null) else {
            match metadata.member("generateName") {
                Some(member) => {
                    let message = format!("this `{kind}` has `metadata.generateName` and no `metadata.name`");
                    let hint = "A name that the server makes up is a new object at every apply: give it a `name`.";
                    self.error("generate-name", message, member.key_span, hint);
                }
                None => {
                    let at = self.key_of(node, "metadata");
                    self.error("no-name", format!("this `{kind}` has no `metadata.name`"), at, "");
                }
            }
            return None;
        };
        let Some(text) = name.text() else {
            self.not_text("metadata.name", name);
            return None;
        };
        let builtin = schema.is_builtin(&gvk.group, &gvk.kind);
        if let Err(rule) = names::object_name(gvk, builtin, text) {
            self.error("name", format!("`metadata.name` is `{text}`, which no `{kind}` may be called"), name.span(), rule);
            return None;
        }
        Some((text.to_owned(), name.span()))
    }

    fn not_text(&mut self, path: &str, value: Node<'_>) {
        let hidden = self.files.hidden(value.span().file).any(|range| range == value.span());
        let hint = match value.scalar() {
            Some(text) if value.kind() != Kind::Null && !hidden => format!("Quote it: `\"{text}\"`."),
            _ => String::new(),
        };
        self.error("type", format!("`{path}` is {}, not a string", value.kind().described()), value.span(), &hint);
    }

    fn namespace(&mut self, metadata: Node<'_>) -> Option<(String, Span)> {
        let value = metadata.get("namespace").filter(|value| value.kind() != Kind::Null)?;
        let Some(text) = value.text() else {
            self.not_text("metadata.namespace", value);
            // It names one, if wrongly: that it is missing is not to be said as well.
            return Some((String::new(), value.span()));
        };
        if text.is_empty() {
            return None;
        }
        if let Err(rule) = names::namespace(text) {
            self.error("namespace", format!("`metadata.namespace` is `{text}`, which no namespace may be called"), value.span(), rule);
        }
        Some((text.to_owned(), value.span()))
    }

    /// Checks `metadata.labels` or `metadata.annotations`.
    fn labels(&mut self, metadata: Node<'_>, field: &str) {
        let Some(map) = metadata.get(field).filter(|map| map.kind() != Kind::Null) else { return };
        if map.kind() != Kind::Map {
            return self.error("type", format!("`metadata.{field}` is {}, not a map", map.kind().described()), map.span(), "");
        }
        for Member { key, key_span, value } in map.members() {
            if let Err(rule) = names::label_key(key) {
                self.error("label", format!("`metadata.{field}` has the key `{key}`, which is none"), key_span, rule);
            }
            if STAMPS.contains(&key) {
                let hint = "Remove it: it says which unit an object belongs to, and is set when the object is applied.";
                self.error("stamp", format!("`metadata.{field}` has `{key}`, which is Plumb's own"), key_span, hint);
            }
            match value.text() {
                Some(text) if field == "labels" => {
                    if let Err(rule) = names::label_value(text) {
                        self.error("label", format!("`metadata.labels.{key}` is `{text}`, which no label may be"), value.span(), rule);
                    }
                }
                Some(_) => {}
                None if value.kind() == Kind::Null => {
                    let message = format!("`metadata.{field}.{key}` is null: it is applied as the empty string");
                    self.push(Diagnostic::warning("null-label", message).at(key_span, "").hint("Write `\"\"` where that is meant."));
                }
                None => self.not_text(&format!("metadata.{field}.{key}"), value),
            }
        }
    }

    fn value(&mut self, node: Node<'_>) -> Option<Value> {
        node.to_value().map_err(|diagnostic| self.diagnostics.push(*diagnostic)).ok()
    }

    /// Writes what the API takes for granted: what a list gave, and empty strings for labels that are null.
    fn complete(&mut self, value: &mut Value, gvk: &Gvk, inherited: &Inherited) {
        if let Some(object) = value.as_object_mut().filter(|_| inherited.kind.is_some()) {
            object.entry("apiVersion").or_insert_with(|| Value::from(gvk.api_version()));
            object.entry("kind").or_insert_with(|| Value::from(&*gvk.kind));
        }
        for field in ["labels", "annotations"] {
            let map = value.pointer_mut(&format!("/metadata/{field}")).and_then(Value::as_object_mut);
            for (_, label) in map.into_iter().flatten().filter(|(_, label)| label.is_null()) {
                *label = Value::from("");
                self.verbatim = false;
            }
        }
    }

    /// Takes out what only the server writes. The server ignores it, so nobody would ever own it, and it would look like drift for ever.
    fn drop_servers_own(&mut self, node: Node<'_>, value: &mut Value, gvk: &Gvk) {
        let kind = word(gvk);
        for field in REFUSED {
            if let Some(member) =
                node.get("metadata").and_then(|metadata| metadata.member(field)).filter(|member| member.value.kind() != Kind::Null)
            {
                let message = format!("`metadata.{field}` of this `{kind}` is the server's to set");
                self.error(
                    "servers-own",
                    message,
                    member.key_span,
                    "Remove it: it comes from an object that was read back from a cluster.",
                );
            }
        }
        for field in REFUSED.iter().chain(&SERVERS_OWN) {
            metadata(value, |metadata| self.verbatim &= metadata.remove(*field).is_none());
            let Some(member) = node.get("metadata").and_then(|metadata| metadata.member(field)) else { continue };
            if SERVERS_OWN.contains(field) && member.value.kind() != Kind::Null {
                let message = format!("`metadata.{field}` of this `{kind}` is the server's to set: it is left out");
                self.diagnostics.push(Diagnostic::warning("servers-own", message).at(member.key_span, ""));
            }
        }
        if let Some(status) = value.as_object_mut().and_then(|object| object.remove("status")) {
            self.verbatim = false;
            if !is_hollow(&status) {
                let message = format!("`status` of this `{kind}` is the server's to set: it is left out");
                self.diagnostics.push(Diagnostic::warning("servers-own", message).at(self.key_of(node, "status"), ""));
            }
        }
    }
}

/// Returns whether nothing is said: what generators write for a status that they do not have.
fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.values().all(is_hollow),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
