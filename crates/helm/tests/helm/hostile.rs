//! Owns what charts must not be able to do: use more than the named limits, look outside, end the process. Every refusal says what was too much.

use std::io::Write as _;
use std::time::Instant;

use plumb_gotemplate::Limits;
use plumb_helm::{Chart, Error, File, Form, Ignore, Options, ValuesFile, render, unpack};

use crate::host::NoHost;

const CHART: &str = "apiVersion: v2\nname: c\nversion: 1.0.0\n";
/// Smaller than what is allowed by default, so that reaching them is quick even without optimization.
const LIMITS: Limits = Limits { depth: 10_000, include_depth: 1_000, output_bytes: 4 << 20, heap_bytes: 64 << 20, steps: 2_000_000 };
/// No case may take so long, on any machine.
const PATIENCE_S: u64 = 60;

fn chart(files: &[(&str, &str)]) -> Result<Chart, String> {
    let own = [("Chart.yaml", CHART)];
    let all = own.iter().filter(|_| files.iter().all(|(name, _)| *name != "Chart.yaml")).chain(files);
    let files = all.map(|(name, text)| File { name: (*name).to_owned(), data: text.as_bytes().into() });
    Chart::load(files.collect()).map_err(|error| error.to_string())
}

fn run(files: &[(&str, &str)], values: &str, arguments: &[(Form, String)]) -> Result<String, Error> {
    let chart = chart(files)?;
    let values = [ValuesFile { name: "values".to_owned(), content: values.as_bytes().into(), secret: false }];
    let options = Options { values: &values, arguments, limits: LIMITS, ..Options::default() };
    render(&chart, &options, &mut NoHost).map(|rendered| rendered.text(true))
}

fn template(text: &str) -> Result<String, Error> {
    run(&[("templates/a.yaml", &format!("a: |-\n  {text}\n"))], "", &[])
}

/// Templates that want too much, and what they are told.
const GREEDY: &[(&str, &str)] = &[
    ("{{ until 1000000000 }}", "a render may use 64 MiB"),
    ("{{ untilStep 0 1000000000 1 }}", "a render may use 64 MiB"),
    ("{{ seq 1000000000 }}", "a render may use 64 MiB"),
    ("{{ range 2000000000 }}{{ end }}", "a render may take 2000000 steps"),
    ("{{ range $i := until 100000 }}{{ range until 1000 }}{{ end }}{{ end }}", "a render may"),
    ("{{ range 1000000 }}xxxxxxxxxxxxxxxxxxxx{{ end }}", "a template may write 4 MiB"),
    ("{{ repeat 1000000000 \"x\" }}", "a render may use 64 MiB"),
    ("{{ repeat 9223372036854775807 \"xx\" }}", "a render may use 64 MiB"),
    ("{{ $x := \"x\" }}{{ range 40 }}{{ $x = print $x $x }}{{ end }}", "a render may use 64 MiB"),
    ("{{ $x := list 1 }}{{ range 40 }}{{ $x = concat $x $x }}{{ end }}", "a render may use 64 MiB"),
    ("{{ printf \"%1000000000d\" 1 }}", "NOVERB"),
    ("{{ range 1000 }}{{ printf \"%1000000d\" 1 | len }}{{ end }}", "a render may use 64 MiB"),
    ("{{ printf \"%.1000000000f\" 1.5 }}", "NOVERB"),
    ("{{ printf \"%*d\" 1000000000 1 }}", "BADWIDTH"),
    ("{{ \"x\" | indent 1000000000 }}", "a render may use 64 MiB"),
    ("{{ nindent 1000000000 \"x\" }}", "a render may use 64 MiB"),
    ("{{ replace \"\" (repeat 1000000 \"x\") (repeat 1000000 \"y\") }}", "a render may use 64 MiB"),
    ("{{ join (repeat 100000 \"x\") (until 100000) }}", "a render may use 64 MiB"),
    ("{{ regexReplaceAll \"\" (repeat 10000000 \"y\") (repeat 1000 \"x\") }}", "a render may use 64 MiB"),
    ("{{ wrapWith 1 (repeat 100000 \"n\") (repeat 100000 \"x\") }}", "a render may use 64 MiB"),
    ("{{ randAlphaNum 1000000000 }}", "one call may ask for 8388608 random bytes"),
    ("{{ randBytes 1000000000 }}", "one call may ask for"),
    ("{{ define \"a\" }}{{ include \"a\" . }}{{ end }}{{ include \"a\" . }}", "nested reference name: a"),
    ("{{ define \"a\" }}{{ template \"a\" . }}{{ end }}{{ template \"a\" . }}", "exceeded maximum template depth (10000)"),
    ("{{ $t := \"{{ tpl .t . }}\" }}{{ tpl $t (dict \"t\" $t) }}", "exceeded maximum template depth (10000)"),
    ("{{ define \"a\" }}{{ include (printf \"b%d\" (randInt 0 9)) . }}{{ end }}{{ include \"a\" . }}", "no template"),
    ("{{ regexMatch \"(a{1000}){1000}\" \"a\" }}", "a"),
    ("{{ regexMatch \"((((a{100}){100}){100}){100})\" \"a\" }}", "a"),
];

