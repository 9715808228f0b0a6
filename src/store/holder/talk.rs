//! The thread of a store: it hears the accounts, speaks to the store, and brings what it says.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use super::facts::Facts;
use super::notices::{StoreEvent, StoreEventKind};
use super::retries::Retries;
use super::shared::{StoreState, Word, machine};
use super::status::Status;
use super::telling::status;
use crate::accounting::{Changes, Tick};
use crate::ledger::{Error, StoreError, SupplyMember};
use crate::store::message::{Answer, LimitId, Message, Outcome};
use crate::store::supply::{HolderSupply, NewLimit, Registry};

/// How often it is looked for others that wait, while the store is scarce.
const LOOK: Duration = Duration::from_millis(50);

/// How long the end waits for the last commit.
const LAST: Duration = Duration::from_millis(200);

/// Somebody who waits until all that was to be said has been answered.
struct Awaited {
    done: Sender<Result<(), Error>>,
    /// The number of the message with the last of it, once it is known.
    number: Option<u64>,
}

/// What the thread of a store knows.
pub(super) struct Talk {
    pub(super) shared: Arc<StoreState>,
    pub(super) supply: HolderSupply,
    pub(super) registry: Registry,
    /// Whether the backend has a message that it has not answered.
    in_flight: bool,
    retries: Retries,
    facts: Facts,
    awaited: VecDeque<Awaited>,
    settling: Vec<Sender<()>>,
    closing: Vec<Sender<bool>>,
    /// When it ends, done or not.
    ends_at: Option<Tick>,
    looked: Option<Tick>,
    looking: bool,
    is_down: bool,
    pub(super) answered: Option<(Tick, i64)>,
    swept: Option<Tick>,
    pub(super) problem: Option<String>,
}

impl Talk {
    pub(super) fn new(shared: Arc<StoreState>, supply: HolderSupply) -> Self {
        let seed = supply.holder().0;
        Self {
            shared,
            supply,
            registry: Registry::default(),
            in_flight: false,
            retries: Retries::new(seed),
            facts: Facts::default(),
            awaited: VecDeque::new(),
            settling: Vec::new(),
            closing: Vec::new(),
            ends_at: None,
            looked: None,
            looking: false,
            is_down: false,
            answered: None,
            swept: None,
            problem: None,
        }
    }

    /// Runs until the store is closed.
    pub(super) fn run(mut self) {
        self.shared.runs_here();
        while !self.turn() {
            let pause = self.pause();
            if pause.is_none_or(|pause| !pause.is_zero()) {
                self.shared.sleep(pause);
            }
        }
        self.end();
    }

    fn now(&self) -> Tick {
        self.shared.options.clock.precise_tick()
    }

    /// Hears all that was said, and speaks. Whether it was the last turn.
    fn turn(&mut self) -> bool {
        for word in self.shared.heard() {
            self.hear(word);
        }
        let now = self.now();
        self.keep_house(now);
        self.speak(now);
        self.notice_silence();
        self.look();
        self.shared.set_next(self.supply.next(now));
        let quiet = !self.in_flight && !self.supply.is_speaking() && self.supply.next(now) > now;
        if quiet || self.is_down {
            for done in self.settling.drain(..) {
                let _ = done.send(());
            }
        }
        self.ends_at.is_some_and(|ends| self.supply.has_gone() || machine() >= ends)
    }

    fn hear(&mut self, word: Word) {
        match word {
            Word::Joined(account) => self.join(&account),
            Word::Short(limit) => {
                self.shared.tell_of(StoreEventKind::Short, limit, None);
                self.supply.mark(limit);
            }
            Word::Surplus(limit) => self.supply.mark(limit),
            Word::Changed(limit, changes) => self.change(limit, changes),
            Word::Booked(limit, done) => {
                self.supply.report(limit);
                self.awaited.push_back(Awaited { done, number: None });
            }
            Word::Say(asked) => self.facts.add(asked),
            Word::Sync(done) => {
                self.supply.report_all();
                self.awaited.push_back(Awaited { done, number: None });
            }
            Word::Look(limits, done) => {
                limits.into_iter().for_each(|limit| self.supply.report(limit));
                self.awaited.push_back(Awaited { done, number: None });
            }
            Word::Settle(done) => self.settling.push(done),
            Word::Status(to) => drop(to.send(self.status())),
            Word::Answer(answer) => self.answer(*answer),
            Word::Looked(found) => {
                self.looking = false;
                for limit in found.unwrap_or_default() {
                    self.supply.call_in(limit);
                }
            }
            Word::Close(done, timeout) => {
                self.supply.go();
                self.closing.push(done);
                self.ends_at = Some(machine().plus(timeout));
            }
        }
    }

