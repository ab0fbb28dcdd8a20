//! Owns the model of the outside: repositories with commits, targets with objects and inventories. No events, no time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use plumb_controller::core::{Declared, Kept, Listing, UnitNode};
use plumb_manifest::Digest;
use plumb_unit::{Drift, NodeKey, NodeKind, OnDelete, Policy, Revision, Revisions, SourceSpec, SyncMode, Target, Unit};

/// The root's identity.
pub(crate) const FROM: &str = "https://git.example.com/root.git//units@main";

/// Numbers from a seed, for the model only.
#[derive(Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound.max(1)
    }

    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True so many times in a hundred.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        if of.is_empty() { None } else { of.get(usize::try_from(self.below(of.len() as u64)).unwrap_or(0)).cloned() }
    }
}

pub(crate) fn source(repo: usize) -> NodeKey {
    NodeKey { installation: "sim".into(), kind: NodeKind::Source, namespace: "".into(), name: format!("repo{repo}@main").into() }
}

pub(crate) fn root() -> NodeKey {
    NodeKey { installation: "sim".into(), kind: NodeKind::Generator, namespace: "".into(), name: "root".into() }
}

/// What a unit is, as its root file says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decl {
    pub(crate) repo: usize,
    pub(crate) target: &'static str,
    pub(crate) depends: Vec<NodeKey>,
    pub(crate) manual: bool,
    pub(crate) drift: Drift,
    pub(crate) on_delete: OnDelete,
    pub(crate) interval_ms: u64,
    pub(crate) version: u64,
}

impl Decl {
    pub(crate) fn new(repo: usize) -> Self {
        Self {
            repo,
            target: "a",
            depends: Vec::new(),
            manual: false,
            drift: Drift::Revert,
            on_delete: OnDelete::Delete,
            interval_ms: 600_000,
            version: 0,
        }
    }

    pub(crate) fn lower(&self, key: &NodeKey) -> Declared {
        let policy = Policy {
            sync: if self.manual { SyncMode::Manual } else { SyncMode::Automatic },
            drift: self.drift,
            on_delete: self.on_delete,
            interval: Duration::from_millis(self.interval_ms),
            ..Policy::standard()
        };
        let unit = Unit {
            key: key.clone(),
            sources: BTreeMap::<Arc<str>, SourceSpec>::new(),
            build: Vec::new(),
            target: Target { cluster: self.target.into(), namespace: None, create_namespace: false, service_account: None },
            depends_on: self.depends.clone(),
            policy,
            declared_at: "units.yaml:1:1".into(),
            digest: Digest::of(format!("{self:?}").as_bytes()),
        };
        Declared::Unit(UnitNode { unit: Arc::new(unit), sources: BTreeMap::from([("main".into(), source(self.repo))]) })
    }
}

/// What a unit's files say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Files {
    /// Name → content. A name that begins with `p` is of a kind whose loss takes data along.
    pub(crate) objects: BTreeMap<String, u64>,
    /// They do not parse.
    pub(crate) broken: bool,
    /// What they make never becomes healthy.
    pub(crate) ill: bool,
    /// They kill the process that builds them.
    pub(crate) poison: bool,
}

/// One commit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commit {
    pub(crate) files: BTreeMap<NodeKey, Files>,
    pub(crate) units: BTreeMap<NodeKey, Decl>,
    /// Root entries that do not parse.
    pub(crate) unparsed: BTreeSet<NodeKey>,
}

/// One repository at one ref.
#[derive(Clone, Debug)]
pub(crate) struct Repo {
    pub(crate) commits: Vec<Commit>,
    pub(crate) head: usize,
    pub(crate) up: bool,
}

impl Repo {
    pub(crate) fn new() -> Self {
        Self { commits: vec![Commit::default()], head: 0, up: true }
    }

    pub(crate) fn revision(&self, commit: usize) -> Revision {
        Revision { reference: "main".into(), commit: format!("{commit:040x}") }
    }

    pub(crate) fn at(&self, revision: &Revision) -> &Commit {
        &self.commits[usize::from_str_radix(&revision.commit, 16).expect("the model makes its own ids")]
    }
}

/// One live object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Live {
    pub(crate) owner: NodeKey,
    pub(crate) content: u64,
    pub(crate) uid: u64,
}

/// What survives the process, of one unit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Persisted {
    pub(crate) inventory: BTreeSet<String>,
    pub(crate) kept: Kept,
    pub(crate) synced: Option<Revisions>,
    pub(crate) unit: Option<Digest>,
    pub(crate) crashes: u32,
    pub(crate) target: &'static str,
    pub(crate) on_delete: Option<OnDelete>,
}

/// One target.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) up: bool,
    pub(crate) objects: BTreeMap<String, Live>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { up: true, objects: BTreeMap::new() }
    }
}

/// What a build made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Made {
    pub(crate) objects: BTreeMap<String, u64>,
    pub(crate) ill: bool,
}

/// Everything but the process.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) repos: Vec<Repo>,
    pub(crate) places: BTreeMap<&'static str, Place>,
    pub(crate) persisted: BTreeMap<NodeKey, Persisted>,
    pub(crate) epoch: u64,
    pub(crate) next_uid: u64,
}

impl World {
    pub(crate) fn new(repos: usize) -> Self {
        Self {
            repos: (0..repos).map(|_| Repo::new()).collect(),
            places: BTreeMap::from([("a", Place::new()), ("b", Place::new())]),
            persisted: BTreeMap::new(),
            epoch: 1,
            next_uid: 0,
        }
    }

    /// Adds a commit on top of the head.
    pub(crate) fn commit(&mut self, repo: usize, edit: impl FnOnce(&mut Commit)) {
        let repo = &mut self.repos[repo];
        let mut commit = repo.commits[repo.head].clone();
        edit(&mut commit);
        repo.commits.push(commit);
        repo.head = repo.commits.len() - 1;
    }

    pub(crate) fn listing(&self, revision: &Revision) -> Listing {
        let commit = self.repos[0].at(revision);
        let parsed = commit.units.iter().filter(|(key, _)| !commit.unparsed.contains(*key));
        Listing {
            from: FROM.into(),
            units: parsed.map(|(key, decl)| (key.clone(), decl.lower(key))).collect(),
            complete: commit.unparsed.is_empty(),
            problems: commit.unparsed.iter().map(|key| format!("units/{key}.yaml does not parse")).collect(),
        }
    }

    /// What the heads of all repositories say that a unit should have.
    pub(crate) fn desired(&self, key: &NodeKey) -> Option<(&Decl, &Files)> {
        let decl = self.repos[0].commits[self.repos[0].head].units.get(key)?;
        let repo = &self.repos[decl.repo];
        Some((decl, repo.commits[repo.head].files.get(key)?))
    }
}
