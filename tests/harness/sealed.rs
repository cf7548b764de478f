use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::Path,
};

/// Bytes that count as a part of a secret.
const PART: usize = 16;

/// Every file of a directory, but for the lock, which has the pid of whoever tried last.
pub(crate) fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).expect("readable").map(|entry| entry.expect("readable"));
    let named = entries.map(|entry| (entry.file_name().into_string().expect("text"), entry.path()));
    let content = |path| match fs::read(path) {
        Ok(content) => Some(content),
        // A journal, or a file that was about to be renamed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => panic!("a file is not readable: {error}"),
    };
    let named = named.filter(|(name, _)| name != "sessiond.lock");
    named.filter_map(|(name, path)| Some((name, content(path)?))).collect()
}

/// Names of the files of a directory in which there is any of these secrets, or a part of one.
pub(crate) fn files_with<'a>(
    directory: &Path,
    secrets: impl IntoIterator<Item = &'a Vec<u8>>,
) -> Vec<String> {
    let mut parts: HashMap<[u8; 2], Vec<&[u8]>> = HashMap::new();
    for part in secrets.into_iter().flat_map(|secret| secret.chunks_exact(PART)) {
        parts.entry([part[0], part[1]]).or_default().push(part);
    }
    let mut begins = vec![false; 1 << 16];
    parts.keys().for_each(|begin| begins[usize::from(u16::from_le_bytes(*begin))] = true);
    let has = |content: &Vec<u8>| {
        content.windows(PART).any(|window| {
            begins[usize::from(u16::from_le_bytes([window[0], window[1]]))]
                && parts.get(&[window[0], window[1]]).is_some_and(|parts| parts.contains(&window))
        })
    };
    contents(directory).into_iter().filter(|(_, content)| has(content)).map(|(name, _)| name).collect()
}
