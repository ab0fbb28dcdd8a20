//! Owns a list that grows without moving what is in it: a list that doubles touches every page of its memory twice, and pages are what a short render
//! waits for.

use std::ops::{Index, IndexMut};

/// Items by number, in blocks of the same size.
#[derive(Debug)]
pub(crate) struct Pile<T> {
    blocks: Vec<Vec<T>>,
}

impl<T> Pile<T> {
    /// Items of a block, as a power of two.
    const BITS: usize = 8;
    const BLOCK: usize = 1 << Self::BITS;

    pub(crate) fn new() -> Self {
        Self { blocks: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.blocks.last().map_or(0, |last| (self.blocks.len() - 1) * Self::BLOCK + last.len())
    }

    pub(crate) fn push(&mut self, item: T) {
        match self.blocks.last_mut() {
            Some(last) if last.len() < Self::BLOCK => last.push(item),
            _ => {
                let mut block = Vec::with_capacity(Self::BLOCK);
                block.push(item);
                self.blocks.push(block);
            }
        }
    }
}

impl<T: Clone> Clone for Pile<T> {
    fn clone(&self) -> Self {
        let block = |block: &Vec<T>| {
            let mut copy = Vec::with_capacity(Self::BLOCK);
            copy.extend_from_slice(block);
            copy
        };
        Self { blocks: self.blocks.iter().map(block).collect() }
    }
}

impl<T> Index<usize> for Pile<T> {
    type Output = T;

    fn index(&self, at: usize) -> &T {
        &self.blocks[at >> Self::BITS][at & (Self::BLOCK - 1)]
    }
}

impl<T> IndexMut<usize> for Pile<T> {
    fn index_mut(&mut self, at: usize) -> &mut T {
        &mut self.blocks[at >> Self::BITS][at & (Self::BLOCK - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_keep_their_numbers() {
        let mut pile = Pile::new();
        assert_eq!(pile.len(), 0);
        for number in 0..1000 {
            pile.push(number);
            assert_eq!(pile.len(), number + 1);
        }
        let mut copy = pile.clone();
        copy.push(1000);
        copy[256] = 7;
        assert_eq!([pile[0], pile[255], pile[256], pile[999]], [0, 255, 256, 999]);
        assert_eq!((copy[256], copy[1000], copy.len(), pile.len()), (7, 1000, 1001, 1000));
    }
}
