//! A list of tools as one client shows it, for bills and lints.

use crate::drive::offer::Menu;
use crate::drive::offer::menu::LeftOut;
use crate::mcp::ClientProfile;
use crate::surface::Shown;
use crate::transcript::ToolFact;

/// What a client makes of a list of tools.
pub fn shown(tools: &[ToolFact], server: &str, profile: &ClientProfile) -> Shown {
    let server = if server.is_empty() { "server" } else { server };
    let menu = Menu::of(tools, server, &profile.menu);
    let out = |tool: &_| menu.left_out.iter().any(|(name, why)| name == tool && *why == LeftOut::Name);
    let names = menu.names.iter().filter(|(tool, _)| !out(tool));
    Shown {
        client: profile.name.clone(),
        names: names.filter_map(|(tool, made)| Some((tool.clone(), made.name.clone()?))).collect(),
        deferred: menu.deferred.iter().map(|offer| offer.server_name().clone()).collect(),
        cut: profile.menu.description.as_ref().map(|rule| rule.max),
        offers: menu.offers.to_vec(),
    }
}
