//! The first messages of an emulated client, sorted by where they stand: before the opening, inside it, after it.

use super::profile::ConnectStep;

/// First messages of one era.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Steps {
    /// Before the request that opens the session.
    pub before: Vec<ConnectStep>,
    /// Whether `logging/setLevel` stands between `initialize` and the notification that ends the handshake.
    pub early_level: bool,
    /// After the opening, in order.
    pub after: Vec<ConnectStep>,
    /// Whether the client asks every server about its era, whatever it knows of it.
    pub probes: bool,
}

impl Steps {
    /// The steps of a profile whose session is opened by `opening`. Where that is not named, nothing stands before it.
    pub(super) fn of(list: &[ConnectStep], opening: ConnectStep) -> Self {
        let opens = list.iter().position(|step| *step == opening);
        let (before, rest) = match opens {
            Some(opens) => (&list[..opens], &list[opens + 1..]),
            None => (&[][..], list),
        };
        let ends = rest.iter().position(|step| *step == ConnectStep::Initialized);
        let (inside, after) = rest.split_at(ends.unwrap_or(0));
        let early_level = inside.contains(&ConnectStep::SetLevel);
        // The handshake and the question about the era are the opener's business.
        let own = |step: &&ConnectStep| {
            !matches!(step, ConnectStep::Initialize | ConnectStep::Initialized | ConnectStep::Discover)
        };
        let late = inside.iter().filter(|step| **step != ConnectStep::SetLevel);
        Self {
            before: before.iter().filter(own).copied().collect(),
            early_level,
            after: late.chain(after).filter(own).copied().collect(),
            probes: opening == ConnectStep::Initialize && before.contains(&ConnectStep::Discover),
        }
    }

    /// Whether the GET stream has a place of its own.
    pub(super) fn place_stream(&self) -> bool {
        self.after.contains(&ConnectStep::GetStream)
    }
}

#[cfg(test)]
mod tests {
    use super::ConnectStep::*;
    use super::*;

    #[test]
    fn steps_stand_before_inside_and_after_the_opening() {
        let bridge = Steps::of(&[BareGet, OauthMetadata, Initialize], Initialize);
        assert_eq!((bridge.before.as_slice(), bridge.after.len()), (&[BareGet, OauthMetadata][..], 0));
        let editor = Steps::of(&[Initialize, SetLevel, Initialized, ListTools, ListPrompts], Initialize);
        assert!(editor.early_level && editor.before.is_empty() && !editor.probes);
        assert_eq!(editor.after, [ListTools, ListPrompts]);
        let inspector = Steps::of(&[Initialize, Initialized, GetStream, SetLevel, ListTools], Initialize);
        assert!(!inspector.early_level && inspector.place_stream());
        assert_eq!(inspector.after, [GetStream, SetLevel, ListTools]);
        let probing = Steps::of(&[Discover, Initialize, Initialized, ListTools], Initialize);
        assert!(probing.probes && probing.before.is_empty() && !probing.place_stream());
        assert_eq!(Steps::of(&[Discover, Listen], Discover).after, [Listen]);
        assert_eq!(Steps::of(&[ListTools], Initialize).after, [ListTools]);
        assert_eq!(Steps::of(&[], Initialize), Steps::default());
    }
}
