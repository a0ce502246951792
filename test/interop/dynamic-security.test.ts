// The plugin dynamic-security beside that of Debian's mosquitto: the same commands get the same answers, by mosquitto_ctrl and as raw
// requests, and each of the two reads what the other has written.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { literalBlocks, scriptOf } from '../support/man-examples.js'
import { killPrograms, Program } from '../support/program.js'
import { startTsmq } from '../support/tsmq-process.js'
import { BROKER, DynsecBroker, LIBRARY, PASSWORD, TOOL } from './dynsec-brokers.js'
import { suite } from './programs.js'

/** What `mosquitto_ctrl dynsec` is called with, one after the other. */
const calls: readonly (readonly string[])[] = [
  ['listClients'],
  ['getClient', 'admin'],
  ['getClient', 'nobody'],
  ['getClient'],
  ['createClient', 'alice', '-p', 'secret'],
  ['createClient', 'alice', '-p', 'secret'],
  ['createClient', 'bob', '-c', 'bobs-phone', '-p', 'secret'],
  ['createClient', 'carol', '-p', 'secret', '-c'],
  ['createClient'],
  ['listClients'],
  ['listClients', '2'],
  ['listClients', '1', '1'],
  ['listClients', '10', '10'],
  ['getClient', 'bob'],
  ['setClientId', 'alice', 'one'],
  ['getClient', 'alice'],
  ['setClientId', 'alice'],
  ['getClient', 'alice'],
  ['setClientId', 'nobody', 'x'],
  ['setClientPassword', 'alice', 'another'],
  ['setClientPassword', 'nobody', 'another'],
  ['disableClient', 'alice'],
  ['getClient', 'alice'],
  ['enableClient', 'alice'],
  ['enableClient', 'nobody'],
  ['disableClient'],

  ['createRole', 'reader'],
  ['createRole', 'reader'],
  ['createRole', 'writer'],
  ['createRole'],
  ['addRoleACL', 'reader', 'subscribePattern', 'sensor/#', 'allow', '5'],
  ['addRoleACL', 'reader', 'subscribePattern', 'sensor/#', 'deny'],
  ['addRoleACL', 'reader', 'subscribeLiteral', 'sensor/secret', 'deny', '7'],
  ['addRoleACL', 'reader', 'publishClientReceive', 'sensor/+/data', 'allow'],
  ['addRoleACL', 'reader', 'unsubscribeLiteral', 'a', 'deny'],
  ['addRoleACL', 'reader', 'unsubscribePattern', 'b/#', 'allow', '-3'],
  ['addRoleACL', 'writer', 'publishClientSend', 'sensor/#', 'allow'],
  ['addRoleACL', 'writer', 'publishClientSend', 'sensor/#/x', 'allow'],
  ['addRoleACL', 'writer', 'nonsense', 'x', 'allow'],
  ['addRoleACL', 'writer', 'publishClientSend', 'x', 'perhaps'],
  ['addRoleACL', 'nothing', 'publishClientSend', 'x', 'allow'],
  ['addRoleACL', 'writer', 'publishClientSend', 'x'],
  ['getRole', 'reader'],
  ['getRole', 'nothing'],
  ['listRoles'],
  ['listRoles', '1'],
  ['listRoles', '1', '1'],
  ['removeRoleACL', 'reader', 'subscribeLiteral', 'sensor/secret'],
  ['removeRoleACL', 'reader', 'subscribeLiteral', 'sensor/secret'],
  ['removeRoleACL', 'reader', 'nonsense', 'x'],
  ['removeRoleACL', 'nothing', 'subscribeLiteral', 'x'],
  ['getRole', 'reader'],

  ['addClientRole', 'alice', 'reader'],
  ['addClientRole', 'alice', 'writer', '9'],
  ['addClientRole', 'nobody', 'writer'],
  ['addClientRole', 'alice', 'nothing'],
  ['addClientRole', 'alice'],
  ['getClient', 'alice'],
  ['removeClientRole', 'alice', 'reader'],
  ['removeClientRole', 'alice', 'reader'],
  ['removeClientRole', 'alice', 'nothing'],
  ['getClient', 'alice'],

  ['createGroup', 'staff'],
  ['createGroup', 'staff'],
  ['createGroup', 'guests'],
  ['createGroup'],
  ['addGroupRole', 'staff', 'reader'],
  ['addGroupRole', 'staff', 'writer', '4'],
  ['addGroupRole', 'staff', 'nothing'],
  ['addGroupRole', 'nowhere', 'writer'],
  ['addGroupRole', 'staff', 'writer'],
  ['addGroupClient', 'staff', 'alice'],
  ['addGroupClient', 'staff', 'alice'],
  ['addGroupClient', 'guests', 'alice', '3'],
  ['addGroupClient', 'staff', 'bob', '1'],
  ['addGroupClient', 'nowhere', 'bob'],
  ['addGroupClient', 'staff', 'nobody'],
  ['getGroup', 'staff'],
  ['getGroup', 'nowhere'],
  ['getClient', 'alice'],
  ['listGroups'],
  ['listGroups', '1'],
  ['listGroups', '5', '1'],
  ['removeGroupClient', 'staff', 'alice'],
  ['removeGroupClient', 'staff', 'nobody'],
  ['removeGroupRole', 'staff', 'reader'],
  ['removeGroupRole', 'staff', 'nothing'],
  ['getGroup', 'staff'],

  ['getDefaultACLAccess'],
  ['setDefaultACLAccess', 'subscribe', 'allow'],
  ['setDefaultACLAccess', 'publishClientSend', 'allow'],
  ['setDefaultACLAccess', 'publishClientReceive', 'deny'],
  ['setDefaultACLAccess', 'unsubscribe', 'deny'],
  ['setDefaultACLAccess', 'nonsense', 'deny'],
  ['getAnonymousGroup'],
  ['setAnonymousGroup', 'guests'],
  ['getAnonymousGroup'],
  ['setAnonymousGroup', 'nowhere'],
  ['setAnonymousGroup', 'staff'],

  ['deleteRole', 'writer'],
  ['deleteRole', 'writer'],
  ['getClient', 'alice'],
  ['deleteGroup', 'guests'],
  ['deleteGroup', 'guests'],
  ['getClient', 'alice'],
  ['deleteClient', 'bob'],
  ['deleteClient', 'bob'],
  ['getGroup', 'staff'],
  ['nonsense'],
  ['help'],
]

