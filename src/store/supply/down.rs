//! What passes while the store is away, once a share is spent or has lapsed.

use super::line::Standing;

/// What a user wants while the store is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnDown {
    /// Nothing passes.
    #[default]
    Deny,
    /// An even part of what the limit had left passes: no hard limit any more.
    Local,
    /// Everything passes.
    Allow,
}

/// Whether `asked` passes beside `taken` (used and reserved here) while the store is away. `heard`
/// is what it said last: a process that never had an answer lets nothing pass but on
/// [`OnDown::Allow`].
pub fn passes_when_down(
    on_down: OnDown,
    heard: Option<&Standing>,
    share: u64,
    taken: u64,
    asked: u64,
) -> bool {
    match (on_down, heard) {
        (OnDown::Allow, _) => true,
        (OnDown::Deny, _) | (OnDown::Local, None) => false,
        (OnDown::Local, Some(heard)) => {
            let even =
                heard.most.saturating_sub(heard.used_by_others) / u64::from(heard.live.max(1));
            taken.checked_add(asked).is_some_and(|sum| sum <= share.max(even))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_even_part_of_what_was_left_passes_locally() {
        let heard = Standing { most: 100, used_by_others: 40, live: 3, ..Standing::default() };
        let passes = |taken, asked| passes_when_down(OnDown::Local, Some(&heard), 7, taken, asked);
        assert!(passes(5, 15) && !passes(5, 16));
        assert!(!passes_when_down(OnDown::Local, None, 7, 0, 1), "it never had an answer");
        assert!(!passes_when_down(OnDown::Deny, Some(&heard), 7, 0, 1));
        assert!(passes_when_down(OnDown::Allow, None, 0, 9, 9));
    }
}
