// A received message as JSON: the %j and %J conversions of an output format (shape as mosquitto_sub's, `retain` a boolean).
// Builds byte strings, one character a byte, so that payloads and topics keep their bytes.

import type { Publish } from '../protocol/packets/publish.js'
import { type Properties, properties as propertyTable } from '../protocol/properties.js'
import { copyJson, JsonWriter, quoteJson } from './json-text.js'

const names = new Map<string, string>(propertyTable.map((row) => [row.key, row.name]))

/** Text as a byte string of its UTF-8. */
export function byteString(text: string): string {
  return Buffer.from(text).toString('latin1')
}

/** Up to the first NUL, where C's strings end. */
function cString(bytes: string): string {
  const end = bytes.indexOf('\0')
  return end < 0 ? bytes : bytes.slice(0, end)
}

function writeProperties(writer: JsonWriter, list: Readonly<Properties>): void {
  writer.openObject()
  for (const [key, value] of Object.entries(list)) {
    if (key === 'userProperties') {
      writer.key('user-properties')
      writer.openArray()
      for (const [name, text] of list.userProperties ?? []) {
        writer.element()
        writer.openObject()
        writer.key(byteString(name))
        writer.value(quoteJson(byteString(text)))
        writer.closeObject()
      }
      writer.closeArray()
      continue
    }
    for (const item of Array.isArray(value) ? value : [value]) {
      writer.key(names.get(key) ?? key)
      if (typeof item === 'number') writer.value(String(item))
      else if (typeof item === 'string') writer.value(quoteJson(byteString(item)))
      else writer.value(quoteJson(cString(Buffer.from(item).toString('latin1'))))
    }
  }
  writer.closeObject()
}

/**
 * The message as one JSON object, a byte string.
 * @param embedded whether the payload is JSON itself and becomes a part of the object (%J) rather than a string (%j).
 * @param time the moment of printing as text, for `tst`.
 * @throws SyntaxError when `embedded` and the payload is not JSON
 */
export function messageJson(topic: string, packet: Publish, embedded: boolean, pretty: boolean, time: string): string {
  const writer = new JsonWriter(pretty)
  const payload = packet.payload.toString('latin1')
  writer.openObject()
  writer.key('tst')
  writer.value(quoteJson(time))
  writer.key('topic')
  writer.value(quoteJson(byteString(topic)))
  writer.key('qos')
  writer.value(String(packet.qos))
  writer.key('retain')
  writer.value(String(packet.retain))
  writer.key('payloadlen')
  writer.value(String(payload.length))
  if (packet.qos > 0) {
    writer.key('mid')
    writer.value(String(packet.packetId))
  }
  if (Object.keys(packet.properties).length > 0) {
    writer.key('properties')
    writeProperties(writer, packet.properties)
  }
  writer.key('payload')
  if (payload.length === 0) writer.value('null')
  else if (embedded) copyJson(payload, writer)
  else writer.value(quoteJson(cString(payload)))
  writer.closeObject()
  return writer.text
}
