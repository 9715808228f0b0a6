//! What stands on a bill beside plain tokens, and how a call is billed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::accounting::invalid::{Invalid, InvalidKind};

/// The longest name of a unit or of a way of billing.
const NAME_MAX: usize = 64;

/// Sound, units and the way of billing. It is empty for most calls, and then it is a null pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Billing(Option<Arc<Fields>>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Fields {
    audio_input_tokens: u64,
    audio_output_tokens: u64,
    units: BTreeMap<Box<str>, u64>,
    billed_as: BTreeSet<Box<str>>,
}

impl Fields {
    fn sealed(self) -> Billing {
        Billing((self != Self::default()).then(|| Arc::new(self)))
    }
}

impl Billing {
    /// Nothing beside plain tokens.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Whether there is nothing beside plain tokens.
    #[inline]
    pub const fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// So many tokens of sound, which are parts of the input and of the output.
    #[must_use]
    pub fn with_audio(self, input_tokens: u64, output_tokens: u64) -> Self {
        if input_tokens == 0 && output_tokens == 0 && self.is_none() {
            return self;
        }
        let mut fields = self.fields();
        fields.audio_input_tokens = input_tokens;
        fields.audio_output_tokens = output_tokens;
        fields.sealed()
    }

    /// Adds so many of a unit, such as 3 of "web_search". An error names `argument`.
    pub fn with_unit(self, argument: &str, name: &str, count: u64) -> Result<Self, Invalid> {
        check_name(argument, name)?;
        if count == 0 {
            return Ok(self);
        }
        let mut fields = self.fields();
        let sum = fields.units.entry(name.into()).or_default();
        *sum = sum.saturating_add(count);
        Ok(fields.sealed())
    }

    /// Adds a way of billing, such as "priority". An error names `argument`.
    pub fn billed_as(self, argument: &str, name: &str) -> Result<Self, Invalid> {
        check_name(argument, name)?;
        let mut fields = self.fields();
        fields.billed_as.insert(name.into());
        Ok(fields.sealed())
    }

    fn fields(self) -> Fields {
        self.0.map(Arc::unwrap_or_clone).unwrap_or_default()
    }

    /// The part of the input that was sound.
    #[inline]
    pub fn audio_input_tokens(&self) -> u64 {
        self.0.as_ref().map_or(0, |fields| fields.audio_input_tokens)
    }

    /// The part of the output that was sound.
    #[inline]
    pub fn audio_output_tokens(&self) -> u64 {
        self.0.as_ref().map_or(0, |fields| fields.audio_output_tokens)
    }

    /// What was used beside tokens, by name. No count is 0.
    pub fn units(&self) -> impl Iterator<Item = (&str, u64)> {
        let fields = self.0.iter();
        fields.flat_map(|fields| fields.units.iter().map(|(name, count)| (&**name, *count)))
    }

