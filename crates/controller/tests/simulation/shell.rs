//! Owns a model of the shell: carries actions out against the model world in simulated time, and checks the core's promises
//! after each step. Effects take time, fail, race with their stops and die with the process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_controller::core::{
    Action, Class, Core, Declared, DriftSeen, EffectId, End, Ended, Entry, Event, Facts, Failure, Gate, HoldHead, Limits, Ms, Observation, Order, PlanHead,
    PrunePermission, Readers, Request, RequestId, Settled, ShardId, Stage, Status, SyncKind, SyncOrder, Want, Why, Withheld, Work,
};
use plumb_manifest::Digest;
use plumb_plan::{HealthStatus, HoldKind};
use plumb_unit::{Drift, NodeKey, NodeKind, OnDelete, Revision};

use crate::model::{Dice, FROM, Files, Live, Made, World, root, source};

/// How the model behaves.
#[derive(Clone)]
pub(crate) struct Manner {
    pub(crate) limits: Limits,
    pub(crate) fetch_ms: (u64, u64),
    pub(crate) build_ms: (u64, u64),
    pub(crate) write_ms: (u64, u64),
    pub(crate) wait_ms: (u64, u64),
    pub(crate) timeout_ms: u64,
    /// How often an effect fails for no reason, in a hundred.
    pub(crate) fails: u64,
    /// How often an answer is `All`, in a hundred.
    pub(crate) all: u64,
    /// How often an old event comes again, in a hundred.
    pub(crate) again: u64,
    pub(crate) log: bool,
    /// Print the log, too.
    pub(crate) tell: bool,
}

impl Manner {
    pub(crate) fn calm() -> Self {
        let limits = Limits { fetches: 4, builds: 2, builds_per_target: 2, syncs: 4, syncs_per_target: 3, ..Limits::standard() };
        Self {
            limits,
            fetch_ms: (20, 20),
            build_ms: (5, 5),
            write_ms: (2, 2),
            wait_ms: (10, 10),
            timeout_ms: 300_000,
            fails: 0,
            all: 0,
            again: 0,
            log: false,
            tell: false,
        }
    }
}

enum Job {
    Fetch,
    WhoReads(Revision, Revision),
    Generate(Revision),
    Build(Arc<Want>, bool),
    Sync(Box<Syncing>),
}

struct Syncing {
    order: SyncOrder,
    made: Made,
    writes: Vec<(String, u64)>,
    stage: u8,
    holding: bool,
    place: &'static str,
}

struct Effect {
    node: NodeKey,
    /// The target of its unit when it began.
    at: Option<&'static str>,
    token: u64,
    stop: bool,
    job: Job,
}

enum Due {
    Effect(EffectId, u64),
    Tick(Ms),
    Feed(Event),
    Restart,
}

/// A simulated installation.
pub(crate) struct Sim {
    pub(crate) world: World,
    pub(crate) dice: Dice,
    pub(crate) manner: Manner,
    pub(crate) now: Ms,
    core: Option<Core>,
    seed: u64,
    life: u64,
    agenda: BTreeMap<(Ms, u64), Due>,
    order: u64,
    effects: BTreeMap<EffectId, Effect>,
    made: BTreeMap<(NodeKey, u64), Made>,
    newest: BTreeMap<NodeKey, u64>,
    reached: BTreeMap<NodeKey, u64>,
    wake: Option<Ms>,
    lease: Option<u64>,
    restored: BTreeSet<&'static str>,
    reach: BTreeMap<&'static str, bool>,
    known: BTreeMap<NodeKey, Revision>,
    listed: Option<Revision>,
    pub(crate) statuses: BTreeMap<NodeKey, Status>,
    pub(crate) requests: BTreeMap<RequestId, (NodeKey, Option<Ended>)>,
    asked: u64,
    stops: BTreeMap<NodeKey, u32>,
    ordered: BTreeMap<NodeKey, RequestId>,
    past: Vec<Event>,
    pub(crate) log: Vec<String>,
    pub(crate) builds: BTreeMap<NodeKey, u32>,
    pub(crate) fetches: u32,
    pub(crate) syncs: Vec<(Ms, NodeKey, SyncKind)>,
    pub(crate) finished: Vec<(Ms, NodeKey, SyncKind, bool)>,
    pub(crate) steps: u64,
    pub(crate) restarts: u64,
    pub(crate) deletions: u64,
}

impl Sim {
    pub(crate) fn new(world: World, manner: Manner, seed: u64) -> Self {
        let mut sim = Self {
            world,
            dice: Dice::new(seed),
            manner,
            now: 1_000_000,
            core: None,
            seed,
            life: 0,
            agenda: BTreeMap::new(),
            order: 0,
            effects: BTreeMap::new(),
            made: BTreeMap::new(),
            newest: BTreeMap::new(),
            reached: BTreeMap::new(),
            wake: None,
            lease: None,
            restored: BTreeSet::new(),
            reach: BTreeMap::new(),
            known: BTreeMap::new(),
            listed: None,
            statuses: BTreeMap::new(),
            requests: BTreeMap::new(),
            asked: 0,
            stops: BTreeMap::new(),
            ordered: BTreeMap::new(),
            past: Vec::new(),
            log: Vec::new(),
            builds: BTreeMap::new(),
            fetches: 0,
            syncs: Vec::new(),
            finished: Vec::new(),
            steps: 0,
            restarts: 0,
            deletions: 0,
        };
        sim.start();
        sim
    }

