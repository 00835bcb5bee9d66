//! Sorting with one sort for all types. The sort of std is made anew for each type that is sorted,
//! five kilobytes of code each time, of which all but one would lie in memory beside what is used.

use std::cmp::Ordering;

/// These items in the order of their keys. Those with equal keys keep theirs.
pub fn sorted_by_key<T, K: Ord>(items: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    sorted_by(items, |a, b| key(a).cmp(&key(b)))
}

/// These items in this order. Equal ones keep theirs.
pub fn sorted_by<T>(items: Vec<T>, order: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let places = places(items.len(), &|a, b| order(&items[a], &items[b]));
    let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
    let taken = places.into_iter().filter_map(|place| items[place].take());
    taken.collect()
}

/// The indices of `count` items, sorted by `order`, which compares the items at two indices.
fn places(count: usize, order: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by(|&a, &b| order(a, b));
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_keep_their_order() {
        let items: Vec<(u32, usize)> = (0..100).map(|at| (at as u32 * 7 % 5, at)).collect();
        let mut expected = items.clone();
        expected.sort();
        assert_eq!(sorted_by_key(items, |&(key, _)| key), expected);
        assert!(sorted_by_key(Vec::<u32>::new(), |&it| it).is_empty());
    }
}
