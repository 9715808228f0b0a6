//! The side of a store: a message is applied to rows, and the answer says what stands.
//!
//! It is a pure function: [`Rows`] reads and writes, and runs each message as one atomic step.

mod eras;
mod facts;
mod grants;
mod names;
mod numbers;
mod visit;

use self::eras::Placed;
use self::grants::Booked;
use self::numbers::Admitted;
use self::visit::{FACTS_MAX, Visit};
use super::message::{Answer, Edges, Epoch, Message, Outcome, ShareAsk, ShareGiven};
use super::rows::{HolderRow, Rows, after};

pub use visit::{Now, StoreRules};

/// Creates an empty namespace, which a strict store does not do by itself. One that exists stays.
pub fn create<R: Rows>(rows: &mut R, now: Now) -> Result<(), R::Fault> {
    if rows.store()?.is_none() {
        rows.put_store(numbers::first(now))?;
    }
    Ok(())
}

/// Applies `message`, and says what stands.
pub fn apply<R: Rows>(
    rows: &mut R,
    rules: &StoreRules,
    now: Now,
    message: &Message,
) -> Result<Answer, R::Fault> {
    let Some(store) = numbers::store_of(rows, rules, now, message)? else {
        return Ok(answer(message, Outcome::Empty, None, now.time));
    };
    let holder = message.holder;
    let row = HolderRow { last: 0, epoch: store.epoch, heard: store.latest, changed: 0 };
    let mut visit = Visit { rows, rules, store, holder, row, live: 1 };
    let admitted = numbers::admit(&mut visit, now, message)?;
    visit.sweep()?;
    visit.live = visit.rows.live(visit.time().saturating_sub_unsigned(rules.ttl))?.max(1);
    let said = match admitted {
        Admitted::New | Admitted::Whole | Admitted::Again => Outcome::Applied,
        Admitted::Old => Outcome::Old,
        Admitted::SayAll => Outcome::SayAll,
    };
    let mut result = answer(message, said, Some(visit.store.epoch), visit.time());
    result.live = visit.live;
    match admitted {
        Admitted::New => visit.book(message, false, &mut result)?,
        Admitted::Whole => visit.book(message, true, &mut result)?,
        Admitted::Again => visit.read(message, &mut result)?,
        Admitted::Old | Admitted::SayAll => {}
    }
    if message.bye && result.said == Outcome::Applied {
        visit.dismiss()?;
    }
    Ok(result)
}

fn answer(message: &Message, said: Outcome, epoch: Option<Epoch>, time: i64) -> Answer {
    let (given, facts, refused) = (Vec::new(), Vec::new(), Vec::new());
    Answer { number: message.number, said, epoch, time, live: 1, given, facts, refused }
}

