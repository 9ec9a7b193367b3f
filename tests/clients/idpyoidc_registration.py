"""idpy-oidc: dynamic client registration (RFC 7591), with a secret and with a key. Then the client reads, changes and
removes its registration (RFC 7592)."""

import os

import requests
from cryptojwt.key_jar import init_key_jar
from idpyoidc.client.claims.oauth2 import Claims
from idpyoidc.client.oauth2 import Client
from idpyoidc.message.oauth2 import OauthClientInformationResponse, OauthClientMetadata
from idpyoidc.message.oidc import RegistrationRequest

issuer, api, initial_token = os.environ["ISSUER"], os.environ["API"], os.environ["INITIAL_TOKEN"]
METHODS = ["client_secret_basic", "client_secret_post", "private_key_jwt"]

# The library knows the client credentials grant, but not as one that a registered client can have.
Claims._supports.update(
    grant_types_supported=["client_credentials"],
    response_types_supported=[],
    scopes_supported=["read", "admin"],
    token_endpoint_auth_methods_supported=METHODS + ["none"],
)
# RFC 7591 §2: `jwks` is a JSON object. The library writes one for OpenID Connect, and a string for OAuth 2.0.
OauthClientMetadata.c_param["jwks"] = RegistrationRequest.c_param["jwks"]

SERVICES = {
    "metadata": {"class": "idpyoidc.client.oauth2.server_metadata.ServerMetadata"},
    "registration": {"class": "idpyoidc.client.oauth2.registration.Registration"},
    "read": {
        "class": "idpyoidc.client.oidc.read_registration.RegistrationRead",
        # That of OpenID Connect demands redirect_uris.
        "kwargs": {"response_cls": OauthClientInformationResponse},
    },
    "token": {"class": "idpyoidc.client.oauth2.client_credentials.CCAccessTokenRequest"},
}


class Registered:
    """A client that knows the issuer, and a token with which it registers."""

    def __init__(self, token=initial_token):
        config = {"issuer": issuer, "client_authn_methods": METHODS}
        self.client = Client(config=config, services=SERVICES, httpc_params={"timeout": 10})
        self.client.do_request("server_metadata")
        self.bearer = token
        self.service = self.client.get_service("registration")
        # RFC 7591 §3: the initial access token is a bearer token, which the library leaves to its user.
        self.service.construct_extra_headers.append(
            lambda context, headers, **_: {**headers, "Authorization": f"Bearer {self.bearer}"}
        )

    def register(self, **metadata):
        return self.client.do_request("registration", request_args={"scope": ["read"], **metadata})

    def registered(self):
        return self.client.get_context().registration_response

    def read(self):
        return self.client.do_request("registration_read")

    def change(self, **metadata):
        """RFC 7592 §2.2. The library has no PUT, but makes the request and reads the response."""
        before = self.registered()
        self.bearer = before["registration_access_token"]
        info = self.service.get_request_parameters(
            request_args={"client_id": before["client_id"], "scope": ["read"], **metadata}
        )
        info.update(method="PUT", url=before["registration_client_uri"])
        return self.client.service_request(self.service, **info)

    def remove(self):
        """RFC 7592 §2.3. The library has no DELETE."""
        registered = self.registered()
        headers = {"Authorization": f"Bearer {registered['registration_access_token']}"}
        return requests.delete(registered["registration_client_uri"], headers=headers, timeout=10)

    def token(self, method):
        more = {"algorithm": "ES256", "client_id": self.registered()["client_id"]} if "key" in method else {}
        return self.client.do_request(
            "client_credentials", request_args={"scope": ["read"]}, authn_method=method, **more
        )


def call(by, token):
    return requests.get(f"{api}?by={by}", headers={"Authorization": f"Bearer {token}"}, timeout=10)


def is_refused(answer, status, error):
    assert (answer["status_code"], answer["error"]) == (status, error), answer


def goes_all_the_way(client, by, method, change):
    """`change` is what the client registers instead. It then authenticates with what it got for that."""
    answer = client.token(method)
    assert answer["scope"] == ["read"], answer
    assert call(by, answer["access_token"]).status_code == 200

    before = client.registered()
    read = client.read()
    assert (read["client_id"], read["client_name"]) == (before["client_id"], by), read
    assert "client_secret" not in read, "a secret is shown once"

    changed = client.change(client_name=f"{by}-changed", **change)
    assert (changed["client_id"], changed["client_name"]) == (before["client_id"], f"{by}-changed"), changed
    assert changed["registration_access_token"] != before["registration_access_token"]
    method = changed["token_endpoint_auth_method"]
    token = client.token(method)["access_token"]
    assert call(f"{by}-changed", token).status_code == 200

    assert client.remove().status_code == 204
    assert call(f"{by}-revoked", token).status_code == 401
    is_refused(client.token(method), 401, "invalid_client")
    is_refused(client.read(), 401, "invalid_token")


for method, other in [METHODS[:2], METHODS[1::-1]]:
    client, by = Registered(), f"idpyoidc-registration-{method}"
    answer = client.register(client_name=by, token_endpoint_auth_method=method)
    assert answer["client_secret"] and answer["client_secret_expires_at"] == 0, answer
    goes_all_the_way(client, by, method, {"token_endpoint_auth_method": other})

client, by = Registered(), "idpyoidc-registration-private_key_jwt"
key, next_key = (init_key_jar(key_defs=[{"type": "EC", "crv": "P-256", "use": ["sig"]}]) for _ in range(2))
client.client.keyjar = key
signed = {"token_endpoint_auth_method": "private_key_jwt"}
answer = client.register(client_name=by, jwks=key.export_jwks(), **signed)
assert "client_secret" not in answer, answer
goes_all_the_way(client, by, "private_key_jwt", {"jwks": key.export_jwks(), **signed})

client = Registered()
client.client.keyjar = key
client.register(jwks=key.export_jwks(), **signed)
client.change(jwks=next_key.export_jwks(), **signed)
is_refused(client.token("private_key_jwt"), 401, "invalid_client")
client.client.keyjar = next_key
assert "access_token" in client.token("private_key_jwt")
assert client.remove().status_code == 204

for metadata in [{"scope": ["admin"]}, {"token_endpoint_auth_method": "none"}]:
    is_refused(Registered().register(**metadata), 400, "invalid_client_metadata")
is_refused(Registered(initial_token[:-1] + "_").register(), 401, "invalid_token")
