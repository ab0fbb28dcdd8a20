//! Owns which objects a selector means (`types.Selector`): expressions that match the whole of a name, a namespace and a kind, and selectors of labels
//! and annotations.

mod labels;

use plumb_go::regexp::Regexp;
use plumb_world::Span;

use crate::args::Selector;
use crate::id::{Gvk, Id};
use crate::problem::{Outcome, wrong};
use crate::resource::Resource;
use crate::resources::Resources;
use crate::run::Run;
use labels::Labels;

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

    /// Returns whether an object is meant (`resWrangler.Select`): by its kind now, and by what it is called now or was called first.
    pub(crate) fn selects<'a>(&self, resource: &Resource<'a>, run: &Run<'a>) -> bool {
        if !self.matches_gvk(&resource.gvk()) {
            return false;
        }
        if self.name.is_some() || self.namespace.is_some() {
            let (now, first) = (resource.id(run), resource.original_id(run));
            let either = |pattern: &Option<Regexp>, first: &str, now: &str| is_match(pattern, first) || is_match(pattern, now);
            if !either(&self.namespace, first.effective_namespace(), now.effective_namespace()) || !either(&self.name, first.name, now.name)
            {
                return false;
            }
        }
        self.matches_labels(resource)
    }

    /// Returns whether an identity matches, with the namespace as it is written.
    pub(crate) fn matches_id(&self, id: &Id<'_>) -> bool {
        self.matches_gvk(&id.gvk) && is_match(&self.name, id.name) && is_match(&self.namespace, id.namespace)
    }

    /// Returns whether it asks for a name, kind or namespace at all.
    pub(crate) fn has_id(&self) -> bool {
        [&self.group, &self.version, &self.kind, &self.name, &self.namespace].into_iter().any(Option::is_some)
    }

    pub(crate) fn has_labels(&self) -> bool {
        !self.labels.is_empty() || !self.annotations.is_empty()
    }

    /// Returns whether labels and annotations match.
    pub(crate) fn matches_labels(&self, resource: &Resource<'_>) -> bool {
        (self.labels.is_empty() || self.labels.matches(&resource.labels()))
            && (self.annotations.is_empty() || self.annotations.matches(&resource.annotations()))
    }

    fn matches_gvk(&self, gvk: &Gvk<'_>) -> bool {
        is_match(&self.kind, gvk.kind) && is_match(&self.version, gvk.version) && is_match(&self.group, gvk.group)
    }
}

fn is_match(pattern: &Option<Regexp>, text: &str) -> bool {
    pattern.as_ref().is_none_or(|pattern| pattern.is_match(text.as_bytes()))
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
    Ok(resources.iter().enumerate().filter(|(_, resource)| matcher.selects(resource, run)).map(|(at, _)| at).collect())
}
