//! The naive book: it keeps what happened and adds it up anew for every question.

use std::collections::BTreeMap;

use outlay::QuotaEvent;

pub(crate) const SECOND: u64 = 1_000_000_000;
const DAY: u64 = 86_400;

#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) agent: usize,
    pub(crate) job: usize,
    pub(crate) event: QuotaEvent,
    pub(crate) model: usize,
    pub(crate) tokens: u64,
    pub(crate) cost: u64,
}

struct Running {
    model: usize,
    estimate: u64,
    /// The agent's era and the day in which it began.
    era: (u64, u64),
    due: Option<u64>,
}

/// Agents are 0 and 1, models 1 and 2; 0 is no model. Time is in seconds since 1970.
#[derive(Default)]
pub(crate) struct Naive {
    pub(crate) now: u64,
    resets: [u64; 2],
    /// tokens, jobs, slots, seconds
    pub(crate) allowed: [[u64; 4]; 2],
    /// tokens, requests, cost
    pub(crate) quotas: [[u64; 3]; 3],
    running: BTreeMap<(usize, usize), Running>,
    /// On which day, and whether it was counted as begun.
    ended: BTreeMap<(usize, usize), (u64, bool)>,
    /// Agent, era, tokens, jobs.
    agents: Vec<(usize, (u64, u64), u64, u64)>,
    /// Model, day, tokens.
    models: Vec<(usize, u64, u64)>,
    /// Model, when.
    requests: Vec<(usize, u64)>,
    cost: [u64; 3],
}

impl Naive {
    fn day(&self) -> u64 {
        self.now / DAY
    }

    fn era(&self, agent: usize) -> (u64, u64) {
        (self.day(), self.resets[agent])
    }

    fn is_over(&self, job: &Running) -> bool {
        job.due.is_some_and(|due| due <= self.now)
    }

    /// Tokens used, jobs begun, tokens held and jobs that run.
    pub(crate) fn of_agent(&self, agent: usize) -> [u64; 4] {
        let era = self.era(agent);
        let facts = self.agents.iter().filter(|fact| fact.0 == agent && fact.1 == era);
        let [mut tokens, jobs] =
            facts.fold([0, 0], |[tokens, jobs], fact| [tokens + fact.2, jobs + fact.3]);
        let (mut held, mut slots) = (0, 0);
        for (_, job) in self.running.iter().filter(|((of, _), _)| *of == agent) {
            slots += u64::from(!self.is_over(job));
            match self.is_over(job) {
                _ if job.era != era => {}
                true => tokens += job.estimate,
                false => held += job.estimate,
            }
        }
        [tokens, jobs, held, slots]
    }

    /// Tokens used and held.
    pub(crate) fn of_model(&self, model: usize) -> [u64; 2] {
        let facts = self.models.iter().filter(|fact| (fact.0, fact.1) == (model, self.day()));
        let mut sums = [facts.map(|fact| fact.2).sum(), 0];
        for job in self.running.values() {
            if job.model == model && job.era.0 == self.day() {
                sums[usize::from(!self.is_over(job))] += job.estimate;
            }
        }
        sums
    }

    /// A request counts for an hour and for what is left of its minute. Minutes are counted from
    /// the first request after none did.
    fn requests(&self, model: usize) -> u64 {
        let (mut leaving, mut anchor) = (Vec::new(), 0);
        for &(_, at) in self.requests.iter().filter(|(of, _)| *of == model) {
            if leaving.iter().all(|leaves| *leaves <= at) {
                anchor = at;
            }
            leaving.push(anchor + ((at - anchor).div_ceil(60) + 60) * 60);
        }
        leaving.iter().filter(|leaves| **leaves > self.now).count() as u64
    }

    fn is_known(&self, id: (usize, usize)) -> bool {
        let ended = self.ended.get(&id).is_some_and(|(day, _)| self.day() <= day + 1);
        ended || self.running.contains_key(&id)
    }

    /// Why a job may not begin.
    pub(crate) fn refuses(&self, agent: usize, model: usize, tokens: u64) -> Option<&'static str> {
        let full = |used: u64, asked: u64, limit: u64| {
            limit > 0 && (used >= limit || used + asked > limit)
        };
        let ([used, jobs, held, slots], allowed) = (self.of_agent(agent), self.allowed[agent]);
        let ([of_model, held_of_model], quota) = (self.of_model(model), self.quotas[model]);
        let limits = [
            (full(used + held, tokens, allowed[0]), "daily token limit exceeded"),
            (full(jobs, 1, allowed[1]), "daily job limit exceeded"),
            (full(slots, 1, allowed[2]), "concurrent job limit reached"),
            (
                model > 0 && full(of_model + held_of_model, tokens, quota[0]),
                "global model token budget exceeded",
            ),
            (model > 0 && full(self.requests(model), 1, quota[1]), "hourly rate limit exceeded"),
            (model > 0 && full(self.cost[model], 0, quota[2]), "cost ceiling reached"),
        ];
        limits.into_iter().find(|(full, _)| *full).map(|(_, reason)| reason)
    }

    /// False where something is known of the job.
    pub(crate) fn begin(&mut self, id: (usize, usize), model: usize, estimate: u64) -> bool {
        if self.is_known(id) {
            return false;
        }
        let era = self.era(id.0);
        let seconds = self.allowed[id.0][3];
        let due = (seconds > 0).then_some(self.now + seconds);
        self.running.insert(id, Running { model, estimate, era, due });
        self.ended.remove(&id);
        self.agents.push((id.0, era, 0, 1));
        self.requests.push((model, self.now));
        true
    }

    pub(crate) fn report(&mut self, report: &Report) -> bool {
        let Report { agent, job, event, tokens, .. } = *report;
        let id = (agent, job);
        if event == QuotaEvent::JobStarted {
            let begun = self.begin(id, report.model, tokens);
            let late = self.ended.get_mut(&id).filter(|(_, counted)| !begun && !*counted);
            let Some((_, counted)) = late else { return begun };
            *counted = true;
            self.agents.push((agent, self.era(agent), 0, 1));
            return true;
        }
        let ran = self.running.remove(&id);
        if ran.is_none() && self.is_known(id) {
            return false;
        }
        self.ended.insert(id, (self.day(), ran.is_some()));
        let estimate = ran.as_ref().map_or(0, |ran| ran.estimate);
        let total = if tokens > 0 { tokens } else { estimate };
        let net = match event {
            QuotaEvent::JobFailed => total - total / 2,
            QuotaEvent::JobCancelled => 0,
            _ => total,
        };
        let era = self.era(agent);
        let above = |own: bool| if own { net } else { net.saturating_sub(estimate) };
        self.agents.push((agent, era, above(ran.as_ref().is_none_or(|ran| ran.era == era)), 0));
        let (model, of_model) = match &ran {
            Some(ran) if ran.model > 0 => (ran.model, above(ran.era.0 == era.0)),
            _ => {
                self.requests.push((report.model, self.now));
                (report.model, net)
            }
        };
        self.models.push((model, era.0, of_model));
        self.cost[model] += report.cost;
        true
    }

    pub(crate) fn reset(&mut self, agent: usize) {
        self.resets[agent] += 1;
    }

    /// The jobs that have run for too long, the longest overdue first.
    pub(crate) fn overdue(&self) -> Vec<(usize, usize)> {
        let late = self.running.iter().filter(|(_, job)| self.is_over(job));
        let mut late: Vec<_> = late.map(|(id, job)| (job.due, *id)).collect();
        late.sort_unstable();
        late.into_iter().map(|(_, id)| id).collect()
    }
}
