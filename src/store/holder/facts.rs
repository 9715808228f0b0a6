//! Facts under way: each goes with the next message, and hears what became of it.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use super::shared::{FactAsked, FactDone};
use crate::ledger::{Error, StoreError};
use crate::store::message::{Answer, Message, Outcome};
use crate::store::supply::HolderSupply;

/// Facts that wait for a message, and those that wait for its answer.
#[derive(Default)]
pub(super) struct Facts {
    asked: VecDeque<FactAsked>,
    /// In the order of the messages.
    said: VecDeque<FactDone>,
}

impl Facts {
    pub(super) fn add(&mut self, asked: FactAsked) {
        self.asked.push_back(asked);
    }

    /// Hands over what somebody still waits for.
    pub(super) fn hand_over(&mut self, supply: &mut HolderSupply) {
        for asked in self.asked.drain(..) {
            if !asked.given_up.load(Ordering::Acquire) {
                supply.say(asked.fact);
                self.said.push_back(asked.done);
            }
        }
    }

    /// A message was answered. If it was not applied, its facts are said again.
    pub(super) fn answered(&mut self, message: &Message, answer: &Answer) {
        let lost =
            || StoreError::Unavailable("the store has not said what became of it".to_owned());
        match answer.said {
            Outcome::Applied => {
                let mut given = answer.facts.iter();
                for done in self.said.drain(..message.facts.len().min(self.said.len())) {
                    done(given.next().cloned().ok_or_else(|| lost().into()));
                }
            }
            Outcome::Old => {
                for done in self.said.drain(..message.facts.len().min(self.said.len())) {
                    done(Err(lost().into()));
                }
            }
            Outcome::SayAll | Outcome::Empty => {}
        }
    }

    pub(super) fn end(&mut self, error: &dyn Fn() -> Error) {
        self.asked.drain(..).for_each(|asked| (asked.done)(Err(error())));
        self.said.drain(..).for_each(|done| done(Err(error())));
    }
}
