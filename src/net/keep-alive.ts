// The probes by which TCP itself finds out that the other end of a quiet connection is gone.

import { Socket } from 'node:net'

export interface TcpKeepAlive {
  /** Seconds of silence before the first probe. */
  readonly idle: number
  /** Seconds between probes. */
  readonly interval: number
  /** Probes without an answer that end the connection. */
  readonly count: number
}

/** Of Node 26; before that a socket takes no more than the first of the three. */
type SetKeepAlive = (enable: boolean, idle: number, interval: number, count: number) => Socket

/** Whether this Node.js can set all of it. */
export const canSetProbes = Socket.prototype.setKeepAlive.length >= 4

export function setProbes(socket: Socket, { idle, interval, count }: TcpKeepAlive): void {
  const set: SetKeepAlive = socket.setKeepAlive
  set.call(socket, true, idle * 1000, interval * 1000, count)
}
