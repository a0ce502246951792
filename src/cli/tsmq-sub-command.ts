// The command tsmq-sub: subscribes and prints what arrives until told to stop (spec: sub.md).

import { Client, type ClientHandler } from '../client/client.js'
import { ClientError } from '../client/client-error.js'
import { type CommandLine, UsageError } from '../options/command-line.js'
import type { ValuesOf } from '../options/option.js'
import { subOptions } from '../options/sub-options.js'
import type { Publish, Qos } from '../protocol/packets/publish.js'
import type { RetainHandling } from '../protocol/packets/subscribe.js'
import { ReasonCode } from '../protocol/reason-codes.js'
import { matches } from '../protocol/topics.js'
import { connectingText, finished, reportEnd, runClient } from './client-run.js'
import { type ClientSetup, checkFilter, setUpClient } from './client-setup.js'
import { EXIT_STATUS } from './exit.js'
import { MessagePrinter } from './message-printer.js'
import { PacketTrace } from './packet-trace.js'
import type { Streams, Terminal } from './terminal.js'

const help = {
  usage: [
    'tsmq-sub [-h HOST] [-p PORT] [-q QOS] [-v] -t FILTER...',
    'tsmq-sub [-h HOST] [-p PORT] [-q QOS] -F FORMAT -t FILTER...',
  ],
  about: 'Subscribes to topics of an MQTT broker and prints the messages.',
  table: subOptions,
}

type SubValues = ValuesOf<typeof subOptions>

/** ms between attempts to get the connection back. */
const RECONNECT = 1000
const SIGNALS = ['SIGINT', 'SIGTERM'] as const
/** Fewer messages than this to wait for, and no more than those are taken from the broker. */
const FEW = 20

/** Carries out one command line, without node and script; returns the exit status. */
export function sub(argv: readonly string[], streams: Streams): Promise<number> {
  return runClient('tsmq-sub', help, argv, streams, async (line, terminal) => {
    const run = new SubscribeRun(line.values, prepare(line), terminal)
    return finished(terminal, await run.start())
  })
}

function prepare({ values, given }: CommandLine<typeof subOptions>): ClientSetup {
  if (values.topic.length === 0 && values.unsubscribe.length === 0)
    throw new UsageError('a topic must be given: -t FILTER')
  for (const filter of values.topic) checkFilter('-t', filter)
  for (const filter of values.filter_out) checkFilter('-T', filter)
  for (const filter of values.unsubscribe) checkFilter('-U', filter)
  const setup = setUpClient(values, given, RECONNECT)
  const { count } = values
  const { properties = {}, version } = setup.options
  if (version < 5 || count === undefined || count >= FEW || properties.receiveMaximum !== undefined) return setup
  return { ...setup, options: { ...setup.options, properties: { ...properties, receiveMaximum: count } } }
}

class SubscribeRun implements ClientHandler {
  private readonly values: SubValues
  private readonly setup: ClientSetup
  private readonly terminal: Terminal
  private readonly printer: MessagePrinter
  private readonly client: Client
  private remaining: number
  private isLeaving = false
  private hasConnected = false
  private status: number = EXIT_STATUS.ok
  private end: (status: number) => void = () => {}

  constructor(values: SubValues, setup: ClientSetup, terminal: Terminal) {
    this.values = values
    this.setup = setup
    this.terminal = terminal
    const { output } = terminal
    this.printer = new MessagePrinter(values, output, (problem) => terminal.error(problem))
    this.remaining = values.count ?? Number.POSITIVE_INFINITY
    const watcher = setup.debug
      ? new PacketTrace(setup.options.clientId, (line) => output.text(`${line}\n`))
      : undefined
    this.client = new Client(setup.options, this, { watcher })
    output.onClosed = () => this.leave(EXIT_STATUS.ok)
    output.onCaughtUp = () => this.client.resume()
  }

  /** Resolves to the exit status when the connection is over. */
  async start(): Promise<number> {
    this.terminal.waitFor(connectingText(this.setup))
    const { timeout } = this.values
    const timer = timeout === undefined ? undefined : setTimeout(() => this.onTimeout(), timeout * 1000)
    const onSignal = () => this.interrupt(EXIT_STATUS.ok)
    for (const signal of SIGNALS) process.once(signal, onSignal)
    try {
      return await new Promise<number>((resolve) => {
        this.end = resolve
        this.client.start()
      })
    } catch (error) {
      if (!(error instanceof ClientError)) throw error
      this.terminal.error(`unable to connect: ${error.message}`)
      return EXIT_STATUS.failure
    } finally {
      clearTimeout(timer)
      for (const signal of SIGNALS) process.off(signal, onSignal)
    }
  }

  onConnect(): void {
    this.terminal.settle()
    this.hasConnected = true
    const { topic, unsubscribe, skip_retained } = this.values
    const { properties } = this.setup
    const retainHandling: RetainHandling = skip_retained ? 2 : 0
    const qos = this.values.qos as Qos
    const subscriptions = topic.map((filter) => ({
      filter,
      qos,
      noLocal: false,
      retainAsPublished: false,
      retainHandling,
    }))
    try {
      if (subscriptions.length > 0)
        this.client.subscribe(subscriptions, properties.subscribe, (error, codes) => this.onSubscribed(error, codes))
      for (const filter of unsubscribe) this.client.unsubscribe([filter], properties.unsubscribe)
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
    if (codes.every((code) => code >= 0x80)) {
      if (!this.setup.quiet) this.terminal.error('all subscriptions were denied')
      this.leave(EXIT_STATUS.ok)
    } else if (this.values.exit_after_subscribe) this.leave(EXIT_STATUS.ok)
  }

  onMessage(topic: string, packet: Publish): void {
    const { filter_out, skip_retained } = this.values
    if (this.isLeaving || (packet.retain && skip_retained)) return
    if (filter_out.length > 0 && filter_out.some((filter) => matches(filter, topic))) return
    this.printer.print(topic, packet)
    if (this.terminal.output.isBehind) this.client.pause()
    if (--this.remaining === 0) this.leave(EXIT_STATUS.ok)
  }

  onDrain(): void {
    // Nothing is published.
  }

  private onTimeout(): void {
    if (this.client.isConnected && !this.setup.quiet) this.terminal.error('Timed out')
    this.interrupt(EXIT_STATUS.timeout)
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
    this.client.disconnect(reasonCode, this.setup.properties.disconnect)
  }

  onDisconnect(error: ClientError | undefined, retryIn: number | undefined): void {
    const willRetry = retryIn !== undefined && this.hasConnected && error?.kind !== 'refused' && !this.isLeaving
    if (willRetry) {
      this.terminal.waitFor(connectingText(this.setup))
      return
    }
    if (error !== undefined && !this.isLeaving) this.status = reportEnd(error, this.setup, this.terminal)
    this.isLeaving = true
    this.client.stop()
    this.end(this.status)
  }
}
