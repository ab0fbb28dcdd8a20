//! Owns the fuzz targets' first inputs, made of what is recorded for the tests: `cargo run --example seeds` in `crates/helm/fuzz` writes them to `corpus/`.

use std::io;
use std::path::Path;

use plumb_helm_fuzz::CUT;
use plumb_suite::{Recorded, chart_files, recorded};

fn main() -> io::Result<()> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let families = own.join("../tests/helm/recorded");
    let mut cases: Vec<Recorded> = Vec::new();
    for file in std::fs::read_dir(families)? {
        cases.extend(recorded(&std::fs::read_to_string(file?.path())?));
    }
    let mut seeds: Vec<(&str, Vec<u8>)> = Vec::new();
    for case in &cases {
        let files = chart_files(case);
        let file = |name: &str| files.get(name).map_or("", String::as_str);
        for (_, text) in files.iter().filter(|(name, _)| name.starts_with("templates/")) {
            seeds.push(("template", text.clone().into_bytes()));
        }
        let [own, inner, over] = ["values.yaml", "charts/sub/values.yaml", "@over.yaml"].map(file);
        seeds.push(("layers", ["[{name: sub, version: 1.x}]", own, inner, over, ""].join(CUT).into_bytes()));
        if let Some(rules) = files.get(".helmignore") {
            seeds.push(("ignore", format!("{rules}\ntemplates/a.yaml").into_bytes()));
        }
        let forms = ["--set", "--set-string", "--set-json", "--set-file", "--set-literal"];
        for pair in case.arguments.windows(2) {
            if let Some(form) = forms.iter().position(|form| *form == pair[0]) {
                // A text that is the last of several parts takes what is left.
                seeds.push(("setting", [&[u8::try_from(form).unwrap_or_default()], pair[1].as_bytes()].concat()));
            }
        }
        seeds.push(("archive", tar(&files)));
        // Patterns, ranges and versions are the quoted words of the lines that are about them.
        let words: Vec<&str> = case.name.split('"').skip(1).step_by(2).collect();
        let of = |word: &str| case.name.contains(word) && !words.is_empty();
        if of("regex") {
            seeds.push(("regexp", words.join("\n").into_bytes()));
        }
        if of("semver") {
            seeds.push(("versions", words.join("\n").into_bytes()));
        }
    }
    let schemas = std::fs::read_to_string(own.join("../src/schema/recorded.jsonl"))?;
    for line in schemas.lines() {
        let case: serde_json::Value = serde_json::from_str(line)?;
        seeds.push(("schema", format!("{}{CUT}{}", case["schema"].as_str().unwrap_or_default(), case["values"]).into_bytes()));
    }
    for (nth, (target, seed)) in seeds.iter().enumerate() {
        let folder = own.join("corpus").join(target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(format!("seed-{nth}")), seed)?;
    }
    println!("{} inputs", seeds.len());
    Ok(())
}

/// Files as a tar of a chart `c`.
fn tar<'f>(files: impl IntoIterator<Item = (&'f String, &'f String)>) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, text) in files {
        let mut header = [0; 512];
        let name = format!("c/{name}");
        header[..name.len().min(100)].copy_from_slice(&name.as_bytes()[..name.len().min(100)]);
        header[124..135].copy_from_slice(format!("{:011o}", text.len()).as_bytes());
        header[156] = b'0';
        out.extend(header);
        out.extend(text.as_bytes());
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out
}
