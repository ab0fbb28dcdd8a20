//! Owns what is known of mutating webhooks: which updates they are called for, and whether one is another than before.
//! Must not keep what cannot change that: certificates, time limits, and who may be called with them.

use plumb_manifest::{Digest, Gvk};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::resource::Resource;

/// One webhook of a MutatingWebhookConfiguration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Webhook {
    name: Box<str>,
    /// Hash of all that decides when it is called and where.
    digest: Digest,
    rules: Box<[Rule]>,
    /// Whether a rule holds for other versions of the same kind too.
    any_version: bool,
    /// The labels that an object's namespace must have, as a selector; none for any.
    pub(crate) namespaces: Option<Box<str>>,
    /// The labels that an object itself must have.
    pub(crate) objects: Option<Box<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Rule {
    groups: Box<[Box<str>]>,
    versions: Box<[Box<str>]>,
    resources: Box<[Box<str>]>,
    scope: Box<str>,
}

/// Reads the webhooks of a configuration that are called for updates: an apply of what is there is one.
pub(crate) fn webhooks(configuration: &Value) -> Vec<Webhook> {
    let list = configuration.get("webhooks").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    list.iter().filter_map(webhook).collect()
}

fn webhook(webhook: &Value) -> Option<Webhook> {
    let rules = webhook.get("rules").and_then(Value::as_array)?;
    let updates = |rule: &&Value| texts(rule, "operations").iter().any(|word| matches!(&**word, "*" | "UPDATE"));
    let rule = |rule: &Value| Rule {
        groups: texts(rule, "apiGroups"),
        versions: texts(rule, "apiVersions"),
        resources: texts(rule, "resources"),
        scope: rule.get("scope").and_then(Value::as_str).unwrap_or("*").into(),
    };
    let rules: Box<[Rule]> = rules.iter().filter(updates).map(rule).collect();
    if rules.is_empty() {
        return None;
    }
    let client = webhook.get("clientConfig").unwrap_or(&Value::Null);
    // Without a certificate it cannot be called, whatever else it says.
    let callable = client.get("caBundle").and_then(Value::as_str).is_some_and(|bundle| !bundle.is_empty());
    let fields =
        ["name", "rules", "namespaceSelector", "objectSelector", "matchConditions", "matchPolicy", "failurePolicy", "reinvocationPolicy"];
    let text = |value: Option<&Value>| value.unwrap_or(&Value::Null).to_string();
    let mut parts: Vec<String> = fields.iter().map(|field| text(webhook.get(field))).collect();
    parts.extend([text(client.get("service")), text(client.get("url")), callable.to_string()]);
    Some(Webhook {
        name: webhook.get("name").and_then(Value::as_str).unwrap_or_default().into(),
        digest: Digest::of_parts(parts.iter().map(String::as_bytes)),
        rules,
        any_version: webhook.get("matchPolicy").and_then(Value::as_str) != Some("Exact"),
        namespaces: selector(webhook.get("namespaceSelector")),
        objects: selector(webhook.get("objectSelector")),
    })
}

fn texts(value: &Value, field: &str) -> Box<[Box<str>]> {
    let list = value.get(field).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    list.iter().filter_map(Value::as_str).map(Into::into).collect()
}

/// Writes a LabelSelector as a query has it; none for one that selects everything.
fn selector(selector: Option<&Value>) -> Option<Box<str>> {
    let selector = selector?;
    let labels = selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
    let mut parts: Vec<String> = labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    for expression in selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
        let text = |field: &str| expression.get(field).and_then(Value::as_str).unwrap_or_default();
        let (key, values) = (text("key"), texts(expression, "values").join(","));
        parts.push(match text("operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            // An operator of the future: better everything than nothing.
            _ => continue,
        });
    }
    (!parts.is_empty()).then(|| parts.join(",").into())
}

impl Webhook {
    /// Returns whether it is called for updates of objects of a kind, selectors aside.
    pub(crate) fn is_called_for(&self, resource: &Resource) -> bool {
        let Gvk { group, version, .. } = &resource.gvk;
        let named = |list: &[Box<str>], name: &str| list.iter().any(|entry| matches!(&**entry, "*") || **entry == *name);
        // The server never calls one for what configures webhooks.
        **group != *"admissionregistration.k8s.io"
            && self.rules.iter().any(|rule| {
                let scope = matches!((&*rule.scope, resource.namespaced), ("*", _) | ("Namespaced", true) | ("Cluster", false));
                let of = |entry: &str| {
                    let plain = entry.strip_suffix("/*").unwrap_or(entry);
                    plain == "*" || *plain == *resource.plural
                };
                scope
                    && named(&rule.groups, group)
                    && (self.any_version || named(&rule.versions, version))
                    && rule.resources.iter().any(|entry| of(entry))
            })
    }
}

