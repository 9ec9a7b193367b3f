"""PyJWT: a resource server that verifies the gateway's JWTs by the key set that its metadata names."""

import json
import os
import ssl
import urllib.request

import jwt

issuer, token, audience = os.environ["ISSUER"], os.environ["JWT"], os.environ["AUDIENCE"]
context = ssl.create_default_context(cafile=os.environ["REQUESTS_CA_BUNDLE"])
metadata = json.load(urllib.request.urlopen(f"{issuer}/.well-known/oauth-authorization-server", context=context))

# docs/phantom-token.md names these two.
keys = jwt.PyJWKClient(metadata["jwks_uri"], ssl_context=context)
key = keys.get_signing_key_from_jwt(token)


def verified(audience, issuer):
    return jwt.decode(
        token,
        key,
        algorithms=[os.environ["ALGORITHM"]],
        audience=audience,
        issuer=issuer,
        options={"require": ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"]},
    )


claims = verified(audience, issuer)
assert (claims["sub"], claims["client_id"], claims["scope"]) == ("server", "server", "read"), claims
assert jwt.get_unverified_header(token)["typ"] == "at+jwt"
for wrong, error in [
    ((audience, "https://other.example.com"), jwt.InvalidIssuerError),
    (("another upstream", issuer), jwt.InvalidAudienceError),
]:
    try:
        verified(*wrong)
    except error:
        continue
    raise AssertionError(wrong)