#[test]
fn templates_that_want_too_much_are_told_so() {
    for (text, told) in GREEDY {
        let begun = Instant::now();
        match template(text) {
            Err(error) => assert!(error.message.contains(told), "{text}: {error}"),
            // Where Go prints a note rather than fail, so do we.
            Ok(out) => assert!(told.len() > 1 && out.contains(told) || *told == "a", "{text}: {} bytes", out.len()),
        }
        assert!(begun.elapsed().as_secs() < PATIENCE_S, "{text} took {:?}", begun.elapsed());
    }
}

#[test]
fn values_that_hold_themselves_are_printed_to_an_end() {
    for text in [
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ $d }}",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ toYaml $d }}{{ toJson $d }}",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ deepCopy $d | len }}",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ merge (dict) $d | len }}",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ deepEqual $d $d }}",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ mergeOverwrite $d $d | len }}",
        "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ toToml $d }}",
        "{{ $_ := set .Values \"v\" .Values }}{{ printf \"%v %#v\" .Values .Values | len }}",
    ] {
        // Either is an answer; ending the process is none.
        let begun = Instant::now();
        let _ = template(text);
        assert!(begun.elapsed().as_secs() < PATIENCE_S, "{text} took {:?}", begun.elapsed());
    }
}

#[test]
fn nested_text_is_refused_by_its_depth() {
    let deep = |open: &str, close: &str, count: usize| format!("{}{}", open.repeat(count), close.repeat(count));
    let parentheses = format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(template(&parentheses).unwrap_err().message.contains("max expression depth exceeded"));
    let blocks = deep("{{ if true }}", "{{ end }}", 100_000);
    assert!(template(&blocks).unwrap_err().message.contains("blocks may be nested 1000 deep"));
    let values = format!("a: {}", deep("[", "]", 100_000));
    assert!(run(&[], &values, &[]).unwrap_err().message.contains("failed to parse values"));
    let json = format!("a={}", deep("[", "]", 100_000));
    assert!(run(&[], "", &[(Form::Json, json)]).is_err());
    assert!(template(&format!("{{{{ fromJson {:?} | len }}}}", deep("[", "]", 100_000))).is_ok());
    assert!(template(&format!("{{{{ fromYaml {:?} | len }}}}", deep("[", "]", 100_000))).is_ok());
}

#[test]
fn aliases_do_not_explode() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let of = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{of}]\n"));
    }
    let error = run(&[("templates/a.yaml", "a: 1")], &bomb, &[]).unwrap_err();
    assert!(error.message.contains("failed to parse values"), "{error}");
    let error = run(&[("values.yaml", &bomb), ("templates/a.yaml", "a: 1")], "", &[]).unwrap_err();
    assert!(error.message.contains("cannot load values.yaml"), "{error}");
    assert!(run(&[("Chart.yaml", &format!("{CHART}annotations: {{}}\n{bomb}"))], "", &[]).is_err());
    let inside = format!("{{{{ fromYaml {bomb:?} | len }}}}");
    let out = template(&inside).unwrap();
    assert!(out.contains('1'), "{out}");
}

#[test]
fn indices_of_set_are_bounded() {
    for (form, text, told) in [
        (Form::Typed, "a[999999999]=x", "index of 999999999 is greater than maximum supported index of 65536"),
        (Form::Text, "a[65537]=x", "index of 65537 is greater than maximum supported index of 65536"),
        (Form::Literal, "a[999999999]=x", "index of 999999999 is greater than maximum supported index of 65536"),
        (Form::Typed, "a[-1]=x", "negative -1 index not allowed"),
        (Form::Typed, "a[99999999999999999999]=x", "error parsing index"),
    ] {
        let error = run(&[], "", &[(form, text.to_owned())]).unwrap_err();
        assert!(error.message.contains(told), "{text}: {error}");
    }
    let deep = format!("{}=x", vec!["a"; 1000].join("."));
    let error = run(&[], "", &[(Form::Typed, deep)]).unwrap_err();
    assert!(error.message.contains("value name nested level is greater than maximum supported nested level of 30"), "{error}");
    let lists = format!("a{}=x", "[0]".repeat(100_000));
    assert!(run(&[], "", &[(Form::Typed, lists)]).is_err());
    let many: String = (0..200).map(|nth| format!("a[65536].b{nth}=1,")).collect();
    assert!(run(&[], "", &[(Form::Typed, many)]).is_ok());
}

