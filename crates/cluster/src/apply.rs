//! Owns one object's apply: stamps, force or not, what the answer tells, and taking an object over from who had it.
//! Must not decide whose an object is; the plan's mode does, and adoption is somebody's consent.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use plumb_manifest::{Manifest, ObjectKey};
use plumb_plan::{ApplyMode, FieldChange, ObjectResult, Rules, UnitHash, admission_changes, effective, owner_key, stamp};
use plumb_unit::NodeKey;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::Acting;
use crate::cluster::read_value;
use crate::entry::Sent;
use crate::error::{Class, ClusterError, Refusal, classify};
use crate::managed;
use crate::rate::backoff;
use crate::resource::{Resource, segment};
use crate::time::parse_time;
use crate::wire::{Answer, Call, FenceCheck};

const APPLY: &str = "application/apply-patch+yaml";
const JSON_PATCH: &str = "application/json-patch+json";

/// How often a write is repeated because something changed in between.
const CONFLICT_RETRIES: u32 = 6;
/// How long a kind that was just established may still answer 404: each API server learns of it by itself.
const ESTABLISH_PATIENCE: Duration = Duration::from_secs(10);

/// What an apply came to.
#[derive(Debug)]
pub(crate) struct Applied {
    pub(crate) result: ObjectResult,
    pub(crate) uid: String,
    pub(crate) warnings: Vec<String>,
    /// The managers whose entries became ours.
    pub(crate) taken: Vec<String>,
    /// What the server settled otherwise than the manifest says.
    pub(crate) admission: Vec<FieldChange>,
}

/// Somebody else manages an object that a unit names: it stays as it is until somebody consents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    /// What.
    pub key: ObjectKey,
    /// Who manages it.
    pub managers: Vec<String>,
    /// The fields on which they differ from the manifest, as the server writes paths; empty when they differ in none.
    pub fields: Vec<String>,
}

/// How an apply ended that did not fail.
#[derive(Debug)]
pub(crate) enum Ended {
    Applied(Applied),
    NeedsAdoption(Adoption),
}

/// What an apply is about.
pub(crate) struct Apply<'a> {
    pub(crate) unit: &'a NodeKey,
    pub(crate) manifest: &'a Manifest,
    pub(crate) mode: ApplyMode,
    /// Whether somebody consented to taking it from others.
    pub(crate) adopt: bool,
    /// Whether an inventory that this sync did not write named it before.
    pub(crate) named_before: bool,
    pub(crate) dry_run: bool,
    pub(crate) rules: &'a Rules,
    /// Whether an autoscaler of the same plan sets its replicas.
    pub(crate) scaled: bool,
    pub(crate) fence: Option<&'a FenceCheck>,
}

/// Returns an object as it is sent: with its namespace and the unit's stamps.
pub(crate) fn stamped(manifest: &Manifest, mut object: Value, unit: &NodeKey) -> Value {
    if let (Some(namespace), Some(metadata)) = (&manifest.key.namespace, object.get_mut("metadata").and_then(Value::as_object_mut)) {
        metadata.insert("namespace".to_owned(), Value::String(namespace.to_string()));
    }
    stamp(&mut object, unit, manifest.digest);
    object
}

