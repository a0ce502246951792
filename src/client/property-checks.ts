// Whether properties that a caller wants to send may stand in their packet: by the table of protocol/properties.

import { type Properties, type PropertyCarrier, properties as table } from '../protocol/properties.js'
import { hasWildcard } from '../protocol/topics.js'
import { ClientError } from './client-error.js'

const rows = new Map<string, (typeof table)[number]>(table.map((row) => [row.key, row]))

/** Throws ClientError 'invalid' for a property that a client may not send in `carrier`, or whose value is out of its range. */
export function checkProperties(list: Readonly<Properties>, carrier: PropertyCarrier): void {
  for (const [key, value] of Object.entries(list)) {
    const row = rows.get(key)
    if (row === undefined || value === undefined) continue
    const isAllowed = row.carriers.includes(carrier) && !(row.only?.carrier === carrier && row.only.sender !== 'client')
    if (!isAllowed) throw new ClientError('invalid', `${row.name} is not a property of ${carrier}`)
    for (const each of Array.isArray(value) ? value : [value])
      if (typeof each === 'number' && (each < (row.min ?? 0) || each > (row.max ?? Number.MAX_SAFE_INTEGER)))
        throw new ClientError('invalid', `${row.name} ${each} is out of range`)
  }
  const { responseTopic } = list
  if (responseTopic !== undefined && (responseTopic === '' || hasWildcard(responseTopic)))
    throw new ClientError('invalid', 'response-topic is not a topic name') // [MQTT-3.3.2-14]
}