    fn join(&mut self, account: &Arc<dyn SupplyMember>) {
        // It fails only in a forked child, which has no such thread.
        for NewLimit { known, edging } in self.registry.join(account).unwrap_or_default() {
            self.supply.add(known.id, known.span, known.most, edging);
            self.supply.name(known.id, &self.shared.name_of(known.id));
            if known.insists && known.most != u64::MAX {
                // An object without a limit of its own does not lift that of others.
                self.supply.insist(known.id, known.most);
            }
        }
    }

    fn change(&mut self, limit: LimitId, changes: Changes) {
        let now = self.now();
        if let Some(most) = changes.most {
            self.supply.set_limit(limit, most, now);
        }
        if changes.reset {
            self.supply.reset(limit, &mut self.registry);
        }
    }

    fn status(&mut self) -> Status {
        let (supply, registry) = (&self.supply, &mut self.registry);
        status(&self.shared, supply, registry, self.answered, self.problem.as_deref())
    }

    /// Gives back what nobody uses any more, twice in a beat.
    fn keep_house(&mut self, now: Tick) {
        let rules = self.shared.options.rules();
        if self.swept.is_some_and(|swept| now.since(swept) < rules.beat / 2) {
            return;
        }
        self.swept = Some(now);
        for limit in self.registry.unused(now, rules.idle) {
            if self.supply.has_left(limit) {
                self.supply.forget(limit);
                self.registry.forget(limit);
            } else {
                self.supply.leave(limit);
            }
        }
        for account in self.registry.successors() {
            self.join(&account);
        }
    }

    fn speak(&mut self, now: Tick) {
        if self.in_flight || self.supply.has_gone() || !self.retries.are_due(machine()) {
            return;
        }
        let message = if self.supply.is_speaking() {
            self.supply.again().cloned()
        } else {
            self.facts.hand_over(&mut self.supply);
            let said = self.supply.plan(&mut self.registry, now);
            self.await_up_to(said.as_ref());
            said
        };
        let Some(message) = message else { return };
        if !self.retries.has_begun() {
            let at = machine();
            self.retries.begin(at);
            self.shared.set_unanswered(Some(at));
        }
        self.in_flight = true;
        let shared = Arc::clone(&self.shared);
        let done = move |answer| shared.say(Word::Answer(Box::new(answer)));
        self.shared.backend.send(Arc::new(message), Box::new(done));
    }

    /// Those who wait are served by the answer to this message, if it says the last of all.
    fn await_up_to(&mut self, said: Option<&Message>) {
        if self.supply.is_marked() {
            return;
        }
        match said {
            Some(message) if message.number > 1 => {
                let waiting = self.awaited.iter_mut().filter(|awaited| awaited.number.is_none());
                waiting.for_each(|awaited| awaited.number = Some(message.number));
            }
            Some(_) => {}
            None => self.serve_awaited(u64::MAX),
        }
    }

    fn serve_awaited(&mut self, number: u64) {
        let (served, waiting) =
            std::mem::take(&mut self.awaited).into_iter().partition::<VecDeque<_>, _>(|awaited| {
                number == u64::MAX || awaited.number.is_some_and(|last| last <= number)
            });
        self.awaited = waiting;
        served.into_iter().for_each(|awaited| drop(awaited.done.send(Ok(()))));
    }

