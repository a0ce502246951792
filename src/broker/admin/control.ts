// Topics `$CONTROL/<endpoint>` (spec: broker-options.md section 11): what clients publish there is a request to the broker and is
// never routed. Reads requests and writes answers; what a command does is its endpoint's part.

import type { Qos } from '../../protocol/packets/publish.js'
import type { PublishFrames } from '../../protocol/publish-frames.js'
import { localMessage, type Message } from '../../session/message.js'
import { andThen, isPromise, type Soon } from '../plugins/soon.js'
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
 * Carries a command out and returns its `data`, if it has any, now or later.
 * @throws ControlError
 */
export type ControlHandler = (command: ControlCommand, clientId: string) => Soon<object | undefined>

/** What an endpoint answers to, by name in lower case. */
export type ControlCommands = ReadonlyMap<string, ControlHandler>

interface Answer {
  readonly command: string
  readonly data?: object
  readonly error?: string
  readonly correlationData?: string
}

/** What `$CONTROL/<name>` does. */
interface Endpoint {
  readonly commands: ControlCommands
  readonly isOn: () => boolean
  readonly settle: () => Soon<void>
}

const UNKNOWN = 'Unknown command'
/** Of one request; a small one could otherwise keep the broker busy for as long as its sender likes. */
const MOST_COMMANDS = 1000
/** Characters of answers after which no more commands of a request are done. */
const LONGEST_ANSWERS = 16_777_216
/** Requests to one endpoint that wait for those before them. */
const MOST_WAITING = 100

/** An endpoint at work: its requests are done one after the other. */
class Desk {
  readonly endpoint: Endpoint
  private last: Promise<void> | undefined = undefined
  private waiting = 0

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint
  }

  /** Does `work`, at once when nothing is before it. False when too much is. */
  do(work: () => Soon<void>): boolean {
    if (this.waiting >= MOST_WAITING) return false
    const done = this.last === undefined ? work() : this.last.then(work)
    if (!isPromise(done)) return true
    this.waiting++
    const end = () => {
      this.waiting--
      if (this.last === last) this.last = undefined
    }
    // What fails here has been told where it was found, and must not stop those behind.
    const last = done.then(end, end)
    this.last = last
    return true
  }
}

export class Control {
  private readonly router: Router
  private readonly frames: PublishFrames
  private readonly clock: () => number
  private readonly desks = new Map<string, Desk>()

  constructor(router: Router, frames: PublishFrames, clock: () => number) {
    this.router = router
    this.frames = frames
    this.clock = clock
  }

  /**
   * Has `commands` answer what is published to `$CONTROL/<name>`.
   * @param isOn asked for each request
   * @param settle called when all commands of a request are done, before they are answered: each with an error when it
   * throws a ControlError
   */
  register(
    name: string,
    commands: ControlCommands,
    isOn: () => boolean = () => true,
    settle: () => Soon<void> = () => {},
  ): void {
    this.desks.set(name, new Desk({ commands, isOn, settle }))
  }

  /** Whether there is such an endpoint, though it may not answer now. */
  has(name: string): boolean {
    return this.desks.has(name)
  }

  /** Names of the endpoints that answer now. */
  get names(): string[] {
    return [...this.desks].filter(([, { endpoint }]) => endpoint.isOn()).map(([name]) => name)
  }

  /** Answers a request; that its sender may write to `topic` has been found out before. */
  handle(topic: string, payload: Buffer, from: Requester): void {
    const desk = this.desks.get(topic.slice(PREFIX.length))
    const message = (json: string) =>
      localMessage(`${topic}/response`, Buffer.from(json), 0, false, undefined, undefined, this.clock())
    if (desk === undefined || !desk.endpoint.isOn()) {
      from.sender.publish(message('{"error":"endpoint not available"}'), 0, false, false, 0, 0)
      this.frames.release()
      return
    }
    const answer = (answers: readonly string[]) => {
      this.router.publish(message(`{"responses":[${answers.join()}]}`))
    }
    const list = commandsIn(payload)
    if (typeof list === 'string') answer([failure(list)])
    else if (!desk.do(() => andThen(answersTo(desk.endpoint, list, from.session.clientId), answer)))
      answer([failure('Too many requests wait')])
  }
}

/** The commands of a request; text says why there are none. */
function commandsIn(payload: Buffer): readonly unknown[] | string {
  let request: unknown
  try {
    request = JSON.parse(payload.toString())
  } catch {
    return 'Payload not valid JSON'
  }
  const list = isObject(request) ? request.commands : undefined
  if (!Array.isArray(list)) return 'Invalid/missing commands'
  return list.length > MOST_COMMANDS ? `More than ${MOST_COMMANDS} commands` : list
}

/** The answers to a request, each as JSON, when whoever carries it out has settled it. */
function answersTo(endpoint: Endpoint, list: readonly unknown[], clientId: string): Soon<readonly string[]> {
  const { commands, settle } = endpoint
  return andThen(answersFrom(0, [], 0), (answers) => {
    const unsettled = (error: unknown) => list.map((command) => JSON.stringify(failed(nameOf(command), error)))
    return attempt(() => andThen(settle(), () => answers), unsettled)
  })

  /** Adds those from `start` on; `length` is what there is so far, in characters. */
  function answersFrom(start: number, answers: string[], length: number): Soon<readonly string[]> {
    let written = length
    const add = (answer: Answer) => {
      const json = JSON.stringify(answer)
      answers.push(json)
      written += json.length
    }
    for (let at = start; at < list.length; at++) {
      if (written > LONGEST_ANSWERS) return [...answers, failure('Too much to answer at once; the rest was not done')]
      const answer = answerTo(commands, list[at], clientId)
      if (isPromise(answer))
        return answer.then((late) => {
          add(late)
          return answersFrom(at + 1, answers, written)
        })
      add(answer)
    }
    return answers
  }
}

function answerTo(commands: ControlCommands, command: unknown, clientId: string): Soon<Answer> {
  if (!isObject(command)) return { command: UNKNOWN, error: 'Command not an object' }
  const { command: name, correlationData } = command
  if (typeof name !== 'string') return { command: UNKNOWN, error: 'Missing command' }
  if (correlationData !== undefined && typeof correlationData !== 'string')
    return { command: name, error: 'Invalid correlationData data type.' }
  const correlation = correlationData === undefined ? {} : { correlationData }
  const handler = commands.get(name.toLowerCase())
  if (handler === undefined) return { command: name, error: UNKNOWN, ...correlation }
  return attempt<Answer>(
    () =>
      andThen(handler(command, clientId), (data) => ({
        command: name,
        ...(data === undefined ? {} : { data }),
        ...correlation,
      })),
    (error) => ({ ...failed(name, error), ...correlation }),
  )
}

/** What `work` comes to, or what is made of its failure, now or later. */
function attempt<T>(work: () => Soon<T>, otherwise: (error: unknown) => T): Soon<T> {
  try {
    const done = work()
    return isPromise(done) ? done.catch(otherwise) : done
  } catch (error) {
    return otherwise(error)
  }
}

/** @throws what is no ControlError */
function failed(command: string, error: unknown): Answer {
  if (!(error instanceof ControlError)) throw error
  return { command, error: error.message }
}

function nameOf(command: unknown): string {
  return isObject(command) && typeof command.command === 'string' ? command.command : UNKNOWN
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
