//! The network of a world, and the store at its end.

use std::sync::Arc;
use std::time::Duration;

use outlay::ShareKind;
use outlay::store::{
    Answer, HolderId, Message, Now, Outcome, ShareAsk, ShareGiven, WhichEra, apply,
};

use super::{Run, STORE};
use crate::auditor::{Broken, Stated, Use, broken};
use crate::brief;
use crate::holder::micros;
use crate::plan::Faults;
use crate::twin;

/// The most packets on the way. The oldest is lost then.
const PACKETS_MAX: usize = 64;

#[derive(Clone, Debug)]
pub(super) enum Packet {
    Message(Arc<Message>),
    Answer(HolderId, Arc<Answer>),
}

impl Run<'_> {
    /// Lets the supply of a holder speak.
    fn speak(&mut self, holder: usize) -> Result<Option<Arc<Message>>, Broken> {
        let now = self.now;
        let Some((own, _)) = self.awake(holder) else { return Ok(None) };
        let repeats = own.supply.is_speaking();
        own.mark();
        let message = own.supply.plan(&mut own.inner, now);
        let mut said = Vec::new();
        for ask in message.iter().flat_map(|message| &message.asks).filter(|_| !repeats) {
            if let (WhichEra::This(era), ShareKind::Amount) = (ask.era, ask.span.kind()) {
                let limit = usize::try_from(ask.limit.0).unwrap();
                // What is said of another limit may let a request pass that waits.
                let after = own.after(limit, era);
                let (used, held) = (ask.spent + after.used, ask.held + after.held);
                let place = (limit, (era.generation, era.begins));
                said.push((place, Use { used, held }, ask.leaves));
            }
        }
        self.flush(holder)?;
        let Some(message) = message else { return Ok(None) };
        for (place, said, leaves) in said {
            let again = leaves && message.whole && self.auditor.has_left(message.holder.0, place);
            if !again {
                self.auditor.said(message.holder.0, place, said, micros(now))?;
            }
            if leaves {
                self.auditor.left(message.holder.0, place);
            }
        }
        Ok(Some(Arc::new(message)))
    }

    pub(super) fn plan(&mut self, holder: usize) -> Result<(), Broken> {
        if let Some(message) = self.speak(holder)? {
            self.say(|| brief::message(&message));
            if self.holders[holder].as_ref().is_some_and(|holder| !holder.cut) {
                self.send(Packet::Message(message), Duration::ZERO);
            }
        }
        Ok(())
    }

    fn send(&mut self, packet: Packet, delay: Duration) {
        if self.packets.len() >= PACKETS_MAX {
            self.packets.remove(0);
        }
        self.packets.push((self.now.plus(delay), packet));
    }

    /// The supply speaks, and the answer comes at once.
    pub(crate) fn sync(&mut self, holder: usize) -> Result<(), Broken> {
        let Some(message) = self.speak(holder)? else { return Ok(()) };
        self.say(|| brief::message(&message));
        let Some((cut, delay)) = self.holders[holder].as_ref().map(|own| (own.cut, own.delay))
        else {
            return Ok(());
        };
        if cut {
            return Ok(());
        }
        let answer = self.answer(&message)?;
        if delay.is_zero() {
            return self.hear(holder, &answer);
        }
        self.send(Packet::Answer(message.holder, Arc::new(answer)), delay);
        Ok(())
    }

    pub(super) fn deliver(&mut self, pick: usize, again: bool) -> Result<(), Broken> {
        let due = self.packets.iter().filter(|(due, _)| *due <= self.now).count();
        if due == 0 {
            return Ok(());
        }
        let mut all = self.packets.iter().enumerate().filter(|(_, (due, _))| *due <= self.now);
        let at = all.nth(pick % due).map_or(0, |(at, _)| at);
        let (_, packet) = if again { self.packets[at].clone() } else { self.packets.remove(at) };
        match packet {
            Packet::Message(message) => {
                let holder = message.holder;
                let answer = self.answer(&message)?;
                let mut all = self.holders.iter().flatten();
                let to = all.find(|own| own.id() == holder && !own.cut);
                if let Some(delay) = to.map(|own| own.delay) {
                    self.send(Packet::Answer(holder, Arc::new(answer)), delay);
                }
            }
            Packet::Answer(id, answer) => {
                let mut all = 0..self.holders.len();
                let to =
                    all.find(|&at| self.holders[at].as_ref().is_some_and(|own| own.id() == id));
                if let Some(at) = to {
                    let hung = self.holders[at].as_ref().is_some_and(|holder| holder.hung);
                    if hung {
                        // It waits in the socket.
                        self.send(Packet::Answer(id, answer), Duration::ZERO);
                    } else {
                        self.hear(at, &answer)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The store applies a message.
    fn answer(&mut self, message: &Message) -> Result<Answer, Broken> {
        self.applied += 1;
        let fresh = (u128::from(self.random.next()) << 64) | u128::from(self.random.next());
        let before = self.rows.store.map(|store| store.epoch);
        let now = Now { time: self.store_time(), fresh };
        let Ok(answer) = apply(&mut self.rows, &STORE, now, message);
        twin::applied(&STORE, now, message, &answer);
        self.say(|| brief::answer(&answer));
        let kept = self.rows.store.map(|store| store.epoch);
        let Faults { memory, quiet, .. } = &self.world.faults;
        if !memory && !quiet && before.is_some() && before != kept {
            let text = format!("{before:?} is now {kept:?}");
            return Err(broken("a store that lost nothing keeps its epoch", text));
        }
        if answer.said == Outcome::Applied {
            let said = message.asks.iter().zip(&answer.given);
            let stated: Vec<Stated> = said.map(|said| stated(said, message.whole)).collect();
            let (from, time) = ((message.holder.0, message.number), answer.time);
            if self.wire.applied(from, &stated, &message.together, time)? {
                for each in &stated {
                    self.auditor.heard(each.limit, from.0, micros(self.now));
                }
            }
        }
        Ok(answer)
    }

    fn hear(&mut self, holder: usize, answer: &Answer) -> Result<(), Broken> {
        let now = self.now;
        let Some((own, _)) = self.awake(holder) else { return Ok(()) };
        own.supply.apply(answer, &mut own.inner, now);
        let gone = own.supply.has_gone();
        self.flush(holder)?;
        if gone {
            let fresh = self.born();
            self.holders[holder] = Some(fresh);
        }
        Ok(())
    }
}

fn stated((ask, given): (&ShareAsk, &ShareGiven), whole: bool) -> Stated {
    Stated {
        limit: usize::try_from(ask.limit.0).unwrap(),
        window: (given.era.generation, given.era.begins),
        most: given.most,
        have: ask.have,
        need: ask.need,
        spent: ask.spent,
        held: ask.held,
        until: i64::try_from(ask.until).unwrap(),
        granted: given.granted,
        counted: given.known,
        whole,
        leaves: ask.leaves,
    }
}
