// `-D command name value`: from words to the properties of a packet. Which properties a packet takes and of what type they are is
// in the table of protocol/properties; whether a value makes sense to MQTT is checked where it is sent.

import { UsageError } from '../options/command-line.js'
import type { PropertyArgument } from '../options/option.js'
import { bytesOfText, isWellFormed } from '../options/text.js'
import {
  NO_PROPERTIES,
  type Properties,
  type PropertyCarrier,
  type PropertyRow,
  properties as propertyTable,
  type WireType,
} from '../protocol/properties.js'

/** TABLE of the commands and the packets they mean; the others are known and refused. */
const CARRIERS = {
  connect: 'CONNECT',
  publish: 'PUBLISH',
  will: 'Will',
  subscribe: 'SUBSCRIBE',
  unsubscribe: 'UNSUBSCRIBE',
  disconnect: 'DISCONNECT',
} as const satisfies Readonly<Record<string, PropertyCarrier>>

const REFUSED: readonly string[] = ['connack', 'puback', 'pubrec', 'pubrel', 'pubcomp', 'suback', 'unsuback', 'auth']

export type PropertyCommand = keyof typeof CARRIERS

/** The properties given for each command. */
export type PacketProperties = Readonly<Record<PropertyCommand, Readonly<Properties>>>

const rows = new Map<string, PropertyRow>(propertyTable.map((row) => [row.name, row]))

const MAXIMA: Partial<Record<WireType, number>> = {
  byte: 0xff,
  uint16: 0xffff,
  uint32: 0xffff_ffff,
  varint: 0x0fff_ffff,
}

function isCommand(word: string): word is PropertyCommand {
  return Object.hasOwn(CARRIERS, word)
}

function parseValue(row: PropertyRow, text: string): string | number | Buffer {
  const most = MAXIMA[row.type]
  if (most === undefined) {
    const bytes = bytesOfText(text)
    if (bytes.length > 0xffff) throw new UsageError(`-D: the value of ${row.name} is too long`)
    if (row.type === 'binary') return bytes
    checkText(row, text)
    return text
  }
  if (!/^\d+$/.test(text)) throw new UsageError(`-D: ${row.name} '${text}' is not a whole number`)
  const value = Number(text)
  if (value > most) throw new UsageError(`-D: ${row.name} ${text} is out of range (0 to ${most})`)
  return value
}

function checkText({ name }: PropertyRow, text: string): void {
  if (!isWellFormed(text)) throw new UsageError(`-D: the value of ${name} has characters that MQTT does not allow`)
}

function add(list: Properties, argument: PropertyArgument): void {
  const { command, property, values } = argument
  if (!isCommand(command)) {
    if (REFUSED.includes(command)) throw new UsageError(`-D: properties of ${command} are not supported`)
    throw new UsageError(`-D: unknown command '${command}'`)
  }
  const row = rows.get(property)
  if (row === undefined) throw new UsageError(`-D: unknown property '${property}'`)
  const carrier = CARRIERS[command]
  const isForClients = !(row.only?.carrier === carrier && row.only.sender === 'server')
  if (!row.carriers.includes(carrier) || !isForClients)
    throw new UsageError(`-D: ${property} is not a property that a client may send in ${command}`)
  const target = list as Record<string, unknown>
  const [first = '', second = ''] = values
  if (row.key === 'userProperties') for (const text of values) checkText(row, text)
  if (row.key === 'userProperties') list.userProperties = [...(list.userProperties ?? []), [first, second]]
  else if (target[row.key] !== undefined) throw new UsageError(`-D: ${property} of ${command} is given twice`)
  else if (row.repeatable !== undefined) target[row.key] = [parseValue(row, first)]
  else target[row.key] = parseValue(row, first)
}

/**
 * The properties for each packet, in the order given.
 * @throws UsageError for an unknown command or property, one that does not belong to the command, or a value of the wrong type
 */
export function packetProperties(given: readonly PropertyArgument[]): PacketProperties {
  const commands = Object.keys(CARRIERS).filter(isCommand)
  const lists = Object.fromEntries(commands.map((command) => [command, {}])) as Record<PropertyCommand, Properties>
  for (const argument of given) add(isCommand(argument.command) ? lists[argument.command] : {}, argument)
  return Object.fromEntries(
    commands.map((command) => [command, Object.keys(lists[command]).length === 0 ? NO_PROPERTIES : lists[command]]),
  ) as Record<PropertyCommand, Readonly<Properties>>
}
