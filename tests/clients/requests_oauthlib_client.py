"""requests-oauthlib: secrets both ways and errors; what the library does not know is done with requests."""

import os
from urllib.parse import quote_plus

import requests
from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error
from oauthlib.oauth2.rfc6749.errors import InvalidClientError, InvalidScopeError
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

issuer, api = os.environ["ISSUER"], os.environ["API"]
client_id, client_secret = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]
special_id, special_secret = os.environ["SPECIAL_ID"], os.environ["SPECIAL_SECRET"]

server = requests.get(f"{issuer}/.well-known/oauth-authorization-server", timeout=10).json()


def session_of(id, scope="read"):
    return OAuth2Session(client=BackendApplicationClient(client_id=id, scope=[scope]))


def basic(id, secret):
    # requests puts both into the header as they stand. RFC 6749 §2.3.1 wants them form-encoded first.
    return {"auth": HTTPBasicAuth(quote_plus(id), quote_plus(secret))}


def post(_, secret):
    return {"include_client_id": True, "client_secret": secret}


def goes_all_the_way(case, id, secret, way):
    session = session_of(id)
    token = session.fetch_token(server["token_endpoint"], **way(id, secret))
    assert token["scope"] == ["read"] and token["expires_in"] > 0, token
    assert session.get(f"{api}?by={case}", timeout=10).status_code == 200
    asked = {**basic(id, secret), "data": {"token": token["access_token"]}, "timeout": 10}
    told = requests.post(server["introspection_endpoint"], **asked).json()
    assert told["active"] and told["client_id"] == id and told["scope"] == "read", told
    assert requests.post(server["revocation_endpoint"], **asked).status_code == 200
    answer = session.get(f"{api}?by={case}-revoked", timeout=10)
    assert answer.status_code == 401 and 'error="invalid_token"' in answer.headers["WWW-Authenticate"], answer
    assert requests.post(server["introspection_endpoint"], **asked).json() == {"active": False}


def is_refused(kind, session, way):
    try:
        session.fetch_token(server["token_endpoint"], **way)
    except OAuth2Error as error:
        assert isinstance(error, kind), error
    else:
        raise AssertionError(f"{kind} expected")


for way in [basic, post]:
    name = way.__name__
    goes_all_the_way(f"requests-oauthlib-{name}", client_id, client_secret, way)
    goes_all_the_way(f"requests-oauthlib-special-{name}", special_id, special_secret, way)
    is_refused(InvalidClientError, session_of(client_id), way(client_id, "wrong"))
    is_refused(InvalidScopeError, session_of(client_id, "no-such"), way(client_id, client_secret))
