//! Owns random templates, made of pieces of the recorded ones: none ends the process or takes more than it may, and where `PLUMB_HELM_ORACLE` names the
//! program (`cargo xtask test --long` builds it), each comes to what Helm's own engine makes of it. `PLUMB_SEED` and `PLUMB_ROUNDS` say which and how many.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use plumb_gotemplate::Limits;
use plumb_helm::{Chart, File, Options, render};
use plumb_suite::{Recorded, chart_files, recorded};
use serde_json::{Value, json};

use crate::host::NoHost;
use crate::recorded::FAMILIES;

const ROUNDS: usize = 400;
/// Rounds with Helm beside.
const LONG_ROUNDS: usize = 20_000;
pub(crate) const LIMITS: Limits = Limits { depth: 200, include_depth: 200, output_bytes: 1 << 20, heap_bytes: 32 << 20, steps: 200_000 };

/// What differs from run to run, or in an order that Go leaves open; and `KubeVersion`, which Go prints by its method only where it is no copy.
const LOOSE: &[&str] = &[
    "rand",
    "shuffle",
    "uuid",
    "now",
    "gen",
    "htpasswd",
    "bcrypt",
    "encrypt",
    "derive",
    "date",
    "ago",
    "keys",
    "values",
    "htmlDate",
    "toDate",
    "Files",
    "%p",
    "unixEpoch",
    "duration",
    "HelmVersion",
    "KubeVersion",
    "getHostByName",
    "%T",
    "#v",
];
/// What Helm has no limit for.
const GREEDY: &[&str] = &["until", "seq", "repeat", "indent", "range", "wrap", "printf", "trunc", "chunk"];

/// A source of numbers that gives the same ones for the same seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    pub(crate) fn one<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Whether it is one of so many times.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<'p>(&mut self, from: &'p [String]) -> &'p str {
        &from[self.below(from.len())]
    }
}

/// Words of a template: what lies between spaces, brackets and pipes, and those themselves.
fn words(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if matches!(c, ' ' | '(' | ')' | '|' | '{' | '}') {
            if !word.is_empty() {
                all.push(std::mem::take(&mut word));
            }
            all.push(c.to_string());
        } else {
            word.push(c);
        }
    }
    all.extend((!word.is_empty()).then_some(word));
    all
}

fn is_small(word: &str) -> bool {
    word.bytes().filter(u8::is_ascii_digit).count() < 5
}

/// One line with some words changed, taken away or doubled.
fn mutated(random: &mut Random, line: &str, pool: &[String]) -> String {
    let mut words = words(line);
    for _ in 0..=random.below(3) {
        let at = random.below(words.len());
        match random.below(5) {
            0 => drop(words.remove(at)),
            1 => words.insert(at, format!(" {} ", random.pick(pool))),
            2 => {
                let copy = words[at].clone();
                words.insert(at, copy);
            }
            _ if words[at].chars().all(char::is_alphanumeric) || words[at].starts_with(['.', '"']) => {
                words[at] = random.pick(pool).to_owned()
            }
            _ => {}
        }
        if words.is_empty() {
            words.push("x".to_owned());
        }
    }
    words.concat()
}

fn ours(case: &Recorded) -> Result<String, String> {
    let files = chart_files(case).into_iter().map(|(name, text)| File { name, data: text.into_bytes().into() });
    let chart = Chart::load(files.collect()).map_err(|error| error.to_string())?;
    let options = Options { release: "rel", namespace: "ns", limits: LIMITS, ..Options::default() };
    let rendered = render(&chart, &options, &mut NoHost).map_err(|error| error.to_string())?;
    let output = rendered.outputs.iter().find(|output| output.source == "c/templates/a.yaml");
    Ok(output.map(|output| String::from_utf8_lossy(&output.text.bytes).into_owned()).unwrap_or_default())
}

/// Helm's own library, where it was built.
pub(crate) struct Oracle {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    pub(crate) fn start() -> Option<Self> {
        let program = std::env::var_os("PLUMB_HELM_ORACLE")?;
        let mut command = Command::new(program);
        let mut child = command.arg("charts").env("TZ", "UTC").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Some(Self { child, answers })
    }

    pub(crate) fn ask(&mut self, question: &Value) -> Result<String, String> {
        writeln!(self.child.stdin.as_mut().unwrap(), "{question}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        answer["text"].as_str().map(str::to_owned).ok_or_else(|| answer["error"].as_str().unwrap().to_owned())
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the number that a variable of the environment says.
pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Why two answers may stand, if they may: Plumb has limits that Helm has not.
fn may_stand(helm: &Result<String, String>, ours: &Result<String, String>) -> bool {
    match (helm, ours) {
        // The whole dot has an address in it.
        (Ok(helm), Ok(ours)) => helm == ours || helm.contains("Capabilities:0x"),
        (Err(_), Err(_)) => true,
        (Ok(_), Err(error)) => ["a render may", "a template may", "exceeded maximum"].iter().any(|limit| error.contains(limit)),
        (Err(_), Ok(_)) => false,
    }
}

#[test]
fn random_templates_do_what_helm_does() {
    let mut oracle = Oracle::start();
    let rounds = number("PLUMB_ROUNDS").map_or(if oracle.is_some() { LONG_ROUNDS } else { ROUNDS }, |rounds| rounds as usize);
    let seed = number("PLUMB_SEED").unwrap_or(0x9e37_79b9_7f4a_7c15);
    eprintln!("PLUMB_SEED={seed} PLUMB_ROUNDS={rounds}, {}", if oracle.is_some() { "beside Helm" } else { "without Helm" });
    let cases: Vec<Recorded> = FAMILIES.iter().flat_map(|(_, text)| recorded(text)).filter(|case| case.is_line).collect();
    let pool: Vec<String> =
        cases.iter().flat_map(|case| words(&case.name)).filter(|word| word.trim().len() > 1 && is_small(word)).collect();
    let mut random = Random(seed);
    let (mut compared, mut same_errors, mut wrong) = (0, 0, Vec::new());
    for _ in 0..rounds {
        let mut case = cases[random.below(cases.len())].clone();
        case.name = mutated(&mut random, &case.name, &pool);
        let found = ours(&case);
        let Some(oracle) = &mut oracle else { continue };
        let has = |words: &[&str]| words.iter().any(|word| case.name.contains(word));
        if has(LOOSE) || has(GREEDY) && (case.name.contains(".Values") || !is_small(&case.name) || case.name.contains("1e")) {
            continue;
        }
        let helm = oracle.ask(&json!({"files": chart_files(&case), "template": "templates/a.yaml"}));
        compared += 1;
        same_errors += usize::from(helm.is_err() && helm == found);
        if !may_stand(&helm, &found) {
            wrong.push(format!("{}\n  Helm  {helm:?}\n  Plumb {found:?}", case.name));
        }
    }
    eprintln!("{compared} compared, {same_errors} errors word for word, {} differ", wrong.len());
    assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
}
