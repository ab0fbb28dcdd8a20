//! Owns field rules: which paths of an object are somebody else's, in comparing and in applying; the built-in ones too.
//!
//! A path is a JSON pointer. In a list a segment is a position, `*` for every item, or `key=value` for the item that has it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plumb_manifest::{FieldPath, ObjectKey, Segment};
use plumb_unit::{FieldEffect, FieldRule, FieldScope};
use serde_json::{Map, Value};

use crate::fields::owner_of;
use crate::redact::is_secret;

/// How many segments a rule's path may have.
pub const MAX_RULE_SEGMENTS: usize = 64;

/// Why a field rule cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// It is not a JSON pointer to something below the object.
    #[error("field rule path `{0}` is not a JSON pointer; write it like `/spec/replicas`")]
    NotAPointer(String),
    /// It has more than [`MAX_RULE_SEGMENTS`] segments.
    #[error("field rule path `{0}` has more than {MAX_RULE_SEGMENTS} segments")]
    TooLong(String),
}

/// Rules of a unit, ready to be asked.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    rules: Vec<(FieldRule, Vec<Vec<String>>)>,
}

impl Rules {
    /// Reads the rules of a policy; all that are wrong are named.
    pub fn compile(rules: &[FieldRule]) -> Result<Self, Vec<RuleError>> {
        let (mut compiled, mut errors) = (Vec::new(), Vec::new());
        for rule in rules {
            let mut paths = Vec::new();
            for path in &rule.paths {
                match pointer(path) {
                    Ok(segments) => paths.push(segments),
                    Err(error) => errors.push(error),
                }
            }
            compiled.push((rule.clone(), paths));
        }
        if errors.is_empty() { Ok(Self { rules: compiled }) } else { Err(errors) }
    }

    /// Returns the rules that hold for an object: the policy's, and the built-in ones. `scaled` tells whether a live HPA or ScaledObject
    /// targets it ([`scale_target`]).
    pub fn for_object(&self, key: &ObjectKey, manifest: &Value, scaled: bool) -> ObjectRules {
        let is = |wanted: &Option<String>, have: &str| wanted.as_deref().is_none_or(|wanted| wanted == have);
        let mut rules = ObjectRules::default();
        for (rule, paths) in &self.rules {
            if is(&rule.group, &key.group) && is(&rule.kind, &key.kind) && is(&rule.name, &key.name) {
                rules.rules.extend(paths.iter().map(|path| ObjectRule { path: path.clone(), scope: rule.scope, effect: rule.effect }));
            }
        }
        if scaled {
            rules.push(&["spec", "replicas"], FieldEffect::OnlyAtCreation);
        }
        for path in left_to_others(key, manifest) {
            rules.rules.push(ObjectRule { path, scope: FieldScope::Both, effect: FieldEffect::KeepLive });
        }
        rules
    }
}

fn pointer(path: &str) -> Result<Vec<String>, RuleError> {
    let rest = path.strip_prefix('/').filter(|rest| !rest.is_empty()).ok_or_else(|| RuleError::NotAPointer(path.to_owned()))?;
    let segments: Vec<String> = rest.split('/').map(|segment| segment.replace("~1", "/").replace("~0", "~")).collect();
    if segments.len() > MAX_RULE_SEGMENTS {
        return Err(RuleError::TooLong(path.to_owned()));
    }
    Ok(segments)
}

/// The rules of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectRules {
    rules: Vec<ObjectRule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct ObjectRule {
    path: Vec<String>,
    scope: FieldScope,
    effect: FieldEffect,
}

impl ObjectRules {
    /// Returns no rules.
    pub fn none() -> Self {
        Self::default()
    }

    fn push(&mut self, path: &[&str], effect: FieldEffect) {
        let path = path.iter().map(|segment| (*segment).to_owned()).collect();
        self.rules.push(ObjectRule { path, scope: FieldScope::Both, effect });
    }

    /// Returns whether a difference at the path, or above which it lies, is somebody else's. `positions` holds for each step that is an item
    /// its place in the list; it may be shorter.
    pub fn yields(&self, path: &FieldPath, positions: &[usize]) -> bool {
        self.rules.iter().filter(|rule| rule.scope != FieldScope::Apply).any(|rule| {
            let mut steps = path.0.iter().enumerate();
            rule.path.len() <= path.0.len()
                && rule.path.iter().zip(&mut steps).all(|(segment, (at, step))| matches(segment, step, positions.get(at).copied()))
        })
    }

    /// Returns whether [`effective`] wants the live object.
    pub fn needs_live(&self) -> bool {
        self.applying().next().is_some()
    }

