//! Owns which generators and transformers run, and in which order: those of a kustomization's own fields, and those that objects configure
//! (`kusttarget_configplugin.go`, `plugins/loader`).

use std::sync::Arc;

use plumb_world::{SourceFile, Span};

use crate::args::{FieldSpec, Image, Patch, Replacement, Replica};
use crate::config::{List, TransformerConfig};
use crate::decode::{Fields, Mode, Placed};
use crate::fieldspec::{merge_all, merge_one};
use crate::generators::{self, helm};
use crate::id::Gvk;
use crate::load::Loader;
use crate::metadata::Provenance;
use crate::objects::read_objects;
use crate::problem::{Failure, Outcome, all, wrong};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::run::Run;
use crate::target::Target;
use crate::transformers::affixes::{self, AffixArgs, Side};
use crate::transformers::entries::{self, EntriesArgs};
use crate::transformers::namespace::{self, NamespaceArgs, Subjects};
use crate::tree::Stamp;
use crate::{hash, iam, images, patches, replacements, replicas, value_add};

/// What a transformer does.
#[derive(Clone, Debug)]
enum Kind<'a> {
    PatchesStrategicMerge(Vec<Placed<'a>>),
    Patches(Vec<Patch<'a>>),
    PatchesJson6902(Vec<Patch<'a>>),
    Namespace(NamespaceArgs<'a>),
    Affix(AffixArgs<'a>),
    /// A prefix and a suffix from one configuration.
    Affixes(AffixArgs<'a>, AffixArgs<'a>),
    Entries(EntriesArgs<'a>),
    Replica(Replica<'a>, Vec<FieldSpec<'a>>),
    Images(Vec<Image<'a>>, Vec<FieldSpec<'a>>),
    Replacements(Vec<Replacement<'a>>),
    Hash,
    ValueAdd(value_add::Config<'a>),
}

/// A transformer that is ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Step<'a> {
    /// kustomize's name of it.
    name: &'static str,
    kind: Kind<'a>,
    /// The object that configures it; none of those of the kustomization's own fields.
    plugin: Option<Resource<'a>>,
}

/// Objects that a generator made, and who it is.
pub(crate) struct Generated<'a> {
    pub(crate) resources: Resources<'a>,
    pub(crate) stamp: Stamp,
}

impl<'a> Step<'a> {
    fn own(name: &'static str, kind: Kind<'a>) -> Self {
        Self { name, kind, plugin: None }
    }

    /// Carries it out.
    pub(crate) fn apply(&self, loader: &Loader, resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
        match &self.kind {
            Kind::PatchesStrategicMerge(paths) => patches::apply_strategic(paths, loader, resources, run),
            Kind::Patches(list) => patches::apply(list, loader, resources, run),
            Kind::PatchesJson6902(list) => patches::apply_json6902(list, loader, resources, run),
            Kind::Namespace(args) => namespace::apply(args, resources, run),
            Kind::Affix(args) => affixes::apply(args, resources, run),
            Kind::Affixes(prefix, suffix) => {
                affixes::apply(prefix, resources, run)?;
                affixes::apply(suffix, resources, run)
            }
            Kind::Entries(args) => entries::apply(args, resources, run),
            Kind::Replica(replica, specs) => replicas::apply(replica, specs, resources, run),
            Kind::Images(list, specs) => images::apply(list, specs, resources, run),
            Kind::Replacements(list) => replacements::apply(list, resources, run),
            Kind::Hash => hash::apply(resources, run),
            Kind::ValueAdd(args) => value_add::apply(args, resources, run, &|resource, namespace| {
                namespace::apply_to(&NamespaceArgs { namespace, ..NamespaceArgs::default() }, resource, run)
            }),
        }
    }

    /// Returns what `transformerAnnotations` says of it.
    pub(crate) fn provenance(&self, of_kustomization: &Provenance, file_name: &str, run: &Run<'a>) -> Outcome<Option<Provenance>> {
        match &self.plugin {
            None => Ok(Some(of_kustomization.of_builtin(file_name, self.name))),
            Some(plugin) => Provenance::of_plugin(plugin, run),
        }
    }
}

/// Returns the transformers of a kustomization's own fields, in kustomize's order.
pub(crate) fn own<'a>(target: &Target<'a>, config: &TransformerConfig<'a>, run: &Run<'a>) -> Outcome<Vec<Step<'a>>> {
    let kustomization = &target.kustomization;
    let mut steps = Vec::new();
    if !kustomization.patches_strategic_merge.is_empty() {
        let paths = kustomization.patches_strategic_merge.clone();
        steps.push(Step::own("PatchStrategicMergeTransformer", Kind::PatchesStrategicMerge(paths)));
    }
    steps.extend(kustomization.patches.iter().map(|patch| Step::own("PatchTransformer", Kind::Patches(vec![patch.clone()]))));
    if !kustomization.namespace.text.is_empty() {
        let args = NamespaceArgs {
            namespace: kustomization.namespace.text,
            fields: config.namespace.clone(),
            unset_only: false,
            subjects: Subjects::Default,
            place: kustomization.namespace.place,
        };
        steps.push(Step::own("NamespaceTransformer", Kind::Namespace(args)));
    }
    let affixes = [
        ("PrefixTransformer", Side::Prefix, kustomization.name_prefix, &config.name_prefix),
        ("SuffixTransformer", Side::Suffix, kustomization.name_suffix, &config.name_suffix),
    ];
    for (name, side, affix, fields) in affixes.into_iter().filter(|(_, _, affix, _)| !affix.text.is_empty()) {
        let args = AffixArgs { side, text: affix.text, fields: fields.clone(), place: affix.place };
        steps.push(Step::own(name, Kind::Affix(args)));
    }
    labels(target, config, run, &mut steps)?;
    if !kustomization.common_annotations.is_empty() {
        let args = EntriesArgs {
            by: "commonAnnotations",
            pairs: kustomization.common_annotations.clone(),
            fields: config.common_annotations.clone(),
            place: None,
        };
        steps.push(Step::own("AnnotationsTransformer", Kind::Entries(args)));
    }
    let json = kustomization.patches_json6902.iter();
    steps.extend(json.map(|patch| Step::own("PatchJson6902Transformer", Kind::PatchesJson6902(vec![patch.clone()]))));
    let replicas = kustomization.replicas.iter();
    steps.extend(replicas.map(|replica| Step::own("ReplicaCountTransformer", Kind::Replica(*replica, config.replicas.to_vec()))));
    let images = kustomization.images.iter();
    steps.extend(images.map(|image| Step::own("ImageTagTransformer", Kind::Images(vec![*image], config.images.to_vec()))));
    if !kustomization.replacements.is_empty() {
        let list = replacements::load(kustomization.replacements.clone(), &target.loader, run)?;
        steps.push(Step::own("ReplacementTransformer", Kind::Replacements(list)));
    }
    Ok(steps)
}

/// `labels` in their order, then `commonLabels`; the latter's step is there as soon as one of both is, with nothing to do.
fn labels<'a>(target: &Target<'a>, config: &TransformerConfig<'a>, _run: &Run<'a>, steps: &mut Vec<Step<'a>>) -> Outcome<()> {
    const OWN: FieldSpec<'static> = FieldSpec { gvk: Gvk { group: "", version: "", kind: "" }, path: "metadata/labels", create: true };
    let kustomization = &target.kustomization;
    if kustomization.labels.is_empty() && kustomization.common_labels.is_empty() {
        return Ok(());
    }
    for label in &kustomization.labels {
        let mut fields = label.fields.clone();
        let conflict = |why: String| Failure::from(wrong("fieldspec", format!("failed to merge labels: {why}"), label.place));
        merge_all(&mut fields, &config.labels).map_err(conflict)?;
        if label.include_selectors {
            merge_all(&mut fields, &config.common_labels).map_err(conflict)?;
        } else {
            if label.include_templates {
                merge_all(&mut fields, &config.template_labels).map_err(conflict)?;
            }
            merge_one(&mut fields, OWN).map_err(conflict)?;
        }
        let args = EntriesArgs { by: "labels", pairs: label.pairs.clone(), fields: List::Owned(fields), place: label.place };
        steps.push(Step::own("LabelTransformer", Kind::Entries(args)));
    }
    let args =
        EntriesArgs { by: "commonLabels", pairs: kustomization.common_labels.clone(), fields: config.common_labels.clone(), place: None };
    steps.push(Step::own("LabelTransformer", Kind::Entries(args)));
    Ok(())
}

/// Runs the generators of a kustomization's own fields.
pub(crate) fn generate<'a>(target: &Target<'a>, run: &Run<'a>) -> Outcome<Vec<Generated<'a>>> {
    let kustomization = &target.kustomization;
    let global = kustomization.generator_options.as_ref();
    let loader = &target.loader;
    let mut made = Vec::new();
    for args in &kustomization.config_maps {
        let mut args = args.clone();
        args.options = generators::merge_options(args.options.take(), global);
        made.push(generators::configmap(&args, loader, run).and_then(|object| one(object, "configMapGenerator", args.place, run)));
    }
    for args in &kustomization.secrets {
        let mut args = args.clone();
        args.options = generators::merge_options(args.options.take(), global);
        made.push(generators::secret(&args, loader, run).and_then(|object| one(object, "secretGenerator", args.place, run)));
    }
    for chart in &kustomization.helm_charts {
        let mut chart = chart.clone();
        if chart.namespace.is_empty() {
            let own = kustomization.namespace.text;
            chart.namespace = if own.is_empty() { target.helm_namespace } else { own };
        }
        made.push(helm::inflate(&chart, kustomization.helm_globals, loader, run));
    }
    let mut made = all(made)?;
    if let Some(provenance) = &target.provenance {
        for generated in &mut made {
            let name = match generated.stamp.by {
                "configMapGenerator" => "ConfigMapGenerator",
                "secretGenerator" => "SecretGenerator",
                _ => "HelmChartInflationGenerator",
            };
            crate::metadata::annotate_new(&mut generated.resources, &provenance.of_builtin(kustomization.file_name, name), run);
        }
    }
    Ok(made)
}

fn one<'a>(object: Resource<'a>, by: &'static str, place: Option<Span>, run: &Run<'a>) -> Outcome<Generated<'a>> {
    let mut resources = Resources::default();
    resources.append(object, run)?;
    Ok(Generated { resources, stamp: Stamp { by, place } })
}

