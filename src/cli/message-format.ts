// TABLE of the conversions of an output format (`tsmq-sub -F`), the parser of formats, and what they print for a message. Syntax
// as mosquitto_sub's (sub.md section 4.1): `%[-|0][width][.precision][separator]letter`, `@` for the time, `\` for control bytes.

import { UsageError } from '../options/command-line.js'
import type { Publish } from '../protocol/packets/publish.js'
import {
  type FieldLayout,
  layoutFloat,
  layoutHex,
  layoutPayload,
  layoutText,
  numericFill,
  pad,
} from './format-fields.js'
import { byteString, messageJson } from './message-json.js'
import { isoMicroseconds, isoSeconds, nanoseconds } from './message-time.js'
import { strftime } from './strftime.js'

/** How a conversion's value is laid out. `plain` knows neither width nor precision. */
type Layout = 'plain' | 'integer' | 'text' | 'payload' | 'hex' | 'float'

interface Conversion {
  readonly letter: string
  readonly field: keyof typeof fields
  readonly layout: Layout
  /** An absent value still fills its width. */
  readonly blankWhenAbsent?: true
  readonly isJson?: true
  readonly help: string
}

// biome-ignore format: one row a line
export const conversions: readonly Conversion[] = [
  { letter: '%', field: 'percent', layout: 'plain', help: 'a percent sign' },
  { letter: 't', field: 'topic', layout: 'text', help: 'topic' },
  { letter: 'p', field: 'payload', layout: 'payload', help: 'payload' },
  { letter: 'x', field: 'payload', layout: 'hex', help: 'payload in hexadecimal' },
  { letter: 'X', field: 'payload', layout: 'hex', help: 'payload in hexadecimal, upper case' },
  { letter: 'l', field: 'payloadLength', layout: 'integer', help: 'length of the payload in bytes' },
  { letter: 'm', field: 'packetId', layout: 'integer', help: 'packet identifier, 0 with QoS 0' },
  { letter: 'q', field: 'qos', layout: 'plain', help: 'QoS' },
  { letter: 'r', field: 'retain', layout: 'plain', help: '1 for a retained message, else 0' },
  { letter: 'f', field: 'float', layout: 'float', help: 'payload of 4 bytes as a floating-point number' },
  { letter: 'd', field: 'double', layout: 'float', help: 'payload of 8 bytes as a floating-point number' },
  { letter: 'A', field: 'topicAlias', layout: 'integer', blankWhenAbsent: true, help: 'topic alias' },
  { letter: 'C', field: 'contentType', layout: 'text', blankWhenAbsent: true, help: 'content type' },
  { letter: 'D', field: 'correlationData', layout: 'plain', help: 'correlation data' },
  { letter: 'E', field: 'messageExpiryInterval', layout: 'integer', blankWhenAbsent: true, help: 'message expiry interval in seconds' },
  { letter: 'F', field: 'payloadFormatIndicator', layout: 'integer', blankWhenAbsent: true, help: 'payload format indicator' },
  { letter: 'P', field: 'userProperties', layout: 'plain', help: 'user properties, name:value, separated by spaces' },
  { letter: 'R', field: 'responseTopic', layout: 'text', help: 'response topic' },
  { letter: 'S', field: 'subscriptionIdentifier', layout: 'integer', blankWhenAbsent: true, help: 'first subscription identifier' },
  { letter: 'I', field: 'isoTime', layout: 'text', help: 'local time, ISO 8601' },
  { letter: 'U', field: 'unixTime', layout: 'plain', help: 'Unix time with nanoseconds' },
  { letter: 'j', field: 'json', layout: 'plain', isJson: true, help: 'the message as JSON, its payload a string' },
  { letter: 'J', field: 'jsonPayload', layout: 'plain', isJson: true, help: 'the message as JSON, its payload JSON too' },
]

/** TABLE of the bytes that a backslash makes. */
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\',
  '0': '\0',
  a: '\x07',
  e: '\x1b',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

