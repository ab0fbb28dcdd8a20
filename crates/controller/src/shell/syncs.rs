//! Owns carrying out syncs: the plan as it may be carried out now, its execution, and what is remembered and told of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use plumb_cluster::{Adopt, Adoption, InventoryRecord, SyncOptions, SyncOutcome};
use plumb_manifest::{Digest, ObjectKey};
use plumb_plan::{Event as Progress, FieldChange, HoldKind, Operation, Outcome, Plan};
use plumb_store::{BuildRecord, DriftEntry, PhaseEntry, PlanSummary, SyncId};
use plumb_unit::NodeKey;
use tokio_util::sync::CancellationToken;

use super::history::Told;
use super::plans::{self, Made};
use super::targets::{self, Target};
use super::units::BuiltUnit;
use super::{Shared, builds, failure, watching};
use crate::clock::now_ms;
use crate::core::{Class, End, Event, Failure, HoldHead, Kept, Settled, Stage, SyncKind, SyncOrder, Withheld};
use crate::releases::Release;

/// Operations of one unit under way at once.
const CONCURRENCY: usize = 16;
/// How long to wait before a record that could not be written is tried again.
pub(crate) const KEEP_RETRY: Duration = Duration::from_secs(2);

/// Carries a plan out; ends in [`Event::Finished`].
pub(crate) async fn sync(shared: Arc<Shared>, order: SyncOrder, stop: CancellationToken) {
    let end = match attempt(&shared, &order, &stop).await {
        Ok(end) => end,
        Err(_) if stop.is_cancelled() => End::Stopped,
        Err(failure) => End::Failed(failure),
    };
    shared.counters.synced();
    shared.tell(Event::Finished(order.effect, end));
}

async fn attempt(shared: &Arc<Shared>, order: &SyncOrder, stop: &CancellationToken) -> Result<End<Settled>, Failure> {
    let started_ms = now_ms();
    let node = &order.node;
    let target = targets::of_want(shared, node, &order.want)?;
    let fence = shared.targets.fence(order.fence.epoch).ok_or_else(|| Failure::new(Class::Transient, "the lease was lost"))?;
    if order.reread {
        target.reread_if_older(order.want.unit.as_ref().map(|unit| unit.policy.interval));
    }
    let built = newest(shared, order).await?;
    let made = plans::make(shared, node, &order.want, &built, &target, order.prune, order.approved).await?;
    // Whoever writes the record has it to himself: two writers would each write over what the other knows.
    let record_lock = shared.units.with(node, |memory| Arc::clone(&memory.record_lock));
    let _writing = record_lock.lock().await;
    let drift = shared.units.with(node, |memory| memory.drift.clone());
    let options = SyncOptions {
        fence: fence.check(),
        cancel: stop.clone(),
        concurrency: CONCURRENCY,
        adopt: adopt(shared, order),
        rules: made.rules.clone(),
        dry_run: false,
        record: record(shared, order, &built),
        gates_when_done: when_done(shared, order, &made.plan),
    };
    // What is about to be applied must be found again before it is.
    keep_answers(shared, node, &target, &options.fence).await?;
    let progress = Watcher::new(shared, order, &made.plan);
    let outcome = made.acting.sync(&made.plan, &target.inventories, &options, &|event| progress.take(event)).await;
    let (phases, told_objects) = (progress.phases(&built, &outcome), outcome.objects.clone());
    let told = Told {
        id: SyncId::new(started_ms),
        revisions: built.revisions.clone(),
        plan: PlanSummary::of(&made.plan),
        objects: told_objects,
        drift: drift_entries(order, &drift, &outcome),
        phases,
        started_ms,
        build: build_record(shared, node, &built),
    };
    shared.history.tell(order.effect, told);
    remember(shared, order, &target, &made.plan, &outcome, &drift);
    // The watch says nothing of what this process put right itself.
    watching::report(shared, &target, node);
    if order.kind == SyncKind::Delete
        && outcome.outcome == Outcome::Done
        && made.withheld.is_none()
        && outcome.record.inventory.items.is_empty()
    {
        if shared.units.with(node, |memory| memory.beside.release.is_some()) {
            target.cluster.delete_answers(node, Some(&fence.check())).await.map_err(|error| failure(&error))?;
        }
        target.inventories.delete(node, Some(&fence.check())).await.map_err(|error| failure(&error))?;
        shared.units.with(node, |memory| {
            memory.record.gates = serde_json::Value::Null;
            // The permission was used. Whoever waits to write it down would make the record anew.
            memory.beside.kept = Kept { approved: None, prune_held: false, ..memory.beside.kept.clone() };
        });
    }
    Ok(end(shared, node, &target, &made, &built, outcome, stop))
}

