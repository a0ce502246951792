// Plugins that say who may come in, and extended authentication (MQTT 5.0 section 4.12).

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Acceptance, Exchange, LoginRequest, Plugin, Refusal } from '../../src/broker/plugins/plugin.js'
import type { Packet } from '../../src/protocol/codec.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import type { Properties } from '../../src/protocol/properties.js'
import { ReasonCode } from '../../src/protocol/reason-codes.js'
import { type ConnectFields, connectPacket, RawClient } from '../support/raw-client.js'
import { line, lines, pluginScene, turn } from './plugin-kit.js'

const soon = <T>(value: T) => new Promise<T>((resolve) => setImmediate(() => resolve(value)))
const never = () => new Promise<never>(() => {})

type Authenticate = (login: LoginRequest) => ReturnType<NonNullable<Plugin['authenticate']>>

const accept: Acceptance = { accept: true }
const refuse: Refusal = { refuse: ReasonCode.BANNED, reason: 'not you' }

interface Login {
  readonly name: string
  readonly authenticate: readonly Authenticate[]
  readonly connect?: NonNullable<Plugin['connect']>
  readonly conf?: string
  readonly fields?: ConnectFields
  readonly connack: string
  readonly logs?: RegExp
}

/** A user that no file knows, at a broker that wants one. */
const stranger: ConnectFields = { version: 5, clientId: 'c', username: 'stranger', password: 'x' }

const logins: readonly Login[] = [
  { name: 'accepts', authenticate: [() => accept], connack: 'CONNACK 0x0' },
  { name: 'accepts later', authenticate: [() => soon(accept)], connack: 'CONNACK 0x0' },
  { name: 'refuses with its code', authenticate: [() => refuse], connack: 'CONNACK 0x8a', logs: /not you/ },
  { name: 'refuses later', authenticate: [() => soon(refuse)], connack: 'CONNACK 0x8a' },
  {
    name: 'refuses 3.1.1 with the code that comes closest',
    authenticate: [() => ({ refuse: ReasonCode.QUOTA_EXCEEDED })],
    fields: { ...stranger, version: 4 },
    connack: 'CONNACK 0x3',
  },
  { name: 'leaves it to the password file', authenticate: [() => undefined], connack: 'CONNACK 0x87' },
  { name: 'leaves it to the password file, later', authenticate: [() => soon(undefined)], connack: 'CONNACK 0x87' },
  {
    name: 'the first that answers decides: accepts',
    authenticate: [() => undefined, () => soon(undefined), () => accept, () => refuse],
    connack: 'CONNACK 0x0',
  },
  {
    name: 'the first that answers decides: refuses',
    authenticate: [() => soon(refuse), () => accept],
    connack: 'CONNACK 0x8a',
  },
  {
    name: 'throws',
    authenticate: [
      () => {
        throw new Error('oops')
      },
      () => accept,
    ],
    connack: 'CONNACK 0x88',
    logs: /^Plugin p0: authenticate failed: oops/,
  },
  {
    name: 'rejects',
    authenticate: [() => Promise.reject(new Error('no database')), () => accept],
    connack: 'CONNACK 0x88',
    logs: /^Plugin p0: authenticate failed: no database/,
  },
  {
    name: 'answers nonsense',
    authenticate: [() => ({ refuse: ReasonCode.SUCCESS })],
    connack: 'CONNACK 0x88',
    logs: /0x0 is no reason code with which CONNACK refuses/,
  },
  {
    name: 'answers nonsense later',
    authenticate: [() => soon({ accept: false } as unknown as Acceptance)],
    connack: 'CONNACK 0x88',
    logs: /neither accepts nor refuses/,
  },
  {
    name: 'connect refuses whom the file has let in',
    authenticate: [],
    conf: 'allow_anonymous true\n',
    connect: () => refuse,
    connack: 'CONNACK 0x8a',
  },
  {
    name: 'connect refuses, later, whom a plugin has let in',
    authenticate: [() => soon(accept)],
    connect: ({ clientId }) => soon(clientId === 'c' ? refuse : undefined),
    connack: 'CONNACK 0x8a',
  },
  {
    name: 'connect does not undo a refusal',
    authenticate: [() => refuse],
    connect: () => undefined,
    connack: 'CONNACK 0x8a',
  },
]