    /// How the call is billed: the names of the multipliers that apply, in the order of the
    /// alphabet.
    pub fn ways(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|fields| fields.billed_as.iter().map(|name| &**name))
    }

    /// Whether there is any sound or unit in it.
    pub(crate) fn is_used(&self) -> bool {
        let used = |fields: &Arc<Fields>| {
            fields.audio_input_tokens > 0
                || fields.audio_output_tokens > 0
                || !fields.units.is_empty()
        };
        self.0.as_ref().is_some_and(used)
    }

    /// Whether the counts are the same, in whatever way they are billed.
    pub(crate) fn counts_like(&self, other: &Self) -> bool {
        self.only_ways(|_| false) == other.only_ways(|_| false)
    }

    /// The same counts, billed in the ways that `keep` wants.
    fn only_ways(&self, keep: impl Fn(&str) -> bool) -> Self {
        let Some(fields) = &self.0 else { return Self::none() };
        let mut fields = Fields::clone(fields);
        fields.billed_as.retain(|way| keep(way));
        fields.sealed()
    }

    /// Both counts by `op`. The ways of billing stay.
    fn each(&self, other: &Self, op: impl Fn(u64, u64) -> u64) -> Self {
        if other.is_none() {
            return self.clone();
        }
        let mut fields = self.clone().fields();
        fields.audio_input_tokens = op(fields.audio_input_tokens, other.audio_input_tokens());
        fields.audio_output_tokens = op(fields.audio_output_tokens, other.audio_output_tokens());
        for (name, count) in other.units() {
            let known = fields.units.entry(name.into()).or_default();
            *known = op(*known, count);
        }
        fields.units.retain(|_, count| *count > 0);
        fields.sealed()
    }

    /// The sum of the counts. Only what both are billed as holds for the sum.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        if self.is_none() && other.is_none() {
            return Self::none();
        }
        let both = |way: &str| other.ways().any(|theirs| theirs == way);
        self.each(other, u64::saturating_add).only_ways(both)
    }

    /// The difference of the counts, never below 0.
    pub(crate) fn less(&self, other: &Self) -> Self {
        self.each(other, u64::saturating_sub)
    }

    /// The counts so many times.
    pub(crate) fn times(&self, times: u64) -> Self {
        let Some(fields) = &self.0 else { return Self::none() };
        let mut fields = Fields::clone(fields);
        fields.audio_input_tokens = fields.audio_input_tokens.saturating_mul(times);
        fields.audio_output_tokens = fields.audio_output_tokens.saturating_mul(times);
        fields.units.values_mut().for_each(|count| *count = count.saturating_mul(times));
        fields.units.retain(|_, count| *count > 0);
        fields.sealed()
    }
}

/// Refuses what is no name of a unit or of a way of billing.
pub(crate) fn check_name(argument: &str, name: &str) -> Result<(), Invalid> {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.:".contains(&byte);
    if (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    let shown: String = name.chars().take(NAME_MAX).collect();
    Err(Invalid {
        kind: InvalidKind::Amount,
        message: format!(
            "{argument}: a name is 1 to {NAME_MAX} lowercase letters, digits, \"_\", \"-\", \".\" \
             and \":\", such as \"web_search\", not {shown:?}"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn searched(count: u64) -> Billing {
        Billing::none().with_unit("units", "web_search", count).unwrap()
    }

    #[test]
    fn nothing_is_a_null_pointer() {
        assert_eq!(size_of::<Billing>(), size_of::<usize>());
        assert!(searched(0).is_none());
        assert!(Billing::none().with_audio(0, 0).is_none());
        assert!(searched(2).less(&searched(5)).is_none());
    }

    #[test]
    fn counts_add_by_name_and_only_common_ways_stay() {
        let one = searched(2).billed_as("a", "us").unwrap().billed_as("a", "priority").unwrap();
        let other = searched(1).billed_as("a", "us").unwrap().with_audio(3, 4);
        let other = other.with_unit("units", "image", 7).unwrap();
        let sum = one.plus(&other);
        assert_eq!(sum.units().collect::<Vec<_>>(), [("image", 7), ("web_search", 3)]);
        assert_eq!(sum.ways().collect::<Vec<_>>(), ["us"]);
        assert_eq!((sum.audio_input_tokens(), sum.audio_output_tokens()), (3, 4));
        assert_eq!(sum, other.plus(&one));
        assert_eq!(searched(u64::MAX).plus(&searched(1)), searched(u64::MAX));
        assert_eq!(searched(2).times(3), searched(6));
    }

    #[test]
    fn a_way_is_there_once_whatever_the_order() {
        let ways = |names: &[&str]| {
            names.iter().fold(Billing::none(), |all, name| all.billed_as("a", name).unwrap())
        };
        assert_eq!(ways(&["us", "fast", "us"]), ways(&["fast", "us"]));
    }

    #[test]
    fn a_bad_name_is_refused() {
        for name in ["", "Web", "a b", "é", "a/b", "a\n", &"x".repeat(65)] {
            assert!(
                check_name("units", name).unwrap_err().message.starts_with("units: "),
                "{name}"
            );
        }
        assert!(check_name("units", &"x".repeat(64)).is_ok());
        assert!(check_name("units", "us-east.1:web_search").is_ok());
    }
}
