"""Authlib: discovery, secrets both ways, private_key_jwt, introspection, revocation, errors."""

import os
from urllib.parse import quote_plus

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from joserfc.jwk import ECKey

issuer, api = os.environ["ISSUER"], os.environ["API"]
client_id, client_secret = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]
special_id, special_secret = os.environ["SPECIAL_ID"], os.environ["SPECIAL_SECRET"]

# README.md shows these lines.
session = OAuth2Session(client_id, client_secret, scope="read")
session.fetch_token(f"{issuer}/oauth/v2/oauth-token", grant_type="client_credentials")
answer = session.get(api)
assert answer.status_code == 200

server = AuthorizationServerMetadata(requests.get(get_well_known_url(issuer, external=True), timeout=10).json())
server.validate()
assert server["issuer"] == issuer, server
token_endpoint = server["token_endpoint"]


def session_of(id, secret, method):
    return OAuth2Session(
        id, secret, scope="read", token_endpoint_auth_method=method, revocation_endpoint_auth_method=method
    )


def goes_all_the_way(case, session, id):
    token = session.fetch_token(token_endpoint, grant_type="client_credentials")
    assert token["scope"] == "read" and not token.is_expired(), token
    assert session.get(f"{api}?by={case}", timeout=10).status_code == 200
    told = session.introspect_token(server["introspection_endpoint"], token["access_token"]).json()
    assert told["active"] and told["client_id"] == id and told["iss"] == issuer, told
    answer = session.revoke_token(server["revocation_endpoint"], token["access_token"], "access_token")
    assert answer.status_code == 200, answer.text
    answer = session.get(f"{api}?by={case}-revoked", timeout=10)
    assert answer.status_code == 401 and 'error="invalid_token"' in answer.headers["WWW-Authenticate"], answer
    told = session.introspect_token(server["introspection_endpoint"], token["access_token"]).json()
    assert told == {"active": False}, told


def is_refused(code, session, **more):
    try:
        session.fetch_token(token_endpoint, grant_type="client_credentials", **more)
    except OAuthError as error:
        assert error.error == code, error
    else:
        raise AssertionError(f"{code} expected")


for method in ["client_secret_basic", "client_secret_post"]:
    goes_all_the_way(f"authlib-{method}", session_of(client_id, client_secret, method), client_id)
    is_refused("invalid_client", session_of(client_id, "wrong", method))
    is_refused("invalid_scope", session_of(client_id, client_secret, method), scope="no-such")

session = session_of(special_id, special_secret, "client_secret_post")
goes_all_the_way("authlib-special-post", session, special_id)
# Authlib puts both into the Basic header as they stand. RFC 6749 §2.3.1 wants them form-encoded first.
is_refused("invalid_client", session_of(special_id, special_secret, "client_secret_basic"))
session = session_of(quote_plus(special_id), quote_plus(special_secret), "client_secret_basic")
goes_all_the_way("authlib-special-basic", session, special_id)

with open(os.environ["SIGNER_KEY"], "rb") as file:
    key = ECKey.import_key(file.read())
session = session_of("signer", key, "private_key_jwt")
session.register_client_auth_method(PrivateKeyJWT(token_endpoint, alg="ES256"))
goes_all_the_way("authlib-signed", session, "signer")
session = session_of("signer", ECKey.generate_key("P-256"), "private_key_jwt")
session.register_client_auth_method(PrivateKeyJWT(token_endpoint, alg="ES256"))
is_refused("invalid_client", session)
