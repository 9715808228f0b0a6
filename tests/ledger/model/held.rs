//! What a naive book says of requests that are only held.

use outlay::LeaseState;

use super::book::{Ask, Book};
use super::meter::Kind;

impl Book {
    /// Where every meter that refuses would let it pass without what open leases hold: when enough
    /// of them have run out, `None` in it where they do not.
    pub(crate) fn held(&self, asks: &[Ask], soft_admits: bool) -> Option<Option<u64>> {
        let mut waits = Vec::new();
        for ask in asks {
            let account = &self.accounts[ask.account];
            if account.closed {
                return None;
            }
            for &(meter, amount) in &ask.demands {
                let soft = soft_admits && !account.meters[meter].hard;
                if soft || self.fits(ask.account, meter, amount) {
                    continue;
                }
                let rule = &account.meters[meter];
                let ceiling = rule.max.unwrap_or(u64::MAX).saturating_sub(rule.stop);
                let used = self.used(ask.account, meter);
                let room = ceiling.checked_sub(amount)?.checked_sub(used)?;
                let mut wait = self.returned_in(ask.account, meter, room);
                if matches!(rule.kind, Kind::Sliding { .. }) {
                    let demands = vec![(meter, amount)];
                    let slid = self.passes_in(&[Ask { demands, ..ask.clone() }], soft_admits);
                    wait = wait.into_iter().chain(slid).min();
                }
                waits.push(wait);
            }
        }
        let all: Option<Vec<u64>> = waits.iter().copied().collect();
        (!waits.is_empty()).then(|| all.and_then(|all| all.into_iter().max()))
    }

    /// When what is held is not more than `room`, if all that runs out were returned.
    fn returned_in(&self, account: usize, meter: usize, room: u64) -> Option<u64> {
        let window = self.window(account, meter);
        let open = self.leases.iter().filter(|lease| lease.state == LeaseState::Open);
        let mut holds: Vec<(u64, u64)> = Vec::new();
        for lease in open {
            let parts = lease.parts.iter().filter(|part| part.account() == account);
            let mine = parts.flat_map(|part| &part.holds);
            let mine = mine.filter(|hold| hold.0 == meter && self.is_in(account, hold, window));
            holds.extend(mine.map(|hold| (lease.deadline, hold.1)));
        }
        holds.sort_unstable();
        let mut left: u128 = holds.iter().map(|hold| u128::from(hold.1)).sum();
        for (deadline, amount) in holds {
            left -= u128::from(amount);
            if left <= u128::from(room) {
                return Some(deadline - self.now).filter(|wait| *wait < 1 << 60);
            }
        }
        None
    }
}
