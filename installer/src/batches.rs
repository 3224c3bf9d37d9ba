//! A queue for one task, which takes at a time what has come up meanwhile.
//!
//! Told to [`finish`](Queue::finish), the task gets what was queued before, and then ends, although others may still hold the queue.

use tokio::sync::mpsc;

/// The end that is filled. Cheap to clone.
#[derive(Debug)]
pub(crate) struct Queue<T>(mpsc::Sender<Message<T>>);

/// The end that is emptied.
#[derive(Debug)]
pub(crate) struct Batches<T> {
    messages: mpsc::Receiver<Message<T>>,
    finished: bool,
}

#[derive(Debug)]
enum Message<T> {
    Item(T),
    Finish,
}

/// Nobody empties the queue any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

/// A queue in which so many items may wait.
pub(crate) fn queue<T>(waiting_max: usize) -> (Queue<T>, Batches<T>) {
    let (queue, messages) = mpsc::channel(waiting_max);
    (Queue(queue), Batches { messages, finished: false })
}

impl<T> Queue<T> {
    /// Queues an item; waits while there are too many.
    ///
    /// # Errors
    /// When the task has ended.
    pub(crate) async fn put(&self, item: T) -> Result<(), Closed> {
        self.0.send(Message::Item(item)).await.map_err(|_| Closed)
    }

    /// Tells the task to end.
    pub(crate) async fn finish(&self) {
        // One that has ended need not be told.
        let _ = self.0.send(Message::Finish).await;
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Queue(self.0.clone())
    }
}

impl<T> Batches<T> {
    /// Waits for an item, then takes what else is there, so many at most. None when there will be no more.
    pub(crate) async fn next(&mut self, items_max: usize) -> Option<Vec<T>> {
        let mut messages = Vec::new();
        if self.finished || self.messages.recv_many(&mut messages, items_max).await == 0 {
            return None;
        }
        let mut batch = Vec::with_capacity(messages.len());
        for message in messages {
            match message {
                Message::Item(item) => batch.push(item),
                Message::Finish => {
                    self.finished = true;
                    break;
                }
            }
        }
        (!batch.is_empty()).then_some(batch)
    }
}