    fn applying(&self) -> impl Iterator<Item = &ObjectRule> {
        self.rules.iter().filter(|rule| rule.scope != FieldScope::Diff && rule.effect != FieldEffect::Ignore)
    }
}

fn matches(segment: &str, step: &Segment, position: Option<usize>) -> bool {
    match step {
        Segment::Key(key) => segment == key,
        Segment::Index(index) => segment == "*" || segment.parse() == Ok(*index),
        Segment::Member(_) => segment == "*" || position.is_some() && segment.parse().ok() == position,
        Segment::Item(keys) => {
            let named =
                || segment.split_once('=').is_some_and(|(key, value)| keys.iter().any(|(name, have)| name == key && is_text(have, value)));
            segment == "*" || position.is_some() && segment.parse().ok() == position || named()
        }
    }
}

fn is_text(value: &Value, text: &str) -> bool {
    match value {
        Value::String(have) => have == text,
        Value::Number(number) => number.to_string() == text,
        Value::Bool(flag) => text == if *flag { "true" } else { "false" },
        _ => false,
    }
}

/// Returns the object that an autoscaler scales: of a HorizontalPodAutoscaler or a KEDA ScaledObject.
pub fn scale_target(autoscaler: &Value) -> Option<ObjectKey> {
    let api_version = autoscaler.get("apiVersion")?.as_str()?;
    let known = match autoscaler.get("kind")?.as_str()? {
        "HorizontalPodAutoscaler" => api_version.starts_with("autoscaling/"),
        "ScaledObject" => api_version.starts_with("keda.sh/"),
        _ => false,
    };
    let target = autoscaler.get("spec")?.get("scaleTargetRef").filter(|_| known)?;
    let text = |field: &str| target.get(field).and_then(Value::as_str);
    // KEDA's defaults; an HPA always names both.
    let (target_version, kind) = (text("apiVersion").unwrap_or("apps/v1"), text("kind").unwrap_or("Deployment"));
    let group = target_version.split_once('/').map_or("", |(group, _)| group);
    let namespace = autoscaler.get("metadata")?.get("namespace")?.as_str()?;
    Some(ObjectKey::new(group, kind, Some(namespace), text("name")?))
}

/// Paths that a manifest leaves to a controller that fills them in: empty CA bundles, and the rules of an aggregated ClusterRole, which
/// kube-controller-manager overwrites whatever the manifest says.
fn left_to_others(key: &ObjectKey, manifest: &Value) -> Vec<Vec<String>> {
    let owned = |path: &[&str]| path.iter().map(|segment| (*segment).to_owned()).collect::<Vec<_>>();
    match (&*key.group, &*key.kind) {
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration") => {
            let webhooks = manifest.get("webhooks").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let empty = webhooks.iter().filter(|webhook| is_empty_bundle(webhook.pointer("/clientConfig/caBundle")));
            let names = empty.filter_map(|webhook| webhook.get("name")?.as_str());
            names
                .map(|name| vec!["webhooks".to_owned(), format!("name={name}"), "clientConfig".to_owned(), "caBundle".to_owned()])
                .collect()
        }
        ("apiextensions.k8s.io", "CustomResourceDefinition") => {
            let config = manifest.pointer("/spec/conversion/webhook/clientConfig");
            let path = owned(&["spec", "conversion", "webhook", "clientConfig", "caBundle"]);
            config.filter(|config| is_empty_bundle(config.get("caBundle"))).map(|_| path).into_iter().collect()
        }
        ("apiregistration.k8s.io", "APIService") if is_empty_bundle(manifest.pointer("/spec/caBundle")) => {
            vec![owned(&["spec", "caBundle"])]
        }
        ("rbac.authorization.k8s.io", "ClusterRole") if is_aggregated(manifest) => vec![owned(&["rules"])],
        _ => Vec::new(),
    }
}

fn is_aggregated(role: &Value) -> bool {
    role.pointer("/aggregationRule/clusterRoleSelectors").and_then(Value::as_array).is_some_and(|selectors| !selectors.is_empty())
}

/// Absent, empty, or the encoded white space (`Cg==`) that scaffolds write where a bundle is required.
fn is_empty_bundle(bundle: Option<&Value>) -> bool {
    match bundle {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => STANDARD.decode(text).is_ok_and(|bytes| bytes.iter().all(u8::is_ascii_whitespace)),
        Some(_) => false,
    }
}

