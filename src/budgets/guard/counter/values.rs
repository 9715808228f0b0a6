//! The label values of a counter, in one text.

use std::sync::Arc;

use crate::accounting::undated;

/// The texts of other values begin with a digit.
const PROVIDER_MARK: char = '~';

/// Names and values of labels, each after its length: `4:user=3:bob;`. So different labels have
/// different texts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::budgets::guard) struct Values(Arc<str>);

impl Values {
    pub(in crate::budgets::guard) fn of(named: &[(&str, &str)]) -> Self {
        let mut text = String::new();
        for (name, value) in named {
            text.push_str(&format!("{}:{name}={}:{value};", name.len(), value.len()));
        }
        Self(text.into())
    }

    /// The values of what a provider says of a model, for the counter with these values. They differ
    /// from all values of counters that users see. The first is the model, beside their own.
    pub(in crate::budgets::guard) fn for_provider(named: &[(&str, &str)], model: &str) -> Self {
        let undated_model =
            |&(name, value)| (name, if name == "model" { undated(value) } else { value });
        let own = named.iter().map(undated_model);
        let all: Vec<_> = std::iter::once(("model", undated(model))).chain(own).collect();
        Self(format!("{PROVIDER_MARK}{}", Self::of(&all).0).into())
    }

    /// Whether it is made by [`for_provider`](Self::for_provider).
    pub(in crate::budgets::guard) fn is_of_provider(&self) -> bool {
        self.0.starts_with(PROVIDER_MARK)
    }

    /// Whether there is any.
    pub(in crate::budgets::guard) fn is_any(&self) -> bool {
        !self.0.is_empty()
    }

    /// The names and values.
    pub(in crate::budgets::guard) fn pairs(&self) -> Vec<(String, String)> {
        let mut left = self.0.strip_prefix(PROVIDER_MARK).unwrap_or(&self.0);
        let mut pairs = Vec::new();
        while let Some((name, after)) = first(left)
            && let Some((value, after)) = first(after)
        {
            pairs.push((name.to_owned(), value.to_owned()));
            left = after;
        }
        if self.is_of_provider() {
            pairs.remove(0);
        }
        pairs
    }

    /// Whether one of these names is among them.
    pub(super) fn names(&self, names: &[&str]) -> bool {
        self.pairs().iter().any(|(name, _)| names.contains(&name.as_str()))
    }
}

/// The first text after its length, and what comes after it and its separator.
fn first(text: &str) -> Option<(&str, &str)> {
    let (length, after) = text.split_once(':')?;
    let (first, after) = after.split_at_checked(length.parse().ok()?)?;
    Some((first, after.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_says_of_a_model_has_values_of_its_own() {
        let (own, bare) = ([("user", "a"), ("model", "m-2025-01-31")], [("user", "a")]);
        let of = Values::for_provider(&own, "m-2025-01-31");
        assert_eq!(of.pairs(), Values::of(&[("user", "a"), ("model", "m")]).pairs());
        assert_eq!(Values::for_provider(&bare, "m").pairs(), Values::of(&bare).pairs());
        assert_ne!(Values::for_provider(&bare, "m"), Values::for_provider(&bare, "n"));
        assert!(of.is_of_provider() && !Values::of(&own).is_of_provider());
    }

    #[test]
    fn any_text_is_read_back() {
        let odd = [("user", "a:b=3:c;"), ("", ""), ("\u{e9}=", "7:"), ("run", "1")];
        let pairs = Values::of(&odd).pairs();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (&**n, &**v)).collect();
        assert_eq!(pairs, odd);
        assert_eq!(Values::of(&[]).pairs(), []);
    }
}
