// Commands where tsmq is stricter than Mosquitto's plugin, what becomes of a command that fails, and whose connections end. That
// answers are otherwise those of Mosquitto is for test/interop.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lines } from '../../broker/plugin-kit.js'
import { nextPublish } from '../../support/deliveries.js'
import type { RawClient } from '../../support/raw-client.js'
import { command, config, credential, DynsecScene, TOPIC } from './dynsec-kit.js'

const file = config({
  clients: [{ username: 'u', ...credential('p'), roles: [{ rolename: 'r' }] }],
  groups: [{ groupname: 'g', clients: [] }],
  roles: [{ rolename: 'r', acls: [{ acltype: 'publishClientSend', topic: 'a', allow: true }] }],
})

const LISTS = ['listClients', 'listGroups', 'listRoles'].map((name) => command(name, { verbose: true }))

const noText = (name: string) => `Invalid/missing ${name}`
const noLinks = (list: string, member: string) => `'${list}' not an array or missing/invalid ${member}`
const acl = (more: object = {}) => ({ rolename: 'r', acltype: 'publishClientSend', topic: 'b', allow: true, ...more })

const refused: readonly (readonly [name: string, members: object, error: string])[] = [
  ['createClient', { username: '' }, noText('username')],
  ['createClient', { username: 'a\0b' }, noText('username')],
  ['createClient', { username: '\ud800' }, noText('username')],
  ['createClient', { username: 'x'.repeat(65_536) }, noText('username')],
  ['createClient', { username: 'x', password: '' }, 'Empty password is not allowed'],
  ['createClient', { username: 'x', password: null }, noText('password')],
  ['createClient', { username: 'x', groups: 1 }, noLinks('groups', 'groupname')],
  ['createClient', { username: 'x', groups: [{}] }, noLinks('groups', 'groupname')],
  ['createClient', { username: 'x', roles: [null] }, noLinks('roles', 'rolename')],
  ['createClient', { username: 'x', roles: [{ rolename: 'r', priority: 'high' }] }, 'Invalid priority'],
  ['createClient', { username: 'x', roles: [{ rolename: '__proto__' }] }, 'Role not found'],
  ['createClient', { username: 'u' }, 'Client already exists'],
  ['modifyClient', { username: 'u', textname: 1 }, noText('textname')],
  ['modifyClient', { username: 'u', password: '' }, 'Empty password is not allowed'],
  ['modifyClient', { username: 'u', textname: 'x', groups: [{ groupname: 'gone' }] }, 'Group not found'],
  ['modifyClient', { username: 'u', textname: 'x', roles: [{ rolename: 'gone' }] }, 'Role not found'],
  ['addClientRole', { username: 'u', rolename: 'r' }, 'Client already has this role'],
  ['addClientRole', { username: 'u', rolename: 'admin', priority: {} }, 'Invalid priority'],
  ['getClient', { username: '__proto__' }, 'Client not found'],
  ['listClients', { count: 'x' }, 'Invalid count'],
  ['listClients', { offset: 'x' }, 'Invalid offset'],
  ['listClients', { verbose: 'x' }, noText('verbose')],
  ['createGroup', { groupname: '' }, noText('groupname')],
  ['createGroup', { groupname: 'x', clients: [{ username: 'gone' }] }, 'Client not found'],
  ['modifyGroup', { groupname: 'g', textname: 1 }, noText('textname')],
  ['modifyGroup', { groupname: 'g', textname: 'x', clients: 1 }, noLinks('clients', 'username')],
  ['createRole', { rolename: '' }, noText('rolename')],
  ['createRole', { rolename: 'x', acls: 1 }, "'acls' not an array of objects"],
  ['createRole', { rolename: 'x', acls: [1] }, "'acls' not an array of objects"],
  ['createRole', { rolename: 'x', acls: [{ topic: 'a' }] }, noText('acltype')],
  ['createRole', { rolename: 'x', acls: [{ acltype: 'nonsense', topic: 'a' }] }, 'Unknown acltype'],
  ['createRole', { rolename: 'x', acls: [acl({ topic: 'a/#/b' })] }, 'Invalid ACL topic'],
  ['createRole', { rolename: 'x', acls: [acl(), acl({ allow: false })] }, 'ACL with this topic already exists'],
  ['modifyRole', { rolename: 'r', textname: 'x', acls: [acl({ topic: '' })] }, 'Invalid ACL topic'],
  ['addRoleACL', acl({ topic: '' }), 'Invalid ACL topic'],
  ['addRoleACL', acl({ topic: 'a\0' }), noText('topic')],
  ['addRoleACL', acl({ allow: 'yes' }), noText('allow')],
  ['addRoleACL', acl({ priority: 'high' }), 'Invalid priority'],
  ['addRoleACL', acl({ topic: 'a' }), 'ACL with this topic already exists'],
  ['setDefaultACLAccess', { acls: [1] }, 'Missing/invalid actions array'],
  ['setDefaultACLAccess', { acls: [{ acltype: 'subscribe' }] }, noText('allow')],
  [
    'setDefaultACLAccess',
    {
      acls: [
        { acltype: 'subscribe', allow: true },
        { acltype: 'subscribeLiteral', allow: true },
      ],
    },
    'Unknown acltype',
  ],
]

