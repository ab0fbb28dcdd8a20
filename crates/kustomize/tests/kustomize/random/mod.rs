//! Owns random kustomizations: bases, a component and an overlay with whatever fields, each of which may be wrong. None ends the process, and where
//! `PLUMB_KUSTOMIZE` names the real one (`cargo xtask test --long` installs it), each comes to the same bytes, or both refuse it. `PLUMB_SEED` and
//! `PLUMB_ROUNDS` say which and how many. What differs is cut down, line by line, to the least that still does.

mod make;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use plumb_kustomize::{Options, Request, build};
use plumb_suite::MemoryWorld;
use plumb_world::{FileTable, RelPath};

use make::{Folder, Random, TOP, kustomization};

const ROUNDS: usize = 300;
/// Rounds with kustomize beside: each takes a process of its own.
const LONG_ROUNDS: usize = 1_500;
/// How many of those that differ are cut down and shown.
const SHOWN: usize = 8;

fn ours(folder: &Folder) -> Result<Vec<u8>, String> {
    let files: Vec<(&str, &str)> = folder.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let (world, tree) = MemoryWorld::of(&files);
    let request = Request::new(tree, RelPath::parse(TOP).unwrap(), Options::default());
    let built = build(&world, &request, None, FileTable::default()).map_err(|error| error.to_string())?;
    built.result.map(|output| output.text).map_err(|mistakes| mistakes.iter().map(|mistake| format!("{}\n", mistake.message)).collect())
}

fn kustomize(program: &Path, folder: &Folder) -> Result<Vec<u8>, String> {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in folder {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let mut command = Command::new(program);
    let output =
        command.args(["build", TOP]).current_dir(&root).stdin(Stdio::null()).env_clear().env("HOME", root.path()).output().unwrap();
    if output.status.success() { Ok(output.stdout) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

fn differ(program: &Path, folder: &Folder) -> bool {
    match (kustomize(program, folder), ours(folder)) {
        (Ok(kustomize), Ok(ours)) => kustomize != ours,
        (Err(_), Err(_)) => false,
        _ => true,
    }
}

/// Takes lines away, many at a time and then fewer, as long as both still differ.
fn cut_down(program: &Path, mut folder: Folder) -> Folder {
    for lines in [16, 8, 4, 3, 2, 1, 1] {
        for path in folder.keys().cloned().collect::<Vec<_>>() {
            let mut at = folder[&path].lines().count();
            while at > 0 {
                at = at.saturating_sub(lines);
                let mut less = folder.clone();
                let kept = folder[&path].lines().enumerate().filter(|(line, _)| !(at..at + lines).contains(line));
                less.insert(path.clone(), kept.map(|(_, line)| format!("{line}\n")).collect());
                if differ(program, &less) {
                    folder = less;
                }
            }
        }
    }
    folder
}

/// A folder as it stands in a family of recorded cases, with both answers.
fn told(program: &Path, folder: &Folder) -> String {
    let text = |answer: Result<Vec<u8>, String>| match answer {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(why) => format!("refused: {why}"),
    };
    let files: String = folder.iter().map(|(path, text)| format!("+++ {path}\n{text}")).collect();
    format!("$ {TOP}\n{files}>>> kustomize\n{}>>> Plumb\n{}", text(kustomize(program, folder)), text(ours(folder)))
}

#[test]
fn random_kustomizations_do_what_kustomize_does() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let program = std::env::var_os("PLUMB_KUSTOMIZE");
    let rounds = number("PLUMB_ROUNDS").map_or(if program.is_some() { LONG_ROUNDS } else { ROUNDS }, |rounds| rounds as usize);
    let seed = number("PLUMB_SEED").unwrap_or(0x9e37_79b9_7f4a_7c15);
    eprintln!("PLUMB_SEED={seed} PLUMB_ROUNDS={rounds}, {}", if program.is_some() { "beside kustomize" } else { "without kustomize" });
    let mut random = Random::new(seed);
    let (mut built, mut wrong) = (0, Vec::new());
    for _ in 0..rounds {
        let folder = kustomization(&mut random);
        match &program {
            Some(program) if differ(program.as_ref(), &folder) => wrong.push(folder),
            _ => built += usize::from(ours(&folder).is_ok()),
        }
    }
    eprintln!("{built} of {rounds} are built, {} differ", wrong.len());
    let size = |folder: &Folder| folder.values().map(String::len).sum::<usize>();
    wrong.sort_by_key(size);
    if let (Some(program), false) = (&program, wrong.is_empty()) {
        let few = wrong.iter().take(SHOWN).map(|folder| told(program.as_ref(), &cut_down(program.as_ref(), folder.clone())));
        panic!("seed {seed}: {} of {rounds} differ; some of them, cut down:\n{}", wrong.len(), few.collect::<Vec<_>>().join("\n"));
    }
}
