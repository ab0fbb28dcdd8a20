//! Owns the matrix of values: a key that each of four layers (a chart deep inside, the chart around it, the root chart, a file of the user's) leaves out,
//! takes away, or sets to a scalar, a map or a list, in all combinations, as a key of its own, inside of a map, and as a global.
//!
//! Helm was asked all of it (`recorded/matrix.txt`; `UPDATE=1` writes the questions, `cargo xtask record helm matrix` asks); the replay in `recorded`
//! holds Plumb to the answers. Here a model of the rule, written down without looking at how either does it, is held to them too: it is what the
//! table in docs/conformance.md says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use plumb_suite::{Answer, recorded, updating};
use serde_json::{Value, json};

const FAMILY: &str = include_str!("recorded/matrix.txt");

const LAYERS: usize = 4;

const HEAD: &str = "What becomes of a key that each of four layers leaves out (a), sets to null (n), a scalar (s), a map (m) or a list (l): a letter of its name
for each layer, from the innermost to the user's. `in-` keys are inside of a map. Written by crates/helm/tests/helm/matrix.rs.
+++ Chart.yaml
apiVersion: v2
name: c
version: 1.0.0
+++ charts/sub/Chart.yaml
apiVersion: v2
name: sub
version: 1.0.0
+++ charts/sub/charts/leaf/Chart.yaml
apiVersion: v2
name: leaf
version: 1.0.0
";

/// All names of keys.
fn names(kinds: &[char], layers: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    for _ in 0..layers {
        all = all.iter().flat_map(|name| kinds.iter().map(move |kind| format!("{name}{kind}"))).collect();
    }
    all
}

/// What a layer says of a key.
fn said(kind: char, layer: usize) -> Option<Value> {
    let own = ["c", "d", "e", "f"][layer];
    match kind {
        'n' => Some(Value::Null),
        's' => Some(json!(layer)),
        'm' => Some(json!({"b": layer, own: layer})),
        'l' => Some(json!([layer])),
        _ => None,
    }
}

/// Where a chart in charts finds its keys in the values of a layer: those around it name it.
const WAYS: [&[&str]; LAYERS] = [&[], &["leaf"], &["sub", "leaf"], &["sub", "leaf"]];
const FILES: [&str; LAYERS] = ["charts/sub/charts/leaf/values.yaml", "charts/sub/values.yaml", "values.yaml", "@over.yaml"];

/// A case: how many layers there are, what each may do, and whether the keys are globals.
struct Case {
    name: &'static str,
    layers: usize,
    kinds: &'static [char],
    globals: bool,
}

/// A list is what a scalar is, which the first case shows.
const CASES: [Case; 4] = [
    Case { name: "values of four layers", layers: 4, kinds: &['a', 'n', 's', 'm', 'l'], globals: false },
    Case { name: "values of three layers and no file", layers: 3, kinds: &['a', 'n', 's', 'm'], globals: false },
    Case { name: "globals of four layers", layers: 4, kinds: &['a', 'n', 's', 'm'], globals: true },
    Case { name: "globals of three layers and no file", layers: 3, kinds: &['a', 'n', 's', 'm'], globals: true },
];

impl Case {
    /// What a layer says of all keys, as a line of YAML for each.
    fn layer(&self, layer: usize) -> String {
        let way: &[&str] = if self.globals { &["global"] } else { WAYS[layer] };
        let mut out: String = way.iter().enumerate().map(|(depth, name)| format!("{}{name}:\n", "  ".repeat(depth))).collect();
        let indent = "  ".repeat(way.len());
        for name in names(self.kinds, self.layers) {
            if let Some(value) = name.chars().nth(layer).and_then(|kind| said(kind, layer)) {
                let value = value.to_string().replace('"', "").replace(':', ": ").replace(',', ", ");
                writeln!(out, "{indent}{name}: {value}\n{indent}in-{name}: {{k: {value}}}").unwrap();
            }
        }
        out
    }

    fn question(&self) -> String {
        let mut out = format!("=== {}\n{}", self.name, if self.layers == LAYERS { "$ -f over.yaml\n" } else { "" });
        let all = if self.globals { ".Values.global" } else { ".Values" };
        let template = format!("{{{{ range $name, $value := {all} }}}}{{{{ $name }}}}: {{{{ $value | toJson }}}}\n{{{{ end }}}}");
        let places: &[&str] = if self.globals { &["", "charts/sub/", "charts/sub/charts/leaf/"] } else { &["charts/sub/charts/leaf/"] };
        places.iter().for_each(|place| writeln!(out, "+++ {place}templates/a.yaml\n{template}").unwrap());
        (0..self.layers).for_each(|layer| write!(out, "+++ {}\n{}", FILES[layer], self.layer(layer)).unwrap());
        out
    }
}