/// A tar header and its content.
fn entry(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..name.len().min(100)].copy_from_slice(&name.as_bytes()[..name.len().min(100)]);
    header[100..107].copy_from_slice(b"0000644");
    header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    header[156] = kind;
    header[257..263].copy_from_slice(b"ustar\0");
    let mut out = header.to_vec();
    out.extend_from_slice(content);
    out.resize(out.len().div_ceil(512) * 512, 0);
    out
}

fn packed(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for entry in entries {
        gz.write_all(entry).unwrap();
    }
    gz.write_all(&[0; 1024]).unwrap();
    gz.finish().unwrap()
}

#[test]
fn archives_stay_inside_and_small() {
    let refused = |entries: &[Vec<u8>]| unpack(&packed(entries)).unwrap_err().0;
    for name in ["c/../../etc/passwd", "../c/Chart.yaml", "/etc/passwd", "c\\..\\..\\x", "C:\\x", "c/a/../../../x"] {
        let told = refused(&[entry(name, b'0', b"x")]);
        assert!(told.contains("illegally"), "{name}: {told}");
    }
    // Links and devices are nothing.
    for kind in *b"1234567" {
        assert_eq!(refused(&[entry("c/link", kind, b"")]), "no files in chart archive");
    }
    let large = vec![0; 6 << 20];
    assert!(refused(&[entry("c/large", b'0', &large)]).contains("larger than the maximum file size"));
    let piece = entry("c/piece", b'0', &large[..5 << 20]);
    assert!(refused(&vec![piece; 25]).contains("larger than the maximum size"));
    let empty = entry("c/e", b'0', b"");
    assert!(refused(&vec![empty; 60_000]).contains("an archive may have 50000 entries"));
    let mut lying = entry("c/lie", b'0', b"x");
    lying[124..135].copy_from_slice(b"77777777777");
    assert!(refused(&[lying]).contains("ends inside"));
    let path = format!("c/{}", "d/".repeat(1 << 20));
    let record = format!("path={path}x\n");
    let len = record.len() + 9;
    let pax = entry("c/pax", b'x', format!("{len} {record}").as_bytes());
    let told = unpack(&packed(&[pax, entry("c/short", b'0', b"x")]));
    assert!(told.is_err_and(|error| error.0.contains("name")), "a path of megabytes");
    assert!(unpack(b"no archive").is_err());
    assert!(unpack(&packed(&[entry("c/Chart.yaml", b'0', CHART.as_bytes())])).is_ok());
}

#[test]
fn charts_in_charts_are_bounded() {
    let mut inner = packed(&[entry("c/Chart.yaml", b'0', CHART.as_bytes())]);
    for _ in 0..70 {
        inner = packed(&[entry("c/Chart.yaml", b'0', CHART.as_bytes()), entry("c/charts/c.tgz", b'0', &inner)]);
    }
    let error = Chart::load(unpack(&inner).unwrap()).unwrap_err().to_string();
    assert!(error.contains("charts may lie 64 deep in charts"), "{error}");
}

#[test]
fn names_lead_nowhere() {
    for (own, told) in [
        ("name: ../../x", "is invalid"),
        ("name: a/b", "is invalid"),
        ("name: ..", "is not allowed"),
        ("name: .", "is not allowed"),
        ("name: c\ndependencies: [{name: x, alias: ../../x}]", "disallowed characters in the alias"),
        ("name: c\ndependencies: [{name: x, alias: a/b}]", "disallowed characters in the alias"),
    ] {
        let error = chart(&[("Chart.yaml", &format!("apiVersion: v2\nversion: 1.0.0\n{own}\n"))]).unwrap_err();
        assert!(error.contains(told), "{own}: {error}");
    }
    let files = [
        ("canary", "inside"),
        (
            "templates/a.yaml",
            "a: {{ .Files.Get \"../canary\" }}{{ .Files.Get \"./canary\" }}{{ .Files.Get \"/canary\" }}-{{ .Files.Get \"canary\" }}",
        ),
    ];
    assert!(run(&files, "", &[]).unwrap().contains("a: -inside"));
}

#[test]
fn patterns_take_time_that_stays_small() {
    let stars = format!("{}b", "*a".repeat(40));
    let name = "a".repeat(200);
    let begun = Instant::now();
    assert!(!Ignore::parse(&stars).unwrap().ignores(&name, false));
    let glob = format!("a: {{{{ range $p, $_ := .Files.Glob {:?} }}}}{{{{ $p }}}}{{{{ end }}}}", format!("{}b", "**a".repeat(40)));
    let out = run(&[(name.as_str(), "x"), ("templates/a.yaml", &glob)], "", &[]).unwrap();
    assert!(!out.contains(&name));
    let regex = template(&format!("{{{{ regexMatch \"^(a|aa)+$\" {:?} }}}}", format!("{}b", "a".repeat(5000)))).unwrap();
    assert!(regex.contains("false"));
    assert!(begun.elapsed().as_secs() < PATIENCE_S, "{:?}", begun.elapsed());
}
