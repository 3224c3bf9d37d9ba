//! What a package costs, against how many there are: a picture for each beginning and price, a line for each shape.

use super::{Cost, Growth};
use crate::generated::Shape;
use std::collections::BTreeSet;
use std::fmt::Write;

const WIDTH_PX: f64 = 300.0;
const HEIGHT_PX: f64 = 130.0;
const MARGIN_PX: f64 = 58.0;
const COLOURS: [(Shape, &str); 4] =
    [(Shape::Tree, "#2a6f97"), (Shape::Chain, "#e07a5f"), (Shape::Fan, "#81b29a"), (Shape::Peers, "#9d8189")];

/// A price: what it is called, and how it is read off.
type Price = (&'static str, fn(&Cost) -> f64);

const PRICES: [Price; 2] =
    [("µs of processor time per package", Cost::processor_us), ("kB of memory per package", Cost::kilobytes)];

/// The pictures as one SVG: numbers of packages by their logarithm, prices from nothing up.
pub fn svg(growth: &Growth) -> String {
    let mut body = String::new();
    let mut x = MARGIN_PX;
    for (shape, colour) in COLOURS {
        let _ = writeln!(body, r#"<text x="{x}" y="20" fill="{colour}" font-weight="bold">{shape}</text>"#);
        x += 110.0;
    }
    let cases: BTreeSet<_> = growth.keys().map(|(_, case)| *case).collect();
    let mut top = 40.0;
    for case in cases {
        for (column, price) in PRICES.into_iter().enumerate() {
            draw(&mut body, growth, case, price, (MARGIN_PX + column as f64 * (WIDTH_PX + MARGIN_PX), top));
        }
        top += HEIGHT_PX + MARGIN_PX;
    }
    let width = 2.0 * (WIDTH_PX + MARGIN_PX) + MARGIN_PX / 2.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {top}\" width=\"{width}\" height=\"{top}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

/// One picture, its upper left corner there.
fn draw(body: &mut String, growth: &Growth, case: &str, (name, price): Price, (left, top): (f64, f64)) {
    let lines = || growth.iter().filter(|((_, its), _)| *its == case);
    let costs = || lines().flat_map(|(_, costs)| costs);
    let most = costs().map(price).fold(f64::MIN_POSITIVE, f64::max);
    let logarithms = || costs().map(|cost| (cost.packages as f64).log10());
    let (least, span) = (logarithms().fold(f64::MAX, f64::min), logarithms().fold(f64::MIN_POSITIVE, f64::max));
    let span = (span - least).max(f64::MIN_POSITIVE);
    let bottom = top + HEIGHT_PX;
    let at = |cost: &Cost| {
        let x = left + ((cost.packages as f64).log10() - least) / span * WIDTH_PX;
        (x, bottom - price(cost) / most * (HEIGHT_PX - 14.0))
    };
    let _ = writeln!(
        body,
        r#"<text x="{left}" y="{top}">{case}: {name}</text><line x1="{left}" x2="{:.1}" y1="{bottom}" y2="{bottom}" stroke="black"/><line x1="{left}" x2="{left}" y1="{:.1}" y2="{bottom}" stroke="black"/><text x="{:.1}" y="{bottom}" text-anchor="end">0</text><text x="{:.1}" y="{:.1}" text-anchor="end">{most:.0}</text>"#,
        left + WIDTH_PX,
        top + 14.0,
        left - 4.0,
        left - 4.0,
        top + 18.0,
    );
    let numbers: BTreeSet<_> = lines()
        .filter(|((shape, _), _)| *shape != Shape::Peers)
        .flat_map(|(_, costs)| costs)
        .map(|cost| cost.packages)
        .collect();
    for packages in numbers {
        let x = left + ((packages as f64).log10() - least) / span * WIDTH_PX;
        let _ = writeln!(body, r#"<text x="{x:.1}" y="{:.1}" text-anchor="middle">{packages}</text>"#, bottom + 14.0);
    }
    for ((shape, _), costs) in lines() {
        let colour = COLOURS.iter().find(|(its, _)| its == shape).map_or("black", |(_, colour)| colour);
        let points: Vec<_> = costs.iter().map(at).collect();
        let path: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ =
            writeln!(body, r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"/>"#, path.join(" "));
        for ((x, y), cost) in points.iter().zip(costs) {
            let _ = writeln!(
                body,
                r#"<circle cx="{x:.1}" cy="{y:.1}" r="3" fill="{colour}"><title>{} packages: {:.0}</title></circle>"#,
                cost.packages,
                price(cost)
            );
        }
    }
}
