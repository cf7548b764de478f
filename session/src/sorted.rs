//! Lists by ascending id, each id once. A change of a few of a hundred thousand is searched for and written in place; one
//! of all of them goes through the list once, not once for each.

use crate::ChannelState;

/// Something that a list has once.
pub(crate) trait Identified: Copy {
    fn id(&self) -> i64;
}

impl Identified for ChannelState {
    fn id(&self) -> i64 {
        self.id
    }
}

impl Identified for i64 {
    fn id(&self) -> i64 {
        *self
    }
}

/// Makes a list one by ascending id. Of several with the same id the last one stays.
pub(crate) fn sort<T: Identified>(list: &mut Vec<T>) {
    if list.is_sorted_by(|earlier, later| earlier.id() < later.id()) {
        return;
    }
    list.sort_by_key(Identified::id);
    list.dedup_by(|later, earlier| {
        let is_same = later.id() == earlier.id();
        if is_same {
            *earlier = *later;
        }
        is_same
    });
}

/// Sets each of these in a sorted list, in their order.
pub(crate) fn set_all<T: Identified>(list: &mut Vec<T>, items: &[T]) {
    let mut new = Vec::new();
    for item in items {
        match list.binary_search_by_key(&item.id(), Identified::id) {
            Ok(at) => list[at] = *item,
            Err(_) => new.push(*item),
        }
    }
    sort(&mut new);
    insert_all(list, &new);
}

/// Takes each of these ids out of a sorted list, if it is there.
pub(crate) fn remove_all<T: Identified>(list: &mut Vec<T>, mut ids: Vec<i64>) {
    sort(&mut ids);
    let (mut kept, mut read) = (0, 0);
    for id in ids {
        if let Ok(found) = list[read..].binary_search_by_key(&id, Identified::id) {
            let at = read + found;
            move_down(list, read, at, kept);
            (kept, read) = (kept + found, at + 1);
        }
    }
    let end = list.len();
    move_down(list, read, end, kept);
    list.truncate(kept + end - read);
}

/// Puts sorted items, none of whose ids is there, where they belong: from the end, so that each item moves once.
fn insert_all<T: Identified>(list: &mut Vec<T>, new: &[T]) {
    let mut end = list.len();
    list.extend_from_slice(new);
    for (before, item) in new.iter().enumerate().rev() {
        let at = list[..end].partition_point(|there| there.id() < item.id());
        list.copy_within(at..end, at + before + 1);
        list[at + before] = *item;
        end = at;
    }
}

fn move_down<T: Copy>(list: &mut [T], from: usize, end: usize, to: usize) {
    if from != to {
        list.copy_within(from..end, to);
    }
}
