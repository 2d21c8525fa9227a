//! What people say about criteria: label files, as YAML or CSV. Types and CSV; pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Fingerprint;
use super::criterion::Kind;
use crate::ids::Digest;

/// A file of labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelFile {
    /// The version of the file's format: 1.
    pub version: u32,
    /// How trials came into the file.
    #[serde(default)]
    pub sample: Sample,
    /// The labels.
    pub labels: Vec<LabelRow>,
}

/// How labelled trials were chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sample {
    /// By lot among all of the runs named, so that they stand for the rest.
    Random,
    /// In any other way.
    #[default]
    Picked,
}

/// What one person says about one criterion of one trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabelRow {
    /// The run, or any name of where the trial is from.
    pub run: String,
    /// The trial: its key as the run file has it, or any name.
    pub trial: String,
    /// The case, for readers.
    #[serde(default)]
    pub case: String,
    /// The criterion, word for word.
    pub criterion: String,
    /// What the criterion is for.
    #[serde(default = "must")]
    pub kind: Kind,
    /// Who says it.
    #[serde(default)]
    pub rater: String,
    /// Whether the statement holds.
    pub label: Word,
    /// What the judge said, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Word>,
    /// Which judge said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<Fingerprint>,
}

impl LabelRow {
    /// Whether both are one rater's word on one thing: the later one counts.
    pub fn is_of_same(&self, other: &Self) -> bool {
        (&self.rater, &self.run, &self.trial, &self.criterion)
            == (&other.rater, &other.run, &other.trial, &other.criterion)
    }
}

impl LabelFile {
    /// A file without labels. What comes into it by lot stands for the rest.
    pub fn none() -> Self {
        Self { version: 1, sample: Sample::Random, labels: vec![] }
    }

    /// Takes these labels in, each in the place of an earlier one by the same rater; others stay.
    pub fn merge(&mut self, rows: &[LabelRow]) {
        for row in rows {
            match self.labels.iter_mut().find(|known| known.is_of_same(row)) {
                Some(known) => known.clone_from(row),
                None => self.labels.push(row.clone()),
            }
        }
    }
}

/// What a judge was shown in a trial, by run and trial, where that is known.
pub type Shown = BTreeMap<(String, String), Digest>;

/// Labels without those of copies: of several trials in which a judge was shown the same, only the first counts for a
/// criterion. A model that always says the same would otherwise make one mistake, or one right answer, a hundred.
pub fn distinct(rows: &[LabelRow], shown: &Shown) -> Vec<LabelRow> {
    let mut first: BTreeMap<(Digest, &str), (&str, &str)> = BTreeMap::new();
    let mut kept = vec![];
    for row in rows {
        let own = (row.run.as_str(), row.trial.as_str());
        let data = shown.get(&(row.run.clone(), row.trial.clone()));
        if data.is_none_or(|data| *first.entry((*data, &row.criterion)).or_insert(own) == own) {
            kept.push(row.clone());
        }
    }
    kept
}

fn must() -> Kind {
    Kind::Must
}

/// An answer to "does the statement hold?"
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// It does.
    Yes,
    /// It does not.
    No,
    /// That cannot be said.
    Unsure,
}

impl Word {
    /// The word of a ruling.
    pub fn of(holds: Option<bool>) -> Self {
        match holds {
            Some(true) => Self::Yes,
            Some(false) => Self::No,
            None => Self::Unsure,
        }
    }

    /// Whether it meets a criterion of this kind; `None` for unsure.
    pub fn meets(self, kind: Kind) -> Option<bool> {
        match self {
            Self::Yes => Some(kind != Kind::MustNot),
            Self::No => Some(kind == Kind::MustNot),
            Self::Unsure => None,
        }
    }
}

/// Most labels of a file.
const MOST: usize = 200_000;

/// Labels from CSV with a header: `run,trial,case,criterion,kind,rater,label,verdict,judge`; `run`, `trial`, `criterion`
/// and `label` are needed. The error names the line.
pub fn from_csv(text: &str, sample: Sample) -> Result<LabelFile, String> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let mut labels = vec![];
    for row in reader.deserialize::<Row>() {
        if labels.len() >= MOST {
            return Err(format!("more than {MOST} labels in one file"));
        }
        labels.push(row.map_err(|error| error.to_string()).and_then(Row::label)?);
    }
    Ok(LabelFile { version: 1, sample, labels })
}

