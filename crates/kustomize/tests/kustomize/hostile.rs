//! Owns what kustomizations must not be able to do: look outside of their tree, use more than the named limits, end the process. Every refusal says what was
//! too much, and where.

use std::fmt::Write as _;
use std::time::Instant;

use plumb_kustomize::limits::*;
use plumb_kustomize::{Options, Request, build};
use plumb_suite::MemoryWorld;
use plumb_world::{FileTable, RelPath, TreeId};

/// No case may take so long, on any machine, even without optimization.
const PATIENCE_S: u64 = 120;
const OBJECT: &str = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n";

type Files<'f> = &'f [(&'f str, &'f str)];

/// Builds `app`; mistakes as lines, each with its place.
fn run(world: &MemoryWorld, tree: TreeId) -> Result<String, String> {
    let begun = Instant::now();
    let request = Request::new(tree, RelPath::parse("app").unwrap(), Options::default());
    let built = build(world, &request, None, FileTable::default()).map_err(|error| format!("world: {error}"))?;
    let took = begun.elapsed();
    assert!(took.as_secs() < PATIENCE_S, "it took {took:?}");
    built.result.map(|output| String::from_utf8(output.text).unwrap()).map_err(|mistakes| {
        assert!(mistakes.len() <= MAX_MISTAKES);
        let line = |mistake: plumb_world::Diagnostic| {
            let place = mistake.labels.first().map(|label| format!("{}: ", built.files.place(label.span))).unwrap_or_default();
            format!("{place}{}{}\n", mistake.message, mistake.hints.iter().map(|hint| format!(" | {hint}")).collect::<String>())
        };
        mistakes.into_iter().map(line).collect()
    })
}

fn of(files: Files<'_>) -> Result<String, String> {
    let (world, tree) = MemoryWorld::of(files);
    run(&world, tree)
}

/// Builds a kustomization over one ConfigMap `a`, with what else it names.
fn over(fields: &str, more: Files<'_>) -> Result<String, String> {
    let kustomization = format!("resources: [a.yaml]\n{fields}\n");
    let mut files = vec![("app/kustomization.yaml", kustomization.as_str())];
    if more.iter().all(|(name, _)| *name != "app/a.yaml") {
        files.push(("app/a.yaml", OBJECT));
    }
    files.extend(more);
    of(&files)
}

#[track_caller]
fn refused(made: Result<String, String>, told: &str) {
    match made {
        Ok(made) => panic!("this was built: {} bytes; it should say {told}", made.len()),
        Err(made) => assert!(made.contains(told), "{}\nshould say {told}", made.chars().take(2_000).collect::<String>()),
    }
}

/// Fields that name files, with `@` for the path.
const FIELDS: &[&str] = &[
    "resources: ['@']",
    "components: ['@']",
    "crds: ['@']",
    "configurations: ['@']",
    "openapi: {path: '@'}",
    "patches: [{path: '@'}]",
    "patchesStrategicMerge: ['@']",
    "patchesJson6902: [{path: '@', target: {version: v1, kind: ConfigMap, name: a}}]",
    "replacements: [{path: '@'}]",
    "configMapGenerator: [{name: g, files: ['@']}]",
    "configMapGenerator: [{name: g, files: ['key=@']}]",
    "configMapGenerator: [{name: g, envs: ['@']}]",
    "configMapGenerator: [{name: g, env: '@'}]",
    "secretGenerator: [{name: g, files: ['@']}]",
    "secretGenerator: [{name: g, envs: ['@']}]",
    "generators: ['@']",
    "transformers: ['@']",
    "validators: ['@']",
];

