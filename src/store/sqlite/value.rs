//! How values are kept: ids as 16 bytes, amounts as integers.

use rusqlite::Row;

use super::fault::SqliteFault;
use crate::accounting::Era;
use crate::store::message::{Epoch, LimitId, WindowSpan};

/// An amount as it is kept. What is too large for SQLite is no limit, and stays so.
pub(super) fn kept(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// An amount as it was kept.
pub(super) fn amount(row: &Row<'_>, column: usize) -> Result<u64, SqliteFault> {
    let kept: i64 = row.get(column)?;
    if kept == i64::MAX {
        return Ok(u64::MAX);
    }
    u64::try_from(kept).map_err(|_| bad(row, column, &kept.to_string()))
}

/// 128 bits as they are kept, the highest first: their order is that of the numbers.
pub(super) const fn bytes(id: u128) -> [u8; 16] {
    id.to_be_bytes()
}

pub(super) fn id(row: &Row<'_>, column: usize) -> Result<u128, SqliteFault> {
    Ok(u128::from_be_bytes(row.get(column)?))
}

/// An epoch, of two columns.
pub(super) fn epoch(row: &Row<'_>, column: usize) -> Result<Epoch, SqliteFault> {
    Ok(Epoch { count: amount(row, column)?, id: id(row, column + 1)? })
}

/// An era, of two columns.
pub(super) fn era(row: &Row<'_>, column: usize) -> Result<Era, SqliteFault> {
    Ok(Era { generation: row.get(column)?, begins: row.get(column + 1)? })
}

/// Eras of limits, each in 28 bytes: the limit, the generation, and when it begins.
pub(super) fn kept_eras(eras: &[(LimitId, Era)]) -> Vec<u8> {
    let of = |(limit, era): &(LimitId, Era)| {
        let (limit, generation) = (limit.0.to_be_bytes(), era.generation.to_be_bytes());
        [&limit[..], &generation[..], &era.begins.to_be_bytes()[..]].concat()
    };
    eras.iter().flat_map(of).collect()
}

pub(super) fn eras(row: &Row<'_>, column: usize) -> Result<Vec<(LimitId, Era)>, SqliteFault> {
    let kept: Vec<u8> = row.get(column)?;
    let (eras, rest) = kept.as_chunks::<28>();
    if !rest.is_empty() {
        return Err(bad(row, column, &format!("{} bytes long", kept.len())));
    }
    let of = |bytes: &[u8; 28]| {
        let number = |from: usize, to: usize| {
            bytes[from..to].iter().fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte))
        };
        let generation = u32::try_from(number(16, 20)).unwrap_or(0);
        let begins = u64::try_from(number(20, 28)).unwrap_or(0).cast_signed();
        (LimitId(number(0, 16)), Era { generation, begins })
    };
    Ok(eras.iter().map(of).collect())
}

/// A window, as the two columns that it is kept in.
pub(super) fn columns(span: WindowSpan) -> (i64, i64) {
    match span {
        WindowSpan::Lifetime => (0, 0),
        WindowSpan::Fixed(period) => (1, kept(period)),
        WindowSpan::Calendar => (2, 0),
        WindowSpan::Sliding(period) => (3, kept(period)),
        WindowSpan::Gauge => (4, 0),
    }
}

/// A window, of two columns.
pub(super) fn span(row: &Row<'_>, column: usize) -> Result<WindowSpan, SqliteFault> {
    let kind: i64 = row.get(column)?;
    let period = amount(row, column + 1)?;
    match kind {
        0 => Ok(WindowSpan::Lifetime),
        1 => Ok(WindowSpan::Fixed(period)),
        2 => Ok(WindowSpan::Calendar),
        3 => Ok(WindowSpan::Sliding(period)),
        4 => Ok(WindowSpan::Gauge),
        _ => Err(bad(row, column, &kind.to_string())),
    }
}

fn bad(row: &Row<'_>, column: usize, value: &str) -> SqliteFault {
    let name = row.as_ref().column_name(column).unwrap_or("a column");
    SqliteFault::Row(format!("{name} is {value}"))
}
