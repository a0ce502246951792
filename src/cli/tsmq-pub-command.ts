// The command tsmq-pub: publishes a message, the same message several times, or the lines of standard input, and ends with a
// status that tells how it went (spec: pub.md).

import { Client, type ClientHandler } from '../client/client.js'
import { ClientError } from '../client/client-error.js'
import type { CommandLine } from '../options/command-line.js'
import { UsageError } from '../options/command-line.js'
import { pubOptions } from '../options/pub-options.js'
import type { Connack } from '../protocol/packets/connack.js'
import type { Qos } from '../protocol/packets/publish.js'
import type { Properties } from '../protocol/properties.js'
import { Message } from '../session/message.js'
import { connectingText, finished, reportEnd, runClient } from './client-run.js'
import { type ClientSetup, checkTopic, setUpClient } from './client-setup.js'
import { EXIT_STATUS } from './exit.js'
import { PacketTrace } from './packet-trace.js'
import { LineReader, type PayloadError, payloadOfFile, payloadOfStream } from './payload-source.js'
import type { Streams, Terminal } from './terminal.js'

const help = {
  usage: [
    'tsmq-pub [-h HOST] [-p PORT] [-q QOS] [-r] -t TOPIC -m MESSAGE',
    'tsmq-pub [-h HOST] [-p PORT] [-q QOS] [-r] -t TOPIC {-f FILE | -l | -n | -s}',
  ],
  about: 'Publishes messages to an MQTT broker.',
  table: pubOptions,
}

/** ms between attempts to get the connection back, with -l. */
const RECONNECT = 1000

/** Carries out one command line, without node and script; returns the exit status. */
export function pub(argv: readonly string[], streams: Streams): Promise<number> {
  return runClient('tsmq-pub', help, argv, streams, async (line, terminal) => {
    const run = await prepare(line, streams, terminal)
    return finished(terminal, await run.start())
  })
}

async function prepare(
  { values, given }: CommandLine<typeof pubOptions>,
  streams: Streams,
  terminal: Terminal,
): Promise<PublishRun> {
  const { topic } = values
  const mode = given.find((name) => ['file', 'stdin_line', 'message', 'null_message', 'stdin_file'].includes(name))
  if (topic === undefined || mode === undefined)
    throw new UsageError('a topic (-t) and a message (one of -f -l -m -n -s) must both be given')
  checkTopic('-t', topic)
  const setup = setUpClient(values, given, values.stdin_line ? RECONNECT : undefined)
  let payload: Buffer | undefined
  if (values.file !== undefined) payload = await payloadOfFile(values.file)
  else if (values.stdin_file) payload = await payloadOfStream(streams.stdin)
  else if (!values.stdin_line) payload = Buffer.from(values.message ?? '')
  const plan: Plan = {
    topic,
    qos: values.qos as Qos,
    retain: values.retain,
    properties: setup.properties.publish,
    payload,
    repeat: values.repeat,
    repeatDelay: values.repeat_delay * 1000,
  }
  return new PublishRun(plan, setup, streams, terminal)
}

interface Plan {
  readonly topic: string
  readonly qos: Qos
  readonly retain: boolean
  readonly properties: Readonly<Properties>
  /** Undefined to publish lines. */
  readonly payload: Buffer | undefined
  readonly repeat: number
  /** ms between the delivery of one message and the next. */
  readonly repeatDelay: number
}

class PublishRun implements ClientHandler {
  private readonly plan: Plan
  private readonly setup: ClientSetup
  private readonly streams: Streams
  private readonly terminal: Terminal
  private readonly client: Client
  private lines: LineReader | undefined = undefined
  private retain: boolean
  /** Published, and finished one way or the other. */
  private published = 0
  private settled = 0
  private hasAll = false
  private status: number = EXIT_STATUS.ok
  private hasConnected = false
  private end: (status: number) => void = () => {}

