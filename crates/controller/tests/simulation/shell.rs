//! Owns a model of the shell: carries actions out against the model world in simulated time, and checks the core's promises
//! after each step. Effects take time, fail, race with their stops and die with the process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_controller::core::{
    Action, Core, Declared, DriftSeen, EffectId, End, Ended, Entry, Event, Facts, Limits, Ms, Observation, Order, Request, RequestId,
    ShardId, Status, SyncKind, SyncOrder, Want, Why,
};
use plumb_manifest::Digest;
use plumb_plan::HealthStatus;
use plumb_unit::{NodeKey, NodeKind, OnDelete, Revision};

use crate::model::{Dice, FROM, Made, World, root, source};

/// How the model behaves.
#[derive(Clone)]
pub(crate) struct Manner {
    pub(crate) limits: Limits,
    pub(crate) fetch_ms: (u64, u64),
    pub(crate) build_ms: (u64, u64),
    pub(crate) write_ms: (u64, u64),
    pub(crate) wait_ms: (u64, u64),
    /// How long it takes until a stopped effect has ended.
    pub(crate) stop_ms: (u64, u64),
    pub(crate) timeout_ms: u64,
    /// How often an effect fails for no reason, in a hundred.
    pub(crate) fails: u64,
    /// How often an answer is `All`, in a hundred.
    pub(crate) all: u64,
    /// How often an old event comes again, in a hundred.
    pub(crate) again: u64,
    pub(crate) log: bool,
    /// Leave the checks after each step out, where they would cost more than what is tested.
    pub(crate) unchecked: bool,
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
            stop_ms: (1, 40),
            timeout_ms: 300_000,
            fails: 0,
            all: 0,
            again: 0,
            log: false,
            unchecked: false,
            tell: false,
        }
    }
}

pub(crate) enum Job {
    Fetch,
    WhoReads(Revision, Revision),
    Generate(Revision),
    Build(Arc<Want>, bool),
    Sync(Box<Syncing>),
}

pub(crate) struct Syncing {
    pub(crate) order: SyncOrder,
    pub(crate) made: Made,
    pub(crate) writes: Vec<(String, u64)>,
    pub(crate) stage: u8,
    pub(crate) holding: bool,
    pub(crate) place: &'static str,
}

pub(crate) struct Effect {
    pub(crate) node: NodeKey,
    /// The target of its unit when it began.
    pub(crate) at: Option<&'static str>,
    pub(crate) token: u64,
    pub(crate) stop: bool,
    pub(crate) job: Job,
}

pub(crate) enum Due {
    Effect(EffectId, u64),
    Tick(Ms),
    Feed(Box<Event>),
    Restart,
}