const SEPARATORS = '!"#$&\'()*+,-./:;<=>?@[\\]^_`{|}~ '

export interface FormatOptions {
  /** JSON over several lines. */
  readonly pretty: boolean
  /** ms since 1970, with as fine a fraction as there is. */
  readonly now: () => number
  /** Told what could not be printed: a payload that is no JSON, or no number. */
  readonly onProblem: (text: string) => void
}

/** Where a message is printed: text of the format itself, and byte strings that came from the broker. */
export interface FormatSink {
  bytes(bytes: string): void
  receivedBytes(bytes: string): void
  /** The message as JSON, a byte string. */
  json(bytes: string): void
}

interface Context extends FormatOptions {
  readonly topic: string
  readonly packet: Publish
}

type Value = string | number | undefined

function floatOf(context: Context, size: 4 | 8): Value {
  const { payload } = context.packet
  if (payload.length === size) return size === 4 ? payload.readFloatLE(0) : payload.readDoubleLE(0)
  context.onProblem(`a payload of ${payload.length} bytes is not a floating-point number of ${size} bytes`)
  return undefined
}

function jsonOf(context: Context, embedded: boolean): Value {
  try {
    return messageJson(context.topic, context.packet, embedded, context.pretty, isoMicroseconds(context.now()))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    context.onProblem(`the payload is not valid JSON on topic ${context.topic}`)
    return undefined
  }
}

const optionalBytes = (text: string | undefined): Value => (text === undefined ? undefined : byteString(text))

/** The values that the table's rows name. */
const fields = {
  percent: (): Value => '%',
  topic: (c: Context): Value => byteString(c.topic),
  payload: (c: Context): Value => c.packet.payload.toString('latin1'),
  payloadLength: (c: Context): Value => c.packet.payloadEnd - c.packet.payloadStart,
  packetId: (c: Context): Value => c.packet.packetId,
  qos: (c: Context): Value => c.packet.qos,
  retain: (c: Context): Value => (c.packet.retain ? 1 : 0),
  float: (c: Context): Value => floatOf(c, 4),
  double: (c: Context): Value => floatOf(c, 8),
  topicAlias: (c: Context): Value => c.packet.properties.topicAlias,
  contentType: (c: Context): Value => optionalBytes(c.packet.properties.contentType),
  correlationData: (c: Context): Value => {
    const data = c.packet.properties.correlationData
    return data === undefined ? undefined : Buffer.from(data).toString('latin1')
  },
  messageExpiryInterval: (c: Context): Value => c.packet.properties.messageExpiryInterval,
  payloadFormatIndicator: (c: Context): Value => c.packet.properties.payloadFormatIndicator,
  userProperties: (c: Context): Value =>
    optionalBytes(c.packet.properties.userProperties?.map(([name, value]) => `${name}:${value}`).join(' ')),
  responseTopic: (c: Context): Value => optionalBytes(c.packet.properties.responseTopic),
  subscriptionIdentifier: (c: Context): Value => c.packet.properties.subscriptionIdentifiers?.[0],
  isoTime: (c: Context): Value => isoSeconds(c.now()),
  unixTime: (c: Context): Value => {
    const ms = c.now()
    return `${Math.floor(ms / 1000)}.${nanoseconds(ms)}`
  },
  json: (c: Context): Value => jsonOf(c, false),
  jsonPayload: (c: Context): Value => jsonOf(c, true),
}

function layOut(row: Conversion, value: string | number, layout: FieldLayout): string {
  switch (row.layout) {
    case 'plain':
      return String(value)
    case 'integer':
      return pad(String(value), layout, numericFill(layout))
    case 'text':
      return layoutText(String(value), layout)
    case 'payload':
      return layoutPayload(String(value), layout)
    case 'hex':
      return layoutHex(String(value), layout, row.letter === 'X')
    case 'float':
      return layoutFloat(Number(value), layout)
  }
}

