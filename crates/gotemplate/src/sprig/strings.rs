//! Owns Sprig's functions on texts (strings.go and those of functions.go). Cutting gives ranges, and building copies segments: both know where
//! each byte is from.

use plumb_go::strconv;

use crate::func::{Call, Failure, Function, function};
use crate::origin::O;
use crate::sprig::words::{cased, pascal};
use crate::text::Str;
use crate::value::Value;

type Given = Result<Value, Failure>;

pub(crate) static ALL: &[&Function] = &[
    &TRIM,
    &UPPER,
    &LOWER,
    &TITLE,
    &UNTITLE,
    &SUBSTR,
    &REPEAT,
    &TRIMALL,
    &TRIM_ALL,
    &TRIM_SUFFIX,
    &TRIM_PREFIX,
    &NOSPACE,
    &INITIALS,
    &SWAPCASE,
    &SNAKECASE,
    &CAMELCASE,
    &KEBABCASE,
    &WRAP,
    &WRAP_WITH,
    &CONTAINS,
    &HAS_PREFIX,
    &HAS_SUFFIX,
    &QUOTE,
    &SQUOTE,
    &CAT,
    &INDENT,
    &NINDENT,
    &REPLACE,
    &PLURAL,
    &TO_STRING,
    &TRUNC,
    &ABBREV,
    &ABBREVBOTH,
    &JOIN,
    &SPLIT,
    &SPLITN,
    &SPLIT_LIST,
    &TO_STRINGS,
    &SORT_ALPHA,
];

/// Part of a text argument.
fn cut(value: &Value, text: Str) -> Value {
    match value {
        Value::Str(own, _) | Value::Bytes(own, _) => Value::Str(*own, text),
        _ => Value::Str(O::NONE, text),
    }
}

function!(TRIM, "trim", [Str], , Exact, |c, a| {
    let text = c.str(&a[0]);
    let bytes = c.heap.bytes(text);
    let end = trim_end(bytes);
    let start = end - trim_start(&bytes[..end]).len();
    Ok(cut(&a[0], text.slice(start, end)))
});

/// Where a text ends without Unicode's white space.
fn trim_end(bytes: &[u8]) -> usize {
    let mut end = bytes.len();
    while end > 0 {
        let from = (end.saturating_sub(3)..end).rev().find(|at| bytes[*at] < 0x80 || bytes[*at] >= 0xc0).unwrap_or(end - 1);
        match std::str::from_utf8(&bytes[from..end]) {
            Ok(rune) if rune.chars().all(char::is_whitespace) => end = from,
            _ => break,
        }
    }
    end
}

fn trim_start(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let Some(chunk) = rest[..rest.len().min(4)].utf8_chunks().next() {
        match chunk.valid().chars().next().filter(|rune| rune.is_whitespace()) {
            Some(rune) => rest = &rest[rune.len_utf8()..],
            None => break,
        }
    }
    rest
}

/// Changes characters one by one, keeping the origin of each where its width stays.
fn mapped(c: &mut Call<'_>, value: &Value, change: &mut dyn FnMut(char, &mut Vec<u8>)) -> Given {
    let (text, own) = (c.str(value), value.origin());
    c.heap.reserve(text.len as usize * 2)?;
    let bytes = c.heap.bytes(text).to_vec();
    let mut out = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|rune| change(rune, &mut out));
        for _ in chunk.invalid() {
            change(char::REPLACEMENT_CHARACTER, &mut out);
        }
    }
    if out.len() == bytes.len() {
        return Ok(Value::Str(own, c.heap.replaced(text, own, &out)));
    }
    let all = c.heap.origin(*value);
    Ok(Value::Str(all, c.heap.push(&out, all)))
}

