//! Owns the check that origins are right, by changing what they name: one scalar of a file of values or one literal of a template is changed to
//! another of its type, the chart is rendered again, and every field is compared.
//!
//! **A** A field that is said to carry what was changed changes, or the build fails. **B** A field that changed, came or went was said to depend on
//! what was changed, before or after. And every field that carries a value is from somewhere, most from one exact place.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use plumb_gotemplate::{CallKey, CertificateRequest, Failure, Host};
use plumb_helm::{Chart, Explained, Field, File, Layer, Object, Options, ValuesFile, explain};
use plumb_manifest::{FieldPath, Segment};
use plumb_world::{FileId, Span};
use serde_json::Value as Json;

use crate::folder::load;
use crate::host::NoHost;

/// Fields that do not do what A says, in a hundred thousand.
const MAX_WRONG_A: usize = 500;
/// Fields that carry a value and are from one exact place, in a hundred, averaged over charts.
const MIN_EXACT: f64 = 95.0;

/// Changes per chart and set of values in a usual run, and in a long one.
const CHANGES: (usize, usize) = (3, 10);
/// Of so many charts one is looked at in a usual run.
const EVERY: usize = 9;

/// Fields that B does not hold for, and why.
const EXCEPTIONS: &[(&str, &str)] = &[];

/// A chart with its values.
struct Case {
    name: String,
    chart: Chart,
    values: Vec<ValuesFile>,
}

/// Answers without a world, with certificates that show what was asked.
struct Echo(NoHost);

impl Host for Echo {
    fn random(&mut self, key: CallKey<'_>, arguments: &[u8], bytes: usize) -> Result<Vec<u8>, Failure> {
        self.0.random(key, arguments, bytes)
    }

    fn now(&mut self) -> Result<(i64, u32, i32), Failure> {
        self.0.now()
    }

    fn lookup(&mut self, api_version: &str, kind: &str, namespace: &str, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        self.0.lookup(api_version, kind, namespace, name)
    }

    fn address(&mut self, name: &str) -> Result<String, Failure> {
        self.0.address(name)
    }

    fn certificate(&mut self, key: CallKey<'_>, request: &CertificateRequest<'_>) -> Result<(String, String), Failure> {
        let (certificate, private) = self.0.certificate(key, request)?;
        Ok((format!("{certificate}# {request:?}\n"), format!("{private}# {request:?}\n")))
    }
}

/// Names files by their order.
#[derive(Default)]
struct Names(RefCell<Vec<String>>);

impl Names {
    fn id(&self, name: &str) -> FileId {
        let mut names = self.0.borrow_mut();
        let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        });
        FileId(u32::try_from(at).unwrap())
    }
}

impl Case {
    fn explained(&self, names: &Names) -> Result<Explained, String> {
        let named = |name: &str, _: &File| Some(names.id(name));
        let mut options = Options { release: "rel", namespace: "ns", values: &self.values, trace: Some(&named), ..Options::default() };
        options.capabilities.set_kube_version("1.34.0")?;
        explain(&self.chart, &options, &mut Echo(NoHost)).map_err(|error| error.message)
    }

    /// The same with one byte range of a file replaced.
    fn changed(&self, change: &Change) -> Self {
        let mut case = Self { name: self.name.clone(), chart: self.chart.clone(), values: self.values.clone() };
        let replaced = |data: &[u8]| [&data[..change.at.start as usize], &change.text, &data[change.at.end as usize..]].concat();
        if let Layer::Values(nth) = change.layer {
            case.values[nth].content = replaced(&case.values[nth].content).into();
        } else {
            replace(&mut case.chart, &change.file, &replaced);
        }
        case
    }
}

fn replace(chart: &mut Chart, name: &str, replaced: &dyn Fn(&[u8]) -> Vec<u8>) {
    let place = chart.place.clone();
    for file in chart.templates.iter_mut().chain(&mut chart.values) {
        if format!("{place}{}", file.name) == name {
            file.data = Arc::from(replaced(&file.data));
        }
    }
    chart.dependencies.iter_mut().for_each(|inner| replace(inner, name, replaced));
}

