//! The store: 1,000 trials kept and scored side by side, and the record of a run of 10,000 trials loaded.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark may stop")]

#[path = "../tests/support/runs.rs"]
mod runs;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use futures::future::join_all;
use rehearsal::drive::Journal;
use rehearsal::score::Outcome;
use rehearsal::store::record::JudgeSpend;
use rehearsal::store::{Reader, Store};
use rehearsal::transcript::{End, What};
use runs::{key, manifest, planned, transcript, verdict};

/// An empty run of so many trials in a folder.
fn begin(folder: &Path, trials: u32) -> (PathBuf, Store) {
    let path = folder.join("run.sqlite");
    let store = Store::create(&path, &manifest("run"), &planned(trials)).unwrap();
    (path, store)
}

/// What a trial costs the store: its model responses before they are acted on, its transcript, its verdict.
async fn trial(store: &Store, number: u32) {
    let done = Arc::new(transcript(number, End::Done));
    for event in done.events.iter().filter(|event| matches!(event.what, What::ModelSaid { .. })) {
        store.model_replied(key(number), event).await.unwrap();
    }
    store.finished(done).await.unwrap();
    store.scored(key(number), &verdict(Outcome::Pass), JudgeSpend::default()).await.unwrap();
}

fn write(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut group = criterion.benchmark_group("store");
    group.sample_size(10).throughput(Throughput::Elements(1_000));
    group.bench_function("1000 trials side by side", |bencher| {
        bencher.iter_batched(
            || {
                let folder = tempfile::tempdir().unwrap();
                let (_, store) = begin(folder.path(), 1_000);
                (folder, store)
            },
            |(folder, store)| {
                runtime.block_on(async {
                    join_all((0..1_000).map(|number| trial(&store, number))).await;
                    store.close().await.unwrap();
                });
                folder
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn load(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (path, store) = begin(folder.path(), 10_000);
    runtime.block_on(async {
        join_all((0..10_000).map(|number| trial(&store, number))).await;
        store.close().await.unwrap();
    });
    let mut group = criterion.benchmark_group("store");
    group.sample_size(10).throughput(Throughput::Elements(10_000));
    group.bench_function("record of 10000 trials", |bencher| {
        bencher.iter(|| Reader::open(&path).unwrap().record().unwrap());
    });
    group.finish();
}

criterion_group!(benches, write, load);
criterion_main!(benches);