test('a command that is refused changes nothing', async (t) => {
  const scene = await DynsecScene.open(t, file)
  const lists = [...LISTS, command('getDefaultACLAccess')]
  const before = await scene.ask(...lists)
  for (const [name, members, error] of refused)
    await t.test(`${name} ${JSON.stringify(members).slice(0, 80)}`, async () => {
      assert.deepEqual(await scene.ask(command(name, members)), [{ command: name, error }])
      assert.deepEqual(await scene.ask(...lists), before)
    })
})

test('names of members are known in any case; null is no priority; the first of two links counts', async (t) => {
  const scene = await DynsecScene.open(t, file)
  const roles = [
    { rolename: 'r', priority: null },
    { rolename: 'r', priority: 3 },
    { ROLENAME: 'admin', Priority: 1 },
  ]
  await scene.do(command('createClient', { userName: '__proto__', Roles: roles, groups: [{ groupname: 'g' }] }))
  const [answer] = await scene.do(command('getClient', { username: '__proto__' }))
  assert.deepEqual(answer?.data, {
    client: {
      username: '__proto__',
      roles: [{ rolename: 'admin', priority: 1 }, { rolename: 'r' }],
      groups: [{ groupname: 'g' }],
    },
  })
})

test('parts of lists', async (t) => {
  const scene = await DynsecScene.open(t)
  await scene.do(...['c', 'a', 'b'].map((username) => command('createClient', { username })))
  const part = async (members: object) => {
    const { clients } = await scene.data<{ readonly clients: readonly string[] }>(command('listClients', members))
    return clients.join()
  }
  assert.equal(await part({}), 'a,admin,b,c')
  assert.equal(await part({ count: 0 }), '')
  assert.equal(await part({ count: 1 }), 'a')
  assert.equal(await part({ count: 2, offset: 1 }), 'admin,b')
  assert.equal(await part({ count: -1, offset: 3 }), 'c')
  assert.equal(await part({ count: 1e300, offset: -1e300 }), 'a,admin,b,c')
  assert.equal(await part({ count: 1, offset: 4 }), '')
})

test('a group that is made with members, and one that gets others', async (t) => {
  const scene = await DynsecScene.open(t, file)
  const members = async () => {
    const found = command('getGroup', { groupname: 'x' })
    return (await scene.data<{ readonly group: { readonly clients: readonly object[] } }>(found)).group.clients
  }
  await scene.do(command('createGroup', { groupname: 'x', clients: [{ username: 'u', priority: 2 }] }))
  assert.deepEqual(await members(), [{ username: 'u' }])
  await scene.do(command('createClient', { username: 'v' }))
  await scene.do(command('modifyGroup', { groupname: 'x', clients: [{ username: 'v' }] }))
  assert.deepEqual(await members(), [{ username: 'v' }])
  await scene.do(command('deleteClient', { username: 'u' }), command('modifyGroup', { groupname: 'x', clients: [] }))
  assert.deepEqual(await members(), [])
})

const user = { username: 'u' }
const role = { rolename: 'r' }
const group = { groupname: 'g' }
const rule = { rolename: 'r', acltype: 'publishClientSend', topic: 'a' }

/** One after the other; each with who has to come in again: user u, nobody in particular, or none of them. */
const effects: readonly (readonly [name: string, members: object, gone: '' | 'user' | 'anonymous' | 'both'])[] = [
  ['setDefaultACLAccess', { acls: [{ acltype: 'subscribe', allow: true }] }, ''],
  ['createRole', { rolename: 'new' }, ''],
  ['modifyRole', { rolename: 'new', acls: [] }, ''],
  ['createGroup', { groupname: 'new' }, ''],
  ['getClient', user, ''],
  ['modifyClient', { ...user, textname: 'U' }, 'user'],
  ['setClientPassword', { ...user, password: 'p' }, 'user'],
  ['setClientId', { ...user, clientid: '' }, 'user'],
  ['addRoleACL', { ...rule, topic: 'b', allow: true }, 'user'],
  ['removeRoleACL', { ...rule, topic: 'b' }, 'user'],
  ['modifyRole', { ...role, textname: 'R' }, 'user'],
  ['removeClientRole', { ...user, ...role }, 'user'],
  ['modifyRole', { ...role, textname: '' }, ''],
  ['addClientRole', { ...user, ...role }, 'user'],
  ['removeClientRole', { ...user, ...role }, 'user'],
  ['addGroupClient', { ...group, ...user }, 'user'],
  ['addGroupRole', { ...group, ...role }, 'user'],
  ['modifyGroup', { ...group, textname: 'G' }, 'user'],
  ['modifyRole', { ...role, textname: 'R' }, 'user'],
  ['setAnonymousGroup', group, 'anonymous'],
  ['modifyRole', { ...role, textname: '' }, 'both'],
  ['removeGroupRole', { ...group, ...role }, 'both'],
  ['addGroupRole', { ...group, ...role }, 'both'],
  ['removeGroupClient', { ...group, ...user }, 'user'],
  ['modifyGroup', { ...group, clients: [user] }, 'both'],
  ['modifyGroup', { ...group, clients: [] }, 'both'],
  ['deleteRole', role, 'anonymous'],
  ['deleteGroup', group, 'anonymous'],
  ['disableClient', user, 'user'],
  ['enableClient', user, ''],
  ['deleteClient', user, 'user'],
]

