// How the clients of a test reach its broker: over TCP unless the test file says otherwise, before it loads the tests. So one table
// of tests runs over both.

import type { Duplex } from 'node:stream'
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

/** What a listener's lines say for it. */
export function transportLines(): string {
  return isDefault ? 'protocol websockets\n' : ''
}

/** Remembers what a broker of this process listens for. */
export function rememberPort(port: number): void {
  if (isDefault) ports.add(port)
}

/** A stream to this port, once it is open; undefined where TCP is spoken. */
export function openWebSocket(port: number): Promise<Duplex> | undefined {
  if (!ports.has(port)) return undefined
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, 'mqtt')
  const stream = createWebSocketStream(webSocket)
  stream.once('end', () => stream.destroy())
  return new Promise((resolve, reject) => {
    webSocket.once('open', () => resolve(stream))
    stream.once('error', reject)
  })
}
