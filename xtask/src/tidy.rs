//! Owns the tidy rules: what STYLE asks for that neither rustfmt nor clippy checks. Reads the tree and reports; changes nothing.
//!
//! Layers: each crate has a place in [`LAYERS`] and uses crates above its own line only; [`PURE`] crates have no package of
//! [`IMPURE`] among their dependencies, however deep. An exception is an entry of a table here with its reason, and an entry
//! that is no longer needed is itself a finding. A build of the program without its operator stays without [`NOT_LEAN`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Crates from the ground up, without `plumb-`. Those of one line do not use each other.
const LAYERS: &[&[&str]] = &[
    &["world"],
    &["go"],
    &["expr"],
    &["yaml"],
    &["gotemplate"],
    &["manifest"],
    &["schema"],
    &["unit"],
    &["helm"],
    &["kustomize"],
    &["secrets"],
    &["build"],
    &["plan"],
    &["certificates", "source"],
    &["cluster"],
    &["host", "terraform"],
    &["store"],
    &["dialect"],
    &["controller"],
    &["server"],
    &["cli"],
    &["suite", "plane"],
];

/// Crates without input, output, clock or randomness.
const PURE: &[&str] = &[
    "world",
    "go",
    "expr",
    "yaml",
    "gotemplate",
    "manifest",
    "schema",
    "unit",
    "helm",
    "kustomize",
    "secrets",
    "build",
    "plan",
    "dialect",
];

/// Packages that a pure crate must not have among its dependencies, nor their dependencies.
const IMPURE: &[&str] = &[
    "async-std",
    "aws-lc-rs",
    "chrono",
    "fastrand",
    "futures-executor",
    "getrandom",
    "gix",
    "hyper",
    "k8s-openapi",
    "kube",
    "kube-client",
    "mio",
    "notify",
    "rand",
    "rand_core",
    "reqwest",
    "ring",
    "russh",
    "rustls",
    "smol",
    "socket2",
    "sqlx",
    "tempfile",
    "time",
    "tokio",
    "ureq",
    "uuid",
    "walkdir",
];

/// Packages that a `plumb` without its operator must not have: what it was made to be built without.
const NOT_LEAN: &[&str] = &["axum", "k8s-openapi", "kube", "kube-client", "kube-core", "sqlx", "sqlx-core", "sqlx-sqlite"];

/// Dependencies between crates that the layers forbid: (user, used, reason).
const EDGE_EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// Files over [`MAX_LINES`]: (path, reason). Only tables belong here.
const LONG_FILES: &[(&str, &str)] = &[];

/// Packages with more than one integration-test binary, and why.
const SEVERAL_BINARIES: &[(&str, &str)] = &[("crates/controller", "the simulation needs no control plane: it is run alone, in seconds")];

/// How many lines a source file may have.
const MAX_LINES: usize = 1000;

/// Folders that are not ours: built, fetched or Git's own.
const SKIPPED: &[&str] = &[".git", "target", "node_modules", "vendor"];

/// Starts of paths of somebody's machine. Written in two parts, so that this file is none of its own findings.
const MACHINE_PATHS: &[&str] = &[concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];

/// Texts that look like such a path and are none: (file, text, reason).
const PATH_EXCEPTIONS: &[(&str, &str, &str)] =
    &[("crates/server/src/socket.rs", concat!("/ho", "me/ada:/bin/sh"), "a line of a user list, made up for a test")];

/// Endings of the files that are looked through for machine paths.
const TEXTS: &[&str] = &["rs", "md", "toml", "sh", "go", "mod", "yaml", "yml", "json", "sql", "run", "txt", "case"];

/// Returns what is untidy below the workspace's root, each as `path:line: what and what to do`, ordered.
pub(crate) fn run(root: &Path) -> Vec<String> {
    let mut findings = Vec::new();
    let files = walk(root);
    for file in &files {
        let Ok(text) = fs::read_to_string(root.join(file)) else { continue };
        check_text(file, &text, &mut findings);
        if file.ends_with(".rs") {
            check_source(file, &text, &mut findings);
        }
    }
    check_long_files(root, &files, &mut findings);
    check_orphans(root, &files, &mut findings);
    check_test_binaries(&files, &mut findings);
    check_architecture(root, &mut findings);
    match metadata(root) {
        Ok(metadata) => check_dependencies(&metadata, &|user| built_alone(root, user), &mut findings),
        Err(why) => findings.push(format!("Cargo.toml: {why}")),
    }
    check_lean(packages(root, &["--package", "plumb", "--no-default-features"]), &mut findings);
    findings.sort();
    findings
}

