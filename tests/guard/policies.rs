//! Policies that are wrong, and those that are only strange.

use std::fmt::Write;

use outlay::{GuardPolicy, InvalidKind};

const HEAD: &str = "[[budget]]\nname = \"b\"\nlimit = { calls = 1 }\n";

fn fault(text: &str) -> String {
    let fault = GuardPolicy::from_toml("policy.toml", text).unwrap_err();
    assert_eq!(fault.kind, InvalidKind::Policy);
    fault.message
}

#[test]
fn an_error_names_the_file_the_line_the_key_and_what_is_allowed() {
    let long = "x".repeat(1_025);
    let tier = "[prices.m]\ninput = \"1\"\noutput = \"1\"\ntiers = [\n";
    let steps = "[[workflow]]\nname = \"w\"\nstep.a = { usd = \"1\", steps = 1 }\n";
    let pool =
        "[[pool]]\nname = \"p\"\nlimit = { tokens = 1 }\non_limit = { wait = \"1s\", for = 1 }\n";
    for (text, line, path, allowed) in [
        ("[budgets]\n", 1, "budgets", "allowed are version, store"),
        ("[store]\nurls = 1\n", 2, "store.urls", "allowed are url, lease_ttl"),
        ("[defaults]\nmodes = 1\n", 2, "defaults.modes", "allowed are on_unknown_price"),
        (steps, 3, "workflow[0].step.a.steps", "allowed are usd, tokens, calls"),
        (pool, 4, "pool[0].on_limit.for", "allowed are wait"),
        ("[[repo]]\nrepo = \"r\"\nprs = 1\n", 3, "repo[0].prs", "allowed are repo"),
        (&format!("{HEAD}{HEAD}"), 4, "budget[1]", "two budget entries are named \"b\""),
        ("[[allowance]]\nagent = \"a\"\n[[allowance]]\nagent = \"a\"\n", 3, "allowance[1]", "two"),
        (
            "[[model_quota]]\nmodel = \"a\"\n[[model_quota]]\nmodel = \"a\"\n",
            3,
            "model_quota[1]",
            "two",
        ),
        ("[[repo]]\nrepo = \"a\"\n[[repo]]\nrepo = \"a\"\n", 3, "repo[1]", "two"),
        (&format!("{tier}5]"), 5, "prices.m.tiers[0]", "must be a table"),
        (&format!("{tier}{{}}]"), 5, "prices.m.tiers[0]", "\"above_input_tokens\" is missing"),
        (
            &format!("{tier}{{ above_input_tokens = 5 }}]"),
            5,
            "prices.m.tiers[0]",
            "a tier without a price",
        ),
        (&format!("{HEAD}limit.calls = 2\n"), 4, "", ""),
        ("[[budget]]\nname = \"b\"\nlimit = { calls = 9223372036854775808 }\n", 3, "", "overflow"),
        (&format!("{HEAD}scope = {{ \"{long}\" = \"x\" }}\n"), 4, "scope", "1 to 1024 bytes"),
    ] {
        let said = fault(text);
        assert!(said.starts_with(&format!("policy.toml:{line}: ")), "{said}");
        assert!(said.contains(path) && said.contains(allowed), "{said}");
    }
}

#[test]
fn two_steps_of_one_full_name_are_refused() {
    let text = "[[workflow]]\nname = \"w\"\nstep.\"a.step.b\" = { calls = 1 }\n\
                [[workflow]]\nname = \"w.step.a\"\nstep.b = { calls = 1 }\n";
    assert!(fault(text).contains("two step entries are named \"w.step.a.step.b\""));
}

#[test]
fn a_limiter_of_a_name_may_be_told_in_parts_but_each_period_once() {
    let one = "[[limiter]]\nname = \"l\"\nrequests_per_day = 1\n";
    assert!(fault(&format!("{one}{one}")).contains("two limiter entries are named \"l\""));
    let other = one.replace("day", "hour");
    let policy = GuardPolicy::from_toml("p", &format!("{one}{other}")).unwrap();
    assert_eq!(policy.rules.len(), 2);
}

#[test]
fn a_mark_of_the_byte_order_and_ends_of_lines_of_windows_are_read() {
    let text = format!("\u{feff}# a policy\r\n{}bad = 1\r\n", HEAD.replace('\n', "\r\n"));
    let said = fault(&text);
    assert!(said.starts_with("policy.toml:5: budget[0].bad: unknown key"), "{said}");
    let text = text.replace("bad = 1\r\n", "");
    assert_eq!(GuardPolicy::from_toml("p", &text).unwrap().rules[0].name, "b");
}

#[test]
fn what_is_nested_too_deep_is_a_fault() {
    for text in [
        format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("a{} = 1", ".a".repeat(100_000)),
        format!("a = {}1{}", "{a=".repeat(100_000), "}".repeat(100_000)),
    ] {
        fault(&text);
    }
    let json = format!("{{\"budget\": {}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(GuardPolicy::from_json(&json).is_err());
}

#[test]
fn the_line_is_right_far_down_in_a_long_file() {
    let mut text = String::new();
    for number in 0..10_000 {
        write!(text, "[[budget]]\nname = \"b{number}\"\nlimit = {{ calls = 1 }}\n").unwrap();
    }
    assert_eq!(GuardPolicy::from_toml("p", &text).unwrap().rules.len(), 10_000);
    text.push_str("mode = 5\n");
    assert!(fault(&text).starts_with("policy.toml:30001: budget[9999].mode: must be one of"));
}

#[test]
fn json_and_toml_say_the_same() {
    let json = r#"{"budget": [{"name": "b", "limit": {"usd": "1.50"}, "window": "run"}]}"#;
    let toml = "[[budget]]\nname = \"b\"\nlimit = { usd = \"1.50\" }\nwindow = \"run\"";
    let (json, toml) = (GuardPolicy::from_json(json), GuardPolicy::from_toml("p", toml));
    assert_eq!(format!("{:?}", json.unwrap().rules), format!("{:?}", toml.unwrap().rules));
    for bad in ["", "[]", "5", "null", "{\"budget\": 5}", "{\"version\": 18446744073709551616}"] {
        assert!(GuardPolicy::from_json(bad).unwrap_err().message.starts_with("policy"), "{bad}");
    }
}