/// Returns the build to sync: the one that is held, or the same built again.
async fn newest(shared: &Arc<Shared>, order: &SyncOrder) -> Result<Arc<BuiltUnit>, Failure> {
    let held = shared.units.with(&order.node, |memory| memory.built.clone());
    match held.filter(|built| built.seq == order.want.seq) {
        Some(built) => Ok(built),
        None => builds::make(shared, &order.node, &order.want).await,
    }
}

/// What somebody approved may be taken over.
fn adopt(shared: &Shared, order: &SyncOrder) -> Adopt {
    let held = shared.units.with(&order.node, |memory| memory.held.clone());
    match held.filter(|held| Some(held.digest) == order.approved) {
        Some(held) => Adopt::Objects(held.adoptions),
        None => Adopt::Nothing,
    }
}

/// Returns the record as it is to be written: what it owns is the executor's, the rest is ours.
fn record(shared: &Shared, order: &SyncOrder, built: &BuiltUnit) -> InventoryRecord {
    shared.units.with(&order.node, |memory| {
        let mut beside = memory.beside.clone();
        if let Some(unit) = &order.want.unit {
            beside.on_delete = Some(unit.policy.on_delete);
            beside.account = unit.target.service_account.clone();
            beside.spec = Some(unit.digest);
            beside.release = memory.past().begun(built.release.as_ref(), built.content).or(beside.release);
        }
        memory.beside = beside.clone();
        InventoryRecord {
            gates: beside.write(),
            revisions: order.want.revisions.clone(),
            epoch: order.fence.epoch,
            ..memory.record.clone()
        }
    })
}

/// Notes that a sync is done in what lies beside the inventory; returns whether that changed anything.
fn note_done(order: &SyncOrder, plan: &Plan, release: Option<&mut Release>) -> bool {
    let Some(release) = release else { return false };
    let before = (release.done, release.removed);
    if order.kind == SyncKind::Delete {
        // One that waits for an approval has deleted nothing yet, and run no hook.
        release.removed |= plan.operations().any(|operation| matches!(operation, Operation::Delete { .. }));
    } else {
        (release.done, release.removed) = (true, false);
    }
    before != (release.done, release.removed)
}

/// Returns what lies beside the inventory once a sync is done, where that is something else than when it began.
fn when_done(shared: &Shared, order: &SyncOrder, plan: &Plan) -> Option<serde_json::Value> {
    shared.units.with(&order.node, |memory| {
        let mut beside = memory.beside.clone();
        note_done(order, plan, beside.release.as_mut()).then(|| beside.write())
    })
}

/// Writes answers that were made for a build and are not recorded yet.
async fn keep_answers(shared: &Shared, node: &NodeKey, target: &Target, fence: &plumb_cluster::FenceCheck) -> Result<(), Failure> {
    let Some((mut answers, version)) = shared.units.with(node, |memory| memory.answers.clone()).filter(|(answers, _)| answers.is_changed())
    else {
        return Ok(());
    };
    let stored = plumb_cluster::StoredAnswers { bytes: answers.write(), version };
    match target.cluster.write_answers(node, &stored, Some(fence)).await {
        Ok(version) => {
            answers.written();
            shared.units.with(node, |memory| memory.answers = Some((answers, Some(version))));
            Ok(())
        }
        Err(error) => {
            // Whoever wrote them meanwhile knows better: they are read again, and what was built from others is built again.
            shared.units.with(node, |memory| {
                memory.answers = None;
                memory.built = None;
            });
            Err(failure(&error))
        }
    }
}

/// Notes what the sync changed.
fn remember(
    shared: &Arc<Shared>,
    order: &SyncOrder,
    target: &Target,
    plan: &Plan,
    outcome: &SyncOutcome,
    drift: &BTreeMap<ObjectKey, Vec<FieldChange>>,
) {
    let node = &order.node;
    let before = shared.units.claimed(node);
    let now = now_ms();
    let reverted = order.kind == SyncKind::Repair && outcome.outcome == Outcome::Done;
    // What was left as it is differs as before: the watch says when that is over.
    let left: BTreeSet<&ObjectKey> = plan
        .operations()
        .filter_map(|operation| if let Operation::Keep(manifest) = operation { Some(&manifest.key) } else { None })
        .collect();
    shared.units.with(node, |memory| {
        memory.record = outcome.record.clone();
        if outcome.outcome == Outcome::Done {
            note_done(order, plan, memory.beside.release.as_mut());
        }
        memory.lives_in = Some(Arc::clone(&target.name));
        memory.built = None;
        for (key, result) in &outcome.objects {
            if matches!(result, plumb_plan::ObjectResult::Failed { .. } | plumb_plan::ObjectResult::Skipped) || left.contains(key) {
                continue;
            }
            memory.drift.remove(key);
            for change in drift.get(key).into_iter().flatten() {
                memory.contests.reverted(key, change, now);
            }
        }
    });
    if reverted {
        shared.counters.reverted();
    }
    if !drift.is_empty() {
        // The watch has nothing more to say of what our own write put right.
        watching::report(shared, target, node);
    }
    shared.units.claim(node, &target.name, &before, &shared.units.claimed(node));
}

