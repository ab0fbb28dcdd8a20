//! Owns Base64 as Go's `encoding/base64.StdEncoding` reads and writes it: line breaks are skipped wherever they stand, padding is required.

/// Returns bytes as `StdEncoding` writes them.
pub fn encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for nth in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * nth) & 63) as usize];
            out.push(if nth <= group.len() { digit as char } else { '=' });
        }
    }
    out
}

/// Returns what the text encodes, or nothing when Go reports corrupt input.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    decode_or_place(text).ok()
}

/// Returns what the text encodes, or the place that Go's `CorruptInputError` names (encoding/base64, decodeQuantum).
pub fn decode_or_place(text: &[u8]) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let mut at = 0;
    let skip_breaks = |at: &mut usize| {
        while matches!(text.get(*at), Some(b'\r' | b'\n')) {
            *at += 1;
        }
    };
    loop {
        let (mut word, mut digits) = (0_u32, 0);
        while digits < 4 {
            skip_breaks(&mut at);
            match text.get(at) {
                None if digits == 0 => return Ok(out),
                None => return Err(at - digits),
                Some(b'=') if digits < 2 => return Err(at),
                Some(b'=') => break,
                Some(byte) => word |= u32::from(digit(*byte).ok_or(at)?) << (18 - 6 * digits),
            }
            digits += 1;
            at += 1;
        }
        let bytes = [(word >> 16) as u8, (word >> 8) as u8, word as u8];
        out.extend_from_slice(&bytes[..digits - 1]);
        if digits == 4 {
            continue;
        }
        // One '=' is here; two digits need a second one, and nothing may follow.
        at += 1;
        if digits == 2 {
            skip_breaks(&mut at);
            match text.get(at) {
                Some(b'=') => {}
                Some(_) => return Err(at - 1),
                None => return Err(at),
            }
            at += 1;
        }
        skip_breaks(&mut at);
        return if at == text.len() { Ok(out) } else { Err(at) };
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[track_caller]
    fn check(text: &str, expect: Option<&[u8]>) {
        assert_eq!(decode(text.as_bytes()).as_deref(), expect, "{text}");
    }

    #[test]
    fn reads_what_go_reads() {
        check("", Some(b""));
        check("aGVsbG8=", Some(b"hello"));
        check("aGVs\nbG8=\r\n", Some(b"hello"));
        check("aGVsbA==", Some(b"hell"));
        check("aGVsbB==", Some(b"hell"));
        check("aGVs", Some(b"hel"));
        check("=", None);
        check("a", None);
        check("a===", None);
        check("aGVsbA=", None);
        check("aGVsbA", None);
        check("aGVsbG8=x", None);
        check("aGVs bG8=", None);
        check("_-__", None);
    }

    #[test]
    fn corrupt_places_are_gos() {
        for (text, expect) in [
            ("a", 0),
            ("aGVsbA", 4),
            ("aGVsbA=", 7),
            ("aGVsbA=x", 6),
            ("aGVsbG8=x", 8),
            ("aGVs bG8=", 4),
            ("aG\n", 1),
            ("a===", 1),
            ("=", 0),
            ("aGVsbA==\n=", 9),
        ] {
            assert_eq!(super::decode_or_place(text.as_bytes()), Err(expect), "{text:?}");
        }
    }
}