describe('a plugin that says who may come in', () => {
  for (const { name, authenticate, connect, conf = '', fields = stranger, connack, logs } of logins)
    test(name, async () => {
      const plugins = authenticate.map((each, at): Plugin => ({ name: `p${at}`, authenticate: each }))
      if (connect !== undefined) plugins.push({ name: 'c', connect })
      const wants = conf === '' ? 'allow_anonymous false\n' : conf
      const { broker } = await pluginScene(() => plugins, { conf: wants })
      const { connack: got } = await RawClient.connect(broker.port, fields)
      assert.equal(line(got), connack)
      if (logs !== undefined)
        assert.ok(
          broker.log.some((each) => logs.test(each)),
          broker.log.join('\n'),
        )
    })

  test('gives a client another user name and id, by which the ACL knows it, and which survive a reload', async () => {
    const options = {
      conf: 'allow_anonymous false\npassword_file {folder}/pw\nacl_file {folder}/acl\n',
      files: { pw: '', acl: 'user boss\ntopic secret\n' },
    }
    const { broker, connect } = await pluginScene(
      () => ({ name: 'p', authenticate: () => ({ accept: true, username: 'boss', clientId: 'desk' }) }),
      options,
    )
    const client = await connect(stranger)
    client.publish({ topic: 'secret', qos: 1 })
    assert.deepEqual(lines(await client.settled()), ['PUBACK 0x10'])
    assert.equal(broker.broker.sessions.get('desk')?.username, 'boss')
    broker.reload(options)
    assert.deepEqual(await client.settled(), [])
  })

  test('is told what CONNECT and handshake say', async () => {
    const told: LoginRequest[] = []
    const { connect } = await pluginScene(() => ({
      name: 'p',
      authenticate(login) {
        told.push(login)
        return accept
      },
    }))
    await connect({ ...stranger, properties: { userProperties: [['a', 'b']] } })
    const [login] = told
    assert.deepEqual(
      { ...login, port: 0, listener: undefined, password: `${login?.password}`, properties: { ...login?.properties } },
      {
        address: '127.0.0.1',
        port: 0,
        listener: undefined,
        protocolVersion: 5,
        clientId: 'c',
        username: 'stranger',
        password: 'x',
        isProven: false,
        cleanStart: true,
        properties: { userProperties: [['a', 'b']] },
        secured: undefined,
      },
    )
  })

  test('has plugin_timeout seconds, while others come and go', async () => {
    const { broker, connect } = await pluginScene(
      () => ({ name: 'slow', authenticate: ({ clientId }) => (clientId === 'c' ? never() : accept) }),
      { conf: 'plugin_timeout 3\n' },
    )
    const waiting = await RawClient.open(broker.port)
    waiting.version = 5
    waiting.send(connectPacket(stranger))
    const other = await connect({ clientId: 'other' })
    await other.settled()
    broker.advance(2.5)
    await turn()
    assert.deepEqual(waiting.taken(), [])
    broker.advance(0.5)
    assert.equal(line(await waiting.next()), 'CONNACK 0x88')
    assert.ok(broker.log.some((each) => each.startsWith('Plugin slow: authenticate failed: no answer in 3 s')))
  })
})

/** Knows the method `double`: each step gives back the data twice, until it is `end`. */
const doubler = (done: Omit<Acceptance, 'accept'> & { readonly data?: Uint8Array } = {}, later = false): Plugin => ({
  name: 'doubler',
  exchange(method): Exchange | undefined {
    if (method !== 'double') return undefined
    const answer = (data: Uint8Array | undefined) => {
      const text = data === undefined ? '' : Buffer.from(data).toString()
      if (text === 'throw') throw new Error('oops')
      if (text === 'bad') return refuse
      return text === 'end' ? { accept: true as const, ...done } : { continue: Buffer.from(text + text) }
    }
    return { step: (data) => (later ? soon(undefined).then(() => answer(data)) : answer(data)) }
  },
})

const bytes = (text: string) => Buffer.from(text)
const auth = (reasonCode: ReasonCode, text?: string, method = 'double'): Packet => ({
  type: PacketType.AUTH,
  reasonCode,
  properties: { authenticationMethod: method, ...(text === undefined ? {} : { authenticationData: bytes(text) }) },
})
const CONTINUE = ReasonCode.CONTINUE_AUTHENTICATION
const AGAIN = ReasonCode.RE_AUTHENTICATE

/** Code, method and data of what arrives. */
function said(packet: Packet): string {
  const { authenticationMethod: method, authenticationData: data } = (
    'properties' in packet ? packet.properties : {}
  ) as Properties
  return [line(packet), method, data && Buffer.from(data).toString()].filter((each) => each !== undefined).join(' ')
}

