//! Scripted stories: what users would tell of the controller.

use plumb_controller::core::{Action, Core, Declared, Ended, Event, Gate, Limits, Order, PREEMPTIONS, Status, SyncKind, SyncWord, Why};
use plumb_plan::HealthStatus;
use plumb_unit::{NodeKey, Revisions};

use crate::model::{Commit, Decl, Files, World, root, source};
use crate::shell::{Manner, Sim};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

fn unit(nth: usize) -> NodeKey {
    NodeKey::unit("sim", "team", &format!("u{nth}"))
}

fn files(objects: &[(&str, u64)]) -> Files {
    Files { objects: objects.iter().map(|(name, content)| ((*name).to_owned(), *content)).collect(), ..Files::default() }
}

/// Adds units of one object each, all in one repository that is the root, too.
fn add(commit: &mut Commit, count: usize) {
    for nth in 0..count {
        commit.units.insert(unit(nth), Decl::new(0));
        commit.files.insert(unit(nth), files(&[(&format!("o{nth}"), 1)]));
    }
}

fn world(count: usize) -> World {
    let mut world = World::new(1);
    world.commit(0, |commit| add(commit, count));
    world
}

fn running(count: usize) -> Sim {
    let mut sim = Sim::new(world(count), Manner::calm(), 1);
    sim.run(MINUTE / 2);
    (0..count).for_each(|nth| assert_eq!(sim.why(&unit(nth)), Why::AtRest));
    sim
}

fn live(sim: &Sim, name: &str) -> Option<u64> {
    sim.world.places["a"].objects.get(name).map(|live| live.content)
}

fn status(sim: &Sim, nth: usize) -> plumb_controller::core::UnitStatus {
    match sim.statuses.get(&unit(nth)) {
        Some(Status::Unit(status)) => (**status).clone(),
        other => panic!("no status: {other:?}"),
    }
}

fn edit(sim: &mut Sim, edit: impl FnOnce(&mut Commit)) {
    sim.world.commit(0, edit);
    sim.push(0);
}

fn set(commit: &mut Commit, nth: usize, objects: &[(&str, u64)]) {
    commit.files.insert(unit(nth), files(objects));
}

fn gates(sim: &Sim, nth: usize) -> Vec<Gate> {
    status(sim, nth).gates
}

#[test]
fn t01_a_fix_is_live_while_the_bad_revision_still_waits() {
    let mut sim = running(1);
    edit(&mut sim, |c| {
        c.files.insert(unit(0), Files { ill: true, ..files(&[("o0", 2)]) });
    });
    sim.run(10_000);
    assert!(matches!(sim.why(&unit(0)), Why::Running { .. }), "it waits for health");
    edit(&mut sim, |c| set(c, 0, &[("o0", 3)]));
    sim.run(1_000);
    assert_eq!(live(&sim, "o0"), Some(3));
    assert_eq!(sim.why(&unit(0)), Why::AtRest);
}

#[test]
fn t01_a_fix_ends_the_back_off_of_the_bad_revision() {
    let mut sim = running(1);
    edit(&mut sim, |c| {
        c.files.insert(unit(0), Files { broken: true, ..files(&[("o0", 2)]) });
    });
    sim.run(2 * MINUTE);
    assert!(matches!(sim.why(&unit(0)), Why::Timer { .. }));
    assert_eq!((live(&sim, "o0"), status(&sim, 0).sync), (Some(1), SyncWord::OutOfSync));
    edit(&mut sim, |c| set(c, 0, &[("o0", 3)]));
    sim.run(500);
    assert_eq!((live(&sim, "o0"), status(&sim, 0).sync), (Some(3), SyncWord::Synced));
}

#[test]
fn a_busy_repository_does_not_starve_a_unit() {
    let mut sim = running(1);
    sim.manner.wait_ms = (3_000, 3_000);
    let began = sim.finished.len();
    for nth in 0..60 {
        edit(&mut sim, |c| set(c, 0, &[("o0", 100 + nth)]));
        sim.run(1_000);
    }
    let ends: Vec<bool> = sim.finished[began..].iter().map(|(.., done)| *done).collect();
    let mut in_a_row = 0;
    for done in &ends {
        in_a_row = if *done { 0 } else { in_a_row + 1 };
        assert!(in_a_row <= PREEMPTIONS, "{ends:?}");
    }
    assert!(ends.iter().filter(|done| **done).count() >= 6, "{ends:?}");
    assert!(ends.iter().any(|done| !done), "newer commits do pre-empt: {ends:?}");
    sim.run(10_000);
    assert_eq!(live(&sim, "o0"), Some(159));
}

#[test]
fn slow_builds_do_not_starve_either() {
    let mut sim = running(1);
    sim.manner.build_ms = (3_000, 3_000);
    let began = sim.finished.len();
    for nth in 0..60 {
        edit(&mut sim, |c| set(c, 0, &[("o0", 100 + nth)]));
        sim.run(1_000);
    }
    assert!(sim.finished.len() - began >= 5);
    sim.run(10_000);
    assert_eq!(live(&sim, "o0"), Some(159));
}

