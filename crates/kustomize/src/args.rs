//! Owns what steps of a kustomization are asked to do (`api/types`): read from a kustomization's fields or from an object that configures a plugin.

use plumb_world::Span;

use crate::decode::{Fields, Mode, Placed};
use crate::id::Gvk;
use crate::problem::Outcome;
use crate::run::Run;
use crate::tree::{Node, View};

/// Where a step writes: a path in objects of a kind (`FieldSpec`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FieldSpec<'a> {
    pub(crate) gvk: Gvk<'a>,
    pub(crate) path: &'a str,
    pub(crate) create: bool,
}

/// Which objects are meant (`Selector`): regular expressions that match as a whole, and label selectors. Empty texts match anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Selector<'a> {
    pub(crate) gvk: Gvk<'a>,
    pub(crate) name: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) labels: &'a str,
    pub(crate) annotations: &'a str,
    pub(crate) place: Option<Span>,
}

/// A patch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patch<'a> {
    pub(crate) path: Placed<'a>,
    pub(crate) patch: Placed<'a>,
    pub(crate) target: Option<Selector<'a>>,
    pub(crate) allow_name_change: bool,
    pub(crate) allow_kind_change: bool,
    pub(crate) place: Option<Span>,
}

/// Labels to set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Label<'a> {
    pub(crate) pairs: Vec<(&'a str, Placed<'a>)>,
    pub(crate) include_selectors: bool,
    pub(crate) include_templates: bool,
    pub(crate) fields: Vec<FieldSpec<'a>>,
    pub(crate) place: Option<Span>,
}

/// A new name, tag or digest of an image.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Image<'a> {
    pub(crate) name: &'a str,
    pub(crate) new_name: &'a str,
    pub(crate) tag_suffix: &'a str,
    pub(crate) new_tag: &'a str,
    pub(crate) digest: &'a str,
    pub(crate) place: Option<Span>,
    /// Where it says what the image becomes.
    pub(crate) says: Option<Span>,
}

/// A number of replicas.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Replica<'a> {
    pub(crate) name: &'a str,
    pub(crate) count: i64,
    pub(crate) place: Option<Span>,
    /// Where it says how many.
    pub(crate) says: Option<Span>,
}

/// How a part of a field is taken or replaced.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FieldOptions<'a> {
    pub(crate) delimiter: &'a str,
    pub(crate) index: i64,
    pub(crate) create: bool,
}

/// Where a replacement takes its value.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SourceSelector<'a> {
    pub(crate) gvk: Gvk<'a>,
    pub(crate) name: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) field_path: &'a str,
    pub(crate) options: Option<FieldOptions<'a>>,
    pub(crate) place: Option<Span>,
}

/// Where a replacement puts its value.
#[derive(Clone, Debug, Default)]
pub(crate) struct TargetSelector<'a> {
    pub(crate) select: Option<Selector<'a>>,
    pub(crate) reject: Vec<Selector<'a>>,
    pub(crate) field_paths: Vec<Placed<'a>>,
    pub(crate) options: Option<FieldOptions<'a>>,
    pub(crate) place: Option<Span>,
}

/// A replacement, or the path of a file with some.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replacement<'a> {
    pub(crate) source: Option<SourceSelector<'a>>,
    pub(crate) source_value: Option<&'a str>,
    pub(crate) targets: Vec<TargetSelector<'a>>,
    pub(crate) path: Placed<'a>,
    pub(crate) place: Option<Span>,
}

/// What generated objects get.
#[derive(Clone, Debug, Default)]
pub(crate) struct GeneratorOptions<'a> {
    pub(crate) labels: Vec<(&'a str, Placed<'a>)>,
    pub(crate) annotations: Vec<(&'a str, Placed<'a>)>,
    pub(crate) disable_name_suffix_hash: bool,
    pub(crate) immutable: bool,
}