interface Conversation {
  readonly name: string
  readonly plugins?: readonly Plugin[]
  readonly method?: string
  /** Data of CONNECT. */
  readonly begin?: string
  /** What is sent, each after an answer to what was before. */
  readonly sends?: readonly Packet[]
  readonly says: readonly string[]
  readonly ends?: true
}

const conversations: readonly Conversation[] = [
  { name: '[MQTT-4.12.0-1] a method that no plugin knows', method: 'other', says: ['CONNACK 0x8c'], ends: true },
  {
    name: '[MQTT-4.12.0-5] F151 accepted at once: CONNACK repeats the method and carries the last data',
    plugins: [doubler({ data: bytes('last') })],
    begin: 'end',
    says: ['CONNACK 0x0 double last'],
  },
  {
    name: '[MQTT-4.12.0-2] [MQTT-3.1.2-30] two challenges',
    begin: 'a',
    sends: [auth(CONTINUE, 'bc'), auth(CONTINUE, 'end')],
    says: ['AUTH 0x18 double aa', 'AUTH 0x18 double bcbc', 'CONNACK 0x0 double'],
  },
  {
    name: '[MQTT-4.12.0-2] two challenges, answers that take time',
    plugins: [doubler({}, true)],
    begin: 'a',
    sends: [auth(CONTINUE, 'bc'), auth(CONTINUE, 'end')],
    says: ['AUTH 0x18 double aa', 'AUTH 0x18 double bcbc', 'CONNACK 0x0 double'],
  },
  { name: 'no data in CONNECT', sends: [auth(CONTINUE, 'end')], says: ['AUTH 0x18 double ', 'CONNACK 0x0 double'] },
  { name: '[MQTT-4.12.0-4] refused at the first step', begin: 'bad', says: ['CONNACK 0x8a'], ends: true },
  {
    name: '[MQTT-4.12.0-4] refused at the second step',
    begin: 'a',
    sends: [auth(CONTINUE, 'bad')],
    says: ['AUTH 0x18 double aa', 'CONNACK 0x8a'],
    ends: true,
  },
  { name: 'an exception refuses', begin: 'throw', says: ['CONNACK 0x88'], ends: true },
  {
    name: '[MQTT-4.12.0-5] another method in AUTH',
    begin: 'a',
    sends: [auth(CONTINUE, 'b', 'other')],
    says: ['AUTH 0x18 double aa'],
    ends: true,
  },
  {
    name: 're-authentication before CONNACK',
    begin: 'a',
    sends: [auth(AGAIN, 'b')],
    says: ['AUTH 0x18 double aa'],
    ends: true,
  },
  {
    name: '[MQTT-3.1.2-30] another packet before CONNACK',
    begin: 'a',
    sends: [{ type: PacketType.PINGREQ }],
    says: ['AUTH 0x18 double aa'],
    ends: true,
  },
  {
    name: '[MQTT-3.1.2-30] DISCONNECT before CONNACK',
    begin: 'a',
    sends: [{ type: PacketType.DISCONNECT, reasonCode: 0, properties: {} }],
    says: ['AUTH 0x18 double aa'],
    ends: true,
  },
  {
    name: 'connect has the last word',
    plugins: [doubler(), { name: 'c', connect: () => refuse }],
    begin: 'end',
    says: ['CONNACK 0x8a'],
    ends: true,
  },
  {
    name: 'F152 re-authentication succeeds with AUTH 0x00',
    plugins: [doubler({ data: bytes('last') })],
    begin: 'end',
    sends: [auth(AGAIN, 'x'), auth(CONTINUE, 'end'), auth(AGAIN, 'end')],
    says: ['CONNACK 0x0 double last', 'AUTH 0x18 double xx', 'AUTH 0x0 double last', 'AUTH 0x0 double last'],
  },
  {
    name: '[MQTT-4.12.1-1] re-authentication with another method',
    begin: 'end',
    sends: [auth(AGAIN, 'x', 'other')],
    says: ['CONNACK 0x0 double', 'DISCONNECT 0x82'],
    ends: true,
  },
  {
    name: 'AUTH 0x18 that nobody has asked for',
    begin: 'end',
    sends: [auth(CONTINUE, 'x')],
    says: ['CONNACK 0x0 double', 'DISCONNECT 0x82'],
    ends: true,
  },
  {
    name: 're-authentication within one',
    begin: 'end',
    sends: [auth(AGAIN, 'x'), auth(AGAIN, 'x')],
    says: ['CONNACK 0x0 double', 'AUTH 0x18 double xx', 'DISCONNECT 0x82'],
    ends: true,
  },
  {
    name: '[MQTT-4.12.1-2] re-authentication that fails',
    begin: 'end',
    sends: [auth(AGAIN, 'bad')],
    says: ['CONNACK 0x0 double', 'DISCONNECT 0x87'],
    ends: true,
  },
]

