//! The tags of a repository (distribution specification, "Listing Tags").

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Access, RemoteError, RemoteRepository};
use crate::{
    http::{Method, Request},
    limits,
    oci::Reference,
};

#[derive(Deserialize)]
struct TagList {
    /// `null` where there are none.
    tags: Option<Vec<String>>,
}

impl RemoteRepository {
    /// Every tag, in the registry's order, those at which indexes of referrers stand among them.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn tags(&self) -> Result<Vec<String>, RemoteError> {
        let action = || "list its tags".to_owned();
        let http = |source| RemoteError::Http { repository: self.name(), action: action(), source };
        let mut url = self.url(["tags", "list"]);
        let (mut tags, mut seen) = (Vec::new(), BTreeSet::new());
        for _ in 0..limits::TAG_PAGES {
            let request = Request::new(Method::Get, &url, limits::TAG_PAGE_BYTES);
            let page = self.ask(&request, Access::Pull, action).await?;
            match page.status {
                200 => {}
                404 => return Err(self.not_found("list of tags".to_owned(), page)),
                _ => return Err(self.refused(action(), page)),
            }
            let list: TagList = self.parse(&page.body, || "list of tags".to_owned())?;
            tags.extend(list.tags.unwrap_or_default());
            if let Some(bad) = tags.iter().find(|tag| !Reference::is_tag(tag)) {
                return Err(RemoteError::BadReference(bad.clone()));
            }
            if tags.len() > limits::TAGS {
                return Err(self.too_many("tags", limits::TAGS));
            }
            let server = self.registry.inner.session.server();
            let Some(next) = page.next_page(server).map_err(http)? else { return Ok(tags) };
            seen.insert(url);
            if seen.contains(&next) {
                return Err(http(page.bad("a next page that it gave before")));
            }
            url = next;
        }
        Err(self.too_many("pages of tags", limits::TAG_PAGES))
    }
}
