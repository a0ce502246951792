// How much of a large message has left, for those who wait: bytes that the system has taken from the socket beneath all layers.

import type { Socket } from 'node:net'
import { bytesTaken } from '../net/plain-socket.js'

const MEGABYTE = 1_000_000

/** Whether sending so many bytes may take so long that a person wants to know. */
export function isWorthWatching(size: number): boolean {
  return size > MEGABYTE
}

/** "34 of 100 MB (34 %)", "34 MB". */
export function amountText(done: number, total?: number): string {
  const megabytes = (bytes: number) => (bytes / MEGABYTE).toFixed(bytes < 10 * MEGABYTE ? 1 : 0)
  if (total === undefined) return `${megabytes(done)} MB`
  return `${megabytes(done)} of ${megabytes(total)} MB (${Math.floor((100 * done) / total)} %)`
}

export class SendProgress {
  private socket: Socket | undefined = undefined
  private size = 0
  private before = 0

  /** For `onSocket` of the target: the socket of a connection that is being made. */
  readonly watch = (socket: Socket): void => {
    this.socket = socket
    this.before = 0
  }

  /** A message of `size` bytes is about to be sent. */
  begin(size: number): void {
    this.size = size
    this.before = this.taken
  }

  private get taken(): number {
    return this.socket === undefined ? 0 : bytesTaken(this.socket)
  }

  get text(): string {
    return amountText(Math.min(this.taken - this.before, this.size), this.size)
  }
}
