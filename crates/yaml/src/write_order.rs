//! Owns the order of keys: go-yaml's `keyList` (sorter.go), letters after anything else, numbers inside by their value.

use std::cmp::Ordering;

use plumb_go::strconv::{is_digit, is_letter};

use crate::write::Dialect;

/// Sorts by keys as a dialect orders them. Go's order has circles (`a1b` < `a2` < `a12` < `a1b`), and what it makes of those differs from
/// run to run; here it is one outcome, and no panic.
pub fn sort_keys<'k, T: Copy>(items: &mut [T], dialect: Dialect, key: impl Fn(&T) -> &'k [u8]) {
    let less = |one: &T, other: &T| compare_keys(key(one), key(other), dialect) == Ordering::Less;
    // Most come sorted by their bytes, which most often is the same.
    let mut sorted = items.windows(2).map(|pair| match pair {
        [one, other] => !less(other, one),
        _ => true,
    });
    if !sorted.all(|sorted| sorted) {
        merge_sort(items, &less);
    }
}

/// A stable sort that lives with a comparison that contradicts itself.
fn merge_sort<T: Copy>(items: &mut [T], less: &impl Fn(&T, &T) -> bool) {
    const SHORT: usize = 12;
    if items.len() <= SHORT {
        for end in 1..items.len() {
            let mut at = end;
            while at > 0 && less(&items[at], &items[at - 1]) {
                items.swap(at, at - 1);
                at -= 1;
            }
        }
        return;
    }
    let middle = items.len() / 2;
    merge_sort(&mut items[..middle], less);
    merge_sort(&mut items[middle..], less);
    let mut merged = Vec::with_capacity(items.len());
    let (mut left, mut right) = (items[..middle].iter().peekable(), items[middle..].iter().peekable());
    while let (Some(one), Some(other)) = (left.peek(), right.peek()) {
        let from = if less(other, one) { &mut right } else { &mut left };
        merged.extend(from.next());
    }
    merged.extend(left.chain(right));
    items.copy_from_slice(&merged);
}

/// Compares two keys. Bytes that are no UTF-8 count as U+FFFD each, as in Go.
pub fn compare_keys(one: &[u8], other: &[u8], dialect: Dialect) -> Ordering {
    let common = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (Some(a), Some(b)) = (one.get(common), other.get(common)) else { return one.len().cmp(&other.len()) };
    // Two ASCII letters behind the same decide by themselves.
    if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() {
        return a.cmp(b);
    }
    if one.is_ascii() && other.is_ascii() {
        return compare_from(one, other, common, dialect, |byte| *byte as char);
    }
    let (one, other) = (runes(one), runes(other));
    let common = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    compare_from(&one, &other, common, dialect, |rune| *rune)
}

fn runes(bytes: &[u8]) -> Vec<char> {
    let mut runes = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        runes.extend(chunk.valid().chars());
        runes.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    runes
}

fn compare_from<T>(one: &[T], other: &[T], at: usize, dialect: Dialect, rune: fn(&T) -> char) -> Ordering {
    let (Some(a), Some(b)) = (one.get(at).map(rune), other.get(at).map(rune)) else { return one.len().cmp(&other.len()) };
    let behind_digit = dialect != Dialect::V2 && one[..at].last().is_some_and(|last| is_digit(rune(last)));
    match (is_letter(a), is_letter(b)) {
        (true, true) => return a.cmp(&b),
        // v3 turns the order around behind a digit.
        (true, false) => return if behind_digit { Ordering::Less } else { Ordering::Greater },
        (false, true) => return if behind_digit { Ordering::Greater } else { Ordering::Less },
        (false, false) => {}
    }
    // A zero counts only behind other digits.
    let (mut x, mut y) = (0_i64, 0_i64);
    if a == '0' || b == '0' {
        let mut digits = one[..at].iter().rev().map(rune).take_while(|rune| is_digit(*rune));
        if digits.any(|digit| digit != '0') {
            (x, y) = (1, 1);
        }
    }
    let number = |text: &[T], mut value: i64| {
        let mut end = at;
        while let Some(digit) = text.get(end).map(rune).filter(|digit| is_digit(*digit)) {
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit as u32) - i64::from(b'0'));
            end += 1;
        }
        (value, end)
    };
    let ((x, x_end), (y, y_end)) = (number(one, x), number(other, y));
    x.cmp(&y).then(x_end.cmp(&y_end)).then(a.cmp(&b))
}
