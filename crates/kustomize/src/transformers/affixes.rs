//! Owns prefixes and suffixes of names (`PrefixTransformer`, `SuffixTransformer`).

use plumb_world::Span;

use crate::args::FieldSpec;
use crate::config::{List, Specs};
use crate::decode::Fields;
use crate::fieldspec::{Create, Follow, Path};
use crate::id::Gvk;
use crate::problem::{Outcome, all, wrong};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::run::Run;
use crate::tree::{Kind, Node, Stamp, Tag};

/// The end of a name that something is put to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Prefix,
    Suffix,
}

/// What is put to names, and where names are.
#[derive(Clone, Debug)]
pub(crate) struct AffixArgs<'a> {
    pub(crate) side: Side,
    pub(crate) text: &'a str,
    pub(crate) fields: Specs<'a>,
    pub(crate) place: Option<Span>,
}

/// The kinds that keep their names: others find them by these.
const KEPT: [Gvk<'static>; 3] = [
    Gvk { group: "", version: "", kind: "CustomResourceDefinition" },
    Gvk { group: "apiregistration.k8s.io", version: "", kind: "APIService" },
    Gvk { group: "", version: "", kind: "Namespace" },
];

impl<'a> AffixArgs<'a> {
    /// Reads the configuration of a `PrefixTransformer`.
    pub(crate) fn read_prefix(fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        Self::read(fields, Side::Prefix, "prefix")
    }

    /// Reads the configuration of a `SuffixTransformer`.
    pub(crate) fn read_suffix(fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        Self::read(fields, Side::Suffix, "suffix")
    }

    fn read(mut fields: Fields<'_, '_, 'a>, side: Side, name: &'static str) -> Outcome<Self> {
        let given = fields.get("fieldSpecs").is_some();
        if !given {
            fields.wrong(format!("fieldSpecs is not expected to be nil: say which fields get the {name}, usually `path: metadata/name`"));
        }
        let read =
            Self { side, text: fields.text(name), fields: List::Owned(fields.list("fieldSpecs", FieldSpec::read)), place: fields.place() };
        fields.close()?;
        Ok(read)
    }

    fn stamp(&self) -> Stamp {
        let by = match self.side {
            Side::Prefix => "namePrefix",
            Side::Suffix => "nameSuffix",
        };
        Stamp { by, place: self.place }
    }
}

/// Puts a prefix or suffix to the names of all objects. Names it had are kept for those that refer to it.
pub(crate) fn apply<'a>(args: &AffixArgs<'a>, resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    let paths = Path::all(&args.fields, run);
    let follow = Follow { run, create: Some(Create::TEXT), stamp: args.stamp() };
    all(resources.list_mut().iter_mut().map(|resource| rename(args, resource, &paths, &follow))).map(drop)
}

fn rename<'a>(args: &AffixArgs<'a>, resource: &mut Resource<'a>, paths: &[Path<'a>], follow: &Follow<'_, 'a>) -> Outcome<()> {
    let gvk = Gvk { kind: resource.previous.first().map_or(resource.kind(), |first| first.kind), ..resource.gvk() };
    if KEPT.iter().any(|kept| gvk.is_selected(kept)) {
        return Ok(());
    }
    let run = follow.run;
    for path in paths.iter().filter(|path| gvk.is_selected(&path.spec.gvk)) {
        if path.spec.path == "metadata/name" {
            // An empty one changes no name, and is not noted.
            if args.text.is_empty() {
                continue;
            }
            let noted = match args.side {
                Side::Prefix => &mut resource.prefixes,
                Side::Suffix => &mut resource.suffixes,
            };
            noted.extend(args.text.split(','));
            resource.store_previous(run);
        }
        follow.apply(&mut resource.node, path, &mut |field| put(args, field, follow))?;
    }
    Ok(())
}

fn put<'a>(args: &AffixArgs<'a>, field: &mut Node<'a>, follow: &Follow<'_, 'a>) -> Outcome<()> {
    let texts = follow.run.texts;
    if field.kind() != Kind::Scalar {
        let name = if field.kind() == Kind::List { "SequenceNode" } else { "MappingNode" };
        let message = format!("wrong node kind: expected ScalarNode but was {name}");
        return Err(wrong("field-spec", message, texts.place(field.view())).hint("Only texts can get a prefix or suffix.").into());
    }
    let old = field.view().text();
    let text = match (args.side, args.text) {
        (_, "") => old,
        (Side::Prefix, text) => texts.keep(format!("{text}{old}")),
        (Side::Suffix, text) => texts.keep(format!("{old}{text}")),
    };
    field.set_text(text, Tag::None, follow.stamp, texts);
    Ok(())
}
