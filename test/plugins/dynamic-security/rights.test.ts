// What clients may do by the rules of their roles. Most of the table was first seen at Mosquitto's plugin; where it differs, for
// the sake of safety, the name says so.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AuthorizedAction } from '../../../src/broker/plugins/plugin.js'
import type { ClientInfo } from '../../../src/broker/plugins/plugin-facts.js'
import { readConfig } from '../../../src/plugins/dynamic-security/config-file.js'
import { Rights } from '../../../src/plugins/dynamic-security/rights.js'

type Acl = readonly [type: string, topic: string, allow: boolean, priority?: number]

interface Scene {
  readonly name: string
  readonly roles?: Readonly<Record<string, readonly Acl[]>>
  /** Of user u: names with priorities. */
  readonly own?: Readonly<Record<string, number>>
  /** Names of roles with priorities, and the priority of the group for u; undefined when u is not in it. */
  readonly groups?: Readonly<
    Record<string, { readonly priority?: number; readonly roles: Readonly<Record<string, number>> }>
  >
  readonly anonymousGroup?: string
  readonly defaults?: object
  readonly disabled?: boolean
  readonly who?: Partial<ClientInfo>
  readonly hasAclFile?: boolean
  readonly allowed?: readonly string[]
  readonly denied?: readonly string[]
  readonly deferred?: readonly string[]
}

const P = 'publishClientSend'
const R = 'publishClientReceive'
const SL = 'subscribeLiteral'
const SP = 'subscribePattern'
const UL = 'unsubscribeLiteral'
const UP = 'unsubscribePattern'
const own = { r: 0 }