    // What a story does.

    pub(crate) fn core(&self) -> &Core {
        self.core.as_ref().expect("the process runs")
    }

    pub(crate) fn alive(&self) -> bool {
        self.core.is_some()
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, ms: Ms) {
        let until = self.now + ms;
        while let Some((&(at, _), _)) = self.agenda.first_key_value() {
            if at > until {
                break;
            }
            let Some(((at, _), due)) = self.agenda.pop_first() else { break };
            self.now = self.now.max(at);
            self.happen(due);
        }
        self.now = until;
    }

    pub(crate) fn push(&mut self, repo: usize) {
        self.feed(Event::Pushed(source(repo)));
    }

    pub(crate) fn request(&mut self, node: &NodeKey, order: Order) -> RequestId {
        let id = RequestId(format!("r{}", self.asked).into());
        self.asked += 1;
        let request = Request { id: id.clone(), by: "ada".into(), reason: "a test".into(), order };
        if self.alive() {
            match request.order {
                Order::Delete => {
                    self.ordered.insert(node.clone(), id.clone());
                }
                Order::Resume => {
                    self.ordered.remove(node);
                }
                _ => {}
            }
            self.requests.insert(id.clone(), (node.clone(), None));
            self.feed(Event::Request(node.clone(), request.clone()));
            if self.dice.percent(self.manner.again) {
                self.feed(Event::Request(node.clone(), request));
            }
        }
        id
    }

    pub(crate) fn ended(&self, id: &RequestId) -> Option<&Ended> {
        self.requests.get(id).and_then(|(_, end)| end.as_ref())
    }

    /// Somebody changes a live object of the unit behind everybody's back.
    pub(crate) fn drift(&mut self, key: &NodeKey, watched: bool) {
        let Some(persisted) = self.world.persisted.get(key) else { return };
        let name = persisted.target;
        let Some(place) = self.world.places.get_mut(name) else { return };
        let Some(live) = place.objects.values_mut().find(|live| live.owner == *key) else { return };
        live.content += 1_000_000;
        if watched && self.reach.get(name) == Some(&true) {
            let drift = DriftSeen { summary: "1 field".into(), not_before: None };
            self.later(30, Due::Feed(Event::Observed(key.clone(), Observation { health: HealthStatus::Healthy, drift: Some(drift) })));
        }
    }

    /// The target goes down or comes back, and the shell finds out.
    pub(crate) fn set_place(&mut self, name: &'static str, up: bool, told: bool) {
        self.world.places.get_mut(name).expect("the place is there").up = up;
        if told && self.alive() {
            self.tell_reach(name, up);
        }
    }

    fn tell_reach(&mut self, name: &'static str, up: bool) {
        if up && self.restored.insert(name) {
            let units: Vec<NodeKey> = self.world.persisted.iter().filter(|(_, p)| p.target == name).map(|(key, _)| key.clone()).collect();
            for key in units {
                let facts = self.facts(&key);
                self.feed(Event::Restored(key, facts));
            }
        }
        self.reach.insert(name, up);
        self.feed(Event::Reach(name.into(), up));
    }

    fn facts(&self, key: &NodeKey) -> Facts {
        let p = &self.world.persisted[key];
        Facts {
            inventory: Digest::of(b""),
            owned: u32::try_from(p.inventory.len()).unwrap_or(u32::MAX),
            synced: p.synced.clone(),
            unit: p.unit,
            kept: p.kept.clone(),
            crashes: p.crashes,
            declared_from: Some(FROM.into()),
            target: p.target.into(),
            on_delete: p.on_delete.unwrap_or(OnDelete::Delete),
        }
    }

    /// Ends the process at once, and starts another one later.
    pub(crate) fn kill(&mut self, back_after_ms: Ms) {
        self.core = None;
        self.effects.clear();
        self.agenda.clear();
        self.made.clear();
        self.newest.clear();
        self.reached.clear();
        self.past.clear();
        self.stops.clear();
        self.statuses.clear();
        self.requests.retain(|_, (_, end)| end.is_some());
        self.later(back_after_ms, Due::Restart);
    }

