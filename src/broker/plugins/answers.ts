// What plugins answer, held against what the broker can use: an answer that makes no sense is an error, which whoever asked treats
// like one that the plugin has thrown.

import { encodePublish, publish as packetOf } from '../../protocol/packets/publish.js'
import { NO_PROPERTIES } from '../../protocol/properties.js'
import { isReasonCodeOf, type ReasonCarrier, type ReasonCode } from '../../protocol/reason-codes.js'
import { isTopicName, parseFilter } from '../../protocol/topics.js'
import { expiryOf, Message } from '../../session/message.js'
import type { Acceptance, Exchange, ExchangeStep, MessageChange, Refusal, SubscriptionChange } from './plugin.js'
import { isPromise } from './soon.js'

const FAILED = 0x80

/**
 * An answer that is there, where nobody can wait for one.
 * @throws TypeError for a promise, also in place of what it fails with
 */
export function atOnce<T>(answer: T): T {
  if (!isPromise(answer)) return answer
  answer.then(undefined, () => {})
  throw new TypeError('a promise is no answer here')
}

/** @throws TypeError for a reason code that refuses nothing, or that the packet cannot carry */
export function checkedRefusal({ refuse, reason }: Refusal, carrier: ReasonCarrier): Refusal {
  if (!isReasonCodeOf(carrier, refuse) || refuse < FAILED)
    throw new TypeError(`${describe(refuse)} is no reason code with which ${carrier} refuses`)
  if (reason !== undefined && typeof reason !== 'string') throw new TypeError('the reason is no text')
  return { refuse, ...(reason === undefined ? {} : { reason }) }
}

function describe(value: unknown): string {
  return typeof value === 'number' ? `0x${value.toString(16)}` : `${value}`
}

function isRefusal(answer: object): answer is Refusal {
  return 'refuse' in answer
}

/** @throws TypeError */
export function checkedLogin(answer: Acceptance | Refusal | undefined): Acceptance | Refusal | undefined {
  if (answer === undefined) return undefined
  if (isRefusal(answer)) return checkedRefusal(answer, 'CONNACK')
  const { accept, username, clientId } = answer
  if (accept !== true) throw new TypeError('the answer neither accepts nor refuses')
  if (username !== undefined && typeof username !== 'string') throw new TypeError('the user name is no text')
  if (clientId !== undefined && (typeof clientId !== 'string' || clientId === ''))
    throw new TypeError('the client id is no text, or empty')
  return answer
}

/** @throws TypeError */
export function checkedConnect(answer: Refusal | undefined): Refusal | undefined {
  return answer === undefined ? undefined : checkedRefusal(answer, 'CONNACK')
}

/** @throws TypeError */
export function checkedExchange(answer: Exchange | undefined): Exchange | undefined {
  if (answer !== undefined && typeof answer.step !== 'function') throw new TypeError('an exchange has a method step')
  return answer
}

/** @throws TypeError */
export function checkedStep(answer: ExchangeStep): ExchangeStep {
  if ('continue' in answer) {
    checkBytes(answer.continue)
    return answer
  }
  if ('accept' in answer && answer.data !== undefined) checkBytes(answer.data)
  const login = checkedLogin(answer)
  if (login === undefined) throw new TypeError('a step needs an answer')
  return login
}

function checkBytes(value: unknown): void {
  if (!(value instanceof Uint8Array) || value.length > 65_535)
    throw new TypeError('authentication data must be a Uint8Array of at most 65535 bytes')
}

/** @throws TypeError */
export function checkedKey(answer: Uint8Array | undefined): Uint8Array | undefined {
  if (answer !== undefined && !(answer instanceof Uint8Array && answer.length > 0))
    throw new TypeError('a key must be a Uint8Array that is not empty')
  return answer
}

/** @throws TypeError */
export function checkedVerdict(answer: 'allow' | 'deny' | undefined): 'allow' | 'deny' | undefined {
  if (answer !== undefined && answer !== 'allow' && answer !== 'deny')
    throw new TypeError(`'${atOnce(answer)}' is neither allow nor deny`)
  return answer
}

/** @throws TypeError */
export function checkedSubscription(
  answer: SubscriptionChange | Refusal | undefined,
  carrier: 'SUBACK' | 'UNSUBACK',
): SubscriptionChange | Refusal | undefined {
  if (answer === undefined) return undefined
  if (isRefusal(answer)) return checkedRefusal(answer, carrier)
  const { filter, qos } = answer
  if (filter !== undefined && parseFilter(filter) === undefined) throw new TypeError(`'${filter}' is no topic filter`)
  checkQos(qos)
  return answer
}

/** A reason code where a message is refused. @throws TypeError */
export function checkedPublish(answer: MessageChange | Refusal | 'drop'): MessageChange | ReasonCode | 'drop' {
  if (answer === 'drop') return answer
  if (typeof answer !== 'object' || answer === null) throw new TypeError(`'${answer}' is no answer`)
  atOnce(answer)
  return isRefusal(answer) ? checkedRefusal(answer, 'PUBACK').refuse : answer
}

function checkQos(qos: unknown): void {
  if (qos !== undefined && qos !== 0 && qos !== 1 && qos !== 2) throw new TypeError(`QoS ${qos}`)
}

/**
 * The message that a plugin has made of another.
 * @param now ms, for a changed expiry
 * @throws TypeError, RangeError for values that do not fit
 */
export function changedMessage(message: Message, change: MessageChange, now: number): Message {
  const { topic = message.topic, payload, qos = message.qos, retain = message.retain } = change
  if (!isTopicName(topic)) throw new TypeError(`'${topic}' is no topic name`)
  checkQos(qos)
  const properties = change.properties ?? message.properties
  if (change.properties !== undefined) encodePublish(packetOf({ topic, properties }), 5)
  const bytes = payload === undefined ? undefined : Buffer.from(payload as Uint8Array)
  return new Message(
    topic,
    qos,
    retain === true,
    Object.keys(properties).length === 0 ? NO_PROPERTIES : properties,
    message.publisher,
    change.properties === undefined ? message.expiresAt : expiryOf(properties, now),
    bytes ?? message.bytes,
    bytes === undefined ? message.payloadStart : 0,
    bytes === undefined ? message.payloadEnd : bytes.length,
    -1,
    4,
    bytes === undefined ? message.block : undefined,
  )
}
