// What clients may do under an ACL file (files.md sections 2.2 and 2.3), each case with the rule that decides.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Acl } from '../../src/access/acl.js'
import { parseAclFile } from '../../src/access/acl-file.js'
import { type AclVerb, ClientRights } from '../../src/access/client-rights.js'

interface Case {
  name: string
  acl: string
  user?: string
  id?: string
  verb?: AclVerb
  topic: string
  /** The line that allows, minus the line that denies, or the reason when no line decides. */
  answer: number | string
}

function aclOf(text: string): Acl {
  const { rules, problems } = parseAclFile(Buffer.from(text))
  assert.deepEqual(problems, [])
  return new Acl(rules)
}

function check({ name, acl, user, id = 'dev1', verb = 'read', topic, answer }: Case): void {
  test(name, () => {
    const rights = aclOf(acl).rightsFor(user, id)
    const { allowed, reason, rule } = rights.decide(verb, topic)
    if (typeof answer === 'number')
      assert.deepEqual([reason, allowed, rule?.line], ['rule', answer > 0, Math.abs(answer)])
    else assert.deepEqual([reason, allowed, rule], [answer, answer === 'per-message', undefined])
    // Twice: decided, and remembered.
    for (let i = 0; i < 2; i++) {
      if (verb === 'read') assert.equal(rights.mayRead(topic), allowed)
      if (verb === 'write') assert.equal(rights.mayWrite(topic), allowed)
    }
  })
}

describe('which rules concern a client', () => {
  const acl = 'topic read open/#\nuser a\ntopic read a/#\nuser b\ntopic b/#\nuser none\n'
  const cases: Case[] = [
    { name: 'anonymous, own topic', acl, topic: 'open/x', answer: 1 },
    { name: 'anonymous, a topic of a user', acl, topic: 'a/x', answer: 'no-rule' },
    { name: 'a user, own topic', acl, user: 'a', topic: 'a/x', answer: 3 },
    { name: 'a user, the parent level of #', acl, user: 'a', topic: 'a', answer: 3 },
    { name: 'a user has nothing of the anonymous', acl, user: 'a', topic: 'open/x', answer: 'no-rule' },
    { name: 'a user has nothing of others', acl, user: 'a', topic: 'b/x', answer: 'no-rule' },
    { name: 'a user without rules', acl, user: 'none', topic: 'open/x', answer: 'no-rule' },
    { name: 'a user not in the file', acl, user: 'z', topic: 'open/x', answer: 'no-rule' },
    { name: 'an empty name is not anonymous', acl, user: '', topic: 'open/x', answer: 'no-rule' },
    { name: 'no write with read', acl, user: 'a', verb: 'write', topic: 'a/x', answer: 'no-rule' },
    { name: 'no read with write', acl: 'topic write x', topic: 'x', answer: 'no-rule' },
    { name: 'write with write', acl: 'topic write x', verb: 'write', topic: 'x', answer: 1 },
    { name: 'write with readwrite', acl, user: 'b', verb: 'write', topic: 'b/x', answer: 5 },
    { name: 'read with readwrite', acl, user: 'b', topic: 'b/x', answer: 5 },
    { name: 'CVE-2018-12550: an empty file denies', acl: '', user: 'a', topic: 'x', answer: 'no-rule' },
    {
      name: 'CVE-2018-12550: a file of comments denies',
      acl: '# topic #\n',
      verb: 'write',
      topic: 'x',
      answer: 'no-rule',
    },
    { name: 'D3.1: a user name that objects have', acl, user: '__proto__', topic: 'open/x', answer: 'no-rule' },
    {
      name: 'D3.1: levels that objects have',
      acl: 'topic read __proto__/constructor',
      topic: '__proto__/constructor',
      answer: 1,
    },
    { name: 'a client without id', acl: 'topic #', id: '', topic: 'x', answer: 'no-client-id' },
    {
      name: 'a client without id cannot subscribe',
      acl: 'topic #',
      id: '',
      verb: 'subscribe',
      topic: 'x',
      answer: 'no-client-id',
    },
  ]
  for (const row of cases) check(row)
})

