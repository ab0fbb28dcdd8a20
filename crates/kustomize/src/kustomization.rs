//! Owns the kustomization file: its names, its fields, and what old forms of them become.

use plumb_world::{Diagnostic, Span};

use crate::args::{GeneratorArgs, GeneratorOptions, HelmChart, HelmGlobals, Image, Label, Patch, Replacement, Replica, SortOptions, Var};
use crate::decode::{Fields, Mode, Placed};
use crate::load::Loader;
use crate::problem::{Failure, Outcome, wrong};
use crate::run::Run;
use crate::tree::View;

/// The names a kustomization may have, in the order in which they are looked for.
pub(crate) const FILE_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// A kustomization, or a component.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kustomization<'a> {
    pub(crate) file_name: &'static str,
    pub(crate) is_component: bool,
    pub(crate) openapi: Option<OpenApi<'a>>,
    pub(crate) name_prefix: Placed<'a>,
    pub(crate) name_suffix: Placed<'a>,
    pub(crate) namespace: Placed<'a>,
    pub(crate) common_labels: Vec<(&'a str, Placed<'a>)>,
    pub(crate) labels: Vec<Label<'a>>,
    pub(crate) common_annotations: Vec<(&'a str, Placed<'a>)>,
    pub(crate) patches_strategic_merge: Vec<Placed<'a>>,
    pub(crate) patches_json6902: Vec<Patch<'a>>,
    pub(crate) patches: Vec<Patch<'a>>,
    pub(crate) images: Vec<Image<'a>>,
    pub(crate) replacements: Vec<Replacement<'a>>,
    pub(crate) replicas: Vec<Replica<'a>>,
    pub(crate) vars: Vec<Var<'a>>,
    pub(crate) sort_options: Option<SortOptions<'a>>,
    pub(crate) resources: Vec<Placed<'a>>,
    pub(crate) components: Vec<Placed<'a>>,
    pub(crate) crds: Vec<Placed<'a>>,
    pub(crate) config_maps: Vec<GeneratorArgs<'a>>,
    pub(crate) secrets: Vec<GeneratorArgs<'a>>,
    pub(crate) helm_globals: HelmGlobals<'a>,
    pub(crate) helm_charts: Vec<HelmChart<'a>>,
    pub(crate) generator_options: Option<GeneratorOptions<'a>>,
    pub(crate) configurations: Vec<Placed<'a>>,
    pub(crate) generators: Vec<Placed<'a>>,
    pub(crate) transformers: Vec<Placed<'a>>,
    pub(crate) validators: Vec<Placed<'a>>,
    pub(crate) build_metadata: Vec<Placed<'a>>,
}

/// Which schema decides how lists merge.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OpenApi<'a> {
    pub(crate) version: Option<Placed<'a>>,
    pub(crate) path: Option<Placed<'a>>,
}

impl<'a> Kustomization<'a> {
    /// Finds and reads the kustomization of a folder; `place` is who named the folder.
    pub(crate) fn load(loader: &Loader, run: &Run<'a>, place: Option<Span>) -> Outcome<Self> {
        let mut found = Vec::new();
        for name in FILE_NAMES {
            if let Some(file) = loader.own_file(run, name)? {
                found.push((name, file));
            }
        }
        let (name, file) = match found.len() {
            0 => {
                let message = format!(
                    "unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '{}'",
                    loader.root
                );
                return Err(wrong("no-kustomization", message, place).into());
            }
            1 => found.remove(0),
            _ => {
                let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
                let message = format!("Found multiple kustomization files under: {} ({})", loader.root, names.join(", "));
                return Err(wrong("several-kustomizations", message, place).hint("Keep one of them.").into());
            }
        };
        let text = file.text()?;
        let stream = run.texts.read(file.id, text);
        let whole = Span { file: file.id, start: 0, end: 0 };
        match stream.documents().next() {
            None => Err(empty(whole)),
            Some(Err(errors)) => Err(Failure::Wrong(
                errors
                    .iter()
                    .map(|error| {
                        let span = Span { file: file.id, start: error.span.start, end: error.span.end };
                        wrong("yaml-syntax", format!("invalid Kustomization: {error}"), Some(span))
                    })
                    .collect(),
            )),
            Some(Ok(document)) if document.is_empty() => Err(empty(whole)),
            Some(Ok(document)) => {
                let fields = Fields::open(run, View::Written(document.root()), "", Mode::Kustomization);
                Self::read(fields, name, whole)
            }
        }
    }

