//! What the processes of a store agree on beside amounts: workflows, jobs, settings.
//!
//! A fact has an address, and a value that is JSON. All facts of a group can be listed.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::accounting::Meter;
use crate::ledger::{Account, Error, StoreError};
use crate::store::{Change, Fact, FactGiven, FactId, LimitId, LimitName, Moved, Store};

/// The facts of one kind, of one owner.
#[derive(Clone, Copy, Debug)]
pub(super) struct FactGroup<'a> {
    /// What they say: "workflow", "job", "budget", ...
    pub(super) kind: &'a str,
    /// Whose they are. Empty: they are all of their kind.
    pub(super) owner: &'a str,
}

/// The value of a fact. It has the name of its fact, because addresses are hashes.
pub(super) trait FactValue: Serialize + DeserializeOwned {
    /// The name.
    fn name(&self) -> Cow<'_, str>;
}

impl FactGroup<'_> {
    /// The address of one of them.
    pub(super) fn id(&self, name: &str) -> FactId {
        let Self { kind, owner } = *self;
        let group = LimitName { class: kind, id: owner, unit: "facts", parts: &[] }.number();
        let of = [("of", owner)];
        let fact = LimitName { class: kind, id: name, unit: "fact", parts: &of }.number();
        FactId::of(group, fact)
    }

    /// What stands of one of them, with its version.
    pub(super) fn read<T: FactValue>(
        &self,
        store: &Store,
        name: &str,
        keep: u64,
    ) -> Result<Option<(T, u64)>, Error> {
        let given = store.fact(Fact { keep, ..Fact::read(self.id(name)) })?;
        Ok(self.value(name, &given)?.map(|value| (value, given.version)))
    }

    /// The value in force, if there is one.
    pub(super) fn value<T: FactValue>(
        &self,
        name: &str,
        given: &FactGiven,
    ) -> Result<Option<T>, Error> {
        if !given.stands() {
            return Ok(None);
        }
        let value: T = self.parsed(&given.value)?;
        if value.name() == name {
            return Ok(Some(value));
        }
        Err(Error::Conflict(format!(
            "the {} {name:?} has the same hash as {:?} in the store: use another id",
            self.kind,
            value.name()
        )))
    }

    /// All of them, in the order of their names.
    pub(super) fn all<T: FactValue>(&self, store: &Store) -> Result<Vec<(T, u64)>, Error> {
        let facts = store.facts(self.id(""))?;
        let read = |(_, given): &(FactId, FactGiven)| {
            self.parsed(&given.value).map(|value: T| (value, given.version))
        };
        let mut all = facts.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        all.sort_by(|(one, _), (other, _)| one.name().cmp(&other.name()));
        Ok(all)
    }

    fn parsed<T: FactValue>(&self, value: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(value).map_err(|error| {
            let found = String::from_utf8_lossy(value);
            let problem = format!("a {} in the store cannot be read: {error}: {found}", self.kind);
            StoreError::Corrupt(problem).into()
        })
    }
}

/// A value as it is kept.
pub(super) fn written(value: &impl FactValue) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| {
        StoreError::Unavailable(format!("a fact cannot be written: {error}")).into()
    })
}

/// The limits of an account's shared meters, by the numbers of the meters.
pub(super) fn limits_of(account: &Account) -> Result<Vec<Option<LimitId>>, Error> {
    account.read(|meters, _| meters.iter().map(|meter| meter.shared_limit().map(LimitId)).collect())
}

/// Hears what stands of all limits of an account.
pub(super) fn look(store: &Store, account: &Account) -> Result<(), Error> {
    let limits: Vec<u128> =
        account.read(|meters, _| meters.iter().filter_map(Meter::shared_limit).collect())?;
    store.hear(&limits)
}

/// Sets a fact, whatever it was, with the limits that it means. The latest stands.
pub(super) fn put(
    store: &Store,
    (id, keep): (FactId, u64),
    value: &impl FactValue,
    moved: Vec<Moved>,
) -> Result<(), Error> {
    let change = Change::Put(written(value)?, moved);
    let given = store.fact(Fact { id, seen: Fact::ANY, keep, change })?;
    if given.changed { Ok(()) } else { Err(learning("setting", &value.name())) }
}

/// A store grants and changes nothing while it learns what it has forgotten.
pub(super) fn learning(kind: &str, name: &str) -> Error {
    let problem = format!(
        "the {kind} {name:?} was not changed: the store learns what it has forgotten; try again \
         when it has"
    );
    StoreError::Unavailable(problem).into()
}
