//! Owns Sprig's random texts and numbers (strings.go over goutils, crypto.go, functions.go). Randomness is asked of the [`Host`](crate::Host), which
//! records it: what is made of the same bytes is the same.
//!
//! Which characters there are is Sprig's; which one a byte gives is ours, as nobody can see it.

use crate::func::{Call, Failure, Function, function};
use crate::value::Value;

type Given = Result<Value, Failure>;

pub(crate) static ALL: &[&Function] = &[&ALPHA_NUM, &ALPHA, &NUMERIC, &ASCII, &BYTES, &INT, &SHUFFLE, &UUIDV4];

/// How many random bytes one call may ask for.
const MAX_RANDOM_BYTES: usize = 8 << 20;
/// Bytes taken for each choice: enough that no choice is likelier than another by more than one in 2^50.
const CHOICE_BYTES: usize = 8;

/// Asks for random bytes, in the name of this call and its arguments.
pub(super) fn random(c: &mut Call<'_>, a: &[Value], bytes: usize) -> Result<Vec<u8>, Failure> {
    if bytes > MAX_RANDOM_BYTES {
        return Err(Failure::limit(format!("one call may ask for {MAX_RANDOM_BYTES} random bytes")));
    }
    let mut arguments = Vec::new();
    for value in a {
        arguments.extend_from_slice(&crate::print::default(c.heap, *value));
        arguments.push(0);
    }
    let key = c.key;
    let random = c.host.random(key, &arguments, bytes)?;
    if random.len() == bytes { Ok(random) } else { Err(Failure::new("the answer has too few random bytes")) }
}

/// Numbers below each of the limits.
fn choices(c: &mut Call<'_>, a: &[Value], limits: impl ExactSizeIterator<Item = u64>) -> Result<Vec<u64>, Failure> {
    let random = random(c, a, limits.len().saturating_mul(CHOICE_BYTES))?;
    let word = |bytes: &[u8]| bytes.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
    Ok(random.chunks(CHOICE_BYTES).zip(limits).map(|(bytes, limit)| word(bytes) % limit.max(1)).collect())
}

/// A text of so many characters of an alphabet; nothing for less than one.
fn text(c: &mut Call<'_>, a: &[Value], alphabet: &[u8]) -> Given {
    let count = usize::try_from(c.int(&a[0])).unwrap_or(0);
    if count == 0 {
        return c.text(b"");
    }
    let chosen = choices(c, a, std::iter::repeat_n(alphabet.len() as u64, count))?;
    let text: Vec<u8> = chosen.into_iter().filter_map(|nth| alphabet.get(nth as usize).copied()).collect();
    c.text(&text)
}

const LETTERS_AND_DIGITS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

function!(ALPHA_NUM, "randAlphaNum", [Int], , Coarse, |c, a| text(c, a, LETTERS_AND_DIGITS));
function!(ALPHA, "randAlpha", [Int], , Coarse, |c, a| text(c, a, &LETTERS_AND_DIGITS[..52]));
function!(NUMERIC, "randNumeric", [Int], , Coarse, |c, a| text(c, a, &LETTERS_AND_DIGITS[52..]));
function!(ASCII, "randAscii", [Int], , Coarse, |c, a| {
    let printable: Vec<u8> = (b' '..=b'~').collect();
    text(c, a, &printable)
});

function!(BYTES, "randBytes", [Int], , Coarse, |c, a| {
    let count = usize::try_from(c.int(&a[0])).map_err(|_| Failure::new("runtime error: makeslice: len out of range"))?;
    let random = random(c, a, count)?;
    c.text(plumb_go::base64::encode(&random).as_bytes())
});

function!(INT, "randInt", [Int, Int], , Coarse, |c, a| {
    let (least, most) = (c.int(&a[0]), c.int(&a[1]));
    let span = most.wrapping_sub(least);
    if span <= 0 {
        return Err(Failure::new("invalid argument to Intn"));
    }
    let chosen = choices(c, a, std::iter::once(span as u64))?;
    Ok(Value::int(least.wrapping_add(chosen.first().copied().unwrap_or(0) as i64)))
});

function!(SHUFFLE, "shuffle", [Str], , Coarse, |c, a| {
    let mut runes: Vec<char> = c.heap.utf8(c.str(&a[0])).chars().collect();
    let last = runes.len().saturating_sub(1);
    let chosen = choices(c, a, (1..=last).map(|at| at as u64 + 1).collect::<Vec<_>>().into_iter())?;
    for (at, other) in (1..=last).zip(chosen) {
        runes.swap(at, other as usize);
    }
    let text: String = runes.into_iter().collect();
    c.text(text.as_bytes())
});

function!(UUIDV4, "uuidv4", [], , Coarse, |c, a| {
    let mut bytes = random(c, a, 16)?;
    // The version and the variant (RFC 9562, 5.4).
    for (at, keep, set) in [(6, 0x0f, 0x40), (8, 0x3f, 0x80)] {
        if let Some(byte) = bytes.get_mut(at) {
            *byte = *byte & keep | set;
        }
    }
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    c.text(text.as_bytes())
});
