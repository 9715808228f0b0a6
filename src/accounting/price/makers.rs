//! What the makers of models are known to charge, where a price does not say it. Each number is
//! from the page that stands above it, as it was in November 2026. Where models differ that a row
//! does not tell apart, it has the highest.

/// What Anthropic charges for a cache write that is kept for an hour, as a multiple of the input
/// price.
pub(super) const HOUR_TIMES: u64 = 2;

/// A maker that sells its models at its own API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maker {
    Anthropic,
    OpenAi,
    Azure,
    Google,
}

use Maker::{Anthropic, Azure, Google, OpenAi};

/// The providers that are the maker, and how the names of its models begin at its own API.
const MAKERS: [(Maker, &[&str], &[&str]); 4] = [
    (Anthropic, &["anthropic"], &["claude"]),
    (OpenAi, &["openai"], &["gpt-", "chatgpt", "o1", "o3", "o4", "text-embedding-"]),
    (Azure, &["azure"], &[]),
    (Google, &["google", "google_genai", "google_vertexai", "gemini", "vertex_ai"], &["gemini"]),
];

/// What the rows of a table are about: a maker, and how the names of the models begin. Without such
/// a beginning it is every model of the maker.
type Row<T> = (Maker, &'static [&'static str], &'static str, T);
const ALL: &[&str] = &[];

/// USD for each unit. Of several rows that fit, the first holds.
const FEES: [Row<&str>; 10] = [
    // https://platform.claude.com/docs/en/about-claude/pricing
    (Anthropic, ALL, "web_search", "0.01"),
    (Anthropic, ALL, "web_fetch", "0"),
    // https://developers.openai.com/api/docs/pricing: 25 USD for 1,000 searches of the preview with
    // models that do not reason, else 10.
    (OpenAi, &["gpt-3", "gpt-4"], "web_search", "0.025"),
    (OpenAi, ALL, "web_search", "0.01"),
    (OpenAi, ALL, "file_search", "0.0025"),
    // https://prices.azure.com/api/retail/prices: 2.50 USD for 1,000 calls, and up to 3.30 in some regions.
    (Azure, ALL, "file_search", "0.0033"),
    // https://ai.google.dev/gemini-api/docs/pricing: 35 USD for 1,000 prompts up to version 2, then
    // 14 USD for 1,000 searches. On Vertex AI, Claude costs what it costs at Anthropic.
    (Google, &["gemini-1", "gemini-2"], "web_search", "0.035"),
    (Google, &["claude"], "web_search", "0.01"),
    (Google, &["claude"], "web_fetch", "0"),
    (Google, ALL, "web_search", "0.014"),
];

/// The multipliers of the prices of tokens: that of all kinds, and that of what was read from a
/// cache. Of several rows that fit, the first holds.
const WAYS: [Row<(&str, &str)>; 18] = [
    // https://platform.claude.com/docs/en/about-claude/pricing: batch processing, data residency
    // (`inference_geo`). A priority tier was paid for in advance.
    (Anthropic, ALL, "batch", ("0.5", "0.5")),
    (Anthropic, ALL, "us", ("1.1", "1.1")),
    (Anthropic, ALL, "priority", ("1", "1")),
    // https://platform.claude.com/docs/en/build-with-claude/fast-mode
    (Anthropic, &["claude-opus-4-6", "claude-opus-4-7"], "fast", ("6", "6")),
    (Anthropic, ALL, "fast", ("2", "2")),
    // https://developers.openai.com/api/docs/pricing: batch and flex; older models have no lower
    // price of a cache in a batch. https://openai.com/api-priority-processing: 2.5 times for GPT-5.5,
    // and up to 2 times for all others. "fast" is its new name.
    (OpenAi, &["gpt-3", "gpt-4", "o1", "o3", "o4"], "batch", ("0.5", "1")),
    (OpenAi, ALL, "batch", ("0.5", "0.5")),
    (OpenAi, ALL, "flex", ("0.5", "0.5")),
    (OpenAi, &["gpt-5.5"], "priority", ("2.5", "2.5")),
    (OpenAi, ALL, "priority", ("2", "2")),
    (OpenAi, &["gpt-5.5"], "fast", ("2.5", "2.5")),
    (OpenAi, ALL, "fast", ("2", "2")),
    // https://azure.microsoft.com/en-us/pricing/details/azure-openai and the retail prices. A name
    // may be that of a deployment, which says nothing of the model.
    (Azure, ALL, "batch", ("0.5", "1")),
    (Azure, ALL, "priority", ("2.5", "2.5")),
    // https://ai.google.dev/gemini-api/docs/optimization: flex and batch half, priority 1.75 to 2
    // times. What a batch reads from a cache costs what it costs elsewhere.
    (Google, &["claude"], "batch", ("0.5", "0.5")),
    (Google, ALL, "batch", ("0.5", "1")),
    (Google, &["gemini"], "flex", ("0.5", "0.5")),
    (Google, &["gemini"], "priority", ("2", "2")),
];