const command = (name: string, members: object = {}) => ({ command: name, ...members })

/** Requests to which both give the same answers, one command each. */
const alike: readonly object[] = [
  command('createClient'),
  command('createClient', { username: 1 }),
  command('createClient', { username: 'a', password: 1, correlationData: 'c' }),
  command('createClient', { username: 'a', clientid: 1 }),
  command('createClient', { username: 'a', textname: 1 }),
  command('createClient', { username: 'a', textdescription: 1 }),
  command('createClient', { username: 'a', groups: [{ groupname: 'nowhere' }] }),
  command('createClient', { username: 'a', roles: 1 }),
  command('createClient', { username: 'a', roles: [1] }),
  command('createClient', { username: 'a', roles: [{ rolename: 'nothing' }] }),
  command('createClient', { username: 'a', textname: 'T', textdescription: 'D', clientid: 'c', password: 'p' }),
  command('createClient', { username: 'b', roles: [{ rolename: 'admin', priority: 5.7 }] }),
  command('createClient', { username: 'ü😀', correlationData: 'zz' }),
  command('listClients', { verbose: true }),
  command('listClients', { count: 2, offset: 1 }),
  command('listClients', { count: -7, offset: -3 }),
  command('listClients', { count: 1, offset: 500 }),
  command('setClientPassword', { username: 'a', password: '' }),
  command('setClientPassword', { username: 'a' }),
  command('setClientPassword', { password: 'x' }),
  command('setClientId', { username: 'a', clientid: 1 }),
  command('disableClient', { username: 'a' }),
  command('getClient', { username: 'a' }),
  command('enableClient', { username: 'a' }),
  command('modifyClient', { username: 'nobody' }),
  command('modifyClient', { username: 'a', roles: 1 }),
  command('modifyClient', { username: 'a', roles: [{ rolename: 'nothing' }] }),
  command('createGroup', { groupname: 'g', textname: 'T', roles: [{ rolename: 'admin', priority: 3 }] }),
  command('createGroup', { groupname: 'g2', textname: 1 }),
  command('createGroup', { groupname: 'g2', textdescription: 1 }),
  command('createGroup', { groupname: 'g2', roles: [{ rolename: 'nothing' }] }),
  command('createGroup', { groupname: 'g2' }),
  command('addGroupClient', { groupname: 'g', username: 'a' }),
  command('addGroupClient', { groupname: 'g2', username: 'a' }),
  command('modifyClient', {
    username: 'a',
    groups: [{ groupname: 'g', priority: 8 }],
    roles: [{ rolename: 'admin', priority: -1 }],
    textname: 'N',
    clientid: 'zz',
    password: 'new',
  }),
  command('getClient', { username: 'a' }),
  command('modifyClient', { username: 'a', textname: '', clientid: '', roles: [], groups: [] }),
  command('getClient', { username: 'a' }),
  command('modifyGroup', { groupname: 'nowhere' }),
  command('modifyGroup', { groupname: 'g', roles: 1 }),
  command('modifyGroup', { groupname: 'g', textname: 'TT', textdescription: 'DD', roles: [] }),
  command('modifyGroup', { groupname: 'g', clients: [{ username: 'a', priority: 9 }] }),
  command('getGroup', { groupname: 'g' }),
  command('getClient', { username: 'a' }),
  command('listGroups', { verbose: true }),
  command('setAnonymousGroup'),
  command('getAnonymousGroup'),
  command('createRole', { rolename: 'r', textname: 1 }),
  command('createRole', {
    rolename: 'r',
    textname: 'T',
    acls: [
      { acltype: 'publishClientSend', topic: 'a/#', priority: 1, allow: true },
      { acltype: 'subscribePattern', topic: 'b/+' },
    ],
  }),
  command('addRoleACL', { rolename: 'r', acltype: 'subscribeLiteral' }),
  command('addRoleACL', { rolename: 'r', topic: 'a' }),
  command('addRoleACL', { rolename: 'r', acltype: 'subscribe', topic: 'a', allow: true }),
  command('addRoleACL', { rolename: 'r', acltype: 1, topic: 'a' }),
  command('addRoleACL', { rolename: 'r', acltype: 'subscribeLiteral', topic: 1 }),
  command('addRoleACL', { rolename: 'r', acltype: 'subscribePattern', topic: 'a+' }),
  command('addRoleACL', { rolename: 'r', acltype: 'SubscribePattern', topic: 'cased', allow: true, priority: 1.9 }),
  ...[1, 5, 3, 1].map((priority, at) =>
    command('addRoleACL', { rolename: 'r', acltype: 'publishClientSend', topic: `p${at}`, allow: true, priority }),
  ),
  command('addRoleACL', { rolename: 'r', acltype: 'publishClientSend', topic: 'big', allow: true, priority: 1e300 }),
  command('getRole', { rolename: 'r' }),
  command('listRoles', { verbose: true }),
  command('modifyRole', { rolename: 'r', textname: 'TT', acls: [{ acltype: 'publishClientReceive', topic: 'z' }] }),
  command('getRole', { rolename: 'r' }),
  command('modifyRole', { rolename: 'r', textname: '', acls: [] }),
  command('getRole', { rolename: 'r' }),
  command('setDefaultACLAccess'),
  command('setDefaultACLAccess', { acls: 1 }),
  command('setDefaultACLAccess', { acls: [{ acltype: 'unsubscribe', allow: false }] }),
  command('getDefaultACLAccess'),
  command('nonsense', { correlationData: 'n' }),
  command('getClient', { correlationData: 1 }),
  { command: 1 },
  {},
]

