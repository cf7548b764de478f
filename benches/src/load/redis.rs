use std::path::Path;

use anyhow::Context as _;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
};

use super::{advance::first_counter, target::Call};

/// A client of Redis, which sets a session's state and publishes it: the nearest to a change that others may follow. Both
/// commands go out together, so that they cost one round trip. Each client has a connection of its own, as Redis wants it.
#[derive(Debug)]
pub(super) struct Redis {
    stream: BufReader<UnixStream>,
    counter: i32,
    line: String,
}

impl Redis {
    pub(super) async fn clients(socket: &Path, clients: usize) -> anyhow::Result<Vec<Self>> {
        let mut all = Vec::with_capacity(clients);
        for _ in 0..clients {
            let stream = BufReader::new(UnixStream::connect(socket).await?);
            all.push(Self { stream, counter: first_counter(), line: String::new() });
        }
        Ok(all)
    }

    async fn answer(&mut self) -> anyhow::Result<&str> {
        self.line.clear();
        let bytes = self.stream.read_line(&mut self.line).await?;
        anyhow::ensure!(bytes > 0, "Redis closed a connection");
        Ok(self.line.trim_end())
    }
}

impl Call for Redis {
    async fn call(&mut self) -> anyhow::Result<()> {
        self.counter += 1;
        let value = format!("pts={0} date={0}", self.counter);
        let commands = format!(
            "*3\r\n$3\r\nSET\r\n$5\r\nalice\r\n${length}\r\n{value}\r\n*3\r\n$7\r\nPUBLISH\r\n$5\r\nalice\r\n${length}\r\n{value}\r\n",
            length = value.len()
        );
        self.stream.write_all(commands.as_bytes()).await?;
        let set = self.answer().await?;
        anyhow::ensure!(set == "+OK", "Redis did not set: {set}");
        let published = self.answer().await?;
        published.strip_prefix(':').with_context(|| format!("Redis did not publish: {published}"))?;
        Ok(())
    }
}