#[test]
fn nothing_outside_of_the_tree_is_read() {
    for field in FIELDS {
        for (path, told) in [
            ("../../../etc/passwd", "leaves its source"),
            ("../../../../../../../../etc/passwd", "leaves its source"),
            ("/etc/passwd", "is absolute; a path here is relative to its source"),
            ("a/../../../x", "leaves its source"),
            ("..\\..\\x", "has a character that no path here may have"),
            ("%2e%2e/%2e%2e/x", "is neither a file nor a folder"),
            ("file:///etc/passwd", "is at another address"),
        ] {
            let fields = field.replace('@', path);
            refused(of(&[("app/kustomization.yaml", &fields), ("x", "secret: 1\n")]), told);
        }
        // In the tree, but beside the folder: other kustomizations are, files are not.
        let made = of(&[("app/kustomization.yaml", &field.replace('@', "../x.yaml")), ("x.yaml", "k=canary\n")]);
        assert!(made.is_err_and(|made| made.contains("is not in or below 'app'") && !made.contains("canary")), "{field}");
        let made = of(&[("app/kustomization.yaml", &field.replace('@', r"a\0b"))]);
        assert!(made.is_err(), "{field}");
        let made = of(&[("app/kustomization.yaml", &field.replace("'@'", "\"a\\0b\"").replace("'key=@'", "\"a=\\0b\""))]);
        refused(made, "has a character that no path here may have");
    }
}

#[test]
fn charts_stay_in_the_tree_too() {
    struct NoHost;
    impl plumb_kustomize::Charts for NoHost {
        fn host(&self, _: &str) -> Box<dyn plumb_gotemplate::Host + '_> {
            unreachable!("no chart is rendered")
        }
        fn capabilities(&self) -> Result<plumb_helm::Capabilities, String> {
            Ok(plumb_helm::Capabilities::default())
        }
    }
    let chart = "apiVersion: v2\nname: c\nversion: 1.0.0\n";
    for (fields, told) in [
        ("helmGlobals: {chartHome: ../../..}\nhelmCharts: [{name: c}]", "leaves its source"),
        ("helmGlobals: {chartHome: /etc}\nhelmCharts: [{name: c}]", "is absolute"),
        ("helmCharts: [{name: ../../../c}]", "leaves its source"),
        ("helmCharts: [{name: c, valuesFile: ../../../x}]", "leaves its source"),
        ("helmCharts: [{name: c, valuesFile: /etc/passwd}]", "is absolute"),
        ("helmCharts: [{name: c, valuesFile: ../x.yaml}]", "is not in or below 'app'"),
        ("helmCharts: [{name: c, additionalValuesFiles: [../../x]}]", "leaves its source"),
        ("helmCharts: [{name: d, repo: 'https://example.org'}]", "is not fetched in a build"),
    ] {
        let files = [
            ("app/kustomization.yaml", fields),
            ("app/charts/c/Chart.yaml", chart),
            ("app/charts/c/values.yaml", ""),
            ("x.yaml", "secret: 1\n"),
        ];
        let (world, tree) = MemoryWorld::of(&files);
        let request = Request::new(tree, RelPath::parse("app").unwrap(), Options::default());
        let built = build(&world, &request, Some(&NoHost), FileTable::default()).unwrap();
        let mistakes: String = built.result.unwrap_err().iter().map(|mistake| format!("{}\n", mistake.message)).collect();
        assert!(mistakes.contains(told), "{fields}: {mistakes}");
        refused(of(&files[..1]), "");
    }
}

#[test]
fn links_lead_nowhere_but_inside() {
    for target in ["../../../etc/passwd", "/etc/passwd", "loop", "../app/other"] {
        let (mut world, tree) = MemoryWorld::of(&[("app/kustomization.yaml", "resources: [loop]")]);
        world.link(tree, "app/loop", target);
        world.link(tree, "app/other", "loop");
        refused(run(&world, tree), "`app/loop` is a link");
    }
    // A link of the folder that leads beside it, and one of a folder that leads back to it.
    let (mut world, tree) = MemoryWorld::of(&[("app/kustomization.yaml", "resources: [link.yaml]"), ("secret.yaml", OBJECT)]);
    world.link(tree, "app/link.yaml", "../secret.yaml");
    refused(run(&world, tree), "is not in or below 'app'");
    let (mut world, tree) = MemoryWorld::of(&[("app/kustomization.yaml", "resources: [self]")]);
    world.link(tree, "app/self", ".");
    refused(run(&world, tree), "cycle detected");
    let (mut world, tree) =
        MemoryWorld::of(&[("app/kustomization.yaml", "resources: [../b]"), ("real/kustomization.yaml", "resources: [../app]")]);
    world.link(tree, "b", "real");
    refused(run(&world, tree), "cycle detected");
}

