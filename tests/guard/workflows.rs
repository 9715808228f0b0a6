//! Workflows and their steps, tools, limiters and what providers say of their own limits.

use std::sync::Arc;

use outlay::{Code, Mailbox, Usage};

use crate::kit::{HOUR, MINUTE, SECOND, World, asks, refused, scope};

const FLOW: &str = r#"
    [[workflow]]
    name = "w"
    limit = { steps = 2, tokens = 100 }
    step.plan = { calls = 1 }
    step.default = { calls = 2 }
"#;

#[test]
fn steps_are_counted_in_each_run() {
    let world = World::new(FLOW);
    let run = [("workflow", "w"), ("run", "r-1")];
    world.guard.step(&run).unwrap();
    world.guard.step(&run).unwrap();
    let denied = refused(world.guard.step(&run));
    assert_eq!((denied.code, denied.limit), (Code::WorkflowQuotaExceeded, 2));
    assert_eq!(scope(&denied), [("workflow", "w"), ("run", "r-1")]);
    world.guard.step(&[("workflow", "w"), ("run", "r-2")]).unwrap();
    world.guard.step(&[("workflow", "other"), ("run", "r-1")]).unwrap();
    assert_eq!(world.figures("w", "steps"), (3, 0));
    world.spend(&run, 100).unwrap();
    assert_eq!(world.figures("w", "steps"), (3, 0), "a call is no step");
    assert_eq!(refused(world.reserve(&run, 1)).code, Code::BudgetExceeded);
}

#[test]
fn a_step_has_its_own_rule_or_that_of_all_others() {
    let world = World::new(FLOW);
    let step =
        |step: &'static str| [("workflow", "w"), ("run", "r"), ("step", step), ("step_id", "1")];
    world.spend(&step("plan"), 0).unwrap();
    let denied = refused(world.reserve(&step("plan"), 0));
    assert_eq!(scope(&denied)[..2], [("workflow", "w"), ("step", "plan")]);
    assert!(denied.message().ends_with("w.step.plan"));
    for _ in 0..2 {
        world.spend(&step("write"), 0).unwrap();
    }
    let denied = refused(world.reserve(&step("write"), 0));
    assert_eq!(scope(&denied)[..2], [("workflow", "w"), ("step", "default")]);
    assert!(scope(&denied).contains(&("step", "write")), "which of the others it was");
    world.spend(&[("workflow", "w"), ("run", "r"), ("step", "plan"), ("step_id", "2")], 0).unwrap();
    world.spend(&[("workflow", "w"), ("run", "r")], 0).unwrap();
}

#[test]
fn a_tool_has_calls_and_no_tokens() {
    let world = World::new(
        r#"
        [[tool]]
        name = "search-*"
        limit = { calls = 2 }
        [[budget]]
        name = "b"
        limit = { tool_calls = 3, calls = 9 }
    "#,
    );
    for _ in 0..2 {
        world.spend(&[("tool", "search-web")], 0).unwrap();
    }
    assert_eq!(refused(world.reserve(&[("tool", "search-files")], 0)).scope[0].1, "search-*");
    world.spend(&[("tool", "other")], 0).unwrap();
    assert_eq!(refused(world.reserve(&[("tool", "other")], 0)).scope[0].1, "b");
    world.spend(&[], 0).unwrap();
    assert_eq!(world.figures("b", "tool_calls"), (3, 0));
}

const LIMITER: &str = r#"
    [[limiter]]
    name = "l"
    scope = { model = "*" }
    requests_per_minute = 10
    tokens_per_hour = 1_000
    adaptive = "headers"
"#;

#[test]
fn a_limiter_has_a_window_for_each_of_its_periods() {
    let world = World::new(LIMITER);
    for _ in 0..10 {
        world.spend(&[("model", "m")], 90).unwrap();
    }
    let denied = refused(world.reserve(&[("model", "m")], 0));
    assert_eq!((denied.code, denied.limit), (Code::RateLimitExceeded, 10));
    world.clock.advance(MINUTE + SECOND);
    world.spend(&[("model", "m")], 100).unwrap();
    assert_eq!(refused(world.reserve(&[("model", "m")], 1)).limit, 1_000);
    world.spend(&[("model", "n")], 1_000).unwrap();
    world.clock.advance(HOUR + MINUTE);
    world.spend(&[("model", "m")], 1_000).unwrap();
}

#[test]
fn an_adaptive_limiter_hears_what_the_provider_says() {
    let world = World::new(LIMITER);
    let said = [("x-ratelimit-remaining-requests", "1"), ("x-ratelimit-reset-requests", "30s")];
    world.guard.observe(&[("model", "m")], said, 200).unwrap();
    world.spend(&[("model", "m")], 1).unwrap();
    refused(world.reserve(&[("model", "m")], 1));
    world.spend(&[("model", "n")], 1).unwrap();
    world.guard.observe(&[("model", "n")], [("retry-after", "20")], 429).unwrap();
    let retry = refused(world.reserve(&[("model", "n")], 1)).retry_after.unwrap();
    assert!(retry >= SECOND * 20, "{retry:?}");
    world.clock.advance(MINUTE);
    world.spend(&[("model", "m")], 1).unwrap();
    world.spend(&[("model", "n")], 1).unwrap();
    for bad in ["", "x", "-1", "NaN", "1e99", "99999999999999999999999"] {
        let said = [("x-ratelimit-remaining-tokens", bad), ("retry-after", bad)];
        world.guard.observe(&[("model", "o")], said, 200).unwrap();
    }
}

#[test]
fn who_waits_is_served_in_turn_and_at_once_when_there_is_room() {
    let pool = "[[pool]]\nname = \"p\"\nlimit = { tokens = 100 }\non_limit = { wait = \"30s\" }\n";
    let world = World::new(pool);
    let held = world.reserve(&[], 100).unwrap();
    let mailbox = Mailbox::new(|| {});
    let queue = |tokens| world.guard.wait(&[], &asks(tokens), None, Arc::clone(&mailbox)).unwrap();
    let ((first, _), (second, _), (late, _)) = (queue(60), queue(50), queue(10));
    held.commit(Usage::tokens(30).into()).unwrap();
    let granted = first.take().unwrap().unwrap();
    assert!(second.is_pending() && late.is_pending(), "nobody is overtaken");
    refused(world.reserve(&[], 1));
    world.update(&pool.replace("100", "200"));
    assert!(!second.is_pending() && !late.is_pending(), "an update makes room");
    drop(granted);
    let (slow, _) = queue(100);
    world.clock.advance(MINUTE);
    assert!(matches!(slow.take(), Some(Err(outlay::Error::TimedOut(_)))));
}
