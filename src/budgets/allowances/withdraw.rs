//! Withdraws a job that began here and could not be recorded elsewhere.

use super::accounts::{JOBS, REQUESTS};
use super::job::JobId;
use super::service::AllowanceService;
use crate::accounting::Window;
use crate::ledger::{Error, Heritable};

impl AllowanceService {
    /// Withdraws a job that has just begun: its holds, its counts and its id. Returns false if no
    /// such job runs.
    ///
    /// ```
    /// use outlay::{AgentAllowance, AllowanceService, Clock};
    /// let service = AllowanceService::new(Clock::System);
    /// let allowance = AgentAllowance { agent_id: "a".into(), ..AgentAllowance::default() };
    /// service.set_allowance(allowance)?;
    /// service.start_job("a", "j", "", None, 400)?;
    /// assert!(service.withdraw_job("a", "j")?);
    /// assert_eq!(service.usage("a")?.jobs_started, 0);
    /// service.start_job("a", "j", "", None, 400)?; // as if it had never begun
    /// # Ok::<(), outlay::Error>(())
    /// ```
    pub fn withdraw_job(&self, agent_id: &str, job_id: &str) -> Result<bool, Error> {
        let id = JobId::parse(agent_id, job_id)?;
        let service = self.here()?;
        let job = service.jobs.lock().forget(&id);
        let Some(job) = job else { return Ok(false) };
        match job.lease.release() {
            Err(Error::Lease(_)) | Ok(()) => {} // It may have run out already. Then it stays charged.
            Err(error) => return Err(error),
        }
        let agent = service.agents.account(&id.agent)?;
        agent.adjust(|meters, _| meters[usize::from(JOBS)].give_back(1))?;
        if let Some(model) = job.counted.and_then(|model| service.models.find(&model)) {
            model.adjust(|meters, now| {
                if let Window::Sliding(hour) = meters[usize::from(REQUESTS)].window_mut() {
                    hour.remove(1, now.tick);
                }
            })?;
        }
        Ok(true)
    }
}