function absent(row: Conversion, layout: FieldLayout): string {
  if (row.blankWhenAbsent !== true) return ''
  return pad('', layout, row.layout === 'integer' ? numericFill(layout) : ' ')
}

/** One piece of a parsed format. */
type Part =
  | { readonly kind: 'text'; readonly bytes: string }
  | { readonly kind: 'time'; readonly letter: string }
  | { readonly kind: 'field'; readonly row: Conversion; readonly layout: FieldLayout }

const byLetter = new Map(conversions.map((row) => [row.letter, row]))

const SPECIFIER = /([-0]*)(\d*)(?:\.(\d*))?/y

function parseField(text: string, at: number): { part: Part; next: number } {
  SPECIFIER.lastIndex = at
  const [whole = '', flags = '', width = '', precision] = SPECIFIER.exec(text) ?? []
  // A second flag is refused, but for `-0`, which means `-`.
  if (flags.length > 1 && flags !== '-0') throw new UsageError(`-F: invalid format specifier '${flags[1]}'`)
  let next = at + whole.length
  let separator = ' '
  const candidate = text[next]
  if (precision !== undefined && candidate !== undefined && SEPARATORS.includes(candidate)) {
    separator = candidate
    next++
  }
  const letter = text[next]
  if (letter === undefined) throw new UsageError('-F: incomplete format specifier')
  const row = byLetter.get(letter)
  if (row === undefined) throw new UsageError(`-F: invalid format specifier '${letter}'`)
  const layout: FieldLayout = {
    left: flags.includes('-'),
    zeros: flags.includes('0'),
    width: width === '' ? undefined : Number(width),
    precision: precision === undefined ? undefined : Number(precision),
    separator,
  }
  return { part: { kind: 'field', row, layout }, next: next + 1 }
}

function parseParts(text: string): Part[] {
  const parts: Part[] = []
  let literal = ''
  const flush = () => {
    if (literal !== '') parts.push({ kind: 'text', bytes: byteString(literal) })
    literal = ''
  }
  let at = 0
  while (at < text.length) {
    const char = text[at++] ?? ''
    const follower = String.fromCodePoint(text.codePointAt(at) ?? 0)
    if (char === '%') {
      flush()
      const { part, next } = parseField(text, at)
      parts.push(part)
      at = next
    } else if (char === '@') {
      if (at >= text.length) throw new UsageError('-F: incomplete format specifier')
      at += follower.length
      if (follower === '@') literal += '@'
      else {
        flush()
        parts.push({ kind: 'time', letter: follower })
      }
    } else if (char === '\\') {
      if (at >= text.length) throw new UsageError('-F: incomplete escape specifier')
      const byte = Object.hasOwn(ESCAPES, follower) ? ESCAPES[follower] : undefined
      if (byte === undefined) throw new UsageError(`-F: invalid escape specifier '${follower}'`)
      literal += byte
      at += follower.length
    } else literal += char
  }
  flush()
  return parts
}

/**
 * The function that prints a message in the format `text`.
 * @throws UsageError when it is incomplete or names an unknown conversion
 */
export function compileFormat(
  text: string,
  options: FormatOptions,
): (topic: string, packet: Publish, sink: FormatSink) => void {
  const parts = parseParts(text)
  return (topic, packet, sink) => {
    const context: Context = { ...options, topic, packet }
    let moment: number | undefined // All `@` of a message share one.
    for (const part of parts) {
      if (part.kind === 'text') sink.bytes(part.bytes)
      else if (part.kind === 'time') {
        moment ??= options.now()
        sink.bytes(part.letter === 'N' ? nanoseconds(moment) : byteString(strftime(part.letter, new Date(moment))))
      } else {
        const value = fields[part.row.field](context)
        const bytes = value === undefined ? absent(part.row, part.layout) : layOut(part.row, value, part.layout)
        if (part.row.isJson) sink.json(bytes)
        else sink.receivedBytes(bytes)
      }
    }
  }
}
