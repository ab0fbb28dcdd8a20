//! What size costs: a thousand units at rest, and a thousand at once.

use plumb_controller::core::{Limits, Why};
use plumb_unit::NodeKey;

use crate::model::{Decl, Files, World, source};
use crate::shell::{Manner, Sim};

const MINUTE: u64 = 60_000;
const UNITS: u64 = 1_000;

fn unit(nth: u64) -> NodeKey {
    NodeKey::unit("sim", &format!("team{}", nth % 20), &format!("u{nth}"))
}

fn files(nth: u64, content: u64) -> Files {
    Files { objects: [(format!("o{nth}"), content)].into(), ..Files::default() }
}

fn thousand() -> Sim {
    let mut world = World::new(1);
    world.commit(0, |commit| {
        for nth in 0..UNITS {
            commit.units.insert(unit(nth), Decl { interval_ms: 24 * 60 * MINUTE, ..Decl::new(0) });
            commit.files.insert(unit(nth), files(nth, 1));
        }
    });
    let manner = Manner { limits: Limits::standard(), unchecked: true, ..Manner::calm() };
    let mut sim = Sim::new(world, manner, 1);
    sim.run(MINUTE);
    sim
}

#[test]
fn a_thousand_units_start_at_once_and_then_cost_nothing() {
    let mut sim = thousand();
    (0..UNITS).for_each(|nth| assert_eq!(sim.why(&unit(nth)), Why::AtRest));
    assert_eq!(sim.builds.values().sum::<u32>(), 1_000);
    let (steps, actions, fetches) = (sim.steps, sim.actions, sim.fetches);
    sim.run(60 * MINUTE);
    let fetched = u64::from(sim.fetches - fetches);
    assert!((50..=70).contains(&fetched), "{fetched} fetches in an hour");
    assert!(sim.steps - steps <= 2 * fetched + 2, "one tick and one answer per poll: {}", sim.steps - steps);
    // Per poll: the fetch, what is shown of the source before and after it, and when to wake.
    assert!(sim.actions - actions <= 5 * fetched, "{} actions for {fetched} polls", sim.actions - actions);
}

#[test]
fn one_file_of_a_thousand_units_is_one_build_and_one_sync() {
    let mut sim = thousand();
    sim.builds.clear();
    sim.syncs.clear();
    sim.world.commit(0, |commit| {
        commit.files.insert(unit(77), files(77, 2));
    });
    sim.push(0);
    sim.run(2_000);
    assert_eq!(sim.builds.iter().collect::<Vec<_>>(), [(&unit(77), &1)]);
    assert_eq!(sim.syncs.len(), 1);
    assert!(sim.core().nodes().any(|key| *key == source(0)));
}
