//! Owns which objects and fields of a chart are meant by a name, and what is said of one that is not there: the blocks that would have written it.

use plumb_gotemplate::Hole;
use plumb_manifest::{Called, Near, Pathed, find_fields, find_objects};

use super::{Condition, Explained, Field, Object};

/// What was asked for and is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// What may have been meant.
    pub meant: Option<String>,
    /// What else there is: objects, or fields at the last part that is there.
    pub known: Vec<String>,
    /// Blocks that wrote nothing, and have what was asked for in them.
    pub left_out: Vec<Condition>,
}

impl Object {
    /// Returns what people call it: `Deployment/web`.
    pub fn id(&self) -> String {
        self.called().id()
    }

    fn called(&self) -> Called<'_> {
        Called { api_version: &self.api_version, kind: &self.kind, name: &self.name }
    }
}

impl Explained {
    /// Returns the objects of a name: `KIND/NAME`, with the kind in any of `kubectl`'s forms, or the name alone.
    pub fn find(&self, asked: &str) -> Result<Vec<&Object>, Missing> {
        let called: Vec<Called<'_>> = self.objects().iter().map(Object::called).collect();
        let Near { meant, known } = match find_objects(asked, &called) {
            Ok(found) => return Ok(found.into_iter().map(|at| &self.objects()[at]).collect()),
            Err(near) => near,
        };
        let left_out = match asked.split_once('/').filter(|_| known.is_empty()) {
            Some((kind, _)) => self.left_out(&|_| true, &|text| says_kind(text, kind)),
            None => Vec::new(),
        };
        Err(Missing { meant, known, left_out })
    }

    /// Returns the fields at and below a path of an object.
    pub fn fields<'o>(&self, object: &'o Object, asked: &str) -> Result<Vec<&'o Field>, Missing> {
        let pathed: Vec<Pathed<'_>> = object.fields.iter().map(|field| Pathed { path: &field.path, positions: &field.positions }).collect();
        let Near { meant, known } = match find_fields(asked, &pathed) {
            Ok(found) => return Ok(found.into_iter().map(|at| &object.fields[at]).collect()),
            Err(near) => near,
        };
        let last = asked.rsplit(['.', ']']).find(|part| !part.is_empty()).unwrap_or(asked);
        let last = last.split('[').next().unwrap_or(last).to_owned();
        let of_object = |hole: &Hole| self.is_in(hole, object);
        let left_out = self.left_out(&of_object, &|text| says_key(text, &last));
        Err(Missing { meant, known, left_out })
    }

    /// Whether a block stands in the template that wrote an object, or in one that was called there.
    fn is_in(&self, hole: &Hole, object: &Object) -> bool {
        let (_, own) = object.source.split_once('/').unwrap_or(("", &object.source));
        let here = |site| self.source(site).is_some_and(|source| source.name == own);
        if here(hole.site) {
            return true;
        }
        let mut ctl = hole.ctl;
        while let Some(known) = self.rendered.heap.origins.ctl(ctl) {
            if here(known.site) {
                return true;
            }
            ctl = known.up;
        }
        false
    }

    /// Returns the blocks that wrote nothing and whose text says something, each once, the innermost that do.
    fn left_out(&self, of: &dyn Fn(&Hole) -> bool, says: &dyn Fn(&str) -> bool) -> Vec<Condition> {
        let mut sites: Vec<&Hole> = Vec::new();
        for hole in self.rendered.heap.origins.holes().iter().filter(|hole| !hole.taken && of(hole)) {
            if sites.iter().all(|known| known.site != hole.site) && says(&self.text(hole.site)) {
                sites.push(hole);
            }
        }
        let told = |hole: &&Hole| {
            let mut values = Vec::new();
            self.settings(hole.cond, false, &mut values);
            self.block(hole.site, false, values)
        };
        sites.iter().map(told).collect()
    }
}

/// Whether a line of a template is `key:`.
fn says_key(text: &str, key: &str) -> bool {
    text.lines().map(|line| line.trim_start().trim_start_matches("- ")).any(|line| {
        line.strip_prefix(key)
            .or_else(|| line.trim_start_matches('"').strip_prefix(key))
            .is_some_and(|rest| rest.trim_start_matches('"').starts_with(':'))
    })
}

/// Whether a line of a template is the kind that somebody asked for.
fn says_kind(text: &str, asked: &str) -> bool {
    text.lines().filter_map(|line| line.trim().strip_prefix("kind:")).any(|kind| {
        let object = Called { api_version: "", kind: kind.trim().trim_matches('"'), name: "" };
        object.is_kind(asked.split('.').next().unwrap_or(asked))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_looked_for_as_lines() {
        assert!(says_key("x }}\n  replicas: {{ .n }}\n", "replicas"));
        assert!(says_key("- name: a", "name"));
        assert!(!says_key("minreplicas: 1\n", "replicas"));
        assert!(says_kind("if }}\nkind: Ingress\n", "ing"));
    }
}