#[test]
fn newest_is_what_was_fetched_last_even_if_it_is_older() {
    let mut sim = running(1);
    edit(&mut sim, |c| set(c, 0, &[("o0", 2)]));
    sim.run(1_000);
    sim.world.repos[0].head = 1;
    sim.push(0);
    sim.run(1_000);
    assert_eq!(live(&sim, "o0"), Some(1));
}

#[test]
fn only_readers_are_built_and_the_others_move_on() {
    let mut sim = running(50);
    sim.builds.clear();
    edit(&mut sim, |c| set(c, 7, &[("o7", 2)]));
    sim.run(1_000);
    assert_eq!(sim.builds.len(), 1);
    assert!(status(&sim, 3).synced.is_some_and(|revisions| revisions["main"].commit.ends_with("02")));
}

#[test]
fn one_push_is_one_fetch_and_one_more_for_a_push_in_between() {
    let mut sim = running(20);
    let before = sim.fetches;
    (0..5).for_each(|_| sim.push(0));
    sim.run(1_000);
    assert_eq!(sim.fetches - before, 2);
    sim.push(0);
    sim.run(1_000);
    assert_eq!(sim.fetches - before, 3);
}

#[test]
fn t13_no_failure_deletes_anything() {
    let mut sim = running(3);
    let all = sim.world.places["a"].objects.clone();
    sim.world.repos[0].up = false;
    sim.run(20 * MINUTE);
    sim.world.repos[0].up = true;
    edit(&mut sim, |c| c.units.clear());
    sim.run(20 * MINUTE);
    assert!(matches!(sim.why(&unit(0)), Why::Gated(gates) if matches!(gates[0], Gate::NoEvidence { .. })));
    edit(&mut sim, |c| {
        add(c, 3);
        c.unparsed.insert(unit(1));
    });
    sim.run(20 * MINUTE);
    edit(&mut sim, |c| {
        c.unparsed.clear();
        c.files.remove(&unit(2));
    });
    sim.run(20 * MINUTE);
    sim.manner.fails = 60;
    sim.run(2 * HOUR);
    assert_eq!(sim.world.places["a"].objects, all);
    assert_eq!(sim.deletions, 0);
}

#[test]
fn a_root_entry_that_does_not_parse_leaves_its_unit_as_it_is() {
    let mut sim = running(3);
    edit(&mut sim, |c| {
        c.unparsed.insert(unit(1));
        set(c, 1, &[("o1", 2)]);
    });
    sim.run(MINUTE);
    assert_eq!((sim.why(&unit(1)), live(&sim, "o1")), (Why::AtRest, Some(2)), "even its own commits go on");
    assert!(matches!(sim.statuses.get(&root()), Some(Status::Source(status)) if status.problems.len() == 1));
}

#[test]
fn a_unit_that_is_not_listed_any_more_goes_with_its_objects() {
    let mut sim = running(3);
    edit(&mut sim, |c| {
        c.units.remove(&unit(1));
        c.files.remove(&unit(1));
    });
    sim.run(MINUTE);
    assert_eq!(live(&sim, "o1"), None);
    assert_eq!(sim.why(&unit(1)), Why::Unknown);
    assert_eq!(sim.world.places["a"].objects.len(), 2);
}

#[test]
fn a_unit_removed_while_the_process_was_down_goes_too() {
    let mut sim = running(3);
    sim.kill(1_000);
    sim.world.commit(0, |c| {
        c.units.remove(&unit(1));
    });
    sim.run(MINUTE);
    assert_eq!((live(&sim, "o1"), live(&sim, "o0")), (None, Some(1)));
    assert_eq!(sim.why(&unit(1)), Why::Unknown);
}

#[test]
fn t17_a_chain_where_nothing_changed_costs_no_time() {
    let mut sim = Sim::new(chain(), Manner::calm(), 1);
    sim.run(MINUTE);
    let ids: Vec<_> = (0..3).map(|nth| sim.request(&unit(nth), Order::Reconcile)).collect();
    sim.run(900);
    ids.iter().for_each(|id| assert_eq!(sim.ended(id), Some(&Ended::Done { withheld: None })));
    sim.kill(100);
    sim.run(1_100);
    (0..3).for_each(|nth| assert_eq!(sim.why(&unit(nth)), Why::AtRest, "after a restart"));
}

fn chain() -> World {
    let mut world = world(3);
    world.commit(0, |c| {
        for nth in 1..3 {
            c.units.insert(unit(nth), Decl { depends: vec![unit(nth - 1)], ..Decl::new(0) });
        }
    });
    world
}

