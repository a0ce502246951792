// Clients that do anything a client may do, in any order, against a real broker, one step at a time; after each step everything that
// has arrived is compared with what the model says. A step is chosen by a generator with a seed, so that a failure can be repeated.

import assert from 'node:assert/strict'
import { encodePacket, type Packet } from '../../src/protocol/codec.js'
import { PacketType, type ProtocolVersion } from '../../src/protocol/packet-types.js'
import { type Publish, publish, type Qos } from '../../src/protocol/packets/publish.js'
import type { RetainHandling } from '../../src/protocol/packets/subscribe.js'
import { NO_PROPERTIES, type Properties } from '../../src/protocol/properties.js'
import { startBroker, type TestBroker } from '../support/broker-kit.js'
import { RawClient } from '../support/raw-client.js'
import { Model, type ModelSession, type Owed } from './model.js'

/** Numbers from 0 to below 1, the same for the same seed. */
export type Random = () => number

export function randomFrom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const NEVER = Number.POSITIVE_INFINITY
const TOPICS = ['a', 'a/b', 'a/c', 'a/b/c', 'b', 'b/c', '/a', '$x', '$x/a']
const FILTERS = ['#', '+', '+/b', 'a', 'a/#', 'a/+', 'a/b/#', 'b/+', '/#', '+/+/c', '$x/#', '$x', 'a/b']
const SHARED = ['$share/g/#', '$share/g/a/+', '$share/h/a/b', '$share/h/#']
/** Message window of 3.x clients: `max_inflight_messages` where nothing else is said. */
const WINDOW = 20

interface Player {
  readonly clientId: string
  readonly version: ProtocolVersion
  /** Messages it takes at once. */
  readonly window: number
  client: RawClient | undefined
  session: ModelSession | undefined
  /** What the broker has to have answered, in order. */
  replies: string[]
  /** In-flight packets that come again on this connection. */
  again: string[]
}

/** A message that may have come because of a shared subscription. */
interface Unclaimed {
  readonly session: ModelSession
  readonly packet: Publish
}

const KINDS = [
  { version: 3, window: WINDOW },
  { version: 4, window: WINDOW },
  { version: 4, window: WINDOW },
  { version: 5, window: 1 },
  { version: 5, window: 3 },
  { version: 5, window: 50 },
] as const

export class Sequences {
  readonly broker: TestBroker
  readonly history: string[] = []
  private readonly random: Random
  private readonly model = new Model()
  private readonly players: Player[]
  private unclaimed: Unclaimed[] = []
  private messages = 0
  private packetIds = 0

  private constructor(broker: TestBroker, random: Random) {
    this.broker = broker
    this.random = random
    this.players = KINDS.map(({ version, window }, at) => ({
      clientId: `client${at}`,
      version,
      window,
      client: undefined,
      session: undefined,
      replies: [],
      again: [],
    }))
  }

  static async start(seed: number): Promise<Sequences> {
    const broker = await startBroker({ conf: 'sys_interval 0\nmax_queued_messages 0\nlog_type error', debug: false })
    return new Sequences(broker, randomFrom(seed))
  }

