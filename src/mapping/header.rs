//! What one name in a CSV header means.

use super::cell::CellType;
use super::error::{MappingError, UnknownColumn};
use super::{INTERNAL, shown};
use crate::identity::IdentityKind;
use crate::json::MAX_DEPTH;
use crate::nearest::nearest;
use crate::path::{Field, Path, PathError};

/// What begins a metadata path, the names of the API first.
const FIRST_KEYS: [&str; 6] = ["public_metadata", "private_metadata", "unsafe_metadata", "public", "private", "unsafe"];

/// The role of a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Role {
    /// It identifies the user.
    Identity(IdentityKind),
    /// It sets a value.
    Value(Path, CellType),
    /// It sets a whole metadata field.
    Whole(Field),
    /// This tool added it to a failed file.
    Internal,
    /// It means nothing by itself.
    Unknown,
}

/// Reads a column's name.
pub(super) fn role(name: &str) -> Result<Role, MappingError> {
    if name.starts_with(INTERNAL) {
        return Ok(Role::Internal);
    }
    if let Some(kind) = IdentityKind::from_name(name) {
        return Ok(Role::Identity(kind));
    }
    let (path, word) = name.rsplit_once(':').map_or((name, None), |(path, word)| (path, Some(word)));
    if !FIRST_KEYS.contains(&first_key(path)) {
        return Ok(Role::Unknown);
    }
    match path.parse::<Path>() {
        Ok(path) if path.keys.is_empty() => match word {
            None | Some("json") => Ok(Role::Whole(path.field)),
            Some(_) => Err(MappingError::WholeFieldType(name.to_owned())),
        },
        Ok(path) if path.keys.len() > MAX_DEPTH => Err(MappingError::DeepPath(name.to_owned())),
        Ok(path) => Ok(Role::Value(path, cell_type(name, word)?)),
        // `public` alone would be a whole field by a short name, which there is not.
        Err(PathError::UnknownField(_)) => Ok(Role::Unknown),
        Err(error) => Err(MappingError::BadPath { column: name.to_owned(), problem: problem(&error) }),
    }
}

fn first_key(path: &str) -> &str {
    path.split('.').next().unwrap_or_default()
}

fn cell_type(column: &str, word: Option<&str>) -> Result<CellType, MappingError> {
    let Some(word) = word else { return Ok(CellType::String) };
    CellType::from_name(word).ok_or_else(|| MappingError::UnknownType {
        column: column.to_owned(),
        word: word.to_owned(),
        nearest: nearest(word, CellType::ALL.map(CellType::name)).map(str::to_owned),
    })
}

/// The error without the path, which is named already.
fn problem(error: &PathError) -> String {
    match error {
        PathError::UnknownField(name) => format!("`{}` is no metadata field", shown(name)),
        PathError::EmptyKey(_) => "the path has an empty key; a dot inside a key is written `\\.`".to_owned(),
        PathError::StrayBackslash(_) => {
            "the path has a stray backslash; only `\\.` and `\\\\` are written with one".to_owned()
        }
    }
}

/// The name that an unknown column most likely should have had.
pub(super) fn unknown(name: &str) -> UnknownColumn {
    let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
    let whole_names = IdentityKind::ALL.map(IdentityKind::name).into_iter().chain(Field::ALL.map(Field::name));
    let nearest = match rest {
        Some(rest) => nearest(first, FIRST_KEYS).map(|first| format!("{first}.{rest}")),
        None => nearest(first, whole_names).map(str::to_owned),
    };
    // Whatever it is called, it can stand below a field.
    UnknownColumn { name: name.to_owned(), nearest: nearest.unwrap_or_else(|| format!("public_metadata.{name}")) }
}
