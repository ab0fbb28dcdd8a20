//! Owns sources: which repositories there are and who opens them, their newest snapshots, who reads what changed, and reading roots.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plumb_build::{SourceTree, report};
use plumb_dialect::native::{RootSpec, lower_root};
use plumb_source::{Cache, CacheOptions, FetchClass, FetchError, FetchOptions, ReadSet, Snapshot, SnapshotWorld, TreeDiff};
use plumb_unit::{
    ChartRepository, ChartSource, ChartVersion, CommitInfo, Credentials, GitRef, GitSource, Node, NodeKey, NodeKind, Remote, Revision,
    Revisions, Unit,
};
use plumb_world::{FileTable, RelPath, Severity};
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::core::{Class, Declared, EffectId, End, Event, Failure, Listing, Readers, UnitNode};
use crate::credentials::{self, CredentialsFile};

/// How long one fetch may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(120);
/// How many snapshots of one source are held beside the newest: those that builds under way and comparisons still need.
const HELD_SNAPSHOTS: usize = 4;

/// Which repositories of this machine a process may read: whoever writes a root must not thereby reach what runs here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// None: all roots are elsewhere.
    Elsewhere,
    /// Those that a server here hands out: a root is one of them.
    Servers,
    /// Those on its disk too: a root is one of them.
    Files,
}

impl Reach {
    /// Returns what roots may bring in.
    pub(crate) fn of<'r>(roots: impl Iterator<Item = &'r RootSpec>) -> Self {
        let reach = |root: &RootSpec| match root.source.url.as_str() {
            url if url.starts_with("file://") => Self::Files,
            url if plumb_source::is_of_this_machine(url) => Self::Servers,
            _ => Self::Elsewhere,
        };
        roots.map(reach).max().unwrap_or(Self::Elsewhere)
    }
}

/// What a build read of each of its sources.
pub(crate) type Reads = BTreeMap<Arc<str>, ReadSet>;

/// All sources.
pub(crate) struct Sources {
    cache: Cache,
    credentials: CredentialsFile,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<NodeKey, Entry>,
    roots: BTreeMap<NodeKey, RootSpec>,
}

struct Entry {
    remote: Remote,
    /// The namespace in which its credentials are looked up.
    namespace: Arc<str>,
    snapshots: Vec<Snapshot>,
}

/// Returns what a source's revisions are revisions of, never with credentials: a Git repository at a ref, a chart in whatever
/// range. Only a later revision of the same is evidence for what is gone; a chart's range moves on as a branch does.
pub(crate) fn identity(remote: &Remote) -> String {
    match remote {
        Remote::Git(GitSource { url, reference, .. }) => match reference {
            GitRef::Default => url.clone(),
            GitRef::Branch(name) => format!("{url}@branch:{name}"),
            GitRef::Tag(name) => format!("{url}@tag:{name}"),
            GitRef::Commit(id) => format!("{url}@commit:{id}"),
        },
        Remote::Chart(ChartSource { repository, .. }) => match repository {
            ChartRepository::Http { url, chart } => format!("{}#{chart}", url.trim_end_matches('/')),
            ChartRepository::Oci { url, .. } => url.trim_end_matches('/').to_owned(),
        },
    }
}

/// Returns what a source is called: two with one name are fetched as one.
fn name(remote: &Remote) -> String {
    let identity = identity(remote);
    let Remote::Chart(ChartSource { repository, version, .. }) = remote else { return identity };
    let insecure = if matches!(repository, ChartRepository::Oci { insecure: true, .. }) { " (insecure)" } else { "" };
    let wanted = match version {
        ChartVersion::Range(range) if range.is_empty() => String::new(),
        ChartVersion::Range(range) => format!("@{range}"),
        ChartVersion::Tag(tag) => format!("@tag:{tag}"),
        ChartVersion::Digest(digest) => format!("@{digest}"),
    };
    format!("{identity}{wanted}{insecure}")
}

impl Sources {
    /// Which repositories of this machine may be read is what the roots are.
    pub(crate) fn open(folder: &Path, reach: Reach, credentials: CredentialsFile) -> Result<Self, FetchError> {
        let local_repositories = reach == Reach::Files;
        let options = CacheOptions { local_repositories, loopback: reach != Reach::Elsewhere, ..CacheOptions::default() };
        Ok(Self { cache: Cache::open(folder, options)?, credentials, state: Mutex::default() })
    }

