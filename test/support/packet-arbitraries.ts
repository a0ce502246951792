// fast-check arbitraries of every packet that a side of a version may send, from the standard's tables in test/golden.

import fc from 'fast-check'
import type { Packet } from '../../src/protocol/codec.js'
import type { ProtocolVersion, Sender } from '../../src/protocol/packet-types.js'
import { publish } from '../../src/protocol/packets/publish.js'
import type { Properties } from '../../src/protocol/properties.js'
import type { ReasonCode } from '../../src/protocol/reason-codes.js'
import { hex } from '../golden/bytes.js'
import { allowed, type Carrier, sendersOfProperty } from '../golden/property-facts.js'

const characters = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...'abcXYZ019 $_-.~"\\'.split('')) },
  { weight: 1, arbitrary: fc.constantFrom('é', '€', '\u{1F321}', '\uFEFF', '\uFFFD', '\u{10FFFD}', '\u00a0') },
)
const text = fc.string({ unit: characters, maxLength: 20 })
const binary = fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes))

/** A well-formed topic name, empty levels included. */
export const topicName: fc.Arbitrary<string> = fc
  .array(fc.string({ unit: characters, maxLength: 6 }), { minLength: 1, maxLength: 6 })
  .map((levels) => levels.join('/'))
  .filter((topic) => topic !== '')

/** A well-formed filter, shared or not. */
export const topicFilter: fc.Arbitrary<string> = fc
  .tuple(
    fc.constantFrom('', '', '', '$share/group/', '$share/é/'),
    fc.array(fc.oneof(fc.string({ unit: characters, maxLength: 6 }), fc.constant('+')), { maxLength: 5 }),
    fc.boolean(),
  )
  .map(([share, levels, open]) => [share, (open ? [...levels, '#'] : levels).join('/')] as const)
  .filter(([, filter]) => filter !== '' && !filter.startsWith('$share'))
  .map((parts) => parts.join(''))

const uint16 = fc.integer({ min: 0, max: 65_535 })
const positive16 = fc.integer({ min: 1, max: 65_535 })
const uint32 = fc.integer({ min: 0, max: 0xffffffff })
const bit = fc.constantFrom(0, 1)
const identifier = fc.oneof(
  fc.integer({ min: 1, max: 268_435_455 }),
  fc.constantFrom(127, 128, 16_383, 16_384, 2_097_151, 2_097_152),
)

const values: Readonly<Record<number, readonly [keyof Properties, fc.Arbitrary<unknown>]>> = {
  1: ['payloadFormatIndicator', bit],
  2: ['messageExpiryInterval', uint32],
  3: ['contentType', text],
  8: ['responseTopic', topicName],
  9: ['correlationData', binary],
  11: ['subscriptionIdentifiers', fc.array(identifier, { minLength: 1, maxLength: 3 })],
  17: ['sessionExpiryInterval', uint32],
  18: ['assignedClientIdentifier', text],
  19: ['serverKeepAlive', uint16],
  21: ['authenticationMethod', text],
  22: ['authenticationData', binary],
  23: ['requestProblemInformation', bit],
  24: ['willDelayInterval', uint32],
  25: ['requestResponseInformation', bit],
  26: ['responseInformation', text],
  28: ['serverReference', text],
  31: ['reasonString', text],
  33: ['receiveMaximum', positive16],
  34: ['topicAliasMaximum', uint16],
  35: ['topicAlias', positive16],
  36: ['maximumQos', bit],
  37: ['retainAvailable', bit],
  38: ['userProperties', fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 3 })],
  39: ['maximumPacketSize', fc.integer({ min: 1, max: 0xffffffff })],
  40: ['wildcardSubscriptionAvailable', bit],
  41: ['subscriptionIdentifierAvailable', bit],
  42: ['sharedSubscriptionAvailable', bit],
}

