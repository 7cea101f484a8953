//! `fields=name,state`: only these members of a list's items. For lists that are large.

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::middleware::Next;
use axum::response::Response;
use sallyport_api::Code;
use serde_json::Value;

use super::{is_json, whole};
use crate::Refusal;

/// The parameter's name.
pub(crate) const FIELDS: &str = "fields";

/// The members that an item has.
pub(crate) type Known = &'static [&'static str];

/// Takes the parameter out of the query, and everything else out of the items.
pub(crate) async fn cut(State(known): State<Known>, mut request: Request, next: Next) -> Result<Response, Refusal> {
    let Some(wanted) = wanted(request.uri(), known)? else { return Ok(next.run(request).await) };
    *request.uri_mut() = without(request.uri()).ok_or(Code::Malformed)?;
    let response = next.run(request).await;
    if !is_json(&response) {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let mut page: Value = serde_json::from_slice(&whole(body).await?).map_err(|_| Refusal::from(Code::Internal))?;
    for item in page["items"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        item.retain(|name, _| wanted.iter().any(|wanted| wanted == name));
    }
    Ok(Response::from_parts(parts, Body::from(page.to_string())))
}

/// What is asked for; `None` where everything is.
fn wanted(uri: &Uri, known: Known) -> Result<Option<Vec<String>>, Refusal> {
    // A query that cannot be read is the handler's to refuse.
    let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else { return Ok(None) };
    let mut fields = Vec::new();
    for (_, value) in pairs.iter().filter(|(name, _)| name == FIELDS) {
        fields.extend(value.split(',').map(str::trim).filter(|field| !field.is_empty()).map(str::to_owned));
    }
    match fields.iter().find(|field| !known.contains(&field.as_str())) {
        Some(_) => Err(Refusal::field(FIELDS, format!("must be some of {}", known.join(", ")))),
        None => Ok((!fields.is_empty()).then_some(fields)),
    }
}

/// The same address without the parameter.
fn without(uri: &Uri) -> Option<Uri> {
    let is_ours = |pair: &&str| pair.split('=').next() == Some(FIELDS);
    let rest: Vec<&str> = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !is_ours(pair)).collect();
    let text = if rest.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), rest.join("&")) };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(text).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_taken_out_of_the_query() {
        let uri: Uri = "/v1/devices?limit=5&fields=id,name&q=a%26b&fields=os".parse().unwrap();
        assert_eq!(wanted(&uri, &["id", "name", "os"]).unwrap().unwrap(), ["id", "name", "os"]);
        assert_eq!(without(&uri).unwrap(), "/v1/devices?limit=5&q=a%26b");
        assert_eq!(without(&"/v1/devices?fields=id".parse().unwrap()).unwrap(), "/v1/devices");
        assert!(wanted(&uri, &["id"]).is_err(), "an unknown member is refused");
        assert!(wanted(&"/v1/devices?fields=".parse().unwrap(), &["id"]).unwrap().is_none());
        assert!(wanted(&"/v1/devices".parse().unwrap(), &["id"]).unwrap().is_none());
    }
}
