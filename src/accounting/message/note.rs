//! The note of a refusal: what a person reads in a traceback.

use std::time::Duration;

use super::escape::visible;
use crate::accounting::denied::{Denied, Subject};
use crate::accounting::limit::Unit;
use crate::accounting::money::MicroUsd;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

impl Denied {
    /// What a person needs to know: the limit and its rule, the labels, the amounts (money in
    /// dollars), when it could pass, and what to do. It has all names.
    pub fn note(&self) -> String {
        let mut lines = vec![format!("{}.", visible(&self.whole_sentence()))];
        let labels = self.labels();
        if !labels.is_empty() {
            lines.push(format!("Labels: {}.", labels.join(", ")));
        }
        if self.limit > 0 || self.used > 0 || self.requested > 0 {
            lines.push(self.figures());
        }
        lines.extend(self.times());
        lines.push(format!("{}.", self.suggestion()));
        lines.join(" ")
    }

    /// The labels of its counter. The rule is in the sentence.
    fn labels(&self) -> Vec<String> {
        let by_rule = usize::from(matches!(self.subject, Some(Subject::Rule(_))));
        let quoted = |text: &str| visible(&format!("{text:?}"));
        let shown =
            |(name, value): &(String, String)| format!("{}={}", visible(name), quoted(value));
        let mut labels: Vec<String> = self.scope.iter().skip(by_rule).map(shown).collect();
        if let Some(id) = self.id.as_ref().filter(|_| self.subject.is_none()) {
            labels.insert(0, format!("{}={}", self.id_name(), quoted(id.as_str())));
        }
        labels
    }

    fn figures(&self) -> String {
        let Self { limit, used, reserved, requested, remaining, .. } = *self;
        let amount = |n: u64| match self.unit {
            Unit::Cost => dollars(n),
            unit => format!("{} {}", grouped(n), unit.name().replace('_', " ")),
        };
        let held = if reserved > 0 {
            format!(", held by open calls {}", amount(reserved))
        } else {
            String::new()
        };
        let limit = if limit == u64::MAX { "none".to_owned() } else { amount(limit) };
        format!(
            "Limit {limit}, used {}{held}, left {}, asked for {}.",
            amount(used),
            amount(remaining),
            amount(requested)
        )
    }

    /// When its window ends, and when the request could pass.
    fn times(&self) -> Option<String> {
        let resets = self.resets_in.map(|left| format!("its window ends in {}", span(left)));
        let retry = self.retry_after.map(|wait| format!("it could pass in {}", span(wait)));
        let both: Vec<String> = [retry, resets].into_iter().flatten().collect();
        let text = both.join("; ");
        let mut letters = text.chars();
        letters.next().map(|first| format!("{}{}.", first.to_ascii_uppercase(), letters.as_str()))
    }
}

fn dollars(micros: u64) -> String {
    format!("${}", MicroUsd(micros))
}

/// A number with a comma after each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time as a person says it, rounded up: the two largest units.
fn span(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    if time < Duration::from_secs(1) && !time.is_zero() {
        return format!("{} ms", time.as_nanos().div_ceil(1_000_000));
    }
    let (days, hours) = (seconds / DAY, seconds % DAY / HOUR);
    let (minutes, left) = (seconds % HOUR / MINUTE, seconds % MINUTE);
    let units = [(days, "d"), (hours, "h"), (minutes, "min"), (left, "s")];
    let first = units.iter().position(|(n, _)| *n > 0).unwrap_or(3);
    let shown = units.iter().skip(first).take(2).filter(|(n, _)| *n > 0);
    let words: Vec<String> = shown.map(|(n, unit)| format!("{n} {unit}")).collect();
    if words.is_empty() { "0 s".to_owned() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounting::denied::{Code, Kind};

    #[test]
    fn a_note_has_dollars_rule_labels_and_times() {
        let mut denied = Denied::plain(Code::BudgetExceeded, Kind::Cost, None);
        denied.subject = Some(Subject::Rule("per-user".to_owned()));
        denied.scope = [("budget", "per-user"), ("user", "u\u{202e}\u{3164}1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
        (denied.limit, denied.used, denied.reserved) = (20_000_000, 19_870_000, 100_000);
        (denied.requested, denied.remaining) = (50_000, 30_000);
        denied.retry_after = Some(Duration::from_secs(11_525));
        denied.resets_in = Some(Duration::from_secs(11_525));
        assert_eq!(
            denied.note(),
            "Cost budget exceeded: per-user. Labels: user=\"u\\u{202e}\\u{3164}1\". Limit $20.00, used \
             $19.87, held by open calls $0.10, left $0.03, asked for $0.05. It could pass in \
             3 h 12 min; its window ends in 3 h 12 min. Wait for budget reset or request a higher \
             allocation."
        );
    }

    #[test]
    fn times_are_words_and_numbers_are_grouped() {
        let words = [(0, "0 s"), (1, "1 ms"), (59_000, "59 s"), (3_600_000, "1 h")];
        for (millis, word) in words {
            assert_eq!(span(Duration::from_millis(millis)), word);
        }
        assert_eq!(span(Duration::from_millis(90_061_500)), "1 d 1 h");
        assert_eq!(
            ["7", "1,000", "18,446,744,073,709,551,615"],
            [7, 1000, u64::MAX].map(grouped).each_ref().map(String::as_str)
        );
    }
}
