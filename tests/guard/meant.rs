//! Which requests rules are about: labels that are required, requests that no rule is about, calls
//! of models inside tools, and what is said of each agent.

use std::sync::{Arc, Mutex};

use outlay::{
    Abandoned, AgentAllowance, AllotmentSize, Clock, Error, EventKind, Guard, ModelQuota, Usage,
};

use crate::kit::{SECOND, World, asks, policy, refused};

const EACH: &str =
    "[[budget]]\nname = \"b\"\nscope = { agent = \"*\" }\nlimit = { tokens = 100 }\n";
const REQUIRED: &str = "[defaults]\nrequire = [\"agent\", \"user\"]\n";

fn missing<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Invalid(bad)) => bad.message,
        other => panic!("not refused as a fault: {other:?}"),
    }
}

#[test]
fn a_request_without_a_required_label_is_a_fault_and_changes_nothing() {
    let world = World::new(&format!("{REQUIRED}{EACH}"));
    let labels = [("agent", "a"), ("team", "t")];
    for _ in 0..2 {
        let said = missing(world.reserve(&labels, 1));
        assert_eq!(
            said,
            "the label \"user\" must be given: the policy says [defaults] require = [\"agent\", \
             \"user\"], and the labels of this request and of the scopes around it are agent, team"
        );
        missing(world.guard.check(&labels, &asks(1)));
        missing(world.guard.ask_call(&labels, &asks(1)));
        missing(world.guard.step(&labels));
        let of = AllotmentSize { tokens: Some(1), ..AllotmentSize::default() };
        missing(world.guard.allot(&labels, of, None));
        assert!(missing(world.guard.reserve(&[], asks(1))).ends_with("are none"));
        assert_eq!(world.guard.snapshot().unwrap(), []);
    }
    assert_eq!(world.told(EventKind::Denied), Vec::<String>::new());
    world.spend(&[("agent", "a"), ("user", "u")], 60).unwrap();
    assert_eq!(world.guard.explain(&labels).unwrap()[0].figures[0].used, 60);
    let spent = outlay::GuardRequest { spent: true, ..asks(50) };
    world.guard.reserve(&labels, spent.clone()).map(drop).unwrap_err();
    assert_eq!(world.guard.ask_call(&labels, &spent).unwrap().asks.len(), 1);
}

#[test]
fn what_is_known_of_labels_does_not_pass_them_by() {
    let world = World::new(EACH);
    let known = world.guard.known(&[("agent", "a")]).unwrap();
    assert!(world.guard.reserve_known(&known, &asks(1)).unwrap().is_some());
    world.update(&format!("{REQUIRED}{EACH}"));
    assert!(world.guard.reserve_known(&known, &asks(1)).unwrap().is_none());
    let known = world.guard.known(&[("agent", "a")]).unwrap();
    assert!(world.guard.reserve_known(&known, &asks(1)).unwrap().is_none());
}

#[test]
fn a_request_that_no_rule_is_about_is_told_each_time_and_warned_of_once() {
    let warned: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = Arc::clone(&warned);
    let guard = Guard::new(policy(EACH), Clock::System).unwrap();
    let guard = guard.warning(Box::new(move |said| told.lock().unwrap().push(said.to_owned())));
    let strays: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&strays);
    guard.core().subscribe(move |event| {
        if event.kind == EventKind::Unmatched {
            seen.lock().unwrap().push(event.labels[0].1.clone());
        }
    });
    for model in ["m", "n"] {
        guard.reserve(&[("model", model), ("user", "u")], asks(500)).unwrap();
        let known = guard.known(&[("model", model), ("user", "u")]).unwrap();
        guard.reserve_known(&known, &asks(500)).unwrap().unwrap();
    }
    guard.reserve(&[("agent", "a")], asks(5)).unwrap();
    assert_eq!(*strays.lock().unwrap(), ["m", "m", "n", "n"]);
    let warned = warned.lock().unwrap();
    assert_eq!(warned.len(), 1, "{warned:?}");
    assert!(warned[0].contains("its labels: model, user."), "{}", warned[0]);
}

#[test]
fn a_call_of_a_model_inside_a_tool_is_no_call_of_the_tool() {
    let world = World::new(
        "[[tool]]\nname = \"t\"\nlimit = { calls = 1 }\n\
         [[budget]]\nname = \"b\"\nlimit = { tool_calls = 9, calls = 9, usd = \"1\" }\n\
         [[budget]]\nname = \"inside\"\nscope = { tool = \"t\" }\nlimit = { calls = 9 }\n\
         [[pool]]\nname = \"p\"\nmax_concurrent = 2\n\
         [[allowance]]\nagent = \"a\"\ndaily_token_limit = 10\n\
         [prices.m]\ninput = \"1\"\noutput = \"1\"\n",
    );
    let model = [("tool", "t"), ("model", "m"), ("agent", "a")];
    assert_eq!(refused(world.reserve(&model, 11)).code.name(), "allowance_exceeded");
    let held = [world.reserve(&model, 4).unwrap(), world.reserve(&model, 4).unwrap()];
    assert_eq!(refused(world.reserve(&model, 1)).scope[0].1, "p");
    assert_eq!(world.figures("b", "usd").1, 8);
    assert_eq!(world.figures("b", "tool_calls"), (0, 0));
    assert_eq!(world.figures("t", "calls"), (0, 0));
    assert_eq!(world.figures("inside", "calls"), (0, 2));
    // A call of the tool is neither priced nor held there.
    world.spend(&[("tool", "t"), ("agent", "a")], 50).unwrap();
    assert_eq!(refused(world.reserve(&[("tool", "t")], 0)).scope[0], ("tool".into(), "t".into()));
    assert_eq!(world.figures("b", "tool_calls"), (1, 0));
    drop(held);
}

