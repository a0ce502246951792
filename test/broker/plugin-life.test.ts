// Plugins from files: how they are found, what they get, how loading fails. Their life: start, tick, reload, stop. What they may do
// with the broker, and what they leave in the store.

import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { connect as dialTls } from 'node:tls'
import type { BrokerHandle } from '../../src/broker/plugins/broker-handle.js'
import { loadPlugin } from '../../src/broker/plugins/load-plugin.js'
import type { Plugin } from '../../src/broker/plugins/plugin.js'
import { MemoryStore } from '../../src/store/memory-store.js'
import { startBroker } from '../support/broker-kit.js'
import { nextPublish } from '../support/deliveries.js'
import { connectPacket, RawClient } from '../support/raw-client.js'
import { until } from '../support/until.js'
import { line, lines, pluginScene } from './plugin-kit.js'

const folder = mkdtempSync(join(tmpdir(), 'tsmq-plugins-'))
after(() => rmSync(folder, { recursive: true }))

const files: Readonly<Record<string, string>> = {
  'object.mjs': "export default { name: 'object', tick() {} }",
  'factory.mjs': "export default async (options) => ({ name: 'made of ' + Object.entries(options), tick() {} })",
  'deny.mjs':
    "export default ({ name = 'deny' }) => ({ name, authorize: (client, action) => action === 'publish' ? 'deny' : undefined })",
  'allow.mjs': "export default { name: 'allow', authorize: () => undefined }",
  'typed.mts': "const name: string = 'typed'\nexport default { name, tick(): void {} }",
  'node_modules/cjs-package/package.json': '{ "name": "cjs-package", "main": "index.js" }',
  'node_modules/cjs-package/index.js': "module.exports = { name: 'common', tick() {} }",
  'node_modules/@scope/esm/package.json':
    '{ "name": "@scope/esm", "type": "module", "exports": { ".": { "import": "./lib/main.js" } } }',
  'node_modules/@scope/esm/lib/main.js': "export default { name: 'scoped', tick() {} }",
  'throws.mjs': "throw new Error('at once')",
  'factory-throws.mjs': "export default () => { throw new Error('option url is missing') }",
  'syntax.mjs': 'export default {',
  'named.mjs': "export const plugin = { name: 'x' }",
  'no-name.mjs': 'export default { tick() {} }',
  'no-method.mjs': "export default { name: 'x', tik() {} }",
  'no-function.mjs': "export default { name: 'x', tick: 1 }",
  'number.mjs': 'export default 1',
  'library.so': '',
}
for (const [name, text] of Object.entries(files)) {
  mkdirSync(dirname(join(folder, name)), { recursive: true })
  writeFileSync(join(folder, name), text)
}

const load = (module: string, options = {}) =>
  loadPlugin({
    module,
    folder,
    options,
    deniesSpecialChars: true,
    listeners: undefined,
    where: { file: join(folder, 'conf'), line: 1 },
  })

/** Node that runs TypeScript says so. */
const runsTypeScript = 'typescript' in process.features && process.features.typescript !== false

