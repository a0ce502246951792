// Which kind of hash stands in for the users that a file does not have. No clock is asked: the same kind is the same work.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { Decoys } from '../../src/access/decoys.js'
import { describeHash, type PasswordHash, parsePasswordHash } from '../../src/access/password-hash.js'

/** A user with so many iterations; the hash is of nobody's password. */
function user(iterations: number): PasswordHash {
  const base64 = (bytes: number) => randomBytes(bytes).toString('base64')
  return parsePasswordHash(`$7$${iterations}$${base64(64)}$${base64(64)}`)
}

const file = (counts: readonly (readonly [iterations: number, users: number])[]) =>
  new Map(
    counts.flatMap(([iterations, users]) =>
      Array.from({ length: users }, (_, i) => [`u${iterations}-${i}`, user(iterations)] as const),
    ),
  )

const names = Array.from({ length: 2000 }, (_, i) => `name ${i}`)
const kind = (hash: PasswordHash | undefined) => (hash ? describeHash(hash) : 'none')
const kindsOf = (users: ReadonlyMap<string, PasswordHash>) => {
  const decoys = new Decoys(users)
  return names.map((name) => kind(decoys.for(name)))
}

test('D3.4 kinds are chosen as often as users have them', () => {
  const kinds = kindsOf(
    file([
      [10, 6],
      [20, 3],
      [30, 1],
    ]),
  )
  for (const [iterations, share] of [
    [10, 0.6],
    [20, 0.3],
    [30, 0.1],
  ] as const) {
    const found = kinds.filter((each) => each === `sha512-pbkdf2, ${iterations} iterations`).length / names.length
    assert.ok(Math.abs(found - share) < 0.05, `${iterations}: ${found}`)
  }
})

test('D3.4 the kind of a name is the same after a restart, and the order of the file does not matter', () => {
  const users = file([
    [10, 5],
    [20, 5],
  ])
  assert.deepEqual(kindsOf(new Map([...users].reverse())), kindsOf(users))
})

test('D3.4 the kinds of two files are chosen independently, so that nobody can compute them', () => {
  const [one, other] = [1, 2].map(() =>
    kindsOf(
      file([
        [10, 5],
        [20, 5],
      ]),
    ),
  )
  const same = one?.filter((each, i) => each === other?.[i]).length ?? 0
  assert.ok(same > 0.4 * names.length && same < 0.6 * names.length, `${same}`)
})

test('D3.4 another user changes the kind of few names', () => {
  const users = file([
    [10, 50],
    [20, 50],
  ])
  const before = kindsOf(users)
  // Not the hash with the smallest text, which is the key of the choice.
  const added = parsePasswordHash([...users.values()].reduce((a, b) => (a.text > b.text ? a : b)).text)
  const after = kindsOf(new Map([...users, ['new', added]]))
  assert.ok(before.filter((each, i) => each !== after[i]).length < 0.03 * names.length)
})

test('D3.4 no password matches a decoy: its digest is not the one of a user', () => {
  const users = file([[10, 1]])
  const [hash] = users.values()
  const decoy = new Decoys(users).for('x')
  assert.equal(decoy?.text, '')
  assert.notDeepEqual(decoy?.digest, hash?.digest)
})

test('D3.4 a file without users has no decoys', () => assert.equal(new Decoys(new Map()).for('x'), undefined))
