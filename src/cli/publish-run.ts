// A run of tsmq-pub that publishes: takes messages from a source, hands them to the client, and turns what becomes of them into an
// exit status (spec: pub.md sections 7 and 8, features.md C8).

import { Client, type ClientHandler } from '../client/client.js'
import { ClientError } from '../client/client-error.js'
import type { Connack } from '../protocol/packets/connack.js'
import type { Publish } from '../protocol/packets/publish.js'
import { NO_PROPERTIES } from '../protocol/properties.js'
import { ReasonCode, reasonText } from '../protocol/reason-codes.js'
import { Message } from '../session/message.js'
import { connectingText, packetTrace, reportEnd, untilEnd } from './client-run.js'
import { type ClientSetup, sayGoodbye } from './client-setup.js'
import type { EchoCheck } from './echo-check.js'
import { EXIT_STATUS } from './exit.js'
import { LineError } from './line-error.js'
import type { MessageDefaults, MessageSink, MessageSource, OutgoingMessage } from './message-source.js'
import type { Terminal } from './terminal.js'

/** ms that an interrupted run may take to end. */
const LAST_MOMENTS = 500

export interface PublishPlan {
  readonly source: MessageSource
  readonly defaults: MessageDefaults
  /** One message that is lost or refused is not the end: others follow. */
  readonly isStream: boolean
  /** Reads on without a connection, and what has QoS 0 is lost then, as with mosquitto_pub -l. */
  readonly flowsOn: boolean
  /** A message that nobody has subscribed to is a failure. */
  readonly requireSubscriber: boolean
  /** Looks out for each message to come back. */
  readonly echoes: EchoCheck | undefined
}

export class PublishRun implements ClientHandler, MessageSink {
  defaults: MessageDefaults
  private readonly plan: PublishPlan
  private readonly setup: ClientSetup
  private readonly terminal: Terminal
  private readonly client: Client
  /** Published, finished one way or the other, and refused by the broker. */
  private published = 0
  private settled = 0
  private refused = 0
  private hasAll = false
  private isWaiting = false
  private isLeaving = false
  private status: number = EXIT_STATUS.ok
  private hasStarted = false
  private finish: (status: number) => void = () => {}

  constructor(plan: PublishPlan, setup: ClientSetup, terminal: Terminal) {
    this.plan = plan
    this.setup = setup
    this.terminal = terminal
    this.defaults = plan.defaults
    this.client = new Client(setup.options, this, { watcher: packetTrace(setup, terminal) })
    const { echoes } = plan
    if (echoes !== undefined) echoes.onTimeout = () => this.onNoEcho(echoes)
  }

  /** Resolves to the exit status when the connection is over. */
  start(): Promise<number> {
    const leave = (status: number) => this.interrupt(status)
    return untilEnd(this.setup, this.terminal, leave, (finish) => {
      this.finish = finish
      this.client.start()
    })
  }

  /** What is on its way may still leave, unless that takes long. */
  private interrupt(status: number): void {
    this.leave(status)
    setTimeout(() => this.client.stop(), LAST_MOMENTS).unref()
  }

  onConnect(connack: Connack): void {
    this.terminal.settle()
    const retain = this.plan.defaults.retain && connack.properties.retainAvailable !== 0
    this.defaults = { ...this.plan.defaults, retain }
    if (this.plan.echoes === undefined) this.begin()
    else this.subscribe(this.plan.defaults)
  }

  private subscribe({ topic = '', qos }: MessageDefaults): void {
    const filter = { filter: topic, qos, noLocal: false, retainAsPublished: false, retainHandling: 2 } as const
    this.client.subscribe([filter], this.setup.properties.subscribe, (error, [code = 0]) => {
      if (error?.kind === 'stopped' || error?.kind === 'lost') return
      const why = error?.message ?? (code >= 0x80 ? reasonText(code) : undefined)
      if (why === undefined) this.begin()
      else
        this.leaveWith(
          EXIT_STATUS.round_trip,
          `nothing was published: the subscription to ${topic}, for --confirm, was refused: ${why}`,
        )
    })
  }

  private begin(): void {
    const { source } = this.plan
    if (source.progress === undefined) this.terminal.settle()
    else this.terminal.waitFor(() => source.progress ?? '')
    this.isWaiting = false
    if (this.hasStarted) {
      this.plan.source.resume()
      this.endWhenSettled()
    } else {
      this.hasStarted = true
      this.plan.source.start(this)
    }
  }

