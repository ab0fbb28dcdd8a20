//! Owns reading `spec.policy`.

use std::time::Duration;

use plumb_unit::{Drift, FieldEffect, FieldRule, FieldScope, OnDelete, Policy, SyncMode};

use super::fields::{Field, Log};

/// The least that a phase may wait.
pub(crate) const MIN_TIMEOUT: Duration = Duration::from_secs(1);
/// The least time between two full rereads: a shorter one would do nothing but load the API server, drift is found by watch.
pub(crate) const MIN_INTERVAL: Duration = Duration::from_secs(10);
/// The most that either may be.
pub(crate) const MAX_DURATION: Duration = Duration::from_secs(365 * 24 * 3600);

/// Reads a policy. What is left out is as in [`Policy::standard`].
pub(crate) fn read(field: Option<Field<'_>>, log: &mut Log<'_>) -> Policy {
    let mut policy = Policy::standard();
    let Some(mut fields) = field.and_then(|field| field.map(log)) else { return policy };
    const SYNC: [(&str, SyncMode); 2] = [("automatic", SyncMode::Automatic), ("manual", SyncMode::Manual)];
    const DRIFT: [(&str, Drift); 3] = [("revert", Drift::Revert), ("report", Drift::Report), ("ignore", Drift::Ignore)];
    const ON_DELETE: [(&str, OnDelete); 2] = [("delete", OnDelete::Delete), ("orphan", OnDelete::Orphan)];
    if let Some(sync) = fields.take("sync").and_then(|field| field.word(log, &SYNC)) {
        policy.sync = sync;
    }
    if let Some(prune) = fields.take("prune").and_then(|field| field.boolean(log)) {
        policy.prune = prune;
    }
    if let Some(drift) = fields.take("drift").and_then(|field| field.word(log, &DRIFT)) {
        policy.drift = drift;
    }
    if let Some(wait) = fields.take("wait").and_then(|field| field.boolean(log)) {
        policy.wait = wait;
    }
    if let Some(timeout) = fields.take("timeout").and_then(|field| field.duration(log, MIN_TIMEOUT, MAX_DURATION)) {
        policy.timeout = timeout;
    }
    if let Some(interval) = fields.take("interval").and_then(|field| field.duration(log, MIN_INTERVAL, MAX_DURATION)) {
        policy.interval = interval;
    }
    if let Some(on_delete) = fields.take("onDelete").and_then(|field| field.word(log, &ON_DELETE)) {
        policy.on_delete = on_delete;
    }
    if let Some(rules) = fields.take("fieldRules") {
        policy.field_rules = rules.list(log).into_iter().filter_map(|rule| field_rule(&rule, log)).collect();
    }
    fields.finish(log);
    policy
}

fn field_rule(field: &Field<'_>, log: &mut Log<'_>) -> Option<FieldRule> {
    const WHERE: [(&str, FieldScope); 3] = [("diff", FieldScope::Diff), ("apply", FieldScope::Apply), ("both", FieldScope::Both)];
    const EFFECT: [(&str, FieldEffect); 3] =
        [("ignore", FieldEffect::Ignore), ("keepLive", FieldEffect::KeepLive), ("onlyAtCreation", FieldEffect::OnlyAtCreation)];
    let mut fields = field.map(log)?;
    let mut text = |name: &'static str, log: &mut Log<'_>| fields.take(name).and_then(|field| field.text(log)).map(str::to_owned);
    let (group, kind, name) = (text("group", log), text("kind", log), text("name", log));
    let mut paths = Vec::new();
    if let Some(list) = fields.need("paths", log) {
        let items = list.list(log);
        if items.is_empty() {
            log.error("value", format!("`{}` names no path", list.path), list.value.span(), "");
        }
        paths = items.iter().filter_map(|path| pointer(path, log)).collect();
    }
    let scope = fields.take("where").map_or(Some(FieldScope::Both), |field| field.word(log, &WHERE));
    let effect = fields.need("effect", log).and_then(|field| field.word(log, &EFFECT));
    fields.finish(log);
    Some(FieldRule { group, kind, name, paths, scope: scope?, effect: effect? })
}

fn pointer(field: &Field<'_>, log: &mut Log<'_>) -> Option<String> {
    let text = field.text(log)?;
    // `~` stands only in `~0` and `~1`.
    let escapes_hold = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if !text.starts_with('/') || text.len() == 1 || !escapes_hold {
        let message = format!("`{}` is `{text}`, which is no JSON pointer", field.path);
        log.error("value", message, field.value.span(), "Write it as `/spec/replicas`; a `/` inside a key is `~1`.");
        return None;
    }
    Some(text.to_owned())
}
