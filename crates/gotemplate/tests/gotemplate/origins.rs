//! Owns the tests of origins: what a range of the output says of where it is from.

use plumb_gotemplate::{Branch, Functions, Why};
use plumb_world::Span;
use serde_json::json;

use crate::render::{DATA, Rendered, Request, render};

/// A traced render, asked by pieces of its output.
struct Asked {
    rendered: Rendered,
    templates: Vec<String>,
}

impl Asked {
    fn of(templates: &[(&str, &str)], data: &serde_json::Value) -> Self {
        let functions = Functions::helm();
        let rendered = render(&Request { tracing: true, ..Request::new(templates, templates[0].0, &functions) }, data);
        assert!(rendered.failed.is_none(), "{}", rendered.failed.unwrap().message());
        Self { rendered, templates: templates.iter().map(|(_, text)| (*text).to_owned()).collect() }
    }

    fn why(&self, piece: &str) -> Why {
        let out = String::from_utf8(self.rendered.out.bytes.clone()).unwrap();
        let at = out.find(piece).unwrap_or_else(|| panic!("{piece:?} is not in {out:?}"));
        self.rendered.heap.origins.why(&self.rendered.out, at..at + piece.len())
    }

    /// A place as people read it: what is written there, or the number of the datum.
    fn shown(&self, span: Span) -> String {
        if span.file == DATA {
            return format!("#{}", span.start);
        }
        match self.templates.get(span.file.0 as usize) {
            Some(text) => text[span.start as usize..span.end as usize].to_owned(),
            None => "?".to_owned(),
        }
    }

    fn data(&self, piece: &str) -> Vec<String> {
        self.why(piece).data.into_iter().map(|span| self.shown(span)).collect()
    }

    fn decided(&self, piece: &str) -> Vec<String> {
        self.why(piece).decided.into_iter().map(|span| self.shown(span)).collect()
    }

    fn conditions(&self, piece: &str) -> Vec<String> {
        self.why(piece).conditions.into_iter().map(|span| self.shown(span)).collect()
    }

    fn around(&self, piece: &str) -> Vec<(Branch, String)> {
        let origins = &self.rendered.heap.origins;
        self.why(piece).around.into_iter().map(|ctl| origins.ctl(ctl).unwrap()).map(|ctl| (ctl.taken, self.shown(ctl.site))).collect()
    }
}

#[test]
fn text_and_values_know_their_places() {
    let asked = Asked::of(&[("x", "a: {{ .a }}\nb: {{ 12 }} {{ \"lit\" }} {{ \"e\\ts\" }}")], &json!({"a": "one", "b": "two"}));
    assert_eq!(asked.data("a: "), ["a: "]);
    assert_eq!(asked.data("one"), ["#0"]);
    assert_eq!(asked.data("12"), ["12"]);
    assert_eq!(asked.data("lit"), ["lit"]);
    assert_eq!(asked.data("e\ts"), ["e", "\"e\\ts\"", "s"]);
    assert_eq!(asked.conditions("one"), [""; 0]);
}

#[test]
fn include_keeps_every_byte_and_what_it_stands_under() {
    let asked = Asked::of(
        &[
            ("x", "{{ if .on }}{{ include \"y\" . | indent 2 }}{{ end }}"),
            ("z", "{{ define \"y\" }}k: {{ .v }}{{ if .more }}!{{ end }}{{ end }}"),
        ],
        &json!({"more": true, "on": true, "v": "val"}),
    );
    assert_eq!(asked.data("k: "), ["k: "]);
    assert_eq!(asked.data("val"), ["#2"]);
    assert_eq!(asked.data("!"), ["!"]);
    assert_eq!(asked.conditions("!"), ["#0", "y", "#1"]);
    let around = asked.around("!");
    assert_eq!(around.iter().map(|(branch, _)| *branch).collect::<Vec<_>>(), [Branch::Then, Branch::Call, Branch::Then]);
    assert_eq!(around[1].1, "include \"y\" .");
    assert_eq!(asked.conditions("val"), ["y", "#1"]);
}

