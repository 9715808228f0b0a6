//! A job begins: its fact holds its tokens and its slot, for all processes.

use std::sync::Arc;

use smallvec::smallvec;

use super::values::{JOBS as FACTS, JobStage, KeptJob, name_of};
use crate::accounting::{Key, Meter, Terms, Window};
use crate::budgets::allowances::accounts::{
    COST, ISSUES, JOBS, PULL_REQUESTS, REQUESTS, SLOTS, TOKENS,
};
use crate::budgets::allowances::job::{JobId, day_of};
use crate::budgets::allowances::reports::{JobRef, UsageReport};
use crate::budgets::allowances::service::AllowanceService;
use crate::budgets::allowances::starting::Start;
use crate::budgets::facts::{learning, look, written};
use crate::ledger::{Account, Ask, Demand, Error, MeterIndex, charge};
use crate::store::{Change, Fact, FactGiven, Moved, Store};

/// Of so many jobs the versions of their facts are known, so that their end is one trip.
const KNOWN: usize = 65_536;

/// How a beginning went.
enum Begun {
    Now(JobRef),
    /// The id is known.
    Known(Option<KeptJob>),
    /// The account that does not leave what is asked for, and the meter.
    Full(Arc<Account>, MeterIndex),
}

impl AllowanceService {
    /// Begins a job for all processes. `None`: its id is known.
    pub(in crate::budgets::allowances) fn start_kept(
        &self,
        store: &Store,
        start: &Start,
        id: &JobId,
    ) -> Result<Option<JobRef>, Error> {
        self.hear_settings(store, &start.agent, start.repo.as_ref())?;
        let late_ended = |service: &Self, tries| {
            // Slots of jobs that have run for too long come back when they are needed.
            Ok::<_, Error>(tries == 0 && service.end_late(store, Some(&start.agent))?)
        };
        let hour = match self.pass_gates(store, start) {
            Ok(hour) => hour,
            // The allowance of the agent is named first, as without a store.
            Err(refused) => return Err(self.agent_refuses(store, start)?.unwrap_or(refused)),
        };
        for tries in 0.. {
            match self.put_start(store, start, id, false)? {
                Begun::Now(named) => return Ok(Some(named)),
                Begun::Known(_) => {
                    self.give_back_hour(hour.as_ref())?;
                    return Ok(None);
                }
                Begun::Full(..) if late_ended(self, tries)? => {}
                Begun::Full(account, meter) => {
                    self.give_back_hour(hour.as_ref())?;
                    let asked = if meter == TOKENS { start.tokens } else { 1 };
                    return Err(account.refused(&[Demand::new(meter, asked)], 0, Terms::Gated)?);
                }
            }
        }
        Ok(None)
    }

    /// Records a beginning, whatever the limits say. Returns false if that was known.
    pub(in crate::budgets::allowances) fn record_kept_start(
        &self,
        store: &Store,
        start: &Start,
        id: &JobId,
    ) -> Result<bool, Error> {
        let hour = self.count_hour(start.counted.as_ref())?;
        let known = match self.put_start(store, start, id, true)? {
            Begun::Now(_) => return Ok(true),
            Begun::Full(..) => return Err(learning("job", id.job.as_str())),
            Begun::Known(known) => known,
        };
        self.give_back_hour(hour.as_ref())?;
        if known.is_none_or(|job| job.stage != JobStage::EndedFirst) {
            return Ok(false);
        }
        // Its end was reported first. Then it only counts as one more job of the day.
        let agent = self.agents.account(&id.agent)?;
        let jobs = self.limit_in(&agent, JOBS)?;
        let given = store.fact(Fact {
            id: FACTS.id(&name_of(id)),
            seen: Fact::ANY,
            keep: self.remembered(),
            change: Change::Remove(vec![Moved::booked(jobs, 1)]),
        })?;
        Ok(given.changed)
    }

    fn put_start(
        &self,
        store: &Store,
        start: &Start,
        id: &JobId,
        anyway: bool,
    ) -> Result<Begun, Error> {
        let now = self.now().wall_ns;
        let text = |key: &Option<Key>| key.as_ref().map(|key| key.as_str().to_owned());
        let longest = self.longest(&start.agent);
        let due = longest.map(|longest| i64::try_from(longest.as_nanos()).unwrap_or(i64::MAX));
        let job = KeptJob {
            agent: id.agent.as_str().to_owned(),
            job: id.job.as_str().to_owned(),
            model: text(&start.model),
            counted: text(&start.counted),
            repo: text(&start.repo),
            tokens: start.tokens,
            day: day_of(now),
            due_ns: due.map(|due| now.saturating_add(due)),
            stage: JobStage::Runs,
        };
        let holds = self.holds(start)?;
        let moved = holds.iter().map(|(_, _, moved)| Moved { anyway, ..*moved }).collect();
        let change = Change::Put(written(&job)?, moved);
        let name = name_of(id);
        let fact = Fact { id: FACTS.id(&name), seen: 0, keep: u64::MAX, change };
        let given: FactGiven = store.fact(fact)?;
        if given.changed {
            let mut mine = self.mine.lock();
            if mine.len() >= KNOWN {
                // Others may have ended them. One that runs is read again at its end.
                mine.clear();
            }
            mine.insert(id.clone(), (job.clone(), given.version));
            return Ok(Begun::Now(job.named()));
        }
        match given.lacks.and_then(|at| holds.into_iter().nth(usize::try_from(at).ok()?)) {
            Some((account, meter, _)) => Ok(Begun::Full(account, meter)),
            None if given.version > 0 => Ok(Begun::Known(FACTS.value(&name, &given)?)),
            None => Err(learning("job", id.job.as_str())),
        }
    }

