//! Owns which names the linter lets objects have, by their kind (k8s.io/apimachinery: pkg/api/validate/content).

use plumb_go::strconv::quote;

const MAX_SUBDOMAIN_BYTES: usize = 253;
const MAX_LABEL_BYTES: usize = 63;
const SUBDOMAIN: &str = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";

/// Checks the name of an object.
pub(super) fn check(kind: &str, name: &str) -> Result<(), String> {
    let wrong = match kind.to_lowercase().as_str() {
        "service" => service(name),
        "namespace" => label(name),
        "certificatesigningrequest" => Vec::new(),
        "role" | "clusterrole" | "rolebinding" | "clusterrolebinding" => segment(name),
        _ => subdomain(name),
    };
    let mut told: Vec<String> = Vec::new();
    for why in wrong {
        let one = format!("metadata.name: Invalid value: {}: {why}", quote(name));
        if !told.contains(&one) {
            told.push(one);
        }
    }
    let all = match told.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        all => format!("[{}]", all.join(", ")),
    };
    Err(format!("object name does not conform to Kubernetes naming requirements: {}: {all}", quote(name)))
}

fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

fn too_long(name: &str, limit: usize) -> Vec<String> {
    if name.len() > limit { vec![format!("must be no more than {limit} bytes")] } else { Vec::new() }
}

fn subdomain(name: &str) -> Vec<String> {
    let mut wrong = too_long(name, MAX_SUBDOMAIN_BYTES);
    if !is_subdomain(name) {
        wrong.push(format!(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with \
             an alphanumeric character (e.g. 'example.com', regex used for validation is '{SUBDOMAIN}')"
        ));
    }
    wrong
}

fn label(name: &str) -> Vec<String> {
    let mut wrong = too_long(name, MAX_LABEL_BYTES);
    if !is_label(name) {
        wrong.push(if is_subdomain(name) {
            "must not contain dots".to_owned()
        } else {
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an \
             alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
                .to_owned()
        });
    }
    wrong
}

fn service(name: &str) -> Vec<String> {
    let mut wrong = too_long(name, MAX_LABEL_BYTES);
    if !is_label(name) || name.starts_with(|c: char| c.is_ascii_digit()) {
        wrong.push(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with \
             an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
                .to_owned(),
        );
    }
    wrong
}

fn segment(name: &str) -> Vec<String> {
    if matches!(name, "." | "..") {
        return vec![format!("may not be '{name}'")];
    }
    ["/", "%"].iter().filter(|part| name.contains(**part)).map(|part| format!("may not contain '{part}'")).collect()
}
