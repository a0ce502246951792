// A message written as a JSON object, to publish it: what --ndjson and --replay read. The shape is that of tsmq-sub's --record and
// of its output formats %j and %J: `tst topic qos retain payload|payload_b64 properties mid payloadlen`.

import { isUtf8 } from 'node:buffer'
import type { Qos } from '../protocol/packets/publish.js'
import {
  NO_PROPERTIES,
  type Properties,
  properties as propertyTable,
  type UserProperty,
} from '../protocol/properties.js'

/** A line that is no message; `message` says why. */
export class JsonMessageError extends Error {
  override readonly name = 'JsonMessageError'
}

/** A message as written; what is undefined is not there. */
export interface JsonMessage {
  readonly topic: string | undefined
  readonly qos: Qos | undefined
  readonly retain: boolean | undefined
  readonly payload: Buffer
  readonly properties: Readonly<Properties>
  /** `tst`, in ms since 1970. */
  readonly time: number | undefined
}

type JsonObject = Readonly<Record<string, unknown>>

/** `mid` and `payloadlen` belong to the delivery that was recorded. */
const MEMBERS = ['tst', 'topic', 'qos', 'retain', 'payloadlen', 'mid', 'properties', 'payload', 'payload_b64']
/** Properties of a delivery that belong to the connection it came over. */
const OF_A_CONNECTION = ['subscription-identifier', 'topic-alias']
/** Of properties whose bytes are no text. */
const BASE64 = '_b64'

const publishable = new Map(
  propertyTable
    .filter(({ carriers, name }) => carriers.includes('PUBLISH') && !OF_A_CONNECTION.includes(name))
    .map((row) => [row.name, row]),
)

/** The message in `line`, which may have blanks around it. @throws JsonMessageError */
export function parseJsonMessage(line: Buffer): JsonMessage {
  // A payload that is no UTF-8 stands in the strings of %j byte by byte.
  const encoding = isUtf8(line) ? 'utf8' : 'latin1'
  const text = line.toString(encoding)
  const object = parseObject(text)
  const unknown = Object.keys(object).find((key) => !MEMBERS.includes(key))
  if (unknown !== undefined) throw new JsonMessageError(`unknown member "${unknown}"`)
  const { topic, qos, retain, tst } = object
  if (topic !== undefined && typeof topic !== 'string') throw new JsonMessageError('topic is no string')
  if (qos !== undefined && qos !== 0 && qos !== 1 && qos !== 2) throw new JsonMessageError('qos is not 0, 1 or 2')
  return {
    topic: topic === undefined ? undefined : Buffer.from(topic, encoding).toString(),
    qos,
    retain: retain === undefined ? undefined : parseFlag(retain),
    payload: parsePayload(object, text, encoding),
    properties: object.properties === undefined ? NO_PROPERTIES : parseProperties(object.properties, encoding),
    time: tst === undefined ? undefined : parseTime(tst),
  }
}

function parseObject(text: string): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new JsonMessageError(`no JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (!isObject(value)) throw new JsonMessageError('no JSON object')
  return value
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `mosquitto_sub` has written numbers, too. */
function parseFlag(value: unknown): boolean {
  if (value === true || value === 1) return true
  if (value === false || value === 0) return false
  throw new JsonMessageError('retain is not true or false')
}

function parsePayload(object: JsonObject, text: string, encoding: 'utf8' | 'latin1'): Buffer {
  const { payload, payload_b64 } = object
  if (payload !== undefined && payload_b64 !== undefined)
    throw new JsonMessageError('payload and payload_b64 are both there')
  if (payload_b64 !== undefined) return parseBase64('payload_b64', payload_b64)
  if (payload === undefined) throw new JsonMessageError('no payload; null stands for an empty one')
  if (payload === null) return Buffer.alloc(0)
  // JSON that is embedded goes out as it is written: read as values, numbers would lose digits and objects their order.
  return Buffer.from(typeof payload === 'string' ? payload : memberText(text, 'payload'), encoding)
}

function parseBase64(name: string, value: unknown): Buffer {
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(value))
    throw new JsonMessageError(`${name} is no base64`)
  return Buffer.from(value, 'base64')
}

/** `tst`: a time with its zone, as ISO 8601 or strftime's %z write it, which mosquitto_sub 2.0 puts behind a Z; or seconds since 1970. */
function parseTime(value: unknown): number {
  if (typeof value === 'number') return value * 1000
  const parts = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d+))?(?=.)Z?(?:([+-]\d\d):?(\d\d))?$/.exec(String(value))
  const [, moment, fraction = '0', hours = '+00', minutes = '00'] = parts ?? []
  const time = Date.parse(`${moment}${hours}:${minutes}`)
  if (Number.isNaN(time)) throw new JsonMessageError('tst is no time')
  return time + Number(`0.${fraction}`) * 1000
}

function parseProperties(value: unknown, encoding: 'utf8' | 'latin1'): Readonly<Properties> {
  if (!isObject(value)) throw new JsonMessageError('properties is no object')
  const list: Record<string, unknown> = {}
  for (const [name, item] of Object.entries(value)) {
    if (OF_A_CONNECTION.includes(name)) continue
    if (name === 'user-properties') {
      list.userProperties = parseUserProperties(item)
      continue
    }
    const isEncoded = name.endsWith(BASE64)
    const row = publishable.get(isEncoded ? name.slice(0, -BASE64.length) : name)
    if (row === undefined || (isEncoded && row.type !== 'binary'))
      throw new JsonMessageError(`unknown property "${name}"`)
    const isText = row.type === 'string' || row.type === 'binary'
    if (typeof item !== (isText ? 'string' : 'number'))
      throw new JsonMessageError(`${name} is no ${isText ? 'string' : 'number'}`)
    if (isEncoded) list[row.key] = parseBase64(name, item)
    else if (row.type === 'binary') list[row.key] = Buffer.from(String(item), encoding)
    else list[row.key] = isText ? Buffer.from(String(item), encoding).toString() : item
  }
  return Object.keys(list).length === 0 ? NO_PROPERTIES : list
}

/** `[{"name":"value"},...]`. */
function parseUserProperties(value: unknown): readonly UserProperty[] {
  if (!Array.isArray(value)) throw new JsonMessageError('user-properties is no list')
  return value.flatMap((item: unknown) =>
    Object.entries(isObject(item) ? item : { item }).map(([name, text]): UserProperty => {
      if (typeof text !== 'string') throw new JsonMessageError('user-properties is no list of {"name":"value"}')
      return [name, text]
    }),
  )
}

/** The text of a member's value in the object `text`, which is known to be JSON. */
function memberText(text: string, member: string): string {
  let depth = 0
  let key = ''
  let start = 0
  let found = ''
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/g)) {
    const closes = token === '}' || token === ']'
    if (closes) depth--
    if (depth === 1 && token.startsWith('"') && key === '') key = token
    else if (depth === 1 && token === ':') start = index + 1
    if ((depth === 1 && token === ',') || (depth === 0 && closes)) {
      if (JSON.parse(key) === member) found = text.slice(start, index).trim()
      key = ''
    }
    if (token === '{' || token === '[') depth++
  }
  return found
}