    fn start(&mut self) {
        self.life += 1;
        self.core = Some(Core::new(self.manner.limits.clone(), self.seed ^ (self.life << 32)));
        (self.wake, self.lease, self.listed) = (None, None, None);
        self.restored.clear();
        self.reach.clear();
        self.known.clear();
        self.world.epoch += 1;
        let places: Vec<(&'static str, bool)> = self.world.places.iter().map(|(name, place)| (*name, place.up)).collect();
        let crashed: Vec<NodeKey> = self.world.persisted.iter().filter(|(_, p)| p.crashes > 0).map(|(key, _)| key.clone()).collect();
        for key in crashed {
            let facts = self.facts(&key); // the count of crashes does not lie in the target
            self.feed(Event::Restored(key, facts));
        }
        places.into_iter().for_each(|(name, up)| self.tell_reach(name, up));
        self.feed(Event::Put(root(), Declared::Generator { source: source(0) }));
        self.tell_lease(true);
    }

    /// The lease is lost to another process, or taken back.
    pub(crate) fn tell_lease(&mut self, held: bool) {
        self.world.epoch += 1;
        self.lease = held.then_some(self.world.epoch);
        self.feed(Event::Lease(ShardId(0), self.lease));
    }

    pub(crate) fn why(&self, key: &NodeKey) -> Why {
        self.core().why(key)
    }

    // Time.

    fn later(&mut self, ms: Ms, due: Due) {
        self.order += 1;
        self.agenda.insert((self.now + ms, self.order), due);
    }

    fn span(&mut self, (low, high): (u64, u64)) -> u64 {
        self.dice.between(low, high)
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Effect(id, token) => {
                if self.effects.get(&id).is_some_and(|effect| effect.token == token) {
                    self.progress(id);
                }
            }
            Due::Tick(at) if self.wake == Some(at) => self.feed(Event::Tick),
            Due::Tick(_) => {}
            Due::Feed(event) => self.feed(event),
            Due::Restart => {
                self.restarts += 1;
                self.start();
            }
        }
    }

    /// Gives an event to the core and does what it says.
    pub(crate) fn feed(&mut self, event: Event) {
        self.note(|| format!("{event:?}"));
        let mut out = Vec::new();
        let Some(core) = &mut self.core else { return };
        core.step(self.now, event.clone(), &mut out);
        self.steps += 1;
        for action in out {
            self.note(|| format!("→ {action:?}"));
            self.act(action);
        }
        self.check();
        if matches!(event, Event::Fetched(..) | Event::Affected(..) | Event::Built(..) | Event::Finished(..) | Event::Generated(..)) && self.manner.again > 0 {
            self.past.push(event);
            if self.dice.percent(self.manner.again) {
                let old = self.dice.pick(&self.past).expect("there is one");
                self.later(self.order % 5_000, Due::Feed(old));
            }
        }
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        if self.manner.log {
            let line = format!("{} {}", self.now, line());
            if self.manner.tell {
                println!("{line}");
            }
            self.log.push(line);
        }
    }

    // Actions.

    fn begin(&mut self, id: EffectId, node: &NodeKey, ms: Ms, job: Job) {
        assert!(!self.effects.contains_key(&id), "an effect's id is used once");
        let at = self.target_of(node).or_else(|| self.world.persisted.get(node).map(|persisted| persisted.target));
        self.effects.insert(id, Effect { node: node.clone(), at, token: 0, stop: false, job });
        self.again_in(id, ms);
    }

    fn again_in(&mut self, id: EffectId, ms: Ms) {
        self.order += 1;
        let token = self.order;
        if let Some(effect) = self.effects.get_mut(&id) {
            effect.token = token;
            self.agenda.insert((self.now + ms, self.order), Due::Effect(id, token));
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Fetch(id, node) => {
                self.fetches += 1;
                assert!(!self.effects.values().any(|e| e.node == node && !e.stop && matches!(e.job, Job::Fetch)), "one fetch per source at a time");
                let ms = self.span(self.manner.fetch_ms);
                self.begin(id, &node, ms, Job::Fetch);
            }
            Action::WhoReads(id, node, old, new) => self.begin(id, &node, 2, Job::WhoReads(old, new)),
            Action::Generate(id, node, revision) => self.begin(id, &node, 5, Job::Generate(revision)),
            Action::Build(id, node, want) => {
                *self.builds.entry(node.clone()).or_default() += 1;
                let busy = self.effects.values().any(|e| e.node == node && !e.stop && matches!(e.job, Job::Build(_, false)));
                assert!(!busy, "{node} is built once at a time");
                let ms = self.span(self.manner.build_ms);
                self.begin(id, &node, ms, Job::Build(want, false));
            }
            Action::DryRun(id, node, want, _) => {
                let ms = self.span(self.manner.build_ms);
                self.begin(id, &node, ms, Job::Build(want, true));
            }
            Action::Sync(order) => self.begin_sync(order),
            Action::Stop(id) => self.stop(id),
            Action::Keep(node, kept) => {
                let target = self.target_of(&node);
                let persisted = self.world.persisted.entry(node).or_default();
                persisted.kept = kept;
                persisted.target = target.unwrap_or(persisted.target);
            }
            Action::Record(node, entry) => self.record(&node, entry),
            Action::Reached(node, want) => {
                self.reached.insert(node, want.seq);
            }
            Action::Publish(node, status) => {
                self.statuses.insert(node, status);
            }
            Action::Forget(node) => {
                self.statuses.remove(&node);
                self.world.persisted.remove(&node);
                self.newest.remove(&node);
                self.reached.remove(&node);
                self.known.remove(&node);
            }
            Action::WakeAt(at) => {
                self.wake = Some(at);
                self.later(at.saturating_sub(self.now), Due::Tick(at));
            }
        }
    }

