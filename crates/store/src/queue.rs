//! Owns what waits to be written: bounded, first in first out. When there is no room the files go first, then the oldest syncs,
//! then the oldest audit lines, and each loss is counted.

use std::collections::VecDeque;

use crate::{AuditRecord, BuildRecord, SyncRecord};

/// How many records may wait.
pub const MAX_QUEUED_RECORDS: usize = 10_000;
/// How many bytes of records may wait.
pub const MAX_QUEUED_BYTES: usize = 16 << 20;

const NO_ROOM: &str = "the history could not be written at that time and its files took too much memory to wait";

/// Something to write.
#[derive(Debug)]
pub(crate) enum Job {
    Sync(Box<SyncRecord>),
    Audit(Box<AuditRecord>),
}

impl Job {
    fn weight(&self) -> usize {
        match self {
            Self::Sync(record) => record.weight() + self.file_weight(),
            Self::Audit(record) => record.weight(),
        }
    }

    fn file_weight(&self) -> usize {
        match self {
            Self::Sync(record) => match &record.build {
                BuildRecord::Files(input) => input.weight(),
                _ => 0,
            },
            Self::Audit(_) => 0,
        }
    }
}

/// A job and its place in the order of all jobs.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) seq: u64,
    weight: usize,
    job: Job,
}

impl Queued {
    pub(crate) fn job(&self) -> &Job {
        &self.job
    }
}

/// What was lost for want of room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) syncs: u64,
    pub(crate) audits: u64,
    pub(crate) builds: u64,
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    jobs: VecDeque<Queued>,
    bytes: usize,
    last: u64,
    in_flight: Option<u64>,
    pub(crate) dropped: Dropped,
}

impl Queue {
    /// Appends a job, making room for it.
    pub(crate) fn push(&mut self, job: Job) {
        let weight = job.weight();
        self.last += 1;
        self.jobs.push_back(Queued { seq: self.last, weight, job });
        self.bytes += weight;
        self.make_room();
    }

    /// Takes the first jobs, up to a number and a weight, but at least one.
    pub(crate) fn take(&mut self, records: usize, bytes: usize) -> Vec<Queued> {
        let mut batch = Vec::new();
        let mut weight = 0;
        while let Some(next) = self.jobs.front() {
            if batch.len() >= records || (!batch.is_empty() && weight + next.weight > bytes) {
                break;
            }
            weight += next.weight;
            batch.extend(self.jobs.pop_front());
        }
        self.bytes -= weight;
        self.in_flight = batch.first().map(|first| first.seq);
        batch
    }

    /// Says that the jobs taken are done.
    pub(crate) fn finish(&mut self) {
        self.in_flight = None;
    }

    /// Puts jobs that could not be written back to the front.
    pub(crate) fn put_back(&mut self, batch: Vec<Queued>) {
        self.in_flight = None;
        for queued in batch.into_iter().rev() {
            self.bytes += queued.weight;
            self.jobs.push_front(queued);
        }
        self.make_room();
    }

    /// Returns the place of the newest job ever pushed.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// Returns whether nothing up to that place waits or is being written.
    pub(crate) fn is_done_through(&self, seq: u64) -> bool {
        self.in_flight.or_else(|| self.jobs.front().map(|first| first.seq)).is_none_or(|first| first > seq)
    }

    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn make_room(&mut self) {
        let mut at = 0;
        while self.bytes > MAX_QUEUED_BYTES && at < self.jobs.len() {
            self.strip(at);
            at += 1;
        }
        while self.bytes > MAX_QUEUED_BYTES || self.jobs.len() > MAX_QUEUED_RECORDS {
            let oldest_sync = self.jobs.iter().position(|queued| matches!(queued.job, Job::Sync(_)));
            let Some(lost) = self.jobs.remove(oldest_sync.unwrap_or(0)) else { return };
            self.bytes -= lost.weight;
            match lost.job {
                Job::Sync(_) => self.dropped.syncs += 1,
                Job::Audit(_) => self.dropped.audits += 1,
            }
        }
    }