/// One change.
#[derive(Clone, Debug)]
struct Change {
    file: String,
    layer: Layer,
    at: Span,
    text: Vec<u8>,
}

/// Numbers that are the same every time.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % below.max(1) as u64) as usize
    }
}

/// Another scalar of the same type, as it is written.
fn other(text: &[u8], compared: Option<&Vec<Vec<u8>>>) -> Option<Vec<u8>> {
    match text {
        b"true" => return Some(b"false".to_vec()),
        b"false" => return Some(b"true".to_vec()),
        b"null" | b"~" | b"{}" | b"[]" | b"" => return None,
        _ => {}
    }
    if let Some(instead) = compared.and_then(|all| all.iter().find(|value| value.as_slice() != text)) {
        return Some(instead.clone());
    }
    let at = text.iter().rposition(u8::is_ascii_alphanumeric)?;
    let mut changed = text.to_vec();
    changed[at] = match text[at] {
        b'z' => b'a',
        b'Z' => b'A',
        digit @ b'0'..=b'9' => b'1' + (digit - b'0') % 9,
        letter => letter + 1,
    };
    (!matches!(changed.as_slice(), b"y" | b"Y" | b"n" | b"N" | b"on" | b"no" | b"off")).then_some(changed)
}

/// Texts that templates compare a key with, by the key's last name.
fn compared(explained: &Explained) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut all: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for source in explained.sources().iter().filter(|source| source.layer == Layer::Template) {
        let text = String::from_utf8_lossy(&source.data).into_owned();
        let words: Vec<&str> =
            text.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | '{' | '}')).filter(|w| !w.is_empty()).collect();
        for three in words.windows(3).filter(|three| matches!(three[0], "eq" | "ne")) {
            let (path, literal) = if three[1].starts_with('"') { (three[2], three[1]) } else { (three[1], three[2]) };
            let Some(literal) = literal.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { continue };
            if let (Some((_, key)), false) = (path.rsplit_once('.'), literal.is_empty()) {
                let known = all.entry(key.to_owned()).or_default();
                if !known.iter().any(|value| value == literal.as_bytes()) {
                    known.push(literal.as_bytes().to_vec());
                }
            }
        }
    }
    all
}

/// All changes that can be made to values, and to the literals of templates that fields are made of.
fn changes(explained: &Explained) -> (Vec<Change>, Vec<Change>) {
    let compared = compared(explained);
    let mut of_values = Vec::new();
    for source in explained.sources().iter().filter(|source| matches!(source.layer, Layer::Chart(_) | Layer::Values(_))) {
        let stream = plumb_yaml::parse(&source.data, &plumb_yaml::Options::default());
        for document in stream.documents().flatten() {
            let mut open = vec![(document.root(), String::new())];
            while let Some((node, key)) = open.pop() {
                open.extend(node.entries().map(|entry| (entry.value, entry.name().to_owned())));
                open.extend(node.items().map(|item| (item, key.clone())));
                let span = node.span();
                let written = &source.data[span.start as usize..span.end as usize];
                // What stands as it is meant; quotes stay around it.
                let quoted = [b'"', b'\''].iter().any(|quote| written.first() == Some(quote));
                let (start, end) = if quoted { (span.start + 1, span.end - 1) } else { (span.start, span.end) };
                let inner = &source.data[start as usize..end.max(start) as usize];
                if !node.is_empty() || inner.contains(&b'\n') || written.starts_with(b"*") {
                    continue;
                }
                let Some(text) = other(inner, compared.get(&key)) else { continue };
                let at = Span { file: source.file, start, end };
                of_values.push(Change { file: source.name.clone(), layer: source.layer.clone(), at, text });
            }
        }
    }
    let mut places = BTreeSet::new();
    for field in explained.objects().iter().flat_map(|object| &object.fields) {
        places.extend(explained.data(field));
    }
    let mut of_templates = Vec::new();
    for place in places {
        let Some(source) = explained.source(place).filter(|source| source.layer == Layer::Template) else { continue };
        let text = &source.data[place.start as usize..place.end as usize];
        if text.contains(&b'\n') {
            continue;
        }
        let Some(text) = other(text, None) else { continue };
        of_templates.push(Change { file: source.name.clone(), layer: Layer::Template, at: place, text });
    }
    (of_values, of_templates)
}

