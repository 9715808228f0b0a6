//! Random operations on the ledger and on a naive book of the laws: zero differences.

use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, TestRunner};

use super::model::driver::Driver;
use super::model::ops::{accounts, operations};
use super::model::tally;

/// `cases` sequences; what fails is kept beside this file and tried first from then on.
fn config(cases: u32) -> ProptestConfig {
    let file = "tests/ledger/histories.proptest-regressions";
    ProptestConfig {
        cases,
        max_shrink_iters: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(file))),
        ..ProptestConfig::default()
    }
}

/// How many histories are run: so many as OUTLAY_HISTORIES says, else 2,000, which find what more
/// find.
fn histories() -> u32 {
    std::env::var("OUTLAY_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(2_000)
}

#[test]
fn random_histories_agree_with_the_naive_book() {
    let history = (accounts(), operations());
    let mut runner = TestRunner::new(config(histories()));
    let agree = runner.run(&history, |(plans, operations)| {
        let mut driver = Driver::new(plans);
        operations.iter().try_for_each(|op| driver.run(op))
    });
    if let Err(difference) = agree {
        panic!("{difference}");
    }
    // Histories in which nothing happened would agree too.
    for (what, times) in tally::all() {
        println!("{what}: {times}");
        assert!(times > u64::from(runner.config().cases) / 8, "{what}: only {times} times");
    }
}
