//! `constrained TARGET [--bounds decoder|none] [--least N] [--only WAY[,WAY ..]] [--times N]`: asks a server for texts that a grammar or a
//! schema holds, and reads each with our own parser.
//!
//! In: the address of a server (docs/llm.md). Out: a table in Markdown. Exit status 1 where an answer that ended is not of its form, where
//! fewer than `--least` ended (20), or where the command is wrong; 2 where the server does not answer.
#![allow(clippy::print_stdout, clippy::print_stderr)] // it is a program

use std::process::ExitCode;
use std::time::{Duration, Instant};

use benches::constrained::{HEAD, Tally, WAYS, Way};
use genesys_gbnf::Bounds;
use genesys_llm::http::{Http, Limits};
use genesys_llm::{LlmError, Target, Transport};

struct Options {
    target: String,
    bounds: Bounds,
    least: u64,
    ways: Vec<Way>,
    times: Option<u64>,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let asked = Options::read(&words).and_then(|options| Ok((open(&options.target)?, options)));
    let ((transport, model), options) = match asked {
        Ok(asked) => asked,
        Err(why) => {
            eprintln!("constrained: {why}");
            return ExitCode::from(1);
        }
    };
    match run(transport.as_ref(), &model, &options) {
        Ok(all) if all.wrong.is_empty() && all.ended >= options.least => ExitCode::SUCCESS,
        Ok(all) => {
            eprintln!(
                "constrained: expected at least {} answers that end by themselves, each of its form, found {} of which {} are not",
                options.least,
                all.ended,
                all.wrong.len()
            );
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("constrained: {error}");
            ExitCode::from(2)
        }
    }
}

/// Asks for everything, and prints a line for each way.
fn run(transport: &dyn Transport, model: &str, options: &Options) -> Result<Tally, LlmError> {
    println!("{HEAD}");
    let mut all = Tally::default();
    for way in &options.ways {
        let mut tally = Tally::default();
        for number in 0..options.times.unwrap_or(way.times()) {
            let begin = Instant::now();
            let reply = transport.ask(&way.request(model, options.bounds, number), &mut |_| {})?;
            tally.count(*way, &reply, begin.elapsed());
        }
        println!("{}", tally.line(way.name()));
        all = all.plus(&tally);
    }
    println!("{}", all.line("all"));
    for (why, text) in &all.wrong {
        eprintln!("constrained: {why}, in\n{text}\n");
    }
    Ok(all)
}

/// Who answers. A small machine takes its time.
fn open(target: &str) -> Result<(Box<dyn Transport>, String), String> {
    let Target::Http { protocol, base, model } = Target::parse(target)? else {
        return Err(format!("expected the address of a server, as http://localhost:8080/v1, found `{target}`"));
    };
    let wait = Duration::from_secs(1200);
    let limits = Limits { first: wait, total: wait, ..Limits::default() };
    let http = Http::new(protocol, base, None, limits).map_err(|error| error.to_string())?;
    Ok((Box::new(http), model))
}

impl Options {
    fn read(words: &[String]) -> Result<Self, String> {
        let mut options =
            Self { target: String::new(), bounds: Bounds::Decoder, least: 20, ways: WAYS.to_vec(), times: None };
        let mut words = words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("expected a value behind {word}"));
            match word {
                "--bounds" => options.bounds = bounds(value()?)?,
                "--least" => options.least = number(value()?)?,
                "--times" => options.times = Some(number(value()?)?),
                "--only" => options.ways = value()?.split(',').map(way).collect::<Result<_, _>>()?,
                option if option.starts_with('-') => {
                    return Err(format!("expected --bounds, --least, --only or --times, found `{option}`"));
                }
                target => options.target = target.to_owned(),
            }
        }
        Ok(options)
    }
}

fn bounds(word: &str) -> Result<Bounds, String> {
    match word {
        "decoder" => Ok(Bounds::Decoder),
        "none" => Ok(Bounds::None),
        other => Err(format!("expected --bounds decoder or none, found `{other}`")),
    }
}

fn number(word: &str) -> Result<u64, String> {
    word.parse().map_err(|_| format!("expected a whole number, found `{word}`"))
}

fn way(word: &str) -> Result<Way, String> {
    let names = WAYS.map(Way::name).join(", ");
    WAYS.into_iter().find(|way| way.name() == word).ok_or_else(|| format!("expected ways of {names}, found `{word}`"))
}
