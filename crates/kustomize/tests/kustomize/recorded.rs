//! Owns the replay of what the real kustomize was asked: small kustomizations with their arguments (`recorded/*.txt`; `cargo xtask record kustomize` asks
//! again). What differs is named here with its reason.

use plumb_gotemplate::{CallKey, CertificateRequest, Failure, Host};
use plumb_helm::Capabilities;
use plumb_kustomize::{Charts, Options, Reorder, Request, build};
use plumb_suite::{Answer, Content, MemoryWorld, Recorded, kustomize_files, recorded};
use plumb_world::{FileTable, RelPath, TreeId};

pub(crate) const FAMILIES: &[(&str, &str)] = &[
    ("annotations", include_str!("recorded/annotations.txt")),
    ("charts", include_str!("recorded/charts.txt")),
    ("components", include_str!("recorded/components.txt")),
    ("generators", include_str!("recorded/generators.txt")),
    ("images", include_str!("recorded/images.txt")),
    ("json-patches", include_str!("recorded/json-patches.txt")),
    ("labels", include_str!("recorded/labels.txt")),
    ("metadata", include_str!("recorded/metadata.txt")),
    ("mistakes", include_str!("recorded/mistakes.txt")),
    ("names", include_str!("recorded/names.txt")),
    ("namespace", include_str!("recorded/namespace.txt")),
    ("order", include_str!("recorded/order.txt")),
    ("patches", include_str!("recorded/patches.txt")),
    ("plugins", include_str!("recorded/plugins.txt")),
    ("references", include_str!("recorded/references.txt")),
    ("replacements", include_str!("recorded/replacements.txt")),
    ("resources", include_str!("recorded/resources.txt")),
    ("scalars", include_str!("recorded/scalars.txt")),
    ("schemas", include_str!("recorded/schemas.txt")),
    ("vars", include_str!("recorded/vars.txt")),
];

/// Family, case, and why it may differ.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// What charts are told: nothing but what Helm itself says of a cluster that it does not ask.
pub(crate) struct NoCluster;

impl Charts for NoCluster {
    fn host(&self, _: &str) -> Box<dyn Host + '_> {
        Box::new(NoHost)
    }

    fn capabilities(&self) -> Result<Capabilities, String> {
        Ok(Capabilities::default())
    }
}

/// Answers nothing: no recorded chart asks.
struct NoHost;

impl Host for NoHost {
    fn random(&mut self, _: CallKey<'_>, _: &[u8], _: usize) -> Result<Vec<u8>, Failure> {
        unreachable!("a recorded chart draws at random")
    }

    fn now(&mut self) -> Result<(i64, u32, i32), Failure> {
        unreachable!("a recorded chart asks what time it is")
    }

    fn lookup(&mut self, _: &str, _: &str, _: &str, _: &str) -> Result<Option<Vec<u8>>, Failure> {
        unreachable!("a recorded chart looks something up")
    }

    fn address(&mut self, _: &str) -> Result<String, Failure> {
        unreachable!("a recorded chart asks for an address")
    }

    fn certificate(&mut self, _: CallKey<'_>, _: &CertificateRequest<'_>) -> Result<(String, String), Failure> {
        unreachable!("a recorded chart makes a certificate")
    }
}

/// What a case's arguments say: the folder, how to build it, and whether charts are allowed.
pub(crate) fn arguments(words: &[String]) -> (&str, Options, bool) {
    let mut folder = "";
    let mut has_charts = false;
    let mut options = Options::default();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "--reorder" => options.reorder = if words.next() == Some("none") { Reorder::None } else { Reorder::Legacy },
            "--load-restrictor" => options.restricted = words.next() != Some("LoadRestrictionsNone"),
            "--enable-managedby-label" => options.managed_by_label = true,
            "--enable-helm" => has_charts = true,
            // Plumb renders charts itself.
            "--helm-command" => drop(words.next()),
            other if other.starts_with('-') => panic!("no argument {other}"),
            other => folder = other,
        }
    }
    (folder, options, has_charts)
}

