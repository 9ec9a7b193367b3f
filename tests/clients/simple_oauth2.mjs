// simple-oauth2: secrets both ways, revocation, errors; what the library does not know is done with fetch.

import assert from 'node:assert/strict'
import { ClientCredentials } from 'simple-oauth2'

const { ISSUER: issuer, API: api, CLIENT_ID: clientId, CLIENT_SECRET: secret } = process.env
// simple-oauth2 takes no secret beyond ASCII.
const { SPECIAL_ID: specialId, SPECIAL_ASCII_SECRET: specialSecret } = process.env

const server = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json()

const clientOf = (id, secret, authorizationMethod) =>
  new ClientCredentials({
    client: { id, secret },
    auth: {
      tokenHost: issuer,
      tokenPath: new URL(server.token_endpoint).pathname,
      revokePath: new URL(server.revocation_endpoint).pathname,
    },
    options: { authorizationMethod },
  })
const call = (token, by) => fetch(`${api}?by=${by}`, { headers: { authorization: `Bearer ${token}` } })
const introspect = async (id, secret, token) => {
  const body = new URLSearchParams({ client_id: id, client_secret: secret, token })
  return (await fetch(server.introspection_endpoint, { method: 'POST', body })).json()
}

async function goesAllTheWay(by, id, secret, method) {
  const accessToken = await clientOf(id, secret, method).getToken({ scope: 'read' })
  const token = accessToken.token.access_token
  assert.equal(accessToken.token.scope, 'read')
  assert.equal(accessToken.expired(), false)
  assert.equal((await call(token, by)).status, 200)
  const told = await introspect(id, secret, token)
  assert.deepEqual([told.active, told.client_id], [true, id])
  await accessToken.revoke('access_token')
  const answer = await call(token, `${by}-revoked`)
  assert.equal(answer.status, 401)
  assert.match(answer.headers.get('www-authenticate'), /^Bearer .*error="invalid_token"/)
  assert.deepEqual(await introspect(id, secret, token), { active: false })
}

const isRefused = (status, error, secret, method, scope) =>
  assert.rejects(clientOf(clientId, secret, method).getToken({ scope }), (refusal) => {
    assert.deepEqual([refusal.output.statusCode, refusal.data.payload.error], [status, error])
    return true
  })

for (const method of ['header', 'body']) {
  await goesAllTheWay(`simple-oauth2-${method}`, clientId, secret, method)
  await goesAllTheWay(`simple-oauth2-special-${method}`, specialId, specialSecret, method)
  await isRefused(401, 'invalid_client', 'wrong', method, 'read')
  await isRefused(400, 'invalid_scope', secret, method, 'no-such')
}
