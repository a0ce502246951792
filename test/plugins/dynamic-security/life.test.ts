// The plugin from the start of a broker to its end: its file, made, refused, saved; who may come in; what it does to those who try
// to do harm.

import assert from 'node:assert/strict'
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { LoginRequest } from '../../../src/broker/plugins/plugin.js'
import dynamicSecurity, { type DynamicSecurityOptions } from '../../../src/plugins/dynamic-security/dynamic-security.js'
import { MemoryStore } from '../../../src/store/memory-store.js'
import { lines } from '../../broker/plugin-kit.js'
import { startBroker } from '../../support/broker-kit.js'
import { nextPublish } from '../../support/deliveries.js'
import { RawClient } from '../../support/raw-client.js'
import { until } from '../../support/until.js'
import { ADMIN, command, config, credential, DynsecScene, TOPIC } from './dynsec-kit.js'

const folder = mkdtempSync(join(tmpdir(), 'tsmq-dynsec-life-'))
after(() => rmSync(folder, { recursive: true }))

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)

describe('without a file', () => {
  test('makes one with an administrator, whose password is in a file beside it and nowhere else', async (t) => {
    const scene = await DynsecScene.open(t, 'none')
    const password = readFileSync(`${scene.path}.pw`, 'utf8')
    assert.match(password, /^[\w-]{24}\n$/)
    assert.equal(modeOf(scene.path), '600')
    assert.equal(modeOf(`${scene.path}.pw`), '600')
    assert.deepEqual(readdirSync(scene.folder).sort(), ['dynsec.json', 'dynsec.json.pw'])
    assert.deepEqual(
      scene.broker.log.filter((line) => line.includes('password')),
      [`dynamic-security: ${scene.path} is new: the password of user admin is in ${scene.path}.pw.`],
    )
    assert.ok(!scene.broker.log.some((line) => line.includes(password.trim())))
    assert.ok(!readFileSync(scene.path, 'utf8').includes(password.trim()))
    assert.equal(await scene.login('admin', password.trim()), 0)
    assert.equal(await scene.login('admin', ''), 0x87)
  })

  test('takes the password from the first line of a file', async (t) => {
    const secret = join(folder, 'initial')
    writeFileSync(secret, 'of my own\nsecond line\n', { mode: 0o600 })
    const path = join(folder, 'own.json')
    for (const round of ['new', 'there']) {
      if (round === 'there') writeFileSync(secret, 'another\n')
      const plugin = await dynamicSecurity({ config_file: path, password_init_file: secret })
      const broker = await startBroker({ plugins: [plugin] })
      t.after(() => broker.stop())
      const { connack } = await RawClient.connect(broker.port, { ...ADMIN, password: 'of my own' })
      assert.equal(connack.reasonCode, 0, round)
      await broker.stop()
    }
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith('own')),
      ['own.json'],
    )
  })

  const impossible: readonly (readonly [options: object, says: RegExp])[] = [
    [{}, /plugin_opt_config_file is missing/],
    [{ config_file: 'x', colour: 'red' }, /there is no option plugin_opt_colour/],
    [{ config_file: join(folder, 'x.json'), password_init_file: join(folder, 'gone') }, /gone: no such file/],
    [{ config_file: join(folder, 'x.json'), password_init_file: '/dev/null' }, /is not a regular file/],
  ]
  for (const [options, says] of impossible)
    test(`${says}`, async () => {
      await assert.rejects(dynamicSecurity(options as DynamicSecurityOptions), says)
    })

  test('a password file that is empty', async () => {
    writeFileSync(join(folder, 'empty'), '\n')
    const options = { config_file: join(folder, 'x.json'), password_init_file: join(folder, 'empty') }
    await assert.rejects(dynamicSecurity(options), /empty has no password in its first line/)
  })

  test('a folder that is not there keeps the broker from starting', async () => {
    const plugin = await dynamicSecurity({ config_file: join(folder, 'no', 'dynsec.json') })
    await assert.rejects(startBroker({ plugins: [plugin] }), /cannot write .*no\/dynsec\.json\.pw: no such file/)
  })
})

