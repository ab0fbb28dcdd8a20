//! Owns one phase of a plan: its operations side by side, then its end condition.
//! Must not know the other phases.

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use plumb_manifest::{Manifest, ObjectKey};
use plumb_plan::{ApplyMode, End, Event, Health, ObjectResult, Operation, Outcome, Phase};
use tokio::time::Instant;

use crate::apply::{Adoption, Apply, Ended};
use crate::delete::{Delete, Deleted, gvk_of};
use crate::error::{Class, ClusterError};
use crate::locked;
use crate::sync::{Failure, Run};
use crate::wait::{Awaited, Patience, Unmet};

/// How long a write that was begun may go on after the sync was stopped.
const STOP_GRACE: std::time::Duration = std::time::Duration::from_secs(2);

pub(crate) struct Step<'a, 'r> {
    pub(crate) run: &'a Run<'r>,
    pub(crate) phase: usize,
}

impl Step<'_, '_> {
    pub(crate) fn phase(&self) -> &Phase {
        &self.run.plan.phases[self.phase]
    }

    /// Carries out the phase's operations and waits for its end.
    pub(crate) async fn carry_out(&self) -> Outcome {
        (self.run.events)(Event::PhaseStarted { phase: self.phase });
        if self.phase().end == End::Hooks {
            return self.hooks().await;
        }
        let operations = self.phase().operations.iter().map(|operation| self.operation(operation));
        let all_well = operations.collect::<FuturesUnordered<_>>().fold(true, |all, well| async move { all && well }).await;
        if self.run.options.cancel.is_cancelled() {
            return Outcome::Cancelled;
        }
        if !all_well {
            return Outcome::Failed;
        }
        if self.run.options.dry_run {
            return Outcome::Done;
        }
        self.end().await
    }

    /// Carries out one operation; returns whether it went well.
    pub(crate) async fn operation(&self, operation: &Operation) -> bool {
        let Ok(_slot) = self.run.slots.acquire().await else { return false };
        let key = operation.key();
        if self.run.options.cancel.is_cancelled() {
            locked(&self.run.notes).results.insert(key.clone(), ObjectResult::Skipped);
            return false;
        }
        (self.run.events)(Event::OperationStarted { key: key.clone() });
        let stopped = async {
            self.run.options.cancel.cancelled().await;
            tokio::time::sleep(STOP_GRACE).await;
        };
        let result = tokio::select! {
            biased;
            result = self.try_operation(operation) => result,
            () = stopped => Err(ClusterError::Stopped),
        };
        let (result, well) = match result {
            Ok(result) => {
                let well = !matches!(result, ObjectResult::Failed { .. });
                (result, well)
            }
            Err(ClusterError::Stopped) => (ObjectResult::Skipped, false),
            Err(error) => {
                self.run.fail(Some(key), &error);
                (ObjectResult::Failed { message: error.to_string() }, false)
            }
        };
        locked(&self.run.notes).results.insert(key.clone(), result.clone());
        (self.run.events)(Event::OperationEnded { key: key.clone(), result });
        well
    }

    async fn try_operation(&self, operation: &Operation) -> Result<ObjectResult, ClusterError> {
        let run = self.run;
        match operation {
            Operation::Keep(_) => Ok(ObjectResult::Unchanged),
            Operation::Apply { manifest, mode } => self.apply(manifest, *mode, run.options.dry_run).await,
            Operation::Hook(manifest) => self.hook(manifest).await,
            Operation::Delete { key, version, uid, resource_version } => {
                let dry_run = run.options.dry_run;
                let order = Delete { unit: &run.plan.unit, key, version, uid, resource_version, dry_run, fence: Some(&run.options.fence) };
                let deleted = run.acting.delete(&order).await?;
                if deleted != Deleted::Going {
                    locked(&run.notes).left.insert(key.clone());
                }
                Ok(if deleted == Deleted::Left { ObjectResult::Forgotten } else { ObjectResult::Pruned })
            }
            Operation::Release { key, version } => {
                run.acting.release(&run.plan.unit, key, version, run.options.dry_run, Some(&run.options.fence)).await?;
                locked(&run.notes).left.insert(key.clone());
                Ok(ObjectResult::Released)
            }
            Operation::Forget { key, .. } => {
                locked(&run.notes).left.insert(key.clone());
                Ok(ObjectResult::Forgotten)
            }
        }
    }

    /// Asks what the server would say to an operation that is not carried out.
    pub(crate) async fn try_out(&self, operation: &Operation) -> Result<(), ClusterError> {
        let Operation::Apply { manifest, mode } = operation else { return Ok(()) };
        self.apply(manifest, *mode, true).await.map(|_| ())
    }

