//! Owns vars: gathering them, finding their values, and putting these where `$(NAME)` stands (`refvar.go`, `resaccumulator.go`).

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};

use plumb_go::strconv;
use plumb_world::Diagnostic;

use super::expand::{Expanded, expand};
use crate::args::{FieldSpec, Var};
use crate::fieldspec::{Follow, Path, PathTree, gvk_of, split};
use crate::id::Gvk;
use crate::limits::Limit;
use crate::problem::{Outcome, all, wrong};
use crate::resources::Resources;
use crate::run::Run;
use crate::tree::{Kind, Node, Scalar, Stamp, Tag, View};

/// Vars by their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct VarSet<'a> {
    vars: BTreeMap<&'a str, Var<'a>>,
}

impl<'a> VarSet<'a> {
    /// Adds vars; a name that is there already is an error.
    pub(crate) fn merge(&mut self, vars: impl IntoIterator<Item = Var<'a>>) -> Outcome<()> {
        all(vars.into_iter().map(|var| match self.vars.get(var.name) {
            Some(known) => {
                let mut mistake = wrong("duplicate-var", format!("var '{}' already encountered", var.name), var.place);
                if let Some(place) = known.place {
                    mistake = mistake.at(place, "it is defined here");
                }
                Err(mistake.hint("Give one of them another name; names of vars hold for a whole build.").into())
            }
            None => {
                self.vars.insert(var.name, var);
                Ok(())
            }
        }))
        .map(drop)
    }

    /// Adds the vars of another set.
    pub(crate) fn merge_set(&mut self, other: VarSet<'a>) -> Outcome<()> {
        self.merge(other.vars.into_values())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.vars.is_empty()
    }
}

/// Takes in the vars of a kustomization: notes at the objects that they take values of that they do, before names change (`MergeVars`).
pub(crate) fn gather<'a>(vars: &[Var<'a>], set: &mut VarSet<'a>, resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    let noted = all(vars.iter().map(|var| {
        let wanted = run.id(var.gvk, var.object, var.namespace);
        // Without a namespace it may be in any.
        let exact = !wanted.namespace.is_empty() || wanted.cluster_scoped;
        let found = resources.by_any_id(run, |id| if exact { id.same(&wanted) } else { id.same_kind_and_name(&wanted) });
        match found.as_slice() {
            [] => Ok(None),
            [at] => Ok(Some((*at, var.name))),
            many => {
                let message = format!("found {} resId matches for var '{}' (unable to disambiguate)", many.len(), var.name);
                let mut mistake = wrong("ambiguous-var", message, var.place);
                for place in many.iter().filter_map(|at| run.texts.place(resources.get(*at)?.view())) {
                    mistake = mistake.at(place, "it may be this one");
                }
                Err(mistake.hint("Say which one with `namespace` in the var's `objref`.").into())
            }
        }
    }))?;
    let list = resources.list_mut();
    for (at, name) in noted.into_iter().flatten() {
        if let Some(resource) = list.get_mut(at) {
            resource.vars.push(name);
        }
    }
    set.merge(vars.iter().copied())
}

/// What a var stands for.
#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    Text(&'a str),
    Int(i64),
    Float(f64),
    Bool(bool),
    /// A list or a map, which cannot be put into a text.
    Other,
}

impl<'a> Value<'a> {
    fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Int(value) => Some(Cow::Owned(value.to_string())),
            Self::Float(value) => Some(Cow::Owned(float_by_v(value))),
            Self::Bool(value) => Some(Cow::Borrowed(if value { "true" } else { "false" })),
            Self::Other => None,
        }
    }

    /// Returns the scalar that a text becomes that is the var alone.
    fn scalar(self, run: &Run<'a>) -> Option<Scalar<'a>> {
        let (text, tag) = match self {
            Self::Text(text) => (text, Tag::Str),
            Self::Int(value) => (run.texts.keep(value.to_string()), Tag::Int),
            Self::Float(value) => (run.texts.keep(strconv::format_float(value, 'f', None)), Tag::Float),
            Self::Bool(value) => (if value { "true" } else { "false" }, Tag::Bool),
            Self::Other => return None,
        };
        Some(Scalar { tag, ..Scalar::untagged(text) })
    }
}

/// Writes a number as Go's `%v` does.
fn float_by_v(value: f64) -> String {
    if value != 0.0 && value.is_finite() && (value.abs() < 1e-4 || value.abs() >= 1e21) {
        strconv::format_float(value, 'e', None)
    } else {
        strconv::format_float(value, 'f', None)
    }
}

struct Known<'a> {
    value: Value<'a>,
    stamp: Stamp,
}