/// Returns all files below the root as `/`-separated relative paths, ordered.
fn walk(root: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(root.join(&folder)) else { continue };
        for entry in entries.flatten() {
            let path = folder.join(entry.file_name());
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && !SKIPPED.iter().any(|name| entry.file_name() == *name) {
                folders.push(path);
            } else if kind.is_file() {
                files.push(path.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    files.sort();
    files
}

fn check_text(file: &str, text: &str, findings: &mut Vec<String>) {
    let name = file.rsplit('/').next().unwrap_or(file);
    let ending = name.rsplit('.').next().unwrap_or(name);
    if !TEXTS.contains(&ending) {
        return;
    }
    for (number, line) in (1..).zip(text.lines()) {
        for path in MACHINE_PATHS {
            // Behind a letter, a dot or a slash it is the middle of a longer path, of a URL for instance.
            let whole = |(at, _): (usize, &str)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-/}".contains(c));
            let excepted = PATH_EXCEPTIONS.iter().any(|(excepted, text, _)| *excepted == file && line.contains(text));
            if !excepted && line.match_indices(path).any(whole) {
                findings.push(format!("{file}:{number}: `{path}` is a path of one machine"));
            }
        }
    }
}

fn check_source(file: &str, text: &str, findings: &mut Vec<String>) {
    if !text.trim_start().starts_with("//!") {
        findings.push(format!("{file}:1: does not open with `//!`: say what the file owns and what it must not do"));
    }
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        if code.starts_with("//") {
            continue;
        }
        let number = at + 1;
        if code.starts_with(concat!("#[ig", "nore")) {
            findings.push(format!("{file}:{number}: a test is switched off: list what is known wrong by name, with its reason"));
        }
        for name in [concat!("to", "do!("), concat!("unimpl", "emented!(")] {
            if code.contains(name) {
                findings.push(format!("{file}:{number}: `{name})` is a panic that waits"));
            }
        }
        for (start, advice) in [("allow(", "use `#[expect(…, reason = \"…\")]`"), ("expect(", "give a `reason`")] {
            let opens = code.strip_prefix("#![").or_else(|| code.strip_prefix("#[")).is_some_and(|rest| rest.starts_with(start));
            if opens && !attribute(&lines[at..]).contains("reason") {
                findings.push(format!("{file}:{number}: a lint is silenced without saying why: {advice}"));
            }
        }
    }
}

/// Returns the text of the attribute that starts on the first line.
fn attribute(lines: &[&str]) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str(line);
        if line.contains(")]") {
            break;
        }
    }
    text
}

fn check_long_files(root: &Path, files: &[String], findings: &mut Vec<String>) {
    let long: BTreeMap<&str, usize> = files
        .iter()
        .filter(|file| file.ends_with(".rs"))
        .filter_map(|file| Some((file.as_str(), fs::read_to_string(root.join(file)).ok()?.lines().count())))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .collect();
    for (file, lines) in &long {
        if !LONG_FILES.iter().any(|(excepted, _)| excepted == file) {
            findings.push(format!("{file}:{lines}: has {lines} lines; split it by feature ({MAX_LINES} is the most)"));
        }
    }
    for (excepted, _) in LONG_FILES.iter().filter(|(excepted, _)| !long.contains_key(excepted)) {
        findings.push(format!("{excepted}:1: is no longer long: take it out of `LONG_FILES`"));
    }
}

/// Finds source files that no `mod` leads to: they are compiled by nobody.
fn check_orphans(root: &Path, files: &[String], findings: &mut Vec<String>) {
    let sources: BTreeSet<&str> = files.iter().map(String::as_str).filter(|file| file.ends_with(".rs")).collect();
    let mut reached = BTreeSet::new();
    let mut queue: Vec<&str> = sources.iter().copied().filter(|file| is_crate_root(file)).collect();
    while let Some(file) = queue.pop() {
        if !reached.insert(file) {
            continue;
        }
        let Ok(text) = fs::read_to_string(root.join(file)) else { continue };
        for candidate in modules(file, &text) {
            queue.extend(sources.get(candidate.as_str()));
        }
    }
    findings.extend(sources.difference(&reached).map(|file| format!("{file}:1: no `mod` leads to this file")));
}

