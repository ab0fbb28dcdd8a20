//! Owns roots: reading the units that a source lists, and what presence and absence in a listing mean.

use std::sync::Arc;

use plumb_unit::{NodeKey, NodeKind, Revision};

use super::Core;
use super::decide::at_work;
use super::event::{Action, Class, EffectId, End, Entry, Failure, Listing};
use super::queue::Timer;
use super::state::{Deletion, GeneratorState, GroupId};

impl Core {
    pub(super) fn put_root(&mut self, key: &NodeKey, source: NodeKey) {
        let old = self.roots.get(key).map(|root| root.source.clone());
        if old.as_ref() == Some(&source) {
            return;
        }
        self.use_source(&source, key);
        if let Some(old) = old {
            self.leave_source(&old, key);
            self.leave_groups_root(key);
        }
        let revision = self.sources.get(&source).and_then(|state| Some((state.seq, state.revision.clone()?)));
        let root = self.roots.entry(key.clone()).or_insert_with(|| GeneratorState::new(source.clone()));
        if let Some((effect, ..)) = root.run.take() {
            self.out.push(Action::Stop(effect));
        }
        root.source = source;
        root.want = revision;
        root.read = 0;
        root.failed = None;
        root.listing = None;
        self.dirty.insert(key.clone());
    }

    /// Forgets a root. Its units stay as they are: that nobody reads it is no evidence against them.
    pub(super) fn drop_root(&mut self, key: &NodeKey) {
        self.cancel_all(key, "the root is gone");
        let Some(root) = self.roots.remove(key) else { return };
        if let Some((effect, ..)) = root.run {
            self.out.push(Action::Stop(effect));
        }
        self.leave_groups_root(key);
        self.touch_users(&root.source);
        self.leave_source(&root.source, key);
        self.set_timer(Timer::Node(key.clone()), None);
        self.dirty.remove(key);
        self.shown.remove(key);
        self.out.push(Action::Forget(key.clone()));
    }

    fn touch_users(&mut self, source: &NodeKey) {
        if let Some(source) = self.sources.get(source) {
            self.dirty.extend(source.users.iter().filter(|user| user.kind == NodeKind::Unit).cloned());
        }
    }

    /// The root's source has another revision.
    pub(super) fn moved_root(&mut self, key: &NodeKey, source: &NodeKey, seq: u64, revision: &Revision, named: bool) {
        let Some(root) = self.roots.get_mut(key) else { return };
        let known = root.want.as_ref().is_some_and(|(seq, _)| *seq == root.read) && root.failed.is_none();
        root.want = Some((seq, revision.clone()));
        if known && !named {
            root.read = seq;
        } else {
            root.retry.reset();
            self.join_group(&(source.clone(), seq), key, seq);
        }
        self.dirty.insert(key.clone());
    }

    pub(super) fn settle_root(&mut self, key: &NodeKey) {
        let now = self.now;
        let Some(root) = self.roots.get_mut(key) else { return };
        if root.suspend.as_ref().and_then(|suspend| suspend.until).is_some_and(|until| until <= now) {
            root.suspend = None;
        }
        let until = root.suspend.as_ref().and_then(|suspend| suspend.until);
        let newest = root.want.as_ref().map(|(seq, _)| *seq);
        if let Some((effect, seq, stopping)) = &mut root.run {
            if !*stopping && Some(*seq) != newest {
                *stopping = true;
                let effect = *effect;
                self.out.push(Action::Stop(effect));
            }
            return self.set_timer(Timer::Node(key.clone()), until);
        }
        let Some((seq, revision)) = root.want.clone().filter(|(seq, _)| *seq != root.read) else {
            return self.set_timer(Timer::Node(key.clone()), until);
        };
        let retry = root.retry.until(now);
        if root.suspend.is_some() || retry.is_some() {
            let timer = [until, retry].into_iter().flatten().min();
            return self.set_timer(Timer::Node(key.clone()), timer);
        }
        let effect = self.effect(key, None);
        if let Some(root) = self.roots.get_mut(key) {
            root.run = Some((effect, seq, false));
            let source = root.source.clone();
            self.touch_users(&source);
        }
        self.set_timer(Timer::Node(key.clone()), until);
        self.out.push(Action::Generate(effect, key.clone(), revision));
    }

    pub(super) fn generated(&mut self, id: EffectId, end: End<Listing>) {
        let Some(key) = self.end(id) else { return };
        let Some(root) = self.roots.get_mut(&key) else { return };
        let Some((_, seq, stopping)) = root.run.take_if(|run| run.0 == id) else { return };
        let source = root.source.clone();
        self.dirty.insert(key.clone());
        self.touch_users(&source);
        match end {
            End::Done(listing) if self.is_newest(&key, seq) => self.listed(&key, seq, listing),
            End::Done(_) => {}
            End::Stopped if stopping => {}
            End::Stopped => self.root_failed(&key, seq, Failure::new(Class::Transient, "reading was stopped by the shell")),
            End::Failed(failure) if self.is_newest(&key, seq) => self.root_failed(&key, seq, failure),
            End::Failed(_) => {}
        }
        self.end_root_requests(&key);
    }

