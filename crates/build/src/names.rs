//! Owns which names Kubernetes takes: objects, namespaces, labels, API versions. Says what is asked for; places and wording of errors are the caller's.

use std::sync::Arc;

use plumb_manifest::{Gvk, is_dns_label, is_dns_subdomain};

/// What a name must be, as a sentence for people.
pub(crate) type Rule = &'static str;

const SUBDOMAIN: Rule =
    "A name has lowercase letters, digits, `-` and `.`, starts and ends with a letter or digit, and has at most 253 characters.";
const LABEL: Rule =
    "A name of this kind has lowercase letters, digits and `-`, starts and ends with a letter or digit, and has at most 63 characters.";
const SEGMENT: Rule = "A name has no `/` and no `%`, and is neither `.` nor `..`.";
const LABEL_KEY: Rule =
    "A key is `NAME` or `PREFIX/NAME`: the name has letters, digits, `-`, `_` and `.`, at most 63; the prefix is a domain, at most 253.";
const LABEL_VALUE: Rule = "A label's value has letters, digits, `-`, `_` and `.`, starts and ends with a letter or digit, and has at most 63 characters; it may be empty.";
const API_VERSION: Rule = "Write `VERSION` for the core API (`v1`) and `GROUP/VERSION` for the others (`apps/v1`).";

/// Checks an object's name as the API server does. Of kinds that only the cluster knows, only what no kind may have is refused.
pub(crate) fn object_name(gvk: &Gvk, builtin: bool, name: &str) -> Result<(), Rule> {
    let segment = !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '%']);
    match (&*gvk.group, &*gvk.kind) {
        ("", "Namespace") => namespace(name),
        // Roles and bindings may have colons in their names; an IPAddress is named by an address; other API servers have rules of their own.
        ("rbac.authorization.k8s.io", _) | ("networking.k8s.io", "IPAddress") => segment.then_some(()).ok_or(SEGMENT),
        _ if !builtin => segment.then_some(()).ok_or(SEGMENT),
        ("", "Service") => is_dns_label(name).then_some(()).ok_or(LABEL),
        _ => is_dns_subdomain(name).then_some(()).ok_or(SUBDOMAIN),
    }
}

/// Checks a namespace's name.
pub(crate) fn namespace(name: &str) -> Result<(), Rule> {
    is_dns_label(name).then_some(()).ok_or(LABEL)
}

/// Checks the key of a label or annotation.
pub(crate) fn label_key(key: &str) -> Result<(), Rule> {
    let (prefix, name) = key.rsplit_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    let prefix_holds = prefix.is_none_or(|prefix| is_dns_subdomain(&prefix.to_ascii_lowercase()));
    (prefix_holds && is_qualified(name)).then_some(()).ok_or(LABEL_KEY)
}

/// Checks the value of a label.
pub(crate) fn label_value(value: &str) -> Result<(), Rule> {
    (value.is_empty() || is_qualified(value)).then_some(()).ok_or(LABEL_VALUE)
}

/// Reads an `apiVersion` and a kind.
pub(crate) fn gvk(api_version: &str, kind: &str) -> Result<Gvk, Rule> {
    let (group, version) = api_version.split_once('/').map_or((None, api_version), |(group, version)| (Some(group), version));
    if !is_dns_label(version) || group.is_some_and(|group| !is_dns_subdomain(group)) {
        return Err(API_VERSION);
    }
    Ok(Gvk { group: group.unwrap_or("").into(), version: version.into(), kind: Arc::from(kind) })
}

/// Returns whether a kind is a word that can be one.
pub(crate) fn is_kind(kind: &str) -> bool {
    kind.len() <= 63 && kind.starts_with(|c: char| c.is_ascii_alphabetic()) && kind.chars().all(|c| c.is_ascii_alphanumeric())
}

fn is_qualified(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric();
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !text.is_empty() && text.len() <= 63 && text.chars().all(inner) && text.starts_with(edge) && text.ends_with(edge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_by_their_kind() {
        let check = |api_version: &str, kind: &str, builtin: bool, name: &str| {
            object_name(&gvk(api_version, kind).expect("version"), builtin, name).is_ok()
        };
        assert!(check("apps/v1", "Deployment", true, "web.v1-2"));
        assert!(!check("apps/v1", "Deployment", true, "Web_1"));
        assert!(!check("v1", "Service", true, "web.v1"));
        assert!(check("rbac.authorization.k8s.io/v1", "Role", true, "system:Reader"));
        assert!(check("image.openshift.io/v1", "Image", false, "sha256:AB"));
        assert!(!check("image.openshift.io/v1", "Image", false, "../etc"));
        assert!(!check("v1", "Namespace", true, &"a".repeat(64)));
        assert!(!check("v1", "ConfigMap", true, &"a".repeat(254)));
    }

    #[test]
    fn label_keys_may_have_a_domain() {
        for good in ["app", "app.kubernetes.io/name", "A_b-c.d", "Example.com/x"] {
            assert!(label_key(good).is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/", "a/b/c", "-a", "a b", "bad_domain/x"] {
            assert!(label_key(bad).is_err(), "{bad}");
        }
        assert!(label_value("").is_ok() && label_value("v1.2_x").is_ok() && label_value("a b").is_err());
    }

    #[test]
    fn api_versions_have_at_most_one_slash() {
        assert!(gvk("v1", "Pod").is_ok() && gvk("apps/v1", "Deployment").is_ok());
        for bad in ["", "/v1", "apps/", "apps/v1/beta", "Apps/V1", "apps v1"] {
            assert!(gvk(bad, "Pod").is_err(), "{bad}");
        }
    }
}