fn is_crate_root(file: &str) -> bool {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    let parent = folder.rsplit('/').next().unwrap_or(folder);
    match parent {
        "src" => matches!(name, "lib.rs" | "main.rs"),
        "bin" | "tests" | "benches" | "examples" | "fuzz_targets" => true,
        _ => {
            name == "build.rs"
                || (name == "main.rs" && ["/tests/", "/benches/", "/examples/", "/src/bin/"].iter().any(|place| file.contains(place)))
        }
    }
}

/// Returns the files that a source's `mod`, `#[path]` and `include!` may mean.
fn modules(file: &str, text: &str) -> Vec<String> {
    let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
    let own =
        if is_crate_root(file) || name == "mod.rs" { folder.to_owned() } else { format!("{folder}/{}", name.trim_end_matches(".rs")) };
    let mut found = Vec::new();
    let mut path_attribute = None;
    for line in text.lines().map(str::trim) {
        for start in ["#[path = \"", "include!(\""] {
            if let Some(path) = line.split_once(start).and_then(|(_, rest)| rest.split('"').next()) {
                path_attribute = Some(normalise(&format!("{folder}/{path}")));
                found.extend(path_attribute.clone());
            }
        }
        let declaration = line
            .strip_prefix("pub ")
            .or_else(|| line.split_once(") ").filter(|(start, _)| start.starts_with("pub(")).map(|(_, rest)| rest));
        let Some(name) =
            declaration.unwrap_or(line).strip_prefix("mod ").and_then(|rest| rest.split_once(';')).map(|(name, _)| name.trim())
        else {
            continue;
        };
        if path_attribute.take().is_none() {
            found.push(format!("{own}/{name}.rs"));
            found.push(format!("{own}/{name}/mod.rs"));
        }
    }
    found
}

fn normalise(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    segments.join("/")
}

fn check_test_binaries(files: &[String], findings: &mut Vec<String>) {
    let mut binaries: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in files {
        let Some((package, test)) = file.split_once("/tests/") else { continue };
        if package.starts_with("crates/")
            && package.matches('/').count() == 1
            && test.ends_with(".rs")
            && (!test.contains('/') || test.ends_with("/main.rs"))
        {
            binaries.entry(package).or_default().push(test);
        }
    }
    let excepted = |package: &str| SEVERAL_BINARIES.iter().any(|(known, _)| package.ends_with(known));
    for (package, tests) in binaries.iter().filter(|(package, tests)| tests.len() > 1 && !excepted(package)) {
        findings.push(format!(
            "{package}/tests:1: {} integration-test binaries ({}): one per crate links once",
            tests.len(),
            tests.join(", ")
        ));
    }
}

/// Finds paths in ARCHITECTURE.md that are gone.
fn check_architecture(root: &Path, findings: &mut Vec<String>) {
    const FILE: &str = "ARCHITECTURE.md";
    let Ok(text) = fs::read_to_string(root.join(FILE)) else {
        findings.push(format!("{FILE}:1: there is none"));
        return;
    };
    for (number, line) in (1..).zip(text.lines()) {
        for path in line.split('`').skip(1).step_by(2).filter(|word| looks_like_path(root, word)) {
            let path = path.trim_end_matches('/');
            if !root.join(path).exists() && !root.join("crates").join(path).exists() {
                findings.push(format!("{FILE}:{number}: `{path}` is gone"));
            }
        }
    }
}

fn looks_like_path(root: &Path, word: &str) -> bool {
    if word.is_empty() || word.starts_with('/') || word.contains(|c: char| c.is_whitespace() || "<>{}*$:|\"'(),…@".contains(c)) {
        return false;
    }
    let (first, rest) = word.split_once('/').unwrap_or((word, ""));
    let is_file = [".rs", ".md", ".toml", ".sh", ".go", ".sql"].iter().any(|ending| word.ends_with(ending));
    match word.contains('/') {
        true => is_file || root.join(first).is_dir() || (!rest.is_empty() && root.join("crates").join(first).is_dir()),
        // A bare source name such as `lib.rs` is a manner of speaking, not a path.
        false => word.ends_with(".md") || word.ends_with(".toml"),
    }
}

