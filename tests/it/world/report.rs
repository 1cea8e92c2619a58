//! The report of every row, read back.

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) number: u64,
    pub(crate) line: u64,
    pub(crate) user_id: String,
    pub(crate) matched: String,
    pub(crate) outcome: String,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) attempts: u64,
    pub(crate) changed: String,
}

impl Row {
    /// Reads a report, whose header is exactly the contract and whose rows are counted from 1 without a gap.
    pub(crate) fn all(report: &str) -> Vec<Self> {
        let (header, _) = report.split_once('\n').expect("there is a header");
        assert_eq!(header, "row,line,user_id,match,outcome,code,message,attempts,changed,trace_id");
        let mut reader = csv::Reader::from_reader(report.as_bytes());
        let rows: Vec<Self> = reader.records().map(|record| Self::of(&record.expect("is a record"))).collect();
        let numbers: Vec<u64> = rows.iter().map(|row| row.number).collect();
        assert_eq!(numbers, (1..=rows.len() as u64).collect::<Vec<_>>(), "a row is missing or told twice");
        rows
    }

    fn of(record: &csv::StringRecord) -> Self {
        let number = |n: usize| record[n].parse().expect("is a number");
        let text = |n: usize| record[n].to_owned();
        Self {
            number: number(0),
            line: number(1),
            user_id: text(2),
            matched: text(3),
            outcome: text(4),
            code: text(5),
            message: text(6),
            attempts: number(7),
            changed: text(8),
        }
    }
}

/// The outcomes of rows, in order.
pub(crate) fn outcomes(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.outcome.as_str()).collect()
}

/// How many rows ended so.
pub(crate) fn count(rows: &[Row], outcome: &str) -> usize {
    rows.iter().filter(|row| row.outcome == outcome).count()
}
