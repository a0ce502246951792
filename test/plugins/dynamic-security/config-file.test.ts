// The file of the plugin: what is read is written again, and what does not fit is told with its place.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { readConfig, writeConfig } from '../../../src/plugins/dynamic-security/config-file.js'
import { placeOfFault } from '../../../src/plugins/dynamic-security/json-fault.js'

const BYTES_64 = Buffer.alloc(64, 1).toString('base64')
const SALT = Buffer.alloc(12, 2).toString('base64')

/** In the form in which it is written. */
const whole = {
  comment: 'what nobody knows stays',
  defaultACLAccess: { publishClientSend: true, publishClientReceive: false, subscribe: true, unsubscribe: false },
  clients: [
    {
      encoded_password: 'of a later version',
      username: '__proto__',
      clientid: 'c',
      textname: 'N',
      textdescription: 'D',
      disabled: true,
      roles: [{ rolename: 'r', priority: 4 }, { rolename: 'a' }],
      password: BYTES_64,
      salt: SALT,
      iterations: 101,
    },
    { username: 'u', roles: [] },
  ],
  groups: [
    {
      groupname: 'constructor',
      textname: 'G',
      roles: [{ rolename: 'r' }],
      clients: [{ username: 'u', priority: 0 }, { username: '__proto__' }],
    },
  ],
  anonymousGroup: 'constructor',
  roles: [
    { rolename: 'a', acls: [] },
    {
      since: 2026,
      rolename: 'r',
      textname: 'R',
      acls: [
        { acltype: 'publishClientSend', topic: 'a/%u/#', priority: 3, allow: true },
        { acltype: 'publishClientSend', topic: 'a/+', priority: -1, allow: false },
        { acltype: 'unsubscribePattern', topic: '#', priority: 0, allow: true },
      ],
    },
  ],
}

test('what is read is written again, what means nothing here included', () => {
  const { directory, warnings } = readConfig(JSON.stringify(whole))
  assert.deepEqual(warnings, [])
  assert.deepEqual(JSON.parse(writeConfig(directory)), whole)
})

test('an empty object is a directory without anybody; the defaults are those of Mosquitto', () => {
  assert.deepEqual(JSON.parse(writeConfig(readConfig('{}').directory)), {
    defaultACLAccess: { publishClientSend: false, publishClientReceive: true, subscribe: false, unsubscribe: true },
    clients: [],
    groups: [],
    roles: [],
  })
})

test('names of members are known whatever their case, as mosquitto_ctrl writes them', () => {
  const { directory } = readConfig('{"Clients":[{"userName":"u","textName":"T"}]}')
  assert.equal(directory.clients.get('u')?.textName, 'T')
})

test('links that lead nowhere are told and left out', () => {
  const { directory, warnings } = readConfig(
    JSON.stringify({
      clients: [{ username: 'u', roles: [{ rolename: 'gone' }] }],
      groups: [{ groupname: 'g', clients: [{ username: 'gone' }], roles: [{ rolename: 'gone' }] }],
      anonymousGroup: 'gone',
    }),
  )
  assert.deepEqual(warnings, [
    "clients[0].roles[0]: no role 'gone'",
    "groups[0].roles[0]: no role 'gone'",
    "groups[0].clients[0]: no client 'gone'",
    "anonymousGroup: no group 'gone'",
  ])
  assert.equal(directory.anonymousGroup, undefined)
})

const credential = { username: 'u', password: BYTES_64, salt: SALT, iterations: 101 }

