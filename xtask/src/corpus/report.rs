//! Owns how the result is printed: how many units are synced, why the others are not, and each of those by name.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Prints the table and the list.
pub(super) fn table(units: &BTreeMap<String, Value>) {
    let wholly = units.values().filter(|unit| whole(unit)).count();
    let waiting = units.values().filter(|unit| waits_only(unit)).count();
    let objects: u64 = units.values().filter_map(|unit| unit["objects"].as_u64()).sum();
    println!(
        "\n  units {}   synced {wholly}   synced but for what waits {waiting}   not {}   objects owned {objects}",
        units.len(),
        units.len() - wholly - waiting
    );
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (name, unit) in units.iter().filter(|(_, unit)| !whole(unit)) {
        let general: BTreeSet<String> = reasons(unit).iter().map(|reason| general(reason)).collect();
        general.into_iter().for_each(|reason| groups.entry(reason).or_default().push(name));
    }
    let mut groups: Vec<(String, Vec<&str>)> = groups.into_iter().collect();
    groups.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
    println!("\n  reasons (of how many units)");
    for (reason, names) in &groups {
        println!("  {:>5}  {reason}", names.len());
    }
    println!("\n  units that are not synced, or not all of them");
    for (name, unit) in units.iter().filter(|(_, unit)| !whole(unit)) {
        println!("  {name} ({})", unit["sync"].as_str().unwrap_or_default());
        for reason in reasons(unit) {
            println!("      {reason}");
        }
    }
}

/// Whether nothing of a unit waits.
fn whole(unit: &Value) -> bool {
    unit["sync"] == "Synced" && unit["gates"].as_array().is_none_or(Vec::is_empty)
}

/// Whether all that a unit lacks waits for an approval, or for another unit to give an object up.
fn waits_only(unit: &Value) -> bool {
    let fails = |problem: &Value| problem["severity"] == "error";
    !whole(unit)
        && unit["gates"].as_array().is_some_and(|gates| !gates.is_empty())
        && !unit["problems"].as_array().into_iter().flatten().any(fails)
        && unit["error"].as_str().unwrap_or_default().trim().is_empty()
}

/// Returns why a unit is not synced, one by one.
fn reasons(unit: &Value) -> Vec<String> {
    let text = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
    let mut all = Vec::new();
    for problem in unit["problems"].as_array().into_iter().flatten().filter(|problem| problem["severity"] == "error") {
        all.push(format!("{} [{}] at {}", text(problem, "message"), text(problem, "code"), text(problem, "place")));
    }
    if all.is_empty() {
        all.extend(text(unit, "error").lines().filter(|line| !line.trim().is_empty()).map(str::to_owned));
    }
    for gate in unit["gates"].as_array().into_iter().flatten() {
        all.push(format!("{}: {}", text(gate, "kind"), text(gate, "reason")));
    }
    if all.is_empty() {
        all.push(text(unit, "activity"));
    }
    all
}

/// Returns a reason without the names in it, to be counted.
fn general(reason: &str) -> String {
    let mut out = String::new();
    let mut quote = None;
    for c in reason.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '`' | '"') => {
                quote = Some(c);
                out.push('…');
            }
            None => out.push(c),
        }
    }
    let name = |word: &str| word.trim_end_matches(['.', ',', ';', ':']).contains(['/', '.', '-']);
    let mut words: Vec<&str> = out.split(' ').map(|word| if name(word) { "…" } else { word }).collect();
    words.dedup();
    words.join(" ")
}
