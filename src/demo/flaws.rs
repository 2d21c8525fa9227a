//! The flaws the shop can be started with: each breaks exactly one thing, so that a reader sees what finds it.

use super::Transport;

macro_rules! flaws {
    ($($variant:ident $name:literal [$($transport:ident)?] $about:literal finds $finds:literal;)*) => {
        /// Exactly one thing wrong with the shop.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Flaw {
            $(#[doc = $about] $variant,)*
        }

        impl Flaw {
            /// Every flaw, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name for `--flaw`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What is wrong, one sentence.
            pub fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)* }
            }

            /// What an evaluation is expected to find.
            pub fn finds(self) -> &'static str {
                match self { $(Self::$variant => $finds,)* }
            }

            /// The only transport on which it shows; `None`: on both.
            pub fn only_on(self) -> Option<Transport> {
                match self { $(Self::$variant => None$(.or(Some(Transport::$transport)))?,)* }
            }
        }
    };
}

flaws! {
    VagueDescriptions "vague-descriptions" []
        "No tool or parameter says what it is for."
        finds "use cases fail: the model picks the wrong tool or none";
    RenamedArgument "renamed-argument" []
        "`get_order` wants `order_number` where it wanted `id`."
        finds "the cases `late-order` and `somebody-elses-order` fail on the arguments of `get_order`";
    WrongDate "wrong-date" []
        "`get_order` gives an arrival date a week late."
        finds "the case `late-order` fails on the date in the answer and in the result";
    FloodingResults "flooding-results" []
        "`search_books` answers with two megabytes."
        finds "the case `search-author` fails on `result_size`";
    LeakyOrder "leaky-order" []
        "Every customer can read everybody's orders."
        finds "the case `somebody-elses-order` fails: the answer holds another customer's book";
    HiddenToolCallable "hidden-tool-callable" []
        "Tools that a caller does not see can be called all the same."
        finds "the access matrix fails, level must: `refund_order` and `stock_report` answer a customer";
    AnyAudience "any-audience" [Http]
        "Tokens meant for another resource are accepted."
        finds "auth checks D19 and D20 fail, level must";
    NoExpiryCheck "no-expiry-check" [Http]
        "Expired tokens are accepted."
        finds "auth check D03 fails, level must";
    NoSignatureCheck "no-signature-check" [Http]
        "Signatures and algorithms of tokens are not checked."
        finds "auth checks D07 to D12 fail";
    UnauthenticatedList "unauthenticated-list" [Http]
        "`tools/list` answers callers without a token."
        finds "auth checks A01 and E01 and the access matrix for `anonymous` fail, level must";
    MissingMetadata "missing-metadata" [Http]
        "There is no protected resource metadata, and the challenge names none."
        finds "auth checks A05 and B01 fail: a client cannot learn where to get a token";
    AnyOrigin "any-origin" [Http]
        "Requests of any web page are served."
        finds "nothing in the standard pack, which sends no `Origin`; a request of a foreign page is answered";
    SlowStart "slow-start" []
        "The shop opens after half a minute."
        finds "the target is not ready in time: exit code 4";
    DiesOnStart "dies-on-start" []
        "The shop ends before it opens."
        finds "the target dies before the first trial: exit code 4";
    GarbageOnStdout "garbage-on-stdout" [Stdio]
        "A greeting stands on standard output before the first message."
        finds "the line that is no JSON-RPC message is reported";
}

impl Flaw {
    /// The flaw with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|flaw| flaw.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        let names: BTreeSet<_> = Flaw::ALL.iter().map(|flaw| flaw.name()).collect();
        assert_eq!(names.len(), Flaw::ALL.len());
        assert!(Flaw::ALL.iter().all(|flaw| Flaw::named(flaw.name()) == Some(*flaw)));
        assert_eq!(Flaw::named("no-such-flaw"), None);
    }

    #[test]
    fn transports_of_flaws() {
        assert_eq!(Flaw::WrongDate.only_on(), None);
        assert_eq!(Flaw::AnyAudience.only_on(), Some(Transport::Http));
        assert_eq!(Flaw::GarbageOnStdout.only_on(), Some(Transport::Stdio));
    }
}
