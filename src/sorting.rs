//! Sorting of lists that no request waits for.
//!
//! The standard library's sort is compiled for every type of element and every comparison, at 4 KB each. Here
//! it is compiled once: it sorts the positions of the elements, which are then swapped into that order.

use std::cmp::Ordering;

/// Sorts elements by their own order. Equal elements keep their order.
#[cfg(feature = "jose")]
pub(crate) fn sort<T: Ord>(elements: &mut [T]) {
    sort_by(elements, T::cmp);
}

/// Sorts elements by a key. Elements with equal keys keep their order.
pub(crate) fn sort_by_key<T, K: Ord>(elements: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(elements, |one, other| key(one).cmp(&key(other)));
}

/// Sorts elements by a comparison. Equal elements keep their order.
pub(crate) fn sort_by<T>(elements: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let order = order(elements.len(), &|one, other| compare(&elements[one], &elements[other]));
    arrange(order, &mut |one, other| elements.swap(one, other));
}

/// Sorts elements by a key that costs time to make: it is made once for each element. Elements with equal keys
/// keep their order.
#[cfg(feature = "gateway")]
pub(crate) fn sort_by_cached_key<T, K: Ord>(elements: &mut [T], key: impl Fn(&T) -> K) {
    let keys: Vec<K> = elements.iter().map(key).collect();
    let order = order(keys.len(), &|one, other| keys[one].cmp(&keys[other]));
    arrange(order, &mut |one, other| elements.swap(one, other));
}

/// Collects elements into a map or a set that keeps them sorted. Of two equal keys, the later value stays.
///
/// The collections' own `collect` sorts the elements first, and that is compiled for every type of iterator.
#[cfg(any(feature = "config", feature = "journal"))]
pub(crate) fn collect_sorted<C: Default + Extend<T>, T>(elements: impl IntoIterator<Item = T>) -> C {
    let mut collection = C::default();
    collection.extend(elements);
    collection
}

/// Returns the positions of `count` elements in sorted order.
fn order(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|one, other| compare(*one, *other));
    order
}

/// Swaps elements until each position has the element that was at `order[position]` before.
fn arrange(mut order: Vec<usize>, swap: &mut dyn FnMut(usize, usize)) {
    for start in 0..order.len() {
        let mut position = start;
        // The element of the start moves along until it is where it belongs.
        while order[position] != start {
            let from = std::mem::replace(&mut order[position], position);
            swap(position, from);
            position = from;
        }
        order[position] = position;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_is_that_of_the_standard_library() {
        let mut state = 1_u64;
        for count in 0..200 {
            // Few different keys, so that many elements are equal.
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                state >> 60
            };
            let elements: Vec<(u64, String)> = (0..count).map(|index| (next(), index.to_string())).collect();
            let (mut by_key, mut by_all) = (elements.clone(), elements.clone());
            sort_by_key(&mut by_key, |(key, _)| *key);
            sort_by(&mut by_all, Ord::cmp);
            let (mut expected_by_key, mut expected_by_all) = (elements.clone(), elements);
            expected_by_key.sort_by_key(|(key, _)| *key);
            expected_by_all.sort();
            assert_eq!(by_key, expected_by_key);
            assert_eq!(by_all, expected_by_all);
        }
    }
}
