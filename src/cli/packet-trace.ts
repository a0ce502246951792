// The `-d` trace: a line on stdout for each packet, in mosquitto's words (spec: sys-topics.md section 5). Payloads, user names and
// passwords are never shown.

import type { PacketWatcher } from '../client/link.js'
import type { Packet } from '../protocol/codec.js'
import { PacketType, packetTypeRow } from '../protocol/packet-types.js'
import type { Publish } from '../protocol/packets/publish.js'
import { subscriptionOptions } from '../protocol/packets/subscribe.js'

export class PacketTrace implements PacketWatcher {
  private readonly print: (line: string) => void
  private id: string
  private published = 0

  /** @param clientId as given by the user; empty when the broker chooses. */
  constructor(clientId: string, print: (line: string) => void) {
    this.id = clientId
    this.print = print
  }

  onSent(packet: Packet): void {
    for (const text of this.describeSent(packet)) this.print(`Client ${this.name} sending ${text}`)
  }

  onReceived(packet: Packet): void {
    if (packet.type === PacketType.CONNACK) this.id = packet.properties.assignedClientIdentifier ?? this.id
    if (packet.type === PacketType.DISCONNECT) this.print(`Received DISCONNECT (${packet.reasonCode})`)
    else this.print(`Client ${this.name} received ${this.describeReceived(packet)}`)
    if (packet.type === PacketType.SUBACK)
      this.print(`Subscribed (mid: ${packet.packetId}): ${packet.reasonCodes.join(', ')}`)
  }

  private get name(): string {
    return this.id === '' ? '(null)' : this.id
  }

  private describeSent(packet: Packet): readonly string[] {
    switch (packet.type) {
      case PacketType.PUBLISH:
        // QoS 0 has no identifier; mosquitto counts.
        this.published++
        return [describePublish(packet, packet.qos === 0 ? this.published : packet.packetId)]
      case PacketType.SUBSCRIBE:
        return packet.subscriptions.map((request) => {
          const options = (subscriptionOptions(request) & ~3).toString(16).padStart(2, '0')
          return `SUBSCRIBE (Mid: ${packet.packetId}, Topic: ${request.filter}, QoS: ${request.qos}, Options: 0x${options})`
        })
      case PacketType.UNSUBSCRIBE:
        return packet.filters.map((filter) => `UNSUBSCRIBE (Mid: ${packet.packetId}, Topic: ${filter})`)
      case PacketType.PUBACK:
      case PacketType.PUBREC:
        return [`${nameOf(packet)} (m${packet.packetId}, rc${packet.reasonCode})`]
      case PacketType.PUBREL:
      case PacketType.PUBCOMP:
        return [`${nameOf(packet)} (m${packet.packetId})`]
      default:
        return [nameOf(packet)]
    }
  }

  private describeReceived(packet: Packet): string {
    switch (packet.type) {
      case PacketType.CONNACK:
        return `CONNACK (${packet.reasonCode})`
      case PacketType.PUBLISH:
        return describePublish(packet, packet.packetId)
      case PacketType.PUBACK:
      case PacketType.PUBCOMP:
        return `${nameOf(packet)} (Mid: ${packet.packetId}, RC:${packet.reasonCode})`
      case PacketType.PUBREC:
      case PacketType.PUBREL:
        return `${nameOf(packet)} (Mid: ${packet.packetId})`
      default:
        return nameOf(packet)
    }
  }
}

function nameOf(packet: Packet): string {
  return packetTypeRow(packet.type)?.name ?? ''
}

function describePublish(packet: Publish, packetId: number): string {
  const { dup, qos, retain, topic, payloadStart, payloadEnd } = packet
  const size = payloadEnd - payloadStart
  return `PUBLISH (d${dup ? 1 : 0}, q${qos}, r${retain ? 1 : 0}, m${packetId}, '${topic}', ... (${size} bytes))`
}
