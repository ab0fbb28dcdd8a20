//! Owns the pipeline of one kustomization: gather, generate, transform, validate, with everything it names below it; and what is done once, at the root.

use plumb_world::{Diagnostic, FileId, Span};
use plumb_yaml::Stream;

use crate::config::{TransformerConfig, crds};
use crate::decode::{Fields, Mode, Placed};
use crate::hash;
use crate::kustomization::Kustomization;
use crate::limits::Limit;
use crate::load::{Loader, Named};
use crate::metadata::{self, Provenance};
use crate::objects::{check, read_objects};
use crate::problem::{Failure, Outcome, all, wrong};
use crate::references::vars::{self, VarSet};
use crate::references::{lost, names};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::run::Run;
use crate::steps::{self, Step};
use crate::tree::View;

/// What is gathered on the way up.
#[derive(Default)]
pub(crate) struct Gathered<'a> {
    pub(crate) resources: Resources<'a>,
    pub(crate) config: TransformerConfig<'a>,
    pub(crate) vars: VarSet<'a>,
}

/// One kustomization in its folder.
pub(crate) struct Target<'a> {
    pub(crate) kustomization: Kustomization<'a>,
    pub(crate) loader: Loader,
    /// Where its objects come from, kept only if `buildMetadata` asks for it.
    pub(crate) provenance: Option<Provenance>,
    /// The namespace of the kustomizations around it, which charts get that name none.
    pub(crate) helm_namespace: &'a str,
}

impl<'a> Target<'a> {
    /// Opens the root of a build, and what it says of the schema.
    pub(crate) fn root(loader: Loader, run: &Run<'a>) -> Outcome<Self> {
        let kustomization = Kustomization::load(&loader, run, None)?;
        let provenance = (!kustomization.build_metadata.is_empty()).then(Provenance::default);
        let target = Self { kustomization, loader, provenance, helm_namespace: "" };
        target.use_schema(run)?;
        Ok(target)
    }

    /// The first kustomization that says which schema to use, from the root down, decides it for the whole build.
    fn use_schema(&self, run: &Run<'a>) -> Outcome<()> {
        let Some(openapi) = &self.kustomization.openapi else { return Ok(()) };
        if run.has_schema() {
            return Ok(());
        }
        match (openapi.version, openapi.path) {
            (Some(version), Some(_)) => {
                Err(wrong("openapi", "builtin version and custom schema provided, cannot use both", version.place).into())
            }
            (Some(version), None) => run.use_schema_version(version),
            (None, Some(path)) => {
                let file = self.loader.file(run, path)?;
                run.use_schema_file(&file)
            }
            (None, None) => Ok(()),
        }
    }

