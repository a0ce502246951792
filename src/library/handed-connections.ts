// Connections that a program hands to a broker: a stream that carries MQTT, or a request of its own HTTP server to speak WebSocket.

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Accepted, Peer } from '../net/listener.js'
import { readStream } from '../net/plain-socket.js'
import { WebSocketAcceptor } from '../net/websocket.js'

/** Bytes of the largest request; Node has read it already. */
const MOST_HEADERS = 65_536

export function acceptedStream(stream: Duplex, peer: Peer): Accepted {
  let take: (bytes: Buffer, length: number) => void = () => {}
  return {
    peer,
    open(taker) {
      take = taker
      return stream
    },
    start: () => readStream(stream, take),
    destroy: () => void stream.destroy(),
  }
}

/** @param origins values of the Origin header that are let in; any when empty */
export function acceptedUpgrade(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  peer: Peer,
  origins: readonly string[],
): Accepted {
  const acceptor = new WebSocketAcceptor({ origins, maxHeaderSize: MOST_HEADERS })
  let receive: (bytes: Buffer, length: number) => void = () => {}
  return {
    peer,
    open(take) {
      const stream = acceptor.open(socket, take)
      receive = (bytes, length) => stream.receive(bytes, length)
      return stream
    },
    start() {
      // The handshake is done where all WebSocket handshakes are done: it gets the request as it came.
      for (const bytes of [headOf(request), head]) if (bytes.length > 0) receive(bytes, bytes.length)
      readStream(socket, receive)
    },
    destroy: () => void socket.destroy(),
  }
}

function headOf({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let at = 0; at < rawHeaders.length; at += 2) lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`)
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
}
