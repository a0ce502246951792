// What can go wrong for a client, in one class: the kind decides what its owner does (try again, end with which status), the
// message is for people.

import { DialError } from '../net/dial.js'
import { reasonText, returnCodeTexts } from '../protocol/reason-codes.js'

/** What a `ClientError` is about. */
export type ClientErrorKind =
  /** The connection was not established; `cause` is the DialError. */
  | 'connect'
  /** There was no CONNACK in time. */
  | 'timeout'
  /** The broker answered CONNECT with a refusal; `reasonCode` is its code (1 to 5 in MQTT 3.x). */
  | 'refused'
  /** The connection broke or was closed without a word. */
  | 'lost'
  /** The broker sent DISCONNECT; `reasonCode` is its code. */
  | 'disconnected'
  /** The broker sent what MQTT forbids; `reasonCode` is what it was told. */
  | 'protocol'
  /** The broker does not answer. */
  | 'keep alive'
  /** The broker acknowledged a publish with a refusal; `reasonCode` is its code, 0x80 or more. */
  | 'publish refused'
  /** The broker announced that it does not take this. `reasonCode` is the one for it. */
  | 'not supported'
  /** The caller asked for what MQTT forbids. */
  | 'invalid'
  /** The client was stopped before this was done. */
  | 'stopped'

/** What went wrong for a client: `kind` is for programs, `message` for people, and `cause` is what it came from, if anything. */
export class ClientError extends Error {
  override readonly name = 'ClientError'
  readonly kind: ClientErrorKind
  /** An MQTT 5.0 reason code or, refused by a 3.x broker, a return code; 0 where there is none. */
  readonly reasonCode: number

  constructor(kind: ClientErrorKind, message: string, reasonCode = 0, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
    this.reasonCode = reasonCode
  }
}

/** A reason code in words, with the Reason String that came with it. */
export function reasonWords(code: number, reasonString: string | undefined): string {
  const text = code > 0 && code < returnCodeTexts.length ? returnCodeTexts[code] : undefined
  return `${text ?? reasonText(code)}${reasonString === undefined ? '' : ` (${reasonString})`}`
}

/** 3.x return codes and 5.0 reason codes that time may cure: unavailable, busy, quota, connection rate. */
const PASSING_REFUSALS: readonly number[] = [3, 0x88, 0x89, 0x97, 0x9f]

/** Whether trying again can help. */
export function canHeal(error: ClientError): boolean {
  switch (error.kind) {
    case 'connect':
      return !(error.cause instanceof DialError && error.cause.isLasting)
    case 'timeout':
    case 'lost':
    case 'disconnected':
    case 'keep alive':
      return true
    case 'refused':
      return PASSING_REFUSALS.includes(error.reasonCode)
    case 'protocol':
      return error.reasonCode === 0x81 // Bytes that were garbled may be whole the next time.
    default:
      return false
  }
}