fn end(
    shared: &Arc<Shared>,
    node: &NodeKey,
    target: &Target,
    made: &Made,
    built: &BuiltUnit,
    mut outcome: SyncOutcome,
    stop: &CancellationToken,
) -> End<Settled> {
    // What waits for an adoption is withheld, not failed.
    outcome.failures.retain(|failure| !outcome.adoptions.iter().any(|adoption| failure.key.as_ref() == Some(&adoption.key)));
    let mut withheld = made.withheld.clone();
    let mut held = made.held.clone();
    if !outcome.adoptions.is_empty() {
        held = held.with(&outcome.adoptions);
        withheld = Some(with_adoptions(withheld, &outcome.adoptions, held.digest));
    }
    shared.units.with(node, |memory| memory.held = withheld.is_some().then_some(held));
    match outcome.outcome {
        Outcome::Cancelled => return End::Stopped,
        Outcome::Failed if !outcome.failures.is_empty() => {
            if stop.is_cancelled() {
                return End::Stopped;
            }
            return End::Failed(failed(&outcome, built));
        }
        Outcome::Failed if withheld.is_none() => return End::Failed(Failure::new(Class::Unhealthy, "the sync failed without saying why")),
        Outcome::Failed | Outcome::Done => {}
    }
    let health = shared.units.with(node, |memory| watching::health(target, memory));
    let (inventory, owned) = shared.units.with(node, |memory| (targets::digest(&memory.record), memory.record.inventory.items.len()));
    End::Done(Settled { inventory, owned: u32::try_from(owned).unwrap_or(u32::MAX), health, withheld })
}

fn with_adoptions(withheld: Option<Withheld>, adoptions: &[Adoption], digest: Digest) -> Withheld {
    let head = |adoption: &Adoption| {
        let fields =
            if adoption.fields.is_empty() { String::new() } else { format!(", which sets {} otherwise", adoption.fields.join(", ")) };
        HoldHead {
            kind: HoldKind::Adoption,
            reason: format!("{} is managed by {}{fields}", adoption.key, adoption.managers.join(", ")).into(),
            objects: 1,
        }
    };
    let deletes = withheld.as_ref().map_or(0, |withheld| withheld.deletes);
    let mut holds = withheld.map(|withheld| withheld.holds).unwrap_or_default();
    holds.extend(adoptions.iter().map(head));
    Withheld { digest, deletes, holds }
}

fn failed(outcome: &SyncOutcome, built: &BuiltUnit) -> Failure {
    use plumb_cluster::Class as Theirs;
    let class = match outcome.class() {
        Some(Theirs::Unreachable) => Class::Unreachable,
        Some(Theirs::Denied) => Class::Denied,
        Some(Theirs::Conflict) => Class::Conflict,
        Some(Theirs::Invalid | Theirs::NotFound | Theirs::Setup) => Class::Input,
        Some(Theirs::Throttled | Theirs::Server | Theirs::Expired | Theirs::Stopped) => Class::Transient,
        None => Class::Unhealthy,
    };
    let place = |key: &ObjectKey| {
        let manifest = built.manifests.iter().find(|manifest| manifest.key == *key)?;
        Some(format!("{}: ", built.files.place(manifest.at)))
    };
    let line =
        |failure: &plumb_cluster::Failure| format!("{}{}", failure.key.as_ref().and_then(place).unwrap_or_default(), failure.message);
    let lines: Vec<String> = outcome.failures.iter().map(line).collect();
    Failure::new(class, lines.join("\n"))
}

/// What a history holds already is named, not repeated.
fn build_record(shared: &Shared, node: &NodeKey, built: &BuiltUnit) -> BuildRecord {
    let BuildRecord::Files(input) = &built.input else { return built.input.clone() };
    let key = input.key;
    shared.units.with(
        node,
        |memory| {
            if memory.recorded.replace(key) == Some(key) { BuildRecord::Same { key } } else { built.input.clone() }
        },
    )
}

