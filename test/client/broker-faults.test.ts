// What a broker may not send, and what the client does about it: mqtt-rules table E.10, E14 and the statements of table A that a
// client enforces. In MQTT 5.0 the broker is told the reason, in 3.1.1 the connection is closed.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ClientOptions } from '../../src/client/client.js'
import { PacketType } from '../../src/protocol/packet-types.js'
import { begin } from './scripted-broker.js'

interface Fault {
  readonly name: string
  /** Sent in answer to CONNECT, in hexadecimal. */
  readonly sends: string
  /** What DISCONNECT says; the error has the same reason code. */
  readonly code: number
  readonly options?: Partial<ClientOptions>
  /** Packets of the client before DISCONNECT. */
  readonly before?: number
}

const OK5 = '20 03 00 00 00'
const OK4 = '20 02 00 00'
const subscribing = { options: { properties: { topicAliasMaximum: 2, receiveMaximum: 2, maximumPacketSize: 40 } } }

// biome-ignore format: one row a line
const faults5: readonly Fault[] = [
  { name: 'E184 [MQTT-3.2.2-1] CONNACK with reserved flags', sends: '20 03 02 00 00', code: 0x81 },
  { name: 'E185 [MQTT-3.2.2-2] session present after a clean start', sends: '20 03 01 00 00', code: 0x82 },
  { name: 'E186 [MQTT-3.2.2-6] session present in a refusal', sends: '20 03 01 87 00', code: 0x82, options: { cleanStart: false } },
  { name: 'E187 [MQTT-3.2.2-8] CONNACK with an unknown reason code', sends: '20 03 00 05 00', code: 0x82 },
  { name: 'E188 CONNACK with bytes left over', sends: '20 04 00 00 00 00', code: 0x81 },
  { name: 'E188 CONNACK cut short', sends: '20 01 00', code: 0x81 },
  { name: 'E188 CONNACK with a property of CONNECT', sends: '20 05 00 00 02 19 01', code: 0x81 },
  { name: 'E188 CONNACK with a property twice', sends: '20 07 00 00 04 25 01 25 01', code: 0x82 },
  { name: 'E189 [MQTT-3.2.0-2] a second CONNACK', sends: OK5 + OK5, code: 0x82 },
  { name: 'E189 [MQTT-3.2.0-1] PINGRESP before CONNACK', sends: 'd0 00', code: 0x82 },
  { name: 'E189 [MQTT-3.2.0-1] PUBLISH before CONNACK', sends: '30 04 00 01 61 00', code: 0x82 },
  { name: 'E175 E189 [MQTT-3.14.0-1] DISCONNECT before CONNACK', sends: 'e0 00', code: 0x82 },
  { name: 'E190 Receive Maximum 0', sends: '20 06 00 00 03 21 00 00', code: 0x82 },
  { name: 'E190 Maximum Packet Size 0', sends: '20 08 00 00 05 27 00 00 00 00', code: 0x82 },
  { name: 'E190 Maximum QoS 2', sends: '20 05 00 00 02 24 02', code: 0x82 },
  { name: 'E190 Retain Available 2', sends: '20 05 00 00 02 25 02', code: 0x82 },
  { name: 'E191 [MQTT-4.12.0-6] an authentication method that was not asked for', sends: '20 07 00 00 04 15 00 01 61', code: 0x82 },
  { name: 'E191 [MQTT-4.12.0-5] another authentication method than asked for', sends: '20 07 00 00 04 15 00 01 61', code: 0x82, options: { properties: { authenticationMethod: 'b' } } },
  { name: 'E191 [MQTT-4.12.0-5] CONNACK without the authentication method', sends: OK5, code: 0x82, options: { properties: { authenticationMethod: 'b' } } },
  { name: 'E192 [MQTT-2.2.1-6] CVE-2017-7655 SUBACK for nothing', sends: `${OK5} 90 04 00 09 00 00`, code: 0x82 },
  { name: 'E193 UNSUBACK for nothing', sends: `${OK5} b0 04 00 09 00 00`, code: 0x82 },
  { name: 'E195 [MQTT-3.3.4-9] more QoS 2 messages open than Receive Maximum', sends: `${OK5} 34 06 00 01 61 00 01 00 34 06 00 01 61 00 02 00 34 06 00 01 61 00 03 00`, code: 0x93, before: 2, ...subscribing },
  { name: 'E196 [MQTT-3.1.2-24] a packet above Maximum Packet Size', sends: `${OK5} 30 28`, code: 0x95, ...subscribing },
  { name: 'E197 [MQTT-3.1.2-26] a topic alias above Topic Alias Maximum', sends: `${OK5} 30 07 00 01 61 03 23 00 03`, code: 0x94, ...subscribing },
  { name: 'E197 [MQTT-3.1.2-27] [MQTT-3.3.2-11] a topic alias though none is allowed', sends: `${OK5} 30 07 00 01 61 03 23 00 01`, code: 0x94 },
  { name: 'E197 [MQTT-3.3.2-8] topic alias 0', sends: `${OK5} 30 07 00 01 61 03 23 00 00`, code: 0x94, ...subscribing },
  { name: 'E197 an unknown topic alias', sends: `${OK5} 30 06 00 00 03 23 00 01`, code: 0x82, ...subscribing },
  { name: 'E198 [MQTT-3.1.2-29] a Reason String that was not asked for', sends: `${OK5} 40 08 00 09 00 04 1f 00 01 61`, code: 0x82, options: { properties: { requestProblemInformation: 0 } } },
  { name: 'E198 [MQTT-3.1.2-29] a User Property that was not asked for', sends: `${OK5} 40 0b 00 09 00 07 26 00 01 61 00 01 62`, code: 0x82, options: { properties: { requestProblemInformation: 0 } } },
  { name: 'E199 PINGRESP with a body', sends: `${OK5} d0 01 00`, code: 0x81 },
  { name: 'E14 PINGREQ from a broker', sends: `${OK5} c0 00`, code: 0x82 },
  { name: 'E14 SUBSCRIBE from a broker', sends: `${OK5} 82 07 00 01 00 00 01 61 00`, code: 0x82 },
  { name: 'E14 CONNECT from a broker', sends: '10 00', code: 0x82 },
  { name: '[MQTT-4.12.0-6] AUTH though no method was asked for', sends: `${OK5} f0 06 18 04 15 00 01 61`, code: 0x82 },
  { name: '[MQTT-3.14.2-1] DISCONNECT with a code of the client', sends: `${OK5} e0 02 04 00`, code: 0x82 },
  { name: '[MQTT-3.14.2-2] DISCONNECT with Session Expiry Interval', sends: `${OK5} e0 07 00 05 11 00 00 00 01`, code: 0x82 },
  { name: '[MQTT-3.4.2-1] PUBACK with an unknown reason code', sends: `${OK5} 40 03 00 01 05`, code: 0x82 },
  { name: '[MQTT-3.3.1-4] PUBLISH with QoS 3', sends: `${OK5} 36 06 00 01 61 00 01 00`, code: 0x81 },
  { name: '[MQTT-3.3.2-2] PUBLISH with a wildcard', sends: `${OK5} 30 04 00 01 23 00`, code: 0x81 },
  { name: '[MQTT-2.2.1-4] PUBLISH with packet identifier 0', sends: `${OK5} 32 06 00 01 61 00 00 00`, code: 0x82 },
  { name: '[MQTT-3.6.1-1] PUBREL with wrong flags', sends: `${OK5} 60 02 00 01`, code: 0x81 },
  { name: '[MQTT-1.5.4-1] PUBLISH with bad UTF-8', sends: `${OK5} 30 05 00 02 c0 80 00`, code: 0x81 },
]

