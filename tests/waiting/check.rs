//! What holds after every step, and in the end.

use outlay::Usage;

use super::driver::Driver;
use super::model::{End, Wait};
use super::ops::{Finish, Op, Step, Which};
use super::tally::count;

impl Driver {
    pub(crate) fn check(&mut self) {
        // Before anybody looks at an account: nobody needs a second step to be served.
        let ended = self.mailbox.take_posted();
        let ended: Vec<usize> = ended.iter().map(|t| self.tickets[t]).collect();
        assert_eq!(ended, self.book.posted[self.posted..], "other ends, or another order");
        for &wait in &self.book.posted[self.posted..] {
            let Wait { asks, end, joined, .. } = &self.book.waits[wait];
            let later = *joined < self.book.now;
            match end {
                Some(End::Lease(_)) if later => count(if asks.len() > 1 { 2 } else { 1 }),
                Some(End::Slot(_)) if later => count(3),
                Some(End::TimedOut) => count(4),
                Some(End::Denied) => count(5),
                _ => count(0),
            }
        }
        self.posted = self.book.posted.len();
        for account in 0..2 {
            let real = self.account(account).read(|meters, _| {
                meters.iter().map(|meter| (meter.used(), meter.reserved())).collect::<Vec<_>>()
            });
            for (index, real) in real.unwrap().into_iter().enumerate() {
                let meter = &self.book.accounts[account].meters[index];
                let naive = (meter.used(self.book.now), self.book.reserved(account, index));
                assert_eq!(real, naive, "meter {index} of account {account}");
                if meter.strict {
                    assert!(naive.0 + naive.1 <= meter.max, "above the limit");
                    assert!(!meter.slides || meter.most_in_any_span() <= meter.max);
                }
                self.check_head(account, index);
            }
        }
        assert!(self.mailbox.take_posted().is_empty(), "a look was needed");
    }

    /// Nobody is stuck: the first of each queue does not pass, and has time left.
    fn check_head(&self, account: usize, meter: usize) {
        if let Some(&head) = self.book.waiting(account, meter).first() {
            let wait = &self.book.waits[head];
            assert!(self.book.refused(&wait.asks, wait.gated, head).is_some());
            assert!(wait.deadline.is_none_or(|deadline| deadline > self.book.now));
        }
    }

    /// All leave and all leases end: nothing is held, and nobody is in the way.
    pub(crate) fn finish(mut self) {
        while !self.waits.is_empty() {
            self.run(&Op::Leave { pick: self.waits.len() / 2 });
        }
        while !self.leases.is_empty() {
            self.run(&Op::End { pick: 0, finish: Finish::Less(1) });
        }
        self.run(&Op::Advance { step: Step::By(40_000) });
        for account in 0..2 {
            assert!(self.account(account).open_leases().unwrap().is_empty());
            for meter in 0..self.book.accounts[account].meters.len() {
                self.run(&Op::Reset { meter: account + meter });
                self.run(&Op::SetLimit { meter: account + meter, max: 1_000 });
                assert_eq!(self.book.reserved(account, meter), 0);
            }
        }
        if self.book.accounts.iter().all(|account| !account.closed) {
            let usage = Usage::priced(15, 1_000);
            self.run(&Op::Reserve { which: Which::Both, usage, ttl: 10 });
            assert_eq!(self.leases.len(), 1, "somebody is still in the way");
        }
    }
}
