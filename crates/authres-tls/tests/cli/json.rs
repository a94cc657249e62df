//! The command `json`.

use super::*;

#[test]
fn prints_appendix_a1_as_json_with_decoded_properties() {
    expect(&["json"], A1, 0, include_str!("../data/cli/a1.json"));
}

#[test]
fn prints_mbox_as_list_of_trees() {
    expect(&["json"], TWO, 0, include_str!("../data/cli/two.json"));
}

#[test]
fn prints_spans_of_value_in_json() {
    fn check(node: &serde_json::Value, value: &str, checked: &mut usize) {
        if let (Some(raw), Some(span)) = (node["raw"].as_str(), node["span"].as_array()) {
            let place = |index: usize| {
                let place = span[index].as_u64().expect("a number");
                usize::try_from(place).expect("small")
            };
            assert_eq!(value.get(place(0)..place(1)), Some(raw));
            *checked += 1;
        }
        match node {
            serde_json::Value::Array(nodes) => {
                nodes.iter().for_each(|node| check(node, value, checked));
            }
            serde_json::Value::Object(nodes) => {
                nodes.values().for_each(|node| check(node, value, checked));
            }
            _ => {}
        }
    }
    let mut checked = 0;
    for input in [A1, TWO, FOLDED] {
        let ran = authres(&["json"], input);
        let document: serde_json::Value = serde_json::from_slice(&ran.out).expect("JSON");
        for field in document["fields"].as_array().expect("a list") {
            let value = field["value"].as_str().expect("text");
            check(field, value, &mut checked);
        }
    }
    assert_eq!(checked, 92);
}