/// Puts the values of vars where they stand, in the fields that are given; those that stand nowhere are warned of (`ResolveVars`).
pub(crate) fn resolve<'a>(set: &VarSet<'a>, fields: &[FieldSpec<'a>], resources: &mut Resources<'a>, run: &Run<'a>) -> Outcome<()> {
    if set.is_empty() {
        return Ok(());
    }
    let values = values(set, resources, run)?;
    let resolving = Resolving { values, used: RefCell::new(HashSet::new()), run };
    let mut of_kind: HashMap<Gvk<'a>, (Vec<Path<'a>>, PathTree<'a>)> = HashMap::new();
    all(resources.list_mut().iter_mut().map(|resource| {
        let gvk = gvk_of(resource.view());
        let (paths, tree) = of_kind.entry(gvk).or_insert_with(|| {
            let paths: Vec<Path<'a>> = fields.iter().filter(|spec| gvk.is_selected(&spec.gvk)).map(|spec| Path::new(*spec, run)).collect();
            let tree = PathTree::new(&paths);
            (paths, tree)
        });
        resolving.resolve_in(&mut resource.node, paths, tree)
    }))?;
    let used = resolving.used.into_inner();
    let unused: Vec<&str> = set.vars.keys().copied().filter(|name| !used.contains(name)).collect();
    if !unused.is_empty() {
        let mut warning = Diagnostic::warning("unused-var", format!("well-defined vars that were never replaced: {}", unused.join(",")));
        for place in unused.iter().filter_map(|name| set.vars.get(name)?.place) {
            warning = warning.at(place, "it stands in no field that vars are replaced in");
        }
        run.warn(warning.hint("Name the fields where it stands in `varReference` of a file of `configurations`, or remove the var."));
    }
    Ok(())
}

fn values<'a>(set: &VarSet<'a>, resources: &Resources<'a>, run: &Run<'a>) -> Outcome<HashMap<&'a str, Known<'a>>> {
    let mut owners = HashMap::new();
    for resource in resources.iter() {
        for name in &resource.vars {
            owners.entry(*name).or_insert(resource);
        }
    }
    let found = all(set.vars.values().map(|var| {
        let Some(owner) = owners.get(var.name) else {
            let message = format!("var '{}' cannot be mapped to a field in the set of known resources", var.name);
            let hint = format!(
                "There is no {} `{}` in the build that the var is in; `objref` takes the name before prefixes.",
                var.gvk.kind, var.object
            );
            return Err(wrong("var", message, var.place).hint(hint).into());
        };
        let found = look_up(owner.view(), var.field_path, run).and_then(|field| Some((value_of(field)?, field)));
        let Some((value, field)) = found else {
            let message = format!("field specified in var '{}' not found in corresponding resource", var.name);
            let mut mistake = wrong("var", message, var.place);
            if let Some(place) = run.texts.place(owner.view()) {
                mistake = mistake.at(place, format!("there is no `{}` in it", var.field_path));
            }
            return Err(mistake.hint("Check `fieldref.fieldPath` of the var.").into());
        };
        let stamp = Stamp { by: "vars", place: run.texts.place(field).or(var.place) };
        Ok((var.name, Known { value, stamp }))
    }))?;
    Ok(found.into_iter().collect())
}

/// Returns the value of a field as Go holds it; nothing for what it cannot read.
fn value_of<'a>(field: View<'_, 'a>) -> Option<Value<'a>> {
    let Some(scalar) = field.scalar() else { return Some(Value::Other) };
    match scalar.tag {
        Tag::Int => strconv::parse_int(scalar.text, 10).ok().map(Value::Int),
        Tag::Float => strconv::parse_float(scalar.text).ok().map(Value::Float),
        Tag::Bool => Some(Value::Bool(matches!(scalar.text, "true" | "True" | "TRUE" | "t" | "T" | "1"))),
        _ => Some(Value::Text(scalar.text)),
    }
}

/// Finds a field by a path with dots (`GetFieldValue`): `a.b[0].c`, `[a.b]` for a key with dots, `[name=x]` for an item of a list.
pub(crate) fn look_up<'t, 'a>(view: View<'t, 'a>, path: &'a str, run: &Run<'a>) -> Option<View<'t, 'a>> {
    let mut at = view;
    for part in joined_brackets(&split(path, '.', run)) {
        let (name, index) = match part.strip_suffix(']').and_then(|open| open.rsplit_once('[')) {
            Some((name, digits)) if !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()) => (name, Some(digits)),
            _ => (part.as_str(), None),
        };
        for step in [Some(name), index].into_iter().flatten().map(str::trim).filter(|step| !step.is_empty()) {
            at = step_into(at, step)?;
        }
    }
    Some(at)
}

/// Puts parts together that brackets hold together; brackets around a key go (`SmarterPathSplitter`).
fn joined_brackets(parts: &[&str]) -> Vec<String> {
    let mut joined = Vec::new();
    let mut parts = parts.iter();
    while let Some(part) = parts.next() {
        let mut text = (*part).to_owned();
        if part.starts_with('[') && !part.ends_with(']') {
            for more in parts.by_ref() {
                text = text + "." + more;
                if more.ends_with(']') {
                    break;
                }
            }
            if !text.contains('=') {
                text = text.trim_matches(['[', ']']).to_owned();
            }
        }
        joined.push(text);
    }
    joined
}

