//! Owns the replay of what the real Helm was asked: small charts with their arguments, and lines of templates (`recorded/*.txt`; `cargo xtask record helm`
//! asks again). What differs is named here with its reason.

use std::collections::BTreeMap;

use plumb_helm::{Chart, File, Form, Ignore, Options, ValuesFile, render};
use plumb_suite::{Answer, Recorded, chart_files, line_answer, recorded};

use crate::host::NoHost;

pub(crate) const FAMILIES: &[(&str, &str)] = &[
    ("codecs", include_str!("recorded/codecs.txt")),
    ("collections", include_str!("recorded/collections.txt")),
    ("dependencies", include_str!("recorded/dependencies.txt")),
    ("files", include_str!("recorded/files.txt")),
    ("manifests", include_str!("recorded/manifests.txt")),
    ("matrix", include_str!("recorded/matrix.txt")),
    ("nulls", include_str!("recorded/nulls.txt")),
    ("numbers", include_str!("recorded/numbers.txt")),
    ("printf", include_str!("recorded/printf.txt")),
    ("schema", include_str!("recorded/schema.txt")),
    ("setting", include_str!("recorded/setting.txt")),
    ("strings", include_str!("recorded/strings.txt")),
    ("templates", include_str!("recorded/templates.txt")),
    ("versions", include_str!("recorded/versions.txt")),
    ("whitespace", include_str!("recorded/whitespace.txt")),
];

/// Family, case, and why it may differ.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// What a case's arguments say.
#[derive(Default)]
struct Arguments {
    values: Vec<String>,
    sets: Vec<(Form, String)>,
    namespace: Option<String>,
    kube_version: Option<String>,
    api_versions: Vec<String>,
    include_crds: bool,
    no_hooks: bool,
    skip_tests: bool,
    is_upgrade: bool,
}

impl Arguments {
    fn read(words: &[String]) -> Self {
        let mut read = Self::default();
        let mut words = words.iter();
        let mut forms = [
            (Form::Json, Vec::new()),
            (Form::Typed, Vec::new()),
            (Form::Text, Vec::new()),
            (Form::File, Vec::new()),
            (Form::Literal, Vec::new()),
        ];
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap().clone();
            match word.as_str() {
                "-f" => read.values.push(value()),
                "--set-json" => forms[0].1.push(value()),
                "--set" => forms[1].1.push(value()),
                "--set-string" => forms[2].1.push(value()),
                "--set-file" => forms[3].1.push(value()),
                "--set-literal" => forms[4].1.push(value()),
                "-n" => read.namespace = Some(value()),
                "--kube-version" => read.kube_version = Some(value()),
                "-a" => read.api_versions.extend(value().split(',').map(str::to_owned)),
                "--include-crds" => read.include_crds = true,
                "--no-hooks" => read.no_hooks = true,
                "--skip-tests" => read.skip_tests = true,
                "--is-upgrade" => read.is_upgrade = true,
                other => panic!("no argument {other}"),
            }
        }
        read.sets = forms.into_iter().flat_map(|(form, texts)| texts.into_iter().map(move |text| (form, text))).collect();
        read
    }
}

/// Reads the files of a case as Helm reads a folder.
fn load(files: &BTreeMap<String, String>) -> Result<Chart, String> {
    let ignore = Ignore::parse(files.get(".helmignore").map_or("", String::as_str))?;
    let inside = files.iter().filter(|(name, _)| !name.starts_with('@'));
    let kept = inside.filter(|(name, _)| {
        let folders = name.match_indices('/').map(|(at, _)| &name[..at]);
        !folders.into_iter().any(|folder| ignore.ignores(folder, true)) && !ignore.ignores(name, false)
    });
    let files = kept.map(|(name, text)| File { name: name.clone(), data: text.trim_start_matches('\u{feff}').as_bytes().into() });
    Chart::load(files.collect()).map_err(|error| error.to_string())
}

