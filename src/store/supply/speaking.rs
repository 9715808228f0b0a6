//! What one holder knows of one store: when it speaks, and what it does with an answer.

use std::collections::BTreeMap;
use std::time::Duration;

use super::line::{Line, Standing};
use super::queue::LineQueue;
use super::say::Speech;
use super::view::{Edging, Meters, SupplyRules, micros};
use crate::accounting::{Share, Tick};
use crate::seeded::{self, Bug};
use crate::store::message::{
    Answer, Epoch, Fact, HolderId, LimitId, Message, Outcome, ShareAsk, WhichEra, WindowSpan,
};

/// The most asks of a message, but for a request that needs more limits together.
const ASKS_MAX: usize = 256;
/// The most facts of a message.
const FACTS_MAX: usize = 64;

/// A message under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sent {
    pub(super) message: Message,
    first: Tick,
    pub(super) again_at: Tick,
    wait: Duration,
    /// The ticks until which no lease lasts longer, by ask.
    until: Vec<Tick>,
}

/// What one holder knows of one store.
#[derive(Clone, Debug)]
pub struct HolderSupply {
    pub(super) rules: SupplyRules,
    me: HolderId,
    pub(super) number: u64,
    pub(super) epoch: Option<Epoch>,
    pub(super) says_all: bool,
    pub(super) sent: Option<Sent>,
    pub(super) spoke: Option<Tick>,
    clock: Option<(i64, Tick)>,
    pub(super) trip: Duration,
    live: u32,
    pub(super) lines: BTreeMap<LimitId, Line>,
    /// Which of them speak next.
    pub(super) queue: LineQueue,
    /// The readable names of limits.
    pub(super) names: BTreeMap<LimitId, String>,
    pub(super) facts: Vec<Fact>,
    pub(super) goes: bool,
    pub(super) gone: bool,
}

impl HolderSupply {
    /// A holder that has said nothing yet. `me` is random, and no other holder ever had it.
    pub fn new(rules: SupplyRules, me: HolderId) -> Self {
        Self {
            rules,
            me,
            number: 0,
            epoch: None,
            says_all: false,
            sent: None,
            spoke: None,
            clock: None,
            trip: rules.again,
            live: 1,
            lines: BTreeMap::new(),
            queue: LineQueue::default(),
            names: BTreeMap::new(),
            facts: Vec::new(),
            goes: false,
            gone: false,
        }
    }

    /// The holder of a forked child: another one, with the limits of its parent and no share. Its
    /// meters have new shares, too.
    #[must_use]
    pub fn forked(&self, me: HolderId) -> Self {
        let mut child = Self::new(self.rules, me);
        child.names.clone_from(&self.names);
        child.lines = self.lines.iter().map(|(id, line)| (*id, line.fresh())).collect();
        if seeded::has(Bug::IdTwice) {
            (child.me, child.number, child.epoch) = (self.me, self.number, self.epoch);
        }
        child
    }

    /// The holder that speaks.
    pub const fn holder(&self) -> HolderId {
        self.me
    }

    /// Adds a limit of `most` (`u64::MAX` for none) that the meters have.
    pub fn add(
        &mut self,
        id: LimitId,
        span: WindowSpan,
        most: u64,
        edging: Option<Box<dyn Edging>>,
    ) {
        self.lines.entry(id).or_insert_with(|| Line::new(span, most, edging.map(Into::into)));
    }

    /// The limit was set to `most` by the user of this process.
    pub fn set_limit(&mut self, id: LimitId, most: u64, now: Tick) {
        let time = self.store_time(now);
        if let Some(line) = self.lines.get_mut(&id) {
            line.set_most(most, time);
            // Who sets a limit has a use for it.
            (line.wishes.leaves, line.wishes.left) = (self.goes, false);
        }
        self.mark(id);
    }

    /// The limit was reset by the user of this process. The share is void at once, and the meter
    /// begins a new window.
    pub fn reset(&mut self, id: LimitId, meters: &mut dyn Meters) {
        if let Some(line) = self.lines.get_mut(&id) {
            meters.visit(id, &mut |view, share| line.reset(view, share));
        }
        self.mark(id);
    }