#[test]
fn dependents_start_the_moment_their_dependency_is_ready() {
    let mut sim = Sim::new(chain(), Manner { wait_ms: (5_000, 5_000), ..Manner::calm() }, 1);
    sim.run(MINUTE);
    let began: Vec<u64> = sim.syncs.iter().map(|(at, ..)| *at).collect();
    let ended: Vec<u64> = sim.finished.iter().map(|(at, ..)| *at).collect();
    assert_eq!(began[1..], ended[..2], "no time passes between");
    edit(&mut sim, |c| (0..3).for_each(|nth| set(c, nth, &[(&format!("o{nth}"), 2)])));
    sim.run(2_000);
    assert_eq!((live(&sim, "o0"), live(&sim, "o1")), (Some(2), Some(1)), "the second waits for the first at the new commit");
    assert!(matches!(sim.why(&unit(1)), Why::Gated(gates) if gates == [Gate::Dependency { waiting: vec![unit(0)] }]));
    sim.run(20_000);
    assert_eq!(live(&sim, "o2"), Some(2));
}

#[test]
fn a_dependency_is_ready_only_while_it_is_healthy() {
    use plumb_controller::core::{Event, Observation};
    let mut sim = Sim::new(chain(), Manner::calm(), 1);
    sim.run(MINUTE);
    sim.feed(Event::Observed(unit(0), Observation { health: HealthStatus::Degraded, drift: None }));
    edit(&mut sim, |c| set(c, 1, &[("o1", 2)]));
    sim.run(MINUTE);
    assert_eq!((live(&sim, "o1"), gates(&sim, 1)), (Some(1), vec![Gate::Dependency { waiting: vec![unit(0)] }]));
    sim.feed(Event::Observed(unit(0), Observation { health: HealthStatus::Healthy, drift: None }));
    sim.run(200);
    assert_eq!(live(&sim, "o1"), Some(2));
}

#[test]
fn something_newer_starts_only_when_the_older_sync_has_ended() {
    use plumb_controller::core::{Event, Observation};
    let mut sim = running(1);
    (sim.manner.wait_ms, sim.manner.stop_ms) = ((60_000, 60_000), (5_000, 5_000));
    edit(&mut sim, |c| set(c, 0, &[("o0", 2)]));
    sim.run(2_000);
    edit(&mut sim, |c| set(c, 0, &[("o0", 3)]));
    sim.run(1_000);
    assert!(matches!(sim.why(&unit(0)), Why::Running { stopping: true, .. }));
    sim.feed(Event::Observed(unit(0), Observation { health: HealthStatus::Progressing, drift: None }));
    sim.run(1_000);
    assert_eq!(live(&sim, "o0"), Some(2));
    sim.run(6_000);
    assert_eq!(live(&sim, "o0"), Some(3));
}

#[test]
fn cycles_and_missing_dependencies_are_named() {
    let mut sim = Sim::new(chain(), Manner::calm(), 1);
    sim.run(MINUTE);
    edit(&mut sim, |c| {
        c.units.insert(unit(0), Decl { depends: vec![unit(2)], ..Decl::new(0) });
    });
    sim.run(MINUTE);
    let Why::Gated(found) = sim.why(&unit(0)) else { panic!("{:?}", sim.why(&unit(0))) };
    assert_eq!(found, [Gate::DependencyCycle { path: vec![unit(0), unit(2), unit(1), unit(0)] }]);
    edit(&mut sim, |c| {
        c.units.insert(unit(0), Decl { depends: vec![unit(9)], ..Decl::new(0) });
    });
    sim.run(MINUTE);
    let Why::Gated(found) = sim.why(&unit(0)) else { panic!("{:?}", sim.why(&unit(0))) };
    assert_eq!(found, [Gate::DependencyMissing { missing: vec![unit(9)] }]);
    edit(&mut sim, |c| {
        c.units.insert(unit(9), Decl::new(0));
        c.files.insert(unit(9), files(&[("o9", 1)]));
    });
    sim.run(MINUTE);
    (0..3).for_each(|nth| assert_eq!(sim.why(&unit(nth)), Why::AtRest));
}

#[test]
fn t24_units_stay_as_they_are_while_git_is_down() {
    let mut sim = running(10);
    sim.world.repos[0].up = false;
    sim.builds.clear();
    sim.syncs.clear();
    sim.run(2 * HOUR);
    for nth in 0..10 {
        let status = status(&sim, nth);
        assert_eq!((status.sync, status.health), (SyncWord::Synced, HealthStatus::Healthy));
        assert_eq!(status.stale.len(), 1, "the note is there");
        assert_eq!(status.stale[0].0, source(0));
    }
    assert!(sim.builds.is_empty() && sim.syncs.iter().all(|(.., kind)| *kind == SyncKind::Reread));
    sim.world.repos[0].up = true;
    sim.run(MINUTE + 10_000);
    assert!(status(&sim, 0).stale.is_empty(), "it is asked at least as often as without the outage");
}

