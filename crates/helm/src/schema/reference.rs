//! Owns what a `$ref` or `$id` names: URLs joined as Go's net/url does, and fragments.

use plumb_go::strconv::quote;
use plumb_go::url::Url;

/// Cuts a reference at its `#`.
pub(super) fn split(text: &str) -> (&str, &str) {
    text.split_once('#').unwrap_or((text, ""))
}

/// Takes the percent signs out of a fragment. The error is Go's.
pub(super) fn decoded(fragment: &str) -> Result<String, String> {
    if !fragment.contains('%') {
        return Ok(fragment.to_owned());
    }
    let told = |error: String| format!("error in parsing {}: {error}", quote(fragment));
    Url::parse(format!("#{fragment}").as_bytes())
        .map(|url| String::from_utf8_lossy(&url.fragment).into_owned())
        .map_err(|error| told(error.rsplit_once(": ").map_or(error.clone(), |(_, last)| last.to_owned())))
}

/// Writes a JSON pointer as a fragment (`url.PathEscape`, but for `/`).
pub(super) fn encoded(pointer: &str) -> String {
    let mut out = String::with_capacity(pointer.len());
    for byte in pointer.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+:=@/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Returns what a reference names, seen from a base: the URL and the decoded fragment.
pub(super) fn joined(base: &str, reference: &str) -> Result<(String, String), String> {
    let (reference, fragment) = split(reference);
    let fragment = decoded(fragment)?;
    if reference.is_empty() {
        return Ok((base.to_owned(), fragment));
    }
    let parsed = |text: &str| Url::parse(text.as_bytes()).map_err(|error| format!("error in parsing {}: {error}", quote(text)));
    let (base, mut url) = (parsed(base)?, parsed(reference)?);
    if url.scheme.is_empty() {
        url.scheme.clone_from(&base.scheme);
        if url.host.is_empty() && url.user.is_none() {
            url.host.clone_from(&base.host);
            url.user.clone_from(&base.user);
            let text = String::from_utf8_lossy(&url.path).into_owned();
            let whole = if !base.opaque.is_empty() {
                url.opaque.clone_from(&base.opaque);
                String::new()
            } else if text.starts_with('/') {
                text
            } else if text.is_empty() {
                if url.query.is_empty() {
                    url.query.clone_from(&base.query);
                }
                String::from_utf8_lossy(&base.path).into_owned()
            } else {
                let path = String::from_utf8_lossy(&base.path).into_owned();
                format!("{}{text}", path.rfind('/').map_or("/", |slash| &path[..=slash]))
            };
            url.path = without_dots(&whole).into_bytes();
        }
    }
    Ok((String::from_utf8_lossy(&url.text()).into_owned(), fragment))
}

/// Takes `.` and `..` out of a path.
fn without_dots(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let mut is_folder = false;
    for part in path.split('/').skip(usize::from(path.starts_with('/'))) {
        is_folder = matches!(part, "." | "..");
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let end = if is_folder && !parts.is_empty() { "/" } else { "" };
    if path.is_empty() { String::new() } else { format!("/{}{end}", parts.join("/")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_joined_as_urls() {
        for (base, reference, url, fragment) in [
            ("file:///values.schema.json", "#/definitions/a%25b", "file:///values.schema.json", "/definitions/a%b"),
            ("file:///values.schema.json", "other.json#x", "file:///other.json", "x"),
            ("file:///values.schema.json", "../../etc/passwd", "file:///etc/passwd", ""),
            ("https://e.org/a/b.json", "c.json", "https://e.org/a/c.json", ""),
            ("https://e.org/a/b.json", "/c.json", "https://e.org/c.json", ""),
            ("https://e.org/a/b.json", "https://o.org/x", "https://o.org/x", ""),
            ("https://json-schema.org/draft/2020-12/schema", "meta/core", "https://json-schema.org/draft/2020-12/meta/core", ""),
            ("urn:a:b", "#c", "urn:a:b", "c"),
        ] {
            assert_eq!(joined(base, reference).unwrap(), (url.to_owned(), fragment.to_owned()), "{base} {reference}");
        }
        assert!(joined("file:///a", "%zz").is_err() && joined("file:///a", "#%zz").is_err());
    }
}
