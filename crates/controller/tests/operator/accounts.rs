//! Whom the operator acts as: a unit's service account, with its rights and no others.

use crate::Bench;

fn role(bench: &Bench, resources: &str) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: ships, namespace: {0}}}
rules: [{{apiGroups: [\"\"], resources: {resources}, verbs: [get, list, watch, create, patch, update, delete]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: ships, namespace: {0}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: ships}}
subjects: [{{kind: ServiceAccount, name: {0}, namespace: team}}]
",
        bench.namespace
    )
}

#[test]
fn a_unit_does_what_its_account_may_and_no_more() {
    let mut bench = Bench::several();
    let account = bench.namespace.clone();
    // Another test may have made it.
    let _ = bench.plane.kubectl(&["create", "namespace", "team"]);
    bench.plane.kubectl(&["-n", "team", "create", "serviceaccount", &account]).unwrap();
    bench.plane.apply(&bench.namespace, &role(&bench, "[secrets]")).unwrap();
    let declared = |repo: &plumb_plane::git::Repo| {
        let text = format!(
            "apiVersion: plumb.dev/v1alpha1\nkind: Unit\nmetadata: {{name: shop, namespace: team}}\nspec:\n  source: {{path: apps/shop}}\n  target: {{namespace: {}, serviceAccount: {account}}}\n",
            bench.namespace
        );
        repo.write("units/shop.yaml", text).unwrap();
    };
    declared(&bench.repo);
    bench.declare("other", "");
    bench.config_map("other", "theirs", "1");
    bench.config_map("shop", "text", "1");
    bench.push("Add a ConfigMap that the account may not create");
    bench.start();
    bench.until_synced("other");
    let name = format!("system:serviceaccount:team:{account}");
    bench.until("the server's words name the account", || {
        bench.failure("shop").contains(&name) && bench.failure("shop").contains("configmaps")
    });
    assert!(bench.value("text").is_none());

    bench.plane.apply(&bench.namespace, &role(&bench, "[configmaps]")).unwrap();
    bench.until_synced("shop");
    assert_eq!(bench.value("text").as_deref(), Some("1"));
    bench.plane.kubectl(&["-n", "team", "delete", "serviceaccount", &account]).unwrap();
}

/// The rights of an operator, with or without reading lists.
fn rights(bench: &Bench, verbs: &str) -> String {
    format!(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {{name: {0}}}
rules: [{{apiGroups: [\"*\"], resources: [\"*\"], verbs: {verbs}}}, {{nonResourceURLs: [\"*\"], verbs: [get]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: {0}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {0}}}
subjects: [{{kind: ServiceAccount, name: operator, namespace: {0}}}]
",
        bench.namespace
    )
}

#[test]
fn without_the_right_to_list_nothing_is_deleted() {
    let mut bench = Bench::several();
    bench.plane.kubectl(&["-n", &bench.namespace, "create", "serviceaccount", "operator"]).unwrap();
    bench.plane.apply(&bench.namespace, &rights(&bench, "[\"*\"]")).unwrap();
    bench.kubeconfig = bench.plane.kubeconfig_for_service_account(&bench.namespace, "operator").unwrap();
    bench.declare("shop", "");
    for nth in 0..3 {
        bench.config_map("shop", &format!("text-{nth}"), "1");
    }
    bench.push("Add the shop");
    bench.start();
    bench.until_at_rest("shop");
    let before = bench.versions();

    bench.stop();
    bench.plane.apply(&bench.namespace, &rights(&bench, "[get, create, update, patch, delete]")).unwrap();
    bench.repo.remove("apps/shop/text-0.yaml").unwrap();
    bench.config_map("shop", "text-1", "2");
    bench.push("Drop one, change one");
    bench.start();
    let head = bench.repo.head().unwrap();
    let read = |bench: &Bench| {
        bench.operator().sources().iter().any(|source| source.status.revision.as_ref().is_some_and(|revision| revision.commit == head))
    };
    bench.until("the commit is read", || read(&bench));
    bench.until("it says that the cluster cannot be used", || bench.gates("shop").iter().any(|gate| gate.to_string().contains("target")));
    assert_eq!(bench.versions(), before);

    bench.plane.apply(&bench.namespace, &rights(&bench, "[\"*\"]")).unwrap();
    bench.until_at_rest("shop");
    assert_eq!((bench.value("text-0"), bench.value("text-1").as_deref()), (None, Some("2")));
    assert_eq!(bench.versions()["ConfigMap/text-2"], before["ConfigMap/text-2"]);
    bench.stop();
    for kind in ["clusterrole", "clusterrolebinding"] {
        bench.plane.kubectl(&["delete", kind, &bench.namespace]).unwrap();
    }
}

#[test]
fn without_the_right_to_watch_what_values_rest_on_it_says_so_and_works() {
    let mut bench = Bench::several();
    bench.plane.kubectl(&["-n", &bench.namespace, "create", "serviceaccount", "operator"]).unwrap();
    let text =
        rights(&bench, "[\"*\"]").replacen("apiGroups: [\"*\"]", "apiGroups: [\"\", apps, coordination.k8s.io, things.example.com]", 1);
    bench.plane.apply(&bench.namespace, &text).unwrap();
    bench.kubeconfig = bench.plane.kubeconfig_for_service_account(&bench.namespace, "operator").unwrap();
    bench.declare("shop", "");
    bench.config_map("shop", "text", "1");
    bench.push("Add the shop");
    bench.start();
    bench.until_at_rest("shop");
    let says = |word: &str| bench.operator().troubles().iter().any(|trouble| trouble.contains(word) && trouble.contains("goes unnoticed"));
    bench.until("it says what it cannot watch", || says("MutatingWebhookConfiguration"));
    bench.config_map("shop", "text", "2");
    bench.push("Change it");
    bench.until_at_rest("shop");
    bench.plane.kubectl(&["-n", &bench.namespace, "patch", "configmap/text", "-p", r#"{"data":{"value":"by hand"}}"#]).unwrap();
    bench.until("drift is put right", || bench.value("text").as_deref() == Some("2"));
    bench.stop();
    for kind in ["clusterrole", "clusterrolebinding"] {
        bench.plane.kubectl(&["delete", kind, &bench.namespace]).unwrap();
    }
}

/// Requests of the operator that the server refused for load.
fn refused(bench: &Bench) -> u64 {
    let dump = bench.plane.kubectl(&["get", "--raw", "/debug/api_priority_and_fairness/dump_priority_levels"]).unwrap();
    let line = dump.lines().find(|line| line.starts_with(&bench.namespace)).unwrap_or_default().to_owned();
    line.split(',').nth(7).and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

#[test]
fn a_server_that_refuses_for_load_is_waited_for() {
    let mut bench = Bench::several();
    bench.plane.kubectl(&["-n", &bench.namespace, "create", "serviceaccount", "operator"]).unwrap();
    bench.plane.apply(&bench.namespace, &rights(&bench, "[\"*\"]")).unwrap();
    bench.kubeconfig = bench.plane.kubeconfig_for_service_account(&bench.namespace, "operator").unwrap();
    bench.declare("shop", "");
    for nth in 0..40 {
        bench.config_map("shop", &format!("text-{nth}"), "1");
    }
    bench.push("Add the shop");
    bench.start();
    bench.until_at_rest("shop");
    let before = bench.versions();

    // One request at a time, and no queue: the others get a 429.
    let none = format!(
        "apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: PriorityLevelConfiguration
metadata: {{name: {0}}}
spec: {{type: Limited, limited: {{nominalConcurrencyShares: 0, lendablePercent: 0, borrowingLimitPercent: 0, limitResponse: {{type: Reject}}}}}}
---
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
metadata: {{name: {0}}}
spec:
  matchingPrecedence: 2
  priorityLevelConfiguration: {{name: {0}}}
  rules:
    - subjects: [{{kind: ServiceAccount, serviceAccount: {{name: operator, namespace: {0}}}}}]
      resourceRules: [{{apiGroups: [\"*\"], resources: [\"*\"], verbs: [\"*\"], clusterScope: true, namespaces: [\"*\"]}}]
",
        bench.namespace
    );
    bench.plane.apply(&bench.namespace, &none).unwrap();
    for nth in 0..40 {
        bench.config_map("shop", &format!("text-{nth}"), "2");
    }
    bench.push("Change all");
    bench.until_synced("shop");
    assert!(refused(&bench) > 0);
    assert!((0..40).step_by(13).all(|nth| bench.value(&format!("text-{nth}")).as_deref() == Some("2")));
    let after = bench.versions();
    assert!((0..40).all(|nth| after[&format!("ConfigMap/text-{nth}")].0 == before[&format!("ConfigMap/text-{nth}")].0));
    bench.stop();
    for kind in ["clusterrole", "clusterrolebinding", "flowschema", "prioritylevelconfiguration"] {
        bench.plane.kubectl(&["delete", kind, &bench.namespace]).unwrap();
    }
}