impl Acting {
    /// Applies one object.
    pub(crate) async fn apply(&self, order: &Apply<'_>) -> Result<Ended, ClusterError> {
        let key = &order.manifest.key;
        let resource = self.cluster.resource(&order.manifest.gvk).await?;
        // What it is settled as from now on rests on the kind's definition as it is now.
        self.cluster.premises().used(&self.cluster, &order.manifest.gvk);
        let path = resource.object(key)?;
        let manager = UnitHash::of(order.unit).manager();
        let _flight = self.cluster.index().flight(key);
        let before = self.cluster.index().get(key);
        let wanted = order.manifest.value();
        // An autoscaler that was there once may be gone: asked again only for what it was seen to scale.
        let scaled = order.scaled || (before.as_ref().is_some_and(|entry| entry.scaled) && self.cluster.scaler_of(key).await?.is_some());
        let rules = Arc::new(order.rules.for_object(key, &wanted, scaled));
        let live = if rules.needs_live() && before.is_some() { self.read_object(&resource, key).await? } else { None };
        // As text while the server works on it: a large definition's tree takes ten times as much, and many are under way at once.
        let body = stamped(order.manifest, effective(key, &wanted, &rules, live.as_ref(), &manager), order.unit).to_string().into_bytes();
        drop((wanted, live));
        let mut work = Work { acting: self, order, resource: &resource, path: &path, manager: &manager, body, taken: Vec::new() };

        let mut force = !matches!(order.mode, ApplyMode::First);
        match order.mode {
            ApplyMode::TakeOver(other) => work.take_over(&|manager| managed::leaves(manager) || manager == other.manager()).await?,
            ApplyMode::First if order.adopt => {
                work.take_over(&managed::gives_way).await?;
                force = true;
            }
            ApplyMode::First | ApplyMode::Owned => {}
        }
        let begun = Instant::now();
        let answer = match work.send(force).await {
            Err(ClusterError::Api(refusal)) if !force && refusal.manager_conflicts().next().is_some() => {
                // Our own entry in there means that somebody took the stamps off what was ours.
                let live = work.read().await?;
                if let Some(owner) = live.as_ref().and_then(|live| other_unit(live, self.cluster.installation(), &manager)) {
                    return Err(ClusterError::OfAnotherUnit { what: key.to_string(), owner });
                }
                if live.as_ref().is_none_or(|live| managed::own(live, &manager).is_none()) {
                    return Ok(Ended::NeedsAdoption(adoption(key, &refusal)));
                }
                work.send(true).await?
            }
            other => other?,
        };
        let mut answer = answer;
        let mut live = read_value(&answer.body, &key.to_string())?;
        let unmanaged = |live: &Value| managed::entries(live).any(|entry| entry.manager == managed::BEFORE);
        if force && !order.dry_run && unmanaged(&live) {
            // Nobody managed it before: the server put all that it had under a name of its own only now.
            work.take_over(&|manager| manager == managed::BEFORE).await?;
            answer = work.send(true).await?;
            live = read_value(&answer.body, &key.to_string())?;
        }
        let uid = live.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default().to_owned();
        if order.mode == ApplyMode::First && !order.adopt && answer.status != 201 && !order.dry_run {
            let owners = managed::owners(&live, &manager);
            if !owners.is_empty() && !is_old(&live, &manager, &answer, begun) {
                work.back_out(&live).await?;
                return Ok(Ended::NeedsAdoption(Adoption { key: key.clone(), managers: owners, fields: Vec::new() }));
            }
        }
        if order.dry_run {
            let result = if answer.status == 201 { ObjectResult::Created } else { ObjectResult::Configured };
            return Ok(Ended::Applied(Applied { result, uid, warnings: answer.warnings, taken: work.taken, admission: Vec::new() }));
        }
        let object = read_value(&work.body, &key.to_string())?;
        let index = self.cluster.index();
        let sent = Sent { unit: UnitHash::of(order.unit), object: &object, rules, scaled };
        let now = index
            .applied(&order.manifest.gvk, key, &answer.body, &live, &sent)
            .map_err(|error| ClusterError::Unreadable { what: key.to_string(), reason: error.to_string() })?;
        let result = match (answer.status, before) {
            (201, _) => ObjectResult::Created,
            (_, Some(before)) if now.same_content(&before) => ObjectResult::Unchanged,
            (_, Some(_)) => ObjectResult::Configured,
            (_, None) if is_old(&live, &manager, &answer, begun) => ObjectResult::Unchanged,
            (_, None) => ObjectResult::Configured,
        };
        let admission = match (&result, &now.settled) {
            (ObjectResult::Created | ObjectResult::Configured, Some(settled)) => admission_changes(key, &object, settled, index.redactor()),
            _ => Vec::new(),
        };
        Ok(Ended::Applied(Applied { result, uid, warnings: answer.warnings, taken: work.taken, admission }))
    }
}

/// What one apply works with.
struct Work<'a> {
    acting: &'a Acting,
    order: &'a Apply<'a>,
    resource: &'a Resource,
    path: &'a str,
    manager: &'a str,
    body: Vec<u8>,
    taken: Vec<String>,
}