#[test]
fn the_call_of_a_tool_has_no_model_of_its_part() {
    let world = World::new("[[tool]]\nname = \"t\"\nlimit = { calls = 1 }\n");
    let of = AllotmentSize { calls: Some(5), ..AllotmentSize::default() };
    let part = world.guard.allot(&[("model", "m")], of, None).unwrap();
    part.reserve(&[("tool", "t")], asks(0)).unwrap().commit(Usage::zero().into()).unwrap();
    refused(part.reserve(&[("tool", "t")], asks(0)));
    part.reserve(&[("tool", "t"), ("model", "m")], asks(0)).unwrap();
}

#[test]
fn a_request_that_failed_counts_in_every_unit_of_requests_and_costs_nothing() {
    for (unit, label) in [("calls", "agent"), ("tool_calls", "tool")] {
        for with in ["", ", tokens = 100"] {
            let limit = format!("{{ {unit} = 9{with} }}");
            let world = World::new(&format!("[[budget]]\nname = \"b\"\nlimit = {limit}\n"));
            for (requests, why) in [(1, Abandoned::Error), (3, Abandoned::Unbilled)] {
                world.reserve(&[(label, "x")], 10).unwrap().abandon_after(why, requests);
            }
            assert_eq!(world.figures("b", unit), (4, 0), "{unit}{with}");
            assert_eq!(world.tokens("b"), (0, 0), "{unit}{with}");
        }
    }
}

#[test]
fn what_is_said_of_each_agent_holds_for_those_that_are_named_too() {
    let each = "[[allowance]]\nagent = \"*\"\ndaily_token_limit = 10\n";
    let one = "[[allowance]]\nagent = \"a\"\ndaily_token_limit = 20\nconcurrent_jobs = 1\n";
    let world = World::new(&format!("{one}{each}"));
    let service = world.guard.allowances();
    let of_a = service.allowance("a").unwrap().unwrap();
    assert_eq!((of_a.daily_token_limit, of_a.concurrent_jobs), (10, 1));
    let of_b = service.allowance("b").unwrap().unwrap();
    assert_eq!((of_b.agent_id.as_str(), of_b.daily_token_limit), ("b", 10));
    for agent in ["a", "b", "*"] {
        world.spend(&[("agent", agent)], 10).unwrap();
        refused(world.reserve(&[("agent", agent)], 1));
    }
    world.update(one);
    world.spend(&[("agent", "a")], 10).unwrap();
    refused(world.reserve(&[("agent", "a")], 1));
    world.spend(&[("agent", "b")], 1_000).unwrap();
    assert_eq!(service.allowance("b").unwrap(), None);
    world.update(each);
    refused(world.reserve(&[("agent", "b")], 1));
    let more = "[[allowance]]\nagent = \"*\"\ndaily_token_limit = 30\n";
    world.update(&format!("{one}{more}"));
    world.update(more);
    world.spend(&[("agent", "a")], 10).unwrap();
    refused(world.reserve(&[("agent", "a")], 1));
}

#[test]
fn of_each_and_of_one_the_tighter_limit_holds_whoever_says_it() {
    let all = |name: &str, [agent, model, repo]: [&str; 3]| {
        format!(
            "[[allowance]]\nagent = \"{name}\"\n{agent}\n[[model_quota]]\nmodel = \"{name}\"\n\
             {model}\n[[repo]]\nrepo = \"{name}\"\n{repo}\n"
        )
    };
    let low = [
        "daily_token_limit = 1\ndaily_job_limit = 2\nconcurrent_jobs = 3\nmax_job_duration = \"4s\"",
        "daily_token_budget = 5\nhourly_rate_limit = 6\ncost_ceiling_usd = \"0.000007\"",
        "max_daily_prs = 8\nmax_daily_issues = 9\ncooldown_after_failure = \"20s\"",
    ];
    let high = [
        "daily_token_limit = 11\ndaily_job_limit = 12\nconcurrent_jobs = 13\nmax_job_duration = \"14s\"",
        "daily_token_budget = 15\nhourly_rate_limit = 16\ncost_ceiling_usd = \"0.000017\"",
        "max_daily_prs = 18\nmax_daily_issues = 19\ncooldown_after_failure = \"10s\"",
    ];
    let none = ["", "", ""];
    for (one, each) in [(low, high), (high, low), (low, none), (none, low), (low, low)] {
        let read = policy(&format!("{}{}", all("x", one), all("*", each)));
        let agent = AgentAllowance {
            daily_token_limit: 1,
            daily_job_limit: 2,
            concurrent_jobs: 3,
            max_job_duration: 4 * SECOND,
            agent_id: "x".into(),
            ..AgentAllowance::default()
        };
        assert_eq!(read.allowances, [agent]);
        let model = ModelQuota {
            daily_token_budget: 5,
            hourly_rate_limit: 6,
            cost_ceiling_micros_usd: 7,
            model: "x".into(),
        };
        assert_eq!(read.model_quotas, [model]);
        let [repo] = &read.repos[..] else { panic!("{:?}", read.repos) };
        let figures = (repo.max_daily_prs, repo.max_daily_issues, repo.cooldown_after_failure);
        assert_eq!(figures, (8, 9, 20 * SECOND), "the longer rest is the tighter one");
    }
}