/** Any property list that `sender` may put into `carrier`; empty in 3.x. */
export function propertiesOf(carrier: Carrier, sender: Sender, version: ProtocolVersion): fc.Arbitrary<Properties> {
  if (version < 5) return fc.constant({})
  const model: Record<string, fc.Arbitrary<unknown>> = {}
  for (const id of allowed[carrier]) {
    const row = values[id]
    if (row === undefined || !sendersOfProperty(carrier, id).includes(sender)) continue
    const one = id === 11 && carrier === 'SUBSCRIBE'
    model[row[0]] = one ? fc.array(identifier, { minLength: 1, maxLength: 1 }) : row[1]
  }
  const required = carrier === 'AUTH' ? ['authenticationMethod'] : []
  const list = fc.record(model, { requiredKeys: required }) as fc.Arbitrary<Properties>
  return list.map((properties) => {
    const { authenticationData: _, ...kept } = properties
    return carrier === 'CONNECT' && properties.authenticationMethod === undefined ? kept : properties
  })
}

/** Reason codes of a packet in 5.0; in 3.x only success, or the return codes of CONNACK and SUBACK. */
function codes(digits: string, version: ProtocolVersion, old: string): fc.Arbitrary<number> {
  return fc.constantFrom(...hex(version === 5 ? digits : old))
}

function connect(version: ProtocolVersion): fc.Arbitrary<Packet> {
  const will = fc.record({
    topic: topicName,
    payload: binary,
    qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
    retain: fc.boolean(),
    properties: propertiesOf('Will', 'client', version),
  })
  return fc
    .record({
      type: fc.constant(1 as const),
      protocolVersion: fc.constant(version),
      bridge: version < 5 ? fc.boolean() : fc.constant(false),
      cleanStart: fc.boolean(),
      keepAlive: uint16,
      clientId: text,
      properties: propertiesOf('CONNECT', 'client', version),
      will: fc.option(will, { nil: undefined }),
      username: fc.option(text, { nil: undefined }),
      password: fc.option(binary, { nil: undefined }),
    })
    .map((packet) => (version < 5 && packet.username === undefined ? { ...packet, password: undefined } : packet))
}

function connack(version: ProtocolVersion): fc.Arbitrary<Packet> {
  return fc
    .record({
      type: fc.constant(2 as const),
      sessionPresent: version === 3 ? fc.constant(false) : fc.boolean(),
      reasonCode: codes(
        '00 80 81 82 83 84 85 86 87 88 89 8a 8c 90 95 97 99 9a 9b 9c 9d 9f',
        version,
        '00 01 02 03 04 05',
      ),
      properties: propertiesOf('CONNACK', 'server', version),
    })
    .map((packet) => (packet.reasonCode === 0 ? packet : { ...packet, sessionPresent: false }))
}

function publishPacket(version: ProtocolVersion, sender: Sender): fc.Arbitrary<Packet> {
  return fc
    .record({
      topic: topicName,
      omitTopic: fc.boolean(),
      payload: fc.oneof(binary, fc.constant(Buffer.alloc(20_000, 7))),
      qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
      retain: fc.boolean(),
      dup: fc.boolean(),
      packetId: positive16,
      properties: propertiesOf('PUBLISH', sender, version),
    })
    .map(({ omitTopic, ...fields }) =>
      publish({
        ...fields,
        topic: omitTopic && fields.properties.topicAlias !== undefined ? '' : fields.topic,
        dup: fields.dup && fields.qos > 0,
        packetId: fields.qos > 0 ? fields.packetId : 0,
      }),
    )
}

function ack(version: ProtocolVersion, sender: Sender): fc.Arbitrary<Packet> {
  const rows = [
    ['PUBACK', 4, '00 10 80 83 87 90 91 97 99'],
    ['PUBREC', 5, '00 10 80 83 87 90 91 97 99'],
    ['PUBREL', 6, '00 92'],
    ['PUBCOMP', 7, '00 92'],
  ] as const
  return fc.oneof(
    ...rows.map(([carrier, type, digits]) =>
      fc.record({
        type: fc.constant(type),
        packetId: positive16,
        reasonCode: codes(digits, version, '00') as fc.Arbitrary<ReasonCode>,
        properties: propertiesOf(carrier, sender, version),
      }),
    ),
  )
}

