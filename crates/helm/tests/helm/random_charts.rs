//! Owns random small charts: charts in charts with aliases, conditions, tags and imports, values in layers, arguments, schemas, helpers that call each
//! other, hooks with weights. None ends the process, origins change nothing, and where `PLUMB_HELM_ORACLE` names the program (`cargo xtask test --long`
//! builds it), each comes to the bytes that Helm's own library makes of it. `PLUMB_SEED` and `PLUMB_ROUNDS` say which and how many.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use plumb_helm::{Chart, File, Form, Options, ValuesFile, diagnose, render};
use plumb_world::FileId;
use serde_json::{Value, json};

use crate::host::NoHost;
use crate::random::{LIMITS, Oracle, Random, number};

const ROUNDS: usize = 100;
/// Rounds with Helm beside.
const LONG_ROUNDS: usize = 6_000;

const NAMES: &[&str] = &["web", "db", "cache"];
const KEYS: &[&str] = &["a", "b", "c", "d", "enabled", "name", "t", "global"];
const KINDS: &[&str] =
    &["ConfigMap", "Deployment", "Service", "Namespace", "Job", "Secret", "CustomResourceDefinition", "Widget", "Role", "Pod"];
const HOOKS: &[&str] =
    &["pre-install", "post-install", "pre-upgrade,post-upgrade", "pre-delete", "test", "test-success", "pre-install, post-install", "none"];
const WEIGHTS: &[&str] = &["\"1\"", "\"-5\"", "\"10\"", "\"x\"", "\"\"", "\"1.5\""];
const TEXTS: &[&str] = &[
    "text",
    "",
    "yes",
    "1.0",
    "a: b",
    "- a",
    "{{ .Release.Name }}",
    "{{ .Values.a }}",
    "{{ include \"h0\" . }}",
    "two\nlines",
    "two\nlines\n",
    "#x",
    "ä",
    "007",
    "null",
];
/// What follows a value in a pipeline: what takes anything, and what does not.
const PIPES: &[&str] = &[
    "toJson",
    "quote",
    "squote",
    "default \"d\"",
    "toYaml",
    "toString | upper",
    "toString | trunc 3",
    "printf \"%v\"",
    "kindOf",
    "typeOf",
    "int",
    "float64",
    "toString | b64enc",
    "empty",
    "not",
    "coalesce \"z\"",
    "empty | ternary 1 2",
    "list | toJson",
    "toYaml | fromYaml | toJson",
    "toJson | fromJson",
    "list | deepCopy | toJson",
    "toString | sha256sum | trunc 8",
];
const DARING_PIPES: &[&str] = &[
    "upper",
    "len",
    "required \"needed\"",
    "ternary 1 2",
    "toYaml | nindent 4",
    "toYaml | indent 2 | trim",
    "hasKey (dict \"a\" 1)",
    "toToml | quote",
    "sortAlpha | join \",\"",
    "first",
    "deepCopy",
    "add 1",
    "semverCompare \">=1\"",
];

/// A chart that is being made: its files by path.
struct Making<'r> {
    random: &'r mut Random,
    files: BTreeMap<String, String>,
    /// Whether what often fails is done too: most charts are to come to something.
    daring: bool,
}