describe('order', () => {
  const cases: Case[] = [
    { name: 'the first that grants decides', acl: 'topic read a/#\ntopic read a/b', topic: 'a/b', answer: 1 },
    {
      name: 'one that grants something else is passed over',
      acl: 'topic write a/b\ntopic read a/+',
      topic: 'a/b',
      answer: 2,
    },
    { name: 'deny before allow', acl: 'topic deny a/b\ntopic a/#', topic: 'a/b', answer: -1 },
    { name: 'deny after allow', acl: 'topic a/#\ntopic deny a/b', topic: 'a/b', answer: -2 },
    { name: 'deny holds for write', acl: 'topic a/#\ntopic deny a/b', verb: 'write', topic: 'a/b', answer: -2 },
    { name: 'beside the deny', acl: 'topic a/#\ntopic deny a/b', topic: 'a/c', answer: 1 },
    { name: 'the latest deny decides', acl: 'topic deny a/#\ntopic deny a/b', topic: 'a/b', answer: -2 },
    {
      name: 'rules of a user opened again',
      acl: 'user u\ntopic a/#\nuser v\nuser u\ntopic deny a/b',
      user: 'u',
      topic: 'a/b',
      answer: -5,
    },
    {
      name: 'the user before patterns: allow',
      acl: 'pattern deny a/%u\nuser u\ntopic a/#',
      user: 'u',
      topic: 'a/u',
      answer: 3,
    },
    {
      name: 'the user before patterns: deny',
      acl: 'pattern a/%u\nuser u\ntopic deny a/#',
      user: 'u',
      topic: 'a/u',
      answer: -3,
    },
    {
      name: 'patterns after the user',
      acl: 'user u\ntopic read b\npattern read a/%u',
      user: 'u',
      topic: 'a/u',
      answer: 3,
    },
    {
      name: 'pattern deny before pattern allow',
      acl: 'pattern read a/#\npattern deny a/%u',
      user: 'u',
      topic: 'a/u',
      answer: -2,
    },
    {
      name: 'a pattern deny for others',
      acl: 'pattern read a/#\npattern deny a/%u',
      user: 'v',
      topic: 'a/u',
      answer: 1,
    },
  ]
  for (const row of cases) check(row)
})

describe('patterns', () => {
  const sensor = 'pattern write sensor/%u/data'
  const cases: Case[] = [
    { name: 'own topic', acl: sensor, user: 'u', verb: 'write', topic: 'sensor/u/data', answer: 1 },
    { name: 'the topic of another', acl: sensor, user: 'u', verb: 'write', topic: 'sensor/v/data', answer: 'no-rule' },
    { name: 'other access', acl: sensor, user: 'u', topic: 'sensor/u/data', answer: 'no-rule' },
    {
      name: 'in a user block all the same',
      acl: `user x\n${sensor}`,
      user: 'u',
      verb: 'write',
      topic: 'sensor/u/data',
      answer: 2,
    },
    { name: 'the client id', acl: 'pattern read %c/x', user: 'u', topic: 'dev1/x', answer: 1 },
    { name: 'both', acl: 'pattern read %u/%c', user: 'u', topic: 'u/dev1', answer: 1 },
    { name: 'both the other way', acl: 'pattern read %u/%c', user: 'u', topic: 'dev1/u', answer: 'no-rule' },
    { name: 'with wildcards', acl: 'pattern read +/%u/#', user: 'u', topic: 'x/u/y/z', answer: 1 },
    { name: '%u/# matches the parent level', acl: 'pattern read %u/#', user: 'u', topic: 'u', answer: 1 },
    { name: 'anonymous has no %u', acl: 'pattern read %u/#', topic: '/x', answer: 'no-rule' },
    { name: 'anonymous has %c', acl: 'pattern read %c/#', topic: 'dev1/x', answer: 1 },
    { name: 'anonymous has patterns without values', acl: 'pattern read x/#', topic: 'x/y', answer: 1 },
    { name: 'an empty user name matches nothing', acl: 'pattern read %u/#', user: '', topic: '/x', answer: 'no-rule' },
    { name: 'a%u is literal', acl: 'pattern read a%u', user: 'u', topic: 'au', answer: 'no-rule' },
    { name: 'a%u is literal, matched as such', acl: 'pattern read a%u', user: 'u', topic: 'a%u', answer: 1 },
    { name: '%ux is literal', acl: 'pattern read %ux/%cx', user: 'u', topic: '%ux/%cx', answer: 1 },
    {
      name: '%u in a topic line is literal',
      acl: 'user u\ntopic read a/%u',
      user: 'u',
      topic: 'a/u',
      answer: 'no-rule',
    },
    {
      name: '%u in a topic line, matched as such',
      acl: 'user u\ntopic read a/%u',
      user: 'u',
      topic: 'a/%u',
      answer: 2,
    },
    { name: 'a name with blanks', acl: sensor, user: 'a b', verb: 'write', topic: 'sensor/a b/data', answer: 1 },
    {
      name: 'a name that is %c is not replaced again',
      acl: 'pattern read %u/x',
      user: '%c',
      topic: 'dev1/x',
      answer: 'no-rule',
    },
  ]
  for (const row of cases) check(row)
})