/// The fields of all objects by what people call them.
fn fields(explained: &Explained) -> BTreeMap<String, &Field> {
    let mut all = BTreeMap::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for object in explained.objects() {
        let Object { api_version, kind, namespace, name, .. } = object;
        let mut id = format!("{api_version} {kind} {namespace}/{name}");
        let nth = known.entry(id.clone()).or_default();
        *nth += 1;
        write!(id, " {nth}").unwrap();
        all.extend(object.fields.iter().map(|field| (format!("{id} {}", field.path), field)));
    }
    all
}

/// What a chart's checks came to.
#[derive(Default)]
struct Count {
    fields: usize,
    exact: usize,
    single: usize,
    missing: Vec<String>,
    inexact: Vec<String>,
    changes: usize,
    refused: usize,
    a: usize,
    wrong_a: Vec<String>,
    b: usize,
    wrong_b: Vec<String>,
}

fn count_places(explained: &Explained, count: &mut Count) {
    for object in explained.objects() {
        for field in &object.fields {
            let carries = match &field.value {
                Json::Null => false,
                Json::String(text) => !text.trim().is_empty(),
                Json::Array(_) | Json::Object(_) => false,
                _ => true,
            };
            if !carries {
                continue;
            }
            count.fields += 1;
            let pieces = explained.pieces(field);
            let exact = !pieces.is_empty() && pieces.iter().all(|piece| piece.exact);
            count.exact += usize::from(exact);
            count.single += usize::from(exact && pieces.len() == 1);
            let shown = || format!("{}/{} {} = {}", object.kind, object.name, field.path, field.value);
            if pieces.iter().all(|piece| piece.places.is_empty()) {
                count.missing.push(shown());
            } else if !exact {
                count.inexact.push(shown());
            }
        }
    }
}

fn overlaps(a: Span, b: Span) -> bool {
    a.file == b.file && a.start < b.end && b.start < a.end
}

fn check(case: &Case, before: &Explained, change: &Change, names: &Names, count: &mut Count) {
    let Ok(after) = case.changed(change).explained(names) else {
        count.refused += 1;
        return;
    };
    count.changes += 1;
    let (old, new) = (fields(before), fields(&after));
    let touched = change.at;
    let touched_after = Span { end: touched.start + u32::try_from(change.text.len()).unwrap(), ..touched };
    let told = |path: &str, what: &str| {
        let position = String::from_utf8_lossy(&before.source(touched).unwrap().data[..touched.start as usize]).lines().count();
        let written = String::from_utf8_lossy(&change.text).into_owned();
        format!("{}: {}:{position} {:?} -> {written:?}: {path} {what}", case.name, change.file, before.text(touched))
    };
    for (path, field) in &old {
        if before.data(field).iter().any(|place| overlaps(*place, touched)) {
            count.a += 1;
            if new.get(path).is_some_and(|now| now.value == field.value) {
                count.wrong_a.push(told(path, &format!("stays {}", field.value)));
            }
        }
    }
    let covers = |explained: &Explained, field: Option<&&Field>, touched: Span| {
        field.is_some_and(|field| explained.cover(field).iter().any(|place| overlaps(*place, touched)))
    };
    for path in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let (was, is) = (old.get(path), new.get(path));
        if was.map(|field| &field.value) == is.map(|field| &field.value) {
            continue;
        }
        count.b += 1;
        let instead = |all: &BTreeMap<String, &Field>, explained: &Explained, touched: Span| {
            replacing(path, was.or(is).unwrap(), all).into_iter().any(|field| covers(explained, Some(&field), touched))
        };
        let told_of = covers(before, was, touched)
            || covers(&after, is, touched_after)
            || was.is_none() && instead(&old, before, touched)
            || is.is_none() && instead(&new, &after, touched_after);
        if !told_of {
            let value = |field: Option<&&Field>| field.map_or("nothing".to_owned(), |field| field.value.to_string());
            count.wrong_b.push(told(path, &format!("was {} and is {}", value(was), value(is))));
        }
    }
}