impl<R: Rows> Visit<'_, R> {
    /// Books all of a message, then grants what it asks for.
    fn book(
        &mut self,
        message: &Message,
        whole: bool,
        answer: &mut Answer,
    ) -> Result<(), R::Fault> {
        let mut booked: Vec<Booked> = Vec::with_capacity(message.asks.len());
        names::keep(self, &message.names, &mut answer.refused)?;
        for ask in &message.asks {
            if answer.refused.contains(&ask.limit) {
                let placed = Placed { known: false, grants: false, ..eras::find(self, ask)? };
                booked.push(Booked::nothing(placed));
                continue;
            }
            let mut placed = eras::place(self, ask)?;
            let here = |(other, booked): (&ShareAsk, &Booked)| {
                other.limit == ask.limit && booked.placed.era == placed.era
            };
            // What a message says of an era, it says once.
            placed.known &= !message.asks.iter().zip(&booked).any(here);
            booked.push(grants::lower(self, ask, placed, whole)?);
        }
        if !self.learns() {
            let mut raised = Vec::with_capacity(booked.len());
            for (ask, booked) in message.asks.iter().zip(&booked) {
                raised.push(grants::raise(ask, booked, self.live));
            }
            for group in &message.together {
                grants::all_or_none(group, &message.asks, &booked, &mut raised);
            }
            for (booked, raised) in booked.iter_mut().zip(raised) {
                booked.own.granted = raised;
            }
        }
        for (ask, booked) in message.asks.iter().zip(&mut booked) {
            grants::keep(self, ask, booked)?;
        }
        for (at, fact) in message.facts.iter().take(FACTS_MAX).enumerate() {
            let given = facts::apply(self, fact)?;
            self.row.changed |= u64::from(given.changed) << at;
            answer.facts.push(given);
        }
        if self.row.changed != 0 {
            self.rows.put_holder(self.holder, self.row)?;
            for (ask, booked) in message.asks.iter().zip(&mut booked) {
                // What the facts have moved is in the answer.
                let Placed { era, row, limit, .. } = &mut booked.placed;
                *row = self.rows.era(ask.limit, *era)?.unwrap_or(*row);
                *limit = self.rows.limit(ask.limit)?.unwrap_or(*limit);
            }
        }
        answer.given = self.given(message, &booked);
        Ok(())
    }

    /// Says what stands, for a message that was applied before.
    fn read(&mut self, message: &Message, answer: &mut Answer) -> Result<(), R::Fault> {
        let mut booked = Vec::with_capacity(message.asks.len());
        for ask in &message.asks {
            let placed = eras::find(self, ask)?;
            booked.push(grants::read(self, ask, placed)?);
        }
        for (at, fact) in message.facts.iter().take(FACTS_MAX).enumerate() {
            answer.facts.push(facts::read(self, fact, self.row.changed >> at & 1 == 1)?);
        }
        names::compare(self, &message.names, &mut answer.refused)?;
        answer.given = self.given(message, &booked);
        Ok(())
    }

    fn given(&self, message: &Message, booked: &[Booked]) -> Vec<ShareGiven> {
        message.asks.iter().zip(booked).map(|(ask, booked)| self.given_of(ask, booked)).collect()
    }

    fn given_of(&self, ask: &ShareAsk, booked: &Booked) -> ShareGiven {
        let Booked { placed, own, others, .. } = booked;
        let Placed { era, row, limit, known, .. } = placed;
        let ends = (row.ends != i64::MAX).then_some(row.ends);
        let left = |ends: i64| u64::try_from(ends.saturating_sub(self.time())).unwrap_or(0);
        ShareGiven {
            era: *era,
            granted: own.granted,
            ends_in: ends.map(left),
            edges: ends.map(|ends| Edges { begins: era.begins, ends }),
            known: *known,
            generation: limit.era.generation,
            most: limit.most,
            most_set: limit.most_set,
            used: row
                .base
                .saturating_add(others.spent)
                .saturating_add(others.lost)
                .saturating_add(own.spent)
                .saturating_sub(row.back),
            out: others
                .taken
                .saturating_sub(others.spent.saturating_add(others.lost))
                .saturating_add(row.silent),
            free: others.free,
            scarce: others.waits_before(ask.need, own.since),
        }
    }

    /// Its holder is not counted among those that live any more.
    fn dismiss(&mut self) -> Result<(), R::Fault> {
        self.row.heard = self.time().saturating_sub_unsigned(self.rules.ttl);
        self.rows.put_holder(self.holder, self.row)
    }

    /// Drops holders that are gone, and facts that need not be kept, once in a while.
    fn sweep(&mut self) -> Result<(), R::Fault> {
        let time = self.time();
        let ages = self.rules.ttl.saturating_mul(10);
        if time < after(self.store.swept, ages) {
            return Ok(());
        }
        self.store.swept = time;
        self.rows.put_store(self.store)?;
        self.rows.fold(time.saturating_sub_unsigned(self.rules.keep))?;
        self.rows.drop_holders(time.saturating_sub_unsigned(ages))?;
        self.rows.drop_facts(time)
    }
}
