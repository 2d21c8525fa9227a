//! What makes a judge this judge and no other. Pure.
//!
//! Verdicts of two judges are not comparable until a bridge run has shown that they decide alike; so everything that
//! can move a verdict is part of the fingerprint, and prices, deadlines and descriptions are not.

use serde::{Deserialize, Serialize};

use super::lines::RENDERER;
use super::prompt::{self, Expected, Question};
use super::{Confidence, Rubric};
use crate::ids::Digest;
use crate::llm::ModelSpec;

/// The identity of a judge: model, parameters, rubric, prompt, schema of the reply and renderer of transcripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub Digest);

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Fingerprint {
    /// The fingerprint of one model that judges by this rubric.
    pub fn of(model: &ModelSpec, rubric: &Rubric) -> Self {
        // The script of a scripted judge is made of the criteria, which have digests of their own.
        let script = model.script.as_ref().filter(|_| model.dialect != "scripted_judge");
        let model = (
            (&model.dialect, model.api_id(), &model.base_url),
            (&model.temperature, &model.max_tokens, &model.seed, &model.extra, script),
            (&model.reasoning, &model.headers),
        );
        let rubric = (rubric.version, rubric.instructions.trim());
        let form = Expected {
            canary: String::new(),
            fields: vec!["c1".into()],
            decoy: "c2".into(),
            counter: "c3".into(),
        };
        let asks = (prompt::fixed(), prompt::answer_schema(&form), RENDERER);
        Self(Digest::of_json(&(model, rubric, asks)))
    }

    /// The same of one that is asked how sure it is. One that is not is itself.
    pub fn weighed(model: &ModelSpec, rubric: &Rubric, confidence: Confidence) -> Self {
        let plain = Self::of(model, rubric);
        match confidence {
            Confidence::None => plain,
            Confidence::Votes => Self(Digest::of_json(&(plain, confidence))),
            Confidence::Logprobs => Self(Digest::of_json(&(plain, confidence, model.logprobs))),
        }
    }

    /// The fingerprint of judges that decide together in a certain way. One judge alone that is asked in the usual way
    /// (`policy` is `None`) is itself.
    pub fn together(parts: &[Self], policy: Option<&impl Serialize>) -> Self {
        match (parts, policy) {
            ([one], None) => *one,
            _ => Self(Digest::of_json(&(parts, policy))),
        }
    }
}

/// What a verdict is kept under: the judge, the data it was shown, everything it was asked with it, and which of that.
pub(super) fn verdict_key(judge: Fingerprint, data: Digest, asked: &[Question<'_>], which: usize) -> Digest {
    let asked: Vec<_> = asked.iter().map(Question::shaping).collect();
    Digest::of_json(&("verdict", judge, data, asked, which))
}

#[cfg(test)]
mod tests {
    use super::super::Role;
    use super::*;
    use crate::llm::Price;

    fn rubric() -> Rubric {
        Rubric { name: "r".into(), version: 1, description: String::new(), instructions: "Decide.".into() }
    }

    #[test]
    fn what_can_move_a_verdict_changes_it_and_nothing_else_does() {
        let model = ModelSpec::new("m", "openai");
        let base = Fingerprint::of(&model, &rubric());
        let priced =
            ModelSpec { price: Some(Price { input: 1.0, output: 1.0, ..Price::default() }), ..model.clone() };
        assert_eq!(Fingerprint::of(&priced, &rubric()), base);
        let told = Rubric { description: "better".into(), ..rubric() };
        assert_eq!(Fingerprint::of(&model, &told), base);
        let warm = ModelSpec { temperature: Some(1.0), ..model.clone() };
        assert_ne!(Fingerprint::of(&warm, &rubric()), base);
        let other = ModelSpec { id: Some("m-2026-11".into()), ..model.clone() };
        assert_ne!(Fingerprint::of(&other, &rubric()), base);
        let strict = Rubric { instructions: "Decide strictly.".into(), ..rubric() };
        assert_ne!(Fingerprint::of(&model, &strict), base);
        assert_ne!(Fingerprint::of(&model, &Rubric { version: 2, ..rubric() }), base);
        let weighed = |confidence| Fingerprint::weighed(&model, &rubric(), confidence);
        assert_eq!(weighed(Confidence::None), base);
        assert_ne!(weighed(Confidence::Logprobs), base);
        assert_ne!(weighed(Confidence::Votes), weighed(Confidence::Logprobs));
        let deeper = ModelSpec { logprobs: Some(20), ..model.clone() };
        assert_eq!(Fingerprint::of(&deeper, &rubric()), base);
        assert_ne!(
            Fingerprint::weighed(&deeper, &rubric(), Confidence::Logprobs),
            weighed(Confidence::Logprobs)
        );
        assert_eq!(Fingerprint::together(&[base], None::<&str>.as_ref()), base);
        assert_ne!(Fingerprint::together(&[base], Some(&"a")), Fingerprint::together(&[base], Some(&"b")));
    }

    #[test]
    fn a_verdict_is_kept_for_its_question_and_data_alone() {
        let judge = Fingerprint(Digest::of(b"judge"));
        let asked = ["A", "B"].map(|statement| Question { statement, reference: None, cites: &[] });
        let key = verdict_key(judge, Digest::of(b"data"), &asked, 0);
        assert_ne!(verdict_key(judge, Digest::of(b"data"), &asked, 1), key);
        assert_ne!(verdict_key(judge, Digest::of(b"other"), &asked, 0), key);
        let guided = [Question { reference: Some("R"), ..asked[0] }, asked[1]];
        assert_ne!(verdict_key(judge, Digest::of(b"data"), &guided, 0), key);
        assert_eq!(verdict_key(judge, Digest::of(b"data"), &asked, 0), key);
        let citing =
            |cites| verdict_key(judge, Digest::of(b"data"), &[Question { cites, ..asked[0] }, asked[1]], 0);
        let of_result = citing(&[Role::ToolResult]);
        assert!(of_result != key && of_result != citing(&[Role::ToolCall]));
        let plain = ("verdict", judge, Digest::of(b"data"), [("A", None::<&str>), ("B", None)], 0);
        assert_eq!(Digest::of_json(&plain), key, "without demands the key is what it was");
    }
}
