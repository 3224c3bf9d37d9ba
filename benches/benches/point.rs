//! An interleaving point costs next to nothing in a real build: the same loop with and without two points and an event a round.

use criterion::{Criterion, criterion_group, criterion_main};
use installer::rt::{self, Event, Point};
use std::hint::black_box;
use tokio::runtime::Runtime;

const ROUNDS: u64 = 10_000;

async fn without_points() -> u64 {
    let mut sum = 0_u64;
    for round in 0..ROUNDS {
        sum = black_box(sum.wrapping_mul(31).wrapping_add(round));
    }
    sum
}

async fn with_points() -> u64 {
    let mut sum = 0_u64;
    for round in 0..ROUNDS {
        rt::point(Point::LeaderStart).await;
        sum = black_box(sum.wrapping_mul(31).wrapping_add(round));
        rt::event(|| Event::Import { package: format!("never built: {round}") });
        rt::point(Point::LeaderPublish).await;
    }
    sum
}

fn points(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = c.benchmark_group("10,000 rounds");
    group.bench_function("without points", |b| b.to_async(&runtime).iter(without_points));
    group.bench_function("with points", |b| b.to_async(&runtime).iter(with_points));
    group.finish();
}

criterion_group!(benches, points);
criterion_main!(benches);
