//! The controller's core against a model of everything around it: scripted stories, and seeded random faults.
//!
//! More days: `PLUMB_SIMULATION_RUNS=5000 cargo test --release -p plumb-controller --test simulation`. One day told line by line:
//! `PLUMB_SIMULATION_SEED=17 cargo test -p plumb-controller --test simulation one_day_told -- --nocapture`.

#![expect(clippy::print_stdout, reason = "a simulated day is told, and counted, for people")]

#[path = "simulation/model.rs"]
mod model;
#[path = "simulation/random.rs"]
mod random;
#[path = "simulation/scale.rs"]
mod scale;
#[path = "simulation/shell.rs"]
mod shell;
#[path = "simulation/stories.rs"]
mod stories;
#[path = "simulation/watch.rs"]
mod watch;
#[path = "simulation/work.rs"]
mod work;
