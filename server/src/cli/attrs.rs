use std::process::ExitCode;

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::TryStreamExt as _;
use serde_json::{Value, json};
use sessiond_client::{Attribute, SessionName};

use super::{Context, output::Column, possession::Inherited, render::NOTHING};

/// What a row has, in its order.
const COLUMNS: [Column; 3] = [Column::Text("KEY"), Column::Number("BYTES"), Column::Text("VALUE")];

/// Bytes of a value that are shown to a person, who can ask for all of them with `--json`.
const SHOWN: usize = 48;

/// Show the attributes that libraries keep in a session
///
/// They are the holder's alone: the session is held as long as this reads. docs/attributes.md has the keys that libraries
/// share.
#[derive(Debug, clap::Args)]
#[command(after_help = r#"Examples:
  sessiond attrs alice
  sessiond attrs alice mtcute.
  sessiond attrs alice --json | jq -r "select(.key == \"gotd.config\").value" | base64 -d"#)]
pub(crate) struct Attrs {
    /// The session's name
    name: SessionName,
    /// Only keys that begin with this
    #[arg(default_value = "", hide_default_value = true)]
    prefix: String,
    /// Show the values of those that are secret
    #[arg(long)]
    show_secret: bool,
    #[command(flatten)]
    inherited: Inherited,
}

impl Attrs {
    pub(super) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let Self { name, prefix, show_secret, inherited } = self;
        let attributes = inherited.with(context, &name, async |held| {
            let attributes = held.list_attributes(&prefix).try_collect::<Vec<_>>().await;
            attributes.with_context(|| name.to_string())
        });
        let attributes = attributes.await?;
        if context.output.is_json() {
            for attribute in &attributes {
                context.output.line(&object(attribute, show_secret).to_string())?;
            }
        } else if attributes.is_empty() {
            context.output.note("no attributes");
        } else {
            let rows: Vec<Vec<String>> =
                attributes.iter().map(|attribute| row(attribute, show_secret)).collect();
            context.output.table(&COLUMNS, &rows)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn row(attribute: &Attribute, show_secret: bool) -> Vec<String> {
    let Attribute { key, value, secret } = attribute;
    let value = if *secret && !show_secret { "(secret)".to_owned() } else { text(value) };
    vec![key.clone(), attribute.value.len().to_string(), value]
}

/// A value as it is where it is plain text, else in hexadecimal.
fn text(value: &[u8]) -> String {
    let (shown, rest) = (&value[..value.len().min(SHOWN)], if value.len() > SHOWN { "..." } else { "" });
    match std::str::from_utf8(shown) {
        Ok("") => NOTHING.to_owned(),
        Ok(text) if !text.chars().any(char::is_control) => format!("{text}{rest}"),
        _ => format!("0x{}{rest}", shown.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

/// With the schema's field names, and bytes in base64. What is secret is left out unless it is asked for.
fn object(attribute: &Attribute, show_secret: bool) -> Value {
    let Attribute { key, value, secret } = attribute;
    let shown = Some(value).filter(|_| !secret || show_secret).map(|value| STANDARD.encode(value));
    json!({ "key": key, "value": shown, "secret": secret, "has_value": !value.is_empty() })
}

#[cfg(test)]
mod tests {
    use super::{Attribute, object, row, text};

    #[test]
    fn a_secret_is_shown_only_to_who_asks_for_it() {
        let attribute = Attribute { key: "k".into(), value: b"hush".to_vec().into(), secret: true };
        assert_eq!(row(&attribute, false), ["k", "4", "(secret)"]);
        assert_eq!(row(&attribute, true), ["k", "4", "hush"]);
        assert!(object(&attribute, false)["value"].is_null());
        assert_eq!(object(&attribute, true)["value"], "aHVzaA==");
    }

    #[test]
    fn a_value_is_shown_as_text_where_it_is_one() {
        assert_eq!(text(b""), "-");
        assert_eq!(text(b"{\"a\": 1}"), "{\"a\": 1}");
        assert_eq!(text(&[57, 48, 0, 0]), "0x39300000");
        assert_eq!(text(&[b'a'; 49]), format!("{}...", "a".repeat(48)));
    }
}
