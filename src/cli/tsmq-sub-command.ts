// The command tsmq-sub: one run from connecting to the exit status, with its timers and signals (spec: sub.md sections 2 and 7). What
// becomes of a message is in message-flow.ts, what the flags come to in tsmq-sub-setup.ts.

import { Client, type ClientHandler } from '../client/client.js'
import { ClientError } from '../client/client-error.js'
import { type CommandLine, UsageError } from '../options/command-line.js'
import { type SubValues, subOptions } from '../options/sub-options.js'
import type { Publish } from '../protocol/packets/publish.js'
import type { SubscriptionRequest } from '../protocol/packets/subscribe.js'
import { ReasonCode } from '../protocol/reason-codes.js'
import type { ChildEnd } from './child-process.js'
import { connectingText, finished, packetTrace, reportEnd, runClient, untilEnd } from './client-run.js'
import { type ClientSetup, sayGoodbye, setUpClient } from './client-setup.js'
import { EXIT_STATUS } from './exit.js'
import { MessageFlow } from './message-flow.js'
import type { SubscriptionReadiness } from './subscription-readiness.js'
import type { Streams, Terminal } from './terminal.js'
import { openParts, openReadiness, type RunParts } from './tsmq-sub-parts.js'
import { checkSubValues, subscriptionRequests, withFewMessages } from './tsmq-sub-setup.js'

const help = {
  usage: [
    'tsmq-sub [-h HOST] [-p PORT] [-q QOS] [-v] -t FILTER...',
    'tsmq-sub [-h HOST] [-p PORT] [-q QOS] -F FORMAT -t FILTER...',
    'tsmq-sub [-h HOST] [-p PORT] [-q QOS] -t FILTER... --exec PROGRAM [ARGUMENT...]',
  ],
  about: 'Subscribes to topics of an MQTT broker and prints the messages.',
  table: subOptions,
}

/** ms between attempts to get the connection back. */
const RECONNECT = 1000
const MESSAGE_RATE_EVERY = 1000
/** ms of the longest timer that Node has. */
const LONGEST = 0x7fff_ffff
/** SUBACK codes from here on refuse. */
const REFUSED = 0x80

/** Carries out one command line, without node and script; returns the exit status. */
export function sub(argv: readonly string[], streams: Streams): Promise<number> {
  return runClient('tsmq-sub', help, argv, streams, async (line, terminal) => {
    const { values, given, operands } = line
    checkSubValues(values, operands)
    const setup = await setUpClient(line, RECONNECT, { streams, terminal })
    const requests = subscriptionRequests(values, given, setup.options.version)
    const readiness = await openReadiness(values)
    const run = new SubscribeRun(line, withFewMessages(setup, values.count), requests, readiness, terminal)
    return finished(terminal, await run.start(await openParts(line, streams, terminal, run)))
  })
}

export class SubscribeRun implements ClientHandler {
  readonly client: Client
  private readonly values: SubValues
  private readonly setup: ClientSetup
  private readonly requests: readonly SubscriptionRequest[]
  private readonly readiness: SubscriptionReadiness | undefined
  private readonly terminal: Terminal
  private parts: RunParts | undefined = undefined
  private flow: MessageFlow | undefined = undefined
  private timers: NodeJS.Timeout[] = []
  private isIdleWatched = false
  /** Enough has come, and the run ends with `status` when all that it began is done. */
  private isEnough = false
  private isLeaving = false
  private hasConnected = false
  private status: number = EXIT_STATUS.ok
  /** Of the first program or removal that has failed. */
  private failure = 0
  private end: (status: number) => void = () => {}

  constructor(
    { values }: CommandLine<typeof subOptions>,
    setup: ClientSetup,
    requests: readonly SubscriptionRequest[],
    readiness: SubscriptionReadiness | undefined,
    terminal: Terminal,
  ) {
    this.values = values
    this.setup = setup
    this.requests = requests
    this.readiness = readiness
    this.terminal = terminal
    this.client = new Client(setup.options, this, { watcher: packetTrace(setup, terminal) })
  }

  /** Whether the exit status answers a question, so that an early end is no success. */
  private get asserts(): boolean {
    return this.values.expect_none || this.parts?.expectations.isEmpty === false
  }

