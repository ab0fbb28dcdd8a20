//! Owns what the fuzz targets share: small charts, limits so low that a fuzzer reaches them, and one render with origins beside one without.

#[path = "../../tests/helm/host.rs"]
mod host;

use std::cell::RefCell;

use plumb_gotemplate::Limits;
use plumb_helm::{Chart, File, Form, Options, ValuesFile, diagnose, render};
use plumb_world::FileId;

/// What divides the parts of an input.
pub const CUT: &str = "\n===\n";

const LIMITS: Limits = Limits { depth: 100, include_depth: 50, output_bytes: 1 << 20, heap_bytes: 16 << 20, steps: 20_000 };

/// Returns a file of a chart.
pub fn file(name: &str, text: &str) -> File {
    File { name: name.to_owned(), data: text.as_bytes().into() }
}

/// Renders files as a chart, without origins and with them, and asserts that both come to the same; what fails is diagnosed too.
pub fn rendered(files: Vec<File>, values: &[&str], arguments: &[(Form, String)]) -> Result<String, String> {
    let chart = Chart::load(files).map_err(|error| error.to_string())?;
    let values: Vec<ValuesFile> = values
        .iter()
        .enumerate()
        .map(|(nth, text)| ValuesFile { name: format!("values-{nth}.yaml"), content: text.as_bytes().into(), secret: false })
        .collect();
    let read_file = |name: &str| if name.len() > 3 { Err("no such file".to_owned()) } else { Ok(name.as_bytes().to_vec()) };
    let options = Options { release: "rel", values: &values, arguments, limits: LIMITS, read_file: Some(&read_file), ..Options::default() };
    let plain = render(&chart, &options, &mut host::NoHost);
    let names: RefCell<Vec<String>> = RefCell::default();
    let named = |name: &str, _: &File| {
        let mut names = names.borrow_mut();
        names.push(name.to_owned());
        u32::try_from(names.len()).ok().map(FileId)
    };
    let traced = Options { trace: Some(&named), ..options };
    match plain {
        Ok(plain) => {
            let (plain, traced) = (plain.text(true), render(&chart, &traced, &mut host::NoHost));
            match traced {
                Ok(traced) => assert_eq!(plain, traced.text(true)),
                // Origins take memory of their own.
                Err(error) => assert!(error.message.contains("a render may use"), "only with origins: {error}"),
            }
            Ok(plain)
        }
        Err(error) => {
            let told = diagnose(&chart, &traced, &mut host::NoHost);
            assert!(!told.is_empty(), "not with origins: {error}");
            Err(error.message)
        }
    }
}
