//! Owns which objects a selector means (`resWrangler.Select`): expressions that match the whole of a name, a namespace and a kind, those of now or of
//! before, and selectors of labels and annotations.

use plumb_go::regexp::Regexp;
use plumb_world::Span;

use crate::args::Selector;
use crate::labels::Labels;
use crate::problem::{Outcome, wrong};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::run::Run;

/// A selector that is ready to match.
pub(crate) struct Matcher {
    group: Option<Regexp>,
    version: Option<Regexp>,
    kind: Option<Regexp>,
    name: Option<Regexp>,
    namespace: Option<Regexp>,
    labels: Labels,
    annotations: Labels,
}

impl Matcher {
    /// Reads the expressions of a selector.
    pub(crate) fn new(selector: &Selector<'_>) -> Outcome<Self> {
        let place = selector.place;
        let part = |pattern| expression(pattern, place);
        Ok(Self {
            group: part(selector.gvk.group)?,
            version: part(selector.gvk.version)?,
            kind: part(selector.gvk.kind)?,
            name: part(selector.name)?,
            namespace: part(selector.namespace)?,
            labels: labels(selector.labels, place)?,
            annotations: labels(selector.annotations, place)?,
        })
    }

    /// Returns whether an object is meant.
    pub(crate) fn matches<'a>(&self, resource: &Resource<'a>, run: &Run<'a>) -> bool {
        let gvk = resource.gvk();
        if !is_match(self.kind.as_ref(), gvk.kind)
            || !is_match(self.version.as_ref(), gvk.version)
            || !is_match(self.group.as_ref(), gvk.group)
        {
            return false;
        }
        if self.name.is_some() || self.namespace.is_some() {
            let (now, first) = (resource.id(run), resource.original_id(run));
            let is_named = |text_of: fn(&crate::id::Id<'a>) -> &'a str, pattern: Option<&Regexp>| {
                is_match(pattern, text_of(&first)) || is_match(pattern, text_of(&now))
            };
            if !is_named(|id| id.effective_namespace(), self.namespace.as_ref()) || !is_named(|id| id.name, self.name.as_ref()) {
                return false;
            }
        }
        let is_labelled = |labels: &Labels, of: fn(&Resource<'a>) -> Vec<(&'a str, &'a str)>| {
            *labels == Labels::default() || labels.matches(&of(resource))
        };
        is_labelled(&self.labels, Resource::labels) && is_labelled(&self.annotations, Resource::annotations)
    }
}

fn is_match(pattern: Option<&Regexp>, text: &str) -> bool {
    pattern.is_none_or(|pattern| pattern.is_match(text.as_bytes()))
}

fn expression(pattern: &str, place: Option<Span>) -> Outcome<Option<Regexp>> {
    if pattern.is_empty() {
        return Ok(None);
    }
    let whole = Regexp::compile(format!("^(?:{pattern})$").as_bytes());
    whole.map(Some).map_err(|error| {
        let message = String::from_utf8_lossy(&error.message()).into_owned();
        wrong("selector", message, place)
            .hint("Names, namespaces and kinds of a selector are regular expressions that match as a whole.")
            .into()
    })
}

fn labels(selector: &str, place: Option<Span>) -> Outcome<Labels> {
    Labels::parse(selector).map_err(|message| {
        wrong("selector", message, place).hint("Write it as `kubectl get --selector` takes it: `app=web,tier in (a, b)`.").into()
    })
}

/// Returns the positions of the objects that a selector means.
pub(crate) fn select<'a>(selector: &Selector<'_>, resources: &Resources<'a>, run: &Run<'a>) -> Outcome<Vec<usize>> {
    let matcher = Matcher::new(selector)?;
    Ok(resources.iter().enumerate().filter(|(_, resource)| matcher.matches(resource, run)).map(|(at, _)| at).collect())
}
