// Topics `$CONTROL/<endpoint>` (spec: broker-options.md section 11): what clients publish there is a request to the broker and is
// never routed. Reads requests and writes answers; what a command does is its endpoint's part.

import type { Qos } from '../../protocol/packets/publish.js'
import type { PublishFrames } from '../../protocol/publish-frames.js'
import { localMessage, type Message } from '../../session/message.js'
import type { Router } from '../routing/router.js'

const PREFIX = '$CONTROL/'

/** Whether what is published to `topic` is a request. */
export function isControlTopic(topic: string): boolean {
  return topic.charCodeAt(0) === 0x24 && topic.startsWith(PREFIX)
}

/** Who sent a request. */
export interface Requester {
  readonly session: { readonly clientId: string }
  readonly sender: {
    publish(message: Message, qos: Qos, retain: boolean, dup: boolean, packetId: number, identifier: number): boolean
  }
}

/** A request that cannot be done, in words for whoever asked. */
export class ControlError extends Error {
  override readonly name = 'ControlError'
}

/** One command of a request. Unknown members are the command's business. */
export type ControlCommand = Readonly<Record<string, unknown>>

/**
 * Carries a command out and returns its `data`, if it has any.
 * @throws ControlError
 */
export type ControlHandler = (command: ControlCommand, clientId: string) => object | undefined

/** What an endpoint answers to, by name in lower case. */
export type ControlCommands = ReadonlyMap<string, ControlHandler>

interface Answer {
  readonly command: string
  readonly data?: object
  readonly error?: string
  readonly correlationData?: string
}

const UNKNOWN = 'Unknown command'
/** Of one request; a small one could otherwise keep the broker busy for as long as its sender likes. */
const MOST_COMMANDS = 1000
/** Characters of answers after which no more commands of a request are done. */
const LONGEST_ANSWERS = 16_777_216

export class Control {
  private readonly router: Router
  private readonly frames: PublishFrames
  private readonly clock: () => number
  private readonly endpoints = new Map<string, { readonly isOn: () => boolean; readonly commands: ControlCommands }>()

  constructor(router: Router, frames: PublishFrames, clock: () => number) {
    this.router = router
    this.frames = frames
    this.clock = clock
  }

  /**
   * Has `commands` answer what is published to `$CONTROL/<name>`.
   * @param isOn asked for each request
   */
  register(name: string, commands: ControlCommands, isOn: () => boolean = () => true): void {
    this.endpoints.set(name, { isOn, commands })
  }

  /** Names of the endpoints that answer now. */
  get names(): string[] {
    return [...this.endpoints].filter(([, { isOn }]) => isOn()).map(([name]) => name)
  }

  /** Answers a request; that its sender may write to `topic` has been found out before. */
  handle(topic: string, payload: Buffer, from: Requester): void {
    const endpoint = this.endpoints.get(topic.slice(PREFIX.length))
    const answer = (json: string) =>
      localMessage(`${topic}/response`, Buffer.from(json), 0, false, undefined, undefined, this.clock())
    if (endpoint?.isOn() === true)
      this.router.publish(
        answer(`{"responses":[${this.answers(endpoint.commands, payload.toString(), from.session.clientId).join()}]}`),
      )
    else {
      from.sender.publish(answer('{"error":"endpoint not available"}'), 0, false, false, 0, 0)
      this.frames.release()
    }
  }

  /** The answers to a request, each as JSON. */
  private answers(commands: ControlCommands, payload: string, clientId: string): string[] {
    let request: unknown
    try {
      request = JSON.parse(payload)
    } catch {
      return [failure('Payload not valid JSON')]
    }
    const list = isObject(request) ? request.commands : undefined
    if (!Array.isArray(list)) return [failure('Invalid/missing commands')]
    if (list.length > MOST_COMMANDS) return [failure(`More than ${MOST_COMMANDS} commands`)]
    const answers: string[] = []
    let length = 0
    for (const command of list) {
      if (length > LONGEST_ANSWERS) return [...answers, failure('Too much to answer at once; the rest was not done')]
      const answer = JSON.stringify(this.answer(commands, command, clientId))
      answers.push(answer)
      length += answer.length
    }
    return answers
  }

  private answer(commands: ControlCommands, command: unknown, clientId: string): Answer {
    if (!isObject(command)) return { command: UNKNOWN, error: 'Command not an object' }
    const { command: name, correlationData } = command
    if (typeof name !== 'string') return { command: UNKNOWN, error: 'Missing command' }
    if (correlationData !== undefined && typeof correlationData !== 'string')
      return { command: name, error: 'Invalid correlationData data type.' }
    const correlation = correlationData === undefined ? {} : { correlationData }
    const handler = commands.get(name.toLowerCase())
    if (handler === undefined) return { command: name, error: UNKNOWN, ...correlation }
    try {
      const data = handler(command, clientId)
      return { command: name, ...(data === undefined ? {} : { data }), ...correlation }
    } catch (error) {
      if (!(error instanceof ControlError)) throw error
      return { command: name, error: error.message, ...correlation }
    }
  }
}

/** The answer to what is no command. */
function failure(error: string): string {
  return JSON.stringify({ command: UNKNOWN, error } satisfies Answer)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The text member `name` of a command.
 * @throws ControlError when it is missing or no text
 */
export function textOf(command: ControlCommand, name: string): string {
  const value = command[name]
  if (typeof value !== 'string' || value === '') throw new ControlError(`Invalid/missing ${name}`)
  return value
}

/**
 * The whole number `name` of a command, at least `least`.
 * @throws ControlError when it is something else
 */
export function countOf(command: ControlCommand, name: string, otherwise: number, least: number): number {
  const value = command[name] ?? otherwise
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least)
    throw new ControlError(`Invalid ${name}: a whole number of at least ${least}`)
  return value
}
