//! How sure the first judge is decides who is asked next, and nothing else.

use std::sync::Arc;

use rehearsal::diag::Located;
use rehearsal::score::judge::{
    Confidence, Criterion, Escalate, Examiner, FirstWord, InMemory, Judge, Others, Ruling, SURE,
};
use rehearsal::score::{Finding, Grade};
use rehearsal::transcript::{Fault, Side};

use crate::doubles::{Double, examiner, is_sure, log, reply, rubric, says};
use crate::late_order;
use crate::transcripts::origin;

fn finding(judge: &Judge, yaml: &str) -> Finding {
    let criteria: Vec<Criterion> = serde_saphyr::from_str(yaml).unwrap();
    let criteria: Vec<_> = criteria.into_iter().map(|criterion| Located::new(criterion, origin())).collect();
    let judged = futures::executor::block_on(judge.decide(&late_order(), &criteria, &log()));
    judged.findings.into_iter().next().unwrap()
}

fn ruled(judge: &Judge) -> (String, Ruling) {
    let finding = finding(judge, "[{must: States the date.}]");
    let grade = match finding.grade {
        Grade::Pass => "pass".to_owned(),
        Grade::Fail => "fail".to_owned(),
        Grade::Unscored(fault) => fault.code,
    };
    (grade, *finding.ruling.unwrap())
}

fn with_second(first: Examiner, word: &'static str) -> (Judge, Arc<Double>) {
    let (second, double) = says("b", word);
    (Judge { others: Others::Second(second, Escalate::Unsure), ..Judge::alone(first, rubric()) }, double)
}

#[test]
fn a_word_of_which_the_judge_is_not_sure_goes_to_the_second() {
    let rows = [
        ("yes", Some(0.97), "no", "pass", 0),
        ("yes", Some(0.801), "no", "pass", 0),
        ("yes", Some(0.8), "no", "judge.disagree", 1),
        ("yes", Some(0.55), "yes", "pass", 1),
        ("no", Some(0.55), "no", "fail", 1),
        ("no", Some(0.55), "yes", "judge.disagree", 1),
        ("yes", Some(0.55), "unsure", "judge.missing-evidence", 1),
        ("yes", Some(0.1), "yes", "pass", 1),
        ("unsure", Some(0.99), "yes", "pass", 1),
        ("yes", None, "no", "pass", 0),
    ];
    for (first, probability, second, expected, calls) in rows {
        let (judge, double) = with_second(is_sure("a", first, probability).0, second);
        let (grade, ruling) = ruled(&judge);
        assert_eq!((grade.as_str(), double.calls()), (expected, calls), "{first} {probability:?} {second}");
        assert_eq!(ruling.escalated, calls > 0);
        let holds = match first {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        };
        let probability = probability.filter(|_| holds.is_some());
        assert_eq!(ruling.first, Some(FirstWord { holds, probability }), "the word as it was given");
    }
}

#[test]
fn labels_move_the_threshold() {
    for (sure, probability, calls) in [(SURE, 0.75, 1), (0.7, 0.75, 0), (0.9, 0.85, 1), (0.5, 0.51, 0)] {
        let (judge, double) = with_second(is_sure("a", "yes", Some(probability)).0, "yes");
        ruled(&Judge { sure, ..judge });
        assert_eq!(double.calls(), calls, "{sure} {probability}");
    }
}

#[test]
fn a_probability_never_is_the_verdict() {
    let judge = Judge::alone(is_sure("a", "yes", Some(0.01)).0, rubric());
    let (grade, ruling) = ruled(&judge);
    assert_eq!((grade.as_str(), ruling.holds, ruling.escalated), ("pass", Some(true), false));
    let (panel, _) = says("b", "no");
    let others = Others::Panel(vec![panel.clone(), panel]);
    let judge = Judge { others, ..Judge::alone(is_sure("a", "yes", Some(0.99)).0, rubric()) };
    let (grade, ruling) = ruled(&judge);
    assert_eq!(grade, "fail", "one vote of three");
    assert_eq!(ruling.first, Some(FirstWord { holds: Some(true), probability: Some(0.99) }));
}

#[test]
fn judges_that_are_not_asked_how_sure_they_are_say_nothing_of_it() {
    let (mut examiner, double) = is_sure("a", "yes", Some(0.5));
    examiner.confidence = Confidence::None;
    let (judge, second) = with_second(examiner, "no");
    let (grade, ruling) = ruled(&judge);
    assert_eq!((grade.as_str(), ruling.first, second.calls(), double.calls()), ("pass", None, 0, 1));
    let stored = serde_json::to_value(&ruling).unwrap();
    assert!(stored.get("first").is_none(), "{stored}");
    let (judge, _) = with_second(is_sure("a", "no", Some(0.5)).0, "no");
    let (_, ruling) = ruled(&judge);
    let read: Ruling = serde_json::from_str(&serde_json::to_string(&ruling).unwrap()).unwrap();
    assert_eq!((read.first_met(), &read), (Some((false, 0.5)), &ruling));
}