    fn is_newest(&self, key: &NodeKey, seq: u64) -> bool {
        self.roots.get(key).and_then(|root| root.want.as_ref()).is_some_and(|(newest, _)| *newest == seq)
    }

    fn root_failed(&mut self, key: &NodeKey, seq: u64, failure: Failure) {
        let now = self.now;
        let Some(root) = self.roots.get_mut(key) else { return };
        let poll = self.sources.get(&root.source).map_or(0, |source| source.poll_ms);
        root.retry.fail(now, failure.class, poll, &self.limits, &mut self.rng);
        let since = root.failed.as_ref().map(|(_, since, _)| *since);
        root.failed = Some((seq, since.unwrap_or(now), failure.clone()));
        if since.is_none() {
            self.out.push(Action::Record(key.clone(), Entry::Stale { failure }));
        }
    }

    /// Takes a listing: what is in it is declared; what is not in it any more goes, if that is evidence.
    fn listed(&mut self, key: &NodeKey, seq: u64, mut listing: Listing) {
        let Some(root) = self.roots.get_mut(key) else { return };
        listing.complete &= self.sources.get(&root.source).is_none_or(|source| !source.recalled);
        root.read = seq;
        root.failed = None;
        root.retry.reset();
        root.problems = listing.problems.clone();
        let evidence = GeneratorState::evidence(&listing);
        root.listing = Some((listing.from.clone(), evidence.is_some()));
        let id: GroupId = (root.source.clone(), seq);
        let mut touched = Vec::new();
        for (name, declared) in &listing.units {
            if let Some(other) = self.declared_elsewhere(key, name) {
                if let Some(root) = self.roots.get_mut(key) {
                    root.problems.push(format!("unit {name} is declared by {other} already; this declaration does nothing"));
                }
            } else if self.put_unit(name, declared.clone(), Some((key, &listing.from))) {
                touched.push(name.clone());
            }
        }
        touched.extend(self.absent(key, &listing, evidence.as_ref()));
        // What an earlier revision's listing could not tell is told now: its group waits for these units, too.
        let earlier = self.groups.iter().filter(|((source, at), group)| *source == id.0 && *at < seq && group.pending.contains_key(key));
        let ids: Vec<GroupId> = earlier.map(|(id, _)| id.clone()).chain([id.clone()]).collect();
        for name in touched {
            let Some(unit) = self.units.get(&name) else { continue };
            let (settled, due) = (unit.pinned_and_built(), unit.want.seq);
            for id in &ids {
                if settled {
                    self.attend_group(id, &name);
                } else {
                    self.join_group(id, &name, due);
                }
            }
        }
        if !listing.complete {
            return; // what did not parse may want what others drop: their deletions go on waiting for the root
        }
        for id in ids {
            self.satisfied_in(&id, key, seq);
        }
    }

    fn declared_elsewhere(&self, key: &NodeKey, unit: &NodeKey) -> Option<NodeKey> {
        let by = self.units.get(unit).filter(|unit| unit.declared)?.declared_by.clone()?;
        (by != *key && self.roots.contains_key(&by)).then_some(by)
    }

    /// Deals with the root's units that are not in the listing; returns those that are to be deleted.
    fn absent(&mut self, key: &NodeKey, listing: &Listing, evidence: Option<&Arc<str>>) -> Vec<NodeKey> {
        if !listing.complete {
            return Vec::new();
        }
        let mine = |unit: &super::state::UnitState| {
            let ours = unit.declared_by.as_ref() == Some(key) || (!unit.declared && unit.declared_from.as_ref() == Some(&listing.from));
            ours && unit.deleting != Some(Deletion::Removed)
        };
        let gone = self.units.iter().filter(|(name, unit)| mine(unit) && !listing.units.contains_key(*name));
        let gone: Vec<NodeKey> = gone.map(|(name, _)| name.clone()).collect();
        let mut deleted = Vec::new();
        for name in gone {
            self.dirty.insert(name.clone());
            let Some(unit) = self.units.get_mut(&name) else { continue };
            if evidence.is_some() && unit.declared_from == evidence.cloned() {
                let stranger = unit.spec.is_none();
                self.remove_unit(&name);
                if stranger {
                    self.attend_open_groups(&name); // it went while no process looked: nobody knows with which commit
                }
                deleted.push(name);
            } else {
                let reason = if evidence.is_none() {
                    "the root lists no unit at all"
                } else {
                    "the root is another one than the one that declared it"
                };
                unit.no_evidence = Some(reason.into());
                self.leave_groups(&name);
            }
        }
        deleted
    }

    /// Judges a unit whose inventory turned up after its root had been read without it.
    pub(super) fn judge_absence(&mut self, key: &NodeKey) {
        let Some(from) =
            self.units.get(key).filter(|unit| !unit.declared && unit.deleting.is_none()).and_then(|unit| unit.declared_from.clone())
        else {
            return;
        };
        let read = self.roots.values().any(|root| root.listing == Some((from.clone(), true)) && !at_work(root) && root.failed.is_none());
        if read {
            self.remove_unit(key);
            self.attend_open_groups(key);
        }
    }
}
