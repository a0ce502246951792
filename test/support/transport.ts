// How the clients of a test reach its broker: over TCP unless the test file says otherwise, before it loads the tests. So one table
// of tests runs over both.

import { Duplex } from 'node:stream'
import { createWebSocketStream, WebSocket } from 'ws'

let isDefault = false
const ports = new Set<number>()

/** From now on brokers get a WebSocket listener, and clients of it a WebSocket. */
export function overWebSocket(): void {
  isDefault = true
}

/** Whether brokers of this file listen for WebSockets. */
export function isOverWebSocket(): boolean {
  return isDefault
}

/** What a listener's line says for it. */
export function transportLine(): string {
  return `protocol ${isDefault ? 'websockets' : 'mqtt'}\n`
}

/** Remembers what a broker of this process listens for. */
export function rememberPort(port: number): void {
  if (isDefault) speakWebSocket(port)
}

/** From now on clients of this port get a WebSocket. */
export function speakWebSocket(port: number): void {
  ports.add(port)
}

/** A stream to this port, once it is open, or one that ends at once, when it is refused; undefined where TCP is spoken. */
export function openWebSocket(port: number): Promise<Duplex> | undefined {
  if (!ports.has(port)) return undefined
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, 'mqtt')
  const stream = createWebSocketStream(webSocket)
  stream.once('end', () => stream.destroy())
  return new Promise((resolve) => {
    webSocket.once('open', () => resolve(stream))
    stream.once('error', () => resolve(gone()))
  })
}

/** As a socket looks whose other end has closed it. */
function gone(): Duplex {
  const stream = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  setImmediate(() => stream.destroy())
  return stream
}