describe('loading', () => {
  const found: readonly (readonly [module: string, name: string | RegExp])[] = [
    ['./object.mjs', 'object'],
    ['object.mjs', 'object'],
    [join(folder, 'object.mjs'), 'object'],
    ['cjs-package', 'common'],
    ['@scope/esm', 'scoped'],
    ['./factory.mjs', 'made of a,1,b,x y'],
    ['./throws.mjs', /^plugin \.\/throws\.mjs: at once$/],
    ['./factory-throws.mjs', /^plugin \.\/factory-throws\.mjs: option url is missing$/],
    ['./syntax.mjs', /^plugin \.\/syntax\.mjs: Unexpected end of input$/],
    ['./named.mjs', /has no default export$/],
    ['./no-name.mjs', /has no name$/],
    ['./no-method.mjs', /has none of the methods of a plugin: started,/],
    ['./no-function.mjs', /tick is no function$/],
    ['./number.mjs', /is no object/],
    ['./library.so', /is a shared library for Mosquitto; tsmq takes ES modules/],
    ['tsmq/plugins/payload-log', /^plugin tsmq\/plugins\/payload-log: plugin_opt_topic: 'x#' is no topic filter$/],
    ['tsmq/plugins/nonsense', /^plugin tsmq\/plugins\/nonsense: there is no such plugin in tsmq$/],
    ['./nowhere.mjs', /ENOENT: no such file or directory/],
    ['nowhere', /Cannot find module 'nowhere' \(a file needs a path such as \.\/nowhere\.mjs\)$/],
    ['./typed.mts', runsTypeScript ? 'typed' : /does not run TypeScript; Node 22\.18 and later do$/],
  ]
  for (const [module, want] of found)
    test(`${module.replace(folder, 'FOLDER')}: ${want}`, async () => {
      const loading = load(module, { a: '1', b: 'x y', ...(module.startsWith('tsmq/') ? { topic: 'x#' } : {}) })
      if (typeof want === 'string') assert.equal((await loading).plugin.name, want)
      else await assert.rejects(loading, (error: Error) => error.name === 'PluginError' && want.test(error.message))
    })

  test('a file that everybody may write is told', async () => {
    chmodSync(join(folder, 'object.mjs'), 0o666)
    assert.deepEqual((await load('./object.mjs')).warnings, [
      `${join(folder, 'object.mjs')} is writable by everybody, and runs with the rights of the broker.`,
    ])
    chmodSync(join(folder, 'object.mjs'), 0o644)
    assert.deepEqual((await load('./object.mjs')).warnings, [])
  })

  test('a broker does not start with a plugin that cannot be loaded, refuses to start, or takes too long; secrets are not logged', async () => {
    const failing: readonly (readonly [conf: string, plugins: readonly Plugin[], RegExp])[] = [
      [`plugin ${folder}/throws.mjs\nplugin_opt_password secret\n`, [], /^plugin .*throws\.mjs: at once$/],
      ['', [{ name: 'p', started: () => Promise.reject(new Error('no database')) }], /^plugin p: no database$/],
      [
        'plugin_timeout 1\n',
        [{ name: 'p', started: () => new Promise(() => {}) }],
        /^plugin p: started takes longer than 1 s$/,
      ],
      ['', [{ name: '' }], /^plugin of the program: has no name$/],
    ]
    for (const [conf, plugins, want] of failing)
      await assert.rejects(
        startBroker({ conf, plugins }),
        (error: Error) => want.test(error.message) && !error.message.includes('secret'),
      )
  })

  test('names with + # / have no rights where a plugin of the configuration decides, unless it says otherwise', async (t) => {
    for (const [more, want] of [
      ['', 'PUBACK 0x87'],
      ['auth_plugin_deny_special_chars false\n', 'PUBACK 0x10'],
    ] as const) {
      const broker = await startBroker({ conf: `plugin ${folder}/allow.mjs\n${more}` })
      t.after(() => broker.stop())
      const { client } = await RawClient.connect(broker.port, { version: 5, clientId: 'a/b' })
      client.publish({ topic: 't', qos: 1 })
      assert.deepEqual(lines(await client.settled()), [want])
    }
  })

  test('with per_listener_settings a plugin is asked about the clients of its listener only; listPlugins tells all of them', async (t) => {
    const global = `per_listener_settings true\nallow_anonymous true\nglobal_plugin ${folder}/allow.mjs\nenable_control_api true\n`
    const conf = `${global}listener 0 127.0.0.1\nallow_anonymous true\nplugin ${folder}/deny.mjs\n`
    const given: Plugin = { name: 'given', version: '7', tick() {}, control: { 'own/v1': {} } }
    const broker = await startBroker({ conf, plugins: [given] })
    t.after(() => broker.stop())
    const { client } = await RawClient.connect(broker.port, { version: 5 })
    await client.subscribe('$CONTROL/#')
    client.publish({ topic: '$CONTROL/broker/v1', payload: '{"commands":[{"command":"listPlugins"}]}' })
    const [{ data }] = JSON.parse((await nextPublish(client)).payload.toString()).responses
    const { port } = data.plugins[1]
    assert.deepEqual(data.plugins, [
      { name: 'allow', 'control-endpoints': [] },
      { name: 'deny', port, 'control-endpoints': [] },
      { name: 'given', version: '7', 'control-endpoints': ['$CONTROL/own/v1'] },
    ])
    const { client: denied } = await RawClient.connect(port, { version: 5, clientId: 'other' })
    for (const each of [client, denied]) each.publish({ topic: 't', qos: 1 })
    assert.deepEqual(lines(await client.settled()), ['PUBACK 0x10'])
    assert.deepEqual(lines(await denied.settled()), ['PUBACK 0x87'])
  })
})