impl Work<'_> {
    fn what(&self) -> String {
        self.order.manifest.key.to_string()
    }

    /// Sends the apply, again where something changed in between or the kind is not served everywhere yet.
    async fn send(&self, force: bool) -> Result<Answer, ClusterError> {
        self.patch(self.body.clone(), force).await
    }

    async fn patch(&self, body: Vec<u8>, force: bool) -> Result<Answer, ClusterError> {
        let what = self.what();
        let dry = if self.order.dry_run { "&dryRun=All" } else { "" };
        let path = format!("{}?fieldManager={}&force={force}&fieldValidation=Warn{dry}", self.path, segment(self.manager));
        let mut call = Call::write(Method::PATCH, path, &what, &self.acting.act_as, APPLY, body);
        call.fence = self.order.fence;
        let started = Instant::now();
        let mut attempt = 0;
        loop {
            let answer = self.acting.cluster.wire().send(&call).await?;
            if answer.is_success() {
                return Ok(answer);
            }
            let refusal = answer.refusal(&what);
            let again = match refusal.code {
                409 => refusal.manager_conflicts().next().is_none() && attempt < CONFLICT_RETRIES,
                404 => is_unserved(&refusal) && started.elapsed() < ESTABLISH_PATIENCE,
                _ => false,
            };
            if !again {
                return Err(refusal.into_error());
            }
            tokio::time::sleep(backoff(attempt.min(4))).await;
            attempt += 1;
        }
    }

    /// Reads the live object; none if there is none.
    async fn read(&self) -> Result<Option<Value>, ClusterError> {
        self.acting.read_object(self.resource, &self.order.manifest.key).await
    }

    /// Makes the entries of other managers ours before the apply, so that being killed in between loses nothing.
    async fn take_over(&mut self, taken: &(dyn Fn(&str) -> bool + Sync)) -> Result<(), ClusterError> {
        if self.order.dry_run {
            return Ok(());
        }
        let what = self.what();
        let version = self.order.manifest.gvk.api_version();
        for attempt in 0..CONFLICT_RETRIES {
            let Some(live) = self.read().await? else { return Ok(()) };
            let Some(fields) = managed::merged(&live, self.manager, &version, taken) else { return Ok(()) };
            let managers =
                managed::entries(&live).map(|entry| entry.manager.to_owned()).filter(|manager| taken(manager) && manager != self.manager);
            let mut managers: Vec<String> = managers.collect();
            managers.sort();
            managers.dedup();
            let patch = json!([
                {"op": "replace", "path": "/metadata/managedFields", "value": fields},
                {"op": "replace", "path": "/metadata/resourceVersion", "value": live.pointer("/metadata/resourceVersion")},
            ]);
            match self.json_patch(&what, patch).await {
                Ok(()) => {
                    self.taken.extend(managers);
                    return Ok(());
                }
                Err(error) if classify(&error) == Class::Conflict => tokio::time::sleep(backoff(attempt)).await,
                Err(error) => return Err(error),
            }
        }
        Err(ClusterError::Overtaken { what })
    }

    async fn json_patch(&self, what: &str, patch: Value) -> Result<(), ClusterError> {
        let path = format!("{}?fieldManager={}", self.path, segment(self.manager));
        let mut call = Call::write(Method::PATCH, path, what, &self.acting.act_as, JSON_PATCH, patch.to_string().into_bytes());
        call.fence = self.order.fence;
        self.acting.cluster.wire().fetch(&call).await.map(|_| ())
    }

    /// Takes back an apply without force that met somebody else's object. If it cannot have been ours before, an empty apply restores it
    /// exactly; if it can, only stamps and our entry come off, for an empty apply would delete what we set long ago.
    async fn back_out(&self, live: &Value) -> Result<(), ClusterError> {
        if self.order.named_before {
            let what = self.what();
            return match unstamp(live, self.manager) {
                Some(patch) => self.json_patch(&what, patch).await,
                None => Ok(()),
            };
        }
        let key = &self.order.manifest.key;
        let mut metadata = Map::new();
        metadata.insert("name".to_owned(), Value::String(key.name.to_string()));
        if let Some(namespace) = &key.namespace {
            metadata.insert("namespace".to_owned(), Value::String(namespace.to_string()));
        }
        let empty = json!({"apiVersion": self.order.manifest.gvk.api_version(), "kind": &*key.kind, "metadata": metadata});
        self.patch(empty.to_string().into_bytes(), false).await.map(|_| ())
    }
}

