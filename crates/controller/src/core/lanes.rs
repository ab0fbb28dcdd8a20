//! Owns the queues for what is limited: deficit round robin over (target, tenant), first come first served within a lane.
//! Knows nothing of units: a job is a key with a cost.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What a lane may spend each time it is its turn. A job that costs more waits for several turns.
const QUANTUM: u32 = 4;

/// The most that one job costs, however large it is.
pub(super) const MAX_COST: u32 = 16;

/// Whose queue it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LaneKey {
    /// The target's name.
    pub(super) target: Arc<str>,
    /// The tenant: the namespace.
    pub(super) tenant: Arc<str>,
}

#[derive(Debug, Default)]
struct Lane {
    jobs: BTreeMap<u64, u32>,
    deficit: u32,
}

/// Queues in front of a limited number of places.
#[derive(Debug)]
pub(super) struct Lanes<J> {
    limit: usize,
    per_target: usize,
    lanes: BTreeMap<LaneKey, Lane>,
    ring: VecDeque<LaneKey>,
    places: BTreeMap<J, (LaneKey, u64)>,
    jobs: BTreeMap<u64, J>,
    ticket: u64,
    busy: usize,
    busy_at: BTreeMap<Arc<str>, usize>,
}

impl<J: Ord + Clone> Lanes<J> {
    pub(super) fn new(limit: usize, per_target: usize) -> Self {
        Self {
            limit: limit.max(1),
            per_target: per_target.max(1),
            lanes: BTreeMap::new(),
            ring: VecDeque::new(),
            places: BTreeMap::new(),
            jobs: BTreeMap::new(),
            ticket: 0,
            busy: 0,
            busy_at: BTreeMap::new(),
        }
    }

    /// Puts a job at the end of its lane; one that waits already keeps its place.
    pub(super) fn push(&mut self, lane: LaneKey, job: J, cost: u32) {
        if self.places.contains_key(&job) {
            return;
        }
        self.ticket += 1;
        let entry = self.lanes.entry(lane.clone()).or_default();
        if entry.jobs.is_empty() {
            self.ring.push_back(lane.clone());
        }
        entry.jobs.insert(self.ticket, cost.clamp(1, MAX_COST));
        self.jobs.insert(self.ticket, job.clone());
        self.places.insert(job, (lane, self.ticket));
    }

    /// Takes a job out; nothing if it does not wait.
    pub(super) fn remove(&mut self, job: &J) {
        let Some((key, ticket)) = self.places.remove(job) else { return };
        self.jobs.remove(&ticket);
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.jobs.remove(&ticket);
            if lane.jobs.is_empty() {
                self.lanes.remove(&key);
                self.ring.retain(|other| *other != key);
            }
        }
    }

    /// Returns how many wait before the job in its own lane; none if it does not wait.
    pub(super) fn place(&self, job: &J) -> Option<usize> {
        let (key, ticket) = self.places.get(job)?;
        Some(self.lanes.get(key)?.jobs.range(..ticket).count())
    }

    /// Takes the next job whose target has a place free. The place is taken by [`Lanes::occupy`].
    pub(super) fn next(&mut self) -> Option<(LaneKey, J)> {
        if self.busy >= self.limit {
            return None;
        }
        let mut saturated = 0;
        while saturated < self.ring.len() {
            let key = self.ring.front()?.clone();
            let full = self.busy_at.get(&key.target).is_some_and(|busy| *busy >= self.per_target);
            if full {
                saturated += 1;
                self.ring.rotate_left(1);
                continue;
            }
            let lane = self.lanes.get_mut(&key)?;
            let (&ticket, &cost) = lane.jobs.first_key_value()?;
            if lane.deficit < cost {
                saturated = 0;
                lane.deficit += QUANTUM;
                self.ring.rotate_left(1);
                continue;
            }
            lane.deficit -= cost;
            let job = self.jobs.get(&ticket)?.clone();
            self.remove(&job);
            return Some((key, job));
        }
        None
    }

    /// Takes a place, also beyond the limit.
    pub(super) fn occupy(&mut self, target: &Arc<str>) {
        self.busy += 1;
        *self.busy_at.entry(target.clone()).or_default() += 1;
    }

    /// Gives a place back.
    pub(super) fn release(&mut self, target: &Arc<str>) {
        self.busy = self.busy.saturating_sub(1);
        if let Some(busy) = self.busy_at.get_mut(target) {
            *busy = busy.saturating_sub(1);
            if *busy == 0 {
                self.busy_at.remove(target);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(target: &str, tenant: &str) -> LaneKey {
        LaneKey { target: target.into(), tenant: tenant.into() }
    }

    fn drain(lanes: &mut Lanes<u32>) -> Vec<u32> {
        std::iter::from_fn(|| lanes.next().map(|(_, job)| job)).collect()
    }

    #[test]
    fn a_small_tenant_does_not_wait_for_a_large_one() {
        let mut lanes = Lanes::new(1, 1);
        (0..100).for_each(|job| lanes.push(lane("prod", "large"), job, 1));
        lanes.push(lane("prod", "small"), 1000, 1);
        assert_eq!(lanes.place(&50), Some(50));
        let order = drain(&mut lanes);
        assert_eq!(order.len(), 101);
        let at = order.iter().position(|job| *job == 1000).expect("it is served");
        assert!(at <= QUANTUM as usize, "it was number {at}");
    }

    #[test]
    fn large_jobs_pay_with_turns() {
        let mut lanes = Lanes::new(1, 1);
        (0..8).for_each(|job| lanes.push(lane("prod", "large"), job, MAX_COST * 2));
        (100..132).for_each(|job| lanes.push(lane("prod", "small"), job, 1));
        let order = drain(&mut lanes);
        let before = order.iter().take_while(|job| **job >= 100).count();
        assert!(before >= 4, "small jobs go first: {order:?}");
        assert_eq!(order.len(), 40);
    }

    #[test]
    fn a_full_target_holds_up_nobody_else() {
        let mut lanes = Lanes::new(3, 1);
        lanes.push(lane("a", "x"), 1, 1);
        lanes.push(lane("a", "y"), 2, 1);
        lanes.push(lane("b", "x"), 3, 1);
        let a: Arc<str> = "a".into();
        lanes.occupy(&a);
        assert_eq!(lanes.next().map(|(_, job)| job), Some(3));
        assert_eq!(lanes.next(), None);
        lanes.release(&a);
        assert_eq!(drain(&mut lanes), [1, 2]);
    }

    #[test]
    fn the_limit_holds_and_a_removed_job_is_gone() {
        let mut lanes = Lanes::new(1, 5);
        lanes.push(lane("a", "x"), 1, 1);
        lanes.push(lane("a", "x"), 1, 1);
        lanes.push(lane("a", "x"), 2, 1);
        lanes.remove(&1);
        assert_eq!((lanes.place(&1), lanes.place(&2)), (None, Some(0)));
        let a: Arc<str> = "a".into();
        lanes.occupy(&a);
        assert_eq!(lanes.next(), None);
        lanes.release(&a);
        assert_eq!(drain(&mut lanes), [2]);
    }
}
