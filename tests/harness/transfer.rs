use std::{fs, path::Path};

use sessiond_proto::v1;
use sessiond_session::formats::Files;
use tonic::Status;

use super::{Held, within};

/// Whole sessions, as their holder sends and asks for them.
impl Held {
    /// The first message of an import.
    pub(crate) fn import_request(&self) -> v1::ImportRequest {
        v1::ImportRequest { name: self.name.clone(), token: self.token.clone(), ..Default::default() }
    }

    /// Imports what the first message says and the following bring.
    pub(crate) async fn try_import(
        &self,
        first: v1::ImportRequest,
        mut rest: Vec<v1::ImportRequest>,
    ) -> Result<v1::ImportResponse, Status> {
        rest.push(v1::ImportRequest { last: true, ..Default::default() });
        self.try_import_unended(first, rest).await
    }

    /// The same without a word that it is all.
    pub(crate) async fn try_import_unended(
        &self,
        first: v1::ImportRequest,
        rest: Vec<v1::ImportRequest>,
    ) -> Result<v1::ImportResponse, Status> {
        let messages = std::iter::once(first).chain(rest);
        let answer = self.client.admin.clone().import(tokio_stream::iter(messages)).await?;
        Ok(answer.into_inner())
    }

    pub(crate) fn export_request(&self, format: &str) -> v1::ExportRequest {
        let (name, token) = (self.name.clone(), self.token.clone());
        v1::ExportRequest { name, token, format: format.into(), ..Default::default() }
    }

    /// The first message of an export, and the files that the others bring.
    pub(crate) async fn try_export(
        &self,
        request: v1::ExportRequest,
    ) -> Result<(v1::ExportResponse, Files), Status> {
        let mut messages = self.client.admin.clone().export(request).await?.into_inner();
        let first = within(messages.message()).await?.expect("there is a first message");
        assert!(first.data.is_empty() && first.file.is_empty(), "it tells what follows");
        let (mut files, mut current) = (Files::new(), String::new());
        while let Some(v1::ExportResponse { revision, left_behind, file, data }) =
            within(messages.message()).await?
        {
            assert!(revision == 0 && left_behind.is_empty(), "that is told once");
            if !file.is_empty() {
                assert!(!files.contains_key(&file), "each file comes once");
                current = file;
            }
            files.entry(current.clone()).or_default().extend_from_slice(&data);
        }
        Ok((first, files))
    }
}

/// Messages that bring files, in small pieces.
pub(crate) fn given(files: &Files) -> Vec<v1::ImportRequest> {
    let pieces = |(path, bytes): (&String, &zeroize::Zeroizing<Vec<u8>>)| {
        let mut pieces: Vec<_> = bytes
            .chunks(1_000)
            .map(|data| v1::ImportRequest { data: data.into(), ..Default::default() })
            .collect();
        if pieces.is_empty() {
            pieces.push(v1::ImportRequest::default());
        }
        pieces[0].file.clone_from(path);
        pieces
    };
    files.iter().flat_map(pieces).collect()
}

/// The files below a directory, or a file under the empty path.
pub(crate) fn files_at(path: &Path) -> Files {
    let mut files = Files::new();
    read_into(&mut files, path, "");
    files
}

fn read_into(files: &mut Files, path: &Path, below: &str) {
    if path.is_file() {
        files.insert(below.to_owned(), fs::read(path).expect("readable").into());
        return;
    }
    for entry in fs::read_dir(path).expect("a directory") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("UTF-8");
        let below = if below.is_empty() { name } else { format!("{below}/{name}") };
        read_into(files, &entry.path(), &below);
    }
}