  private pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.random() * list.length)] as T
  }

  private chance(probability: number): boolean {
    return this.random() < probability
  }

  private note(text: string): void {
    this.history.push(text)
    if (this.history.length > 60) this.history.shift()
  }

  /** Does something, waits until everybody has everything, and compares. */
  async step(): Promise<void> {
    const player = this.pick(this.players)
    if (player.client === undefined) await (this.chance(0.15) ? this.pass() : this.connect(player))
    else await this.act(player, player.client)
    await this.compare()
  }

  private async act(player: Player, client: RawClient): Promise<void> {
    const dice = this.random()
    if (dice < 0.33) this.publish(player, client)
    else if (dice < 0.4) this.volley()
    else if (dice < 0.53) this.subscribe(player, client)
    else if (dice < 0.58) this.unsubscribe(player, client)
    else if (dice < 0.78) this.acknowledge(player, client)
    else if (dice < 0.85) this.qos2(player, client)
    else if (dice < 0.88) await this.pass()
    else if (dice < 0.92) await this.connect(player)
    else await this.leave(player, client)
  }

  // --- what clients do ---

  private message(player: Player, topic: string, qos: Qos): { readonly packet: Publish; readonly expiry: number } {
    const retain = this.chance(0.2)
    const clears = retain && this.chance(0.3)
    const padding = this.chance(0.05) ? '.'.repeat(Math.floor(this.random() * 40_000)) : ''
    const expiry = player.version === 5 && this.chance(0.15) ? 1 + Math.floor(this.random() * 20) : NEVER
    const payload = Buffer.from(clears ? '' : `${player.clientId}:${++this.messages}|${padding}`)
    const properties: Properties = expiry === NEVER ? NO_PROPERTIES : { messageExpiryInterval: expiry }
    const packetId = qos > 0 ? this.nextId() : 0
    return { packet: publish({ topic, payload, qos, retain, packetId, properties }), expiry }
  }

  private nextId(): number {
    this.packetIds = (this.packetIds % 60_000) + 1
    return this.packetIds
  }

  private publish(player: Player, client: RawClient): void {
    const qos = this.pick([0, 0, 1, 1, 2] as const)
    const { packet, expiry } = this.message(player, this.pick(TOPICS), qos)
    this.note(`${player.clientId} publishes ${describe(packet)} expiry ${expiry}`)
    client.send(packet)
    this.route(player, packet, expiry)
    if (qos === 1) player.replies.push(`puback ${packet.packetId}`)
    if (qos !== 2) return
    player.replies.push(`pubrec ${packet.packetId}`)
    player.session?.open.add(packet.packetId)
  }

  private route({ clientId }: Player, packet: Publish, expiry: number): void {
    const { topic, qos, retain } = packet
    this.model.publish({
      topic,
      payload: packet.payload.toString(),
      qos,
      retain,
      publisher: clientId,
      expiresAt: this.model.time + expiry * 1000,
    })
  }

  /** Everyone who is there sends many QoS 0 messages at once, most of them to one topic. */
  private volley(): void {
    for (const player of this.players) {
      const { client } = player
      if (client === undefined || this.chance(0.3)) continue
      let topic = this.pick(TOPICS)
      const packets: Packet[] = []
      for (let left = Math.floor(this.random() * 40); left > 0; left--) {
        if (this.chance(0.1)) topic = this.pick(TOPICS)
        const payload = Buffer.from(`${player.clientId}:${++this.messages}|`)
        const packet = publish({ topic, payload, qos: 0, retain: false, packetId: 0 })
        packets.push(packet)
        this.route(player, packet, NEVER)
      }
      this.note(`${player.clientId} sends ${packets.length} at once`)
      if (packets.length > 0) client.send(Buffer.concat(packets.map((packet) => encodePacket(packet, player.version))))
    }
  }

  private qos2(player: Player, client: RawClient): void {
    const { session } = player
    const [packetId] = session?.open ?? []
    if (session === undefined || packetId === undefined) return
    if (this.chance(0.3)) {
      // A duplicate of what the broker has: acknowledged, and nothing else.
      const packet = publish({
        topic: 'a',
        payload: Buffer.from('duplicate'),
        qos: 2,
        retain: false,
        packetId,
        dup: true,
      })
      client.send(packet)
      player.replies.push(`pubrec ${packetId}`)
      this.note(`${player.clientId} repeats ${packetId}`)
      return
    }
    session.open.delete(packetId)
    client.ack(PacketType.PUBREL, packetId)
    player.replies.push(`pubcomp ${packetId}`)
    this.note(`${player.clientId} releases ${packetId}`)
  }

  private acknowledge(player: Player, client: RawClient): void {
    const { session } = player
    if (session === undefined) return
    const all = [...session.inFlight].filter(() => this.chance(0.7))
    for (const [packetId, { owed, isReleased }] of all) {
      const type = owed.qos === 1 ? PacketType.PUBACK : isReleased ? PacketType.PUBCOMP : PacketType.PUBREC
      client.ack(type, packetId)
      this.note(`${player.clientId} answers ${packetId} with ${type}`)
      if (type === PacketType.PUBREC) {
        session.inFlight.set(packetId, { owed, isReleased: true })
        player.replies.push(`pubrel ${packetId}`)
      } else session.inFlight.delete(packetId)
    }
  }

  private subscribe(player: Player, client: RawClient): void {
    const { version, session } = player
    if (session === undefined) return
    const isNewer = version === 5
    const identifier = isNewer && this.chance(0.3) ? 1 + Math.floor(this.random() * 300) : 0
    const texts = new Set(Array.from({ length: 1 + Math.floor(this.random() * 3) }, () => this.pick(FILTERS)))
    if (this.chance(0.2)) texts.add(this.pick(SHARED))
    const subscriptions = [...texts].map((text) => {
      const isShared = text.startsWith('$share')
      return {
        text,
        qos: isShared ? (0 as const) : this.pick([0, 1, 2] as const),
        noLocal: isNewer && !isShared && this.chance(0.3),
        retainAsPublished: isNewer && !isShared && this.chance(0.3),
        retainHandling: (isNewer ? this.pick([0, 0, 1, 2] as const) : 0) as RetainHandling,
        identifier: isShared ? 0 : identifier,
      }
    })
    // One packet has one identifier for all of its subscriptions.
    const plain = identifier === 0 ? subscriptions : subscriptions.filter(({ text }) => !text.startsWith('$share'))
    const packetId = this.nextId()
    client.send({
      type: PacketType.SUBSCRIBE,
      packetId,
      properties: identifier === 0 ? NO_PROPERTIES : { subscriptionIdentifiers: [identifier] },
      subscriptions: plain.map(({ text: filter, ...each }) => ({ filter, ...each })),
    })
    this.note(`${player.clientId} subscribes ${JSON.stringify(plain)}`)
    player.replies.push(`suback ${packetId} ${plain.map(({ qos }) => qos)}`)
    this.model.subscribe(session, plain)
  }

  private unsubscribe(player: Player, client: RawClient): void {
    const { session } = player
    if (session === undefined) return
    const filter = this.pick([...session.subscriptions.keys(), 'none'])
    const packetId = this.nextId()
    client.send({ type: PacketType.UNSUBSCRIBE, packetId, properties: NO_PROPERTIES, filters: [filter] })
    this.note(`${player.clientId} unsubscribes ${filter}`)
    player.replies.push(`unsuback ${packetId}`)
    session.subscriptions.delete(filter)
  }

  private async connect(player: Player): Promise<void> {
    const { clientId, version, window } = player
    const old = player.client
    const cleanStart = this.chance(0.3)
    const expiry = version === 5 ? this.pick([0, 5, 30, NEVER]) : cleanStart ? 0 : NEVER
    const delay = version === 5 ? this.pick([0, 3, 12]) : 0
    const topic = this.pick(TOPICS)
    const will = this.chance(0.5)
      ? {
          topic,
          payload: `${clientId}:${++this.messages}|will`,
          qos: this.pick([0, 1, 2] as const),
          retain: this.chance(0.2),
        }
      : undefined
    const properties: Properties = {
      receiveMaximum: window,
      ...(expiry === 0 ? {} : { sessionExpiryInterval: expiry === NEVER ? 0xffff_ffff : expiry }),
    }
    this.note(
      `${clientId} connects, clean ${cleanStart}, expiry ${expiry}, will ${JSON.stringify(will)} after ${delay}`,
    )
    const { client, connack } = await RawClient.connect(this.broker.port, {
      clientId,
      version,
      cleanStart,
      ...(version === 5 ? { properties } : {}),
      ...(will === undefined
        ? {}
        : {
            will: {
              ...will,
              payload: Buffer.from(will.payload),
              properties: delay > 0 ? { willDelayInterval: delay } : NO_PROPERTIES,
            },
          }),
    })
    await old?.closed()
    const { session, isPresent } = this.model.connect(
      clientId,
      cleanStart,
      expiry,
      will && { message: { ...will, publisher: clientId }, delay },
    )
    assert.equal(connack.reasonCode, 0)
    if (version > 3) assert.equal(connack.sessionPresent, isPresent, 'session present')
    player.client = client
    player.session = session
    player.replies = []
    player.again = [...session.inFlight].map(([packetId, { owed, isReleased }]) =>
      isReleased ? `pubrel ${packetId}` : `publish ${packetId} ${owed.message.payload}`,
    )
  }

  private async leave(player: Player, client: RawClient): Promise<void> {
    const { session, version } = player
    if (session === undefined) return
    const way = this.pick(['disconnect', 'drop', 'nonsense', ...(version === 5 ? ['will', 'expiry'] : [])])
    this.note(`${player.clientId} leaves: ${way}`)
    if (way === 'drop') await client.drop()
    else {
      if (way === 'nonsense')
        client.send(this.pick(['00 00', '36 00', 'f0 80 80 80 80 01', '82 02 00 00', '30 02 ff ff', '90 00']))
      else if (way === 'expiry' && session.expiry > 0) {
        session.expiry = this.pick([0, 7])
        client.disconnect(0, { sessionExpiryInterval: session.expiry })
      } else client.disconnect(way === 'will' ? 0x04 : 0)
      await client.closed()
    }
    player.client = undefined
    player.session = undefined
    player.again = []
    player.replies = []
    // A dropped connection is noticed by the broker in its own time.
    while (this.broker.broker.sessions.get(session.clientId)?.isConnected === true)
      await new Promise((resolve) => setImmediate(resolve))
    this.model.gone(session, way === 'disconnect' || way === 'expiry')
  }

  /** Time goes by. */
  private async pass(): Promise<void> {
    const seconds = 0.35 + Math.floor(this.random() * 8)
    this.note(`${seconds} s pass`)
    // What is due comes in the same order on both sides: at each look.
    for (let left = seconds * 1000; left > 0; left -= 500) {
      const some = Math.min(left, 500)
      this.broker.advance(some / 1000)
      this.model.time += some
      this.model.look()
    }
  }

  // --- what has to have come of it ---

  private async compare(): Promise<void> {
    // When everybody has had an answer, everything that was sent has been read; what it led to comes before the next answer.
    const settle = () => Promise.all(this.players.map(async ({ client }) => (await client?.settled()) ?? []))
    const rounds = [await settle(), await settle()]
    for (const [at, player] of this.players.entries())
      this.compareOne(
        player,
        rounds.flatMap((packets) => packets[at] ?? []),
      )
    this.compareShares()
  }

  /** Each shared message to one member: who has got one that is not owed otherwise got it for one of the groups. */
  private compareShares(): void {
    const { shares } = this.model
    const takers = new Array<number>(shares.length).fill(-1)
    const find = (at: number, tried: Set<number>): boolean => {
      const { session, packet } = this.unclaimed[at] as Unclaimed
      return shares.some(({ members, owed }, share) => {
        if (tried.has(share) || !members.includes(session) || !isSame(owed, packet, this.versionOf(session)))
          return false
        tried.add(share)
        const other = takers[share] as number
        if (other >= 0 && !find(other, tried)) return false
        takers[share] = at
        return true
      })
    }
    for (const [at, { session, packet }] of this.unclaimed.entries())
      assert.ok(find(at, new Set()), `unexpected by ${session.clientId}: ${describe(packet)}`)
    const missing = shares.filter((_, share) => takers[share] === -1).map(({ owed }) => text0(owed))
    assert.deepEqual(missing, [], 'shared messages that nobody got')
    this.unclaimed = []
    this.model.shares = []
  }

  private compareOne(player: Player, packets: readonly Packet[]): void {
    const { session, clientId } = player
    if (session === undefined) return
    for (const packet of packets) {
      const text = describe(packet)
      if (packet.type === PacketType.PUBLISH) this.received(player, session, packet)
      else if (packet.type === PacketType.PUBREL && player.again[0] === text) player.again.shift()
      else assert.equal(text, player.replies.shift(), `an answer to ${clientId}`)
    }
    assert.deepEqual(player.replies, [], `answers that ${clientId} did not get`)
    assert.deepEqual(player.again, [], `packets that ${clientId} did not get again`)
    assert.deepEqual(session.now.map(text0), [], `QoS 0 messages that ${clientId} did not get`)
    session.waiting = session.waiting.filter(({ message }) => message.expiresAt > this.model.time)
    if (session.inFlight.size < player.window)
      assert.deepEqual(session.waiting.map(text0), [], `messages that ${clientId} did not get`)
    assert.ok(session.inFlight.size <= player.window, 'more than the window')
  }

  private received(player: Player, session: ModelSession, packet: Publish): void {
    const { clientId } = player
    if (packet.dup) {
      assert.equal(
        `publish ${packet.packetId} ${packet.payload}`,
        player.again.shift(),
        `a repeated message to ${clientId}`,
      )
      return
    }
    if (packet.qos === 0) {
      if (!this.takeNow(session, packet)) this.unclaimed.push({ session, packet })
      return
    }
    session.waiting = session.waiting.filter(({ message }) => message.expiresAt > this.model.time)
    const group = session.waiting[0]?.group
    const at = session.waiting.findIndex((owed) => owed.group === group && isSame(owed, packet, player.version))
    const [owed] = at < 0 ? [] : session.waiting.splice(at, 1)
    assert.ok(owed, `unexpected by ${clientId}: ${describe(packet)}, waiting ${session.waiting.slice(0, 3).map(text0)}`)
    assert.ok(!session.inFlight.has(packet.packetId), 'a packet identifier in use')
    session.inFlight.set(packet.packetId, { owed, isReleased: false })
  }

  /** QoS 0 messages of one publisher arrive in order; those of different ones in any. */
  private takeNow(session: ModelSession, packet: Publish): boolean {
    const at = session.now.findIndex((owed) => isSame(owed, packet, this.versionOf(session)))
    const owed = session.now[at]
    if (owed === undefined) return false
    const earlier = session.now.find(
      ({ message, group }) => message.publisher === owed.message.publisher && group < owed.group,
    )
    assert.equal(earlier && text0(earlier), undefined, `overtaken by ${describe(packet)}`)
    session.now.splice(at, 1)
    return true
  }

  private versionOf(session: ModelSession): ProtocolVersion {
    return this.players.find(({ clientId }) => clientId === session.clientId)?.version ?? 5
  }

  /** Leaves nothing behind: no client, no session, nothing retained. */
  async clear(): Promise<void> {
    for (const player of this.players) {
      const { client } = await RawClient.connect(this.broker.port, { clientId: player.clientId })
      for (const topic of TOPICS) client.publish({ topic, retain: true })
      await client.settled()
      await player.client?.closed()
      client.disconnect()
      await client.closed()
      Object.assign(player, { client: undefined, session: undefined, replies: [], again: [] })
    }
    // Wills that the take-overs have left.
    const { client } = await RawClient.connect(this.broker.port, { clientId: 'last' })
    for (const topic of TOPICS) client.publish({ topic, retain: true })
    await client.settled()
    await client.drop()
    this.broker.advance(30)
    this.model.time += 30_000
    assert.deepEqual(
      this.broker.log.filter((line) => /internal error/i.test(line)),
      [],
    )
    this.broker.forgetLog()
    this.model.sessions.clear()
    this.model.retained.clear()
    this.model.shares = []
  }
}

