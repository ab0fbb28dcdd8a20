//! Owns setting labels and annotations (`LabelTransformer`, `AnnotationsTransformer`): the same entries in all fields that hold such.

use plumb_world::Span;

use crate::args::FieldSpec;
use crate::config::{List, Specs};
use crate::decode::{Fields, Placed};
use crate::fieldspec::{Create, Follow, Path, gvk_of};
use crate::id::Gvk;
use crate::problem::{Outcome, all, wrong};
use crate::resources::Resources;
use crate::run::Run;
use crate::tree::{Kind, Node, Origin, Stamp, Tag};

/// The entries to set, and where.
#[derive(Clone, Debug, Default)]
pub(crate) struct EntriesArgs<'a> {
    /// `labels` or `annotations`: who sets them.
    pub(crate) by: &'static str,
    pub(crate) pairs: Vec<(&'a str, Placed<'a>)>,
    pub(crate) fields: Specs<'a>,
    pub(crate) place: Option<Span>,
}

impl<'a> EntriesArgs<'a> {
    /// Reads the configuration of a `LabelTransformer`.
    pub(crate) fn read_labels(fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        Self::read(fields, "labels")
    }

    /// Reads the configuration of an `AnnotationsTransformer`.
    pub(crate) fn read_annotations(fields: Fields<'_, '_, 'a>) -> Outcome<Self> {
        Self::read(fields, "annotations")
    }

    fn read(mut fields: Fields<'_, '_, 'a>, by: &'static str) -> Outcome<Self> {
        let read =
            Self { by, pairs: fields.text_map(by), fields: List::Owned(fields.list("fieldSpecs", FieldSpec::read)), place: fields.place() };
        fields.close()?;
        Ok(read)
    }
}

/// Sets entries in all objects.
pub(crate) fn apply<'a>(args: &EntriesArgs<'a>, resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    if args.pairs.is_empty() {
        return Ok(());
    }
    let mut pairs = args.pairs.clone();
    pairs.sort_by_key(|(key, _)| *key);
    let paths = Path::all(&args.fields, run);
    let follow = Follow { run, create: Some(Create::MAP), stamp: Stamp { by: args.by, place: args.place } };
    let mut of_kind: Option<(Gvk<'a>, Vec<Path<'a>>)> = None;
    let set_in = |resource: &mut crate::resource::Resource<'a>| {
        let gvk = gvk_of(resource.view());
        // Objects of a kind often follow each other.
        let selected = match &mut of_kind {
            Some((kind, selected)) if *kind == gvk => selected,
            other => {
                let selected = paths.iter().filter(|path| gvk.is_selected(&path.spec.gvk)).cloned().collect();
                &mut other.insert((gvk, selected)).1
            }
        };
        set_entries(&mut resource.node, &pairs, selected, &follow)
    };
    all(resources.list_mut().iter_mut().map(set_in)).map(drop)
}

fn set_entries<'a>(node: &mut Node<'a>, pairs: &[(&'a str, Placed<'a>)], paths: &[Path<'a>], follow: &Follow<'_, 'a>) -> Outcome<()> {
    let texts = follow.run.texts;
    // One node for all fields that an entry is added to: see `Node::into_shared`.
    let values: Vec<(&'a str, Node<'a>)> = pairs
        .iter()
        .map(|(key, value)| {
            let stamp = Stamp { place: value.place.or(follow.stamp.place), ..follow.stamp };
            (*key, Node::string_on_a_line(value.text).stamped(texts.over(stamp, Origin::WRITTEN)).into_shared())
        })
        .collect();
    let mut set = |field: &mut Node<'a>| -> Outcome<()> {
        match field.kind() {
            Kind::Map => {}
            // Nothing can be put in there, and kustomize does not mind.
            Kind::Scalar if field.view().is_null() => return Ok(()),
            kind => {
                let name = if kind == Kind::List { "SequenceNode" } else { "ScalarNode" };
                let message = format!("wrong node kind: expected MappingNode but was {name}");
                let hint = format!("Make the field a map, or leave it out of the fields of the {}.", follow.stamp.by);
                return Err(wrong("field-spec", message, texts.place(field.view())).hint(hint).into());
            }
        }
        for (key, value) in &values {
            match field.get_mut(key, texts) {
                Some(old) => {
                    let stamp = texts.chain(value.view()).first().copied().unwrap_or(follow.stamp);
                    old.set_text(value.view().text(), Tag::Str, stamp, texts);
                }
                None => field.put(key, value.share(), texts),
            }
        }
        Ok(())
    };
    follow.apply_all(node, paths, &mut set)
}
