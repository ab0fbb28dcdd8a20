//! Owns the tests of schemas: rules, refusals, limits, and the replay of Helm's own cases.

use super::compile::{MAX_PATTERNS, MAX_SCHEMAS};
use super::json::{Json, MAX_DEPTH};
use super::*;

fn violations(schema: &str, values: &str) -> Result<Vec<Violation>, String> {
    let compiled = compile::compile(Json::read(schema.as_bytes())?)?;
    check::check(&compiled, &Json::read(values.as_bytes()).unwrap())
}

fn said(schema: &str, values: &str) -> String {
    match violations(schema, values) {
        Ok(violations) => violation::lines(&violations),
        Err(error) => format!("error: {error}"),
    }
}

/// A message with its lines in an order that does not depend on that of keys: Go walks over maps at random. Where Helm says that a key
/// is, that goes too: its library gives the place of whatever it looked at last.
fn in_order(message: &str) -> Vec<String> {
    let list = |line: &str| match line.split_once(" properties ") {
        _ if line.contains(": invalid propertyName ") => {
            let depth = line.len() - line.trim_start().len();
            format!("{depth} {}", line.split(": invalid propertyName ").nth(1).unwrap_or_default())
        }
        Some((before, list)) if list.contains(", ") => {
            let mut words: Vec<&str> = list.split([',', ' ']).collect();
            words.sort_unstable();
            format!("{before} properties {}", words.join(" "))
        }
        _ => line.to_owned(),
    };
    let mut lines: Vec<String> = message.lines().map(list).collect();
    lines.sort();
    lines
}

/// Compares recorded cases, one a line: values, schema, and what Helm says.
fn replay(set: &str, text: &str) -> usize {
    let cases: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut differences = Vec::new();
    for case in &cases {
        let mut heap = Heap::new(false, 1 << 30);
        let Value::Map(_, values) = crate::strvals::from_json(&mut heap, &case["values"], plumb_gotemplate::O::NONE) else {
            panic!("values are a map")
        };
        let found = single_message(&heap, case["schema"].as_str().unwrap().as_bytes(), values).err();
        let expected = case["error"].as_str();
        if found.as_deref().map(in_order) != expected.map(in_order) {
            differences.push(format!("{case}\n  Helm {expected:?}\n Plumb {found:?}"));
        }
    }
    assert!(
        differences.is_empty(),
        "{set}: {} of {} differ\n{}",
        differences.len(),
        cases.len(),
        differences[..differences.len().min(12)].join("\n")
    );
    cases.len()
}

#[test]
fn helms_own_cases() {
    let Some(corpus) = plumb_suite::corpus() else { return };
    let text = std::fs::read_to_string(corpus.join("helm/tables/jsonschema.jsonl")).unwrap();
    let count = replay("jsonschema", &text);
    eprintln!("jsonschema: {count} of {count} as recorded");
    assert!(count > 0);
}

/// What Helm 4.3.1 said of our own cases.
#[test]
fn recorded_cases() {
    assert!(replay("recorded", include_str!("recorded.jsonl")) > 100);
    if let Some(more) = std::env::var_os("PLUMB_SCHEMA_CASES") {
        eprintln!("{} more", replay("more", &std::fs::read_to_string(more).unwrap()));
    }
}

