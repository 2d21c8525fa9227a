//! Model definitions for people: a table of all, with keys and prices as they stand today. Pure.

use jiff::civil::Date;
use serde::Serialize;

use super::figures::{count, thousands};
use super::paint::{Style, Tone};
use super::wrap::{fit, width};
use crate::display;
use crate::llm::{ModelSpec, Price};

/// Days after which a price should be compared with the provider's again.
pub const STALE_AFTER: i64 = 90;

/// A model definition as it stands today.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The name that suites use.
    pub name: String,
    /// The dialect.
    pub dialect: String,
    /// The id sent to the API.
    pub id: String,
    /// The address; `None`: the dialect's own, or none.
    pub base_url: Option<String>,
    /// The variable with the key; `None`: no key is sent.
    pub key: Option<String>,
    /// Whether that variable is set; `None` where there is none.
    pub key_set: Option<bool>,
    /// Prices; `None`: unpriced.
    pub price: Option<Price>,
    /// Days since somebody compared the prices with the provider's; `None`: nobody has, or there are none.
    pub price_age_days: Option<i64>,
    /// Whether that is too long ago. Prices of nothing have no age.
    pub price_stale: bool,
    /// Tokens that fit into one request and its answer.
    pub context: Option<u64>,
    /// Tokens of the longest answer.
    pub output: Option<u64>,
    /// Who made it.
    pub family: Option<String>,
}

impl Row {
    /// The row of a definition. `set` tells whether a variable is set.
    pub fn of(spec: &ModelSpec, today: Date, set: impl Fn(&str) -> bool) -> Self {
        let text = |text: &str| display::safe_line(text);
        let age = spec.price.as_ref().and_then(|price| age(price, today));
        let free = spec.price.as_ref().is_some_and(|price| price.input == 0.0 && price.output == 0.0);
        Self {
            name: text(spec.name.as_str()),
            dialect: text(&spec.dialect),
            id: text(spec.api_id()),
            base_url: spec.base_url.as_deref().map(text),
            key: spec.key.as_deref().map(text),
            key_set: spec.key.as_deref().map(set),
            price: spec.price.clone(),
            price_age_days: age,
            price_stale: spec.price.is_some() && !free && age.is_none_or(|age| age > STALE_AFTER),
            context: spec.limits.context,
            output: spec.limits.output,
            family: spec.family.as_deref().map(text),
        }
    }

    fn key_says(&self) -> String {
        match (&self.key, self.key_set) {
            (None, _) => "–".to_owned(),
            (Some(key), Some(true)) => format!("{key} set"),
            (Some(key), _) => format!("{key} missing"),
        }
    }

    fn price_says(&self) -> [String; 2] {
        let Some(price) = &self.price else { return ["unpriced".to_owned(), "–".to_owned()] };
        let said = match price.input == 0.0 && price.output == 0.0 {
            true => "free".to_owned(),
            false => format!("${} / ${}", price.input, price.output),
        };
        let date = price.verified.as_deref().map(display::safe_line);
        let verified = match (date, self.price_stale) {
            (Some(date), true) => format!("{date} (stale)"),
            (Some(date), false) => date,
            (None, true) => "never".to_owned(),
            (None, false) => "–".to_owned(),
        };
        [said, verified]
    }
}

/// Days since the prices were compared; `None` when they never were, or on no day that can be read.
pub fn age(price: &Price, today: Date) -> Option<i64> {
    let verified: Date = price.verified.as_deref()?.parse().ok()?;
    Some(i64::from(verified.until(today).ok()?.get_days()))
}

/// What to say of stale prices; `None` when none is.
pub fn stale(rows: &[Row]) -> Option<String> {
    let names: Vec<&str> = rows.iter().filter(|row| row.price_stale).map(|row| row.name.as_str()).collect();
    (!names.is_empty()).then(|| {
        let number = count(names.len() as u64, "model");
        format!(
            "the prices of {number} were not compared with the provider's for {STALE_AFTER} days: {}",
            names.join(", ")
        )
    })
}

/// All models, one line each.
pub fn table(rows: &[Row], columns: usize, style: Style) -> String {
    const HEAD: [&str; 7] =
        ["model", "dialect", "key", "$ per million in / out", "verified", "context", "longest answer"];
    let number = |tokens: Option<u64>| tokens.map_or_else(|| "–".to_owned(), thousands);
    let cells: Vec<[String; 7]> = std::iter::once(HEAD.map(str::to_owned))
        .chain(rows.iter().map(|row| {
            let [price, verified] = row.price_says();
            let (context, output) = (number(row.context), number(row.output));
            [row.name.clone(), row.dialect.clone(), row.key_says(), price, verified, context, output]
        }))
        .collect();
    let widths: Vec<usize> =
        (0..7).map(|column| cells.iter().map(|row| width(&row[column])).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for (index, row) in cells.iter().enumerate() {
        let mut line = String::new();
        for (cell, room) in row.iter().zip(&widths) {
            line.push_str(&format!("{cell}{}  ", " ".repeat(room - width(cell))));
        }
        let line = fit(line.trim_end(), columns);
        out.push_str(&if index == 0 { style.paint(Tone::Dim, &line) } else { line });
        out.push('\n');
    }
    style.finish(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(price: Option<Price>) -> Row {
        let mut spec = ModelSpec::new("m", "openai");
        spec.key = Some("M_KEY".into());
        spec.price = price;
        spec.limits.context = Some(1_050_000);
        Row::of(&spec, jiff::civil::date(2026, 11, 21), |name| name == "M_KEY")
    }

    fn priced(verified: Option<&str>) -> Option<Price> {
        Some(Price { input: 2.0, output: 12.0, verified: verified.map(str::to_owned), ..Price::default() })
    }

    #[test]
    fn prices_grow_stale_and_none_is_zero_by_accident() {
        let table = [
            (None, None, false, ["unpriced", "–"]),
            (priced(Some("2026-11-20")), Some(1), false, ["$2 / $12", "2026-11-20"]),
            (priced(Some("2026-08-23")), Some(90), false, ["$2 / $12", "2026-08-23"]),
            (priced(Some("2026-08-22")), Some(91), true, ["$2 / $12", "2026-08-22 (stale)"]),
            (priced(Some("yesterday")), None, true, ["$2 / $12", "yesterday (stale)"]),
            (priced(None), None, true, ["$2 / $12", "never"]),
            (Some(Price::default()), None, false, ["free", "–"]),
        ];
        for (price, age, stale, says) in table {
            let row = row(price);
            assert_eq!((row.price_age_days, row.price_stale), (age, stale), "{says:?}");
            assert_eq!(row.price_says(), says);
        }
        assert_eq!(stale(&[row(None)]), None);
        let told = stale(&[row(priced(None)), row(None)]).unwrap();
        assert_eq!(told, "the prices of 1 model were not compared with the provider's for 90 days: m");
    }

    #[test]
    fn a_table_of_models() {
        let mut missing = row(priced(Some("2026-01-01")));
        missing.key_set = Some(false);
        let rows = [row(None), missing, row(Some(Price::default()))];
        insta::assert_snapshot!(table(&rows, 120, Style::Plain));
    }
}