fn metadata(root: &Path) -> Result<Value, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("`cargo metadata` did not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("`cargo metadata` said something else: {error}"))
}

/// Packages by id: name, and the names and ids of what they use in a normal build.
struct Graph<'a> {
    names: BTreeMap<&'a str, &'a str>,
    normal: BTreeMap<&'a str, Vec<&'a str>>,
    members: Vec<&'a str>,
}

fn graph(metadata: &Value) -> Graph<'_> {
    let mut graph = Graph { names: BTreeMap::new(), normal: BTreeMap::new(), members: Vec::new() };
    for package in items(&metadata["packages"]) {
        if let (Some(id), Some(name)) = (package["id"].as_str(), package["name"].as_str()) {
            graph.names.insert(id, name);
        }
    }
    for node in items(&metadata["resolve"]["nodes"]) {
        let Some(id) = node["id"].as_str() else { continue };
        // `kind: null` is a normal dependency; "dev" and "build" are not part of the program.
        let normal = items(&node["deps"]).iter().filter(|dep| items(&dep["dep_kinds"]).iter().any(|kind| kind["kind"].is_null()));
        graph.normal.insert(id, normal.filter_map(|dep| dep["pkg"].as_str()).collect());
    }
    graph.members = items(&metadata["workspace_members"]).iter().filter_map(Value::as_str).collect();
    graph
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn check_dependencies(metadata: &Value, alone: &dyn Fn(&str) -> Option<BTreeSet<String>>, findings: &mut Vec<String>) {
    let graph = graph(metadata);
    let mut used_exceptions = BTreeSet::new();
    for member in &graph.members {
        let Some(user) = graph.names.get(member).and_then(|name| crate_of(name)) else { continue };
        let Some(layer) = layer(user) else {
            findings.push(format!("crates/{user}/Cargo.toml:1: `{user}` has no layer: add it to `LAYERS`"));
            continue;
        };
        for used in graph.normal.get(member).into_iter().flatten().filter_map(|id| crate_of(graph.names.get(id)?)) {
            let below = self::layer(used).is_none_or(|other| other >= layer);
            if EDGE_EXCEPTIONS.iter().any(|(from, to, _)| *from == user && *to == used) {
                used_exceptions.insert((user, used));
            } else if below {
                findings.push(format!("crates/{user}/Cargo.toml:1: `{user}` uses `{used}`, which is not above it"));
            }
        }
        if PURE.contains(&user) {
            check_pure(&graph, member, user, alone, findings);
        }
    }
    for (user, used, _) in EDGE_EXCEPTIONS.iter().filter(|(user, used, _)| !used_exceptions.contains(&(*user, *used))) {
        findings.push(format!("crates/{user}/Cargo.toml:1: no longer uses `{used}`: take it out of `EDGE_EXCEPTIONS`"));
    }
}

/// Returns the packages of one of our crates when it is built alone: in the graph of all, other crates switch on features for it.
fn built_alone(root: &Path, user: &str) -> Option<BTreeSet<String>> {
    packages(root, &["--package", &format!("plumb-{user}")])
}