#[test]
fn remote_kustomizations_are_not_fetched() {
    for url in [
        "https://example.org/a.yaml",
        "http://169.254.169.254/latest/meta-data",
        "github.com/org/repo//folder?ref=main",
        "git@example.org:org/repo.git",
        "ssh://git@example.org/org/repo",
        "git::https://example.org/org/repo",
        "https://example.org/org/repo.git//folder?ref=v1",
    ] {
        for field in ["resources", "components", "bases"] {
            refused(of(&[("app/kustomization.yaml", &format!("{field}: ['{url}']"))]), "is at another address");
        }
    }
}

#[test]
fn kustomizations_do_not_name_themselves() {
    for (path, other) in [("../app", ""), (".", ""), ("..", ""), ("../b", "../app"), ("../b", ".."), ("./../app/../app", "")] {
        for field in ["resources", "components", "generators", "transformers", "validators"] {
            let (own, theirs) = (format!("{field}: ['{path}']"), format!("{field}: ['{other}']"));
            let made =
                of(&[("app/kustomization.yaml", &own), ("b/kustomization.yaml", &theirs), ("kustomization.yaml", "resources: [app]")]);
            assert!(made.as_ref().is_err_and(|made| made.contains("cycle detected") || made.contains("expected kind")), "{path}: {made:?}");
        }
    }
}

#[test]
fn nested_kustomizations_have_a_limit() {
    let deep = |count: usize| {
        let files: Vec<(String, String)> = (0..=count)
            .map(|at| {
                let name = if at == 0 { "app".to_owned() } else { format!("b{at}") };
                let inside = if at == count { "resources: [a.yaml]".to_owned() } else { format!("resources: [../b{}]", at + 1) };
                (format!("{name}/kustomization.yaml"), inside)
            })
            .chain([(format!("b{count}/a.yaml"), OBJECT.to_owned())])
            .collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        of(&files)
    };
    assert!(deep(MAX_KUSTOMIZATION_DEPTH).is_ok());
    refused(deep(MAX_KUSTOMIZATION_DEPTH + 1), "more than 100 kustomizations are nested here");
}

#[test]
fn kustomizations_that_double_have_a_limit() {
    // Each names two that name the same one: 2^30 in all.
    let mut files = vec![("l30/kustomization.yaml".to_owned(), "configMapGenerator: [{name: a}]".to_owned())];
    for level in 0..30 {
        let below = format!("l{}", level + 1);
        files.push((format!("l{level}/kustomization.yaml"), format!("resources: [../x{level}, ../z{level}]")));
        for side in ["x", "z"] {
            files.push((format!("{side}{level}/kustomization.yaml"), format!("resources: [../{below}]\nnamePrefix: {side}")));
        }
    }
    files.push(("app/kustomization.yaml".to_owned(), "resources: [../l0]".to_owned()));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    refused(of(&files), "a build may build 10000 kustomizations, one as often as it is named");
}

#[test]
fn thousands_of_bases_are_built() {
    let mut files = Vec::new();
    let mut top = "resources:\n".to_owned();
    for at in 0..3_000 {
        let _ = writeln!(top, "- ../base{at}");
        files.push((format!("base{at}/kustomization.yaml"), format!("namePrefix: b{at}-\nresources: [a.yaml]")));
        files.push((format!("base{at}/a.yaml"), OBJECT.to_owned()));
    }
    let mut files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    files.push(("app/kustomization.yaml", &top));
    let made = of(&files).unwrap();
    assert_eq!(made.matches("kind: ConfigMap").count(), 3_000);
}

