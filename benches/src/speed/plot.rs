//! Comparisons as a picture: for each case a bar for each program, its quartiles as a line, and the machine's limit.

use super::{Case, Comparison};
use std::fmt::Write;

const BAR_PX: f64 = 16.0;
const GAP_PX: f64 = 14.0;
const NAMES_PX: f64 = 210.0;
const BARS_PX: f64 = 480.0;
const VALUES_PX: f64 = 110.0;
const COLOURS: [&str; 6] = ["#2a6f97", "#89c2d9", "#e07a5f", "#81b29a", "#f2cc8f", "#9d8189"];

/// The picture as SVG. Every case has a scale of its own.
pub fn svg(comparison: &Comparison) -> String {
    let mut body = String::new();
    let mut y = 30.0;
    let title = format!("{}, {}, {}", comparison.project, comparison.disk, comparison.link);
    let _ = writeln!(body, r#"<text x="8" y="20" font-weight="bold">{}</text>"#, escaped(&title));
    for case in comparison.cases() {
        y = draw_case(&mut body, comparison, case, y);
    }
    let width = NAMES_PX + BARS_PX + VALUES_PX;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {y}\" width=\"{width}\" height=\"{y}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

/// Draws one case from `y` down; returns where it ends.
fn draw_case(body: &mut String, comparison: &Comparison, case: Case, mut y: f64) -> f64 {
    let series = comparison.of(case);
    let walls: Vec<_> = series.iter().map(|series| series.spread(|run| run.wall_ms)).collect();
    let most = walls.iter().map(|wall| wall.upper).fold(f64::MIN_POSITIVE, f64::max);
    let px = |ms: f64| ms / most * BARS_PX;
    y += GAP_PX;
    let _ = writeln!(body, r#"<text x="8" y="{:.1}" fill="dimgray">{}</text>"#, y, escaped(&case.to_string()));
    y += 6.0;
    let top = y;
    for (index, (series, wall)) in series.iter().zip(&walls).enumerate() {
        let middle = y + BAR_PX / 2.0;
        let colour = COLOURS[index % COLOURS.len()];
        let _ = writeln!(
            body,
            r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{}</text><rect x="{NAMES_PX}" y="{:.1}" width="{:.1}" height="{:.1}" fill="{colour}"/><line x1="{:.1}" x2="{:.1}" y1="{middle:.1}" y2="{middle:.1}" stroke="black"/><text x="{:.1}" y="{:.1}">{:.0} ms</text>"#,
            NAMES_PX - 6.0,
            middle + 4.0,
            escaped(&series.peer),
            y + 2.0,
            px(wall.median),
            BAR_PX - 4.0,
            NAMES_PX + px(wall.lower),
            NAMES_PX + px(wall.upper),
            NAMES_PX + px(wall.upper) + 6.0,
            middle + 4.0,
            wall.median,
        );
        y += BAR_PX;
    }
    let limit = NAMES_PX + px(comparison.limit(case).total_ms()).min(BARS_PX);
    let _ = writeln!(
        body,
        r#"<line x1="{limit:.1}" x2="{limit:.1}" y1="{top:.1}" y2="{y:.1}" stroke="crimson" stroke-dasharray="3 2"><title>limit: {}</title></line>"#,
        comparison.limit(case)
    );
    y
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
