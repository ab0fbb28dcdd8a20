//! Owns Sprig's encodings and paths (strings.go, functions.go).

use plumb_go::{base64, path};

use crate::func::{Call, Failure, Function, function};
use crate::value::Value;

type Given = Result<Value, Failure>;

pub(crate) static ALL: &[&Function] =
    &[&B64ENC, &B64DEC, &B32ENC, &B32DEC, &BASE, &DIR, &CLEAN, &EXT, &IS_ABS, &OS_BASE, &OS_DIR, &OS_CLEAN, &OS_EXT, &OS_IS_ABS];

function!(B64ENC, "b64enc", [Str], , Union, |c, a| {
    let text = base64::encode(c.bytes(&a[0]));
    c.text(text.as_bytes())
});
// What is wrong is the text.
function!(B64DEC, "b64dec", [Str], , Union, |c, a| match base64::decode_or_place(c.bytes(&a[0])) {
    Ok(bytes) => c.text(&bytes),
    Err(at) => c.text(format!("illegal base64 data at input byte {at}").as_bytes()),
});

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

function!(B32ENC, "b32enc", [Str], , Union, |c, a| {
    let mut out = Vec::new();
    for group in c.bytes(&a[0]).chunks(5) {
        let word = group.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte)) << (8 * (5 - group.len()));
        let digits = (group.len() * 8).div_ceil(5);
        out.extend((0..8).map(|nth| if nth < digits { BASE32[(word >> (35 - 5 * nth) & 31) as usize] } else { b'=' }));
    }
    c.text(&out)
});
function!(B32DEC, "b32dec", [Str], , Union, |c, a| {
    let text: Vec<u8> = c.bytes(&a[0]).iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    let (mut out, mut word, mut bits) = (Vec::new(), 0_u64, 0);
    let digits = text.iter().take_while(|byte| **byte != b'=');
    for (at, byte) in digits.enumerate() {
        let Some(digit) = BASE32.iter().position(|known| known == byte) else {
            return c.text(format!("illegal base32 data at input byte {at}").as_bytes());
        };
        word = word << 5 | digit as u64;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push((word >> bits) as u8);
            word &= (1 << bits) - 1;
        }
    }
    if !text.len().is_multiple_of(8) {
        return c.text(format!("illegal base32 data at input byte {}", text.len() / 8 * 8).as_bytes());
    }
    c.text(&out)
});

fn base(c: &mut Call<'_>, a: &[Value]) -> Given {
    let last = path::base(c.bytes(&a[0])).to_vec();
    c.text(&last)
}

fn dir(c: &mut Call<'_>, a: &[Value]) -> Given {
    let dir = path::dir(c.bytes(&a[0]));
    c.text(&dir)
}

fn cleaned(c: &mut Call<'_>, a: &[Value]) -> Given {
    let path = path::clean(c.bytes(&a[0]));
    c.text(&path)
}

fn ext(c: &mut Call<'_>, a: &[Value]) -> Given {
    let ext = path::ext(c.bytes(&a[0])).to_vec();
    c.text(&ext)
}

fn is_abs(c: &mut Call<'_>, a: &[Value]) -> Given {
    Ok(Value::bool(path::is_abs(c.bytes(&a[0]))))
}

function!(BASE, "base", [Str], , Union, base);
function!(DIR, "dir", [Str], , Union, dir);
function!(CLEAN, "clean", [Str], , Union, cleaned);
function!(EXT, "ext", [Str], , Union, ext);
function!(IS_ABS, "isAbs", [Str], , Union, is_abs);
function!(OS_BASE, "osBase", [Str], , Union, base);
function!(OS_DIR, "osDir", [Str], , Union, dir);
function!(OS_CLEAN, "osClean", [Str], , Union, cleaned);
function!(OS_EXT, "osExt", [Str], , Union, ext);
function!(OS_IS_ABS, "osIsAbs", [Str], , Union, is_abs);
