//! Sets that depend on themselves go through in one pass; sets with mistakes name all of them at once.

use plumb_store::SyncOutcome;

use crate::Bench;

/// Below what etcd takes in one request, with room for what the API server adds.
const LARGE: usize = 1_500_000;

fn definition(group: &str, description: &str) -> String {
    format!(
        "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: shops.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: Shop, plural: shops, singular: shop}}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              description: \"{description}\"
              properties: {{size: {{type: integer}}}}
"
    )
}

fn forget(bench: &Bench, group: &str) {
    bench.plane.kubectl(&["delete", "crd", &format!("shops.{group}"), "--wait=false"]).unwrap();
}

#[test]
fn a_kind_and_all_that_needs_it_go_through_in_one_pass() {
    let mut bench = Bench::new();
    let group = format!("{}.example.com", bench.namespace);
    bench.declare("shop", "");
    let file = |name: &str, text: &str| bench.repo.write(&format!("apps/shop/{name}.yaml"), text).unwrap();
    file("a-shop", &format!("apiVersion: {group}/v1\nkind: Shop\nmetadata: {{name: first}}\nspec: {{size: 3}}\n"));
    file(
        "b-binding",
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: runs}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: runs}\nsubjects: [{kind: ServiceAccount, name: runs}]\n",
    );
    file(
        "c-role",
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: runs}\nrules: [{apiGroups: [\"\"], resources: [pods], verbs: [get]}]\n",
    );
    file("d-account", "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: runs}\n");
    file(
        "e-web",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {serviceAccountName: runs, containers: [{name: web, image: web:1}]}\n",
    );
    file("z-kind", &definition(&group, ""));
    bench.push("Add all of it");
    bench.start();
    bench.until_synced("shop");
    let shop = bench.live(&format!("shops.{group}/first")).unwrap();
    assert_eq!(shop["spec"]["size"], 3);
    assert!(bench.live("rolebinding/runs").is_some() && bench.live("deployment/web").is_some());
    let syncs: Vec<_> = bench.history("shop").into_iter().map(|sync| sync.outcome).collect();
    assert_eq!(syncs, [SyncOutcome::Succeeded]);
    forget(&bench, &group);
}

#[test]
fn a_very_large_definition_is_applied() {
    let mut bench = Bench::new();
    let group = format!("{}.example.com", bench.namespace);
    bench.declare("shop", "");
    bench.repo.write("apps/shop/kind.yaml", definition(&group, &"large ".repeat(LARGE / 6))).unwrap();
    bench.push("Add it");
    bench.start();
    bench.until_synced("shop");
    bench.repo.write("apps/shop/shop.yaml", format!("apiVersion: {group}/v1\nkind: Shop\nmetadata: {{name: first}}\n")).unwrap();
    bench.push("Use it");
    bench.until_synced("shop");
    assert!(bench.live(&format!("shops.{group}/first")).is_some());
    forget(&bench, &group);
}

#[test]
fn five_mistakes_in_files_are_five_errors() {
    let mut bench = Bench::new();
    bench.declare("shop", "");
    let file = |name: &str, text: &str| bench.repo.write(&format!("apps/shop/{name}.yaml"), text).unwrap();
    file("a", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\n");
    file("b", "apiVersion: v1\nmetadata: {name: b}\n");
    file("c", "apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n");
    file("d", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: d\n");
    file("e", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: e}\ndata: {x: *nothing}\n");
    file("f", "apiVersion: example.com/v1\nkind: Unheard\nmetadata: {name: e}\n");
    bench.config_map("shop", "good", "1");
    bench.push("Add five mistakes");
    bench.start();
    bench.until("it fails", || !bench.failure("shop").is_empty());
    let failure = bench.failure("shop");
    for name in ["b", "c", "d", "e", "good"] {
        assert!(failure.contains(&format!("apps/shop/{name}.yaml:")), "{name}: {failure}");
    }
    assert!(bench.value("good").is_none());
    for name in ["a", "b", "c", "d", "e"] {
        bench.repo.remove(&format!("apps/shop/{name}.yaml")).unwrap();
    }
    bench.push("Take five back");
    bench.until("the unknown kind has its place", || {
        bench.failure("shop").contains("apps/shop/f.yaml:1:") && bench.failure("shop").contains("Unheard")
    });
    bench.repo.remove("apps/shop/f.yaml").unwrap();
    bench.push("Take the last back");
    bench.until_synced("shop");
    assert_eq!(bench.value("good").as_deref(), Some("1"));
}

#[test]
fn five_objects_that_the_server_refuses_are_five_errors() {
    let mut bench = Bench::new();
    bench.declare("shop", "");
    for nth in 0..5 {
        let bad = ["data: {\"no key\": x}", "data: [a]", "data: {key: {}}", "binaryData: {key: \"-\"}", "immutable: perhaps"][nth];
        let text = format!("# The server knows better.\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: bad-{nth}}}\n{bad}\n");
        bench.repo.write(&format!("apps/shop/bad-{nth}.yaml"), text).unwrap();
    }
    bench.config_map("shop", "good", "1");
    bench.push("Add five that the server refuses");
    bench.start();
    bench.until("it fails", || !bench.failure("shop").is_empty());
    let failure = bench.failure("shop");
    assert!((0..5).all(|nth| failure.contains(&format!("apps/shop/bad-{nth}.yaml:2:1: "))), "{failure}");
    assert_eq!(bench.value("good").as_deref(), Some("1"));
}