  /** Resolves to the exit status when the connection is over and everything is written. */
  async start(parts: RunParts): Promise<number> {
    this.parts = parts
    this.flow = new MessageFlow(this.values, parts, this)
    const { output } = this.terminal
    output.onClosed = () => {
      if (!this.asserts) this.leave(EXIT_STATUS.ok)
    }
    this.startTimers()
    const leave = (status: number) => this.onSignal(status)
    try {
      return await untilEnd(this.setup, this.terminal, leave, (end) => {
        this.end = end
        this.client.start()
      })
    } finally {
      for (const timer of this.timers) clearTimeout(timer)
      this.readiness?.close()
      parts.commands?.stop('SIGTERM')
      this.printSummary()
      await parts.close()
    }
  }

  private startTimers(): void {
    const { timeout, message_rate, summary = 0 } = this.values
    if (timeout !== undefined) this.timers.push(setTimeout(() => this.onTimeout(), Math.min(timeout * 1000, LONGEST)))
    if (message_rate) this.timers.push(setInterval(() => this.printRate(), MESSAGE_RATE_EVERY))
    if (summary > 0) this.timers.push(setInterval(() => this.printSummary(), summary * 1000))
  }

  private printRate(): void {
    const { flow } = this
    if (flow === undefined || !this.hasConnected) return
    this.terminal.output.text(`${flow.rate} msgs/s\n`)
    flow.rate = 0
  }

  private printSummary(): void {
    const { output } = this.terminal
    const { summary, now = Date.now } = this.parts ?? {}
    if (summary !== undefined && this.hasConnected) output.text(summary.table(now(), (topic) => output.shown(topic)))
  }

  onConnect(): void {
    this.terminal.waitForMessages(() => 'subscribing')
    this.hasConnected = true
    const { properties } = this.setup
    try {
      if (this.requests.length > 0)
        this.client.subscribe(this.requests, properties.subscribe, (error, codes) => this.onSubscribed(error, codes))
      else {
        this.watchIdleness()
        this.attend()
      }
      for (const filter of this.values.unsubscribe) this.client.unsubscribe([filter], properties.unsubscribe)
    } catch (error) {
      if (!(error instanceof ClientError)) throw error
      this.terminal.error(`unable to subscribe: ${error.message}`)
      this.leave(EXIT_STATUS.failure)
    }
  }

  private onSubscribed(error: ClientError | undefined, codes: readonly number[]): void {
    if (error?.kind === 'not supported') {
      this.terminal.error(error.message)
      this.leave(EXIT_STATUS.failure)
    }
    if (error !== undefined) return
    const refused = codes.findIndex((code) => code >= REFUSED)
    if (refused >= 0 && (this.asserts || this.readiness !== undefined)) {
      // What was asked for cannot come true, or not reliably.
      if (!this.setup.quiet)
        this.terminal.error(`the broker refused the subscription to ${this.requests[refused]?.filter}`)
      this.leave(codes[refused] ?? EXIT_STATUS.failure)
    } else if (codes.every((code) => code >= REFUSED)) {
      if (!this.setup.quiet) this.terminal.error('all subscriptions were denied')
      this.leave(EXIT_STATUS.ok)
    } else if (this.tellReady()) {
      this.watchIdleness()
      if (this.values.exit_after_subscribe) this.onEnough(EXIT_STATUS.ok)
      this.attend()
    }
  }

  /** For a person who waits for what will end the run. Programs that it starts may write to the terminal too. */
  private attend(): void {
    const { exec, idle, on_ready, retained_only, timeout, watch } = this.values
    const { flow } = this
    const hasEnd = flow?.hasEnd || idle !== undefined || timeout !== undefined || retained_only
    if (this.isLeaving || !hasEnd || watch || exec !== undefined || on_ready !== undefined) this.terminal.settle()
    else this.terminal.waitForMessages(() => flow?.waitingText ?? '')
  }

  /** Whether that could be done. */
  private tellReady(): boolean {
    const { host, port } = this.setup.options.target
    const env = { TSMQ_HOST: host, TSMQ_PORT: String(port), TSMQ_CLIENT_ID: this.client.clientId }
    try {
      this.readiness?.tell(env, (end) => this.onReadyCommandEnd(end))
      return true
    } catch (error) {
      if (!(error instanceof UsageError)) throw error
      this.terminal.error(error.message)
      this.leave(EXIT_STATUS.failure)
      return false
    }
  }