describe('names that would widen a pattern', () => {
  const acl = 'user #\ntopic read own\npattern readwrite s/%u/%c\npattern read free/#'
  const cases: Case[] = [
    { name: 'CVE-2017-7650: user name #', acl, user: '#', topic: 's/x/dev1', answer: 'wildcard-in-name' },
    { name: 'CVE-2017-7650: user name +', acl, user: '+', topic: 's/x/dev1', answer: 'wildcard-in-name' },
    {
      name: 'CVE-2017-7650: user name with + inside',
      acl,
      user: 'a+b',
      topic: 's/a+b/dev1',
      answer: 'wildcard-in-name',
    },
    { name: 'CVE-2017-7650: client id #', acl, user: 'u', id: '#', topic: 's/u/dev1', answer: 'wildcard-in-name' },
    { name: 'CVE-2017-7650: client id +', acl, user: 'u', id: '+', topic: 's/u/dev1', answer: 'wildcard-in-name' },
    {
      name: 'CVE-2017-7650: anonymous with client id #',
      acl: 'pattern read %c',
      id: '#',
      topic: 'x',
      answer: 'wildcard-in-name',
    },
    {
      name: 'CVE-2017-7650: patterns without values as well',
      acl,
      user: '#',
      topic: 'free/x',
      answer: 'wildcard-in-name',
    },
    { name: 'CVE-2017-7650: rules of the user still count', acl, user: '#', topic: 'own', answer: 2 },
    { name: 'CVE-2017-7650: user name with /', acl, user: 'a/b', topic: 's/a/b/dev1', answer: 'no-rule' },
    { name: 'CVE-2017-7650: user name /', acl: 'pattern read s/%u/x', user: '/', topic: 's///x', answer: 'no-rule' },
    { name: 'CVE-2017-7650: client id with /', acl, user: 'u', id: 'x/y', topic: 's/u/x/y', answer: 'no-rule' },
    {
      name: 'CVE-2017-7650: a client id with / has patterns without it',
      acl,
      user: 'u',
      id: 'x/y',
      topic: 'free/x',
      answer: 4,
    },
    {
      name: 'CVE-2017-7650: without patterns names are free',
      acl: 'user a+b\ntopic read x',
      user: 'a+b',
      id: '#',
      topic: 'x',
      answer: 2,
    },
    {
      name: 'CVE-2017-7650: without patterns nothing is said of names',
      acl: 'topic read x',
      user: '+',
      topic: 'y',
      answer: 'no-rule',
    },
    {
      name: 'CVE-2017-7650: a name that begins with $ opens no $ topic',
      acl: 'pattern readwrite %u/#',
      user: '$SYS',
      topic: '$SYS/broker/uptime',
      answer: 'no-rule',
    },
  ]
  for (const row of cases) check(row)
})