/// Returns the patch that takes a unit's stamps and its managedFields entry off a live object; none if they are not there.
pub(crate) fn unstamp(live: &Value, manager: &str) -> Option<Value> {
    let version = live.pointer("/metadata/resourceVersion")?;
    let mut patch = vec![json!({"op": "replace", "path": "/metadata/resourceVersion", "value": version})];
    let stamps = [
        ("labels", plumb_plan::INSTALLATION_LABEL),
        ("labels", plumb_plan::UNIT_LABEL),
        ("annotations", plumb_plan::OWNER_ANNOTATION),
        ("annotations", plumb_plan::MANIFEST_ANNOTATION),
    ];
    for (field, name) in stamps {
        if live.get("metadata")?.get(field).is_some_and(|map| map.get(name).is_some()) {
            patch.push(json!({"op": "remove", "path": format!("/metadata/{field}/{}", name.replace('~', "~0").replace('/', "~1"))}));
        }
    }
    if managed::own(live, manager).is_some() {
        patch.push(json!({"op": "replace", "path": "/metadata/managedFields", "value": managed::without(live, manager)}));
    }
    (patch.len() > 1).then_some(Value::Array(patch))
}

/// A path that no handler serves is answered by the router, not by a `Status` with a reason.
fn is_unserved(refusal: &Refusal) -> bool {
    refusal.code == 404 && (refusal.reason.is_empty() || refusal.message == "the server could not find the requested resource")
}

fn adoption(key: &ObjectKey, refusal: &Refusal) -> Adoption {
    let mut managers: Vec<String> =
        refusal.manager_conflicts().filter_map(|cause| managed::conflicting(&cause.message)).map(str::to_owned).collect();
    managers.sort();
    managers.dedup();
    Adoption { key: key.clone(), managers, fields: refusal.manager_conflicts().map(|cause| cause.field.clone()).collect() }
}

/// Returns the other unit of the same installation that applied an object, if its stamp and its managedFields entry agree. Two units of one
/// commit that name one object come to this: the plan saw no object, the faster one has applied it. The next plan sees its stamp and says
/// whose it is; consent to adopt it would take it from a unit that still declares it.
fn other_unit(live: &Value, installation: &str, own_manager: &str) -> Option<String> {
    let manager = plumb_plan::read_stamps(live).unit?.manager();
    let owner = live.pointer("/metadata/annotations")?.get(plumb_plan::OWNER_ANNOTATION).and_then(Value::as_str).and_then(owner_key)?;
    let applied = managed::entries(live).any(|entry| entry.manager == manager && entry.operation == "Apply");
    (applied && manager != own_manager && &*owner.installation == installation).then(|| format!("{}/{}", owner.namespace, owner.name))
}

/// Returns whether our entry is older than the request, by the server's own clock: then the apply changed nothing.
fn is_old(live: &Value, manager: &str, answer: &Answer, begun: Instant) -> bool {
    let written = managed::own(live, manager).and_then(|entry| parse_time(entry.time));
    let took = i64::try_from(begun.elapsed().as_secs()).unwrap_or(i64::MAX);
    matches!((written, answer.date), (Some(written), Some(date)) if written < date - took - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unstamps_only_what_is_there() {
        let manager = "plumb/0123456789abcdef";
        let live = json!({"metadata": {"resourceVersion": "5", "labels": {"plumb.dev/installation": "a", "app": "b"},
            "managedFields": [{"manager": manager, "operation": "Apply", "apiVersion": "v1", "fieldsV1": {}}]}});
        let patch = unstamp(&live, manager).expect("patch");
        let paths: Vec<&str> = patch.as_array().expect("list").iter().filter_map(|step| step["path"].as_str()).collect();
        assert_eq!(paths, ["/metadata/resourceVersion", "/metadata/labels/plumb.dev~1installation", "/metadata/managedFields"]);
        assert_eq!(patch[2]["value"], json!([{}]));
        assert!(unstamp(&json!({"metadata": {"resourceVersion": "5"}}), manager).is_none());
    }

    #[test]
    fn an_apply_is_stamped_and_placed() {
        use plumb_manifest::Gvk;
        use plumb_world::{FileId, Span};
        let key = ObjectKey::new("apps", "Deployment", Some("a"), "b");
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "b"}, "spec": {"replicas": 3, "x": 1}});
        let span = Span { file: FileId(0), start: 0, end: 0 };
        let manifest = Manifest::new(key, Gvk::new("apps/v1", "Deployment"), &object, span);
        let unit = NodeKey::unit("main", "team-a", "shop");
        let sent = stamped(&manifest, manifest.value(), &unit);
        assert_eq!(sent["spec"], object["spec"]);
        assert_eq!(sent["metadata"]["namespace"], "a");
        assert_eq!(sent["metadata"]["labels"]["plumb.dev/installation"], "main");
        assert_eq!(sent["metadata"]["annotations"]["plumb.dev/manifest"], manifest.digest.to_string());
    }
}