    /// Builds everything, and does what is done once: hashes, references, vars, and leaving out what is only for here.
    pub(crate) fn build(&self, given: Resources<'a>, run: &Run<'a>) -> Outcome<Resources<'a>> {
        let mut gathered = self.gather(Gathered { resources: given, ..Gathered::default() }, run)?;
        run.check_limits(None)?;
        check_names(&gathered.resources, run)?;
        hash::apply(&mut gathered.resources, run)?;
        names::follow(&gathered.config.name_reference, &mut gathered.resources, run)?;
        vars::resolve(&gathered.vars, &gathered.config.var_reference, &mut gathered.resources, run)?;
        lost::warn(&gathered.resources, run);
        drop_local(&mut gathered.resources, run)?;
        Ok(gathered.resources)
    }

    /// Adds what this kustomization makes to what is there.
    fn gather(&self, mut gathered: Gathered<'a>, run: &Run<'a>) -> Outcome<Gathered<'a>> {
        let kustomization = &self.kustomization;
        self.gather_resources(&mut gathered, &kustomization.resources, run)?;
        gathered.config.merge(&self.configuration(run)?, None)?;
        self.generate(&mut gathered, run)?;
        let mut gathered = self.gather_components(gathered, run)?;
        let mut steps = steps::own(self, &gathered.config, run)?;
        steps.extend(
            self.plugins(&kustomization.transformers, run)?
                .iter()
                .map(|plugin| steps::transformer(plugin, &self.loader, run))
                .collect::<Outcome<Vec<_>>>()?,
        );
        self.transform(&steps, &mut gathered.resources, run)?;
        self.validate(&mut gathered, run)?;
        vars::gather(&kustomization.vars, &mut gathered.vars, &mut gathered.resources, run)?;
        Ok(gathered)
    }

    /// Returns which fields the transformers change: kustomize's own configuration, and what files add to it.
    fn configuration(&self, run: &Run<'a>) -> Outcome<TransformerConfig<'a>> {
        let mut config = TransformerConfig::builtin();
        for path in &self.kustomization.configurations {
            let file = self.loader.file(run, *path)?;
            let stream = run.texts.read(file.id, file.text()?);
            let root = first_document(stream, file.id)?;
            let Some(root) = root else { continue };
            let read = TransformerConfig::read(Fields::open(run, root, "a configuration", Mode::Kustomization))?;
            config.merge(&read, path.place)?;
        }
        for path in &self.kustomization.crds {
            let file = self.loader.file(run, *path)?;
            let stream = run.texts.read(file.id, file.text()?);
            if let Some(root) = first_document(stream, file.id)? {
                config.merge(&crds::read(root, run, path.place)?, path.place)?;
            }
        }
        Ok(config)
    }

    /// Reads files and builds kustomizations: every mistake of every one of them.
    fn gather_resources(&self, gathered: &mut Gathered<'a>, paths: &[Placed<'a>], run: &Run<'a>) -> Outcome<()> {
        all(paths.iter().map(|path| self.gather_resource(gathered, *path, run))).map(drop)
    }

    fn gather_resource(&self, gathered: &mut Gathered<'a>, path: Placed<'a>, run: &Run<'a>) -> Outcome<()> {
        match self.loader.named(run, path)? {
            Named::File(file) => {
                let mut objects = Resources::default();
                for mut object in read_objects(run, file.id, file.text()?)? {
                    if let Some(provenance) = &self.provenance {
                        metadata::annotate_origin(&mut object, &provenance.appended(path.text), run);
                    }
                    objects.append(object, run)?;
                }
                gathered.resources.append_all(objects, run)
            }
            Named::Folder(folder) => {
                let below = self.below(folder, path, false, run)?;
                let of_base = below.gather(Gathered::default(), run).map_err(|failure| failure.through(path.place, "it is used here"))?;
                self.merge(gathered, of_base, run).map_err(|failure| failure.through(path.place, "it is used here"))
            }
        }
    }

    fn merge(&self, gathered: &mut Gathered<'a>, other: Gathered<'a>, run: &Run<'a>) -> Outcome<()> {
        gathered.resources.append_all(other.resources, run)?;
        gathered.config.merge(&other.config, None)?;
        gathered.vars.merge_set(other.vars)
    }

    /// Opens another kustomization that this one names.
    fn below(&self, loader: Loader, path: Placed<'a>, component: bool, run: &Run<'a>) -> Outcome<Target<'a>> {
        run.take(Limit::Kustomizations, 1, path.place)?;
        let mut kustomization = Kustomization::load(&loader, run, path.place)?;
        kustomization.build_metadata.clone_from(&self.kustomization.build_metadata);
        let own = self.kustomization.namespace.text;
        let target = Target {
            provenance: self.provenance.as_ref().map(|provenance| provenance.appended(path.text)),
            helm_namespace: if own.is_empty() { self.helm_namespace } else { own },
            kustomization,
            loader,
        };
        target.use_schema(run)?;
        match (component, target.kustomization.is_component) {
            (true, false) => Err(kind_mistake(
                format!("expected kind 'Component' for path '{}' but got 'Kustomization'", path.text),
                path.place,
                "Name it in `resources`.",
            )),
            (false, true) => {
                Err(kind_mistake(format!("expected kind != 'Component' for path '{}'", path.text), path.place, "Name it in `components`."))
            }
            _ => Ok(target),
        }
    }

    /// Runs components on what is gathered, one after another.
    fn gather_components(&self, mut gathered: Gathered<'a>, run: &Run<'a>) -> Outcome<Gathered<'a>> {
        for path in &self.kustomization.components {
            let folder = self.loader.folder(run, *path)?;
            let component = self.below(folder, *path, true, run)?;
            gathered = component.gather(gathered, run).map_err(|failure| failure.through(path.place, "it is used here"))?;
        }
        Ok(gathered)
    }

    fn generate(&self, gathered: &mut Gathered<'a>, run: &Run<'a>) -> Outcome<()> {
        for generated in steps::generate(self, run)? {
            let origin = run.texts.over(generated.stamp, crate::tree::Origin::WRITTEN);
            gathered.resources.absorb_all(generated.resources, run, origin)?;
        }
        for plugin in self.plugins(&self.kustomization.generators, run)? {
            let generated = steps::generator(&plugin, self, run)?;
            let origin = run.texts.over(generated.stamp, crate::tree::Origin::WRITTEN);
            gathered.resources.absorb_all(generated.resources, run, origin)?;
        }
        Ok(())
    }

    /// Reads the objects that configure plugins: given inline, in files, or made by kustomizations.
    fn plugins(&self, entries: &[Placed<'a>], run: &Run<'a>) -> Outcome<Vec<Resource<'a>>> {
        let mut gathered = Gathered::default();
        let mut paths = Vec::new();
        for entry in entries {
            // kustomize takes for inline what it can read as objects.
            match steps::inline_objects(*entry, run) {
                Some(objects) => {
                    for mut object in objects {
                        if let Some(provenance) = &self.provenance {
                            metadata::annotate_origin(&mut object, &provenance.appended(self.kustomization.file_name), run);
                        }
                        gathered.resources.append(object, run)?;
                    }
                }
                None => paths.push(*entry),
            }
        }
        self.gather_resources(&mut gathered, &paths, run)?;
        Ok(gathered.resources.into_list())
    }

    /// Carries out transformers, and leaves out objects that nothing is left of.
    fn transform(&self, steps: &[Step<'a>], resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
        for step in steps {
            run.take(Limit::Steps, resources.len(), None)?;
            step.apply(&self.loader, resources, run)?;
            if let Some(own) = &self.provenance
                && let Some(provenance) = step.provenance(own, self.kustomization.file_name, run)?
            {
                metadata::add_transformation(resources, &provenance, run)?;
            }
            if resources.iter().any(|resource| resource.view().is_null_or_empty()) {
                resources.list_mut().retain(|resource| !resource.view().is_null_or_empty());
            }
        }
        Ok(())
    }

    /// Carries out validators, which are transformers that may not change anything but say that they were there.
    fn validate(&self, gathered: &mut Gathered<'a>, run: &Run<'a>) -> Outcome<()> {
        for plugin in self.plugins(&self.kustomization.validators, run)? {
            // It is copied and compared.
            const PASSES: usize = 4;
            run.take(Limit::Steps, PASSES * gathered.resources.len(), run.texts.place(plugin.view()))?;
            let before = gathered.resources.clone();
            let step = steps::transformer(&plugin, &self.loader, run)?;
            step.apply(&self.loader, &mut gathered.resources, run)?;
            if !steps::same_objects(&before, &gathered.resources, run) {
                let place = run.texts.place(plugin.view());
                return Err(wrong("validator", "validator shouldn't modify the resource map", place).into());
            }
        }
        Ok(())
    }
}

