//! Owns references by name: following the names of objects that changed, and the values that vars stand for.

mod candidates;
mod expand;
pub(crate) mod lost;
pub(crate) mod names;
pub(crate) mod vars;

#[cfg(test)]
mod tests;
