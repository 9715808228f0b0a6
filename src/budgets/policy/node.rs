//! A policy as a tree of values, read from TOML with line numbers, or from JSON.

use toml_edit::{Document, Item, TableLike, Value as TomlValue};

use crate::accounting::Invalid;

/// A value, and its line in the file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) line: Option<usize>,
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
    Ok(table(document.as_table(), lines, Some(1)))
}

/// Reads JSON, the form in which a Python dict arrives.
pub(super) fn from_json(value: &serde_json::Value) -> Node {
    use serde_json::Value as Json;
    let value = match value {
        Json::String(text) => Value::Text(text.clone()),
        Json::Number(number) => {
            number.as_u64().map_or_else(|| Value::Other(number.to_string()), Value::Integer)
        }
        Json::Array(items) => Value::List(items.iter().map(from_json).collect()),
        Json::Object(entries) => {
            Value::Table(entries.iter().map(|(k, v)| (k.clone(), from_json(v))).collect())
        }
        Json::Null => Value::Other("None".to_owned()),
        Json::Bool(flag) => Value::Other(flag.to_string()),
    };
    Node { value, line: None }
}

fn table(entries: &dyn TableLike, lines: &Lines, line: Option<usize>) -> Node {
    let read = |(key, item): (&str, &Item)| {
        let at = entries.key(key).and_then(toml_edit::Key::span);
        let at = at.or_else(|| item.span()).map(|span| lines.line(span.start)).or(line);
        (key.to_owned(), item_node(item, lines, at))
    };
    Node { value: Value::Table(entries.iter().map(read).collect()), line }
}

fn item_node(item: &Item, lines: &Lines, line: Option<usize>) -> Node {
    match item {
        Item::None => Node { value: Value::Other("nothing".to_owned()), line },
        Item::Value(value) => value_node(value, lines, line),
        Item::Table(inner) => table(inner, lines, line),
        Item::ArrayOfTables(tables) => {
            let read = |inner: &toml_edit::Table| {
                let at = inner.span().map(|span| lines.line(span.start)).or(line);
                table(inner, lines, at)
            };
            Node { value: Value::List(tables.iter().map(read).collect()), line }
        }
    }
}

fn value_node(value: &TomlValue, lines: &Lines, line: Option<usize>) -> Node {
    let line = value.span().map(|span| lines.line(span.start)).or(line);
    let read = match value {
        TomlValue::String(written) => Value::Text(written.value().clone()),
        TomlValue::Integer(written) => u64::try_from(*written.value())
            .map_or_else(|_| Value::Other(written.value().to_string()), Value::Integer),
        TomlValue::Float(written) => Value::Other(written.value().to_string()),
        TomlValue::Boolean(written) => Value::Other(written.value().to_string()),
        TomlValue::Datetime(written) => Value::Other(written.value().to_string()),
        TomlValue::Array(items) => {
            Value::List(items.iter().map(|item| value_node(item, lines, line)).collect())
        }
        TomlValue::InlineTable(inner) => return table(inner, lines, line),
    };
    Node { value: read, line }
}

/// Where the lines of a text end.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(end, _)| end).collect())
    }

    /// The number of the line at an offset.
    fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|end| *end < offset) + 1
    }
}
