//! Owns running hooks: what an earlier run left is taken away, the hook is created and waited for, and deleted as its policy says
//! (helm: pkg/action/hooks.go). Must not decide which hooks run; plans do.

use std::sync::Arc;

use plumb_manifest::{HookDelete, Manifest, ObjectKey};
use plumb_plan::{ApplyMode, Event, Health, ObjectResult, Operation, Outcome, UnitHash, read_stamps};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::delete::{Delete, Deleted};
use crate::error::{Class, ClusterError};
use crate::locked;
use crate::step::Step;
use crate::sync::Failure;
use crate::wait::{Awaited, Patience, Unmet};

impl Step<'_, '_> {
    /// Runs the phase's hooks one after another, until one fails. Those that went well are deleted when all are through, so that a later one
    /// may use what an earlier one made.
    pub(crate) async fn hooks(&self) -> Outcome {
        let mut ran = Vec::new();
        let mut outcome = Outcome::Done;
        for operation in &self.phase().operations {
            let Operation::Hook(manifest) = operation else { continue };
            if outcome != Outcome::Done || self.run.options.cancel.is_cancelled() {
                locked(&self.run.notes).results.insert(manifest.key.clone(), ObjectResult::Skipped);
                outcome = if outcome == Outcome::Done { Outcome::Cancelled } else { outcome };
                continue;
            }
            if self.operation(operation).await {
                ran.push(manifest);
                continue;
            }
            outcome = Outcome::Failed;
            self.delete_after(manifest, |delete| delete.failed).await;
        }
        for manifest in ran {
            self.delete_after(manifest, |delete| delete.succeeded).await;
        }
        outcome
    }

    /// Runs one hook to its end.
    pub(crate) async fn hook(&self, manifest: &Manifest) -> Result<ObjectResult, ClusterError> {
        let run = self.run;
        let acting = run.acting;
        let resource = acting.cluster.resource(&manifest.gvk).await?;
        let mut mode = ApplyMode::First;
        if let Some(live) = acting.read_object(&resource, &manifest.key).await? {
            if read_stamps(&live).unit != Some(UnitHash::of(&run.plan.unit)) {
                return Ok(self.not_ours(manifest));
            }
            mode = ApplyMode::Owned;
            // What runs to an end does so once: one that is left over would be taken for the new one.
            let runs_once = runs_to_an_end(&manifest.key);
            if runs_once || manifest.hook().is_some_and(|hook| hook.delete.before) {
                if !run.options.dry_run {
                    self.delete_left_over(manifest, &live).await?;
                }
                mode = ApplyMode::First;
            }
        }
        if run.options.dry_run && mode == ApplyMode::First {
            return Ok(ObjectResult::Ran);
        }
        let applied = self.apply(manifest, mode, run.options.dry_run).await?;
        if matches!(applied, ObjectResult::Failed { .. }) || run.options.dry_run || !runs_to_an_end(&manifest.key) {
            return Ok(if matches!(applied, ObjectResult::Failed { .. }) { applied } else { ObjectResult::Ran });
        }
        let awaited = Awaited { key: manifest.key.clone(), gvk: manifest.gvk.clone(), gone: None };
        match self.wait_out(awaited).await {
            Ok(()) => Ok(ObjectResult::Ran),
            Err(unmet) => {
                let message = format!("the {} hook did not end well", self.phase().name);
                self.note_unmet(unmet);
                Ok(ObjectResult::Failed { message })
            }
        }
    }

    /// Waits for one object. A hook that runs is not stopped by a newer revision: it ends, or its time does.
    async fn wait_out(&self, awaited: Awaited) -> Result<(), Unmet> {
        let waiting = |objects: Vec<(ObjectKey, Health)>| (self.run.events)(Event::Waiting { phase: self.phase, objects });
        let never = CancellationToken::new();
        let patience = Patience { until: Instant::now() + self.phase().timeout, cancel: &never, waiting: &waiting };
        self.run.acting.wait(&[awaited], &patience).await
    }

    fn not_ours(&self, manifest: &Manifest) -> ObjectResult {
        let message = format!("{} is there already and is not this unit's: the hook would replace it", manifest.key);
        let failure = Failure { key: Some(manifest.key.clone()), class: Class::Conflict, message: message.clone() };
        locked(&self.run.notes).failures.push(failure);
        ObjectResult::Failed { message }
    }

    /// Deletes what an earlier run left, and waits until it is gone.
    async fn delete_left_over(&self, manifest: &Manifest, live: &Value) -> Result<(), ClusterError> {
        let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let uid = text("/metadata/uid");
        let order = Delete {
            unit: &self.run.plan.unit,
            key: &manifest.key,
            version: &manifest.gvk.version,
            uid,
            resource_version: text("/metadata/resourceVersion"),
            dry_run: false,
            fence: Some(&self.run.options.fence),
        };
        if self.run.acting.delete(&order).await? != Deleted::Going {
            return Ok(());
        }
        let awaited = Awaited { key: manifest.key.clone(), gvk: manifest.gvk.clone(), gone: Some(uid.to_owned()) };
        match self.wait_out(awaited).await {
            Ok(()) => Ok(()),
            Err(Unmet::Error(error)) => Err(error),
            Err(_) => {
                let reason = "what an earlier run of the hook left is still being deleted".to_owned();
                Err(ClusterError::Invalid { what: manifest.key.to_string(), reason })
            }
        }
    }

    /// Deletes a hook that ran, where its policy says so. That it cannot be deleted is told, and fails nothing: the next run tries again.
    async fn delete_after(&self, manifest: &Arc<Manifest>, says: fn(HookDelete) -> bool) {
        if self.run.options.dry_run || !manifest.hook().is_some_and(|hook| says(hook.delete)) {
            return;
        }
        let gone = async {
            let resource = self.run.acting.cluster.resource(&manifest.gvk).await?;
            match self.run.acting.read_object(&resource, &manifest.key).await? {
                Some(live) if read_stamps(&live).unit == Some(UnitHash::of(&self.run.plan.unit)) => {
                    self.delete_left_over(manifest, &live).await
                }
                Some(_) | None => Ok(()),
            }
        };
        if let Err(error) = gone.await {
            locked(&self.run.notes).warnings.push((manifest.key.clone(), format!("the hook is not deleted: {error}")));
        }
    }
}

/// Returns whether an object runs to an end that is waited for: Helm waits for Jobs and Pods alone.
fn runs_to_an_end(key: &ObjectKey) -> bool {
    matches!((&*key.group, &*key.kind), ("batch", "Job") | ("", "Pod"))
}
