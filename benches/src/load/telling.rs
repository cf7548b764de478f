use std::io::{BufRead as _, Write as _, stdin, stdout};

use anyhow::Context as _;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines, Stdin},
    task::JoinHandle,
};

/// The conversation with the process that started this one.
#[derive(Debug)]
pub(crate) struct Telling {
    stdin: Lines<BufReader<Stdin>>,
}

impl Telling {
    /// Begins it with what is to be done.
    pub(crate) fn open<T: DeserializeOwned>() -> anyhow::Result<(Self, T)> {
        let mut line = String::new();
        // Nothing is written after it until an answer was given, so that nothing is left in the buffer.
        stdin().lock().read_line(&mut line)?;
        let job = serde_json::from_str(&line).context("this is no job for a load generator")?;
        Ok((Self { stdin: BufReader::new(tokio::io::stdin()).lines() }, job))
    }

    /// Says that all is prepared, and waits for the word to begin.
    pub(crate) async fn ready(&mut self) -> anyhow::Result<()> {
        self.say(&())?;
        self.told().await
    }

    pub(crate) fn say(&self, what: &impl Serialize) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(what)?;
        line.push(b'\n');
        let mut stdout = stdout().lock();
        stdout.write_all(&line)?;
        Ok(stdout.flush()?)
    }

    /// Waits to be told something.
    ///
    /// # Errors
    /// The process that started this one has gone.
    pub(crate) async fn told(&mut self) -> anyhow::Result<()> {
        self.stdin.next_line().await?.map(drop).context("nobody wants to know any more")
    }

    /// Waits until nothing more is wanted.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        while self.stdin.next_line().await?.is_some() {}
        Ok(())
    }

    /// The same, beside other work.
    pub(crate) fn ending(self) -> JoinHandle<anyhow::Result<()>> {
        tokio::spawn(self.end())
    }
}
