//! Owns how fast kustomizations are built, beside the real `kustomize`: whole processes on a small overlay, on the large trees of the corpus, and on a
//! generated tree of thousands of objects. Outputs are compared before anything is timed.

mod tree;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::figure;
use super::peers::{Figures, Peers, ms, program, words};
use crate::setup;

/// How often whole processes are run in turn.
const ROUNDS: usize = 11;
/// How often on a tree that takes kustomize a second or more.
const LARGE_ROUNDS: usize = 5;
/// An overlay as most people have one.
const SMALL: &str = "kubernetes-sigs-metrics-server__manifests_overlays_release-ha";
/// Trees that come to more than 2 MB, most of it definitions of resources.
const LARGE: [&str; 3] = [
    "actions-actions-runner-controller__config_crd",
    "kubeflow-manifests__applications_training-operator_upstream_overlays_kubeflow",
    "argoproj-argo-rollouts__manifests_cluster-install",
];
/// A tree with everything that operators have.
const CORE: &str = "kubernetes-sigs-cluster-api__core_config_default";
/// How many of the largest trees there are rows for.
const LARGEST: usize = 10;
/// How long the generated tree may take.
const GENERATED_MS: f64 = 100.0;

/// A tree of the corpus.
struct Tree {
    name: String,
    folder: PathBuf,
    flags: Vec<String>,
    output_bytes: u64,
}

impl Tree {
    fn open(folder: &Path) -> Result<Self> {
        let options: Value = serde_json::from_slice(&fs::read(folder.join("options.json"))?)?;
        let path = options["path"].as_str().context("a tree without a path")?;
        let flags = options["cli_flags"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        let expected = folder.join("expected.yaml");
        let output_bytes = if expected.is_file() { expected.metadata()?.len() } else { 0 };
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, folder: folder.join("input").join(path), flags, output_bytes })
    }
}

/// Runs the benchmark.
pub(crate) fn run() -> Result<()> {
    setup::ensure_package("time", &["/usr/bin/time"])?;
    let (kustomize, plumb) = (setup::tools()?.kustomize()?, setup::plumb("release")?);
    let peers = |flags: &[String]| Peers {
        name: "kustomize",
        programs: [program(&kustomize, &[]), program(&plumb, &["kustomize"])],
        before: words(&["build"]),
        after: flags.to_vec(),
    };
    let mut figures = Figures::default();
    match plumb_suite::corpus() {
        Some(corpus) => real(&corpus.join("kustomize/real"), &peers, &mut figures)?,
        None => println!("  without the conformance corpus there are no real trees: only what is generated is measured"),
    }
    generated(&peers(&[]), &mut figures)?;
    figures.finish()
}

/// Trees of the corpus: a small one, those above 2 MB of output, one with everything, and the largest of the others.
fn real(folder: &Path, peers: &dyn Fn(&[String]) -> Peers, figures: &mut Figures) -> Result<()> {
    let mut trees: Vec<Tree> = fs::read_dir(folder)?.map(|entry| Tree::open(&entry?.path())).collect::<Result<_>>()?;
    trees.sort_by(|one, other| other.output_bytes.cmp(&one.output_bytes).then_with(|| one.name.cmp(&other.name)));
    let row = |tree: &Tree, rounds: usize, asked: (Option<f64>, Option<f64>), figures: &mut Figures| {
        peers(&tree.flags).whole_process(&tree.name, &tree.folder, rounds, asked, figures)
    };
    for tree in trees.iter().filter(|tree| tree.name == SMALL) {
        row(tree, ROUNDS, (Some(5.0), None), figures)?;
    }
    for tree in trees.iter().filter(|tree| LARGE.contains(&tree.name.as_str())) {
        row(tree, LARGE_ROUNDS, (Some(30.0), Some(6.0)), figures)?;
    }
    let others = trees.iter().filter(|tree| !LARGE.contains(&tree.name.as_str()));
    for (nth, tree) in others.enumerate().filter(|(nth, tree)| *nth < LARGEST || tree.name == CORE) {
        let rounds = if nth < LARGEST / 2 { LARGE_ROUNDS } else { ROUNDS };
        row(tree, rounds, (Some(15.0), Some(3.0)), figures)?;
    }
    Ok(())
}

/// The generated tree, on which kustomize compares all objects with all.
fn generated(peers: &Peers, figures: &mut Figures) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let bytes = tree::write(folder.path())?;
    let overlay = folder.path().join("overlay");
    let [kustomize, plumb] = peers.times_beside_one(&overlay, ROUNDS).context("the generated tree")?;
    let what = format!("{} generated objects, {:.1} MB", tree::OBJECTS, bytes as f64 / 1e6);
    println!("  {what}: kustomize {:.0} ms, plumb {:.1} ms", ms(kustomize), ms(plumb));
    figures.at_most(&format!("{what}, whole process"), ms(plumb), GENERATED_MS, "ms");
    figure(&format!("{what}, beside kustomize"), &format!("{:.0} ×", ms(kustomize) / ms(plumb)), "-");
    Ok(())
}