function subscribe(version: ProtocolVersion): fc.Arbitrary<Packet> {
  const no = fc.constant(false)
  const request = fc
    .record({
      filter: topicFilter,
      qos: fc.constantFrom(0 as const, 1 as const, 2 as const),
      noLocal: version === 5 ? fc.boolean() : no,
      retainAsPublished: version === 5 ? fc.boolean() : no,
      retainHandling: version === 5 ? fc.constantFrom(0 as const, 1 as const, 2 as const) : fc.constant(0 as const),
    })
    .map((row) => (row.filter.startsWith('$share/') ? { ...row, noLocal: false } : row))
  return fc.record({
    type: fc.constant(8 as const),
    packetId: positive16,
    properties: propertiesOf('SUBSCRIBE', 'client', version),
    subscriptions: fc.array(request, { minLength: 1, maxLength: 5 }),
  })
}

function answers(version: ProtocolVersion): fc.Arbitrary<Packet>[] {
  const suback = fc.record({
    type: fc.constant(9 as const),
    packetId: positive16,
    properties: propertiesOf('SUBACK', 'server', version),
    reasonCodes: fc.array(codes('00 01 02 80 83 87 8f 91 97 9e a1 a2', version, '00 01 02 80'), {
      minLength: 1,
      maxLength: 5,
    }),
  })
  const unsuback = fc.record({
    type: fc.constant(11 as const),
    packetId: positive16,
    properties: propertiesOf('UNSUBACK', 'server', version),
    reasonCodes: version === 5 ? fc.array(codes('00 11 80 83 87 8f 91', 5, ''), { minLength: 1 }) : fc.constant([]),
  })
  return [suback, unsuback]
}

function unsubscribe(version: ProtocolVersion): fc.Arbitrary<Packet> {
  return fc.record({
    type: fc.constant(10 as const),
    packetId: positive16,
    properties: propertiesOf('UNSUBSCRIBE', 'client', version),
    filters: fc.array(topicFilter, { minLength: 1, maxLength: 5 }),
  })
}

function disconnect(version: ProtocolVersion, sender: Sender): fc.Arbitrary<Packet> {
  const digits =
    sender === 'client'
      ? '00 04 80 81 82 83 90 93 94 95 96 97 98 99'
      : '00 80 81 82 83 87 89 8b 8d 8e 8f 90 93 94 95 96 97 98 99 9a 9b 9c 9d 9e 9f a0 a1 a2'
  return fc.record({
    type: fc.constant(14 as const),
    reasonCode: codes(digits, version, '00') as fc.Arbitrary<ReasonCode>,
    properties: propertiesOf('DISCONNECT', sender, version),
  })
}

function auth(sender: Sender): fc.Arbitrary<Packet> {
  return fc.record({
    type: fc.constant(15 as const),
    reasonCode: codes(sender === 'client' ? '18 19' : '00 18', 5, '') as fc.Arbitrary<ReasonCode>,
    properties: propertiesOf('AUTH', sender, 5),
  })
}

/** Each packet type that `sender` may send in `version`, by name. */
export function packetArbitraries(
  version: ProtocolVersion,
  sender: Sender,
): Readonly<Record<string, fc.Arbitrary<Packet>>> {
  const both = { PUBLISH: publishPacket(version, sender), acknowledgement: ack(version, sender) }
  const five = version === 5 ? { AUTH: auth(sender) } : {}
  if (sender === 'client')
    return {
      CONNECT: connect(version),
      ...both,
      SUBSCRIBE: subscribe(version),
      UNSUBSCRIBE: unsubscribe(version),
      PINGREQ: fc.constant({ type: 12 }),
      DISCONNECT: disconnect(version, sender),
      ...five,
    }
  const [suback, unsuback] = answers(version)
  return {
    CONNACK: connack(version),
    ...both,
    ...(suback === undefined ? {} : { SUBACK: suback }),
    ...(unsuback === undefined ? {} : { UNSUBACK: unsuback }),
    PINGRESP: fc.constant({ type: 13 }),
    ...(version === 5 ? { DISCONNECT: disconnect(version, sender) } : {}),
    ...five,
  }
}