#[test]
fn a_schema_leads_nowhere_outside_of_itself() {
    for reference in [
        "/etc/passwd",
        "../../../../etc/passwd",
        "file:///etc/passwd#/root",
        "other.schema.json",
        "http://127.0.0.1:1/x.json",
        "https://example.com/x.json#/definitions/a",
        "ftp://example.com/x.json",
    ] {
        let schema = serde_json::json!({"properties": {"a": {"$ref": reference}}}).to_string();
        let error = violations(&schema, "{}").unwrap_err();
        assert!(error.starts_with("failing loading \"") && error.ends_with("must be in values.schema.json itself"), "{reference}: {error}");
        let schema = serde_json::json!({"$schema": reference}).to_string();
        assert!(violations(&schema, "{}").unwrap_err().contains("is not supported"), "{reference}");
    }
    // An `$id` moves what references are seen from, and no further.
    let schema = r##"{"$id": "file:///etc/", "properties": {"a": {"$ref": "passwd"}, "b": {"$ref": "#/properties/a"}}}"##;
    assert!(violations(schema, "{}").unwrap_err().starts_with("failing loading \"file:///etc/passwd\": a schema reads no file"));
    let schema =
        r#"{"$id": "https://e.org/a.json", "$defs": {"x": {"$id": "b.json", "type": "string"}}, "properties": {"a": {"$ref": "b.json"}}}"#;
    assert_eq!(said(schema, r#"{"a": 1}"#), "- at '/a': got number, want string");
    let schema = r#"{"properties": {"a": {"$ref": "http://json-schema.org/draft-07/schema#"}}}"#;
    assert!(said(schema, r#"{"a": {"type": "x"}}"#).starts_with("- at '/a/type': 'anyOf' failed\n"));
}

#[test]
fn a_urn_allows_everything_and_says_so() {
    let compiled = compile::compile(Json::read(br#"{"$ref": "urn:x:y"}"#).unwrap()).unwrap();
    assert_eq!(compiled.warnings, ["unresolved URN reference ignored; using permissive schema urn=urn:x:y"]);
    assert_eq!(violations(r#"{"$ref": "urn:x:y"}"#, "{}"), Ok(Vec::new()));
}

#[test]
fn a_violation_knows_its_place() {
    let schema = r#"{"properties": {"a": {"items": {"required": ["b"]}}}}"#;
    let found = violations(schema, r#"{"a": [{"b": 1}, {}]}"#).unwrap();
    assert_eq!((found[0].path.join("."), found[0].message.as_str()), ("a.1".to_owned(), "missing property 'b'"));
    assert_eq!(found[0].schema, "file:///values.schema.json#/properties/a/items");
}

#[test]
fn schemas_that_lead_in_circles_end() {
    let cycle = r##"{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}"##;
    assert!(said(cycle, "{}").contains("causing reference cycle"), "{}", said(cycle, "{}"));
    assert_eq!(
        said(r##"{"properties": {"a": {"$ref": "#"}}, "additionalProperties": false}"##, r#"{"a": {"a": {"b": 1}}}"#),
        "- at '/a/a': additional properties 'b' not allowed"
    );
}

#[test]
fn what_would_take_too_much_is_refused() {
    let chain: serde_json::Map<String, serde_json::Value> =
        (0..2000).map(|nth| (format!("d{nth}"), serde_json::json!({"$ref": format!("#/$defs/d{}", nth + 1)}))).collect();
    let long = serde_json::json!({"$ref": "#/$defs/d0", "$defs": chain}).to_string();
    let error = violations(&long.replace("#/$defs/d2000", "#/$defs/d1"), "{}").unwrap_err();
    assert_eq!(error, "schemas may lead to schemas 400 deep");

    let bomb: serde_json::Map<String, serde_json::Value> = (0..40)
        .map(|nth| {
            let next = serde_json::json!({"$ref": format!("#/$defs/d{}", nth + 1)});
            (format!("d{nth}"), serde_json::json!({"allOf": [next, next]}))
        })
        .chain([("d40".to_owned(), serde_json::json!({"type": "object"}))])
        .collect();
    let bomb = serde_json::json!({"$ref": "#/$defs/d0", "$defs": bomb}).to_string();
    assert_eq!(violations(&bomb, "{}").unwrap_err(), "a schema may take 2000000 checks");

    let deep = format!("{}{}", "{\"not\":".repeat(MAX_DEPTH + 2), "true".to_owned() + &"}".repeat(MAX_DEPTH + 2));
    assert_eq!(violations(&deep, "{}").unwrap_err(), "a schema may be nested 256 deep");
    let mut heap = Heap::new(false, 1 << 30);
    let nested = (0..=MAX_DEPTH + 1).fold(Value::bool(true), |inner, _| {
        let (map, key) = (heap.map(&plumb_gotemplate::MAP), heap.sym(b"a"));
        heap.get_mut(map).set(key, plumb_gotemplate::O::NONE, inner);
        Value::Map(plumb_gotemplate::O::NONE, map)
    });
    let Value::Map(_, nested) = nested else { unreachable!() };
    assert_eq!(single_message(&heap, b"{}", nested).unwrap_err(), "values that a schema is for may be nested 256 deep");

    let many: serde_json::Map<String, serde_json::Value> = (0..=MAX_PATTERNS).map(|nth| (format!("p{nth}"), true.into())).collect();
    let many = serde_json::json!({"patternProperties": many}).to_string();
    assert_eq!(violations(&many, "{}").unwrap_err(), "a schema may have 2000 regular expressions");
    let many: serde_json::Map<String, serde_json::Value> = (0..=MAX_SCHEMAS).map(|nth| (format!("p{nth}"), true.into())).collect();
    let many = serde_json::json!({"properties": many}).to_string();
    assert_eq!(violations(&many, "{}").unwrap_err(), "a schema may have 100000 schemas in it");
}

#[test]
fn what_is_no_schema_is_told_as_go_tells_it() {
    for (schema, error) in [
        ("", "EOF"),
        ("{", "unexpected EOF"),
        ("{]", "invalid character ']' looking for beginning of object key string"),
        ("{} x", "invalid character after top-level value"),
        ("{\"a\": tru}", "invalid character '}' in literal true (expecting 'e')"),
        (
            "{\"pattern\": \"(?!x)\", \"$schema\": \"http://json-schema.org/draft-07/schema#\"}",
            "\"file:///values.schema.json#\" is not valid against metaschema: jsonschema validation failed with 'http://json-schema.org/draft-07/schema#'\n- at '/pattern': '(?!x)' is not valid regex: error parsing regexp: invalid or unsupported Perl syntax: `(?!`",
        ),
    ] {
        assert_eq!(violations(schema, "{}").unwrap_err(), error, "{schema}");
    }
}