    fn record(&mut self, node: &NodeKey, entry: Entry) {
        match entry {
            Entry::RequestEnded { id, end, .. } => {
                let Some((of, slot)) = self.requests.get_mut(&id) else { panic!("request {id} ended, but nobody made it") };
                assert_eq!(of, node);
                assert!(slot.is_none(), "request {id} ended twice: {slot:?}, {end:?}");
                if matches!(end, Ended::Cancelled(_)) && self.ordered.get(node) == Some(&id) {
                    self.ordered.remove(node);
                }
                *slot = Some(end);
            }
            Entry::Synced { kind, end, .. } => {
                self.finished.push((self.now, node.clone(), kind, matches!(end, End::Done(_))));
                if !matches!(end, End::Stopped) {
                    self.stops.remove(node);
                }
            }
            Entry::BuildFailed { .. } | Entry::Stale { .. } | Entry::Removed => {}
        }
    }

    fn stop(&mut self, id: EffectId) {
        let Some(effect) = self.effects.get_mut(&id) else { return };
        assert!(!effect.stop, "an effect is stopped once");
        effect.stop = true;
        let node = effect.node.clone();
        if node.kind == NodeKind::Unit {
            *self.stops.entry(node).or_default() += 1;
        }
        let ms = self.dice.between(1, 40);
        self.again_in(id, ms);
    }