/// The fields that stand where another one would have to: those below a map that was empty, and the items up to an item of a list without names,
/// which goes by its number.
fn replacing<'f>(path: &str, field: &Field, all: &BTreeMap<String, &'f Field>) -> Vec<&'f Field> {
    let mut found: Vec<&'f Field> =
        all.range(format!("{path}.")..).take_while(|(other, _)| other.starts_with(path)).map(|(_, f)| *f).collect();
    let id = path.strip_suffix(&field.path.to_string()).unwrap_or_default();
    for (depth, segment) in field.path.0.iter().enumerate() {
        let list = format!("{id}{}", FieldPath(field.path.0[..depth].to_vec()));
        let below = || all.range(format!("{list}[")..).take_while(|(other, _)| other.starts_with(&list)).map(|(_, field)| field);
        if !matches!(segment, Segment::Key(_)) {
            // Items go by names only as long as each has one of its own.
            let is_name = |other: &&&'f Field| other.path.0.get(depth + 1..) == Some(&[Segment::Key("name".to_owned())][..]);
            found.extend(below().filter(is_name));
        }
        let Segment::Index(nth) = segment else { continue };
        let before = |other: &&&'f Field| matches!(other.path.0.get(depth), Some(Segment::Index(at)) if at <= nth);
        found.extend(below().filter(before));
    }
    // An empty map in the place of what was in it.
    let above = (1..field.path.0.len()).map(|len| format!("{id}{}", FieldPath(field.path.0[..len].to_vec())));
    found.extend(above.filter_map(|path| all.get(&path).copied()));
    found
}

fn values(folder: &Path, path: &str) -> ValuesFile {
    ValuesFile { name: path.to_owned(), content: fs::read(folder.join(path)).unwrap().into(), secret: false }
}

fn cases(folder: &Path, long: bool) -> Vec<Case> {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let case: Json = serde_json::from_slice(&fs::read(folder.join("case.json")).unwrap()).unwrap();
    let chart = load(&folder.join("chart")).unwrap();
    let fits = |variant: &&Json| variant["rc"] == 0 && (long || variant["name"] == "default");
    let variants: Vec<&Json> = case["variants"].as_array().unwrap().iter().filter(fits).collect();
    let made = variants.into_iter().map(|variant| Case {
        name: format!("{name} {}", variant["name"].as_str().unwrap()),
        chart: chart.clone(),
        values: variant["values"].as_str().map(|path| values(folder, path)).into_iter().collect(),
    });
    made.collect()
}

fn checked(folder: &Path, long: bool) -> Count {
    let mut count = Count::default();
    let seed = folder.file_name().unwrap().to_string_lossy().bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(31) + u64::from(byte));
    let mut random = Random(seed);
    for case in cases(folder, long) {
        let names = Names::default();
        let Ok(before) = case.explained(&names) else { continue };
        count_places(&before, &mut count);
        // Each set of values is measured; changes are made to those that people wrote, and to none.
        if case.name.contains(" auto-") {
            continue;
        }
        let (of_values, of_templates) = changes(&before);
        let asked = std::env::var("PLUMB_CHANGES").ok().and_then(|changes| changes.parse().ok());
        let wanted = asked.unwrap_or(if long { CHANGES.1 } else { CHANGES.0 });
        for all in [of_values, of_templates] {
            for _ in 0..wanted.min(all.len()) {
                check(&case, &before, &all[random.next(all.len())], &names, &mut count);
            }
        }
    }
    count
}

