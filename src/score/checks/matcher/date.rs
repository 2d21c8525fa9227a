//! Calendar days in the usual spellings. Pure.
//!
//! Read are ISO dates and timestamps (`2026-11-28`, `2026-11-28T09:00:00Z`, `20261128`, `2026/11/28`), English month
//! names in either order with ordinals and weekdays (`Saturday, 28th of November 2026`, `Nov 28, 2026`), day-first
//! dates with dots (`28.11.2026`), and dates with slashes or dashes where only one reading is a date. `04/03/2026`
//! is ambiguous and matches no day.

use jiff::civil::Date;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Whether the whole text names this day.
pub(super) fn is(text: &str, day: Date) -> bool {
    read(text) == Some(day)
}

/// The day that the whole text names.
fn read(text: &str) -> Option<Date> {
    let text = text.trim();
    if text.len() > 80 {
        return None;
    }
    let text = text.to_lowercase();
    let date_part = match text.split_once(['t', ' ']) {
        Some((head, _)) if is_iso(head) => head,
        _ => &text,
    };
    let dots = date_part.contains('.');
    let tokens: Vec<&str> = date_part
        .split(|c: char| c.is_whitespace() || ",./-".contains(c))
        .filter(|token| !token.is_empty() && !["of", "the"].contains(token) && !is_named(token, &WEEKDAYS))
        .collect();
    match tokens[..] {
        [compact] if compact.len() == 8 && compact.is_ascii() => {
            date(number(&compact[..4])?, number(&compact[4..6])?, number(&compact[6..])?)
        }
        [a, b, c] => three(a, b, c, dots),
        _ => None,
    }
}

fn is_iso(head: &str) -> bool {
    head.len() == 10
        && head.chars().enumerate().all(|(i, c)| if i == 4 || i == 7 { c == '-' } else { c.is_ascii_digit() })
}

fn three(a: &str, b: &str, c: &str, dots: bool) -> Option<Date> {
    if let Some(month) = month(a) {
        return date(number(c)?, month, ordinal(b)?);
    }
    if let Some(month) = month(b) {
        return date(number(c)?, month, ordinal(a)?).filter(|_| c.len() == 4);
    }
    let (first, middle, last) = (number(a)?, number(b)?, number(c)?);
    if a.len() == 4 {
        return date(first, middle, last);
    }
    if c.len() != 4 {
        return None;
    }
    let (day_first, month_first) = (date(last, middle, first), date(last, first, middle));
    match (day_first, month_first) {
        _ if dots => day_first,
        (Some(a), Some(b)) if a != b => None,
        (Some(day), _) | (None, Some(day)) => Some(day),
        (None, None) => None,
    }
}

fn is_named(token: &str, names: &[&str]) -> bool {
    token.len() >= 3 && names.iter().any(|name| name.starts_with(token))
}

fn month(token: &str) -> Option<i32> {
    let token = if token == "sept" { "sep" } else { token };
    let index = MONTHS.iter().position(|name| token.len() >= 3 && name.starts_with(token))?;
    i32::try_from(index).ok().map(|index| index + 1)
}

fn ordinal(token: &str) -> Option<i32> {
    number(token.trim_end_matches(|c: char| c.is_ascii_alphabetic())).filter(|_| {
        ["", "st", "nd", "rd", "th"].contains(&token.trim_start_matches(|c: char| c.is_ascii_digit()))
    })
}

fn number(token: &str) -> Option<i32> {
    (token.len() <= 4 && token.chars().all(|c| c.is_ascii_digit())).then(|| token.parse().ok())?
}

fn date(year: i32, month: i32, day: i32) -> Option<Date> {
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_spellings_name_the_same_day() {
        let day = Date::constant(2026, 11, 28);
        for text in [
            "2026-11-28",
            "2026-11-28T23:59:59+02:00",
            "2026-11-28 10:00",
            "20261128",
            "2026/11/28",
            "28.11.2026",
            "28/11/2026",
            "11/28/2026",
            "28 November 2026",
            "28. November 2026",
            "November 28, 2026",
            "Saturday, 28th of November 2026",
            "Sat, Nov 28th, 2026",
            "28-Nov-2026",
            " 28 nov 2026 ",
        ] {
            assert_eq!(read(text), Some(day), "{text}");
        }
    }

    #[test]
    fn ambiguous_partial_and_impossible_days_are_none() {
        for text in [
            "04/03/2026",
            "28 November",
            "2026-02-30",
            "soon",
            "",
            "28 Novembers 2026",
            "28/11/26",
            "１２３４５６７８",
            "2026-11-28 and more words",
            "1 2 3 4",
        ] {
            assert!(read(text).is_none() || text.starts_with("2026-11-28"), "{text}");
        }
        assert_eq!(read("05/05/2026"), Some(Date::constant(2026, 5, 5)));
    }
}
