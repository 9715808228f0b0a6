//! A policy as a tree of values, read from TOML with line numbers, or from JSON.

use toml_edit::{Document, Item, TableLike, Value as TomlValue};

use crate::accounting::Invalid;

/// A value, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    /// Its line in the file.
    pub(super) line: Option<usize>,
    /// A number that grows from the beginning of the policy to its end.
    pub(super) order: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Integer(u64),
    /// Any other single value, as it was written.
    Other(String),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
}

impl Node {
    /// The node as JSON.
    pub(super) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Text(text) => Json::String(text.clone()),
            Value::Integer(number) => Json::from(*number),
            // A number or a flag; a date stays text.
            Value::Other(text) => text.parse().unwrap_or_else(|_| Json::String(text.clone())),
            Value::List(items) => items.iter().map(Self::to_json).collect(),
            Value::Table(entries) => {
                entries.iter().map(|(key, node)| (key.clone(), node.to_json())).collect()
            }
        }
    }
}

impl Value {
    /// The value as a message shows it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Integer(number) => number.to_string(),
            Self::Other(text) => text.clone(),
            Self::List(_) => "a list".to_owned(),
            Self::Table(_) => "a table".to_owned(),
        }
    }
}

/// Reads TOML. Errors name `file`.
pub(super) fn from_toml(file: &str, text: &str) -> Result<Node, Invalid> {
    let lines = &Lines::of(text);
    let bad = |error: toml_edit::TomlError| {
        let line = error.span().map_or(1, |span| lines.line(span.start));
        let message = format!("{file}:{line}: {}", error.message().trim_end().replace('\n', " "));
        Invalid { kind: crate::accounting::InvalidKind::Policy, message }
    };
    let document = Document::parse(text.to_owned()).map_err(bad)?;
    Ok(table(document.as_table(), lines, (Some(1), 0)))
}

/// Reads JSON, the form in which a Python dict arrives.
pub(super) fn from_json(value: &serde_json::Value) -> Node {
    numbered(value, &mut 0)
}

fn numbered(value: &serde_json::Value, last: &mut u32) -> Node {
    use serde_json::Value as Json;
    *last = last.saturating_add(1);
    let order = *last;
    let value = match value {
        Json::String(text) => Value::Text(text.clone()),
        Json::Number(number) => {
            number.as_u64().map_or_else(|| Value::Other(number.to_string()), Value::Integer)
        }
        Json::Array(items) => Value::List(items.iter().map(|item| numbered(item, last)).collect()),
        Json::Object(entries) => {
            let entry = |(k, v): (&String, &Json)| (k.clone(), numbered(v, last));
            Value::Table(entries.iter().map(entry).collect())
        }
        Json::Null => Value::Other("None".to_owned()),
        Json::Bool(flag) => Value::Other(flag.to_string()),
    };
    Node { value, line: None, order }
}

fn table(entries: &dyn TableLike, lines: &Lines, (line, order): Written) -> Node {
    let read = |(key, item): (&str, &Item)| {
        let at = entries.key(key).and_then(toml_edit::Key::span).or_else(|| item.span());
        (key.to_owned(), item_node(item, lines, lines.place(at, (line, order))))
    };
    Node { value: Value::Table(entries.iter().map(read).collect()), line, order }
}

fn item_node(item: &Item, lines: &Lines, place: Written) -> Node {
    match item {
        Item::None => {
            Node { value: Value::Other("nothing".to_owned()), line: place.0, order: place.1 }
        }
        Item::Value(value) => value_node(value, lines, place),
        Item::Table(inner) => table(inner, lines, place),
        Item::ArrayOfTables(tables) => {
            let read =
                |inner: &toml_edit::Table| table(inner, lines, lines.place(inner.span(), place));
            let value = Value::List(tables.iter().map(read).collect());
            Node { value, line: place.0, order: place.1 }
        }
    }
}

fn value_node(value: &TomlValue, lines: &Lines, place: Written) -> Node {
    let place = lines.place(value.span(), place);
    let read = match value {
        TomlValue::String(written) => Value::Text(written.value().clone()),
        TomlValue::Integer(written) => u64::try_from(*written.value())
            .map_or_else(|_| Value::Other(written.value().to_string()), Value::Integer),
        TomlValue::Float(written) => Value::Other(written.value().to_string()),
        TomlValue::Boolean(written) => Value::Other(written.value().to_string()),
        TomlValue::Datetime(written) => Value::Other(written.value().to_string()),
        TomlValue::Array(items) => {
            Value::List(items.iter().map(|item| value_node(item, lines, place)).collect())
        }
        TomlValue::InlineTable(inner) => return table(inner, lines, place),
    };
    Node { value: read, line: place.0, order: place.1 }
}

/// The line of a value, and its order.
type Written = (Option<usize>, u32);

/// Where the lines of a text end.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(end, _)| end).collect())
    }

    /// The place of what is at `span`, or `otherwise` if that is not known.
    fn place(&self, span: Option<std::ops::Range<usize>>, otherwise: Written) -> Written {
        span.map_or(otherwise, |span| {
            (Some(self.line(span.start)), u32::try_from(span.start).unwrap_or(u32::MAX))
        })
    }

    /// The number of the line at an offset.
    fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|end| *end < offset) + 1
    }
}
