//! How this user starts the program, so that every command we print can be copied.

use std::path::Path;

use super::Lookup;

/// What the user types before a command: `cargo run --` under cargo, the path as it was typed, or the bare name.
pub(super) fn name(env: Lookup<'_>, typed: &str, file: Option<&Path>) -> String {
    // Cargo tells whose manifest it runs; another project's cargo may start an installed copy.
    if env("CARGO_PKG_NAME").as_deref() == Some(env!("CARGO_PKG_NAME")) {
        let release = file.and_then(Path::parent).is_some_and(|folder| folder.ends_with("release"));
        return if release { "cargo run --release --" } else { "cargo run --" }.to_owned();
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./~+".contains(c);
    match typed.contains('/') {
        true if typed.chars().all(plain) => typed.to_owned(),
        true => format!("'{}'", typed.replace('\'', "'\\''")),
        false => env!("CARGO_PKG_NAME").to_owned(),
    }
}

/// A text of ours with the commands in it as this user types them. Commands stand in backticks.
pub(super) fn commands(text: &str, program: &str) -> String {
    text.replace("`rehearsal ", &format!("`{program} "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_start_has_its_own_name() {
        let cargo =
            |package: &'static str| move |name: &str| (name == "CARGO_PKG_NAME").then(|| package.to_owned());
        let file = |path: &'static str| Some(Path::new(path));
        let debug = "target/debug/rehearsal";
        assert_eq!(name(&cargo("rehearsal"), debug, file("/w/target/debug/rehearsal")), "cargo run --");
        let release = file("/w/target/release/rehearsal");
        assert_eq!(name(&cargo("rehearsal"), debug, release), "cargo run --release --");
        assert_eq!(name(&cargo("another"), "rehearsal", file("/usr/bin/rehearsal")), "rehearsal");
        let nothing = |_: &str| None;
        assert_eq!(name(&nothing, "rehearsal", None), "rehearsal");
        assert_eq!(name(&nothing, debug, None), debug);
        assert_eq!(name(&nothing, "/my tools/rehearsal", None), "'/my tools/rehearsal'");
    }

    #[test]
    fn only_commands_are_rewritten() {
        let text = "rehearsal kept it: `rehearsal resume RUN`";
        assert_eq!(commands(text, "cargo run --"), "rehearsal kept it: `cargo run -- resume RUN`");
    }
}
