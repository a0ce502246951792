// Who may log in: outcomes, equal work for unknown users, limits, and the memory of right passwords.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { PasswordAuthenticator } from '../../src/access/authenticator.js'
import { parsePasswordFile } from '../../src/access/password-file.js'
import { describeHash, type PasswordHash, verifyPassword } from '../../src/access/password-hash.js'

const HORSE_6 =
  '$6$AAECAwQFBgcICQoL$5W8GCQ9GLgmhmQvoa8jmRaPnsh82mRigdSv6mQsK0sMIII/WznlQb1g+RWddfoAKTMzBJP1deJU+Rp/1QZ0zZg=='
const HORSE_7 =
  '$7$101$AAECAwQFBgcICQoL$lp0Cm29zl+CI/RXyXDKvLye7OxM3OuE6RMzgXTX/f3imS/pFh2Ur7yarLDpKRUKpB0tOj6l0UrRv41zqxmD4tg=='
const BCRYPT = '$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2'

const noBcrypt = { hash: () => Promise.reject(new Error('no bcrypt here')) }
const right = Buffer.from('correct horse')
const wrong = Buffer.from('wrong horse')

function usersOf(text: string): ReadonlyMap<string, PasswordHash> {
  const { users, problems } = parsePasswordFile(Buffer.from(text))
  assert.deepEqual(problems, [])
  return users
}

/** An authenticator that notes which hashes are computed, each of which waits for `open`. */
function counting(text: string, limits = {}) {
  const computed: PasswordHash[] = []
  let open = (): void => {}
  let gate: Promise<void> | undefined
  const authenticator = new PasswordAuthenticator(usersOf(text), noBcrypt, limits, async (password, hash) => {
    computed.push(hash)
    await gate
    return hash.family === 'bcrypt' ? Buffer.compare(password, right) === 0 : verifyPassword(password, hash, noBcrypt)
  })
  return {
    authenticator,
    computed,
    close: () => {
      gate = new Promise((resolve) => {
        open = resolve
      })
    },
    open: () => open(),
  }
}

describe('outcomes (files.md section 1.3)', () => {
  const cases = [
    { name: 'right password', username: 'a', password: right, result: 'accepted' },
    { name: 'right password, other family', username: 'b', password: right, result: 'accepted' },
    { name: 'wrong password', username: 'a', password: wrong, result: 'wrong-password' },
    { name: 'empty password', username: 'a', password: Buffer.alloc(0), result: 'wrong-password' },
    {
      name: 'password with something behind a zero byte',
      username: 'a',
      password: Buffer.from('correct horse\0x'),
      result: 'wrong-password',
    },
    { name: 'no password', username: 'a', password: undefined, result: 'wrong-password' },
    { name: 'unknown user', username: 'A', password: right, result: 'unknown-user' },
    { name: 'unknown user without password', username: 'x', password: undefined, result: 'unknown-user' },
    { name: 'a name that objects have', username: '__proto__', password: right, result: 'unknown-user' },
    { name: 'an empty name', username: '', password: right, result: 'unknown-user' },
  ]
  const authenticator = new PasswordAuthenticator(usersOf(`a:${HORSE_6}\nb:${HORSE_7}\n`), noBcrypt)
  for (const { name, username, password, result } of cases)
    test(name, async () => assert.equal(await authenticator.check(username, password), result))

  test('nobody is known in an empty file', async () => {
    assert.equal(await new PasswordAuthenticator(new Map(), noBcrypt).check('a', right), 'unknown-user')
  })
})

