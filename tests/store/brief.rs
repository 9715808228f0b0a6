//! Messages and answers in short, for traces.

use std::fmt::Write;

use outlay::store::{Answer, Message, WhichEra};

pub(crate) fn message(message: &Message) -> String {
    let Message { holder, number, whole, .. } = message;
    let mut text =
        format!("    holder {} #{number}{}:", holder.0, if *whole { " whole" } else { "" });
    for ask in &message.asks {
        let era = match ask.era {
            WhichEra::Present => "now".to_owned(),
            WhichEra::This(era) => format!("{}@{}", era.generation, era.begins % 1_000_000_000_000),
            WhichEra::Next(era) => format!("after {}", era.begins % 1_000_000_000_000),
        };
        write!(
            text,
            " [{} {era} have {} want {} spent {} held {} need {} until {}{}]",
            ask.limit.0,
            ask.have,
            ask.want,
            ask.spent,
            ask.held,
            ask.need,
            ask.until / 1_000,
            match (ask.reset, ask.leaves) {
                (Some(_), _) => " reset",
                (None, true) => " leaves",
                (None, false) => "",
            }
        )
        .unwrap();
    }
    text
}

pub(crate) fn answer(answer: &Answer) -> String {
    let Answer { number, said, live, .. } = answer;
    let mut text = format!("    answer #{number} {said:?}, {live} live:");
    for given in &answer.given {
        let begins = given.era.begins % 1_000_000_000_000;
        let ends = given.ends_in.map_or(-1, |ends| i64::try_from(ends / 1_000).unwrap());
        write!(
            text,
            " [{}@{begins} granted {} used {} out {} ends in {ends}{}{}]",
            given.era.generation,
            given.granted,
            given.used,
            given.out,
            if given.scarce { " scarce" } else { "" },
            if given.known { "" } else { " unknown" }
        )
        .unwrap();
    }
    text
}