/// Returns what is to be applied: the manifest with the rules carried out, and a Secret's `stringData` as `data`, as the API server keeps
/// no ownership of what `stringData` becomes.
///
/// `live` is the object as it is, or none when it is to be created; it is needed when [`ObjectRules::needs_live`]. Of a path that is
/// somebody else's the manifest's value is left out when another manager owns the live one. While we are its only owner the live value is
/// sent: leaving it out would have the server drop it.
pub fn effective(key: &ObjectKey, manifest: &Value, rules: &ObjectRules, live: Option<&Value>, manager: &str) -> Value {
    let mut object = manifest.clone();
    if is_secret(key) {
        encode_string_data(&mut object);
    }
    for rule in rules.applying() {
        if rule.effect == FieldEffect::OnlyAtCreation && live.is_none() {
            continue;
        }
        for place in places(&object, &rule.path) {
            let path = FieldPath(place.iter().map(|step| step.segment.clone()).collect());
            let kept =
                live.and_then(|live| lookup(live, &path)).filter(|_| live.is_some_and(|live| owner_of(live, &path, manager).is_none()));
            put(&mut object, &place, kept.cloned());
        }
    }
    object
}

fn encode_string_data(object: &mut Value) {
    let Some(top) = object.as_object_mut() else { return };
    let Some(Value::Object(plain)) = top.remove("stringData") else { return };
    let data = top.entry("data").or_insert(Value::Null);
    if data.is_null() {
        *data = Value::Object(Map::new());
    }
    if let Some(data) = data.as_object_mut() {
        for (name, value) in plain {
            let encoded = value.as_str().map_or(value.clone(), |text| Value::String(STANDARD.encode(text)));
            data.insert(name, encoded);
        }
    }
}

/// A step to a place of the manifest: by position there, by key or name elsewhere.
#[derive(Clone)]
struct Place {
    segment: Segment,
    position: usize,
}

/// The places of a manifest that a rule's path names.
fn places(object: &Value, path: &[String]) -> Vec<Vec<Place>> {
    let mut open: Vec<(Vec<Place>, &Value)> = vec![(Vec::new(), object)];
    for segment in path {
        let mut next = Vec::new();
        for (place, value) in open {
            let step = |segment, position| place.iter().cloned().chain([Place { segment, position }]).collect::<Vec<_>>();
            match value {
                Value::Object(map) => next.extend(map.get(segment).map(|below| (step(Segment::Key(segment.clone()), 0), below))),
                Value::Array(items) => {
                    for (at, item) in items.iter().enumerate() {
                        let pair =
                            segment.split_once('=').and_then(|(key, text)| Some((key, item.get(key).filter(|have| is_text(have, text))?)));
                        let named = item.get("name").map(|name| ("name", name));
                        if let Some((key, value)) = pair.or_else(|| named.filter(|_| segment == "*")) {
                            next.push((step(Segment::Item(vec![(key.to_owned(), value.clone())]), at), item));
                        } else if segment == "*" || segment.parse() == Ok(at) {
                            next.push((step(Segment::Index(at), at), item));
                        }
                    }
                }
                _ => {}
            }
        }
        open = next;
    }
    open.into_iter().map(|(place, _)| place).collect()
}

pub(crate) fn lookup<'a>(value: &'a Value, path: &FieldPath) -> Option<&'a Value> {
    path.0.iter().try_fold(value, |value, segment| match segment {
        Segment::Key(key) => value.get(key),
        Segment::Index(index) => value.get(*index),
        Segment::Item(keys) => value.as_array()?.iter().find(|item| keys.iter().all(|(key, wanted)| item.get(key) == Some(wanted))),
        Segment::Member(member) => value.as_array()?.iter().find(|item| *item == member),
    })
}

/// Puts a value at a place, or takes what is there away. An item of a list is never taken away as a whole: that would shift the others.
fn put(object: &mut Value, place: &[Place], value: Option<Value>) {
    let Some((last, parents)) = place.split_last() else { return };
    let parent = parents.iter().try_fold(object, |at, step| match &step.segment {
        Segment::Key(key) => at.get_mut(key),
        _ => at.get_mut(step.position),
    });
    let Some(parent) = parent else { return };
    match (&last.segment, value) {
        (Segment::Key(key), Some(value)) => {
            if let Some(map) = parent.as_object_mut() {
                map.insert(key.clone(), value);
            }
        }
        (Segment::Key(key), None) => {
            if let Some(map) = parent.as_object_mut() {
                map.remove(key);
            }
        }
        (_, Some(value)) => {
            if let Some(slot) = parent.get_mut(last.position) {
                *slot = value;
            }
        }
        (_, None) => {}
    }
}
