//! What names in a scenario stand for, and whether an answer is the expected one.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// Values by their names, which begin with `$`.
#[derive(Debug, Default)]
pub(super) struct Bindings(BTreeMap<String, Value>);

impl Bindings {
    /// Those that a scenario begins with.
    pub(super) fn new(values: &Map<String, Value>) -> Result<Self, String> {
        let mut bindings = Self::default();
        for (name, value) in values {
            let value = bindings.resolve(value)?;
            bindings.set(name, value);
        }
        Ok(bindings)
    }

    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// What an argument stands for.
    pub(super) fn resolve(&self, argument: &Value) -> Result<Value, String> {
        Ok(match argument {
            Value::String(text) => match key(text) {
                Some(key) => key,
                None if text.starts_with('$') => {
                    self.0.get(text).cloned().ok_or_else(|| format!("{text} stands for nothing yet"))?
                }
                None => argument.clone(),
            },
            Value::Array(items) => {
                items.iter().map(|item| self.resolve(item)).collect::<Result<Vec<_>, _>>()?.into()
            }
            Value::Object(fields) => match many(fields) {
                Some(many) => self.resolve(&many)?,
                None => Value::Object(self.resolve_fields(fields)?),
            },
            other => other.clone(),
        })
    }

    pub(super) fn resolve_fields(&self, fields: &Map<String, Value>) -> Result<Map<String, Value>, String> {
        fields.iter().map(|(name, value)| Ok((name.clone(), self.resolve(value)?))).collect()
    }

    /// Compares an answer with what is expected of it, whole.
    pub(super) fn compare(&mut self, expected: &Value, actual: &Value) -> Result<(), String> {
        self.compare_at("", expected, actual)
    }

    fn compare_at(&mut self, at: &str, expected: &Value, actual: &Value) -> Result<(), String> {
        let differs = |expected: &Value| {
            let at = if at.is_empty() { "the answer" } else { at };
            Err(format!("{at} is {actual}, and should be {expected}"))
        };
        match (expected, actual) {
            (Value::String(text), _) if text == "*" => Ok(()),
            (Value::String(text), _) if text.starts_with('$') => match self.0.get(text) {
                Some(bound) if bound == actual => Ok(()),
                Some(bound) => differs(bound),
                None => {
                    self.set(text, actual.clone());
                    Ok(())
                }
            },
            (Value::String(text), _) if key(text).is_some_and(|key| key == *actual) => Ok(()),
            (Value::Object(fields), _) if many(fields).is_some() => {
                self.compare_at(at, &many(fields).expect("it is many"), actual)
            }
            (Value::Object(expected), Value::Object(actual)) => self.compare_fields(at, expected, actual),
            (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
                let mut pairs = expected.iter().zip(actual).enumerate();
                pairs.try_for_each(|(n, (expected, actual))| {
                    self.compare_at(&format!("{at}[{n}]"), expected, actual)
                })
            }
            (expected, actual) if expected == actual => Ok(()),
            (expected, _) => differs(expected),
        }
    }

    fn compare_fields(
        &mut self,
        at: &str,
        expected: &Map<String, Value>,
        actual: &Map<String, Value>,
    ) -> Result<(), String> {
        let names: BTreeSet<_> = expected.keys().chain(actual.keys()).collect();
        for name in names {
            let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
            match (expected.get(name), actual.get(name)) {
                (Some(expected), Some(actual)) => self.compare_at(&at, expected, actual)?,
                (Some(expected), None) => return Err(format!("{at} is missing, and should be {expected}")),
                (None, Some(actual)) => return Err(format!("{at} is {actual}, and should not be there")),
                (None, None) => {}
            }
        }
        Ok(())
    }
}

/// Of `key:N`, the made-up key that it stands for.
fn key(text: &str) -> Option<Value> {
    let number: u8 = text.strip_prefix("key:")?.parse().ok()?;
    let key: Vec<u8> = (0..8).flat_map(|block| Sha256::digest([number, block])).collect();
    Some(BASE64_STANDARD.encode(key).into())
}

/// Of `{"times": N, "from": F, "each": X}`, a list of N times X, in which `#` stands for F, F + 1 and so on.
fn many(fields: &Map<String, Value>) -> Option<Value> {
    let (times, each) = (fields.get("times")?.as_u64()?, fields.get("each")?);
    let from = fields.get("from").and_then(Value::as_u64).unwrap_or(1);
    Some((from..from + times).map(|number| numbered(each, &number.to_string())).collect())
}

fn numbered(value: &Value, number: &str) -> Value {
    match value {
        Value::String(text) => text.replace('#', number).into(),
        Value::Array(items) => items.iter().map(|item| numbered(item, number)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), numbered(value, number)))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::Bindings;

    #[test]
    fn an_answer_is_compared_whole() {
        let mut bindings = Bindings::default();
        bindings.compare(&json!({ "a": "$x", "b": "*" }), &json!({ "a": 1, "b": [] })).expect("alike");
        bindings.compare(&json!(["$x", "$x"]), &json!([1, 1])).expect("alike");
        for (expected, actual) in [
            (json!({ "a": 1 }), json!({ "a": 1, "b": 2 })),
            (json!({ "a": 1, "b": "*" }), json!({ "a": 1 })),
            (json!(["$x"]), json!([2])),
            (json!([1]), json!([1, 1])),
            (json!("key:1"), json!("key:2")),
            (json!("1"), json!(1)),
        ] {
            assert!(bindings.compare(&expected, &actual).is_err(), "{expected} {actual}");
        }
    }

    #[test]
    fn a_name_stands_for_its_value() {
        let values: Map<_, _> =
            json!({ "$k": "key:7", "$s": { "auth": "$k" } }).as_object().expect("one").clone();
        let bindings = Bindings::new(&values).expect("everything is known");
        let resolved = bindings.resolve(&json!([{ "s": "$s" }])).expect("known");
        assert_eq!(resolved[0]["s"]["auth"], bindings.resolve(&json!("key:7")).expect("a key"));
        assert!(bindings.resolve(&json!("$y")).is_err());
    }

    #[test]
    fn many_are_written_as_one() {
        let many = json!({ "times": 2, "from": 9, "each": { "id": "#" } });
        let resolved = Bindings::default().resolve(&many).expect("known");
        assert_eq!(resolved, json!([{ "id": "9" }, { "id": "10" }]));
        Bindings::default().compare(&many, &resolved).expect("alike");
    }
}
