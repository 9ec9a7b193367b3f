//! A batch of changes that is written in one transaction, and the format of its rows.

use crate::oauth::token::TokenDigest;
use crate::store::journal::usage::UsageRow;
use crate::store::token_store::RowChange;
use crate::store::used_name::UsedName;

/// The kinds of rows. The number of a kind is never reused for another kind.
pub(super) const ISSUED: u8 = 1;
pub(super) const REVOKED: u8 = 2;
pub(super) const EPOCH: u8 = 3;
pub(super) const USED: u8 = 4;

/// The length of the checksum before every blob. It is the CRC-32 of the kind of the row, of the time from
/// its base until it has no effect any more, and of the rest of the blob.
const CHECKSUM: usize = 4;
/// The kind of a grant in its checksum. Grants are in a table of their own.
const GRANT: u8 = 0;
/// The bytes of a token: its digest, its grant, and when it was issued after the base of the row.
pub(super) const ISSUED_SIZE: usize = 28;
/// The bytes of a revocation: the digest of the token.
pub(super) const REVOKED_SIZE: usize = 16;
/// The bytes of a used name: its digest, and how long it is remembered after the base of the row.
pub(super) const USED_SIZE: usize = 20;

/// A token that was issued. Times are milliseconds since the start of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Issued {
    pub(super) token: TokenDigest,
    pub(super) grant: u64,
    pub(super) issued: i64,
    pub(super) expires: i64,
}

/// The grant of tokens, stored as long as one of them is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GrantRow {
    pub(super) id: u64,
    pub(super) until: i64,
    pub(super) bytes: Vec<u8>,
}

/// The end of an epoch of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Epoch {
    pub(super) client: String,
    pub(super) epoch: u32,
    pub(super) until: i64,
}

/// The registration that the tokens of a client depend on. `None` removes the registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientRow {
    pub(super) client: String,
    pub(super) registration: Option<Vec<u8>>,
}

/// A batch of changes that is written in one transaction.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) grants: Vec<GrantRow>,
    /// The numbers of grants that have ended. They are deleted after `grants` is written.
    pub(super) ended: Vec<u64>,
    pub(super) clients: Vec<ClientRow>,
    pub(super) issued: Vec<Issued>,
    pub(super) revoked: Vec<(TokenDigest, i64)>,
    pub(super) epochs: Vec<Epoch>,
    pub(super) used: Vec<(UsedName, i64)>,
    pub(super) usage: Vec<UsageRow>,
    /// Changes of the table of registered clients.
    pub(super) registered: Vec<RowChange>,
}

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) kind: u8,
    /// The moment that the times in the blob count from.
    pub(super) base: i64,
    /// The time from which the row has no effect and can be deleted.
    pub(super) until: i64,
    pub(super) blob: Vec<u8>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        let Self { grants, ended, clients, issued, revoked, epochs, used, usage, registered } = self;
        grants.is_empty()
            && ended.is_empty()
            && clients.is_empty()
            && issued.is_empty()
            && revoked.is_empty()
            && epochs.is_empty()
            && used.is_empty()
            && usage.is_empty()
            && registered.is_empty()
    }

    pub(super) fn append(&mut self, mut later: Self) {
        self.grants.append(&mut later.grants);
        self.ended.append(&mut later.ended);
        self.clients.append(&mut later.clients);
        self.issued.append(&mut later.issued);
        self.revoked.append(&mut later.revoked);
        self.epochs.append(&mut later.epochs);
        self.used.append(&mut later.used);
        self.usage.append(&mut later.usage);
        self.registered.append(&mut later.registered);
    }

    /// Makes the rows: tokens first, because a token in the same batch may be revoked in it.
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let base = self.issued.iter().map(|token| token.issued).min();
        if let Some(base) = base {
            let until = self.issued.iter().map(|token| token.expires).max().unwrap_or(base);
            let mut blob = begin(self.issued.len() * ISSUED_SIZE);
            for Issued { token, grant, issued, .. } in &self.issued {
                blob.extend_from_slice(&token.to_bytes());
                blob.extend_from_slice(&grant.to_be_bytes());
                blob.extend_from_slice(&offset(*issued, base));
            }
            rows.push(Row::new(ISSUED, base, until, blob));
        }
        if let Some(until) = self.revoked.iter().map(|(_, until)| *until).max() {
            let mut blob = begin(self.revoked.len() * REVOKED_SIZE);
            self.revoked.iter().for_each(|(token, _)| blob.extend_from_slice(&token.to_bytes()));
            rows.push(Row::new(REVOKED, 0, until, blob));
        }
        for Epoch { client, epoch, until } in &self.epochs {
            let mut blob = begin(4 + client.len());
            blob.extend_from_slice(&epoch.to_be_bytes());
            blob.extend_from_slice(client.as_bytes());
            rows.push(Row::new(EPOCH, 0, *until, blob));
        }
        let ends = || self.used.iter().map(|(_, until)| *until);
        if let (Some(base), Some(until)) = (ends().min(), ends().max()) {
            let mut blob = begin(self.used.len() * USED_SIZE);
            for (name, until) in &self.used {
                blob.extend_from_slice(&name.to_bytes());
                blob.extend_from_slice(&offset(*until, base));
            }
            rows.push(Row::new(USED, base, until, blob));
        }
        rows
    }
}