/// A ConfigMap or Secret to generate.
#[derive(Clone, Debug, Default)]
pub(crate) struct GeneratorArgs<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
    pub(crate) behavior: &'a str,
    pub(crate) literals: Vec<Placed<'a>>,
    pub(crate) files: Vec<Placed<'a>>,
    pub(crate) envs: Vec<Placed<'a>>,
    pub(crate) options: Option<GeneratorOptions<'a>>,
    /// Of a Secret.
    pub(crate) secret_type: &'a str,
    pub(crate) place: Option<Span>,
}

/// A var: a value of an object, put where `$(NAME)` stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Var<'a> {
    pub(crate) name: &'a str,
    pub(crate) gvk: Gvk<'a>,
    pub(crate) object: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) field_path: &'a str,
    pub(crate) place: Option<Span>,
}

/// The order of what is printed.
#[derive(Clone, Debug, Default)]
pub(crate) struct SortOptions<'a> {
    pub(crate) order: &'a str,
    /// The kinds that come first and last, if they are not the usual ones.
    pub(crate) legacy: Option<(Vec<&'a str>, Vec<&'a str>)>,
    pub(crate) place: Option<Span>,
}

/// A chart to inflate.
#[derive(Clone, Debug, Default)]
pub(crate) struct HelmChart<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) repo: &'a str,
    pub(crate) release_name: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) additional_values_files: Vec<Placed<'a>>,
    pub(crate) values_file: Placed<'a>,
    pub(crate) values_inline: Option<Node<'a>>,
    pub(crate) values_merge: &'a str,
    pub(crate) include_crds: bool,
    pub(crate) skip_hooks: bool,
    pub(crate) skip_tests: bool,
    pub(crate) api_versions: Vec<Placed<'a>>,
    pub(crate) kube_version: &'a str,
    pub(crate) name_template: &'a str,
    pub(crate) place: Option<Span>,
}

/// Where charts and Helm's configuration are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HelmGlobals<'a> {
    pub(crate) chart_home: &'a str,
    pub(crate) config_home: &'a str,
}

fn gvk<'a>(fields: &mut Fields<'_, '_, 'a>) -> Gvk<'a> {
    Gvk { group: fields.text("group"), version: fields.text("version"), kind: fields.text("kind") }
}

impl<'a> FieldSpec<'a> {
    pub(crate) fn read(mut fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        let read = Self { gvk: gvk(&mut fields), path: fields.text("path"), create: fields.truth("create") };
        fields.close()?;
        Ok(read)
    }
}

impl<'a> Selector<'a> {
    pub(crate) fn read(mut fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        let read = Self {
            gvk: gvk(&mut fields),
            name: fields.text("name"),
            namespace: fields.text("namespace"),
            labels: fields.text("labelSelector"),
            annotations: fields.text("annotationSelector"),
            place: fields.place(),
        };
        fields.close()?;
        Ok(read)
    }
}

impl<'a> Patch<'a> {
    pub(crate) fn read(mut fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        let (allow_name_change, allow_kind_change) = fields.map("options", read_patch_options).unwrap_or_default();
        let read = Self {
            path: fields.placed("path"),
            patch: fields.placed("patch"),
            target: fields.map("target", Selector::read),
            allow_name_change,
            allow_kind_change,
            place: fields.place(),
        };
        fields.close()?;
        Ok(read)
    }
}

fn read_patch_options(mut fields: Fields<'_, '_, '_>) -> Outcome<(bool, bool)> {
    let read = (fields.truth("allowNameChange"), fields.truth("allowKindChange"));
    fields.close()?;
    Ok(read)
}

impl<'a> Label<'a> {
    pub(crate) fn read(mut fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        let read = Self {
            pairs: fields.text_map("pairs"),
            include_selectors: fields.truth("includeSelectors"),
            include_templates: fields.truth("includeTemplates"),
            fields: fields.list("fields", FieldSpec::read),
            place: fields.place(),
        };
        fields.close()?;
        Ok(read)
    }
}

impl<'a> Image<'a> {
    pub(crate) fn read(mut fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        let read = Self {
            name: fields.text("name"),
            new_name: fields.text("newName"),
            tag_suffix: fields.text("tagSuffix"),
            new_tag: fields.text("newTag"),
            digest: fields.text("digest"),
            place: fields.place(),
            says: None,
        };
        let says = ["newTag", "digest", "newName", "tagSuffix"].into_iter().find_map(|key| fields.place_of(key));
        let read = Self { says: says.or(read.place), ..read };
        fields.close()?;
        Ok(read)
    }
}

