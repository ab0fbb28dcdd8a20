//! Charts of a registry as what a unit is made of: versions are followed, compared, recalled and gone back to.

use plumb_controller::core::{Activity, Ended, Order};
use plumb_plane::{Push, Registry, RegistryOptions, pack};
use plumb_store::SyncOutcome;

use crate::Bench;

fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{value: \"{value}\"}}\n")
}

/// Publishes a version of the chart `shop`: ConfigMaps in `templates` and in `extra`.
fn publish(registry: &Registry, version: &str, templates: &[(&str, &str)], extra: &str) -> String {
    let about = format!("apiVersion: v2\nname: shop\nversion: {version}\n");
    let mut files = vec![("shop/Chart.yaml".to_owned(), about), ("shop/extra/other.yaml".to_owned(), config_map("other", extra))];
    files.extend(templates.iter().map(|(name, value)| (format!("shop/templates/{name}.yaml"), config_map(name, value))));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, content)| (name.as_str(), content.as_str())).collect();
    registry.push(&Push { name: "charts/shop", tag: version, archive: &pack(&files), layer_type: None }).unwrap()
}

fn declare(bench: &Bench, registry: &Registry, name: &str, folder: &str) {
    let (host, namespace) = (registry.host(), &bench.namespace);
    let source = format!("oci: {{url: \"oci://{host}/charts/shop\", version: 1.x, insecure: true}}");
    let text = format!(
        "apiVersion: plumb.dev/v1alpha1\nkind: Unit\nmetadata: {{name: {name}, namespace: team}}\nspec:\n  source: {{{source}}}\n  build: [{{plain: {{path: {folder}}}}}]\n  target: {{namespace: {namespace}}}\n"
    );
    bench.repo.write(&format!("units/{name}.yaml"), text).unwrap();
}

fn version(bench: &Bench, unit: &str) -> Option<String> {
    Some(bench.unit(unit)?.status.synced?.get("main")?.to_string())
}

#[test]
fn a_unit_follows_a_chart_through_its_versions_and_back() {
    let mut bench = Bench::several();
    let mut registry = Registry::start(&bench.folder.path().join("registry"), RegistryOptions::default()).unwrap();
    let first = publish(&registry, "1.0.0", &[("text", "1"), ("dropped", "1"), ("kept", "1")], "1");
    declare(&bench, &registry, "shop", "templates");
    declare(&bench, &registry, "other", "extra");
    bench.push("Two units of one chart");
    bench.start();
    let at = |digest: &str, number: &str| format!("{number}@{digest}");
    for unit in ["shop", "other"] {
        bench.until("the first version runs", || version(&bench, unit) == Some(at(&first, "1.0.0")));
    }
    bench.until("both rest", || {
        ["shop", "other"].iter().all(|unit| bench.unit(unit).is_some_and(|unit| unit.status.activity == Activity::Resting))
    });
    let good = bench.history("shop").into_iter().find(|sync| sync.outcome == SyncOutcome::Succeeded).unwrap();
    let syncs = bench.history("other").len();

    let second = publish(&registry, "1.1.0", &[("text", "2"), ("kept", "1"), ("new", "1")], "1");
    // Outside of the range.
    publish(&registry, "2.0.0", &[("text", "3")], "3");
    bench.operator().pushed(|_| true);
    bench.until("the second version runs", || version(&bench, "shop") == Some(at(&second, "1.1.0")));
    assert_eq!((bench.value("text").as_deref(), bench.value("new").as_deref()), (Some("2"), Some("1")));
    bench.until("what the version dropped is gone", || bench.value("dropped").is_none());
    bench.until("the other moves on without a sync", || version(&bench, "other") == Some(at(&second, "1.1.0")));
    assert_eq!(bench.history("other").len(), syncs);

    registry.stop();
    let order = Order::SyncAt { revisions: good.revisions.clone(), record: Some(good.id.to_string().as_str().into()) };
    let ended = bench.order("shop", order);
    assert!(matches!(&*ended, Ended::Done { withheld: None }), "{ended:?}");
    assert_eq!((bench.value("text").as_deref(), bench.value("dropped").as_deref()), (Some("1"), Some("1")));
    bench.until("it says that the registry is away", || bench.unit("shop").is_some_and(|unit| !unit.status.stale.is_empty()));
    bench.order("shop", Order::Resume);
    bench.until("what is held of the chart is enough to go on", || bench.value("text").as_deref() == Some("2"));
}

