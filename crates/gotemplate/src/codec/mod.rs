//! Owns values as YAML, JSON and TOML, and back: Helm's and Sprig's functions (helm: pkg/engine/funcs.go, sprig: defaults.go). Keys and scalars
//! keep their origins both ways.

mod json;
mod json_read;
mod notes;
mod toml;
mod yaml;

use crate::func::{Call, Failure, FailureKind, Function};
use crate::heap::Heap;
use crate::object::MAP;
use crate::origin::{CtlId, O};
use crate::text::{Seg, Str};
use crate::value::Value;

pub use yaml::{to_yaml, value_of as value_of_yaml};

/// Sprig's.
pub(crate) static SPRIG: &[&Function] = json::SPRIG;

/// Helm's own, some in place of Sprig's.
pub(crate) fn helm() -> impl Iterator<Item = &'static Function> {
    yaml::ALL.iter().chain(json::HELM).chain(toml::ALL).copied()
}

/// Collections inside collections that are written or read: `set` can make a map hold itself.
const MAX_DEPTH: usize = 1_000;

/// What encoding/json says of a value that is too deep or holds itself.
const CYCLE: &str = "json: unsupported value: encountered a cycle via map[string]interface {}";

/// Fails when what is written so far, with all that the render has, is beyond its limit: a map that holds itself twice doubles at each level.
fn check_size(heap: &mut Heap, written: usize) -> Result<(), Failure> {
    heap.reserve(written)
}

/// What a function that swallows errors returns; a limit is never swallowed.
fn swallowed(failure: Failure, instead: Value) -> Result<Value, Failure> {
    match failure.kind {
        FailureKind::Refused => Ok(instead),
        _ => Err(failure),
    }
}

/// Returns the origin of a text whose bytes have all the same, as most have.
fn uniform(heap: &Heap, text: Str, own: O) -> Option<O> {
    let mut segs = heap.segs(text);
    let first = segs.next()?;
    let one = segs.next().is_none() && first.off == Seg::WHOLE && first.ctl == CtlId(0);
    one.then_some(if first.origin == O::NONE { own } else { first.origin })
}

/// Returns where a text is from as a whole, with the blocks that its parts were written under.
fn whole(heap: &mut Heap, value: Value) -> O {
    let (Value::Str(own, text) | Value::Bytes(own, text)) = value else { return heap.origin(value) };
    if !heap.origins.tracing() {
        return heap.origin(value);
    }
    if let Some(one) = uniform(heap, text, own) {
        return one;
    }
    heap.origin(value)
}

/// Returns what Helm's `from…` functions give for an error: a map with the text under `Error`.
fn error_map(c: &mut Call<'_>, error: &[u8], origin: O) -> Result<Value, Failure> {
    let id = c.heap.map(&MAP);
    let key = c.heap.sym(b"Error");
    let text = c.text(error)?.with(origin);
    c.heap.get_mut(id).set(key, origin, text);
    Ok(Value::Map(origin, id))
}

/// The same for those that give lists.
fn error_list(c: &mut Call<'_>, error: &[u8], origin: O) -> Result<Value, Failure> {
    let text = c.text(error)?.with(origin);
    Ok(c.list(&[text])?.with(origin))
}