/// Runs the generator that an object configures.
pub(crate) fn generator<'a>(plugin: &Resource<'a>, target: &Target<'a>, run: &Run<'a>) -> Outcome<Generated<'a>> {
    let config = plugin.view();
    let place = run.texts.place(config);
    let loader = &target.loader;
    let mut generated = match builtin(plugin, run)? {
        "ConfigMapGenerator" => {
            let args = generators::read_plugin(run, config, false)?;
            one(generators::configmap(&args, loader, run)?, "ConfigMapGenerator", place, run)
        }
        "SecretGenerator" => {
            let args = generators::read_plugin(run, config, true)?;
            one(generators::secret(&args, loader, run)?, "SecretGenerator", place, run)
        }
        "HelmChartInflationGenerator" => {
            let (chart, globals) = helm::read_plugin(run, config)?;
            helm::inflate(&chart, globals, loader, run)
        }
        "IAMPolicyGenerator" => {
            let args = iam::read_plugin(run, config)?;
            one(iam::generate(&args, run)?, "IAMPolicyGenerator", place, run)
        }
        _ => Err(wrong("plugin", format!("plugin {} not a generator", plugin.id(run)), place).into()),
    }?;
    if let Some(provenance) = Provenance::of_plugin(plugin, run)? {
        crate::metadata::annotate_new(&mut generated.resources, &provenance, run);
    }
    Ok(generated)
}