test('started, tick, reload, stopped; a reload says what it does not change', async () => {
  const notes: string[] = []
  const broker = await startBroker({
    plugins: [
      {
        name: 'a',
        started: ({ version }) => void notes.push(`a started ${version}`),
        stopped: () => void notes.push('a stopped'),
        tick: (now) => void notes.push(`tick ${now}`),
      },
      {
        name: 'b',
        started: async () => void notes.push('b started'),
        stopped: async () => void notes.push('b stopped'),
        reload: () => void notes.push('reload'),
      },
    ],
  })
  const { now } = broker
  broker.advance(1)
  broker.reload({ conf: `plugin ${folder}/object.mjs\n` })
  await broker.stop()
  assert.deepEqual(notes, [
    'a started test',
    'b started',
    `tick ${now + 500}`,
    `tick ${now + 1000}`,
    'reload',
    'b stopped',
    'a stopped',
  ])
  assert.ok(broker.log.includes('plugins and their options are not changed by a reload: that needs a restart'))
})

test('methods that watch and fail harm nobody: exception, rejection', async () => {
  const plugins: readonly Plugin[] = [
    {
      name: 'a',
      tick: () => {
        throw new Error('tick tock')
      },
      connected: (() => Promise.reject(new Error('late'))) as () => void,
    },
    {
      name: 'b',
      connected: () => {
        throw new Error('sync')
      },
    },
  ]
  const { broker, connect } = await pluginScene(() => plugins)
  const client = await connect()
  broker.advance(0.5)
  assert.deepEqual(await client.settled(), [])
  for (const want of [
    /^Plugin a: tick failed: tick tock/,
    /^Plugin a: connected failed: late/,
    /^Plugin b: connected failed: sync/,
  ])
    assert.ok(
      broker.log.some((each) => want.test(each)),
      `${want}`,
    )
})

