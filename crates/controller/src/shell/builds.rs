//! Owns carrying out builds: the world a unit is built in, what the cluster knows of kinds that nobody offline knows, and the plan's head.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use plumb_build::{Built, Request, SourceTree, report};
use plumb_manifest::{Digest, Manifest, ObjectKey, Scope};
use plumb_store::{BuildInput, BuildRecord, InputFile, RecordedBuild, Which};
use plumb_unit::{NodeKey, Revisions, Unit};
use plumb_world::{Diagnostic, FileTable, World};
use tokio_util::sync::CancellationToken;

use super::sources::Reads;
use super::units::BuiltUnit;
use super::{Shared, failure, plans, recorded, targets};
use crate::core::{Class, EffectId, End, Event, Failure, PrunePermission, RequestId, Want};

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
        return Ok(Arc::new(nothing(want)));
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
    let offline = {
        let (shared, unit, revisions) = (Arc::clone(shared), Arc::clone(&unit), want.revisions.clone());
        let node = node.clone();
        tokio::task::spawn_blocking(move || run(&shared, &node, &unit, &revisions, record)).await
    };
    let offline = offline.map_err(|error| bug(node, &error.to_string()))??;
    let manifests = settle_scopes(shared, node, &unit, offline.manifests, &offline.files).await?;
    let built = BuiltUnit {
        seq: want.seq,
        content: Digest::of_parts(manifests.iter().map(|manifest| manifest.digest.0.as_slice())),
        input: record_of(&unit, &offline.files, &manifests, &want.revisions),
        manifests,
        files: offline.files,
        revisions: want.revisions.clone(),
        build_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    let wants: BTreeSet<ObjectKey> = built.manifests.iter().map(|manifest| manifest.key.clone()).collect();
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
        build_ms: 0,
    }
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
}

fn run(shared: &Shared, node: &NodeKey, unit: &Unit, revisions: &Revisions, record: Option<RecordedBuild>) -> Result<Offline, Failure> {
    match record {
        Some(record) => {
            let world = recorded::RecordedWorld::new(&record).with_aliases(unit);
            let trees = world.trees(unit, revisions);
            built(shared, node, unit, &world, trees)
        }
        None => {
            let sources =
                shared.units.read(node, |memory| memory.node.as_ref().map(|node| node.sources.clone())).flatten().unwrap_or_default();
            let world = shared.sources.world(unit, &sources, revisions)?;
            let offline = built(shared, node, unit, &world.world, world.trees.clone())?;
            Ok(Offline { reads: Some(Arc::new(world.finish())), ..offline })
        }
    }
}

fn built(
    shared: &Shared,
    node: &NodeKey,
    unit: &Unit,
    world: &dyn World,
    trees: BTreeMap<Arc<str>, SourceTree>,
) -> Result<Offline, Failure> {
    let built = plumb_build::build(world, &Request { unit, trees }, &shared.schema)
        .map_err(|error| Failure::new(Class::Transient, error.to_string()))?;
    let text = report::render(&built.diagnostics(), &built.files, &node.to_string(), false);
    let Built { result, files, .. } = built;
    match result {
        Ok(manifests) => Ok(Offline { manifests, files, reads: None, report: (!text.is_empty()).then(|| text.into()) }),
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

/// Returns what the history keeps of a build. A file from which a Secret was made is secret as a whole.
fn record_of(unit: &Unit, files: &FileTable, manifests: &[Arc<Manifest>], revisions: &Revisions) -> BuildRecord {
    let secret: BTreeSet<_> = manifests.iter().filter(|manifest| manifest.sensitive).map(|manifest| manifest.at.file).collect();
    let Ok(spec) = serde_json::to_value(unit) else {
        return BuildRecord::NotKept { reason: "the unit cannot be written as JSON".to_owned() };
    };
    let commits: Vec<String> = revisions.iter().map(|(alias, revision)| format!("{alias}={revision}")).collect();
    let inputs: Vec<InputFile> = files
        .iter()
        .map(|(id, file)| InputFile {
            source: Arc::clone(&file.source),
            path: file.path.clone(),
            content: Arc::clone(&file.text),
            secret: secret.contains(&id),
        })
        .collect();
    let key = Digest::of_parts(std::iter::once(unit.digest.0.as_slice()).chain(commits.iter().map(String::as_bytes)));
    BuildRecord::Files(BuildInput { key, spec, spec_secret: false, files: inputs })
}