/// Objects with names of their own.
fn many(count: usize) -> String {
    let mut text = String::new();
    for at in 0..count {
        let _ = write!(text, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m{at}}}\n");
    }
    text
}

#[test]
fn a_hundred_thousand_objects_are_built_and_more_refused() {
    let made = over("namePrefix: p-\ncommonLabels: {a: b}", &[("app/a.yaml", &many(100_000))]).unwrap();
    assert_eq!(made.matches("kind: ConfigMap").count(), 100_000);
    refused(over("", &[("app/a.yaml", &many(MAX_OBJECTS + 1))]), "a build may have 250000 objects");
}

#[test]
fn mistakes_without_end_are_told_of_to_a_number() {
    let twice = format!("{}{}", many(20_000), many(20_000));
    assert!(over("", &[("app/a.yaml", &twice)]).is_err());
    let nameless = "---\nkind: A\n".repeat(20_000);
    assert_eq!(over("", &[("app/a.yaml", &nameless)]).unwrap_err().lines().count(), MAX_MISTAKES);
    let patches: String = (0..2_000).map(|at| format!("- patch: '{{kind: A, metadata: {{name: n{at}}}}}'\n")).collect();
    assert!(over(&format!("patches:\n{patches}"), &[]).is_err());
    let unmatched: String = (0..500).map(|at| format!("- {{target: {{name: n{at}}}, patch: '- {{op: remove, path: /a}}'}}\n")).collect();
    assert!(over(&format!("patches:\n{unmatched}"), &[("app/a.yaml", &many(500))]).is_ok());
}

#[test]
fn documents_that_are_bombs_are_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let of = vec![format!("*a{}", level - 1); 10].join(", ");
        let _ = writeln!(bomb, "a{level}: &a{level} [{of}]");
    }
    let object = format!("{OBJECT}data:\n  {}", bomb.replace('\n', "\n  "));
    refused(over("", &[("app/a.yaml", &object)]), "document contains excessive aliasing");
    refused(of(&[("app/kustomization.yaml", &bomb)]), "document contains excessive aliasing");
    for (field, path) in
        [("patches: [{path: p.yaml}]", "app/p.yaml"), ("configurations: [p.yaml]", "app/p.yaml"), ("crds: [p.yaml]", "app/p.yaml")]
    {
        refused(over(field, &[(path, &object)]), "excessive aliasing");
    }
    let own = "a: &a\n  b: *a\n";
    refused(over("", &[("app/a.yaml", &format!("{OBJECT}{own}"))]), "value contains itself");
}

#[test]
fn nested_documents_have_a_limit() {
    let nested = |levels: usize| format!("{}x{}", "[".repeat(levels), "]".repeat(levels));
    let object = |levels: usize| format!("{OBJECT}data: {}\n", nested(levels));
    let told = format!("lists and maps nest more than {MAX_DEPTH} deep");
    assert!(over("namePrefix: p-\nlabels: [{pairs: {a: b}}]", &[("app/a.yaml", &object(MAX_DEPTH - 1))]).is_ok());
    for levels in [MAX_DEPTH, 5_000, 1_000_000] {
        refused(over("", &[("app/a.yaml", &object(levels))]), if levels > 10_000 { "exceeded max depth of 10000" } else { &told });
        for field in ["patches: [{path: p.yaml}]", "patchesStrategicMerge: [p.yaml]", "transformers: [p.yaml]"] {
            assert!(over(field, &[("app/p.yaml", &object(levels))]).is_err());
        }
        let add = format!("[{{\"op\": \"add\", \"path\": \"/data\", \"value\": {}}}]", nested(levels).replace('x', "1"));
        assert!(over(&format!("patches: [{{target: {{name: a}}, patch: '{add}'}}]"), &[]).is_err());
        refused(
            of(&[("app/kustomization.yaml", &format!("resources: {}", nested(levels)))]),
            if levels > 10_000 { "exceeded" } else { &told },
        );
    }
    // By aliases, and by what steps put below each other.
    let halves = format!("kind: A\nmetadata: {{name: a}}\nx: &x {}\ny: {}*x{}\n", nested(200), "[".repeat(200), "]".repeat(200));
    refused(over("", &[("app/a.yaml", &halves)]), &told);
    let value = nested(120).replace('x', "1");
    let grow: String = (1..5).map(|at| format!("- {{op: add, path: /data{}/-, value: {value}}}\n", "/0".repeat(119 * at))).collect();
    let first = format!("- {{op: add, path: /data, value: {}}}\n", nested(120).replace('x', ""));
    let patch =
        format!("patches:\n- target: {{name: a}}\n  patch: |-\n    {}\n", format!("{first}{grow}").trim_end().replace('\n', "\n    "));
    assert!(over(&patch, &[]).is_err());
}