// biome-ignore format: one row a line
const faults4: readonly Fault[] = [
  { name: 'E184 CONNACK with reserved flags', sends: '20 02 02 00', code: 0x81 },
  { name: 'E185 session present after a clean session', sends: '20 02 01 00', code: 0x82 },
  { name: 'E187 return code 6', sends: '20 02 00 06', code: 0x82 },
  { name: 'E188 CONNACK of three bytes', sends: '20 03 00 00 00', code: 0x81 },
  { name: 'E189 a second CONNACK', sends: OK4 + OK4, code: 0x82 },
  { name: 'E192 SUBACK for nothing', sends: `${OK4} 90 03 00 09 00`, code: 0x82 },
  { name: 'E193 UNSUBACK for nothing', sends: `${OK4} b0 02 00 09`, code: 0x82 },
  { name: 'E199 PINGRESP with a body', sends: `${OK4} d0 01 00`, code: 0x81 },
  { name: 'E14 DISCONNECT from a 3.1.1 broker', sends: `${OK4} e0 00`, code: 0x82 },
  { name: 'E14 AUTH from a 3.1.1 broker', sends: `${OK4} f0 00`, code: 0x81 },
]

describe('what a broker may not send', () => {
  for (const fault of faults5)
    test(`5.0: ${fault.name}`, async (t) => {
      const { peer, recorder } = await begin(t, fault.options)
      await peer.expect(PacketType.CONNECT)
      peer.send(fault.sends)
      await peer.take(fault.before ?? 0)
      const goodbye = await peer.expect(PacketType.DISCONNECT)
      assert.equal(goodbye.reasonCode, fault.code)
      assert.deepEqual(await peer.closed(), [])
      const error = await recorder.ended()
      assert.deepEqual([error?.kind, error?.reasonCode], ['protocol', fault.code])
    })

  for (const fault of faults4)
    test(`3.1.1: ${fault.name}`, async (t) => {
      const { peer, recorder } = await begin(t, { version: 4, ...fault.options })
      await peer.expect(PacketType.CONNECT)
      peer.send(fault.sends)
      assert.deepEqual(await peer.closed(), [])
      const error = await recorder.ended()
      assert.deepEqual([error?.kind, error?.reasonCode], ['protocol', fault.code])
    })
})

