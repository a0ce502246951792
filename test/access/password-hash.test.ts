// Encoded passwords of every family. The vectors come from Mosquitto's broker (files.md), libxcrypt (bcrypt) and the reference
// implementation of argon2.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { bcryptObjection } from '../../src/access/bcrypt-hash.js'
import { BcryptWorkers } from '../../src/access/bcrypt-workers.js'
import { HashFormatError } from '../../src/access/hash-format.js'
import {
  decoyOf,
  describeHash,
  HASH_FAMILIES,
  hashPassword,
  parsePasswordHash,
  verifyPassword,
} from '../../src/access/password-hash.js'

const bcrypt = new BcryptWorkers({ threads: 1 })
after(() => bcrypt.close())

const SALT12 = 'AAECAwQFBgcICQoL'
const DIGEST64 = `${'A'.repeat(86)}==`
const SALT22 = 'abcdefghijklmnopqrstuu'

const vectors = [
  {
    name: '$6$ with a salt of 12 bytes',
    password: 'correct horse',
    text: '$6$AAECAwQFBgcICQoL$5W8GCQ9GLgmhmQvoa8jmRaPnsh82mRigdSv6mQsK0sMIII/WznlQb1g+RWddfoAKTMzBJP1deJU+Rp/1QZ0zZg==',
    kind: 'sha512',
  },
  {
    name: '$7$ with a salt of 12 bytes',
    password: 'correct horse',
    text: '$7$101$AAECAwQFBgcICQoL$lp0Cm29zl+CI/RXyXDKvLye7OxM3OuE6RMzgXTX/f3imS/pFh2Ur7yarLDpKRUKpB0tOj6l0UrRv41zqxmD4tg==',
    kind: 'sha512-pbkdf2, 101 iterations',
  },
  {
    name: '$7$ with a salt of 64 bytes',
    password: 'correct horse',
    text: '$7$1000$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==$53KiEygVzVVEVUVTe4h79yMtYp0OxxoKFip82vf7OCrEbcm4/E88oGkCyN0NhQ7fLOSBIpiITuELG/0ldDPFMQ==',
    kind: 'sha512-pbkdf2, 1000 iterations',
  },
  {
    name: '$2b$',
    password: 'correct horse',
    text: '$2b$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2',
    kind: 'bcrypt, cost 5',
  },
  {
    name: '$2a$ with an empty password',
    password: '',
    text: '$2a$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq',
    kind: 'bcrypt, cost 4',
  },
  {
    name: '$2y$ with 72 bytes',
    password: 'x'.repeat(72),
    text: '$2y$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i',
    kind: 'bcrypt, cost 4',
  },
  {
    name: '$2b$ beyond ASCII',
    password: 'pässwörd',
    text: '$2b$04$abcdefghijklmnopqrstuuyx2n0Zzopyr9QuYTMCfOJJOj526QVoC',
    kind: 'bcrypt, cost 4',
  },
  {
    name: '$argon2id$',
    password: 'password',
    text: '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
    kind: 'argon2id, 256 KiB, 2 passes, 1 lanes',
  },
]

describe('vectors', () => {
  for (const { name, password, text, kind } of vectors)
    test(name, async () => {
      const hash = parsePasswordHash(text)
      assert.equal(describeHash(hash), kind)
      assert.equal(await verifyPassword(Buffer.from(password), hash, bcrypt), true)
      assert.equal(await verifyPassword(Buffer.from(`${password}.`), hash, bcrypt), false)
      assert.equal(await verifyPassword(Buffer.from(password), decoyOf(hash), bcrypt), false)
      assert.equal(describeHash(decoyOf(hash)), kind)
    })
})

