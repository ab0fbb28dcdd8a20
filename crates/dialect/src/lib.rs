//! Owns the front ends: resources of some dialect → nodes. Each dialect is a module; Plumb's own is [`native`].
//! Must not decide when anything happens, and must not talk to anybody: files come through `World`.
//!
//! A field that a dialect knows and does not carry stalls its node with the reason; a field it does not know is an error. None is ignored.

pub mod native;