/// What Helm printed: template → name → value.
fn answers(text: &str) -> BTreeMap<String, BTreeMap<String, Value>> {
    let mut all: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
    for document in text.split("---\n# Source: c/").skip(1) {
        let (template, lines) = document.split_once('\n').unwrap();
        let lines = lines.lines().filter_map(|line| line.split_once(": "));
        all.insert(template.to_owned(), lines.map(|(name, value)| (name.to_owned(), serde_json::from_str(value).unwrap())).collect());
    }
    all
}

#[test]
fn the_matrix_is_asked_as_a_whole() {
    let questions: String = HEAD.to_owned() + &CASES.iter().map(Case::question).collect::<String>();
    if updating() {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/helm/recorded/matrix.txt"), &questions).unwrap();
        return;
    }
    let mut known = recorded(FAMILY);
    known.iter_mut().for_each(|case| case.answer = None);
    assert!(known == recorded(&questions), "the questions are others than those recorded: UPDATE=1, then `cargo xtask record helm matrix`");
}

/// One value over another: maps are merged, null takes away, what is left out leaves alone.
fn over(above: Option<Value>, below: Option<Value>) -> Option<Value> {
    match (above, below) {
        (None, below) => below,
        (Some(Value::Object(mut above)), Some(Value::Object(below))) => {
            for (name, value) in below {
                above.entry(name).or_insert(value);
            }
            Some(Value::Object(above))
        }
        (above, _) => above,
    }
}

/// A chart's own value under what stands above it. Its nulls say nothing; a null above it is done with when it has taken something away, for which
/// the chart's own null counts unless it is inside of a map.
fn under(above: Option<Value>, own: Option<Value>, inside: bool) -> Option<Value> {
    match (above, own) {
        (Some(Value::Null), Some(own)) if !(inside && own.is_null()) => None,
        (Some(Value::Null), _) => Some(Value::Null),
        (above, own) => over(above, own.filter(|own| !own.is_null())),
    }
}

/// What the templates of each chart see, from the innermost.
fn model(case: &Case, name: &str, inside: bool) -> [Option<Value>; 3] {
    let mut layers: Vec<Option<Value>> = name.chars().enumerate().map(|(layer, kind)| said(kind, layer)).collect();
    if case.globals {
        // Each chart's own are under those of the chart around it. All of them are inside of `global`.
        layers.resize(LAYERS, None);
        let user = layers.pop().unwrap();
        let root = under(user, layers[2].clone(), true);
        let sub = under(root.clone(), layers[1].clone(), true);
        let leaf = under(sub.clone(), layers[0].clone(), true);
        // A map inside of a map is one for all charts: what inner charts add is seen outside.
        let shared = |own: Option<Value>| if inside && own.as_ref().is_some_and(Value::is_object) { leaf.clone() } else { own };
        return [leaf.clone(), shared(sub), shared(root)];
    }
    // The nulls of the root chart for charts inside say nothing where no file says anything of those.
    if case.layers < LAYERS {
        layers[2] = layers[2].take().filter(|value| !value.is_null());
    }
    let around = layers[1..].iter().rev().fold(None, |above, below| over(above, below.clone()));
    [under(around, layers[0].clone(), inside), None, None]
}

#[test]
fn a_model_of_the_rule_says_what_helm_says() {
    let templates = ["charts/sub/charts/leaf/templates/a.yaml", "charts/sub/templates/a.yaml", "templates/a.yaml"];
    let (mut checked, mut wrong) = (0, Vec::new());
    for (case, recorded) in CASES.iter().zip(recorded(FAMILY)) {
        let Some(Answer::Output(text)) = &recorded.answer else { panic!("{} has no answer", case.name) };
        let answers = answers(text);
        for (name, inside) in names(case.kinds, case.layers).iter().flat_map(|name| [(name, false), (name, true)]) {
            let model = model(case, name, inside);
            for (expected, template) in model.iter().zip(&templates[..if case.globals { 3 } else { 1 }]) {
                let found = if inside {
                    answers[*template].get(&format!("in-{name}")).and_then(|map| map.get("k"))
                } else {
                    answers[*template].get(name)
                };
                checked += 1;
                if found != expected.as_ref() {
                    wrong.push(format!("{}, {template}, {name} (inside: {inside}): Helm {found:?}, the model {expected:?}", case.name));
                }
            }
        }
    }
    assert!(checked > 3000, "only {checked} checked");
    assert!(wrong.is_empty(), "{} of {checked} differ\n{}", wrong.len(), wrong.join("\n"));
}
