// The plugin payload-log: a line in the log for each message that clients publish, as an example and for a look at what happens. Control
// characters are escaped by the log.

import type { BrokerHandle } from '../broker/plugins/broker-handle.js'
import type { Plugin } from '../broker/plugins/plugin.js'
import { isTopicFilter, matches } from '../protocol/topics.js'

/**
 * Makes the plugin from its `plugin_opt_` lines: `topic`, a filter, `#` unless given; `bytes`, the most that are shown of a payload,
 * 100 unless given.
 * @throws Error for options that cannot be used
 */
export default function payloadLog({ topic: filter = '#', bytes = '100' }: Readonly<Record<string, string>>): Plugin {
  if (!isTopicFilter(filter)) throw new Error(`plugin_opt_topic: '${filter}' is no topic filter`)
  if (!/^\d{1,9}$/.test(bytes)) throw new Error(`plugin_opt_bytes: '${bytes}' is no number of bytes`)
  const most = Number(bytes)
  let broker: BrokerHandle | undefined
  return {
    name: 'payload-log',
    started(handle) {
      broker = handle
    },
    publish({ topic, payload, qos, retain }, { clientId }) {
      if (!matches(filter, topic)) return undefined
      const text = JSON.stringify(payload.subarray(0, most).toString())
      const size = payload.length > most ? ` of ${payload.length} bytes` : ''
      broker?.log('information', `${clientId} ${topic} q${qos} r${Number(retain)} ${text}${size}`)
      return undefined
    },
  }
}
