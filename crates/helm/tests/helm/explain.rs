//! Owns the tests of what is said of fields, of values that nobody reads, and of charts that do not render, on charts small enough to be read here.

use std::cell::RefCell;

use plumb_helm::{Chart, Explained, Field, File, Form, Named, Options, Reason, Setting, ValuesFile, diagnose, explain};
use plumb_world::{Diagnostic, FileId, Span};

use crate::host::NoHost;

const DEFINITION: &str = "apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: \"9\"\n";
const VALUES: &str = "image:\n  repository: nginx\n  tag: \"1.0\"\nreplicas: 1\ningress:\n  enabled: false\nlabels: {}\n";
const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include \"name\" . }}
  labels: {{- toYaml .Values.labels | nindent 4 }}
spec:
  {{- if not .Values.autoscaling }}
  replicas: {{ .Values.replicas }}
  {{- end }}
  template:
    spec:
      containers:
      - name: web
        image: \"{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}\"
        args: [\"--level\", {{ .Values.level | default \"info\" | quote }}]
";
const INGRESS: &str = "{{ if .Values.ingress.enabled }}\nkind: Ingress\nmetadata: {name: web}\n{{ end }}\n";
const HELPERS: &str = "{{ define \"name\" }}{{ .Release.Name }}-{{ .Chart.Name }}{{ end }}\n";

/// What a chart is rendered with.
#[derive(Default)]
struct Given<'g> {
    files: Vec<(&'g str, &'g str)>,
    values: Vec<ValuesFile>,
    arguments: Vec<(Form, String)>,
}

impl<'g> Given<'g> {
    fn usual() -> Self {
        let files = vec![
            ("Chart.yaml", DEFINITION),
            ("values.yaml", VALUES),
            ("templates/deployment.yaml", DEPLOYMENT),
            ("templates/ingress.yaml", INGRESS),
            ("templates/_helpers.tpl", HELPERS),
        ];
        Self { files, ..Self::default() }
    }

    fn file(mut self, name: &'g str, text: &'g str) -> Self {
        self.files.retain(|(known, _)| *known != name);
        self.files.push((name, text));
        self
    }

    fn values(mut self, name: &str, text: &str) -> Self {
        self.values.push(ValuesFile { name: name.to_owned(), content: text.as_bytes().into(), secret: false });
        self
    }

    fn set(mut self, form: Form, text: &str) -> Self {
        self.arguments.push((form, text.to_owned()));
        self
    }

    fn chart(&self) -> Chart {
        let file = |(name, text): &(&str, &str)| File { name: (*name).to_owned(), data: text.as_bytes().into() };
        Chart::load(self.files.iter().map(file).collect()).unwrap()
    }

    fn with<T>(&self, run: impl FnOnce(&Chart, &Options<'_>) -> T) -> T {
        let names: RefCell<Vec<String>> = RefCell::default();
        let named = |name: &str, _: &File| {
            let mut names = names.borrow_mut();
            let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
                names.push(name.to_owned());
                names.len() - 1
            });
            Some(FileId(u32::try_from(at).unwrap()))
        };
        let named: &Named<'_> = &named;
        let options =
            Options { release: "rel", values: &self.values, arguments: &self.arguments, trace: Some(named), ..Options::default() };
        run(&self.chart(), &options)
    }

    fn explained(&self) -> Asked {
        Asked(self.with(|chart, options| explain(chart, options, &mut NoHost)).unwrap())
    }

    fn diagnosed(&self) -> Vec<Diagnostic> {
        self.with(|chart, options| diagnose(chart, options, &mut NoHost))
    }
}

struct Asked(Explained);

impl Asked {
    fn field(&self, object: &str, path: &str) -> &Field {
        let object = self.0.find(object).unwrap()[0];
        self.0.fields(object, path).unwrap()[0]
    }

    fn why(&self, path: &str) -> Reason {
        self.0.why(self.field("deploy/rel-web", path))
    }

    fn place(&self, place: Span) -> String {
        let position = self.0.position(place);
        format!("{}:{}:{}", self.0.source(place).unwrap().name, position.line, position.column)
    }

    fn setting(&self, setting: &Setting) -> String {
        let place = setting.place.map_or("nobody".to_owned(), |place| self.place(place));
        let over: Vec<String> = setting.overridden.iter().map(|place| self.place(*place)).collect();
        format!("{}: {place} over [{}]", setting.key, over.join(", "))
    }

