//! What the makers of models are known to charge, where a price does not say it. Each number is
//! that of the maker's own page of prices. Where its models differ, it is the highest.

/// What Anthropic charges for a cache write that is kept for an hour, as a multiple of the input
/// price.
pub(super) const HOUR_TIMES: u64 = 2;

/// A maker, and what it charges at its own API.
pub(super) struct Maker {
    providers: &'static [&'static str],
    /// How the names of its models begin at its own API.
    names: &'static [&'static str],
    /// USD for each unit.
    pub(super) units: &'static [(&'static str, &'static str)],
    /// The multipliers of the prices of tokens.
    pub(super) multipliers: &'static [(&'static str, &'static str)],
}

const MAKERS: [Maker; 3] = [
    // https://platform.claude.com/docs/en/about-claude/pricing: prompt caching, batch processing,
    // data residency (`inference_geo`), fast mode, web search and web fetch. A priority tier is paid
    // for in advance, at the prices of the standard tier.
    Maker {
        providers: &["anthropic"],
        names: &["claude"],
        units: &[("web_search", "0.01"), ("web_fetch", "0")],
        multipliers: &[("batch", "0.5"), ("us", "1.1"), ("fast", "6"), ("priority", "1")],
    },
    // https://openai.com/api/pricing and https://platform.openai.com/docs/pricing: batch, flex and
    // priority processing (1.7 to 2.5 times), web search and file search.
    Maker {
        providers: &["openai", "azure"],
        names: &["gpt-", "chatgpt", "o1", "o3", "o4", "text-embedding-"],
        units: &[("web_search", "0.025"), ("file_search", "0.0025")],
        multipliers: &[("batch", "0.5"), ("flex", "0.5"), ("priority", "2.5"), ("fast", "2.5")],
    },
    // https://ai.google.dev/gemini-api/docs/pricing: batch, flex and priority, and grounding with
    // Google Search (35 USD for 1,000).
    Maker {
        providers: &["google", "google_genai", "google_vertexai", "gemini", "vertex_ai"],
        names: &["gemini"],
        units: &[("web_search", "0.035")],
        multipliers: &[("batch", "0.5"), ("flex", "0.5"), ("priority", "1.8")],
    },
];

/// Ways of billing that change no price.
pub(super) const STANDARD: [&str; 6] =
    ["standard", "default", "auto", "global", "on_demand", "not_available"];

/// The maker whose own API sells the model: its provider, or without a provider by how the name
/// begins. Others who sell the model have discounts and tiers of their own.
pub(super) fn maker(provider: Option<&str>, model: &str) -> Option<&'static Maker> {
    MAKERS.iter().find(|maker| match provider {
        Some(provider) => maker.providers.iter().any(|own| provider.eq_ignore_ascii_case(own)),
        None => {
            let name = model.to_ascii_lowercase();
            let (before, _) = name.split_once(':').unwrap_or_default();
            maker.providers.contains(&before)
                || maker.names.iter().any(|begin| name.starts_with(begin))
        }
    })
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
        let first = |provider, model| maker(provider, model).map(|maker| maker.providers[0]);
        assert_eq!(first(None, "Claude-x"), Some("anthropic"));
        assert_eq!(first(Some("OpenAI"), "any"), Some("openai"));
        assert_eq!(first(None, "o3-mini"), Some("openai"));
        for (provider, model) in [
            (Some("groq"), "gpt-oss"),
            (Some("google_vertexai_other"), "claude-x"),
            (None, "us.anthropic.claude-x"),
            (None, "openai/gpt-x"),
            (None, "m"),
        ] {
            assert_eq!(first(provider, model), None, "{model}");
        }
        assert!(is_anthropic(None, "us.anthropic.x-v1") && is_anthropic(Some("Anthropic"), "m"));
    }
}
