//! Owns the replay of Helm's own tests of its engine: charts with the whole context that their templates were given.

use std::collections::BTreeMap;
use std::fs;

use plumb_gotemplate::{CallKey, CertificateRequest, CtlId, Failure, Functions, Heap, Host, MissingKey, O, Value};
use serde_json::Value as Json;

use crate::Capabilities;
use crate::dependencies::Part;
use crate::own::{folders, heap, load, read, settle};
use crate::render::{Options, Set};
use crate::sources::Naming;
use crate::strvals::from_json;

/// What differs, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("engine.TestRenderWithClientProvider", "looks up objects in a cluster that only Helm's test makes up"),
    ("engine.TestRenderWithClientProvider_error", "the same, with an error"),
];

/// Answers tests with nothing.
pub(crate) struct Nobody;

impl Host for Nobody {
    fn random(&mut self, _: CallKey<'_>, _: &[u8], bytes: usize) -> Result<Vec<u8>, Failure> {
        Ok(vec![0; bytes])
    }

    fn now(&mut self) -> Result<(i64, u32, i32), Failure> {
        Ok((0, 0, 0))
    }

    fn lookup(&mut self, _: &str, _: &str, _: &str, _: &str) -> Result<Option<Vec<u8>>, Failure> {
        Ok(None)
    }

    fn address(&mut self, _: &str) -> Result<String, Failure> {
        Ok(String::new())
    }

    fn certificate(&mut self, _: CallKey<'_>, _: &CertificateRequest<'_>) -> Result<(String, String), Failure> {
        Err(Failure::new("no certificates here"))
    }
}

/// What the context says of the cluster.
fn capabilities(context: &Json) -> Capabilities {
    let mut known = Capabilities::default();
    let text = |name: &str| context["KubeVersion"][name].as_str().map(str::to_owned);
    if let (Some(version), Some(major), Some(minor)) = (text("Version"), text("Major"), text("Minor")) {
        known.normalized.clone_from(&version);
        (known.kube_version, known.major, known.minor) = (version, major, minor);
    }
    if let Some(versions) = context["APIVersions"].as_array() {
        known.api_versions = versions.iter().map(|version| version.as_str().unwrap().to_owned()).collect();
    }
    known
}

fn rendered(folder: &std::path::Path) -> Result<BTreeMap<String, String>, String> {
    let (context, options) = (read(&folder.join("context.json")), read(&folder.join("options.json")));
    let chart = load(&folder.join("chart"))?;
    let nobody = Naming::new(None);
    let mut heap: Heap = heap();
    let part = Part::new(&mut heap, &chart, &nobody)?;
    let release = from_json(&mut heap, &context["Release"], O::NONE);
    let capabilities = capabilities(&context["Capabilities"]).value(&mut heap, |_, _| O::NONE);
    let values = match from_json(&mut heap, &context["Values"], O::NONE) {
        Value::Map(_, values) => Some(values),
        _ => None,
    };
    let mut set = Set::new(&nobody, release, capabilities);
    if options["strict"] == true {
        set.missing_key = MissingKey::Error;
    }
    set.add(&mut heap, &part, "", CtlId(0), values);
    let options = Options { lint: options["lintMode"] == true, ..Options::default() };
    let functions = Functions::helm();
    let ready = set.ready(&mut heap, &functions, &part, None, &options);
    let unsorted = |_: &str, _: &str, _: &mut plumb_yaml::Memory| Ok(Default::default());
    let written = set.execute(heap, ready.templates, &functions, &unsorted, &options, &mut Nobody);
    let written = written.map_err(|failed| failed.error.message)?;
    let text = |output: &crate::Output| String::from_utf8_lossy(&output.text.bytes).into_owned();
    Ok(written.outputs.iter().map(|(output, _)| (output.source.clone(), text(output))).collect())
}

#[test]
fn helms_engine() {
    let folders = folders("engine");
    let mut differences = Vec::new();
    for folder in &folders {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let found = rendered(folder);
        let expected = fs::read_to_string(folder.join("expected_error.txt"));
        let same = match (&found, &expected) {
            (Ok(found), Err(_)) => {
                let expected = read(&folder.join("expected.json"));
                let expected = expected.as_object().unwrap().iter().map(|(path, text)| (path.clone(), text.as_str().unwrap().to_owned()));
                *found == expected.collect::<BTreeMap<_, _>>()
            }
            (Err(found), Ok(expected)) => found == expected.trim_end(),
            _ => false,
        };
        if !same {
            let shown: String = format!("{found:?} and not {expected:?}").chars().take(2000).collect();
            differences.push((name, shown));
        }
    }
    if !folders.is_empty() {
        settle("engine", folders.len(), &differences, EXCEPTIONS);
    }
}