  private onReadyCommandEnd({ status, words }: ChildEnd): void {
    if (status !== 0) {
      if (!this.setup.quiet) this.terminal.error(`the command of --on-ready ${words}`)
      this.leave(status)
    } else this.leaveWhenDone()
  }

  /** Counted from SUBACK, or from the last message after that. */
  private watchIdleness(): void {
    const { idle } = this.values
    const { flow, parts } = this
    if (idle === undefined || flow === undefined || parts === undefined || this.isIdleWatched) return
    this.isIdleWatched = true
    flow.lastTime = parts.now()
    const look = () => {
      const remaining = flow.lastTime + idle * 1000 - parts.now()
      if (remaining > 0) this.timers.push(setTimeout(look, Math.ceil(remaining)))
      else flow.finishUnmet()
    }
    look()
  }

  onMessage(topic: string, packet: Publish): void {
    if (this.isLeaving) return
    this.flow?.take(topic, packet)
    if (this.parts?.isBehind) this.client.pause()
  }

  holdAcknowledgement(packet: Publish): () => void {
    return this.client.holdAcknowledgement(packet)
  }

  /** A part that was behind has caught up, or something that was begun is done. */
  onProgress(): void {
    if (!this.parts?.isBehind) this.client.resume()
    this.leaveWhenDone()
  }

  /** The file of --record cannot be written any more. */
  onRecordingLost(problem: string): void {
    this.terminal.error(problem)
    this.leave(EXIT_STATUS.failure)
  }

  /** A program of --exec has failed. */
  onFailure({ status, words, wasStarted }: ChildEnd, what: string): void {
    if (!this.setup.quiet) this.terminal.error(`${what} ${words}`)
    this.failure ||= status
    if (wasStarted && !this.values.exec_ack) return
    this.parts?.commands?.stop()
    this.onEnough(status)
  }

  /** The broker has taken the removal of a retained message, or not. */
  onRemoved(failure: ClientError | undefined, topic: string): void {
    if (failure !== undefined && failure.kind !== 'stopped') {
      if (!this.setup.quiet) this.terminal.error(`the message on ${topic} was not removed: ${failure.message}`)
      this.failure ||= failure.reasonCode || EXIT_STATUS.failure
    }
    this.onProgress()
  }

  onEnough(status: number, problem?: string): void {
    if (problem !== undefined && !this.setup.quiet) this.terminal.error(problem)
    if (this.isEnough) return
    this.isEnough = true
    this.status = status
    this.leaveWhenDone()
  }

  private leaveWhenDone(): void {
    if (!this.isEnough || this.parts?.isIdle === false || this.readiness?.isRunning) return
    this.leave(this.status || this.failure)
  }

  onDrain(): void {
    // What is published is little, and waited for.
  }

  private onTimeout(): void {
    const { flow } = this
    if (this.values.expect_none && this.hasConnected) {
      this.leave(EXIT_STATUS.ok)
      return
    }
    if (this.client.isConnected && !this.setup.quiet) {
      this.terminal.error('Timed out')
      const problem = flow?.complaint
      if (problem !== undefined) this.terminal.error(problem)
    }
    this.interrupt(EXIT_STATUS.timeout)
  }

  /** @param status that of a command ended by the signal; mosquitto_sub's is 0. */
  private onSignal(status: number): void {
    this.interrupt(this.asserts ? status : this.failure)
  }

  /** The user, or the clock, ends it: the broker is to publish the will, if there is one. */
  private interrupt(status: number): void {
    if (!this.client.isConnected && !this.hasConnected) this.leave(EXIT_STATUS.before_connected)
    else this.leave(status, this.setup.options.version === 5 ? ReasonCode.DISCONNECT_WITH_WILL : ReasonCode.SUCCESS)
  }

  private leave(status: number, reasonCode: ReasonCode = ReasonCode.SUCCESS): void {
    if (this.isLeaving) return
    this.isLeaving = true
    this.status = status
    this.terminal.settle()
    sayGoodbye(this.client, this.setup, reasonCode)
  }

  onDisconnect(error: ClientError | undefined, retryIn: number | undefined): void {
    if (retryIn !== undefined && !this.isLeaving) {
      this.terminal.waitFor(connectingText(this.setup))
      return
    }
    if (error !== undefined && !this.isLeaving) this.status = reportEnd(error, this.setup, this.terminal)
    this.isLeaving = true
    this.client.stop()
    this.end(this.status)
  }
}