/// A patch that copies what it copied.
fn doubling(times: usize, path: impl Fn(usize) -> (String, String)) -> String {
    let operations: String = (0..times)
        .map(|at| {
            let (from, path) = path(at);
            format!("    - {{op: copy, from: '{from}', path: '{path}'}}\n")
        })
        .collect();
    format!("patches:\n- target: {{name: a}}\n  patch: |-\n{operations}")
}

#[test]
fn json_patches_that_copy_what_they_copied_have_a_limit() {
    let object = format!("{OBJECT}data: {{a: {{b: 1}}}}\n");
    let wide = doubling(40, |at| ("/data".to_owned(), format!("/data/c{at}")));
    refused(over(&wide, &[("app/a.yaml", &object)]), "JSON patches and replacements may copy 4000000 nodes in a build");
    let deep = doubling(300, |_| ("/data".to_owned(), "/data/c".to_owned()));
    refused(over(&deep, &[("app/a.yaml", &object)]), "lists and maps would nest more than 256 deep");
    let long = format!("/data{}", "/c".repeat(100_000));
    refused(over(&doubling(1, |_| (long.clone(), "/x".to_owned())), &[("app/a.yaml", &object)]), "has a path of more than 256 parts");
}

#[test]
fn replacements_that_feed_each_other_have_a_limit() {
    let object = format!("{OBJECT}data: {{a: {{b: 1}}}}\nother: {{}}\n");
    let step = |from: &str, to: &str| {
        format!(
            "- {{source: {{name: a, fieldPath: {from}}}, targets: [{{select: {{name: a}}, fieldPaths: [{to}], options: {{create: true}}}}]}}\n"
        )
    };
    let wide: String = (0..40).map(|at| step("data", &format!("data.c{at}"))).collect();
    refused(over(&format!("replacements:\n{wide}"), &[("app/a.yaml", &object)]), "may copy 4000000 nodes in a build");
    let deep: String = (0..150).map(|_| step("data", "other.c") + &step("other", "data.c")).collect();
    refused(over(&format!("replacements:\n{deep}"), &[("app/a.yaml", &object)]), "would nest more than 256 deep");
    let long = vec!["c"; MAX_PATH_PARTS + 1].join(".");
    refused(over(&format!("replacements:\n{}", step("data", &long)), &[("app/a.yaml", &object)]), "a path has at most 128 parts");
    // A text that takes itself in, twice as long each time.
    let text = format!("{OBJECT}data: {{a: x}}\n");
    let twice = "- {source: {name: a, fieldPath: data.a}, targets: [{select: {name: a}, fieldPaths: [data.a], options: {delimiter: '/', index: 99}}]}\n";
    refused(over(&format!("replacements:\n{}", twice.repeat(60)), &[("app/a.yaml", &text)]), "may put 256 MiB of texts together");
}

