// A run of tsmq-pub --probe: connects step by step, says what each step found, and ends with the status of the one that failed
// (spec: features.md C4). With --round-trip a message of its own goes out and has to come back.

import { randomUUID } from 'node:crypto'
import { Client, type ClientHandler } from '../client/client.js'
import { ClientError } from '../client/client-error.js'
import type { ServerLimits } from '../client/server-limits.js'
import { DialError } from '../net/dial.js'
import type { PubValues } from '../options/pub-options.js'
import type { Connack } from '../protocol/packets/connack.js'
import type { Publish, Qos } from '../protocol/packets/publish.js'
import { reasonText } from '../protocol/reason-codes.js'
import { localMessage } from '../session/message.js'
import { connectingText, describeEnd, packetTrace } from './client-run.js'
import { type ClientSetup, sayGoodbye } from './client-setup.js'
import { statusOf } from './client-status.js'
import { EXIT_STATUS } from './exit.js'
import { onInterrupt } from './interrupts.js'
import { probeJson, stageLine } from './probe-report.js'
import { ProbeStages, type StageResult } from './probe-stages.js'
import type { Terminal } from './terminal.js'

/** ms for all steps to CONNACK, and again for the round trip, when --connect-timeout does not say. */
const PATIENCE = 10_000

export class ProbeRun implements ClientHandler {
  private readonly values: PubValues
  private readonly setup: ClientSetup
  private readonly terminal: Terminal
  private readonly stages: ProbeStages
  private readonly client: Client
  private readonly patience: number
  private readonly payload = Buffer.from(`tsmq-pub --probe ${randomUUID()}`)
  private timer: NodeJS.Timeout | undefined = undefined
  private isLeaving = false
  private status: number = EXIT_STATUS.ok
  private finish: () => void = () => {}

  constructor(values: PubValues, setup: ClientSetup, terminal: Terminal) {
    this.values = values
    this.setup = setup
    this.terminal = terminal
    this.stages = new ProbeStages((result) => this.print(result))
    const { connectTimeout = PATIENCE, target } = setup.options
    this.patience = connectTimeout
    const options = {
      ...setup.options,
      connectTimeout,
      target: this.stages.watched(target, values.min_cert_days),
    }
    this.client = new Client(options, this, { watcher: packetTrace(setup, terminal) })
  }

  /** Resolves to the exit status when everything is printed. */
  async start(): Promise<number> {
    this.terminal.waitFor(connectingText(this.setup))
    const release = onInterrupt((status) => this.leave(status))
    try {
      await new Promise<void>((resolve) => {
        this.finish = resolve
        this.client.start()
      })
    } catch (error) {
      if (!(error instanceof ClientError)) throw error
      this.stages.fail(error.message)
      this.status = EXIT_STATUS.failure
    } finally {
      release()
      clearTimeout(this.timer)
    }
    if (this.values.json) this.printJson()
    return this.status
  }

  private print(result: StageResult): void {
    if (this.values.json) return
    this.terminal.settle()
    this.terminal.output.text(stageLine(result, this.setup.options.target.port === 0))
    this.terminal.waitFor(connectingText(this.setup))
  }

  private printJson(): void {
    const { host, port } = this.setup.options.target
    this.terminal.output.text(probeJson({ host, port, status: this.status, stages: this.stages.results }))
  }

  onConnect(connack: Connack): void {
    const { version } = this.setup.options
    const limits = this.client.serverLimits
    const { sessionPresent, reasonCode, properties } = connack
    const id = properties.assignedClientIdentifier ?? this.setup.options.clientId
    const facts = {
      reason_code: reasonCode,
      reason: reasonText(reasonCode),
      mqtt: VERSIONS[version],
      session_present: sessionPresent,
      client_id: id,
      ...(version === 5 && { limits: limitFacts(limits, properties.serverKeepAlive) }),
    }
    const words = [
      `${reasonText(reasonCode)}, MQTT ${VERSIONS[version]}`,
      ...(version === 5 ? [limitWords(limits, properties.serverKeepAlive)] : []),
    ]
    this.stages.pass(words.join('; '), facts, 'round_trip')
    if (this.values.round_trip) this.subscribe(this.values.topic ?? '')
    else this.leave(EXIT_STATUS.ok)
  }