/// Returns the first document of a file, if there is anything in it.
fn first_document<'a>(stream: &'a Stream, file: FileId) -> Outcome<Option<View<'a, 'a>>> {
    match stream.documents().next() {
        None => Ok(None),
        Some(Ok(document)) if document.is_empty() => Ok(None),
        Some(Ok(document)) => Ok(Some(View::Written(document.root()))),
        Some(Err(errors)) => {
            let at = |span: plumb_yaml::ByteSpan| Some(Span { file, start: span.start, end: span.end });
            Err(Failure::Wrong(errors.iter().map(|error| wrong("yaml-syntax", error.to_string(), at(error.span))).collect()))
        }
    }
}

fn kind_mistake(message: String, place: Option<Span>, hint: &str) -> Failure {
    let mistake: Diagnostic = wrong("component", message, place).hint(hint);
    mistake.into()
}

/// Refuses objects that steps took the kind or name from, also for a time: kustomize keeps what objects were called in lists of equal length, where an
/// empty name is left out, and panics when it reads them.
fn check_names<'a>(resources: &Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    let there = resources.iter().filter(|resource| !resource.view().is_null_or_empty());
    all(there.map(|resource| {
        check(resource.view(), run)?;
        if resource.previous.iter().any(|was| was.name.is_empty() || was.kind.is_empty()) {
            let mistake = wrong("object", "this object had no name or no kind between two steps", run.texts.place(resource.view()));
            return Err(mistake.hint("Let no patch take them away.").into());
        }
        Ok(())
    }))
    .map(drop)
}

/// Leaves out objects that are for here only. Those that steps took the kind or name from are mistakes by now (`DropLocalNodes`).
fn drop_local<'a>(resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    const LOCAL: &str = "config.kubernetes.io/local-config";
    let views = resources.iter().map(Resource::view).filter(|view| !view.is_null_or_empty());
    all(views.map(|view| check(view, run).map_err(Failure::from)))?;
    let is_local = |resource: &Resource<'_>| resource.annotations().iter().any(|(key, value)| *key == LOCAL && *value != "false");
    if resources.iter().any(is_local) {
        resources.list_mut().retain(|resource| !is_local(resource));
    }
    Ok(())
}
