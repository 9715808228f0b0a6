//! Random operations on the ledger and on a naive book of the laws: zero differences.
#![cfg(not(loom))]

mod model;

use model::driver::Driver;
use model::ops::{accounts, operations};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

/// `cases` sequences; what fails is kept beside this file and tried first from then on.
fn config(cases: u32) -> ProptestConfig {
    let file = "tests/ledger_model.proptest-regressions";
    ProptestConfig {
        cases,
        max_shrink_iters: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(file))),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(10_000))]

    #[test]
    fn ten_thousand_histories_agree_with_the_naive_book(
        plans in accounts(),
        operations in operations(),
    ) {
        let mut driver = Driver::new(plans);
        for op in &operations {
            driver.run(op)?;
        }
    }
}
