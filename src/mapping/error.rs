//! What can be wrong with a header as a whole.

use super::shown;
use super::template::TemplateError;
use crate::identity::IdentityKind;
use crate::json::MAX_DEPTH;

/// How many unknown columns are named; more are counted.
const MOST_NAMED: usize = 8;

/// Why a source cannot be mapped to rows at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// The mapping wants columns and the source has none.
    #[error("the rows have no header that could say what they mean; expected CSV or TSV")]
    NoHeader,
    /// The mapping wants JSON objects and the source has cells.
    #[error("the rows are cells, not JSON objects; expected NDJSON")]
    NoObjects,
    /// A job's templates do not fit the source.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// No column says whom a row speaks of.
    #[error("the header has no identity column; expected exactly one of {}", kinds())]
    NoIdentity,
    /// Two columns do.
    #[error(
        "both `{0}` and `{1}` say whom a row speaks of; keep one, and leave the other out with `--ignore-column {arg}`",
        arg = argument(.1)
    )]
    SeveralIdentities(String, String),
    /// Columns that are neither an identity nor a metadata path.
    #[error("{}", unknown(.0))]
    UnknownColumns(Vec<UnknownColumn>),
    /// A column that is to be left out and is not there.
    #[error("`--ignore-column`: there is no column `{name}`{hint}", name = shown(.name), hint = did_you_mean(.nearest.as_deref()))]
    NothingToIgnore {
        /// What was asked for.
        name: String,
        /// The column that most likely was meant.
        nearest: Option<String>,
    },
    /// What stands behind the last colon is no type.
    #[error(
        "column `{column}`: `{word}` is no type{hint}; the types are string, int, number, bool and json, and a key that \
         holds a colon is written with its type behind it, as in `{column}:string`",
        column = shown(.column),
        word = shown(.word),
        hint = did_you_mean(.nearest.as_deref())
    )]
    UnknownType {
        /// The column as it is called in the header.
        column: String,
        /// What stands there.
        word: String,
        /// The type that most likely was meant.
        nearest: Option<String>,
    },
    /// A whole metadata field is an object and nothing else.
    #[error("column `{}`: a whole metadata field is a JSON object; write it without a type, or name a key below it", shown(.0))]
    WholeFieldType(String),
    /// A metadata path that is not written as one.
    #[error("column `{column}`: {problem}", column = shown(.column), problem = .problem)]
    BadPath {
        /// The column as it is called in the header.
        column: String,
        /// What is wrong, harmless already.
        problem: String,
    },
    /// A path of more keys than metadata may nest.
    #[error("column `{}`: the path has more than {MAX_DEPTH} keys", shown(.0))]
    DeepPath(String),
    /// Two columns that set the same value, or one that sets what the other is part of.
    #[error(
        "the columns `{outer}` and `{inner}` overlap: both set `{path}`; remove one of them or leave it out with \
         `--ignore-column`",
        outer = shown(.outer),
        inner = shown(.inner),
        path = shown(.path)
    )]
    Overlap {
        /// The column that sets the more.
        outer: String,
        /// The other one.
        inner: String,
        /// The path that both set.
        path: String,
    },
}

/// A column that means nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownColumn {
    /// As it is called in the header.
    pub name: String,
    /// The nearest name that would mean something.
    pub nearest: String,
}

fn kinds() -> String {
    IdentityKind::ALL.map(IdentityKind::name).join(", ")
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!(" (did you mean `{}`?)", shown(nearest)))
}

fn unknown(columns: &[UnknownColumn]) -> String {
    let named = &columns[..columns.len().min(MOST_NAMED)];
    let each = |column: &UnknownColumn| format!("`{}` (nearest: `{}`)", shown(&column.name), shown(&column.nearest));
    let list = named.iter().map(each).collect::<Vec<_>>().join(", ");
    let more = match columns.len() - named.len() {
        0 => String::new(),
        n => format!(", and {n} more"),
    };
    let ignore = named.iter().map(|column| format!("--ignore-column {}", argument(&column.name)));
    let ignore = ignore.collect::<Vec<_>>().join(" ");
    let what = if columns.len() == 1 { "unknown column" } else { "unknown columns" };
    format!(
        "{what}: {list}{more}; a column is an identity such as `user_id` or a metadata path such as \
         `public_metadata.role`; leave out what is neither with `{ignore}`"
    )
}

/// A name as it is typed in a shell.
fn argument(name: &str) -> String {
    let shown = shown(name);
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    if shown.chars().all(plain) { shown } else { format!("'{}'", shown.replace('\'', r"'\''")) }
}