describe('D3.4: unknown users cost what known ones cost', () => {
  test('one hash of a kind that the file has is computed by the same function', async () => {
    const { authenticator, computed } = counting(`b:${HORSE_7}\nc:${HORSE_7}\n`)
    await authenticator.check('b', wrong)
    await authenticator.check('nobody', wrong)
    assert.deepEqual(computed.map(describeHash), ['sha512-pbkdf2, 101 iterations', 'sha512-pbkdf2, 101 iterations'])
  })
  test('in a file of mixed kinds an unknown name has one kind, whatever the password and after a reload', async () => {
    const kindsOf = async (username: string) => {
      const { authenticator, computed } = counting(`a:${HORSE_6}\nb:${HORSE_7}\nc:${BCRYPT}\n`)
      for (const password of ['1', '2', '3']) await authenticator.check(username, Buffer.from(password))
      return computed.map(describeHash)
    }
    const seen = new Set<string>()
    for (let i = 0; i < 30; i++) {
      const [first = '', ...others] = [...(await kindsOf(`nobody${i}`)), ...(await kindsOf(`nobody${i}`))]
      assert.deepEqual(
        others,
        Array.from({ length: 5 }, () => first),
      )
      seen.add(first)
    }
    assert.equal(seen.size, 3, 'and other names have other kinds')
  })
  test('also the second time, and with the password of a known user', async () => {
    const { authenticator, computed } = counting(`a:${HORSE_6}\n`)
    assert.equal(await authenticator.check('nobody', right), 'unknown-user')
    assert.equal(await authenticator.check('nobody', right), 'unknown-user')
    assert.equal(computed.length, 2)
  })
  test('two unknown names with one password cost two checks, as two known ones do', async () => {
    const { authenticator, computed, close, open } = counting(`a:${HORSE_6}\nb:${HORSE_6}\n`, { concurrent: 4 })
    close()
    const checks = Promise.all(['a', 'b', 'nobody', 'none'].map((username) => authenticator.check(username, wrong)))
    open()
    await checks
    assert.equal(computed.length, 4)
  })
  test('bcrypt of the same cost stands in for bcrypt', async () => {
    const { authenticator, computed } = counting(`a:${BCRYPT}\nb:${BCRYPT}\n`)
    assert.equal(await authenticator.check('nobody', right), 'unknown-user')
    assert.deepEqual(computed.map(describeHash), ['bcrypt, cost 5'])
    assert.notEqual(computed[0]?.text, BCRYPT)
  })
})

describe('a second login is cheap', () => {
  test('with the same password', async () => {
    const { authenticator, computed } = counting(`a:${HORSE_6}\n`)
    assert.equal(authenticator.checkCached('a', right), false)
    assert.equal(await authenticator.check('a', right), 'accepted')
    assert.equal(authenticator.checkCached('a', right), true)
    assert.equal(await authenticator.check('a', right), 'accepted')
    assert.equal(computed.length, 1)
  })
  test('not with another password or name', async () => {
    const { authenticator, computed } = counting(`a:${HORSE_6}\nb:${HORSE_7}\n`)
    await authenticator.check('a', right)
    assert.equal(authenticator.checkCached('a', wrong), false)
    assert.equal(authenticator.checkCached('b', right), false)
    assert.equal(authenticator.checkCached('x', right), false)
    assert.equal(await authenticator.check('a', wrong), 'wrong-password')
    assert.equal(computed.length, 2)
    assert.equal(authenticator.checkCached('a', right), true, 'a wrong password makes nobody log in slowly')
  })
  test('wrong passwords are not remembered', async () => {
    const { authenticator, computed } = counting(`a:${HORSE_6}\n`)
    for (let i = 0; i < 3; i++) assert.equal(await authenticator.check('a', wrong), 'wrong-password')
    assert.equal(computed.length, 3)
    assert.equal(authenticator.checkCached('a', wrong), false)
  })
  test('after a reload, too, unless the line is another one', async () => {
    const { authenticator, computed } = counting(`a:${HORSE_6}\nb:${HORSE_6}\nc:${HORSE_6}\n`)
    for (const username of ['a', 'b', 'c']) await authenticator.check(username, right)
    const renewed = authenticator.renewed(usersOf(`a:${HORSE_6}\nb:${HORSE_7}\n`))
    assert.deepEqual(
      ['a', 'b', 'c'].map((username) => renewed.checkCached(username, right)),
      [true, false, false],
    )
    assert.equal(await renewed.check('b', right), 'accepted')
    assert.equal(await renewed.check('c', right), 'unknown-user')
    assert.equal(computed.length, 5)
  })
  test('and one that was under way at a reload counts for the same line', async () => {
    const { authenticator, computed, close, open } = counting(`a:${HORSE_6}\n`, { concurrent: 1 })
    close()
    const early = authenticator.check('a', right)
    const renewed = authenticator.renewed(usersOf(`a:${HORSE_6}\n`), { concurrent: 1 })
    const late = renewed.check('a', right)
    open()
    assert.deepEqual(await Promise.all([early, late]), ['accepted', 'accepted'])
    assert.equal(computed.length, 1)
    assert.equal(renewed.checkCached('a', right), true)
  })
  test('many clients with one password at once cost one check', async () => {
    const { authenticator, computed, close, open } = counting(`a:${HORSE_6}\n`, { concurrent: 1, waiting: 0 })
    close()
    const results = Promise.all(Array.from({ length: 50 }, () => authenticator.check('a', right)))
    open()
    assert.deepEqual([...new Set(await results)], ['accepted'])
    assert.equal(computed.length, 1)
  })
})

