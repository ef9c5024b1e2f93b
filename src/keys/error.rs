use std::fmt;
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[error("stub")]
pub struct KeyError;
#[derive(Debug,PartialEq,Eq,Clone,Copy)]
pub enum KeyErrorKind { Invalid }
impl KeyError { pub fn kind(&self)->KeyErrorKind { KeyErrorKind::Invalid } }
