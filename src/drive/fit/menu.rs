//! Misfits in the list of tools and in how they are called.

use super::{Item, Kind, Seen, about};
use crate::drive::offer::menu::LeftOut;
use crate::drive::offer::{Menu, is_read_only, schema};
use crate::mcp::ClientProfile;
use crate::mcp::profile::{Answer, Pages, Parallel, TransportKind};

/// Most places of a schema that are named.
const PLACES: usize = 5;

/// Adds what goes wrong before any result.
pub(super) fn find(seen: &Seen, profile: &ClientProfile, found: &mut Vec<(Kind, Item)>) {
    let rules = &profile.menu;
    let server = if seen.server.is_empty() { "server" } else { seen.server.as_str() };
    let (first, beyond): (Vec<_>, Vec<_>) = seen
        .tools
        .iter()
        .cloned()
        .partition(|tool| rules.pages() == Pages::All || !seen.later.contains(&tool.name));
    for tool in &beyond {
        found.push((Kind::BeyondFirstPage, about(&tool.name, "never seen by the model".to_owned())));
    }
    let menu = Menu::of(&first, server, rules);
    for (tool, why) in &menu.left_out {
        found.push(match why {
            LeftOut::Name => (
                Kind::NameDropped,
                about(tool, length(&menu, tool.as_str(), rules.name.as_ref().and_then(|rule| rule.max))),
            ),
            LeftOut::Taken { name, by } => {
                (Kind::NameCollides, about(tool, format!("`{name}` is already the name of `{by}`")))
            }
            LeftOut::Limit => (
                Kind::BeyondLimit,
                about(tool, format!("only {} tools are offered", rules.limit.unwrap_or_default())),
            ),
        });
    }
    for (tool, made) in &menu.names {
        let Some(name) = &made.name else { continue };
        if made.too_long {
            let chars = made.whole.chars().count();
            found.push((
                Kind::NameCut,
                about(tool, format!("`{}`, {chars} characters, becomes `{name}`", made.whole)),
            ));
        } else if made.replaced {
            found.push((Kind::NameReplaced, about(tool, format!("becomes `{name}`"))));
        }
    }
    for tool in &first {
        let chars = tool.description().chars().count();
        if let Some(rule) = rules.description.as_ref().filter(|rule| chars > rule.max) {
            let detail = format!("{} of {chars} characters fall out at the end", chars - rule.max);
            found.push((Kind::DescriptionCut, about(&tool.name, detail)));
        }
        let lost = schema::lost(&tool.input_schema(), rules.schema.as_ref());
        if !lost.is_empty() {
            let more = lost.len().saturating_sub(PLACES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let shown = lost.iter().take(PLACES).map(|place| format!("`{place}`")).collect::<Vec<_>>();
            found.push((Kind::SchemaLost, about(&tool.name, format!("{}{more}", shown.join(", ")))));
        }
        if profile.conduct.parallel() == Parallel::ReadOnly && says_nothing(tool) {
            found.push((Kind::OneByOne, about(&tool.name, "no `annotations.readOnlyHint`".to_owned())));
        }
    }
    let search = rules.deferral.as_ref().map_or("", |deferral| deferral.tool.as_str());
    for offer in &menu.deferred {
        found.push((Kind::Deferred, about(offer.server_name(), format!("loaded by `{search}`"))));
    }
    not_reached(seen, profile, found);
    instructions(seen, profile, found);
    unanswered(seen, profile, found);
}

/// A server is known by the way it was reached alone; it may offer others.
fn not_reached(seen: &Seen, profile: &ClientProfile, found: &mut Vec<(Kind, Item)>) {
    let Some(known) = &profile.wire.transports else { return };
    let (stdio, http) = seen.reached;
    let here = match (stdio, http) {
        (true, false) if !known.contains(&TransportKind::Stdio) => "standard streams",
        (false, true) if known.iter().all(|way| *way == TransportKind::Stdio) => "HTTP",
        _ => return,
    };
    let detail = format!("reached over {here} here, which this client does not speak");
    found.push((Kind::NotReached, Item { tool: None, detail }));
}

fn length(menu: &Menu, tool: &str, max: Option<usize>) -> String {
    let made = menu.names.iter().find(|(name, _)| name.as_str() == tool).map(|(_, made)| made);
    let chars = made.map_or(0, |made| made.whole.chars().count());
    format!("{chars} characters with what the client adds, at most {} are offered", max.unwrap_or_default())
}

/// A tool that says that it is not read-only has said something.
fn says_nothing(tool: &crate::transcript::ToolFact) -> bool {
    !is_read_only(tool) && tool.raw.get("annotations").and_then(|hints| hints.get("readOnlyHint")).is_none()
}

fn instructions(seen: &Seen, profile: &ClientProfile, found: &mut Vec<(Kind, Item)>) {
    let Some(text) = seen.instructions.as_deref().filter(|text| !text.trim().is_empty()) else { return };
    let rule = profile.menu.instructions.clone().unwrap_or_default();
    let chars = text.chars().count();
    if rule.shown == Some(false) {
        let detail = format!("never seen by the model; characters: {chars}");
        found.push((Kind::InstructionsHidden, Item { tool: None, detail }));
    } else if let Some(cut) = rule.cut.filter(|cut| chars > cut.max) {
        let detail = format!("{} of {chars} characters fall out at the end", chars - cut.max);
        found.push((Kind::InstructionsCut, Item { tool: None, detail }));
    }
}

fn unanswered(seen: &Seen, profile: &ClientProfile, found: &mut Vec<(Kind, Item)>) {
    let Some(answers) = profile.conduct.answers else { return };
    for method in &seen.asked {
        let answer = match method.as_str() {
            "ping" => answers.ping,
            "roots/list" => answers.roots,
            "elicitation/create" => answers.elicitation,
            "sampling/createMessage" => answers.sampling,
            _ => answers.unknown,
        };
        if answer == Some(Answer::Silence) {
            let detail = format!("`{method}`: a server that waits for it without a deadline hangs");
            found.push((Kind::Unanswered, Item { tool: None, detail }));
        }
    }
}