describe('topics that begin with $', () => {
  const all = 'topic #'
  const state = '$SYS/broker/connection/b/state'
  const cases: Case[] = [
    { name: '# does not open $SYS', acl: all, topic: '$SYS/broker/uptime', answer: 'no-rule' },
    { name: '+/# does not open $SYS', acl: 'topic +/#', topic: '$SYS/broker/uptime', answer: 'no-rule' },
    { name: '$SYS/# does', acl: 'topic read $SYS/#', topic: '$SYS/broker/uptime', answer: 1 },
    { name: '$SYS/# opens nothing else', acl: 'topic read $SYS/#', topic: 'SYS/x', answer: 'no-rule' },
    { name: '# does not close $SYS', acl: 'topic read $SYS/#\ntopic deny #', topic: '$SYS/x', answer: 1 },
    {
      name: 'nobody writes to $SYS',
      acl: 'topic $SYS/#',
      verb: 'write',
      topic: '$SYS/broker/uptime',
      answer: 'sys-write',
    },
    {
      name: 'nobody writes to what begins like $SYS',
      acl: 'topic $SYSTEM/#',
      verb: 'write',
      topic: '$SYSTEM/x',
      answer: 'sys-write',
    },
    {
      name: 'bridge state goes on to the rules: allowed',
      acl: 'topic write $SYS/#',
      verb: 'write',
      topic: state,
      answer: 1,
    },
    { name: 'bridge state goes on to the rules: denied', acl: all, verb: 'write', topic: state, answer: 'no-rule' },
    { name: 'below bridge state', acl: 'topic $SYS/#', verb: 'write', topic: `${state}/x`, answer: 'sys-write' },
    {
      name: 'CVE-2018-12543: another $ topic is ordinary',
      acl: 'topic $other/#',
      verb: 'write',
      topic: '$other/x',
      answer: 1,
    },
    {
      name: 'CVE-2018-12543: another $ topic needs a rule',
      acl: all,
      verb: 'write',
      topic: '$other/x',
      answer: 'no-rule',
    },
    {
      name: '$share is not for messages: write',
      acl: 'topic $share/#',
      verb: 'write',
      topic: '$share/g/x',
      answer: 'share-topic',
    },
    { name: '$share is not for messages: read', acl: 'topic $share/#', topic: '$share/g/x', answer: 'share-topic' },
  ]
  for (const row of cases) check(row)
})

describe('subscribing is always allowed, messages are filtered', () => {
  const acl = 'topic deny secret/#'
  const cases: Case[] = [
    { name: 'subscribe', acl, verb: 'subscribe', topic: 'secret/#', answer: 'per-message' },
    { name: 'unsubscribe', acl, verb: 'unsubscribe', topic: 'secret/#', answer: 'per-message' },
    { name: 'subscribe to a share', acl, verb: 'subscribe', topic: '$share/g/secret/#', answer: 'per-message' },
    {
      name: 'NATS 2026-18: the message of a share is checked by its own topic',
      acl: `${acl}\ntopic #`,
      topic: 'secret/x',
      answer: -1,
    },
  ]
  for (const row of cases) check(row)
})

describe('without an ACL file', () => {
  const cases: { verb: AclVerb; topic: string; allowed: boolean }[] = [
    { verb: 'read', topic: 'x', allowed: true },
    { verb: 'write', topic: 'x', allowed: true },
    { verb: 'read', topic: '$SYS/broker/uptime', allowed: true },
    { verb: 'write', topic: '$SYS/broker/uptime', allowed: false },
    { verb: 'write', topic: '$SYS/broker/connection/b/state', allowed: true },
    { verb: 'write', topic: '$other', allowed: true },
    { verb: 'write', topic: '$share/g/x', allowed: false },
    { verb: 'read', topic: '$share/g/x', allowed: false },
    { verb: 'subscribe', topic: '$share/g/x', allowed: true },
  ]
  const rights = new Acl(undefined).rightsFor('u', 'dev1')
  for (const { verb, topic, allowed } of cases)
    test(`${verb} ${topic}`, () => {
      assert.equal(rights.decide(verb, topic).allowed, allowed)
      if (verb === 'read') assert.equal(rights.mayRead(topic), allowed)
      if (verb === 'write') assert.equal(rights.mayWrite(topic), allowed)
    })
  test('a client without id', () => {
    const none = new Acl(undefined).rightsFor('u', '')
    assert.deepEqual([none.mayRead('x'), none.mayWrite('x')], [false, false])
  })
})