  constructor(plan: Plan, setup: ClientSetup, streams: Streams, terminal: Terminal) {
    this.plan = plan
    this.setup = setup
    this.streams = streams
    this.terminal = terminal
    this.retain = plan.retain
    const { output } = terminal
    const watcher = setup.debug
      ? new PacketTrace(setup.options.clientId, (line) => output.text(`${line}\n`))
      : undefined
    this.client = new Client(setup.options, this, { watcher })
  }

  /** Resolves to the exit status when the connection is over. */
  start(): Promise<number> {
    this.terminal.waitFor(connectingText(this.setup))
    return new Promise((resolve) => {
      this.end = resolve
      try {
        this.client.start()
      } catch (error) {
        if (!(error instanceof ClientError)) throw error
        this.terminal.error(`unable to connect: ${error.message}`)
        resolve(EXIT_STATUS.failure)
      }
    })
  }

  onConnect(connack: Connack): void {
    this.terminal.settle()
    this.retain = this.plan.retain && connack.properties.retainAvailable !== 0
    if (this.hasConnected) {
      this.endWhenSettled()
      return
    }
    this.hasConnected = true
    if (this.plan.payload === undefined) this.publishLines()
    else this.publishNext(this.plan.payload)
  }

  private publishNext(payload: Buffer): void {
    this.hasAll = this.published + 1 === this.plan.repeat
    this.publish(payload, 0, payload.length)
  }

  private publishLines(): void {
    this.lines = new LineReader(this.streams.stdin, {
      onLine: (bytes, start, end) => this.publish(bytes, start, end),
      onEnd: () => {
        this.hasAll = true
        this.endWhenSettled()
      },
      onError: (error: PayloadError) => {
        this.terminal.error(error.message)
        this.leave(EXIT_STATUS.failure)
      },
    })
    this.lines.start()
  }

  private publish(bytes: Buffer, start: number, end: number): boolean {
    const { topic, qos, properties } = this.plan
    this.published++
    const message = new Message(
      topic,
      qos,
      this.retain,
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
    try {
      return this.client.publish(message, this.onPublished)
    } catch (error) {
      if (!(error instanceof ClientError)) throw error
      this.leave(reportEnd(error, this.setup, this.terminal))
      return false
    }
  }

  private readonly onPublished = (error: ClientError | undefined): void => {
    this.settled++
    if (error !== undefined && error.kind !== 'stopped') this.onRefused(error)
    const { payload, repeatDelay } = this.plan
    if (this.hasAll) this.endWhenSettled()
    else if (payload !== undefined) setTimeout(() => this.publishNext(payload), repeatDelay)
  }

  /** A message that the broker did not want, or that was lost with the connection: with -l the others still go out. */
  private onRefused(error: ClientError): void {
    const isLost = error.kind === 'lost' && this.lines !== undefined
    if (isLost || this.status !== EXIT_STATUS.ok) return
    this.status = reportEnd(error, this.setup, this.terminal)
    if (error.kind !== 'publish refused') this.leave(this.status)
  }

  private endWhenSettled(): void {
    if (this.hasAll && this.settled === this.published && this.client.isConnected) this.leave(this.status)
  }

  private leave(status: number): void {
    this.status = status
    this.lines?.stop()
    this.client.disconnect(0, this.setup.properties.disconnect)
  }

  onMessage(): void {
    // Nothing was subscribed to; a session that is resumed may bring messages, which only have to be acknowledged.
  }

  onDrain(): void {
    this.lines?.resume()
  }

  onDisconnect(error: ClientError | undefined, retryIn: number | undefined): void {
    const isOver = retryIn === undefined || !this.hasConnected || error?.kind === 'refused'
    if (!isOver) {
      this.terminal.waitFor(connectingText(this.setup))
      return
    }
    if (error !== undefined && this.status === EXIT_STATUS.ok) this.status = reportEnd(error, this.setup, this.terminal)
    this.lines?.stop()
    this.client.stop()
    this.end(this.status)
  }
}