    pub(crate) async fn apply(&self, manifest: &Manifest, mode: ApplyMode, dry_run: bool) -> Result<ObjectResult, ClusterError> {
        let run = self.run;
        let key = &manifest.key;
        let order = Apply {
            unit: &run.plan.unit,
            manifest,
            mode,
            adopt: run.options.adopt.allows(key),
            named_before: run.named_before.contains(key),
            dry_run,
            rules: &run.options.rules,
            scaled: run.scaled.contains(key),
            fence: (!dry_run).then_some(&run.options.fence),
        };
        match run.acting.apply(&order).await? {
            Ended::Applied(applied) => {
                let mut notes = locked(&run.notes);
                if !dry_run {
                    notes.uids.insert(key.clone(), applied.uid);
                }
                notes.warnings.extend(applied.warnings.into_iter().map(|warning| (key.clone(), warning)));
                if !applied.admission.is_empty() {
                    notes.admission.push((key.clone(), applied.admission));
                }
                if !applied.taken.is_empty() {
                    notes.taken.push((key.clone(), applied.taken));
                }
                Ok(applied.result)
            }
            Ended::NeedsAdoption(adoption) => {
                let message = needs_adoption(&adoption);
                let mut notes = locked(&run.notes);
                notes.failures.push(Failure { key: Some(key.clone()), class: Class::Conflict, message: message.clone() });
                notes.adoptions.push(adoption);
                Ok(ObjectResult::Failed { message })
            }
        }
    }

    /// Waits for the phase's end condition.
    async fn end(&self) -> Outcome {
        let run = self.run;
        let phase = self.phase();
        let waiting = |objects: Vec<(ObjectKey, Health)>| (run.events)(Event::Waiting { phase: self.phase, objects });
        let patience = Patience { until: Instant::now() + phase.timeout, cancel: &run.options.cancel, waiting: &waiting };
        let met = match &phase.end {
            // Hooks are waited for one by one.
            End::Accepted | End::Hooks => Ok(()),
            End::Established => run.acting.wait(&self.applied(), &patience).await.inspect(|()| self.learn()),
            End::Healthy(keys) => {
                let awaited =
                    keys.iter().filter_map(|key| Some(Awaited { key: key.clone(), gvk: run.kinds.get(key)?.clone(), gone: None }));
                run.acting.wait(&awaited.collect::<Vec<_>>(), &patience).await
            }
            End::EndpointsReady(services) => run.acting.wait_for_endpoints(services, &patience).await,
            End::Gone => {
                let going = self.going();
                let met = run.acting.wait(&going, &patience).await;
                if met.is_ok() {
                    locked(&run.notes).left.extend(going.into_iter().map(|awaited| awaited.key));
                }
                met
            }
        };
        let Err(unmet) = met else { return Outcome::Done };
        if matches!(unmet, Unmet::Stopped) {
            return Outcome::Cancelled;
        }
        self.note_unmet(unmet);
        Outcome::Failed
    }

    /// Notes why a wait ended without what it was for.
    pub(crate) fn note_unmet(&self, unmet: Unmet) {
        match unmet {
            Unmet::Stopped => {}
            Unmet::Error(error) => self.run.fail(None, &error),
            Unmet::TimedOut(objects) => {
                let seconds = self.phase().timeout.as_secs();
                self.unmet(objects, |word| format!("still {word} after {seconds} s"), Class::Server);
            }
            Unmet::Failed(objects) => self.unmet(objects, |word| word.to_owned(), Class::Invalid),
        }
    }

    fn unmet(&self, objects: Vec<(ObjectKey, Health)>, say: impl Fn(&str) -> String, class: Class) {
        let mut notes = locked(&self.run.notes);
        for (key, health) in objects {
            let word = say(&format!("{:?}", health.status).to_lowercase());
            let message = if health.message.is_empty() { format!("{key}: {word}") } else { format!("{key}: {word}: {}", health.message) };
            notes.failures.push(Failure { key: Some(key), class, message });
        }
    }

    fn applied(&self) -> Vec<Awaited> {
        let manifests = self.phase().operations.iter().filter_map(|operation| match operation {
            Operation::Apply { manifest, .. } | Operation::Keep(manifest) => Some(manifest),
            _ => None,
        });
        manifests.map(|manifest| Awaited { key: manifest.key.clone(), gvk: manifest.gvk.clone(), gone: None }).collect()
    }

    /// The kinds of established definitions are served from now on, though the server's own table may still lack them.
    fn learn(&self) {
        for operation in &self.phase().operations {
            if let Operation::Apply { manifest, .. } | Operation::Keep(manifest) = operation
                && &*manifest.key.kind == "CustomResourceDefinition"
            {
                let cluster = &self.run.acting.cluster;
                cluster.look_again(&cluster.discovery().learn(&manifest.value()));
            }
        }
    }

    fn going(&self) -> Vec<Awaited> {
        let left = locked(&self.run.notes).left.clone();
        let deletes = self.phase().operations.iter().filter_map(|operation| match operation {
            Operation::Delete { key, version, uid, .. } if !left.contains(key) => {
                Some(Awaited { key: key.clone(), gvk: gvk_of(key, version), gone: Some(uid.clone()) })
            }
            _ => None,
        });
        deletes.collect()
    }
}

fn needs_adoption(adoption: &Adoption) -> String {
    let managers = adoption.managers.join(", ");
    let fields = if adoption.fields.is_empty() { String::new() } else { format!(" and differs in {}", adoption.fields.join(", ")) };
    format!("{} is managed by {managers}{fields}; it is left as it is until it is adopted (`plumb adopt`)", adoption.key)
}
