//! The allowances of a policy, set in the service of its guard.

use crate::budgets::allowances::AllowanceService;
use crate::budgets::policy::GuardPolicy;
use crate::ledger::Error;

/// Sets the allowances of a policy.
pub(super) fn set_allowances(
    service: &AllowanceService,
    policy: &GuardPolicy,
) -> Result<(), Error> {
    service.set_show(policy.defaults.show);
    for allowance in &policy.allowances {
        service.set_allowance(allowance.clone())?;
    }
    for quota in &policy.model_quotas {
        service.set_model_quota(quota.clone())?;
    }
    for repo in &policy.repos {
        service.set_repo_limit(repo.clone())?;
    }
    let GuardPolicy { each_agent, each_model, each_repo, .. } = policy;
    service.set_each(each_agent.clone(), each_model.clone(), each_repo.clone())
}

/// Removes the allowances that the policy `old` set and `kept` no longer sets.
pub(super) fn take_back_allowances(
    service: &AllowanceService,
    old: &GuardPolicy,
    kept: &GuardPolicy,
) -> Result<(), Error> {
    for gone in &old.allowances {
        if !kept.allowances.iter().any(|other| other.agent_id == gone.agent_id) {
            service.unset_allowance(&gone.agent_id)?;
        }
    }
    for gone in &old.model_quotas {
        if !kept.model_quotas.iter().any(|other| other.model == gone.model) {
            service.unset_model_quota(&gone.model)?;
        }
    }
    for gone in &old.repos {
        if !kept.repos.iter().any(|other| other.repo == gone.repo) {
            service.unset_repo_limit(&gone.repo)?;
        }
    }
    Ok(())
}
