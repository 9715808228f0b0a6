//! The names of models. A model has other names: with its date or version, with the provider that
//! serves it, with a region.

/// How many prefixes and how many suffixes are removed from one name.
const PREFIXES: usize = 8;
const SUFFIXES: usize = 4;
/// Regions of Bedrock's inference profiles that are not two letters.
const REGIONS: [&str; 4] = ["apac", "global", "us-gov", "amer"];
/// The makers that Bedrock writes before a model, with a dot.
const MAKERS: [&str; 19] = [
    "ai21",
    "amazon",
    "anthropic",
    "cohere",
    "deepseek",
    "google",
    "luma",
    "meta",
    "minimax",
    "mistral",
    "moonshot",
    "moonshotai",
    "nvidia",
    "openai",
    "qwen",
    "stability",
    "twelvelabs",
    "writer",
    "zai",
];
/// A word before a colon that names no provider: a fine-tuned model has a price of its own.
const FINE_TUNED: &str = "ft";

/// The names under which the price and the rules of a model are found: its own text first, then the
/// closest. A name that keeps its version is closer than one that keeps its provider.
pub(crate) fn model_names(text: &str) -> impl Iterator<Item = &str> {
    let versions = std::iter::successors(Some(text), |name| without_suffix(name));
    versions.take(SUFFIXES + 1).flat_map(|version| {
        let bare = std::iter::successors(Some(version), |name| without_prefix(name));
        bare.take(PREFIXES + 1)
    })
}

/// The name without dates and versions at its end. A provider limits all of its versions together.
pub(crate) fn undated(text: &str) -> &str {
    std::iter::successors(Some(text), |name| without_suffix(name))
        .take(SUFFIXES + 1)
        .last()
        .unwrap_or(text)
}

/// The name without the date or version at its end, or `None` if it has none.
fn without_suffix(name: &str) -> Option<&str> {
    let base = without_version(name)
        .or_else(|| name.strip_suffix("-latest"))
        .or_else(|| without_date(name))
        .or_else(|| without_preview(name))
        .or_else(|| name.rsplit_once('@').filter(|(_, at)| is_word(at)).map(|(base, _)| base))?;
    is_name(base).then_some(base)
}

/// The name without the provider or the region at its start, or `None` if it has none.
fn without_prefix(name: &str) -> Option<&str> {
    let bare = match name.find(['/', ':']) {
        Some(at) if name[at..].starts_with(':') && is_provider(&name[..at]) => &name[at + 1..],
        _ => match name.split_once('/') {
            Some((provider, bare)) if !provider.is_empty() => bare,
            Some(_) => return None,
            None => name.split_once('.').filter(|(place, _)| is_place(place))?.1,
        },
    };
    is_name(bare).then_some(bare)
}

/// Without `-vN` or `-vN:M`.
fn without_version(name: &str) -> Option<&str> {
    let minor = name.rsplit_once(':').filter(|(_, minor)| is_digits(minor));
    let (base, version) = minor.map_or(name, |(major, _)| major).rsplit_once("-v")?;
    is_digits(version).then_some(base)
}

/// Without `-YYYY-MM-DD` or `-YYYYMMDD`.
fn without_date(name: &str) -> Option<&str> {
    let is_date = |date: &str| {
        let (year, rest) = date.split_at_checked(4)?;
        let (month, day) = match rest.strip_prefix('-') {
            Some(rest) => rest.split_once('-')?,
            None => rest.split_at_checked(2)?,
        };
        (is_digits(year) && is_day(month, day)).then_some(())
    };
    ["-0000-00-00", "-00000000"].iter().find_map(|form| {
        let (base, date) = name.split_at_checked(name.len().checked_sub(form.len())?)?;
        is_date(date.strip_prefix('-')?)?;
        Some(base)
    })
}

/// Without `-preview-MM-DD`.
fn without_preview(name: &str) -> Option<&str> {
    let (base, date) = name.rsplit_once("-preview-")?;
    let (month, day) = date.split_once('-')?;
    is_day(month, day).then_some(base)
}