impl Making<'_> {
    fn value(&mut self, depth: usize) -> Value {
        match self.random.below(if depth == 0 { 9 } else { 12 }) {
            0 => Value::Null,
            1 => json!(true),
            2 => json!(false),
            3 => json!(self.random.below(5)),
            4 => json!(self.random.one(&[0.5, -2.0, 1e21, 100_000_000.0])),
            5..=8 => json!(self.random.one(TEXTS)),
            9 => (0..self.random.below(3)).map(|_| self.value(depth - 1)).collect(),
            _ => self.map(depth - 1),
        }
    }

    fn map(&mut self, depth: usize) -> Value {
        let count = self.random.below(4);
        Value::Object((0..count).map(|_| (self.random.one(KEYS).to_owned(), self.value(depth))).collect())
    }

    /// Values for a chart with charts in it.
    fn values(&mut self, inner: &[String], depth: usize) -> Value {
        let mut values = self.map(3);
        for name in inner {
            if self.random.once_in(2) {
                let deeper = self.random.one(NAMES).to_owned();
                let mut below = if depth == 0 { self.map(2) } else { self.values(&[deeper], depth - 1) };
                if self.random.once_in(2) {
                    below["enabled"] = json!(self.random.one(&[true, true, false]));
                }
                values[name] = if self.daring && self.random.once_in(40) { self.value(0) } else { below };
            }
        }
        if self.random.once_in(2) {
            values["global"] = self.map(2);
        }
        if self.random.once_in(3) {
            values["tags"] = json!({"t": self.random.one(&[true, false]), "u": self.random.one(&[true, false])});
        }
        if self.random.once_in(3) {
            values["exports"] = json!({"a": self.map(1), "b": self.map(1)});
        }
        values
    }

    fn path(&mut self) -> String {
        let mut path = ".Values".to_owned();
        let depth = if self.daring { self.random.below(3) } else { 0 };
        for _ in 0..=depth {
            path.push('.');
            let names = if self.random.once_in(6) { NAMES } else { KEYS };
            path.push_str(self.random.one(names));
        }
        path
    }

    fn expression(&mut self) -> String {
        let mut text = match self.random.below(if self.daring { 16 } else { 12 }) {
            0 => format!("include \"h{}\" .", self.random.below(4)),
            1 => format!("include \"h{}\" (dict \"Values\" (dict \"a\" {}))", self.random.below(4), self.path()),
            2 => format!("tpl ({} | toString) .", self.path()),
            3 => self.random.one(&[".Release.Name", ".Chart.Name", ".Chart.Version", ".Template.Name", ".Template.BasePath"]).to_owned(),
            4 => self
                .random
                .one(&[".Chart.IsRoot", ".Subcharts | keys | sortAlpha", ".Release.IsInstall", ".Files.Get \"f.txt\""])
                .to_owned(),
            5 => format!("eq ({} | toString) \"text\"", self.path()),
            6 => format!("and {} {}", self.path(), self.path()),
            7 => format!("get (dict \"a\" {}) \"a\"", self.path()),
            8 => ".".to_owned() + self.random.one(&["Values", "Values.global", "Chart.Dependencies"]) + " | toJson",
            12 => format!("merge (dict \"x\" 1) ({} | default dict)", self.path()),
            13 => format!("dig \"a\" \"b\" \"none\" ({} | default dict)", self.path()),
            14 => format!("index (list 1 2) ({} | int)", self.path()),
            _ => self.path(),
        };
        for _ in 0..self.random.below(3) {
            text.push_str(" | ");
            let pipes = if self.daring && self.random.once_in(3) { DARING_PIPES } else { PIPES };
            text.push_str(self.random.one(pipes));
        }
        text
    }

    /// Lines of a document, as deep as they stand.
    fn lines(&mut self, indent: usize, depth: usize, out: &mut String) {
        for nth in 0..1 + self.random.below(3) {
            let pad = " ".repeat(indent);
            let left = self.random.one(&["{{-", "{{-", "{{"]);
            let right = if self.daring { self.random.one(&["}}", "}}", "-}}"]) } else { "}}" };
            match self.random.below(if depth == 0 { 5 } else { 9 }) {
                5 => {
                    writeln!(out, "{pad}{left} if {} {right}", self.expression()).unwrap();
                    self.lines(indent, depth - 1, out);
                    if self.random.once_in(2) {
                        writeln!(out, "{pad}{{{{- else }}}}").unwrap();
                        self.lines(indent, depth - 1, out);
                    }
                    writeln!(out, "{pad}{{{{- end }}}}").unwrap();
                }
                6 => {
                    let path = self.path();
                    writeln!(out, "{pad}{left} with {path} }}}}\n{pad}w{nth}: {{{{ . | toJson }}}}").unwrap();
                    writeln!(out, "{pad}v{nth}: {{{{ $.Values.a | toJson }}}}\n{pad}{{{{- end }}}}").unwrap();
                }
                7 => {
                    let path = if self.daring {
                        self.path()
                    } else {
                        self.random.one(&[".Values", "(list 1 2)", "(dict \"z\" 1 \"y\" 2)"]).to_owned()
                    };
                    writeln!(out, "{pad}{left} range $k, $v := {path} }}}}\n{pad}r{nth}-{{{{ $k }}}}: {{{{ $v | toJson }}}}").unwrap();
                    writeln!(out, "{pad}{{{{- end }}}}").unwrap();
                }
                8 => {
                    writeln!(out, "{pad}m{nth}:").unwrap();
                    self.lines(indent + 2, depth - 1, out);
                }
                4 => writeln!(out, "{pad}q{nth}: {{{{ {} | toJson }}}}", self.expression()).unwrap(),
                3 => writeln!(out, "{pad}t{nth}: {} # {{{{ {} | toJson }}}}", self.random.below(9), self.path()).unwrap(),
                _ if self.daring => writeln!(out, "{pad}x{nth}: {{{{ {} }}}}", self.expression()).unwrap(),
                _ => writeln!(out, "{pad}x{nth}: {{{{ {} | quote }}}}", self.expression()).unwrap(),
            }
        }
    }

    fn document(&mut self, nth: usize, out: &mut String) {
        let kind = self.random.one(KINDS);
        writeln!(out, "apiVersion: v{}\nkind: {kind}\nmetadata:\n  name: n{nth}", self.random.below(3)).unwrap();
        if self.random.once_in(3) {
            writeln!(out, "  annotations:\n    \"helm.sh/hook\": {}", self.random.one(HOOKS)).unwrap();
            if self.random.once_in(2) {
                writeln!(out, "    \"helm.sh/hook-weight\": {}", self.random.one(WEIGHTS)).unwrap();
            }
        }
        out.push_str("data:\n");
        self.lines(2, 2, out);
    }

    fn templates(&mut self, place: &str) {
        for nth in 0..1 + self.random.below(2) {
            let mut text = String::new();
            for document in 0..1 + self.random.below(3) {
                if document > 0 || self.random.once_in(3) {
                    text.push_str(self.random.one(&["---\n", "---\n", "--- # more\n", "---\n# only this\n---\n", "\n---\n\n"]));
                }
                self.document(document, &mut text);
            }
            let folder = self.random.one(&["", "", "sub/"]);
            self.files.insert(format!("{place}templates/{folder}{}.yaml", ["a", "b"][nth]), text);
        }
        let mut helpers = String::new();
        for nth in 0..4 {
            // Those of other charts have the same names: which one wins is part of what is compared.
            if !self.daring || self.random.once_in(2) {
                let call = if nth > 0 { format!("{{{{ template \"h{}\" . }}}}", nth - 1) } else { "end".to_owned() };
                let body = if self.random.once_in(2) { call } else { format!("{{{{ {} | toJson }}}}", self.path()) };
                writeln!(helpers, "{{{{- define \"h{nth}\" -}}}}\n{body}\n{{{{- end }}}}").unwrap();
            }
        }
        self.files.insert(format!("{place}templates/_h.tpl"), helpers);
        if self.random.once_in(4) {
            let notes = format!("{{{{ {} }}}}", self.expression());
            self.files.insert(format!("{place}templates/NOTES.txt"), notes);
        }
        if self.random.once_in(6) {
            self.files.insert(format!("{place}crds/x.yaml"), "kind: CustomResourceDefinition\n".to_owned());
        }
        self.files.insert(format!("{place}f.txt"), "file".to_owned());
    }

    /// What Chart.yaml says of a chart inside; its name there.
    fn dependency(&mut self, name: &str, again: bool, out: &mut String) -> String {
        let version = self.random.one(&["1.0.0", "1.x", ">=1", "^1.0.0", "*", "~2"]);
        // One that does not fit is taken as if it were not listed.
        let version = if version == "~2" && (name != NAMES[0] || !self.random.once_in(5)) { "1.0.0" } else { version };
        write!(out, "- {{name: {name}, version: \"{version}\"").unwrap();
        let alias = if again { !self.daring || self.random.once_in(2) } else { self.random.once_in(4) };
        let alias = alias.then(|| format!("{name}{}", if again { "y" } else { "x" }));
        if let Some(alias) = &alias {
            write!(out, ", alias: {alias}").unwrap();
        }
        let known = alias.unwrap_or_else(|| name.to_owned());
        if self.random.once_in(2) {
            let condition = self.random.one(&["NAME.enabled", "NAME.enabled,global.enabled", "enabled", "a.b", " NAME.enabled"]);
            write!(out, ", condition: \"{}\"", condition.replace("NAME", &known)).unwrap();
        }
        if self.random.once_in(3) {
            write!(out, ", tags: {}", self.random.one(&["[t]", "[u, t]", "[v]"])).unwrap();
        }
        if self.random.once_in(3) {
            let imports = [
                "[a]",
                "[a, b]",
                "[{child: a, parent: b}]",
                "[{child: exports.a, parent: .}]",
                "[{child: d, parent: c.d}, b]",
                "[{child: ., parent: a}]",
            ];
            write!(out, ", import-values: {}", self.random.one(&imports)).unwrap();
        }
        out.push_str("}\n");
        known
    }

    fn chart(&mut self, place: &str, name: &str, depth: usize) {
        let patch = if name == NAMES[0] { self.random.below(2) } else { 0 };
        let mut definition = format!("apiVersion: v2\nname: {name}\nversion: 1.0.{patch}\n");
        if depth < 2 && self.random.once_in(12) && depth > 0 {
            definition.push_str("type: library\n");
        }
        let count = if depth == 2 { 1 + self.random.below(3) } else { depth * self.random.below(2) };
        let (mut inner, mut listed) = (Vec::new(), String::new());
        for (nth, name) in NAMES[..count].iter().enumerate() {
            self.chart(&format!("{place}charts/{name}/"), name, depth - 1);
            // Helm takes several charts that are not listed in an order that Go leaves open.
            if nth == 0 && self.random.once_in(3) {
                inner.push((*name).to_owned());
            } else {
                inner.push(self.dependency(name, false, &mut listed));
                if self.random.once_in(6) {
                    inner.push(self.dependency(name, true, &mut listed));
                }
            }
        }
        if !listed.is_empty() {
            write!(definition, "dependencies:\n{listed}").unwrap();
        }
        let values = self.values(&inner, depth.saturating_sub(1));
        self.files.insert(format!("{place}Chart.yaml"), definition);
        self.files.insert(format!("{place}values.yaml"), values.to_string());
        self.templates(place);
        if self.random.once_in(if self.daring { 8 } else { 40 }) {
            let schema = json!({
                "properties": {
                    self.random.one(KEYS): {"type": self.random.one(&["string", "object", "number", "boolean"])},
                    self.random.one(KEYS): {"type": ["string", "object", "null", "number", "boolean", "array"], "minLength": self.random.below(3)},
                },
                "required": if self.random.once_in(3) { vec![self.random.one(KEYS)] } else { Vec::new() },
            });
            self.files.insert(format!("{place}values.schema.json"), schema.to_string());
        }
    }

    fn argument(&mut self) -> String {
        let mut path = String::new();
        if self.random.once_in(2) {
            path = format!("{}.", self.random.one(&["web", "db", "cache", "webx", "global", "tags", "web.db"]));
        }
        path.push_str(self.random.one(KEYS));
        if self.random.once_in(4) {
            path.push_str(self.random.one(&["[0]", "[1].a", ".a", ".b.c"]));
        }
        format!("{path}={}", self.random.one(&["1", "true", "false", "null", "text", "", "{1,x}", "1e3", "a\\,b", "007"]))
    }
}

