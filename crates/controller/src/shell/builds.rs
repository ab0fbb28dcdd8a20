//! Owns carrying out builds: the world a unit is built in, what the cluster knows of kinds that nobody offline knows, and the plan's head.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use plumb_build::{Built, Request, SourceTree, report};
use plumb_manifest::{Digest, Manifest, Moment, ObjectKey, Scope};
use plumb_store::{BuildInput, BuildRecord, InputFile, RecordedBuild, Which};
use plumb_unit::{NodeKey, Revisions, Unit};
use plumb_world::{AnsweredWorld, Diagnostic, FileTable, Known, Need, World};
use tokio_util::sync::CancellationToken;

use super::sources::Reads;
use super::units::BuiltUnit;
use super::{Shared, failure, plans, recorded, targets};
use crate::answers::{KeptAnswers, MAX_ROUNDS};
use crate::clock::now_ms;
use crate::core::{Class, EffectId, End, Event, Failure, PrunePermission, RequestId, Want};
use crate::releases::{self, Release};

/// Builds and plans; ends in [`Event::Built`].
pub(crate) async fn build(
    shared: Arc<Shared>,
    effect: EffectId,
    node: NodeKey,
    want: Arc<Want>,
    request: Option<RequestId>,
    stop: CancellationToken,
) {
    let end = tokio::select! {
        () = stop.cancelled() => End::Stopped,
        end = attempt(&shared, &node, &want, request) => match end {
            Ok(head) => End::Done(head),
            Err(failure) => End::Failed(failure),
        },
    };
    shared.tell(Event::Built(effect, end));
}

async fn attempt(
    shared: &Arc<Shared>,
    node: &NodeKey,
    want: &Arc<Want>,
    request: Option<RequestId>,
) -> Result<crate::core::PlanHead, Failure> {
    let built = make(shared, node, want).await?;
    let target = targets::of_want(shared, node, want)?;
    // What may be deleted is judged when it comes to it; the head counts all there is.
    let made = plans::make(shared, node, want, &built, &target, PrunePermission::Group { deletes: 0, owned: 0 }, None).await?;
    let head = plans::head(&made.plan, &made.held, built.content);
    match request {
        Some(request) => shared.dry_runs.keep(request, made.plan),
        None => shared.units.with(node, |memory| memory.built = Some(built)),
    }
    Ok(head)
}

