//! Owns Go's `path`, and `path/filepath` as it is on Unix: paths with slashes, as bytes. Nothing is looked up in a file system.

/// Returns the last part, without slashes behind it (`path.Base`).
pub fn base(path: &[u8]) -> &[u8] {
    if path.is_empty() {
        return b".";
    }
    let Some(last) = path.iter().rposition(|byte| *byte != b'/') else { return b"/" };
    let path = &path[..=last];
    &path[after_slash(path)..]
}

/// Where the last part begins.
fn after_slash(path: &[u8]) -> usize {
    path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1)
}

/// Returns all but the last part, cleaned (`path.Dir`).
pub fn dir(path: &[u8]) -> Vec<u8> {
    clean(&path[..after_slash(path)])
}

/// Returns what follows the last dot of the last part, with the dot (`path.Ext`).
pub fn ext(path: &[u8]) -> &[u8] {
    let from = after_slash(path);
    path[from..].iter().rposition(|byte| *byte == b'.').map_or(&[], |dot| &path[from + dot..])
}

/// Returns whether it begins at the root (`path.IsAbs`).
pub fn is_abs(path: &[u8]) -> bool {
    path.first() == Some(&b'/')
}

/// Returns the shortest path that names the same (`path.Clean`).
pub fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = is_abs(path);
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match parts.last() {
                Some(last) if *last != b".." => {
                    parts.pop();
                }
                // Above the root is the root.
                _ if rooted => {}
                _ => parts.push(part),
            },
            part => parts.push(part),
        }
    }
    let joined = parts.join(&b'/');
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/".as_slice(), &joined].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

/// Returns the parts with slashes between, cleaned; nothing for nothing (`path.Join`).
pub fn join(parts: &[&[u8]]) -> Vec<u8> {
    let parts: Vec<&[u8]> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { Vec::new() } else { clean(&parts.join(&b'/')) }
}

/// A pattern that is not well formed (`path.ErrBadPattern`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("syntax error in pattern")]
pub struct BadPattern;

/// Returns whether a pattern with `*`, `?`, `[a-z]` and `\` matches the whole of a path (`path.Match`). A star does not match a slash.
pub fn matches(pattern: &[u8], name: &[u8]) -> Result<bool, BadPattern> {
    let (mut pattern, mut name) = (pattern, name);
    'pattern: while !pattern.is_empty() {
        let (star, chunk, rest) = scan_chunk(pattern);
        pattern = rest;
        if star && chunk.is_empty() {
            return Ok(!name.contains(&b'/'));
        }
        let found = match_chunk(chunk, name)?;
        // The last chunk has to reach the end; otherwise a later place is tried for it.
        if let Some(rest) = found.filter(|rest| rest.is_empty() || !pattern.is_empty()) {
            name = rest;
            continue;
        }
        if star {
            for at in 0..name.len() {
                if name[at] == b'/' {
                    break;
                }
                if let Some(rest) = match_chunk(chunk, &name[at + 1..])?.filter(|rest| rest.is_empty() || !pattern.is_empty()) {
                    name = rest;
                    continue 'pattern;
                }
            }
        }
        // What is left of the pattern must be well formed all the same.
        while !pattern.is_empty() {
            let (_, chunk, rest) = scan_chunk(pattern);
            match_chunk(chunk, b"")?;
            pattern = rest;
        }
        return Ok(false);
    }
    Ok(name.is_empty())
}

/// Cuts off stars and what follows them up to the next one.
fn scan_chunk(pattern: &[u8]) -> (bool, &[u8], &[u8]) {
    let stars = pattern.iter().take_while(|byte| **byte == b'*').count();
    let pattern = &pattern[stars..];
    let (mut at, mut in_class) = (0, false);
    while let Some(byte) = pattern.get(at) {
        match byte {
            b'\\' => at += 1,
            b'[' => in_class = true,
            b']' => in_class = false,
            b'*' if !in_class => break,
            _ => {}
        }
        at += 1;
    }
    let at = at.min(pattern.len());
    (stars > 0, &pattern[..at], &pattern[at..])
}

/// Matches a chunk without stars at the beginning of a name; returns what is left of the name. The chunk is checked to its end even when it no longer matches.
fn match_chunk<'n>(chunk: &[u8], name: &'n [u8]) -> Result<Option<&'n [u8]>, BadPattern> {
    let (mut chunk, mut name, mut failed) = (chunk, name, false);
    while let Some(first) = chunk.first() {
        failed |= name.is_empty();
        match first {
            b'[' => {
                let rune = if failed { '\0' } else { take_rune(&mut name) };
                chunk = &chunk[1..];
                let negative = chunk.first() == Some(&b'^');
                if negative {
                    chunk = &chunk[1..];
                }
                let (mut found, mut ranges) = (false, 0);
                while chunk.first() != Some(&b']') || ranges == 0 {
                    let low = class_rune(&mut chunk)?;
                    let high = if chunk.first() == Some(&b'-') {
                        chunk = &chunk[1..];
                        class_rune(&mut chunk)?
                    } else {
                        low
                    };
                    found |= (low..=high).contains(&rune);
                    ranges += 1;
                }
                chunk = &chunk[1..];
                failed |= found == negative;
            }
            b'?' => {
                if !failed {
                    failed = name.first() == Some(&b'/');
                    take_rune(&mut name);
                }
                chunk = &chunk[1..];
            }
            _ => {
                if *first == b'\\' {
                    chunk = &chunk[1..];
                }
                let literal = *chunk.first().ok_or(BadPattern)?;
                if !failed {
                    failed = name.first() != Some(&literal);
                    name = name.get(1..).unwrap_or(&[]);
                }
                chunk = &chunk[1..];
            }
        }
    }
    Ok((!failed).then_some(name))
}