/// A chart and what is given to it.
struct Case {
    files: BTreeMap<String, String>,
    values: Vec<String>,
    arguments: Vec<String>,
}

fn made(random: &mut Random) -> Case {
    let mut making = Making { daring: random.once_in(4), random, files: BTreeMap::new() };
    making.chart("", "c", 2);
    let count = making.random.below(3);
    let names: Vec<String> = NAMES.iter().chain(&["webx", "weby", "dbx"]).map(|name| (*name).to_owned()).collect();
    let values = (0..count).map(|_| making.values(&names, 1).to_string()).collect();
    let count = making.random.below(3);
    let arguments = (0..count).map(|_| making.argument()).collect();
    Case { files: making.files, values, arguments }
}

fn ours(case: &Case) -> Result<String, String> {
    let files = case.files.iter().map(|(name, text)| File { name: name.clone(), data: text.as_bytes().into() });
    let chart = Chart::load(files.collect()).map_err(|error| error.to_string())?;
    let values: Vec<ValuesFile> = case
        .values
        .iter()
        .enumerate()
        .map(|(nth, text)| ValuesFile { name: format!("{nth}.yaml"), content: text.as_bytes().into(), secret: false })
        .collect();
    let arguments: Vec<(Form, String)> = case.arguments.iter().map(|text| (Form::Typed, text.clone())).collect();
    let options = Options {
        release: "rel",
        namespace: "ns",
        values: &values,
        arguments: &arguments,
        include_crds: true,
        limits: LIMITS,
        ..Options::default()
    };
    let plain = render(&chart, &options, &mut NoHost).map(|rendered| rendered.text(true)).map_err(|error| error.message);
    let names: RefCell<Vec<String>> = RefCell::default();
    let named = |name: &str, _: &File| {
        let mut names = names.borrow_mut();
        let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        });
        u32::try_from(at).ok().map(FileId)
    };
    let traced = Options { trace: Some(&named), ..options };
    match &plain {
        Ok(plain) => assert_eq!(*plain, render(&chart, &traced, &mut NoHost).unwrap().text(true), "with origins: {:#?}", case.files),
        Err(error) => assert!(!diagnose(&chart, &traced, &mut NoHost).is_empty(), "{error}"),
    }
    plain
}