    /// Takes the files out of one sync.
    fn strip(&mut self, at: usize) {
        let Some(queued) = self.jobs.get_mut(at) else { return };
        let weight = queued.job.file_weight();
        if weight == 0 {
            return;
        }
        if let Job::Sync(record) = &mut queued.job {
            record.build = BuildRecord::NotKept { reason: NO_ROOM.to_owned() };
        }
        queued.weight -= weight;
        self.bytes -= weight;
        self.dropped.builds += 1;
    }
}

#[cfg(test)]
mod tests {
    use plumb_manifest::Digest;
    use plumb_unit::NodeKey;
    use plumb_world::RelPath;
    use serde_json::Value;

    use super::*;
    use crate::{BuildInput, InputFile, PlanSummary, SyncId, SyncOutcome, Trigger};

    fn sync(bytes: usize) -> Job {
        let file =
            InputFile { source: "main".into(), path: RelPath::parse("a").expect("path"), content: vec![0; bytes].into(), secret: false };
        Job::Sync(Box::new(SyncRecord {
            id: SyncId::new(1),
            unit: NodeKey::unit("i", "n", "u"),
            revisions: Default::default(),
            commit: None,
            trigger: Trigger::Start,
            plan: PlanSummary::default(),
            objects: Vec::new(),
            drift: Vec::new(),
            phases: Vec::new(),
            outcome: SyncOutcome::Succeeded,
            error: None,
            started_ms: 0,
            ended_ms: 0,
            build: BuildRecord::Files(BuildInput { key: Digest::of(b""), spec: Value::Null, spec_secret: false, files: vec![file] }),
        }))
    }

    fn audit() -> Job {
        let record = AuditRecord {
            at_ms: 0,
            unit: None,
            actor: String::new(),
            action: String::new(),
            request: None,
            why: None,
            detail: Value::Null,
        };
        Job::Audit(Box::new(record))
    }

    #[test]
    fn files_go_first_when_bytes_run_out() {
        let mut queue = Queue::default();
        (0..5).for_each(|_| queue.push(sync(MAX_QUEUED_BYTES / 4)));
        assert!(queue.bytes() <= MAX_QUEUED_BYTES);
        assert_eq!((queue.len(), queue.dropped), (5, Dropped { syncs: 0, audits: 0, builds: 2 }));
    }

    #[test]
    fn the_oldest_syncs_go_before_any_audit_line_when_places_run_out() {
        let mut queue = Queue::default();
        queue.push(audit());
        (0..MAX_QUEUED_RECORDS).for_each(|_| queue.push(sync(10)));
        assert_eq!((queue.len(), queue.dropped.syncs, queue.dropped.audits), (MAX_QUEUED_RECORDS, 1, 0));
        (0..MAX_QUEUED_RECORDS).for_each(|_| queue.push(audit()));
        assert_eq!((queue.len(), queue.dropped.syncs, queue.dropped.audits), (MAX_QUEUED_RECORDS, MAX_QUEUED_RECORDS as u64, 1));
    }

    #[test]
    fn weights_balance_over_take_and_put_back() {
        let mut queue = Queue::default();
        (0..10).for_each(|_| queue.push(sync(1000)));
        let before = queue.bytes();
        let batch = queue.take(4, usize::MAX);
        assert!(!queue.is_done_through(1) && queue.is_done_through(0));
        queue.put_back(batch);
        assert_eq!(queue.bytes(), before);
        let batch = queue.take(usize::MAX, 1);
        assert_eq!(batch.len(), 1, "at least one, however heavy");
        queue.finish();
        assert!(queue.is_done_through(1) && !queue.is_done_through(2));
        queue.take(usize::MAX, usize::MAX);
        queue.finish();
        assert_eq!((queue.bytes(), queue.is_done_through(queue.last())), (0, true));
    }
}
