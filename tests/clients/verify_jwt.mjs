// jose: a resource server that verifies the gateway's JWTs by the key set that its metadata names.

import assert from 'node:assert/strict'
import './node18.mjs'
import { createRemoteJWKSet, errors, jwtVerify } from 'jose'

const { ISSUER: issuer, JWT: jwt, AUDIENCE: audience, ALGORITHM: algorithm } = process.env
const metadata = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json()

// docs/phantom-token.md names these two.
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri))
const options = { issuer, audience, typ: 'at+jwt', algorithms: [algorithm], requiredClaims: ['sub', 'client_id', 'iat', 'jti'] }
const { payload } = await jwtVerify(jwt, keys, options)
assert.deepEqual([payload.sub, payload.client_id, payload.scope], ['server', 'server', 'read'])
await assert.rejects(jwtVerify(jwt, keys, { ...options, audience: 'another upstream' }), errors.JWTClaimValidationFailed)
const [header, claims, signature] = jwt.split('.')
const flipped = signature.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))
await assert.rejects(jwtVerify(`${header}.${claims}.${flipped}`, keys, options), errors.JWSSignatureVerificationFailed)