#[test]
fn a_text_given_to_tpl_maps_through_to_where_it_was_written() {
    let asked = Asked::of(
        &[("x", "{{ tpl .t . }}|{{ tpl \"[{{ .v }}{{ if .on }}yes{{ end }}]\" . }}")],
        &json!({"on": true, "t": "<{{ .v }}>", "v": "val"}),
    );
    assert_eq!(asked.data("<"), ["#1"]);
    assert_eq!(asked.data("val"), ["#2"]);
    assert_eq!(asked.data("yes"), ["yes"]);
    assert_eq!(asked.conditions("yes"), ["#0"]);
    assert_eq!(asked.around("yes")[0], (Branch::Then, ".on }}yes{{ end }}".to_owned()));
}

#[test]
fn what_is_assigned_in_a_block_depends_on_it() {
    let asked = Asked::of(&[("x", "{{ $v := \"no\" }}{{ if .on }}{{ $v = .v }}{{ end }}{{ $v }}.")], &json!({"on": true, "v": "val"}));
    assert_eq!(asked.data("val"), ["#1"]);
    assert_eq!(asked.conditions("val"), ["#0"]);
    let asked = Asked::of(&[("x", "{{ $n := 1 }}{{ if .on }}{{ $n = .n }}{{ end }}{{ $n }}.")], &json!({"n": 7, "on": true}));
    assert_eq!(asked.data("7"), ["#0"]);
    assert_eq!(asked.conditions("7"), ["#1"]);
}

#[test]
fn choices_carry_what_was_passed_over() {
    let asked = Asked::of(&[("x", "{{ or .a .b }}")], &json!({"a": "", "b": "val"}));
    assert_eq!((asked.data("val"), asked.decided("val")), (vec!["#1".to_owned()], vec!["#0".to_owned()]));
    let asked = Asked::of(&[("x", "{{ .a | default \"lit\" }}")], &json!({"a": ""}));
    assert_eq!((asked.data("lit"), asked.decided("lit")), (vec!["lit".to_owned()], vec!["#0".to_owned()]));
    let asked = Asked::of(&[("x", "{{ index .m .k }}")], &json!({"k": "x", "m": {"x": "val"}}));
    assert_eq!((asked.data("val"), asked.decided("val")), (vec!["#1".to_owned()], vec!["#0".to_owned()]));
    let asked = Asked::of(&[("x", "{{ eq .a .b }}")], &json!({"a": 1, "b": 1}));
    assert_eq!(asked.data("true"), ["#0", "#1"]);
}

#[test]
fn a_text_that_nothing_is_left_of_depends_on_what_left_it_out() {
    let templates = [("x", "{{ if include \"y\" . }}a{{ else }}b{{ end }}"), ("z", "{{ define \"y\" }}{{ if .on }}yes{{ end }}{{ end }}")];
    let asked = Asked::of(&templates, &json!({"on": false}));
    assert!(asked.conditions("b").contains(&"#0".to_owned()), "{:?}", asked.conditions("b"));
}

#[test]
fn an_action_knows_where_it_is_and_decides_nothing() {
    let asked = Asked::of(&[("x", "a: {{ .v | quote }}")], &json!({"v": "val"}));
    let emitted: Vec<String> = asked.why("val").emitted.into_iter().map(|span| asked.shown(span)).collect();
    assert_eq!(emitted, [".v | quote"]);
    assert!(asked.around("val").is_empty());
}

#[test]
fn a_condition_on_a_text_is_all_that_made_it() {
    let asked = Asked::of(
        &[("x", "{{ define \"y\" }}{{ if .on }}true{{ end }}{{ end }}{{ if eq (include \"y\" .) \"true\" }}val{{ end }}")],
        &json!({"on": true}),
    );
    assert!(asked.conditions("val").contains(&"#0".to_owned()), "{:?}", asked.conditions("val"));
}

#[test]
fn a_block_that_was_not_taken_leaves_a_hole() {
    let asked = Asked::of(&[("x", "a{{ if .on }}b{{ end }}c{{ range .l }}d{{ end }}")], &json!({"l": [], "on": false}));
    let holes = asked.rendered.heap.origins.holes();
    assert_eq!(holes.iter().map(|hole| hole.at).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn what_is_written_or_tested_is_used() {
    let asked = Asked::of(&[("x", "{{ if .a }}{{ .b }}{{ end }}{{ $x := .c }}")], &json!({"a": true, "b": "val", "c": "unread"}));
    let mut used = Vec::new();
    let origins = &asked.rendered.heap.origins;
    for nth in 0..3 {
        used.push(origins.used_at(Span { file: DATA, start: nth, end: nth + 1 }));
    }
    assert_eq!(used, [true, true, false]);
}
