//! Owns Sprig's regular expressions (regex.go). What is found is a part of the text and what is replaced is made of the text and the replacement, so
//! every byte keeps its origin.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use plumb_go::regexp::{Piece, Regexp, quote_meta};

use crate::func::{Call, Failure, Function, function};
use crate::origin::O;
use crate::value::{ListType, Value};

type Given = Result<Value, Failure>;

pub(crate) static ALL: &[&Function] = &[
    &MATCH,
    &MUST_MATCH,
    &FIND,
    &MUST_FIND,
    &FIND_ALL,
    &MUST_FIND_ALL,
    &REPLACE_ALL,
    &MUST_REPLACE_ALL,
    &REPLACE_LITERAL,
    &MUST_REPLACE_LITERAL,
    &SPLIT,
    &MUST_SPLIT,
    &QUOTE_META,
];

/// How many compiled expressions are kept: charts use few, over and over.
const KEPT: usize = 32;

type Compiled = (Box<[u8]>, Arc<Regexp>);

thread_local! {
    /// What was compiled lately, the latest last. Compiling costs more than matching; what an expression means does not change.
    static KNOWN: RefCell<Vec<Compiled>> = const { RefCell::new(Vec::new()) };
}

/// Compiles an expression; Go panics in the functions that are not `strict`, with a text of its own.
fn compile(c: &Call<'_>, pattern: &Value, strict: bool) -> Result<Arc<Regexp>, Failure> {
    let pattern = c.bytes(pattern);
    KNOWN.with_borrow_mut(|known| {
        if let Some(at) = known.iter().rposition(|(text, _)| **text == *pattern) {
            let kept = known.remove(at);
            let regexp = kept.1.clone();
            known.push(kept);
            return Ok(regexp);
        }
        let regexp = match Regexp::compile(pattern) {
            Ok(regexp) => Arc::new(regexp),
            Err(error) => return Err(Failure::new(if strict { error.message() } else { error.panic(pattern) })),
        };
        if known.len() >= KEPT {
            known.remove(0);
        }
        known.push((pattern.into(), regexp.clone()));
        Ok(regexp)
    })
}

/// Makes sure that there is room for what any expression can find in a text: something at every byte.
fn searchable(c: &mut Call<'_>, text: &Value) -> Result<(), Failure> {
    let len = c.str(text).len as usize;
    c.heap.reserve(len.saturating_mul(2 * size_of::<Piece>()))
}

/// Part of a text argument.
fn part(value: &Value, c: &mut Call<'_>, range: Range<usize>, decided: O) -> Value {
    let part = Value::Str(value.origin(), c.str(value).slice(range.start, range.end));
    c.heap.beside(part, decided)
}

/// What decides where an expression is found: the expression and all of the text.
fn both(c: &mut Call<'_>, by: &Value, value: &Value) -> O {
    let (of, by) = (c.heap.origin(*value), c.heap.origin(*by));
    c.heap.origins.join(of, by)
}

fn parts(c: &mut Call<'_>, by: &Value, value: &Value, ranges: Vec<Range<usize>>) -> Given {
    c.heap.reserve(ranges.len() * 16)?;
    let decided = both(c, by, value);
    let items: Vec<Value> = ranges.into_iter().map(|range| part(value, c, range, decided)).collect();
    Ok(c.heap.list(ListType::Strings, &items).with(decided))
}

// An expression that does not compile matches nothing (regex.go drops the error).
function!(MATCH, "regexMatch", [Str, Str], , Union, |c, a| {
    Ok(Value::bool(compile(c, &a[0], true).is_ok_and(|regexp| regexp.is_match(c.bytes(&a[1])))))
});
function!(MUST_MATCH, "mustRegexMatch", [Str, Str], , Union, |c, a| {
    Ok(Value::bool(compile(c, &a[0], true)?.is_match(c.bytes(&a[1]))))
});

fn find(c: &mut Call<'_>, a: &[Value], strict: bool) -> Given {
    let found = compile(c, &a[0], strict)?.find(c.bytes(&a[1]));
    let decided = both(c, &a[0], &a[1]);
    Ok(part(&a[1], c, found.unwrap_or_default(), decided))
}

function!(FIND, "regexFind", [Str, Str], , Exact, |c, a| find(c, a, false));
function!(MUST_FIND, "mustRegexFind", [Str, Str], , Exact, |c, a| find(c, a, true));

fn find_all(c: &mut Call<'_>, a: &[Value], strict: bool) -> Given {
    searchable(c, &a[1])?;
    let found = compile(c, &a[0], strict)?.find_all(c.bytes(&a[1]), c.int(&a[2]));
    parts(c, &a[0], &a[1], found)
}

function!(FIND_ALL, "regexFindAll", [Str, Str, Int], , Exact, |c, a| find_all(c, a, false));
function!(MUST_FIND_ALL, "mustRegexFindAll", [Str, Str, Int], , Exact, |c, a| find_all(c, a, true));

fn split(c: &mut Call<'_>, a: &[Value], strict: bool) -> Given {
    searchable(c, &a[1])?;
    let found = compile(c, &a[0], strict)?.split(c.bytes(&a[1]), c.int(&a[2]));
    parts(c, &a[0], &a[1], found)
}

function!(SPLIT, "regexSplit", [Str, Str, Int], , Exact, |c, a| split(c, a, false));
function!(MUST_SPLIT, "mustRegexSplit", [Str, Str, Int], , Exact, |c, a| split(c, a, true));

