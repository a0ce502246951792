// A run of tsmq-pub --rr: subscribes to the response topic, publishes one request, prints the one response (spec: rr.md). With MQTT
// 5.0 a response is what carries the correlation data of the request; older versions have nothing to tell it by.

import { randomUUID } from 'node:crypto'
import { Client, type ClientHandler } from '../client/client.js'
import { ClientError } from '../client/client-error.js'
import { UsageError } from '../options/command-line.js'
import type { PubValues } from '../options/pub-options.js'
import type { Publish } from '../protocol/packets/publish.js'
import { NO_PROPERTIES, type Properties } from '../protocol/properties.js'
import { ReasonCode, reasonText } from '../protocol/reason-codes.js'
import { localMessage } from '../session/message.js'
import { connectingText, packetTrace, reportEnd, untilEnd } from './client-run.js'
import { type ClientSetup, sayGoodbye } from './client-setup.js'
import { EXIT_STATUS } from './exit.js'
import { MessagePrinter } from './message-printer.js'
import type { MessageDefaults } from './message-source.js'
import type { Terminal } from './terminal.js'

export interface RequestPlan extends MessageDefaults {
  readonly topic: string
  readonly responseTopic: string
  readonly payload: Buffer
}

/** TABLE of --retain-handling, as it stands in SUBSCRIBE. */
const RETAIN_HANDLING = { always: 0, new: 1, never: 2 } as const

export class RequestRun implements ClientHandler {
  private readonly plan: RequestPlan
  private readonly values: PubValues
  private readonly setup: ClientSetup
  private readonly terminal: Terminal
  private readonly printer: MessagePrinter
  private readonly client: Client
  private readonly properties: Readonly<Properties>
  /** ms of the clock that only goes forward. */
  private sentAt: number | undefined = undefined
  private hasWarned = false
  private isLeaving = false
  private status: number = EXIT_STATUS.ok
  private finish: (status: number) => void = () => {}

  /** @throws UsageError */
  constructor(plan: RequestPlan, values: PubValues, setup: ClientSetup, terminal: Terminal) {
    this.plan = plan
    this.values = values
    this.setup = setup
    this.terminal = terminal
    const { output } = terminal
    this.printer = new MessagePrinter(values, output, (problem) => terminal.error(problem))
    this.properties = requestProperties(plan, setup)
    const { version, properties = NO_PROPERTIES } = setup.options
    // One response is wanted.
    const options = version < 5 ? setup.options : { ...setup.options, properties: { receiveMaximum: 1, ...properties } }
    this.client = new Client(options, this, { watcher: packetTrace(setup, terminal) })
  }

  /** Resolves to the exit status when the connection is over. */
  async start(): Promise<number> {
    const { timeout } = this.values
    const timer = timeout === undefined ? undefined : setTimeout(() => this.onTimeout(), timeout * 1000)
    const leave = (status: number) => this.leave(status)
    const status = await untilEnd(this.setup, this.terminal, leave, (finish) => {
      this.finish = finish
      this.client.start()
    })
    clearTimeout(timer)
    return status
  }

  onConnect(): void {
    this.terminal.waitFor(`waiting for a response on ${this.plan.responseTopic}`)
    const { skip_retained, retain_handling, retain_as_published } = this.values
    const { version } = this.setup.options
    const subscription = {
      filter: this.plan.responseTopic,
      qos: this.plan.qos,
      noLocal: false,
      retainAsPublished: version === 5 && retain_as_published,
      retainHandling: version < 5 ? 0 : RETAIN_HANDLING[skip_retained ? 'never' : retain_handling],
    } as const
    this.guarded(() =>
      this.client.subscribe([subscription], this.setup.properties.subscribe, (error, [code = 0]) => {
        if (error?.kind === 'not supported') this.leave(reportEnd(error, this.setup, this.terminal))
        else if (code >= 0x80)
          this.leaveWith(code, `the subscription to ${this.plan.responseTopic} was refused: ${reasonText(code)}`)
        else if (error === undefined) this.ask()
      }),
    )
  }

