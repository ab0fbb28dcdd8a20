//! Owns what `$(NAME)` in a text becomes (`filters/refvar/expand.go`).

use std::borrow::Cow;

/// What a text becomes.
#[derive(Debug, PartialEq)]
pub(super) enum Expanded<'n> {
    /// A text, with what vars stand for in it.
    Text(String),
    /// The text is nothing but this var, which keeps its type.
    Whole(&'n str),
}

/// Expands a text. `value` gives the text of a var; a var that there is none of stays as it is written. `$$` is a `$`.
pub(super) fn expand<'n, 'v>(text: &'n str, mut value: impl FnMut(&'n str) -> Option<Cow<'v, str>>) -> Expanded<'n> {
    if let Some(name) = text.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')')).filter(|name| !name.contains(')')) {
        return Expanded::Whole(name);
    }
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        out.extend(before.as_bytes());
        let after = from.get(1..).unwrap_or_default();
        let closed = after.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        rest = match (after.as_bytes().first(), closed) {
            // The last one stays.
            (None, _) => {
                out.push(b'$');
                ""
            }
            (Some(b'$'), _) => {
                out.push(b'$');
                after.get(1..).unwrap_or_default()
            }
            (_, Some((name, rest))) => {
                match value(name) {
                    Some(value) => out.extend(value.as_bytes()),
                    None => out.extend(format!("$({name})").bytes()),
                }
                rest
            }
            (Some(byte), _) if byte.is_ascii() => {
                out.extend([b'$', *byte]);
                after.get(1..).unwrap_or_default()
            }
            (Some(byte), _) => {
                // Go turns the first byte of the character into a character of its own, and leaves the others.
                out.push(b'$');
                out.extend(char::from(*byte).to_string().bytes());
                let (character, rest) = after.split_at(after.chars().next().map_or(0, char::len_utf8));
                out.extend(character.bytes().skip(1));
                rest
            }
        };
    }
    out.extend(rest.as_bytes());
    // What is no text any more is kept in base64.
    Expanded::Text(String::from_utf8(out).unwrap_or_else(|error| plumb_go::base64::encode(error.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands_as_kustomize() {
        for (text, expect) in [
            ("$(A)$(A)", "AA"),
            ("___$(C)", "___C"),
            ("$$(B)_$(A)", "$(B)_A"),
            ("f000-$$A", "f000-$A"),
            ("foo\\$(C)bar", "foo\\Cbar"),
            ("$(A$(B))", "$(A$(B))"),
            ("%%$(R)--$(R)%%", "%%$(A)--$(A)%%"),
            ("foo$(E)bar", "foobar"),
            ("foo$(Awhoops!", "foo$(Awhoops!"),
            ("$?_boo_$!", "$?_boo_$!"),
            ("-$(NONE)", "-$(NONE)"),
            ("$$$$$$(BIG)", "$$$(BIG)"),
            ("$$$$$$$(ODD)", "$$$$(ODD)"),
            ("$$$$$$$(A)", "$$$A"),
            ("$(B)_______$(", "B_______$("),
            ("$(A)foobarzab$", "Afoobarzab$"),
            ("--$($($($($--", "--$($($($($--"),
            ("$(foo$$var)-", "$(foo$$var)-"),
            ("${A}", "${A}"),
            // `Ã` and a byte alone.
            ("$é", "JMODqQ=="),
        ] {
            let value = |name: &str| match name {
                "A" | "B" | "C" => Some(Cow::Owned(name.to_owned())),
                "R" => Some(Cow::Borrowed("$(A)")),
                "E" => Some(Cow::Borrowed("")),
                _ => None,
            };
            assert_eq!(expand(text, value), Expanded::Text(expect.to_owned()), "{text}");
        }
        for (text, name) in [("$(A)", "A"), ("$()", ""), ("$(A$(B)", "A$(B")] {
            assert_eq!(expand(text, |_| None), Expanded::Whole(name), "{text}");
        }
    }
}
