// What the flags of tsmq-sub come to: the subscriptions to ask for, and the rules between flags that the option table does not know
// (spec: sub.md section 1). Those that all clients share are in client-setup.ts.

import { UsageError } from '../options/command-line.js'
import type { SubValues } from '../options/sub-options.js'
import { quoted } from '../options/text.js'
import type { ProtocolVersion } from '../protocol/packet-types.js'
import type { Qos } from '../protocol/packets/publish.js'
import type { RetainHandling, SubscriptionRequest } from '../protocol/packets/subscribe.js'
import { type ClientSetup, checkFilter } from './client-setup.js'

/** Fewer messages than this to wait for, and no more than those are taken from the broker. */
const FEW = 20

const RETAIN_HANDLING: Readonly<Record<SubValues['retain_handling'], RetainHandling>> = { always: 0, new: 1, never: 2 }

/** Throws UsageError for flags that make no sense together, and for filters and other words that mean nothing. */
export function checkSubValues(values: SubValues, operands: readonly string[]): void {
  if (values.topic.length + values.topic_qos.length + values.unsubscribe.length === 0) {
    const hint = operands.length === 0 ? '' : '; what stands behind --exec belongs to that program'
    throw new UsageError(`a topic must be given: -t FILTER${hint}`)
  }
  for (const filter of values.topic) checkFilter('-t', filter)
  for (const filter of values.filter_out) checkFilter('-T', filter)
  for (const filter of values.unsubscribe) checkFilter('-U', filter)
  if (values.expect_none && values.timeout === undefined && values.idle === undefined)
    throw new UsageError('--expect-none needs -W or --idle: for how long nothing may come')
  if (values.record === '-' && (values.verbose || values.format !== undefined))
    throw new UsageError(`--record - writes to standard output instead of ${values.verbose ? '-v' : '-F'}`)
}

/** `-t` with the QoS of `-q`, and `--topic-qos`, which has the last word on the QoS of a filter. Throws UsageError. */
function qosByFilter(values: SubValues): ReadonlyMap<string, Qos> {
  const filters = new Map<string, Qos>()
  for (const filter of values.topic) filters.set(filter, values.qos as Qos)
  for (const text of values.topic_qos) {
    const [, filter, qos] = /^(.+)=([012])$/s.exec(text) ?? []
    if (filter === undefined)
      throw new UsageError(`--topic-qos ${quoted(text)} is not FILTER=QOS with a QoS of 0, 1 or 2`)
    checkFilter('--topic-qos', filter)
    filters.set(filter, Number(qos) as Qos)
  }
  return filters
}

/**
 * What SUBSCRIBE asks for. Of `-R` and `--retain-handling` the last one counts.
 * @param given names of the flags in the order typed.
 * @throws UsageError
 */
export function subscriptionRequests(
  values: SubValues,
  given: readonly string[],
  version: ProtocolVersion,
): readonly SubscriptionRequest[] {
  const skips = given.lastIndexOf('skip_retained') > given.lastIndexOf('retain_handling')
  const retainHandling = version < 5 ? 0 : RETAIN_HANDLING[skips ? 'never' : values.retain_handling]
  const retainAsPublished = version === 5 && values.retain_as_published
  return [...qosByFilter(values)].map(([filter, qos]) => ({
    filter,
    qos,
    noLocal: false,
    retainAsPublished,
    retainHandling,
  }))
}

/** With few messages to wait for, the broker is to send no more than those (MQTT 5.0). */
export function withFewMessages(setup: ClientSetup, count: number | undefined): ClientSetup {
  const { properties = {}, version } = setup.options
  if (version < 5 || count === undefined || count >= FEW || properties.receiveMaximum !== undefined) return setup
  return { ...setup, options: { ...setup.options, properties: { ...properties, receiveMaximum: count } } }
}