    fn target_of(&self, key: &NodeKey) -> Option<&'static str> {
        let name = self.core.as_ref()?.declared(key)?.unit.target.cluster.clone();
        self.world.places.keys().find(|place| ***place == *name).copied()
    }

    fn begin_sync(&mut self, order: SyncOrder) {
        let node = order.node.clone();
        assert!(!self.effects.values().any(|e| e.node == node && matches!(e.job, Job::Sync(_))), "{node} has two mutating effects");
        assert_eq!(Some(order.fence.epoch), self.lease, "a sync needs the lease that is held");
        let persisted = self.world.persisted.entry(node.clone()).or_default();
        assert!(persisted.kept.suspend.is_none(), "{node} is suspended");
        let stored = persisted.target;
        let place = order.want.unit.as_ref().and_then(|unit| self.world.places.keys().find(|name| ***name == *unit.target.cluster)).copied().unwrap_or(stored);
        if let Some(persisted) = self.world.persisted.get_mut(&node).filter(|persisted| persisted.target.is_empty()) {
            persisted.target = place;
        }
        let Some(made) = self.made.get(&(node.clone(), order.want.seq)).cloned() else {
            panic!("{node} is synced to want {} whose build is not kept", order.want.seq)
        };
        self.syncs.push((self.now, node.clone(), order.kind));
        self.check_deletes(&order, &made, place);
        let writes = made.objects.iter().map(|(name, content)| (name.clone(), *content)).rev().collect();
        let ms = self.span(self.manner.write_ms);
        let job = Job::Sync(Box::new(Syncing { made, writes, stage: 0, holding: true, place, order: order.clone() }));
        self.begin(order.effect, &node, ms, job);
    }

    // What effects come to.

    fn progress(&mut self, id: EffectId) {
        let Some(effect) = self.effects.get(&id) else { return };
        let stop = effect.stop;
        let stopped = stop && !self.dice.percent(20);
        let failed = self.dice.percent(self.manner.fails).then(|| Failure::new(Class::Transient, "bad luck"));
        let node = effect.node.clone();
        let event = match &effect.job {
            Job::Fetch if stopped => Event::Fetched(id, End::Stopped),
            Job::Fetch => {
                let end = self.fetch_end(&node, failed);
                Event::Fetched(id, end)
            }
            Job::WhoReads(old, new) => {
                let (old, new) = (old.clone(), new.clone());
                let end = if failed.is_some() { End::Failed(Failure::new(Class::Transient, "bad luck")) } else { End::Done(self.readers(&node, &old, &new)) };
                self.known.insert(node, new);
                Event::Affected(id, end)
            }
            Job::Generate(_) if stopped => Event::Generated(id, End::Stopped),
            Job::Generate(revision) => {
                let revision = revision.clone();
                match failed {
                    Some(failure) => Event::Generated(id, End::Failed(failure)),
                    None => {
                        if !stop {
                            self.listed = Some(revision.clone());
                        }
                        Event::Generated(id, End::Done(self.world.listing(&revision)))
                    }
                }
            }
            Job::Build(..) if stopped => Event::Built(id, End::Stopped),
            Job::Build(want, dry) => {
                let (want, dry) = (want.clone(), *dry);
                let Some(end) = self.build_end(&node, &want, dry, failed) else { return };
                Event::Built(id, end)
            }
            Job::Sync(_) => return self.sync_on(id, stopped, failed),
        };
        self.effects.remove(&id);
        self.feed(event);
    }

    fn repo_of(node: &NodeKey) -> usize {
        node.name.trim_start_matches("repo").split('@').next().and_then(|n| n.parse().ok()).unwrap_or(0)
    }

    fn fetch_end(&mut self, node: &NodeKey, failed: Option<Failure>) -> End<Revision> {
        let repo = &self.world.repos[Self::repo_of(node)];
        if !repo.up {
            return End::Failed(Failure::new(Class::Unreachable, "the repository does not answer"));
        }
        if let Some(failure) = failed {
            return End::Failed(failure);
        }
        let revision = repo.revision(repo.head);
        self.known.entry(node.clone()).or_insert_with(|| revision.clone());
        End::Done(revision)
    }

    fn readers(&mut self, node: &NodeKey, old: &Revision, new: &Revision) -> Readers {
        if self.dice.percent(self.manner.all) {
            return Readers::All;
        }
        let repo = Self::repo_of(node);
        let (old, new) = (self.world.repos[repo].at(old), self.world.repos[repo].at(new));
        let keys: BTreeSet<&NodeKey> = old.files.keys().chain(new.files.keys()).collect();
        let mut some: BTreeSet<NodeKey> = keys.into_iter().filter(|key| old.files.get(*key) != new.files.get(*key)).cloned().collect();
        if repo == 0 && (old.units != new.units || old.unparsed != new.unparsed) {
            some.insert(root());
        }
        Readers::Some(some)
    }

    fn files(&self, node: &NodeKey, want: &Want) -> Option<Files> {
        let spec = self.core.as_ref()?.declared(node)?;
        let repo = Self::repo_of(spec.sources.get("main")?);
        self.world.repos[repo].at(want.revisions.get("main")?).files.get(node).cloned()
    }

    fn build_end(&mut self, node: &NodeKey, want: &Want, dry: bool, failed: Option<Failure>) -> Option<End<PlanHead>> {
        if let Some(failure) = failed {
            return Some(End::Failed(failure));
        }
        let made = if want.delete {
            Made::default()
        } else {
            let Some(files) = self.files(node, want) else {
                return Some(End::Failed(Failure::new(Class::Input, "the folder is not there")));
            };
            if files.poison {
                self.world.persisted.entry(node.clone()).or_default().crashes += 1;
                let target = self.target_of(node);
                if let Some(persisted) = self.world.persisted.get_mut(node) {
                    persisted.target = target.unwrap_or(persisted.target);
                }
                self.kill(3_000);
                return None;
            }
            if files.broken {
                return Some(End::Failed(Failure::new(Class::Input, "deploy.yaml:3:1: does not parse")));
            }
            Made { objects: files.objects, ill: files.ill }
        };
        let head = self.head(node, want, &made);
        if !dry {
            self.newest.insert(node.clone(), want.seq);
            self.made.insert((node.clone(), want.seq), made);
            self.drop_builds(node);
        }
        Some(End::Done(head))
    }

    /// Keeps what a shell has to keep: the newest build, the one reached, the one being synced.
    fn drop_builds(&mut self, node: &NodeKey) {
        let running = self.effects.values().find_map(|e| match &e.job {
            Job::Sync(syncing) if e.node == *node => Some(syncing.order.want.seq),
            _ => None,
        });
        let (newest, reached) = (self.newest.get(node).copied(), self.reached.get(node).copied());
        self.made.retain(|(key, seq), _| key != node || Some(*seq) == newest || Some(*seq) == reached || Some(*seq) == running);
    }

    fn head(&self, node: &NodeKey, want: &Want, made: &Made) -> PlanHead {
        let stored = self.world.persisted.get(node);
        let place = want.unit.as_ref().map_or_else(|| stored.map_or("a", |p| p.target).to_owned(), |unit| unit.target.cluster.to_string());
        let objects = &self.world.places[place.as_str()].objects;
        let differs = |(name, content): &(&String, &u64)| objects.get(*name).is_none_or(|live| live.owner != *node || live.content != **content);
        let deletes = self.candidates(node, made, &place, want.delete);
        let holds = deletes.iter().filter(|name| name.starts_with('p')).count();
        let holds = (holds > 0).then(|| HoldHead { kind: HoldKind::Prune, reason: "data goes with it".into(), objects: holds as u32 });
        PlanHead {
            content: Digest::of(format!("{:?} {}", made.objects, made.ill).as_bytes()),
            digest: self.digest(&deletes, &place),
            changes: made.objects.iter().filter(differs).count() as u32,
            deletes: deletes.len() as u32,
            owned: stored.map_or(0, |p| p.inventory.len()) as u32,
            holds: holds.into_iter().collect(),
        }
    }

    fn digest(&self, names: &BTreeSet<String>, place: &str) -> Digest {
        let uids: Vec<Option<u64>> = names.iter().map(|name| self.world.places[place].objects.get(name).map(|live| live.uid)).collect();
        Digest::of(format!("{names:?} {uids:?}").as_bytes())
    }

    /// What the unit owns and the build does not name, without what another unit's newest build names.
    fn candidates(&self, node: &NodeKey, made: &Made, place: &str, delete: bool) -> BTreeSet<String> {
        let Some(persisted) = self.world.persisted.get(node) else { return BTreeSet::new() };
        if delete && persisted.on_delete == Some(OnDelete::Orphan) {
            return BTreeSet::new();
        }
        let mine = |name: &String| self.world.places[place].objects.get(name).is_some_and(|live| live.owner == *node);
        let gone = persisted.inventory.iter().filter(|name| !made.objects.contains_key(*name) && mine(name));
        gone.filter(|name| !self.claimed(node, name, place)).cloned().collect()
    }

    /// What the unit still owns and another one is about to take over.
    fn bequeathed(&self, node: &NodeKey, made: &Made, place: &str) -> BTreeSet<String> {
        let Some(persisted) = self.world.persisted.get(node) else { return BTreeSet::new() };
        let mine = |name: &String| self.world.places[place].objects.get(name).is_some_and(|live| live.owner == *node);
        let gone = persisted.inventory.iter().filter(|name| !made.objects.contains_key(*name) && mine(name));
        gone.filter(|name| self.claimed(node, name, place)).cloned().collect()
    }

    fn claimed(&self, node: &NodeKey, name: &str, place: &str) -> bool {
        self.newest.iter().any(|(other, seq)| {
            let names = self.made.get(&(other.clone(), *seq)).is_some_and(|made| made.objects.contains_key(name));
            other != node && names && self.target_of(other) == Some(place)
        })
    }

    fn sync_on(&mut self, id: EffectId, stopped: bool, failed: Option<Failure>) {
        let Some(effect) = self.effects.get_mut(&id) else { return };
        let (node, stop) = (effect.node.clone(), effect.stop);
        let Job::Sync(syncing) = &mut effect.job else { return };
        if stop && (stopped || syncing.stage < 2) {
            return self.sync_end(id, End::Stopped);
        }
        let (place, epoch) = (syncing.place, syncing.order.fence.epoch);
        if !self.world.places[place].up {
            return self.sync_end(id, End::Failed(Failure::new(Class::Unreachable, "the target does not answer")));
        }
        if epoch != self.world.epoch {
            return self.sync_end(id, End::Failed(Failure::new(Class::Transient, "the lease was lost")));
        }
        if let Some(failure) = failed {
            return self.sync_end(id, End::Failed(failure));
        }
        match syncing.stage {
            0 => {
                if let Some((name, content)) = syncing.writes.pop() {
                    if let Err(failure) = self.write(id, &node, place, &name, content) {
                        return self.sync_end(id, End::Failed(failure));
                    }
                    let ms = self.span(self.manner.write_ms);
                    return self.again_in(id, ms);
                }
                syncing.stage = 1;
                syncing.holding = false;
                let ms = if syncing.made.ill { self.manner.timeout_ms } else { self.span(self.manner.wait_ms) };
                self.again_in(id, ms);
                self.feed(Event::Stage(id, Stage::Wait));
            }
            1 if syncing.made.ill => self.sync_end(id, End::Failed(Failure::new(Class::Unhealthy, "Deployment team/web is not available"))),
            _ => {
                let settled = self.prune(id, &node, place);
                self.sync_end(id, End::Done(settled));
            }
        }
    }

    fn write(&mut self, id: EffectId, node: &NodeKey, place: &str, name: &str, content: u64) -> Result<(), Failure> {
        let Some(Effect { job: Job::Sync(syncing), .. }) = self.effects.get(&id) else { return Ok(()) };
        let (kind, names) = (syncing.order.kind, syncing.made.objects.keys().cloned().collect::<Vec<_>>());
        let unit = syncing.order.want.unit.clone();
        let keeps = unit.as_ref().is_some_and(|unit| unit.policy.drift != Drift::Revert) && kind != SyncKind::Apply;
        let owner = self.world.places[place].objects.get(name).map(|live| live.owner.clone());
        if let Some(other) = owner.filter(|owner| owner != node) {
            let newest = self.newest.get(&other).and_then(|seq| self.made.get(&(other.clone(), *seq)));
            let nobody = !self.world.persisted.contains_key(&other);
            if !nobody && newest.is_none_or(|made| made.objects.contains_key(name)) {
                return Err(Failure::new(Class::Conflict, format!("{name} belongs to {other}")));
            }
        }
        let target = self.target_of(node);
        let persisted = self.world.persisted.entry(node.clone()).or_default();
        persisted.inventory.extend(names);
        persisted.target = target.unwrap_or(persisted.target);
        persisted.on_delete = unit.map(|unit| unit.policy.on_delete);
        self.world.next_uid += 1;
        let uid = self.world.next_uid;
        let live = self.world.places.get_mut(place).expect("the place is there").objects.entry(name.to_owned());
        let live = live.or_insert_with(|| Live { owner: node.clone(), content, uid });
        live.owner = node.clone();
        if !keeps {
            live.content = content;
        }
        Ok(())
    }

    /// The end of a sync: deletes what it may, forgets what is not its own any more, and says what it left.
    fn prune(&mut self, id: EffectId, node: &NodeKey, place: &'static str) -> Settled {
        let Some(Effect { job: Job::Sync(syncing), .. }) = self.effects.get(&id) else { panic!("the sync runs") };
        let (order, made) = (syncing.order.clone(), syncing.made.clone());
        let candidates = self.candidates(node, &made, place, order.want.delete);
        let (now, held) = self.permitted(&order, &candidates, place);
        let left = self.bequeathed(node, &made, place);
        self.deletions += now.len() as u64;
        let objects = &mut self.world.places.get_mut(place).expect("the place is there").objects;
        now.iter().for_each(|name| {
            objects.remove(name);
        });
        if order.want.delete {
            let nobody = NodeKey::unit("sim", "nobody", "nobody");
            let released = objects.iter_mut().filter(|(name, live)| live.owner == *node && !held.contains(*name) && !left.contains(*name));
            released.for_each(|(_, live)| live.owner = nobody.clone());
        }
        let persisted = self.world.persisted.entry(node.clone()).or_default();
        persisted.inventory = made.objects.keys().cloned().chain(held.iter().cloned()).chain(left.iter().cloned()).collect();
        persisted.crashes = 0;
        if !order.want.delete {
            persisted.synced = Some(order.want.revisions.clone());
            persisted.unit = order.want.unit.as_ref().map(|unit| unit.digest);
        }
        let owned = persisted.inventory.len() as u32;
        let rest: BTreeSet<String> = held.union(&left).cloned().collect();
        let hold = |kind, names: &BTreeSet<String>| HoldHead { kind, reason: format!("{} objects", names.len()).into(), objects: names.len() as u32 };
        let holds = [(HoldKind::Prune, &held), (HoldKind::Owner, &left)].into_iter().filter(|(_, names)| !names.is_empty());
        let holds: Vec<HoldHead> = holds.map(|(kind, names)| hold(kind, names)).collect();
        let digest = self.digest(if held.is_empty() { &rest } else { &held }, place);
        let withheld = (!rest.is_empty()).then(|| Withheld { digest, deletes: held.len() as u32, holds });
        Settled { inventory: Digest::of(format!("{:?}", made.objects).as_bytes()), owned, health: HealthStatus::Healthy, withheld }
    }

    fn permitted(&self, order: &SyncOrder, candidates: &BTreeSet<String>, place: &str) -> (BTreeSet<String>, BTreeSet<String>) {
        let moved_on = candidates.len() > order.may_delete as usize;
        let (now, held): (BTreeSet<String>, BTreeSet<String>) = candidates.iter().cloned().partition(|name| match order.prune {
            PrunePermission::Withheld => false,
            PrunePermission::Group { .. } if moved_on => false,
            PrunePermission::Group { .. } => !name.starts_with('p'),
            PrunePermission::Ordered => true,
        });
        if !held.is_empty() && order.approved == Some(self.digest(&held, place)) { (candidates.clone(), BTreeSet::new()) } else { (now, held) }
    }

    fn sync_end(&mut self, id: EffectId, end: End<Settled>) {
        self.effects.remove(&id);
        self.feed(Event::Finished(id, end));
    }

    // What must hold.

    /// Nothing is ordered to be deleted that Git still has, as far as it was fetched and parses.
    fn check_deletes(&self, order: &SyncOrder, made: &Made, place: &str) {
        if self.ordered.contains_key(&order.node) && order.want.delete {
            return;
        }
        let candidates = self.candidates(&order.node, made, place, order.want.delete);
        let (now, _) = self.permitted(order, &candidates, place);
        let Some(listed) = &self.listed else {
            assert!(now.is_empty(), "{} deletes {now:?} before any root was read", order.node);
            return;
        };
        for (key, decl) in &self.world.repos[0].at(listed).units {
            let pin = self.world.persisted.get(key).and_then(|p| p.kept.pin.clone());
            let revision = pin.as_ref().and_then(|pin| pin.revisions.get("main")).or_else(|| self.known.get(&source(decl.repo)));
            let Some(files) = revision.and_then(|revision| self.world.repos[decl.repo].at(revision).files.get(key)) else { continue };
            for name in now.iter().filter(|_| decl.target == place && !files.broken && !self.ordered.contains_key(key)) {
                assert!(!files.objects.contains_key(name), "{} deletes {name}, which Git still has in {key}: {order:?}", order.node);
            }
        }
    }

    /// Progress: whatever is not where it should be has a reason that exists.
    fn check(&self) {
        let Some(core) = &self.core else { return };
        for key in core.nodes() {
            let why = core.why(key);
            match &why {
                Why::Unknown => panic!("{key} is not known to the core that lists it"),
                Why::AtRest => assert!(!core.behind(key) || key.kind == NodeKind::Source && core.open_requests(key).is_empty(), "{key} is stuck at {}", self.now),
                Why::Running { effect, .. } => assert!(self.effects.contains_key(effect), "{key} waits for {effect:?}, which has ended"),
                Why::Timer { at, .. } => {
                    assert!(*at > self.now && self.wake.is_some_and(|wake| wake <= *at), "{key}: timer {at}, now {}, wake {:?}", self.now, self.wake);
                }
                Why::Queued { what, .. } => assert!(self.saturated(key, *what), "{key} waits for {what:?} though places are free"),
                Why::Gated(gates) => gates.iter().for_each(|gate| self.check_gate(key, gate)),
            }
        }
        for (key, stops) in &self.stops {
            assert!(*stops <= 24, "{key} was stopped {stops} times without one sync that ran through");
        }
    }

    fn saturated(&self, key: &NodeKey, what: Work) -> bool {
        let limits = &self.manner.limits;
        let place = self.target_of(key).or_else(|| self.world.persisted.get(key).map(|p| p.target));
        let count = |test: &dyn Fn(&Effect) -> bool| self.effects.values().filter(|e| test(e)).count();
        match what {
            Work::Fetch => count(&|e| matches!(e.job, Job::Fetch)) >= limits.fetches,
            Work::Build => {
                let here = count(&|e| matches!(e.job, Job::Build(..)) && e.at == place);
                count(&|e| matches!(e.job, Job::Build(..))) >= limits.builds || here >= limits.builds_per_target
            }
            Work::Sync(..) => {
                let holds = |e: &Effect| matches!(&e.job, Job::Sync(s) if s.holding);
                let here = count(&|e| matches!(&e.job, Job::Sync(s) if s.holding && Some(s.place) == place));
                count(&holds) >= limits.syncs || here >= limits.syncs_per_target
            }
            Work::WhoReads | Work::Generate => false,
        }
    }

    /// A gate is named only while what it names is so.
    fn check_gate(&self, key: &NodeKey, gate: &Gate) {
        let core = self.core();
        let kept = self.world.persisted.get(key).map(|p| p.kept.clone()).unwrap_or_default();
        let waits = |other: &NodeKey| !matches!(core.why(other), Why::AtRest | Why::Unknown);
        let ok = match gate {
            Gate::Suspended(_) if key.kind != NodeKind::Unit => true,
            Gate::Suspended(suspend) => kept.suspend.as_ref() == Some(suspend) && suspend.until.is_none_or(|until| until > self.now && self.wake.is_some()),
            Gate::Pinned(pin) => kept.pin.as_ref() == Some(pin),
            Gate::Deleted { by } => kept.deleted.as_ref() == Some(by),
            Gate::Approval { .. } | Gate::Evidence { .. } | Gate::Stalled { .. } | Gate::DependencyCycle { .. } | Gate::Manual => true,
            Gate::PruneGroup { waiting, count } => *count > 0 && waiting.iter().all(|other| (core.behind(other) && waits(other)) || self.incomplete(other)),
            Gate::Dependency { waiting } => waiting.iter().all(|other| core.behind(other) || self.unhealthy(other)),
            Gate::DependencyMissing { missing } => missing.iter().all(|other| core.why(other) == Why::Unknown),
            Gate::Quarantine { crashes } => *crashes >= 2,
            Gate::Source { source, .. } => waits(source) && !self.known.contains_key(source),
            Gate::Root { generator } => matches!(core.why(generator), Why::Running { .. }),
            Gate::Target { target, retry_at } => {
                let told = self.reach.iter().any(|(name, up)| **name == **target && *up);
                !told && retry_at.is_none_or(|at| at > self.now && self.wake.is_some_and(|wake| wake <= at))
            }
            Gate::Lease => self.lease.is_none(),
            Gate::Undeclared => core.declared(key).is_none(),
            Gate::NoEvidence { .. } => self.listed.as_ref().is_some_and(|listed| !self.world.listing(listed).units.contains_key(key)),
        };
        assert!(ok, "{key}: {gate:?} does not hold");
    }

    fn incomplete(&self, key: &NodeKey) -> bool {
        matches!(self.statuses.get(key), Some(Status::Source(status)) if !status.problems.is_empty())
    }

    fn unhealthy(&self, key: &NodeKey) -> bool {
        matches!(self.statuses.get(key), Some(Status::Unit(status)) if status.health != HealthStatus::Healthy)
    }
}
