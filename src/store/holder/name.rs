//! What a limit is called: a hash of 128 bits for the store, and a name for people.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// What a limit is. Two that are equal in all parts are one limit, in every process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitName<'a> {
    /// The class of the object that has it, such as `AgentTokenBudget`.
    pub class: &'a str,
    /// The id of the object, or the name of a rule.
    pub id: &'a str,
    /// What it counts, such as `tokens`.
    pub unit: &'a str,
    /// What else it is: kind, window and scope of a rule.
    pub parts: &'a [(&'a str, &'a str)],
}

impl LimitName<'_> {
    /// The name for people, and the text that is hashed: no two limits have the same one.
    pub(crate) fn readable(&self) -> String {
        let mut name = format!("{} {:?} {}", self.class, self.id, self.unit);
        for (key, value) in self.parts {
            // Writing to a string does not fail.
            let _ = write!(name, " {key}={value:?}");
        }
        name
    }

    /// The number of that limit.
    pub fn number(&self) -> u128 {
        hash(&self.readable())
    }
}

/// The first 128 bits of the SHA-256 of `text`. Users give ids: nobody can make two that meet.
pub(super) fn hash(text: &str) -> u128 {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(16).fold(0, |sum, byte| sum << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_beginning_of_sha_256() {
        assert_eq!(hash("abc"), 0xba78_16bf_8f01_cfea_4141_40de_5dae_2223);
        assert_eq!(hash(""), 0xe3b0_c442_98fc_1c14_9afb_f4c8_996f_b924);
    }

    #[test]
    fn each_part_tells_limits_apart() {
        let name = LimitName { class: "Guard", id: "a", unit: "tokens", parts: &[("kind", "b")] };
        assert_eq!(name.readable(), "Guard \"a\" tokens kind=\"b\"");
        let others = [
            LimitName { class: "Pool", ..name },
            LimitName { id: "a\" tokens kind=\"b", ..name },
            LimitName { unit: "calls", ..name },
            LimitName { parts: &[], ..name },
            LimitName { parts: &[("kind", "b"), ("user", "c")], ..name },
        ];
        for other in others {
            assert_ne!(other.readable(), name.readable());
        }
    }
}