/// Whether two errors are the same, up to what Go leaves open: which of several charts is looked at first, and in which order keys are.
fn same_error(helm: &str, ours: &str) -> bool {
    let lines = |text: &str| {
        let mut lines: Vec<String> = text.trim_end().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    lines(helm) == lines(ours) || [helm, ours].iter().all(|text| text.starts_with("error unpacking subchart "))
}

#[test]
fn random_charts_come_to_what_helm_makes_of_them() {
    let mut oracle = Oracle::start();
    let rounds = number("PLUMB_ROUNDS").map_or(if oracle.is_some() { LONG_ROUNDS } else { ROUNDS }, |rounds| rounds as usize);
    let seed = number("PLUMB_SEED").unwrap_or(0x2545_f491_4f6c_dd1d);
    eprintln!("PLUMB_SEED={seed} PLUMB_ROUNDS={rounds}, {}", if oracle.is_some() { "beside Helm" } else { "without Helm" });
    let mut random = Random(seed);
    let (mut rendered, mut same_errors, mut other_errors, mut wrong) = (0, 0, Vec::new(), Vec::new());
    for _ in 0..rounds {
        let case = made(&mut random);
        let found = ours(&case);
        rendered += usize::from(found.is_ok());
        let Some(oracle) = &mut oracle else { continue };
        let helm = oracle.ask(&json!({"files": case.files, "values": case.values, "set": case.arguments}));
        let told = || format!("{:#?}\n{:#?} {:?}\n  Helm  {helm:?}\n  Plumb {found:?}", case.files, case.values, case.arguments);
        match (&helm, &found) {
            (Ok(helm), Ok(ours)) if helm == ours => {}
            (Err(helm), Err(ours)) if same_error(helm, ours) => same_errors += 1,
            (Err(helm), Err(ours)) => other_errors.push(format!("  Helm  {helm}\n  Plumb {ours}")),
            _ => wrong.push(told()),
        }
    }
    assert!(rendered * 5 > rounds, "only {rendered} of {rounds} came to anything");
    eprintln!(
        "{rendered} of {rounds} came to something, {same_errors} errors word for word, {} in other words, {} differ",
        other_errors.len(),
        wrong.len()
    );
    other_errors.iter().take(10).for_each(|error| eprintln!("{error}"));
    assert!(wrong.is_empty(), "seed {seed}, {} of them:\n{}", wrong.len(), wrong.iter().take(3).cloned().collect::<Vec<_>>().join("\n"));
}
