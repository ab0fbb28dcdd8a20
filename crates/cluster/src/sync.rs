//! Owns the carrying out of a plan: the inventory first, then its phases as their edges allow, every independent error told, the inventory last.
//! Must not decide: what is applied, deleted or waited for is in the plan, and who may write is in the fence.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use plumb_manifest::{Gvk, ObjectKey};
use plumb_plan::{Event, FieldChange, ObjectResult, Operation, Outcome, Plan, Rules, scale_target};
use plumb_unit::{Inventory, InventoryItem};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::apply::Adoption;
use crate::error::{Class, ClusterError, classify};
use crate::inventory::{Inventories, InventoryRecord};
use crate::locked;
use crate::wire::{FenceCheck, FenceState};
use crate::{Acting, step::Step};

/// From whom objects may be taken that the plan found to be nobody's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Adopt {
    /// From nobody: the sync tells who has them.
    #[default]
    Nothing,
    /// From anybody: the unit's policy or the request says so.
    Everything,
    /// These, which somebody approved.
    Objects(BTreeSet<ObjectKey>),
}

impl Adopt {
    pub(crate) fn allows(&self, key: &ObjectKey) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Objects(keys) => keys.contains(key),
        }
    }
}

/// How a plan is carried out.
pub struct SyncOptions {
    /// Asked before every attempt of a write.
    pub fence: FenceCheck,
    /// Ends waits and retries at once, and begins no further write.
    pub cancel: CancellationToken,
    /// Operations under way at once.
    pub concurrency: usize,
    /// From whom objects may be taken.
    pub adopt: Adopt,
    /// The unit's field rules.
    pub rules: Rules,
    /// What the server would answer is asked, and nothing is written.
    pub dry_run: bool,
    /// The unit's record as it was last read or written. Its gates, revisions and epoch are written as they are here.
    pub record: InventoryRecord,
    /// The gates to write instead once all is done.
    pub gates_when_done: Option<serde_json::Value>,
}

/// Operations of one sync under way at once unless told otherwise.
pub const DEFAULT_CONCURRENCY: usize = 16;

/// One thing that went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The object, if it was about one.
    pub key: Option<ObjectKey>,
    /// Its sort.
    pub class: Class,
    /// What happened.
    pub message: String,
}

/// What carrying out a plan came to.
#[derive(Clone, Debug)]
pub struct SyncOutcome {
    /// How it ended.
    pub outcome: Outcome,
    /// What came of each operation, in the plan's order.
    pub objects: Vec<(ObjectKey, ObjectResult)>,
    /// All that went wrong, in key order; what is about no object first.
    pub failures: Vec<Failure>,
    /// Objects that somebody else manages: they are as they were.
    pub adoptions: Vec<Adoption>,
    /// What the server warned of.
    pub warnings: Vec<(ObjectKey, String)>,
    /// What the server settled otherwise than the manifests say.
    pub admission: Vec<(ObjectKey, Vec<FieldChange>)>,
    /// Objects taken over, with the managers they were taken from.
    pub taken: Vec<(ObjectKey, Vec<String>)>,
    /// The unit's record as it is at the target now.
    pub record: InventoryRecord,
}

impl SyncOutcome {
    /// Returns the sort of what went wrong, the one that matters most for what to do next; none if nothing did.
    pub fn class(&self) -> Option<Class> {
        const ORDER: [Class; 10] = [
            Class::Stopped,
            Class::Setup,
            Class::Unreachable,
            Class::Denied,
            Class::Invalid,
            Class::NotFound,
            Class::Conflict,
            Class::Server,
            Class::Throttled,
            Class::Expired,
        ];
        self.failures.iter().map(|failure| failure.class).min_by_key(|class| ORDER.iter().position(|other| other == class))
    }
}

