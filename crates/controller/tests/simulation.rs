//! The controller's core against a model of everything around it: scripted stories, and seeded random faults.

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
