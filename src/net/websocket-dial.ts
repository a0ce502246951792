// The client's side of MQTT over WebSocket: the handshake on a connected socket, plain or TLS, and what a server may answer instead.
// Frames, masks and pings are the work of `ws`.

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { createWebSocketStream, WebSocket } from 'ws'
import type { DialLayer, HostPort, LayerOutcome } from './dial.js'
import { causeOf } from './dial-causes.js'
import { readStream } from './plain-socket.js'

/** Bytes of one frame, which holds one packet or many: what `ws` can count. */
const MOST_PAYLOAD = 2_147_483_647

export class WebSocketDialer implements DialLayer {
  readonly stage = 'websocket'
  private readonly path: string
  private readonly scheme: 'http' | 'https'

  /** @param isSecure whether TLS lies below. */
  constructor(path: string, isSecure: boolean) {
    this.path = path
    this.scheme = isSecure ? 'https' : 'http'
  }

  open(socket: Duplex, { host, port }: HostPort, { take, opened, failed }: LayerOutcome): () => void {
    const ws = new WebSocket(this.urlOf(host, port), ['mqtt'], {
      createConnection: () => socket,
      perMessageDeflate: false,
      maxPayload: MOST_PAYLOAD,
      skipUTF8Validation: true,
    })
    const onError = (error: Error) => failed(reasonOf(error), false)
    ws.once('error', onError)
    ws.once('unexpected-response', (_request, response: IncomingMessage) => {
      const { statusCode = 0, statusMessage } = response
      failed(`${this.path} is no WebSocket for MQTT: HTTP ${statusCode} ${statusMessage}`, statusCode < 500)
    })
    ws.once('open', () => {
      ws.off('error', onError)
      const stream = createWebSocketStream(ws)
      if (take !== undefined) readStream(stream, take)
      opened(stream)
    })
    return () => {
      ws.off('error', onError).on('error', () => {})
      ws.terminate()
      socket.destroy()
    }
  }

  private urlOf(host: string, port: number): string {
    // A Unix socket has no name of its own.
    const name = port === 0 ? 'localhost' : host.includes(':') ? `[${host}]` : host
    return `${this.scheme === 'https' ? 'wss' : 'ws'}://${name}:${port === 0 ? 80 : port}${this.path}`
  }
}

function reasonOf(error: Error): string {
  if (/socket hang up|ECONNRESET/.test(error.message))
    return 'the broker closed the connection in the WebSocket handshake'
  if ('code' in error && String(error.code).startsWith('HPE_')) return 'the broker does not speak HTTP on this port'
  if (/no subprotocol|invalid subprotocol/i.test(error.message)) return 'the server does not speak MQTT over WebSocket'
  return causeOf(error)
}