    /// Returns the node of a source as seen with a namespace's credentials, and remembers it.
    fn declare(&self, installation: &Arc<str>, namespace: &Arc<str>, remote: impl Into<Remote>) -> NodeKey {
        let remote: Remote = remote.into();
        // Units without credentials share what everybody may read; with credentials a namespace shares only with itself.
        let access = remote.secret().map(|secret| format!("#{namespace}/{}", secret.name)).unwrap_or_default();
        let name = format!("{}{access}", name(&remote));
        let key = NodeKey { installation: Arc::clone(installation), kind: NodeKind::Source, namespace: "".into(), name: name.into() };
        let entry = || Entry { remote: remote.whole(), namespace: Arc::clone(namespace), snapshots: Vec::new() };
        self.state().entries.entry(key.clone()).or_insert_with(entry);
        key
    }

    /// Remembers a root and returns the source it is read from.
    pub(crate) fn declare_root(&self, generator: NodeKey, root: &RootSpec) -> NodeKey {
        let source = self.declare(&root.installation, &"".into(), &root.source);
        self.state().roots.insert(generator, root.clone());
        source
    }

    pub(crate) fn forget(&self, node: &NodeKey) {
        let mut state = self.state();
        state.entries.remove(node);
        state.roots.remove(node);
    }

    /// Returns the source nodes whose repository has this URL in the eyes of the caller.
    pub(crate) fn select(&self, is: impl Fn(&str) -> bool) -> Vec<NodeKey> {
        self.state().entries.iter().filter(|(_, entry)| is(entry.remote.url())).map(|(key, _)| key.clone()).collect()
    }

    /// Returns the words of a commit that is held; a chart has none.
    pub(crate) fn commit(&self, source: &NodeKey, revision: &Revision) -> Option<CommitInfo> {
        if matches!(self.state().entries.get(source)?.remote, Remote::Chart(_)) {
            return None;
        }
        self.snapshot(source, revision).map(|snapshot| snapshot.commit().clone())
    }

    fn snapshot(&self, source: &NodeKey, revision: &Revision) -> Option<Snapshot> {
        self.state().entries.get(source)?.snapshots.iter().rev().find(|snapshot| snapshot.revision().commit == revision.commit).cloned()
    }

    /// Returns the world in which a unit is built at these revisions.
    pub(crate) fn world(&self, unit: &Unit, sources: &BTreeMap<Arc<str>, NodeKey>, revisions: &Revisions) -> Result<UnitWorld, Failure> {
        let mut trees = BTreeMap::new();
        let mut world = SnapshotWorld::new();
        for (alias, spec) in &unit.sources {
            let (Some(_), Some(revision), Some(node)) = (spec.remote(), revisions.get(alias), sources.get(alias)) else {
                return Err(Failure::new(Class::Input, format!("source `{alias}` has no revision")));
            };
            let snapshot = self
                .snapshot(node, revision)
                .ok_or_else(|| Failure::new(Class::Transient, format!("revision {revision} of source `{alias}` is not held any more")))?;
            // The path at which the source starts is the build's to add: a link may lead out of it, though not out of the repository.
            let tree = world.add(snapshot, RelPath::root());
            trees.insert(Arc::clone(alias), SourceTree { tree, revision: revision.to_string().into() });
        }
        Ok(UnitWorld { world, trees })
    }

