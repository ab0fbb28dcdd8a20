//! Owns reading: a cheap reference to a node, whether it is opened or still as it was read.

use plumb_yaml::{NodeRef, Style};

use super::node::{Field, Node, Value};
use super::scalar::{Meaning, Scalar, Tag, resolve, short_tag};
use super::texts::Origin;

/// The shape of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Scalar,
    List,
    Map,
}

/// A node to be read. `'t` is how long the tree is held, `'a` how long texts live.
#[derive(Clone, Copy, Debug)]
pub(crate) enum View<'t, 'a> {
    /// As it was read.
    Written(NodeRef<'a>),
    /// A node of the tree that is opened or made.
    Node(&'t Node<'a>),
}

/// A key as it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key<'a> {
    pub(crate) text: &'a str,
    /// Whether go-yaml v3 reads it as a text; other keys cannot be printed.
    pub(crate) is_text: bool,
    /// How it is written.
    pub(crate) style: Style,
}

impl<'a> Key<'a> {
    /// Returns whether it is in quotes.
    pub(crate) fn is_quoted(self) -> bool {
        self.style != Style::Plain
    }

    fn of(node: NodeRef<'a>) -> Self {
        let scalar = scalar_of(node);
        Self { text: scalar.text, is_text: scalar.tag == Tag::Str, style: scalar.style }
    }
}

/// Returns a scalar that was read, with the tag that go-yaml v3's parser gives it.
fn scalar_of<'a>(node: NodeRef<'a>) -> Scalar<'a> {
    let (text, style) = (node.text(), node.style());
    match node.tag() {
        Some(tag) if tag != "!" => Scalar { text, tag: short_tag(tag), style, tagged: true },
        Some(_) => Scalar { text, tag: Tag::Str, style, tagged: false },
        None if style == Style::Plain => Scalar { text, tag: resolve(text).0, style, tagged: false },
        None => Scalar { text, tag: Tag::Str, style, tagged: false },
    }
}

impl<'t, 'a> View<'t, 'a> {
    /// Returns a view of a node, without the step between for nodes that are as they were read.
    pub(crate) fn of(node: &'t Node<'a>) -> Self {
        match &node.value {
            Value::Written(written) if node.origin == Origin::WRITTEN => Self::Written(*written),
            _ => Self::Node(node),
        }
    }