fn world(case: &Recorded) -> (MemoryWorld, TreeId) {
    let files = kustomize_files(case);
    let mut world = MemoryWorld::new();
    let plain: Vec<(&str, &[u8])> = files
        .iter()
        .filter_map(|(path, content)| match content {
            Content::Bytes(bytes) => Some((path.as_str(), bytes.as_slice())),
            Content::Link(_) => None,
        })
        .collect();
    let tree = world.tree(&plain);
    for (path, content) in &files {
        if let Content::Link(target) = content {
            world.link(tree, path, target);
        }
    }
    (world, tree)
}

fn ours(case: &Recorded) -> Answer {
    let (world, tree) = world(case);
    let (folder, options, has_charts) = arguments(&case.arguments);
    let request = Request::new(tree, RelPath::parse(folder).unwrap(), options);
    let charts = has_charts.then_some(&NoCluster as &dyn Charts);
    let built = match build(&world, &request, charts, FileTable::default()) {
        Ok(built) => built,
        Err(error) => return Answer::Error(format!("the world failed: {error}")),
    };
    match built.result {
        Ok(output) => Answer::Output(String::from_utf8(output.text).unwrap()),
        Err(mistakes) => Answer::Error(mistakes.iter().map(|mistake| format!("{}\n", mistake.message)).collect()),
    }
}

/// What is wrong with our answer. Mistakes are told in words of our own: that they are refused is all that counts.
fn differing(kustomize: &Answer, ours: &Answer) -> Option<String> {
    match (kustomize, ours) {
        (Answer::Error(_), Answer::Error(_)) => None,
        (Answer::Error(why), Answer::Output(_)) => Some(format!("kustomize refuses this: {}", why.trim_end())),
        (Answer::Output(_), Answer::Error(why)) => Some(format!("Plumb refuses this: {}", why.trim_end())),
        (Answer::Output(kustomize), Answer::Output(ours)) if kustomize == ours => None,
        (Answer::Output(kustomize), Answer::Output(ours)) => {
            let alike = kustomize.lines().zip(ours.lines()).take_while(|(kustomize, ours)| kustomize == ours).count();
            let line = |text: &str| text.lines().nth(alike).unwrap_or("(end)").to_owned();
            Some(format!("line {}: kustomize {:?}, Plumb {:?}", alike + 1, line(kustomize), line(ours)))
        }
    }
}

#[test]
fn kustomizations_come_to_what_kustomize_said() {
    let (mut all, mut wrong, mut stale) = (0, Vec::new(), Vec::new());
    let only = std::env::var("PLUMB_FAMILY").unwrap_or_default();
    for (family, text) in FAMILIES.iter().filter(|(family, _)| family.contains(&only)) {
        let mut differ = 0;
        for case in recorded(text) {
            all += 1;
            let Some(kustomize) = &case.answer else {
                panic!("{family}: `{}` was never recorded: cargo xtask record kustomize", case.name);
            };
            let excepted = EXCEPTIONS.iter().any(|(known, name, _)| known == family && *name == case.name);
            match (differing(kustomize, &ours(&case)), excepted) {
                (None, true) => stale.push(format!("{family}: {}", case.name)),
                (Some(why), false) => {
                    differ += 1;
                    wrong.push(format!("{family}: {}\n  {why}", case.name));
                }
                _ => {}
            }
        }
        if differ > 0 {
            eprintln!("{family}: {differ} differ");
        }
    }
    eprintln!("{all} recorded cases, {} of them exceptions", EXCEPTIONS.len());
    assert!(!only.is_empty() || all >= 300, "only {all} cases");
    assert!(wrong.is_empty(), "{} of {all} differ\n{}", wrong.len(), wrong.join("\n"));
    assert!(stale.is_empty(), "exceptions that are none any more:\n{}", stale.join("\n"));
}

#[test]
fn names_of_cases_are_told_apart() {
    for (family, text) in FAMILIES {
        let mut names: Vec<String> = recorded(text).into_iter().map(|case| case.name).collect();
        names.sort();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
        assert!(twice.is_none(), "{family}: {twice:?}");
    }
}