/// What one sync works with, shared by its phases.
pub(crate) struct Run<'a> {
    pub(crate) acting: &'a Acting,
    pub(crate) plan: &'a Plan,
    pub(crate) options: &'a SyncOptions,
    pub(crate) events: &'a (dyn Fn(Event) + Send + Sync),
    pub(crate) slots: Semaphore,
    /// What an inventory that this sync did not write named.
    pub(crate) named_before: BTreeSet<ObjectKey>,
    /// Workloads whose replicas an autoscaler of this plan sets.
    pub(crate) scaled: BTreeSet<ObjectKey>,
    pub(crate) kinds: BTreeMap<ObjectKey, Gvk>,
    pub(crate) notes: Mutex<Notes>,
}

/// What is gathered on the way.
#[derive(Default)]
pub(crate) struct Notes {
    pub(crate) results: BTreeMap<ObjectKey, ObjectResult>,
    pub(crate) uids: BTreeMap<ObjectKey, String>,
    pub(crate) failures: Vec<Failure>,
    pub(crate) adoptions: Vec<Adoption>,
    pub(crate) warnings: Vec<(ObjectKey, String)>,
    pub(crate) admission: Vec<(ObjectKey, Vec<FieldChange>)>,
    pub(crate) taken: Vec<(ObjectKey, Vec<String>)>,
    /// Objects that were deleted, released or forgotten.
    pub(crate) left: BTreeSet<ObjectKey>,
}

impl Acting {
    /// Carries out a plan.
    ///
    /// *Guarantees*: the inventory names an object before it is created and until it is gone; no write begins once `fence` says no or
    /// `cancel` is set; a failed operation fails its phase, and its siblings are tried all the same. What it does is announced first.
    ///
    /// *Assumptions*: the plan was made from [`Acting::facts`] of this cluster, and no other sync of the unit runs.
    pub async fn sync(
        &self,
        plan: &Plan,
        inventories: &Inventories,
        options: &SyncOptions,
        events: &(dyn Fn(Event) + Send + Sync),
    ) -> SyncOutcome {
        let run = Run::new(self, plan, options, events);
        let mut record = options.record.clone();
        let outcome = match run.prepare(inventories, &mut record).await {
            Ok(()) => run.phases().await,
            Err(error) => {
                run.fail(None, &error);
                if matches!(error, ClusterError::Stopped) { Outcome::Cancelled } else { Outcome::Failed }
            }
        };
        if outcome == Outcome::Failed && !options.cancel.is_cancelled() {
            run.try_skipped().await;
        }
        let outcome = run.finish(inventories, &mut record, outcome).await;
        run.report(record, outcome)
    }
}

impl<'a> Run<'a> {
    fn new(acting: &'a Acting, plan: &'a Plan, options: &'a SyncOptions, events: &'a (dyn Fn(Event) + Send + Sync)) -> Self {
        let mut kinds = BTreeMap::new();
        let mut scaled = BTreeSet::new();
        for operation in plan.operations() {
            if let Operation::Apply { manifest, .. } | Operation::Keep(manifest) = operation {
                kinds.insert(manifest.key.clone(), manifest.gvk.clone());
                if matches!(&*manifest.key.kind, "HorizontalPodAutoscaler" | "ScaledObject") {
                    let mut object = manifest.value();
                    if let (Some(namespace), Some(metadata)) =
                        (&manifest.key.namespace, object.get_mut("metadata").and_then(|value| value.as_object_mut()))
                    {
                        metadata.insert("namespace".to_owned(), namespace.to_string().into());
                    }
                    scaled.extend(scale_target(&object));
                }
            }
        }
        Self {
            acting,
            plan,
            options,
            events,
            slots: Semaphore::new(options.concurrency.max(1)),
            named_before: options.record.inventory.items.iter().map(|item| item.key.clone()).collect(),
            scaled,
            kinds,
            notes: Mutex::default(),
        }
    }

