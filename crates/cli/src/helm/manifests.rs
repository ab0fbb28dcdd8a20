//! Owns where the documents of `helm template` go: to stdout, all or some, or into files (helm: pkg/cmd/template.go, pkg/action/action.go).

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use plumb_helm::{Rendered, documents};

use super::args::TemplateArgs;
use crate::printer::{Printer, shown};
use crate::problem::Problem;

/// What the line above a document begins with.
const SOURCE: &str = "# Source: ";

/// Returns the documents of a text whose templates are asked for, each as it is printed, in the order in which they are asked for.
pub(super) fn shown_only(text: &str, wanted: &[String]) -> Result<String, Problem> {
    let documents: Vec<&str> = documents(text).into_iter().map(|range| &text[range]).collect();
    let mut out = String::new();
    for pattern in wanted {
        let is_wanted = |document: &&&str| {
            template_of(document).is_some_and(|path| plumb_go::path::matches(pattern.as_bytes(), path.as_bytes()).unwrap_or(false))
        };
        let before = out.len();
        documents.iter().filter(is_wanted).for_each(|document| out.push_str(&format!("---\n{document}\n")));
        if out.len() == before {
            return Err(Problem::new(format!("could not find template {pattern} in chart")));
        }
    }
    Ok(out)
}

/// The path of a document's template in its chart: what stands after the first `/` of its first such line.
fn template_of(document: &str) -> Option<&str> {
    document.match_indices(SOURCE).find_map(|(at, _)| {
        let (chart, path) = document[at + SOURCE.len()..].split_once('/')?;
        let path = path.lines().next().unwrap_or_default();
        (!chart.is_empty() && !path.is_empty()).then_some(path)
    })
}

/// Writes the documents of a render to files below a folder, and tells of each.
pub(super) fn write(printer: &Printer, folder: &Path, args: &TemplateArgs, release: &str, rendered: &Rendered) -> Result<(), Problem> {
    let mut written = BTreeSet::new();
    let inner = if args.release_name { folder.join(release) } else { folder.to_owned() };
    let crds = rendered.crds.iter().filter(|_| args.include_crds).map(|(source, content)| (folder, source, &**content));
    let manifests = rendered.manifests.iter().map(|manifest| (inner.as_path(), &manifest.source, manifest.content.as_bytes()));
    for (folder, source, content) in crds.chain(manifests) {
        add(printer, folder, source, content, !written.insert(source.clone()))?;
    }
    for hook in &rendered.hooks {
        let (source, content) = (&hook.manifest.source, &hook.manifest.content);
        let is_there = inner.join(source).exists();
        add(printer, &inner, source, content.as_bytes(), is_there)?;
    }
    Ok(())
}

/// Writes one document to its file: behind what is there, or anew.
fn add(printer: &Printer, folder: &Path, source: &str, content: &[u8], behind: bool) -> Result<(), Problem> {
    let relative = PathBuf::from(source);
    if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
        return Err(Problem::new(format!("{} leads out of the folder that is written to", shown(&relative))));
    }
    let path = folder.join(relative);
    let cannot = |error: std::io::Error| Problem::new(format!("{} cannot be written: {error}", shown(&path)));
    if let Some(around) = path.parent() {
        fs::create_dir_all(around).map_err(cannot)?;
    }
    let mut file = OpenOptions::new().write(true).create(!behind).truncate(!behind).append(behind).open(&path).map_err(cannot)?;
    let document = [format!("---\n# Source: {source}\n").as_bytes(), content, b"\n"].concat();
    file.write_all(&document).map_err(cannot)?;
    printer.line(&format!("wrote {}/{source}", folder.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "---\n# Source: c/templates/a.yaml\na: 1\n---\n# Source: c/templates/sub/b.yaml\nb: 1\n---\n# Source: c/templates/a.yaml\na: 2\n";

    #[test]
    fn what_is_asked_for_comes_in_that_order() {
        let asked = |patterns: &[&str]| shown_only(TEXT, &patterns.iter().map(|pattern| (*pattern).to_owned()).collect::<Vec<_>>());
        let text = asked(&["templates/sub/*", "templates/a.yaml"]).unwrap();
        let order: Vec<&str> = text.lines().filter(|line| line.contains(": ") && !line.starts_with('#')).collect();
        assert_eq!(order, ["b: 1", "a: 1", "a: 2"]);
        assert_eq!(asked(&["templates/*.yml"]).unwrap_err().message, "could not find template templates/*.yml in chart");
    }
}