#[test]
fn t24_a_restart_while_git_is_down_keeps_the_word() {
    let mut sim = running(2);
    sim.world.repos[0].up = false;
    sim.kill(100);
    sim.run(HOUR);
    assert_eq!(status(&sim, 0).sync, SyncWord::Synced);
    assert_eq!(live(&sim, "o0"), Some(1));
}

#[test]
fn drift_is_put_right_at_once_and_a_missed_one_by_the_interval() {
    let mut sim = running(2);
    sim.drift(&unit(0), true);
    sim.run(200);
    assert_eq!(live(&sim, "o0"), Some(1));
    assert_eq!(sim.syncs.last().map(|(.., kind)| *kind), Some(SyncKind::Repair));
    sim.drift(&unit(1), false);
    sim.run(12 * MINUTE);
    assert_eq!(live(&sim, "o1"), Some(1));
}

#[test]
fn what_was_voided_is_settled_anew_once_and_again_if_that_failed() {
    use plumb_controller::core::Event;
    let mut sim = running(2);
    let renewed = |sim: &Sim| sim.finished.iter().filter(|(_, _, kind, done)| *kind == SyncKind::Renew && *done).count();
    (0..3).for_each(|_| sim.feed(Event::Voided(unit(0), "a definition".into())));
    sim.run(MINUTE);
    assert!((1..=2).contains(&renewed(&sim)), "what came while the first was at work is one more");
    assert_eq!(sim.why(&unit(0)), Why::AtRest);

    let before = renewed(&sim);
    sim.set_place("a", false, true);
    sim.feed(Event::Voided(unit(0), "a webhook".into()));
    sim.run(MINUTE);
    assert_eq!(renewed(&sim), before);
    sim.set_place("a", true, true);
    sim.run(MINUTE);
    assert_eq!(renewed(&sim), before + 1);

    sim.request(&unit(1), Order::Suspend { until: None });
    sim.feed(Event::Voided(unit(1), "a webhook".into()));
    sim.run(MINUTE);
    assert_eq!(renewed(&sim), before + 1, "it is suspended");
    sim.request(&unit(1), Order::Resume);
    sim.run(MINUTE);
    assert_eq!((renewed(&sim), sim.why(&unit(1))), (before + 2, Why::AtRest));
}

#[test]
fn hope_has_what_failed_try_again_at_once_and_nothing_else() {
    use plumb_controller::core::Event;
    let mut sim = running(2);
    edit(&mut sim, |c| {
        c.files.get_mut(&unit(0)).expect("files").broken = true;
    });
    sim.run(10_000);
    let (builds, syncs) = (sim.builds[&unit(0)], sim.syncs.len());
    sim.feed(Event::Hope(unit(0)));
    sim.feed(Event::Hope(unit(1)));
    sim.run(1_000);
    assert_eq!((sim.builds[&unit(0)], sim.syncs.len()), (builds + 1, syncs));
}

#[test]
fn many_reports_of_drift_are_one_repair_and_contested_drift_waits() {
    use plumb_controller::core::{DriftSeen, Event, Observation};
    let mut sim = running(1);
    let seen = |not_before| Observation { health: HealthStatus::Healthy, drift: Some(DriftSeen { summary: "1 field".into(), not_before }) };
    let before = sim.syncs.len();
    (0..20).for_each(|_| sim.feed(Event::Observed(unit(0), seen(None))));
    sim.run(5_000);
    assert!(sim.syncs.len() - before <= 2, "one that runs, one for what came meanwhile");
    let before = sim.syncs.len();
    let at = sim.now + 120_000;
    sim.feed(Event::Observed(unit(0), seen(Some(at))));
    assert_eq!(sim.why(&unit(0)), Why::AtRest);
    sim.run(119_000);
    assert_eq!(sim.syncs.len(), before);
    sim.run(2_000);
    assert_eq!(sim.syncs.len(), before + 1);
}

#[test]
fn a_repair_that_was_stopped_is_done_later() {
    let mut sim = running(1);
    sim.manner.write_ms = (500, 500);
    sim.drift(&unit(0), true);
    sim.run(200);
    assert!(matches!(sim.why(&unit(0)), Why::Running { .. }));
    sim.tell_lease(false);
    sim.run(2_000);
    sim.tell_lease(true);
    sim.run(2_000);
    assert_eq!(live(&sim, "o0"), Some(1));
}

#[test]
fn what_lies_between_two_states_is_not_pulled_back_to_the_old_one() {
    let mut sim = running(1);
    sim.manner.timeout_ms = 5_000;
    edit(&mut sim, |c| {
        c.files.insert(unit(0), Files { ill: true, ..files(&[("o0", 2)]) });
    });
    sim.run(10_000);
    for _ in 0..20 {
        sim.drift(&unit(0), true);
        sim.run(MINUTE);
        assert_eq!(live(&sim, "o0"), Some(2));
    }
    assert!(sim.finished.iter().skip(1).all(|(_, _, kind, done)| *kind == SyncKind::Apply && !done));
}

