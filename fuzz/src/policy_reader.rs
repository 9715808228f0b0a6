//! Any text is a policy or a clear error, never a panic: `GuardPolicy::from_toml` and `from_json`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use outlay::GuardPolicy;

fuzz_target!(|text: &str| {
    check(text, |text| GuardPolicy::from_toml("policy.toml", text));
    check(text, GuardPolicy::from_json);
});

/// A text is read the same way twice, and what is refused says why.
fn check(text: &str, read: impl Fn(&str) -> Result<GuardPolicy, outlay::Invalid>) {
    match (read(text), read(text)) {
        (Ok(_), Ok(_)) => {}
        (Err(first), Err(second)) => {
            assert_eq!(first.to_string(), second.to_string());
            assert!(!first.to_string().is_empty());
        }
        _ => panic!("the same text was accepted and refused"),
    }
}
