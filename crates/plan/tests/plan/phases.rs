//! Owns the default order as examples.

use plumb_plan::{Forgotten, Live, LiveState, Operation, SyncScope, Wants};
use plumb_unit::Drift;
use serde_json::{Value, json};

use crate::set::{Set, claim, config, evidence, manifest, object, operations, show, unit};

fn definition(webhook_service: Option<&str>) -> Value {
    let conversion = webhook_service.map(|name| json!({"webhook": {"clientConfig": {"service": {"namespace": "shop", "name": name}}}}));
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets"}, "conversion": conversion,
            "versions": [{"name": "v1", "schema": {"openAPIV3Schema": {"type": "object"}}}]}})
}

fn webhook(resources: &[&str]) -> Value {
    json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "check"},
        "webhooks": [{"name": "check.example.com", "clientConfig": {"service": {"namespace": "shop", "name": "hook"}},
            "rules": [{"apiGroups": ["example.com"], "apiVersions": ["*"], "resources": resources, "operations": ["CREATE"]}]}]})
}

#[test]
fn one_deployment_is_one_phase_and_its_health() {
    assert_eq!(
        Set::wanting(&[object("apps/v1", "Deployment", "web")]).phases(),
        ["workloads after [] -> accepted: + Deployment/web", "health after [workloads] -> healthy(1): "]
    );
}

#[test]
fn everything_at_once_in_the_default_order() {
    let set = Set::wanting(&[
        object("example.com/v1", "Widget", "w"),
        webhook(&["widgets"]),
        object("apps/v1", "Deployment", "hook"),
        object("v1", "Service", "hook"),
        object("rbac.authorization.k8s.io/v1", "RoleBinding", "b"),
        object("rbac.authorization.k8s.io/v1", "Role", "r"),
        config("c"),
        object("v1", "Namespace", "shop"),
        object("other.dev/v1", "Gadget", "g"),
        definition(None),
    ]);
    assert_eq!(
        set.phases(),
        [
            "definitions after [] -> established: + CustomResourceDefinition/widgets.example.com",
            "namespaces after [] -> accepted: + Namespace/shop",
            "configuration after [namespaces] -> accepted: + ConfigMap/c + Role/r",
            "bindings after [namespaces,configuration] -> accepted: + RoleBinding/b",
            "workloads after [definitions,namespaces,configuration,bindings] -> accepted: + Service/hook + Deployment/hook",
            "resources after [definitions,namespaces,configuration,bindings] -> accepted: + Gadget/g",
            "endpoints after [definitions,configuration,bindings,workloads] -> endpoints(hook): ",
            "webhooks after [definitions,configuration,bindings,endpoints] -> accepted: + ValidatingWebhookConfiguration/check",
            "admitted after [definitions,namespaces,configuration,bindings,endpoints,webhooks] -> accepted: + Widget/w",
            "health after [definitions,namespaces,configuration,bindings,workloads,resources,endpoints,webhooks,admitted] -> healthy(10): ",
        ]
    );
}

#[test]
fn a_custom_resource_waits_for_a_webhook_only_when_its_rules_match() {
    for (resources, admitted) in [
        (&["widgets"][..], true),
        (&["*"], true),
        (&["*/*"], true),
        (&["widgets/*"], true),
        (&["widgets/status"], false),
        (&["gadgets"], false),
    ] {
        let set =
            Set::wanting(&[object("example.com/v1", "Widget", "w"), definition(None), webhook(resources), object("v1", "Service", "hook")]);
        let phase =
            set.plan().phases.iter().find(|phase| phase.operations.iter().any(|op| &*op.key().kind == "Widget")).map(|phase| phase.name);
        assert_eq!(phase, Some(if admitted { "admitted" } else { "resources" }), "{resources:?}");
    }
}

#[test]
fn a_custom_resource_waits_for_the_service_that_converts_it() {
    let set = Set::wanting(&[object("example.com/v1", "Widget", "w"), definition(Some("conv")), object("v1", "Service", "conv")]);
    assert_eq!(
        set.phases()[1..4],
        [
            "workloads after [definitions] -> accepted: + Service/conv",
            "endpoints after [definitions,workloads] -> endpoints(conv): ",
            "admitted after [definitions,endpoints] -> accepted: + Widget/w",
        ]
    );
}