/// A line of CSV: empty fields are absent ones.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    run: String,
    trial: String,
    #[serde(default)]
    case: String,
    criterion: String,
    #[serde(default)]
    kind: Option<Kind>,
    #[serde(default)]
    rater: String,
    label: Word,
    #[serde(default)]
    verdict: Option<Word>,
    #[serde(default)]
    judge: Option<String>,
}

impl Row {
    fn label(self) -> Result<LabelRow, String> {
        let Self { run, trial, case, criterion, kind, rater, label, verdict, judge } = self;
        let judge = judge.filter(|judge| !judge.is_empty());
        let judge = judge.map(|judge| judge.parse().map(Fingerprint)).transpose();
        Ok(LabelRow {
            run,
            trial,
            case,
            criterion,
            kind: kind.unwrap_or_else(must),
            rater,
            label,
            verdict,
            judge: judge.map_err(|error| error.to_string())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_read_with_its_quotes_and_gaps() {
        let text = "run,trial,criterion,kind,rater,label,verdict\n\
                    r1,t1,\"Says \"\"hello\"\", twice.\",must_not,anna,no,yes\n\
                    r1,t2,States the date.,,,yes,\n";
        let file = from_csv(text, Sample::Random).expect("good CSV");
        let [first, second] = &file.labels[..] else { panic!("two labels") };
        assert_eq!(first.criterion, "Says \"hello\", twice.");
        assert_eq!((first.kind, first.verdict), (Kind::MustNot, Some(Word::Yes)));
        assert_eq!((second.kind, second.verdict, second.label), (Kind::Must, None, Word::Yes));
        assert_eq!(first.label.meets(first.kind), Some(true), "what must not hold does not");
    }

    fn rows(csv: &str) -> Vec<LabelRow> {
        let text = format!("run,trial,criterion,rater,label\n{csv}");
        from_csv(&text, Sample::Random).expect("good CSV").labels
    }

    #[test]
    fn labels_of_two_people_stand_beside_each_other() {
        let mut file = LabelFile { labels: rows("r,t1,A.,anna,yes\nr,t1,A.,ben,no\n"), ..LabelFile::none() };
        file.merge(&rows("r,t1,A.,ben,yes\nr,t2,A.,ben,no\n"));
        let told: Vec<(&str, &str, Word)> =
            file.labels.iter().map(|row| (row.rater.as_str(), row.trial.as_str(), row.label)).collect();
        assert_eq!(told, [("anna", "t1", Word::Yes), ("ben", "t1", Word::Yes), ("ben", "t2", Word::No)]);
    }

    #[test]
    fn copies_count_once() {
        let all = rows("r,t1,A.,a,yes\nr,t1,B.,a,yes\nr,t2,A.,a,no\nr,t1,A.,b,no\nr,t3,A.,a,yes\n");
        let data = |trial: &str, data: &[u8]| (("r".to_owned(), trial.to_owned()), Digest::of(data));
        let shown: Shown = [data("t1", b"same"), data("t2", b"same"), data("t3", b"other")].into();
        let left = distinct(&all, &shown);
        let told: Vec<(&str, &str, &str)> =
            left.iter().map(|row| (&*row.trial, &*row.criterion, &*row.rater)).collect();
        assert_eq!(told, [("t1", "A.", "a"), ("t1", "B.", "a"), ("t1", "A.", "b"), ("t3", "A.", "a")]);
        assert_eq!(distinct(&all, &Shown::new()), all, "of what is not known nothing is a copy");
    }

    #[test]
    fn bad_csv_is_refused_with_its_line() {
        let bad = from_csv("run,trial,criterion,label\nr,t,c,yes\nr,t,c,perhaps\n", Sample::Picked);
        assert!(bad.is_err_and(|error| error.contains("line: 3") || error.contains("line 3")));
        assert!(from_csv("run,trial\nr,t\n", Sample::Picked).is_err());
        assert!(from_csv("run,trial,criterion,label,judge\nr,t,c,yes,xyz\n", Sample::Picked).is_err());
    }
}
