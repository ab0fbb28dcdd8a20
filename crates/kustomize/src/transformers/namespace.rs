//! Owns putting objects into a namespace (`NamespaceTransformer`): their own one and the ones they speak of as theirs.

use std::collections::HashMap;

use plumb_world::Span;

use crate::args::FieldSpec;
use crate::config::{List, Specs};
use crate::decode::Fields;
use crate::fieldspec::{Create, Follow, Path};
use crate::id::Gvk;
use crate::problem::{Failure, Outcome, all, wrong};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::run::Run;
use crate::tree::{Kind, Node, Stamp, Tag, View};

/// Which subjects of role bindings are put into the namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Subjects {
    /// The ones named `default`.
    #[default]
    Default,
    /// All service accounts.
    ServiceAccounts,
    None,
}

/// A namespace, and where it goes.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamespaceArgs<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) fields: Specs<'a>,
    /// Whether what has a namespace keeps it.
    pub(crate) unset_only: bool,
    pub(crate) subjects: Subjects,
    pub(crate) place: Option<Span>,
}

impl<'a> NamespaceArgs<'a> {
    /// Reads the configuration of a `NamespaceTransformer`.
    pub(crate) fn read(mut fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        let namespace = fields.map("metadata", |mut metadata| {
            let namespace = metadata.text("namespace");
            metadata.close()?;
            Ok(namespace)
        });
        let mode = fields.text("setRoleBindingSubjects");
        let subjects = match mode {
            "" | "defaultOnly" => Subjects::Default,
            "allServiceAccounts" => Subjects::ServiceAccounts,
            "none" => Subjects::None,
            _ => {
                fields.wrong(format!(
                    "invalid value \"{mode}\" for setRoleBindingSubjects: must be one of \"defaultOnly\", \"none\" or \"allServiceAccounts\""
                ));
                Subjects::None
            }
        };
        let read = Self {
            namespace: namespace.unwrap_or_default(),
            fields: List::Owned(fields.list("fieldSpecs", FieldSpec::read)),
            unset_only: fields.truth("unsetOnly"),
            subjects,
            place: fields.place(),
        };
        fields.close()?;
        Ok(read)
    }
}

const OWN: &str = "metadata/namespace";

/// What is done to every object.
struct Step<'r, 'a> {
    args: &'r NamespaceArgs<'a>,
    own: Path<'a>,
    paths: Vec<Path<'a>>,
    follow: Follow<'r, 'a>,
    /// For an object's own namespace, where a null loses its tag.
    follow_own: Follow<'r, 'a>,
}

/// Puts all objects into a namespace that have one. Two that become the same are an error.
pub(crate) fn apply<'a>(args: &NamespaceArgs<'a>, resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    if args.namespace.is_empty() {
        return Ok(());
    }
    let step = Step::new(args, run);
    all(resources.list_mut().iter_mut().map(|resource| step.apply(resource)))?;
    no_two_are_the_same(args, resources, run)
}

/// Puts one object into a namespace.
pub(crate) fn apply_to<'a>(args: &NamespaceArgs<'a>, resource: &mut Resource<'a>, run: &Run<'a>) -> Outcome<()> {
    Step::new(args, run).apply(resource)
}

fn no_two_are_the_same<'a>(args: &NamespaceArgs<'a>, resources: &Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    let mut known = HashMap::with_capacity(resources.len());
    all(resources.iter().map(|resource| {
        let id = resource.id(run);
        let Some(first) = known.insert(id.key(), resource) else { return Ok(()) };
        let message = format!("namespace transformation produces ID conflict: two objects become {id}");
        let mut conflict = wrong("duplicate-object", message, run.texts.place(resource.view()));
        if let Some(place) = run.texts.place(first.view()) {
            conflict = conflict.at(place, "the other one is here");
        }
        if let Some(place) = args.place {
            conflict = conflict.at(place, "this puts both into one namespace");
        }
        Err(conflict.hint("Give one of them another name, or keep them in kustomizations of their own.").into())
    }))
    .map(drop)
}