/// The first character; U+FFFD for a byte that is no UTF-8, as Go decodes it.
fn take_rune(text: &mut &[u8]) -> char {
    let rune = text[..text.len().min(4)].utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
    *text = text.get(rune.map_or(1, char::len_utf8)..).unwrap_or(&[]);
    rune.unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// A character of a class. A class never ends right behind one.
fn class_rune(chunk: &mut &[u8]) -> Result<char, BadPattern> {
    if matches!(chunk.first(), None | Some(b'-' | b']')) {
        return Err(BadPattern);
    }
    if chunk.first() == Some(&b'\\') {
        *chunk = &chunk[1..];
    }
    if chunk.is_empty() {
        return Err(BadPattern);
    }
    let before = *chunk;
    let rune = take_rune(chunk);
    let is_wrong = rune == char::REPLACEMENT_CHARACTER && before.len() - chunk.len() == 1;
    if is_wrong || chunk.is_empty() { Err(BadPattern) } else { Ok(rune) }
}

#[cfg(test)]
mod tests {
    //! The answers are Go 1.26's.

    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        for (path, last, around, cleaned, extension) in [
            ("", ".", ".", ".", ""),
            ("a", "a", ".", "a", ""),
            ("/", "/", "/", "/", ""),
            ("//", "/", "/", "/", ""),
            ("a/b/", "b", "a/b", "a/b", ""),
            ("/a/../..", "..", "/", "/", "."),
            ("../a/./b//c/..", "..", "../a/b/c", "../a/b", "."),
            ("a/b.tar.gz", "b.tar.gz", "a", "a/b.tar.gz", ".gz"),
            ("a.b/c", "c", "a.b", "a.b/c", ""),
            ("/.x", ".x", "/", "/.x", ".x"),
            ("./", ".", ".", ".", ""),
            ("..", "..", ".", "..", "."),
            ("a/", "a", "a", "a", ""),
            ("/a//b", "b", "/a", "/a/b", ""),
            ("a/../b/../..", "..", ".", "..", "."),
            ("é/ü.x", "ü.x", "é", "é/ü.x", ".x"),
        ] {
            let path = path.as_bytes();
            assert_eq!(base(path), last.as_bytes());
            assert_eq!(dir(path), around.as_bytes());
            assert_eq!(clean(path), cleaned.as_bytes());
            assert_eq!(ext(path), extension.as_bytes());
        }
        assert_eq!(join(&[b"a", b"", b"../b"]), b"b");
        assert_eq!(join(&[b"", b""]), b"");
    }

    #[test]
    fn patterns_match() {
        for (pattern, name, expect) in [
            ("abc", "abc", Ok(true)),
            ("*", "abc", Ok(true)),
            ("*c", "abc", Ok(true)),
            ("a*", "a", Ok(true)),
            ("a*", "a/b", Ok(false)),
            ("a*/b", "abc/b", Ok(true)),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", Ok(true)),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", Ok(false)),
            ("a[^a]", "aé", Ok(true)),
            ("a???b", "a☺b", Ok(false)),
            ("[a-ζ]*", "α", Ok(true)),
            ("*[a-ζ]", "A", Ok(false)),
            ("[\\]a]", "]", Ok(true)),
            ("[\\-x]", "x", Ok(true)),
            ("[]a]", "]", Err(BadPattern)),
            ("[-]", "-", Err(BadPattern)),
            ("[x-]", "x", Err(BadPattern)),
            ("[a-b-c]", "a", Err(BadPattern)),
            ("[", "a", Err(BadPattern)),
            ("[^", "a", Err(BadPattern)),
            ("[^bc", "a", Err(BadPattern)),
            ("a[", "a", Err(BadPattern)),
            ("a[", "ab", Err(BadPattern)),
            ("*x", "xxx", Ok(true)),
            ("\\", "a", Err(BadPattern)),
            ("a\\*", "a*", Ok(true)),
            ("a[^b", "x", Err(BadPattern)),
            ("*a[", "xx", Err(BadPattern)),
            ("[a-", "a", Err(BadPattern)),
            ("?", "/", Ok(false)),
            ("[/]", "/", Ok(true)),
            ("**b", "aab", Ok(true)),
            ("", "x", Ok(false)),
            ("", "", Ok(true)),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expect, "{pattern} {name}");
        }
    }
}
