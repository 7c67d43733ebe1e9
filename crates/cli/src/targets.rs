//! Who answers: one target, or several that answer for each other.
//!
//! In: targets as they are spelled, each with a weight if need be. Out: a transport and a name for what answers; of a recording, where it
//! lies. Several targets are an ensemble: who is asked first is drawn by weight from the request, and the others where it fails.

use std::path::Path;
use std::time::Duration;

use genesys_llm::ensemble::{Ensemble, Member, together};
use genesys_llm::folder::Folder;
use genesys_llm::http::{Http, Limits};
use genesys_llm::record::Replay;
use genesys_llm::throttle::Wall;
use genesys_llm::{Key, Target, Transport};
use genesys_local::Local;

use crate::failure::Failure;
use crate::llm::failure;

/// One target, or several with their weights.
#[derive(Debug)]
pub(crate) struct Targets(Vec<(f64, Target)>);

impl Targets {
    /// Reads their spellings.
    pub(crate) fn parse(texts: &[String]) -> Result<Self, Failure> {
        let told = |why: String| Failure::Input(format!("--llm: {why}"));
        let targets: Vec<_> =
            texts.iter().map(|text| Target::weighted(text)).collect::<Result<_, _>>().map_err(told)?;
        match flaw(&targets) {
            Some(why) => Err(told(why)),
            None => Ok(Self(targets)),
        }
    }

    /// The recording that answers, if one does.
    pub(crate) fn replayed(&self) -> Option<&Path> {
        self.0.iter().find_map(|(_, target)| match target {
            Target::Replay(path) => Some(path.as_path()),
            Target::Http { .. } | Target::Folder { .. } | Target::Local(_) => None,
        })
    }

    /// Whether a server is among them, which may be busy.
    pub(crate) fn has_server(&self) -> bool {
        self.0.iter().any(|(_, target)| is_server(target))
    }

    /// Whether each takes money: a server may.
    pub(crate) fn takes_money(&self) -> impl Iterator<Item = bool> {
        self.0.iter().map(|(_, target)| is_server(target))
    }

    /// Each for itself, as it is told to people.
    pub(crate) fn each(self) -> impl Iterator<Item = (Self, String)> {
        self.0.into_iter().map(|(_, target)| {
            let name = target.name();
            (Self(vec![(1.0, target)]), name)
        })
    }

    /// What answers, with names.
    pub(crate) fn open(&self, wait: Option<Duration>) -> Result<Vec<Member>, Failure> {
        let open = |(weight, target): &(f64, Target)| {
            let (transport, model) = open(target, wait)?;
            Ok(Member { weight: *weight, model, transport })
        };
        self.0.iter().map(open).collect()
    }
}

fn is_server(target: &Target) -> bool {
    match target {
        Target::Http { .. } => true,
        Target::Folder { .. } | Target::Local(_) | Target::Replay(_) => false,
    }
}

/// What keeps targets from answering together.
fn flaw(targets: &[(f64, Target)]) -> Option<String> {
    if targets.len() < 2 {
        return None;
    }
    let alone = targets.iter().find_map(|(_, target)| match target {
        Target::Http { model, .. } if model.is_empty() => {
            Some(format!("expected `{}#MODEL`: each of several is known by its name", target.name()))
        }
        Target::Replay(_) => Some(format!("expected {} alone: a recording has the answers of all", target.name())),
        Target::Http { .. } | Target::Folder { .. } | Target::Local(_) => None,
    });
    alone.or_else(|| {
        let idle = targets.iter().all(|(weight, _)| *weight == 0.0);
        idle.then(|| {
            "expected a weight above 0 for at least one: those with 0 are asked only where others fail".to_owned()
        })
    })
}

/// Members as one that answers, and what it is called.
pub(crate) fn joined(mut members: Vec<Member>) -> (Box<dyn Transport>, String) {
    if members.len() == 1 {
        let Member { model, transport, .. } = members.remove(0);
        return (transport, model);
    }
    let name = called_together(&members);
    let ensemble = Ensemble::new(members, 0).expect("one has a weight above 0, as was seen when they were read");
    (Box::new(ensemble), name)
}

/// What members are called as one that answers.
pub(crate) fn called_together(members: &[Member]) -> String {
    match members {
        [alone] => alone.model.clone(),
        several => together(several),
    }
}

fn open(target: &Target, wait: Option<Duration>) -> Result<(Box<dyn Transport>, String), Failure> {
    Ok(match target {
        Target::Http { protocol, base, model } => {
            let host = base.host_str().unwrap_or_default();
            let key = Key::for_host(host, &|name| std::env::var(name).ok());
            let default = Limits::default();
            // Who says how long is waited means the first byte, too: a slow machine reads for minutes before it writes.
            let limits = wait.map_or(default, |wait| Limits { total: wait, first: wait, ..default });
            let http = Http::new(*protocol, base.clone(), key, limits).map_err(|error| failure(&error))?;
            (Box::new(http), model.clone())
        }
        Target::Folder { dir, model } => {
            let folder = Folder::new(dir, wait, Box::new(Wall::default())).map_err(|error| failure(&error))?;
            let folder = folder.answered_by(model);
            let model = folder.model().to_owned();
            (Box::new(folder), model)
        }
        Target::Replay(path) => {
            let replay = Replay::open(path).map_err(|error| failure(&error))?;
            let model = replay.model().to_owned();
            (Box::new(replay), model)
        }
        Target::Local(path) => {
            let local = Local::open(path).map_err(|error| failure(&error))?;
            let model = local.name().to_owned();
            (Box::new(local), model)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(texts: &[&str]) -> String {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        match Targets::parse(&texts) {
            Err(Failure::Input(why)) => why,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn several_answer_together_where_each_has_a_name_and_one_a_weight() {
        for fine in [&["https://host/v1"][..], &["replay:a.jsonl"], &["0*file:a"], &["file:a#A", "0*https://host/v1#b"]]
        {
            assert!(told(fine).starts_with("Ok"), "{}", told(fine));
        }
        assert!(told(&["file:a", "https://host/v1"]).contains("known by its name"));
        assert!(told(&["file:a", "replay:b.jsonl"]).contains("replay:b.jsonl alone"));
        assert!(told(&["0*file:a#A", "0*file:b#B"]).contains("a weight above 0"));
        assert!(told(&["file:a", "nothing"]).starts_with("--llm: expected `https://HOST/v1#MODEL`"));
    }
}
