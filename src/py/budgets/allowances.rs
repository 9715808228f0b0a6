//! `AllowanceLedger`, which the allowance classes of the package are built on.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::accounting::Invalid;
use crate::budgets::{
    AgentAllowance, AllowanceOptions, AllowanceService, JobRef, ModelQuota, QuotaCheckResult,
    QuotaEvent, RepoAction, RepoLimit, UsageReport,
};
use crate::py::args;
use crate::py::store::given;

#[doc = stub!("AllowanceLedger")]
#[pyclass(module = "outlay._core", name = "AllowanceLedger", frozen, weakref)]
pub(crate) struct PyAllowanceLedger(Arc<AllowanceService>);

impl PyAllowanceLedger {
    /// The allowances of a guard.
    pub(super) fn of(service: &Arc<AllowanceService>) -> Self {
        Self(Arc::clone(service))
    }
}

/// Whether it is allowed, the status, the remaining tokens and jobs (-1 for no limit), and the
/// reason.
type Checked = (bool, &'static str, i128, i128, String);
/// The limits of tokens, jobs and concurrent jobs; the maximum duration of a job in seconds; the
/// models.
type Set = ((u64, u64, u64), f64, Vec<String>);
/// The agent, job, model, repository and deadline of an overdue job.
type Overdue = (String, String, String, Option<String>, i64);
/// Jobs, total tokens, tokens that come back, whether a running job ends, and the model.
type Previewed = (u64, u64, u64, bool, String);

#[pymethods]
impl PyAllowanceLedger {
    #[new]
    #[pyo3(signature = (*, clock = None, store = None))]
    fn new(clock: Option<&Bound<'_, PyAny>>, store: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let (store, clock) = given(store, clock)?;
        Ok(Self(Arc::new(AllowanceService::with(AllowanceOptions { clock, store })?)))
    }

    #[doc = stub!("AllowanceLedger.set_allowance")]
    fn set_allowance(
        &self,
        agent_id: &Bound<'_, PyAny>,
        daily_token_limit: &Bound<'_, PyAny>,
        daily_job_limit: &Bound<'_, PyAny>,
        concurrent_jobs: &Bound<'_, PyAny>,
        max_job_duration: Option<&Bound<'_, PyAny>>,
        model_allowlist: Vec<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let models = model_allowlist.iter().map(|model| id(model, "model_allowlist"));
        Ok(self.0.set_allowance(AgentAllowance {
            agent_id: id(agent_id, "agent_id")?,
            daily_token_limit: args::amount(daily_token_limit, "daily_token_limit")?,
            daily_job_limit: args::amount(daily_job_limit, "daily_job_limit")?,
            concurrent_jobs: args::amount(concurrent_jobs, "concurrent_jobs")?,
            max_job_duration: args::duration_or_none(max_job_duration, "max_job_duration")?,
            model_allowlist: models.collect::<PyResult<_>>()?,
        })?)
    }

    #[doc = stub!("AllowanceLedger.set_model_quota")]
    fn set_model_quota(
        &self,
        model: &Bound<'_, PyAny>,
        daily_token_budget: &Bound<'_, PyAny>,
        hourly_rate_limit: &Bound<'_, PyAny>,
        cost_ceiling_micros_usd: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let cost = args::amount(cost_ceiling_micros_usd, "cost_ceiling_micros_usd")?;
        Ok(self.0.set_model_quota(ModelQuota {
            model: id(model, "model")?,
            daily_token_budget: args::amount(daily_token_budget, "daily_token_budget")?,
            hourly_rate_limit: args::amount(hourly_rate_limit, "hourly_rate_limit")?,
            cost_ceiling_micros_usd: cost,
        })?)
    }

    #[doc = stub!("AllowanceLedger.set_repo_limit")]
    fn set_repo_limit(
        &self,
        repo: &Bound<'_, PyAny>,
        max_daily_prs: &Bound<'_, PyAny>,
        max_daily_issues: &Bound<'_, PyAny>,
        cooldown_after_failure: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let cooldown = args::duration_or_none(cooldown_after_failure, "cooldown_after_failure");
        Ok(self.0.set_repo_limit(RepoLimit {
            repo: id(repo, "repo")?,
            max_daily_prs: args::amount(max_daily_prs, "max_daily_prs")?,
            max_daily_issues: args::amount(max_daily_issues, "max_daily_issues")?,
            cooldown_after_failure: cooldown?,
        })?)
    }

    #[doc = stub!("AllowanceLedger.allowance")]
    fn allowance(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<Option<Set>> {
        let set = self.0.allowance(&id(agent_id, "agent_id")?)?;
        Ok(set.map(|set| {
            let longest = set.max_job_duration.as_secs_f64();
            let limits = (set.daily_token_limit, set.daily_job_limit, set.concurrent_jobs);
            (limits, longest, set.model_allowlist)
        }))
    }

    #[doc = stub!("AllowanceLedger.model_quota")]
    fn model_quota(&self, model: &Bound<'_, PyAny>) -> PyResult<Option<(u64, u64, u64)>> {
        let set = self.0.model_quota(&id(model, "model")?)?;
        Ok(set.map(|set| {
            (set.daily_token_budget, set.hourly_rate_limit, set.cost_ceiling_micros_usd)
        }))
    }

    #[doc = stub!("AllowanceLedger.is_configured")]
    fn is_configured(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.0.is_configured(&id(agent_id, "agent_id")?)?)
    }

    #[doc = stub!("AllowanceLedger.usage")]
    fn usage(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<(u64, u64, u64, i64)> {
        let used = self.0.usage(&id(agent_id, "agent_id")?)?;
        Ok((used.tokens_used, used.jobs_started, used.active_jobs, used.period_start_ns))
    }

    #[doc = stub!("AllowanceLedger.model_usage")]
    fn model_usage(&self, model: &Bound<'_, PyAny>) -> PyResult<u64> {
        Ok(self.0.model_usage(&id(model, "model")?)?)
    }

    #[doc = stub!("AllowanceLedger.check")]
    fn check(
        &self,
        agent_id: &Bound<'_, PyAny>,
        model: &Bound<'_, PyAny>,
        repo: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Checked> {
        let (agent, model, repo) =
            (id(agent_id, "agent_id")?, id_or_empty(model, "model")?, id_or_none(repo, "repo")?);
        Ok(checked(self.0.check(&agent, &model, repo.as_deref())?))
    }

    #[doc = stub!("AllowanceLedger.start_job")]
    fn start_job(
        &self,
        agent_id: &Bound<'_, PyAny>,
        job_id: &Bound<'_, PyAny>,
        model: &Bound<'_, PyAny>,
        repo: Option<&Bound<'_, PyAny>>,
        estimated_tokens: &Bound<'_, PyAny>,
    ) -> PyResult<Option<i64>> {
        let (agent, job) = (id(agent_id, "agent_id")?, id(job_id, "job_id")?);
        let (model, repo) = (id_or_empty(model, "model")?, id_or_none(repo, "repo")?);
        let tokens = args::amount(estimated_tokens, "estimated_tokens")?;
        Ok(self.0.start_job(&agent, &job, &model, repo.as_deref(), tokens)?.deadline_ns)
    }

    #[doc = stub!("AllowanceLedger.withdraw_job")]
    fn withdraw_job(
        &self,
        agent_id: &Bound<'_, PyAny>,
        job_id: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        Ok(self.0.withdraw_job(&id(agent_id, "agent_id")?, &id(job_id, "job_id")?)?)
    }

    #[doc = stub!("AllowanceLedger.record")]
    #[expect(clippy::too_many_arguments, reason = "the fields of a report")]
    fn record(
        &self,
        agent_id: &Bound<'_, PyAny>,
        job_id: &Bound<'_, PyAny>,
        event: &Bound<'_, PyAny>,
        model: &Bound<'_, PyAny>,
        tokens_in: &Bound<'_, PyAny>,
        tokens_out: &Bound<'_, PyAny>,
        cost_micros_usd: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let report = report([agent_id, job_id, event, model], [tokens_in, tokens_out])?;
        let cost_micros_usd = args::amount(cost_micros_usd, "cost_micros_usd")?;
        Ok(self.0.record(&UsageReport { cost_micros_usd, ..report })?)
    }

    #[doc = stub!("AllowanceLedger.preview")]
    fn preview(
        &self,
        agent_id: &Bound<'_, PyAny>,
        job_id: &Bound<'_, PyAny>,
        event: &Bound<'_, PyAny>,
        model: &Bound<'_, PyAny>,
        tokens_in: &Bound<'_, PyAny>,
        tokens_out: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Previewed>> {
        let report = report([agent_id, job_id, event, model], [tokens_in, tokens_out])?;
        Ok(self.0.preview(&report)?.map(|preview| {
            let (total, returned) = (preview.tokens_total, preview.tokens_returned);
            (preview.jobs, total, returned, preview.frees_slot, preview.model)
        }))
    }

    #[doc = stub!("AllowanceLedger.overdue")]
    fn overdue(&self) -> PyResult<Vec<Overdue>> {
        let jobs = self.0.overdue()?.into_iter();
        let late = |j: JobRef| Some((j.agent_id, j.job_id, j.model, j.repo, j.deadline_ns?));
        Ok(jobs.filter_map(late).collect())
    }

    #[doc = stub!("AllowanceLedger.reset_agent")]
    fn reset_agent(&self, agent_id: &Bound<'_, PyAny>) -> PyResult<()> {
        Ok(self.0.reset_agent(&id(agent_id, "agent_id")?)?)
    }

    #[doc = stub!("AllowanceLedger.check_repo")]
    fn check_repo(&self, repo: &Bound<'_, PyAny>, action: &Bound<'_, PyAny>) -> PyResult<Checked> {
        Ok(checked(self.0.check_repo(&id(repo, "repo")?, repo_action(action)?)?))
    }

    #[doc = stub!("AllowanceLedger.charge_repo")]
    fn charge_repo(&self, repo: &Bound<'_, PyAny>, action: &Bound<'_, PyAny>) -> PyResult<()> {
        Ok(self.0.charge_repo(&id(repo, "repo")?, repo_action(action)?)?)
    }

    #[doc = stub!("AllowanceLedger.record_failure")]
    fn record_failure(&self, repo: &Bound<'_, PyAny>) -> PyResult<()> {
        Ok(self.0.record_failure(&id(repo, "repo")?)?)
    }

    #[doc = stub!("AllowanceLedger.sync_agent")]
    fn sync_agent(
        &self,
        agent_id: &Bound<'_, PyAny>,
        tokens_used: &Bound<'_, PyAny>,
        jobs_started: &Bound<'_, PyAny>,
        active_elsewhere: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let agent = id(agent_id, "agent_id")?;
        let tokens = args::amount(tokens_used, "tokens_used")?;
        let jobs = args::amount(jobs_started, "jobs_started")?;
        let elsewhere = args::amount(active_elsewhere, "active_elsewhere")?;
        Ok(self.0.sync_agent(&agent, tokens, jobs, elsewhere)?)
    }

    #[doc = stub!("AllowanceLedger.sync_model")]
    fn sync_model(&self, model: &Bound<'_, PyAny>, tokens_used: &Bound<'_, PyAny>) -> PyResult<()> {
        let tokens = args::amount(tokens_used, "tokens_used")?;
        Ok(self.0.sync_model(&id(model, "model")?, tokens)?)
    }

    fn __repr__(&self) -> &'static str {
        "<AllowanceLedger>"
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(args::no_copies("AllowanceLedger"))
    }
}

/// Reads a report of a job, without its cost.
fn report(
    [agent_id, job_id, event, model]: [&Bound<'_, PyAny>; 4],
    [tokens_in, tokens_out]: [&Bound<'_, PyAny>; 2],
) -> PyResult<UsageReport> {
    let named = text_of(event).and_then(QuotaEvent::parse);
    let allowed = || format!("one of {}", QuotaEvent::ALL.map(QuotaEvent::name).join(", "));
    Ok(UsageReport {
        agent_id: id(agent_id, "agent_id")?,
        job_id: id(job_id, "job_id")?,
        event: named.ok_or_else(|| Invalid::policy("event", &allowed()))?,
        model: id_or_empty(model, "model")?,
        tokens_in: args::amount(tokens_in, "tokens_in")?,
        tokens_out: args::amount(tokens_out, "tokens_out")?,
        cost_micros_usd: 0,
    })
}

fn checked(result: QuotaCheckResult) -> Checked {
    let left = [result.remaining_tokens, result.remaining_jobs];
    let [tokens, jobs] = left.map(|left| left.map_or(-1, i128::from));
    (result.allowed, result.status.name(), tokens, jobs, result.reason)
}

fn id(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<String> {
    Ok(args::id(value, argument)?.as_str().to_owned())
}

/// Reads an identifier, or an empty str for none.
fn id_or_empty(value: &Bound<'_, PyAny>, argument: &str) -> PyResult<String> {
    if text_of(value) == Some("") { Ok(String::new()) } else { id(value, argument) }
}

fn id_or_none(value: Option<&Bound<'_, PyAny>>, argument: &str) -> PyResult<Option<String>> {
    value.map(|value| id(value, argument)).transpose()
}

fn repo_action(value: &Bound<'_, PyAny>) -> PyResult<RepoAction> {
    let named = text_of(value).and_then(RepoAction::parse);
    Ok(named.ok_or_else(|| Invalid::policy("action", "\"pr\" or \"issue\""))?)
}

fn text_of<'a>(value: &'a Bound<'_, PyAny>) -> Option<&'a str> {
    value.cast::<PyString>().ok()?.to_str().ok()
}