    fn values(&self, path: &str) -> Vec<String> {
        self.why(path).values.iter().map(|setting| self.setting(setting)).collect()
    }

    fn unread(&self) -> Vec<(String, String, Option<String>)> {
        let told = self.0.unread().into_iter();
        told.map(|unread| (self.place(unread.place), unread.key, unread.meant.or(unread.disabled))).collect()
    }
}

#[test]
fn a_value_names_who_set_it_and_whom_that_overrode() {
    let asked = Given::usual().values("prod.yaml", "replicas: 2\n").values("eu.yaml", "replicas: 3\n").explained();
    assert_eq!(asked.values("spec.replicas"), ["replicas: eu.yaml:1:11 over [prod.yaml:1:11, values.yaml:4:11]"]);
    let asked = Given::usual().values("prod.yaml", "replicas: 2\n").set(Form::Typed, "a=b,replicas=4").explained();
    assert_eq!(asked.values("spec.replicas"), ["replicas: --set[0]:1:14 over [prod.yaml:1:11, values.yaml:4:11]"]);
    let asked = Given::usual().set(Form::Json, "{\"image\": {\"tag\": \"2\"}}").explained();
    assert_eq!(asked.values("spec.template.spec.containers[0].image")[1], "image.tag: --set-json[0]:1:1 over [values.yaml:3:8]");
}

#[test]
fn a_value_that_nobody_sets_is_named() {
    let asked = Given::usual().explained();
    assert_eq!(asked.values("spec.template.spec.containers[0].args[1]"), ["level: nobody over []"]);
    let pieces = asked.why("spec.template.spec.containers[0].args[1]").pieces;
    assert_eq!(pieces.iter().map(|piece| asked.place(piece.places[0])).collect::<Vec<_>>(), ["templates/deployment.yaml:15:55"]);
    assert!(pieces[0].exact);
}

#[test]
fn a_value_that_was_taken_away_names_by_whom() {
    let asked = Given::usual().values("prod.yaml", "image:\n  tag: null\n").explained();
    let told = asked.values("spec.template.spec.containers[0].image");
    assert!(told.contains(&"image.tag: nobody over [prod.yaml:2:8, values.yaml:3:8]".to_owned()), "{told:?}");
}

#[test]
fn parts_of_a_text_have_places_of_their_own() {
    let asked = Given::usual().explained();
    let reason = asked.why("spec.template.spec.containers[name=web].image");
    let places: Vec<String> = reason.pieces.iter().map(|piece| asked.place(piece.places[0])).collect();
    assert_eq!(places, ["values.yaml:2:15", "templates/deployment.yaml:14:47", "values.yaml:3:8"]);
    let reason = asked.why("metadata.name");
    let sites: Vec<String> = reason.steps.iter().map(|step| asked.place(step.site)).collect();
    assert_eq!(sites, ["templates/deployment.yaml:4:12", "templates/_helpers.tpl:1:23", "templates/_helpers.tpl:1:43"]);
    assert_eq!(asked.values("metadata.name"), ["name: release:1:7 over []", "name: Chart.yaml:2:7 over []"]);
}

#[test]
fn conditions_are_told_with_their_values() {
    let asked = Given::usual().explained();
    let reason = asked.why("spec.replicas");
    let [condition] = reason.conditions.as_slice() else { panic!("{:?}", reason.conditions) };
    assert_eq!((condition.word, condition.text.as_str(), condition.held), ("if", "not .Values.autoscaling", true));
    assert_eq!(asked.setting(&condition.values[0]), "autoscaling: nobody over []");
}

#[test]
fn what_is_not_there_is_answered() {
    let asked = Given::usual().set(Form::Typed, "autoscaling=true").explained();
    let object = asked.0.find("Deployment/rel-web").unwrap()[0];
    let missing = asked.0.fields(object, "spec.replicas").unwrap_err();
    assert_eq!(missing.left_out.len(), 1);
    assert_eq!(asked.place(missing.left_out[0].site), "templates/deployment.yaml:7:10");
    assert_eq!(asked.0.fields(object, "spec.tempate").unwrap_err().meant.as_deref(), Some("spec.template"));
    assert_eq!(asked.0.find("deploy/rel-wbe").unwrap_err().meant.as_deref(), Some("Deployment/rel-web"));
    let missing = asked.0.find("ing/web").unwrap_err();
    assert_eq!(missing.left_out[0].text, ".Values.ingress.enabled");
    assert_eq!(asked.setting(&missing.left_out[0].values[0]), "ingress.enabled: values.yaml:6:12 over []");
}