fn is_day(month: &str, day: &str) -> bool {
    let within = |text: &str, most| {
        text.len() == 2 && is_digits(text) && text.parse().is_ok_and(|n: u8| n > 0 && n <= most)
    };
    within(month, 12) && within(day, 31)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The text after an `@`.
fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(['/', ':'])
}

/// The name of a provider before a colon.
fn is_provider(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    text != FINE_TUNED && !text.is_empty() && text.bytes().all(plain)
}

/// A region or a maker, as Bedrock writes them before a dot.
fn is_place(text: &str) -> bool {
    let two = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_lowercase());
    two || REGIONS.contains(&text) || MAKERS.contains(&text)
}

/// Whether a text can name a model.
fn is_name(text: &str) -> bool {
    text.chars().any(char::is_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&str> {
        model_names(text).collect()
    }

    #[test]
    fn a_dated_or_prefixed_name_has_the_name_of_its_model() {
        for (text, model) in [
            ("gpt-4o-2024-08-06", "gpt-4o"),
            ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
            ("claude-sonnet-4-5@20250929", "claude-sonnet-4-5"),
            ("claude-opus-4@default", "claude-opus-4"),
            ("chatgpt-4o-latest", "chatgpt-4o"),
            ("gemini-2.5-flash-preview-05-20", "gemini-2.5-flash"),
            ("openai/gpt-4o", "gpt-4o"),
            ("openai:gpt-4o", "gpt-4o"),
            ("openrouter/openai/gpt-4o", "gpt-4o"),
            ("openrouter:openai/gpt-4o", "openai/gpt-4o"),
            ("gateway/openai:gpt-4o-2024-08-06", "gpt-4o"),
            ("models/gemini-2.5-pro", "gemini-2.5-pro"),
            ("accounts/fireworks/models/llama-v3p1-8b", "llama-v3p1-8b"),
            ("@cf/meta/llama-3-8b", "llama-3-8b"),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
            ("apac.amazon.nova-pro-v1:0", "nova-pro"),
            ("global.anthropic.claude-x", "anthropic.claude-x"),
            ("bedrock:eu.meta.llama3-1-8b-instruct-v1:0", "llama3-1-8b-instruct"),
            (
                "arn:aws:bedrock:us-east-1:123:inference-profile/jp.anthropic.claude-x-v2:0",
                "claude-x",
            ),
        ] {
            assert!(names(text).contains(&model), "{text}: {:?}", names(text));
        }
    }

    #[test]
    fn another_suffix_is_another_model() {
        for text in [
            "gpt-4o",
            "gpt-4o-mini",
            "gpt-4-turbo",
            "gpt-4-0613",
            "gpt-4o-audio-preview",
            "gpt-3.5-turbo-instruct",
            "llama-3:free",
            "gemini-2.5-flash-preview-09-2025",
            "gemini-2.0-flash-001",
            "x-2024-13-01",
            "x-20240132",
            "mistral-7b-v0.2",
            "-latest",
            "ft:gpt-4o-2024-08-06:acme::abc",
            "qwen3.5-9b",
            "",
        ] {
            let own: Vec<&str> = names(text);
            let bare: Vec<&str> = own.into_iter().filter(|name| !text.ends_with(name)).collect();
            assert_eq!(bare, [""; 0], "{text}");
        }
    }

    #[test]
    fn the_closest_name_comes_first() {
        assert_eq!(
            names("openai/gpt-4o-2024-08-06"),
            ["openai/gpt-4o-2024-08-06", "gpt-4o-2024-08-06", "openai/gpt-4o", "gpt-4o"]
        );
        assert_eq!(names("gpt-4o"), ["gpt-4o"]);
        assert!(names(&"a/".repeat(500)).len() <= (PREFIXES + 1) * (SUFFIXES + 1));
    }
}
