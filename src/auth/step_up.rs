//! Step-up: a minted persona that is refused for want of scope gets what it may get, once and for that request only.
//!
//! The token of the retry has the scopes that the persona has and those that the challenge names (2025-11-25,
//! basic/authorization, "Step-Up Authorization Flow"), but none that the persona may not get. Nothing is kept, so that
//! trials of one persona do not depend on their order.

use super::Minted;
use super::challenge::Challenges;
use crate::mcp::Rejection;

/// The persona with the scopes that the refusal asks for; `None` when it may not get them, or asked before.
pub(super) fn raised(minted: &Minted, refused: &Rejection) -> Option<Minted> {
    if refused.status != 403 || refused.attempt > 1 || minted.step_up.is_empty() {
        return None;
    }
    let challenges = Challenges::read(&refused.challenge);
    let bearer = challenges.scheme("bearer")?;
    if bearer.get("error") != Some("insufficient_scope") {
        return None;
    }
    let wanted =
        bearer.get("scope")?.split(' ').filter(|scope| minted.step_up.iter().any(|may| may == scope));
    let missing: Vec<String> =
        wanted.filter(|scope| minted.scopes.iter().all(|has| has != scope)).map(str::to_owned).collect();
    if missing.is_empty() {
        return None;
    }
    let mut raised = minted.clone();
    raised.scopes.extend(missing);
    Some(raised)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(status: u16, attempt: u32, challenge: &str) -> Option<Vec<String>> {
        let minted = Minted {
            scopes: vec!["a".to_owned()],
            step_up: vec!["b".to_owned(), "c".to_owned()],
            ..Minted::default()
        };
        let challenge = challenge.to_owned();
        let refused = Rejection { status, attempt, challenge, ..Rejection::default() };
        raised(&minted, &refused).map(|raised| raised.scopes)
    }

    #[test]
    fn it_gets_what_is_asked_for_and_allowed_once() {
        let bearer = |scope: &str| format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
        assert_eq!(asked(403, 1, &bearer("a b")), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(asked(403, 1, &bearer("b d")), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(asked(403, 1, &bearer("d")), None, "it may not get that");
        assert_eq!(asked(403, 1, &bearer("a")), None, "it has that");
        assert_eq!(asked(403, 2, &bearer("b")), None, "it asked before");
        assert_eq!(asked(401, 1, &bearer("b")), None);
        assert_eq!(asked(403, 1, "Bearer error=\"invalid_token\", scope=\"b\""), None);
        assert_eq!(asked(403, 1, ""), None);
    }
}
