//! Owns Base64 as Go's `encoding/base64.StdEncoding` reads it: line breaks are skipped wherever they stand, padding is required.

/// Returns what the text encodes, or nothing when Go reports corrupt input.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let mut rest = text.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n'));
    loop {
        let mut quantum = [0_u8; 4];
        let mut digits = 0;
        while digits < 4 {
            match rest.next() {
                None if digits == 0 => return Some(out),
                None => return None,
                Some(b'=') => break,
                Some(byte) => quantum[digits] = digit(byte)?,
            }
            digits += 1;
        }
        let word = quantum.iter().fold(0_u32, |word, d| word << 6 | u32::from(*d));
        let bytes = [(word >> 16) as u8, (word >> 8) as u8, word as u8];
        match digits {
            4 => out.extend_from_slice(&bytes),
            // One '=' was read; two digits need a second one, and nothing may follow.
            3 => {
                out.extend_from_slice(&bytes[..2]);
                return rest.next().is_none().then_some(out);
            }
            2 => {
                out.extend_from_slice(&bytes[..1]);
                return (rest.next() == Some(b'=') && rest.next().is_none()).then_some(out);
            }
            _ => return None,
        }
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
}
