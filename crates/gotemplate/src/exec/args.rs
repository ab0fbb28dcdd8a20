//! Owns evaluated arguments: a few without memory of their own, any number with it.

use super::Ref;
use crate::origin::O;

/// Arguments up to this many need no memory of their own.
const FEW: usize = 6;

/// Evaluated arguments in order.
pub(super) struct Args<T> {
    few: [T; FEW],
    more: Vec<T>,
    len: usize,
}

impl<T: Copy> Args<T> {
    pub(super) fn new(filler: T) -> Self {
        Self { few: [filler; FEW], more: Vec::new(), len: 0 }
    }

    pub(super) fn push(&mut self, value: T) {
        if self.len < FEW {
            self.few[self.len] = value;
        } else {
            if self.more.is_empty() {
                self.more.extend_from_slice(&self.few);
            }
            self.more.push(value);
        }
        self.len += 1;
    }

    pub(super) fn as_slice(&self) -> &[T] {
        if self.len <= FEW { &self.few[..self.len] } else { &self.more }
    }
}

impl Args<Ref> {
    pub(super) fn refs() -> Self {
        Self::new(Ref::invalid(O::NONE))
    }
}