fn push(rune: impl IntoIterator<Item = char>, out: &mut Vec<u8>) {
    for rune in rune {
        out.extend_from_slice(rune.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Go's simple case mapping: one character each, other than Rust's full one.
fn upper(rune: char) -> char {
    let mut all = rune.to_uppercase();
    match (all.next(), all.next()) {
        (Some(one), None) => one,
        _ => rune,
    }
}

fn lower(rune: char) -> char {
    rune.to_lowercase().next().unwrap_or(rune)
}

function!(UPPER, "upper", [Str], , Exact, |c, a| mapped(c, &a[0], &mut |rune, out| push([upper(rune)], out)));
function!(LOWER, "lower", [Str], , Exact, |c, a| mapped(c, &a[0], &mut |rune, out| push([lower(rune)], out)));
// `strings.Title`: letters after anything that is no letter, digit, underscore or, beyond ASCII, after space.
function!(TITLE, "title", [Str], , Exact, |c, a| {
    let mut before = ' ';
    mapped(c, &a[0], &mut |rune, out| {
        push([if separates(before) { upper(rune) } else { rune }], out);
        before = rune;
    })
});

fn separates(rune: char) -> bool {
    if rune.is_ascii() {
        return !(rune.is_ascii_alphanumeric() || rune == '_');
    }
    !rune.is_alphanumeric() && rune.is_whitespace()
}

function!(UNTITLE, "untitle", [Str], , Exact, |c, a| {
    let mut before = ' ';
    mapped(c, &a[0], &mut |rune, out| {
        push([if before.is_whitespace() { lower(rune) } else { rune }], out);
        before = rune;
    })
});
function!(SWAPCASE, "swapcase", [Str], , Exact, |c, a| {
    mapped(c, &a[0], &mut |rune, out| {
        let swapped = match () {
            () if rune.is_uppercase() => lower(rune),
            () if rune.is_lowercase() => upper(rune),
            () => rune,
        };
        push([swapped], out);
    })
});
// goutils takes each byte for a character here: what is not ASCII comes out as if it were Latin-1.
function!(NOSPACE, "nospace", [Str], , Union, |c, a| {
    let text: String = c.bytes(&a[0]).iter().map(|byte| char::from(*byte)).filter(|rune| !rune.is_whitespace()).collect();
    c.text(text.as_bytes())
});
function!(INITIALS, "initials", [Str], , Union, |c, a| {
    let text: String = c.bytes(&a[0]).iter().map(|byte| char::from(*byte)).collect();
    let initials: String = text.split(char::is_whitespace).filter_map(|word| word.chars().next()).collect();
    c.text(initials.as_bytes())
});

function!(SUBSTR, "substr", [Int, Int, Str], , Exact, |c, a| {
    let (start, end, text) = (c.int(&a[0]), c.int(&a[1]), c.str(&a[2]));
    let len = i64::from(text.len);
    let (from, to) = if start < 0 {
        (0, end)
    } else if end < 0 || end > len {
        (start, len)
    } else {
        (start, end)
    };
    if to < 0 || to > len {
        return Err(Failure::new(format!("runtime error: slice bounds out of range [:{to}] with length {len}")));
    }
    if from > to {
        return Err(Failure::new(format!("runtime error: slice bounds out of range [{from}:{to}]")));
    }
    let bounds = c.list(&a[..2])?;
    Ok(cut_by(c, &a[2], text.slice(from as usize, to as usize), &bounds))
});
function!(TRUNC, "trunc", [Int, Str], , Exact, |c, a| {
    let (count, text) = (c.int(&a[0]), c.str(&a[1]));
    let len = i64::from(text.len);
    let range = if count < 0 && len + count > 0 {
        (len + count) as usize..len as usize
    } else if count >= 0 && len > count {
        0..count as usize
    } else {
        0..len as usize
    };
    Ok(cut_by(c, &a[1], text.slice(range.start, range.end), &a[0]))
});
function!(REPEAT, "repeat", [Int, Str], , Exact, |c, a| {
    let (count, text) = (c.int(&a[0]), c.str(&a[1]));
    let Ok(count) = usize::try_from(count) else { return Err(Failure::new("strings: negative Repeat count")) };
    c.heap.reserve(count.saturating_mul(text.len as usize))?;
    let own = a[1].origin();
    let mut built = c.heap.build();
    for _ in 0..count {
        built.text(text, own);
    }
    Ok(Value::Str(own, built.end()))
});

/// Part of a text argument, cut by another one.
fn cut_by(c: &mut Call<'_>, value: &Value, text: Str, by: &Value) -> Value {
    let part = cut(value, text);
    if !c.heap.origins.tracing() {
        return part;
    }
    let decided = c.heap.origin(*by);
    if text.is_empty() {
        // What nothing is left of is still made of what was there.
        let of = c.heap.origin(*value);
        return part.with(c.heap.origins.beside(of, decided));
    }
    c.heap.beside(part, decided)
}

fn trim_set(c: &mut Call<'_>, a: &[Value]) -> Given {
    let set = String::from_utf8_lossy(c.bytes(&a[0])).into_owned();
    let text = c.str(&a[1]);
    let bytes = c.heap.bytes(text);
    let Ok(whole) = std::str::from_utf8(bytes) else { return Ok(a[1]) };
    let end = whole.trim_end_matches(|rune| set.contains(rune)).len();
    let start = end - whole[..end].trim_start_matches(|rune| set.contains(rune)).len();
    Ok(cut_by(c, &a[1], text.slice(start, end), &a[0]))
}

function!(TRIMALL, "trimall", [Str, Str], , Exact, trim_set);
function!(TRIM_ALL, "trimAll", [Str, Str], , Exact, trim_set);
function!(TRIM_SUFFIX, "trimSuffix", [Str, Str], , Exact, |c, a| {
    let text = c.str(&a[1]);
    let len = c.heap.bytes(text).strip_suffix(c.bytes(&a[0])).map_or(text.len as usize, <[u8]>::len);
    Ok(cut_by(c, &a[1], text.slice(0, len), &a[0]))
});
function!(TRIM_PREFIX, "trimPrefix", [Str, Str], , Exact, |c, a| {
    let text = c.str(&a[1]);
    let len = text.len as usize;
    let left = c.heap.bytes(text).strip_prefix(c.bytes(&a[0])).map_or(len, <[u8]>::len);
    Ok(cut_by(c, &a[1], text.slice(len - left, len), &a[0]))
});

function!(SNAKECASE, "snakecase", [Str], , Union, |c, a| c.text(cased(&String::from_utf8_lossy(c.bytes(&a[0])), '_').as_bytes()));
function!(KEBABCASE, "kebabcase", [Str], , Union, |c, a| c.text(cased(&String::from_utf8_lossy(c.bytes(&a[0])), '-').as_bytes()));
function!(CAMELCASE, "camelcase", [Str], , Union, |c, a| c.text(pascal(&String::from_utf8_lossy(c.bytes(&a[0]))).as_bytes()));

/// `goutils.WrapCustom`: breaks at spaces, and inside words that are too long.
fn wrapped(text: &str, width: i64, newline: &str, long: bool) -> String {
    let newline = if newline.is_empty() { "\n" } else { newline };
    let width = width.max(1) as usize;
    let runes: Vec<char> = text.chars().collect();
    let (mut out, mut at) = (String::new(), 0);
    while runes.len() - at > width {
        if runes[at] == ' ' {
            at += 1;
            continue;
        }
        let end = at + width + 1;
        let space = runes[at..end.min(runes.len())].iter().rposition(|rune| *rune == ' ').map(|found| found + at);
        match space.filter(|space| *space >= at) {
            Some(space) => {
                out.extend(&runes[at..space]);
                out.push_str(newline);
                at = space + 1;
            }
            None if long => {
                out.extend(&runes[at..at + width]);
                out.push_str(newline);
                at += width;
            }
            None => match runes[at + width..].iter().position(|rune| *rune == ' ').map(|found| found + at + width) {
                Some(space) => {
                    out.extend(&runes[at..space]);
                    out.push_str(newline);
                    at = space + 1;
                }
                None => {
                    out.extend(&runes[at..]);
                    at = runes.len();
                }
            },
        }
    }
    out.extend(&runes[at..]);
    out
}

/// Makes sure that there is room for a text with a break as often as its width lets it be.
fn breakable(c: &mut Call<'_>, width: &Value, newline: usize, text: &Value) -> Result<(), Failure> {
    let (width, len) = (c.int(width).max(1) as usize, c.str(text).len as usize);
    c.heap.reserve((len / width + 1).saturating_mul(newline).saturating_add(len.saturating_mul(size_of::<char>())))
}

function!(WRAP, "wrap", [Int, Str], , Union, |c, a| {
    breakable(c, &a[0], 1, &a[1])?;
    let text = wrapped(&String::from_utf8_lossy(c.bytes(&a[1])), c.int(&a[0]), "\n", false);
    c.text(text.as_bytes())
});
function!(WRAP_WITH, "wrapWith", [Int, Str, Str], , Union, |c, a| {
    let newline = String::from_utf8_lossy(c.bytes(&a[1])).into_owned();
    breakable(c, &a[0], newline.len(), &a[2])?;
    let text = wrapped(&String::from_utf8_lossy(c.bytes(&a[2])), c.int(&a[0]), &newline, true);
    c.text(text.as_bytes())
});

function!(CONTAINS, "contains", [Str, Str], , Union, |c, a| {
    Ok(Value::bool(memchr::memmem::find(c.bytes(&a[1]), c.bytes(&a[0])).is_some()))
});
function!(HAS_PREFIX, "hasPrefix", [Str, Str], , Union, |c, a| Ok(Value::bool(c.bytes(&a[1]).starts_with(c.bytes(&a[0])))));
function!(HAS_SUFFIX, "hasSuffix", [Str, Str], , Union, |c, a| Ok(Value::bool(c.bytes(&a[1]).ends_with(c.bytes(&a[0])))));

function!(QUOTE, "quote", [], Any, Exact, |c, a| {
    let mut parts = Vec::new();
    for value in a.iter().filter(|value| !value.is_nil()) {
        let (text, own) = c.strval(*value)?;
        let bytes = c.heap.bytes(text);
        let plain = bytes.iter().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'));
        if plain {
            parts.push((text, own));
            continue;
        }
        let quoted = strconv::quote_bytes(bytes);
        let all = c.heap.origin(Value::Str(own, text));
        parts.push((c.heap.push(&quoted.as_bytes()[1..quoted.len() - 1], all), all));
    }
    enclosed(c, &parts, b"\"")
});
function!(SQUOTE, "squote", [], Any, Exact, |c, a| {
    let mut parts = Vec::new();
    for value in a.iter().filter(|value| !value.is_nil()) {
        parts.push(shown(c, *value)?);
    }
    enclosed(c, &parts, b"'")
});

/// A value as `%v` prints it.
fn shown(c: &mut Call<'_>, value: Value) -> Result<(Str, O), Failure> {
    if let Value::Str(own, text) = value {
        return Ok((text, own));
    }
    let origin = c.heap.origin(value);
    let text = crate::print::default(c.heap, value);
    c.heap.reserve(text.len())?;
    Ok((c.heap.push(&text, origin), origin))
}

fn enclosed(c: &mut Call<'_>, parts: &[(Str, O)], quote: &[u8]) -> Given {
    c.heap.reserve(parts.iter().map(|(text, _)| text.len as usize + 3).sum())?;
    // The quotes belong to the value they enclose: a template gave them no bytes of its own.
    let mut built = c.heap.build();
    for (nth, (text, own)) in parts.iter().enumerate() {
        if nth > 0 {
            built.bytes(b" ", O::NONE);
        }
        built.bytes(quote, *own).text(*text, *own).bytes(quote, *own);
    }
    let own = match parts {
        [(_, own)] => *own,
        _ => O::NONE,
    };
    Ok(Value::Str(own, built.end()))
}

function!(CAT, "cat", [], Any, Exact, |c, a| {
    let mut parts = Vec::new();
    for value in a.iter().filter(|value| !value.is_nil()) {
        parts.push(shown(c, *value)?);
    }
    c.heap.reserve(parts.iter().map(|(text, _)| text.len as usize + 1).sum())?;
    let mut built = c.heap.build();
    for (nth, (text, own)) in parts.iter().enumerate() {
        if nth > 0 {
            built.bytes(b" ", O::NONE);
        }
        built.text(*text, *own);
    }
    Ok(Value::Str(O::NONE, built.end()))
});

fn indented(c: &mut Call<'_>, a: &[Value], newline: bool) -> Given {
    let (spaces, text, own) = (c.int(&a[0]), c.str(&a[1]), a[1].origin());
    let Ok(spaces) = usize::try_from(spaces) else { return Err(Failure::new("strings: negative Repeat count")) };
    let lines: Vec<usize> = memchr::memchr_iter(b'\n', c.heap.bytes(text)).collect();
    c.heap.reserve((lines.len() + 1).saturating_mul(spaces).saturating_add(text.len as usize))?;
    let pad = vec![b' '; spaces];
    let mut built = c.heap.build();
    if newline {
        built.bytes(b"\n", O::NONE);
    }
    let mut from = 0;
    for end in lines.into_iter().map(|at| at + 1).chain([text.len as usize]) {
        built.bytes(&pad, O::NONE).text(text.slice(from, end), own);
        from = end;
    }
    Ok(Value::Str(own, built.end()))
}

function!(INDENT, "indent", [Int, Str], , Exact, |c, a| indented(c, a, false));
function!(NINDENT, "nindent", [Int, Str], , Exact, |c, a| indented(c, a, true));

function!(REPLACE, "replace", [Str, Str, Str], , Exact, |c, a| {
    let (old, new, text) = (c.bytes(&a[0]).to_vec(), c.str(&a[1]), c.str(&a[2]));
    let (by, own) = (a[1].origin(), a[2].origin());
    let bytes = c.heap.bytes(text).to_vec();
    let found: Vec<usize> = if old.is_empty() {
        // Between all characters, as `strings.Replace` does.
        let mut at: Vec<usize> = String::from_utf8_lossy(&bytes).char_indices().map(|(at, _)| at).collect();
        at.push(bytes.len());
        at
    } else {
        memchr::memmem::find_iter(&bytes, &old).collect()
    };
    let decided = c.heap.origin(a[0]);
    if found.is_empty() {
        return Ok(c.heap.beside(a[2], decided));
    }
    c.heap.reserve(found.len().saturating_mul(new.len as usize).saturating_add(bytes.len()))?;
    let mut built = c.heap.build();
    let mut from = 0;
    for at in found {
        built.text(text.slice(from, at), own).text(new, by);
        from = at + old.len();
    }
    built.text(text.slice(from, bytes.len()), own);
    let made = Value::Str(own, built.end());
    Ok(c.heap.beside(made, decided))
});
function!(PLURAL, "plural", [Str, Str, Int], , Parts, |c, a| {
    let count = c.heap.origin(a[2]);
    let chosen = if c.int(&a[2]) == 1 { a[0] } else { a[1] };
    Ok(c.heap.beside(chosen, count))
});
function!(TO_STRING, "toString", [Any], , Exact, |c, a| {
    let (text, own) = c.strval(a[0])?;
    Ok(Value::Str(own, text))
});
function!(ABBREV, "abbrev", [Int, Str], , Union, |c, a| {
    let text = c.bytes(&a[1]).to_vec();
    match usize::try_from(c.int(&a[0])).ok().filter(|width| *width >= 4 && text.len() > *width) {
        Some(width) => c.text(&[&text[..width - 3], b"..."].concat()),
        None => Ok(a[1]),
    }
});
function!(ABBREVBOTH, "abbrevboth", [Int, Int, Str], , Union, |c, a| {
    let (left, right, text) = (c.int(&a[0]), c.int(&a[1]), c.bytes(&a[2]).to_vec());
    if right < 4 || left > 0 && right < 7 || text.is_empty() {
        return Ok(a[2]);
    }
    let (len, right) = (text.len(), right as usize);
    if len <= right {
        return Ok(a[2]);
    }
    let mut left = (left.max(0) as usize).min(len);
    if len - left < right - 3 {
        left = len - (right - 3);
    }
    if left <= 4 {
        return c.text(&[&text[..right - 3], b"..."].concat());
    }
    if left + right - 3 < len {
        let rest = &text[left..];
        let inner = if rest.len() > right - 3 { [&rest[..right - 6], b"..."].concat() } else { rest.to_vec() };
        return c.text(&[b"...".as_slice(), &inner].concat());
    }
    c.text(&[b"...", &text[len - (right - 3)..]].concat())
});

/// `strslice`: a list as texts, nil left out; anything else as one text.
fn texts(c: &mut Call<'_>, value: &Value) -> Result<Vec<(Str, O)>, Failure> {
    let items = match c.items(value) {
        Some(items) => items,
        None if value.is_nil() => Vec::new(),
        None => vec![*value],
    };
    items.into_iter().filter(|item| !item.is_nil()).map(|item| c.strval(item)).collect()
}

function!(JOIN, "join", [Str, Any], , Exact, |c, a| {
    let parts = texts(c, &a[1])?;
    let (separator, own) = (c.str(&a[0]), a[0].origin());
    let all: usize = parts.iter().map(|(text, _)| text.len as usize + separator.len as usize).sum();
    c.heap.reserve(all)?;
    let mut built = c.heap.build();
    for (nth, (text, own_of)) in parts.iter().enumerate() {
        if nth > 0 {
            built.text(separator, own);
        }
        built.text(*text, *own_of);
    }
    Ok(Value::Str(a[1].origin(), built.end()))
});
function!(TO_STRINGS, "toStrings", [Any], , Exact, |c, a| {
    let items: Vec<Value> = texts(c, &a[0])?.into_iter().map(|(text, own)| Value::Str(own, text)).collect();
    Ok(c.heap.list(crate::ListType::Strings, &items).with(a[0].origin()))
});
function!(SORT_ALPHA, "sortAlpha", [Any], , Exact, |c, a| {
    let mut parts = texts(c, &a[0])?;
    if c.items(&a[0]).is_some() {
        parts.sort_by(|(one, _), (other, _)| c.heap.bytes(*one).cmp(c.heap.bytes(*other)));
    } else if a[0].is_nil() {
        // Whatever is no list is one text, nil too.
        parts = vec![c.strval(a[0])?];
    }
    let items: Vec<Value> = parts.into_iter().map(|(text, own)| Value::Str(own, text)).collect();
    Ok(c.heap.list(crate::ListType::Strings, &items).with(a[0].origin()))
});

/// The parts between separators, at most so many; an empty separator cuts between characters.
fn parts(bytes: &[u8], separator: &[u8], most: Option<usize>) -> Vec<(usize, usize)> {
    let (mut all, mut from) = (Vec::new(), 0);
    let full = |count: usize| most.is_some_and(|most| count + 1 >= most);
    if separator.is_empty() {
        let text = String::from_utf8_lossy(bytes);
        for (at, rune) in text.char_indices() {
            if full(all.len()) {
                break;
            }
            from = at + rune.len_utf8();
            all.push((at, from));
        }
        if from < bytes.len() {
            all.push((from, bytes.len()));
        }
        return all;
    }
    for at in memchr::memmem::find_iter(bytes, separator) {
        if full(all.len()) {
            break;
        }
        all.push((from, at));
        from = at + separator.len();
    }
    all.push((from, bytes.len()));
    all
}

/// `split` and `splitn`: a map of `_0`, `_1`, … .
fn split_map(c: &mut Call<'_>, by: &Value, text: &Value, most: Option<usize>) -> Given {
    let (separator, range) = (c.bytes(by).to_vec(), c.str(text));
    let cuts = if most == Some(0) { Vec::new() } else { parts(c.heap.bytes(range), &separator, most) };
    c.heap.reserve(cuts.len() * 64)?;
    let id = c.heap.map(&crate::STRINGS);
    for (nth, (from, to)) in cuts.into_iter().enumerate() {
        let key = c.heap.sym(format!("_{nth}").as_bytes());
        let part = cut_by(c, text, range.slice(from, to), by);
        let key_origin = if c.heap.origins.tracing() { c.heap.origin(*text) } else { O::NONE };
        c.heap.get_mut(id).set(key, key_origin, part);
    }
    let all = c.heap.origin(*text);
    Ok(Value::Map(all, id))
}

function!(SPLIT, "split", [Str, Str], , Exact, |c, a| split_map(c, &a[0], &a[1], None));
function!(SPLITN, "splitn", [Str, Int, Str], , Exact, |c, a| split_map(c, &a[0], &a[2], usize::try_from(c.int(&a[1])).ok()));
function!(SPLIT_LIST, "splitList", [Str, Str], , Exact, |c, a| {
    let (separator, range) = (c.bytes(&a[0]).to_vec(), c.str(&a[1]));
    let cuts = parts(c.heap.bytes(range), &separator, None);
    c.heap.reserve(cuts.len() * 16)?;
    let items: Vec<Value> = cuts.into_iter().map(|(from, to)| cut_by(c, &a[1], range.slice(from, to), &a[0])).collect();
    // How many parts there are is up to all of the text.
    let all = c.heap.origin(a[1]);
    Ok(c.heap.list(crate::ListType::Strings, &items).with(all))
});