    fn answer(&mut self, answer: Result<Answer, Error>) {
        self.in_flight = false;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                self.problem = Some(error.to_string());
                return self.retries.fail(machine());
            }
        };
        let (now, epoch) = (self.now(), self.supply.epoch());
        self.retries.end();
        self.shared.set_unanswered(None);
        let wall = self.shared.options.clock.wall_ns() / 1_000;
        self.answered = Some((machine(), answer.time.saturating_sub(wall)));
        self.problem = (answer.said == Outcome::Empty).then(|| empty(&self.shared));
        if let Some(problem) = &self.problem {
            let refused: Error = StoreError::Unavailable(problem.clone()).into();
            let waiting = self.awaited.drain(..);
            waiting.for_each(|awaited| drop(awaited.done.send(Err(refused.clone()))));
        }
        let message = self.supply.apply(&answer, &mut self.registry, now);
        if let Some(message) = message {
            self.facts.answered(&message, &answer);
            self.shared.tell_drawn(&message, &answer);
            if answer.said == Outcome::Applied {
                self.serve_awaited(message.number);
            }
        }
        if epoch.is_some() && epoch != self.supply.epoch() {
            self.shared.notices.tell(&StoreEvent::of(StoreEventKind::Forgot));
        }
        if std::mem::take(&mut self.is_down) {
            self.shared.notices.tell(&StoreEvent::of(StoreEventKind::Back));
            self.decide_again();
        }
    }

    /// If the store does not answer for too long, what waits is decided without it.
    fn notice_silence(&mut self) {
        if self.is_down || !self.shared.is_away() || self.shared.is_closed() {
            return;
        }
        self.is_down = true;
        let mut event = StoreEvent::of(StoreEventKind::Down);
        event.problem.clone_from(&self.problem);
        self.shared.notices.tell(&event);
        self.decide_again();
    }

    fn decide_again(&self) {
        for account in self.registry.accounts() {
            // It fails only in a forked child, which has none of these.
            let _ = account.decides_again();
        }
    }

    /// Looks for others that wait for what is free here.
    fn look(&mut self) {
        let due = self.looked.is_none_or(|looked| machine().since(looked) >= LOOK);
        if !due || self.looking || self.is_down || !self.looks() {
            return;
        }
        (self.looked, self.looking) = (Some(machine()), true);
        let shared = Arc::clone(&self.shared);
        let done = move |found| shared.say(Word::Looked(found));
        self.shared.backend.look(self.supply.holder(), Box::new(done));
    }

    fn looks(&self) -> bool {
        self.supply.is_scarce()
    }

    /// For how long there is nothing to do.
    fn pause(&self) -> Option<Duration> {
        if self.shared.has_words() {
            return Some(Duration::ZERO);
        }
        let (now, at) = (self.now(), machine());
        let mut pauses = Vec::with_capacity(4);
        if !self.in_flight {
            pauses.push(self.retries.due_in(at));
            if !self.supply.is_speaking() && !self.shared.options.clock.is_manual() {
                pauses.push(Some(self.supply.next(now).since(now).max(Duration::from_micros(100))));
            }
        }
        pauses.extend(self.ends_at.map(|ends| Some(ends.since(at))));
        if let Some(since) = self.retries.begun().filter(|_| !self.is_down) {
            pauses.push(Some(since.plus(self.shared.patience()).since(at)));
        }
        if self.looks() && !self.looking {
            let next = self.looked.map_or(at, |looked| looked.plus(LOOK));
            pauses.push(Some(next.since(at)));
        }
        pauses.into_iter().flatten().min()
    }

    /// Nobody waits for the thread any more.
    fn end(mut self) {
        let gone = self.supply.has_gone();
        let closed = || Err(self.shared.closed());
        self.awaited.drain(..).for_each(|awaited| drop(awaited.done.send(closed())));
        self.facts.end(&|| self.shared.closed());
        self.decide_again();
        for word in self.shared.heard() {
            if let Word::Say(asked) = word {
                (asked.done)(Err(self.shared.closed()));
            }
        }
        self.shared.backend.close(LAST);
        // Only now: who has closed a store may open it again.
        for done in self.closing.drain(..) {
            let _ = done.send(gone);
        }
    }
}

/// Why a store without contents is refused.
fn empty(shared: &StoreState) -> String {
    format!(
        "the store {} has nothing in namespace {:?}, and strict=True makes nothing by itself: \
         create it with `outlay migrate URL --create`",
        shared.backend.place(),
        shared.options.namespace
    )
}