/** Whole requests to which both give the same answer. */
const requests = ['x', '[]', '{}', '"x"', '{"commands":1}', '{"commands":{}}', '{"commands":[]}', '{"commands":[1]}']

/** Everything there is. */
const LISTS = ['listClients', 'listGroups', 'listRoles'].map((name) => command(name, { verbose: true }))

/** Requests that change what both do without rules in the same way. */
const DEFAULTS = command('setDefaultACLAccess', {
  acls: [
    { acltype: 'publishClientSend', allow: false },
    { acltype: 'publishClientReceive', allow: true },
    { acltype: 'subscribe', allow: false },
    { acltype: 'unsubscribe', allow: true },
  ],
})

describe(...suite('dynamic-security and mosquitto', [BROKER, TOOL, LIBRARY]), () => {
  let theirs: DynsecBroker
  let ours: DynsecBroker
  before(async () => {
    theirs = await DynsecBroker.mosquitto()
    ours = await DynsecBroker.tsmq()
  })
  after(async () => {
    await Promise.all([theirs.stop(), ours.stop()])
    killPrograms()
  })

  for (const args of calls)
    test(`mosquitto_ctrl dynsec ${args.join(' ')}`, async () => {
      assert.deepEqual(await ours.control(args), await theirs.control(args))
    })

  test('mosquitto_ctrl dynsec setDefaultACLAccess does what it says, as it does not with mosquitto 2.0', async () => {
    const [before] = await ours.ask([command('getDefaultACLAccess')])
    assert.deepEqual(before?.data, {
      acls: [
        { acltype: 'publishClientSend', allow: true },
        { acltype: 'publishClientReceive', allow: false },
        { acltype: 'subscribe', allow: true },
        { acltype: 'unsubscribe', allow: false },
      ],
    })
    for (const broker of [ours, theirs]) assert.deepEqual(await broker.ask([DEFAULTS]), [{ command: DEFAULTS.command }])
    assert.deepEqual(await ours.control(['getDefaultACLAccess']), await theirs.control(['getDefaultACLAccess']))
  })

  for (const each of alike)
    test(JSON.stringify(each), async () => assert.deepEqual(await ours.ask([each]), await theirs.ask([each])))

  for (const request of requests)
    test(request, async () => {
      assert.equal(await ours.request(request), await theirs.request(request))
    })

  test('the same clients, groups and roles are there in the end', async () => {
    assert.deepEqual(await ours.ask(LISTS), await theirs.ask(LISTS))
  })

  const logins = [
    ['admin', PASSWORD, 0],
    ['alice', 'another', 0],
    ['alice', 'secret', 5],
    ['carol', 'secret', 5],
    ['nobody', 'secret', 5],
    ['nobody', undefined, 5],
    [undefined, undefined, 0],
  ] as const
  const letsIn = async (broker: DynsecBroker) => {
    for (const [username, password, want] of logins) assert.equal(await broker.login(username, password), want)
  }

  test('the same users may come in', async () => {
    await letsIn(ours)
    await letsIn(theirs)
  })

  test('tsmq reads what mosquitto has written, and mosquitto what tsmq has', async (t) => {
    const [readsTheirs, readsOurs] = [await DynsecBroker.tsmq(theirs.file), await DynsecBroker.mosquitto(ours.file)]
    t.after(() => Promise.all([readsTheirs.stop(), readsOurs.stop()]))
    for (const broker of [readsTheirs, readsOurs]) {
      assert.deepEqual(await broker.ask(LISTS), await ours.ask(LISTS))
      await letsIn(broker)
    }
  })

  test('without a file tsmq makes one, with a password that lets the administrator in at both', async (t) => {
    const made = await DynsecBroker.tsmq('')
    t.after(() => made.stop())
    const password = made.firstPassword
    assert.match(password, /^[\w-]{24}$/)
    const { stdout } = await made.control(['listRoles'], password)
    assert.equal(stdout, 'broker-admin\nclient\ndynsec-admin\nsys-observe\ntopic-observe\n')
    assert.equal((await made.control(['createClient', 'dora', '-p', 'secret'], password)).status, 0)
    const copy = await DynsecBroker.mosquitto(made.file)
    t.after(() => copy.stop())
    assert.equal((await copy.control(['listClients'], password)).stdout, 'admin\ndora\n')
    assert.equal(await copy.login('dora', 'secret'), 0)
  })

  test('the example of tsmq-plugin(7)', async (t) => {
    const [conf = '', session = ''] = literalBlocks(readFileSync('man/tsmq-plugin.7', 'utf8')).slice(-2)
    const { program, port, folder, stop } = await startTsmq({ conf: conf.replace('listener 1883\n', 'log_type all\n') })
    t.after(stop)
    for (const [name, start] of [
      ['mosquitto_ctrl', `${TOOL} -h 127.0.0.1 -p ${port}`],
      ['tsmq-pub', `'${process.execPath}' '${resolve('bin/tsmq-pub')}' -h 127.0.0.1 -p ${port}`],
    ] as const)
      writeFileSync(join(folder, name), `#!/bin/sh\nexec ${start} "$@"\n`, { mode: 0o700 })
    const env = { PATH: `${folder}${delimiter}${process.env.PATH}` }
    const shell = new Program('sh', ['-c', scriptOf(session)], { cwd: folder, env, input: '' })
    const { status, stdout } = await shell.end()
    assert.equal(stdout.replace(/ +$/gm, ''), session)
    assert.equal(status, 0)
    assert.ok(
      program.lines.some((line) => line.includes("'sensor/kitchen/temperature'") && line.includes('Received PUBLISH')),
    )
  })
})
