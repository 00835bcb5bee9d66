//! A map and a set in a sorted vector, for what has few entries, or gets them mostly in order. They
//! take little more memory than their entries, where a map of std makes room for eleven at once,
//! and little code: std's is made anew for each pair of types, four kilobytes each time. A new
//! entry moves all that follow it, so what may have very many in any order is in std's. One without
//! entries is a null pointer: most maps of a torrent that sleeps are empty.

use std::borrow::Borrow;
use std::iter::{FromIterator, Map};
use std::ops::{Bound, Index, Range, RangeBounds};
use std::{slice, vec};

use super::order::sorted_by_key;

/// Values by their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::box_collection)] // The box makes an empty map smaller.
pub struct SortedMap<K, V>(
    /// Never an empty vector.
    Option<Box<Vec<(K, V)>>>,
);

impl<K: Ord, V> SortedMap<K, V> {
    /// An empty one.
    pub const fn new() -> SortedMap<K, V> {
        SortedMap(None)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    fn entries(&self) -> &[(K, V)] {
        self.0.as_ref().map_or(&[], |entries| entries)
    }

    fn entries_mut(&mut self) -> &mut [(K, V)] {
        self.0.as_mut().map_or(&mut [], |entries| entries)
    }

    /// Lets something be done with the vector, which may be empty before and after.
    fn edit<T>(&mut self, act: impl FnOnce(&mut Vec<(K, V)>) -> T) -> T {
        let Some(entries) = &mut self.0 else {
            return act(&mut Vec::new());
        };
        let done = act(entries);
        self.0.take_if(|entries| entries.is_empty());
        done
    }

    /// The place of a key, or where it would be.
    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        let entries = self.entries();
        match entries.last() {
            Some((last, _)) if last.borrow() < key => Err(entries.len()),
            _ => entries.binary_search_by(|(it, _)| it.borrow().cmp(key)),
        }
    }

    /// The value of this key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key).ok()?;
        Some(&self.entries()[place].1)
    }

    /// The value of this key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key).ok()?;
        Some(&mut self.entries_mut()[place].1)
    }

    /// Whether this key has a value.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.place(key).is_ok()
    }

    /// Gives this key a value; the one it had comes back.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place(&key) {
            Ok(place) => Some(std::mem::replace(&mut self.entries_mut()[place].1, value)),
            Err(place) => {
                self.put(place, key, value);
                None
            }
        }
    }

    /// The value of this key, which is `make`'s if it had none.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let place = self.place(&key).unwrap_or_else(|place| {
            self.put(place, key, make());
            place
        });
        &mut self.entries_mut()[place].1
    }

    fn put(&mut self, place: usize, key: K, value: V) {
        self.0.get_or_insert_default().insert(place, (key, value));
    }

    /// Takes this key and its value out. The memory of a map that has become much smaller is given
    /// back.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key).ok()?;
        Some(self.take(place).1)
    }

    fn take(&mut self, place: usize) -> (K, V) {
        self.edit(|entries| {
            let entry = entries.remove(place);
            if entries.len() * 4 < entries.capacity() {
                entries.shrink_to(entries.len() * 2);
            }
            entry
        })
    }

    /// Lets go of all entries, and of their memory.
    pub fn clear(&mut self) {
        self.0 = None;
    }

    /// Takes the entries out whose keys are in this range.
    pub fn take_range(&mut self, range: impl RangeBounds<K>) -> Vec<(K, V)> {
        let places = self.places(range);
        self.edit(|entries| entries.drain(places).collect())
    }

    /// Keeps the entries that `keep` is true of.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        self.edit(|entries| entries.retain_mut(|(key, value)| keep(key, value)));
    }

    /// All entries, ascending.
    pub fn iter(&self) -> Iter<'_, K, V> {
        self.entries().iter().map(|(key, value)| (key, value))
    }

    /// All entries, ascending, their values to be changed.
    pub fn iter_mut(&mut self) -> IterMut<'_, K, V> {
        let entries = self.entries_mut().iter_mut();
        entries.map(|(key, value)| (&*key, value))
    }

    /// All keys, ascending.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.entries().iter().map(|(key, _)| key)
    }

    /// All values, in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.entries().iter().map(|(_, value)| value)
    }

    /// All values, in the order of their keys, to be changed.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> {
        self.entries_mut().iter_mut().map(|(_, value)| value)
    }

    /// The entries whose keys are in this range, ascending.
    pub fn range(&self, range: impl RangeBounds<K>) -> Iter<'_, K, V> {
        let entries = &self.entries()[self.places(range)];
        entries.iter().map(|(key, value)| (key, value))
    }

    /// The places of the keys in this range.
    fn places(&self, range: impl RangeBounds<K>) -> Range<usize> {
        let entries = self.entries();
        let below = |key: &K| entries.partition_point(|(it, _)| it < key);
        let up_to = |key: &K| entries.partition_point(|(it, _)| it <= key);
        let begin = match range.start_bound() {
            Bound::Included(key) => below(key),
            Bound::Excluded(key) => up_to(key),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(key) => up_to(key),
            Bound::Excluded(key) => below(key),
            Bound::Unbounded => entries.len(),
        };
        begin..end.max(begin)
    }
}