/// Returns those of two states of a configuration that the other has not: both what was and what is now.
pub(crate) fn differing(before: &[Webhook], now: &[Webhook]) -> Vec<Webhook> {
    let lacks = |list: &[Webhook], one: &&Webhook| !list.iter().any(|other| (&other.name, other.digest) == (&one.name, one.digest));
    let gone = before.iter().filter(|webhook| lacks(now, webhook));
    gone.chain(now.iter().filter(|webhook| lacks(before, webhook))).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn configuration() -> Value {
        json!({"webhooks": [{"name": "a.example.com", "clientConfig": {"url": "https://x", "caBundle": "eA=="}, "timeoutSeconds": 5,
            "namespaceSelector": {"matchLabels": {"team": "a"}, "matchExpressions": [{"key": "old", "operator": "DoesNotExist"}]},
            "objectSelector": {"matchExpressions": [{"key": "tier", "operator": "In", "values": ["x", "y"]}]},
            "rules": [{"apiGroups": ["apps"], "apiVersions": ["v1beta1"], "operations": ["CREATE", "UPDATE"], "resources": ["deployments"]}]}]})
    }

    fn resource(api_version: &str, kind: &str, plural: &str, namespaced: bool) -> Resource {
        Resource { gvk: Gvk::new(api_version, kind), plural: plural.into(), namespaced }
    }

    #[test]
    fn a_webhook_is_read_with_its_selectors() {
        let found = webhooks(&configuration());
        assert_eq!((found[0].namespaces.as_deref(), found[0].objects.as_deref()), (Some("team=a,!old"), Some("tier in (x,y)")));
        let mut create_only = configuration();
        create_only["webhooks"][0]["rules"][0]["operations"] = json!(["CREATE"]);
        assert!(webhooks(&create_only).is_empty() && webhooks(&json!({"webhooks": 3})).is_empty());
    }

    #[test]
    fn rules_are_matched_as_the_server_does() {
        let deployment = resource("apps/v1", "Deployment", "deployments", true);
        let called = |edit: &dyn Fn(&mut Value), resource: &Resource| {
            let mut configuration = configuration();
            edit(&mut configuration["webhooks"][0]);
            webhooks(&configuration)[0].is_called_for(resource)
        };
        assert!(called(&|_| (), &deployment), "another version of the same kind");
        assert!(!called(&|webhook| webhook["matchPolicy"] = json!("Exact"), &deployment));
        assert!(!called(&|_| (), &resource("apps/v1", "DaemonSet", "daemonsets", true)));
        assert!(!called(&|_| (), &resource("x.io/v1", "Deployment", "deployments", true)));
        for (resources, expect) in [("*", true), ("*/*", true), ("deployments/*", true), ("deployments/status", false), ("*/scale", false)]
        {
            assert_eq!(called(&|webhook| webhook["rules"][0]["resources"] = json!([resources]), &deployment), expect, "{resources}");
        }
        assert!(!called(&|webhook| webhook["rules"][0]["scope"] = json!("Cluster"), &deployment));
        let all = |webhook: &mut Value| {
            webhook["rules"][0] = json!({"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]})
        };
        assert!(called(&all, &resource("v1", "Namespace", "namespaces", false)));
        let own = resource("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", false);
        assert!(!called(&all, &own));
    }

    #[test]
    fn only_what_decides_about_calls_is_a_difference() {
        let before = webhooks(&configuration());
        for (pointer, value, differs) in [
            ("/clientConfig/caBundle", json!("eQ=="), 0),
            ("/timeoutSeconds", json!(9), 0),
            ("/clientConfig/caBundle", json!(""), 2),
            ("/clientConfig/url", json!("https://y"), 2),
            ("/rules/0/resources/0", json!("*"), 2),
            ("/matchConditions", json!([{"name": "x", "expression": "true"}]), 2),
        ] {
            let mut changed = configuration();
            let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
            let place = changed["webhooks"][0].pointer_mut(parent).expect("a place");
            match name.parse::<usize>() {
                Ok(at) => place[at] = value,
                Err(_) => place[name] = value,
            }
            assert_eq!(differing(&before, &webhooks(&changed)).len(), differs, "{pointer}");
        }
        assert_eq!((differing(&before, &[]).len(), differing(&[], &before).len()), (1, 1));
    }
}
