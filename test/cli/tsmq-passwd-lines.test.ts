// Editing the text of a password file: what changes, what stays byte for byte, and which lines stop it (passwd.md sections 7 and 8).
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AccessFileError } from '../../src/access/access-file-error.js'
import { CredentialLines } from '../../src/cli/tsmq-passwd-lines.js'

describe('setting a user', () => {
  const cases = [
    { name: 'in an empty file', before: '', after: 'u:NEW\n', result: 'added' },
    { name: 'at the end', before: 'a:1\n', after: 'a:1\nu:NEW\n', result: 'added' },
    { name: 'behind a last line without line end', before: 'a:1', after: 'a:1\nu:NEW\n', result: 'added' },
    { name: 'with the line ends of the file', before: 'a:1\r\n', after: 'a:1\r\nu:NEW\r\n', result: 'added' },
    { name: 'both', before: 'a:1\r\nb:2', after: 'a:1\r\nb:2\r\nu:NEW\r\n', result: 'added' },
    { name: 'behind comments and blank lines', before: '#x\n\n', after: '#x\n\nu:NEW\n', result: 'added' },
    { name: 'in place', before: 'a:1\nu:2\nb:3\n', after: 'a:1\nu:NEW\nb:3\n', result: 'updated' },
    { name: 'in place, CRLF', before: 'a:1\r\nu:2\r\nb:3\r\n', after: 'a:1\r\nu:NEW\r\nb:3\r\n', result: 'updated' },
    { name: 'in the last line without line end', before: 'a:1\nu:2', after: 'a:1\nu:NEW', result: 'updated' },
    { name: 'written with blanks', before: ' u : 2 \n', after: 'u:NEW\n', result: 'updated' },
    { name: 'only the first of two', before: 'u:1\nu:2\n', after: 'u:NEW\nu:2\n', result: 'updated' },
    { name: 'not what begins like it', before: 'uu:1\nU:2\n', after: 'uu:1\nU:2\nu:NEW\n', result: 'added' },
    { name: 'behind a byte order mark', before: '\uFEFFu:1\n', after: '\uFEFFu:NEW\n', result: 'updated' },
    {
      name: 'beside odd bytes of others',
      before: ' ä\u00A0 :\t1:more \n# \u0001\n',
      after: ' ä\u00A0 :\t1:more \n# \u0001\nu:NEW\n',
      result: 'added',
    },
  ]
  for (const { name, before, after, result } of cases)
    test(name, () => {
      const lines = new CredentialLines('f', Buffer.from(before))
      assert.equal(lines.set('u', 'NEW'), result)
      assert.equal(lines.toBytes().toString(), after)
    })
})

describe('removing a user', () => {
  const cases = [
    { name: 'between others', before: 'a:1\nu:2\nb:3\n', after: 'a:1\nb:3\n', found: true },
    { name: 'all its lines', before: 'u:1\na:1\nu:2\n', after: 'a:1\n', found: true },
    { name: 'the only one', before: 'u:1\n', after: '', found: true },
    { name: 'the last, without line end', before: 'a:1\nu:2', after: 'a:1', found: true },
    { name: 'and nothing else', before: '#u:1\n\r\nu:1\r\nuu:1', after: '#u:1\n\r\nuu:1', found: true },
    { name: 'that is not there', before: 'a:1\n#u:1\n', after: 'a:1\n#u:1\n', found: false },
    { name: 'from an empty file', before: '', after: '', found: false },
  ]
  for (const { name, before, after, found } of cases)
    test(name, () => {
      const lines = new CredentialLines('f', Buffer.from(before))
      assert.equal(lines.remove('u'), found)
      assert.equal(lines.toBytes().toString(), after)
    })
})

describe('corrupt lines', () => {
  const cases = [
    { name: 'no colon', text: 'a:1\nb\n', lines: [2] },
    { name: 'no name', text: ':1\n', lines: [1] },
    { name: 'no password', text: 'a:\nb: \n', lines: [1, 2] },
    { name: 'not UTF-8', text: Buffer.from([0x61, 0xff, 0x3a, 0x31, 0x0a]), lines: [1] },
    { name: 'all of them', text: 'x\n# y\n\nz:\n', lines: [1, 4] },
  ]
  for (const { name, text, lines } of cases)
    test(name, () => {
      assert.throws(
        () => new CredentialLines('f', Buffer.from(text)),
        (error: unknown) => {
          assert.ok(error instanceof AccessFileError)
          assert.deepEqual(
            error.problems.map(({ line }) => line),
            lines,
          )
          return true
        },
      )
    })
})
