// Opens connections to a broker: by name or address, IPv4 or IPv6, over TCP or a Unix socket, with layers such as TLS above. What
// went wrong is turned into words that name host, address, port and cause. Each layer has a file of its own; whoever dials makes
// those it wants, so that nothing is loaded which is not used.

import { connect, isIP, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { causeOf, codeOf } from './dial-causes.js'
import type { ChunkTaker, SharedReadBuffer } from './plain-socket.js'

/** How far a connection has come, or failed to come. */
export type DialStage = 'lookup' | 'connect' | 'proxy' | 'tls' | 'websocket'

export interface HostPort {
  /** Name or address; IPv6 without brackets. */
  readonly host: string
  /** 0: `host` is the path of a Unix socket. */
  readonly port: number
}

export interface DialTarget extends HostPort {
  /** The addresses of `host`, tried one after the other; without them they are looked up. Not with `proxy` or `locate`. */
  readonly addresses?: readonly string[] | undefined
  /** The address of this machine to connect from. */
  readonly localAddress?: string | undefined
  /** The proxy, whose layer is then the first of `layers`. */
  readonly proxy?: HostPort | undefined
  /** From the wire up. */
  readonly layers?: readonly DialLayer[]
  /** Sees each socket as soon as it begins to look up its name, for those who report on it. */
  readonly onSocket?: ((socket: Socket) => void) | undefined
  /** Finds where to go for the name `host`, best first. */
  readonly locate?: ((host: string) => Promise<readonly HostPort[]>) | undefined
}

/** What lies between a socket and MQTT. */
export interface DialLayer {
  readonly stage: DialStage
  /** What it may mean that the broker hangs up as soon as the layer stands. */
  readonly suspicion?: string | undefined
  /**
   * Shakes hands on `socket` as a client of `target`. Calls one of the outcome's functions, once, and not before it returns what
   * gives up, with the socket below: a layer has to be taken down from above.
   */
  open(socket: Duplex, target: HostPort, outcome: LayerOutcome): () => void
}

export interface LayerOutcome {
  /** Takes what arrives, if this layer is the last; otherwise nothing may be read. */
  readonly take: ChunkTaker | undefined
  opened(stream: Duplex): void
  /** `lasting`: trying again cannot help. */
  failed(reason: string, lasting: boolean): void
}

/** No connection came about. `stage` tells how far it got; `isLasting` that another attempt would end the same way. */
export class DialError extends Error {
  override readonly name = 'DialError'
  readonly stage: DialStage
  readonly isLasting: boolean

  constructor(stage: DialStage, message: string, isLasting = false, options?: ErrorOptions) {
    super(message, options)
    this.stage = stage
    this.isLasting = isLasting
  }
}

/** A connection that is being made. */
export interface Dialling {
  readonly stage: DialStage
  /** Gives up; nothing is called afterwards. */
  cancel(): void
}

/** ms after which the next address of a name is tried beside the one that does not answer. */
const NEXT_ADDRESS_AFTER = 2000

/** `host:port`, with brackets around an IPv6 address; the path of a Unix socket. */
export function hostAndPort({ host, port }: HostPort): string {
  if (port === 0) return host
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Beginning of every message, with the addresses of the host that were tried. */
export function cannotConnect(target: HostPort, addresses: readonly string[] = []): string {
  const others = [...new Set(addresses)].filter((address) => address !== target.host)
  return `cannot connect to ${hostAndPort(target)}${others.length > 0 ? ` (${others.join(', ')})` : ''}`
}

function attempts(error: Error): readonly Error[] {
  return error instanceof AggregateError ? error.errors.filter((each): each is Error => each instanceof Error) : [error]
}

/** Address and cause, cause by cause where they differ. */
function socketWords(hop: HostPort, errors: readonly Error[]): string {
  const failures = errors.map((error) => ({
    cause: causeOf(error),
    address: 'address' in error && typeof error.address === 'string' ? error.address : hop.host,
  }))
  const causes = [...new Set(failures.map(({ cause }) => cause))]
  const addresses = failures.map(({ address }) => address)
  if (causes.length === 1) return `${cannotConnect(hop, addresses)}: ${causes[0]}`
  return `${cannotConnect(hop)}: ${failures.map(({ cause, address }) => `${cause} (${address})`).join(', ')}`
}

/**
 * Connects to `target`. Calls `onOpen` with the stream, which already delivers what it reads to `take`, or `onFailure`; one of
 * them, once.
 */
export function dial(
  target: DialTarget,
  reads: SharedReadBuffer,
  take: ChunkTaker,
  onOpen: (stream: Duplex) => void,
  onFailure: (error: DialError) => void,
): Dialling {
  const attempt = new Attempt(target, reads, take, onOpen, onFailure)
  attempt.start()
  return attempt
}

class Attempt implements Dialling {
  stage: DialStage = 'lookup'
  private readonly target: DialTarget
  private readonly reads: SharedReadBuffer
  private readonly take: ChunkTaker
  private readonly onOpen: (stream: Duplex) => void
  private readonly onFailure: (error: DialError) => void
  private abandon: () => void = () => {}
  /** Where the socket has been connected to, unless that is a proxy. */
  private address: string | undefined = undefined
  private isOver = false

  constructor(
    target: DialTarget,
    reads: SharedReadBuffer,
    take: ChunkTaker,
    onOpen: (stream: Duplex) => void,
    onFailure: (error: DialError) => void,
  ) {
    this.target = target
    this.reads = reads
    this.take = take
    this.onOpen = onOpen
    this.onFailure = onFailure
  }

  start(): void {
    const { addresses = [], locate, host } = this.target
    if (locate === undefined) {
      this.connect(this.target, [], addresses)
      return
    }
    locate(host).then(
      ([first, ...others]) => {
        if (this.isOver) return
        if (first !== undefined) this.connect(first, others)
        else this.fail(new DialError('lookup', `cannot find a broker for ${host}: no SRV record`))
      },
      (error: Error) => {
        this.fail(
          new DialError('lookup', `cannot find a broker for ${host}: ${causeOf(error)}`, false, { cause: error }),
        )
      },
    )
  }

  cancel(): void {
    this.isOver = true
    this.abandon()
  }

  private fail(error: DialError): void {
    if (this.isOver) return
    this.cancel()
    this.onFailure(error)
  }

  /**
   * @param others where else the broker may be.
   * @param addresses of the broker that are left to try, where they are known.
   * @param failures of those before.
   */
  private connect(
    broker: HostPort,
    others: readonly HostPort[],
    [address, ...addresses]: readonly string[] = [],
    failures: readonly Error[] = [],
  ): void {
    const { target } = this
    const hop = target.proxy ?? broker
    const socket = this.socketTo({ host: address ?? hop.host, port: hop.port })
    this.abandon = () => socket.on('error', () => {}).destroy()
    target.onSocket?.(socket)
    const onError = (error: Error) => {
      const [next, ...rest] = others
      if (this.isOver) return
      const all = [...failures, error]
      if (addresses.length > 0 || next !== undefined) socket.on('error', () => {})
      if (addresses.length > 0) this.connect(broker, others, addresses, all)
      else if (next !== undefined) this.connect(next, rest)
      else this.fail(this.socketError(broker, hop, all.length > 1 ? new AggregateError(all) : error))
    }
    socket.once('lookup', (error: Error | null) => {
      if (error === null) this.stage = 'connect'
    })
    socket.once('error', onError)
    socket.once('connect', () => {
      socket.off('error', onError)
      if (target.proxy === undefined) this.address = socket.remoteAddress
      if (!this.isOver) this.climb(socket, broker, 0)
    })
  }

  private socketTo({ host, port }: HostPort): Socket {
    const { localAddress, layers = [] } = this.target
    // With layers above, whoever is the last of them delivers what arrives.
    const onread = layers.length > 0 ? undefined : this.reads.onread(this.take)
    if (port === 0 || isIP(host) !== 0) this.stage = 'connect'
    if (port === 0) return connect({ path: host, ...(onread && { onread }) })
    return connect({
      host,
      port,
      noDelay: true,
      ...(onread && { onread }),
      ...(localAddress === undefined
        ? { autoSelectFamily: true, autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_AFTER }
        : { localAddress, family: isIP(localAddress) }),
    })
  }

  /** Lays layer after layer over `stream`. */
  private climb(stream: Duplex, broker: HostPort, at: number): void {
    const { layers = [] } = this.target
    const layer = layers[at]
    if (layer === undefined) {
      this.isOver = true
      this.onOpen(stream)
      return
    }
    this.stage = layer.stage
    this.abandon = layer.open(stream, broker, {
      take: at + 1 === layers.length ? this.take : undefined,
      opened: (above) => {
        if (!this.isOver) this.climb(above, broker, at + 1)
        else above.destroy()
      },
      failed: (reason, lasting) => {
        const addresses = this.address === undefined ? [] : [this.address]
        this.fail(new DialError(layer.stage, `${cannotConnect(broker, addresses)}: ${reason}`, lasting))
      },
    })
  }

  private socketError(broker: HostPort, hop: HostPort, error: Error): DialError {
    const stage = 'syscall' in error && error.syscall === 'getaddrinfo' ? 'lookup' : 'connect'
    const { localAddress } = this.target
    const hint = /^[^:]+:\d+$/.test(hop.host) ? '; the port is given apart from the host' : ''
    const words =
      codeOf(error) === 'EADDRNOTAVAIL' && localAddress !== undefined
        ? `${cannotConnect(hop)} from ${localAddress}: ${causeOf(error)}`
        : socketWords(hop, attempts(error))
    const message = `${hop === broker ? '' : `${cannotConnect(broker)}: the proxy: `}${words}${hint}`
    return new DialError(hop === broker ? stage : 'proxy', message, false, { cause: error })
  }
}
