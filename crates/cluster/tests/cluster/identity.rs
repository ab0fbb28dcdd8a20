//! Identity: a unit acts as its account and as nobody else, and what the operator may not do is said and changes nothing.

use std::time::Duration;

use plumb_cluster::{Class, Cluster, ClusterError, ConnectOptions, KubeconfigSource, Observation};
use plumb_plan::{Outcome, Redactor};
use plumb_unit::ServiceAccountRef;
use plumb_world::Secret;

use crate::support::{App, Bed, config_map, observed, options, shared};

fn account(namespace: &str, name: &str) -> ServiceAccountRef {
    ServiceAccountRef { namespace: namespace.into(), name: name.into() }
}

/// S9: the account decides, not the operator's rights; and there is no empty account.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unit_has_the_rights_of_its_account() {
    let bed = Bed::new("account").await;
    let name = bed.namespace.name().to_owned();
    bed.namespace.kubectl(&["create", "serviceaccount", "deployer"]).expect("created");
    let mut app = bed.app("shop").await;
    app.acting = bed.cluster.acting_as(Some(&account(&name, "deployer"))).expect("acting");
    let outcome = app.sync(vec![config_map("a", "1")]).await;
    assert_eq!((outcome.outcome, outcome.class()), (Outcome::Failed, Some(Class::Denied)), "{outcome:#?}");
    let who = format!("system:serviceaccount:{name}:deployer");
    assert!(outcome.failures[0].message.contains(&who), "{:?}", outcome.failures);
    assert!(bed.namespace.kubectl(&["get", "configmap", "a"]).is_err());
    assert!(app.acting.live(&[(app.manifest(&config_map("a", "1")).key.clone(), "v1".to_owned())]).await[0].is_err(), "reads too");

    bed.namespace.kubectl(&["create", "role", "deployer", "--verb=*", "--resource=configmaps"]).expect("created");
    bed.namespace
        .kubectl(&["create", "rolebinding", "deployer", "--role=deployer", &format!("--serviceaccount={name}:deployer")])
        .expect("bound");
    let can = ["auth", "can-i", "create", "configmaps", "--as", &who];
    while bed.namespace.kubectl(&can).is_err() {}
    assert_eq!(app.sync(vec![config_map("a", "1")]).await.outcome, Outcome::Done);
    assert_eq!(app.sync(vec![config_map("a", "1"), config_map("b", "1")]).await.outcome, Outcome::Done);
    assert_eq!(app.sync(vec![config_map("a", "1")]).await.outcome, Outcome::Done, "deletes too");

    for (namespace, name) in [("", "deployer"), (&*name, ""), ("system:masters", "x")] {
        assert!(matches!(bed.cluster.acting_as(Some(&account(namespace, name))), Err(ClusterError::Identity { .. })));
    }
}

/// The right to list is revoked: said, and nothing is taken for deleted. It comes back by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_right_is_no_deletion() {
    let bed = Bed::new("revoked").await;
    let user = bed.installation.clone();
    let access = bed.access;
    let kubeconfig = access.kubeconfig_for(&user, &[]).expect("kubeconfig");
    access.kubectl(&["create", "clusterrolebinding", &user, "--clusterrole=cluster-admin", &format!("--user={user}")]).expect("bound");
    let may = |verb: &str| access.kubectl(&["auth", "can-i", verb, "configmaps", "--as", &user]).is_ok();
    while !may("list") {}
    let cluster = Cluster::connect(options(&kubeconfig, &bed.installation)).await.expect("connected");
    let mut app = App::new(&cluster, bed.namespace.name(), "shop").await;
    let mut observations = cluster.observe();
    assert_eq!(app.sync(vec![config_map("a", "1")]).await.outcome, Outcome::Done);
    let kind = app.manifest(&config_map("a", "1")).gvk.clone();
    cluster.synced(&kind).await.expect("synced");

    access.kubectl(&["delete", "clusterrolebinding", &user]).expect("unbound");
    while may("list") {}
    cluster.reread();
    let message = observed(&mut observations, |observation| match observation {
        Observation::Deleted { .. } => panic!("{observation:?}"),
        Observation::Trouble { message: Some(message), .. } => Some(message.clone()),
        _ => None,
    })
    .await;
    assert!(message.starts_with("cannot list ConfigMap: forbidden"), "{message}");
    assert_eq!(cluster.index_size().objects, 1);
    let plan = app.plan(&[]).await;
    assert_eq!(plan.operations().filter(|operation| operation.writes()).count(), 0, "{plan:#?}");

    access.kubectl(&["create", "clusterrolebinding", &user, "--clusterrole=cluster-admin", &format!("--user={user}")]).expect("bound");
    observed(&mut observations, |observation| match observation {
        Observation::Deleted { .. } => panic!("{observation:?}"),
        Observation::Trouble { message: None, .. } => Some(()),
        _ => None,
    })
    .await;
    access.kubectl(&["delete", "clusterrolebinding", &user]).expect("unbound");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_cluster_at_the_address_is_refused() {
    let access = shared();
    let mut pinned = options(access.kubeconfig(), "pinned");
    pinned.identity = Some("00000000-0000-0000-0000-000000000000".to_owned());
    let Err(ClusterError::OtherCluster { found, .. }) = Cluster::connect(pinned.clone()).await else { panic!("refused") };
    pinned.identity = Some(found.clone());
    assert_eq!(Cluster::connect(pinned).await.expect("connected").identity(), found);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_address_is_said_in_time() {
    let text = "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n\
                clusters: [{name: c, cluster: {server: 'http://127.0.0.1:9'}}]\nusers: [{name: u, user: {token: t}}]\n";
    let source = KubeconfigSource::Text { origin: "a test".to_owned(), text: Secret::new(text.to_owned()) };
    let connect = Cluster::connect(ConnectOptions::new(source, None, "dead", Redactor::new([0; 32])));
    let error = tokio::time::timeout(Duration::from_secs(20), connect).await.expect("in time").err().expect("unreachable");
    assert!(error.to_string().starts_with("cannot reach http://127.0.0.1:9: "), "{error}");
}
