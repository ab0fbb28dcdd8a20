//! Owns the fuzz targets' first inputs, made of what is recorded for the tests: `cargo run --example seeds` in `crates/kustomize/fuzz` writes them to
//! `corpus/`.

use std::io;
use std::path::Path;

use plumb_kustomize_fuzz::CUT;
use plumb_suite::{Content, kustomize_files, recorded};

fn main() -> io::Result<()> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seeds: Vec<(&str, String)> = Vec::new();
    for file in std::fs::read_dir(own.join("../tests/kustomize/recorded"))? {
        for case in recorded(&std::fs::read_to_string(file?.path())?) {
            for (path, content) in kustomize_files(&case) {
                let Content::Bytes(bytes) = content else { continue };
                let Ok(text) = String::from_utf8(bytes.clone()) else { continue };
                match path.ends_with("kustomization.yaml") {
                    true => seeds.push(("kustomization", format!("{text}{CUT}resources: [a.yaml]{CUT}a=b"))),
                    false => seeds.push(("strategic", text)),
                }
            }
        }
    }
    for patch in ["add", "remove", "replace", "move", "copy", "test"] {
        seeds.push(("json_patch", format!("[{{\"op\": \"{patch}\", \"path\": \"/metadata/name\", \"from\": \"/spec\", \"value\": [1]}}]")));
        seeds.push(("json_patch", format!("- {{op: {patch}, path: /spec/list/-, from: /metadata, value: {{a: b}}}}")));
    }
    for path in ["spec/template/metadata/labels", "spec/list[]/c", "a\\/b/c", "metadata/labels"] {
        for source in ["data.a", "metadata.name", "data.file\\.yaml.x.y.0"] {
            for target in
                ["spec.template.spec.containers.[name=main].image", "spec.list.*", "data.file\\.json.a.0.b", "metadata.labels.x", "a.-"]
            {
                seeds.push(("paths", [path, source, target].join(CUT)));
            }
        }
    }
    for (name, labels) in [("web|odd", "app=web"), (".*", "app in (a, web),!x"), ("(a+)+", "app notin (),x>1"), ("[^a-z]", "a/b==c")] {
        seeds.push(("selectors", [name, labels].join(CUT)));
    }
    for (nth, (target, seed)) in seeds.iter().enumerate() {
        let folder = own.join("corpus").join(target);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(format!("seed-{nth}")), seed)?;
    }
    println!("{} inputs", seeds.len());
    Ok(())
}
