//! Owns which APIs of Kubernetes are deprecated since when: those that k8s.io/client-go v0.37 says so of, in a table.

/// One a line: API version, kind, version since which it is deprecated, version since which it is gone, API version and kind to use (`-` for none).
const KNOWN: &str = include_str!("deprecated_apis.txt");

/// Says that a kind is deprecated in a version of Kubernetes, if it is.
pub(super) fn check(api_version: &str, kind: &str, kubernetes: (u32, u32)) -> Result<(), String> {
    let known = KNOWN.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    for row in known {
        let [version, name, since, gone, instead, instead_kind] = row.as_slice() else { continue };
        if (*version, *name) != (api_version, kind) || number(since).is_none_or(|since| kubernetes < since) {
            continue;
        }
        let gone = if *gone == "-" { String::new() } else { format!(", unavailable in v{gone}+") };
        let instead = if *instead == "-" { String::new() } else { format!("; use {instead} {instead_kind}") };
        return Err(format!("{api_version} {kind} is deprecated in v{since}+{gone}{instead}"));
    }
    Ok(())
}

fn number(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