  publish(outgoing: OutgoingMessage, bytes: Buffer, start: number, end: number): boolean {
    const { topic, qos, retain, properties } = outgoing
    if (properties !== NO_PROPERTIES && this.setup.options.version < 5)
      throw new LineError('properties need MQTT 5.0: -V 5')
    if (this.plan.requireSubscriber && qos === 0) throw new LineError('--require-subscriber needs QoS 1 or 2')
    const message = new Message(
      topic,
      qos,
      retain,
      properties,
      undefined,
      Number.POSITIVE_INFINITY,
      bytes,
      start,
      end,
      -1,
      this.setup.options.version,
      undefined,
    )
    this.published++
    this.plan.echoes?.expect(bytes, start, end)
    try {
      const goesOn = this.client.publish(message, this.onPublished)
      this.isWaiting = !goesOn || this.plan.echoes?.hasRoom === false
      return !this.isWaiting
    } catch (error) {
      if (!(error instanceof ClientError)) throw error
      this.leave(reportEnd(error, this.setup, this.terminal))
      return false
    }
  }

  end(): void {
    this.hasAll = true
    this.endWhenSettled()
  }

  /** What was published before is still delivered. */
  fail(text: string): void {
    this.complain(text)
    if (this.status === EXIT_STATUS.ok) this.status = EXIT_STATUS.failure
    this.plan.source.stop()
    this.end()
  }

  private readonly onPublished = (error: ClientError | undefined, reasonCode: number): void => {
    this.settled++
    if (error !== undefined) this.onUnpublished(error)
    else if (reasonCode === ReasonCode.NO_MATCHING_SUBSCRIBERS && this.plan.requireSubscriber)
      this.onProblem(EXIT_STATUS.no_subscriber, 'nobody subscribes to the topic')
    if (this.hasAll) this.endWhenSettled()
    else if (!this.isLeaving) this.plan.source.onSettled()
  }

  private onUnpublished(error: ClientError): void {
    const { isStream } = this.plan
    if (error.kind === 'stopped' || this.isLeaving || (error.kind === 'lost' && isStream)) return
    if (error.kind === 'publish refused') {
      this.onProblem(error.reasonCode, `publish refused by the broker: ${error.message}`)
      return
    }
    this.leave(reportEnd(error, this.setup, this.terminal))
  }

  /** The first one is told, the others are counted. */
  private onProblem(status: number, text: string): void {
    this.refused++
    if (this.status !== EXIT_STATUS.ok) return
    this.status = status
    this.complain(text)
  }

  private onNoEcho({ missing, timeout }: EchoCheck): void {
    const what =
      missing === this.published && missing === 1 ? 'the message' : `${missing} of ${this.published} messages`
    this.leaveWith(EXIT_STATUS.round_trip, `${what} did not come back within ${timeout / 1000} s`)
  }

  private complain(text: string): void {
    if (!this.setup.quiet) this.terminal.error(text)
  }

  private endWhenSettled(): void {
    // What has QoS 0 is settled when it is handed over, and delivered when it has left.
    const isDone =
      this.hasAll && this.settled === this.published && !this.isWaiting && (this.plan.echoes?.missing ?? 0) === 0
    if (!isDone || this.isLeaving || !this.client.isConnected) return
    if (this.refused > 1) this.complain(`${this.refused} of ${this.published} messages were not delivered`)
    this.leave(this.status)
  }

  private leaveWith(status: number, text: string): void {
    if (this.isLeaving) return
    this.complain(text)
    this.leave(status)
  }

  private leave(status: number): void {
    if (this.isLeaving) return
    this.isLeaving = true
    this.status = status
    this.plan.echoes?.stop()
    this.plan.source.stop()
    sayGoodbye(this.client, this.setup)
  }

  onMessage(_topic: string, packet: Publish): void {
    // Without --confirm nothing was subscribed to; a session that is resumed may bring messages, which only have to be acknowledged.
    if (this.plan.echoes === undefined) return
    this.plan.echoes.onMessage(packet)
    this.resume()
    this.endWhenSettled()
  }

  onDrain(): void {
    this.resume()
  }

  private resume(): void {
    if (!this.isWaiting || this.isLeaving || this.plan.echoes?.hasRoom === false) return
    this.isWaiting = false
    this.plan.source.resume()
    this.endWhenSettled()
  }

  onDisconnect(error: ClientError | undefined, retryIn: number | undefined): void {
    if (retryIn !== undefined && !this.isLeaving) {
      if (!this.plan.flowsOn) this.plan.source.hold()
      this.terminal.waitFor(connectingText(this.setup))
      return
    }
    if (error !== undefined && this.status === EXIT_STATUS.ok) this.status = reportEnd(error, this.setup, this.terminal)
    this.isLeaving = true
    this.plan.source.stop()
    this.client.stop()
    this.finish(this.status)
  }
}
