//! Owns words as `snakecase`, `kebabcase` and `camelcase` cut them (huandu/xstrings 1.5, `camelCaseToLowerCase` and `ToPascalCase`).

/// What a word is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    /// Nothing is left.
    End,
    Number,
    Upper,
    Lower,
    Connector,
    Punctuation,
    Other,
}

fn is_connector(rune: char) -> bool {
    matches!(rune, '-' | '_') || rune.is_whitespace()
}

/// A letter that words are made of: no Chinese, Japanese or Korean character.
fn is_letter(rune: char) -> bool {
    let alone = matches!(rune, '\u{3400}'..='\u{4d85}' | '\u{4e00}'..='\u{9fcc}' | '\u{20000}'..='\u{2b81d}');
    plumb_go::strconv::is_letter(rune) && !alone
}

/// `unicode.IsPunct`, as far as ASCII goes: other marks count as other characters.
fn is_punctuation(rune: char) -> bool {
    rune.is_ascii_punctuation() && !matches!(rune, '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~')
}

/// Returns the next word's kind, the word, and the rest (`nextWord`).
fn next(text: &str) -> (Word, &str, &str) {
    let Some(first) = text.chars().next() else { return (Word::End, "", "") };
    let while_true = |test: &dyn Fn(char) -> bool| text.find(|rune| !test(rune)).unwrap_or(text.len());
    let lower = |rune: char| is_letter(rune) && !rune.is_uppercase();
    let (kind, len) = match first {
        _ if is_connector(first) => (Word::Connector, while_true(&is_connector)),
        _ if is_punctuation(first) => (Word::Punctuation, while_true(&is_punctuation)),
        _ if first.is_uppercase() => (Word::Upper, upper_word(text, first)),
        _ if is_letter(first) => (Word::Lower, while_true(&lower)),
        _ if first.is_numeric() => (Word::Number, while_true(&char::is_numeric)),
        _ => {
            let ends = |rune: char| is_connector(rune) || is_letter(rune) || rune.is_numeric() || is_punctuation(rune);
            (Word::Other, text.char_indices().skip(1).find(|(_, rune)| ends(*rune)).map_or(text.len(), |(at, _)| at))
        }
    };
    (kind, &text[..len], &text[len..])
}

/// Where a word ends that begins with a capital: `Http`, or the `HTTP` of `HTTPServer`.
fn upper_word(text: &str, first: char) -> usize {
    let after = &text[first.len_utf8()..];
    match after.chars().next() {
        Some(second) if second.is_uppercase() => {
            let capitals = text.find(|rune: char| !rune.is_uppercase()).unwrap_or(text.len());
            let last = text[..capitals].chars().next_back().map_or(0, char::len_utf8);
            // The last capital begins the word after it.
            if text[capitals..].chars().next().is_some_and(is_letter) { capitals - last } else { capitals }
        }
        Some(second) if is_letter(second) => {
            first.len_utf8() + after.find(|rune: char| !is_letter(rune) || rune.is_uppercase()).unwrap_or(after.len())
        }
        _ => first.len_utf8(),
    }
}

fn lowered(out: &mut String, kind: Word, word: &str, connector: char) {
    match kind {
        Word::Upper | Word::Connector => {
            out.extend(word.chars().map(|rune| if is_connector(rune) { connector } else { rune.to_lowercase().next().unwrap_or(rune) }));
        }
        _ => out.push_str(word),
    }
}

/// Returns a text in lower case with a connector between its words.
pub(super) fn cased(text: &str, connector: char) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let (mut kind, mut word, mut rest) = next(text);
    while !rest.is_empty() {
        if kind != Word::Connector {
            lowered(&mut out, kind, word, connector);
        }
        let (before, last) = (kind, word);
        (kind, word, rest) = next(rest);
        match before {
            Word::Number => {
                while matches!(kind, Word::Lower | Word::Number) {
                    lowered(&mut out, kind, word, connector);
                    (kind, word, rest) = next(rest);
                }
                separate(&mut out, kind, connector);
            }
            Word::Connector => lowered(&mut out, before, last, connector),
            Word::Punctuation => {}
            _ if kind != Word::Number => separate(&mut out, kind, connector),
            _ if rest.is_empty() => {}
            _ => {
                let number = word;
                (kind, word, rest) = next(rest);
                if kind != Word::Lower {
                    // `Bld4Floor`: the number belongs to the word before it.
                    lowered(&mut out, Word::Number, number, connector);
                    separate(&mut out, kind, connector);
                    continue;
                }
                // `HTTP2xx`: it belongs to the one after it.
                out.push(connector);
                lowered(&mut out, Word::Number, number, connector);
                while matches!(kind, Word::Lower | Word::Number) {
                    lowered(&mut out, kind, word, connector);
                    (kind, word, rest) = next(rest);
                }
                separate(&mut out, kind, connector);
            }
        }
    }
    lowered(&mut out, kind, word, connector);
    out
}

fn separate(out: &mut String, kind: Word, connector: char) {
    if !matches!(kind, Word::End | Word::Connector | Word::Punctuation) {
        out.push(connector);
    }
}

/// Returns a text with a capital after each connector and none elsewhere at the beginning of a word.
pub(super) fn pascal(text: &str) -> String {
    let upper = |rune: char| rune.to_uppercase().next().filter(|_| rune.to_uppercase().count() == 1).unwrap_or(rune);
    let lower = |rune: char| rune.to_lowercase().next().unwrap_or(rune);
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    let (mut here, mut capital) = (None, false);
    // What stands before the first word stays.
    for rune in rest.by_ref() {
        here = Some(rune);
        if !is_connector(rune) {
            capital = rune.is_uppercase();
            here = Some(upper(rune));
            break;
        }
        out.push(rune);
    }
    for rune in rest {
        let Some(before) = here else { break };
        here = Some(rune);
        if is_connector(rune) && is_connector(before) {
            out.push(before);
        } else if is_connector(before) {
            capital = rune.is_uppercase();
            here = Some(upper(rune));
        } else {
            if capital && rune.is_uppercase() {
                here = Some(lower(rune));
            } else {
                capital = false;
            }
            out.push(before);
        }
    }
    out.extend(here);
    out
}

#[cfg(test)]
mod tests {
    use super::{cased, pascal};

    #[test]
    fn words_begin_with_capitals() {
        for (text, expect) in
            [("http_server", "HttpServer"), ("HTTPServer", "Httpserver"), ("a-b_c  d", "ABC D"), ("_a", "_A"), ("_", "__"), ("", "")]
        {
            assert_eq!(pascal(text), expect, "{text}");
        }
    }

    #[test]
    fn words_as_xstrings_cuts_them() {
        for (text, expect) in [
            ("HTTPServer", "http_server"),
            ("HTTP2xx", "http_2xx"),
            ("Bld4Floor", "bld4_floor"),
            ("HTTPServer2ID", "http_server2_id"),
            ("_camelCase", "_camel_case"),
            ("No-Word  here", "no_word__here"),
            ("0abc", "0abc"),
            ("", ""),
        ] {
            assert_eq!(cased(text, '_'), expect, "{text}");
        }
    }
}
