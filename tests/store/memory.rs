//! The rows of a store in memory. A clone is a copy that lags.

use std::collections::BTreeMap;
use std::convert::Infallible;

use outlay::Era;
use outlay::store::{
    EraRow, FactId, FactRow, HolderId, HolderRow, LimitId, LimitRow, Rows, ShareRow, StoreRow,
};

type Shares = Vec<(HolderId, ShareRow)>;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Memory {
    pub(crate) store: Option<StoreRow>,
    pub(crate) holders: BTreeMap<HolderId, HolderRow>,
    pub(crate) limits: BTreeMap<LimitId, LimitRow>,
    pub(crate) eras: BTreeMap<(LimitId, Era), (EraRow, Shares)>,
    pub(crate) facts: BTreeMap<FactId, FactRow>,
}

impl Rows for Memory {
    type Fault = Infallible;

    fn store(&mut self) -> Result<Option<StoreRow>, Infallible> {
        Ok(self.store)
    }

    fn put_store(&mut self, row: StoreRow) -> Result<(), Infallible> {
        self.store = Some(row);
        Ok(())
    }

    fn holder(&mut self, id: HolderId) -> Result<Option<HolderRow>, Infallible> {
        Ok(self.holders.get(&id).copied())
    }

    fn put_holder(&mut self, id: HolderId, row: HolderRow) -> Result<(), Infallible> {
        self.holders.insert(id, row);
        Ok(())
    }

    fn live(&mut self, time: i64) -> Result<u32, Infallible> {
        let live = self.holders.values().filter(|row| row.heard > time).count();
        Ok(u32::try_from(live).unwrap())
    }

    fn drop_holders(&mut self, time: i64) -> Result<(), Infallible> {
        let eras = &self.eras;
        let has = |id: &HolderId| {
            eras.values().any(|(_, shares)| shares.iter().any(|(own, _)| own == id))
        };
        self.holders.retain(|id, row| row.heard >= time || has(id));
        Ok(())
    }

    fn limit(&mut self, id: LimitId) -> Result<Option<LimitRow>, Infallible> {
        Ok(self.limits.get(&id).copied())
    }

    fn put_limit(&mut self, id: LimitId, row: LimitRow) -> Result<(), Infallible> {
        self.limits.insert(id, row);
        Ok(())
    }

    fn era(&mut self, limit: LimitId, era: Era) -> Result<Option<EraRow>, Infallible> {
        Ok(self.eras.get(&(limit, era)).map(|(row, _)| *row))
    }

    fn put_era(&mut self, limit: LimitId, era: Era, row: EraRow) -> Result<(), Infallible> {
        self.eras.entry((limit, era)).or_default().0 = row;
        Ok(())
    }

    fn drop_eras(&mut self, limit: LimitId, time: i64) -> Result<(), Infallible> {
        self.eras.retain(|(id, _), (row, _)| *id != limit || row.ends >= time);
        Ok(())
    }

    fn shares(
        &mut self,
        limit: LimitId,
        era: Era,
        each: &mut dyn FnMut(HolderId, &ShareRow),
    ) -> Result<(), Infallible> {
        for (holder, row) in self.eras.get(&(limit, era)).iter().flat_map(|(_, shares)| shares) {
            each(*holder, row);
        }
        Ok(())
    }

    fn share(
        &mut self,
        limit: LimitId,
        era: Era,
        holder: HolderId,
    ) -> Result<Option<ShareRow>, Infallible> {
        let shares = self.eras.get(&(limit, era));
        let own = shares.and_then(|(_, shares)| shares.iter().find(|(id, _)| *id == holder));
        Ok(own.map(|(_, row)| *row))
    }

    fn put_share(
        &mut self,
        limit: LimitId,
        era: Era,
        holder: HolderId,
        row: ShareRow,
    ) -> Result<(), Infallible> {
        let shares = &mut self.eras.entry((limit, era)).or_default().1;
        match shares.binary_search_by_key(&holder, |(id, _)| *id) {
            Ok(at) => shares[at].1 = row,
            Err(at) => shares.insert(at, (holder, row)),
        }
        Ok(())
    }

    fn drop_share(&mut self, limit: LimitId, era: Era, holder: HolderId) -> Result<(), Infallible> {
        if let Some((_, shares)) = self.eras.get_mut(&(limit, era)) {
            shares.retain(|(id, _)| *id != holder);
        }
        Ok(())
    }

    fn fact(&mut self, id: FactId) -> Result<Option<FactRow>, Infallible> {
        Ok(self.facts.get(&id).cloned())
    }

    fn put_fact(&mut self, id: FactId, row: FactRow) -> Result<(), Infallible> {
        self.facts.insert(id, row);
        Ok(())
    }

    fn facts(
        &mut self,
        id: FactId,
        each: &mut dyn FnMut(FactId, FactRow),
    ) -> Result<(), Infallible> {
        let (first, last) = id.group();
        let facts = self.facts.range(first..=last).filter(|(_, row)| !row.value.is_empty());
        facts.for_each(|(id, row)| each(*id, row.clone()));
        Ok(())
    }

    fn drop_facts(&mut self, time: i64) -> Result<(), Infallible> {
        self.facts.retain(|_, row| row.until >= time);
        Ok(())
    }
}
