//! Reads the file of the system that `BudgetManager` continues: `budgets` and `usage`, two maps by
//! agent, with times in RFC 3339.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use jiff::Timestamp;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The budget of one agent, and what it has used.
#[derive(Debug)]
pub(super) struct Continued {
    pub(super) agent_id: String,
    pub(super) token_budget: Option<u64>,
    pub(super) calls_budget: Option<u64>,
    pub(super) window_secs: Option<u64>,
    /// In nanoseconds since 1970-01-01 UTC, `None` if it is not said.
    pub(super) window_start_unix_ns: Option<i64>,
    pub(super) tokens_used: u64,
    pub(super) calls_used: u64,
}

/// What tells the two kinds of file apart.
#[derive(Deserialize)]
struct Shape {
    format: Option<IgnoredAny>,
    budgets: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContinuedFile {
    budgets: ByAgent<ContinuedLimit>,
    usage: Option<ByAgent<Used>>,
}

/// A missing line must not read as "no limit"; null says it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContinuedLimit {
    agent_id: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    token_budget: Option<u64>,
    #[serde(deserialize_with = "Option::deserialize")]
    calls_budget: Option<u64>,
    window_secs: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Used {
    tokens_used: Option<u64>,
    calls_used: Option<u64>,
    window_start: Option<String>,
}

/// A map by agent, in which each stands once.
struct ByAgent<T>(HashMap<String, T>);

/// The budgets of `text`, if it is such a file.
pub(super) fn read(text: &str) -> Option<Result<Vec<Continued>, String>> {
    let shape: Shape = serde_json::from_str(text).ok()?;
    (shape.format.is_none() && shape.budgets.is_some()).then(|| read_file(text))
}

fn read_file(text: &str) -> Result<Vec<Continued>, String> {
    let file: ContinuedFile = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut usage = file.usage.map(|entries| entries.0).unwrap_or_default();
    let one = |(agent_id, limit): (String, ContinuedLimit)| {
        if limit.agent_id.as_ref().is_some_and(|inner| *inner != agent_id) {
            return Err(format!("the budget of {agent_id:?} names another agent_id"));
        }
        let used = usage.remove(&agent_id).unwrap_or_default();
        let start = used.window_start.map(|text| start(&agent_id, &text)).transpose()?;
        Ok(Continued {
            agent_id,
            token_budget: limit.token_budget,
            calls_budget: limit.calls_budget,
            window_secs: limit.window_secs,
            window_start_unix_ns: start,
            tokens_used: used.tokens_used.unwrap_or(0),
            calls_used: used.calls_used.unwrap_or(0),
        })
    };
    file.budgets.0.into_iter().map(one).collect()
}

fn start(agent_id: &str, text: &str) -> Result<i64, String> {
    let problem = |_| format!("window_start of {agent_id:?} is no time of RFC 3339: {text:?}");
    let time: Timestamp = text.parse().map_err(problem)?;
    let nanos = time.as_nanosecond();
    Ok(i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX }))
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ByAgent<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ByAgentVisitor(PhantomData))
    }
}

struct ByAgentVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ByAgentVisitor<T> {
    type Value = ByAgent<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map by agent")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = HashMap::new();
        while let Some((agent_id, entry)) = map.next_entry::<String, Option<T>>()? {
            let Some(entry) = entry else { continue };
            if entries.contains_key(&agent_id) {
                return Err(A::Error::custom(format!("agent {agent_id:?} stands twice")));
            }
            entries.insert(agent_id, entry);
        }
        Ok(ByAgent(entries))
    }
}