/// Returns the packages of a build; nothing where cargo does not tell.
fn packages(root: &Path, build: &[&str]) -> Option<BTreeSet<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}"];
    let output =
        Command::new(cargo).args(arguments).args(build).current_dir(root).output().ok().filter(|output| output.status.success())?;
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(lines.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

fn check_lean(packages: Option<BTreeSet<String>>, findings: &mut Vec<String>) {
    const FILE: &str = "crates/cli/Cargo.toml";
    let Some(packages) = packages else {
        findings.push(format!("{FILE}:1: `cargo tree -p plumb --no-default-features` does not tell what a build without the operator has"));
        return;
    };
    for name in NOT_LEAN.iter().filter(|name| packages.contains(**name)) {
        let advice = format!(
            "`cargo tree -p plumb --no-default-features -e normal -i {name}` says through what: make it optional, of the feature `operator`"
        );
        findings.push(format!("{FILE}:1: `plumb` without the operator has `{name}`: {advice}"));
    }
}

fn check_pure(graph: &Graph<'_>, member: &str, user: &str, alone: &dyn Fn(&str) -> Option<BTreeSet<String>>, findings: &mut Vec<String>) {
    let mut impure: Vec<(&str, String)> = Vec::new();
    let mut chains: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut queue = vec![(member, vec![user])];
    while let Some((id, chain)) = queue.pop() {
        for used in graph.normal.get(id).into_iter().flatten() {
            let name = graph.names.get(used).copied().unwrap_or("?");
            if chains.contains_key(used) {
                continue;
            }
            let chain: Vec<&str> = chain.iter().copied().chain([name]).collect();
            if IMPURE.contains(&name) {
                impure.push((name, chain.join(" → ")));
            }
            chains.insert(used, chain.clone());
            queue.push((used, chain));
        }
    }
    let built = if impure.is_empty() { None } else { alone(user) };
    for (name, chain) in impure.iter().filter(|(name, _)| built.as_ref().is_none_or(|built| built.contains(*name))) {
        findings.push(format!("crates/{user}/Cargo.toml:1: `{user}` is pure, but has `{name}` ({chain})"));
    }
}

/// Returns the folder's name of one of our packages.
fn crate_of(package: &str) -> Option<&str> {
    if package == "plumb" { Some("cli") } else { package.strip_prefix("plumb-") }
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|crates| crates.contains(&name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source(file: &str, text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check_text(file, text, &mut findings);
        check_source(file, text, &mut findings);
        findings
    }

    #[test]
    fn a_file_says_what_it_owns() {
        assert!(source("a.rs", "//! Owns a.\nfn a() {}\n").is_empty());
        assert_eq!(source("a.rs", "fn a() {}\n").len(), 1);
    }

    #[test]
    fn silenced_lints_and_tests_are_found() {
        let head = "//! Owns a.\n";
        assert!(source("a.rs", &format!("{head}#[expect(dead_code, reason = \"x\")]\n")).is_empty());
        assert!(source("a.rs", &format!("{head}#![expect(\n    dead_code,\n    reason = \"x\"\n)]\n")).is_empty());
        for line in [
            concat!("#[al", "low(dead_code)]"),
            concat!("#![al", "low(dead_code)]"),
            "#[expect(dead_code)]",
            concat!("#[ig", "nore]"),
            concat!("    to", "do!()"),
        ] {
            assert_eq!(source("a.rs", &format!("{head}{line}\n")).len(), 1, "{line}");
        }
    }

    #[test]
    fn machine_paths_are_found_but_not_inside_longer_ones() {
        let path = MACHINE_PATHS[0];
        assert_eq!(source("a.rs", &format!("//! Owns a.\nconst A: &str = \"{path}x\";\n")).len(), 1);
        assert!(source("a.rs", &format!("//! Owns a.\nconst A: &str = \"https://host{path}x\";\n")).is_empty());
    }

    #[test]
    fn modules_are_followed_as_rustc_does() {
        assert_eq!(
            modules("crates/a/src/lib.rs", "mod b;\npub(crate) mod c;\npub mod d {\n"),
            ["crates/a/src/b.rs", "crates/a/src/b/mod.rs", "crates/a/src/c.rs", "crates/a/src/c/mod.rs"]
        );
        assert_eq!(modules("crates/a/src/b.rs", "mod x;"), ["crates/a/src/b/x.rs", "crates/a/src/b/x/mod.rs"]);
        assert_eq!(modules("crates/a/src/b/mod.rs", "mod x;"), ["crates/a/src/b/x.rs", "crates/a/src/b/x/mod.rs"]);
        assert_eq!(modules("crates/a/src/lib.rs", "#[path = \"../y.rs\"]\nmod x;"), ["crates/a/y.rs"]);
        assert!(
            is_crate_root("crates/a/tests/a.rs") && is_crate_root("crates/a/tests/a/main.rs") && !is_crate_root("crates/a/tests/a/b.rs")
        );
    }

    #[test]
    fn only_paths_are_taken_for_paths() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("workspace");
        for (word, expect) in [
            ("crates/world/src/lib.rs", true),
            ("xtask/src/tidy.rs", true),
            ("crates/gone", true),
            ("Cargo.toml", true),
            ("world/src/path.rs", true),
            ("spec/replicas", false),
            ("plumb/<hash>", false),
            ("https://host/a.rs", false),
            ("/metrics", false),
            ("cargo xtask demo", false),
        ] {
            assert_eq!(looks_like_path(root, word), expect, "{word}");
        }
    }

    fn workspace(edges: &[(&str, &str, Option<&str>)]) -> Vec<String> {
        let names: BTreeSet<&str> = edges.iter().flat_map(|(from, to, _)| [*from, *to]).collect();
        let node = |name: &str| {
            let deps: Vec<Value> = edges
                .iter()
                .filter(|(from, ..)| *from == name)
                .map(|(_, to, kind)| json!({"pkg": to, "dep_kinds": [{"kind": kind}]}))
                .collect();
            json!({"id": name, "deps": deps})
        };
        let metadata = json!({
            "packages": names.iter().map(|name| json!({"id": name, "name": name})).collect::<Vec<_>>(),
            "resolve": {"nodes": names.iter().map(|name| node(name)).collect::<Vec<_>>()},
            "workspace_members": names.iter().filter(|name| name.starts_with("plumb")).collect::<Vec<_>>(),
        });
        let mut findings = Vec::new();
        check_dependencies(&metadata, &|_| None, &mut findings);
        findings
    }

    #[test]
    fn a_crate_uses_crates_above_it() {
        assert!(workspace(&[("plumb-build", "plumb-world", None), ("plumb", "plumb-build", None)]).is_empty());
        assert_eq!(
            workspace(&[("plumb-world", "plumb-build", None)]),
            ["crates/world/Cargo.toml:1: `world` uses `build`, which is not above it"]
        );
        assert_eq!(workspace(&[("plumb-suite", "plumb-plane", None)]).len(), 1);
        assert!(workspace(&[("plumb-world", "plumb-suite", Some("dev"))]).is_empty());
        assert_eq!(workspace(&[("plumb-strange", "plumb-world", None)]).len(), 1);
    }

    #[test]
    fn a_pure_crate_is_pure_to_the_bottom() {
        let chain = [("plumb-plan", "a", None), ("a", "b", None), ("b", "tokio", None)];
        assert_eq!(workspace(&chain), ["crates/plan/Cargo.toml:1: `plan` is pure, but has `tokio` (plan → a → b → tokio)"]);
        assert!(workspace(&[("plumb-plan", "a", None), ("a", "tokio", Some("build"))]).is_empty());
        assert!(workspace(&[("plumb-source", "tokio", None)]).is_empty());
    }

    #[test]
    fn a_build_without_the_operator_stays_lean() {
        let check = |packages: Option<&[&str]>| {
            let mut findings = Vec::new();
            check_lean(packages.map(|names| names.iter().map(|name| (*name).to_owned()).collect()), &mut findings);
            findings.len()
        };
        assert_eq!(check(Some(&["plumb", "plumb-source", "tokio"])), 0);
        assert_eq!(check(Some(&["plumb", "axum", "sqlx-core", "sqlx"])), 3);
        assert_eq!(check(None), 1);
    }

    /// An exception nobody needs is a finding, so the tables cannot rot: here on a tree of our own making.
    #[test]
    fn orphans_long_files_and_second_test_binaries_are_found() {
        let root = std::env::temp_dir().join(format!("plumb-tidy-{}", std::process::id()));
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("folder")).expect("folder");
            fs::write(path, text).expect("file");
        };
        write("crates/a/src/lib.rs", "//! Owns a.\nmod b;\n");
        write("crates/a/src/b.rs", "//! Owns b.\n");
        write("crates/a/src/lost.rs", "//! Owns nothing.\n");
        write("crates/a/src/b/long.rs", &"//! Owns much.\n".repeat(MAX_LINES + 1));
        write("crates/a/tests/one.rs", "//! Owns tests.\n");
        write("crates/a/tests/two.rs", "//! Owns tests.\n");
        write("ARCHITECTURE.md", "See `crates/a/src/gone.rs` and `crates/a/src/b.rs`.\n");
        let files = walk(&root);
        let mut findings = Vec::new();
        check_orphans(&root, &files, &mut findings);
        check_long_files(&root, &files, &mut findings);
        check_test_binaries(&files, &mut findings);
        check_architecture(&root, &mut findings);
        fs::remove_dir_all(&root).expect("removed");
        assert_eq!(findings.len(), 5, "{findings:#?}");
        for part in ["lost.rs:1: no `mod`", "long.rs:1: no `mod`", "has 1001 lines", "2 integration-test binaries", "gone.rs` is gone"] {
            assert!(findings.iter().any(|finding| finding.contains(part)), "{part}: {findings:#?}");
        }
    }
}