const scenes: readonly Scene[] = [
  {
    name: 'nothing but the defaults',
    allowed: ['deliver a', 'deliver $SYS/x', 'unsubscribe a'],
    denied: ['publish a', 'subscribe a', 'subscribe #', 'subscribe $share/g/a'],
  },
  {
    name: 'open defaults make nobody an administrator',
    defaults: { publishClientSend: true, subscribe: true },
    allowed: ['publish a', 'publish $x', 'subscribe a', 'subscribe #', 'subscribe $SYS/#'],
    denied: [
      'publish $CONTROL/dynamic-security/v1',
      'subscribe $CONTROL/#',
      'subscribe $CONTROL/dynamic-security/v1/response',
      'subscribe $share/g/$CONTROL/#',
    ],
  },
  {
    name: 'each type of rule is for its action',
    roles: {
      r: [
        [P, 'p', true],
        [R, 'a', false],
        [SP, 's', true],
        [UP, 'u', false],
      ],
    },
    own,
    allowed: ['publish p', 'deliver b', 'subscribe s', 'unsubscribe v'],
    denied: ['publish s', 'deliver a', 'subscribe p', 'unsubscribe u'],
  },
  {
    name: 'wildcards in topics',
    roles: {
      r: [
        [P, 'a/#', true],
        [P, '+/x', true],
        [P, 'c/+/d', true],
      ],
    },
    own,
    allowed: ['publish a', 'publish a/b/c', 'publish b/x', 'publish /x', 'publish c//d'],
    denied: ['publish ab', 'publish b/x/y', 'publish x', 'publish c/d', 'publish $a/x'],
  },
  {
    name: 'a pattern is about a filter when it is about all that the filter matches',
    roles: {
      r: [
        [SP, 'a/+/c', true],
        [SP, 'b/#', true],
        [SP, 'd/+/#', true],
      ],
    },
    own,
    allowed: [
      'subscribe a/+/c',
      'subscribe a/b/c',
      'subscribe b',
      'subscribe b/#',
      'subscribe b/+/#',
      'subscribe d/+/#',
    ],
    denied: ['subscribe a/#', 'subscribe a/+/+', 'subscribe +/b/c', 'subscribe #', 'subscribe d/#', 'subscribe d'],
  },
  {
    name: 'a literal is the filter itself',
    roles: {
      r: [
        [SL, 'a/#', true],
        [UL, 'b', false],
      ],
    },
    own,
    allowed: ['subscribe a/#', 'unsubscribe b/c', 'unsubscribe +'],
    denied: ['subscribe a', 'subscribe a/b', 'unsubscribe b'],
  },
  {
    name: 'literals of a role come before its patterns, whatever their priorities',
    roles: {
      r: [
        [SP, 'a', true, 9],
        [SL, 'a', false, -5],
      ],
    },
    own,
    denied: ['subscribe a'],
  },
  {
    name: 'but not before the patterns of a role that comes first',
    roles: { r: [[SP, 'a', true]], s: [[SL, 'a', false]] },
    own: { r: 5, s: 1 },
    allowed: ['subscribe a'],
  },
  {
    name: 'the rule with the higher priority, then the earlier one',
    roles: {
      r: [
        [P, 'a', true, 1],
        [P, '#', false, 5],
      ],
      s: [
        [P, 'b/+', false],
        [P, 'b/#', true],
      ],
    },
    own: { s: 9, r: 0 },
    allowed: ['publish b', 'publish b/c/d'],
    denied: ['publish a', 'publish b/c'],
  },
  {
    name: 'the role with the higher priority, then by name',
    roles: {
      x: [[P, 'a', false]],
      y: [
        [P, 'a', true],
        [P, 'b', true],
      ],
      z: [[P, 'b', false]],
    },
    own: { z: 1, y: 1, x: 2 },
    allowed: ['publish b'],
    denied: ['publish a'],
  },
  {
    name: 'own roles come before those of groups, whatever their priorities',
    roles: { r: [[P, 'a', true]], s: [[P, 'a', false]] },
    own: { r: -1 },
    groups: { g: { priority: 100, roles: { s: 100 } } },
    allowed: ['publish a'],
  },
  {
    name: 'the group with the higher priority for this client, then by name',
    roles: {
      r: [
        [P, 'a', true],
        [P, 'b', true],
      ],
      s: [[P, 'a', false]],
      t: [[P, 'b', false]],
    },
    groups: {
      y: { priority: 1, roles: { r: 9 } },
      x: { priority: 2, roles: { s: 0 } },
      z: { priority: 1, roles: { t: 99 } },
    },
    allowed: ['publish b'],
    denied: ['publish a'],
  },
  {
    name: '# is not about $ topics when it allows',
    roles: {
      r: [
        [P, '#', true],
        [SP, '#', true],
        [UP, '#', true],
      ],
    },
    own,
    defaults: { publishClientReceive: false, unsubscribe: false },
    allowed: ['publish a', 'subscribe #', 'unsubscribe $SYS/#', 'unsubscribe a'],
    denied: [
      'publish $SYS/a',
      'publish $CONTROL/dynamic-security/v1',
      'subscribe $SYS/#',
      'subscribe $CONTROL/#',
      'deliver a',
    ],
  },
  {
    name: '# is about $ filters when it denies',
    roles: { r: [[SP, '#', false]] },
    own,
    defaults: { subscribe: true },
    denied: ['subscribe a', 'subscribe $SYS/#', 'subscribe $share/g/a', 'subscribe $share/g/$SYS/a'],
  },
  {
    name: 'a shared subscription has the rights of its filter, as it has not at Mosquitto (GHSA-jx8g-9g95-6322)',
    roles: {
      r: [
        [SL, 'secret', false],
        [SP, '#', true],
      ],
    },
    own,
    allowed: ['subscribe a', 'subscribe $share/g/a', 'subscribe $share/secret/a'],
    denied: ['subscribe secret', 'subscribe $share/g/secret', 'subscribe $share/g/$SYS/a'],
  },
  {
    name: 'rules may be about a group',
    roles: {
      r: [
        [SP, '$share/g/q', true],
        [SL, '$share/h/l', true],
      ],
    },
    own,
    allowed: ['subscribe $share/g/q', 'subscribe $share/h/l'],
    denied: ['subscribe q', 'subscribe $share/h/q', 'subscribe $share/g/l', 'subscribe l'],
  },
  {
    name: '%u and %c as whole levels of patterns',
    roles: {
      r: [
        [P, 'u/%u/+', true],
        [SP, 'c/%c/#', true],
        [P, 'x%u', true],
        [SL, 'l/%u', true],
      ],
    },
    own,
    allowed: ['publish u/u/x', 'subscribe c/id', 'subscribe c/id/+', 'publish x%u', 'subscribe l/%u'],
    denied: ['publish u/v/x', 'publish u/%u/x', 'subscribe c/+', 'subscribe c/%c', 'publish xu', 'subscribe l/u'],
  },
  ...['+', '#', 'a/b', ''].map((clientId) => ({
    name: `a client id '${clientId}' widens no pattern (CVE-2017-7650)`,
    roles: {
      r: [
        [P, '%c/x', true],
        [SP, '%c', true],
      ] as const,
    },
    own,
    who: { clientId },
    denied: [
      'publish a/x',
      'publish +/x',
      'publish a/b/x',
      'subscribe +',
      'subscribe #',
      'subscribe a/b',
      'publish /x',
    ],
  })),
  {
    name: 'a disabled client may do nothing',
    roles: { r: [[P, '#', true]] },
    own,
    disabled: true,
    denied: ['publish a', 'deliver a', 'unsubscribe a'],
  },
  {
    name: 'a user who is not known may do nothing',
    who: { username: 'stranger' },
    defaults: { publishClientSend: true, subscribe: true },
    denied: ['publish a', 'deliver a', 'subscribe a', 'unsubscribe a'],
  },
  {
    name: 'unless there is an ACL file to be asked',
    who: { username: 'stranger' },
    hasAclFile: true,
    deferred: ['publish a', 'deliver a', 'subscribe a'],
  },
  {
    name: 'an ACL file has no say in what known users may do',
    hasAclFile: true,
    allowed: ['deliver a'],
    denied: ['publish a'],
  },
  {
    name: 'nobody in particular has the roles of the anonymous group',
    roles: {
      r: [
        [P, 'a', true],
        [P, '%c', true],
        [P, '%u', true],
      ],
    },
    groups: { g: { roles: { r: 0 } } },
    anonymousGroup: 'g',
    who: { username: undefined },
    hasAclFile: true,
    allowed: ['publish a', 'publish id', 'deliver a'],
    denied: ['publish b', 'subscribe a', 'publish undefined', 'publish '],
  },
  {
    name: 'and without it the defaults',
    who: { username: undefined },
    allowed: ['deliver a', 'unsubscribe a'],
    denied: ['publish a', 'subscribe a'],
  },
  {
    name: 'or what the ACL file says',
    who: { username: undefined },
    hasAclFile: true,
    deferred: ['publish a', 'deliver a'],
  },
]