describe('a file that cannot be used keeps the broker from starting, and stays as it is', () => {
  const texts: readonly (readonly [text: string, says: string])[] = [
    ['', 'line 1, column 1: not valid JSON'],
    ['{"clients":[\n{"username":"u"},\n]}', 'line 3, column 1: not valid JSON'],
    ['{"clients":[{}]}', 'clients[0]: username is missing'],
  ]
  for (const [text, says] of texts)
    test(says, async () => {
      const path = join(folder, 'bad.json')
      writeFileSync(path, text)
      await assert.rejects(dynamicSecurity({ config_file: path }), { message: `${path}: ${says}` })
      assert.equal(readFileSync(path, 'utf8'), text)
    })

  test('a folder, a symbolic link', async () => {
    await assert.rejects(dynamicSecurity({ config_file: folder }), /is not a regular file/)
    const path = join(folder, 'link.json')
    symlinkSync(join(folder, 'own.json'), path)
    await assert.rejects(dynamicSecurity({ config_file: path }), /is a symbolic link/)
  })
})

describe('the file', () => {
  test('is replaced with each request, for its owner alone, whatever its mode was', async (t) => {
    const scene = await DynsecScene.open(t)
    chmodSync(scene.path, 0o644)
    await scene.do(command('createClient', { username: 'u', password: 'p' }))
    assert.equal(modeOf(scene.path), '600')
    assert.deepEqual(
      scene.file.clients?.map(({ username, iterations }) => [username, iterations]),
      [
        ['admin', 1],
        ['u', 1000],
      ],
    )
    assert.deepEqual(readdirSync(scene.folder), ['dynsec.json'])
  })

  test('that everybody may read, and links that lead nowhere, are told', async (t) => {
    const path = join(folder, 'loose.json')
    writeFileSync(path, JSON.stringify(config({ clients: [{ username: 'u', roles: [{ rolename: 'gone' }] }] })))
    chmodSync(path, 0o644)
    const broker = await startBroker({ plugins: [await dynamicSecurity({ config_file: path })] })
    t.after(() => broker.stop())
    assert.ok(broker.log.some((line) => /loose\.json can be used by everyone/.test(line)))
    assert.ok(broker.log.includes(`dynamic-security: ${path}: clients[1].roles[0]: no role 'gone'`))
  })

  test('that cannot be written: the commands fail, the changes are in force, and are written when it goes again', async (t) => {
    const scene = await DynsecScene.open(t)
    await scene.administrator()
    const away = `${scene.folder}.away`
    renameSync(scene.folder, away)
    assert.deepEqual(
      await scene.ask(command('createClient', { username: 'u', password: 'p' }), command('listClients')),
      [
        { command: 'createClient', error: 'Internal error' },
        { command: 'listClients', error: 'Internal error' },
      ],
    )
    assert.ok(
      scene.broker.log.some((line) => /controlled failed: cannot write .*dynsec\.json: no such file/.test(line)),
    )
    assert.equal(await scene.login('u', 'p'), 0)
    renameSync(away, scene.folder)
    assert.equal(scene.file.clients?.length, 1)
    scene.broker.advance(6)
    await until(() => scene.file.clients?.length === 2, 'the file is written')
  })
})