#[test]
fn an_aggregated_api_is_served_before_its_objects() {
    let api = json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "v1.example.com"},
        "spec": {"group": "example.com", "version": "v1", "service": {"namespace": "shop", "name": "api"}}});
    let set = Set::wanting(&[object("example.com/v1", "Widget", "w"), api, object("v1", "Service", "api")]);
    assert_eq!(set.phases()[1], "endpoints after [workloads] -> endpoints(api): ");
}

#[test]
fn a_service_outside_the_set_is_not_waited_for() {
    let set = Set::wanting(&[webhook(&["widgets"])]);
    assert_eq!(set.phases()[0], "webhooks after [] -> accepted: + ValidatingWebhookConfiguration/check");
}

#[test]
fn what_stands_costs_nothing_and_its_health_is_waited_for() {
    let mut set = Set::new();
    for object in [definition(None), object("v1", "Service", "hook"), webhook(&["widgets"]), config("c")] {
        set.own(&object);
        set.want(&object);
    }
    let plan = set.plan();
    assert!(plan.is_settled());
    assert_eq!(
        show(&plan),
        [
            "definitions after [] -> accepted: keep CustomResourceDefinition/widgets.example.com",
            "configuration after [] -> accepted: keep ConfigMap/c",
            "workloads after [definitions,configuration] -> accepted: keep Service/hook",
            "webhooks after [definitions,configuration,workloads] -> accepted: keep ValidatingWebhookConfiguration/check",
            "health after [definitions,configuration,workloads,webhooks] -> healthy(4): ",
        ]
    );
    assert_eq!(plan.inventory_after.evidence, [evidence("repo", "c2")]);
}

#[test]
fn a_definition_that_stands_is_waited_for_by_a_new_object_of_its_kind() {
    let mut set = Set::wanting(&[object("example.com/v1", "Widget", "w")]);
    set.own(&definition(None));
    set.want(&definition(None));
    assert!(set.phases()[0].starts_with("definitions after [] -> established: keep"));
}

#[test]
fn what_does_not_stand_is_applied() {
    let base = || {
        let mut set = Set::wanting(&[config("c")]);
        let key = set.own(&config("c"));
        (set, key)
    };
    let (set, _) = base();
    assert_eq!(operations(&set.plan()), ["keep ConfigMap/c"]);
    let (mut set, key) = base();
    set.fact(&key).state = LiveState::Drifted;
    assert_eq!(operations(&set.plan()), ["apply(owned) ConfigMap/c"]);
    set.policy.drift = Drift::Report;
    assert_eq!(operations(&set.plan()), ["keep ConfigMap/c"]);
    let (mut set, key) = base();
    set.fact(&key).state = LiveState::Unsettled;
    assert_eq!(operations(&set.plan()), ["apply(owned) ConfigMap/c"]);
    let (mut set, key) = base();
    set.fact(&key).deleting = true;
    assert_eq!(operations(&set.plan()), ["apply(owned) ConfigMap/c"]);
    let (mut set, key) = base();
    set.fact(&key).manifest = None;
    assert_eq!(operations(&set.plan()), ["apply(owned) ConfigMap/c"]);
    let (mut set, key) = base();
    set.live.insert(key, Live::Unknown);
    assert_eq!(operations(&set.plan()), ["+ ConfigMap/c"]);
}

#[test]
fn a_stamp_that_the_inventory_does_not_confirm_is_not_believed() {
    let mut set = Set::wanting(&[config("c")]);
    set.own(&config("c"));
    set.inventory.items.clear();
    assert_eq!(operations(&set.plan()), ["+ ConfigMap/c"]);
}

