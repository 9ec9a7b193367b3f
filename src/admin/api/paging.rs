//! Pages of long lists.

use serde::{Deserialize, Serialize};

use crate::admin::problem::Problem;

/// The most items of a page.
const MOST: usize = 200;
/// The items of a page if the caller does not say.
const USUAL: usize = 50;

/// The page of a list that is requested.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams))]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, into_params(parameter_in = Query))]
pub(super) struct PageQuery {
    /// The maximum number of items on the page.
    #[cfg_attr(test, param(minimum = 1, maximum = 200))]
    pub(super) limit: Option<usize>,
    /// The item after which the page begins: the value `next` of the previous page.
    pub(super) after: Option<String>,
}

/// A page of a list.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Page<T> {
    /// The items.
    pub(super) items: Vec<T>,
    /// The value of `after` for the next page, or `null` if this is the last page.
    pub(super) next: Option<String>,
}

impl PageQuery {
    /// Returns the most items of the page.
    ///
    /// # Errors
    /// 400 if the caller wants none, or too many.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        match self.limit {
            None => Ok(USUAL),
            Some(limit @ 1..=MOST) => Ok(limit),
            Some(_) => Err(Problem::bad_request("`limit` must be from 1 to 200")),
        }
    }

    /// Returns the page of a whole list. `key` returns what `after` names an item by.
    ///
    /// # Errors
    /// 400 if the limit is out of bounds, or if no item is named by `after`.
    pub(super) fn page<I, T>(
        &self,
        all: impl IntoIterator<Item = I>,
        key: impl Fn(&I) -> String,
        show: impl Fn(I) -> T,
    ) -> Result<Page<T>, Problem> {
        let limit = self.limit()?;
        let mut rest = all.into_iter();
        if let Some(after) = &self.after
            && !rest.any(|item| key(&item) == *after)
        {
            return Err(Problem::bad_request(
                "`after` names nothing in this list: begin with the first page",
            ));
        }
        let mut items: Vec<I> = rest.by_ref().take(limit).collect();
        let next = rest.next().and_then(|_| items.last()).map(&key);
        Ok(Page { items: items.drain(..).map(show).collect(), next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(limit: Option<usize>, after: Option<&str>) -> Result<(Vec<u32>, Option<String>), ()> {
        let query = PageQuery { limit, after: after.map(str::to_owned) };
        let page = query.page(0..5_u32, u32::to_string, |item| item);
        page.map(|page| (page.items, page.next)).map_err(drop)
    }

    #[test]
    fn pages_follow_each_other_and_have_an_end() {
        assert_eq!(page(Some(2), None), Ok((vec![0, 1], Some("1".to_owned()))));
        assert_eq!(page(Some(2), Some("1")), Ok((vec![2, 3], Some("3".to_owned()))));
        assert_eq!(page(Some(2), Some("3")), Ok((vec![4], None)));
        assert_eq!(page(Some(5), None), Ok((vec![0, 1, 2, 3, 4], None)));
        assert_eq!(page(None, Some("4")), Ok((vec![], None)));
        for (limit, after) in [(Some(0), None), (Some(201), None), (None, Some("7"))] {
            assert!(page(limit, after).is_err());
        }
    }
}