    /// What a job holds, in base: the accounts, their meters, and the amounts.
    fn holds(&self, start: &Start) -> Result<Vec<(Arc<Account>, MeterIndex, Moved)>, Error> {
        let agent = self.agents.account(&start.agent)?;
        let mut holds = Vec::new();
        let mut hold = |account: &Arc<Account>, meter, amount| {
            let moved = Moved::add(self.limit_in(account, meter)?, amount);
            holds.push((Arc::clone(account), meter, moved));
            Ok::<(), Error>(())
        };
        for (meter, amount) in [(TOKENS, start.tokens), (JOBS, 1), (SLOTS, 1)] {
            hold(&agent, meter, amount)?;
        }
        // What it only passes is named too, so that its figures are heard.
        if let Some(model) = &start.counted {
            let model = self.models.account(model)?;
            for (meter, amount) in [(TOKENS, start.tokens), (REQUESTS, 0), (COST, 0)] {
                hold(&model, meter, amount)?;
            }
        }
        if let Some(repo) = start.repo.as_ref().and_then(|repo| self.repos.find(repo)) {
            hold(&repo, PULL_REQUESTS, 0)?;
            hold(&repo, ISSUES, 0)?;
        }
        Ok(holds)
    }

    /// Passes what a job only passes and does not hold: the repository, the cost of its model, and the
    /// jobs of an hour, of which it counts as one. Returns where that was counted.
    fn pass_gates(&self, store: &Store, start: &Start) -> Result<Option<Arc<Account>>, Error> {
        // If it has no tokens it holds nothing that the store would refuse.
        if start.tokens == 0
            && let Some(refused) = self.refusal_of(store, start, &[Demand::new(TOKENS, 0)])?
        {
            return Err(refused);
        }
        let model = start.counted.as_ref().map(|model| self.models.account(model)).transpose()?;
        let repo = start.repo.as_ref().map(|repo| self.repos.known(repo)).transpose()?.flatten();
        for account in model.iter().chain(&repo) {
            if !is_heard(account)? {
                look(store, account)?;
            }
        }
        let demands = smallvec![Demand::new(REQUESTS, 1), Demand::new(COST, 0)];
        let ask = |account| Ask { terms: Terms::Gated, ..Ask::new(account, demands) };
        let asks = model.as_ref().map(ask).into_iter().collect();
        self.with_repo(start, asks, |asks| {
            if asks.is_empty() {
                return Ok(());
            }
            charge(asks)
        })?;
        Ok(model)
    }

    /// Why the allowance of its agent refuses a job, if it does.
    fn agent_refuses(&self, store: &Store, start: &Start) -> Result<Option<Error>, Error> {
        let demands = [(TOKENS, start.tokens), (JOBS, 1), (SLOTS, 1)];
        self.refusal_of(store, start, &demands.map(|(meter, amount)| Demand::new(meter, amount)))
    }

    fn refusal_of(
        &self,
        store: &Store,
        start: &Start,
        demands: &[Demand],
    ) -> Result<Option<Error>, Error> {
        let agent = self.agents.account(&start.agent)?;
        look(store, &agent)?;
        agent.known_refusal(demands, Terms::Gated)
    }

    fn give_back_hour(&self, model: Option<&Arc<Account>>) -> Result<(), Error> {
        let Some(account) = model else { return Ok(()) };
        account.adjust(|meters, now| {
            if let Window::Sliding(hour) = meters[usize::from(REQUESTS)].window_mut() {
                hour.remove(1, now.tick);
            }
        })
    }

    /// The same beginning as a report says it.
    pub(in crate::budgets::allowances) fn start_of(
        &self,
        report: &UsageReport,
    ) -> Result<(Start, JobId), Error> {
        let start = self.start(&report.agent_id, &report.model, None, report.tokens())?;
        Ok((start, JobId::parse(&report.agent_id, &report.job_id)?))
    }
}

/// Whether the store has said anything of the shared limits of an account.
fn is_heard(account: &Account) -> Result<bool, Error> {
    account.read(|meters, _| {
        meters.iter().filter_map(Meter::share).all(|share| share.others().most.is_some())
    })
}
