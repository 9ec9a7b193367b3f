// openid-client: dynamic client registration (RFC 7591), with a secret and with a key. Then the client reads and
// removes its registration (RFC 7592).

import assert from 'node:assert/strict'
import './node18.mjs'
import * as client from 'openid-client'

const { ISSUER: issuer, API: api, INITIAL_TOKEN: initialAccessToken } = process.env
const options = { algorithm: 'oauth2', initialAccessToken }
const register = (metadata, authentication, more) =>
  client.dynamicClientRegistration(new URL(issuer), metadata, authentication, { ...options, ...more })

async function goesAllTheWay(by, config) {
  const { access_token: token, scope } = await client.clientCredentialsGrant(config, { scope: 'read' })
  assert.equal(scope, 'read')
  const call = (mark) => client.fetchProtectedResource(config, token, new URL(`${api}?by=${mark}`), 'GET')
  assert.equal((await call(by)).status, 200)

  const registered = config.clientMetadata()
  const { registration_client_uri: uri, registration_access_token: manage } = registered
  const managed = (method) => fetch(uri, { method, headers: { authorization: `Bearer ${manage}` } })
  const read = await managed('GET')
  assert.equal(read.status, 200)
  const { client_id: id, client_name: name } = await read.json()
  assert.deepEqual([id, name], [registered.client_id, by])
  assert.equal((await managed('DELETE')).status, 204)
  await assert.rejects(call(`${by}-revoked`), { status: 401 })
  await assert.rejects(client.clientCredentialsGrant(config, { scope: 'read' }), { status: 401 })
  assert.equal((await managed('GET')).status, 401)
}

for (const [method, way] of [['client_secret_basic', client.ClientSecretBasic], ['client_secret_post', client.ClientSecretPost]]) {
  const by = `openid-registration-${method}`
  const config = await register({ client_name: by, token_endpoint_auth_method: method, scope: 'read' }, way())
  const { client_secret: secret, client_secret_expires_at: expires } = config.clientMetadata()
  assert.deepEqual([typeof secret, expires], ['string', 0])
  await goesAllTheWay(by, config)
}

const key = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', key.publicKey)
const signer = { client_name: 'openid-registration-signed', token_endpoint_auth_method: 'private_key_jwt' }
const jwks = { keys: [{ kty, crv, x, y, kid: '1' }] }
const signed = await register({ ...signer, jwks }, client.PrivateKeyJwt({ key: key.privateKey, kid: '1' }))
await goesAllTheWay(signer.client_name, signed)

const refused = (metadata, more) => register(metadata, undefined, more).then(assert.fail, (error) => error)
for (const metadata of [{ scope: 'admin' }, { token_endpoint_auth_method: 'none' }, { jwks_uri: 'https://client.test/keys' }]) {
  const error = await refused(metadata)
  assert.ok(error instanceof client.ResponseBodyError, error)
  assert.deepEqual([error.status, error.error], [400, 'invalid_client_metadata'])
}
const unknown = await refused({}, { initialAccessToken: `${initialAccessToken.slice(0, -1)}_` })
assert.ok(unknown instanceof client.WWWAuthenticateChallengeError, unknown)
assert.deepEqual([unknown.status, unknown.cause[0].parameters.error], [401, 'invalid_token'])