/// See [`SortedMap::iter`].
pub type Iter<'a, K, V> = Map<slice::Iter<'a, (K, V)>, fn(&(K, V)) -> (&K, &V)>;
/// See [`SortedMap::iter_mut`].
pub type IterMut<'a, K, V> = Map<slice::IterMut<'a, (K, V)>, fn(&mut (K, V)) -> (&K, &mut V)>;

impl<K, V> Default for SortedMap<K, V> {
    fn default() -> SortedMap<K, V> {
        SortedMap(None)
    }
}

/// Of entries with equal keys the last one counts.
impl<K: Ord, V> FromIterator<(K, V)> for SortedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> SortedMap<K, V> {
        let entries: Vec<(K, V)> = entries.into_iter().collect();
        if entries.is_sorted_by(|(one, _), (next, _)| one < next) {
            return SortedMap((!entries.is_empty()).then(|| Box::new(entries)));
        }
        let places: Vec<usize> = (0..entries.len()).collect();
        let places = sorted_by_key(places, |&place| &entries[place].0);
        let mut entries: Vec<Option<(K, V)>> = entries.into_iter().map(Some).collect();
        let mut map = SortedMap::new();
        map.extend(places.into_iter().filter_map(|place| entries[place].take()));
        map
    }
}

impl<K: Ord, V> Extend<(K, V)> for SortedMap<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl<K: Ord + Borrow<Q>, Q: Ord + ?Sized, V> Index<&Q> for SortedMap<K, V> {
    type Output = V;

    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("the key has a value")
    }
}

impl<K, V> IntoIterator for SortedMap<K, V> {
    type Item = (K, V);
    type IntoIter = vec::IntoIter<(K, V)>;

    fn into_iter(self) -> vec::IntoIter<(K, V)> {
        self.0.map_or_else(Vec::new, |it| *it).into_iter()
    }
}

impl<'a, K: Ord, V> IntoIterator for &'a SortedMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Iter<'a, K, V> {
        self.iter()
    }
}

impl<'a, K: Ord, V> IntoIterator for &'a mut SortedMap<K, V> {
    type Item = (&'a K, &'a mut V);
    type IntoIter = IterMut<'a, K, V>;

    fn into_iter(self) -> IterMut<'a, K, V> {
        self.iter_mut()
    }
}

/// Distinct items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortedSet<T>(SortedMap<T, ()>);

impl<T: Ord> SortedSet<T> {
    /// An empty one.
    pub const fn new() -> SortedSet<T> {
        SortedSet(SortedMap::new())
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this item is in it.
    pub fn contains<Q: Ord + ?Sized>(&self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.contains_key(item)
    }

    /// Adds an item; false if it was there.
    pub fn insert(&mut self, item: T) -> bool {
        self.0.insert(item, ()).is_none()
    }

    /// Takes an item out; false if it was not there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.remove(item).is_some()
    }

    /// The least item.
    pub fn first(&self) -> Option<&T> {
        self.0.keys().next()
    }

    /// The greatest item.
    pub fn last(&self) -> Option<&T> {
        self.0.keys().next_back()
    }

    /// Takes the least item out.
    pub fn pop_first(&mut self) -> Option<T> {
        let some = !self.is_empty();
        some.then(|| self.0.take(0).0)
    }

