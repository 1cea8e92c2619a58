//! Small random worlds, one a seed: runs that are killed at any moment end as runs that are not.
