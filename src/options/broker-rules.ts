// TABLE: global directives that have no effect without others, which is reported. What a listener's directives need is in
// listener-rules.ts.
import type { BrokerValues } from './broker-options.js'
import type { ListenerValues } from './listener-options.js'
import { checkTogether, type Fault, type Need } from './together.js'

const needs: readonly Need[] = [
  { name: 'log_facility', needs: ['log_dest syslog'], harmless: true },
  { name: 'log_timestamp_format', needs: ['log_timestamp true'], harmless: true },
  { name: 'packet_buffer_size', needs: ['protocol websockets'], harmless: true },
  { name: 'psk_file', needs: ['psk_hint'], harmless: true },
  { name: 'persistence_file', needs: ['persistence'], harmless: true },
  { name: 'persistence_location', needs: ['persistence'], harmless: true },
  { name: 'persistence_durability', needs: ['persistence'], harmless: true },
  { name: 'autosave_interval', needs: ['persistence'], harmless: true },
  { name: 'autosave_on_changes', needs: ['persistence'], harmless: true },
]

/** What among the global directives `given` has no effect. */
export function checkBroker(
  given: ReadonlyMap<string, unknown>,
  broker: BrokerValues,
  listeners: readonly ListenerValues[],
): readonly Fault[] {
  const facts = new Map(given)
  facts.set('log_timestamp', broker.log_timestamp)
  if (broker.log_dest.some(({ to }) => to === 'syslog')) facts.set('log_dest', 'syslog')
  if (listeners.some(({ protocol }) => protocol === 'websockets')) facts.set('protocol', 'websockets')
  if (listeners.some(({ psk_hint: hint }) => hint !== undefined)) facts.set('psk_hint', true)
  return checkTogether(needs, [], facts)
}