fn drift_entries(order: &SyncOrder, drift: &BTreeMap<ObjectKey, Vec<FieldChange>>, outcome: &SyncOutcome) -> Vec<DriftEntry> {
    let written: BTreeSet<&ObjectKey> = outcome
        .objects
        .iter()
        .filter(|(_, result)| matches!(result, plumb_plan::ObjectResult::Configured | plumb_plan::ObjectResult::Created))
        .map(|(key, _)| key)
        .collect();
    let reverts = order.kind != SyncKind::Delete;
    let entry = |(key, changes): (&ObjectKey, &Vec<FieldChange>)| {
        let reverted = reverts && written.contains(key);
        changes.iter().map(|change| DriftEntry::of(key, change, reverted, false)).collect::<Vec<_>>()
    };
    drift.iter().flat_map(entry).collect()
}

/// Writes what outlives the process, until it is written. A unit that owns nothing yet and has no gate has no record.
pub(crate) async fn keep(shared: Arc<Shared>, node: NodeKey, kept: Kept) {
    let mut said = String::new();
    loop {
        let newest = shared.units.read(&node, |memory| memory.beside.kept == kept);
        if newest != Some(true) {
            return; // a newer one is being written
        }
        match write(&shared, &node).await {
            Ok(()) => return,
            Err(error) => {
                if error != said {
                    tracing::warn!(unit = %node, "what is kept of it could not be written: {error}");
                    said = error;
                }
                tokio::time::sleep(KEEP_RETRY).await;
            }
        }
    }
}

/// Writes a unit's record as it is known now. A unit that owns nothing yet and has no gate has none.
pub(crate) async fn write(shared: &Arc<Shared>, node: &NodeKey) -> Result<(), String> {
    let Some(target) = targets::of(shared, node) else { return Err("its cluster does not answer".to_owned()) };
    let record_lock = shared.units.with(node, |memory| Arc::clone(&memory.record_lock));
    let _writing = record_lock.lock().await;
    let (record, trivial) = shared
        .units
        .read(node, |memory| {
            let mut record = InventoryRecord { gates: memory.beside.write(), ..memory.record.clone() };
            target.cluster.note_endings(node, &mut record.inventory);
            let trivial =
                memory.beside.kept == Kept::default() && memory.record.inventory.items.is_empty() && memory.record.gates.is_null();
            (record, trivial)
        })
        .ok_or("it is gone")?;
    if trivial {
        return Ok(());
    }
    target.inventories.write(&record, None).await.map_err(|error| error.to_string())?;
    shared.units.with(node, |memory| {
        memory.record.gates = record.gates;
        target.cluster.note_endings(node, &mut memory.record.inventory);
    });
    Ok(())
}

/// Follows a sync: stages for the core, times for the history, lines for who watches.
struct Watcher<'a> {
    shared: &'a Arc<Shared>,
    order: &'a SyncOrder,
    plan: &'a Plan,
    begun: Mutex<BTreeMap<usize, Instant>>,
    took: Mutex<Vec<(usize, Duration)>>,
}

impl<'a> Watcher<'a> {
    fn new(shared: &'a Arc<Shared>, order: &'a SyncOrder, plan: &'a Plan) -> Self {
        Self { shared, order, plan, begun: Mutex::default(), took: Mutex::default() }
    }

    fn take(&self, event: Progress) {
        let lock = |error: PoisonError<_>| error.into_inner();
        match &event {
            Progress::PhaseStarted { phase } => {
                self.begun.lock().unwrap_or_else(lock).insert(*phase, Instant::now());
            }
            Progress::PhaseEnded { phase, .. } => {
                let begun = self.begun.lock().unwrap_or_else(lock).get(phase).copied();
                if let Some(begun) = begun {
                    self.took.lock().unwrap_or_else(PoisonError::into_inner).push((*phase, begun.elapsed()));
                }
            }
            Progress::Waiting { .. } => self.shared.tell(Event::Stage(self.order.effect, Stage::Wait)),
            Progress::OperationStarted { .. } | Progress::OperationEnded { .. } => {}
        }
        self.shared.board.progress(&self.order.node, self.plan, &event);
    }

    fn phases(&self, built: &BuiltUnit, _: &SyncOutcome) -> Vec<PhaseEntry> {
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let mut entries = vec![PhaseEntry { name: "build".to_owned(), duration_ms: built.build_ms }];
        for (phase, took) in self.took.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let name = self.plan.phases.get(*phase).map_or("", |phase| phase.name);
            entries.push(PhaseEntry { name: name.to_owned(), duration_ms: milliseconds(*took) });
        }
        entries
    }
}
