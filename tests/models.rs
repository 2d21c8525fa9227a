//! `rehearsal models` and `rehearsal tools --model`: what is at hand, without a key and without a call.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and start the program"
)]

use std::process::{Command, Output};

use serde_json::Value;

fn rehearsal(args: &[&str], key: Option<&str>) -> Output {
    let place = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
    command.args(args).current_dir(place.path()).env_remove("OPENAI_API_KEY");
    if let Some(key) = key {
        command.env("OPENAI_API_KEY", key);
    }
    command.output().unwrap()
}

fn read(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn of<'a>(told: &'a Value, name: &str) -> &'a Value {
    told["models"].as_array().unwrap().iter().find(|model| model["name"] == name).unwrap()
}

#[test]
fn keys_prices_and_limits_are_listed_and_no_key_is_shown() {
    let told = read(&rehearsal(&["models", "--format", "json"], None));
    let mini = of(&told, "gpt-5-mini");
    assert_eq!((&mini["key_set"], &mini["price"]), (&Value::Bool(false), &Value::Null));
    assert_eq!(of(&told, "lexical")["price"]["input"], 0.0);
    let terra = of(&told, "gpt-5.6-terra");
    assert_eq!((terra["price"]["input"].as_f64(), terra["context"].as_u64()), (Some(2.0), Some(1_050_000)));
    assert!(told["providers"].as_array().unwrap().iter().any(|one| one["prefix"] == "ollama"));

    let output = rehearsal(&["models"], Some("sk-never-shown-1234"));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("OPENAI_API_KEY set") && text.contains("unpriced"), "{text}");
    assert!(!text.contains("never-shown"));
}

#[test]
fn names_without_a_file_are_known_and_wrong_ones_have_a_hint() {
    let told =
        read(&rehearsal(&["models", "openrouter:a/b:free", "openai_responses:x", "--format", "json"], None));
    assert_eq!(of(&told, "openrouter:a/b:free")["id"], "a/b:free");
    for (wrong, hint) in [("gpt-5-mimi", "`gpt-5-mini`"), ("opnrouter:x", "`openrouter`")] {
        let output = rehearsal(&["models", wrong], None);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("usage.model") && told.contains(hint), "{told}");
    }
}

#[test]
fn a_server_s_tools_are_held_against_an_api_without_its_key() {
    let told = read(&rehearsal(&["tools", "bookshop", "--model", "azure:mine", "--format", "json"], None));
    let model = &told["models"][0];
    assert_eq!(model["model"], "azure:mine");
    assert_eq!(model["losses"].as_array().unwrap().len() as u64, model["count"].as_u64().unwrap());
}