    /// Makes sure that this is the cluster, that its kinds are watched, and that the inventory names what is about to be created.
    async fn prepare(&self, inventories: &Inventories, record: &mut InventoryRecord) -> Result<(), ClusterError> {
        self.acting.cluster.verify_after_outage().await?;
        if self.options.dry_run {
            return Ok(());
        }
        let kinds: BTreeSet<Gvk> = self.kinds.values().cloned().collect();
        self.acting.cluster.watch(kinds);
        if self.options.cancel.is_cancelled() {
            return Err(ClusterError::Stopped);
        }
        if !self.plan.operations().any(Operation::writes) {
            return Ok(());
        }
        let unnamed = self.plan.inventory_before.items.iter().any(|item| !self.named_before.contains(&item.key));
        let stored_epoch = inventories.stored_epoch(&record.unit);
        // Also the first write of an epoch is the inventory's: another process that took over meanwhile is noticed by it.
        if unnamed || stored_epoch != Some(record.epoch) {
            record.inventory = with_uids(&self.plan.inventory_before, &BTreeMap::new());
            inventories.write(record, Some(&self.options.fence)).await?;
        }
        Ok(())
    }

    /// Runs the phases, each as soon as those before it ended as its edges say.
    async fn phases(&self) -> Outcome {
        let mut ended: Vec<Option<Option<Outcome>>> = vec![None; self.plan.phases.len()];
        let mut started = vec![false; self.plan.phases.len()];
        let mut running = FuturesUnordered::new();
        loop {
            for at in 0..self.plan.phases.len() {
                if started[at] {
                    continue;
                }
                match self.may_start(at, &ended) {
                    None => {}
                    Some(true) => {
                        started[at] = true;
                        running.push(async move { (at, Step { run: self, phase: at }.carry_out().await) });
                    }
                    Some(false) => {
                        started[at] = true;
                        ended[at] = Some(None);
                        self.skip(at);
                    }
                }
            }
            match running.next().await {
                Some((at, outcome)) => {
                    (self.events)(Event::PhaseEnded { phase: at, outcome });
                    ended[at] = Some(Some(outcome));
                }
                // A phase that waits for one that comes after it can never start: plans do not hold such, and it is skipped.
                None if started.iter().all(|started| *started) => break,
                None => {
                    for at in (0..started.len()).filter(|at| !started[*at]).collect::<Vec<_>>() {
                        started[at] = true;
                        ended[at] = Some(None);
                        self.skip(at);
                    }
                }
            }
        }
        let outcomes: BTreeSet<u8> = ended.iter().flatten().map(|outcome| outcome.map_or(1, |outcome| outcome as u8)).collect();
        if self.options.cancel.is_cancelled() && outcomes.iter().any(|outcome| *outcome != Outcome::Done as u8) {
            Outcome::Cancelled
        } else if outcomes.iter().all(|outcome| *outcome == Outcome::Done as u8) && locked(&self.notes).failures.is_empty() {
            Outcome::Done
        } else {
            Outcome::Failed
        }
    }

    /// Returns whether a phase may start; none while it is not known.
    fn may_start(&self, at: usize, ended: &[Option<Option<Outcome>>]) -> Option<bool> {
        let edges = &self.plan.phases[at].after;
        let state = |edge: &plumb_plan::Edge| ended.get(edge.phase).copied().flatten();
        if edges.iter().any(|edge| state(edge).is_some_and(|outcome| outcome != Some(edge.on))) {
            return Some(false);
        }
        edges.iter().all(|edge| state(edge).is_some()).then_some(true)
    }

    fn skip(&self, at: usize) {
        for operation in &self.plan.phases[at].operations {
            let result = if let Operation::Keep(_) = operation { ObjectResult::Unchanged } else { ObjectResult::Skipped };
            locked(&self.notes).results.entry(operation.key().clone()).or_insert(result);
        }
    }

