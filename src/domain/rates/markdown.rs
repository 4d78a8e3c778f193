//! Tables in Markdown (GFM), for pages of documentation.

/// How the cells of a column stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table: its head, with how each column stands, and its rows. Cells are plain text.
pub fn table(head: &[(&str, Align)], rows: &[Vec<String>]) -> String {
    let titles: Vec<String> = head.iter().map(|(title, _)| escape(title)).collect();
    let rules = head.iter().map(|(_, align)| if *align == Align::Right { "---:" } else { "---" }.to_owned());
    let mut lines = vec![line(&titles), line(&rules.collect::<Vec<_>>())];
    for row in rows {
        assert_eq!(row.len(), head.len(), "the cells of a row");
        lines.push(line(&row.iter().map(|cell| escape(cell)).collect::<Vec<_>>()));
    }
    lines.concat()
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// Plain text so that no letter of it means anything: names can be of any letters.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if "\\`*_[]<>|~&".contains(letter) {
            escaped.push('\\');
        }
        escaped.push(if letter.is_control() { ' ' } else { letter });
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right() {
        let rows = [vec!["chat".to_owned(), "0.25".to_owned()]];
        let text = table(&[("Operation", Align::Left), ("Credits", Align::Right)], &rows);
        assert_eq!(text, "| Operation | Credits |\n| --- | ---: |\n| chat | 0.25 |\n");
    }

    #[test]
    fn a_name_cannot_end_its_cell() {
        assert_eq!(escape("a|b_c\n`d`"), "a\\|b\\_c \\`d\\`");
    }
}