    fn hold(&self, node: &NodeKey, snapshot: Snapshot) {
        if let Some(entry) = self.state().entries.get_mut(node) {
            entry.snapshots.retain(|held| held.revision().commit != snapshot.revision().commit);
            entry.snapshots.push(snapshot);
            let extra = entry.snapshots.len().saturating_sub(HELD_SNAPSHOTS + 1);
            entry.snapshots.drain(..extra);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The trees of one unit, and what is read of them.
pub(crate) struct UnitWorld {
    pub(crate) world: SnapshotWorld,
    pub(crate) trees: BTreeMap<Arc<str>, SourceTree>,
}

impl UnitWorld {
    /// Returns what was read.
    pub(crate) fn finish(self) -> Reads {
        let mut reads = self.world.into_reads();
        self.trees.into_iter().filter_map(|(alias, tree)| Some((alias, reads.remove(&tree.tree)?))).collect()
    }
}

/// Asks a source for its revision and brings it here; ends in [`Event::Fetched`].
pub(crate) async fn fetch(shared: Arc<Shared>, effect: EffectId, node: NodeKey, stop: CancellationToken) {
    let end = match attempt(&shared, &node, &stop).await {
        Ok(revision) => End::Done(revision),
        Err(_) if stop.is_cancelled() => End::Stopped,
        Err(failure) => End::Failed(failure),
    };
    shared.counters.fetched();
    shared.tell(Event::Fetched(effect, end));
}

async fn attempt(shared: &Arc<Shared>, node: &NodeKey, stop: &CancellationToken) -> Result<Revision, Failure> {
    let found = shared.sources.state().entries.get(node).map(|entry| (entry.remote.clone(), Arc::clone(&entry.namespace)));
    let (remote, namespace) = found.ok_or_else(|| Failure::new(Class::Input, format!("source {node} is not declared")))?;
    let credentials = credentials(shared, &remote, &namespace).await?;
    let options = FetchOptions { timeout: FETCH_TIMEOUT, ..FetchOptions::default() };
    let (work, interrupt) = (Arc::clone(shared), Arc::clone(&options.interrupt));
    let nothing_known = shared.sources.state().entries.get(node).is_some_and(|entry| entry.snapshots.is_empty());
    let fetching = tokio::task::spawn_blocking(move || {
        let cache = &work.sources.cache;
        cache.fetch(&remote, credentials.as_ref(), &options).map_err(|error| {
            // Who was shown a revision once keeps it while the server is away, not once it says no.
            let may_recall = nothing_known && !matches!(plumb_source::classify(&error), FetchClass::Denied | FetchClass::Invalid);
            let last = may_recall.then(|| cache.last(&cache.key(&remote, credentials.as_ref()).ok()?)).flatten();
            (error, last)
        })
    });
    let fetched = tokio::select! {
        fetched = fetching => fetched,
        () = stop.cancelled() => {
            interrupt.store(true, Ordering::Relaxed);
            return Err(Failure::new(Class::Transient, "the fetch was stopped"));
        }
    };
    let snapshot = match fetched.map_err(|error| Failure::new(Class::Transient, error.to_string()))? {
        Ok(fetched) => fetched.snapshot,
        Err((error, last)) => {
            if let Some(last) = last {
                let revision = last.revision().clone();
                tracing::warn!(source = %node, "cannot be read; going on with {revision}, which was read last: {error}");
                shared.sources.hold(node, last);
                shared.tell(Event::Recalled(node.clone(), revision));
            }
            return Err(failure(&error));
        }
    };
    let revision = snapshot.revision().clone();
    shared.sources.hold(node, snapshot);
    Ok(revision)
}

fn failure(error: &FetchError) -> Failure {
    let class = match plumb_source::classify(error) {
        FetchClass::Denied => Class::Denied,
        FetchClass::Unavailable => Class::Unreachable,
        FetchClass::Invalid => Class::Input,
        // A branch that is gone may be pushed again any moment, and so may what was malformed.
        FetchClass::Absent | FetchClass::Refused | FetchClass::Interrupted | FetchClass::Local => Class::Transient,
    };
    Failure::new(class, error.to_string())
}

/// Looks credentials up in the file, then among the Secrets of the default cluster, in the unit's own namespace only.
async fn credentials(shared: &Shared, remote: &Remote, namespace: &str) -> Result<Option<Credentials>, Failure> {
    let Some(secret) = remote.secret() else { return Ok(None) };
    let name = if namespace.is_empty() { secret.name.clone() } else { format!("{namespace}/{}", secret.name) };
    if let Some(found) = shared.sources.credentials.get(&name) {
        return Ok(Some(found.clone()));
    }
    let missing =
        || Failure::new(Class::Denied, format!("there are no credentials `{name}`, neither in the credentials file nor as a Secret"));
    let default = shared
        .targets
        .names()
        .first()
        .and_then(|cluster| shared.targets.get(cluster))
        .filter(|_| !namespace.is_empty())
        .ok_or_else(missing)?;
    let data = default.cluster.secret(namespace, &secret.name).await.map_err(|error| super::failure(&error))?;
    Ok(Some(credentials::from_secret(&data.ok_or_else(missing)?)))
}

/// Says who may read what differs between two revisions; ends in [`Event::Affected`].
pub(crate) async fn who_reads(shared: Arc<Shared>, effect: EffectId, node: NodeKey, old: Revision, new: Revision) {
    let work = Arc::clone(&shared);
    let found = tokio::task::spawn_blocking(move || readers(&work, &node, &old, &new)).await;
    shared.tell(Event::Affected(effect, End::Done(found.unwrap_or(Readers::All))));
}

fn readers(shared: &Shared, node: &NodeKey, old: &Revision, new: &Revision) -> Readers {
    let (Some(old), Some(new)) = (shared.sources.snapshot(node, old), shared.sources.snapshot(node, new)) else { return Readers::All };
    let diff = TreeDiff::between(&old, &new);
    if diff.is_everything() {
        return Readers::All;
    }
    let mut found: BTreeSet<NodeKey> = shared
        .units
        .select(|unit, memory| {
            let declared = memory.node.as_ref()?;
            let mut uses = declared.sources.iter().filter(|(_, source)| *source == node).peekable();
            uses.peek()?;
            // Before the first build nobody knows what a unit reads.
            let Some(reads) = &memory.reads else { return Some(unit.clone()) };
            let touched =
                uses.any(|(alias, _)| reads.get(alias).is_none_or(|reads| reads.may_be_touched_by(&diff) && reads.touched_by(&new)));
            touched.then(|| unit.clone())
        })
        .into_iter()
        .collect();
    let state = shared.sources.state();
    found.extend(
        state.roots.iter().filter(|(_, root)| diff.paths().any(|path| path.starts_with(&root.source.path))).map(|(key, _)| key.clone()),
    );
    Readers::Some(found)
}

/// Reads the units that a root lists; ends in [`Event::Generated`].
pub(crate) async fn generate(shared: Arc<Shared>, effect: EffectId, node: NodeKey, revision: Revision) {
    let work = Arc::clone(&shared);
    let end = match tokio::task::spawn_blocking(move || list(&work, &node, &revision)).await {
        Ok(Ok(listing)) => End::Done(listing),
        Ok(Err(failure)) => End::Failed(failure),
        Err(error) => {
            End::Failed(Failure::new(Class::Input, format!("reading a root ended in a bug of Plumb's, please report it: {error}")))
        }
    };
    shared.tell(Event::Generated(effect, end));
}

fn list(shared: &Arc<Shared>, node: &NodeKey, revision: &Revision) -> Result<Listing, Failure> {
    let root = shared
        .sources
        .state()
        .roots
        .get(node)
        .cloned()
        .ok_or_else(|| Failure::new(Class::Input, format!("root {node} is not declared")))?;
    let source = shared.sources.declare(&root.installation, &"".into(), &root.source);
    let snapshot = shared
        .sources
        .snapshot(&source, revision)
        .ok_or_else(|| Failure::new(Class::Transient, format!("revision {revision} of the root is not held any more")))?;
    let mut world = SnapshotWorld::new();
    let tree = world.add(snapshot, RelPath::root());
    let mut files = FileTable::default();
    let lowered = lower_root(&world, tree, &root, &revision.to_string(), &mut files)
        .map_err(|error| Failure::new(Class::Transient, error.to_string()))?;
    let problems: Vec<String> = lowered
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .map(|diagnostic| report::line(diagnostic, &files))
        .collect();
    for problem in &problems {
        tracing::warn!(%root, "{problem}");
    }
    let mut units = BTreeMap::new();
    for (key, lowered) in lowered.nodes {
        units.insert(key.clone(), declare_unit(shared, &root, key, lowered));
    }
    for key in lowered.uncertain {
        // Declared with a mistake: it stays what it was, which is not the same as being gone.
        let before = shared.units.read(&key, |memory| memory.node.clone()).flatten();
        if let Some(before) = before {
            units.insert(key, Declared::Unit(before));
        }
    }
    Ok(Listing { from: root.to_string().into(), units, complete: lowered.complete, problems })
}

fn declare_unit(shared: &Arc<Shared>, root: &RootSpec, key: NodeKey, node: Node) -> Declared {
    match node {
        Node::Unit(mut unit) => {
            // The core knows targets by their registered names only.
            match shared.targets.name(&unit.target.cluster) {
                Some(name) => Arc::make_mut(&mut unit).target.cluster = name,
                None => {
                    return Declared::Stalled { reasons: vec![super::targets::unknown(shared, &unit.target.cluster).message.to_string()] };
                }
            }
            let sources: BTreeMap<Arc<str>, NodeKey> = unit
                .sources
                .iter()
                .filter_map(|(alias, spec)| {
                    let remote = spec.remote()?.whole();
                    // The root's own repository is read with the root's credentials, whatever the unit's namespace.
                    let own = remote == Remote::from(&root.source).whole();
                    let namespace = if own { "".into() } else { Arc::clone(&key.namespace) };
                    Some((Arc::clone(alias), shared.sources.declare(&root.installation, &namespace, remote)))
                })
                .collect();
            let declared = UnitNode { unit, sources };
            let from: Arc<str> = root.to_string().into();
            shared.units.with(&key, |memory| {
                memory.node = Some(declared.clone());
                memory.beside.declared_from = Some(from);
            });
            Declared::Unit(declared)
        }
        Node::Stalled { reasons } => Declared::Stalled { reasons },
        Node::Source(_) => Declared::Stalled { reasons: vec!["a root declares units only".to_owned()] },
    }
}
