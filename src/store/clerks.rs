//! Threads for what has to be done with finished trials: packing, scoring by code. Nobody's next step waits for it, so it
//! yields to the trials under way: bursts of trials that end together do not hold up the others, and the work is done
//! where processors would stand idle.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

/// How much lower the priority of the threads is, as `nice` counts (Linux; elsewhere it belongs to whole processes).
#[cfg(target_os = "linux")]
const NICER: i32 = 5;

type Task = Box<dyn FnOnce() + Send>;

/// As many threads as there are processors. They end when this is dropped and nothing waits.
pub struct Clerks {
    // Senders of `std` can be shared since Rust 1.72.
    tasks: Sender<Task>,
}

/// Work that panicked. Its text is the panic's message.
#[derive(Debug)]
pub struct Broken(Box<dyn Any + Send>);

impl Broken {
    /// Goes on panicking, as if the work had not been handed over.
    pub fn resume(self) -> ! {
        std::panic::resume_unwind(self.0)
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.downcast_ref::<&str>().copied();
        f.write_str(text.or(self.0.downcast_ref::<String>().map(String::as_str)).unwrap_or("it panicked"))
    }
}

impl Clerks {
    /// Starts the threads.
    pub(super) fn start() -> std::io::Result<Self> {
        let (tasks, inbox) = mpsc::channel();
        let inbox = Arc::new(Mutex::new(inbox));
        for _ in 0..std::thread::available_parallelism().map_or(2, std::num::NonZero::get) {
            let inbox = Arc::clone(&inbox);
            std::thread::Builder::new().name("clerk".to_owned()).spawn(move || serve(&inbox))?;
        }
        Ok(Self { tasks })
    }

    /// Has something done, in the order of asking. It is done even if nobody waits for it.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Broken> {
        let (done, result) = oneshot::channel();
        let task = move || {
            let _ = done.send(catch_unwind(AssertUnwindSafe(work)).map_err(Broken));
        };
        let gone = || Broken(Box::new("the threads that pack have ended"));
        self.tasks.send(Box::new(task)).map_err(|_| gone())?;
        result.await.unwrap_or_else(|_| Err(gone()))
    }
}

fn serve(inbox: &Mutex<Receiver<Task>>) {
    #[cfg(target_os = "linux")]
    {
        // On Linux every thread has a priority of its own. Without the permission it stays as it is.
        let _ = rustix::process::nice(NICER);
    }
    loop {
        // One waits for a task, the others for the lock.
        let next = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(task) = next else { return };
        task();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_is_done_elsewhere_and_a_panic_is_not_the_end() {
        let clerks = Clerks::start().unwrap();
        let here = std::thread::current().id();
        let there = clerks.work(|| std::thread::current().id()).await.unwrap();
        assert_ne!(here, there);
        for _ in 0..20 {
            let broken = clerks.work(|| panic!("on purpose")).await.map(|()| "done").unwrap_err();
            assert_eq!(broken.to_string(), "on purpose");
        }
        assert_eq!(clerks.work(|| 7).await.unwrap(), 7, "the threads outlive it");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_threads_yield_and_others_do_not() {
        let clerks = Clerks::start().unwrap();
        let mine = rustix::process::nice(0).unwrap();
        let theirs = clerks.work(|| rustix::process::nice(0)).await.unwrap().unwrap();
        // 19 is the lowest priority there is.
        assert_eq!(theirs, (mine + NICER).min(19));
        assert_eq!(rustix::process::nice(0).unwrap(), mine);
    }
}