impl<'a> Replica<'a> {
    pub(crate) fn read(mut fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        let (place, says) = (fields.place(), fields.place_of("count"));
        let read = Self { name: fields.text("name"), count: fields.int("count"), place, says: says.or(place) };
        fields.close()?;
        Ok(read)
    }
}

impl<'a> FieldOptions<'a> {
    pub(crate) fn read(mut fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        // kustomize takes it and does nothing with it.
        fields.text("encoding");
        let read = Self { delimiter: fields.text("delimiter"), index: fields.int("index"), create: fields.truth("create") };
        fields.close()?;
        Ok(read)
    }
}

impl<'a> SourceSelector<'a> {
    pub(crate) fn read(mut fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        let read = Self {
            gvk: gvk(&mut fields),
            name: fields.text("name"),
            namespace: fields.text("namespace"),
            field_path: fields.text("fieldPath"),
            options: fields.map("options", FieldOptions::read),
            place: fields.place(),
        };
        fields.close()?;
        Ok(read)
    }
}

impl<'a> TargetSelector<'a> {
    pub(crate) fn read(mut fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        let read = Self {
            select: fields.map("select", Selector::read),
            reject: fields.list("reject", Selector::read),
            field_paths: fields.texts("fieldPaths"),
            options: fields.map("options", FieldOptions::read),
            place: fields.place(),
        };
        fields.close()?;
        Ok(read)
    }
}

impl<'a> Replacement<'a> {
    pub(crate) fn read(mut fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        let read = Self {
            source: fields.map("source", SourceSelector::read),
            source_value: fields.text_if_any("sourceValue"),
            targets: fields.list("targets", TargetSelector::read),
            path: fields.placed("path"),
            place: fields.place(),
        };
        fields.close()?;
        Ok(read)
    }

    /// Reads a file of replacements: one, or a list of them.
    pub(crate) fn read_file(run: &Run<'a>, view: View<'_, 'a>) -> Outcome<Vec<Self>> {
        let views: Vec<View<'_, 'a>> = if view.kind() == crate::tree::Kind::List { view.items().collect() } else { vec![view] };
        crate::problem::all(views.into_iter().map(|view| Self::read(Fields::open(run, view, "a replacement", Mode::Plugin))))
    }
}

impl<'a> GeneratorOptions<'a> {
    pub(crate) fn read(mut fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        let read = Self {
            labels: fields.text_map("labels"),
            annotations: fields.text_map("annotations"),
            disable_name_suffix_hash: fields.truth("disableNameSuffixHash"),
            immutable: fields.truth("immutable"),
        };
        fields.close()?;
        Ok(read)
    }
}

impl<'a> GeneratorArgs<'a> {
    /// Reads what a ConfigMap's generator or a Secret's (which has a type too) is given.
    pub(crate) fn read(mut fields: Fields<'_, '_, 'a>, secret: bool) -> Outcome<Self> {
        let mut envs = fields.texts("envs");
        let env = fields.placed("env");
        if !env.text.is_empty() {
            envs.push(env);
        }
        let mut read = Self {
            namespace: fields.text("namespace"),
            name: fields.text("name"),
            behavior: fields.text("behavior"),
            literals: fields.texts("literals"),
            files: fields.texts("files"),
            envs,
            options: fields.map("options", GeneratorOptions::read),
            secret_type: "",
            place: fields.place(),
        };
        if secret {
            read.secret_type = fields.text("type");
        }
        fields.close()?;
        Ok(read)
    }
}

impl<'a> Var<'a> {
    pub(crate) fn read(mut fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        let name = fields.text("name");
        let place = fields.place();
        let (gvk, object, namespace) = fields.map("objref", read_var_target).unwrap_or_default();
        let field_path = fields.map("fieldref", read_field_path).filter(|path| !path.is_empty()).unwrap_or("metadata.name");
        fields.close()?;
        Ok(Self { name, gvk, object, namespace, field_path, place })
    }
}