test('whose connections end', async (t) => {
  const scene = await DynsecScene.open(t, file)
  const comeIn = async (fields: object): Promise<RawClient> => {
    const { client, connack } = await scene.connect({ version: 5, ...fields })
    return connack.reasonCode === 0 ? client : Promise.reject(new Error(`0x${connack.reasonCode.toString(16)}`))
  }
  const isOut = async (client: RawClient): Promise<boolean> => {
    const isGone = await client.settled().then(
      () => false,
      () => true,
    )
    await client.drop()
    return isGone
  }
  for (const [name, members, gone] of effects)
    await t.test(`${name} ${JSON.stringify(members)}: ${gone || 'none'}`, async () => {
      const isBlocked = name === 'enableClient'
      const clients = [
        isBlocked ? undefined : await comeIn({ clientId: 'id', username: 'u', password: 'p' }),
        await comeIn({ clientId: 'nobody' }),
      ]
      await scene.do(command(name, members))
      // They are told behind the answer.
      await new Promise((resolve) => setImmediate(resolve))
      const [isUserOut, isOtherOut] = await Promise.all(clients.map((client) => (client ? isOut(client) : false)))
      assert.equal(isUserOut, gone === 'user' || gone === 'both')
      assert.equal(isOtherOut, gone === 'anonymous' || gone === 'both')
    })
})

test('whoever loses its own rights still gets the answer', async (t) => {
  const scene = await DynsecScene.open(t)
  assert.deepEqual(await scene.ask(command('setClientPassword', { username: 'admin', password: 'new' })), [
    { command: 'setClientPassword' },
  ])
  assert.deepEqual(lines(await (await scene.administrator()).closed()), ['DISCONNECT 0x98'])
  assert.equal(await scene.login('admin', 'new'), 0)
})

test('commands of one request are done in their order, those with passwords too', async (t) => {
  const scene = await DynsecScene.open(t)
  const answers = await scene.ask(
    command('createClient', { username: 'u', password: 'p', correlationData: '1' }),
    command('getClient', { username: 'u', correlationData: '2' }),
    command('setClientPassword', { username: 'u', password: 'q' }),
    command('disableClient', { username: 'u' }),
    command('enableClient', { username: 'u' }),
    command('deleteClient', { username: 'nobody' }),
  )
  assert.deepEqual(
    answers.map((answer) => answer.error ?? answer.correlationData ?? answer.command),
    ['1', '2', 'setClientPassword', 'disableClient', 'enableClient', 'Client not found'],
  )
  assert.equal(await scene.login('u', 'p'), 0x87)
  assert.equal(await scene.login('u', 'q'), 0)
})

test('requests are done in their order', async (t) => {
  const scene = await DynsecScene.open(t)
  const admin = await scene.administrator()
  for (const name of ['createClient', 'getClient', 'deleteClient'])
    admin.publish({
      topic: TOPIC,
      payload: JSON.stringify({ commands: [command(name, { username: 'u', password: 'p' })] }),
    })
  const answers: string[] = []
  while (answers.length < 3) answers.push(`${(await nextPublish(admin)).payload}`)
  assert.deepEqual(answers, [
    '{"responses":[{"command":"createClient"}]}',
    '{"responses":[{"command":"getClient","data":{"client":{"username":"u","roles":[],"groups":[]}}}]}',
    '{"responses":[{"command":"deleteClient"}]}',
  ])
})

test('changes are told in the log, passwords are not', async (t) => {
  const scene = await DynsecScene.open(t)
  scene.broker.forgetLog()
  await scene.do(
    command('createClient', { username: 'u\n', password: 'p4ss' }),
    command('addClientRole', { username: 'u\n', rolename: 'admin', priority: 3 }),
    command('getClient', { username: 'u\n' }),
  )
  const told = scene.broker.log.filter((line) => line.startsWith('dynamic-security: '))
  assert.deepEqual(told, [
    'dynamic-security: desk/admin | createClient | username=u\\n',
    'dynamic-security: desk/admin | addClientRole | username=u\\n | rolename=admin | priority=3',
  ])
  assert.ok(!scene.broker.log.some((line) => line.includes('p4ss')))
})