describe('what a plugin may do', () => {
  const handled = async () => {
    let handle: BrokerHandle | undefined
    const scene = await pluginScene(() => ({ name: 'p', started: (broker) => void (handle = broker) }))
    assert.ok(handle)
    return { ...scene, handle }
  }

  test('publish, to those who have subscribed; not to what is no topic', async () => {
    const { handle, connect } = await handled()
    const client = await connect({ version: 5 })
    await client.subscribe('t')
    assert.equal(handle.publish({ topic: 't', payload: 'p', properties: { contentType: 'x' } }), true)
    assert.equal(handle.publish({ topic: 'nobody', payload: Buffer.from('p') }), false)
    assert.throws(() => handle.publish({ topic: 't/#' }), RangeError)
    assert.equal(line(await client.next()), 'PUBLISH t p q0 r0')
  })

  test('list clients and sessions, kick them', async () => {
    const { handle, connect, broker } = await handled()
    const client = await connect({
      version: 5,
      clientId: 'c',
      username: 'u',
      keepAlive: 7,
      properties: { sessionExpiryInterval: 60 },
    })
    await client.subscribe('t')
    assert.deepEqual(handle.clients(), [handle.client('c')])
    const { connection, ...rest } = handle.client('c') ?? {}
    const listener = { port: broker.port, path: undefined, hasPasswordFile: false, hasAclFile: false }
    assert.deepEqual(rest, { clientId: 'c', username: 'u', listener, subscriptions: ['t'], queued: 0, inFlight: 0 })
    assert.deepEqual(
      { ...connection, port: 0 },
      { address: '127.0.0.1', port: 0, listener, protocolVersion: 5, keepAlive: 7 },
    )
    assert.equal(handle.kick('c'), true)
    assert.deepEqual(lines(await client.closed()), ['DISCONNECT 0x98'])
    assert.equal(handle.kick('c'), false)
    assert.equal(handle.client('c')?.connection, undefined)
    assert.equal(handle.client('nobody'), undefined)
  })

  test('end subscriptions, also of those who are away', async () => {
    const { handle, connect, broker } = await handled()
    const fields = { version: 5, clientId: 'c', cleanStart: false, properties: { sessionExpiryInterval: 60 } } as const
    const client = await connect(fields)
    await client.subscribe([{ filter: 'a' }, { filter: '$share/g/b' }])
    assert.equal(handle.unsubscribe('c', 'a'), true)
    assert.equal(handle.unsubscribe('c', 'a'), false)
    assert.equal(handle.unsubscribe('nobody', 'a'), false)
    assert.deepEqual([handle.publish({ topic: 'a' }), handle.publish({ topic: 'b' })], [false, true])
    assert.deepEqual(lines(await client.settled()), ['PUBLISH b  q0 r0'])
    await client.drop()
    await until(() => handle.client('c')?.connection === undefined, 'it is away')
    assert.equal(handle.unsubscribe('c', '$share/g/b'), true)
    assert.deepEqual(handle.client('c')?.subscriptions, [])
    assert.equal(handle.serves({ port: 1, path: undefined, hasPasswordFile: false, hasAclFile: false }), true)
    assert.equal(broker.broker.router.subscriptions.match('b').groups.length, 0)
  })

  test('a publisher that is kicked because of its message', async () => {
    let handle: BrokerHandle | undefined
    const { connect, broker } = await pluginScene(() => ({
      name: 'p',
      started: (given) => void (handle = given),
      publish: (_, { clientId }) => void handle?.kick(clientId) as undefined,
    }))
    const client = await connect({ version: 5 })
    client.publish({ topic: 't', qos: 1 })
    assert.deepEqual(lines(await client.closed()), ['PUBACK 0x10', 'DISCONNECT 0x98'])
    assert.ok(!broker.log.some((each) => each.includes('Internal')))
  })

  test('read and set retained messages', async () => {
    const { handle, connect } = await handled()
    handle.setRetained({ topic: 'a/1', payload: 'x', qos: 1 })
    handle.setRetained({ topic: 'a/2', payload: 'y' })
    assert.deepEqual(
      handle
        .retained('a/+')
        .map(({ topic, payload }) => `${topic} ${payload}`)
        .sort(),
      ['a/1 x', 'a/2 y'],
    )
    handle.setRetained({ topic: 'a/1' })
    assert.deepEqual(handle.retained('a/#').length, 1)
    handle.clearRetained()
    const client = await connect()
    await client.subscribe('#')
    assert.deepEqual(await client.settled(), [])
  })

  test('log, with its name before the text', async () => {
    const { handle, broker } = await handled()
    handle.log('warning', 'look out')
    assert.ok(broker.log.includes('p: look out'))
  })

  test('answer control topics: data, an error, an exception, nothing', async () => {
    const { connect, broker } = await pluginScene(() => ({
      name: 'p',
      control: {
        'own/v1': {
          giveData: ({ x }, clientId) => ({ data: { x, clientId } }),
          fail: () => ({ error: 'not today' }),
          crash() {
            throw new Error('oops')
          },
          nothing: () => undefined,
        },
      },
    }))
    const client = await connect({ clientId: 'c' })
    await client.subscribe('$CONTROL/#')
    const commands = ['givedata', 'fail', 'crash', 'nothing'].map((command) => ({ command, x: 1 }))
    client.publish({ topic: '$CONTROL/own/v1', payload: JSON.stringify({ commands }) })
    assert.deepEqual(JSON.parse((await nextPublish(client)).payload.toString()).responses, [
      { command: 'givedata', data: { x: 1, clientId: 'c' } },
      { command: 'fail', error: 'not today' },
      { command: 'crash', error: 'Internal error' },
      { command: 'nothing' },
    ])
    assert.ok(broker.log.some((each) => each.startsWith('Plugin p: control crash failed: oops')))
  })
})