    /// Keeps the items that `keep` is true of.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.0.retain(|item, _| keep(item));
    }

    /// All items, ascending.
    pub fn iter(&self) -> Items<'_, T> {
        self.0.entries().iter().map(|(item, _)| item)
    }

    /// The items in this range, ascending.
    pub fn range(&self, range: impl RangeBounds<T>) -> impl DoubleEndedIterator<Item = &T> {
        self.0.range(range).map(|(item, _)| item)
    }
}

/// See [`SortedSet::iter`].
pub type Items<'a, T> = Map<slice::Iter<'a, (T, ())>, fn(&(T, ())) -> &T>;
/// All items of a set.
pub type IntoItems<T> = Map<vec::IntoIter<(T, ())>, fn((T, ())) -> T>;

impl<T> Default for SortedSet<T> {
    fn default() -> SortedSet<T> {
        SortedSet(SortedMap::default())
    }
}

impl<T: Ord> FromIterator<T> for SortedSet<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> SortedSet<T> {
        SortedSet(items.into_iter().map(|item| (item, ())).collect())
    }
}

impl<T: Ord> Extend<T> for SortedSet<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        self.0.extend(items.into_iter().map(|item| (item, ())));
    }
}

impl<T> IntoIterator for SortedSet<T> {
    type Item = T;
    type IntoIter = IntoItems<T>;

    fn into_iter(self) -> IntoItems<T> {
        self.0.into_iter().map(|(item, ())| item)
    }
}

impl<'a, T: Ord> IntoIterator for &'a SortedSet<T> {
    type Item = &'a T;
    type IntoIter = Items<'a, T>;

    fn into_iter(self) -> Items<'a, T> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// Numbers below 50 in no order.
    fn numbers() -> impl Iterator<Item = u32> {
        (0..1_000_u32)
            .map(|at| (at.wrapping_mul(2_654_435_761) >> 7) & 0xffff)
            .map(|it| it % 50)
    }

    #[test]
    fn a_map_has_what_the_map_of_std_has() {
        let (mut ours, mut std) = (SortedMap::new(), BTreeMap::new());
        for (at, key) in numbers().enumerate() {
            if at % 3 == 0 {
                assert_eq!(ours.remove(&key), std.remove(&key));
            } else if at % 7 == 0 {
                *ours.get_or_insert_with(key, || 0) += at;
                *std.entry(key).or_insert(0) += at;
            } else {
                assert_eq!(ours.insert(key, at), std.insert(key, at));
            }
            assert!(ours.iter().eq(std.iter()) && ours.len() == std.len());
            assert_eq!(ours.get(&key), std.get(&key));
            let (from, to) = (key, key + at as u32 % 9);
            assert!(ours.range(from..to).eq(std.range(from..to)));
            assert!(ours.range(from..=to).eq(std.range(from..=to)));
            assert!(ours.range(..to).eq(std.range(..to)));
            assert!(ours.range(from..).eq(std.range(from..)));
        }
        ours.retain(|key, _| key % 2 == 0);
        std.retain(|key, _| key % 2 == 0);
        assert!(ours.into_iter().eq(std));
    }

    #[test]
    fn of_equal_keys_that_are_gathered_the_last_counts() {
        let entries = || numbers().enumerate().map(|(at, key)| (key, at));
        let (ours, std): (SortedMap<_, _>, BTreeMap<_, _>) =
            (entries().collect(), entries().collect());
        assert!(ours.into_iter().eq(std));
        let (ours, std): (SortedSet<_>, BTreeSet<_>) = (numbers().collect(), numbers().collect());
        assert!(ours.iter().eq(&std));
        assert_eq!((ours.first(), ours.last()), (std.first(), std.last()));
        assert!(ours.range(7..30).eq(std.range(7..30)));
    }

    #[test]
    fn an_empty_map_holds_no_memory() {
        let mut map: SortedMap<u32, u32> = (0..100).map(|key| (key, key)).collect();
        for key in 0..100 {
            map.remove(&key);
        }
        assert_eq!(map.0, None);
        assert_eq!(size_of_val(&map), size_of::<usize>());
        map.insert(1, 2);
        map.retain(|_, _| false);
        assert_eq!(map, SortedMap::new());
    }
}