#[test]
fn a_restart_without_the_registry_changes_nothing() {
    let mut bench = Bench::several();
    let mut registry = Registry::start(&bench.folder.path().join("registry"), RegistryOptions::default()).unwrap();
    let first = publish(&registry, "1.0.0", &[("text", "1")], "1");
    declare(&bench, &registry, "shop", "templates");
    bench.push("One unit");
    bench.start();
    let synced = |bench: &Bench| version(bench, "shop") == Some(format!("1.0.0@{first}"));
    bench.until("it runs", || synced(&bench));
    let before = bench.versions();
    registry.stop();
    bench.kill();
    bench.start();
    bench.until("the unit is known again, with the note that its source is stale", || {
        bench.unit("shop").is_some_and(|unit| unit.unit.is_some() && !unit.status.stale.is_empty())
    });
    bench.until("it is synced", || synced(&bench));
    assert_eq!(bench.versions(), before, "nothing was written");
    registry.start_again().unwrap();
    publish(&registry, "1.2.0", &[("text", "2")], "1");
    bench.until("the registry is followed again", || bench.value("text").as_deref() == Some("2"));
}

#[test]
fn what_keeps_a_chart_away_is_told_and_the_neighbour_goes_on() {
    let mut bench = Bench::several();
    let basic = Some(("ada".to_owned(), "s3cret".to_owned()));
    let registry = Registry::start(&bench.folder.path().join("registry"), RegistryOptions { basic, token: true }).unwrap();
    publish(&registry, "1.0.0", &[("text", "1")], "1");
    declare(&bench, &registry, "shop", "templates");
    bench.declare("neighbour", "");
    bench.config_map("neighbour", "theirs", "1");
    bench.push("One unit without credentials");
    bench.start();
    bench.until_synced("neighbour");
    let stale = || bench.unit("shop").map(|unit| format!("{:?}", unit.status.stale)).unwrap_or_default();
    bench.until("it says what is missing", || stale().contains("did not accept the credentials: none were given"));
    assert!(bench.value("text").is_none());
}

/// Publishes a version of a chart that tells where its values are from.
fn push_telling(registry: &Registry, version: &str, more: &str) {
    let about = format!("apiVersion: v2\nname: shop\nversion: {version}\n");
    let template = format!(
        "kind: ConfigMap\napiVersion: v1\nmetadata: {{name: web}}\ndata: {{value: \"{{{{ .Chart.Version }}}} {{{{ .Values.chart }}}} {{{{ .Values.git }}}} {{{{ .Values.inline }}}}{more}\"}}\n"
    );
    let files = [
        ("shop/Chart.yaml", about.as_str()),
        ("shop/values.yaml", "chart: chart\ngit: chart\ninline: chart\n"),
        ("shop/templates/web.yaml", template.as_str()),
    ];
    registry.push(&Push { name: "charts/shop", tag: version, archive: &pack(&files), layer_type: None }).unwrap();
}

#[test]
fn a_chart_of_a_registry_takes_values_from_git_and_from_the_unit() {
    let mut bench = Bench::several();
    let mut registry = Registry::start(&bench.folder.path().join("registry"), RegistryOptions::default()).unwrap();
    push_telling(&registry, "1.0.0", "");
    let (host, namespace) = (registry.host(), &bench.namespace);
    let text = format!(
        "apiVersion: plumb.dev/v1alpha1\nkind: Unit\nmetadata: {{name: shop, namespace: team}}\nspec:\n  sources:\n    main: {{path: env}}\n    chart: {{oci: {{url: \"oci://{host}/charts/shop\", version: 1.x, insecure: true}}}}\n  build:\n  - helm: {{source: chart, values: [{{source: main, file: prod.yaml}}, {{inline: {{inline: unit}}}}]}}\n  target: {{namespace: {namespace}}}\n"
    );
    bench.repo.write("units/shop.yaml", text).unwrap();
    bench.repo.write("env/prod.yaml", "git: git\ninline: git\n").unwrap();
    bench.push("A chart from elsewhere");
    bench.start();
    bench.until("it is installed", || bench.value("web").as_deref() == Some("1.0.0 chart git unit"));
    bench.until("it rests", || bench.unit("shop").is_some_and(|unit| unit.status.activity == Activity::Resting));
    let good = bench.history("shop").into_iter().find(|sync| sync.outcome == SyncOutcome::Succeeded).unwrap();

    push_telling(&registry, "1.1.0", " more");
    bench.operator().pushed(|_| true);
    bench.until("the chart moves on", || bench.value("web").as_deref() == Some("1.1.0 chart git unit more"));
    bench.repo.write("env/prod.yaml", "git: two\n").unwrap();
    bench.push("Other values");
    bench.until("the values move on", || bench.value("web").as_deref() == Some("1.1.0 chart two unit more"));

    // Back to the first version and its values, with nobody there to ask.
    registry.stop();
    bench.git.stop();
    let order = Order::SyncAt { revisions: good.revisions.clone(), record: Some(good.id.to_string().as_str().into()) };
    let ended = bench.order("shop", order);
    assert!(matches!(&*ended, Ended::Done { .. }), "{ended:?}");
    assert_eq!(bench.value("web").as_deref(), Some("1.0.0 chart git unit"));
}
