// openid-client: discovery, secrets both ways, private_key_jwt, DPoP, introspection, revocation, errors.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import './node18.mjs'
import * as client from 'openid-client'

const { ISSUER: issuer, API: api, CLIENT_ID: clientId, CLIENT_SECRET: secret } = process.env
const { SPECIAL_ID: specialId, SPECIAL_SECRET: specialSecret } = process.env
const { ClientSecretBasic, ClientSecretPost, PrivateKeyJwt } = client

// README.md shows these lines.
const config = await client.discovery(new URL(issuer), clientId, secret, undefined, { algorithm: 'oauth2' })
const { access_token } = await client.clientCredentialsGrant(config, { scope: 'read' })
const answer = await client.fetchProtectedResource(config, access_token, new URL(api), 'GET')
assert.equal(answer.status, 200)

const configOf = (id, authentication) =>
  client.discovery(new URL(issuer), id, undefined, authentication, { algorithm: 'oauth2' })
const call = (config, token, by, options) =>
  client.fetchProtectedResource(config, token, new URL(`${api}?by=${by}`), 'GET', null, undefined, options)

async function goesAllTheWay(by, id, authentication) {
  const config = await configOf(id, authentication)
  const tokens = await client.clientCredentialsGrant(config, { scope: 'read' })
  assert.equal(tokens.scope, 'read')
  assert.equal((await call(config, tokens.access_token, by)).status, 200)
  const told = await client.tokenIntrospection(config, tokens.access_token)
  assert.deepEqual([told.active, told.client_id, told.iss], [true, id, issuer])
  await client.tokenRevocation(config, tokens.access_token)
  await assert.rejects(call(config, tokens.access_token, `${by}-revoked`), (error) => {
    const [{ scheme, parameters }] = error.cause
    assert.deepEqual([error.status, scheme, parameters.error], [401, 'bearer', 'invalid_token'])
    return error instanceof client.WWWAuthenticateChallengeError
  })
  assert.deepEqual(await client.tokenIntrospection(config, tokens.access_token), { active: false })
}

const refusal = async (id, authentication, scope) => {
  const config = await configOf(id, authentication)
  return client.clientCredentialsGrant(config, { scope }).then(assert.fail, (error) => error)
}

// A 401 with a challenge is told by the challenge.
const isUnknown = async (id, authentication) => {
  const error = await refusal(id, authentication, 'read')
  assert.ok(error instanceof client.WWWAuthenticateChallengeError, error)
  assert.deepEqual([error.status, error.cause[0].parameters.error], [401, 'invalid_client'])
}

for (const [name, way] of Object.entries({ basic: ClientSecretBasic, post: ClientSecretPost })) {
  await goesAllTheWay(`openid-client-${name}`, clientId, way(secret))
  await goesAllTheWay(`openid-client-special-${name}`, specialId, way(specialSecret))
  await isUnknown(clientId, way('wrong'))
  const error = await refusal(clientId, way(secret), 'no-such')
  assert.ok(error instanceof client.ResponseBodyError, error)
  assert.deepEqual([error.status, error.error], [400, 'invalid_scope'])
}

const es256 = { name: 'ECDSA', namedCurve: 'P-256' }
const pem = readFileSync(process.env.SIGNER_KEY, 'utf8').replace(/-----[A-Z ]+-----|\s/g, '')
const key = await crypto.subtle.importKey('pkcs8', Buffer.from(pem, 'base64'), es256, false, ['sign'])
await goesAllTheWay('openid-client-signed', 'signer', PrivateKeyJwt(key))
const other = await crypto.subtle.generateKey(es256, false, ['sign', 'verify'])
await isUnknown('signer', PrivateKeyJwt(other.privateKey))

// DPoP (RFC 9449): the token is good with its key and with nothing else.
const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair())
const { access_token: token, token_type } = await client.clientCredentialsGrant(config, { scope: 'read' }, { DPoP })
assert.equal(token_type, 'dpop')
assert.equal((await call(config, token, 'openid-client-dpop', { DPoP })).status, 200)
const thief = client.getDPoPHandle(config, await client.randomDPoPKeyPair())
for (const options of [{ DPoP: thief }, undefined]) {
  await assert.rejects(call(config, token, 'openid-client-dpop-revoked', options), { status: 401 })
}
