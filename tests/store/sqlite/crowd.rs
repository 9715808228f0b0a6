//! Eight processes on one file, killed, paused and started again at random.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Child;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use outlay::{Clock, Tick};
use rustix::process::{Pid, Signal, kill_process};

use super::child;
use super::judge::{Judge, Part};
use super::speaker::Place;
use super::worker::{counts, specs};
use crate::holder::micros;
use crate::laws::number;
use crate::plan::Spec;
use crate::random::Random;

type Court = Arc<Mutex<Judge>>;

fn now() -> Tick {
    Clock::System.precise_tick()
}

/// Answers one process until it is gone.
fn attend(stream: UnixStream, court: &Court) {
    let mut answers = stream.try_clone().unwrap();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        let mut judge = court.lock().unwrap();
        let yes = if words.len() == 2 {
            judge.end(number(0), number(1), micros(now()))
        } else {
            let part = |word: &&str| -> Part {
                let parts: Vec<&str> = word.split(':').collect();
                (parts[0].parse().unwrap(), parts[1].parse().unwrap(), parts[2].parse().unwrap())
            };
            let parts = words[3..].iter().map(part).collect();
            let deadline = words[2].parse().unwrap();
            judge.begin((number(0), number(1)), parts, deadline, micros(now()));
            true
        };
        drop(judge);
        if writeln!(answers, "{}", if yes { "yes" } else { "no" }).is_err() {
            return;
        }
    }
}

struct Process {
    number: u64,
    child: Child,
    paused_until: Option<Tick>,
}

struct Crowd {
    place: Place,
    court: Court,
    random: Random,
    started: u64,
    durable: &'static str,
    apart: bool,
    processes: Vec<Process>,
    kills: u64,
    pauses: u64,
    /// Those that end well. Each returns how many messages it has sent.
    leaving: Vec<JoinHandle<u64>>,
}

impl Crowd {
    fn start(&mut self) {
        self.started += 1;
        let number = self.started;
        let socket = self.place.folder.path().join("judge");
        let (url, durable, apart) = (self.place.url(), self.durable, self.apart);
        let role = format!("{url} {} {durable} {number} {apart}", socket.display());
        let child = child::command(&[], "worker::worker_child", &role).spawn().unwrap();
        self.processes.push(Process { number, child, paused_until: None });
    }

    fn signal(process: &Process, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(process.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Its calls have ended before anybody can be given what it held.
    fn kill(&mut self, at: usize) {
        let mut process = self.processes.remove(at);
        let mut judge = self.court.lock().unwrap();
        process.child.kill().unwrap();
        process.child.wait().unwrap();
        judge.died(process.number, micros(now()));
        drop(judge);
        self.kills += 1;
    }

    /// It gives back what it has, and ends.
    fn stop(&mut self, at: usize) {
        let mut process = self.processes.remove(at);
        if process.paused_until.is_some() {
            Self::signal(&process, Signal::CONT);
        }
        self.leaving.push(thread::spawn(move || {
            drop(process.child.stdin.take());
            let said = child::lines(&mut process.child).last();
            assert!(process.child.wait().unwrap().success(), "process {}", process.number);
            said.unwrap().parse().unwrap()
        }));
    }

    fn harm(&mut self) {
        let at = usize::try_from(self.random.below(self.processes.len() as u64)).unwrap();
        match self.random.below(10) {
            0..4 => {
                self.kill(at);
                self.start();
            }
            4 | 5 => {
                self.stop(at);
                self.start();
            }
            _ if self.processes[at].paused_until.is_none() => {
                let pause = Duration::from_millis(self.random.between(20, 2_500));
                Self::signal(&self.processes[at], Signal::STOP);
                self.processes[at].paused_until = Some(now().plus(pause));
                self.pauses += 1;
            }
            _ => {}
        }
    }

    fn wake(&mut self) {
        for process in &mut self.processes {
            if process.paused_until.take_if(|until| *until <= now()).is_some() {
                Self::signal(process, Signal::CONT);
            }
        }
    }
}

fn crowd(seconds: u64, seed: u64, apart: bool) -> (Crowd, u64) {
    let limits: Vec<_> = specs().iter().map(|spec| (counts(spec), spec.most)).collect();
    let court = Arc::new(Mutex::new(Judge::new(limits)));
    let place = Place::new();
    let listener = UnixListener::bind(place.folder.path().join("judge")).unwrap();
    let attended = Arc::clone(&court);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let court = Arc::clone(&attended);
            thread::spawn(move || attend(stream, &court));
        }
    });
    let durable = if number("OUTLAY_DURABLE", 0) == 1 { "grant" } else { "process" };
    let (processes, leaving) = (Vec::new(), Vec::new());
    let (random, started, kills, pauses) = (Random::new(seed), 0, 0, 0);
    let mut crowd =
        Crowd { place, court, random, started, durable, apart, processes, kills, pauses, leaving };
    (0..8).for_each(|_| crowd.start());
    let until = now().plus(Duration::from_secs(seconds));
    let (_never, wait) = mpsc::channel::<()>();
    while now() < until {
        let pause = crowd.random.between(20, 200);
        assert!(wait.recv_timeout(Duration::from_millis(pause)).is_err());
        crowd.wake();
        crowd.harm();
    }
    while !crowd.processes.is_empty() {
        crowd.stop(0);
    }
    let messages = crowd.leaving.drain(..).map(|process| process.join().unwrap()).sum();
    (crowd, messages)
}

/// `OUTLAY_CROWD=600` takes ten minutes; `OUTLAY_DURABLE=1` waits for the disk with each grant.
#[test]
fn many_processes_on_one_file_are_never_above_a_limit() {
    if child::role().is_some() {
        return;
    }
    let (seconds, seed) = (number("OUTLAY_CROWD", 6), number("OUTLAY_SEED", 1));
    let (crowd, messages) = crowd(seconds, seed, false);
    let judge = crowd.court.lock().unwrap();
    println!(
        "seed {seed}, {seconds} s, 8 processes: {} calls, {messages} messages of those that ended \
         well, {} kills, {} pauses, {} starts, above a limit {}; the most of each limit {:?}",
        judge.begun,
        crowd.kills,
        crowd.pauses,
        crowd.started,
        judge.above.len(),
        judge.most,
    );
    assert_eq!(judge.above, Vec::<String>::new(), "seed {seed}");
    assert!(judge.begun > 100 * seconds && crowd.kills > seconds / 2, "too little happened");
    let tried = |(most, spec): &(&u64, Spec)| **most * 10 >= spec.most * 6;
    let tried = judge.most.iter().zip(specs()).filter(tried).count();
    assert!(tried >= 6, "only {tried} limits were tried");
}

/// The same load without a store in common goes above the limits: so the judge would see it.
#[test]
fn the_judge_of_many_processes_sees_that_limits_are_exceeded() {
    if child::role().is_some() {
        return;
    }
    let (crowd, _) = crowd(3, 1, true);
    let above = crowd.court.lock().unwrap().above.len();
    println!("{above} times above a limit");
    assert!(above > 100, "{above}");
}
