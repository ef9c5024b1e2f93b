//! Whether a registry takes a credential (distribution specification, "Endpoints", end-1).

use super::{RemoteError, RemoteRegistry};
use crate::{
    http::{Method, Request},
    limits,
};

impl RemoteRegistry {
    /// Asks the registry for nothing but its consent. `false`: it wanted to know nobody, so that the credential is not
    /// known to be right.
    ///
    /// # Errors
    /// [`RemoteError::Http`]; its kind tells whether the credential was refused.
    pub async fn check_credential(&self) -> Result<bool, RemoteError> {
        let error = |source| RemoteError::Http {
            repository: self.name().to_owned(),
            action: "accept the login".to_owned(),
            source,
        };
        let mut url = self.inner.session.server().clone();
        url.set_path("/v2/");
        let request = Request::new(Method::Get, &url, limits::MANIFEST_BYTES);
        // Without a scope: a token that allows nothing is enough.
        let answer = self.inner.session.ask(&request, "").await.map_err(error)?;
        match answer.status {
            200 => Ok(answer.authorized),
            _ => Err(error(answer.into_status())),
        }
    }
}
