// The steps of a probe as they are taken: name, connection, proxy, TLS, WebSocket, CONNECT, round trip. Each has a time, what it
// found in words and as facts, and whether it went well. How they are printed is for probe-report.ts.

import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { DialLayer, DialStage, DialTarget, HostPort, LayerOutcome } from '../net/dial.js'
import { hostAndPort } from '../net/dial.js'
import { causeOf } from '../net/dial-causes.js'
import { certificateChain, chainText, expiryProblem } from './probe-certificates.js'

export type ProbeStage = DialStage | 'mqtt' | 'round_trip'

export interface StageResult {
  readonly stage: ProbeStage
  readonly ok: boolean
  /** How long it took. */
  readonly ms: number
  readonly text: string
  /** For programs; names as in JSON. */
  readonly facts: Readonly<Record<string, unknown>>
}

export class ProbeStages {
  readonly results: StageResult[] = []
  /** The step that is being taken. */
  stage: ProbeStage = 'lookup'
  private began = performance.now()
  private readonly addresses: string[] = []
  private readonly onResult: (result: StageResult) => void
  private readonly attempts: { readonly address: string; readonly problem?: string }[] = []

  constructor(onResult: (result: StageResult) => void) {
    this.onResult = onResult
  }

  /** The step is done. `next` begins. */
  pass(text: string, facts: StageResult['facts'], next: ProbeStage): void {
    this.add(true, text, facts)
    this.stage = next
    this.began = performance.now()
  }

  /** The step did not succeed: it is the last. */
  fail(text: string, facts: StageResult['facts'] = {}): void {
    this.add(false, text, { ...facts, problem: text, ...(this.stage === 'connect' && { attempts: this.attempts }) })
  }

  private add(ok: boolean, text: string, facts: StageResult['facts']): void {
    const result = { stage: this.stage, ok, ms: performance.now() - this.began, text, facts }
    this.results.push(result)
    this.onResult(result)
  }

  /** The step in which it failed, as the one who failed says. */
  failIn(stage: ProbeStage, text: string): void {
    this.stage = stage
    this.fail(text)
  }

  /** `target`, with someone watching. @param minCertDays days that a certificate of the broker has to be valid, at least. */
  watched(target: DialTarget, minCertDays: number | undefined): DialTarget {
    const { layers = [], locate, port } = target
    const stages = [...layers.map(({ stage }) => stage), 'mqtt' as const]
    const watchedLayers = layers.map((layer, at) => this.watchedLayer(layer, stages[at + 1] ?? 'mqtt', minCertDays))
    if (port === 0) this.stage = 'connect'
    return {
      ...target,
      // A probe tells what the name is found to be.
      addresses: undefined,
      ...(layers.length > 0 && { layers: watchedLayers }),
      ...(locate !== undefined && { locate: (host: string) => this.located(locate(host)) }),
      onSocket: (socket) => this.watchSocket(socket, target, stages[0] ?? 'mqtt'),
    }
  }

  private async located(found: Promise<readonly HostPort[]>): Promise<readonly HostPort[]> {
    const places = await found
    this.addresses.push(...places.map(hostAndPort))
    return places
  }

  private watchSocket(socket: Socket, target: DialTarget, next: ProbeStage): void {
    socket.on('lookup', (error: Error | null, address: string) => {
      if (error === null && address !== undefined) this.addresses.push(address)
    })
    socket.on('connectionAttempt', () => this.onAttempt(target))
    socket.on('connectionAttemptFailed', (address: string, _port: number, _family: number, error?: Error) =>
      this.attempts.push({ address, problem: error === undefined ? 'failed' : causeOf(error) }),
    )
    socket.on('connectionAttemptTimeout', (address: string) =>
      this.attempts.push({ address, problem: 'no answer yet' }),
    )
    socket.once('connect', () => {
      const { remoteAddress = target.host, remotePort = 0 } = socket
      this.onAttempt(target)
      const failed = this.attempts.map(({ address, problem }) => `${address}: ${problem}`)
      const address = remotePort === 0 ? target.host : hostAndPort({ host: remoteAddress, port: remotePort })
      const attempts = [...this.attempts, { address: remoteAddress }]
      this.pass([address, ...failed.map((each) => `not ${each}`)].join('; '), { address, attempts }, next)
    })
  }

  /** The name has been found when the first address is tried. */
  private onAttempt({ host }: DialTarget): void {
    if (this.stage !== 'lookup') return
    if (this.addresses.length === 0) this.stage = 'connect'
    else this.pass(`${host} is ${this.addresses.join(', ')}`, { name: host, addresses: this.addresses }, 'connect')
  }

  private watchedLayer(layer: DialLayer, next: ProbeStage, minCertDays: number | undefined): DialLayer {
    return {
      stage: layer.stage,
      open: (socket, target, outcome) => layer.open(socket, target, this.watchedOutcome(outcome, next, minCertDays)),
    }
  }

  private watchedOutcome(outcome: LayerOutcome, next: ProbeStage, minCertDays: number | undefined): LayerOutcome {
    return {
      ...outcome,
      opened: (stream) => {
        const { text, facts, problem } = stream instanceof TLSSocket ? describeTls(stream, minCertDays) : PLAIN
        if (problem === undefined) {
          this.pass(text, facts, next)
          outcome.opened(stream)
        } else {
          this.fail(problem, facts)
          stream.destroy()
          outcome.failed(problem, true)
        }
      },
    }
  }
}

interface LayerFacts {
  readonly text: string
  readonly facts: StageResult['facts']
  readonly problem?: string | undefined
}

const PLAIN: LayerFacts = { text: 'accepted', facts: {} }

function describeTls(socket: TLSSocket, minCertDays: number | undefined): LayerFacts {
  const version = socket.getProtocol() ?? 'TLS'
  const { standardName, name } = socket.getCipher()
  const cipher = standardName ?? name
  const chain = certificateChain(socket.getPeerCertificate(true), Date.now())
  const facts = {
    version,
    cipher,
    verified: socket.authorized,
    ...(socket.alpnProtocol ? { alpn: socket.alpnProtocol } : {}),
    chain,
  }
  const problem = minCertDays === undefined ? undefined : expiryProblem(chain, minCertDays)
  const words = [`${version}, ${cipher}`, ...(chain.length > 0 ? [chainText(chain)] : [])]
  return { text: words.join('; ') + (socket.authorized || chain.length === 0 ? '' : '; not verified'), facts, problem }
}
