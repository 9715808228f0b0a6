//! A sliding limit over several processes, beside one process with an exact log.

use std::collections::VecDeque;
use std::time::Duration;

use outlay::Window;

use super::budgets::calls;
use super::files;
use super::fleet::{Call, run};

#[test]
fn a_sliding_limit_holds_in_any_span_over_8_processes() {
    let names = [
        "azure_conv_2023",
        "azure_code_2023_part1",
        "mooncake_conversation",
        "arena_clients",
        "agent_sessions",
    ];
    for name in names {
        let Some(asked) = files::read(name) else { return };
        let log: Vec<(u64, u64)> =
            asked.iter().map(|one| (one.at, one.input + one.output)).collect();
        let limit = highest(&log) * 60 / 100;
        let mut calls = calls(&asked, 8, false);
        calls.retain(|call| call.estimate <= limit);
        calls.iter_mut().for_each(|call| call.lasts = 0);
        let window = |now| Window::sliding(Duration::from_secs(60), 60, now).unwrap();
        let outcome = run(8, limit, window, &calls, |_| false);
        let admitted: Vec<(u64, u64)> = outcome
            .decisions
            .iter()
            .filter(|decision| decision.admitted)
            .map(|decision| (decision.at, decision.asked))
            .collect();
        let all: u64 = admitted.iter().map(|(_, tokens)| tokens).sum();
        let exact = exact_log(&calls, limit);
        let [most, share] = [ratio(highest(&admitted), limit), ratio(all, exact)];
        println!("{name}: highest {most:.3}, of the exact log {share:.3}");
        assert!(most <= 1.0, "{name}: {most}");
        assert!(share >= 0.97, "{name}: {share}");
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share to print and to compare")]
fn ratio(of: u64, all: u64) -> f64 {
    of as f64 / all as f64
}

/// What one process with an exact log of all requests admits.
fn exact_log(calls: &[Call], limit: u64) -> u64 {
    let (mut log, mut used, mut all) = (VecDeque::new(), 0, 0);
    for call in calls {
        while log.front().is_some_and(|(at, _): &(u64, u64)| at + 60_000_000 <= call.at) {
            used -= log.pop_front().unwrap().1;
        }
        if used + call.estimate <= limit {
            log.push_back((call.at, call.estimate));
            used += call.estimate;
            all += call.estimate;
        }
    }
    all
}

/// The most tokens in any span of 60 s.
fn highest(log: &[(u64, u64)]) -> u64 {
    let (mut end, mut total, mut most) = (0, 0, 0);
    for start in 0..log.len() {
        while end < log.len() && log[end].0 < log[start].0 + 60_000_000 {
            total += log[end].1;
            end += 1;
        }
        most = most.max(total);
        total -= log[start].1;
    }
    most
}