describe('answers to SUBSCRIBE and UNSUBSCRIBE', () => {
  const request = { filter: 'a', qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const
  // biome-ignore format: one row a line
  const wrong = [
    { name: 'E192 [MQTT-3.8.4-6] SUBACK with too many codes', version: 5, asks: 'subscribe', sends: '90 05 00 01 00 00 00', code: 0x82 },
    { name: 'E192 [MQTT-3.8.4-6] CVE-2024-10525 SUBACK without a code', version: 5, asks: 'subscribe', sends: '90 03 00 01 00', code: 0x82 },
    { name: 'E192 [MQTT-3.9.3-2] SUBACK with an unknown code', version: 5, asks: 'subscribe', sends: '90 04 00 01 00 03', code: 0x82 },
    { name: 'E192 SUBACK with an unknown code', version: 4, asks: 'subscribe', sends: '90 03 00 01 03', code: 0x82 },
    { name: 'E192 UNSUBACK for a SUBSCRIBE', version: 5, asks: 'subscribe', sends: 'b0 04 00 01 00 00', code: 0x82 },
    { name: 'E193 UNSUBACK with too many codes', version: 5, asks: 'unsubscribe', sends: 'b0 05 00 01 00 00 00', code: 0x82 },
    { name: 'E193 [MQTT-3.11.3-2] UNSUBACK with an unknown code', version: 5, asks: 'unsubscribe', sends: 'b0 04 00 01 00 10', code: 0x82 },
  ] as const
  for (const { name, version, asks, sends, code } of wrong)
    test(`${version === 5 ? '5.0' : '3.1.1'}: ${name}`, async (t) => {
      const { peer, client, recorder } = await begin(t, { version })
      await peer.accept()
      await recorder.connected()
      const failures: unknown[] = []
      if (asks === 'subscribe') client.subscribe([request], undefined, (error) => failures.push(error?.kind))
      else client.unsubscribe(['a'], undefined, (error) => failures.push(error?.kind))
      await peer.next()
      peer.send(sends)
      const error = await recorder.ended()
      assert.deepEqual([error?.kind, error?.reasonCode], ['protocol', code])
      assert.deepEqual(failures, ['protocol'])
    })
})