#[test]
fn nor_while_its_dependency_keeps_it_from_going_on() {
    use plumb_controller::core::{Event, Observation};
    let mut sim = Sim::new(chain(), Manner { timeout_ms: 5_000, ..Manner::calm() }, 1);
    sim.run(MINUTE);
    edit(&mut sim, |c| {
        c.files.insert(unit(1), Files { ill: true, ..files(&[("o1", 2)]) });
    });
    sim.run(5_500);
    sim.feed(Event::Observed(unit(0), Observation { health: HealthStatus::Degraded, drift: None }));
    sim.run(20_000);
    assert!(matches!(sim.why(&unit(1)), Why::Gated(gates) if gates == [Gate::Dependency { waiting: vec![unit(0)] }]));
    sim.drift(&unit(1), true);
    sim.run(9 * MINUTE);
    assert!(live(&sim, "o1").is_some_and(|content| content > 1), "the old state does not come back");
}

#[test]
fn suspend_stops_and_resume_goes_on_where_git_is() {
    let mut sim = running(1);
    sim.manner.wait_ms = (10_000, 10_000);
    edit(&mut sim, |c| set(c, 0, &[("o0", 2)]));
    sim.run(2_000);
    let id = sim.request(&unit(0), Order::Suspend { until: None });
    assert_eq!(sim.ended(&id), Some(&Ended::Done { withheld: None }));
    sim.run(1_000);
    edit(&mut sim, |c| set(c, 0, &[("o0", 3)]));
    sim.drift(&unit(0), true);
    sim.run(HOUR);
    assert!(live(&sim, "o0").is_some_and(|content| content > 1_000_000), "nothing is touched");
    let refused = sim.request(&unit(0), Order::Reconcile);
    assert!(matches!(sim.ended(&refused), Some(Ended::Refused(why)) if why.contains("suspended by ada")));
    sim.kill(100);
    sim.run(MINUTE);
    assert!(matches!(sim.why(&unit(0)), Why::Gated(gates) if matches!(gates[0], Gate::Suspended(_))), "it outlives the process");
    sim.request(&unit(0), Order::Resume);
    sim.run(MINUTE);
    assert_eq!(live(&sim, "o0"), Some(3));
    let until = sim.now + HOUR;
    sim.request(&unit(0), Order::Suspend { until: Some(until) });
    edit(&mut sim, |c| set(c, 0, &[("o0", 4)]));
    sim.run(HOUR - MINUTE);
    assert_eq!(live(&sim, "o0"), Some(3));
    sim.run(2 * MINUTE);
    assert_eq!(live(&sim, "o0"), Some(4), "its time was over");
}

#[test]
fn what_takes_data_along_waits_for_an_approval_and_holds_up_nothing_else() {
    let mut sim = running(1);
    edit(&mut sim, |c| set(c, 0, &[("o0", 1), ("p0", 1)]));
    sim.run(2_000);
    edit(&mut sim, |c| set(c, 0, &[("o0", 2)]));
    sim.run(2_000);
    assert_eq!((live(&sim, "o0"), live(&sim, "p0")), (Some(2), Some(1)));
    let found = gates(&sim, 0);
    let [Gate::Approval { digest, .. }] = found[..] else { panic!("{found:?}") };
    let wrong = sim.request(&unit(0), Order::Approve { digest: plumb_manifest::Digest([7; 16]) });
    assert!(matches!(sim.ended(&wrong), Some(Ended::Refused(_))));
    let id = sim.request(&unit(0), Order::Approve { digest });
    sim.run(1_000);
    assert_eq!(sim.ended(&id), Some(&Ended::Done { withheld: None }));
    assert_eq!((live(&sim, "p0"), sim.why(&unit(0))), (None, Why::AtRest));
}

#[test]
fn a_gate_goes_when_a_newer_plan_no_longer_needs_it() {
    let mut sim = running(1);
    edit(&mut sim, |c| set(c, 0, &[("o0", 1), ("p0", 1)]));
    sim.run(2_000);
    edit(&mut sim, |c| set(c, 0, &[("o0", 2)]));
    sim.run(2_000);
    assert!(!gates(&sim, 0).is_empty());
    edit(&mut sim, |c| set(c, 0, &[("o0", 2), ("p0", 1)]));
    sim.run(2_000);
    assert_eq!((gates(&sim, 0), live(&sim, "p0")), (vec![], Some(1)));
}

/// Twelve units of three objects; one commit drops one object of each.
fn large_deletion() -> Sim {
    let mut world = World::new(1);
    world.commit(0, |c| {
        add(c, 12);
        (0..12).for_each(|nth| set(c, nth, &[(&format!("o{nth}"), 1), (&format!("x{nth}"), 1)]));
    });
    let mut sim = Sim::new(world, Manner::calm(), 1);
    sim.run(MINUTE / 2);
    edit(&mut sim, |c| (0..12).for_each(|nth| set(c, nth, &[(&format!("o{nth}"), 2)])));
    sim.run(10_000);
    sim
}