fn read_var_target<'a>(mut fields: Fields<'_, '_, 'a>) -> Outcome<(Gvk<'a>, &'a str, &'a str)> {
    let mut gvk = gvk(&mut fields);
    let api_version = fields.text("apiVersion");
    let parts: Vec<&str> = api_version.split('/').collect();
    match parts.as_slice() {
        _ if api_version.is_empty() => {}
        [version] => gvk.version = version,
        [group, version] => (gvk.group, gvk.version) = (group, version),
        _ => {}
    }
    let read = (gvk, fields.text("name"), fields.text("namespace"));
    fields.close()?;
    Ok(read)
}

fn read_field_path<'a>(mut fields: Fields<'_, '_, 'a>) -> Outcome<&'a str> {
    let path = fields.text("fieldPath");
    fields.close()?;
    Ok(path)
}

impl<'a> SortOptions<'a> {
    pub(crate) fn read(mut fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        let read = Self { order: fields.text("order"), legacy: fields.map("legacySortOptions", read_legacy_order), place: fields.place() };
        fields.close()?;
        Ok(read)
    }
}

fn read_legacy_order<'a>(mut fields: Fields<'_, '_, 'a>) -> Outcome<(Vec<&'a str>, Vec<&'a str>)> {
    let names = |texts: Vec<Placed<'a>>| texts.into_iter().map(|placed| placed.text).collect();
    let read = (names(fields.texts("orderFirst")), names(fields.texts("orderLast")));
    fields.close()?;
    Ok(read)
}

impl<'a> HelmGlobals<'a> {
    pub(crate) fn read(mut fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        let read = Self { chart_home: fields.text("chartHome"), config_home: fields.text("configHome") };
        fields.close()?;
        Ok(read)
    }
}

impl<'a> HelmChart<'a> {
    pub(crate) fn read(mut fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        let read = Self::read_open(&mut fields);
        fields.close()?;
        Ok(read)
    }

    /// Reads a chart's fields of a map that may have more.
    pub(crate) fn read_open(fields: &mut Fields<'_, '_, 'a>) -> Self {
        // What they ask of the `helm` command has no meaning where the chart is rendered in process.
        fields.truth("debug");
        fields.truth("devel");
        Self {
            name: fields.text("name"),
            version: fields.text("version"),
            repo: fields.text("repo"),
            release_name: fields.text("releaseName"),
            namespace: fields.text("namespace"),
            additional_values_files: fields.texts("additionalValuesFiles"),
            values_file: fields.placed("valuesFile"),
            values_inline: fields.get("valuesInline").map(View::to_node),
            values_merge: fields.text("valuesMerge"),
            include_crds: fields.truth("includeCRDs"),
            skip_hooks: fields.truth("skipHooks"),
            skip_tests: fields.truth("skipTests"),
            api_versions: fields.texts("apiVersions"),
            kube_version: fields.text("kubeVersion"),
            name_template: fields.text("nameTemplate"),
            place: fields.place(),
        }
    }

    /// Reads the old form (`HelmChartArgs`), and what it says of all charts.
    pub(crate) fn read_old(mut fields: Fields<'_, '_, 'a>) -> Outcome<(Self, HelmGlobals<'a>)> {
        let globals = HelmGlobals { chart_home: fields.text("chartHome"), config_home: fields.text("helmHome") };
        let chart = Self {
            name: fields.text("chartName"),
            version: fields.text("chartVersion"),
            repo: fields.text("chartRepoUrl"),
            release_name: fields.text("releaseName"),
            values_file: fields.placed("values"),
            values_inline: fields.get("valuesLocal").map(View::to_node),
            values_merge: fields.text("valuesMerge"),
            place: fields.place(),
            ..Self::default()
        };
        // Read and not used, as kustomize does.
        for unused in ["chartRepoName", "helmBin", "releaseNamespace"] {
            fields.text(unused);
        }
        fields.texts("extraArgs");
        fields.close()?;
        Ok((chart, globals))
    }
}