/// Calls `run` with the chart that a case is about, and what its arguments say.
pub(crate) fn asked<T>(case: &Recorded, run: impl FnOnce(&Chart, &Options<'_>) -> T) -> Result<T, String> {
    let arguments = Arguments::read(&case.arguments);
    let files = chart_files(case);
    let outside = |name: &str| files.get(&format!("@{name}")).map(|text| text.as_bytes().to_vec());
    let mut options = Options { release: "rel", namespace: arguments.namespace.as_deref().unwrap_or("ns"), ..Options::default() };
    if let Some(version) = &arguments.kube_version {
        options.capabilities.set_kube_version(version)?;
    }
    let values: Vec<ValuesFile> = arguments
        .values
        .iter()
        .map(|name| ValuesFile { name: name.clone(), content: outside(name).unwrap().into(), secret: false })
        .collect();
    let read_file = |name: &str| outside(name).ok_or_else(|| format!("open {name}: no such file or directory"));
    let chart = load(&files)?;
    options.values = &values;
    options.arguments = &arguments.sets;
    options.read_file = Some(&read_file);
    options.is_upgrade = arguments.is_upgrade;
    options.capabilities.api_versions.extend(arguments.api_versions);
    Ok(run(&chart, &options))
}

fn rendered(case: &Recorded) -> Result<String, String> {
    let arguments = Arguments::read(&case.arguments);
    let mut rendered = asked(case, |chart, options| render(chart, options, &mut NoHost))?.map_err(|error| error.to_string())?;
    rendered.hooks.retain(|hook| !(arguments.no_hooks || arguments.skip_tests && hook.events.contains(&"test")));
    Ok(rendered.text(arguments.include_crds))
}

/// Helm adds a hint of its own to what failed in a render, and ends a line that has none.
fn told(error: &str) -> String {
    let error = error.strip_prefix("Error: ").unwrap_or(error).trim_end();
    error.strip_suffix("\n\nUse --debug flag to render out invalid YAML").unwrap_or(error).to_owned()
}

fn ours(case: &Recorded) -> Answer {
    let answer = match rendered(case) {
        Ok(text) => Answer::Output(text),
        Err(error) => Answer::Error(format!("Error: {error}\n")),
    };
    if case.is_line { line_answer(answer) } else { answer }
}

fn same(case: &Recorded, ours: &Answer) -> bool {
    let plain = |text: &str| if case.is_line { serde_json::from_str::<String>(text).unwrap() } else { text.to_owned() };
    match (case.answer.as_ref().unwrap(), ours) {
        (Answer::Error(helm), Answer::Error(ours)) => told(&plain(helm)) == told(&plain(ours)),
        (helm, ours) => helm == ours,
    }
}

#[test]
fn charts_and_templates_come_to_what_helm_said() {
    let (mut all, mut wrong, mut stale) = (0, Vec::new(), Vec::new());
    let only = std::env::var("PLUMB_FAMILY").unwrap_or_default();
    for (family, text) in FAMILIES.iter().filter(|(family, _)| family.contains(&only)) {
        for case in recorded(text) {
            all += 1;
            assert!(case.answer.is_some(), "{family}: `{}` was never recorded: cargo xtask record helm", case.name);
            let ours = ours(&case);
            let excepted = EXCEPTIONS.iter().any(|(known, name, _)| known == family && *name == case.name);
            match (same(&case, &ours), excepted) {
                (true, true) => stale.push(format!("{family}: {}", case.name)),
                (false, false) => wrong.push(format!("{family}: {}\n  Helm  {:?}\n  Plumb {ours:?}", case.name, case.answer.unwrap())),
                _ => {}
            }
        }
    }
    eprintln!("{all} recorded cases, {} of them exceptions", EXCEPTIONS.len());
    assert!(!only.is_empty() || all >= 300, "only {all} cases");
    assert!(wrong.is_empty(), "{} of {all} differ\n{}", wrong.len(), wrong.join("\n"));
    assert!(stale.is_empty(), "exceptions that are none any more:\n{}", stale.join("\n"));
}