describe('what is refused in a file', () => {
  const cases = [
    { name: 'nothing', text: '' },
    { name: 'plain text', text: 'secret' },
    { name: 'plain text that begins with $', text: '$ecret' },
    { name: 'another crypt family', text: '$5$saltsalt$digest' },
    { name: 'bcrypt $2x$', text: `$2x$04$${SALT22}bzadhGtS2zEF.gu0yd0opP6cVzb.e0i` },
    { name: 'bcrypt cut short', text: `$2b$04$${SALT22}bzadhGtS2zEF.gu0yd0opP6cVzb.e0` },
    { name: 'bcrypt with something behind', text: `$2b$04$${SALT22}bzadhGtS2zEF.gu0yd0opP6cVzb.e0ix` },
    { name: 'bcrypt cost 3', text: `$2b$03$${SALT22}bzadhGtS2zEF.gu0yd0opP6cVzb.e0i` },
    { name: 'bcrypt cost 17, hours for a storm of logins', text: `$2b$17$${SALT22}bzadhGtS2zEF.gu0yd0opP6cVzb.e0i` },
    { name: 'bcrypt cost 99', text: `$2b$99$${SALT22}bzadhGtS2zEF.gu0yd0opP6cVzb.e0i` },
    { name: '$6$ without digest', text: `$6$${SALT12}` },
    { name: '$6$ with one part too many', text: `$6$${SALT12}$${DIGEST64}$x` },
    { name: '$6$ salt of 11 bytes', text: `$6$AAECAwQFBgcICQo=$${DIGEST64}` },
    { name: '$6$ salt not base64', text: `$6$AAECAwQFBgcICQ!L$${DIGEST64}` },
    { name: '$6$ digest of 63 bytes', text: `$6$${SALT12}$${'A'.repeat(84)}` },
    { name: '$6$ as crypt(3) writes it', text: '$6$rounds=5000$saltsalt$digest' },
    { name: '$7$ without iterations', text: `$7$${SALT12}$${DIGEST64}` },
    { name: '$7$ with 0 iterations', text: `$7$0$${SALT12}$${DIGEST64}` },
    { name: '$7$ with -1 iterations', text: `$7$-1$${SALT12}$${DIGEST64}` },
    { name: '$7$ with 1e3 iterations', text: `$7$1e3$${SALT12}$${DIGEST64}` },
    { name: '$7$ with iterations for minutes', text: `$7$5000001$${SALT12}$${DIGEST64}` },
    { name: '$7$ with iterations beyond a number', text: `$7$${'9'.repeat(400)}$${SALT12}$${DIGEST64}` },
    { name: '$7$ digest without padding', text: `$7$100$${SALT12}$${'A'.repeat(86)}` },
    { name: 'argon2i', text: '$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4' },
    { name: 'argon2id version 16', text: '$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg' },
    { name: 'argon2id without parameters', text: '$argon2id$v=19$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg' },
    { name: 'argon2id with 2 GiB', text: '$argon2id$v=19$m=2097152,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg' },
    { name: 'argon2id with 0 passes', text: '$argon2id$v=19$m=256,t=0,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg' },
    {
      name: 'argon2id with too much work',
      text: '$argon2id$v=19$m=1048576,t=5,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg',
    },
    { name: 'argon2id with 17 lanes', text: '$argon2id$v=19$m=256,t=1,p=17$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg' },
    {
      name: 'argon2id with less than 8 KiB a lane',
      text: '$argon2id$v=19$m=15,t=1,p=2$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg',
    },
    {
      name: 'argon2id with a digest of 15 bytes',
      text: '$argon2id$v=19$m=256,t=1,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4r',
    },
    { name: 'argon2id with padding', text: '$argon2id$v=19$m=256,t=1,p=1$c29tZXNhbHQ=$nf65EOgLrQMR/uIPnA4rEg' },
    { name: 'more than 65535 bytes', text: `$6$${'A'.repeat(65_536)}$${DIGEST64}` },
  ]
  for (const { name, text } of cases) test(name, () => assert.throws(() => parsePasswordHash(text), HashFormatError))

  test('the message never shows what may be a password', () => {
    assert.throws(
      () => parsePasswordHash('hunter2'),
      (error: Error) => !error.message.includes('hunter2'),
    )
    assert.throws(() => parsePasswordHash('$5$salt$digest'), /kind \$5\$ are not supported/)
  })
})

describe('limits that are still accepted', () => {
  const cases = [
    `$2b$16$${SALT22}bzadhGtS2zEF.gu0yd0opP6cVzb.e0i`,
    `$7$1$${SALT12}$${DIGEST64}`,
    `$7$5000000$${SALT12}$${DIGEST64}`,
    '$argon2id$v=19$m=1048576,t=4,p=16$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg',
    '$argon2id$v=19$m=8,t=256,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg',
  ]
  for (const text of cases) test(text.slice(0, 40), () => assert.equal(parsePasswordHash(text).text, text))
})

describe('what bcrypt cannot tell apart is never the password', () => {
  const hash72 = '$2y$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i'
  const empty = '$2a$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq'
  const cases = [
    { name: '73 bytes that begin with the right 72', password: Buffer.from('x'.repeat(73)), text: hash72 },
    { name: 'a zero byte where the empty password is right', password: Buffer.from([0]), text: empty },
    { name: 'bytes that are not UTF-8', password: Buffer.from([0xff, 0xfe]), text: empty },
  ]
  for (const { name, password, text } of cases)
    test(name, async () => {
      assert.equal(await verifyPassword(password, parsePasswordHash(text), bcrypt), false)
      assert.notEqual(bcryptObjection(password), undefined)
    })
  test('72 bytes are fine', () => assert.equal(bcryptObjection(Buffer.from('x'.repeat(72))), undefined))
  test('a byte order mark is a part of the password', async () => {
    const encoded = await hashPassword(Buffer.from('\uFEFFa'), { family: 'bcrypt', cost: 4, iterations: 1 }, bcrypt)
    assert.equal(await verifyPassword(Buffer.from('a'), parsePasswordHash(encoded), bcrypt), false)
  })
})

describe('what is generated', () => {
  const shapes = {
    bcrypt: /^\$2b\$05\$.{53}$/,
    argon2id: /^\$argon2id\$v=19\$m=47104,t=1,p=1\$[^$]{86}\$[^$]{86}$/,
    'sha512-pbkdf2': /^\$7\$1234\$[^$]{16}\$[^$]{88}$/,
    sha512: /^\$6\$[^$]{16}\$[^$]{88}$/,
  }
  for (const family of HASH_FAMILIES)
    test(family, async () => {
      const password = Buffer.from('correct horse')
      const settings = { family, cost: 5, iterations: 1234 }
      const [one, two] = await Promise.all([
        hashPassword(password, settings, bcrypt),
        hashPassword(password, settings, bcrypt),
      ])
      assert.match(one, shapes[family])
      assert.notEqual(one, two, 'every hash has a salt of its own')
      assert.equal(await verifyPassword(password, parsePasswordHash(one), bcrypt), true)
      assert.equal(await verifyPassword(Buffer.from('Correct horse'), parsePasswordHash(one), bcrypt), false)
    })
})