  private ask(): void {
    const { topic, payload, qos } = this.plan
    const message = localMessage(topic, payload, qos, false, this.properties)
    this.sentAt = performance.now()
    this.guarded(() => this.client.publish(message, (error, reasonCode) => this.onPublished(error, reasonCode)))
  }

  private onPublished(error: ClientError | undefined, reasonCode: number): void {
    if (error !== undefined && error.kind !== 'lost' && error.kind !== 'stopped')
      this.leave(reportEnd(error, this.setup, this.terminal))
    else if (reasonCode === ReasonCode.NO_MATCHING_SUBSCRIBERS && this.values.require_subscriber)
      this.leaveWith(EXIT_STATUS.no_subscriber, 'nobody subscribes to the topic')
  }

  onMessage(topic: string, packet: Publish): void {
    if (this.isLeaving || (packet.retain && this.values.skip_retained) || !this.isResponse(packet)) return
    const elapsed = this.sentAt === undefined ? undefined : performance.now() - this.sentAt
    this.terminal.settle()
    this.printer.print(topic, packet)
    if (this.values.latency && elapsed !== undefined) this.terminal.output.text(`Latency: ${latencyText(elapsed)}\n`)
    this.leave(EXIT_STATUS.ok)
  }

  private isResponse({ properties, retain }: Publish): boolean {
    const { correlationData } = this.properties
    if (correlationData === undefined) return true
    if (properties.correlationData !== undefined)
      return Buffer.compare(properties.correlationData, correlationData) === 0
    if (!retain && !this.hasWarned && !this.setup.quiet) {
      this.hasWarned = true
      this.terminal.warning(
        `a message on ${this.plan.responseTopic} is not taken for the response: it has no correlation data; with -V 311 any message is taken`,
      )
    }
    return false
  }

  /** Does what may ask for something that MQTT forbids. */
  private guarded(step: () => void): void {
    try {
      step()
    } catch (error) {
      if (!(error instanceof ClientError)) throw error
      this.leave(reportEnd(error, this.setup, this.terminal))
    }
  }

  onDrain(): void {
    // There is one request.
  }

  private onTimeout(): void {
    this.leaveWith(EXIT_STATUS.timeout, 'Timed out')
  }

  private leaveWith(status: number, text: string): void {
    if (this.isLeaving) return
    if (!this.setup.quiet) this.terminal.error(text)
    this.leave(status)
  }

  private leave(status: number): void {
    if (this.isLeaving) return
    this.isLeaving = true
    this.status = status
    sayGoodbye(this.client, this.setup)
  }

  onDisconnect(error: ClientError | undefined, retryIn: number | undefined): void {
    if (retryIn !== undefined && !this.isLeaving) {
      this.terminal.waitFor(connectingText(this.setup))
      return
    }
    if (error !== undefined && !this.isLeaving) this.status = reportEnd(error, this.setup, this.terminal)
    this.isLeaving = true
    this.client.stop()
    this.finish(this.status)
  }
}

function requestProperties({ properties, responseTopic }: RequestPlan, setup: ClientSetup): Readonly<Properties> {
  if (setup.options.version < 5) return properties
  if (properties.responseTopic !== undefined)
    throw new UsageError('-D: response-topic of publish is given by -e as well')
  return { correlationData: Buffer.from(randomUUID()), ...properties, responseTopic }
}

/** As mosquitto_rr writes it (rr.md section 3). @param ms since the request. */
export function latencyText(ms: number): string {
  if (ms >= 1000) {
    const nanoseconds = Math.round(ms * 1e6)
    return `${Math.floor(nanoseconds / 1e9)}.${String(nanoseconds % 1e9).padStart(9, '0')}`
  }
  if (ms < 0.001) return `${Math.round(ms * 1e6)}ns`
  return ms < 1 ? `${(ms * 1000).toFixed(6)}µs` : `${ms.toFixed(6)}ms`
}