const faults: readonly { readonly text: string | object; readonly says: string }[] = [
  { text: '', says: 'line 1, column 1: not valid JSON' },
  { text: '{\n\t"clients": [\n', says: 'line 3, column 1: not valid JSON' },
  { text: '{\n "clients": [],\n}', says: 'line 3, column 1: not valid JSON' },
  { text: '[]', says: 'the file is no object' },
  { text: 'null', says: 'the file is no object' },
  { text: { clients: {} }, says: 'the file: clients is no list' },
  { text: { clients: [1] }, says: 'clients[0] is no object' },
  { text: { clients: [{ username: 'u' }, {}] }, says: 'clients[1]: username is missing' },
  { text: { clients: [{ username: 1 }] }, says: 'clients[0]: username is no text' },
  {
    text: { clients: [{ username: 'u' }, { username: 'u' }] },
    says: "clients[1]: username 'u' is there twice",
  },
  { text: { clients: [{ username: 'u', disabled: 1 }] }, says: 'clients[0]: disabled is neither true nor false' },
  {
    text: { clients: [{ username: 'u', roles: [{ rolename: 'r', priority: '1' }] }], roles: [{ rolename: 'r' }] },
    says: 'clients[0].roles[0]: priority is no number',
  },
  { text: { clients: [{ ...credential, salt: '' }] }, says: 'clients[0]: salt is no base64' },
  { text: { clients: [{ ...credential, salt: '!' }] }, says: 'clients[0]: salt is no base64' },
  { text: { clients: [{ ...credential, password: SALT }] }, says: 'clients[0]: password is not 64 bytes in base64' },
  ...[0, -1, 1.5, 5_000_001].map((iterations) => ({
    text: { clients: [{ ...credential, iterations }] },
    says: 'clients[0]: iterations is no whole number from 1 to 5000000',
  })),
  { text: { groups: [{}] }, says: 'groups[0]: groupname is missing' },
  { text: { roles: [{ rolename: 'r', acls: [{ topic: 'a' }] }] }, says: 'roles[0].acls[0]: acltype is missing' },
  {
    text: { roles: [{ rolename: 'r', acls: [{ acltype: 'nonsense', topic: 'a' }] }] },
    says: "roles[0].acls[0]: acltype 'nonsense' is unknown",
  },
  {
    text: { roles: [{ rolename: 'r', acls: [{ acltype: 'publishClientSend', topic: 'a', allow: 'yes' }] }] },
    says: 'roles[0].acls[0]: allow is neither true nor false',
  },
  {
    text: { defaultACLAccess: { subscribe: 'allow' } },
    says: 'defaultACLAccess: subscribe is neither true nor false',
  },
]

describe('a file that is no good', () => {
  for (const { text, says } of faults) {
    const json = typeof text === 'string' ? text : JSON.stringify(text)
    test(JSON.stringify(json), () => assert.throws(() => readConfig(json), { name: 'ConfigFileError', message: says }))
  }
})

describe('the place of a fault', () => {
  const places: readonly (readonly [text: string, line: number, column: number])[] = [
    ['{', 1, 2],
    ['{"a" 1}', 1, 6],
    ['{"a":1,}', 1, 8],
    ['[1 2]', 1, 4],
    ['[1,]', 1, 4],
    ['[1}', 1, 3],
    ['{"a":tru}', 1, 6],
    ['{"a":01}', 1, 6],
    ['["a\nb"]', 1, 2],
    ['["\\x"]', 1, 2],
    ['"open', 1, 1],
    ['{}\n{}', 2, 1],
    ["{'a':1}", 1, 2],
    ['// note\n{}', 1, 1],
    [`${'['.repeat(100_000)}x`, 1, 100_001],
  ]
  for (const [text, line, column] of places)
    test(text.slice(0, 40), () => assert.deepEqual(placeOfFault(text), { line, column }))

  test('what comes before it can be the beginning of JSON, what follows cannot save it', () => {
    const texts = fc.tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '}', ']', '"', 'x', ':', '[', '1'))
    fc.assert(
      fc.property(texts, ([json, at, more]) => {
        const cut = at % (json.length + 1)
        const text = json.slice(0, cut) + more + json.slice(cut + 1)
        try {
          JSON.parse(text)
          return
        } catch {}
        const { line, column } = placeOfFault(text)
        const lines = text.split('\n')
        assert.ok(line <= lines.length && column <= (lines[line - 1] ?? '').length + 1)
        // Whatever is valid JSON has no fault before its end.
        assert.deepEqual(placeOfFault(json), {
          line: json.split('\n').length,
          column: (json.split('\n').at(-1) ?? '').length + 1,
        })
      }),
    )
  })
})