/// A simulated installation.
pub(crate) struct Sim {
    pub(crate) world: World,
    pub(crate) dice: Dice,
    pub(crate) manner: Manner,
    pub(crate) now: Ms,
    pub(crate) core: Option<Core>,
    pub(crate) seed: u64,
    pub(crate) life: u64,
    pub(crate) agenda: BTreeMap<(Ms, u64), Due>,
    pub(crate) order: u64,
    pub(crate) effects: BTreeMap<EffectId, Effect>,
    pub(crate) made: BTreeMap<(NodeKey, u64), Made>,
    pub(crate) newest: BTreeMap<NodeKey, u64>,
    pub(crate) reached: BTreeMap<NodeKey, u64>,
    pub(crate) wake: Option<Ms>,
    pub(crate) lease: Option<u64>,
    pub(crate) restored: BTreeSet<&'static str>,
    pub(crate) reach: BTreeMap<&'static str, bool>,
    pub(crate) known: BTreeMap<NodeKey, Revision>,
    /// What lies in the cache of each source, which outlives the process, and whose revision this one has from there only.
    pub(crate) cached: BTreeMap<NodeKey, Revision>,
    pub(crate) recalled: BTreeSet<NodeKey>,
    pub(crate) listed: Option<Revision>,
    pub(crate) statuses: BTreeMap<NodeKey, Status>,
    pub(crate) requests: BTreeMap<RequestId, (NodeKey, Option<Ended>)>,
    pub(crate) asked: u64,
    pub(crate) stops: BTreeMap<NodeKey, u32>,
    pub(crate) ordered: BTreeMap<NodeKey, RequestId>,
    pub(crate) past: Vec<Event>,
    pub(crate) log: Vec<String>,
    pub(crate) builds: BTreeMap<NodeKey, u32>,
    pub(crate) fetches: u32,
    pub(crate) syncs: Vec<(Ms, NodeKey, SyncKind)>,
    pub(crate) finished: Vec<(Ms, NodeKey, SyncKind, bool)>,
    pub(crate) steps: u64,
    pub(crate) actions: u64,
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
            cached: BTreeMap::new(),
            recalled: BTreeSet::new(),
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
            actions: 0,
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
            self.later(
                30,
                Due::Feed(Box::new(Event::Observed(key.clone(), Observation { health: HealthStatus::Healthy, drift: Some(drift) }))),
            );
        }
    }

    /// The target goes down or comes back, and the shell finds out.
    pub(crate) fn set_place(&mut self, name: &'static str, up: bool, told: bool) {
        self.world.places.get_mut(name).expect("the place is there").up = up;
        if told && self.alive() {
            self.tell_reach(name, up);
        }
    }

    pub(crate) fn tell_reach(&mut self, name: &'static str, up: bool) {
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

    pub(crate) fn facts(&self, key: &NodeKey) -> Facts {
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

    pub(crate) fn start(&mut self) {
        self.life += 1;
        self.core = Some(Core::new(self.manner.limits.clone(), self.seed ^ (self.life << 32)));
        (self.wake, self.lease, self.listed) = (None, None, None);
        self.restored.clear();
        self.reach.clear();
        self.known.clear();
        self.recalled.clear();
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

    pub(crate) fn later(&mut self, ms: Ms, due: Due) {
        self.order += 1;
        self.agenda.insert((self.now + ms, self.order), due);
    }

    pub(crate) fn span(&mut self, (low, high): (u64, u64)) -> u64 {
        self.dice.between(low, high)
    }

    pub(crate) fn happen(&mut self, due: Due) {
        match due {
            Due::Effect(id, token) => {
                if self.effects.get(&id).is_some_and(|effect| effect.token == token) {
                    self.progress(id);
                }
            }
            Due::Tick(at) if self.wake == Some(at) => self.feed(Event::Tick),
            Due::Tick(_) => {}
            Due::Feed(event) => self.feed(*event),
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
        self.actions += out.len() as u64;
        for action in out {
            self.note(|| format!("→ {action:?}"));
            self.act(action);
        }
        if !self.manner.unchecked {
            self.check();
        }
        if matches!(event, Event::Fetched(..) | Event::Affected(..) | Event::Built(..) | Event::Finished(..) | Event::Generated(..))
            && self.manner.again > 0
        {
            self.past.push(event);
            if self.dice.percent(self.manner.again) {
                let old = self.dice.pick(&self.past).expect("there is one");
                self.later(self.order % 5_000, Due::Feed(Box::new(old)));
            }
        }
    }

    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        if self.manner.log {
            let line = format!("{} {}", self.now, line());
            if self.manner.tell {
                println!("{line}");
            }
            self.log.push(line);
        }
    }

    // Actions.

    pub(crate) fn begin(&mut self, id: EffectId, node: &NodeKey, ms: Ms, job: Job) {
        assert!(!self.effects.contains_key(&id), "an effect's id is used once");
        let at = self.target_of(node).or_else(|| self.world.persisted.get(node).map(|persisted| persisted.target));
        self.effects.insert(id, Effect { node: node.clone(), at, token: 0, stop: false, job });
        self.again_in(id, ms);
    }

    pub(crate) fn again_in(&mut self, id: EffectId, ms: Ms) {
        self.order += 1;
        let token = self.order;
        if let Some(effect) = self.effects.get_mut(&id) {
            effect.token = token;
            self.agenda.insert((self.now + ms, self.order), Due::Effect(id, token));
        }
    }

    pub(crate) fn act(&mut self, action: Action) {
        match action {
            Action::Fetch(id, node) => {
                self.fetches += 1;
                assert!(
                    !self.effects.values().any(|e| e.node == node && !e.stop && matches!(e.job, Job::Fetch)),
                    "one fetch per source at a time"
                );
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

    pub(crate) fn record(&mut self, node: &NodeKey, entry: Entry) {
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

    pub(crate) fn stop(&mut self, id: EffectId) {
        let Some(effect) = self.effects.get_mut(&id) else { return };
        assert!(!effect.stop, "an effect is stopped once");
        effect.stop = true;
        let node = effect.node.clone();
        if node.kind == NodeKind::Unit {
            *self.stops.entry(node).or_default() += 1;
        }
        let ms = self.span(self.manner.stop_ms);
        self.again_in(id, ms);
    }

    pub(crate) fn target_of(&self, key: &NodeKey) -> Option<&'static str> {
        let name = self.core.as_ref()?.declared(key)?.unit.target.cluster.clone();
        self.world.places.keys().find(|place| ***place == *name).copied()
    }

    pub(crate) fn begin_sync(&mut self, order: SyncOrder) {
        let node = order.node.clone();
        assert!(!self.effects.values().any(|e| e.node == node && matches!(e.job, Job::Sync(_))), "{node} has two mutating effects");
        assert_eq!(Some(order.fence.epoch), self.lease, "a sync needs the lease that is held");
        let persisted = self.world.persisted.entry(node.clone()).or_default();
        assert!(persisted.kept.suspend.is_none(), "{node} is suspended");
        let stored = persisted.target;
        let place = order
            .want
            .unit
            .as_ref()
            .and_then(|unit| self.world.places.keys().find(|name| ***name == *unit.target.cluster))
            .copied()
            .unwrap_or(stored);
        if let Some(persisted) = self.world.persisted.get_mut(&node).filter(|persisted| persisted.target.is_empty()) {
            persisted.target = place;
        }
        // A build that is not kept is made again.
        let again = || self.files(&node, &order.want).map(|files| Made { objects: files.objects, ill: files.ill });
        let made = self.made.get(&(node.clone(), order.want.seq)).cloned().or_else(again).or_else(|| order.want.delete.then(Made::default));
        let Some(made) = made else { panic!("{node}: nothing to sync for {order:?}") };
        self.syncs.push((self.now, node.clone(), order.kind));
        self.check_deletes(&order, &made, place);
        let writes = made.objects.iter().map(|(name, content)| (name.clone(), *content)).rev().collect();
        let ms = self.span(self.manner.write_ms);
        let job = Job::Sync(Box::new(Syncing { made, writes, stage: 0, holding: true, place, order: order.clone() }));
        self.begin(order.effect, &node, ms, job);
    }
}
