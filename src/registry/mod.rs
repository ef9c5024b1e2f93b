//! Where artifacts and their signatures are kept.

pub mod layout;