#[test]
fn an_object_of_another_unit_is_refused_until_that_unit_drops_it() {
    let mut set = Set::wanting(&[config("c"), config("d")]);
    let key = manifest(&config("c")).key.clone();
    let mut fact = crate::set::fact(&unit("other"), &key, manifest(&config("c")).digest);
    set.live.insert(key.clone(), Live::Here(fact.clone()));
    for wants in [Wants::Yes, Wants::Unknown] {
        set.others.insert(key.clone(), claim("other", true, wants));
        let plan = set.plan();
        assert_eq!(operations(&plan), ["+ ConfigMap/d"], "the rest goes on");
        assert_eq!(plan.holds.len(), 1);
        assert!(plan.holds[0].reason.contains("unit team-a/other"), "{}", plan.holds[0].reason);
        assert!(plan.inventory_before.items.iter().all(|item| item.key != key));
    }
    set.others.insert(key.clone(), claim("other", true, Wants::No));
    let plan = set.plan();
    assert!(matches!(plan.operations().next(), Some(Operation::Apply { mode: plumb_plan::ApplyMode::TakeOver(_), .. })));
    // A stamp that the other unit's inventory does not confirm is nobody's.
    set.others.insert(key.clone(), claim("other", false, Wants::Yes));
    assert_eq!(operations(&set.plan()), ["+ ConfigMap/c", "+ ConfigMap/d"]);
    // Nobody claims it: its unit is gone.
    set.others.clear();
    assert!(operations(&set.plan())[0].starts_with("apply(takeover("));
    // Not live yet, but in the other's inventory: it was first.
    set.live.remove(&key);
    set.others.insert(key.clone(), claim("other", true, Wants::Yes));
    assert_eq!(operations(&set.plan()), ["+ ConfigMap/d"]);
    // Both inventories name it and the stamp is ours: ours.
    fact.unit = Some(plumb_plan::UnitHash::of(&set.unit));
    set.own(&config("c"));
    assert_eq!(operations(&set.plan()), ["keep ConfigMap/c", "+ ConfigMap/d"]);
}

/// Two units that wrote one object into their inventories before either had created it do not wait for each other.
#[test]
fn of_two_units_whose_inventories_name_what_is_not_there_the_first_by_name_goes() {
    let mut set = Set::wanting(&[config("c")]);
    let key = set.own(&config("c"));
    set.live.remove(&key);
    for (other, goes) in [("other", false), ("zebra", true)] {
        set.others.insert(key.clone(), claim(other, true, Wants::Yes));
        let plan = set.plan();
        assert_eq!((operations(&plan).is_empty(), plan.holds.is_empty()), (!goes, goes), "{other}");
    }
}

#[test]
fn prunes_come_after_health_in_reverse_order() {
    let mut set = Set::new();
    set.keep_many(30);
    for gone in [
        config("old"),
        object("apps/v1", "Deployment", "old"),
        object("example.com/v1", "Widget", "old"),
        webhook(&["widgets"]),
        object("rbac.authorization.k8s.io/v1", "RoleBinding", "old"),
        json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": "old"}}),
    ] {
        set.own(&gone);
    }
    let plan = set.plan();
    assert_eq!(plan.holds, []);
    assert_eq!(
        show(&plan)[1..],
        [
            "health after [configuration] -> healthy(30): ",
            "prune-resources after [health] -> gone: delete Widget/old",
            "prune-webhooks after [prune-resources] -> gone: delete ValidatingWebhookConfiguration/check delete APIService/old",
            "prune-workloads after [prune-webhooks] -> gone: delete Deployment/old",
            "prune-configuration after [prune-workloads] -> gone: delete ConfigMap/old delete RoleBinding/old",
        ]
    );
    set.policy.wait = false;
    assert_eq!(set.phases()[1], "prune-resources after [configuration] -> gone: delete Widget/old");
}