describe('who may come in', () => {
  const file = config({
    clients: [
      { username: 'u', ...credential('p') },
      { username: 'mine', clientid: 'mine only', ...credential('p') },
      { username: 'off', disabled: true, ...credential('p') },
      { username: 'none' },
    ],
  })
  const cases: readonly (readonly [
    username: string | undefined,
    password: string | undefined,
    id: string,
    code: number,
  ])[] = [
    ['u', 'p', 'x', 0],
    ['u', 'q', 'x', 0x87],
    ['u', '', 'x', 0x87],
    ['u', undefined, 'x', 0x87],
    ['mine', 'p', 'mine only', 0],
    ['mine', 'p', 'x', 0x87],
    ['off', 'p', 'x', 0x87],
    ['none', 'p', 'x', 0x87],
    ['none', undefined, 'x', 0x87],
    ['stranger', 'p', 'x', 0x87],
    ['stranger', undefined, 'x', 0x87],
    ['', '', 'x', 0x87],
    ['__proto__', 'p', 'x', 0x87],
    [undefined, undefined, 'x', 0],
  ]
  for (const conf of ['allow_anonymous true', 'allow_anonymous false'])
    test(conf, async (t) => {
      const scene = await DynsecScene.open(t, file, conf)
      for (const [username, password, id, code] of cases) {
        const want = username === undefined && conf.endsWith('false') ? 0x87 : code
        // Twice: the second time it is remembered.
        for (let round = 0; round < 2; round++)
          assert.equal(await scene.login(username, password, id), want, `${username} ${password} ${id}`)
      }
    })

  test('why somebody is refused is the same for all', async (t) => {
    const scene = await DynsecScene.open(t, file)
    for (const [username, password, id] of cases.filter(([, , , code]) => code !== 0)) {
      const { client, connack } = await scene.connect({
        version: 5,
        clientId: id,
        ...(username === undefined ? {} : { username }),
        ...(password === undefined ? {} : { password }),
      })
      assert.equal(connack.properties.reasonString, 'wrong user name or password')
      await client.drop()
    }
  })

  test('strangers are for the password file, where there is one; certificates need no password', async () => {
    const path = join(folder, 'proven.json')
    writeFileSync(path, JSON.stringify(file))
    const plugin = await dynamicSecurity({ config_file: path })
    const ask = async (username: string, more: Partial<LoginRequest>, hasPasswordFile: boolean) => {
      const listener = { port: 1, path: undefined, hasPasswordFile, hasAclFile: false }
      const login = { username, clientId: 'x', address: '', isProven: false, listener, ...more } as LoginRequest
      const answer = await plugin.authenticate?.(login)
      return answer === undefined ? 'undecided' : Object.keys(answer)[0]
    }
    const proven = { isProven: true, password: undefined }
    assert.deepEqual(
      [
        await ask('stranger', { password: Buffer.from('p') }, true),
        await ask('stranger', { password: Buffer.from('p') }, false),
        await ask('u', { password: Buffer.from('q') }, true),
        await ask('u', proven, false),
        await ask('stranger', proven, false),
        await ask('off', proven, false),
        await ask('mine', proven, false),
      ],
      ['undecided', 'refuse', 'refuse', 'undecided', 'undecided', 'refuse', 'refuse'],
    )
  })

  test('an unknown name takes as long as a known one (spec: security.md D3.4)', async (t) => {
    const slow = credential('p', 300_000)
    const clients = ['known', 'other'].map((username) => ({ username, ...slow }))
    const scene = await DynsecScene.open(
      t,
      config({ clients: [...clients, { username: 'off', disabled: true, ...slow }] }),
    )
    const took = async (username: string) => {
      const times: number[] = []
      for (let round = 0; round < 3; round++) {
        const begun = performance.now()
        await scene.login(username, `wrong ${round}`)
        times.push(performance.now() - begun)
      }
      return Math.min(...times)
    }
    const known = await took('known')
    // Of four hashes one is quick; which name gets which is fixed, so that some of them have to be slow.
    const unknown: number[] = []
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) unknown.push(await took(name))
    assert.ok(known > 20, `${known}`)
    assert.ok(unknown.filter((each) => each > known / 3).length >= 2, `${known}: ${unknown}`)
  })
})

