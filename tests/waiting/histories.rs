//! Random histories of waiting on the ledger and on a naive queue: zero differences.

use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, TestRunner};

use super::driver::Driver;
use super::{ops, tally};

const HISTORIES: u32 = 5_000;

#[test]
fn random_histories_of_waiting_agree_with_the_naive_queue() {
    let file = "tests/waiting/histories.proptest-regressions";
    let mut runner = TestRunner::new(ProptestConfig {
        cases: HISTORIES,
        max_shrink_iters: 20_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(file))),
        ..ProptestConfig::default()
    });
    let agree = runner.run(&(ops::plan(), ops::history()), |(plan, history)| {
        let mut driver = Driver::new(&plan);
        history.iter().for_each(|op| driver.run(op));
        driver.finish();
        Ok(())
    });
    if let Err(difference) = agree {
        panic!("{difference}");
    }
    for (what, times) in tally::all() {
        println!("{what}: {times}");
        assert!(times > u64::from(HISTORIES) / 5, "{what}: only {times} times");
    }
}