describe('one object for clients with the same rights', () => {
  type Client = [username: string | undefined, clientId: string]
  const cases: { name: string; acl: string | undefined; a: Client; b: Client; same: boolean }[] = [
    { name: 'same user', acl: 'user u\ntopic x', a: ['u', '1'], b: ['u', '2'], same: true },
    { name: 'anonymous', acl: 'topic x', a: [undefined, '1'], b: [undefined, '2'], same: true },
    { name: 'no ACL file', acl: undefined, a: ['u', '1'], b: ['v', '2'], same: true },
    { name: 'different users', acl: 'user u\nuser v', a: ['u', '1'], b: ['v', '1'], same: false },
    { name: 'users that are not in the file are not kept', acl: 'user u', a: ['z', '1'], b: ['z', '1'], same: false },
    { name: 'patterns with the client id', acl: 'user u\npattern %c', a: ['u', '1'], b: ['u', '2'], same: false },
    { name: 'patterns with the user name', acl: 'user u\npattern %u', a: ['u', '1'], b: ['u', '2'], same: true },
    { name: 'a client id with a wildcard', acl: 'user u\npattern %u', a: ['u', '1'], b: ['u', '+'], same: false },
    { name: 'a client without id', acl: 'user u\ntopic x', a: ['u', '1'], b: ['u', ''], same: false },
  ]
  for (const { name, acl, a, b, same } of cases)
    test(name, () => {
      const all = acl === undefined ? new Acl(undefined) : aclOf(acl)
      assert.equal(all.rightsFor(...a) === all.rightsFor(...b), same)
    })
})

describe('the memory of decisions', () => {
  const filter = 'x/#'
  const rule = { line: 1, text: `topic read ${filter}`, access: 'read', filter } as const
  const prepared = { rule, reads: true, writes: false, denies: false, levels: ['x'], open: true, dollar: false }
  for (const limit of [0, 1, 2])
    test(`holds ${limit}, and answers the same`, () => {
      const rights = new ClientRights({ restricted: true, own: [prepared], otherwise: 'no-rule' }, limit)
      for (let round = 0; round < 3; round++)
        for (const topic of ['x', 'x/1', 'y', `x/${'z'.repeat(300)}`]) {
          assert.equal(rights.mayRead(topic), topic.startsWith('x'))
          assert.equal(rights.mayWrite(topic), false)
        }
    })
  test('a repeated topic is not compared with the rules again', () => {
    let asked = 0
    const watched = {
      ...prepared,
      get levels() {
        asked++
        return ['x']
      },
    }
    const rights = new ClientRights({ restricted: true, own: [watched], otherwise: 'no-rule' })
    for (let i = 0; i < 5; i++) rights.mayRead('x/1')
    assert.equal(asked, 1)
  })
  test('the oldest is forgotten first', () => {
    let asked = 0
    const watched = {
      ...prepared,
      get levels() {
        asked++
        return ['x']
      },
    }
    const rights = new ClientRights({ restricted: true, own: [watched], otherwise: 'no-rule' }, 2)
    for (const topic of ['x/1', 'x/2', 'x/3', 'x/2', 'x/3', 'x/1']) rights.mayRead(topic)
    assert.equal(asked, 4)
  })
})

test('CVE-2019-11779: a topic of 65535 levels is decided at once', () => {
  const rights = aclOf('topic read +/+/x\npattern deny %u/#').rightsFor('u', 'c')
  assert.equal(rights.mayRead('/'.repeat(65_535)), false)
})

test('CVE-2018-11615: characters that mean something to regular expressions mean nothing here', () => {
  const rights = aclOf('topic read a.*b/(x|x)*\ntopic read [').rightsFor(undefined, 'c')
  assert.deepEqual(
    ['a.*b/(x|x)*', 'aXXb/xx', '['].map((topic) => rights.mayRead(topic)),
    [true, false, true],
  )
})