#[test]
fn expressions_stay_quick() {
    let long = "a".repeat(50_000);
    let object = format!("kind: ConfigMap\napiVersion: v1\nmetadata: {{name: {long}}}\n");
    for pattern in ["(a+)+b", "(a|a)*b", "(.*)(.*)(.*)(.*)b", "((((a*)*)*)*)b", "(a{1,100})*b"] {
        let patch = format!("patches: [{{target: {{name: '{pattern}'}}, patch: '- {{op: remove, path: /x}}'}}]");
        let made = over(&patch, &[("app/a.yaml", &object)]);
        assert!(made.is_ok(), "{pattern}: {made:?}");
    }
    for pattern in ["(a{1000}){1000}", "((((a{100}){100}){100}){100})", "(", "a{99999999}", "[[:x:]]"] {
        refused(
            over(&format!("patches: [{{target: {{name: '{pattern}'}}, patch: '- {{op: remove, path: /x}}'}}]"), &[]),
            "error parsing regexp",
        );
    }
    let nested = format!("{}a{}", "(".repeat(50_000), ")".repeat(50_000));
    refused(over(&format!("images: [{{name: '{nested}', newTag: x}}]"), &[]), "no regular expression");
}

#[test]
fn vars_do_not_grow_without_end() {
    // What a var stands for is not expanded again.
    let vars = |name: &str| {
        format!("- {{name: {name}, objref: {{kind: ConfigMap, name: a, apiVersion: v1}}, fieldref: {{fieldpath: data.{name}}}}}\n")
    };
    let object = format!("{OBJECT}data: {{A: $(B), B: $(A), C: $(C)}}\n");
    let reference = "varReference: [{path: data/A, kind: ConfigMap}, {path: data/B, kind: ConfigMap}, {path: data/C, kind: ConfigMap}]";
    let fields = format!("configurations: [c.yaml]\nvars:\n{}{}{}", vars("A"), vars("B"), vars("C"));
    let made = over(&fields, &[("app/a.yaml", &object), ("app/c.yaml", reference)]).unwrap();
    assert!(made.contains("A: $(A)\n  B: $(B)\n  C: $(C)\n"), "{made}");
    let big = format!("{OBJECT}data: {{A: {}, B: '{}'}}\n", "x".repeat(1 << 20), "$(A)".repeat(1 << 18));
    let fields = format!("configurations: [c.yaml]\nvars:\n{}", vars("A"));
    let made = over(&fields, &[("app/a.yaml", &big), ("app/c.yaml", "varReference: [{path: data/B, kind: ConfigMap}]")]);
    refused(made, "the steps of a build may put 256 MiB of texts together");
}

#[test]
fn names_of_megabytes_add_up_to_a_limit() {
    let fields = format!("namePrefix: {}", "p".repeat(1 << 20));
    let made = over(&fields, &[]).unwrap();
    assert!(made.len() > 1 << 20);
    refused(over(&fields, &[("app/a.yaml", &many(1_000))]), "the steps of a build may put 256 MiB of texts together");
}

#[test]
fn files_add_up_to_a_limit() {
    let big = format!("{OBJECT}data: {{a: {}}}\n", "x".repeat(30 << 20));
    let mut files = vec![("base/a.yaml".to_owned(), big), ("base/kustomization.yaml".to_owned(), "resources: [a.yaml]".to_owned())];
    let mut top = "resources:\n".to_owned();
    for at in 0..20 {
        let _ = writeln!(top, "- ../b{at}");
        files.push((format!("b{at}/kustomization.yaml"), format!("resources: [../base]\nnamePrefix: b{at}-")));
    }
    files.push(("app/kustomization.yaml".to_owned(), top));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    refused(of(&files), "a build may read 256 MiB of files, one as often as it is named");
    // Many nodes in few bytes.
    let dense = format!("{OBJECT}data:\n{}", "- \n".repeat(3_000_000));
    let files: Vec<(&str, &str)> =
        files.iter().map(|(name, text)| (*name, if *name == "base/a.yaml" { dense.as_str() } else { *text })).collect();
    refused(of(&files), "a build may read 16000000 nodes of YAML");
}

