//! CSV rows as RFC 4180 has them: fields quoted where needed, lines ended by CRLF.

use super::cell::Cell;
use super::record::Column;

/// Returns the row of `image`, with `cells` and `error`.
pub(super) fn row(image: &str, cells: &[Cell], error: &str) -> Vec<u8> {
    let cells = cells.iter().map(Cell::to_csv);
    line(&[vec![image.to_owned()], cells.collect(), vec![error.to_owned()]].concat())
}

/// Returns the header row.
pub(super) fn header(columns: &[Column]) -> Vec<u8> {
    let names = columns.iter().map(|column| column.name.to_owned());
    line(&[vec!["image".to_owned()], names.collect(), vec!["error".to_owned()]].concat())
}

fn line(fields: &[String]) -> Vec<u8> {
    let mut line = Vec::new();
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(&mut line);
    // Cannot fail: the writer is a Vec, and there is no other row to differ from in length.
    let _ = writer.write_record(fields).and_then(|()| Ok(writer.flush()?));
    drop(writer);
    line
}

#[cfg(test)]
mod tests {
    use super::super::record::Kind;
    use super::*;

    #[test]
    fn row_has_a_field_for_each_column_of_the_header() {
        let columns = [Column { name: "caption", kind: Kind::Text, at: "caption" }];
        assert_eq!(header(&columns), b"image,caption,error\r\n");
        let cells = [Cell::Text("a \"red\" ball, two\nlines".into())];
        assert_eq!(row("a.jpg", &cells, ""), b"a.jpg,\"a \"\"red\"\" ball, two\nlines\",\r\n");
        assert_eq!(row("b.jpg", &[Cell::None], "gone"), b"b.jpg,,gone\r\n");
    }
}
