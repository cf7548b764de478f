use serde_json::Value;

/// What of `given` is not in `seen`: a line each. What `given` does not say is not compared, but nobody may be made up: a peer,
/// a channel or a data center with a key that was not given is a difference. The same as in tests/formats/made_up.py.
pub(crate) fn differences(given: &Value, seen: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(given, seen, "", &mut found);
    found
}

fn compare(given: &Value, seen: &Value, place: &str, found: &mut Vec<String>) {
    match (given, seen) {
        (Value::Object(given), Value::Object(seen)) => {
            for (name, value) in given {
                let other = seen.get(name).unwrap_or(&Value::Null);
                compare(value, other, &format!("{place}.{name}"), found);
            }
        }
        (Value::Array(given), Value::Array(seen)) if place.ends_with(".accounts") => {
            if given.len() != seen.len() {
                found.push(format!("{place}: {}, and they are {}", given.len(), seen.len()));
            }
            for (index, (one, other)) in given.iter().zip(seen).enumerate() {
                compare(one, other, &format!("{place}[{index}]"), found);
            }
        }
        (Value::Array(given), Value::Array(seen)) if given.iter().chain(seen).any(Value::is_object) => {
            compare_by_name(given, seen, place, found);
        }
        _ if given == seen => {}
        _ => found.push(format!("{place}: {}, and it is {}", short(given), short(seen))),
    }
}

fn compare_by_name(given: &[Value], seen: &[Value], place: &str, found: &mut Vec<String>) {
    let are_attributes = place.ends_with(".attributes");
    let name = if are_attributes { "key" } else { "id" };
    for one in given {
        let other = seen.iter().find(|other| other[name] == one[name]).unwrap_or(&Value::Null);
        compare(one, other, &format!("{place}[{}]", one[name]), found);
    }
    let made_up = seen.iter().filter(|other| !given.iter().any(|one| one[name] == other[name]));
    let made_up =
        made_up.filter(|other| !(are_attributes || place.ends_with(".dcs") && other["auth"].is_null()));
    found.extend(made_up.map(|other| format!("{place}[{}]: it was not given", other[name])));
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() < 80 {
        return text;
    }
    let start: String = text.chars().take(60).collect();
    format!("{start}... ({} characters)", text.chars().count())
}

#[test]
fn a_value_that_differs_or_was_not_given_is_found() {
    let given =
        serde_json::json!({ "a": 1, "peers": [{ "id": "1", "name": "x" }], "dcs": [], "attributes": [] });
    let seen = serde_json::json!({
        "a": 2, "b": 3,
        "peers": [{ "id": "1", "name": "x", "phone": "5" }, { "id": "2" }],
        "dcs": [{ "id": 1 }, { "id": 2, "auth": "00" }],
        "attributes": [{ "key": "k" }],
    });
    let found = differences(&given, &seen);
    let expected = [".a: 1, and it is 2", ".peers[\"2\"]: it was not given", ".dcs[2]: it was not given"];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    assert!(expected.iter().all(|fault| found.iter().any(|each| each == fault)), "{found:?}");
}
