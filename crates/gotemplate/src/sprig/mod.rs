//! Owns Sprig's functions, one family a file.

mod certificates;
mod crypto;
mod dates;
mod dicts;
mod encoding;
mod flow;
mod lists;
mod math;
mod network;
mod random;
mod regex;
mod strings;
mod versions;
mod words;

use crate::func::Function;

pub(crate) use dates::{HELM, as_time, in_units};

/// Returns every function of Sprig's that is no builtin of Go's and needs no executor.
pub(crate) fn all() -> impl Iterator<Item = &'static Function> {
    let families = [
        strings::ALL,
        lists::ALL,
        dicts::ALL,
        flow::ALL,
        math::ALL,
        encoding::ALL,
        regex::ALL,
        versions::ALL,
        crypto::ALL,
        certificates::ALL,
        random::ALL,
        network::ALL,
        dates::ALL,
    ];
    families.into_iter().flat_map(|family| family.iter().copied())
}
