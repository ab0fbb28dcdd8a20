//! Owns sources: one fetch at a time, coalesced, and what a new revision means for those who use it.

use std::sync::Arc;
use std::time::Duration;

use plumb_unit::{NodeKey, NodeKind, Revision};

use super::Core;
use super::decide::{CRASHES, Part};
use super::event::{Action, Cause, Class, EffectId, End, Entry, Failure, Ms, Readers, Want};
use super::lanes::LaneKey;
use super::queue::{Place, Timer};
use super::state::{SourceRun, SourceState};

impl Core {
    pub(super) fn put_source(&mut self, key: &NodeKey, poll: Duration) {
        let source = self.ensure_source(key);
        source.declared = true;
        source.poll_ms = u64::try_from(poll.as_millis()).unwrap_or(Ms::MAX / 4).max(1_000);
    }

    pub(super) fn undeclare_source(&mut self, key: &NodeKey) {
        if let Some(source) = self.sources.get_mut(key) {
            source.declared = false;
        }
        self.drop_unused(key);
    }

    fn ensure_source(&mut self, key: &NodeKey) -> &mut SourceState {
        self.dirty.insert(key.clone());
        let poll_ms = self.limits.poll_ms;
        self.sources.entry(key.clone()).or_insert_with(|| SourceState { poll_ms, due: true, ..SourceState::default() })
    }

    pub(super) fn use_source(&mut self, source: &NodeKey, user: &NodeKey) {
        self.ensure_source(source).users.insert(user.clone());
    }

    pub(super) fn leave_source(&mut self, source: &NodeKey, user: &NodeKey) {
        if let Some(state) = self.sources.get_mut(source) {
            state.users.remove(user);
            state.waiters.remove(user);
        }
        self.drop_unused(source);
    }

    fn drop_unused(&mut self, key: &NodeKey) {
        let Some(source) = self.sources.get(key).filter(|source| source.users.is_empty() && !source.declared) else { return };
        match source.run {
            Some(SourceRun::Fetch(effect) | SourceRun::WhoReads(effect, _)) => self.out.push(Action::Stop(effect)),
            None => {}
        }
        self.cancel_all(key, "the source is gone");
        self.sources.remove(key);
        self.fetches.remove(key);
        self.set_timer(Timer::Node(key.clone()), None);
        self.dirty.remove(key);
        self.shown.remove(key);
        self.out.push(Action::Forget(key.clone()));
    }

    pub(super) fn pushed(&mut self, key: &NodeKey) {
        if let Some(source) = self.sources.get_mut(key) {
            source.due = true;
            source.retry.reset();
            self.dirty.insert(key.clone());
        }
    }

    /// Decides what the source does next.
    pub(super) fn decide_source(&self, source: &SourceState) -> Part<()> {
        if source.run.is_some() {
            return Part::Running;
        }
        if let Some(suspend) = &source.suspend {
            return Part::Gated(vec![super::status::Gate::Suspended(suspend.clone())]);
        }
        if let Some(at) = source.retry.until(self.now) {
            return Part::At(at);
        }
        if source.due || source.poll_at <= self.now { Part::Start(()) } else { Part::At(source.poll_at) }
    }

    pub(super) fn settle_source(&mut self, key: &NodeKey) {
        let now = self.now;
        let Some(source) = self.sources.get_mut(key) else { return };
        if source.suspend.as_ref().and_then(|suspend| suspend.until).is_some_and(|until| until <= now) {
            source.suspend = None;
        }
        let until = source.suspend.as_ref().and_then(|suspend| suspend.until);
        let Some(source) = self.sources.get(key) else { return };
        let (queue, timer) = match self.decide_source(source) {
            Part::Start(()) => (true, None),
            Part::At(at) => (false, Some(at)),
            Part::Gated(_) => (false, until),
            Part::Rest | Part::Running => (false, None),
        };
        if queue {
            let nobody: Arc<str> = "".into();
            self.fetches.push(LaneKey { target: nobody.clone(), tenant: nobody }, key.clone(), 1);
        } else {
            self.fetches.remove(key);
        }
        self.set_timer(Timer::Node(key.clone()), timer);
    }

