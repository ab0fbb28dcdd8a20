//! Owns the shell: it carries out what the core decides, and reports back what came of it.
//! Must not decide: which unit goes next, what is tried again and when is the core's business.

mod builds;
mod endings;
mod history;
mod keep;
mod plans;
mod recorded;
mod sources;
mod syncs;
mod targets;
mod units;
mod watching;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::now_ms;
use crate::core::{Action, Class, Core, EffectId, Event, Failure, Ms};

pub use targets::ClusterOptions;

pub(crate) use history::{History, audit};
pub(crate) use plans::DryRuns;
pub(crate) use sources::{Reach, Sources};
pub(crate) use targets::{Target, Targets, attend};
pub(crate) use units::Units;

/// What all effects share.
pub(crate) struct Shared {
    pub(crate) installation: Arc<str>,
    pub(crate) sources: Sources,
    pub(crate) units: Units,
    pub(crate) targets: Targets,
    pub(crate) history: History,
    pub(crate) board: crate::board::Board,
    pub(crate) crashes: crate::crashes::Crashes,
    pub(crate) counters: crate::counters::Counters,
    pub(crate) dry_runs: DryRuns,
    /// What is known of kinds offline.
    pub(crate) schema: plumb_schema::Schema,
    /// Hides values of Secrets; its key lives as long as the process.
    pub(crate) redactor: plumb_plan::Redactor,
    pub(crate) events: mpsc::UnboundedSender<Event>,
}

impl Shared {
    /// Tells the core that something happened. After the loop has ended nobody listens, and nothing is lost by it.
    pub(crate) fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }
}

/// The loop: takes events in, lets the core decide, starts what it asks for.
pub(crate) struct Shell {
    core: Core,
    shared: Arc<Shared>,
    events: mpsc::UnboundedReceiver<Event>,
    running: BTreeMap<EffectId, CancellationToken>,
    ended: mpsc::UnboundedReceiver<EffectId>,
    end: mpsc::UnboundedSender<EffectId>,
    tasks: TaskTracker,
    wake_at: Option<Ms>,
}

/// How long effects get to end after the loop was told to.
const GRACE: Duration = Duration::from_secs(20);

impl Shell {
    pub(crate) fn new(core: Core, shared: Arc<Shared>, events: mpsc::UnboundedReceiver<Event>) -> Self {
        let (end, ended) = mpsc::unbounded_channel();
        Self { core, shared, events, running: BTreeMap::new(), ended, end, tasks: TaskTracker::new(), wake_at: None }
    }

    /// Runs until told to stop; then every effect is stopped and waited for, so that no write is cut in half without need.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut actions = Vec::new();
        loop {
            let wake = self.wake_at.map_or(Duration::from_secs(3600), |at| Duration::from_millis(at.saturating_sub(now_ms())));
            let event = tokio::select! {
                biased;
                _ = stop.wait_for(|stopping| *stopping) => break,
                Some(effect) = self.ended.recv() => {
                    self.running.remove(&effect);
                    continue;
                }
                event = self.events.recv() => match event {
                    Some(event) => event,
                    None => break,
                },
                () = tokio::time::sleep(wake) => {
                    self.wake_at = None;
                    Event::Tick
                }
            };
            self.core.step(now_ms(), event, &mut actions);
            for action in actions.drain(..) {
                self.carry_out(action);
            }
        }
        for token in self.running.values() {
            token.cancel();
        }
        self.tasks.close();
        let _ = tokio::time::timeout(GRACE, self.tasks.wait()).await;
    }

    fn carry_out(&mut self, action: Action) {
        let shared = Arc::clone(&self.shared);
        match action {
            Action::Fetch(effect, node) => self.start(effect, |token| sources::fetch(shared, effect, node, token)),
            Action::WhoReads(effect, node, old, new) => self.start(effect, |_| sources::who_reads(shared, effect, node, old, new)),
            Action::Generate(effect, node, revision) => self.start(effect, |_| sources::generate(shared, effect, node, revision)),
            Action::Build(effect, node, want) => self.start(effect, |token| builds::build(shared, effect, node, want, None, token)),
            Action::DryRun(effect, node, want, request) => {
                self.start(effect, |token| builds::build(shared, effect, node, want, Some(request), token));
            }
            Action::Sync(order) => self.start(order.effect, |token| syncs::sync(shared, order, token)),
            Action::Stop(effect) => {
                if let Some(token) = self.running.get(&effect) {
                    token.cancel();
                }
            }
            Action::Keep(node, kept) => {
                // At once: a unit that is forgotten in the same step must not come back by it.
                shared.units.with(&node, |memory| memory.beside.kept = kept.clone());
                self.tasks.spawn(async move { syncs::keep(shared, node, kept).await });
            }
            Action::Record(node, entry) => history::record(&shared, node, entry),
            // What is at rest keeps no manifests: they are built again in a millisecond.
            Action::Reached(node, want) => shared.units.with(&node, |memory| {
                if memory.built.as_ref().is_some_and(|built| built.seq <= want.seq) {
                    memory.built = None;
                }
            }),
            Action::Publish(node, status) => shared.board.publish(node, status),
            Action::Forget(node) => {
                shared.units.forget(&node);
                shared.sources.forget(&node);
                shared.board.forget(&node);
            }
            Action::WakeAt(at) => self.wake_at = Some(at),
        }
    }

    fn start<F, Fut>(&mut self, effect: EffectId, run: F)
    where
        F: FnOnce(CancellationToken) -> Fut,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let token = CancellationToken::new();
        self.running.insert(effect, token.clone());
        let work = run(token);
        let end = self.end.clone();
        self.tasks.spawn(async move {
            work.await;
            let _ = end.send(effect);
        });
    }
}

/// Returns a cluster's error as the core sorts failures.
pub(crate) fn failure(error: &plumb_cluster::ClusterError) -> Failure {
    use plumb_cluster::Class as Theirs;
    let class = match plumb_cluster::classify(error) {
        Theirs::Unreachable => Class::Unreachable,
        Theirs::Throttled | Theirs::Server | Theirs::Expired | Theirs::Stopped => Class::Transient,
        Theirs::Denied => Class::Denied,
        Theirs::Conflict => Class::Conflict,
        Theirs::NotFound | Theirs::Invalid | Theirs::Setup => Class::Input,
    };
    Failure::new(class, error.to_string())
}
