//! A comparison in the sentences that every format says, for a page that lays them out itself.

use serde::Serialize;

use super::human::drifted;
use super::{HEADER, LEGEND, Page, basis, change, exact, left_out, mover, sight, unshared, word};

/// Most names of a list.
const MOST: usize = 50;

/// What a comparison says. Every text is safe to show.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Words {
    /// What is compared, a line for each side.
    pub sides: [String; 2],
    /// What was asked.
    pub question: &'static str,
    /// Model by model.
    pub parts: Vec<PartWords>,
    /// The columns of cases that moved; the first is the case.
    pub columns: [&'static str; 7],
    /// What the columns mean.
    pub legend: &'static str,
    /// Access and auth cases.
    pub exact: Vec<String>,
    /// Models that only one side has.
    pub unshared: Vec<String>,
    /// What is not alike around the cases.
    pub drift: Vec<String>,
}

/// The comparison of one model, or of two.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartWords {
    /// The model, or both.
    pub name: String,
    /// `worse`, `better`, `not told apart` or `nothing in common`.
    pub finding: &'static str,
    /// By how much.
    pub change: String,
    /// What it rests on.
    pub basis: String,
    /// What could have been seen.
    pub sight: Option<String>,
    /// Cases that got worse, the clearest first.
    pub losers: Vec<[String; 7]>,
    /// Cases that got better.
    pub gainers: Vec<[String; 7]>,
    /// What was left out, and why.
    pub left_out: Vec<String>,
}

impl Page {
    /// What it says.
    pub fn words(&self) -> Words {
        let part = |part: &super::Part| PartWords {
            name: part.name(),
            finding: word(part.finding),
            change: change(part),
            basis: basis(part),
            sight: part.comparison.change.as_ref().map(sight),
            losers: part.comparison.losers.iter().map(mover).collect(),
            gainers: part.comparison.gainers.iter().map(mover).collect(),
            left_out: left_out(part).iter().map(|told| told.plain(MOST)).collect(),
        };
        let told = |list: Vec<super::Told>| list.iter().map(|one| one.plain(MOST)).collect();
        Words {
            sides: [self.before.says(), self.now.says()],
            question: self.question(),
            parts: self.found.parts.iter().map(part).collect(),
            columns: HEADER,
            legend: LEGEND,
            exact: told(exact(&self.found.exact)),
            unshared: told(unshared(&self.found)),
            drift: self.found.drift.iter().map(drifted).collect(),
        }
    }
}