    pub(super) fn start_fetch(&mut self, key: &NodeKey, lane: Arc<str>) {
        if self.sources.get(key).is_none_or(|source| source.run.is_some()) {
            return;
        }
        let effect = self.effect(key, Some((Place::Fetch, lane)));
        let Some(source) = self.sources.get_mut(key) else { return };
        source.run = Some(SourceRun::Fetch(effect));
        source.due = false;
        source.begun += 1;
        self.out.push(Action::Fetch(effect, key.clone()));
    }

    pub(super) fn fetched(&mut self, id: EffectId, end: End<Revision>) {
        let Some(key) = self.end(id) else { return };
        let poll_ms = self.sources.get(&key).map_or(0, |source| source.poll_ms);
        let poll_at = self.now + self.rng.around(poll_ms);
        let Some(source) = self.sources.get_mut(&key) else { return };
        if source.run.take_if(|run| matches!(run, SourceRun::Fetch(effect) if *effect == id)).is_none() {
            return;
        }
        source.poll_at = poll_at;
        match end {
            End::Done(revision) => self.fetch_done(&key, revision),
            End::Failed(failure) => self.fetch_failed(&key, failure),
            End::Stopped => self.fetch_failed(&key, Failure::new(Class::Transient, "the fetch was stopped by the shell")),
        }
    }

    pub(super) fn recalled(&mut self, key: &NodeKey, revision: Revision) {
        let Some(source) = self.sources.get_mut(key).filter(|source| source.revision.is_none()) else { return };
        source.recalled = true;
        self.moved(key, revision, &Readers::All);
    }

    fn fetch_done(&mut self, key: &NodeKey, revision: Revision) {
        let Some(source) = self.sources.get_mut(key) else { return };
        if std::mem::take(&mut source.recalled) {
            source.revision = None; // read for the first time; what follows from it may delete
        }
        source.retry.reset();
        source.failed = None;
        if source.stale.take().is_some() {
            self.shown.extend(source.users.iter().cloned());
        }
        match source.revision.clone() {
            Some(old) if old == revision => self.fetch_over(key),
            Some(old) => {
                let effect = self.effect(key, None);
                if let Some(source) = self.sources.get_mut(key) {
                    source.run = Some(SourceRun::WhoReads(effect, revision.clone()));
                }
                self.out.push(Action::WhoReads(effect, key.clone(), old, revision));
            }
            None => {
                self.moved(key, revision, &Readers::All);
                self.fetch_over(key);
            }
        }
    }

    /// Nothing but the note changes for those who use the source: what they have stays.
    fn fetch_failed(&mut self, key: &NodeKey, failure: Failure) {
        let now = self.now;
        let Some(source) = self.sources.get_mut(key) else { return };
        source.retry.fail_to_reach(now, source.poll_ms, &self.limits, &mut self.rng);
        source.failed = Some(failure.clone());
        match &mut source.stale {
            Some((_, old)) if *old == failure => {}
            Some((_, old)) => {
                *old = failure;
                self.shown.extend(source.users.iter().cloned());
            }
            None => {
                source.stale = Some((now, failure.clone()));
                self.shown.extend(source.users.iter().cloned());
                self.out.push(Action::Record(key.clone(), Entry::Stale { failure }));
            }
        }
        self.fetch_over(key);
    }

    pub(super) fn affected(&mut self, id: EffectId, end: End<Readers>) {
        let Some(key) = self.end(id) else { return };
        let Some(source) = self.sources.get_mut(&key) else { return };
        let Some(SourceRun::WhoReads(_, revision)) =
            source.run.take_if(|run| matches!(run, SourceRun::WhoReads(effect, _) if *effect == id))
        else {
            return;
        };
        let readers = match end {
            End::Done(readers) => readers,
            End::Stopped | End::Failed(_) => Readers::All, // in doubt, work may be wasted but never missed
        };
        self.moved(&key, revision, &readers);
        self.fetch_over(&key);
    }

