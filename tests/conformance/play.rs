//! One scenario, played by programs in some languages.

use std::{collections::HashMap, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

use super::{
    Driver, Language,
    bindings::Bindings,
    driver::Answer,
    scenario::{Expected, Scenario, What},
    stage::Stage,
};

/// Plays a scenario; the first program in the first language, and so on.
///
/// # Errors
/// What went otherwise than it should.
pub(super) async fn play(scenario: &Arc<Scenario>, cast: &[Language]) -> Result<(), String> {
    let (scenario, cast) = (Arc::clone(scenario), cast.to_vec());
    // A fault of the runner's own is a failure of this scenario alone.
    let played = tokio::spawn(async move {
        let mut play = Play::begin(&scenario, &cast).await?;
        for (number, step) in scenario.steps.iter().enumerate() {
            play.perform(&step.what).await.map_err(|error| {
                let program = play.program(&step.what);
                format!("step {}{program}: {}\n    {error}", number + 1, step.text)
            })?;
        }
        Ok(())
    });
    played.await.unwrap_or_else(|fault| Err(format!("the runner failed: {fault}")))
}

struct Play {
    stage: Stage,
    languages: HashMap<String, Language>,
    drivers: HashMap<String, Driver>,
    /// Calls that were begun and not waited for, by the name that the scenario gives them: of which program, and their ids.
    later: HashMap<String, (String, i64)>,
    bindings: Bindings,
}

impl Play {
    async fn begin(scenario: &Scenario, cast: &[Language]) -> Result<Self, String> {
        let stage = Stage::set(scenario).await;
        let languages = scenario.programs.iter().cloned().zip(cast.iter().cloned()).collect();
        let mut bindings = Bindings::new(&scenario.values)?;
        bindings.set("$pid:runner", std::process::id().into());
        let mut play = Self { stage, languages, drivers: HashMap::new(), later: HashMap::new(), bindings };
        for program in &scenario.programs {
            play.start(program)?;
        }
        Ok(play)
    }

    async fn perform(&mut self, step: &What) -> Result<(), String> {
        match step {
            What::Call { program, call, later, expected, arguments } => {
                let id = self.call(program, call, arguments).await?;
                match later {
                    Some(later) => {
                        self.later.insert(later.clone(), (program.clone(), id));
                        Ok(())
                    }
                    None => self.answered(program, id, expected).await,
                }
            }
            What::Finish { finish, expected } => {
                let (program, id) = self.later.remove(finish).ok_or("nothing is called so")?;
                self.answered(&program, id, expected).await
            }
            What::Event { of, event } => {
                let (program, id) = self.later.get(of).cloned().ok_or("nothing is called so")?;
                let told = self.driver(&program)?.event(id).await?;
                self.bindings.compare(event, &told)
            }
            What::Newer { newer } => self.newer(newer),
            What::Silent { silent, of } => self.silent(silent, of),
            What::Elsewhere { elsewhere, token } => {
                let token = self.bindings.resolve(token)?;
                let token = BASE64_STANDARD.decode(token.as_str().unwrap_or_default());
                self.stage.go_on_elsewhere(elsewhere, &token.map_err(|e| e.to_string())?).await
            }
            What::Daemon { daemon } => self.stage.daemon(*daemon).await,
            What::Logged { logged } => self.stage.logged(logged).await,
            What::Kill { kill } => {
                let driver = self.drivers.remove(kill).ok_or("there is no such program")?;
                driver.kill().await;
                Ok(())
            }
            What::Start { start } => self.start(start),
            What::Network { network, to } => self.stage.network(*network, to.as_deref()),
            What::File { file, name } => self.stage.file(*file, name).await,
        }
    }

    fn start(&mut self, program: &str) -> Result<(), String> {
        let language = self.languages.get(program).ok_or("there is no such program")?;
        let driver = Driver::start(language, &self.stage.socket(program), self.stage.stderr(program))?;
        self.bindings.set(&format!("$pid:{program}"), driver.pid().into());
        self.drivers.insert(program.to_owned(), driver);
        Ok(())
    }

    fn driver(&mut self, program: &str) -> Result<&mut Driver, String> {
        self.drivers.get_mut(program).ok_or_else(|| "there is no such program, or it was killed".to_owned())
    }

    async fn call(
        &mut self,
        program: &str,
        call: &str,
        arguments: &Map<String, Value>,
    ) -> Result<i64, String> {
        let arguments = self.bindings.resolve_fields(arguments)?;
        self.driver(program)?.begin(call, &arguments).await
    }

    async fn answered(&mut self, program: &str, id: i64, expected: &Expected) -> Result<(), String> {
        let answer: Answer = self.driver(program)?.answer(id).await?;
        match (expected, answer) {
            (Expected { expect: None, error: None }, Ok(_)) => Ok(()),
            (Expected { expect: Some(expected), .. }, Ok(answer)) => self.bindings.compare(expected, &answer),
            (Expected { error: Some(expected), .. }, Err(error)) => self.bindings.compare(expected, &error),
            (_, Ok(answer)) => Err(format!("it is no error, but {answer}")),
            (_, Err(error)) => Err(format!("it is an error: {error}")),
        }
    }

    fn newer(&self, revisions: &[Value]) -> Result<(), String> {
        let number = |revision: &Value| {
            let revision = self.bindings.resolve(revision)?;
            let number = revision.as_str().and_then(|text| text.parse::<i64>().ok());
            number.ok_or_else(|| format!("{revision} is no revision"))
        };
        let numbers = revisions.iter().map(number).collect::<Result<Vec<_>, _>>()?;
        if numbers.is_sorted_by(|a, b| a > b) { Ok(()) } else { Err(format!("they are {numbers:?}")) }
    }

    fn silent(&self, text: &Value, secrets: &[Value]) -> Result<(), String> {
        let text = self.bindings.resolve(text)?;
        let text = text.as_str().ok_or("it is no text")?;
        for secret in secrets {
            let resolved = self.bindings.resolve(secret)?;
            let told = super::secret::told(text, resolved.as_str().ok_or("it is no text")?);
            if let Some(told) = told {
                return Err(format!("{secret} is told, as {told:?}: {text}"));
            }
        }
        Ok(())
    }

    /// In which language a step is performed.
    fn program(&self, step: &What) -> String {
        let program = match step {
            What::Call { program, .. } => Some(program),
            What::Finish { finish, .. } => self.later.get(finish).map(|(program, _)| program),
            What::Event { of, .. } => self.later.get(of).map(|(program, _)| program),
            _ => None,
        };
        let language = program.and_then(|program| self.languages.get(program));
        language.map_or_else(String::new, |language| format!(" in {language}"))
    }
}