/// Reads the transformer that an object configures.
pub(crate) fn transformer<'a>(plugin: &Resource<'a>, loader: &Loader, run: &Run<'a>) -> Outcome<Step<'a>> {
    let config = plugin.view();
    let name = builtin(plugin, run)?;
    let fields = |what: &str| Fields::open(run, config, what, Mode::Plugin);
    let kind = match name {
        "AnnotationsTransformer" => Kind::Entries(EntriesArgs::read_annotations(fields("an AnnotationsTransformer"))?),
        "LabelTransformer" => Kind::Entries(EntriesArgs::read_labels(fields("a LabelTransformer"))?),
        "NamespaceTransformer" => Kind::Namespace(NamespaceArgs::read(fields("a NamespaceTransformer"))?),
        "PrefixTransformer" => Kind::Affix(AffixArgs::read_prefix(fields("a PrefixTransformer"))?),
        "SuffixTransformer" => Kind::Affix(AffixArgs::read_suffix(fields("a SuffixTransformer"))?),
        "PrefixSuffixTransformer" => {
            let what = "a PrefixSuffixTransformer";
            Kind::Affixes(AffixArgs::read_prefix(fields(what))?, AffixArgs::read_suffix(fields(what))?)
        }
        "HashTransformer" => Kind::Hash,
        "ImageTagTransformer" => {
            let (image, specs) = images::read_plugin(run, config)?;
            Kind::Images(vec![image], specs)
        }
        "ReplicaCountTransformer" => {
            let (replica, specs) = replicas::read_plugin(run, config)?;
            Kind::Replica(replica, specs)
        }
        "ReplacementTransformer" => Kind::Replacements(replacements::load(replacements::read_plugin(run, config)?, loader, run)?),
        "PatchTransformer" => Kind::Patches(vec![patches::read_plugin(run, config)?]),
        "PatchStrategicMergeTransformer" => Kind::PatchesStrategicMerge(patches::read_strategic_plugin(run, config)?),
        "PatchJson6902Transformer" => Kind::PatchesJson6902(vec![patches::read_json6902_plugin(run, config)?]),
        "ValueAddTransformer" => Kind::ValueAdd(value_add::read_plugin(run, config, loader)?),
        _ => {
            let message = format!("plugin {} not a transformer", plugin.id(run));
            return Err(wrong("plugin", message, run.texts.place(config)).into());
        }
    };
    Ok(Step { name: "", kind, plugin: Some(plugin.clone()) })
}