function links(names: Readonly<Record<string, number>> = {}): object[] {
  return Object.entries(names).map(([rolename, priority]) => ({ rolename, priority }))
}

function fileOf({
  roles = {},
  own: mine,
  groups = {},
  anonymousGroup,
  defaults = {},
  disabled = false,
}: Scene): string {
  return JSON.stringify({
    defaultACLAccess: defaults,
    clients: [{ username: 'u', disabled, roles: links(mine) }],
    groups: Object.entries(groups).map(([groupname, group]) => ({
      groupname,
      roles: links(group.roles),
      clients: group.priority === undefined ? [] : [{ username: 'u', priority: group.priority }],
    })),
    anonymousGroup,
    roles: Object.entries(roles).map(([rolename, acls]) => ({
      rolename,
      acls: acls.map(([acltype, topic, allow, priority = 0]) => ({ acltype, topic, allow, priority })),
    })),
  })
}

describe('rights', () => {
  for (const scene of scenes)
    test(scene.name, () => {
      const rights = new Rights(readConfig(fileOf(scene)).directory)
      const listener = { port: 1, path: undefined, hasPasswordFile: false, hasAclFile: scene.hasAclFile ?? false }
      const client: ClientInfo = { clientId: 'id', username: 'u', listener, ...scene.who }
      const { allowed = [], denied = [], deferred = [] } = scene
      const all = { allow: allowed, deny: denied, undefined: deferred }
      for (const [want, questions] of Object.entries(all))
        for (const question of [...questions, ...questions]) {
          const [action = '', topic = ''] = /^(\w+) (.*)$/.exec(question)?.slice(1) ?? []
          assert.equal(`${rights.ask(client, action as AuthorizedAction, topic)}`, want, question)
        }
    })

  test('what is remembered is bounded, and forgotten when something changes', () => {
    const { directory } = readConfig(fileOf({ name: '', roles: { r: [[P, 'a/#', true]] }, own }))
    const rights = new Rights(directory)
    const listener = { port: 1, path: undefined, hasPasswordFile: false, hasAclFile: false }
    const client: ClientInfo = { clientId: 'id', username: 'u', listener }
    for (let n = 0; n < 3000; n++) assert.equal(rights.ask(client, 'publish', `a/${n}`), 'allow')
    const user = directory.clients.get('u')
    if (user !== undefined) user.isDisabled = true
    assert.equal(rights.ask(client, 'publish', 'a/2999'), 'allow')
    rights.forget()
    assert.equal(rights.ask(client, 'publish', 'a/2999'), 'deny')
  })
})
