//! Owns the node, and how it is changed: opened one level at a time, with kyaml's rules for what a new value keeps of the old one.

use std::cell::Cell;
use std::rc::Rc;

use plumb_yaml::{NodeRef, Style};

use super::scalar::{Scalar, Tag, is_yaml11_text, resolve};
use super::texts::{Origin, Stamp, Texts};
use super::view::{Key, Kind, View};

/// A node of an object.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    pub(super) value: Value<'a>,
    pub(super) origin: Origin,
    /// Whether a list or map that is opened was written in brackets.
    pub(super) flow: bool,
}

#[derive(Debug)]
pub(super) enum Value<'a> {
    /// As it was read, with all below it.
    Written(NodeRef<'a>),
    Scalar(Scalar<'a>),
    /// A scalar that stands in several places: what changes one of them changes all.
    Shared(Rc<Cell<(Scalar<'a>, Origin)>>),
    List(Vec<Node<'a>>),
    Map(Vec<Field<'a>>),
}

impl Clone for Value<'_> {
    /// A copy shares nothing, as with kyaml's `CopyYNode`.
    fn clone(&self) -> Self {
        match self {
            Self::Written(node) => Self::Written(*node),
            Self::Scalar(scalar) => Self::Scalar(*scalar),
            Self::Shared(cell) => Self::Scalar(cell.get().0),
            Self::List(items) => Self::List(items.clone()),
            Self::Map(fields) => Self::Map(fields.clone()),
        }
    }
}

impl Clone for Node<'_> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), origin: self.view().origin(), flow: self.flow }
    }
}

/// An entry of a map.
#[derive(Clone, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) key: Key<'a>,
    pub(crate) value: Node<'a>,
}

impl<'a> Field<'a> {
    /// Returns an entry with a key as kyaml appends it: plain, so that `8` is no text any more.
    pub(crate) fn new(key: &'a str, value: Node<'a>) -> Self {
        let is_text = matches!(resolve(key).0, Tag::Str | Tag::Timestamp) && !key.is_empty();
        Self { key: Key { text: key, is_text, style: Style::Plain }, value }
    }
}

impl<'a> Node<'a> {
    /// Returns a node as it was read.
    pub(crate) fn written(node: NodeRef<'a>) -> Self {
        Self { value: Value::Written(node), origin: Origin::WRITTEN, flow: false }
    }

    pub(crate) fn scalar(scalar: Scalar<'a>) -> Self {
        Self { value: Value::Scalar(scalar), origin: Origin::WRITTEN, flow: false }
    }

    /// Returns a scalar without a tag (`NewScalarRNode`).
    pub(crate) fn untagged(text: &'a str) -> Self {
        Self::scalar(Scalar::untagged(text))
    }

    /// Returns a text (`NewStringRNode`).
    pub(crate) fn string(text: &'a str) -> Self {
        Self::scalar(Scalar::string(text))
    }

    pub(crate) fn null() -> Self {
        Self::scalar(Scalar { text: "null", tag: Tag::Null, style: Style::Plain, tagged: false })
    }

    pub(crate) fn map(fields: Vec<Field<'a>>) -> Self {
        Self { value: Value::Map(fields), origin: Origin::WRITTEN, flow: false }
    }

    pub(crate) fn list(items: Vec<Node<'a>>) -> Self {
        Self { value: Value::List(items), origin: Origin::WRITTEN, flow: false }
    }

    /// Returns a node of a kind with nothing in it.
    pub(crate) fn empty(kind: Kind) -> Self {
        match kind {
            Kind::Map => Self::map(Vec::new()),
            Kind::List => Self::list(Vec::new()),
            Kind::Scalar => Self::untagged(""),
        }
    }

    /// Returns the node with who made it.
    #[must_use]
    pub(crate) fn stamped(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    pub(crate) fn view(&self) -> View<'_, 'a> {
        View::of(self)
    }

    pub(crate) fn kind(&self) -> Kind {
        self.view().kind()
    }

    /// Opens one level: what is below stays as it was read.
    fn open(&mut self, texts: &'a Texts) -> &mut Value<'a> {
        if let Value::Written(written) = self.value {
            self.flow = written.style() == Style::Flow;
            self.value = match written.kind() {
                plumb_yaml::Kind::Map => {
                    Value::Map(View::Written(written).fields().map(|(key, value)| Field { key, value: value.to_node() }).collect())
                }
                plumb_yaml::Kind::List => Value::List(written.items().map(Node::written).collect()),
                _ => match self.view().scalar() {
                    Some(scalar) => Value::Scalar(scalar),
                    None => return &mut self.value,
                },
            };
            if self.origin == Origin::WRITTEN {
                self.origin = texts.written(written);
            }
        }
        &mut self.value
    }

    /// Returns a list or map as if it were written without brackets; what is below stays as it is.
    #[must_use]
    pub(crate) fn in_block(mut self, texts: &'a Texts) -> Self {
        self.open(texts);
        self.flow = false;
        self
    }

    /// Returns the entries of a map to be changed; nothing for others.
    pub(crate) fn fields_mut(&mut self, texts: &'a Texts) -> Option<&mut Vec<Field<'a>>> {
        if self.kind() != Kind::Map {
            return None;
        }
        match self.open(texts) {
            Value::Map(fields) => Some(fields),
            _ => None,
        }
    }

    /// Returns the items of a list to be changed; nothing for others.
    pub(crate) fn items_mut(&mut self, texts: &'a Texts) -> Option<&mut Vec<Node<'a>>> {
        if self.kind() != Kind::List {
            return None;
        }
        match self.open(texts) {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the value of a map's key to be changed. Nothing is opened where there is none.
    pub(crate) fn get_mut(&mut self, key: &str, texts: &'a Texts) -> Option<&mut Node<'a>> {
        self.view().get(key)?;
        self.fields_mut(texts)?.iter_mut().find(|field| field.key.text == key).map(|field| &mut field.value)
    }

    /// Returns what lies below a path of keys to be changed.
    pub(crate) fn at_mut(&mut self, path: &[&str], texts: &'a Texts) -> Option<&mut Node<'a>> {
        self.view().at(path)?;
        path.iter().try_fold(self, |node, key| node.get_mut(key, texts))
    }

    /// Takes a key out of a map.
    pub(crate) fn remove(&mut self, key: &str, texts: &'a Texts) -> Option<Node<'a>> {
        self.view().get(key)?;
        let fields = self.fields_mut(texts)?;
        let at = fields.iter().position(|field| field.key.text == key)?;
        Some(fields.remove(at).value)
    }

    /// Sets a key of a map to exactly this value; a key that is there keeps its place.
    pub(crate) fn put(&mut self, key: &'a str, value: Node<'a>, texts: &'a Texts) {
        let Some(fields) = self.fields_mut(texts) else { return };
        match fields.iter_mut().find(|field| field.key.text == key) {
            Some(field) => field.value = value,
            None => fields.push(Field::new(key, value)),
        }
    }

    /// Sets a key of a map as kyaml's `FieldSetter` does: a value keeps the style of what was there, a text that YAML 1.1 would read as something else
    /// is quoted, and a null takes the key out.
    pub(crate) fn set(&mut self, key: &'a str, mut value: Node<'a>, texts: &'a Texts) {
        value.quote_if_needed(texts);
        if value.view().is_null() {
            self.remove(key, texts);
            return;
        }
        match self.get_mut(key, texts) {
            Some(old) => {
                value.take_style(old, texts);
                old.assign(value);
            }
            None => {
                if let Some(fields) = self.fields_mut(texts) {
                    fields.push(Field::new(key, value));
                }
            }
        }
    }

    /// Quotes a text that is not quoted and that YAML 1.1 would read as something else.
    pub(crate) fn quote_if_needed(&mut self, texts: &'a Texts) {
        let needed = self.view().scalar().is_some_and(|scalar| {
            matches!(scalar.tag, Tag::Str | Tag::None) && scalar.style == Style::Plain && !is_yaml11_text(scalar.text)
        });
        if needed && let Value::Scalar(scalar) = self.open(texts) {
            scalar.style = Style::DoubleQuoted;
        }
    }

    /// Gives a scalar the style of another node.
    fn take_style(&mut self, of: &Node<'a>, texts: &'a Texts) {
        // Lists and maps have a style too, which is plain for a scalar.
        let style = of.view().scalar().map_or(Style::Plain, |scalar| scalar.style);
        let own = self.view().scalar().map(|scalar| scalar.style);
        if own.is_some_and(|own| own != style)
            && let Value::Scalar(scalar) = self.open(texts)
        {
            scalar.style = style;
        }
    }

    /// Returns the value of a map's key to be changed, put there with a kind of its own where there is none.
    pub(crate) fn get_or_insert(&mut self, key: &'a str, kind: Kind, origin: Origin, texts: &'a Texts) -> Option<&mut Node<'a>> {
        if self.view().get(key).is_none() {
            self.fields_mut(texts)?.push(Field::new(key, Node::empty(kind).stamped(origin)));
        }
        self.get_mut(key, texts)
    }

    /// Replaces the content, and notes who did.
    pub(crate) fn replace(&mut self, mut with: Node<'a>, stamp: Stamp, texts: &'a Texts) {
        with.origin = texts.over(stamp, self.chain_end(texts));
        self.assign(with);
    }

    /// The origin of what is here, also of a node that is as it was read.
    fn chain_end(&self, texts: &'a Texts) -> Origin {
        match self.value {
            Value::Written(written) if self.origin == Origin::WRITTEN => texts.written(written),
            _ => self.view().origin(),
        }
    }

    /// Replaces a scalar's text and keeps its style, as kyaml's `Set` does with an untagged value; `tag` is the new one's.
    pub(crate) fn set_text(&mut self, text: &'a str, tag: Tag, stamp: Stamp, texts: &'a Texts) {
        let style = self.view().scalar().map_or(Style::Plain, |scalar| scalar.style);
        self.replace(Node::scalar(Scalar { text, tag, style, tagged: false }), stamp, texts);
    }

    /// Makes a scalar one that can stand in several places.
    ///
    /// kustomize gives the same node to all fields that a label is added to, so that whoever changes the label in one of them later (a patch, `labels`
    /// without selectors in an overlay) changes it in all of them. [`share`](Self::share) gives the other places theirs; copies share nothing.
    pub(crate) fn into_shared(self) -> Self {
        match self.value {
            Value::Scalar(scalar) => {
                let origin = self.origin;
                Self { value: Value::Shared(Rc::new(Cell::new((scalar, origin)))), origin, flow: false }
            }
            _ => self,
        }
    }

    /// Returns the same scalar for another place; a copy of what is not shared.
    pub(crate) fn share(&self) -> Self {
        match &self.value {
            Value::Shared(cell) => Self { value: Value::Shared(Rc::clone(cell)), origin: self.origin, flow: false },
            _ => self.clone(),
        }
    }

    /// Overwrites the content (kyaml's `SetYNode`): in all places where it stands, if it is shared.
    pub(crate) fn assign(&mut self, with: Self) {
        match (&self.value, with.view().scalar()) {
            (Value::Shared(cell), Some(scalar)) => cell.set((scalar, with.view().origin())),
            _ => *self = with,
        }
    }

    /// Returns a text whose style is plain whatever is in it: what `SetEntry` makes.
    pub(crate) fn string_on_a_line(text: &'a str) -> Self {
        Self::scalar(Scalar { text, tag: Tag::Str, style: Style::Plain, tagged: false })
    }

    /// Returns the node as a step puts it where something else was: opened, so that the place it has is that of the stamp, and what is below keeps its own.
    pub(crate) fn laid_over(mut self, was: Origin, stamp: Stamp, texts: &'a Texts) -> Self {
        self.open(texts);
        self.origin = texts.over(stamp, was);
        self
    }
}
