//! What a holder knows of one limit, and what it learns of it from an answer.

use std::sync::Arc;
use std::time::Duration;

use super::pace::CallPace;
use super::view::{Edging, View};
use crate::accounting::{Era, NextShare, Others, Share, Tick};
use crate::seeded::{self, Bug};
use crate::store::message::{Edges, HeardOfOthers, ShareAsk, ShareGiven, WhichEra, WindowSpan};

/// What the store said of a limit at its last answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Standing {
    /// The limit in force.
    pub most: u64,
    /// What all other holders had used.
    pub used_by_others: u64,
    /// What they had taken and not used.
    pub out_to_others: u64,
    /// What of that was free.
    pub free_with_others: u64,
    /// How many holders lived.
    pub live: u32,
}

/// For how long a holder believes that there is nothing for a waiter.
pub(super) const REFUSED: Duration = Duration::from_millis(100);

/// What a line is to say, whether or not there is need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    /// What it has, and what the store says of the others.
    pub(super) report: bool,
    /// That its holder has no use for the limit any more.
    pub(super) leaves: bool,
    /// That was said last.
    pub(super) left: bool,
    /// The limit that the user has set, if the store has another one.
    pub(super) insists: bool,
    /// Whether the store knows its name.
    pub(super) introduced: bool,
    /// The store has another limit of this number.
    pub(super) refused: bool,
    /// It stands in the queue of those that must speak soon.
    pub(super) urgent: bool,
    /// It stands in the queue of the others.
    pub(super) queued: bool,
}

/// One limit.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) span: WindowSpan,
    pub(super) most: u64,
    pub(super) most_set: i64,
    pub(super) edging: Option<Arc<dyn Edging>>,
    pub(super) pace: CallPace,
    /// The era of the share as it was last seen.
    era: Option<Era>,
    /// Its edges, and those of the one after it.
    pub(super) edges: Option<Edges>,
    next_edges: Option<Edges>,
    /// When the last era ended, by the store's clock.
    pub(super) over: Option<i64>,
    /// Spent and held as the store has last heard it.
    pub(super) reported: Option<(u64, u64)>,
    /// When a message has last named the share.
    pub(super) named: Option<Tick>,
    /// The generation that the user wants to end.
    pub(super) reset: Option<u32>,
    generation: u32,
    pub(super) called_in: bool,
    pub(super) changed: bool,
    pub(super) wishes: Wishes,
    /// When the store last did not give what a waiter needs.
    pub(super) refused: Option<(Tick, u64)>,
    /// When it must be asked again, if before the next beat.
    pub(super) due: Option<Tick>,
    heard: Option<Standing>,
}

impl Line {
    pub(super) fn new(span: WindowSpan, most: u64, edging: Option<Arc<dyn Edging>>) -> Self {
        Self {
            span,
            most,
            most_set: 0,
            edging,
            pace: CallPace::default(),
            era: None,
            edges: None,
            next_edges: None,
            over: None,
            reported: None,
            named: None,
            reset: None,
            generation: 0,
            called_in: false,
            changed: false,
            wishes: Wishes::default(),
            due: None,
            refused: None,
            heard: None,
        }
    }

    /// The same limit in a forked child.
    pub(super) fn fresh(&self) -> Self {
        let mut line = Self::new(self.span, self.most, self.edging.clone());
        line.most_set = self.most_set;
        line.wishes.insists = self.wishes.insists;
        line
    }

    /// Whether others may need what is free of a share of `amount`, of which `used` is used and
    /// held: the store has little left to give.
    pub(super) fn is_scarce(&self, amount: u64, used: u64) -> bool {
        let free = amount.saturating_sub(used);
        let room = self.fair().saturating_sub(amount.max(used));
        free > 0 && room < free.saturating_mul(4)
    }

    pub(super) fn figures(&self) -> Option<Standing> {
        self.heard
    }

    pub(super) fn set_most(&mut self, most: u64, time: Option<i64>) {
        self.most = most;
        self.most_set = self.most_set.saturating_add(1).max(time.unwrap_or(0));
        self.changed = true;
        self.refused = None;
    }

    /// Says `most` if the store has another limit.
    pub(super) fn insist(&mut self, most: u64) {
        self.changed |= self.heard.is_some() && most != self.most;
        self.most = most;
        self.wishes.insists = true;
    }

    /// What an answer to `ask` leaves to be done.
    pub(super) fn heard_at(&mut self, ask: &ShareAsk, given: &ShareGiven, now: Tick) {
        let first = matches!(ask.era, WhichEra::Present) && self.era.is_some();
        // The era that a waiter was asked for is over by a reset elsewhere: the next one is asked.
        let void = matches!(ask.era, WhichEra::This(_)) && self.era.is_none();
        let unmet = ask.need > 0 && (void || given.granted < ask.need);
        if self.changed || ((first || void) && (unmet || self.called_in)) {
            self.due = Some(now);
        }
    }

    pub(super) fn call_in(&mut self) {
        self.called_in = true;
    }

