//! SIGKILL at forty random moments while commits are pushed: at the end all is as Git says, and what Git kept was never made anew.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::time::Duration;

use crate::live::assert_same;
use crate::serve::Serve;
use crate::world::{APP, Site, World};

const SITES: usize = 8;
const ROUNDS: usize = 5;
/// The last moment after which a process is killed, in milliseconds.
const LATEST_MS: u64 = 1500;
const SEED: u64 = 0x005e_ed0f_9a11;

/// Numbers that look random and are the same in every run (splitmix64).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// Writes what the unit is in a round: four objects stay and change, of six others four are there, each round other ones.
fn write(world: &World, round: usize) {
    for nth in 0..4 {
        world.config_map(APP, &format!("staying-{nth}"), &round.to_string());
    }
    for nth in 0..6 {
        let name = format!("passing-{nth}");
        if !(nth + round).is_multiple_of(3) {
            world.config_map(APP, &name, &round.to_string());
        } else if round > 0 {
            // It may not be there, if the round before had none either.
            let _ = world.repo.remove(&format!("apps/{APP}/{name}.yaml"));
        }
    }
}

#[test]
fn killed_at_forty_random_moments() {
    let world = World::new();
    let sites = world.sites(SITES);
    sites.iter().for_each(|site| world.declare(site, APP, "wait: false"));
    write(&world, 0);
    world.push("Round 0");
    let mut seeded = Seeded(SEED);
    let mut staying: Vec<BTreeMap<String, String>> = vec![BTreeMap::new(); SITES];
    for round in 1..=ROUNDS {
        let moments: Vec<Duration> = sites.iter().map(|_| Duration::from_millis(seeded.below(LATEST_MS))).collect();
        let pushed = Barrier::new(SITES + 1);
        let (world, pushed) = (&world, &pushed);
        std::thread::scope(|scope| {
            for (at, (site, moment)) in sites.iter().zip(&moments).enumerate() {
                scope.spawn(move || live_and_die(site, *moment, at % 2 == 0, pushed));
            }
            pushed.wait();
            write(world, round);
            world.push(&format!("Round {round}"));
            pushed.wait();
        });
        let live = world.live();
        for (site, known) in sites.iter().zip(&mut staying) {
            let mut now = live.uids(site);
            now.retain(|name, _| name.contains("staying"));
            assert_same(known, &now, &format!("{} in round {round}", site.namespace));
            assert!(known.keys().all(|name| now.contains_key(name)), "round {round}: {known:?} became {now:?}");
            *known = now;
        }
    }
    let head = world.repo.head().unwrap();
    let serves: Vec<_> = sites.iter().map(Serve::start).collect();
    for mut serve in serves {
        serve.until_synced(APP, &head);
    }
    let live = world.live();
    for (site, known) in sites.iter().zip(&staying) {
        world.assert_is_git(site, APP, &live, &site.namespace);
        assert_same(known, &live.uids(site), &site.namespace);
    }
}

/// Runs a process until some moment after it may write (it then catches up with what the one before left), or after a push.
fn live_and_die(site: &Site, moment: Duration, at_start: bool, pushed: &Barrier) {
    let mut serve = Serve::start(site);
    serve.until("it may write", Serve::leads);
    if at_start {
        std::thread::sleep(moment);
        serve.kill();
        pushed.wait();
        pushed.wait();
    } else {
        pushed.wait();
        pushed.wait();
        std::thread::sleep(moment);
        serve.kill();
    }
}
