//! The recipes of the documentation as files for a suite.

use super::args::CiSystem;

/// The one source of all recipes.
const RECIPES: &str = include_str!("../../../docs/ci.md");

/// Where a system looks for its jobs, and the job for a suite.
pub(super) fn job(system: CiSystem, suite: &str, variables: &[String]) -> (&'static str, String) {
    let (path, recipe) = match system {
        CiSystem::Github => (".github/workflows/rehearsal.yml", recipe("<!-- recipe: github -->")),
        // The jobs after the first are for nights and for large suites.
        CiSystem::Gitlab => {
            (".gitlab-ci.yml", recipe("<!-- recipe: gitlab -->").split("\n\n").next().unwrap_or_default())
        }
    };
    let mut text =
        "# Put the owner of the repository of rehearsal in place of OWNER; docs/ci.md there has more.\n"
            .to_owned();
    for line in recipe.lines() {
        let bare = line.trim_start();
        let indent = &line[..line.len() - bare.len()];
        if bare.starts_with("OPENAI_API_KEY:") {
            for name in variables {
                text.push_str(&format!("{indent}{name}: ${{{{ secrets.{name} }}}}\n"));
            }
        } else if bare != "env:" || !variables.is_empty() {
            text.push_str(&format!("{}\n", line.replace("bookshop", suite)));
        }
    }
    (path, text.replace("name: rehearsal without the action", "name: rehearsal"))
}

fn recipe(mark: &str) -> &'static str {
    let rest = RECIPES.split_once(mark).map_or("", |(_, rest)| rest);
    let block = rest.split_once("```yaml\n").map_or("", |(_, block)| block);
    block.split_once("```").map_or("", |(block, _)| block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipes_are_those_of_the_documentation() {
        let (path, text) = job(CiSystem::Github, "shop", &["SHOP_TOKEN".to_owned()]);
        assert_eq!(path, ".github/workflows/rehearsal.yml");
        insta::assert_snapshot!(text);
        let (path, text) = job(CiSystem::Gitlab, "shop", &[]);
        assert_eq!(path, ".gitlab-ci.yml");
        insta::assert_snapshot!(text);
    }
}