impl Row {
    /// Makes a row from a blob that [`begin`] has begun.
    fn new(kind: u8, base: i64, until: i64, mut blob: Vec<u8>) -> Self {
        let checksum = checksum(kind, until.wrapping_sub(base), &blob[CHECKSUM..]);
        blob[..CHECKSUM].copy_from_slice(&checksum);
        Self { kind, base, until, blob }
    }
}

impl GrantRow {
    /// Returns the blob of the row.
    pub(super) fn blob(&self) -> Vec<u8> {
        let mut blob = checksum(GRANT, self.id.cast_signed(), &self.bytes).to_vec();
        blob.extend_from_slice(&self.bytes);
        blob
    }
}

fn offset(time: i64, base: i64) -> [u8; 4] {
    u32::try_from(time - base).unwrap_or(u32::MAX).to_be_bytes()
}

fn begin(size: usize) -> Vec<u8> {
    let mut blob = Vec::with_capacity(CHECKSUM + size);
    blob.extend_from_slice(&[0; CHECKSUM]);
    blob
}

fn checksum(kind: u8, number: i64, content: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(&number.to_be_bytes());
    hasher.update(content);
    hasher.finalize().to_be_bytes()
}

/// Returns the stored form of a grant, or `None` if the checksum of its blob does not match.
pub(super) fn open_grant(id: u64, blob: &[u8]) -> Option<&[u8]> {
    let (sum, bytes) = blob.split_at_checked(CHECKSUM)?;
    (sum == checksum(GRANT, id.cast_signed(), bytes)).then_some(bytes)
}

/// Returns the content of a blob, or `None` if its checksum does not match.
pub(super) fn open(kind: u8, base: i64, until: i64, blob: &[u8]) -> Option<&[u8]> {
    let (sum, content) = blob.split_at_checked(CHECKSUM)?;
    let size = match kind {
        ISSUED => ISSUED_SIZE,
        REVOKED => REVOKED_SIZE,
        USED => USED_SIZE,
        EPOCH => 1,
        _ => return None,
    };
    (sum == checksum(kind, until.wrapping_sub(base), content) && content.len().is_multiple_of(size))
        .then_some(content)
}

/// Iterates over the tokens of a row: digest, grant, and when each was issued.
pub(super) fn issued(content: &[u8], base: i64) -> impl Iterator<Item = (TokenDigest, u64, i64)> {
    content.as_chunks::<ISSUED_SIZE>().0.iter().map(move |entry| {
        let grant = u64::from_be_bytes(std::array::from_fn(|at| entry[16 + at]));
        (digest(entry), grant, base + after(entry, 24))
    })
}

/// Iterates over the revoked tokens of a row.
pub(super) fn revoked(content: &[u8]) -> impl Iterator<Item = TokenDigest> {
    content.as_chunks::<REVOKED_SIZE>().0.iter().map(|entry| TokenDigest::from_bytes(*entry))
}

/// Iterates over the used names of a row, each with the time until which it is remembered.
pub(super) fn used(content: &[u8], base: i64) -> impl Iterator<Item = (UsedName, i64)> {
    content.as_chunks::<USED_SIZE>().0.iter().map(move |entry| {
        (UsedName::from_bytes(std::array::from_fn(|at| entry[at])), base + after(entry, 16))
    })
}

/// Returns the client and the epoch of a row.
pub(super) fn epoch(content: &[u8]) -> Option<(&str, u32)> {
    let (epoch, client) = content.split_first_chunk()?;
    Some((std::str::from_utf8(client).ok()?, u32::from_be_bytes(*epoch)))
}

fn digest(entry: &[u8; ISSUED_SIZE]) -> TokenDigest {
    TokenDigest::from_bytes(std::array::from_fn(|at| entry[at]))
}

fn after(entry: &[u8], at: usize) -> i64 {
    u32::from_be_bytes(std::array::from_fn(|byte| entry[at + byte])).into()
}

/// Returns the blob of a row of an earlier version of the format with the checksum of this one, or `None` if
/// its own checksum does not match.
pub(super) fn renew(kind: u8, base: i64, until: i64, blob: &[u8]) -> Option<Vec<u8>> {
    let (sum, content) = blob.split_at_checked(CHECKSUM)?;
    let mut earlier = crc32fast::Hasher::new();
    earlier.update(&[kind]);
    earlier.update(content);
    (sum == earlier.finalize().to_be_bytes()).then(|| Row::new(kind, base, until, blob.to_vec()).blob)
}