    /// Others wait for what is free here: it goes back with the next message.
    pub fn call_in(&mut self, id: LimitId) {
        if let Some(line) = self.lines.get_mut(&id) {
            line.call_in();
        }
        self.mark(id);
    }

    /// The meter of a limit has news: it is visited by the next [`plan`](Self::plan).
    pub fn mark(&mut self, id: LimitId) {
        if let Some(line) = self.lines.get_mut(&id) {
            self.queue.hurry(id, &mut line.wishes);
        }
    }

    /// Says what it has of that limit, and so hears of the others, soon.
    pub fn report(&mut self, id: LimitId) {
        if let Some(line) = self.lines.get_mut(&id) {
            line.wishes.report = true;
            self.queue.hurry(id, &mut line.wishes);
        }
    }

    /// Says this fact with the next message. The answer comes with [`apply`](Self::apply).
    ///
    /// The message names the limits that it moves, and so the answer has their figures.
    pub fn say(&mut self, fact: Fact) {
        for moved in fact.change.moved() {
            self.report(moved.limit);
        }
        self.facts.push(fact);
    }

    /// What the store said of a limit at the last answer.
    pub fn figures(&self, id: LimitId) -> Option<Standing> {
        let figures = self.lines.get(&id)?.figures()?;
        Some(Standing { live: self.live, ..figures })
    }

    /// How many holders lived at the last answer.
    pub const fn live(&self) -> u32 {
        self.live
    }

    /// The number of its last message.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Whether a message waits for its answer.
    pub const fn is_speaking(&self) -> bool {
        self.sent.is_some()
    }

    /// The time of the store, as far as it is known: at most what it is.
    pub fn store_time(&self, now: Tick) -> Option<i64> {
        let (time, at) = self.clock?;
        Some(time.saturating_add(i64::try_from(micros(now.since(at))).unwrap_or(i64::MAX)))
    }

    /// The message to send now, if there is one: a new one, or the last one again, unchanged, if
    /// its answer is late. Shares are lowered by it, and the calendar turned.
    pub fn plan(&mut self, meters: &mut dyn Meters, now: Tick) -> Option<Message> {
        if let Some(sent) = &mut self.sent {
            if now < sent.again_at {
                return None;
            }
            if !seeded::has(Bug::AnswerLost) {
                sent.wait = (sent.wait * 2).min(self.rules.beat.max(self.rules.again));
                sent.again_at = now.plus(sent.wait);
                return Some(sent.message.clone());
            }
        }
        let mut speech = Speech::new(self.rules, now, self.says_all, self.trip);
        speech.time = self.store_time(now);
        speech.goes = self.goes;
        if self.number > 0 {
            self.speak(&mut speech, meters);
        }
        let beats = self.spoke.is_none_or(|spoke| now.since(spoke) >= self.rules.beat);
        let must = beats || self.says_all || self.goes;
        if speech.asks.is_empty() && self.facts.is_empty() && !must {
            return None;
        }
        Some(self.send(speech, now))
    }

    /// Lets lines speak: all of them if the store wants that, or else those that are due.
    fn speak(&mut self, speech: &mut Speech, meters: &mut dyn Meters) {
        let now = speech.now;
        if self.says_all {
            self.queue.take_all(&mut self.lines);
            self.queue.sweep(&mut self.lines, now);
        } else {
            self.queue.collect(&mut self.lines, now, self.rules.beat / 2);
        }
        let most = if self.says_all { usize::MAX } else { ASKS_MAX };
        let mut unsaid = Vec::new();
        while let Some(id) = self.queue.take(&mut self.lines, speech.asks.len() < most) {
            let Some(line) = self.lines.get_mut(&id) else { continue };
            if line.wishes.refused {
                continue;
            }
            let mut scarce = false;
            meters.visit(id, &mut |view, share| {
                speech.speak(id, line, view, share);
                scarce = line.is_scarce(share.amount(), view.spent.saturating_add(view.held));
            });
            self.queue.note(id, line, scarce);
            if line.wishes.report {
                unsaid.push(id);
            }
            // A request whose limits are raised all or none is said whole.
            if speech.asks.len() > most && !speech.is_same_request() {
                break;
            }
        }
        // What could not be said now is said with the next message.
        for id in unsaid {
            self.mark(id);
        }
    }