    pub(super) fn reset(&mut self, view: &View, share: &mut Share) {
        self.reset = Some(self.generation);
        share.void(view.spent, view.held);
        self.follow(share);
    }

    /// Forgets what was about an era that is over.
    pub(super) fn follow(&mut self, share: &Share) {
        if self.era == share.era() {
            return;
        }
        self.era = share.era();
        if self.era.is_none() && self.reset.is_none() {
            self.over = self.edges.map(|edges| edges.ends);
        }
        (self.edges, self.next_edges) = (self.next_edges, None);
        (self.reported, self.named) = (None, None);
        if let Some(heard) = &mut self.heard {
            (heard.used_by_others, heard.out_to_others, heard.free_with_others) = (0, 0, 0);
        }
    }

    /// What it has heard of all others.
    pub(super) fn heard(&self) -> HeardOfOthers {
        let heard = self.heard.unwrap_or_default();
        HeardOfOthers { used: heard.used_by_others, out: heard.out_to_others }
    }

    /// What an answer says of all others in the era of the share.
    pub(super) fn others(
        &self,
        ask: &ShareAsk,
        given: &ShareGiven,
        (live, now): (u32, Tick),
    ) -> Others {
        let used = given.used.saturating_sub(ask.spent);
        let back = ask.spent.saturating_sub(given.used);
        Others { most: Some(self.most), used, back, out: given.out, live, heard: Some(now) }
    }

    /// The most that a share can be beside those of all others, as far as it is known.
    pub(super) fn fair(&self) -> u64 {
        let HeardOfOthers { used, out } = self.heard();
        self.most.saturating_sub(used.saturating_add(out))
    }

    /// Takes the answer to `ask` for what it is about.
    pub(super) fn hear(
        &mut self,
        ask: &ShareAsk,
        given: &ShareGiven,
        view: &View,
        share: &mut Share,
        now: Tick,
    ) {
        self.follow(share);
        let ends = given.ends_in.map(|ends| now.plus(Duration::from_micros(ends)));
        if std::mem::take(&mut self.wishes.insists) && given.most != self.most {
            self.set_most(self.most, Some(given.most_set.saturating_add(1)));
        } else if given.most_set >= self.most_set {
            (self.most, self.most_set) = (given.most, given.most_set);
        }
        self.changed &= ask.most_set != self.most_set;
        self.wishes.introduced = true;
        if ask.reset.is_some() && ask.reset == self.reset {
            self.reset = None;
        }
        let void = given.generation > self.generation;
        self.generation = self.generation.max(given.generation);
        if void && share.era().is_some_and(|era| era.generation < given.generation) {
            share.void(view.spent, view.held);
            self.follow(share);
            return self.begin(given, share, ends);
        }
        match ask.era {
            WhichEra::This(era) if seeded::has(Bug::EraMixedUp) => {
                if share.era().is_some() || era == given.era {
                    self.renew(ask, given, share, [Some(now), ends]);
                }
            }
            WhichEra::This(era) if share.era() == Some(era) => {
                self.renew(ask, given, share, [Some(now), ends])
            }
            WhichEra::This(era) => share.reported(era, ask.spent, ask.held, given.known),
            WhichEra::Present if share.era().is_none() => self.begin(given, share, ends),
            // A store whose clock went back may name an earlier era.
            WhichEra::Next(era)
                if share.era() == Some(era) && given.granted > 0 && given.era > era =>
            {
                self.next_edges = given.edges;
                share.set_next(NextShare { era: given.era, amount: given.granted, ends });
            }
            WhichEra::Next(_) if share.era().is_none() => self.begin(given, share, ends),
            WhichEra::Present | WhichEra::Next(_) => {}
        }
    }

    /// Takes a share of an era that the holder has none of, unless that era is over.
    fn begin(&mut self, given: &ShareGiven, share: &mut Share, ends: Option<Tick>) {
        let over = given.ends_in == Some(0) || given.era.generation < self.generation;
        if over || !given.known || self.reset.is_some() || share.has_ended(given.era) {
            return;
        }
        share.adopt(given.era, given.granted, ends);
        self.follow(share);
        self.edges = given.edges;
    }

    /// Takes what the store says of the present share.
    fn renew(
        &mut self,
        ask: &ShareAsk,
        given: &ShareGiven,
        share: &mut Share,
        [now, ends]: [Option<Tick>; 2],
    ) {
        share.grant(given.granted);
        share.ends_by(ends);
        self.edges = given.edges;
        self.reported = Some((ask.spent, ask.held));
        self.called_in |= given.scarce;
        // What was refused by an old limit may be there of the new one.
        let refused = ask.need > given.granted && !self.changed;
        self.refused = now.filter(|_| refused).map(|now| (now, ask.need));
        self.heard = Some(Standing {
            most: given.most,
            used_by_others: given.used.saturating_sub(ask.spent),
            out_to_others: given.out,
            free_with_others: given.free,
            live: 1,
        });
    }
}
