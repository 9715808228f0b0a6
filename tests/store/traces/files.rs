//! The traces: time and tokens of each request.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use flate2::read::GzDecoder;

/// A request: microseconds from the first one, tokens in, tokens out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asked {
    pub(super) at: u64,
    pub(super) input: u64,
    pub(super) output: u64,
}

/// The requests of a trace in the order of time, `None` where it is not there.
pub(super) fn read(name: &str) -> Option<Vec<Asked>> {
    let folder = std::env::var_os("OUTLAY_TRACES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/traces"),
        PathBuf::from,
    );
    let path = folder.join(name).with_extension("csv.gz");
    let Ok(file) = File::open(&path) else {
        eprintln!("NOT RUN: {} is not there", path.display());
        return None;
    };
    let mut lines = BufReader::new(GzDecoder::new(file)).lines().map(Result::unwrap);
    let header = lines.next().unwrap();
    let column = |name: &str| header.split(',').position(|column| column == name).unwrap();
    let (time, input, output) = (column("t_ms"), column("in_tokens"), column("out_tokens"));
    let mut asked: Vec<Asked> = lines
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            Asked {
                at: micros(cells[time]),
                input: cells[input].parse().unwrap(),
                output: cells[output].parse().unwrap(),
            }
        })
        .collect();
    asked.sort_unstable();
    Some(asked)
}

/// Milliseconds with a fraction, as microseconds.
fn micros(millis: &str) -> u64 {
    let (whole, part) = millis.split_once('.').unwrap_or((millis, ""));
    let part: String = part.chars().chain("000".chars()).take(3).collect();
    whole.parse::<u64>().unwrap() * 1000 + part.parse::<u64>().unwrap()
}