#[test]
fn a_moved_object_is_only_forgotten() {
    let mut set = Set::new();
    set.keep_many(5);
    let key = set.own(&config("moved"));
    set.others.insert(key.clone(), claim("other", false, Wants::Yes));
    let plan = set.plan();
    assert_eq!(show(&plan)[2], "release after [health] -> accepted: forget(moved to team-a/other) ConfigMap/moved");
    assert!(plan.inventory_before.items.iter().any(|item| item.key == key));
    assert!(plan.inventory_after.items.iter().all(|item| item.key != key));
    // The other one has it already.
    set.others.insert(key.clone(), claim("other", true, Wants::No));
    set.fact(&key).unit = Some(plumb_plan::UnitHash::of(&unit("other")));
    assert_eq!(show(&set.plan())[2], "release after [health] -> accepted: forget(moved to team-a/other) ConfigMap/moved");
    // Whether the other one wants it is not known yet: it stays.
    set.fact(&key).unit = Some(plumb_plan::UnitHash::of(&set.unit.clone()));
    set.others.insert(key.clone(), claim("other", true, Wants::Unknown));
    let plan = set.plan();
    assert_eq!((plan.holds[0].objects.as_slice(), plan.holds[0].kind), (&[key.clone()][..], plumb_plan::HoldKind::Evidence));
    assert!(plan.inventory_after.items.iter().any(|item| item.key == key));
}

#[test]
fn what_cannot_be_deleted_safely_is_released_or_forgotten() {
    let mut set = Set::new();
    set.keep_many(5);
    let protected = set.own(&config("protected"));
    set.fact(&protected).prune_disabled = true;
    let gone = set.own(&config("gone"));
    set.live.insert(gone, Live::Absent);
    let foreign = set.own(&config("foreign"));
    set.fact(&foreign).unit = None;
    let alias = set.own(&config("alias"));
    set.fact(&alias).uid = "uid of ConfigMap shop/kept-0".to_owned();
    let plan = set.plan();
    let got: Vec<String> = operations(&plan).into_iter().filter(|op| !op.starts_with("keep")).collect();
    assert_eq!(
        got,
        [
            "forget(alias) ConfigMap/alias",
            "forget(foreign) ConfigMap/foreign",
            "forget(gone) ConfigMap/gone",
            "release ConfigMap/protected"
        ]
    );
    let foreign = Operation::Forget { key: foreign, why: Forgotten::Foreign };
    assert!(!foreign.writes());
}

#[test]
fn a_partial_request_touches_what_it_names() {
    let mut set = Set::wanting(&[config("a"), config("b")]);
    set.keep_many(20);
    let dropped = set.own(&config("dropped"));
    let a = manifest(&config("a")).key.clone();
    set.scope = SyncScope::Partial { objects: [a.clone(), dropped.clone()].into(), prune: false };
    let plan = set.plan();
    assert_eq!(operations(&plan), ["+ ConfigMap/a"]);
    assert_eq!(plan.kept, [(dropped.clone(), plumb_plan::Kept::Partial)]);
    assert_eq!(plan.inventory_after.items.len(), 22);
    assert_eq!(plan.inventory_after.evidence, [evidence("repo", "c1")], "a part is no complete read");
    set.scope = SyncScope::Partial { objects: [a.clone(), dropped].into(), prune: true };
    assert_eq!(operations(&set.plan()), ["+ ConfigMap/a", "delete ConfigMap/dropped"]);
    set.scope = SyncScope::Partial { objects: [a].into(), prune: true };
    assert_eq!(operations(&set.plan()), ["+ ConfigMap/a"]);
}

#[test]
fn inventories_name_what_is_owned_before_and_after() {
    let mut set = Set::wanting(&[config("new")]);
    set.keep_many(1);
    set.own(&config("old"));
    let plan = set.plan();
    let names = |inventory: &plumb_unit::Inventory| inventory.items.iter().map(|item| item.key.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&plan.inventory_before), ["kept-0", "new", "old"]);
    assert_eq!(plan.inventory_before.evidence, [evidence("repo", "c1")]);
    assert_eq!(names(&plan.inventory_after), ["kept-0", "new"]);
    assert_eq!(plan.inventory_after.evidence, [evidence("repo", "c2")]);
    let kept = &plan.inventory_after.items[0];
    assert_eq!(kept.uid.as_deref(), Some("uid of ConfigMap shop/kept-0"));
}

#[test]
fn nothing_wanted_and_nothing_owned_is_an_empty_plan() {
    let plan = Set::new().plan();
    assert!(plan.phases.is_empty() && plan.holds.is_empty() && plan.is_settled());
}
