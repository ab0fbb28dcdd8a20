//! Owns which functions a template may call: tables by name, of Go's own, of Sprig's and of Helm's.

use hashbrown::HashMap;

use crate::func::Function;
use crate::tree::{Builtin, Callee, Special};

/// Functions by name.
#[derive(Clone, Debug)]
pub struct Functions {
    by_name: HashMap<&'static [u8], Callee>,
}

/// `text/template`'s own.
const BUILTINS: [(&str, Special); 19] = [
    ("and", Special::And),
    ("or", Special::Or),
    ("call", Special::Builtin(Builtin::Call)),
    ("html", Special::Builtin(Builtin::Html)),
    ("index", Special::Builtin(Builtin::Index)),
    ("js", Special::Builtin(Builtin::Js)),
    ("len", Special::Builtin(Builtin::Len)),
    ("not", Special::Builtin(Builtin::Not)),
    ("print", Special::Builtin(Builtin::Print)),
    ("printf", Special::Builtin(Builtin::Printf)),
    ("println", Special::Builtin(Builtin::Println)),
    ("slice", Special::Builtin(Builtin::Slice)),
    ("urlquery", Special::Builtin(Builtin::UrlQuery)),
    ("eq", Special::Builtin(Builtin::Eq)),
    ("ne", Special::Builtin(Builtin::Ne)),
    ("lt", Special::Builtin(Builtin::Lt)),
    ("le", Special::Builtin(Builtin::Le)),
    ("gt", Special::Builtin(Builtin::Gt)),
    ("ge", Special::Builtin(Builtin::Ge)),
];

/// Helm's, as far as they need the executor.
const HELM: [(&str, Special); 4] =
    [("include", Special::Include), ("tpl", Special::Tpl), ("required", Special::Required), ("fail", Special::Fail)];

impl Functions {
    /// Returns `text/template`'s own functions.
    pub fn go() -> Self {
        let by_name = BUILTINS.iter().map(|(name, special)| (name.as_bytes(), Callee::Special(*special))).collect();
        Self { by_name }
    }

    /// Returns Go's and Sprig's functions.
    pub fn sprig() -> Self {
        let mut functions = Self::go();
        functions.extend(crate::sprig::all());
        functions.extend(crate::codec::SPRIG.iter().copied());
        functions
    }

    /// Returns what Helm gives to templates.
    pub fn helm() -> Self {
        let mut functions = Self::sprig();
        functions.extend(crate::codec::helm());
        functions.extend(crate::sprig::HELM.iter().copied());
        functions.by_name.remove(b"env".as_slice());
        functions.by_name.remove(b"expandenv".as_slice());
        functions.by_name.extend(HELM.iter().map(|(name, special)| (name.as_bytes(), Callee::Special(*special))));
        functions
    }

    /// Adds functions, or replaces those of the same name.
    pub fn extend(&mut self, functions: impl IntoIterator<Item = &'static Function>) {
        self.by_name.extend(functions.into_iter().map(|function| (function.name.as_bytes(), Callee::Plain(function))));
    }

    /// Returns whether there is a function of a name.
    pub(crate) fn has(&self, name: &[u8]) -> bool {
        self.by_name.contains_key(name)
    }

    /// Returns all names, sorted.
    pub fn names(&self) -> Vec<&'static [u8]> {
        let mut names: Vec<&'static [u8]> = self.by_name.keys().copied().collect();
        names.sort_unstable();
        names
    }

    /// Returns the function of a name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<Callee> {
        self.by_name.get(name).copied()
    }
}
