//! How long codec, matching and delivery take: `cargo bench --manifest-path benches/brain/Cargo.toml`.
//! The same workloads as those that are counted.

use brain::workloads::WORKLOADS;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

fn workloads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("brain");
    group.sample_size(20);
    for workload in WORKLOADS {
        let operations = u64::try_from(workload.operations).unwrap_or(u64::MAX);
        group.throughput(Throughput::Elements(operations));
        group.bench_function(workload.name, |bencher| {
            bencher.iter_batched(workload.prepare, |work| work(), BatchSize::LargeInput);
        });
    }
    group.finish();
}

criterion_group!(all, workloads);
criterion_main!(all);
