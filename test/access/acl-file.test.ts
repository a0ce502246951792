// The line grammar of ACL files (files.md section 2.1).
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type AclAccess, type AclRule, parseAclFile } from '../../src/access/acl-file.js'

/** [line, access, filter] */
type Row = [number, AclAccess, string]

interface Case {
  name: string
  text: string
  anonymous?: Row[]
  users?: Record<string, Row[]>
  patterns?: Row[]
  problems?: number[]
  warnings?: number[]
}

const deep = `${'a/'.repeat(199)}a`

const cases: Case[] = [
  { name: 'an empty file', text: '' },
  { name: 'comments and blank lines', text: '#a\n\n   \n\t\n# topic read x\n' },
  { name: 'an indented comment', text: ' # a\n', problems: [1] },
  { name: 'topic without access', text: 'topic a/b', anonymous: [[1, 'readwrite', 'a/b']] },
  {
    name: 'every access',
    text: 'topic read a\ntopic write b\ntopic readwrite c\ntopic deny d\n',
    anonymous: [
      [1, 'read', 'a'],
      [2, 'write', 'b'],
      [3, 'readwrite', 'c'],
      [4, 'deny', 'd'],
    ],
  },
  {
    name: 'users, and a user opened again',
    text: 'topic x\nuser a\ntopic read 1\nuser b\ntopic read 2\nuser a\ntopic read 3\n',
    anonymous: [[1, 'readwrite', 'x']],
    users: {
      a: [
        [3, 'read', '1'],
        [7, 'read', '3'],
      ],
      b: [[5, 'read', '2']],
    },
  },
  { name: 'a user without rules', text: 'user a\n', users: { a: [] } },
  { name: 'a user name with blanks inside', text: 'user  John  Smith \t\n', users: { 'John  Smith': [] } },
  {
    name: 'a user name that objects have',
    text: 'user __proto__\ntopic a',
    users: { ['__proto__']: [[2, 'readwrite', 'a']] },
  },
  { name: 'tabs around a user name', text: 'user \tJohn\t\n', users: { John: [] } },
  { name: 'a tab before the keyword', text: '\ttopic read x\n', problems: [1] },
  {
    name: 'a topic that ends with a space of Unicode',
    text: 'topic read x\u00A0\n',
    anonymous: [[1, 'read', 'x\u00A0']],
  },
  { name: 'user alone', text: 'user\nuser   \n', problems: [1, 2] },
  {
    name: 'patterns belong to nobody',
    text: 'user a\npattern read s/%u/d\npattern %c\n',
    users: { a: [] },
    patterns: [
      [2, 'read', 's/%u/d'],
      [3, 'readwrite', '%c'],
    ],
  },
  { name: 'a pattern without a value', text: 'pattern read a/b\n', patterns: [[1, 'read', 'a/b']], warnings: [1] },
  {
    name: 'a pattern whose value is no whole level',
    text: 'pattern a%u/b%c\n',
    patterns: [[1, 'readwrite', 'a%u/b%c']],
    warnings: [1],
  },
  { name: 'leading and trailing blanks, CRLF', text: '  topic   read   a/b \t\r\n', anonymous: [[1, 'read', 'a/b']] },
  { name: 'blanks in a topic after an access word', text: 'topic read a b/c d\n', anonymous: [[1, 'read', 'a b/c d']] },
  { name: 'blanks in a topic without one', text: 'topic a b\n', problems: [1] },
  { name: 'access in capitals', text: 'topic READ a\n', problems: [1] },
  {
    name: 'a tab is part of the topic',
    text: 'topic read\tx\n',
    anonymous: [[1, 'readwrite', 'read\tx']],
    warnings: [1],
  },
  { name: 'a tab after the keyword', text: 'topic\tread x\n', problems: [1] },
  {
    name: 'an access word alone is a topic',
    text: 'topic read\n',
    anonymous: [[1, 'readwrite', 'read']],
    warnings: [1],
  },
  { name: 'topic alone', text: 'topic\npattern\n', problems: [1, 2] },
  { name: 'an unknown keyword', text: 'topics read a\nallow a\nTopic a\n', problems: [1, 2, 3] },
  { name: 'a # that is not last', text: 'topic read a/#/b\n', problems: [1] },
  { name: 'a # that is not alone', text: 'topic read a#\n', problems: [1] },
  { name: 'a + that is not alone', text: 'topic read a/b+\n', problems: [1] },
  { name: 'a zero byte', text: 'topic read a\0b\n', problems: [1] },
  {
    name: 'the root of all',
    text: 'topic read #\ntopic read $SYS/#\n',
    anonymous: [
      [1, 'read', '#'],
      [2, 'read', '$SYS/#'],
    ],
  },
  { name: '200 levels', text: `topic read ${deep}\n`, anonymous: [[1, 'read', deep]] },
  { name: '201 levels', text: `topic read ${deep}/a\n`, problems: [1] },
  {
    name: '65535 bytes',
    text: `topic read ${'ä'.repeat(32_767)}x\n`,
    anonymous: [[1, 'read', `${'ä'.repeat(32_767)}x`]],
  },
  { name: '65536 bytes', text: `topic read ${'ä'.repeat(32_768)}\n`, problems: [1] },
  {
    name: 'all problems, in order',
    text: 'user\ntopic read a\nfoo\ntopic a b\n',
    anonymous: [[2, 'read', 'a']],
    problems: [1, 3, 4],
  },
]

const rows = (rules: readonly AclRule[]): Row[] => rules.map(({ line, access, filter }) => [line, access, filter])

describe('lines', () => {
  for (const { name, text, anonymous = [], users = {}, patterns = [], problems = [], warnings = [] } of cases)
    test(name, () => {
      const file = parseAclFile(Buffer.from(text))
      assert.deepEqual(
        file.problems.map(({ line }) => line),
        problems,
      )
      assert.deepEqual(rows(file.rules.anonymous), anonymous)
      assert.deepEqual(
        [...file.rules.users].map(([user, rules]) => [user, rows(rules)]),
        Object.entries(users),
      )
      assert.deepEqual(rows(file.rules.patterns), patterns)
      assert.deepEqual(
        file.warnings.map(({ line }) => line),
        warnings,
      )
    })

  test('a line that is not UTF-8', () => {
    const bytes = Buffer.concat([Buffer.from('topic a\ntopic '), Buffer.from([0xc3]), Buffer.from('\nuser\n')])
    const { problems } = parseAclFile(bytes)
    assert.deepEqual(
      problems.map(({ line }) => line),
      [2, 3],
    )
  })

  test('a rule keeps its line as written', () => {
    const [rule] = parseAclFile(Buffer.from('  topic deny  home/# \r\n')).rules.anonymous
    assert.equal(rule?.text, 'topic deny  home/#')
  })
})