    fn names_of(&self, asks: &[ShareAsk]) -> Vec<(LimitId, String)> {
        let unknown = asks
            .iter()
            .filter(|ask| self.lines.get(&ask.limit).is_some_and(|line| !line.wishes.introduced));
        let mut ids: Vec<LimitId> = unknown.map(|ask| ask.limit).collect();
        ids.dedup();
        let named = ids.into_iter().filter_map(|id| Some((id, self.names.get(&id)?.clone())));
        named.collect()
    }

    fn send(&mut self, speech: Speech, now: Tick) -> Message {
        self.number += 1;
        let hello = self.number == 1;
        let facts = if hello { 0 } else { self.facts.len().min(FACTS_MAX) };
        let leaves = |line: &Line| line.wishes.leaves;
        let bye = self.goes && !hello && !self.lines.values().any(leaves);
        let message = Message {
            holder: self.me,
            number: self.number,
            epoch: self.epoch,
            whole: self.says_all && !hello,
            together: speech.together(),
            names: self.names_of(&speech.asks),
            asks: speech.asks,
            facts: self.facts.drain(..facts).collect(),
            bye,
        };
        let wait = self.rules.again;
        let (again_at, until) = (now.plus(wait), speech.until);
        self.spoke = Some(now);
        self.sent = Some(Sent { message: message.clone(), first: now, again_at, wait, until });
        message
    }

    /// Applies an answer, if it is the one to the message under way. Returns that message.
    pub fn apply(
        &mut self,
        answer: &Answer,
        meters: &mut dyn Meters,
        now: Tick,
    ) -> Option<Message> {
        let mine =
            |sent: &Sent| seeded::has(Bug::OldAnswer) || sent.message.number == answer.number;
        let mut sent = self.sent.take_if(|sent| mine(sent))?;
        let message = &sent.message;
        self.trip = now.since(sent.first);
        if answer.said == Outcome::Old {
            return Some(sent.message);
        }
        self.clock = Some((answer.time, now));
        self.live = answer.live;
        self.epoch = answer.epoch.or(self.epoch);
        self.says_all = answer.said == Outcome::SayAll;
        if self.says_all {
            self.lines.values_mut().for_each(|line| line.wishes.introduced = false);
        }
        if answer.said != Outcome::Applied {
            // Its facts were not applied: they are said again.
            let facts = std::mem::take(&mut sent.message.facts);
            self.facts.splice(0..0, facts);
            return Some(sent.message);
        }
        let from = if seeded::has(Bug::WrongClock) { now } else { sent.first };
        let lapses = from.plus(self.rules.ttl);
        self.gone |= message.bye;
        for id in &answer.refused {
            if let Some(line) = self.lines.get_mut(id) {
                line.wishes.refused = true;
            }
        }
        let asks = message.asks.iter().zip(&answer.given).zip(&sent.until);
        for ((ask, given), &until) in asks {
            let Some(line) = self.lines.get_mut(&ask.limit) else { continue };
            let mut scarce = false;
            meters.visit(ask.limit, &mut |view, share| {
                line.hear(ask, given, view, share, now);
                scarce = line.is_scarce(share.amount(), view.spent.saturating_add(view.held));
                if is_present(ask, share) {
                    share.extend(lapses, until);
                    if share.era() == Some(given.era) {
                        share.hear(line.others(ask, given, (answer.live, now)));
                    }
                }
            });
            line.heard_at(ask, given, now);
            self.queue.note(ask.limit, line, scarce);
        }
        Some(sent.message)
    }
}

/// Whether an answer to this ask says that the store knows the present share.
fn is_present(ask: &ShareAsk, share: &Share) -> bool {
    match ask.era {
        WhichEra::Present => true,
        WhichEra::This(era) => share.era() == Some(era),
        WhichEra::Next(_) => false,
    }
}
