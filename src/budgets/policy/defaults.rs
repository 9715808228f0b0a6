//! Reads `[defaults]` and `[store]`: the settings of rules that say nothing else.

use std::time::Duration;

use super::names::label_name;
use super::node::Node;
use super::prices::read_price;
use super::reader::{Location, Table};
use super::rule::Mode;
use super::scope::{Labels, label};
use super::store::StorePolicy;
use super::words::{MODES, SHOWN, checked_zone, shares};
use crate::accounting::{CostSource, Invalid, Price, Show};
use crate::ledger::{OnError, Policy, Unsettled};

const DEFAULTS: [&str; 14] = [
    "on_unknown_price",
    "fallback_price",
    "cost_source",
    "on_missing_usage",
    "on_cancel",
    "on_error",
    "mode",
    "warn_at",
    "timezone",
    "estimate",
    "output_tokens",
    "keep_runs",
    "require",
    "show",
];
const CHARGE_OR_RELEASE: [(&str, bool); 3] =
    [("charge_estimate", true), ("charge", true), ("release", false)];

/// What happens to a call of a model without a price, if cost is limited.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum UnknownPrice {
    /// It is refused as an error, because its cost is unknown.
    #[default]
    Deny,
    /// It counts $0.
    Zero,
    /// It costs this.
    Fallback(Box<Price>),
}

/// How the integrations estimate what a call may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EstimateMode {
    /// The most that it may use.
    Strict,
    /// What earlier calls of the model have used.
    Expected,
}

impl EstimateMode {
    /// The word of it in a policy.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Expected => "expected",
        }
    }
}

/// The settings of rules that say nothing else.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// What happens to calls without a price.
    pub unknown_price: UnknownPrice,
    /// Which cost of a call is booked, where one was reported with its usage.
    pub cost_source: CostSource,
    /// How abandoned leases end.
    pub leases: Policy,
    /// What happens at a limit.
    pub mode: Mode,
    /// Shares of a limit, in millionths, at which a warning is due.
    pub warn_at: Vec<u64>,
    /// The time zone of calendar windows.
    pub zone: String,
    /// How wraps estimate that do not say it themselves.
    pub estimate: Option<EstimateMode>,
    /// The output tokens to reserve if nothing limits them.
    pub output_tokens: Option<u64>,
    /// How long the counts of an idle run are kept.
    pub keep_runs: Duration,
    /// The labels that every request must have.
    pub require: Vec<String>,
    /// What a model that is refused reads of names and totals.
    pub show: Show,
    /// Where the accounts are kept.
    pub store: StorePolicy,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            unknown_price: UnknownPrice::Deny,
            cost_source: CostSource::Larger,
            leases: Policy::default(),
            mode: Mode::Hard,
            warn_at: Vec::new(),
            zone: "UTC".to_owned(),
            estimate: None,
            output_tokens: None,
            keep_runs: Duration::from_secs(24 * 3_600),
            require: Vec::new(),
            show: Show::Own,
            store: StorePolicy::default(),
        }
    }
}

impl Defaults {
    pub(super) fn read(root: &mut Table<'_>) -> Result<Self, Invalid> {
        let mut defaults = Self::default();
        if let Some((place, node)) = root.take("store") {
            let (store, lease_ttl) = StorePolicy::read(place.table(node)?)?;
            defaults.store = store;
            defaults.leases.lease_ttl = lease_ttl.unwrap_or(defaults.leases.lease_ttl);
        }
        if let Some((place, node)) = root.take("defaults") {
            defaults.read_defaults(place.table(node)?)?;
        }
        Ok(defaults)
    }

    fn read_defaults(&mut self, mut table: Table<'_>) -> Result<(), Invalid> {
        table.only(&DEFAULTS)?;
        let words = [("deny", 0), ("zero", 1), ("fallback", 2)];
        let unknown = table.read("on_unknown_price", |place, node| place.word(node, &words))?;
        let price = table.read("fallback_price", read_price)?;
        let place = table.place.clone();
        self.unknown_price = match (unknown.unwrap_or(0), price) {
            (2, Some(price)) => UnknownPrice::Fallback(Box::new(price)),
            (2, None) => return Err(place.error("\"fallback_price\" is missing")),
            (_, Some(_)) => {
                let needed = "\"fallback_price\" needs on_unknown_price = \"fallback\"";
                return Err(place.error(needed));
            }
            (1, None) => UnknownPrice::Zero,
            (_, None) => UnknownPrice::Deny,
        };
        let words = [CostSource::Larger, CostSource::Provider, CostSource::Computed];
        let words = words.map(|source| (source.name(), source));
        if let Some(source) = table.read("cost_source", |place, node| place.word(node, &words))? {
            self.cost_source = source;
        }
        let mut charges =
            |key: &str| table.read(key, |place, node| place.word(node, &CHARGE_OR_RELEASE));
        let unsettled = |charge| if charge { Unsettled::Charge } else { Unsettled::Release };
        if let Some(charge) = charges("on_missing_usage")? {
            self.leases.unsettled = unsettled(charge);
        }
        if let Some(charge) = charges("on_cancel")? {
            self.leases.on_cancel = unsettled(charge);
        }
        if let Some(charge) = charges("on_error")? {
            self.leases.on_error = if charge { OnError::Charge } else { OnError::Release };
        }
        if let Some(mode) = table.read("mode", |place, node| place.word(node, &MODES))? {
            self.mode = mode;
        }
        if let Some(shares) = table.read("warn_at", shares)? {
            self.warn_at = shares;
        }
        if let Some(zone) = table.read("timezone", |place, node| {
            checked_zone(place, place.text(node)?).map(str::to_owned)
        })? {
            self.zone = zone;
        }
        let words = [("strict", EstimateMode::Strict), ("expected", EstimateMode::Expected)];
        self.estimate = table.read("estimate", |place, node| place.word(node, &words))?;
        self.output_tokens = table.read("output_tokens", Location::whole)?;
        if let Some(keep) = table.read("keep_runs", Location::duration)? {
            self.keep_runs = keep;
        }
        self.require = table.read("require", names)?.unwrap_or_default();
        if let Some(show) = table.read("show", |place, node| place.word(node, &SHOWN))? {
            self.show = show;
        }
        Ok(())
    }

    /// Refuses a request without a required label.
    pub fn check_required(&self, labels: &Labels<'_>) -> Result<(), Invalid> {
        let Some(missing) = self.require.iter().find(|name| label(labels, name).is_none()) else {
            return Ok(());
        };
        let given: Vec<&str> = labels.iter().map(|(name, _)| *name).collect();
        let given = if given.is_empty() { "none".to_owned() } else { given.join(", ") };
        let allowed = format!(
            "given: the policy says [defaults] require = {:?}, and the labels of this request \
             and of the scopes around it are {given}",
            self.require
        );
        Err(Invalid::policy(&format!("the label {missing:?}"), &allowed))
    }
}

/// The names of labels, each of them once.
fn names(place: &Location, node: &Node) -> Result<Vec<String>, Invalid> {
    let mut names = Vec::new();
    for item in place.list(node)? {
        let place = place.inside("[]", item);
        let name = label_name(&place, place.text(item)?)?;
        if names.contains(&name) {
            return Err(place.error(&format!("{name:?} is required twice")));
        }
        names.push(name);
    }
    Ok(names)
}
