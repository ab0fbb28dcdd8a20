//! Owns what is said of names that lost their link: an object whose name has a hash is meant, and the field has the name without, or a name like it.

use std::collections::{BTreeMap, BTreeSet};

use plumb_world::Diagnostic;

use crate::resource::Resource;
use crate::resources::Resources;
use crate::run::Run;
use crate::tree::{Kind, View};

/// The kinds whose names get a hash, and how fields are called that hold their names.
const KINDS: [(&str, &str); 2] = [("ConfigMap", "configmap"), ("Secret", "secret")];

/// Warns of fields that seem to mean a generated object and do not have its name. Names were followed before.
pub(crate) fn warn<'a>(resources: &Resources<'a>, run: &Run<'a>) {
    for (kind, word) in KINDS {
        // What the generated ones were called before, with what they are called now.
        let mut before: BTreeMap<&'a str, &'a str> = BTreeMap::new();
        let of_kind = || resources.iter().filter(|resource| resource.kind() == kind);
        for resource in of_kind().filter(|resource| resource.needs_hash) {
            before.extend(resource.previous.iter().map(|was| (was.name, resource.name())));
        }
        if before.is_empty() {
            continue;
        }
        let names: BTreeSet<&'a str> = of_kind().map(Resource::name).collect();
        let lost = Lost { kind, word, before: &before, names: &names, run };
        resources.iter().for_each(|resource| lost.look(resource, resource.view(), false));
    }
}

struct Lost<'l, 'a> {
    kind: &'static str,
    word: &'static str,
    before: &'l BTreeMap<&'a str, &'a str>,
    /// The names that there are.
    names: &'l BTreeSet<&'a str>,
    run: &'l Run<'a>,
}

impl<'a> Lost<'_, 'a> {
    /// Looks at fields whose key says the kind, and at the `name` in them.
    fn look(&self, resource: &Resource<'a>, view: View<'_, 'a>, is_meant: bool) {
        for (key, value) in view.fields() {
            let says_kind = key.text.to_ascii_lowercase().contains(self.word);
            let is_name = is_meant && matches!(key.text, "name" | "secretName");
            if value.kind() == Kind::Scalar && (says_kind || is_name) {
                self.check(resource, key.text, value);
            } else {
                self.look(resource, value, says_kind);
            }
        }
        view.items().for_each(|item| self.look(resource, item, is_meant));
    }

    fn check(&self, resource: &Resource<'a>, key: &str, value: View<'_, 'a>) {
        let name = value.text();
        if name.is_empty() || self.names.contains(name) {
            return;
        }
        let (known, hint) = match self.before.get(name) {
            Some(now) => {
                let hint = format!(
                    "It is named `{now}` now. Kustomize follows names in the same namespace, and only in fields that it knows: \
                     say the field in `nameReference` of a file of `configurations`, or `disableNameSuffixHash: true` of its generator."
                );
                (name, hint)
            }
            None => match plumb_manifest::nearest(name, self.before.keys().copied()) {
                Some(near) => (near, format!("Did you mean `{near}`?")),
                None => return,
            },
        };
        let (kind, object) = (self.kind, format!("{} {}", resource.kind(), resource.name()));
        let message = if known == name {
            format!("`{key}` of {object} names the {kind} `{name}` without the hash that its name got, so there is none of that name")
        } else {
            format!("`{key}` of {object} names the {kind} `{name}`, which is not built here")
        };
        let mut warning = Diagnostic::warning("lost-reference", message);
        if let Some(place) = self.run.texts.place(value) {
            warning = warning.at(place, "");
        }
        self.run.warn(warning.hint(hint));
    }
}
