//! Owns lists that are borrowed until somebody adds to them.

use std::ops::Deref;

use crate::args::FieldSpec;

/// A list that is borrowed until somebody adds to it. (Unlike [`Cow`](std::borrow::Cow) one of static things can stand for one of shorter-lived things.)
#[derive(Clone, Debug)]
pub(crate) enum List<'a, T> {
    Borrowed(&'a [T]),
    Owned(Vec<T>),
}

/// Field specs of one purpose.
pub(crate) type Specs<'a> = List<'a, FieldSpec<'a>>;

impl<T: Clone> List<'_, T> {
    /// Returns the list to be changed.
    pub(crate) fn to_mut(&mut self) -> &mut Vec<T> {
        loop {
            match self {
                Self::Owned(list) => return list,
                Self::Borrowed(list) => *self = Self::Owned(list.to_vec()),
            }
        }
    }

    /// Returns whether both borrow the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Borrowed(own), Self::Borrowed(other)) if std::ptr::eq(*own, *other))
    }
}

impl<T> Default for List<'_, T> {
    fn default() -> Self {
        Self::Borrowed(&[])
    }
}

impl<T> Deref for List<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Borrowed(list) => list,
            Self::Owned(list) => list,
        }
    }
}

impl<T: PartialEq> PartialEq for List<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for List<'_, T> {}

impl<T> From<Vec<T>> for List<'_, T> {
    fn from(list: Vec<T>) -> Self {
        Self::Owned(list)
    }
}