    fn read(mut fields: Fields<'_, '_, 'a>, file_name: &'static str, whole: Span) -> Outcome<Self> {
        let run = fields.run();
        fields.get("metadata");
        let (api_version, kind) = (fields.text("apiVersion"), fields.text("kind"));
        for field in DEPRECATED.iter().filter(|field| fields.has(field.name)) {
            run.warn(field.warning(fields.field_place(field.name)));
        }
        let old_charts = fields.list("helmChartInflationGenerator", HelmChart::read_old);
        let old_globals = old_charts.iter().fold(HelmGlobals::default(), |globals, (_, of_one)| HelmGlobals {
            chart_home: if of_one.chart_home.is_empty() { globals.chart_home } else { of_one.chart_home },
            config_home: if of_one.config_home.is_empty() { globals.config_home } else { of_one.config_home },
        });
        let mut read = Self {
            file_name,
            is_component: kind == "Component",
            openapi: fields.map("openapi", read_openapi),
            name_prefix: fields.placed("namePrefix"),
            name_suffix: fields.placed("nameSuffix"),
            namespace: fields.placed("namespace"),
            common_labels: fields.text_map("commonLabels"),
            labels: fields.list("labels", Label::read),
            common_annotations: fields.text_map("commonAnnotations"),
            patches_strategic_merge: fields.texts("patchesStrategicMerge"),
            patches_json6902: fields.list("patchesJson6902", Patch::read),
            patches: fields.list("patches", Patch::read),
            images: fields.list("images", Image::read),
            replacements: fields.list("replacements", Replacement::read),
            replicas: fields.list("replicas", Replica::read),
            vars: fields.list("vars", Var::read),
            sort_options: fields.map("sortOptions", SortOptions::read),
            resources: fields.texts("resources"),
            components: fields.texts("components"),
            crds: fields.texts("crds"),
            config_maps: fields.list("configMapGenerator", |fields| GeneratorArgs::read(fields, false)),
            secrets: fields.list("secretGenerator", |fields| GeneratorArgs::read(fields, true)),
            helm_globals: fields.map("helmGlobals", HelmGlobals::read).unwrap_or(old_globals),
            helm_charts: fields.list("helmCharts", HelmChart::read),
            generator_options: fields.map("generatorOptions", GeneratorOptions::read),
            configurations: fields.texts("configurations"),
            generators: fields.texts("generators"),
            transformers: fields.texts("transformers"),
            validators: fields.texts("validators"),
            build_metadata: fields.texts("buildMetadata"),
        };
        read.resources.extend(fields.texts("bases"));
        read.images.extend(fields.list("imageTags", Image::read));
        read.helm_charts.extend(old_charts.into_iter().map(|(chart, _)| chart));
        let says_something = fields.says_something(&["apiVersion", "kind"]);
        check_kind(&mut fields, api_version, kind);
        fields.close().or_else(|failure| run.note(failure))?;
        if says_something { Ok(read) } else { Err(empty(whole)) }
    }
}

fn empty(whole: Span) -> Failure {
    wrong("empty-kustomization", "kustomization.yaml is empty", Some(whole)).hint("Name what it builds in `resources`.").into()
}

fn read_openapi<'a>(mut fields: Fields<'_, '_, 'a>) -> Outcome<OpenApi<'a>> {
    // It is a map of texts that may have any keys; two of them are used.
    let entries = fields.all_texts();
    let find = |name: &str| entries.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    let read = OpenApi { version: find("version"), path: find("path") };
    fields.close()?;
    Ok(read)
}

/// Checks what the file says it is (`EnforceFields`).
fn check_kind(fields: &mut Fields<'_, '_, '_>, api_version: &str, kind: &str) {
    const VERSION: &str = "kustomize.config.k8s.io/v1beta1";
    const COMPONENT_VERSION: &str = "kustomize.config.k8s.io/v1alpha1";
    if !matches!(kind, "" | "Kustomization" | "Component") {
        fields.wrong("kind should be Kustomization or Component");
    }
    let wanted = if kind == "Component" { COMPONENT_VERSION } else { VERSION };
    if !api_version.is_empty() && api_version != wanted {
        let kind = if kind.is_empty() { "Kustomization" } else { kind };
        fields.wrong(format!("apiVersion for {kind} should be {wanted}"));
    }
}

/// A field that still works and has a newer form.
struct Deprecated {
    name: &'static str,
    instead: &'static str,
    experimental: bool,
}

const DEPRECATED: [Deprecated; 6] = [
    Deprecated { name: "bases", instead: "resources", experimental: false },
    Deprecated { name: "commonLabels", instead: "labels", experimental: false },
    Deprecated { name: "imageTags", instead: "images", experimental: false },
    Deprecated { name: "patchesJson6902", instead: "patches", experimental: false },
    Deprecated { name: "patchesStrategicMerge", instead: "patches", experimental: false },
    Deprecated { name: "vars", instead: "replacements", experimental: true },
];

impl Deprecated {
    /// kustomize's own words, which the drop-in command prints as they are.
    fn warning(&self, place: Option<Span>) -> Diagnostic {
        let stage = if self.experimental { "[EXPERIMENTAL] " } else { "" };
        let message = format!(
            "'{}' is deprecated. Please use '{}' instead. {stage}Run 'kustomize edit fix' to update your Kustomization automatically.",
            self.name, self.instead
        );
        let warning = Diagnostic::warning("deprecated-field", message);
        match place {
            Some(place) => warning.at(place, ""),
            None => warning,
        }
    }
}