describe('extended authentication', () => {
  for (const { name, plugins = [doubler()], method = 'double', begin, sends = [], says, ends } of conversations)
    test(name, async () => {
      const { broker } = await pluginScene(() => plugins, { conf: 'allow_anonymous false\n' })
      const client = await RawClient.open(broker.port)
      client.version = 5
      const properties: Properties = {
        authenticationMethod: method,
        ...(begin === undefined ? {} : { authenticationData: bytes(begin) }),
      }
      client.send(connectPacket({ version: 5, clientId: 'c', properties }))
      const got: string[] = []
      for (const packet of sends) {
        got.push(said(await client.next()))
        client.send(packet)
      }
      if (ends) got.push(...(await client.closed()).map(said))
      else got.push(said(await client.next()))
      assert.deepEqual(got, says)
    })

  test('F152 what the client sends during re-authentication is handled under its old name', async () => {
    let finish = (_: Acceptance) => {}
    const step = (data: Uint8Array | undefined) =>
      `${data && Buffer.from(data)}` === 'wait'
        ? new Promise<Acceptance>((resolve) => {
            finish = resolve
          })
        : ({ accept: true, username: 'u' } as const)
    const { broker, connect } = await pluginScene(() => ({ name: 'p', exchange: () => ({ step }) }))
    const client = await connect({ version: 5, clientId: 'c', properties: { authenticationMethod: 'm' } })
    client.send(auth(AGAIN, 'wait', 'm'))
    client.publish({ topic: 't', qos: 1 })
    assert.deepEqual(lines(await client.settled()), ['PUBACK 0x10'])
    finish({ accept: true, username: 'other' })
    assert.equal(said(await client.next()), 'AUTH 0x0 m')
    assert.equal(broker.broker.sessions.get('c')?.username, 'u')
  })

  test('F153 a failed re-authentication leaves the will, and the session for its time', async () => {
    const { broker, connect } = await pluginScene(() => doubler())
    const watcher = await connect({ clientId: 'watcher' })
    await watcher.subscribe('will')
    const properties = { authenticationMethod: 'double', authenticationData: bytes('end'), sessionExpiryInterval: 60 }
    const client = await connect({ version: 5, clientId: 'c', properties, will: { topic: 'will' } })
    client.send(auth(AGAIN, 'bad'))
    assert.deepEqual(lines(await client.closed()), ['DISCONNECT 0x87'])
    assert.equal(line(await watcher.next()), 'PUBLISH will  q0 r0')
    assert.ok(broker.broker.sessions.get('c'))
  })

  test('a client that does not answer has connect_timeout seconds', async () => {
    const { broker } = await pluginScene(() => doubler(), { conf: 'connect_timeout 5\n' })
    const client = await RawClient.open(broker.port)
    client.version = 5
    client.send(connectPacket({ version: 5, clientId: 'c', properties: { authenticationMethod: 'double' } }))
    await client.expect(PacketType.AUTH)
    broker.advance(5)
    await client.closed()
    assert.ok(broker.log.some((each) => each.includes('no AUTH in time')))
  })
})

test('a subscription that a plugin thinks about: what the client sends next waits, what others do does not', async () => {
  let finish = (_: undefined) => {}
  const thinking = new Promise<undefined>((resolve) => {
    finish = resolve
  })
  const { connect } = await pluginScene(() => ({ name: 'p', subscribe: () => thinking }))
  const client = await connect({ clientId: 'c' })
  client.send({
    type: PacketType.SUBSCRIBE,
    packetId: 1,
    properties: {},
    subscriptions: [{ filter: 't', qos: 0, noLocal: false, retainAsPublished: false, retainHandling: 0 }],
  })
  client.publish({ topic: 't', payload: 'after' })
  const other = await connect({ clientId: 'other' })
  assert.deepEqual(await other.settled(), [])
  assert.deepEqual(client.taken(), [])
  finish(undefined)
  assert.deepEqual(lines([await client.next(), await client.next()]), ['SUBACK 0x0', 'PUBLISH t after q0 r0'])
})
