//! What people say about criteria: label files, as YAML or CSV. Types and CSV; pure.

use serde::{Deserialize, Serialize};

use super::Fingerprint;
use super::criterion::Kind;

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

    #[test]
    fn bad_csv_is_refused_with_its_line() {
        let bad = from_csv("run,trial,criterion,label\nr,t,c,yes\nr,t,c,perhaps\n", Sample::Picked);
        assert!(bad.is_err_and(|error| error.contains("line: 3") || error.contains("line 3")));
        assert!(from_csv("run,trial\nr,t\n", Sample::Picked).is_err());
        assert!(from_csv("run,trial,criterion,label,judge\nr,t,c,yes,xyz\n", Sample::Picked).is_err());
    }
}
