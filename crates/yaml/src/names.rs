//! Owns interned keys: one number per distinct key of a stream.

/// An interned key. 0 is no key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sym(pub(crate) u32);

impl Sym {
    /// What nodes have that are no value of a map, and keys that are collections.
    pub const NONE: Self = Self(0);
}

#[derive(Clone, Copy)]
struct Name {
    at: u32,
    len: u32,
    hash: u32,
}

/// An open-addressing table over one text. No randomness: a table that meets long runs of equal hashes takes another seed.
pub(crate) struct Names {
    bytes: String,
    names: Vec<Name>,
    table: Vec<u32>,
    seed: u64,
}

/// A run this long makes the table grow under another seed.
const MAX_PROBES: usize = 32;
const FIRST_TABLE: usize = 256;
/// A table is never more than this many times larger than its names need: when no seed helps, long runs stay.
const MAX_SPARSE: usize = 16;

impl Names {
    pub(crate) fn new() -> Self {
        Self {
            bytes: String::new(),
            names: vec![Name { at: 0, len: 0, hash: 0 }],
            table: vec![0; FIRST_TABLE],
            seed: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// Forgets all names. A table that many of them made large is not kept.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.names.truncate(1);
        self.table.truncate(FIRST_TABLE);
        self.table.fill(0);
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn get(&self, sym: Sym) -> &str {
        let Some(name) = self.names.get(sym.0 as usize) else { return "" };
        self.bytes.get(name.at as usize..(name.at + name.len) as usize).unwrap_or("")
    }

    fn hash(&self, text: &[u8]) -> u32 {
        let mut state = self.seed ^ text.len() as u64;
        let mut mix = |word: u64| {
            let wide = u128::from(state ^ word) * 0xa076_1d64_78bd_642f_u128;
            state = (wide as u64) ^ (wide >> 64) as u64;
        };
        // The length is in the state, so that words may overlap.
        if let Some(last) = text.last_chunk::<8>() {
            for word in text[..text.len() - 1].as_chunks::<8>().0 {
                mix(u64::from_le_bytes(*word));
            }
            mix(u64::from_le_bytes(*last));
        } else if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
            mix(u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last)));
        } else if let (Some(first), Some(last)) = (text.first(), text.last()) {
            mix(u64::from(*first) << 16 | u64::from(text[text.len() / 2]) << 8 | u64::from(*last));
        }
        (state ^ state >> 32) as u32
    }

    /// Returns the slot of a text: the one that holds it, or the free one where it belongs, and how far that was.
    fn slot(&self, text: &str, hash: u32) -> (usize, usize) {
        let mask = self.table.len() - 1;
        let mut slot = hash as usize & mask;
        let mut probes = 0;
        loop {
            let Some(name) = self.names.get(self.table[slot] as usize) else { return (slot, probes) };
            if self.table[slot] == 0 || name.hash == hash && self.get(Sym(self.table[slot])) == text {
                return (slot, probes);
            }
            slot = (slot + 1) & mask;
            probes += 1;
        }
    }

    pub(crate) fn find(&self, text: &str) -> Option<Sym> {
        let sym = self.table[self.slot(text, self.hash(text.as_bytes())).0];
        (sym != 0).then_some(Sym(sym))
    }

    pub(crate) fn intern(&mut self, text: &str) -> Sym {
        let hash = self.hash(text.as_bytes());
        let (slot, probes) = self.slot(text, hash);
        if self.table[slot] != 0 {
            return Sym(self.table[slot]);
        }
        let sym = self.names.len() as u32;
        self.names.push(Name { at: self.bytes.len() as u32, len: text.len() as u32, hash });
        self.bytes.push_str(text);
        self.table[slot] = sym;
        let full = self.names.len() * 2 > self.table.len();
        if full || probes > MAX_PROBES && self.table.len() < self.names.len() * MAX_SPARSE {
            self.grow(!full);
        }
        Sym(sym)
    }

    fn grow(&mut self, reseed: bool) {
        if reseed {
            self.seed = self.seed.wrapping_mul(0x2545_f491_4f6c_dd1d).rotate_left(29) | 1;
            for index in 1..self.names.len() {
                self.names[index].hash = self.hash(self.get(Sym(index as u32)).as_bytes());
            }
        }
        let size = self.table.len() * 2;
        self.table = vec![0; size];
        for (index, name) in self.names.iter().enumerate().skip(1) {
            let mut slot = name.hash as usize & (size - 1);
            while self.table[slot] != 0 {
                slot = (slot + 1) & (size - 1);
            }
            self.table[slot] = index as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_one_number() {
        let mut names = Names::new();
        let syms: Vec<_> = (0..5000).map(|i| names.intern(&format!("key-{i}"))).collect();
        assert_eq!(names.intern(""), names.intern(""));
        for (i, sym) in syms.iter().enumerate() {
            let text = format!("key-{i}");
            assert_eq!((names.intern(&text), names.find(&text), names.get(*sym)), (*sym, Some(*sym), text.as_str()));
        }
        assert_eq!(names.find("absent"), None);
        assert_eq!(names.get(Sym::NONE), "");
    }

    #[test]
    fn another_seed_keeps_the_names() {
        let mut names = Names::new();
        let syms: Vec<_> = (0..100).map(|i| names.intern(&format!("{i}"))).collect();
        names.grow(true);
        assert!(syms.iter().enumerate().all(|(i, sym)| names.find(&format!("{i}")) == Some(*sym)));
    }
}
