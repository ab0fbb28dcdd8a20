//! Owns which texts are names as Kubernetes takes most of them. What is asked for of which kind, and what to tell people, is the caller's.

/// Characters of a label, which is what namespaces and Services are called by.
pub const MAX_LABEL: usize = 63;
/// Characters of a subdomain, which is what most other objects are called by.
pub const MAX_SUBDOMAIN: usize = 253;

/// Returns whether a text has lowercase letters, digits and `-`, starts and ends with a letter or digit, and has at most [`MAX_LABEL`]
/// characters (RFC 1123, as Kubernetes reads it).
pub fn is_dns_label(text: &str) -> bool {
    text.len() <= MAX_LABEL && is_part(text)
}

/// Returns whether a text is such words joined by dots, with at most [`MAX_SUBDOMAIN`] characters in all; the single word is not limited.
pub fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= MAX_SUBDOMAIN && text.split('.').all(is_part)
}

fn is_part(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(edge) && text.ends_with(edge) && text.chars().all(|c| edge(c) || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_no_dots_and_subdomains_do() {
        for (text, label, subdomain) in [
            ("a", true, true),
            ("0-9", true, true),
            ("a.b-c.d", false, true),
            ("", false, false),
            ("-a", false, false),
            ("a-", false, false),
            ("a..b", false, false),
            (".a", false, false),
            ("A", false, false),
            ("a_b", false, false),
            ("a b", false, false),
            ("a\n", false, false),
            ("\u{e4}", false, false),
        ] {
            assert_eq!((is_dns_label(text), is_dns_subdomain(text)), (label, subdomain), "{text:?}");
        }
    }

    #[test]
    fn lengths_are_limited() {
        let long = |count: usize| "a".repeat(count);
        assert!(is_dns_label(&long(MAX_LABEL)) && !is_dns_label(&long(MAX_LABEL + 1)));
        assert!(is_dns_subdomain(&long(MAX_SUBDOMAIN)) && !is_dns_subdomain(&long(MAX_SUBDOMAIN + 1)));
    }
}