#[test]
fn t16_a_large_deletion_is_judged_over_all_that_the_commit_touched() {
    let mut sim = large_deletion();
    assert_eq!((sim.deletions, live(&sim, "o5"), live(&sim, "x5")), (0, Some(2), Some(1)), "applies are not held up");
    assert!(
        gates(&sim, 5).iter().any(|gate| matches!(gate, Gate::Approval { reasons, .. } if reasons[0].contains("12 of 24"))),
        "{:?}",
        gates(&sim, 5)
    );
    assert_eq!(status(&sim, 5).sync, SyncWord::OutOfSync, "part of what Git says is not done");
    sim.kill(100);
    sim.run(MINUTE);
    assert_eq!(sim.deletions, 0, "a restart does not forget the verdict");
    edit(&mut sim, |c| set(c, 3, &[("o3", 3)]));
    sim.run(MINUTE);
    assert_eq!((sim.deletions, live(&sim, "o3")), (0, Some(3)), "a later commit to one of them is no way around it");
    for nth in 0..12 {
        let digest = gates(&sim, nth).iter().find_map(|gate| if let Gate::Approval { digest, .. } = gate { Some(*digest) } else { None });
        sim.request(&unit(nth), Order::Approve { digest: digest.expect("it waits for an approval") });
        sim.run(1_000);
        assert_eq!(sim.deletions, nth as u64 + 1);
    }
    assert_eq!((sim.why(&unit(5)), status(&sim, 5).sync), (Why::AtRest, SyncWord::Synced));
}

#[test]
fn t16_a_revert_ends_the_hold() {
    let mut sim = large_deletion();
    sim.world.repos[0].head = 1;
    sim.push(0);
    sim.run(10_000);
    (0..12).for_each(|nth| assert_eq!(sim.why(&unit(nth)), Why::AtRest));
    assert_eq!(live(&sim, "x7"), Some(1));
    edit(&mut sim, |c| set(c, 7, &[("o7", 1)]));
    sim.run(10_000);
    assert_eq!(live(&sim, "x7"), None, "a small deletion is free again");
}

#[test]
fn t14_an_object_that_moves_keeps_its_uid_even_if_its_new_unit_builds_late() {
    let mut sim = running(2);
    let uid = sim.world.places["a"].objects["o0"].uid;
    edit(&mut sim, |c| {
        set(c, 0, &[("y0", 1)]);
        c.files.insert(unit(1), Files { broken: true, ..files(&[("o1", 1), ("o0", 1)]) });
    });
    sim.run(MINUTE);
    assert_eq!((live(&sim, "y0"), live(&sim, "o0")), (Some(1), Some(1)));
    assert!(gates(&sim, 0).iter().any(|gate| *gate == Gate::PruneGroup { waiting: vec![unit(1)], count: 1 }), "{:?}", gates(&sim, 0));
    edit(&mut sim, |c| set(c, 1, &[("o1", 1), ("o0", 1)]));
    sim.run(5 * MINUTE);
    let live = &sim.world.places["a"].objects["o0"];
    assert_eq!((live.uid, &live.owner), (uid, &unit(1)));
    assert_eq!((sim.why(&unit(0)), sim.why(&unit(1))), (Why::AtRest, Why::AtRest));
}

#[test]
fn t14_a_renamed_unit_hands_its_objects_over() {
    let mut sim = running(2);
    let uid = sim.world.places["a"].objects["o0"].uid;
    sim.manner.build_ms = (50, 5_000);
    edit(&mut sim, |c| {
        c.units.remove(&unit(0));
        c.files.remove(&unit(0));
        c.units.insert(unit(5), Decl::new(0));
        c.files.insert(unit(5), files(&[("o0", 1)]));
    });
    sim.run(5 * MINUTE);
    let live = &sim.world.places["a"].objects["o0"];
    assert_eq!((live.uid, &live.owner, sim.deletions), (uid, &unit(5), 0));
    assert_eq!(sim.why(&unit(0)), Why::Unknown);
}