    /// Returns where it is written, if it is as it was read.
    pub(crate) fn node_ref(self) -> Option<NodeRef<'a>> {
        match self {
            Self::Written(node) => Some(node),
            Self::Node(node) => match node.value {
                Value::Written(written) => Some(written),
                _ => None,
            },
        }
    }

    pub(crate) fn origin(self) -> Origin {
        match self {
            Self::Written(_) => Origin::WRITTEN,
            Self::Node(Node { value: Value::Shared(cell), .. }) => cell.get().1,
            Self::Node(node) => node.origin,
        }
    }

    pub(crate) fn kind(self) -> Kind {
        if let Some(written) = self.node_ref() {
            return match written.kind() {
                plumb_yaml::Kind::Map => Kind::Map,
                plumb_yaml::Kind::List => Kind::List,
                _ => Kind::Scalar,
            };
        }
        match self {
            Self::Node(Node { value: Value::Map(_), .. }) => Kind::Map,
            Self::Node(Node { value: Value::List(_), .. }) => Kind::List,
            _ => Kind::Scalar,
        }
    }

    /// Returns the scalar; nothing for lists and maps.
    pub(crate) fn scalar(self) -> Option<Scalar<'a>> {
        if let Some(written) = self.node_ref() {
            return (self.kind() == Kind::Scalar).then(|| scalar_of(written));
        }
        match self {
            Self::Node(Node { value: Value::Scalar(scalar), .. }) => Some(*scalar),
            Self::Node(Node { value: Value::Shared(cell), .. }) => Some(cell.get().0),
            _ => None,
        }
    }

    /// Returns the scalar's text (kyaml's `YNode().Value`); empty for lists and maps.
    pub(crate) fn text(self) -> &'a str {
        if let Some(written) = self.node_ref() {
            return written.text();
        }
        self.scalar().map_or("", |scalar| scalar.text)
    }

    /// Returns the text; empty for a null (kyaml's `GetValue`).
    pub(crate) fn value_text(self) -> &'a str {
        if self.is_null() { "" } else { self.text() }
    }

    /// Returns whether it is tagged as null. (A `null` that kustomize made of a Go string is none.)
    pub(crate) fn is_null(self) -> bool {
        self.scalar().is_some_and(|scalar| scalar.tag == Tag::Null)
    }

    /// Returns whether it is null, or a list or map with nothing in it (kyaml's `IsNilOrEmpty`).
    pub(crate) fn is_null_or_empty(self) -> bool {
        match self.kind() {
            Kind::Scalar => self.is_null(),
            Kind::List | Kind::Map => self.len() == 0,
        }
    }

    /// Returns whether it is a text or has no tag (kyaml's `IsStringValue`).
    pub(crate) fn is_string(self) -> bool {
        self.scalar().is_some_and(|scalar| matches!(scalar.tag, Tag::Str | Tag::None))
    }

    /// Returns how many entries or items there are; 0 for scalars.
    pub(crate) fn len(self) -> usize {
        if let Some(written) = self.node_ref() {
            return written.len();
        }
        match self {
            Self::Node(Node { value: Value::Map(fields), .. }) => fields.len(),
            Self::Node(Node { value: Value::List(items), .. }) => items.len(),
            _ => 0,
        }
    }

    /// Returns the entries of a map in their order; nothing for others.
    pub(crate) fn fields(self) -> impl Iterator<Item = (Key<'a>, View<'t, 'a>)> {
        // kyaml takes every key out that looks like a merge, also one in quotes.
        let written = self.node_ref().map(|node| {
            node.entries().filter(|entry| entry.key.text() != "<<").map(|entry| (Key::of(entry.key), View::Written(entry.value)))
        });
        let opened = match self {
            Self::Node(Node { value: Value::Map(fields), .. }) => fields.as_slice(),
            _ => &[],
        };
        written.into_iter().flatten().chain(opened.iter().map(|Field { key, value }| (*key, View::of(value))))
    }

    /// Returns the items of a list; nothing for others.
    pub(crate) fn items(self) -> impl Iterator<Item = View<'t, 'a>> {
        let written = self.node_ref().map(|node| node.items().map(View::Written));
        let opened = match self {
            Self::Node(Node { value: Value::List(items), .. }) => items.as_slice(),
            _ => &[],
        };
        written.into_iter().flatten().chain(opened.iter().map(View::of))
    }

    /// Returns the value of a map's key (the first one with that text).
    pub(crate) fn get(self, key: &str) -> Option<View<'t, 'a>> {
        if let Some(written) = self.node_ref() {
            return written.entries().find(|entry| entry.key.text() == key).map(|entry| View::Written(entry.value));
        }
        match self {
            Self::Node(Node { value: Value::Map(fields), .. }) => {
                fields.iter().find(|field| field.key.text == key).map(|field| View::of(&field.value))
            }
            _ => None,
        }
    }

    /// Returns what lies below a path of keys.
    pub(crate) fn at(self, path: &[&str]) -> Option<View<'t, 'a>> {
        path.iter().try_fold(self, |view, key| view.get(key))
    }

    /// Returns what a scalar means when it is printed; nothing for lists and maps. The error is Go's message.
    pub(crate) fn meaning(self) -> Option<Result<Meaning<'a>, String>> {
        self.scalar().map(|scalar| scalar.meaning())
    }

    /// Returns a node of its own with the same content.
    pub(crate) fn to_node(self) -> Node<'a> {
        match self {
            Self::Written(node) => Node { value: Value::Written(node), origin: Origin::WRITTEN, flow: false },
            Self::Node(node) => node.clone(),
        }
    }

    /// Returns how deep lists and maps nest in it, and how many nodes there are. It stops looking at a depth and at a number.
    pub(crate) fn size(self, max_depth: usize, max_nodes: usize) -> (usize, usize) {
        let (mut depth, mut nodes) = (0, 0);
        let mut left = vec![(self, 0_usize)];
        while let Some((view, above)) = left.pop() {
            nodes += 1;
            if nodes >= max_nodes {
                break;
            }
            if view.kind() == Kind::Scalar {
                continue;
            }
            depth = depth.max(above + 1);
            if above < max_depth {
                left.extend(view.items().chain(view.fields().map(|(_, value)| value)).map(|child| (child, above + 1)));
            }
        }
        (depth, nodes)
    }

    /// Returns whether it is a list or map that was written in brackets.
    pub(crate) fn is_flow(self) -> bool {
        match self.node_ref() {
            Some(written) => written.style() == Style::Flow,
            None => matches!(self, Self::Node(node) if node.flow),
        }
    }
}