/// Builds a want, whatever was built before.
pub(crate) async fn make(shared: &Arc<Shared>, node: &NodeKey, want: &Arc<Want>) -> Result<Arc<BuiltUnit>, Failure> {
    let Some(unit) = want.unit.clone().filter(|_| !want.delete) else {
        let hooks = removal_hooks(shared, node).await;
        return Ok(Arc::new(BuiltUnit { manifests: hooks, ..nothing(want) }));
    };
    let (unit, record) = match want.pin.as_ref().and_then(|pin| pin.record.clone()) {
        Some(record) => {
            let recorded = recorded_build(shared, node, &record).await?;
            (Arc::new(recorded::unit(&recorded, &unit)?), Some(recorded))
        }
        None => (unit, None),
    };
    let _working = shared.crashes.working_on(node);
    let begun = Instant::now();
    let Answered { offline, known, release } = answered(shared, node, want, &unit, record).await?;
    let manifests = settle_scopes(shared, node, &unit, offline.manifests.clone(), &offline.files).await?;
    let built = BuiltUnit {
        seq: want.seq,
        content: Digest::of_parts(manifests.iter().map(|manifest| manifest.digest.0.as_slice())),
        incomplete: crate::answers::incomplete(&known),
        input: record_of(&unit, &offline, &known, &manifests, &want.revisions),
        manifests,
        files: offline.files,
        revisions: want.revisions.clone(),
        release,
        build_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    // A hook is nobody's for long: what it leaves is found by its stamps.
    let lasting = built.manifests.iter().filter(|manifest| manifest.hook().is_none());
    let wants: BTreeSet<ObjectKey> = lasting.map(|manifest| manifest.key.clone()).collect();
    let before = shared.units.claimed(node);
    shared.units.with(node, |memory| {
        memory.wants = Some(wants);
        memory.reads = offline.reads;
        memory.report = offline.report;
    });
    if let Some(cluster) = shared.targets.name(&unit.target.cluster) {
        shared.units.claim(node, &cluster, &before, &shared.units.claimed(node));
    }
    shared.counters.built();
    Ok(Arc::new(built))
}

fn nothing(want: &Want) -> BuiltUnit {
    BuiltUnit {
        seq: want.seq,
        manifests: Vec::new(),
        files: FileTable::default(),
        content: Digest::of(b""),
        revisions: want.revisions.clone(),
        input: BuildRecord::NotKept { reason: "the unit was removed".to_owned() },
        incomplete: None,
        release: None,
        build_ms: 0,
    }
}

/// Returns the hooks that a unit's removal runs: those of what was carried out last, built again from the history, for the declaration may be gone.
/// Where the history cannot tell, the removal goes on without them and says so.
async fn removal_hooks(shared: &Arc<Shared>, node: &NodeKey) -> Vec<Arc<Manifest>> {
    if shared.units.with(node, |memory| memory.past().removal()).is_none() {
        return Vec::new();
    }
    match recorded_hooks(shared, node).await {
        Ok(hooks) => hooks,
        Err(failure) => {
            tracing::warn!(unit = %node, "hooks for its removal, if it has any, are not run: {}", failure.message);
            Vec::new()
        }
    }
}

async fn recorded_hooks(shared: &Arc<Shared>, node: &NodeKey) -> Result<Vec<Arc<Manifest>>, Failure> {
    let told = |error: plumb_store::StoreError| Failure::new(Class::Input, error.to_string());
    let record = shared.history.store.recorded_request(node, &plumb_store::Which::Newest).await.map_err(told)?;
    let unit: Unit = serde_json::from_value(record.spec.clone())
        .map_err(|error| Failure::new(Class::Input, format!("sync {} was recorded by another version: {error}", record.sync)))?;
    let (shared, node) = (Arc::clone(shared), node.clone());
    let build = move || {
        let known = recorded::answers(&record);
        run(&shared, &node, &unit, &record.revisions, Some(&record), &known)
    };
    let ran = tokio::task::spawn_blocking(build).await.map_err(|error| Failure::new(Class::Input, error.to_string()))??;
    let Ran::Done(offline) = ran else { return Err(Failure::new(Class::Input, "the record lacks answers")) };
    let is_of_removal = |manifest: &Arc<Manifest>| {
        let moments = manifest.hook().map(|hook| &hook.moments);
        moments.is_some_and(|moments| moments.contains(&Moment::PreDelete) || moments.contains(&Moment::PostDelete))
    };
    Ok(offline.manifests.into_iter().filter(is_of_removal).collect())
}

async fn recorded_build(shared: &Shared, node: &NodeKey, record: &str) -> Result<RecordedBuild, Failure> {
    let id = record.parse().map_err(|error: plumb_store::BadSyncId| Failure::new(Class::Input, error.to_string()))?;
    shared
        .history
        .store
        .recorded_request(node, &Which::Sync(id))
        .await
        .map_err(|error| Failure::new(Class::Input, format!("sync {record} cannot be built again: {error}")))
}

/// What a build gave before the cluster was asked about unknown kinds.
struct Offline {
    manifests: Vec<Arc<Manifest>>,
    files: FileTable,
    reads: Option<Arc<Reads>>,
    report: Option<Arc<str>>,
    /// What was asked beside files.
    asked: BTreeSet<Need>,
}

/// How a run of a build ended that did not fail.
enum Ran {
    Done(Offline),
    /// These have to be answered first.
    Needs(BTreeSet<Need>),
}

/// A build with the answers that it rests on.
struct Answered {
    offline: Offline,
    known: Known,
    release: Option<Release>,
}

/// Runs a build until nothing that it asks is left open.
async fn answered(
    shared: &Arc<Shared>,
    node: &NodeKey,
    want: &Arc<Want>,
    unit: &Arc<Unit>,
    record: Option<RecordedBuild>,
) -> Result<Answered, Failure> {
    let (mut release, fixed) = shared.units.with(node, |memory| (memory.past().assumed(), record.is_some()));
    let mut known = record.as_ref().map(recorded::answers).unwrap_or_default();
    if !fixed || !known.contains_key(&Need::Release) {
        release.told().put(&mut known);
    }
    let record = record.map(Arc::new);
    for _ in 0..MAX_ROUNDS {
        let task = {
            let (shared, unit, revisions, node) = (Arc::clone(shared), Arc::clone(unit), want.revisions.clone(), node.clone());
            let (record, known) = (record.clone(), known.clone());
            tokio::task::spawn_blocking(move || run(&shared, &node, &unit, &revisions, record.as_deref(), &known))
        };
        let offline = match task.await.map_err(|error| bug(node, &error.to_string()))?? {
            Ran::Needs(needs) => {
                ask(shared, node, want, &needs, &mut known).await?;
                continue;
            }
            Ran::Done(offline) => offline,
        };
        shared.units.with(node, |memory| {
            if let Some((answers, _)) = &mut memory.answers {
                answers.drop_unasked(&offline.asked);
            }
        });
        if !offline.asked.iter().any(Need::is_of_the_revision) {
            return Ok(Answered { offline, known, release: None });
        }
        targets::restored(&*targets::of_want(shared, node, want)?).await?;
        let inputs = releases::inputs(unit, &offline.files, &offline.asked, &known);
        let right = shared.units.with(node, |memory| {
            let right = memory.past().of_inputs(inputs);
            memory.next = Some(right.clone());
            right
        });
        if fixed || right.told() == release.told() {
            return Ok(Answered { offline, known, release: Some(right) });
        }
        right.told().put(&mut known);
        release = right;
    }
    Err(Failure::new(
        Class::Input,
        format!("after {MAX_ROUNDS} rounds the build of {node} still asks: a chart's questions lead to ever new ones"),
    ))
}

/// Answers what a build asks: as whom the unit acts.
async fn ask(shared: &Arc<Shared>, node: &NodeKey, want: &Want, needs: &BTreeSet<Need>, known: &mut Known) -> Result<(), Failure> {
    let target = targets::of_want(shared, node, want)?;
    let account = want.unit.as_ref().and_then(|unit| unit.target.service_account.clone());
    let acting = target.cluster.acting_as(account.as_ref()).map_err(|error| failure(&error))?;
    let mut kept = None;
    if needs.iter().any(Need::is_kept) {
        kept = shared.units.with(node, |memory| memory.answers.clone());
        if kept.is_none() {
            let stored = target.cluster.answers(node).await.map_err(|error| failure(&error))?;
            let read = KeptAnswers::read(&stored.bytes).map_err(|error| Failure::new(Class::Input, format!("{node}: {error}")))?;
            kept = Some((read, stored.version));
        }
    }
    let (mut answers, version) = kept.clone().unwrap_or_default();
    for need in needs {
        let answer = crate::answers::answer(need, &acting, &mut answers, now_ms()).await.map_err(|error| failure(&error))?;
        known.insert(need.clone(), answer);
    }
    if kept.is_some() {
        shared.units.with(node, |memory| memory.answers = Some((answers, version)));
    }
    Ok(())
}

fn run(
    shared: &Shared,
    node: &NodeKey,
    unit: &Unit,
    revisions: &Revisions,
    record: Option<&RecordedBuild>,
    known: &Known,
) -> Result<Ran, Failure> {
    match record {
        Some(record) => {
            let world = recorded::RecordedWorld::new(record).with_aliases(unit);
            let trees = world.trees(unit, revisions);
            built(shared, node, unit, &AnsweredWorld { world: &world, known }, trees)
        }
        None => {
            let sources =
                shared.units.read(node, |memory| memory.node.as_ref().map(|node| node.sources.clone())).flatten().unwrap_or_default();
            let world = shared.sources.world(unit, &sources, revisions)?;
            let ran = built(shared, node, unit, &AnsweredWorld { world: &world.world, known }, world.trees.clone())?;
            Ok(match ran {
                Ran::Done(offline) => Ran::Done(Offline { reads: Some(Arc::new(world.finish())), ..offline }),
                needs @ Ran::Needs(_) => needs,
            })
        }
    }
}

fn built(shared: &Shared, node: &NodeKey, unit: &Unit, world: &dyn World, trees: BTreeMap<Arc<str>, SourceTree>) -> Result<Ran, Failure> {
    let built = plumb_build::build(world, &Request { unit, trees }, &shared.schema)
        .map_err(|error| Failure::new(Class::Transient, error.to_string()))?;
    if !built.needs.is_empty() {
        return Ok(Ran::Needs(built.needs));
    }
    let text = report::render(&built.diagnostics(), &built.files, &node.to_string(), false);
    let Built { result, files, asked, .. } = built;
    match result {
        Ok(manifests) => Ok(Ran::Done(Offline { manifests, files, reads: None, report: (!text.is_empty()).then(|| text.into()), asked })),
        Err(errors) => Err(failed(shared, node, &errors, &files, text)),
    }
}

/// Keeps the whole report for people and gives the core one line for each error.
fn failed(shared: &Shared, node: &NodeKey, errors: &[Diagnostic], files: &FileTable, text: String) -> Failure {
    shared.units.with(node, |memory| memory.report = Some(text.into()));
    let lines: Vec<String> = errors.iter().map(|error| report::line(error, files)).collect();
    Failure::new(Class::Input, lines.join("\n"))
}

fn bug(node: &NodeKey, what: &str) -> Failure {
    Failure::new(Class::Input, format!("building {node} ended in a bug of Plumb's, please report it: {what}"))
}

/// Asks the cluster about kinds that nobody offline knows: what it does not know either is an error with its place.
async fn settle_scopes(
    shared: &Shared,
    node: &NodeKey,
    unit: &Unit,
    manifests: Vec<Arc<Manifest>>,
    files: &FileTable,
) -> Result<Vec<Arc<Manifest>>, Failure> {
    if manifests.iter().all(|manifest| manifest.scope.is_some()) {
        return Ok(manifests);
    }
    let name = shared.targets.name(&unit.target.cluster).ok_or_else(|| targets::unknown(shared, &unit.target.cluster))?;
    let target = shared.targets.get(&name).ok_or_else(|| Failure::new(Class::Unreachable, format!("cluster {name} does not answer")))?;
    let (mut settled, mut errors) = (Vec::with_capacity(manifests.len()), Vec::new());
    for manifest in manifests {
        if manifest.scope.is_some() {
            settled.push(manifest);
            continue;
        }
        match target.cluster.resource(&manifest.gvk).await {
            Ok(resource) => {
                let scope = if resource.namespaced { Scope::Namespaced } else { Scope::Cluster };
                let manifest = manifest.settled(scope);
                if scope == Scope::Namespaced && manifest.key.namespace.is_none() {
                    errors.push(plumb_build::no_namespace(&manifest));
                }
                settled.push(Arc::new(manifest));
            }
            Err(error) if plumb_cluster::classify(&error) == plumb_cluster::Class::NotFound => {
                errors.push(plumb_build::unknown_kind(&manifest))
            }
            Err(error) => return Err(failure(&error)),
        }
    }
    if errors.is_empty() {
        return Ok(settled);
    }
    let text = report::render(&errors, files, &node.to_string(), false);
    // Another unit, or somebody by hand, may bring the definition at any time: tried again soon, not only with the next input.
    let class = if errors.iter().all(|error| error.code == plumb_build::UNKNOWN_KIND) { Class::Transient } else { Class::Input };
    Err(Failure { class, ..failed(shared, node, &errors, files, text) })
}

/// Returns what the history keeps of a build: its files, and the answers it rests on. A file from which a Secret was made is secret as a whole, and so
/// are the answers.
fn record_of(unit: &Unit, offline: &Offline, known: &Known, manifests: &[Arc<Manifest>], revisions: &Revisions) -> BuildRecord {
    let secret: BTreeSet<_> = manifests.iter().filter(|manifest| manifest.sensitive).map(|manifest| manifest.at.file).collect();
    let Ok(spec) = serde_json::to_value(unit) else {
        return BuildRecord::NotKept { reason: "the unit cannot be written as JSON".to_owned() };
    };
    let commits: Vec<String> = revisions.iter().map(|(alias, revision)| format!("{alias}={revision}")).collect();
    let files = offline.files.iter().filter(|(_, file)| !file.made);
    let mut inputs: Vec<InputFile> = files
        .map(|(id, file)| InputFile {
            source: Arc::clone(&file.source),
            path: file.path.clone(),
            content: Arc::clone(&file.text),
            secret: secret.contains(&id),
        })
        .collect();
    let answers = recorded::answers_file(&offline.asked, known);
    let answered = answers.as_ref().map_or(Digest::of(b""), |file| Digest::of(&file.content));
    inputs.extend(answers);
    let parts = std::iter::once(unit.digest.0.as_slice()).chain(commits.iter().map(String::as_bytes)).chain([answered.0.as_slice()]);
    BuildRecord::Files(BuildInput { key: Digest::of_parts(parts), spec, spec_secret: false, files: inputs })
}