describe('those who try to do harm', () => {
  const file = config({
    clients: [
      { username: 'u', ...credential('p'), roles: [{ rolename: 'all' }] },
      { username: 'v', ...credential('p'), roles: [{ rolename: 'source' }] },
    ],
    roles: [
      { rolename: 'source', acls: [{ acltype: 'publishClientSend', topic: 'secret/x', allow: true }] },
      {
        rolename: 'all',
        acls: ['publishClientSend', 'publishClientReceive', 'subscribePattern'].map((acltype) => ({
          acltype,
          topic: '#',
          allow: true,
        })),
      },
    ],
  })

  test('who may do everything but administer cannot administer, nor listen to it', async (t) => {
    const scene = await DynsecScene.open(t, file)
    const { client } = await scene.connect({ version: 5, clientId: 'c', username: 'u', password: 'p' })
    const payload = JSON.stringify({ commands: [command('createClient', { username: 'x' })] })
    await client.subscribe([{ filter: '#' }, { filter: '+/#' }])
    client.publish({ topic: TOPIC, payload, qos: 1 })
    assert.deepEqual(lines(await client.settled()), ['PUBACK 0x87'])
    const filters = [`${TOPIC}/response`, '$CONTROL/#', '$share/g/$CONTROL/#', '$share/g/#', '+/dynamic-security/#']
    const { reasonCodes } = await client.subscribe(filters.map((filter) => ({ filter })))
    assert.deepEqual(reasonCodes, [0x87, 0x87, 0x87, 0, 0])
    await scene.do(command('createClient', { username: 'y' }))
    assert.deepEqual(await client.settled(), [])
    assert.deepEqual(
      scene.file.clients?.map(({ username }) => username),
      ['admin', 'u', 'v', 'y'],
    )
    await client.drop()
  })

  test('anonymous clients neither, also with open defaults', async (t) => {
    const scene = await DynsecScene.open(t, { ...file, defaultACLAccess: { publishClientSend: true, subscribe: true } })
    const { client } = await scene.connect({ version: 5 })
    client.publish({ topic: TOPIC, payload: '{"commands":[]}', qos: 1 })
    client.publish({ topic: 'a', qos: 1 })
    assert.deepEqual(lines(await client.settled()), ['PUBACK 0x87', 'PUBACK 0x10'])
    await client.drop()
  })

  const hostile: readonly (readonly [name: string, payload: string, answers: RegExp])[] = [
    ['depth', `{"commands":${'['.repeat(200_000)}`, /Payload not valid JSON/],
    ['depth that is closed', `{"commands":${'['.repeat(50_000)}${']'.repeat(50_000)}}`, /not valid JSON|not an object/],
    ['a prototype', '{"commands":[{"command":"createClient","__proto__":{"username":"p"}}]}', /missing username/],
    [
      'commands of objects',
      '{"commands":[{"command":"__proto__"},{"command":"constructor"}]}',
      /Unknown command.*Unknown command/,
    ],
    ['half a character', '{"commands":[{"command":"createClient","username":"\\ud800"}]}', /missing username/],
    ['bytes that are no text', '{"commands":[{"command":"getClient","username":"\xff"}]}', /Client not found/],
    ['a number beyond all', '{"commands":[{"command":"listClients","count":1e999}]}', /"totalCount":3/],
    [
      'a list of lists',
      '{"commands":[{"command":"createRole","rolename":"x","acls":[[[]]]}]}',
      /not an array of objects/,
    ],
    ['too many', JSON.stringify({ commands: Array(1001).fill({}) }), /More than 1000 commands/],
  ]
  for (const [name, payload, answers] of hostile)
    test(`${name}`, async (t) => {
      const scene = await DynsecScene.open(t, file)
      assert.match(await scene.request(payload), answers)
      assert.deepEqual(scene.file.clients?.length, 3)
      assert.equal((await scene.do(command('listClients'))).length, 1)
    })

  describe('a durable session loses a subscription with the right to it (CVE-2021-34434)', () => {
    const changes: readonly (readonly [name: string, members: object])[] = [
      ['removeClientRole', { username: 'u', rolename: 'all' }],
      ['removeRoleACL', { rolename: 'all', acltype: 'subscribePattern', topic: '#' }],
      ['deleteRole', { rolename: 'all' }],
      ['addRoleACL', { rolename: 'all', acltype: 'subscribeLiteral', topic: 'secret/#', allow: false }],
    ]
    const durable = { version: 5, clientId: 'c', username: 'u', password: 'p', cleanStart: false } as const
    const properties = { sessionExpiryInterval: 1000 }
    for (const [name, members] of changes)
      for (const isThere of [true, false])
        test(`${name}, its client ${isThere ? 'connected' : 'away'}`, async (t) => {
          const scene = await DynsecScene.open(t, file)
          const { client } = await scene.connect({ ...durable, properties })
          await client.subscribe([{ filter: 'secret/#', qos: 1 }])
          if (!isThere) await client.drop()
          const source = await scene.connect({ version: 5, clientId: 'source', username: 'v', password: 'p' })
          await scene.do(command(name, members))
          if (isThere) await client.closed()
          await until(() => scene.broker.broker.sessions.get('c')?.subscriptions.size === 0, 'the subscription is gone')
          source.client.publish({ topic: 'secret/x', qos: 1 })
          assert.deepEqual(lines(await source.client.settled()), ['PUBACK 0x10'])
          const again = await scene.connect({ ...durable, properties })
          assert.equal(again.connack.sessionPresent, true)
          assert.deepEqual(await again.client.settled(), [])
          await again.client.drop()
          await source.client.drop()
        })

    test('a default, by which it was subscribed; what is still allowed stays', async (t) => {
      const defaults = { publishClientSend: true, subscribe: true }
      const scene = await DynsecScene.open(t, { ...config(), defaultACLAccess: defaults })
      const { client } = await scene.connect({ clientId: 'nobody' })
      await client.subscribe('a')
      await (await scene.administrator()).subscribe('$CONTROL/dynamic-security/#')
      const off = (allow: boolean) => command('setDefaultACLAccess', { acls: [{ acltype: 'subscribe', allow }] })
      await scene.do(off(true))
      const { sessions } = scene.broker.broker
      assert.equal(sessions.get('nobody')?.subscriptions.size, 1)
      await scene.do(off(false))
      await until(() => sessions.get('nobody')?.subscriptions.size === 0, 'the subscription is gone')
      assert.equal(sessions.get('desk')?.subscriptions.size, 2)
      await client.drop()
    })

    const nothing = config({ clients: [{ username: 'u', ...credential('p') }] })
    const starts: readonly (readonly [name: string, later: object, atStart: number, resumed: number])[] = [
      ['the same file', file, 1, 1],
      ['another file', nothing, 0, 0],
      ['a file without the user, who is known again when the client comes', config(), 1, 0],
    ]
    for (const [name, later, atStart, resumed] of starts)
      test(`the next start reads ${name}`, async (t) => {
        const path = join(folder, 'changed.json')
        const store = new MemoryStore()
        const start = async (text: object) => {
          writeFileSync(path, JSON.stringify(text))
          const plugins = [await dynamicSecurity({ config_file: path })]
          const broker = await startBroker({ conf: 'persistence true', store, plugins })
          t.after(() => broker.stop())
          return broker
        }
        const first = await start(file)
        const { client } = await RawClient.connect(first.port, { ...durable, properties })
        await client.subscribe([{ filter: 'secret/#', qos: 1 }])
        await client.drop()
        await first.stop()
        const second = await start(later)
        const sizeOf = () => second.broker.sessions.get('c')?.subscriptions.size
        assert.equal(sizeOf(), atStart)
        const admin = await RawClient.connect(second.port, ADMIN)
        const payload = JSON.stringify({ commands: [command('createClient', { username: 'u', password: 'p' })] })
        await admin.client.subscribe(`${TOPIC}/response`)
        admin.client.publish({ topic: TOPIC, payload })
        await nextPublish(admin.client)
        const again = await RawClient.connect(second.port, { ...durable, properties })
        assert.deepEqual([again.connack.reasonCode, again.connack.sessionPresent, sizeOf()], [0, true, resumed])
        await again.client.drop()
        await admin.client.drop()
      })
  })

  test('the administrator is deleted: it is gone without an answer, and so are its rights; the broker goes on', async (t) => {
    const scene = await DynsecScene.open(t, file)
    const admin = await scene.administrator()
    admin.publish({
      topic: TOPIC,
      payload: JSON.stringify({ commands: [command('deleteClient', { username: 'admin' })] }),
    })
    assert.deepEqual(lines(await admin.closed()), ['DISCONNECT 0x98'])
    assert.equal(await scene.login('admin', ADMIN.password), 0x87)
    assert.equal(await scene.login('u', 'p'), 0)
  })

  test('the role of the administrator is deleted in the middle of a request: the rest is done, the next is not', async (t) => {
    const scene = await DynsecScene.open(t, file)
    const admin = await scene.administrator()
    assert.deepEqual(
      await scene.ask(command('deleteRole', { rolename: 'admin' }), command('createGroup', { groupname: 'x' })),
      [{ command: 'deleteRole' }, { command: 'createGroup' }],
    )
    await admin.closed()
    const { client } = await scene.connect(ADMIN)
    client.publish({ topic: TOPIC, payload: '{"commands":[]}', qos: 1 })
    assert.deepEqual(lines(await client.settled()), ['PUBACK 0x87'])
    await client.drop()
  })

  test('a hundred requests that wait are enough', async (t) => {
    const scene = await DynsecScene.open(t, file)
    const admin = await scene.administrator()
    const payload = JSON.stringify({ commands: [command('setClientPassword', { username: 'u', password: 'x' })] })
    for (let n = 0; n < 150; n++) admin.publish({ topic: TOPIC, payload })
    const answers: string[] = []
    while (answers.length < 150) {
      const packet = await admin.next()
      if ('payload' in packet) answers.push(packet.payload.toString())
    }
    assert.equal(answers.filter((answer) => answer.includes('Too many requests wait')).length, 50)
  })
})