fn step_into<'t, 'a>(at: View<'t, 'a>, step: &str) -> Option<View<'t, 'a>> {
    if step == "-" {
        return at.items().last();
    }
    if let Ok(index) = step.parse::<usize>() {
        return at.items().nth(index);
    }
    if let Some(element) = step.strip_prefix('[').and_then(|open| open.strip_suffix(']')) {
        let (key, value) = element.split_once('=')?;
        return at.items().find(|item| {
            let field = if key.is_empty() { Some(*item) } else { item.get(key) };
            field.is_some_and(|field| field.kind() == Kind::Scalar && field.text() == value)
        });
    }
    at.get(step)
}

/// Resolving in all objects.
struct Resolving<'r, 'a> {
    values: HashMap<&'a str, Known<'a>>,
    used: RefCell<HashSet<&'a str>>,
    run: &'r Run<'a>,
}

impl<'a> Resolving<'_, 'a> {
    fn resolve_in(&self, node: &mut Node<'a>, paths: &[Path<'a>], tree: &PathTree<'a>) -> Outcome<()> {
        let mut marked = Vec::new();
        tree.find(node.view(), &mut |index, leaf| {
            if leaf.is_none_or(|leaf| self.concerns(leaf)) {
                marked.push(index);
            }
        });
        marked.sort_unstable();
        marked.dedup();
        let follow = Follow { run: self.run, create: None, stamp: Stamp { by: "vars", place: None } };
        for path in marked.into_iter().filter_map(|index| paths.get(index)) {
            follow.apply(node, path, &mut |field| self.set(field))?;
        }
        Ok(())
    }

    /// Returns whether a field would be changed, or is wrong.
    fn concerns(&self, field: View<'_, 'a>) -> bool {
        match field.kind() {
            Kind::Scalar => changes(field),
            Kind::List => field.items().any(|item| !item.is_string() || changes(item)),
            Kind::Map => field.fields().any(|(key, value)| !key.is_text || changes(value)),
        }
    }

    fn set(&self, field: &mut Node<'a>) -> Outcome<()> {
        let texts = self.run.texts;
        match field.kind() {
            Kind::Scalar => self.put(field),
            Kind::List => {
                let odd = field.view().items().find(|item| !item.is_string());
                if let Some(odd) = odd {
                    let mistake = wrong("field-spec", "invalid value type expect a string", texts.place(odd));
                    return Err(mistake.hint("Vars are replaced in this list: write its items as texts, in quotes.").into());
                }
                field.items_mut(texts).into_iter().flatten().for_each(|item| self.put(item));
            }
            Kind::Map => {
                let odd = field.view().fields().find(|(key, _)| !key.is_text);
                if let Some((key, value)) = odd {
                    let mistake = wrong("field-spec", format!("invalid map key: value='{}'", key.text), texts.place(value));
                    return Err(mistake.hint("Vars are replaced in this map: write its keys as texts, in quotes.").into());
                }
                field.fields_mut(texts).into_iter().flatten().for_each(|field| self.put(&mut field.value));
            }
        }
        Ok(())
    }

    fn put(&self, field: &mut Node<'a>) {
        let view = field.view();
        if !changes(view) {
            return;
        }
        let mut stamp = None;
        let (meter, mut long) = (self.run.texts.meter(), 0_usize);
        let expanded = expand(view.text(), |name| {
            let known = self.value(name)?;
            stamp.get_or_insert(known.stamp);
            let text = known.value.text()?;
            long += text.len();
            // What would be too long is counted and left out.
            if long > meter.left(Limit::MadeBytes) {
                meter.take(Limit::MadeBytes, long);
                return Some(Cow::Borrowed(""));
            }
            Some(text)
        });
        let scalar = match expanded {
            Expanded::Whole(name) => {
                let known = self.value(name);
                stamp = known.map(|known| known.stamp);
                known.and_then(|known| known.value.scalar(self.run))
            }
            Expanded::Text(text) if text == view.text() => None,
            Expanded::Text(text) => Some(Scalar { tag: Tag::Str, ..Scalar::untagged(self.run.texts.keep(text)) }),
        };
        let scalar = scalar.unwrap_or(Scalar { tag: Tag::Str, ..Scalar::untagged(view.text()) });
        let node = Node::scalar(scalar);
        match stamp {
            Some(stamp) => field.replace(node, stamp, self.run.texts),
            // Only what it counts as is settled.
            None => field.assign(node.stamped(view.origin())),
        }
    }

    fn value(&self, name: &str) -> Option<&Known<'a>> {
        let (name, known) = self.values.get_key_value(name)?;
        if matches!(known.value, Value::Other) {
            let message = format!("var '{name}' stands for a list or a map, which cannot be put into a text");
            self.run.warn(Diagnostic::warning("var", message).hint("Let the var's `fieldref` end at a text, a number or a truth value."));
        } else {
            self.used.borrow_mut().insert(name);
        }
        Some(known)
    }
}

/// Returns whether replacing vars does anything to a scalar: a text without a tag becomes one with it.
fn changes(field: View<'_, '_>) -> bool {
    field.scalar().is_some_and(|scalar| match scalar.tag {
        Tag::None => true,
        Tag::Str => scalar.text.contains('$'),
        _ => false,
    })
}
