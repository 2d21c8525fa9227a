//! The quarantine of the suite, before anything else: what raises no alarm must not be out of sight. And how the cases
//! stand against their history.

use super::Page;
use crate::report::history;
use crate::report::paint::Tone;
use crate::report::wrap::lines;

/// Most cases that are listed.
const MOST: usize = 5;

impl Page<'_> {
    /// How the cases stand against their history.
    pub(super) fn history(&mut self) {
        let Some(text) = history::line(self.summary, str::to_owned) else { return };
        for line in lines(&text, self.width, ["", "    "]) {
            self.line(line);
        }
        self.blank();
    }

    /// Size and age, and what is in it.
    pub(super) fn quarantine(&mut self) {
        let Some(stamp) = &self.summary.quarantine else { return };
        for line in lines(&stamp.headline(), self.width, ["", "    "]) {
            let line = self.style.paint(Tone::Warn, &line);
            self.line(line);
        }
        for entry in stamp.entries.iter().take(MOST) {
            let text = format!("{}: {}; {}", entry.case, entry.says(), entry.why);
            for line in lines(&text, self.width, ["  ", "      "]) {
                self.line(line);
            }
        }
        if stamp.entries.len() > MOST {
            self.line(format!("  and {} more", stamp.entries.len() - MOST));
        }
        self.blank();
    }
}