impl<'r, 'a> Step<'r, 'a> {
    fn new(args: &'r NamespaceArgs<'a>, run: &'r Run<'a>) -> Self {
        let stamp = Stamp { by: "namespace", place: args.place };
        let own = FieldSpec { gvk: Gvk::default(), path: OWN, create: true };
        Self {
            args,
            own: Path::new(own, run),
            paths: Path::all(&args.fields, run).into_iter().filter(|path| path.spec.path != OWN).collect(),
            follow: Follow { run, create: Some(Create::TEXT), stamp },
            follow_own: Follow { run, create: Some(Create { kind: Kind::Scalar, tag: Tag::None }), stamp },
        }
    }

    fn apply(&self, resource: &mut Resource<'a>) -> Outcome<()> {
        if resource.view().is_null_or_empty() || resource.from_helm {
            return Ok(());
        }
        resource.store_previous(self.follow.run);
        let api_version = resource.api_version();
        let binds_roles = is_role_binding(resource.kind());
        if !resource.id(self.follow.run).cluster_scoped {
            self.follow_own.apply(&mut resource.node, &self.own, &mut |field| self.set(field))?;
        }
        if binds_roles {
            self.set_subjects(&mut resource.node)?;
        }
        for path in &self.paths {
            let spec = &path.spec;
            // Only core Namespaces are named like the namespace, and the subjects of role bindings have rules of their own.
            let skipped = spec.path == "metadata/name" && api_version != "v1"
                || binds_roles && is_role_binding(spec.gvk.kind) && spec.path == "subjects/namespace";
            if !skipped {
                let set = self.follow.apply(&mut resource.node, path, &mut |field| self.set(field));
                set.map_err(|failure| prefixed(failure, "namespace transformation failed: "))?;
            }
        }
        Ok(())
    }

    fn set(&self, field: &mut Node<'a>) -> Outcome<()> {
        let texts = self.follow.run.texts;
        let view = field.view();
        if view.kind() != Kind::Scalar {
            let message = "namespace field specs must target scalar nodes";
            return Err(wrong("field-spec", message, texts.place(view)).hint("Let the path of the field spec end at a text.").into());
        }
        if self.args.unset_only && !view.value_text().is_empty() {
            return Ok(());
        }
        field.set_text(self.args.namespace, Tag::Str, self.follow.stamp, texts);
        Ok(())
    }

    fn set_subjects(&self, node: &mut Node<'a>) -> Outcome<()> {
        let (key, text) = match self.args.subjects {
            Subjects::None => return Ok(()),
            Subjects::Default => ("name", "default"),
            Subjects::ServiceAccounts => ("kind", "ServiceAccount"),
        };
        let texts = self.follow.run.texts;
        let is_meant = |subject: View<'_, 'a>| {
            subject.get(key).is_some_and(|value| value.kind() == Kind::Scalar && !value.is_null() && value.text() == text)
        };
        let Some(subjects) = node.view().get("subjects").filter(|subjects| !subjects.is_null()) else { return Ok(()) };
        let odd = match subjects.kind() {
            Kind::List => subjects.items().find(|subject| subject.kind() != Kind::Map && !subject.is_null()),
            _ => Some(subjects),
        };
        if let Some(odd) = odd {
            let message = "setting namespace on (cluster)role binding subjects: a subject is not a map in a list";
            return Err(wrong("field-spec", message, texts.place(odd)).hint("Write each subject as a map with `kind` and `name`.").into());
        }
        if !subjects.items().any(is_meant) {
            return Ok(());
        }
        let items =
            node.get_mut("subjects", texts).and_then(|subjects| subjects.items_mut(texts)).map(Vec::as_mut_slice).unwrap_or_default();
        for subject in items.iter_mut().filter(|subject| is_meant(subject.view())) {
            let origin = texts.over(self.follow.stamp, crate::tree::Origin::WRITTEN);
            if let Some(field) = subject.get_or_insert("namespace", Kind::Scalar, origin, texts) {
                self.set(field)?;
            }
        }
        Ok(())
    }
}

fn is_role_binding(kind: &str) -> bool {
    matches!(kind, "RoleBinding" | "ClusterRoleBinding")
}

fn prefixed(failure: Failure, prefix: &str) -> Failure {
    match failure {
        Failure::Wrong(mut mistakes) => {
            mistakes.iter_mut().for_each(|mistake| mistake.message.insert_str(0, prefix));
            Failure::Wrong(mistakes)
        }
        world => world,
    }
}
