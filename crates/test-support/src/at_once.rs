//! Tasks that begin at the same time.

use std::{future::Future, sync::Arc};

use tokio::{sync::Barrier, task::JoinHandle};

/// Runs `open` in `tasks` tasks that begin at the same time, and returns the results in order.
///
/// `open` receives the number of its task, from 0. Each task waits until all were spawned, so a
/// runtime with several threads is needed for the tasks to run in parallel.
pub async fn opened_at_once<T, F>(tasks: usize, open: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let begin = Arc::new(Barrier::new(tasks));
    let spawned: Vec<JoinHandle<T>> = (0..tasks)
        .map(|number| {
            let (begin, opened) = (begin.clone(), open(number));
            tokio::spawn(async move {
                begin.wait().await;
                opened.await
            })
        })
        .collect();
    let mut results = Vec::with_capacity(tasks);
    for task in spawned {
        results.push(task.await.unwrap());
    }
    results
}