    /// A fetch is over, with all that follows from it: what waited for it goes on.
    fn fetch_over(&mut self, key: &NodeKey) {
        let Some(source) = self.sources.get_mut(key) else { return };
        source.ended = source.begun;
        self.dirty.insert(key.clone());
        self.dirty.extend(std::mem::take(&mut source.waiters));
        self.end_source_requests(key);
    }

    /// Gives the new revision to all who use the source.
    fn moved(&mut self, key: &NodeKey, revision: Revision, readers: &Readers) {
        let Some(source) = self.sources.get_mut(key) else { return };
        let first = source.revision.is_none();
        source.seq += 1;
        source.revision = Some(revision.clone());
        let seq = source.seq;
        for user in source.users.clone() {
            match user.kind {
                NodeKind::Generator => {
                    let named = match readers {
                        Readers::All => true,
                        Readers::Some(some) => some.contains(&user),
                    };
                    self.moved_root(&user, key, seq, &revision, named);
                }
                NodeKind::Unit => self.moved_unit(&user, key, (seq, &revision), readers, first),
                NodeKind::Source => {}
            }
        }
        self.judge(&(key.clone(), seq)); // if none of them has to be waited for
    }

    fn moved_unit(&mut self, user: &NodeKey, source: &NodeKey, (seq, revision): (u64, &Revision), readers: &Readers, first: bool) {
        let (named, surely) = match readers {
            Readers::All => (true, false),
            Readers::Some(some) => (some.contains(user), some.contains(user)),
        };
        let Some(unit) = self.units.get_mut(user) else { return };
        let Some(spec) = &unit.spec else { return };
        for (alias, _) in spec.sources.iter().filter(|(_, of)| *of == source) {
            unit.newest.insert(alias.clone(), revision.clone());
        }
        self.shown.insert(user.clone());
        if unit.deleting.is_some() {
            return;
        }
        if unit.kept.pin.is_some() {
            self.dirty.insert(user.clone());
            let (id, due) = ((source.clone(), seq), unit.want.seq);
            return if unit.pinned_and_built() { self.attend_group(&id, user) } else { self.join_group(&id, user, due) };
        }
        if surely && unit.crashes >= CRASHES {
            unit.crashes = 0; // what it choked on has changed
        }
        let known = unit.built_seq() == unit.want.seq && unit.want.seq > 0;
        if known && !named {
            return self.relabel(user);
        }
        let cause = if first && unit.synced.is_some() { Cause::Start } else { Cause::Commit(source.clone(), revision.clone()) };
        self.bump(user, cause);
        let due = self.units.get(user).map_or(0, |unit| unit.want.seq);
        self.join_group(&(source.clone(), seq), user, due);
    }

    /// Moves the unit's revision on where the content is the same: no build, no sync.
    fn relabel(&mut self, key: &NodeKey) {
        let Some(unit) = self.units.get_mut(key) else { return };
        let old = unit.want.clone();
        let new = Arc::new(Want { revisions: unit.newest.clone(), ..Want::clone(&old) });
        unit.want = new.clone();
        if let Some(built) = unit.built.as_mut().filter(|built| built.want.seq == old.seq) {
            built.want = new.clone();
        }
        if let Some(run) = unit.sync.as_mut().filter(|run| run.want.seq == old.seq) {
            run.want = new.clone();
        }
        if let Some(done) = unit.done.as_mut().filter(|done| done.want.seq == old.seq) {
            unit.synced = Some(new.revisions.clone());
            done.want = new.clone();
            self.out.push(Action::Reached(key.clone(), new));
        }
        self.dirty.insert(key.clone());
    }
}
