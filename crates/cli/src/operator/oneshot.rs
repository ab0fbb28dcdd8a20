//! Owns the pipeline of one-shot commands: folder → build → cluster → plan. `apply` and `diff` begin with it.
//! Must not write: carrying the plan out is `apply`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_build::{Built, report};
use plumb_cluster::{Acting, Cluster, ConnectOptions, Inventories, InventoryRecord, KubeconfigSource};
use plumb_controller::answers::KeptAnswers;
use plumb_controller::releases::{Past, Release};
use plumb_manifest::{Digest, Manifest, ObjectKey, Scope};
use plumb_plan::{BuildFacts, Claim, GroupSums, Hold, HoldKind, Intent, Plan, PlanInput, Redactor, Rules, SyncScope, Wants};
use plumb_schema::Schema;
use plumb_world::Diagnostic;

use crate::args::Global;
use crate::folder::{Folder, INSTALLATION};
use crate::operator::questions::{self, Answered};
use crate::printer::Printer;
use crate::problem::Problem;
use crate::render;

/// What the commands ask of the pipeline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) path: &'a str,
    pub(crate) name: Option<&'a str>,
    /// Objects of other one-shot units may be taken over.
    pub(crate) adopt: bool,
    /// Deletions that would wait for approval run.
    pub(crate) approve: bool,
    /// How long a phase may wait.
    pub(crate) timeout: Option<std::time::Duration>,
}

/// A folder's plan for a cluster.
pub(crate) struct OneShot {
    pub(crate) folder: Folder,
    pub(crate) manifests: Vec<Arc<Manifest>>,
    pub(crate) acting: Acting,
    pub(crate) inventories: Inventories,
    pub(crate) record: InventoryRecord,
    pub(crate) rules: Rules,
    pub(crate) schema: Schema,
    pub(crate) redactor: Redactor,
    pub(crate) plan: Plan,
    /// Which installation it is; none of a folder that tells none apart.
    pub(crate) release: Option<Release>,
    kept: Option<(KeptAnswers, Option<String>)>,
}

/// Builds a folder and plans it.
pub(crate) async fn prepare(printer: &Printer, global: &Global, ask: Ask<'_>) -> Result<OneShot, Problem> {
    let mut folder = Folder::open(ask.path, ask.name, global.namespace.as_deref())?;
    if let Some(timeout) = ask.timeout {
        folder.unit.policy.timeout = timeout;
    }
    let mut schema = Schema::builtin();
    // Mistakes that need no cluster to be seen are told before one is asked.
    let offline = folder.build(&schema)?;
    if offline.result.is_err() && offline.asked.is_empty() {
        render::check(printer, &offline, Vec::new(), ask.path)?;
    }
    let redactor = redactor()?;
    let acting = connect(global, &redactor).await?.acting_as(None).map_err(|error| cluster_problem(&error))?;
    let inventories = Inventories::new(acting.cluster());
    let loaded = inventories.load().await.map_err(|error| cluster_problem(&error))?;
    for (name, reason) in &loaded.damaged {
        printer.warning(&format!("ConfigMap `{name}` in `{}` holds no inventory: {reason}", plumb_cluster::SYSTEM_NAMESPACE));
    }
    let key = &folder.unit.key;
    let record = loaded.records.iter().find(|record| record.unit == *key).cloned().unwrap_or_else(|| InventoryRecord::empty(key.clone()));
    let answered = if offline.asked.is_empty() {
        // Nothing was asked, so nothing would come out otherwise.
        Answered { built: offline, incomplete: None, release: None, kept: None }
    } else {
        questions::build(&folder, &schema, &acting, &record).await?
    };
    let Answered { built, incomplete, release, kept } = answered;
    render::check(printer, &built, Vec::new(), ask.path)?;
    let manifests = settle(printer, &acting, &built, &mut schema, ask.path).await?;
    let content = Digest::of_parts(manifests.iter().map(|manifest| manifest.digest.0.as_slice()));
    let last = Release::of_gates(&record.gates);
    let past = Past { last: last.as_ref(), next: None, owns: !record.inventory.items.is_empty() };
    let others = others(&loaded.records, key, &manifests, ask.adopt);
    let rules = Rules::compile(&folder.unit.policy.field_rules)
        .map_err(|errors| Problem::new(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))?;
    let facts = acting.facts(key, &manifests, &record.inventory, &rules, &schema).await.map_err(|error| cluster_problem(&error))?;
    let build = BuildFacts { incomplete, evidence: vec![folder.evidence(&built)], declaration_changed: false };
    let mut approvals = BTreeSet::new();
    let input = PlanInput {
        unit: key,
        intent: Intent::Sync,
        manifests: &manifests,
        live: &facts,
        others: &others,
        inventory: &record.inventory,
        policy: &folder.unit.policy,
        schema: &schema,
        build: &build,
        group: GroupSums::default(),
        approvals: &approvals.clone(),
        scope: &SyncScope::Whole,
        occasion: past.occasion(release.as_ref(), content, false),
    };
    let mut plan = plumb_plan::plan(&input);
    if ask.approve && plan.holds.iter().any(approvable) {
        approvals.insert(plan.digest);
        plan = plumb_plan::plan(&PlanInput { approvals: &approvals, ..input });
    }
    let release = past.begun(release.as_ref(), content);
    Ok(OneShot { folder, manifests, acting, inventories, record, rules, schema, redactor, plan, release, kept })
}

