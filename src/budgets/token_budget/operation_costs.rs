//! The cost of one token by operation: a query 1, a transaction 3.

use std::collections::BTreeMap;

/// The cost of one token by operation. An operation without an entry costs 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationCosts(BTreeMap<String, u64>);

impl Default for OperationCosts {
    /// query 1, embedding 5, vector_search 10, write 2, transaction 3.
    fn default() -> Self {
        let costs = [
            ("query", 1),
            ("embedding", 5),
            ("vector_search", 10),
            ("write", 2),
            ("transaction", 3),
        ];
        Self(costs.into_iter().map(|(name, cost)| (name.to_owned(), cost)).collect())
    }
}

impl OperationCosts {
    /// The cost of one token of `operation`.
    pub fn of(&self, operation: &str) -> u64 {
        self.0.get(operation).copied().unwrap_or(1)
    }

    /// Sets the cost of one operation.
    pub fn set(&mut self, operation: &str, cost: u64) {
        self.0.insert(operation.to_owned(), cost);
    }

    /// All named operations.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, cost)| (name.as_str(), *cost))
    }
}

impl<S: Into<String>> FromIterator<(S, u64)> for OperationCosts {
    fn from_iter<I: IntoIterator<Item = (S, u64)>>(costs: I) -> Self {
        Self(costs.into_iter().map(|(name, cost)| (name.into(), cost)).collect())
    }
}