/// USD for the units of a model at its maker, by name; the first of a name holds.
pub(super) fn fees(
    provider: Option<&str>,
    model: &str,
) -> impl Iterator<Item = (&'static str, &'static str)> {
    rows(&FEES, provider, model)
}

/// The multipliers of a model at its maker, by name: of all kinds, and of what was read from a
/// cache; the first of a name holds.
pub(super) fn ways(
    provider: Option<&str>,
    model: &str,
) -> impl Iterator<Item = (&'static str, (&'static str, &'static str))> {
    rows(&WAYS, provider, model)
}

fn rows<T: Copy>(
    table: &'static [Row<T>],
    provider: Option<&str>,
    model: &str,
) -> impl Iterator<Item = (&'static str, T)> {
    let (maker, name) = (maker(provider, model), model.to_ascii_lowercase());
    let fits = move |row: &&Row<T>| {
        let is_of = |begin: &&str| name.split(['/', ':']).any(|part| part.starts_with(*begin));
        maker == Some(row.0) && (row.1.is_empty() || row.1.iter().any(is_of))
    };
    table.iter().filter(fits).map(|row| (row.2, row.3))
}

/// Ways of billing that change no price.
pub(super) const STANDARD: [&str; 6] =
    ["standard", "default", "auto", "global", "on_demand", "not_available"];

/// The maker whose own API sells the model: its provider, or without a provider by how the name
/// begins. Others who sell the model have discounts and tiers of their own.
fn maker(provider: Option<&str>, model: &str) -> Option<Maker> {
    let name = model.to_ascii_lowercase();
    let (before, _) = name.split_once(':').unwrap_or_default();
    let found = MAKERS.iter().find(|(_, providers, names)| match provider {
        Some(provider) => providers.iter().any(|own| provider.eq_ignore_ascii_case(own)),
        None => providers.contains(&before) || names.iter().any(|begin| name.starts_with(begin)),
    });
    found.map(|(maker, ..)| *maker)
}

/// Whether a model is one of Anthropic's. Its provider is Anthropic, or its name contains "claude"
/// or "anthropic", as on Bedrock, on Vertex AI and in the names of gateways.
pub(super) fn is_anthropic(provider: Option<&str>, model: &str) -> bool {
    let name = model.to_ascii_lowercase();
    provider.is_some_and(|provider| provider.eq_ignore_ascii_case("anthropic"))
        || name.contains("claude")
        || name.contains("anthropic")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_the_maker_or_else_the_beginning_of_a_name() {
        for (provider, model, expected) in [
            (None, "Claude-x", Some(Anthropic)),
            (Some("OpenAI"), "any", Some(OpenAi)),
            (None, "o3-mini", Some(OpenAi)),
            (None, "azure:any", Some(Azure)),
            (Some("groq"), "gpt-oss", None),
            (Some("google_vertexai_other"), "claude-x", None),
            (None, "us.anthropic.claude-x", None),
            (None, "openai/gpt-x", None),
            (None, "m", None),
        ] {
            assert_eq!(maker(provider, model), expected, "{model}");
        }
        assert!(is_anthropic(None, "us.anthropic.x-v1") && is_anthropic(Some("Anthropic"), "m"));
    }

    #[test]
    fn the_row_of_a_model_comes_before_that_of_all() {
        let fast = |model| ways(Some("anthropic"), model).find(|(way, _)| *way == "fast").unwrap();
        assert_eq!(fast("anthropic/claude-opus-4-7-20260416").1.0, "6");
        assert_eq!(fast("claude-opus-4-8").1.0, "2");
        let search = |model| fees(Some("openai"), model).next().unwrap().1;
        assert_eq!(search("ft:gpt-4o-mini:me"), "0.025");
        assert_eq!(search("gpt-5.4"), "0.01");
        assert_eq!(ways(None, "m").count() + fees(Some("groq"), "gpt-x").count(), 0);
    }
}
