//! Owns rules of the engine that the recorded answers do not reach: limits and what a text given to `tpl` sees.

use plumb_gotemplate::{FailureKind, Functions, Limits, Options};
use serde_json::json;

use crate::render::{Failed, Request, render};

fn helm(templates: &[(&str, &str)], data: &serde_json::Value) -> Result<String, String> {
    let rendered = render(&Request::new(templates, templates[0].0, &Functions::helm()), data);
    match rendered.failed {
        None => Ok(String::from_utf8(rendered.out.bytes).unwrap()),
        Some(failed) => Err(failed.message()),
    }
}

#[test]
fn a_text_given_to_tpl_is_its_own_template_inside_the_others() {
    for (text, expect) in [
        (r#"{{ tpl "{{ define \"y\" }}in{{ end }}[{{ template \"y\" }}]" . }}{{ template "y" }}"#, "[in]out"),
        (r#"{{ tpl "  " . }}|"#, "  |"),
        (r#"{{ tpl "a{{ tpl \" \" . }}b" . }}"#, "a b"),
        (r#"{{ tpl "{{ include \"y\" . }}" . }}"#, "out"),
    ] {
        assert_eq!(helm(&[("x", text), ("z", r#"{{ define "y" }}out{{ end }}"#)], &json!({})).as_deref(), Ok(expect), "{text}");
    }
}

#[test]
fn limits_are_named() {
    let small = Options { limits: Limits { depth: 50, output_bytes: 1000, steps: 1000, ..Limits::default() }, ..Options::default() };
    for (text, expect) in [
        (r#"{{ template "x" . }}"#, "exceeded maximum template depth (50)"),
        ("{{ range 100 }}0123456789012345{{ end }}", "a template may write"),
        ("{{ range 1000000000 }}{{ end }}", "a render may take 1000 steps"),
    ] {
        let templates = [("x", text)];
        let functions = Functions::go();
        let mut request = Request::new(&templates, "x", &functions);
        request.options = small;
        let Some(Failed::Exec(error)) = render(&request, &json!({})).failed else { panic!("{text} does not fail") };
        assert!(String::from_utf8_lossy(&error.message).contains(expect), "{error:?}");
        assert_eq!(error.kind, FailureKind::Limit);
    }
    let text = format!("{}1{}", "(".repeat(1001), ")".repeat(1001));
    assert_eq!(helm(&[("x", &format!("{{{{ {text} }}}}"))], &json!({})), Err("template: x:1: max expression depth exceeded".to_owned()));
    let text = format!("{}{}", "{{ if 1 }}".repeat(1001), "{{ end }}".repeat(1001));
    assert_eq!(helm(&[("x", &text)], &json!({})), Err("template: x:1: blocks may be nested 1000 deep".to_owned()));
    let text = format!("{}x{}", "{{ if 1 }}".repeat(1000), "{{ end }}".repeat(1000));
    assert_eq!(helm(&[("x", &text)], &json!({})).as_deref(), Ok("x"));
}