/// Returns the name of the builtin plugin that an object configures. Others are programs and containers, which are not run.
fn builtin<'a>(plugin: &Resource<'a>, run: &Run<'a>) -> Outcome<&'a str> {
    let gvk = plugin.gvk();
    if gvk.group.is_empty() && gvk.version == "builtin" {
        return Ok(gvk.kind);
    }
    let message = format!("external plugins disabled; unable to load external plugin '{}'", gvk.kind);
    let mistake = wrong("plugin", message, run.texts.place(plugin.view()));
    Err(mistake.hint("Plumb runs no program and no container on behalf of a kustomization; what has `apiVersion: builtin` works.").into())
}

/// Reads objects that are written where a path could stand. Nothing if the text is no objects, and so a path.
pub(crate) fn inline_objects<'a>(entry: Placed<'a>, run: &Run<'a>) -> Option<Vec<Resource<'a>>> {
    if !entry.text.contains(':') {
        return None;
    }
    let text: Arc<str> = Arc::from(entry.text);
    let path = entry.place.and_then(|place| run.texts.path(place.file)).unwrap_or_else(plumb_world::RelPath::root);
    let file = SourceFile {
        source: Arc::clone(&run.source),
        revision: Arc::clone(&run.revision),
        path,
        text: Arc::clone(&text).into(),
        made: true,
    };
    read_objects(run, run.texts.add_within(file, entry.place), text).ok()
}

/// Returns whether two sets hold the same objects, whatever a validator notes on them.
pub(crate) fn same_objects<'a>(before: &Resources<'a>, after: &Resources<'a>, run: &Run<'a>) -> bool {
    const VALIDATED_BY: &str = "validated-by";
    let text = |resource: &Resource<'a>| {
        let mut resource = resource.clone();
        let labels: Vec<_> = resource.labels().into_iter().filter(|(key, _)| *key != VALIDATED_BY).collect();
        resource.set_meta_map("labels", labels, crate::tree::Origin::WRITTEN, run.texts);
        let mut json = String::new();
        crate::tree::write_json(resource.view(), &mut json, true).map(|()| json)
    };
    let texts = |resources: &Resources<'a>| {
        let mut texts: Vec<_> = resources.iter().map(text).collect();
        texts.sort();
        texts
    };
    texts(before) == texts(after)
}