#[test]
fn origins_hold_when_what_they_name_is_changed() {
    let Some(corpus) = plumb_suite::corpus() else { return };
    let long = std::env::var_os("PLUMB_LONG").is_some();
    let only = std::env::var("PLUMB_CHART").unwrap_or_default();
    let mut folders: Vec<PathBuf> = fs::read_dir(corpus.join("helm/charts")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let (mut table, mut faults) = (String::new(), Vec::new());
    let (mut a, mut wrong_a, mut b, mut exact, mut charts) = (0, 0, 0, 0.0, 0.0);
    let every = std::env::var("PLUMB_EVERY").ok().and_then(|every| every.parse().ok()).unwrap_or(EVERY);
    let chosen = |at: usize, path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if only.is_empty() { long || at.is_multiple_of(every) } else { name.contains(&only) }
    };
    for (_, folder) in folders.iter().enumerate().filter(|(at, folder)| chosen(*at, folder)) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let count = checked(folder, long);
        if count.fields == 0 {
            continue;
        }
        let share = |part: usize| 100.0 * part as f64 / count.fields as f64;
        let Count { fields, changes, refused, .. } = count;
        let (right_a, right_b) = (count.a - count.wrong_a.len(), count.b - count.wrong_b.len());
        writeln!(
            table,
            "| {name} | {fields} | {:.1} | {:.1} | {changes} ({refused}) | {right_a} of {} | {right_b} of {} |",
            share(count.exact),
            share(count.single),
            count.a,
            count.b
        )
        .unwrap();
        (a, wrong_a, b) = (a + count.a, wrong_a + count.wrong_a.len(), b + count.b);
        (exact, charts) = (exact + share(count.exact), charts + 1.0);
        faults.extend(count.missing.iter().map(|fault| format!("missing {name}: {fault}")));
        faults.extend(count.wrong_a.iter().map(|fault| format!("A {fault}")));
        let excepted = |fault: &str| EXCEPTIONS.iter().any(|(what, _)| fault.contains(what));
        faults.extend(count.wrong_b.iter().filter(|fault| !excepted(fault)).map(|fault| format!("B {fault}")));
        if std::env::var_os("PLUMB_INEXACT").is_some() {
            faults.extend(count.inexact.iter().map(|fault| format!("inexact {name}: {fault}")));
        }
    }
    let exact = exact / f64::max(charts, 1.0);
    let report = format!("{table}\nA {} of {a}, B of {b}, exact {exact:.2} % over {charts} charts\n{}\n", a - wrong_a, faults.join("\n"));
    if let Some(path) = std::env::var_os("PLUMB_FAILED") {
        fs::write(path, &report).unwrap();
    }
    eprintln!("{table}A {} of {a}, B of {b}, exact {exact:.2} %", a - wrong_a);
    assert!(a > 0 && b > 0, "nothing was changed");
    assert!(wrong_a * 100_000 <= a * MAX_WRONG_A, "A: {wrong_a} of {a} fields\n{}", faults.join("\n"));
    let wrong: Vec<&String> = faults.iter().filter(|fault| !fault.starts_with("A ") && !fault.starts_with("inexact ")).collect();
    assert!(wrong.is_empty(), "{} faults\n{wrong:#?}", wrong.len());
    assert!(exact >= MIN_EXACT, "{exact:.2} % of the fields are from one exact place");
}

/// What is said of the values that charts come with, looked at by hand: nothing reads these.
const UNREAD: &[&str] = &[
    "haproxytech-kubernetes-ingress daemonset-customnodeport: controller.service.ports.8000",
    "haproxytech-kubernetes-ingress daemonset-customnodeport: controller.service.ports.8001",
];

#[test]
fn of_values_that_charts_come_with_nothing_false_is_said() {
    let Some(corpus) = plumb_suite::corpus() else { return };
    let long = std::env::var_os("PLUMB_LONG").is_some();
    let mut folders: Vec<PathBuf> = fs::read_dir(corpus.join("helm/charts")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let (mut told, mut sets) = (Vec::new(), 0);
    for (_, folder) in folders.iter().enumerate().filter(|(at, _)| long || at % EVERY == 1) {
        for case in cases(folder, true) {
            if case.values.is_empty() || case.name.contains(" auto-") {
                continue;
            }
            sets += 1;
            let Ok(explained) = case.explained(&Names::default()) else { continue };
            for unread in explained.unread().into_iter().filter(|unread| unread.disabled.is_none()) {
                let meant = unread.meant.map(|meant| format!(" ({meant}?)")).unwrap_or_default();
                told.push(format!("{}: {}{meant}", case.name, unread.key));
            }
        }
    }
    eprintln!("{} values of {sets} sets that nobody reads", told.len());
    assert!(sets > 0, "no values were looked at");
    told.retain(|told| !UNREAD.contains(&told.as_str()));
    assert!(told.is_empty(), "{told:#?}");
}
