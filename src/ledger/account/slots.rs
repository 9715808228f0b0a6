//! Values by small numbers, which are given out again.
//!
//! A value that goes is dropped where it stands. To move it out first, as a slab of the crates does,
//! would cost a tenth of the end of a lease.

/// Values by number.
#[derive(Debug)]
pub(super) struct Slots<T> {
    slots: Vec<Slot<T>>,
    /// The next free slot. It may be one after the last.
    free: usize,
    len: usize,
}

#[derive(Debug)]
enum Slot<T> {
    Full(T),
    /// The slot that is free after this one.
    Free(usize),
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: 0, len: 0 }
    }
}

impl<T> Slots<T> {
    /// The number of values.
    #[inline]
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether it has no room at all yet.
    #[inline]
    pub(super) const fn is_new(&self) -> bool {
        self.slots.capacity() == 0
    }

    /// Makes room for exactly one more value.
    pub(super) fn reserve_one(&mut self) {
        self.slots.reserve_exact(1);
    }

    /// Adds a value, and returns its number.
    #[inline]
    pub(super) fn insert(&mut self, value: T) -> usize {
        let index = self.free;
        match self.slots.get_mut(index) {
            Some(slot) => {
                // A free slot names the next one.
                self.free = if let Slot::Free(next) = slot { *next } else { index };
                *slot = Slot::Full(value);
            }
            None => {
                self.slots.push(Slot::Full(value));
                self.free = self.slots.len();
            }
        }
        self.len += 1;
        index
    }

    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<&T> {
        match self.slots.get(index) {
            Some(Slot::Full(value)) => Some(value),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        match self.slots.get_mut(index) {
            Some(Slot::Full(value)) => Some(value),
            _ => None,
        }
    }

    /// Drops a value, if it is there.
    #[inline]
    pub(super) fn remove(&mut self, index: usize) {
        if let Some(slot @ Slot::Full(_)) = self.slots.get_mut(index) {
            *slot = Slot::Free(self.free);
            self.free = index;
            self.len -= 1;
        }
    }

    /// The values with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| match slot {
            Slot::Full(value) => Some((index, value)),
            Slot::Free(_) => None,
        })
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().filter_map(|slot| match slot {
            Slot::Full(value) => Some(value),
            Slot::Free(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_given_again_and_a_value_is_dropped_where_it_goes() {
        let value = std::rc::Rc::new(());
        let mut slots = Slots::default();
        let numbers: Vec<usize> = (0..3).map(|_| slots.insert(value.clone())).collect();
        assert_eq!(numbers, [0, 1, 2]);
        slots.remove(1);
        slots.remove(1);
        slots.remove(0);
        slots.remove(7);
        assert_eq!((slots.len(), std::rc::Rc::strong_count(&value)), (1, 2));
        assert!(slots.get(0).is_none() && slots.get_mut(1).is_none() && slots.get(2).is_some());
        assert_eq!(slots.iter().map(|(index, _)| index).collect::<Vec<_>>(), [2]);
        let again: Vec<usize> = (0..3).map(|_| slots.insert(value.clone())).collect();
        assert_eq!(again, [0, 1, 3]);
        assert_eq!((slots.len(), slots.values_mut().count()), (4, 4));
    }
}
