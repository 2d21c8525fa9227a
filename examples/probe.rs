#![allow(missing_docs, clippy::all)]
use std::sync::Arc;
use std::time::Instant;
fn main() {
    let f: Arc<str> = "x".into();
    for (n, t) in [("50k", format!("version: 1\nenv: [{}]\n", "x, ".repeat(50_000))), ("100k", format!("version: 1\nenv: [{}]\n", "x, ".repeat(100_000))), ("190k", format!("version: 1\nenv: [{}]\n", "x, ".repeat(190_000))), ("190klines", format!("version: 1\nenv:\n{}\n", "  - x\n".repeat(190_000)))] {
        let b = Instant::now();
        let r = rehearsal::suite::yaml::from_text::<rehearsal::suite::wire::Document>(&f, &t);
        println!("{n} {:?} {}", b.elapsed(), r.is_ok());
        let b = Instant::now();
        let r = rehearsal::suite::yaml::from_text::<serde_json::Value>(&f, &t);
        println!("  json value {n} {:?} {}", b.elapsed(), r.is_ok());
    }
    for t in ["[".repeat(100 << 10), format!("version: 1\ncases: {}{}", "[".repeat(20_000), "]".repeat(20_000)), format!("version: 1\ncases: {}1{}", "{a: ".repeat(20_000), "}".repeat(20_000))] {
        println!("{:?}", rehearsal::suite::yaml::from_text::<rehearsal::suite::wire::Document>(&f, &t).err());
    }
}