describe('D3.4: limits', () => {
  test('a reload does not let more be computed at once', async () => {
    const limits = { concurrent: 1 }
    const { authenticator, computed, close, open } = counting(`a:${HORSE_6}\n`, limits)
    close()
    const checks = [authenticator.check('a', Buffer.from('1'))]
    let latest = authenticator
    for (const password of ['2', '3']) {
      latest = latest.renewed(usersOf(`a:${HORSE_6}\n`), limits)
      checks.push(latest.check('a', Buffer.from(password)))
    }
    await new Promise(setImmediate)
    assert.equal(computed.length, 1)
    open()
    assert.deepEqual(await Promise.all(checks), ['wrong-password', 'wrong-password', 'wrong-password'])
  })

  test('no more than allowed are computed at once, the rest in order', async () => {
    const { authenticator, computed, close, open } = counting(`a:${HORSE_6}\n`, { concurrent: 2, waiting: 10 })
    close()
    const finished: number[] = []
    const checks = [0, 1, 2, 3, 4].map((i) => authenticator.check('a', Buffer.from([i])).then(() => finished.push(i)))
    await new Promise(setImmediate)
    assert.equal(computed.length, 2)
    open()
    await Promise.all(checks)
    assert.equal(computed.length, 5)
    assert.deepEqual(finished, [0, 1, 2, 3, 4])
  })
  test('what does not fit the queue is refused as busy', async () => {
    const { authenticator, computed, close, open } = counting(`a:${HORSE_6}\n`, { concurrent: 1, waiting: 1 })
    close()
    const checks = Promise.all([1, 2, 3].map((i) => authenticator.check('a', Buffer.from([i]))))
    open()
    assert.deepEqual(await checks, ['wrong-password', 'wrong-password', 'busy'])
    assert.equal(computed.length, 2)
    assert.equal(await authenticator.check('a', right), 'accepted', 'the queue is free again')
  })
  test('addresses take turns: 500 logins from one do not delay another', async () => {
    const { authenticator, close, open } = counting(`a:${HORSE_6}\n`, { concurrent: 1, waiting: 1000 })
    close()
    const finished: string[] = []
    const login = (address: string, password: string) =>
      authenticator.check('a', Buffer.from(password), { address, isWaiting: () => true }).then((result) => {
        finished.push(address)
        return result
      })
    const flood = Array.from({ length: 500 }, (_, i) => login('10.0.0.1', `guess ${i}`))
    const others = [login('10.0.0.2', 'correct horse'), login('10.0.0.3', 'x'), login('10.0.0.2', 'y')]
    open()
    assert.deepEqual(await Promise.all(others), ['accepted', 'wrong-password', 'wrong-password'])
    // The one under way, then one of each, then again one of each.
    const turns = ['10.0.0.1', '10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.1', '10.0.0.2']
    assert.deepEqual(finished.slice(0, 6), turns)
    await Promise.all(flood)
    assert.equal(finished.length, 503)
  })
  test('an address that fills the queue gives up places to others, and they get no more than it has', async () => {
    const { authenticator, close, open } = counting(`a:${HORSE_6}\n`, { concurrent: 1, waiting: 4 })
    close()
    const login = (address: string, password: string) =>
      authenticator.check('a', Buffer.from(password), { address, isWaiting: () => true })
    const flood = Array.from({ length: 6 }, (_, i) => login('10.0.0.1', `guess ${i}`))
    const others = Array.from({ length: 4 }, (_, i) => login('10.0.0.2', `other ${i}`))
    open()
    const busy = (results: readonly string[]) => results.map((result) => result === 'busy')
    // One under way and four in the queue; then two of these make room.
    assert.deepEqual(busy(await Promise.all(flood)), [false, false, false, true, true, true])
    assert.deepEqual(busy(await Promise.all(others)), [false, false, true, true])
  })
  test('a failure lets nobody in and gives its place free', async () => {
    const authenticator = new PasswordAuthenticator(usersOf(`a:${BCRYPT}\nb:${HORSE_6}\n`), noBcrypt, { concurrent: 1 })
    await assert.rejects(authenticator.check('a', right), /no bcrypt here/)
    assert.equal(authenticator.checkCached('a', right), false)
    assert.equal(await authenticator.check('b', right), 'accepted')
  })
  test('the bytes of the password may change after the call', async () => {
    const { authenticator, close, open } = counting(`a:${HORSE_6}\n`)
    close()
    const bytes = Buffer.from(right)
    const result = authenticator.check('a', bytes)
    bytes.fill(0)
    open()
    assert.equal(await result, 'accepted')
    assert.equal(authenticator.checkCached('a', right), true)
  })
})