#[test]
fn a_misspelt_key_gets_a_suggestion_and_others_none() {
    let asked =
        Given::usual().values("prod.yaml", "image:\n  tga: \"2\"\nreplcas: 3\nlabels:\n  team: a\ningress:\n  enabled: true\n").explained();
    let suggested = |key: &str| Some(key.to_owned());
    assert_eq!(
        asked.unread(),
        [
            ("prod.yaml:2:3".to_owned(), "image.tga".to_owned(), suggested("image.tag")),
            ("prod.yaml:3:1".to_owned(), "replcas".to_owned(), suggested("replicas")),
        ]
    );
    // What is overridden is read, and so is what a block has that was not taken.
    let asked = Given::usual().values("a.yaml", "replicas: 2\n").values("b.yaml", "replicas: 3\nautoscaling: true\n").explained();
    assert_eq!(asked.unread(), []);
    let asked = Given::usual().set(Form::Typed, "image.tga=2").explained();
    assert_eq!(asked.unread(), [("--set[0]:1:1".to_owned(), "image.tga".to_owned(), suggested("image.tag"))]);
}

#[test]
fn values_of_a_chart_that_does_not_take_part_say_so() {
    let definition = "apiVersion: v2\nname: web\nversion: 1.2.3\ndependencies:\n- {name: db, version: 1.0.0, condition: db.enabled}\n";
    let given = Given::usual()
        .file("Chart.yaml", definition)
        .file("charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n")
        .file("charts/db/values.yaml", "size: 1\n")
        .file("charts/db/templates/a.yaml", "kind: Db\nmetadata: {name: db}\nsize: {{ .Values.size }}\n");
    let asked = Given { files: given.files.clone(), ..Given::default() }.values("p.yaml", "db:\n  enabled: false\n  size: 2\n").explained();
    assert_eq!(asked.unread(), [("p.yaml:1:1".to_owned(), "db".to_owned(), Some("db".to_owned()))]);
    let asked = given.values("p.yaml", "db:\n  enabled: true\n  size: 2\n").explained();
    assert_eq!(asked.unread(), []);
    let reason = asked.0.why(asked.field("db/db", "size"));
    assert_eq!(asked.setting(&reason.values[0]), "db.size: p.yaml:3:9 over [charts/db/values.yaml:1:7]");
    assert_eq!((reason.conditions[0].word, reason.conditions[0].text.as_str()), ("condition", "db.enabled"));
}

#[test]
fn a_value_that_is_missing_is_named_with_the_way_to_it() {
    let given = Given::usual()
        .file("templates/a.yaml", "{{ include \"b\" . }}")
        .file("templates/_b.tpl", "{{ define \"b\" }}\nx: {{ .Values.imag.tag }}\n{{ end }}");
    let told = given.diagnosed();
    let [diagnostic] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(diagnostic.labels.len(), 2, "{diagnostic:?}");
    assert_eq!(diagnostic.hints, ["Nobody sets `imag`; there is `image`."]);
}

#[test]
fn what_would_line_up_is_told() {
    let labels = "kind: A\nmetadata:\n  name: a\n  labels:\n    x: y\n{{ toYaml .Values.image | nindent 3 }}\n    z: w\n";
    let told = Given::usual().file("templates/a.yaml", labels).diagnosed();
    let hints = told[0].hints.join("\n");
    assert!(hints.contains("`nindent 4` would line up"), "{hints}");
    assert!(hints.contains("|    repository: nginx"), "{hints}");
    let included = "kind: A\nmetadata:\n  name: a\n  {{- include \"l\" . | nindent 4 }}\n";
    let helper = "{{ define \"l\" -}}\nx: y\nz: {{ .Values.replicas }}\n{{- end }}";
    let told = Given::usual().file("templates/a.yaml", included).file("templates/_l.tpl", helper).diagnosed();
    assert!(told[0].hints.join("\n").contains("`nindent 2` would line up: `include \"l\" . | nindent 4`"), "{:?}", told[0].hints);
    let colon = "kind: A\nmetadata:\n  name: {{ .Values.image.repository }}\n";
    let told = Given::usual().file("templates/a.yaml", colon).set(Form::Text, "image.repository=a: b").diagnosed();
    assert!(told[0].hints.join("\n").contains("{{ .Values.image.repository | quote }}"), "{:?}", told[0].hints);
    assert!(Given::usual().diagnosed().is_empty());
}
