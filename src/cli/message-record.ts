// A recording of messages: one JSON object a line (NDJSON), for tsmq-pub --ndjson and --replay and for jq. Payloads and correlation
// data that are no UTF-8 are in base64, so that nothing is lost.

import { isUtf8 } from 'node:buffer'
import { createWriteStream, fchmodSync, openSync } from 'node:fs'
import { systemText } from '../access/restricted-file.js'
import { UsageError } from '../options/command-line.js'
import type { Publish } from '../protocol/packets/publish.js'
import { type Properties, properties as propertyTable } from '../protocol/properties.js'
import { isoMicroseconds } from './message-time.js'
import { Output } from './output.js'

const names = new Map<string, string>(propertyTable.map((row) => [row.key, row.name]))
/** What belongs to the connection on which a message came, not to the message. */
const OF_CONNECTION: readonly string[] = ['topicAlias', 'subscriptionIdentifiers']
/** What is recorded may be secret. */
const MODE = 0o600

/**
 * The message as one line with its newline: tst, topic, qos, retain, payload or payload_b64, properties if it has any, and mid
 * with QoS 1 and 2.
 * @param ms when it came, since 1970.
 */
export function recordLine(topic: string, packet: Publish, ms: number): string {
  const { qos, retain, payload, properties, packetId } = packet
  const recorded = recordedProperties(properties)
  const record = {
    tst: isoMicroseconds(ms),
    topic,
    qos,
    retain,
    ...textOrBase64('payload', payload),
    ...(Object.keys(recorded).length > 0 && { properties: recorded }),
    ...(qos > 0 && { mid: packetId }),
  }
  return `${JSON.stringify(record)}\n`
}

function textOrBase64(key: string, bytes: Uint8Array): Record<string, string> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return isUtf8(buffer) ? { [key]: buffer.toString() } : { [`${key}_b64`]: buffer.toString('base64') }
}

/** By the names of `-D`; `user-properties` is a list of objects with one member each. */
function recordedProperties(properties: Readonly<Properties>): Record<string, unknown> {
  const recorded: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(properties)) {
    if (OF_CONNECTION.includes(key) || value === undefined) continue
    if (key === 'userProperties')
      recorded['user-properties'] = properties.userProperties?.map(([name, text]) => ({ [name]: text }))
    else if (value instanceof Uint8Array) Object.assign(recorded, textOrBase64(names.get(key) ?? key, value))
    else recorded[names.get(key) ?? key] = value
  }
  return recorded
}

/** Where a recording goes, line by line. */
export class MessageRecording {
  private readonly output: Output
  private readonly now: () => number

  /** @param now ms since 1970. */
  constructor(output: Output, now: () => number) {
    this.output = output
    this.now = now
  }

  /** What was added is not written as fast as it comes. */
  get isBehind(): boolean {
    return this.output.isBehind
  }

  add(topic: string, packet: Publish): void {
    this.output.text(recordLine(topic, packet, this.now()))
  }

  /** Resolves when all is written. */
  written(): Promise<void> {
    return new Promise((resolve) => this.output.whenWritten(resolve))
  }
}

/**
 * Opens a file for its owner alone, in place of what it held.
 * @param onFailure is told when it cannot be written any more.
 * @throws UsageError
 */
export function openRecordFile(file: string, onFailure: (problem: string) => void): Output {
  const words = (error: unknown) => `--record ${file} cannot be written: ${systemText(error)}`
  try {
    const descriptor = openSync(file, 'w', MODE)
    const stream = createWriteStream(file, { fd: descriptor })
    stream.on('error', (error) => onFailure(words(error)))
    fchmodSync(descriptor, MODE)
    return new Output(stream, false)
  } catch (error) {
    throw new UsageError(words(error))
  }
}
