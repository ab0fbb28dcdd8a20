//! Owns a folder's build that asks a cluster: rounds of building and answering, as the operator makes them.

use plumb_build::Built;
use plumb_cluster::{Acting, InventoryRecord, StoredAnswers};
use plumb_controller::answers::{KeptAnswers, MAX_ROUNDS, answer, incomplete};
use plumb_controller::releases::{self, Past, Release};
use plumb_schema::Schema;
use plumb_world::{Known, Need};

use crate::folder::Folder;
use crate::operator::moment::now_ms;
use crate::operator::oneshot::cluster_problem;
use crate::problem::Problem;

/// A build with what it was answered.
pub(crate) struct Answered {
    pub(crate) built: Built,
    /// Why it is no evidence that something was dropped.
    pub(crate) incomplete: Option<String>,
    /// Which installation it is; none of a build that does not ask.
    pub(crate) release: Option<Release>,
    /// Answers to record, and the version that they lie at.
    pub(crate) kept: Option<(KeptAnswers, Option<String>)>,
}

/// Builds a folder, and asks the cluster what the build asks.
pub(crate) async fn build(folder: &Folder, schema: &Schema, acting: &Acting, record: &InventoryRecord) -> Result<Answered, Problem> {
    let last = Release::of_gates(&record.gates);
    let past = Past { last: last.as_ref(), next: None, owns: !record.inventory.items.is_empty() };
    let mut release = past.assumed();
    let mut known = Known::new();
    let mut kept = None;
    release.told().put(&mut known);
    for _ in 0..MAX_ROUNDS {
        let built = folder.build_with(&known, schema)?;
        if !built.needs.is_empty() {
            if kept.is_none() && built.needs.iter().any(Need::is_kept) {
                let stored = acting.cluster().answers(&folder.unit.key).await.map_err(|error| cluster_problem(&error))?;
                kept = Some((KeptAnswers::read(&stored.bytes).map_err(Problem::new)?, stored.version));
            }
            let mut nothing = KeptAnswers::default();
            let answers = kept.as_mut().map_or(&mut nothing, |(answers, _)| answers);
            for need in &built.needs {
                let told = answer(need, acting, answers, now_ms()).await.map_err(|error| cluster_problem(&error))?;
                known.insert(need.clone(), told);
            }
            continue;
        }
        if let Some((answers, _)) = &mut kept {
            answers.drop_unasked(&built.asked);
        }
        if built.result.is_err() || !built.asked.iter().any(Need::is_of_the_revision) {
            return Ok(Answered { built, incomplete: incomplete(&known), release: None, kept });
        }
        let right = past.of_inputs(releases::inputs(&folder.unit, &built.files, &built.asked, &known));
        if right.told() == release.told() {
            return Ok(Answered { built, incomplete: incomplete(&known), release: Some(right), kept });
        }
        right.told().put(&mut known);
        release = right;
    }
    Err(Problem::new(format!("after {MAX_ROUNDS} rounds the build still asks: a chart's questions lead to ever new ones")))
}

/// Records answers that were made for a build, before what was built is applied.
pub(crate) async fn keep(acting: &Acting, folder: &Folder, kept: Option<&(KeptAnswers, Option<String>)>) -> Result<(), Problem> {
    let Some((answers, version)) = kept.filter(|(answers, _)| answers.is_changed()) else { return Ok(()) };
    let stored = StoredAnswers { bytes: answers.write(), version: version.clone() };
    acting.cluster().write_answers(&folder.unit.key, &stored, None).await.map(|_| ()).map_err(|error| cluster_problem(&error))
}