function text0({ message: { topic, payload }, qos, retain, identifier }: Owed): string {
  return `${topic} ${shortened(payload)} q${qos}${retain ? ' retained' : ''} i${identifier}`
}

function shortened(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}(${text.length})` : text
}

function isSame({ message, qos, retain, identifier }: Owed, packet: Publish, version: ProtocolVersion): boolean {
  return (
    packet.topic === message.topic &&
    packet.qos === qos &&
    packet.retain === retain &&
    (version < 5 || (packet.properties.subscriptionIdentifiers?.[0] ?? 0) === identifier) &&
    packet.payload.toString() === message.payload
  )
}

function describe(packet: Packet): string {
  switch (packet.type) {
    case PacketType.PUBLISH: {
      const { topic, payload, qos, retain, packetId, dup } = packet
      return `publish ${topic} ${shortened(payload.toString())} q${qos} r${Number(retain)} d${Number(dup)} m${packetId}`
    }
    case PacketType.PUBACK:
      return `puback ${packet.packetId}`
    case PacketType.PUBREC:
      return `pubrec ${packet.packetId}`
    case PacketType.PUBREL:
      return `pubrel ${packet.packetId}`
    case PacketType.PUBCOMP:
      return `pubcomp ${packet.packetId}`
    case PacketType.SUBACK:
      return `suback ${packet.packetId} ${packet.reasonCodes}`
    case PacketType.UNSUBACK:
      return `unsuback ${packet.packetId}`
    default:
      return JSON.stringify(packet)
  }
}