#[test]
fn a_rollback_stays_until_it_is_resumed() {
    let mut sim = running(1);
    let old: Revisions = status(&sim, 0).synced.expect("it is synced");
    edit(&mut sim, |c| set(c, 0, &[("o0", 2)]));
    sim.run(1_000);
    sim.world.repos[0].up = false;
    let id = sim.request(&unit(0), Order::SyncAt { revisions: old.clone(), record: Some("h1".into()) });
    sim.run(1_000);
    assert_eq!((sim.ended(&id), live(&sim, "o0")), (Some(&Ended::Done { withheld: None }), Some(1)));
    sim.world.repos[0].up = true;
    edit(&mut sim, |c| set(c, 0, &[("o0", 3)]));
    sim.run(MINUTE);
    assert_eq!(live(&sim, "o0"), Some(1));
    assert!(matches!(&gates(&sim, 0)[..], [Gate::Pinned(pin)] if pin.revisions == old && &*pin.by == "ada"));
    sim.kill(100);
    sim.run(MINUTE);
    assert_eq!(live(&sim, "o0"), Some(1), "it outlives the process");
    sim.request(&unit(0), Order::Resume);
    sim.run(MINUTE);
    assert_eq!((live(&sim, "o0"), gates(&sim, 0)), (Some(3), vec![]));
}

#[test]
fn a_lost_lease_stops_everything_until_it_is_back() {
    let mut sim = running(4);
    sim.manner.wait_ms = (20_000, 20_000);
    edit(&mut sim, |c| (0..4).for_each(|nth| set(c, nth, &[(&format!("o{nth}"), 2)])));
    sim.run(3_000);
    sim.tell_lease(false);
    sim.run(1_000);
    let before = sim.syncs.len();
    assert_eq!(sim.why(&unit(1)), Why::Gated(vec![Gate::Lease]));
    sim.run(HOUR);
    assert_eq!(sim.syncs.len(), before);
    sim.tell_lease(true);
    sim.run(MINUTE);
    (0..4).for_each(|nth| assert_eq!(sim.why(&unit(nth)), Why::AtRest));
}

#[test]
fn an_unreachable_target_parks_its_units_and_no_others() {
    let mut world = world(6);
    world.commit(0, |c| {
        (3..6).for_each(|nth| {
            c.units.insert(unit(nth), Decl { target: "b", ..Decl::new(0) });
        });
    });
    let mut sim = Sim::new(world, Manner::calm(), 1);
    sim.run(MINUTE);
    sim.set_place("b", false, true);
    edit(&mut sim, |c| (0..6).for_each(|nth| set(c, nth, &[(&format!("o{nth}"), 2)])));
    sim.run(2 * MINUTE);
    assert_eq!(live(&sim, "o2"), Some(2));
    assert!(gates(&sim, 4).iter().any(|gate| matches!(gate, Gate::Target { .. })));
    let tries = sim.syncs.iter().filter(|(at, key, _)| *at > sim.now - MINUTE && *key >= unit(3)).count();
    assert!(tries <= 3, "one of them tries now and then, not all: {tries}");
    sim.world.places.get_mut("b").expect("b").up = true;
    sim.run(6 * MINUTE);
    (0..6).for_each(|nth| assert_eq!(sim.why(&unit(nth)), Why::AtRest, "the try that went well released all"));
    sim.set_place("b", false, true);
    edit(&mut sim, |c| set(c, 4, &[("o4", 3)]));
    sim.run(MINUTE);
    sim.set_place("b", true, true);
    sim.run(200);
    assert_eq!(sim.world.places["b"].objects["o4"].content, 3, "released at once");
}

#[test]
fn a_unit_that_kills_the_process_twice_is_quarantined_until_it_changes() {
    let mut sim = running(3);
    edit(&mut sim, |c| {
        c.files.insert(unit(1), Files { poison: true, ..files(&[("o1", 2)]) });
    });
    sim.run(5 * MINUTE);
    assert_eq!(sim.restarts, 2);
    assert!(matches!(sim.why(&unit(1)), Why::Gated(gates) if gates == [Gate::Quarantine { crashes: 2 }]));
    edit(&mut sim, |c| set(c, 2, &[("o2", 2)]));
    sim.run(MINUTE);
    assert_eq!((sim.restarts, live(&sim, "o2"), live(&sim, "o1")), (2, Some(2), Some(1)));
    edit(&mut sim, |c| set(c, 1, &[("o1", 3)]));
    sim.run(MINUTE);
    assert_eq!(live(&sim, "o1"), Some(3));
}

#[test]
fn a_manual_unit_waits_for_a_request() {
    let mut world = world(1);
    world.commit(0, |c| {
        c.units.insert(unit(0), Decl { manual: true, ..Decl::new(0) });
    });
    let mut sim = Sim::new(world, Manner::calm(), 1);
    sim.run(MINUTE);
    assert_eq!((live(&sim, "o0"), sim.why(&unit(0))), (None, Why::Gated(vec![Gate::Manual])));
    let id = sim.request(&unit(0), Order::Reconcile);
    sim.run(1_000);
    assert_eq!((live(&sim, "o0"), sim.ended(&id)), (Some(1), Some(&Ended::Done { withheld: None })));
    sim.kill(100);
    sim.run(MINUTE);
    sim.drift(&unit(0), true);
    sim.run(1_000);
    assert_eq!((live(&sim, "o0"), sim.why(&unit(0))), (Some(1), Why::AtRest), "what was there is kept after a restart");
    edit(&mut sim, |c| set(c, 0, &[("o0", 2)]));
    sim.run(MINUTE);
    assert_eq!(live(&sim, "o0"), Some(1));
    sim.drift(&unit(0), true);
    sim.run(1_000);
    assert_eq!(live(&sim, "o0"), Some(1), "drift from the old state is still put right");
}