#[test]
fn long_lists_merge_in_bounded_time() {
    let ports = |count: usize| (0..count).map(|at| format!("  - {{port: {at}, name: p{at}}}\n")).collect::<String>();
    let service = |count: usize| format!("apiVersion: v1\nkind: Service\nmetadata: {{name: s}}\nspec:\n  ports:\n{}", ports(count));
    let both = |count: usize| over("patches: [{path: p.yaml}]", &[("app/a.yaml", &service(count)), ("app/p.yaml", &service(count))]);
    assert!(both(500).is_ok());
    refused(both(100_000), "a build may take 500000000 steps");
    let generated: String = (0..3_000).map(|at| format!("- {{name: g{at}}}\n")).collect();
    assert!(over(&format!("configMapGenerator:\n{generated}"), &[]).is_ok());
}

#[test]
fn definitions_that_refer_to_each_other_come_to_an_end() {
    let mut text = "{".to_owned();
    for level in 0..30 {
        let next = format!("{{\"$ref\": \"d{}\"}}", level + 1);
        let properties: Vec<String> =
            ["kind", "apiVersion", "metadata", "a", "b", "c"].iter().map(|name| format!("\"{name}\": {next}")).collect();
        let _ = write!(text, "\"d{level}\": {{\"Schema\": {{\"properties\": {{{}}}}}}},", properties.join(","));
    }
    text.push_str("\"d30\": {}}");
    refused(over("crds: [c.json]", &[("app/c.json", &text)]), "a build may take 500000000 steps");
    let own = "{\"d\": {\"Schema\": {\"properties\": {\"kind\": {\"$ref\": \"d\"}, \"apiVersion\": {}, \"metadata\": {}}}}}";
    assert!(over("crds: [c.json]", &[("app/c.json", own)]).is_ok());
}

#[test]
fn names_that_all_share_are_followed_in_bounded_time() {
    // The same name in each of many namespaces, each used there.
    let mut text = String::new();
    for at in 0..2_000 {
        let _ = write!(
            text,
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a, namespace: n{at}}}\n---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p, \
             namespace: n{at}}}\nspec: {{volumes: [{{name: v, configMap: {{name: a}}}}]}}\n"
        );
    }
    let made = over("namePrefix: x-", &[("app/a.yaml", &text)]).unwrap();
    assert_eq!(made.matches("name: x-a\n").count(), 4_000);
}

#[test]
fn paths_of_fields_have_a_limit() {
    let long = vec!["a"; MAX_PATH_PARTS + 1].join("/");
    let labels = format!("labels: [{{pairs: {{a: b}}, fields: [{{path: {long}, create: true}}]}}]");
    refused(over(&labels, &[]), "has 129 parts, which is more than 128");
    let lists = format!("{OBJECT}x: {}{{b: 1}}{}\n", "[".repeat(MAX_NESTED_LISTS + 1), "]".repeat(MAX_NESTED_LISTS + 1));
    refused(over("labels: [{pairs: {a: b}, fields: [{path: x/b}]}]", &[("app/a.yaml", &lists)]), "lists lie too deep in lists");
}

#[test]
fn bytes_that_are_no_text_are_told_of() {
    for field in FIELDS.iter().filter(|field| !field.contains("Generator") && !field.contains("components")) {
        let kustomization = field.replace('@', "bad.yaml");
        let files: [(&str, &[u8]); 2] = [("app/kustomization.yaml", kustomization.as_bytes()), ("app/bad.yaml", b"kind: \xff\xfe\n\0")];
        let (world, tree) = MemoryWorld::of(&files);
        assert!(run(&world, tree).is_err(), "{field}");
    }
    let (world, tree) = MemoryWorld::of(&[("app/kustomization.yaml", b"resources: [\xff]")]);
    refused(run(&world, tree), "app/kustomization.yaml:1:13: the file is not UTF-8");
    refused(of(&[("app/kustomization.yaml", "resources: [\0]")]), "control characters are not allowed");
}
