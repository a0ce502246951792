// Logins whose clients have gone before their turn came.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PasswordAuthenticator } from '../../src/access/authenticator.js'
import { parsePasswordHash } from '../../src/access/password-hash.js'

// The vector of PBKDF2 with 101 iterations, password "correct horse".
const HASH =
  '$7$101$AAECAwQFBgcICQoL$lp0Cm29zl+CI/RXyXDKvLye7OxM3OuE6RMzgXTX/f3imS/pFh2Ur7yarLDpKRUKpB0tOj6l0UrRv41zqxmD4tg=='

function authenticator() {
  const users = new Map([['alice', parsePasswordHash(HASH)]])
  const checked: string[] = []
  const bcrypt = { hash: () => Promise.reject(new Error('not bcrypt')) }
  const subject = new PasswordAuthenticator(users, bcrypt, { concurrent: 1 }, async (password) => {
    checked.push(Buffer.from(password).toString())
    return false
  })
  return { subject, checked }
}

test('D3.4 a check nobody waits for any more is not computed', async () => {
  const { subject, checked } = authenticator()
  const first = subject.check('alice', Buffer.from('first'))
  const gone = subject.check('alice', Buffer.from('gone'), { address: '', isWaiting: () => false })
  const last = subject.check('alice', Buffer.from('last'))
  assert.deepEqual(await Promise.all([first, gone, last]), ['wrong-password', 'busy', 'wrong-password'])
  assert.deepEqual(checked, ['first', 'last'])
})

test('D3.4 a check that one of two still waits for is computed', async () => {
  const { subject, checked } = authenticator()
  const first = subject.check('alice', Buffer.from('first'))
  const shared = [false, true].map((isWaiting) =>
    subject.check('alice', Buffer.from('shared'), { address: '', isWaiting: () => isWaiting }),
  )
  await Promise.all([first, ...shared])
  assert.deepEqual(checked, ['first', 'shared'])
})
