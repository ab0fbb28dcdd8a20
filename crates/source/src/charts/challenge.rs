//! Owns what a registry asks for when it refuses a request: `WWW-Authenticate` (RFC 9110, 11.6.1). Must not answer it.

/// What a server asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// User and password with each request.
    Basic,
    /// A token, which `realm` gives.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

/// Returns what a header asks for, the strongest first.
pub(crate) fn parse<'h>(headers: impl Iterator<Item = &'h str>) -> Vec<Challenge> {
    let mut found = Vec::new();
    for header in headers {
        let (mut scheme, mut parameters) = (String::new(), Vec::new());
        for part in split(header) {
            let (word, rest) = part.split_once([' ', '\t']).map_or((part, ""), |(word, rest)| (word, rest.trim()));
            // A word without `=` is a scheme, with its first parameter behind it.
            let (next, parameter) = if word.contains('=') { (None, part) } else { (Some(word), rest) };
            if let Some(next) = next {
                found.extend(challenge(&scheme, &parameters));
                scheme = next.to_ascii_lowercase();
                parameters = Vec::new();
            }
            if let Some((name, value)) = parameter.split_once('=') {
                parameters.push((name.trim().to_ascii_lowercase(), unquote(value.trim())));
            }
        }
        found.extend(challenge(&scheme, &parameters));
    }
    found.sort_by_key(|challenge| matches!(challenge, Challenge::Basic));
    found
}

fn challenge(scheme: &str, parameters: &[(String, String)]) -> Option<Challenge> {
    let get = |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    match scheme {
        "basic" => Some(Challenge::Basic),
        "bearer" => Some(Challenge::Bearer { realm: get("realm")?, service: get("service"), scope: get("scope") }),
        _ => None,
    }
}

/// Splits at commas that are not in quotes.
fn split(header: &str) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in header.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(header[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(header[start..].trim());
    parts
}

fn unquote(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"') else { return value.to_owned() };
    let (mut text, mut escaped) = (String::new(), false);
    for c in inner.chars() {
        match c {
            _ if escaped => {
                text.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => break,
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned), scope: scope.map(str::to_owned) }
    }

    #[test]
    fn reads_what_registries_ask_for() {
        let hub = "Bearer realm=\"https://auth.example.com/token\",service=\"registry.example.com\",scope=\"repository:a/b:pull,push\"";
        let known = bearer("https://auth.example.com/token", Some("registry.example.com"), Some("repository:a/b:pull,push"));
        assert_eq!(parse([hub].into_iter()), vec![known.clone()]);
        assert_eq!(parse(["Basic realm=\"a, b\""].into_iter()), [Challenge::Basic]);
        assert_eq!(parse(["basic"].into_iter()), [Challenge::Basic]);
        assert_eq!(parse(["Basic realm=x", hub].into_iter()), [known.clone(), Challenge::Basic]);
        assert_eq!(parse([format!("Negotiate, Basic realm=\"x\", {hub}").as_str()].into_iter()), [known, Challenge::Basic]);
        assert_eq!(parse(["Bearer realm=http://a/t , error=\"x \\\" y\""].into_iter()), [bearer("http://a/t", None, None)]);
        for nonsense in ["", ",,,", "Digest realm=\"x\"", "Bearer", "Bearer service=x", "=", "\"", "Bearer realm"] {
            assert_eq!(parse([nonsense].into_iter()), [], "{nonsense}");
        }
    }
}
