//! The shelves: real books, and a search over them that never changes anything.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

/// A book on the shelves.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Book {
    /// The book's id: the letter B and three digits.
    pub(super) id: &'static str,
    /// The title.
    pub(super) title: &'static str,
    /// The author.
    pub(super) author: &'static str,
    /// The year of first publication.
    pub(super) year: u16,
    /// What it is about, in a few words.
    pub(super) subjects: &'static str,
    /// The price in euros.
    pub(super) price: f64,
    /// Copies in stock.
    pub(super) stock: u32,
}

macro_rules! books {
    ($($id:literal $title:literal $author:literal $year:literal $subjects:literal $price:literal $stock:literal;)*) => {
        &[$(Book {
            id: $id, title: $title, author: $author, year: $year,
            subjects: $subjects, price: $price, stock: $stock,
        },)*]
    };
}

/// Every book, by id.
pub(super) static BOOKS: &[Book] = books! {
    "B101" "The Left Hand of Darkness" "Ursula K. Le Guin" 1969 "science fiction winter envoy" 10.99 7;
    "B102" "The Dispossessed" "Ursula K. Le Guin" 1974 "science fiction anarchism physics utopia" 11.50 4;
    "B103" "A Wizard of Earthsea" "Ursula K. Le Guin" 1968 "fantasy wizard islands dragons" 8.25 12;
    "B104" "Kindred" "Octavia E. Butler" 1979 "time travel history slavery" 12.00 5;
    "B105" "Parable of the Sower" "Octavia E. Butler" 1993 "science fiction climate survival" 13.40 3;
    "B106" "Dawn" "Octavia E. Butler" 1987 "science fiction aliens genetics" 9.80 0;
    "B107" "Solaris" "Stanislaw Lem" 1961 "science fiction ocean planet memory" 9.50 6;
    "B108" "The Cyberiad" "Stanislaw Lem" 1965 "science fiction robots humour fables" 14.20 2;
    "B109" "Roadside Picnic" "Arkady and Boris Strugatsky" 1972 "science fiction zone artefacts" 10.40 8;
    "B110" "Frankenstein" "Mary Shelley" 1818 "horror classic monster" 6.90 15;
    "B111" "The War of the Worlds" "H. G. Wells" 1898 "science fiction classic invasion mars" 5.75 9;
    "B112" "We" "Yevgeny Zamyatin" 1924 "dystopia science fiction classic" 7.30 1;
};

/// What a customer looks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Wish {
    /// Words of the title, the author or the subject.
    pub(super) words: String,
    /// Only books by an author with one of these names.
    pub(super) author: Option<String>,
    /// Only books that cost at most this many euros.
    pub(super) max_price: Option<f64>,
}

/// The book with this id.
pub(super) fn book(id: &str) -> Option<&'static Book> {
    BOOKS.iter().find(|book| book.id.eq_ignore_ascii_case(id))
}

/// The books that fit best, cheapest first. Words that fit no book are ignored as long as another one fits.
pub(super) fn search(wish: &Wish) -> Vec<&'static Book> {
    let words = tokens(&wish.words);
    let authors = wish.author.as_deref().map(tokens);
    let mut found: Vec<(usize, &'static Book)> = BOOKS
        .iter()
        .filter(|book| authors.as_ref().is_none_or(|names| !names.is_disjoint(&tokens(book.author))))
        .filter(|book| wish.max_price.is_none_or(|most| book.price <= most))
        .map(|book| {
            let about = tokens(&format!("{} {} {}", book.title, book.author, book.subjects));
            (words.intersection(&about).count(), book)
        })
        .filter(|(hits, _)| *hits > 0 || (words.is_empty() && authors.is_some()))
        .collect();
    let best = found.iter().map(|(hits, _)| *hits).max().unwrap_or(0);
    found.retain(|(hits, _)| *hits == best);
    found.sort_by(|(_, a), (_, b)| a.price.total_cmp(&b.price));
    found.into_iter().map(|(_, book)| book).collect()
}

/// Lower-case words that carry meaning.
fn tokens(text: &str) -> BTreeSet<String> {
    const FILLERS: &[&str] = &[
        "the", "a", "an", "and", "of", "by", "do", "you", "have", "any", "anything", "is", "are", "in", "it",
        "me", "for", "to", "i", "book", "books", "with", "we", "us",
    ];
    let words = text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
    let kept: BTreeSet<String> =
        words.clone().filter(|word| word.len() > 1 && !FILLERS.contains(&word.as_str())).collect();
    // A title made of fillers alone ("We") is still found by its own words.
    if kept.is_empty() { words.filter(|word| word.len() > 1).collect() } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(words: &str, author: Option<&str>, max_price: Option<f64>) -> Vec<&'static str> {
        let wish = Wish { words: words.to_owned(), author: author.map(str::to_owned), max_price };
        search(&wish).iter().map(|book| book.id).collect()
    }

    #[test]
    fn questions_find_the_author_cheapest_first() {
        assert_eq!(ids("Do you have anything by Le Guin?", None, None), ["B103", "B101", "B102"]);
    }

    #[test]
    fn price_and_author_narrow_the_search() {
        assert_eq!(ids("Lem", None, Some(10.0)), ["B107"]);
        assert_eq!(ids("science fiction", Some("Butler"), None), ["B106", "B105"]);
        assert_eq!(ids("", Some("Shelley"), None), ["B110"]);
    }

    #[test]
    fn nothing_fits_nothing() {
        assert!(ids("cookery", None, None).is_empty());
        assert!(ids("", None, None).is_empty());
    }

    #[test]
    fn ids_are_unique_and_found_in_any_case() {
        let ids: BTreeSet<_> = BOOKS.iter().map(|book| book.id).collect();
        assert_eq!(ids.len(), BOOKS.len());
        assert_eq!(book("b107").map(|book| book.title), Some("Solaris"));
    }
}
