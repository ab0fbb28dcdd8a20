//! Owns what the model shell's effects come to: fetches, builds, plans and syncs against the model world.

use std::collections::BTreeSet;

use plumb_controller::core::{
    Class, EffectId, End, Event, Failure, HoldHead, PlanHead, PrunePermission, Readers, Settled, Stage, SyncKind, SyncOrder, Want, Withheld,
};
use plumb_manifest::Digest;
use plumb_plan::{HealthStatus, HoldKind};
use plumb_unit::{Drift, NodeKey, OnDelete, Revision};

use crate::model::{Files, Live, Made, root};
use crate::shell::{Effect, Job, Sim};

impl Sim {
    pub(crate) fn progress(&mut self, id: EffectId) {
        let Some(effect) = self.effects.get(&id) else { return };
        let stop = effect.stop;
        let stopped = stop && !self.dice.percent(20);
        let failed = self.dice.percent(self.manner.fails).then(|| Failure::new(Class::Transient, "bad luck"));
        let node = effect.node.clone();
        let event = match &effect.job {
            Job::Fetch if stopped => Event::Fetched(id, End::Stopped),
            Job::Fetch => {
                let end = self.fetch_end(&node, failed);
                if let (End::Failed(_), None, Some(last)) = (&end, self.known.get(&node), self.cached.get(&node)) {
                    let last = last.clone();
                    self.known.insert(node.clone(), last.clone());
                    self.recalled.insert(node.clone());
                    self.feed(Event::Recalled(node.clone(), last));
                }
                Event::Fetched(id, end)
            }
            Job::WhoReads(old, new) => {
                let (old, new) = (old.clone(), new.clone());
                let end = if failed.is_some() {
                    End::Failed(Failure::new(Class::Transient, "bad luck"))
                } else {
                    End::Done(self.readers(&node, &old, &new))
                };
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

    pub(crate) fn repo_of(node: &NodeKey) -> usize {
        node.name.trim_start_matches("repo").split('@').next().and_then(|n| n.parse().ok()).unwrap_or(0)
    }

    pub(crate) fn fetch_end(&mut self, node: &NodeKey, failed: Option<Failure>) -> End<Revision> {
        let repo = &self.world.repos[Self::repo_of(node)];
        if !repo.up {
            return End::Failed(Failure::new(Class::Unreachable, "the repository does not answer"));
        }
        if let Some(failure) = failed {
            return End::Failed(failure);
        }
        let revision = repo.revision(repo.head);
        self.cached.insert(node.clone(), revision.clone());
        if self.recalled.remove(node) {
            self.known.remove(node);
        }
        self.known.entry(node.clone()).or_insert_with(|| revision.clone());
        End::Done(revision)
    }

    pub(crate) fn readers(&mut self, node: &NodeKey, old: &Revision, new: &Revision) -> Readers {
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

    pub(crate) fn files(&self, node: &NodeKey, want: &Want) -> Option<Files> {
        let spec = self.core.as_ref()?.declared(node)?;
        let repo = Self::repo_of(spec.sources.get("main")?);
        self.world.repos[repo].at(want.revisions.get("main")?).files.get(node).cloned()
    }

    pub(crate) fn build_end(&mut self, node: &NodeKey, want: &Want, dry: bool, failed: Option<Failure>) -> Option<End<PlanHead>> {
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
    pub(crate) fn drop_builds(&mut self, node: &NodeKey) {
        let running = self.effects.values().find_map(|e| match &e.job {
            Job::Sync(syncing) if e.node == *node => Some(syncing.order.want.seq),
            _ => None,
        });
        let (newest, reached) = (self.newest.get(node).copied(), self.reached.get(node).copied());
        self.made.retain(|(key, seq), _| key != node || Some(*seq) == newest || Some(*seq) == reached || Some(*seq) == running);
    }

    pub(crate) fn head(&self, node: &NodeKey, want: &Want, made: &Made) -> PlanHead {
        let stored = self.world.persisted.get(node);
        let place = want.unit.as_ref().map_or_else(|| stored.map_or("a", |p| p.target).to_owned(), |unit| unit.target.cluster.to_string());
        let objects = &self.world.places[place.as_str()].objects;
        let differs =
            |(name, content): &(&String, &u64)| objects.get(*name).is_none_or(|live| live.owner != *node || live.content != **content);
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

    pub(crate) fn digest(&self, names: &BTreeSet<String>, place: &str) -> Digest {
        let uids: Vec<Option<u64>> = names.iter().map(|name| self.world.places[place].objects.get(name).map(|live| live.uid)).collect();
        Digest::of(format!("{names:?} {uids:?}").as_bytes())
    }

    /// What the unit owns and the build does not name, without what another unit's newest build names.
    pub(crate) fn candidates(&self, node: &NodeKey, made: &Made, place: &str, delete: bool) -> BTreeSet<String> {
        let Some(persisted) = self.world.persisted.get(node) else { return BTreeSet::new() };
        if delete && persisted.on_delete == Some(OnDelete::Orphan) {
            return BTreeSet::new();
        }
        let mine = |name: &String| self.world.places[place].objects.get(name).is_some_and(|live| live.owner == *node);
        let gone = persisted.inventory.iter().filter(|name| !made.objects.contains_key(*name) && mine(name));
        gone.filter(|name| !self.claimed(node, name, place)).cloned().collect()
    }

    /// What the unit still owns and another one is about to take over.
    pub(crate) fn bequeathed(&self, node: &NodeKey, made: &Made, place: &str) -> BTreeSet<String> {
        let Some(persisted) = self.world.persisted.get(node) else { return BTreeSet::new() };
        let mine = |name: &String| self.world.places[place].objects.get(name).is_some_and(|live| live.owner == *node);
        let gone = persisted.inventory.iter().filter(|name| !made.objects.contains_key(*name) && mine(name));
        gone.filter(|name| self.claimed(node, name, place)).cloned().collect()
    }

    pub(crate) fn claimed(&self, node: &NodeKey, name: &str, place: &str) -> bool {
        self.newest.iter().any(|(other, seq)| {
            let names = self.made.get(&(other.clone(), *seq)).is_some_and(|made| made.objects.contains_key(name));
            other != node && names && self.target_of(other) == Some(place)
        })
    }

    pub(crate) fn sync_on(&mut self, id: EffectId, stopped: bool, failed: Option<Failure>) {
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

    pub(crate) fn write(&mut self, id: EffectId, node: &NodeKey, place: &str, name: &str, content: u64) -> Result<(), Failure> {
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
    pub(crate) fn prune(&mut self, id: EffectId, node: &NodeKey, place: &'static str) -> Settled {
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
        let hold = |kind, names: &BTreeSet<String>| HoldHead {
            kind,
            reason: format!("{} objects", names.len()).into(),
            objects: names.len() as u32,
        };
        let holds = [(HoldKind::Prune, &held), (HoldKind::Owner, &left)].into_iter().filter(|(_, names)| !names.is_empty());
        let holds: Vec<HoldHead> = holds.map(|(kind, names)| hold(kind, names)).collect();
        let digest = self.digest(if held.is_empty() { &rest } else { &held }, place);
        let withheld = (!rest.is_empty()).then_some(Withheld { digest, deletes: held.len() as u32, holds });
        Settled { inventory: Digest::of(format!("{:?}", made.objects).as_bytes()), owned, health: HealthStatus::Healthy, withheld }
    }

    pub(crate) fn permitted(&self, order: &SyncOrder, candidates: &BTreeSet<String>, place: &str) -> (BTreeSet<String>, BTreeSet<String>) {
        let moved_on = candidates.len() > order.may_delete as usize;
        let (now, held): (BTreeSet<String>, BTreeSet<String>) = candidates.iter().cloned().partition(|name| match order.prune {
            PrunePermission::Withheld => false,
            PrunePermission::Group { .. } if moved_on => false,
            PrunePermission::Group { .. } => !name.starts_with('p'),
            PrunePermission::Ordered => true,
        });
        if !held.is_empty() && order.approved == Some(self.digest(&held, place)) {
            (candidates.clone(), BTreeSet::new())
        } else {
            (now, held)
        }
    }

    pub(crate) fn sync_end(&mut self, id: EffectId, end: End<Settled>) {
        self.effects.remove(&id);
        self.feed(Event::Finished(id, end));
    }
}