describe('state', () => {
  const run = async (
    store: MemoryStore | undefined,
    use: (broker: BrokerHandle) => void,
    more: Partial<Plugin> = {},
  ) => {
    const conf = store === undefined ? '' : 'persistence true\n'
    const broker = await startBroker({ conf, ...(store && { store }), plugins: [{ name: 'p', started: use, ...more }] })
    await broker.stop()
    return broker
  }

  test('survives with a store, and is that of one plugin', async () => {
    const store = new MemoryStore()
    await run(store, ({ state }) => {
      for (const [key, value] of ['a1', 'b2', 'c3']) state.set(key as string, value as string)
      assert.equal(state.delete('b'), true)
      assert.equal(state.delete('b'), false)
      state.set('c', Buffer.from([0, 255]))
    })
    await run(store, ({ state }) => {
      assert.deepEqual(state.keys(), ['a', 'c'])
      assert.deepEqual(
        [state.get('a'), state.get('b'), state.get('c')],
        [Buffer.from('1'), undefined, Buffer.from([0, 255])],
      )
      state.delete('a')
    })
    await run(store, ({ state }) => assert.deepEqual(state.keys(), ['c']))
    await run(store, ({ state }) => assert.deepEqual(state.keys(), []), { name: 'q' })
  })

  test('is there without one, within its limits', async () => {
    await run(undefined, ({ state }) => {
      state.set('k', 'v')
      assert.deepEqual(state.get('k'), Buffer.from('v'))
      state.set('x'.repeat(1000), Buffer.alloc(1_048_576))
      assert.throws(() => state.set('', ''), RangeError)
      assert.throws(() => state.set('x'.repeat(1001), ''), RangeError)
      assert.throws(() => state.set('k', Buffer.alloc(1_048_577)), RangeError)
    })
  })

  test('retained messages from the store are kept, changed or dropped, once and for all; a failure keeps them', async () => {
    const store = new MemoryStore()
    await run(store, (broker) => {
      for (const topic of ['keep', 'change', 'move', 'drop', 'fail']) broker.setRetained({ topic, payload: topic })
    })
    const retainedLoading: Plugin['retainedLoading'] = ({ topic }) => {
      if (topic === 'fail') throw new Error('oops')
      if (topic === 'change') return { payload: 'other' }
      if (topic === 'move') return { topic: 'moved' }
      return topic === 'drop' ? 'drop' : undefined
    }
    const want = ['change other', 'fail fail', 'keep keep', 'moved move']
    const look = (broker: BrokerHandle) =>
      assert.deepEqual(
        broker
          .retained('#')
          .map(({ topic, payload }) => `${topic} ${payload}`)
          .sort(),
        want,
      )
    const { log } = await run(store, look, { retainedLoading })
    assert.ok(log.some((each) => each.startsWith('Plugin p: retainedLoading failed: oops')))
    await run(store, look)
  })
})

describe('TLS-PSK', () => {
  for (const [identity, key, want] of [
    ['known', '0102', 'CONNACK 0x0'],
    ['known', '0103', undefined],
    ['unknown', '0102', undefined],
    ['in the file', 'aabb', 'CONNACK 0x0'],
    ['fails', '00', undefined],
  ] as const)
    test(`a plugin has the key of an identity: ${identity}, ${key}`, async () => {
      const pskKey: Plugin['pskKey'] = (name) => {
        if (name === 'fails') throw new Error('oops')
        return name === 'known' ? Buffer.from('0102', 'hex') : undefined
      }
      const { broker } = await pluginScene(() => ({ name: 'p', pskKey }), {
        conf: 'psk_hint h\npsk_file {folder}/psk\n',
        files: { psk: 'in the file:aabb\n' },
      })
      const socket = dialTls({
        port: broker.port,
        host: '127.0.0.1',
        ciphers: 'PSK',
        pskCallback: () => ({ identity, psk: Buffer.from(key, 'hex') }),
        checkServerIdentity: () => undefined,
      })
      socket.on('error', () => {})
      const client = new RawClient(socket)
      client.send(connectPacket())
      if (want === undefined) assert.deepEqual(await client.closed(), [])
      else assert.equal(line(await client.next()), want)
    })
})
