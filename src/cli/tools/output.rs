//! What `tools` prints: for people, and as one JSON document.

use serde_json::{Value, json};

use super::{Found, ToolsArgs, files};
use crate::cli::Context;
use crate::cli::args::PlanFormat;
use crate::cli::failure::Outcome;
use crate::display;
use crate::mcp::ClientProfile;
use crate::report::figures::count;
use crate::report::fit::{paragraph, whole, wrapped};
use crate::report::losses;
use crate::report::surface::{self, Room, SurfaceStamp};
use crate::surface::bill::HOW;
use crate::transcript::ToolFact;

/// Prints everything that was found.
pub(super) fn print(found: &Found, args: &ToolsArgs, context: &Context) -> Outcome<()> {
    for (persona, fault) in &found.visit.refused {
        context.printer.talk(&format!("{persona} sees nothing: {}", fault.message));
    }
    if args.format == PlanFormat::Json {
        let text = serde_json::to_string_pretty(&document(found)).unwrap_or_default();
        return context.printer.data_line(&text);
    }
    let printer = context.printer;
    let room = Room {
        columns: usize::from(printer.width()),
        style: printer.style(),
        whole: context.verbose,
    };
    printer.data(human(found, room).as_bytes())?;
    if let Some(written) = &found.written {
        let folder = args.snapshot.as_ref().map_or_else(String::new, |folder| folder.display().to_string());
        printer.talk(&kept(written, &folder));
    }
    if found.fits.is_empty() {
        printer.talk("`--clients all` shows what each client makes of them, `-v` every finding");
    }
    Ok(())
}

/// What became of the snapshot.
fn kept(written: &files::Written, folder: &str) -> String {
    let files::Written { written, unchanged, removed } = written;
    let folder = display::safe_line(folder);
    format!("snapshot in {folder}: {written} written, {unchanged} unchanged, {removed} removed")
}

/// Everything for people.
fn human(found: &Found, room: Room) -> String {
    let seen = &found.visit.seen;
    let server = if seen.server.is_empty() { "a server without a name" } else { &seen.server };
    let tools = count(found.tools.len() as u64, "tool");
    let mut out = format!("{}\n", display::safe_line(&format!("{tools} of {server}, {}", found.visit.target)));
    if let [bill] = found.bills.as_slice() {
        let text = format!("{} tokens in every request under {}, {HOW}", bill.total, bill.client);
        out.push_str(&format!("{}\n\n", wrapped(&display::safe_line(&text), room.columns)));
        out.push_str(&surface::bill(bill, room));
    } else {
        let text = format!("tokens in every request, {HOW}");
        out.push_str(&format!("{}\n\n", wrapped(&text, room.columns)));
        out.push_str(&surface::bills(&found.bills, room));
    }
    out.push_str(&format!("\n{}", surface::findings(&found.findings, room)));
    if let Some((against, changes)) = &found.changes {
        out.push_str(&format!("\n{}", surface::changes(changes, against, room)));
    }
    for fit in found.fits.iter().filter(|fit| !fit.misfits.is_empty()) {
        out.push_str(&format!("\n{}", paragraph(&whole(fit), room.columns, room.style)));
    }
    let without = found.profiles.iter().zip(&found.fits).filter(|(_, fit)| fit.misfits.is_empty());
    let (silent, fine): (Vec<_>, Vec<_>) = without.partition(|(profile, _)| is_silent(profile));
    for (about, clients) in [("nothing goes wrong under", fine), ("what these show is not known:", silent)] {
        let names: Vec<&str> = clients.iter().map(|(profile, _)| profile.name.as_str()).collect();
        if !names.is_empty() {
            let text = display::safe_line(&format!("{about} {}", names.join(", ")));
            out.push_str(&format!("\n{}\n", wrapped(&text, room.columns)));
        }
    }
    for model in &found.lost {
        out.push_str(&format!("\n{}", losses::paragraph(model, room.columns)));
    }
    out
}

/// Whether a profile says nothing of what its client shows a model. `reference` shows everything, which is known.
fn is_silent(profile: &ClientProfile) -> bool {
    let own = ClientProfile::reference();
    profile.name != own.name && profile.menu == own.menu && profile.result == own.result
}

fn document(found: &Found) -> Value {
    let tools = found.tools.iter().map(|tool: &ToolFact| {
        let schema = tool.input_schema();
        json!({
            "name": display::safe_line(tool.name.as_str()),
            "description_chars": tool.description().chars().count(),
            "parameters": schema["properties"].as_object().map_or(0, serde_json::Map::len),
            "read_only": tool.raw["annotations"]["readOnlyHint"].as_bool(),
        })
    });
    let refused =
        found.visit.refused.iter().map(|(persona, fault)| json!({"persona": persona, "code": fault.code}));
    let bills = found.bills.iter().map(|bill| {
        let mut value = json!(bill);
        value["client"] = json!(display::safe_line(&bill.client));
        for line in value["tools"].as_array_mut().into_iter().flatten() {
            line["tool"] = json!(display::safe_line(line["tool"].as_str().unwrap_or_default()));
        }
        value
    });
    json!({
        "target": display::safe_line(&found.visit.target),
        "server": display::safe_line(&found.visit.seen.server),
        "tools": tools.collect::<Vec<_>>(),
        "counted": HOW,
        "bills": bills.collect::<Vec<_>>(),
        "lint": surface::lint_lines(&found.findings),
        "changes": found.changes.as_ref().map(|(_, changes)| surface::change_lines(changes)),
        "snapshot": found.written,
        "suite": found.judged.as_ref().map(SurfaceStamp::of),
        "refused": refused.collect::<Vec<_>>(),
        "clients": found.fits.iter().map(whole).collect::<Vec<_>>(),
        "models": found.lost,
    })
}