    /// Asks the server about what a failed phase kept from being tried, so that all mistakes are told at once. What may only be a
    /// consequence of the failure (a missing namespace, kind or right) is not told.
    async fn try_skipped(&self) {
        let skipped: Vec<&Operation> = {
            let notes = locked(&self.notes);
            let is_skipped = |operation: &&Operation| notes.results.get(operation.key()) == Some(&ObjectResult::Skipped);
            self.plan.operations().filter(|operation| matches!(operation, Operation::Apply { .. })).filter(is_skipped).collect()
        };
        let tries = skipped.into_iter().map(|operation| async move {
            let Ok(_slot) = self.slots.acquire().await else { return };
            if let Err(error) = (Step { run: self, phase: 0 }).try_out(operation).await
                && classify(&error) == Class::Invalid
            {
                let key = operation.key();
                locked(&self.notes).results.insert(key.clone(), ObjectResult::Failed { message: error.to_string() });
                self.fail(Some(key), &error);
            }
        });
        tries.collect::<FuturesUnordered<_>>().collect::<Vec<()>>().await;
    }

    /// Writes the inventory as it is now, if it is another one than before.
    async fn finish(&self, inventories: &Inventories, record: &mut InventoryRecord, outcome: Outcome) -> Outcome {
        if self.options.dry_run {
            return outcome;
        }
        let (left, uids) = {
            let notes = locked(&self.notes);
            (notes.left.clone(), notes.uids.clone())
        };
        let done = outcome == Outcome::Done;
        let evidence = if done { &self.plan.inventory_after.evidence } else { &self.plan.inventory_before.evidence };
        let items = self.plan.inventory_before.items.iter().filter(|item| !left.contains(&item.key)).cloned().collect();
        let mut now = with_uids(&Inventory { items, evidence: evidence.clone() }, &uids);
        self.acting.cluster.note_endings(&self.plan.unit, &mut now);
        left.iter().for_each(|key| self.acting.cluster.index().disowned(key));
        if let Some(gates) = self.options.gates_when_done.as_ref().filter(|_| done) {
            record.gates = gates.clone();
        }
        let written = record.clone();
        // UIDs alone are not worth a write: the watch knows them. Nor is a later evidence for the same objects: the earlier one is as true.
        // The next write takes both along.
        if same_but_uids(&now.items, &written.inventory.items) && !inventories.differs(&written) {
            record.inventory = Inventory { evidence: written.inventory.evidence, ..now };
            return outcome;
        }
        record.inventory = now;
        match inventories.write(record, Some(&self.options.fence)).await {
            Ok(_) => outcome,
            Err(error) => {
                self.fail(None, &error);
                record.inventory = written.inventory;
                if outcome == Outcome::Cancelled { outcome } else { Outcome::Failed }
            }
        }
    }

    pub(crate) fn fail(&self, key: Option<&ObjectKey>, error: &ClusterError) {
        let failure = Failure { key: key.cloned(), class: classify(error), message: error.to_string() };
        locked(&self.notes).failures.push(failure);
    }

    fn report(self, record: InventoryRecord, outcome: Outcome) -> SyncOutcome {
        let mut notes = self.notes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut objects = Vec::new();
        for operation in self.plan.operations() {
            let result = notes.results.remove(operation.key()).unwrap_or(ObjectResult::Skipped);
            objects.push((operation.key().clone(), result));
        }
        notes.failures.sort_by(|one, other| one.key.cmp(&other.key));
        notes.adoptions.sort_by(|one, other| one.key.cmp(&other.key));
        SyncOutcome {
            outcome,
            objects,
            failures: notes.failures,
            adoptions: notes.adoptions,
            warnings: notes.warnings,
            admission: notes.admission,
            taken: notes.taken,
            record,
        }
    }
}

fn with_uids(inventory: &Inventory, uids: &BTreeMap<ObjectKey, String>) -> Inventory {
    let items =
        inventory.items.iter().map(|item| InventoryItem { uid: uids.get(&item.key).cloned().or_else(|| item.uid.clone()), ..item.clone() });
    Inventory { items: items.collect(), evidence: inventory.evidence.clone() }
}

fn same_but_uids(one: &[InventoryItem], other: &[InventoryItem]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| {
            one.key == other.key && one.version == other.version && one.manifest == other.manifest && one.ended == other.ended
        })
}

/// Returns a fence that always holds: for one-shot commands, which hold no lease.
pub fn unfenced() -> FenceCheck {
    Arc::new(|| FenceState::Holds)
}
