//! HTML that words of others cannot leave: names of elements and attributes are constants of this program, everything
//! else goes through the one escape.

/// Attributes: a constant name, any value.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a str)];

/// A piece of a page under construction. Elements are closed where they are opened, so that it is always balanced.
#[derive(Debug, Default)]
pub(super) struct Html {
    out: String,
}

impl Html {
    /// Text. The only way in for words that are not constants.
    pub(super) fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\'' => self.out.push_str("&#39;"),
                c => self.out.push(c),
            }
        }
    }

    /// An element with what `inside` puts there.
    pub(super) fn tag(
        &mut self,
        name: &'static str,
        attributes: Attributes<'_>,
        inside: impl FnOnce(&mut Self),
    ) {
        self.open(name, attributes);
        inside(self);
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    /// An element with a text.
    pub(super) fn leaf(&mut self, name: &'static str, attributes: Attributes<'_>, text: &str) {
        self.tag(name, attributes, |html| html.text(text));
    }

    /// The start of an element; alone for elements that have no end.
    pub(super) fn open(&mut self, name: &'static str, attributes: Attributes<'_>) {
        self.out.push('<');
        self.out.push_str(name);
        for (name, value) in attributes {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            self.text(value);
            self.out.push('"');
        }
        self.out.push('>');
    }

    /// Markup, style or script of this program.
    pub(super) fn constant(&mut self, text: &'static str) {
        self.out.push_str(text);
    }

    /// A line feed, so that no line of the file is endless.
    pub(super) fn line(&mut self) {
        self.out.push('\n');
    }

    /// A row of a table. The first cell is its heading.
    pub(super) fn row(&mut self, cells: &[&str]) {
        self.tag("tr", &[], |html| {
            for (index, cell) in cells.iter().enumerate() {
                match index {
                    0 => html.leaf("th", &[("scope", "row")], cell),
                    _ => html.leaf("td", &[], cell),
                }
            }
        });
        self.line();
    }

    /// A table that scrolls by itself where it is too wide: its name, the headings of its columns, its rows.
    pub(super) fn table(&mut self, name: &str, columns: &[&str], rows: impl FnOnce(&mut Self)) {
        let frame = [("class", "scroll"), ("role", "region"), ("aria-label", name), ("tabindex", "0")];
        self.tag("div", &frame, |html| {
            html.tag("table", &[], |html| {
                html.tag("thead", &[], |html| {
                    html.tag("tr", &[], |html| {
                        for column in columns {
                            html.leaf("th", &[("scope", "col")], column);
                        }
                    });
                });
                html.line();
                html.tag("tbody", &[], rows);
            });
        });
        self.line();
    }

    /// A section of the page with its heading.
    pub(super) fn section(&mut self, id: &'static str, heading: &str, inside: impl FnOnce(&mut Self)) {
        self.tag("section", &[("id", id)], |html| {
            html.leaf("h2", &[], heading);
            html.line();
            inside(html);
        });
        self.line();
    }

    /// The markup.
    pub(super) fn finish(self) -> String {
        self.out
    }
}

/// A text as one part of a link within the page: nothing but letters, digits and `%`.
pub(super) fn fragment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(byte as char),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_leave_neither_text_nor_attribute() {
        let mut html = Html::default();
        let hostile = "</td>\"'><script>alert(1)</script>&";
        html.leaf("td", &[("title", hostile)], hostile);
        let inert = "&lt;/td&gt;&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;";
        assert_eq!(html.finish(), format!("<td title=\"{inert}\">{inert}</td>"));
    }

    #[test]
    fn links_are_harmless() {
        assert_eq!(fragment("late-order"), "late-order");
        assert_eq!(fragment("a/b ä\"#"), "a%2Fb%20%C3%A4%22%23");
    }

    #[test]
    fn elements_are_balanced() {
        let mut html = Html::default();
        html.section("x", "X", |html| html.table("t", &["a"], |html| html.row(&["1", "2"])));
        let text = html.finish();
        assert_eq!(text.matches("</").count(), text.matches('<').count() / 2);
    }
}
