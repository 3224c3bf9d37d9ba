//! ARCHITECTURE.md says what is true: its table of interleaving points is the one in the code.

use installer::rt::Point;

const BEGIN: &str = "<!-- points:begin";
const END: &str = "<!-- points:end -->";

fn table() -> String {
    let rows = Point::ALL.iter().map(|point| format!("| `{}` | {} |\n", point.label(), point.meaning()));
    format!("| point | what lies on either side |\n|---|---|\n{}", rows.collect::<String>())
}

#[test]
fn the_table_of_interleaving_points_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../ARCHITECTURE.md");
    let text = std::fs::read_to_string(path).unwrap();
    let begin = text.find(BEGIN).and_then(|at| text[at..].find('\n').map(|end| at + end + 1)).unwrap();
    let end = text.find(END).unwrap();
    assert_eq!(text[begin..end].trim(), table().trim(), "put this between the markers in ARCHITECTURE.md");
}

#[test]
fn labels_name_one_point_each() {
    for point in Point::ALL {
        assert_eq!(Point::from_label(point.label()), Some(*point));
    }
}