#[test]
fn a_kept_verdict_keeps_its_probability() {
    let verdicts = Arc::new(InMemory::default());
    let calls = |probability, sure| {
        let (first, double) = is_sure("a", "yes", probability);
        let (judge, second) = with_second(first, "yes");
        let (_, ruling) = ruled(&Judge { verdicts: Some(verdicts.clone()), sure, ..judge });
        (double.calls(), second.calls(), ruling.first.unwrap().probability)
    };
    assert_eq!(calls(Some(0.7), SURE), (1, 1, Some(0.7)));
    assert_eq!(
        calls(Some(0.99), SURE),
        (0, 0, Some(0.7)),
        "both verdicts are known, and how sure the first was"
    );
    assert_eq!(calls(Some(0.99), 0.6), (0, 0, Some(0.7)), "a threshold asks nobody again");
    // Not asked how sure it is, it is another judge.
    let (mut plain, double) = is_sure("a", "no", None);
    plain.confidence = Confidence::None;
    let judge = Judge { verdicts: Some(verdicts.clone()), ..Judge::alone(plain, rubric()) };
    assert_eq!((ruled(&judge).0.as_str(), double.calls()), ("fail", 1));
}

#[test]
fn the_least_likely_claim_sends_its_question_on() {
    let yaml = "[{claims: [Names the date., Names the carrier.], coverage: 50%}]";
    let (judge, second) = with_second(is_sure("a", "yes", Some(0.6)).0, "no");
    let finding = finding(&judge, yaml);
    assert_eq!(second.calls(), 1);
    let ruling = finding.ruling.unwrap();
    assert_eq!(ruling.first, Some(FirstWord { holds: Some(true), probability: Some(0.6) }));
    assert_eq!(ruling.holds, None, "two judges differ on both claims");
}

/// A judge that votes: its words in turn.
fn votes(words: &'static [&'static str]) -> (Examiner, Arc<Double>) {
    let (mut examiner, double) = examiner("a", move |prompt, number| match words[number % words.len()] {
        "silent" => Err(Fault::new(Side::Model, "model.timeout", "no answer")),
        "babble" => Ok("Thought process:".into()),
        word => Ok(reply(prompt, |_| word)),
    });
    examiner.confidence = Confidence::Votes;
    (examiner, double)
}

#[test]
fn three_votes_are_a_word_and_how_sure_it_is() {
    /// Votes, what the second says, the grade, how often the second is asked, how sure the first is.
    type Row = (&'static [&'static str], &'static str, &'static str, usize, Option<f64>);
    let rows: [Row; 6] = [
        (&["yes", "yes", "yes"], "no", "pass", 0, Some(1.0)),
        (&["no", "no", "no"], "yes", "fail", 0, Some(1.0)),
        (&["yes", "no", "yes"], "yes", "pass", 1, Some(0.666_667)),
        (&["yes", "no", "yes"], "no", "judge.disagree", 1, Some(0.666_667)),
        (&["no", "unsure", "no"], "no", "fail", 1, Some(0.666_667)),
        (&["yes", "no", "unsure"], "no", "fail", 1, None),
    ];
    for (words, second, expected, seconds, probability) in &rows {
        let (first, double) = votes(words);
        let (judge, other) = with_second(first, second);
        let (grade, ruling) = ruled(&judge);
        assert_eq!((grade.as_str(), other.calls()), (*expected, *seconds), "{words:?} {second}");
        assert_eq!((double.calls(), ruling.first.unwrap().probability), (3, *probability), "{words:?}");
        let prompts = double.asked();
        assert!(prompts[0] != prompts[1] && prompts[1] != prompts[2], "each vote has a frame of its own");
    }
    // A model that cannot be asked is not asked three times.
    let (first, double) = votes(&["yes", "silent", "silent", "silent"]);
    let (judge, _) = with_second(first, "yes");
    let (grade, ruling) = ruled(&judge);
    assert_eq!((grade.as_str(), double.calls()), ("pass", 2));
    assert_eq!(ruling.first, Some(FirstWord { holds: None, probability: None }), "one vote of three is none");
    let (first, double) = votes(&["silent"]);
    let (grade, _) = ruled(&Judge::alone(first, rubric()));
    assert_eq!((grade.as_str(), double.calls()), ("model.timeout", 1));
}

#[test]
fn a_vote_that_cannot_be_read_is_asked_again_in_its_own_frames() {
    let (first, double) = votes(&["babble", "no", "no", "babble", "no"]);
    let (grade, ruling) = ruled(&Judge::alone(first, rubric()));
    assert_eq!((grade.as_str(), double.calls()), ("fail", 5));
    assert_eq!(ruling.first.unwrap().probability, Some(1.0));
    let prompts = double.asked();
    let (first, second) = votes(&["yes", "babble", "babble", "yes"]);
    let (grade, ruling) = ruled(&Judge::alone(first, rubric()));
    assert_eq!((grade.as_str(), second.calls()), ("pass", 4), "a vote that is lost leaves two of three");
    assert_eq!(ruling.first.unwrap().probability, Some(0.666_667));
    let unlike: std::collections::BTreeSet<&String> = prompts.iter().collect();
    assert_eq!(unlike.len(), 5);
}
