//! Owns how charts are written as sources: in a repository (`helm`) and in a registry (`oci`). Nothing is opened here; who
//! fetches looks at host, port and path once more.

use plumb_go::semver::Constraints;
use plumb_unit::{ChartRepository, ChartSource, ChartVersion, SecretRef};
use plumb_world::RelPath;

use super::fields::{Field, Log};

/// Fields that are known from other tools, and what to do instead.
const NOT_CARRIED: [(&str, &str); 5] = [
    ("certSecretRef", "put `ca.crt` into the Secret of `secretRef`; client certificates are not supported yet"),
    ("passCredentials", "credentials go to the repository's own host and port alone"),
    ("provider", "signing in by the cloud's own identity is not supported yet"),
    ("verify", "signatures are not checked yet"),
    ("interval", "`plumb serve --poll` says how often sources are read"),
];

/// Reads `helm: {url, chart, version, secretRef}`.
pub(crate) fn in_repository(
    field: &Field<'_>,
    path: RelPath,
    secret: impl Fn(&Field<'_>, &mut Log<'_>) -> Option<SecretRef>,
    log: &mut Log<'_>,
) -> Option<ChartSource> {
    let mut fields = field.map(log)?;
    let url = fields.need("url", log);
    let chart = fields.need("chart", log);
    let version = fields.take("version");
    let secret_ref = fields.take("secretRef");
    fields.unsupported(&NOT_CARRIED, log);
    fields.finish(log);
    let url = url.and_then(|field| self::url(&field, &["https", "http"], "Write `helm: {url: https://HOST/PATH, chart: NAME}`.", log));
    let chart = chart.and_then(|field| name(&field, log));
    let version = version.map_or(Some(ChartVersion::Range(String::new())), |field| range(&field, log));
    let secret = secret_ref.map_or(Some(None), |field| secret(&field, log).map(Some));
    let repository = ChartRepository::Http { url: url?, chart: chart? };
    Some(ChartSource { repository, version: version?, secret: secret?, path })
}

/// Reads `oci: {url, version | tag | digest, insecure, secretRef}`.
pub(crate) fn in_registry(
    field: &Field<'_>,
    path: RelPath,
    secret: impl Fn(&Field<'_>, &mut Log<'_>) -> Option<SecretRef>,
    log: &mut Log<'_>,
) -> Option<ChartSource> {
    let mut fields = field.map(log)?;
    let url = fields.need("url", log);
    let wanted: Vec<(&str, Field<'_>)> =
        ["version", "tag", "digest"].into_iter().filter_map(|name| Some((name, fields.take(name)?))).collect();
    let insecure = fields.take("insecure").map_or(Some(false), |field| field.boolean(log));
    let secret_ref = fields.take("secretRef");
    fields.unsupported(&NOT_CARRIED, log);
    fields.finish(log);
    let url = url.and_then(|field| self::url(&field, &["oci"], "Write `oci: {url: oci://HOST/PATH/CHART}`.", log));
    let version = match wanted.as_slice() {
        [] => Some(ChartVersion::Range(String::new())),
        [("version", field)] => range(field, log),
        [("tag", field)] => field.text(log).map(|text| ChartVersion::Tag(text.to_owned())),
        [(_, field)] => digest(field, log),
        _ => {
            let message = format!("`{}` must have at most one of `version`, `tag` and `digest`", field.path);
            log.error("value", message, field.key_span, "");
            None
        }
    };
    let secret = secret_ref.map_or(Some(None), |field| secret(&field, log).map(Some));
    let repository = ChartRepository::Oci { url: url?, insecure: insecure? };
    Some(ChartSource { repository, version: version?, secret: secret?, path })
}

fn url(field: &Field<'_>, schemes: &[&str], form: &str, log: &mut Log<'_>) -> Option<String> {
    let text = field.text(log)?;
    let refused = |c: char| c.is_whitespace() || c.is_control() || "\\<>\"'`{}|^?#".contains(c);
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let host = rest.split('/').next().unwrap_or_default();
    // A password in the URL would show in logs, histories and status.
    let fault = if host.contains('@') {
        log.hidden.push(field.value.span());
        format!("`{}` holds a user or password: name credentials instead", field.path)
    } else if !schemes.contains(&scheme) {
        let known: Vec<String> = schemes.iter().map(|scheme| format!("`{scheme}://`")).collect();
        format!("`{}` is `{}`, which does not begin with {}", field.path, text.escape_default(), known.join(" or "))
    } else if host.is_empty() || host.starts_with('-') || rest.contains(refused) || rest.split('/').any(|part| part == "..") {
        format!("`{}` is `{}`, which is no URL of charts", field.path, text.escape_default())
    } else {
        return Some(text.to_owned());
    };
    log.error("value", fault, field.value.span(), form);
    None
}

fn name(field: &Field<'_>, log: &mut Log<'_>) -> Option<String> {
    let text = field.text(log)?;
    if text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) && !matches!(text, "." | "..") {
        return Some(text.to_owned());
    }
    log.error("value", format!("`{}` is `{}`, which is no chart's name", field.path, text.escape_default()), field.value.span(), "");
    None
}

fn range(field: &Field<'_>, log: &mut Log<'_>) -> Option<ChartVersion> {
    let text = field.text(log)?;
    if let Err(error) = Constraints::parse(text) {
        let message = format!("`{}` is `{}`, which is no range of versions: {error}", field.path, text.escape_default());
        log.error("value", message, field.value.span(), "Write `1.2.3`, `~20.1`, `^1` or `>=1.2 <2`.");
        return None;
    }
    Some(ChartVersion::Range(text.to_owned()))
}

fn digest(field: &Field<'_>, log: &mut Log<'_>) -> Option<ChartVersion> {
    let text = field.text(log)?;
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    if hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
        return Some(ChartVersion::Digest(text.to_owned()));
    }
    let message = format!("`{}` is `{}`, which is no digest", field.path, text.escape_default());
    log.error("value", message, field.value.span(), "Write `sha256:` and 64 hexadecimal digits in lower case.");
    None
}