impl OneShot {
    /// Returns the record as it is to be written when the sync begins.
    pub(crate) fn record_to_write(&self) -> InventoryRecord {
        let gates = self.release.as_ref().map_or_else(|| self.record.gates.clone(), Release::to_gates);
        InventoryRecord { gates, ..self.record.clone() }
    }

    /// Records answers that were made for the build, before what was built is applied.
    pub(crate) async fn keep_answers(&self) -> Result<(), Problem> {
        questions::keep(&self.acting, &self.folder, self.kept.as_ref()).await
    }
}

/// Returns whether `--approve` lifts a hold.
fn approvable(hold: &Hold) -> bool {
    hold.kind == HoldKind::Prune
}

/// Fingerprints of secret values are only compared within this process, so their key is made anew each time.
fn redactor() -> Result<Redactor, Problem> {
    let mut key = [0; 32];
    aws_lc_rs::rand::fill(&mut key).map_err(|_| Problem::new("the system gives no random numbers"))?;
    Ok(Redactor::new(key))
}

async fn connect(global: &Global, redactor: &Redactor) -> Result<Cluster, Problem> {
    let source = global.kubeconfig.clone().map_or(KubeconfigSource::Environment, KubeconfigSource::File);
    let mut options = ConnectOptions::new(source, global.context.as_deref(), INSTALLATION, redactor.clone());
    // The user's own kubeconfig on the user's own machine.
    options.allow_programs = true;
    Cluster::connect(options).await.map_err(|error| cluster_problem(&error))
}

/// Asks the cluster about kinds that nobody offline knows; all that are wrong are named.
async fn settle(printer: &Printer, acting: &Acting, built: &Built, schema: &mut Schema, name: &str) -> Result<Vec<Arc<Manifest>>, Problem> {
    let (mut settled, mut errors) = (Vec::new(), Vec::<Diagnostic>::new());
    for manifest in built.result.iter().flatten() {
        if manifest.scope.is_some() {
            settled.push(manifest.clone());
            continue;
        }
        match acting.cluster().resource(&manifest.gvk).await {
            Ok(resource) => {
                let scope = if resource.namespaced { Scope::Namespaced } else { Scope::Cluster };
                schema.add_kind(resource.gvk.clone(), &resource.plural, scope);
                let now = manifest.settled(scope);
                if scope == Scope::Namespaced && now.key.namespace.is_none() {
                    errors.push(plumb_build::no_namespace(manifest));
                }
                settled.push(Arc::new(now));
            }
            Err(error) if plumb_cluster::classify(&error) == plumb_cluster::Class::NotFound => {
                errors.push(plumb_build::unknown_kind(manifest))
            }
            Err(error) => return Err(cluster_problem(&error)),
        }
    }
    if errors.is_empty() { Ok(settled) } else { Err(Problem::report(report::render(&errors, &built.files, name, printer.color_err()))) }
}

/// Returns what other one-shot units own. Whether they still want it is not known here, for their folders are not read: with `adopt` they do not.
fn others(
    records: &[InventoryRecord],
    unit: &plumb_unit::NodeKey,
    manifests: &[Arc<Manifest>],
    adopt: bool,
) -> BTreeMap<ObjectKey, Vec<Claim>> {
    let wanted: BTreeSet<&ObjectKey> = manifests.iter().map(|manifest| &manifest.key).collect();
    let wants = if adopt { Wants::No } else { Wants::Unknown };
    let mut claims: BTreeMap<ObjectKey, Vec<Claim>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.unit != *unit) {
        for item in record.inventory.items.iter().filter(|item| wanted.contains(&item.key)) {
            claims.entry(item.key.clone()).or_default().push(Claim { unit: record.unit.clone(), owns: true, wants });
        }
    }
    claims
}

/// Returns a cluster's error with what to do.
pub(crate) fn cluster_problem(error: &plumb_cluster::ClusterError) -> Problem {
    use plumb_cluster::Class;
    let problem = Problem::of(error);
    match plumb_cluster::classify(error) {
        Class::Unreachable => problem.hint("Is the cluster up? `--context` and `--kubeconfig` choose another one."),
        Class::Denied => problem.hint("Sign in again, or ask who administers the cluster for the right that the message names."),
        Class::Setup => problem.hint("`--kubeconfig FILE` and `--context NAME` say which cluster is meant."),
        _ => problem,
    }
}