  private subscribe(filter: string): void {
    this.timer = setTimeout(
      () => this.failRoundTrip(`no message came back within ${this.patience / 1000} s`),
      this.patience,
    )
    const qos = this.values.qos as Qos
    const request = { filter, qos, noLocal: false, retainAsPublished: false, retainHandling: 2 } as const
    this.client.subscribe([request], this.setup.properties.subscribe, (error, [code = 0]) => {
      if (error !== undefined) this.failRoundTrip(error.message)
      else if (code >= 0x80) this.failRoundTrip(`the subscription to ${filter} was refused: ${reasonText(code)}`)
      else this.publish(filter, qos)
    })
  }

  private publish(topic: string, qos: Qos): void {
    const message = localMessage(topic, this.payload, qos, false, this.setup.properties.publish)
    this.client.publish(message, (error) => {
      if (error !== undefined) this.failRoundTrip(describeEnd(error, this.setup))
    })
  }

  onMessage(topic: string, { payload }: Publish): void {
    if (this.isLeaving || !payload.equals(this.payload)) return
    this.stages.pass(
      `a message of ${payload.length} bytes by ${topic}, QoS ${this.values.qos}`,
      { topic },
      'round_trip',
    )
    this.leave(EXIT_STATUS.ok)
  }

  private failRoundTrip(text: string): void {
    if (this.isLeaving) return
    this.stages.fail(text, { topic: this.values.topic })
    this.leave(EXIT_STATUS.round_trip)
  }

  onDrain(): void {
    // There is one message at most.
  }

  private leave(status: number): void {
    if (this.isLeaving) return
    this.isLeaving = true
    this.status = status
    sayGoodbye(this.client, this.setup)
  }

  onDisconnect(error: ClientError | undefined, retryIn: number | undefined): void {
    if (retryIn !== undefined && !this.isLeaving) return
    if (error !== undefined && !this.isLeaving) this.onFailure(error)
    this.isLeaving = true
    this.client.stop()
    this.finish()
  }

  private onFailure(error: ClientError): void {
    const { results, stage } = this.stages
    this.status = stage === 'round_trip' ? EXIT_STATUS.round_trip : statusOf(error)
    if (results.at(-1)?.ok === false) return
    const text = describeEnd(error, this.setup)
    if (error.cause instanceof DialError) this.stages.failIn(error.cause.stage, text)
    else this.stages.fail(text, error.kind === 'refused' ? { reason_code: error.reasonCode } : {})
  }
}

const VERSIONS = { 3: '3.1', 4: '3.1.1', 5: '5.0' } as const

function limitFacts(limits: ServerLimits, serverKeepAlive: number | undefined) {
  const { maximumPacketSize } = limits
  return {
    maximum_qos: limits.maximumQos,
    retain_available: limits.retainAvailable,
    receive_maximum: limits.receiveMaximum,
    maximum_packet_size: Number.isFinite(maximumPacketSize) ? maximumPacketSize : null,
    topic_alias_maximum: limits.topicAliasMaximum,
    wildcard_subscriptions: limits.wildcards,
    subscription_identifiers: limits.subscriptionIdentifiers,
    shared_subscriptions: limits.sharedSubscriptions,
    server_keep_alive: serverKeepAlive ?? null,
  }
}

function limitWords(limits: ServerLimits, serverKeepAlive: number | undefined): string {
  const { maximumPacketSize } = limits
  const has = (is: boolean, what: string) => (is ? what : `no ${what}`)
  return [
    `QoS up to ${limits.maximumQos}`,
    has(limits.retainAvailable, 'retained messages'),
    `${limits.receiveMaximum} messages in flight`,
    Number.isFinite(maximumPacketSize) ? `packets up to ${maximumPacketSize} bytes` : 'packets of any size',
    `${limits.topicAliasMaximum} topic aliases`,
    has(limits.wildcards, 'wildcards'),
    has(limits.subscriptionIdentifiers, 'subscription identifiers'),
    has(limits.sharedSubscriptions, 'shared subscriptions'),
    ...(serverKeepAlive === undefined ? [] : [`keep alive ${serverKeepAlive} s`]),
  ].join(', ')
}
