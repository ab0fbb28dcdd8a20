//! Owns what the linter takes for an address (github.com/asaskevich/govalidator: IsEmail, IsURL, IsRequestURL), in regular expressions of our own.

use std::sync::LazyLock;

use plumb_go::regexp::Regexp;
use plumb_go::url::Url;

/// Letters beyond ASCII that an email address may have.
const WIDE: &str = r"\x{00A0}-\x{D7FF}\x{F900}-\x{FDCF}\x{FDF0}-\x{FFEF}";
/// Letters beyond ASCII that a host's name may have.
const WIDE_HOST: &str = r"\x{00a1}-\x{ffff}";
/// As long as a URL may be, in characters.
const MAX_URL_CHARS: usize = 2083;

static EMAIL: LazyLock<Option<Regexp>> = LazyLock::new(|| {
    let word = format!(r"[a-zA-Z0-9!#$%&'*+\-/=?^_`{{|}}~{WIDE}]+");
    let quoted = format!(r#""(?:[ \t]|[\x01-\x08\x0b\x0c\x0e-\x1f\x7f\x21\x23-\x5b\x5d-\x7e{WIDE}])*""#);
    let label = format!(r"[a-zA-Z0-9{WIDE}](?:[a-zA-Z0-9\-._~{WIDE}]*[a-zA-Z0-9{WIDE}])?");
    let last = format!(r"[a-zA-Z{WIDE}](?:[a-zA-Z0-9\-_~{WIDE}]*[a-zA-Z{WIDE}])?");
    compiled(&format!(r"^(?:{word}(?:\.{word})*|{quoted})@(?:{label}\.)+{last}\.?$"))
});

static URL: LazyLock<Option<Regexp>> = LazyLock::new(|| {
    let (first, byte) = (r"(?:[1-9]\d?|1\d\d|2[01]\d|22[0-3]|24\d|25[0-5])", r"(?:\d{1,2}|1\d\d|2[0-4]\d|25[0-5])");
    let ipv4 = format!(r"{first}(?:\.{byte}){{2}}\.(?:[0-9]\d?|1\d\d|2[0-4]\d|25[0-5])");
    let ipv6 = r"\[[0-9a-fA-F:.%]+\]";
    let labels = r"[a-zA-Z0-9](?:[a-zA-Z0-9\-_]+)?[a-zA-Z0-9](?:[-.][a-zA-Z0-9]+)*";
    let sub = r"(?:www\.|[a-zA-Z0-9]+(?:[-_.]?[a-zA-Z0-9])*[a-zA-Z0-9]\.[a-zA-Z0-9]+)?";
    let name = format!(r"(?:{labels}|{sub})?(?:[a-zA-Z0-9{WIDE_HOST}]+-?-?)*[a-zA-Z0-9{WIDE_HOST}]+(?:\.[a-zA-Z{WIDE_HOST}]+)?");
    let (scheme, user) = (r"(?:(?:ftp|tcp|udp|wss?|https?)://)?", r"(?:\S+(?::\S*)?@)?");
    compiled(&format!(r"^{scheme}{user}(?:{ipv4}|{ipv6}|{name})\.?(?::\d{{1,5}})?(?:[/?#]\S*)?$"))
});

fn compiled(pattern: &str) -> Option<Regexp> {
    Regexp::compile(pattern.as_bytes()).ok()
}

fn matches(pattern: &Option<Regexp>, text: &str) -> bool {
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(text.as_bytes()))
}

pub(super) fn is_email(text: &str) -> bool {
    matches(&EMAIL, text)
}

pub(super) fn is_url(text: &str) -> bool {
    if text.chars().count() >= MAX_URL_CHARS || text.len() <= 3 || text.starts_with('.') {
        return false;
    }
    let with_scheme = if text.contains(':') && !text.contains("://") { format!("http://{text}") } else { text.to_owned() };
    let Ok(url) = Url::parse(with_scheme.as_bytes()) else { return false };
    if url.host.starts_with(b".") || url.host.is_empty() && !url.path.is_empty() && !url.path.contains(&b'.') {
        return false;
    }
    matches(&URL, text)
}

/// `url.ParseRequestURI` with a scheme: a fragment is part of the path there.
pub(super) fn is_request_url(text: &str) -> bool {
    match Url::parse(text.replace('#', "%23").as_bytes()) {
        Ok(url) => !url.scheme.is_empty() && (url.opaque.is_empty() || text.is_empty()),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_as_govalidator_takes_them() {
        for (text, is) in [
            ("a@b.co", true),
            ("first.last+tag@sub.example.com", true),
            ("ü@exämple.de", true),
            ("\"a b\"@c.de", true),
            ("a@b", false),
            ("bad@", false),
            ("a@b.c1", false),
            ("a..b@c.de", false),
            ("a b@c.de", false),
            ("", false),
        ] {
            assert_eq!(is_email(text), is, "{text}");
        }
        for (text, is) in [
            ("https://example.com/x?y#z", true),
            ("example.com", true),
            ("http://localhost:8080", true),
            ("https://1.2.3.4/", true),
            ("https://[::1]:80/", true),
            ("github.com/user", true),
            ("nouser", false),
            ("http://a b.com", false),
            ("::", false),
            (".example.com", false),
            ("mailto:a@b.c", true),
        ] {
            assert_eq!(is_url(text), is, "{text}");
        }
        for (text, is) in [
            ("https://ok/", true),
            ("x", false),
            ("/x", false),
            ("https://a.b/c#d", true),
            ("git@host:path", false),
            ("data:image/png;base64,AA==", false),
            ("", false),
        ] {
            assert_eq!(is_request_url(text), is, "{text}");
        }
    }
}
