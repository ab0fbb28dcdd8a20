//! Owns what `crds` files say (`loadconfigfromcrds.go`): OpenAPI definitions of kinds whose properties are marked as names of objects, labels or
//! annotations.

use plumb_world::Span;

use super::{List, Referrers, TransformerConfig, merge_referrers, merge_specs};
use crate::args::FieldSpec;
use crate::id::Gvk;
use crate::limits::{Limit, MAX_DEFINITION_DEPTH};
use crate::problem::{Outcome, wrong};
use crate::run::Run;
use crate::tree::{Kind, Tag, View};

/// Reads a file of OpenAPI definitions.
pub(crate) fn read<'a>(view: View<'_, 'a>, run: &Run<'a>, place: Option<Span>) -> Outcome<TransformerConfig<'a>> {
    let mut config = TransformerConfig::default();
    if view.is_null() {
        return Ok(config);
    }
    if view.kind() != Kind::Map {
        let mistake = wrong("crds", "unable to parse open API definition: it is not a map of definitions by name", run.texts.place(view));
        return Err(mistake
            .hint("A file of `crds` holds OpenAPI definitions; a CustomResourceDefinition itself belongs in `resources`.")
            .into());
    }
    for (name, definition) in view.fields() {
        let properties = properties(definition);
        if !["kind", "apiVersion", "metadata"].iter().all(|key| properties.is_some_and(|map| map.get(key).is_some())) {
            continue;
        }
        let kind = name.text.rsplit('.').next().unwrap_or(name.text);
        let mut found = Found { definitions: view, gvk: Gvk { kind, ..Gvk::default() }, run, config: TransformerConfig::default(), place };
        found.definition(name.text, &mut Vec::new(), &mut Vec::new())?;
        config.merge(&found.config, place)?;
    }
    Ok(config)
}

fn properties<'t, 'a>(definition: View<'t, 'a>) -> Option<View<'t, 'a>> {
    let schema = definition.fields().find(|(key, _)| key.text.eq_ignore_ascii_case("schema")).map(|(_, schema)| schema)?;
    schema.get("properties")
}

/// Returns a mark of a property that is a text.
fn mark<'a>(property: View<'_, 'a>, name: &str) -> Option<&'a str> {
    let found = property.fields().find(|(key, _)| key.text.eq_ignore_ascii_case(name)).map(|(_, value)| value)?;
    found.scalar().filter(|scalar| matches!(scalar.tag, Tag::Str | Tag::Timestamp)).map(|scalar| scalar.text)
}

struct Found<'r, 't, 'a> {
    definitions: View<'t, 'a>,
    gvk: Gvk<'a>,
    run: &'r Run<'a>,
    config: TransformerConfig<'a>,
    place: Option<Span>,
}

impl<'a> Found<'_, '_, 'a> {
    /// Looks through a definition. `within` are those that led here: one that refers to itself adds nothing more.
    fn definition(&mut self, name: &'a str, path: &mut Vec<&'a str>, within: &mut Vec<&'a str>) -> Outcome<()> {
        if within.contains(&name) || within.len() >= MAX_DEFINITION_DEPTH {
            return Ok(());
        }
        let Some(properties) = self.definitions.get(name).and_then(properties) else { return Ok(()) };
        within.push(name);
        // Definitions that refer to each other are looked at once for each way to them.
        const STEPS_OF_A_PROPERTY: usize = 500;
        self.run.take(Limit::Steps, STEPS_OF_A_PROPERTY * (1 + properties.len()), self.place)?;
        for (key, property) in properties.fields() {
            path.push(key.text);
            self.property(property, path)?;
            if let Some(other) = property.get("$ref").filter(|other| other.is_string()) {
                self.definition(other.text(), path, within)?;
            }
            path.pop();
        }
        within.pop();
        Ok(())
    }

    fn property(&mut self, property: View<'_, 'a>, path: &[&'a str]) -> Outcome<()> {
        let spec = |path: &[&str]| FieldSpec { gvk: self.gvk, path: self.run.texts.keep(path.join("/")), create: false };
        let mut merged = Ok(());
        let lists = [
            ("x-kubernetes-annotation", &mut self.config.common_annotations),
            ("x-kubernetes-label-selector", &mut self.config.common_labels),
            ("x-kubernetes-identity", &mut self.config.name_prefix),
        ];
        for (name, list) in lists {
            if mark(property, name).is_some() {
                merged = merged.and(merge_specs(list, &List::Owned(vec![spec(path)]), false));
            }
        }
        let target = mark(property, "x-kubernetes-object-ref-api-version").zip(mark(property, "x-kubernetes-object-ref-kind"));
        if let Some((version, kind)) = target {
            let name = mark(property, "x-kubernetes-object-ref-name-key").unwrap_or("name");
            let fields = vec![spec(&[path, &[name]].concat())];
            let referrers = Referrers { target: Gvk { group: "", version, kind }, fields: List::Owned(fields) };
            merged = merged.and(merge_referrers(&mut self.config.name_reference, &List::Owned(vec![referrers])));
        }
        merged.map_err(|cause| super::conflict("crds", &cause, self.place).into())
    }
}