fn replace(c: &mut Call<'_>, a: &[Value], literal: bool, strict: bool) -> Given {
    searchable(c, &a[1])?;
    let pieces = compile(c, &a[0], strict)?.replace_all(c.bytes(&a[1]), c.bytes(&a[2]), literal);
    let (text, by) = (c.str(&a[1]), c.str(&a[2]));
    let (own, by_own) = (a[1].origin(), a[2].origin());
    let len = |piece: &Piece| match piece {
        Piece::Text(range) | Piece::Replacement(range) => range.len(),
    };
    c.heap.reserve(pieces.iter().map(len).sum())?;
    let mut built = c.heap.build();
    for piece in pieces {
        match piece {
            Piece::Text(range) => built.text(text.slice(range.start, range.end), own),
            Piece::Replacement(range) => built.text(by.slice(range.start, range.end), by_own),
        };
    }
    let made = Value::Str(own, built.end());
    let decided = both(c, &a[0], &a[1]);
    Ok(c.heap.beside(made, decided))
}

function!(REPLACE_ALL, "regexReplaceAll", [Str, Str, Str], , Exact, |c, a| replace(c, a, false, false));
function!(MUST_REPLACE_ALL, "mustRegexReplaceAll", [Str, Str, Str], , Exact, |c, a| replace(c, a, false, true));
function!(REPLACE_LITERAL, "regexReplaceAllLiteral", [Str, Str, Str], , Exact, |c, a| replace(c, a, true, false));
function!(MUST_REPLACE_LITERAL, "mustRegexReplaceAllLiteral", [Str, Str, Str], , Exact, |c, a| replace(c, a, true, true));

function!(QUOTE_META, "regexQuoteMeta", [Str], , Exact, |c, a| {
    let (text, own) = (c.str(&a[0]), a[0].origin());
    let places = quote_meta(c.bytes(&a[0]));
    c.heap.reserve(text.len as usize + places.len())?;
    let mut built = c.heap.build();
    let mut from = 0;
    for at in places {
        built.text(text.slice(from, at), own).bytes(b"\\", own);
        from = at;
    }
    built.text(text.slice(from, text.len as usize), own);
    Ok(Value::Str(own, built.end()))
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::func::{CallKey, CertificateRequest, Host};
    use crate::heap::Heap;
    use crate::origin::{O, Origin};

    /// These functions ask nothing.
    struct Nobody;

    impl Host for Nobody {
        fn random(&mut self, _: CallKey<'_>, _: &[u8], _: usize) -> Result<Vec<u8>, Failure> {
            Err(Failure::new(""))
        }
        fn now(&mut self) -> Result<(i64, u32, i32), Failure> {
            Err(Failure::new(""))
        }
        fn lookup(&mut self, _: &str, _: &str, _: &str, _: &str) -> Result<Option<Vec<u8>>, Failure> {
            Err(Failure::new(""))
        }
        fn address(&mut self, _: &str) -> Result<String, Failure> {
            Err(Failure::new(""))
        }
        fn certificate(&mut self, _: CallKey<'_>, _: &CertificateRequest<'_>) -> Result<(String, String), Failure> {
            Err(Failure::new(""))
        }
    }

    #[test]
    fn replaced_bytes_keep_their_origins() {
        let mut heap = Heap::new(true, 1 << 20);
        let text = |heap: &mut Heap, bytes: &[u8], start: u32| {
            let span = plumb_world::Span { file: plumb_world::FileId(0), start, end: start + 1 };
            let origin = heap.origins.add(Origin::At(span));
            (Value::Str(origin, heap.push(bytes, origin)), origin)
        };
        let (pattern, _) = text(&mut heap, b"b(.)", 1);
        let (given, _) = text(&mut heap, b"abcd", 2);
        let (by, _) = text(&mut heap, b"<$1>", 3);
        let key = CallKey { file: "", define: "", function: "regexReplaceAll" };
        let mut call = Call { heap: &mut heap, host: &mut Nobody, key };
        let Ok(Value::Str(_, made)) = (REPLACE_ALL.run)(&mut call, &[pattern, given, by]) else { panic!() };
        assert_eq!(heap.bytes(made), b"a<c>d");
        let places = |origin: O| {
            let mut places = std::collections::BTreeSet::new();
            heap.origins.places(origin, false, &mut |span| {
                places.insert(span.start);
            });
            places.into_iter().collect::<Vec<u32>>()
        };
        let segs: Vec<(u32, Vec<u32>)> = heap.segs(made).map(|seg| (seg.at - made.at, places(seg.origin))).collect();
        // The expression decides about each of them, and what it is searched in about what comes in.
        assert_eq!(segs, [(0, vec![1, 2]), (1, vec![1, 2, 3]), (2, vec![1, 2]), (3, vec![1, 2, 3]), (4, vec![1, 2])]);
    }

    #[test]
    fn few_expressions_are_kept() {
        let mut heap = Heap::new(false, 1 << 20);
        for nth in 0..KEPT * 3 {
            let pattern = Value::Str(O::NONE, heap.push(format!("a{nth}").as_bytes(), O::NONE));
            let key = CallKey { file: "", define: "", function: "regexFind" };
            assert!(compile(&Call { heap: &mut heap, host: &mut Nobody, key }, &pattern, true).is_ok());
        }
        KNOWN.with_borrow(|known| assert_eq!(known.len(), KEPT));
    }
}
