// The handshake that turns an accepted socket into a WebSocket: HTTP request, origin, sub-protocol; whatever is wrong is answered
// as HTTP. It has no clock: a connection that says nothing is ended by its owner, as on any transport. The bytes afterwards are
// websocket-stream.ts's.

import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { ReasonCode } from '../protocol/reason-codes.js'
import type { ChunkTaker } from './plain-socket.js'
import { WebSocketControl } from './websocket-control.js'
import { WebSocketStream } from './websocket-stream.js'

export interface WebSocketRules {
  /** Values of `Origin` that are let in, compared exactly; any when empty. A request without `Origin` is no browser's: let in. */
  readonly origins: readonly string[]
  /** Bytes of the largest request: its first line and headers. */
  readonly maxHeaderSize: number
}

/** Names of MQTT as a sub-protocol, best first: MQTT 5.0 section 6, and that of MQTT 3.1 clients. */
const SUBPROTOCOLS = ['mqtt', 'mqttv3.1'] as const

const VERSION = '13'
const NOTHING = Buffer.alloc(0)

const SETTINGS = {
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  // Only control frames get there.
  maxPayload: 125,
  // ms that a peer has to close the socket once close frames were exchanged.
  closeTimeout: 2000,
  handleProtocols: subprotocolOf,
} as const

/** Makes WebSockets of the accepted sockets of one listener. */
export class WebSocketAcceptor {
  private readonly rules: WebSocketRules
  private readonly http: Server
  private readonly upgrades: WebSocketServer
  private readonly streams = new WeakMap<Duplex, WebSocketStream>()

  constructor(rules: WebSocketRules) {
    this.rules = rules
    this.upgrades = new WebSocketServer(SETTINGS)
    this.upgrades.on('wsClientError', ({ message }, socket) => this.refuse(socket, 400, message))
    this.http = createServer({ maxHeaderSize: rules.maxHeaderSize })
    this.http.on('request', ({ socket }) => this.refuse(socket, 426, 'this port speaks MQTT over WebSocket only'))
    this.http.on('upgrade', (request, socket, head) => this.onUpgrade(request, socket, head))
    this.http.on('clientError', (error, socket) => this.onUnreadable(error, socket))
  }

  /** The stream that `socket` is going to be: hand it the bytes that are read from the socket, beginning with the handshake. */
  open(socket: Duplex, take: ChunkTaker): WebSocketStream {
    const control = new WebSocketControl(socket)
    const stream = new WebSocketStream(socket, control, take)
    this.streams.set(control, stream)
    this.http.emit('connection', control)
    return stream
  }

  private onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { origin } = request.headers
    const { origins } = this.rules
    if (origin !== undefined && origins.length > 0 && !origins.includes(origin))
      this.refuse(socket, 403, `origin '${origin}' is not allowed`, ReasonCode.NOT_AUTHORIZED)
    else if (subprotocolOf(offeredBy(request)) === false)
      this.refuse(socket, 400, 'the sub-protocol mqtt is not offered') // [MQTT-6.0.0-3]
    // RFC 6455 section 4.4; `ws` would also take 8, that of a draft.
    else if (request.headers['sec-websocket-version'] !== VERSION)
      this.refuse(socket, 426, `the WebSocket version has to be ${VERSION}`)
    else {
      // What was not parsed yet came behind the handshake too.
      const rest: Buffer = socket.read() ?? NOTHING
      const behind = Buffer.concat([head, rest])
      this.upgrades.handleUpgrade(request, socket, NOTHING, (ws) => this.streams.get(socket)?.attach(ws, behind))
    }
  }

  private onUnreadable(error: Error, socket: Duplex): void {
    const code = 'code' in error ? error.code : undefined
    if (code === 'HPE_HEADER_OVERFLOW') this.refuse(socket, 431, 'the request is too large')
    else this.refuse(socket, 400, FOREIGN[firstByteOf(error) ?? 0] ?? 'not a WebSocket handshake')
  }

  private refuse(socket: Duplex, status: number, reason: string, code: ReasonCode = ReasonCode.PROTOCOL_ERROR): void {
    this.streams.get(socket)?.refuse(status, code, reason)
  }
}

function offeredBy({ headers }: IncomingMessage): ReadonlySet<string> {
  return new Set(headers['sec-websocket-protocol']?.split(',').map((name) => name.trim()))
}

/** The one the server picks [MQTT-6.0.0-4]. */
function subprotocolOf(offered: ReadonlySet<string>): string | false {
  return SUBPROTOCOLS.find((name) => offered.has(name)) ?? false
}

/** First bytes of what else is sent to this port by mistake. */
const FOREIGN: Readonly<Record<number, string>> = { 16: 'MQTT without WebSocket', 22: 'TLS on a port without TLS' }

/** The first byte of what the HTTP parser choked on. */
function firstByteOf(error: Error): number | undefined {
  return 'rawPacket' in error && Buffer.isBuffer(error.rawPacket) ? error.rawPacket[0] : undefined
}
