//! Owns the operator's life: opens what it needs, starts the loop, and ends it in order.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use plumb_dialect::native::RootSpec;
use plumb_store::Store;
use plumb_unit::{NodeKey, NodeKind};
use tokio::sync::{mpsc, watch};

use crate::board::Board;
use crate::core::{Core, Declared, Event, Limits};
use crate::counters::Counters;
use crate::crashes::Crashes;
use crate::credentials::{self, CredentialsError};
use crate::shell::{self, ClusterOptions, DryRuns, History, Reach, Shared, Shell, Sources, Targets, Units};

/// How an operator is to be.
#[derive(Clone, Debug)]
pub struct OperatorOptions {
    /// The installation's name.
    pub installation: Arc<str>,
    /// Where units are declared.
    pub roots: Vec<RootSpec>,
    /// The clusters.
    pub clusters: ClusterOptions,
    /// The file with credentials for sources.
    pub credentials: Option<PathBuf>,
    /// The folder for the repository cache, the history and the journal.
    pub state: PathBuf,
    /// The file with the key that encrypts Secrets kept for rollback.
    pub history_key: Option<PathBuf>,
    /// How often sources are asked for news.
    pub poll: Duration,
}

/// Why the operator did not start or cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// The state folder cannot be used.
    #[error("the state folder `{path}` cannot be used: {source}")]
    State {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The credentials cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// A file with a secret cannot be used.
    #[error("`{path}`: {why}")]
    SecretFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The repository cache cannot be used.
    #[error("the repository cache: {0}")]
    Cache(String),
}

/// A running operator, to be asked and told things. Clones are the same operator.
#[derive(Clone)]
pub struct Operator {
    pub(crate) shared: Arc<Shared>,
}

/// What has to be driven for an operator to work.
pub struct Running {
    shared: Arc<Shared>,
    shell: Shell,
    roots: Vec<RootSpec>,
    poll: Duration,
}

impl Operator {
    /// Opens everything and returns the operator with what has to be driven.
    ///
    /// *Assumes* that it is called within a tokio runtime.
    pub async fn open(options: OperatorOptions) -> Result<(Self, Running), OperatorError> {
        prepare_folder(&options.state)?;
        let credentials = options.credentials.as_deref().map(credentials::read_file).transpose()?.unwrap_or_default();
        let key = options.history_key.as_deref().map(history_key).transpose()?;
        let store =
            Store::open(options.state.join("history.sqlite"), plumb_store::Options { key, ..plumb_store::Options::standard() }).await;
        let reach = Reach::of(options.roots.iter());
        let (events, inbox) = mpsc::unbounded_channel();
        let sources = Sources::open(&options.state.join("repositories"), reach, credentials)
            .map_err(|error| OperatorError::Cache(error.to_string()))?;
        let shared = Arc::new(Shared {
            installation: Arc::clone(&options.installation),
            sources,
            units: Units::default(),
            targets: Targets::new(options.clusters.clone()),
            history: History::new(store),
            board: Board::new(),
            crashes: Crashes::open(options.state.join("building")),
            counters: Counters::default(),
            dry_runs: DryRuns::default(),
            schema: plumb_schema::Schema::builtin(),
            redactor: plumb_plan::Redactor::new(random()),
            events,
        });
        let limits = Limits { poll_ms: u64::try_from(options.poll.as_millis()).unwrap_or(u64::MAX), ..Limits::standard() };
        let shell = Shell::new(Core::new(limits, u64::from_le_bytes(random())), Arc::clone(&shared), inbox);
        Ok((Self { shared: Arc::clone(&shared) }, Running { shared, shell, roots: options.roots, poll: options.poll }))
    }
}

impl Running {
    /// Runs the operator until told to stop.
    ///
    /// *Guarantees*: on return every effect has ended and the lease is given back; what runs in the clusters is as the last effect left it.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        let shared = self.shared;
        let loop_ended = tokio::spawn(self.shell.run(stop.clone()));
        for root in &self.roots {
            declare_root(&shared, root, self.poll);
        }
        let names = shared.targets.names().to_vec();
        let attending: Vec<_> =
            names.into_iter().map(|name| tokio::spawn(shell::attend(Arc::clone(&shared), name, stop.clone()))).collect();
        // The loop waits for every effect before it ends; nothing writes after it.
        let _ = loop_ended.await;
        for task in attending {
            let _ = task.await;
        }
        shared.targets.release().await;
        if let Err(error) = shared.history.store.close().await {
            tracing::warn!("the history could not be closed: {error}");
        }
    }
}

fn declare_root(shared: &Arc<Shared>, root: &RootSpec, poll: Duration) {
    let name = root.to_string();
    let generator = NodeKey {
        installation: Arc::clone(&shared.installation),
        kind: NodeKind::Generator,
        namespace: "".into(),
        name: name.as_str().into(),
    };
    let source = shared.sources.declare_root(generator.clone(), root);
    shared.tell(Event::Put(source.clone(), Declared::Source { poll }));
    shared.tell(Event::Put(generator, Declared::Generator { source }));
}

/// The folder holds the history and repositories that need credentials: nobody else may look into it.
fn prepare_folder(path: &PathBuf) -> Result<(), OperatorError> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(path).map_err(|source| OperatorError::State { path: path.clone(), source })
}

fn history_key(path: &std::path::Path) -> Result<plumb_store::Key, OperatorError> {
    plumb_store::Key::from_file(path).map_err(|error| OperatorError::SecretFile { path: path.to_owned(), why: error.to_string() })
}

/// Returns random bytes. Without a source of them the process cannot even speak TLS, so the zeros are never used for long.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    bytes
}