#[test]
fn a_deletion_on_request_leaves_a_visible_gate_where_git_still_has_the_unit() {
    let mut sim = running(2);
    let id = sim.request(&unit(0), Order::Delete);
    sim.run(MINUTE);
    assert_eq!((sim.ended(&id), live(&sim, "o0")), (Some(&Ended::Done { withheld: None }), None));
    assert_eq!(sim.why(&unit(0)), Why::Gated(vec![Gate::Deleted { by: "ada".into() }]));
    sim.kill(100);
    sim.run(MINUTE);
    assert_eq!(live(&sim, "o0"), None);
    sim.request(&unit(0), Order::Resume);
    sim.run(MINUTE);
    assert_eq!(live(&sim, "o0"), Some(1));
}

#[test]
fn requests_say_how_they_ended() {
    let mut sim = running(2);
    let old = status(&sim, 0).synced.expect("it is synced");
    edit(&mut sim, |c| {
        c.files.insert(unit(0), Files { broken: true, ..files(&[("o0", 2)]) });
    });
    sim.run(1_000);
    let broken = sim.request(&unit(0), Order::Reconcile);
    let dry = sim.request(&unit(1), Order::DryRun { revisions: None });
    let bad = sim.request(&unit(0), Order::DryRun { revisions: None });
    let good = sim.request(&unit(0), Order::DryRun { revisions: Some(old) });
    let nobody = sim.request(&unit(8), Order::Reconcile);
    let of_root = sim.request(&root(), Order::Reconcile);
    let of_source = sim.request(&source(0), Order::Reconcile);
    let odd = sim.request(&source(0), Order::Delete);
    sim.run(2_000);
    assert!(matches!(sim.ended(&broken), Some(Ended::Failed(failure)) if failure.message.contains("does not parse")));
    assert!(matches!((sim.ended(&dry), sim.ended(&good)), (Some(Ended::Planned(one)), Some(Ended::Planned(_))) if one.changes == 0));
    assert!(matches!(sim.ended(&bad), Some(Ended::Failed(_))));
    assert!(matches!((sim.ended(&nobody), sim.ended(&odd)), (Some(Ended::Refused(_)), Some(Ended::Refused(_)))));
    assert_eq!(
        (sim.ended(&of_root), sim.ended(&of_source)),
        (Some(&Ended::Done { withheld: None }), Some(&Ended::Done { withheld: None }))
    );
    sim.world.repos[0].up = false;
    let down = sim.request(&unit(1), Order::Reconcile);
    sim.run(2_000);
    assert!(matches!(sim.ended(&down), Some(Ended::Failed(failure)) if failure.message.contains("does not answer")));
}

#[test]
fn a_request_can_be_taken_back() {
    let mut sim = Sim::new(chain(), Manner::calm(), 1);
    sim.run(MINUTE);
    sim.manner.fetch_ms = (10_000, 10_000);
    let id = sim.request(&unit(0), Order::Reconcile);
    let cancel = sim.request(&unit(0), Order::Cancel { id: id.clone() });
    sim.run(30_000);
    assert!(matches!(sim.ended(&id), Some(Ended::Cancelled(_))));
    assert_eq!(sim.ended(&cancel), Some(&Ended::Done { withheld: None }));
}

#[test]
fn a_small_tenant_does_not_wait_for_a_large_one() {
    let mut world = World::new(1);
    let small = NodeKey::unit("sim", "zoe", "only");
    world.commit(0, |c| {
        add(c, 300);
        c.units.insert(small.clone(), Decl::new(0));
        c.files.insert(small.clone(), files(&[("only", 1)]));
    });
    let mut sim = Sim::new(world, Manner::calm(), 1);
    sim.run(5 * MINUTE);
    let before = sim.syncs.iter().position(|(_, key, _)| *key == small).expect("it is synced");
    assert!(before < 30, "{before} others went first");
}

#[test]
fn a_unit_that_was_never_understood_goes_without_a_cluster() {
    let mut core = Core::new(Limits::standard(), 1);
    let mut out = Vec::new();
    core.step(0, Event::Put(unit(0), Declared::Stalled { reasons: vec!["Helm is not supported yet".to_owned()] }), &mut out);
    assert_eq!(core.nodes().count(), 1);
    core.step(1, Event::Gone(unit(0)), &mut out);
    assert!(out.iter().any(|action| matches!(action, Action::Forget(key) if *key == unit(0))), "{out:?}");
    assert_eq!(core.nodes().count(), 0);
}
