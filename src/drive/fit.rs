//! How a server fits the clients it will meet: what each of them hides, cuts or renames, found without any model. Pure.
//!
//! [`Seen`] collects what is known of a server from transcripts; [`misfits`] holds it against one profile. Both halves of
//! the work use the interpreters that trials use, so a finding is what a trial under that client would show.

use serde::Serialize;

use crate::ids::{ClientName, ToolName};
use crate::mcp::ClientProfile;

mod menu;
mod result;
mod seen;
mod shown;

pub use seen::{Returned, Seen};
pub use shown::shown;

/// What goes wrong under one client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// The client profile.
    pub client: ClientName,
    /// What goes wrong, the gravest first; empty: nothing that is known.
    pub misfits: Vec<Misfit>,
}

/// One thing that goes wrong, with everything it happens to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Misfit {
    /// What kind of thing.
    pub kind: Kind,
    /// How grave.
    pub level: Level,
    /// One sentence.
    pub about: String,
    /// What it happens to.
    pub items: Vec<Item>,
}

/// One place where something goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The tool, if it is about one.
    pub tool: Option<ToolName>,
    /// What happens to it.
    pub detail: String,
}

/// How grave a misfit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// A model cannot see or call something, or sees something else than others.
    Warning,
    /// Worth knowing.
    Note,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $word:literal $level:ident $about:literal;)*) => {
        /// The kinds of misfits, the gravest first.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Kind {
            $($(#[$doc])* $name,)*
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word in reports.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// How grave it is.
            pub fn level(self) -> Level {
                match self { $(Self::$name => Level::$level,)* }
            }

            /// What it means, as a sentence.
            pub fn about(self) -> &'static str {
                match self { $(Self::$name => $about,)* }
            }
        }
    };
}

kinds! {
    /// Two tools get one name.
    NameCollides "name_collides" Warning "two tools get one name; only the first is offered";
    /// A name is too long and its tool is dropped.
    NameDropped "name_dropped" Warning "the name is too long; the tool is not offered";
    /// There are more tools than the client offers.
    BeyondLimit "beyond_limit" Warning "the client offers no more tools than its limit";
    /// A tool stands beyond the first page of the list.
    BeyondFirstPage "beyond_first_page" Warning "the client reads only the first page of the list";
    /// A result is larger than the client passes on.
    ResultCut "result_cut" Warning "the result is cut before the model sees it";
    /// Structured content and text say different things, and the client shows one of them.
    HalvesDisagree "halves_disagree" Warning "structured content and text differ, and the client shows one of them";
    /// Content that the client does not show.
    ContentDropped "content_dropped" Warning "the client does not show this kind of content";
    /// The server asks something that the client never answers.
    Unanswered "unanswered" Warning "the client never answers this request of the server";
    /// A description is cut.
    DescriptionCut "description_cut" Warning "the description is cut";
    /// The instructions are cut.
    InstructionsCut "instructions_cut" Warning "the server's instructions are cut";
    /// The instructions are not shown.
    InstructionsHidden "instructions_hidden" Warning "the server's instructions are not shown";
    /// A name is shortened.
    NameCut "name_cut" Note "the name is shortened";
    /// Characters of a name are replaced.
    NameReplaced "name_replaced" Note "characters of the name are replaced";
    /// Keywords of a schema are dropped.
    SchemaLost "schema_lost" Note "the client drops these keywords of the input schema";
    /// Only names are shown until the model searches.
    Deferred "deferred" Note "only the names are shown until the model searches for the tool";
    /// The client has no way to reach the server as it was reached.
    NotReached "not_reached" Note "the client cannot reach a server this way";
    /// Calls run one after the other.
    OneByOne "one_by_one" Note "calls run one by one, since the tool does not say that it is read-only";
}

/// Holds what was seen of a server against a client.
pub fn misfits(seen: &Seen, profile: &ClientProfile) -> Fit {
    let mut found: Vec<(Kind, Item)> = Vec::new();
    menu::find(seen, profile, &mut found);
    result::find(seen, profile, &mut found);
    let of_kind = |kind: &Kind| {
        let items: Vec<Item> =
            found.iter().filter(|(known, _)| known == kind).map(|(_, item)| item.clone()).collect();
        let (level, about) = (kind.level(), kind.about().to_owned());
        (!items.is_empty()).then_some(Misfit { kind: *kind, level, about, items })
    };
    Fit { client: profile.name.clone(), misfits: Kind::ALL.iter().filter_map(of_kind).collect() }
}

impl Fit {
    /// Misfits of a level, by number of items.
    pub fn count(&self, level: Level) -> usize {
        self.misfits.iter().filter(|misfit| misfit.level == level).map(|misfit| misfit.items.len()).sum()
    }
}

/// An item about a tool.
fn about(tool: &ToolName, detail: String) -> Item {
    Item { tool: Some(tool.clone()), detail }
}
